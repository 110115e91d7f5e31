"""The XL, told sizes in pixels of pictures twice as wide, and it draws the same as before. `python -m pocket.stages.retell`.

The autoencoder of factor 8 shows the XL's latents at 256 pixels instead of 128, and a stock SDXL pipeline tells the U-Net the size that it
shows. This one had never been told of 256. But the numbers enter it linearly, as cosines and sines of 16 frequencies each. So the layer
that reads them is exchanged for one that makes of the features of 2x, as nearly as a linear map can, what the old one made of those of x.
For what a pipeline tells unasked, the size that is drawn and no crop, it makes the same.
"""

from copy import deepcopy
from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel

from pocket.stages import refiner, xl
from pocket.stages.config import CONFIGS
from pocket.stages.grow import TIME_WIDTH
from pocket.stages.story import add_note, hand_on
from sdlab.assets import ASSETS

USUAL = 1e6  # how much more it weighs than any other number that what is told unasked keeps its meaning
NOTE = """It was trained on the latents of pictures of half this side, and told of sizes in their pixels. What it is told now are
pixels of the pictures that it shows: `pocket.stages.retell` exchanged the layer that reads the numbers, without training."""
SMALL = 0.1  # the weight of a weight's own square: without it they are millions, which no float32 can add up


@torch.no_grad()
def retell(unet, told, side):
    """Change a U-Net in place, so that numbers of pixels twice as large mean to it what they meant before.

    Args:
        unet: of SDXL's base or of its refiner.
        told: how many numbers it is told: six, or five of which the last is a score and stays as it is.
        side: in pixels, of the pictures that it was trained on.

    Returns:
        For each number of pixels, how far the layer's answers are off, over all values that training told: the root mean square error in
        standard deviations of the answers.
    """
    layer, errors = unet.add_embedding.linear_1, []
    size, corner = (3 * side // 10, 3 * side // 2, side), (0, side // 2, 0)  # smallest, largest, told unasked: pocket.world.framing
    for number, (low, high, usual) in enumerate((size, size, corner, corner, size, size)[: told // 2 * 2]):
        begin = layer.in_features - (told - number) * TIME_WIDTH
        columns = slice(begin, begin + TIME_WIDTH)
        x = torch.arange(low, high + 1, dtype=torch.float32)
        before = unet.add_time_proj(x).double() @ layer.weight[:, columns].double().T  # (n, out)
        features = torch.cat([unet.add_time_proj(2 * x), torch.ones(len(x), 1)], 1).double()  # (n, TIME_WIDTH + 1)
        weight = torch.where(x == usual, USUAL, 1.0).double().sqrt()[:, None]
        ridge = SMALL**0.5 * torch.eye(TIME_WIDTH, TIME_WIDTH + 1).double()  # (Hoerl & Kennard 1970); not for the bias
        rows, asked = torch.cat([weight * features, ridge]), torch.cat([weight * before, before.new_zeros(TIME_WIDTH, before.shape[1])])
        found = torch.linalg.lstsq(rows, asked).solution  # (TIME_WIDTH + 1, out)
        layer.weight[:, columns], layer.bias[:] = found[:-1].T, layer.bias + found[-1]
        off = features @ found - before
        errors.append((off.square().mean() / before.var(0, correction=0).mean()).sqrt().item())
    return errors


@torch.no_grad()
def predict(unet, numbers):
    """What a U-Net makes of four noises at four timesteps when it is told some numbers: (4, 4, side, side), its noises always the same."""
    chance, config = torch.Generator().manual_seed(0), unet.config
    x = torch.randn(4, config.in_channels, config.sample_size, config.sample_size, generator=chance)
    words = torch.randn(4, 77, config.cross_attention_dim, generator=chance)
    caption = torch.randn(4, unet.add_embedding.linear_1.in_features - len(numbers) * TIME_WIDTH, generator=chance)
    added = {"text_embeds": caption, "time_ids": torch.tensor([numbers] * 4, dtype=torch.float32)}
    return unet(x, torch.tensor([900, 600, 300, 50]), words, added_cond_kwargs=added).sample


def main(
    config: Annotated[str, typer.Option(help="which configuration they were trained with")] = "cpu",
    folder: Annotated[Path, typer.Option(help="where the results go, as those of the stages do")] = Path("build/pocket"),
    start: Annotated[Path, typer.Option(help="the folder of `pocket-xl` and `pocket-xl-refiner`")] = ASSETS,
):
    """Change base and refiner, and write them where `pocket.reports.xl` and `pocket.shipping.xl` look for them."""
    side, folder = xl.enlarge(CONFIGS[config]).side, folder / config
    base = StableDiffusionXLPipeline.from_pretrained(start / "pocket-xl", vae=None, dtype=torch.float32)
    expert = UNet2DConditionModel.from_pretrained(start / "pocket-xl-refiner" / "unet", dtype=torch.float32)
    for name, unet, told, whole in (("xl", base.unet, xl.TOLD, base), ("refiner", expert, refiner.TOLD, expert)):
        old, last = deepcopy(unet), [side, side] if told == xl.TOLD else [6.0]
        print(f"{name}: off by {', '.join(f'{error:.2f}' for error in retell(unet, told, side))} standard deviations")
        frames = {"unasked": (side, side, 0, 0), "a small original": (85, 85, 0, 0), "a crop": (192, 192, 32, 64)}
        for words, frame in frames.items():
            doubled = [2 * number for number in (*frame, *last)] if told == xl.TOLD else [*(2 * number for number in frame), *last]
            asked = predict(old, [*frame, *last])
            ways = (predict(unet, doubled), predict(old, doubled), predict(old, [*frames["unasked"], *last]))
            now, unchanged, untold = ((way - asked).std().item() for way in ways)
            print(f"  told {words}: predictions move by {now:.2g}; without the change by {unchanged:.2g}; not told by {untold:.2g}")
        (folder / name).mkdir(parents=True, exist_ok=True)
        whole.save_pretrained(folder / name / "model")
        hand_on(start / ("pocket-xl" if name == "xl" else "pocket-xl-refiner"), folder / name)
        add_note(NOTE, folder / name)


if __name__ == "__main__":
    typer.run(main)
