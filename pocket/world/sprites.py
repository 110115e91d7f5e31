"""Render the emoji sets once into one packed file of sprites: `python -m pocket.world.sprites`.

Every concept (lion, castle, wizard …) is drawn by up to six artists, and the artist is the style: glossy 3D, flat,
cartoon, stencil. The sources are SVGs from the npm registry; the names come from emojibase. The result is
`pocket/data/sprites.zip`: an `index.json` and one WebP per sprite, 128×128 with transparency.

Left out on purpose: OpenMoji (share-alike), flags, signs, symbols, skin tones. People appear by role, one neutral figure each.
"""

import io
import json
import re
import shutil
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

SIDE = 128
PACK = Path(__file__).parent.parent / "data" / "sprites.zip"
SOURCES = Path("build/emoji")
PACKAGES = {
    "fluent-emoji": "1.2.7",
    "fluent-emoji-flat": "1.2.6",
    "fluent-emoji-high-contrast": "1.2.6",
    "noto": "1.2.9",
    "twemoji": "1.2.5",
    "emojione": "1.2.3",
}
EMOJIBASE = "17.0.0"
REQUIRED = set(PACKAGES) - {"emojione"}  # the oldest set lacks the newer emoji; the other five must agree
EMOJIONE_DIFFERS = {"cricket"}  # there it is the game

# Subgroups of emojibase that are things one can draw in a scene.
THINGS = [
    "animal-mammal",
    "animal-bird",
    "animal-amphibian",
    "animal-reptile",
    "animal-marine",
    "animal-bug",
    "plant-flower",
    "plant-other",
    "food-fruit",
    "food-vegetable",
    "food-prepared",
    "food-asian",
    "food-sweet",
    "drink",
    "dishware",
    "place-geographic",
    "place-building",
    "place-religious",
    "place-other",
    "transport-ground",
    "transport-water",
    "transport-air",
    "sky-weather",
    "event",
    "award-medal",
    "sport",
    "game",
    "arts-crafts",
    "clothing",
    "music",
    "musical-instrument",
    "phone",
    "computer",
    "light-video",
    "book-paper",
    "money",
    "writing",
    "lock",
    "tool",
    "science",
    "medical",
    "household",
    "other-object",
    "hotel",
]
PEOPLE = """astronaut|scientist|ninja|police officer|detective|guard|construction worker|prince|princess|farmer|cook|mechanic|
singer|artist|pilot|firefighter|judge|teacher|student|health worker|superhero|mage|fairy|vampire|mermaid|elf|genie|zombie|
troll|Santa Claus|skier|snowboarder|person surfing|person biking|person swimming|woman dancing|man dancing|baby""".replace("\n", "").split(
    "|"
)
FACES = ["robot", "ghost", "alien", "alien monster"]
SIGNS = re.compile(
    r"moon face|sun with face|quarter moon|gibbous|waxing|new moon|suit$|mahjong|joker|flower playing|ticket|medal$|ribbon|rosette"
    r"|page|bookmark|label|notebook|ledger|chart|musical score|note$|notes$|slider|knobs|high voltage|sign$|stop$|motorway|track$"
    r"|railway car|light rail|oncoming|pager|fax|trackball|disk|dvd|optical|banknote|receipt|money with wings|locked|unlocked"
    r"|hammer and|nut and|link$|chain|blood|x-ray|cigarette|coffin|urn|elevator|plunger|razor|lotion|safety pin|toilet|mouse trap"
    r"|dagger|bomb|drop of|pouring|paw prints|pig nose|face$|service dog|guide dog|departure|arrival|seat|without snow|chestnut"
    r"|wedding|love hotel|kaaba|on ground|sun behind (small|large)|cloud with lightning and|construction$|with flash|film frames"
    r"|tilted right|hamsa|nazar|placard|identification|bikini|briefs|one-piece|white cane|wheelchair|mobile phone with"
    r"|telephone receiver|incoming|magnifying glass tilted right|two-hump|front-facing|hatching|microbe|petri|bandage|crutch"
    r"|horizontal traffic|police car light|oil drum|barber|station$|map|dolls|tanabata|pine decoration|streamer|wind chime|ceremony"
    r"|lipstick|clinking|fork and knife with|Japanese post|hotel$|convenience|department|wind face|post office|cricket game|goal net"
    r"|ballot|fish cake|oden$|admission|low battery|foggy|derelict|closed umbrella|umbrella with|dna|stethoscope|pregnant"
)
RENAMED = {
    "mage": "wizard", "automobile": "car", "lady beetle": "ladybug", "red apple": "apple", "cityscape": "city skyline",
    "Santa Claus": "santa", "cook": "chef", "person surfing": "surfer", "person biking": "cyclist", "person swimming": "swimmer",
    "woman dancing": "dancer", "man dancing": "disco dancer", "health worker": "doctor", "woman’s hat": "sun hat",
    "man’s shoe": "dress shoe", "woman’s sandal": "sandal", "woman’s boot": "boot", "woman’s clothes": "blouse",
    "rescue worker’s helmet": "rescue helmet", "soft ice cream": "ice cream cone", "ear of corn": "corn", "sheaf of rice": "wheat",
    "evergreen tree": "pine tree", "deciduous tree": "tree", "leaf fluttering in wind": "green leaves", "honeybee": "bee",
    "wrapped gift": "gift", "flying saucer": "ufo", "T-Rex": "dinosaur", "sauropod": "brontosaurus", "pool 8 ball": "billiard ball",
    "tear-off calendar": "calendar", "studio microphone": "studio mic", "snow-capped mountain": "snowy mountain",
    "couch and lamp": "sofa", "package": "cardboard box", "lion": "lion", "hot beverage": "coffee", "Christmas tree": "christmas tree",
    "magnifying glass tilted left": "magnifying glass", "fork and knife": "cutlery", "bottle with popping cork": "champagne",
    "shallow pan of food": "paella", "pot of food": "stew", "Statue of Liberty": "statue of liberty", "Tokyo tower": "tokyo tower",
    "Japanese castle": "japanese castle", "billed cap": "cap", "horse racing": "jockey", "open mailbox with raised flag": "mailbox",
}  # fmt: skip


