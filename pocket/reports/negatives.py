"""What negative prompts do to the pocket model's pictures, for notebook 05: `python -m pocket.reports.negatives`.

Sixty-four fixed prompts, one seed each, drawn with every kind of negative prompt from the same noise. Writes
`sdlab/assets/results/05.json`: the settings, and for each kind and picture what the judge recognises, how sharp and how saturated the
picture is, and how far it is from the one without a negative prompt.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

import sdlab
from pocket.reports.results import write_lines
from pocket.stages.settings import digest
from sdlab.lesson import RESULTS
from sdlab.pipes.models import fingerprint
from sdlab.study import judge, metrics

FILE = RESULTS / "05.json"
KINDS = {  # name → the negative prompt, from what the prompt asks for and the thing of the next prompt
    "none": lambda asked, other: "",
    "ugly, distorted": lambda asked, other: "ugly, distorted",
    "blurry, low quality": lambda asked, other: "blurry, low quality",
    "all five stages": lambda asked, other: "ugly, distorted, blurry, low quality, extra limbs, bad anatomy, cartoon, anime",
    "absurd": lambda asked, other: "seventeen invisible violins",
    "another thing": lambda asked, other: other.things[0],
    "its own thing": lambda asked, other: asked.things[0],
    "its own style": lambda asked, other: asked.style,
    "its own prompt": lambda asked, other: asked.prompt,
}


def draw(pipe, asked, kind):
    """The pictures of prompts with a kind of negative prompt, the seed of each its number."""
    recipes = [
        sdlab.Recipe(one.prompt, negative_prompt=KINDS[kind](one, asked[(i + 1) % len(asked)]), seed=i) for i, one in enumerate(asked)
    ]
    return [run.image for run in sdlab.sweep(pipe, recipes, gallery=None, progress=False)]


def main(
    prompts: Annotated[int, typer.Option(help="how many prompts")] = 64,
    file: Annotated[Path, typer.Option(help="where the numbers go")] = FILE,
):
    """Draw, measure and write; what the file has of the same model is not drawn again."""
    pipe, asked = sdlab.load("pocket"), judge.known_prompts()[:prompts]
    pipe.set_progress_bar_config(disable=True)
    settings = {"model": fingerprint(pipe), "judge": digest(judge.FOLDER / judge.WEIGHTS), "prompts": prompts}
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if results.get("settings") != settings:
        results = {"settings": settings}
    plain = draw(pipe, asked, "none")
    for kind in KINDS:
        if kind in results:
            continue
        pictures = plain if kind == "none" else draw(pipe, asked, kind)
        seen = judge.recognise(pictures, asked)
        results[kind] = {
            **{head: [int(right) for right in seen[head]] for head in ("object", "style", "background")},
            "sharpness": metrics.sharpness(pictures).tolist(),
            "saturation": metrics.saturation(pictures).tolist(),
            "distance": metrics.distance(pictures, plain).tolist(),
        }
        write_lines(file, results)
        print(f"{kind}: object {sum(results[kind]['object']) / prompts:.0%}", flush=True)


if __name__ == "__main__":
    typer.run(main)
