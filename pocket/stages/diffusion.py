"""Stage 3, text encoder and U-Net together: noise and a caption → the latents of a picture. `python -m pocket.stages.diffusion`.

The autoencoder is frozen. Each picture is rendered, encoded, kept in a pool, and trained on a few times with ever new noise and ever
new wording; a tenth of the captions is replaced by the empty one, which is what guidance needs.
"""

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from pocket.ruler import judge as judging
from pocket.ruler import prompts
from pocket.ruler.pictures import contact_sheet, sample
from pocket.stages.command import stage
from pocket.stages.denoising import KNOBS, caption, denoise, peak, tokenize
from pocket.stages.pipeline import assemble, choose_autoencoder
from pocket.stages.pool import Pool
from pocket.stages.settings import list_settings
from pocket.stages.story import hand_on
from pocket.stages.tokenizer import corpus, end_tokens, learn, move_embeddings
from pocket.world.stream import batches
from sdlab.scratch.muon import Muon, groups
from sdlab.training.run import Run

LOOK_PROMPTS = 48
STREAM_SEED = 20  # added to the run's, so that the pictures have another one than the weights


class Denoiser(torch.nn.Module):
    """Text encoder and U-Net with their loss: `(noisy latents, t, token ids, target)` → the v-loss (Salimans & Ho 2022)."""

    def __init__(self, text, unet):
        super().__init__()
        self.text, self.unet = text, unet

    def forward(self, noisy, t, ids, target):
        """Mean squared error of the predicted velocity; latents are (B, 4, h, w), ids (B, 77), t (B,)."""
        context = self.text(ids).last_hidden_state  # (B, 77, width)
        return F.mse_loss(self.unet(noisy, t, context).sample.float(), target)


def build(config, tokenizer):
    """An untrained text encoder for a tokenizer, and an untrained U-Net."""
    text = CLIPTextModel(CLIPTextConfig(vocab_size=len(tokenizer), **end_tokens(tokenizer), **config.text))
    return text, UNet2DConditionModel(**config.unet)


@torch.no_grad()
def look(run, pipe, config, judge):
    """Draw some of the fixed prompts, log their accuracy, and keep the sheet as a PNG and in the tracker.

    First come `LOOK_PROMPTS` English ones; then half as many scenes of two things, and half as many Portuguese ones, of which the
    accuracy of the object is logged.
    """
    pairs = prompts.one_thing(config.mix, LOOK_PROMPTS)
    half = LOOK_PROMPTS // 2
    others = {"two_things": prompts.two_things(config.mix, half), "portuguese": prompts.one_thing(config.mix, half, language="pt")}
    asked = [*pairs, *(pair for more in others.values() for pair in more)]
    pictures = sample(pipe, [text for text, _ in asked], steps=15, guidance=4.0)
    if judge:
        parts = pictures.split([LOOK_PROMPTS, half, half])
        english, *rest = (judging.opinion(judge, part) for part in parts)
        scores = judging.accuracy(judge, english, [s for _, s in pairs])
        for (name, more), found in zip(others.items(), rest, strict=True):
            scores[name] = judging.accuracy(judge, found, [s for _, s in more])["object"]
        run.log(**{f"accuracy_{name}": score for name, score in scores.items()})
    sheet = contact_sheet(pictures, columns=12)
    sheet.save(run.folder / f"sheet_{round(run.spent):04d}.png")
    run.accelerator.get_tracker("tensorboard").writer.add_image("samples", np.asarray(sheet), run.step, dataformats="HWC")


def train(config, folder, minutes, seed=0, start=None):
    """Train for `minutes`, from the pipeline in `start` if given, and write the averaged pipeline to `folder/diffusion/model`.

    With `start` the new weights continue the old ones, and the autoencoder is taken from there too, unless `folder` holds one. A
    tokenizer of another size than the configuration's is exchanged.
    """
    run = Run("diffusion", folder, minutes, peak(config, start), seed)
    torch.manual_seed(seed)
    own = folder / "autoencoder" / "model"
    if start:
        old = StableDiffusionPipeline.from_pretrained(start, dtype=torch.float32)
        tokenizer, text, unet = old.tokenizer, old.text_encoder, old.unet
        vae = AutoencoderKL.from_pretrained(own) if own.exists() else old.vae
        if len(tokenizer) != config.vocabulary:
            tokenizer = learn(corpus(config.portuguese), config.vocabulary)
            text = move_embeddings(text, old.tokenizer, tokenizer)
        hand_on(start, run.folder)
    else:
        tokenizer = learn(corpus(config.portuguese), config.vocabulary)
        vae = AutoencoderKL.from_pretrained(own)
        text, unet = build(config, tokenizer)
    vae = vae.to(run.device).eval().requires_grad_(False)
    shown_with = choose_autoencoder(folder, vae).to(run.device).eval()
    denoiser = Denoiser(text, unet).to(run.device, memory_format=torch.channels_last)  # convolutions are a tenth faster so
    settings = list_settings(config, *KNOBS, "text", "unet", "vocabulary", start=start, autoencoder=own)
    begun = run.begin(denoiser, Muon(groups(denoiser), lr=peak(config, start)), settings)
    judge = judging.load(config, folder)
    judge = judge and judge.to(run.device)

    stream = batches(config, config.batch, seed + STREAM_SEED, run.accelerator.process_index, run.step)
    pool = Pool(stream, vae, config.pool, config.batch, config.reuse, run.device, config.unet["sample_size"])

    def ask(scenes, _, rng):
        return (tokenize(tokenizer, [caption(scene, rng, config) for scene in scenes], run.device),)

    def show():
        pipe = assemble(shown_with, text, tokenizer, unet)
        look(run, pipe, config, judge)
        pipe.save_pretrained(run.folder / "model")

    denoise(run, denoiser, begun, pool, ask, show)
    if run.accelerator.is_main_process:
        assemble(shown_with, text.float().eval(), tokenizer, unet.float().eval()).save_pretrained(run.folder / "model")
        print(f"diffusion: {run.samples} samples in {run.spent:.0f} minutes")
    run.accelerator.end_training()


if __name__ == "__main__":
    stage(train, "diffusion_minutes")
