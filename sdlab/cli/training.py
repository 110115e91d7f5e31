"""The command that trains: `sdlab lora`, alone or in several processes."""

from pathlib import Path
from typing import Annotated

import typer

from sdlab.cli import app
from sdlab.cli.options import AsJson, Model
from sdlab.cli.telling import tell, told


@app.command()
def lora(
    images: Annotated[Path, typer.Option(help="a folder of pictures with captions: metadata.jsonl, text files, or file names")],
    to: Annotated[Path, typer.Option(help="a folder for the LoRA, its checkpoints and its log")] = Path("outputs/lora"),
    model: Model = None,
    rank: Annotated[int, typer.Option(help="of the matrices that are added")] = 8,
    alpha: Annotated[float, typer.Option(help="they are multiplied by alpha / rank")] = 16,
    targets: Annotated[str, typer.Option(help="the matrices that get one, by the ends of their names")] = "to_q,to_k,to_v,to_out.0",
    dora: Annotated[bool, typer.Option("--dora", help="train the lengths of the rows apart")] = False,
    steps: Annotated[int, typer.Option(help="updates in all, resumed parts included")] = 3000,
    minutes: Annotated[float | None, typer.Option(help="end after so many minutes, if the steps take longer")] = None,
    batch: Annotated[int, typer.Option(help="pictures at once, per process")] = 2,
    accumulation: Annotated[int, typer.Option(help="so many batches per update")] = 8,
    lr: Annotated[float, typer.Option(help="the peak learning rate")] = 1e-4,
    seed: Annotated[int, typer.Option(help="of the start, the order and the noise")] = 0,
    save_steps: Annotated[int, typer.Option(help="write a checkpoint after so many steps")] = 500,
    keep: Annotated[int, typer.Option(help="how many checkpoints to keep")] = 5,
    validate: Annotated[list[str] | None, typer.Option(help="a prompt to draw on the way; several times for several")] = None,
    validate_steps: Annotated[int, typer.Option(help="draw them after so many steps")] = 500,
    gradient_checkpointing: Annotated[bool, typer.Option("--gradient-checkpointing", help="less memory, more time")] = False,
    kohya: Annotated[bool, typer.Option("--kohya", help="write it also in the form of kohya's scripts, for other tools")] = False,
    as_json: AsJson = False,
):  # fmt: skip
    """Train a LoRA on a folder of pictures with captions.

    Run it again after an interruption, and it goes on. `accelerate launch --multi_gpu --num_processes 2 -m sdlab lora …` shares the work
    between two processes.

    \b
    sdlab lora --images shoes/ --rank 8 --alpha 16 --steps 3000 --validate "black casual shoes on white"
    """
    from sdlab.pipes.loading import load
    from sdlab.study.sharing import join_processes
    from sdlab.training.lora import train_lora
    from sdlab.training.lora_files import to_kohya

    state, device = join_processes()
    with told("The last checkpoint is kept; the same command goes on."):
        if kohya and dora:
            raise ValueError("a DoRA has no place in kohya's form: leave out --kohya or --dora")
        trained = train_lora(
            load(model, device), images, to, rank=rank, alpha=alpha, targets=[part.strip() for part in targets.split(",")], use_dora=dora,
            steps=steps, minutes=minutes, batch=batch, accumulation=accumulation, lr=lr, seed=seed, save_steps=save_steps, keep=keep,
            validate=validate or (), validate_steps=validate_steps, gradient_checkpointing=gradient_checkpointing,
        )  # fmt: skip
        if not state.is_main_process:
            return
        files = [trained.file, to_kohya(trained.file, to / "kohya.safetensors")] if kohya else [trained.file]
        values = {"files": [str(file) for file in files], "parameters": trained.parameters, "steps": trained.steps}
        tell(as_json, values | {"minutes": round(trained.minutes, 3)}, "\n".join(map(str, files)))
