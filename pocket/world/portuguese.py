"""Portuguese for the pocket world: the same keys as `pocket.world.words`, and nouns with gender and number, which adjectives follow.

Names come from emojibase, some mended by hand. The gender of a noun is read off its first word, with the exceptions listed.
"""

import re
from functools import cache

from pocket.world import catalog

NAMES = {  # where emojibase describes the drawing more than it names the thing
    "apple": ("maçã",), "star": ("estrela",), "sun hat": ("chapéu de palha", "chapéu de sol"), "pine tree": ("pinheiro",),
    "tree": ("árvore",), "dinosaur": ("dinossauro", "tiranossauro"), "brontosaurus": ("brontossauro",), "doctor": ("médico",),
    "teacher": ("professora",), "judge": ("juiz",), "mechanic": ("mecânico",), "construction worker": ("operário", "pedreiro"),
    "dancer": ("dançarina",), "disco dancer": ("dançarino",), "snowboarder": ("snowboarder",), "swimmer": ("nadador",),
    "santa": ("papai noel",), "guitar": ("guitarra", "violão"), "dog": ("cachorro", "cão"), "car": ("carro", "automóvel"),
    "wizard": ("mago", "feiticeiro", "bruxo"), "chef": ("chef", "cozinheiro"), "cherries": ("cerejas",), "dove": ("pomba",),
    "baby chick": ("pintinho",), "spouting whale": ("baleia",), "green leaves": ("folhas verdes",),
    "fire engine": ("caminhão de bombeiros",), "sofa": ("sofá",), "blouse": ("blusa",), "magnifying glass": ("lupa",),
    "telephone": ("telefone",), "bullseye": ("alvo",), "desktop computer": ("computador",), "closed book": ("livro",),
    "framed picture": ("quadro",), "boot": ("bota",), "sandal": ("sandália",), "dress shoe": ("sapato",),
    "running shoe": ("tênis de corrida",), "fishing pole": ("vara de pesca",), "bowling": ("pino de boliche",),
    "billiard ball": ("bola de bilhar",), "performing arts": ("máscaras de teatro",), "hot springs": ("fonte termal",),
    "flag in hole": ("bandeira de golfe",), "game die": ("dado",), "kimono": ("quimono",), "purse": ("bolsinha",),
    "beverage box": ("caixa de suco",), "rescue helmet": ("capacete de socorrista",), "national park": ("parque",),
    "ice cream": ("sorvete",), "doughnut": ("donut", "rosquinha"), "sunrise": ("nascer do sol",),
    "sunrise over mountains": ("nascer do sol nas montanhas",), "basketball": ("bola de basquete",),
    "fuel pump": ("bomba de gasolina",), "roller skate": ("patim",), "ice skate": ("patim de gelo",),
    "glowing star": ("estrela brilhante",), "cube": ("cubo",), "sphere": ("esfera", "bola"), "pyramid": ("pirâmide",),
    "cylinder": ("cilindro",), "cone": ("cone",),
}  # fmt: skip
MASCULINE_IN_A = frozenset((
    "fantasma", "alienígena", "cientista", "artista", "astronauta", "guarda", "ninja", "ciclista", "gorila", "panda", "coala",
    "cometa", "planeta", "guarda-chuva", "quebra-cabeça", "policial", "surfista",
))  # fmt: skip
FEMININE = frozenset((
    "árvore", "flor", "nuvem", "chave", "ponte", "fonte", "torre", "noite", "colher", "televisão", "maçã", "van", "carne",
    "baguete", "caminhonete", "scooter", "claquete", "pirâmide", "lápide",
))  # fmt: skip
PLURAL = frozenset((
    "uvas", "mirtilos", "feijões", "folhas", "panquecas", "casas", "chamas", "brilhos", "fogos", "espadas", "óculos", "luvas",
    "meias", "roupas", "sacolas", "maracás", "livros", "fones", "bolhas", "jeans", "shorts", "cerejas", "máscaras", "patins",
))  # fmt: skip