def slug(label):
    """The icon name iconify gives an emoji label: `rescue worker’s helmet` → `rescue-workers-helmet`."""
    return re.sub(r"[’:“”.!,]", "", label.lower()).replace(" ", "-")


def fetch(folder=SOURCES):
    """Install the emoji packages, at their exact versions, under `folder`; needs `npm`."""
    wanted = [f"@iconify-json/{name}@{version}" for name, version in PACKAGES.items()] + [f"emojibase-data@{EMOJIBASE}"]
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, *wanted], check=True)
    return folder / "node_modules"


def choose(modules):
    """The concepts: a list of emojibase entries, each with its plain name, group, keywords and Portuguese name."""
    base = modules / "emojibase-data"
    subgroups = json.loads((base / "meta/groups.json").read_text(encoding="utf-8"))["subgroups"]
    portuguese = {e["hexcode"]: e for e in json.loads((base / "pt/data.json").read_text(encoding="utf-8"))}
    chosen = []
    for entry in json.loads((base / "en/data.json").read_text(encoding="utf-8")):
        label, subgroup = entry["label"], subgroups.get(str(entry.get("subgroup")), "")
        thing = subgroup in THINGS and not SIGNS.search(label)
        if not (thing or label in PEOPLE or label in FACES):
            continue
        twin = portuguese[entry["hexcode"]]
        chosen.append({
            "name": RENAMED.get(label, label.lower().replace("’", "'")),
            "slug": slug(label),
            "group": "person" if label in PEOPLE else subgroup,
            "tags": entry.get("tags", []),
            "pt": twin["label"],
            "pt_tags": twin.get("tags", []),
        })  # fmt: skip
    return chosen


class IconSet:
    """One emoji set in iconify's JSON form: SVG bodies by icon name, and aliases."""

    def __init__(self, path):
        data = json.loads(path.read_text(encoding="utf-8"))
        self.icons, self.aliases = data["icons"], data.get("aliases", {})
        self.side = data.get("width", 16)

    def svg(self, name):
        """The SVG text of an icon, or None. People without a gender are `person-…` in some sets."""
        for candidate in (name, f"person-{name}", f"man-{name}"):
            icon = self.icons.get(candidate) or self.icons.get(self.aliases.get(candidate, {}).get("parent"))
            if icon:
                width, height = icon.get("width", self.side), icon.get("height", self.side)
                return (
                    f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
                    f'viewBox="{icon.get("left", 0)} {icon.get("top", 0)} {width} {height}" width="{SIDE}" height="{SIDE}">'
                    f"{icon['body']}</svg>"
                )
        return None


