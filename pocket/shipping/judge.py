"""Put the strict judge where the package finds it: `python -m pocket.shipping.judge`."""

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer

from pocket.reports.agreement_with_eye import FILE
from pocket.shipping.ship import LICENSE
from pocket.shipping.tables import write_share
from pocket.stages.config import CONFIGS
from pocket.stages.strict_judge import TRAINING
from sdlab.study.judge import CLASSES, FOLDER, PROMPTS, WEIGHTS
from sdlab.system.folders import replace_folder

MOST = 6e6  # bytes of weights
CARD = """# The judge

A ResNet of 2.9 million parameters that says what a picture of the pocket world shows: thing, style, background and colour, or "none of
these". It looks at 128 pixels. `sdlab.study.judge.see(picture)` asks it.

Trained {minutes:.0f} minutes on two CPU cores with {samples:,} pictures: true ones, also small, soft, or painted over by the shipped
model; and, as "none of these", spoilt ones, blends, blots, empty places, and samples of the shipped model made weak; and several hundred
of the model's pictures of which a person had said what can be recognised in them (`pocket.stages.exam`). On two hundred others,
labelled by the same person, it agrees with the person on {agreement};{before} one that always says yes on
{always}. The person, asked again about a hundred of them, agrees with the first answer on {again}: many pictures are in between.
That person is one viewer, and a vision model: see `pocket.reports.eye`.

It knows the things in `classes.json` and no others. It counts nothing, and of a photograph it says nothing that means anything.
"""


def write_card(agreement, runs):
    """The card's text, from the numbers of the agreement and those of the training's runs."""
    texts = {name: write_share(found["share"], found["interval"]) for name, found in (
        ("agreement", agreement["judge"]["all"]), ("always", agreement["always yes"]), ("again", agreement["the person again"]),
    )}  # fmt: skip
    older = agreement.get("judge before")  # where that one was trained too
    before = f" the judge before on {write_share(older['all']['share'], older['all']['interval'])}, and" if older else ""
    return CARD.format(before=before, **texts, **{key: sum(run[key] for run in runs) for key in ("minutes", "samples")})


def main(
    config: Annotated[str, typer.Option(help="which configuration")] = "cpu",
    folder: Annotated[Path, typer.Option(help="where the stages left their results")] = Path("build/pocket"),
    target: Annotated[Path, typer.Option(help="where it ships")] = FOLDER,
):
    """Ship the judge that the stage trained, with its numbers; one that agrees less often than the shipped does not take its place."""
    stage = folder / CONFIGS[config].name / "strict_judge"
    trained, shipped = stage / "judge", target / FILE
    if not (trained / FILE).exists():
        raise SystemExit(f"there is no {trained / FILE}: measure the judge first with python -m pocket.reports.agreement_with_eye")
    agreement = json.loads((trained / FILE).read_text(encoding="utf-8"))
    if shipped.exists():
        before = json.loads(shipped.read_text(encoding="utf-8"))["judge"]["all"]["agreed"]
        if agreement["judge"]["all"]["agreed"] < before:
            raise SystemExit(f"the new judge agrees {agreement['judge']['all']['agreed']} times, the shipped one {before}: train longer")
    size = (trained / WEIGHTS).stat().st_size
    if size > MOST:
        raise SystemExit(f"the judge's weights are {size / 1e6:.1f} MB: at most {MOST / 1e6:.0f} may ship")
    partial = target.with_name(target.name + ".partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    for name in (WEIGHTS, CLASSES, PROMPTS, FILE, TRAINING):
        shutil.copy(trained / name, partial)
    shutil.copy(LICENSE, partial / "LICENSE")
    (partial / "README.md").write_text(
        write_card(agreement, json.loads((trained / TRAINING).read_text(encoding="utf-8"))), encoding="utf-8"
    )
    replace_folder(target, partial)
    print(f"shipped {size / 1e6:.1f} MB to {target}")


if __name__ == "__main__":
    typer.run(main)
