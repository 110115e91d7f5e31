"""A further stage: the decoder of factor 8 learns to draw what the squared error leaves blurred. `python -m pocket.stages.sharpen`.

Where the latents leave open how an outline runs, the smallest error is the mean of all ways it may run. A discriminator, trained beside the
decoder to tell true patches from decoded ones, makes it choose one (Esser et al. 2021, section 3.1). The encoder stays as it is.
Left out: one discriminator for several processes; each would train its own.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch.nn.utils.parametrizations import spectral_norm

from pocket.stages.command import stage
from pocket.stages.denoising import use_average
from pocket.stages.enlarge import LOOK_MINUTES, edges, half, pictures_of_two_sides, unlikeness
from pocket.stages.settings import list_settings
from pocket.world.catalog import LARGE_PACK
from sdlab.scratch.autoencoder import psnr
from sdlab.scratch.muon import Muon, groups
from sdlab.training.run import LOG_STEPS, Run

ALONE = 0.2  # share of the minutes in which the errors alone teach, so that little is left that they could teach
WARM_UP = 0.05  # share of the minutes after that in which the discriminator's weight rises
PATCH = 8  # pixels of a patch whose contrast must be right, wherever in it its lines run
CONTRAST = 2.0  # the weight of that
PUSH = 2.0  # how hard the discriminator then pushes at a picture, where the errors push with 1
WIDTH = 48  # channels of the discriminator's first level
ADDED = 4.0  # how much louder it hears what was added
HAZE = 0.1  # deviation of the noise over all that it sees


class Discriminator(torch.nn.Module):
    """Tells true from decoded, patch by patch: four convolutions, each patch 46 pixels wide (Isola et al. 2017, section 3.2.2).

    It also sees, by itself, what was added to the half of the true picture, which is all that the latents may know. All of it through a
    haze of noise: true pictures are exactly even where decoded ones waver by a grey level, which would tell them apart and teach nothing.
    """

    def __init__(self, width=WIDTH):
        super().__init__()
        widths = (6, width, 2 * width, 4 * width)
        levels = [torch.nn.Conv2d(i, o, 4, stride=2, padding=1) for i, o in pairwise(widths)]
        self.levels = torch.nn.ModuleList(spectral_norm(level) for level in levels)
        self.verdict = spectral_norm(torch.nn.Conv2d(widths[-1], 1, 4, padding=1))

    def forward(self, pictures, halves):
        """Pictures in −1…1 (B, 3, H, W) and halves (B, 3, H/2, W/2) → a verdict on each patch, (B, 1, H/8 − 1, W/8 − 1): true above 0."""
        pictures = pictures + HAZE * torch.randn_like(pictures)
        added = pictures - F.interpolate(halves, scale_factor=2.0, mode="bicubic")
        x = torch.cat([pictures, ADDED * added], 1)
        for level in self.levels:
            x = F.leaky_relu(level(x), 0.2)
        return self.verdict(x).float()


class Decoding(torch.nn.Module):
    """The autoencoder's way back alone, as a module of its own: latents (B, 4, h, w) → pictures (B, 3, 8h, 8w)."""

    def __init__(self, vae):
        super().__init__()
        self.vae = vae

    def forward(self, latents):
        """Decode."""
        return self.vae.decode(latents).sample.float()


def contrast_error(made, true):
    """How far patches are from the true ones' contrast: the mean difference of neighbouring pixels, whatever its sign and place.

    Lines that the latents leave open are grey on average, and the squared error draws them so; their contrast is known all the same
    (as Sajjadi et al. 2017, section 4.2.3, match textures patch by patch).
    """
    return sum(F.l1_loss(F.avg_pool2d(a.abs(), PATCH), F.avg_pool2d(b.abs(), PATCH)) for a, b in zip(edges(made), edges(true), strict=True))


def hinge(true, made):
    """The discriminator's loss from its verdicts on true and on decoded patches (Lim & Ye 2017)."""
    return F.relu(1 - true).mean() + F.relu(1 + made).mean()


def balance(error, liked, made):
    """The weight at which a verdict pushes as hard at the pictures `made` as the error does (after Esser et al. 2021, eq. 7)."""
    push, pull = (torch.autograd.grad(value, made, retain_graph=True)[0].norm() for value in (error, liked))
    return push / (pull + 1e-8)


def train(config, folder, minutes, seed=0, start=None):
    """Train for `minutes`, from the autoencoder in `start` or else the one in `folder/enlarge`; write it to `folder/sharpen/model`."""
    if config.wider == 1:
        print(f"sharpen: the autoencoder of {config.name!r} was not enlarged")
        return
    run = Run("sharpen", folder, minutes, config.sharpen_lr, seed)
    torch.manual_seed(seed)
    small = AutoencoderKL.from_pretrained(folder / "enlarge" / "small").to(run.device).eval().requires_grad_(False)
    vae = AutoencoderKL.from_pretrained(start or folder / "enlarge" / "model")
    vae.encoder.requires_grad_(False)
    vae.quant_conv.requires_grad_(False)
    critic = Discriminator().to(run.device)
    learner = torch.optim.AdamW(critic.parameters(), lr=6e-4, betas=(0.5, 0.9))
    run.accelerator.register_for_checkpointing(critic, learner)
    model = Decoding(vae).to(run.device)
    model, optimizer, average = run.begin(
        model,
        Muon(groups(model), lr=config.sharpen_lr),
        list_settings(config, "side", "mix", "enlarge_batch", start=start, large=LARGE_PACK),
    )
    stream, written = pictures_of_two_sides(config, seed + 60, run.accelerator.process_index, run.step), run.spent
    for step in run.steps(optimizer, config.enlarge_batch):
        true = next(stream).to(run.device)
        halves = half(true)
        with torch.no_grad():
            latents = small.encode(halves).latent_dist.sample()
        made = model(latents)
        error, square = unlikeness(made, true)
        error = error + CONTRAST * contrast_error(made, true)
        if (late := run.spent / minutes - ALONE) < 0:
            run.update(error)
        else:
            critic.requires_grad_(False)
            with run.accelerator.autocast():
                liked = critic(made, halves).mean()
            run.update(error - PUSH * min(1.0, late / WARM_UP) * balance(error, liked, made) * liked)
            critic.requires_grad_(True)
            with run.accelerator.autocast():
                verdicts = critic(torch.cat([true, made.detach()]), torch.cat([halves, halves])).chunk(2)
            told_apart = hinge(*verdicts)
            told_apart.backward()
            learner.step()
            learner.zero_grad()
        if step % LOG_STEPS == 0:
            run.log(psnr=psnr(square.detach()), **({} if late < 0 else {"liked": liked.item(), "discriminator": told_apart.item()}))
        if run.spent - written > LOOK_MINUTES and run.accelerator.is_main_process:
            written = run.spent
            with use_average(average, model):
                vae.save_pretrained(run.folder / f"model_{round(run.spent):04d}")
    if run.accelerator.is_main_process:
        average.copy_to(vae.parameters())
        vae.float().eval().save_pretrained(run.folder / "model")
        print(f"sharpen: {run.samples} pictures in {run.spent:.0f} minutes")
    run.accelerator.end_training()


if __name__ == "__main__":
    stage(train, "sharpen_minutes")
