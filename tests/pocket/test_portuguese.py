import re
import subprocess
import sys

import numpy as np
import pytest

from pocket.world import catalog, portuguese, words
from pocket.world.captions import LANGUAGES, say
from pocket.world.scene import Inventor, Scene, Thing


@pytest.mark.parametrize("table", ["COLOURS", "SIZES", "BACKGROUNDS", "PLACES_ALONE", "RELATIONS", "PLACES", "QUALITIES"])
def test_every_key_of_the_world_has_portuguese_words(table):
    assert getattr(portuguese, table).keys() == getattr(words, table).keys()
    assert portuguese.STYLES.keys() == words.STYLES.keys()


@pytest.mark.parametrize(
    ("concept", "phrase"),
    [
        ("horse", "um cavalo verde"), ("apple", "uma maçã verde"), ("house", "uma casa vermelha"), ("car", "um carro vermelho"),
        ("astronaut", "um astronauta branco"), ("umbrella", "um guarda-chuva amarelo"), ("key", "uma chave amarela"),
        ("tree", "uma árvore roxa"), ("pyramid", "uma pirâmide preta"), ("koala", "um coala preto"),
    ],
)  # fmt: skip
def test_adjectives_follow_the_noun(concept, phrase):
    colour = next(key for key, word in portuguese.COLOURS.items() if phrase.split()[-1] in (word, word[:-1] + "a"))
    said = {portuguese.noun(Thing(concept, colour), np.random.default_rng(seed)) for seed in range(60)}
    assert phrase in said


def test_plurals_agree_and_take_no_singular_article():
    assert portuguese.agree("azul", "óculos") == "azuis"
    assert portuguese.agree("vermelho", "luvas") == "vermelhas"
    assert portuguese.agree("rosa", "luvas") == "rosa"
    said = [portuguese.noun(Thing("gloves", "red"), np.random.default_rng(seed)) for seed in range(60)]
    assert not [s for s in said if re.match("(uma?|o|a) ", s)]


def test_prepositions_contract():
    assert portuguese.contract("uma imagem de o leão perto de as uvas") == "uma imagem do leão perto das uvas"
    assert portuguese.contract("desenho a lápis de um leão") == "desenho a lápis de um leão"


def test_every_concept_has_a_name_of_its_own_language():
    for concept in catalog.concepts():
        assert all(name and name == name.lower() and not name.startswith("rosto") for name in portuguese.names(concept))
    assert portuguese.names("lion") == ("leão",)


def test_every_scene_can_be_said():
    rng, invent = np.random.default_rng(0), Inventor()
    captions = [say(invent(rng), rng, "pt") for _ in range(3000)]
    assert len(set(captions)) > 2900
    assert not [c for c in captions if "None" in c or "{" in c or "  " in c]
    english = re.compile(r"\b(the|with|background|painting|wearing|holding)\b")
    assert not [c for c in captions if english.search(c)]
    assert not [c for c in captions if re.search(r"\bde [oa]s? (?!lápis)", c)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_captions_hang_on_the_draw_alone(language):
    """Not on what was said before, nor on Python's own chance, which is another one in each process."""
    scene = Scene((Thing("lion"),), "cartoon", "beach")
    code = (
        "import numpy as np; from pocket.world.captions import say; from pocket.world.scene import Scene, Thing\n"
        f"scene = Scene((Thing('lion'),), 'cartoon', 'beach'); print([say(scene, np.random.default_rng(i), {language!r}) for i in (1, 2)])"
    )
    one, two = (subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2))
    assert one == two
    rng = np.random.default_rng(0)
    assert len({say(scene, rng, language) for _ in range(40)}) > 20  # and they differ from draw to draw
