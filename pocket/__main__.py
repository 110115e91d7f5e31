"""Make a pocket model from start to finish: `python -m pocket`, or `make pocket`.

Each stage stops after its minutes and resumes where it was, so that running this again after a kill goes on with the same work.
"""

import subprocess
import sys
from typing import Annotated

import typer

STAGES = {  # model → its programs, in order
    "base": (
        "stages.autoencoder", "stages.enlarge", "stages.sharpen", "stages.diffusion",
        "reports.enlarge", "reports.base", "reports.behaviour", "reports.nearest", "shipping.base",
    ),
    "scribble": ("stages.controlnet", "reports.scribble", "shipping.scribble"),
    "xl": ("stages.xl", "stages.refiner", "reports.xl", "shipping.xl"),
    "judge": ("stages.judge", "stages.weak_samples", "stages.strict_judge", "reports.agreement_with_eye", "shipping.judge"),
}  # fmt: skip


def main(
    config: Annotated[str, typer.Option(help="which configuration: cpu or gpu")] = "cpu",
    model: Annotated[str, typer.Option(help="which model: base, or one that stands on the shipped base: scribble, xl, judge")] = "base",
):
    """Run all stages of a model, each in a process of its own so that its memory is given back."""
    if model not in STAGES:
        raise typer.BadParameter(f"model is {model!r}: choose one of {', '.join(STAGES)}")
    for stage in STAGES[model]:
        print(f"— {stage}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"pocket.{stage}", "--config", config], check=False)
        if done.returncode:
            raise SystemExit(f"stage {stage} ended with an error (code {done.returncode}): see above, mend it, and run this again")


typer.run(main)
