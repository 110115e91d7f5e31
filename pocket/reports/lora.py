"""What a LoRA of the shoes costs and brings, for notebook 14: `python -m pocket.reports.lora`.

Trains the pocket model on the shoes that ship with the course: LoRAs of several ranks, a DoRA, all weights, and the learning rate that is
usual for Stable Diffusion 1.5. Each draws the same prompts from the same noises, shoes and what it knew before. Writes
`sdlab/assets/results/14.json`: the settings, and for each training its loss, its size, and yes or no for every picture and check.

Trainings, pictures and numbers are kept in a folder, so that an interrupted run goes on where it stopped; for other weights of the model
it begins anew by itself.
"""

import json
from pathlib import Path
from typing import Annotated

import typer
from safetensors.torch import load_file, save_file

import sdlab
from pocket.reports.results import write_lines
from pocket.stages.settings import digest
from sdlab.assets import ASSETS
from sdlab.lesson import RESULTS
from sdlab.pipes.models import fingerprint, native_side
from sdlab.study import judge
from sdlab.study.shoes import WEIGHTS, check_shoes
from sdlab.training.captioned import read_examples
from sdlab.training.examples import Examples
from sdlab.training.lora import Loss, fit, read_log, train_lora
from sdlab.training.run import Run

FILE, IMAGES = RESULTS / "14.json", ASSETS / "shoes"
COLOURS = ("black", "brown", "white")
PROMPT = "product photo of {} casual shoes on a white background"
LR, BATCH = 2e-3, 16
TRAININGS = {
    "rank 2": {"rank": 2, "alpha": 4},
    "rank 8": {"rank": 8, "alpha": 16},
    "rank 16": {"rank": 16, "alpha": 32},
    "DoRA, rank 8": {"rank": 8, "alpha": 16, "use_dora": True},
    "rank 8, lr 1e-4": {"rank": 8, "alpha": 16, "lr": 1e-4},
    "all weights": {"lr": 2e-4},
}
SCALES = (0, 0.25, 0.5, 0.75, 1, 1.5)


def train_everything(pipe, out, steps, lr):
    """Train all weights of the U-Net in the way of `train_lora`; returns them, and leaves the pipeline as it was."""
    before = {name: value.clone() for name, value in pipe.unet.state_dict().items()}
    run = Run(out.name, out.parent, None, lr, precision="no", limit=steps, save_steps=100, keep=1, log_steps=10, device=pipe.device.type)
    pipe.unet.requires_grad_(True)  # a LoRA that was loaded has frozen it
    loss, examples = Loss(pipe.unet, pipe.scheduler), Examples(pipe, read_examples(IMAGES, native_side(pipe))[0])
    fit(pipe, run, examples, loss, batch=BATCH, accumulation=1, settings={"batch": BATCH})
    after = {name: value.detach().clone() for name, value in pipe.unet.state_dict().items()}
    pipe.unet.load_state_dict(before)
    pipe.unet.eval()
    return after


def taught(pipe, name, out, steps):
    """Train, if that is not done; then put it on the pipeline. Returns the file that holds it."""
    settings = {"lr": LR, **TRAININGS[name]}
    if name == "all weights":
        file = out / "unet.safetensors"
        if not file.exists():
            save_file(train_everything(pipe, out, steps, settings["lr"]), file)
        pipe.unet.load_state_dict(load_file(file))
    else:
        file = train_lora(pipe, IMAGES, out, steps=steps, batch=BATCH, accumulation=1, save_steps=100, keep=1, **settings).file
        pipe.load_lora_weights(file, adapter_name="shoes")
    return file


def measure(pipe, seeds, known, gallery):
    """The checks of pictures of shoes, and what the judge recognises in pictures of what the model knew before."""
    prompts = [PROMPT.format(colour) for colour in COLOURS]
    runs = sdlab.sweep(pipe, prompts, seed=list(range(seeds)), gallery=gallery, progress=False)
    colours = [colour for colour in COLOURS for _ in range(seeds)]
    checks = {name: [int(yes) for yes in right] for name, right in check_shoes([run.image for run in runs], colours).items()}
    if known:
        asked = judge.known_prompts()[:known]
        recipes = [sdlab.Recipe(one.prompt, seed=number) for number, one in enumerate(asked)]
        pictures = [run.image for run in sdlab.sweep(pipe, recipes, gallery=gallery, progress=False)]
        seen = judge.recognise(pictures, asked)
        checks |= {head: [int(right) for right in seen[head]] for head in ("object", "style", "background")}
    return checks


def main(
    steps: Annotated[int, typer.Option(help="of each training")] = 300,
    seeds: Annotated[int, typer.Option(help="pictures of each colour")] = 8,
    known: Annotated[int, typer.Option(help="prompts of what the model knew before")] = 32,
    file: Annotated[Path, typer.Option(help="where the numbers go")] = FILE,
    folder: Annotated[Path, typer.Option(help="where trainings and pictures are kept")] = Path("build/lora"),
):
    """Train, draw, measure and write; what is there of the same model is not done again."""
    pipe = sdlab.load("pocket")
    settings = {
        "model": fingerprint(pipe), "judge": digest(judge.FOLDER / judge.WEIGHTS), "shoe judge": digest(WEIGHTS), "steps": steps,
        "batch": BATCH, "lr": LR, "prompt": PROMPT, "seeds": seeds, "known": known,
    }  # fmt: skip
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if results.get("settings") != settings:
        results = {"settings": settings}
    folder = folder / "-".join(map(str, (settings["model"], steps)))
    gallery = str(folder / "gallery")
    if "before" not in results:
        results["before"] = measure(pipe, seeds, known, gallery)
        write_lines(file, results)
    for name in TRAININGS:
        if name in results:
            continue
        out = folder / name.replace(" ", "-").replace(",", "")
        kept = taught(pipe, name, out, steps)
        log = read_log(out)
        told = {
            "settings": TRAININGS[name], "bytes": kept.stat().st_size, "parameters": sum(v.numel() for v in load_file(kept).values()),
            "losses": [[row["step"], row["loss"]] for row in log], **measure(pipe, seeds, known, gallery),
        }  # fmt: skip
        if name == "rank 8":
            results["scales"] = []
            for scale in SCALES:
                pipe.set_adapters("shoes", scale)
                checks = measure(pipe, (seeds + 1) // 2, 0, gallery)
                results["scales"].append({"scale": scale, **checks})
        if name == "all weights":
            pipe = sdlab.load("pocket")
        else:
            pipe.unload_lora_weights()
        results[name] = told
        write_lines(file, results)
        print(name, {key: sum(right) / len(right) for key, right in told.items() if key in results["before"]}, flush=True)


if __name__ == "__main__":
    typer.run(main)
