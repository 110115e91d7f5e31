"""Stage 1, the autoencoder: pictures → 4-channel latents → pictures. `python -m pocket.stages.autoencoder`.

The loss is the squared error, a little absolute error for sharp edges, and a faint KL term that keeps the latents smooth. At the
end the latents' mean and deviation are folded into the 1×1 convolutions beside them, so that `scaling_factor` is 1.
"""

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

from pocket.stages.command import stage
from pocket.stages.settings import list_settings
from pocket.world.scene import draw
from pocket.world.stream import batches, to_unit
from sdlab.scratch.autoencoder import psnr
from sdlab.scratch.muon import Muon, groups
from sdlab.training.run import LOG_STEPS, Run

KL_WEIGHT = 1e-4


class Reconstruction(torch.nn.Module):
    """The autoencoder with its loss: a batch in −1…1, (B, 3, H, W) → mean-reduced loss and the squared error alone."""

    def __init__(self, vae):
        super().__init__()
        self.vae = vae

    def forward(self, pictures):
        """Encode, sample, decode, compare."""
        posterior = self.vae.encode(pictures).latent_dist
        out = self.vae.decode(posterior.sample()).sample.float()
        kl = posterior.kl().mean() / posterior.mean[0].numel()
        square = F.mse_loss(out, pictures)
        return square + 0.1 * F.l1_loss(out, pictures) + KL_WEIGHT * kl, square.detach()


@torch.no_grad()
def fold_statistics(vae, pictures):
    """Give the latents mean 0 and deviation 1 per channel by folding both into `quant_conv` and `post_quant_conv`."""
    latents = torch.cat([vae.encode(chunk).latent_dist.mean for chunk in pictures.split(64)])
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))  # (4,), (4,)
    moments, back = vae.quant_conv, vae.post_quant_conv
    moments.bias[:4].sub_(mean)
    moments.weight[:4].div_(deviation[:, None, None, None])
    moments.bias[:4].div_(deviation)
    moments.bias[4:].sub_(2 * deviation.log())
    back.bias.add_(back.weight[:, :, 0, 0] @ mean)
    back.weight.mul_(deviation[None, :, None, None])
    vae.register_to_config(scaling_factor=1.0)


@torch.no_grad()
def held_out_psnr(vae, config, count=256, seed=777, paint=draw):
    """PSNR in dB over `count` scenes that training did not draw, of the configuration's side, painted by `paint`."""
    pictures, _ = next(batches(config, count, seed, seed, paint=paint))
    pictures = to_unit(pictures, vae.device)
    errors = [F.mse_loss(vae.decode(vae.encode(x).latent_dist.mean).sample, x) for x in pictures.split(64)]
    return psnr(torch.stack(errors).mean())


def train(config, folder, minutes, seed=0, start=None):
    """Train for `minutes`, from the autoencoder in `start` if given, and write the averaged model to `folder/autoencoder/model`."""
    run = Run("autoencoder", folder, minutes, config.vae_lr, seed)
    torch.manual_seed(seed)
    vae = AutoencoderKL.from_pretrained(start) if start else AutoencoderKL(**config.vae)
    model = Reconstruction(vae).to(run.device)
    model, optimizer, average = run.begin(
        model, Muon(groups(model), lr=config.vae_lr), list_settings(config, "side", "mix", "vae", "vae_batch", start=start)
    )
    stream = batches(config, config.vae_batch, seed, run.accelerator.process_index, run.step)
    for step in run.steps(optimizer, config.vae_batch):
        pictures = to_unit(next(stream)[0], run.device)
        loss, square = model(pictures)
        run.update(loss)
        if step % LOG_STEPS == 0:
            run.log(psnr=psnr(square))
    if run.accelerator.is_main_process:
        average.copy_to(vae.parameters())
        vae = vae.float().eval()
        fold_statistics(vae, to_unit(next(batches(config, 512, seed + 1))[0], run.device))
        run.log(held_out_psnr=(score := held_out_psnr(vae, config)))
        vae.save_pretrained(run.folder / "model")
        print(f"autoencoder: PSNR {score:.2f} dB on held-out scenes after {run.samples} pictures")
    run.accelerator.end_training()


if __name__ == "__main__":
    stage(train, "vae_minutes")
