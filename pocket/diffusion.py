"""Stage 3, text encoder and U-Net together: noise and a caption → the latents of a picture. `python -m pocket.diffusion`.

The autoencoder is frozen. Each picture is rendered, encoded, kept in a pool, and trained on a few times with ever new noise and ever
new wording; a tenth of the captions is replaced by the empty one, which is what guidance needs.
"""

import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from pocket import judge as judging
from pocket import prompts
from pocket.captions import say
from pocket.command import stage
from pocket.pictures import contact_sheet, sample
from pocket.pipeline import assemble, scheduler
from pocket.pool import Pool
from pocket.stream import batches
from pocket.tokenizer import corpus, ends, learn, moved
from sdlab.loop import Run
from sdlab.muon import Muon, groups

EMPTY_CAPTIONS = 0.1
LOOK_MINUTES = 6  # how often to draw a sheet and measure accuracy
LOOK_PROMPTS = 48
BEFORE = "before.json"  # how the model was trained that a run began with


class Denoiser(torch.nn.Module):
    """Text encoder and U-Net with their loss: `(noisy latents, t, token ids, target)` → the v-loss (Salimans & Ho 2022)."""

    def __init__(self, text, unet):
        super().__init__()
        self.text, self.unet = text, unet

    def forward(self, noisy, t, ids, target):
        """Mean squared error of the predicted velocity; latents are (B, 4, h, w), ids (B, 77), t (B,)."""
        context = self.text(ids).last_hidden_state  # (B, 77, width)
        return F.mse_loss(self.unet(noisy, t, context).sample.float(), target)


def caption(scene, rng, config):
    """What is said of a scene in training: in English, in Portuguese, or nothing."""
    if rng.random() < EMPTY_CAPTIONS:
        return ""
    return say(scene, rng, "pt" if rng.random() < config.portuguese else "en")


def timesteps(batch, device, generator=None):
    """Timesteps 0…999, stratified over the batch: 40% uniform, 60% logit-normal, which favours the middle where objects take shape
    (Esser et al. 2024, section 3.1).
    """
    u = (torch.randperm(batch, generator=generator) + torch.rand(batch, generator=generator)) / batch
    middle = torch.special.ndtri(u.clamp(1e-4, 1 - 1e-4)).sigmoid()
    uniform = torch.rand(batch, generator=generator) < 0.4
    return (1000 * torch.where(uniform, u, middle)).long().clamp(0, 999).to(device)


@contextmanager
def averaged(average, model):
    """Use the averaged parameters inside the `with` block."""
    average.store(model.parameters())
    average.copy_to(model.parameters())
    model.eval()
    yield
    average.restore(model.parameters())
    model.train()


@torch.no_grad()
def look(run, pipe, config, judge):
    """Draw some of the fixed prompts, log their accuracy, and keep the sheet as a PNG and in the tracker.

    First come `LOOK_PROMPTS` English ones; then half as many scenes of two things, and half as many Portuguese ones, of which the
    accuracy of the object is logged.
    """
    pairs = prompts.fixed(config.mix, LOOK_PROMPTS)
    half = LOOK_PROMPTS // 2
    others = {"two_things": prompts.two_things(config.mix, half), "portuguese": prompts.fixed(config.mix, half, language="pt")}
    asked = [*pairs, *(pair for more in others.values() for pair in more)]
    pictures = sample(pipe, [text for text, _ in asked], steps=15, guidance=4.0, side=config.side)
    if judge:
        parts = pictures.split([LOOK_PROMPTS, half, half])
        english, *rest = (judging.opinion(judge, part) for part in parts)
        scores = judging.accuracy(english, config, [s for _, s in pairs])
        for (name, more), found in zip(others.items(), rest, strict=True):
            scores[name] = judging.accuracy(found, config, [s for _, s in more])["object"]
        run.log(**{f"accuracy_{name}": score for name, score in scores.items()})
    sheet = contact_sheet(pictures, columns=12)
    sheet.save(run.folder / f"sheet_{round(run.spent):04d}.png")
    run.accelerator.get_tracker("tensorboard").writer.add_image("samples", np.asarray(sheet), run.step, dataformats="HWC")


def train(config, folder, minutes, seed=0, start=None):
    """Train for `minutes`, from the pipeline in `start` if given, and write the averaged pipeline to `folder/diffusion/model`.

    With `start` the new weights continue the old ones, and the autoencoder is taken from there too, unless `folder` holds one. A
    tokenizer of another size than the configuration's is exchanged.
    """
    run = Run("diffusion", folder, minutes, config.lr, seed)
    torch.manual_seed(seed)
    own = folder / "autoencoder" / "model"
    if start:
        old = StableDiffusionPipeline.from_pretrained(start, dtype=torch.float32)
        tokenizer, text, unet = old.tokenizer, old.text_encoder, old.unet
        vae = AutoencoderKL.from_pretrained(own) if own.exists() else old.vae
        if len(tokenizer) != config.vocabulary:
            tokenizer = learn(corpus(config.portuguese), config.vocabulary)
            text = moved(text, old.tokenizer, tokenizer)
        if (Path(start) / "training.json").exists():
            shutil.copy(Path(start) / "training.json", run.folder / BEFORE)
    else:
        tokenizer = learn(corpus(config.portuguese), config.vocabulary)
        vae = AutoencoderKL.from_pretrained(own)
        text = CLIPTextModel(CLIPTextConfig(vocab_size=len(tokenizer), **ends(tokenizer), **config.text))
        unet = UNet2DConditionModel(**config.unet)
    vae = vae.to(run.device).eval().requires_grad_(False)
    denoiser = Denoiser(text, unet).to(run.device, memory_format=torch.channels_last)  # convolutions are a tenth faster so
    model, optimizer, average = run.begin(denoiser, Muon(groups(denoiser), lr=config.lr))
    judge = judging.load(config, folder)
    judge = judge and judge.to(run.device)

    rank = run.accelerator.process_index
    pool = Pool(batches(config, config.batch, seed + 20, rank, run.step), vae, config.pool, config.batch, config.reuse, run.device)
    rng, noise_schedule, looked = np.random.default_rng([seed, rank, run.step]), scheduler(), run.spent
    for _ in run.steps(optimizer, config.batch):
        x0, _, scenes = pool.draw(rng)
        captions = [caption(scene, rng, config) for scene in scenes]
        ids = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids.to(run.device)
        t, eps = timesteps(config.batch, run.device), torch.randn_like(x0)
        noisy, target = noise_schedule.add_noise(x0, eps, t), noise_schedule.get_velocity(x0, eps, t)
        run.update(model(noisy, t, ids, target))
        if run.spent - looked > LOOK_MINUTES and run.accelerator.is_main_process:
            looked = run.spent
            with averaged(average, denoiser):
                pipe = assemble(vae, text, tokenizer, unet)
                look(run, pipe, config, judge)
                pipe.save_pretrained(run.folder / "model")
    if run.accelerator.is_main_process:
        average.copy_to(denoiser.parameters())
        assemble(vae, text.float().eval(), tokenizer, unet.float().eval()).save_pretrained(run.folder / "model")
        print(f"diffusion: {run.samples} samples in {run.spent:.0f} minutes")
    run.accelerator.end_training()


if __name__ == "__main__":
    stage(train, "diffusion_minutes")