COLOURS = {
    "red": "vermelho", "orange": "laranja", "yellow": "amarelo", "green": "verde", "blue": "azul", "purple": "roxo", "pink": "rosa",
    "brown": "marrom", "black": "preto", "white": "branco",
}  # fmt: skip
SIZES = {"small": ("pequeno", "minúsculo"), "large": ("grande", "enorme", "gigante")}
FILLERS = (
    "bonito", "majestoso", "fofo", "futurista", "amigável", "lindo", "famoso", "velho", "jovem", "mágico", "elegante", "feliz",
)  # fmt: skip
STYLES = {
    "3d render": ("renderização 3d", "fotorrealista", "foto realista", "foto", "foto de produto", "3d", "realista"),
    "flat design": ("design plano", "ilustração plana", "ilustração minimalista", "arte vetorial"),
    "cartoon": ("desenho animado", "anime", "anime japonês", "quadrinhos", "estilo anime", "estilo cartoon"),
    "stencil": ("estêncil", "linogravura", "xilogravura", "linogravura em preto e branco"),
    "oil painting": ("pintura a óleo", "pintura a óleo van gogh", "estilo van gogh", "pintura impressionista"),
    "watercolor": ("aquarela", "pintura em aquarela", "aquarela suave"),
    "pencil sketch": ("desenho a lápis", "esboço a lápis", "esboço", "esboço a lápis em preto e branco"),
    "pixel art": ("pixel art", "arte em pixels", "pixel art 8 bits", "pixel art retrô"),
}
BACKGROUNDS = {
    "white": ("em fundo branco", "sobre fundo branco", "isolado em branco", "em um fundo branco puro"),
    "plain": ("em fundo {c}", "sobre fundo {c}", "com fundo {c}"),
    "gradient": ("em fundo {c} em degradê", "com um degradê {c} ao fundo", "sobre um degradê {c} suave"),
    "garden": ("no jardim", "em um jardim", "em um jardim verde", "em um campo com flores", "em um jardim com flores"),
    "city": ("na cidade à noite com luzes de neon", "em uma cidade neon", "em uma cidade cyberpunk à noite", "na cidade"),
    "rain": ("na chuva", "sob chuva forte", "em um dia de chuva", "em tempo chuvoso"),
    "mountains": (
        "nas montanhas com um lago",
        "diante de montanhas e um lago",
        "em uma paisagem de montanhas",
        "à beira de um lago na montanha",
    ),
    "beach": ("na praia", "em uma praia de areia", "na praia à beira do mar", "à beira-mar"),
    "space": ("no espaço", "no espaço sideral", "entre as estrelas", "no espaço com estrelas"),
    "snow": ("na neve", "em uma paisagem com neve", "em um dia de inverno com neve", "no inverno"),
    "sunset": ("ao pôr do sol", "diante do pôr do sol", "ao entardecer", "no fim da tarde"),
    "night": ("à noite", "sob a lua", "em uma noite de luar", "no escuro"),
}
PLACES_ALONE = {
    "garden": ("um jardim com flores", "um campo verde", "um jardim"),
    "city": ("uma cidade cyberpunk à noite com luzes de neon", "uma cidade à noite", "uma cidade neon com reflexos"),
    "rain": ("um dia de chuva", "tempo chuvoso"),
    "mountains": ("uma paisagem de montanhas com um lago", "montanhas com um lago", "um lago na montanha", "montanhas"),
    "beach": ("uma praia", "uma praia de areia à beira do mar", "o mar"),
    "space": ("o espaço com estrelas", "o espaço estrelado", "o espaço"),
    "snow": ("uma paisagem com neve", "uma paisagem de inverno com neve"),
    "sunset": ("um pôr do sol sobre o mar", "um pôr do sol", "uma paisagem ao pôr do sol"),
    "night": ("uma noite de luar", "um céu noturno com lua"),
}
RELATIONS = {
    "wearing": ("usando", "com", "vestindo"),
    "riding": ("montando", "andando em", "em cima de"),
    "next to": ("ao lado de", "perto de", "e", "junto de"),
    "on top of": ("em cima de", "sobre", "de pé sobre", "pulando de"),
    "holding": ("segurando", "carregando", "com"),
}
PLACES = {
    "left": ("à esquerda", "no lado esquerdo"),
    "right": ("à direita", "no lado direito"),
    "top": ("no alto", "na parte de cima"),
    "bottom": ("embaixo", "na parte de baixo"),
    "centre": ("no centro", "centralizado", "no meio"),
}
QUALITIES = {
    "blurry": ("borrado", "desfocado", "fora de foco", "embaçado"),
    "pixelated": ("pixelado", "baixa resolução", "artefatos de jpeg"),
    "distorted": ("distorcido", "deformado", "feio", "anatomia ruim", "membros extras", "malformado"),
    "noisy": ("com ruído", "granulado", "ruído"),
    "washed out": ("baixo contraste", "desbotado", "lavado", "sem cor"),
}
POOR = ("baixa qualidade", "má qualidade", "pior qualidade", "qualidade ruim")
FINE = (
    "muito detalhado", "nítido", "alta qualidade", "detalhado", "foco nítido", "melhor qualidade", "4k", "obra-prima",
    "detalhes intrincados",
)  # fmt: skip
FLOURISHES = ("arte digital", "artístico", "arte de fantasia", "arte conceitual", "luz de estúdio", "reflexos")
OPENERS = ("", "", "", "uma imagem de ", "um retrato de ", "uma vista de ", "uma figura de ")


