"""Make the pocket model from start to finish: `python -m pocket`, or `make pocket`.

Each stage stops after its minutes and resumes where it was, so that running this again after a kill goes on with the same work.
"""

import subprocess
import sys
from typing import Annotated

import typer

STAGES = ("autoencoder", "judge", "diffusion", "evaluate", "behaviour", "nearest", "export")


def main(config: Annotated[str, typer.Option(help="which configuration: cpu or gpu")] = "cpu"):
    """Run all stages, each in a process of its own so that its memory is given back."""
    for stage in STAGES:
        print(f"— {stage}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"pocket.{stage}", "--config", config], check=False)
        if done.returncode:
            raise SystemExit(f"stage {stage} ended with an error (code {done.returncode}): see above, mend it, and run this again")


typer.run(main)
