"""The vocabulary of the pocket world: styles, backgrounds, colours, relations, sizes, places and quality words.

Each entry maps the world's own key to the phrases captions use for it; the first phrase is the plainest.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """What makes a style: the words for it, the emoji sets that draw it, and a filter over the finished picture."""

    words: tuple[str, ...]
    sets: tuple[str, ...]
    filter: str | None = None


COLOUR_SETS = ("fluent-emoji-flat", "noto", "twemoji")
STYLES = {
    "3d render": Style(
        ("3d render", "photorealistic", "realistic photo", "photo", "product photo", "3d", "realistic", "photorealistic 3d render"),
        ("fluent-emoji",),
    ),
    "flat design": Style(
        ("flat design", "flat illustration", "minimalist illustration", "flat vector art", "vector art"), ("fluent-emoji-flat",)
    ),
    "cartoon": Style(
        ("cartoon", "anime", "japanese anime", "comic", "anime style", "cartoon style"), ("noto", "twemoji", "emojione"), "cartoon"
    ),
    "stencil": Style(("stencil linocut", "stencil", "linocut", "black and white linocut"), ("fluent-emoji-high-contrast",), "stencil"),
    "oil painting": Style(
        ("oil painting", "oil painting van gogh", "van gogh style", "oil painting in the style of van gogh", "impressionist painting"),
        COLOUR_SETS,
        "oil",
    ),
    "watercolor": Style(("watercolor", "watercolor painting", "soft watercolor", "watercolour"), COLOUR_SETS, "watercolor"),
    "pencil sketch": Style(("pencil sketch", "pencil drawing", "sketch", "black and white pencil sketch"), COLOUR_SETS, "pencil"),
    "pixel art": Style(("pixel art", "8-bit pixel art", "retro pixel art", "video game pixel art"), COLOUR_SETS, "pixel"),
}

COLOURS = {  # sRGB
    "red": (222, 40, 40),
    "orange": (245, 130, 25),
    "yellow": (250, 210, 45),
    "green": (55, 160, 60),
    "blue": (45, 105, 225),
    "purple": (135, 65, 190),
    "pink": (245, 125, 180),
    "brown": (125, 78, 45),
    "black": (45, 45, 50),
    "white": (240, 240, 240),
}

# {c} is a colour word. Plain and gradient backgrounds take one; scenic ones do not.
BACKGROUNDS = {
    "white": ("on a white background", "on white", "isolated on white", "on a pure white background"),
    "plain": ("on a {c} background", "with a {c} background", "{c} background"),
    "gradient": ("on a gradient {c} background", "with a {c} gradient background", "on a soft {c} gradient"),
    "garden": ("in a garden", "in a green garden", "in a meadow with flowers", "in a garden with flowers"),
    "city": (
        "at night in the city with neon lights",
        "in a city at night with neon lights",
        "in a neon city",
        "in a cyberpunk city at night",
        "in a city",
    ),
    "rain": ("in the rain", "in rainy weather", "on a rainy day", "under heavy rain"),
    "mountains": ("in the mountains with a lake", "in front of mountains and a lake", "by a mountain lake", "in a mountain landscape"),
    "beach": ("on the beach", "on a sandy beach", "at the beach by the sea", "at the seaside"),
    "space": ("in space", "in outer space", "among the stars", "in outer space with stars"),
    "snow": ("in the snow", "in a snowy landscape", "on a winter day with snow", "in winter"),
    "sunset": ("at sunset", "in front of a sunset", "in the evening sun", "at dusk"),
    "night": ("at night", "under the moon", "on a moonlit night", "in the dark"),
}
COLOURED_BACKGROUNDS = ("plain", "gradient")
# Backgrounds that are a picture on their own, with nothing in front.
PLACES_ALONE = {
    "garden": ("a garden with flowers", "a green meadow", "a garden"),
    "city": ("a cyberpunk city at night with neon lights", "a city at night", "a neon city with reflections"),
    "rain": ("a rainy day", "rainy weather"),
    "mountains": ("a mountain landscape with a lake", "mountains with a lake", "a mountain lake", "mountains"),
    "beach": ("a beach", "a sandy beach by the sea", "the sea"),
    "space": ("outer space with stars", "a starry space", "space"),
    "snow": ("a snowy landscape", "a winter landscape with snow"),
    "sunset": ("a sunset over the sea", "a sunset", "a landscape at sunset"),
    "night": ("a moonlit night", "a night sky with a moon"),
}

RELATIONS = {
    "wearing": ("wearing", "with", "dressed with"),
    "riding": ("riding", "riding on", "sitting on"),
    "next to": ("next to", "beside", "and", "near"),
    "on top of": ("on top of", "on", "standing on", "jumping from"),
    "holding": ("holding", "carrying", "casting", "with"),
}
SIZES = {"small": ("small", "tiny", "little"), "large": ("large", "big", "giant", "huge")}
PLACES = {
    "left": ("on the left", "at the left side"),
    "right": ("on the right", "at the right side"),
    "top": ("at the top", "near the top"),
    "bottom": ("at the bottom", "near the bottom"),
    "centre": ("in the centre", "centered", "in the middle"),
}

QUALITIES = {
    "blurry": ("blurry", "blurred", "out of focus", "unfocused", "soft focus"),
    "pixelated": ("pixelated", "low resolution", "jpeg artifacts"),
    "distorted": ("distorted", "deformed", "ugly", "bad anatomy", "extra limbs", "malformed"),
    "noisy": ("noisy", "grainy", "noise"),
    "washed out": ("low contrast", "washed out", "faded", "dull"),
}
POOR = ("low quality", "bad quality", "worst quality", "poor quality")  # said of any of the five above
FINE = (
    "highly detailed", "sharp", "high quality", "detailed", "sharp focus", "best quality", "4k", "masterpiece", "intricate details",
)  # fmt: skip
# Words that prompts carry and that promise nothing: they teach the model to look past them.
FILLERS = (
    "beautiful", "majestic", "cute", "futuristic", "friendly", "lovely", "famous", "old", "young", "magical", "elegant", "happy",
)  # fmt: skip
FLOURISHES = ("digital art", "artistic", "fantasy art", "trending on artstation", "concept art", "studio lighting", "reflections")
OPENERS = ("", "", "", "a picture of ", "an image of ", "a portrait of ", "a view of ")