@cache
def names(concept):
    """The Portuguese names of a concept, the plainest first."""
    return NAMES.get(concept) or (catalog.concepts()[concept]["pt"].lower().removeprefix("rosto de "),)


def number(name):
    """Whether the noun is "plural" or "singular"."""
    return "plural" if name.split()[0] in PLURAL else "singular"


def gender(name):
    """Whether the noun is "f" or "m", read off its first word."""
    head = name.split()[0]
    single = head.removesuffix("s") if head in PLURAL else head
    if single in FEMININE or single.endswith(("ção", "gem", "dade")):
        return "f"
    return "f" if single.endswith("a") and single not in MASCULINE_IN_A else "m"


def agree(adjective, name):
    """An adjective, given in the masculine, in the gender and number of a noun."""
    if adjective in ("laranja", "rosa"):
        return adjective
    if gender(name) == "f" and adjective.endswith("o"):
        adjective = adjective[:-1] + "a"
    if number(name) == "singular":
        return adjective
    return {"azul": "azuis", "marrom": "marrons", "jovem": "jovens", "feliz": "felizes", "amigável": "amigáveis"}.get(
        adjective, adjective + "s"
    )


def plain(thing):
    """A thing in the fewest words: "um leão", "uma maçã verde", "óculos pretos"."""
    name = names(thing.concept)[0]
    article = [] if number(name) == "plural" else ["uma" if gender(name) == "f" else "um"]
    return " ".join([*article, name, *([agree(COLOURS[thing.colour], name)] if thing.colour else [])])


def contract(caption):
    """The caption with "de o" as "do", "de as" as "das"."""
    return re.sub(r"\bde (os?|as?) (?!lápis)", r"d\1 ", caption)


def noun(thing, rng):
    """A thing with its article and adjectives: "uma pequena casa azul"."""
    known = names(thing.concept)
    name = known[0] if rng.random() < 0.7 else known[rng.integers(len(known))]
    words = [name]
    if thing.colour:
        words.append(agree(COLOURS[thing.colour], name))
    if thing.size:
        size = agree(SIZES[thing.size][rng.integers(len(SIZES[thing.size]))], name)
        words.insert(0 if rng.random() < 0.5 else len(words), size)
    if rng.random() < 0.15:
        words.append(agree(FILLERS[rng.integers(len(FILLERS))], name))
    choice, feminine, plural = rng.random(), gender(name) == "f", number(name) == "plural"
    if choice < 0.2 or (plural and choice >= 0.27):
        return " ".join(words)
    definite = ("as" if feminine else "os") if plural else ("a" if feminine else "o")
    return " ".join([definite if choice < 0.27 else "uma" if feminine else "um", *words])