def solids(style):
    """Simple solids as SVG, in the manner of an emoji set: name → SVG text. Red, to be recoloured by the world."""
    light, mid, dark = {"noto": ("#ff7a6b", "#f44336", "#b71c1c")}.get(style, ("#ff8080", "#e53935", "#a01f1f"))
    line = 'stroke="#5c0f0f" stroke-width="1.5" stroke-linejoin="round"' if style in ("twemoji", "emojione") else ""
    if style == "fluent-emoji-high-contrast":
        light, mid, dark, line = "#fff", "#fff", "#000", 'stroke="#000" stroke-width="3" stroke-linejoin="round"'
    glossy = style == "fluent-emoji"
    ball, side = ("url(#b)", "url(#s)") if glossy else (mid, mid)
    defs = (
        '<defs><radialGradient id="b" cx=".35" cy=".3" r=".75"><stop offset="0" stop-color="#ffc9c0"/><stop offset=".35" '
        'stop-color="#f2544a"/><stop offset="1" stop-color="#7d1010"/></radialGradient><linearGradient id="s"><stop offset="0" '
        'stop-color="#ff9a8f"/><stop offset=".5" stop-color="#e53935"/><stop offset="1" stop-color="#8f1414"/></linearGradient></defs>'
    )
    shade = f'<path fill="{dark}" d="M48 12a38 38 0 0 1-60 62a44 44 0 0 0 60-62z" transform="translate(38 14)"/>' if not glossy else ""
    bodies = {
        "cube": f'<g {line}><path fill="{light}" d="M50 6 92 26 50 46 8 26z"/><path fill="{mid}" d="M8 26 50 46V96L8 76z"/>'
        f'<path fill="{dark}" d="M92 26 50 46V96L92 76z"/></g>',
        "sphere": f'<g {line}><circle cx="50" cy="50" r="44" fill="{ball}"/>{shade if line == "" else ""}</g>',
        "pyramid": f'<g {line}><path fill="{light if not glossy else side}" d="M50 6 6 80 56 96z"/>'
        f'<path fill="{dark}" d="M50 6 56 96 94 76z"/></g>',
        "cylinder": f'<g {line}><path fill="{side}" d="M14 18V82a36 13 0 0 0 72 0V18z"/>'
        f'<ellipse cx="50" cy="18" rx="36" ry="13" fill="{light}"/></g>',
        "cone": f'<g {line}><path fill="{side}" d="M50 4 12 80a38 14 0 0 0 76 0z"/></g>',
    }
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" width="{SIDE}" height="{SIDE}">'
    return {name: f"{head}{defs}{body}</svg>" for name, body in bodies.items()}


def render(svg, side=SIDE):
    """SVG text → WebP bytes of a side×side RGBA picture."""
    import resvg_py

    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side))
    picture, packed = Image.open(io.BytesIO(png)).convert("RGBA"), io.BytesIO()
    picture.save(packed, "WEBP", quality=82, alpha_quality=90, method=6)
    return packed.getvalue()


def main():
    """Fetch, choose, render and pack; prints how many and how large."""
    modules = fetch()
    sets = {name: IconSet(modules / "@iconify-json" / name / "icons.json") for name in PACKAGES}
    concepts, jobs, seen = [], {}, set()
    for concept in choose(modules):
        svgs = {name: icons.svg(concept["slug"]) for name, icons in sets.items()}
        if concept["name"] in seen or any(svgs[name] is None for name in REQUIRED):
            continue
        seen.add(concept["name"])
        concepts.append(concept)
        if concept["name"] in EMOJIONE_DIFFERS:
            svgs["emojione"] = None
        jobs |= {f"{name}/{concept['slug']}.webp": svg for name, svg in svgs.items() if svg}
    for solid in solids("noto"):
        concepts.append({"name": solid, "slug": solid, "group": "solid", "tags": ["shape"], "pt": solid, "pt_tags": []})
    for name in PACKAGES:
        jobs |= {f"{name}/{solid}.webp": svg for solid, svg in solids(name).items()}
    with ThreadPoolExecutor() as pool:
        pictures = dict(zip(jobs, pool.map(render, jobs.values()), strict=True))
    PACK.parent.mkdir(exist_ok=True)
    partial = PACK.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as pack:
        pack.writestr("index.json", json.dumps(concepts, ensure_ascii=False))
        for name, data in pictures.items():
            pack.writestr(name, data)
    partial.replace(PACK)
    for name in PACKAGES:  # each set's licence text, where its package carries one
        for licence in (modules / "@iconify-json" / name).glob("*[Ll][Ii][Cc][Ee][Nn][SsCc]*"):
            shutil.copy(licence, PACK.parent / f"LICENSE-{name}")
    print(f"{len(concepts)} concepts, {len(pictures)} sprites, {PACK.stat().st_size / 1e6:.1f} MB in {PACK}")


if __name__ == "__main__":
    main()
