"""A further stage, the autoencoder with Stable Diffusion's own factor 8 over the same latents. `python -m pocket.stages.enlarge`.

The autoencoder of stage 1 shrinks 4×. It is grown by a level at each end, so that a picture gets the latents that its half had: a U-Net
trained on those needs no training for it, and its pictures come out twice as wide. The encoder learns the old one's latents of the halved
picture, the decoder the picture. What this error leaves blurred, `pocket.stages.sharpen` sharpens.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

from pocket.stages.command import stage
from pocket.stages.denoising import use_average
from pocket.stages.outer_level import grow
from pocket.stages.settings import list_settings
from pocket.world.catalog import DATA, LARGE_PACK
from pocket.world.scene import draw
from pocket.world.stream import batches, to_unit
from sdlab.scratch.autoencoder import psnr
from sdlab.scratch.muon import Muon, groups
from sdlab.training.run import LOG_STEPS, Run

KEPT = DATA / "autoencoder-4"  # what the shipped one grew from: the U-Nets learned from its latents
LOOK_MINUTES = 6  # how often the averaged model is written
TWICE_AS_WIDE = 3  # one batch of so many has pictures of four times the old side, and a quarter as many


def half(pictures):
    """Pictures of half the side, each pixel the mean of four."""
    return F.avg_pool2d(pictures, 2)


def paint(scene, rng, side):
    """A picture as the world paints it, or just as often one as the world paints it at half the side, sharper.

    The U-Nets learned from small pictures, on which outlines are a pixel of 64 wide. Only the second kind has such latents.
    """
    return draw(scene, rng, side, grain=int(rng.integers(1, 3)))


def pictures_of_two_sides(config, *seed):
    """Endless batches in −1…1, of twice the configuration's side and now and then of four times."""
    wide, wider = (
        batches(replace(config, side=side * config.side), size, *seed, side, paint=paint)
        for side, size in ((2, config.enlarge_batch), (4, config.enlarge_batch // 4))
    )
    while True:
        for _ in range(TWICE_AS_WIDE - 1):
            yield to_unit(next(wide)[0])
        yield to_unit(next(wider)[0])


def edges(pictures):
    """Differences of neighbouring pixels, to the right and downwards."""
    return pictures.diff(dim=-1), pictures.diff(dim=-2)


def unlikeness(out, true):
    """Squared, a little absolute, and edge error between pictures in −1…1: the loss, and the squared error alone."""
    square = F.mse_loss(out, true)
    edge = sum(F.l1_loss(a, b) for a, b in zip(edges(out), edges(true), strict=True))
    return square + 0.2 * F.l1_loss(out, true) + 0.3 * edge, square


class Enlarger(torch.nn.Module):
    """The grown autoencoder with the losses of both its ends."""

    def __init__(self, vae):
        super().__init__()
        self.vae = vae

    def forward(self, pictures, moments, latents):
        """Mean-reduced loss; the decoder's squared error and the encoder's alone.

        Args:
            pictures: in −1…1, (B, 3, H, W).
            moments: what the small encoder says of their halves: mean and log variance, (B, 8, H/8, W/8).
            latents: samples of that, (B, 4, H/8, W/8).
        """
        mine = self.vae.encode(pictures).latent_dist.parameters.float()
        off = F.mse_loss(mine[:, :4], moments[:, :4]) + 0.01 * F.mse_loss(mine[:, 4:], moments[:, 4:])
        loss, square = unlikeness(self.vae.decode(latents).sample.float(), pictures)
        return loss + off, square.detach(), off.detach()


def freeze_inside(encoder):
    """Leave only the outer level to be trained: what it must learn is to give the old levels what they got."""
    encoder.requires_grad_(False)
    encoder.conv_in.requires_grad_(True)
    encoder.down_blocks[0].requires_grad_(True)


def train(config, folder, minutes, seed=0, start=None):
    """Train for `minutes`; write the averaged model to `folder/enlarge/model`, and what it grew from to `folder/enlarge/small`.

    It grows from the autoencoder in `start`, or else from that of stage 1 in `folder`.
    """
    if config.wider == 1:
        print(f"enlarge: the autoencoder of {config.name!r} shrinks pictures eight times already")
        return
    run = Run("enlarge", folder, minutes, config.enlarge_lr, seed)
    torch.manual_seed(seed)
    small = AutoencoderKL.from_pretrained(start or folder / "autoencoder" / "model").float().eval().requires_grad_(False)
    small.save_pretrained(run.folder / "small")
    vae = grow(small)
    freeze_inside(vae.encoder)
    vae.quant_conv.requires_grad_(False)
    small.to(run.device)
    model = Enlarger(vae).to(run.device)
    model, optimizer, average = run.begin(
        model,
        Muon(groups(model), lr=config.enlarge_lr),
        list_settings(config, "side", "mix", "enlarge_batch", start=start, large=LARGE_PACK),
    )
    stream, written = pictures_of_two_sides(config, seed + 50, run.accelerator.process_index, run.step), run.spent
    for step in run.steps(optimizer, config.enlarge_batch):
        pictures = next(stream).to(run.device)
        with torch.no_grad():
            posterior = small.encode(half(pictures)).latent_dist
        loss, square, off = model(pictures, posterior.parameters, posterior.sample())
        run.update(loss)
        if step % LOG_STEPS == 0:
            run.log(psnr=psnr(square), off=off.item())
        if run.spent - written > LOOK_MINUTES and run.accelerator.is_main_process:
            written = run.spent
            with use_average(average, model):
                vae.save_pretrained(run.folder / "model")
    if run.accelerator.is_main_process:
        average.copy_to(vae.parameters())
        vae.float().eval().save_pretrained(run.folder / "model")
        print(f"enlarge: {run.samples} pictures in {run.spent:.0f} minutes")
    run.accelerator.end_training()


if __name__ == "__main__":
    stage(train, "enlarge_minutes")
