"""Pictures of a pipeline and of the world as tensors in −1…1, and sheets of them."""

from functools import partial

import numpy as np
import torch
from PIL import Image

from pocket.world.scene import draw
from pocket.world.stream import to_unit


@torch.no_grad()
def sample(pipe, texts, steps=25, guidance=4.0, seed=0, latents_only=False, **more):
    """Pictures in −1…1, (B, 3, H, W), of the pipeline's own size; picture i starts from the noise of seed + i, whatever the batch.

    With `latents_only` the latents before decoding, (B, 4, h, w). `more` goes to the pipeline; what is a list there is dealt out like the
    texts.
    """
    pipe.set_progress_bar_config(disable=True)
    batch = 16 if pipe.device.type == "cpu" else 256
    pictures = []
    for start in range(0, len(texts), batch):
        part = texts[start : start + batch]
        out = pipe(
            part, num_inference_steps=steps, guidance_scale=guidance, output_type="latent" if latents_only else "pt",
            generator=[torch.Generator("cpu").manual_seed(seed + start + i) for i in range(len(part))],
            **{key: value[start : start + batch] if isinstance(value, list) else value for key, value in more.items()},
        )  # fmt: skip
        made = out.images.float().cpu()
        pictures.append(made if latents_only else made * 2 - 1)
    return torch.cat(pictures)


def draw_shown(config, scenes, seed):
    """True pictures of scenes as a configuration's models are to draw them: as wide as they are shown, their strokes as wide as in those
    that were learned from. In −1…1, (B, 3, H, W).
    """
    return draw_true(scenes, config.shown, seed, partial(draw, grain=config.wider))


def draw_true(scenes, side, seed, paint=draw):
    """True pictures of scenes, in −1…1, (B, 3, side, side); `paint(scene, rng, side)` gives one."""
    rng = np.random.default_rng(seed)
    return to_unit(torch.stack([torch.from_numpy(np.array(paint(scene, rng, side))).permute(2, 0, 1) for scene in scenes]))


def to_pil(picture, scale=1):
    """A picture in −1…1, (3, H, W), as a PIL picture, enlarged `scale` times without smoothing."""
    pixels = Image.fromarray(picture.add(1).mul(127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy())
    return pixels.resize((pixels.width * scale, pixels.height * scale), Image.NEAREST)


def contact_sheet(pictures, columns=10, scale=1):
    """Pictures in −1…1, (B, 3, H, W), side by side on one PIL picture, enlarged `scale` times."""
    side = pictures.shape[-1] * scale
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (side + 4) - 4, rows * (side + 4) - 4), "white")
    for i, picture in enumerate(pictures):
        sheet.paste(to_pil(picture, scale), (i % columns * (side + 4), i // columns * (side + 4)))
    return sheet
