"""Measure a pocket pipeline: prompt accuracy by the judge, and the autoencoder's PSNR. `python -m pocket.evaluate`.

Pictures are made for a fixed list of prompts with fixed seeds. The judge's accuracy on held-out true pictures, and on the same
pictures after a trip through the autoencoder, are the ceilings. Each share has its bootstrap interval; things in styles that training
never showed them in are counted apart; and the Fréchet distance to true pictures stands beside that of true ones to each other.
Writes `evaluation.json` and a sheet `evaluation.png`.
"""

import json
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from diffusers import StableDiffusionPipeline
from PIL import Image
from scipy.stats import bootstrap

from pocket import judge as judging
from pocket import prompts
from pocket.autoencoder import held_out_psnr
from pocket.config import CONFIGS
from pocket.stream import batches, to_unit
from pocket.world import draw
from sdlab import quality

UNSEEN = 128  # prompts with a thing in a style that it was never seen in
SHIPPED = Path("sdlab/assets/pocket")


@torch.no_grad()
def sample(pipe, texts, steps=25, guidance=4.0, side=None, seed=0, batch=16):
    """Pictures in −1…1, (B, 3, H, W), for `texts`; picture i starts from the noise of seed + i, whatever the batch."""
    pipe.set_progress_bar_config(disable=True)
    pictures = []
    for start in range(0, len(texts), batch):
        part = texts[start : start + batch]
        generators = [torch.Generator("cpu").manual_seed(seed + start + i) for i in range(len(part))]
        out = pipe(
            part, num_inference_steps=steps, guidance_scale=guidance, height=side, width=side, generator=generators, output_type="pt"
        )
        pictures.append(out.images.float().cpu() * 2 - 1)
    return torch.cat(pictures)


def contact_sheet(pictures, columns=10, scale=1):
    """Pictures in −1…1, (B, 3, H, W), side by side on one PIL picture, enlarged `scale` times without smoothing."""
    side = pictures.shape[-1] * scale
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (side + 4) - 4, rows * (side + 4) - 4), "white")
    for i, picture in enumerate(pictures):
        pixels = picture.add(1).mul(127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
        sheet.paste(Image.fromarray(pixels).resize((side, side), Image.NEAREST), (i % columns * (side + 4), i // columns * (side + 4)))
    return sheet


def drawn(scenes, config, seed):
    """True pictures of scenes, in −1…1, (B, 3, H, W)."""
    rng = np.random.default_rng(seed)
    return to_unit(torch.stack([torch.from_numpy(np.array(draw(scene, rng, config.side))).permute(2, 0, 1) for scene in scenes]))


def interval(right):
    """The 95% bootstrap interval of a share, from hits (n,)."""
    found = bootstrap((right.numpy(),), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(0))
    return [float(found.confidence_interval.low), float(found.confidence_interval.high)]


def main(
    config: Annotated[str, typer.Option(help="which configuration the model was trained with")] = "cpu",
    folder: Annotated[Path, typer.Option(help="where the stages left their results")] = Path("build/pocket"),
    model: Annotated[Path | None, typer.Option(help="the pipeline; default: the diffusion stage's, or the shipped one")] = None,
    count: Annotated[int, typer.Option(help="number of fixed prompts")] = 500,
    steps: Annotated[int, typer.Option(help="sampling steps")] = 25,
    guidance: Annotated[float, typer.Option(help="guidance scale")] = 7.0,
):
    """Score a pipeline and write the numbers and a sheet beside it."""
    config, folder = CONFIGS[config], folder / config
    trained = folder / "diffusion" / "model"
    pipe = StableDiffusionPipeline.from_pretrained(model or (trained if trained.exists() else SHIPPED), dtype=torch.float32)
    judge = judging.load(config, folder)
    if judge is None:
        raise SystemExit(
            f"there is no judge for configuration {config.name!r}: train it first with python -m pocket.judge --config {config.name}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    pairs = prompts.fixed(config.mix, count)
    start = time.monotonic()
    pictures = sample(pipe, [p for p, _ in pairs], steps, guidance, config.side)
    seconds = time.monotonic() - start
    real, scenes = next(batches(config, 512, 4321, mix=judging.alone(config.mix)))
    real = to_unit(real)
    with torch.no_grad():
        through = torch.cat([pipe.vae.decode(pipe.vae.encode(x).latent_dist.mean).sample for x in real.split(64)])
    asked = [s for _, s in pairs]
    truth = judging.labels(config, asked)
    with torch.no_grad():
        top5 = torch.cat([judge(x)["object"].topk(5).indices for x in pictures.split(128)])
        features = [
            torch.cat([judge.features(x) for x in p.split(128)]) for p in (pictures, drawn(asked, config, 1), drawn(asked, config, 2))
        ]
    hits = judging.hits(judge, config, pictures, asked)
    unseen = prompts.unseen(config.mix, UNSEEN)
    unseen_pictures = sample(pipe, [p for p, _ in unseen], steps, guidance, config.side, seed=10_000)
    results = {
        "prompts": count, "steps": steps, "guidance": guidance, "side": config.side,
        "accuracy": {head: right.mean().item() for head, right in hits.items()},
        "interval": {head: interval(right) for head, right in hits.items()},
        "unseen_style": {"prompts": UNSEEN, "accuracy": judging.accuracy(judge, config, unseen_pictures, [s for _, s in unseen])},
        "frechet": {"model": quality.distance(features[0], features[1]), "real": quality.distance(features[2], features[1])},
        "object_top5": (top5 == truth[:, :1]).any(1).float().mean().item(),
        "judge_on_real": judging.accuracy(judge, config, real, scenes),
        "judge_through_autoencoder": judging.accuracy(judge, config, through, scenes),
        "autoencoder_psnr_db": held_out_psnr(pipe.vae, config),
        "seconds_per_picture_in_batches": seconds / count,
        "parameters": {name: sum(p.numel() for p in getattr(pipe, name).parameters()) for name in ("vae", "text_encoder", "unet")},
    }  # fmt: skip
    results = json.loads(json.dumps(results), parse_float=lambda number: round(float(number), 4))
    (folder / "evaluation.json").write_text(json.dumps(results, indent=2) + "\n")
    contact_sheet(pictures[:100], 10, 128 // config.side or 1).save(folder / "evaluation.png")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    typer.run(main)
