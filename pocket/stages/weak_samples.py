"""Pictures of the shipped model for the strict judge to learn from: `python -m pocket.stages.weak_samples`.

Samples in which nothing can be recognised, as a model makes them that has not learned enough. No early checkpoints are kept, so the
shipped U-Net is made weak: asked for nothing at all, asked for five things at once, or with its weights disturbed or partly begun anew. And
true pictures are dissolved: noised by three fifths or more, and painted again by the U-Net that is told nothing. Their colours and poses
are still those of the thing, its shape is gone, which is how a model's failures look.
Samples of one or two steps are not among them: in many of those a person still sees the thing. And true pictures that the model painted
over a little, so that not everything with a model's brushwork is "none". Writes uint8 pictures (n, side, side, 3) and a sheet of each kind.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline

from pocket.ruler.first_judge import mix_for_judge
from pocket.ruler.pictures import contact_sheet, draw_true, sample
from pocket.stages.config import CONFIGS
from pocket.world.captions import say_plainly
from pocket.world.scene import Inventor, draw
from sdlab.assets import ASSETS
from sdlab.system.device import pick

STEPS = 12
REPAINTED = "repainted"


@dataclass(frozen=True)
class Source:
    """Where weak pictures come from.

    Args:
        share: of the weak pictures.
        disturbed: how much noise is added to each weight, in standard deviations of its tensor.
        anew: the part of the U-Net that is begun anew.
        things: how many prompts are mixed into one; 0 for the empty prompt, at guidance 1.
        guidance: of the sampling.
        strengths: at which true pictures are painted over, dealt out in turn; none, and pictures begin as noise.
    """

    share: float
    disturbed: float = 0
    anew: str | None = None
    things: int = 0
    guidance: float = 1.0
    strengths: tuple = ()


SOURCES = {
    "empty": Source(0.1),
    "empty disturbed": Source(0.05, disturbed=0.3),
    "disturbed": Source(0.05, disturbed=0.5, things=1),
    "anew": Source(0.05, anew="up_blocks.1", things=1, guidance=3.0),
    "mixed": Source(0.2, things=5, guidance=4.0),
    "dissolved": Source(0.55, strengths=(0.6, 0.7, 0.8)),
}
POOL = (*(kind for kind in SOURCES if kind != "dissolved"), REPAINTED, "dissolved")  # the place of each decides its scenes


def scenes_of(config, kind, count):
    """The scenes that pictures of a kind were asked to show, the same for the same arguments; of "mixed" those asked first."""
    rng = np.random.default_rng([20_31, POOL.index(kind)])
    invent = Inventor(
        mix_for_judge(config.mix) if kind in (REPAINTED, "dissolved") else replace(config.mix, two_things=0, nothing=0, flaw=0)
    )
    return [invent(rng) for _ in range(count)]


def _disturb(unet, much, generator):
    with torch.no_grad():
        for weights in unet.parameters():
            if weights.ndim > 1:
                weights.add_(much * weights.std() * torch.randn(weights.shape, generator=generator).to(weights.device))


def _begin_anew(unet, part):
    fresh = type(unet).from_config(unet.config).state_dict()
    unet.load_state_dict({name: fresh[name] if name.startswith(part) else value for name, value in unet.state_dict().items()})


@torch.no_grad()
def _mix_prompts(pipe, scenes, things, rng):
    """The mean of the encoded prompts of a scene and of others that differ from it in their thing only, (B, 77, width)."""
    others = [rng.permutation(len(scenes)) for _ in range(things - 1)]
    texts = [
        say_plainly(replace(scene, things=(scenes[i].things[0],)))
        for n, scene in enumerate(scenes)
        for i in (n, *(order[n] for order in others))
    ]
    encoded = [pipe.encode_prompt(text, pipe.device, 1, False)[0] for text in texts]
    return torch.cat(encoded).unflatten(0, (-1, things)).mean(1)


def sample_weakly(config, kind, count, seed=0):
    """`count` pictures of a source, in −1…1, (count, 3, side, side)."""
    source, pipe = SOURCES[kind], _shipped()
    torch.manual_seed(seed)
    if source.anew:
        _begin_anew(pipe.unet, source.anew)
    _disturb(pipe.unet, source.disturbed, torch.Generator().manual_seed(seed))
    texts, scenes = [""] * count, scenes_of(config, kind, count)
    if source.things == 1:
        texts = [say_plainly(scene) for scene in scenes]
    more = {}
    if source.strengths:
        return paint_over(config, kind, count, [""] * count, source.strengths, source.guidance, seed)
    if source.things > 1:
        mixed = _mix_prompts(pipe, scenes, source.things, np.random.default_rng(seed))
        none = pipe.encode_prompt("", pipe.device, 1, False)[0]
        more = {"prompt_embeds": list(mixed), "negative_prompt_embeds": [none[0]] * count}
        return _sample_encoded(pipe, source, more, seed)
    return sample(pipe, texts, STEPS, source.guidance, seed)


def _sample_encoded(pipe, source, encoded, seed):
    pipe.set_progress_bar_config(disable=True)
    parts, count = [], len(encoded["prompt_embeds"])
    for start in range(0, count, 16):
        some = {name: torch.stack(values[start : start + 16]) for name, values in encoded.items()}
        noise = [torch.Generator("cpu").manual_seed(seed + i) for i in range(start, min(start + 16, count))]
        parts.append(pipe(
            **some, num_inference_steps=STEPS, guidance_scale=source.guidance, generator=noise, output_type="pt",
        ).images.float().cpu())  # fmt: skip
    return torch.cat(parts) * 2 - 1


def paint_over(config, kind, count, texts, strengths, guidance, seed=0):
    """True pictures that the shipped model painted over, asked for `texts`, at each strength in turn: (count, 3, side, side) in −1…1."""
    pipe, scenes = StableDiffusionImg2ImgPipeline.from_pipe(_shipped()), scenes_of(config, kind, count)
    pipe.set_progress_bar_config(disable=True)
    side = pipe.unet.config.sample_size * pipe.vae_scale_factor  # as the shipped model draws, whatever its autoencoder's factor
    true = draw_true(scenes, side, seed, partial(draw, grain=side // config.side)).add(1).div(2)
    parts = [
        pipe(
            texts[start : start + 16], image=true[start : start + 16], strength=strengths[start // 16 % len(strengths)],
            num_inference_steps=20, guidance_scale=guidance, output_type="pt", generator=torch.Generator("cpu").manual_seed(seed + start),
        ).images.float().cpu()
        for start in range(0, count, 16)
    ]  # fmt: skip
    return torch.cat(parts) * 2 - 1


def _shipped():
    return StableDiffusionPipeline.from_pretrained(ASSETS / "pocket", dtype=torch.float32).to(pick())


def load_pool(folder):
    """The pictures of each kind: `{kind: uint8 (n, side, side, 3)}`."""
    return {kind: np.load(folder / f"{kind}.npy") for kind in POOL}


def main(
    config: Annotated[str, typer.Option(help="which configuration")] = "cpu",
    folder: Annotated[Path, typer.Option(help="where the stages leave their results")] = Path("build/pocket"),
    count: Annotated[int, typer.Option(help="how many weak pictures, and half as many painted over")] = 2600,
    seed: Annotated[int, typer.Option(help="of the noise")] = 0,
):
    """Make the pictures that are not there yet."""
    config, folder = CONFIGS[config], folder / config / "weak_samples"
    folder.mkdir(parents=True, exist_ok=True)
    for kind in POOL:
        file = folder / f"{kind}.npy"
        if file.exists():
            continue
        if kind == REPAINTED:
            asked = [say_plainly(scene) for scene in scenes_of(config, kind, count // 2)]
            made = paint_over(config, kind, count // 2, asked, (0.2,), 4.0, seed)
        else:
            made = sample_weakly(config, kind, round(count * SOURCES[kind].share), seed)
        contact_sheet(made[:60], 12).save(folder / f"{kind}.png")
        partial = folder / f"{kind}.partial.npy"
        np.save(partial, made.add(1).mul(127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy())
        partial.replace(file)
        print(f"{kind}: {len(made)} pictures", flush=True)


if __name__ == "__main__":
    typer.run(main)
