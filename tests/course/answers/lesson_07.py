"""Keeping what you made."""

from functools import cache

from PIL import Image
from sd_parsers import ParserManager

import sdlab
from sdlab.assets import ASSETS
from tests.course.exercises import STUB, Exercise

FOUND = "found = info.samplers[0].parameters\n"
RECIPE = FOUND + "return sdlab.Recipe(info.full_prompt, negative_prompt=info.full_negative_prompt, {})"
NUMBERS = 'steps=int(found["steps"]), guidance=float(found["cfg_scale"]), seed=int(found["seed"])'
SMALL = "picture = Image.open(file)\nsmall = picture.resize([side // 2 for side in picture.size], Image.LANCZOS)\n"
COPY = "info = PngImagePlugin.PngInfo()\nfor name, text in picture.text.items():\n    if {}:\n        info.add_itxt(name, text)\n"


def files_of_other_tools():
    return {"infos": [ParserManager().parse(file) for file in sorted((ASSETS / "other_tools").glob("*.png"))]}


@cache
def two_castles(pipe):
    return sdlab.generate(pipe, sdlab.Recipe("a castle by a lake", steps=1, images=2), progress=False)


def two_files(pipe, tmp_path):
    files = sdlab.save(two_castles(pipe), tmp_path)
    return {"files": files, "originals": [Image.open(file) for file in files]}


EXERCISES = [
    Exercise(
        "07",
        "A recipe from another tool",
        given=files_of_other_tools,
        wrong={
            STUB: "the negative prompt is missing",
            RECIPE.format(""): "the steps are missing",
            RECIPE.format(NUMBERS.replace('int(found["steps"])', "20")): "the steps of one tool are wrong",
            RECIPE.format('steps=int(found["steps"])'): "is called cfg_scale here",
            RECIPE.format('steps=int(found["steps"]), guidance=float(found["cfg_scale"])'): "the seed is not",
            RECIPE.format(NUMBERS.replace('int(found["steps"])', 'found["steps"]')): "stopped with TypeError: steps is '15'",
            RECIPE.format('steps=int(found["steps"]), guidance=float(found["guidance"])'): "stopped with KeyError: 'guidance'",
            RECIPE.format(NUMBERS).replace("full_negative_prompt", "full_prompt"): "the negative prompt is missing",
            RECIPE.format(NUMBERS).replace("Recipe(info.full_prompt", 'Recipe("a lion"'): "the prompt should be",
            RECIPE.format(NUMBERS).replace("return ", ""): "return a Recipe for every file",
        },
    ),
    Exercise(
        "07",
        "The script that forgets",
        given=two_files,
        uses=("levels", "carried", "texts"),
        right=(SMALL + COPY.format("True") + "small.save(to, pnginfo=info)",),
        wrong={
            STUB: "carries no text",
            SMALL + "small.info = picture.info\nsmall.save(to)": "carries no text",
            SMALL + "small.save(to, pnginfo=picture.text)": "stopped with",
            SMALL + "picture.save(to, pnginfo=texts(picture))": "should still be halved",
            "shutil.copy(file, to)": "should still be halved",
            SMALL + "Image.fromarray(np.asarray(picture)[::2, ::2]).save(to, pnginfo=texts(picture))": "not the pixels",
            SMALL + COPY.format('name == "parameters"') + "small.save(to, pnginfo=info)": "the recipe is not",
            SMALL + COPY.format('name == "sdlab"') + "small.save(to, pnginfo=info)": "the text for other tools is missing",
            SMALL + COPY.format('name in ("sdlab", "parameters")') + "small.save(to, pnginfo=info)": "IPTC's fields are missing",
            SMALL + "small.save(file, pnginfo=texts(picture))": "to the place `to`",
        },
    ),
]
