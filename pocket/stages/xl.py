"""A further stage, the pocket XL: SDXL's base (Podell et al. 2023) at twice the side. `python -m pocket.stages.xl`.

Two text encoders side by side, of which the second also gives one vector for the whole caption; and the size and crop of each picture,
told to the U-Net. The first encoder and the U-Net are grown from the shipped pocket model; its autoencoder stays as it is.
"""

from dataclasses import replace
from functools import partial
from math import log

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, StableDiffusionPipeline, StableDiffusionXLPipeline
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from pocket.ruler import judge as judging
from pocket.ruler import prompts
from pocket.ruler.pictures import contact_sheet, sample
from pocket.stages.command import stage
from pocket.stages.denoising import CENTRE, KNOBS, caption, denoise, peak, timesteps, tokenize
from pocket.stages.diffusion import LOOK_PROMPTS
from pocket.stages.grow import TIME_WIDTH, grow_architecture, transplant
from pocket.stages.pipeline import scheduler
from pocket.stages.pool import Pool
from pocket.stages.settings import list_settings
from pocket.stages.story import hand_on
from pocket.stages.tokenizer import end_tokens
from pocket.world.framing import Framer, photograph, tell
from pocket.world.stream import batches
from sdlab.assets import ASSETS
from sdlab.scratch.muon import Muon, groups
from sdlab.training.run import Run

# Four times as many latents outlast twice the noise: so much later the picture is gone (Esser et al. 2024, section 5.3.2).
LATER = log(2)
TOLD = 6  # numbers that the base is told of a picture's frame


def enlarge(config):
    """The configuration for pictures twice as wide, in batches and pools of half as many."""
    unet = config.unet | {"sample_size": 2 * config.unet["sample_size"]}
    return replace(config, side=2 * config.side, unet=unet, batch=config.batch // 2, pool=config.pool // 2)


class DenoiserXL(torch.nn.Module):
    """One or two text encoders and a U-Net with their v-loss.

    Args:
        unet: conditioned on words, on the whole caption, and on a few numbers.
        second: the text encoder that also sees the caption as a whole.
        first: the other one, or None for a refiner.
    """

    def __init__(self, unet, second, first=None):
        super().__init__()
        self.unet, self.second, self.first = unet, second, first
        if first is not None:  # its last layer is not read, and several processes would wait for its gradients for ever
            text = getattr(first, "text_model", first)  # so named before transformers 5.6
            for part in (text.encoder.layers[-1], text.final_layer_norm):
                part.requires_grad_(False)

    def words(self, ids):
        """Words, from the last layer but one of each encoder, (B, 77, their widths together); and the whole caption, (B, projection)."""
        seconds = self.second(ids, output_hidden_states=True)
        words = [seconds.hidden_states[-2]]
        if self.first is not None:
            words.insert(0, self.first(ids, output_hidden_states=True).hidden_states[-2])
        return torch.cat(words, -1), seconds.text_embeds

    def forward(self, noisy, t, ids, numbers, target):
        """Mean squared error of the predicted velocity; latents are (B, 4, h, w), t (B,), ids (B, 77), numbers (B, 6 or 5)."""
        words, caption = self.words(ids)
        added = {"text_embeds": caption, "time_ids": numbers}
        return F.mse_loss(self.unet(noisy, t, words, added_cond_kwargs=added).sample.float(), target)


def assemble(vae, first, second, tokenizer, unet):
    """The stock pipeline. An empty caption is read like any other, not replaced by zeros, for so it was in training."""
    return StableDiffusionXLPipeline(
        vae=vae, text_encoder=first, text_encoder_2=second, tokenizer=tokenizer, tokenizer_2=tokenizer, unet=unet,
        scheduler=scheduler(), force_zeros_for_empty_prompt=False, add_watermarker=False,
    )  # fmt: skip


@torch.no_grad()
def look(run, pipe, config, judge):
    """Draw some of the fixed prompts, and as many scenes of two things; log accuracy, and keep the sheet."""
    pairs, two = prompts.one_thing(config.mix, LOOK_PROMPTS // 2), prompts.two_things(config.mix, LOOK_PROMPTS // 2)
    pictures = sample(pipe, [text for text, _ in (*pairs, *two)], steps=15, guidance=4.0)
    if judge:
        one, other = (judging.opinion(judge, part) for part in pictures.chunk(2))
        scores = judging.accuracy(judge, one, [s for _, s in pairs])
        scores["two_things"] = judging.accuracy(judge, other, [s for _, s in two])["object"]
        run.log(**{f"accuracy_{name}": score for name, score in scores.items()})
    contact_sheet(pictures, columns=8).save(run.folder / f"sheet_{round(run.spent):04d}.png")


def grow(pipe, config):
    """A second text encoder that knows nothing, and a U-Net grown from the pipeline's that hears both."""
    settings = config.second_text
    second = CLIPTextModelWithProjection(CLIPTextConfig(vocab_size=len(pipe.tokenizer), **end_tokens(pipe.tokenizer), **settings))
    context = pipe.text_encoder.config.hidden_size + settings["hidden_size"]
    unet = grow_architecture(pipe.unet, context, settings["projection_dim"] + TOLD * TIME_WIDTH)
    transplant(pipe.unet, unet)
    return second, unet


def train(config, folder, minutes, seed=0, start=None):
    """Train for `minutes`, from the pipeline in `start` if given, and write the averaged one to `folder/xl/model`."""
    small, config = config, enlarge(config)
    run = Run("xl", folder, minutes, peak(config, start), seed)
    torch.manual_seed(seed)
    if start:
        old = StableDiffusionXLPipeline.from_pretrained(
            start, vae=AutoencoderKL.from_pretrained(ASSETS / "pocket" / "vae"), dtype=torch.float32
        )
        second, unet = old.text_encoder_2, old.unet
        hand_on(start, run.folder)
    else:
        old = StableDiffusionPipeline.from_pretrained(ASSETS / "pocket", dtype=torch.float32)
        second, unet = grow(old, config)
    tokenizer, first = old.tokenizer, old.text_encoder
    vae = old.vae.to(run.device, memory_format=torch.channels_last).eval().requires_grad_(False)
    denoiser = DenoiserXL(unet, second, first).to(run.device, memory_format=torch.channels_last)
    settings = list_settings(config, *KNOBS, "second_text", start=start, base=ASSETS / "pocket")
    begun = run.begin(denoiser, Muon(groups(denoiser), lr=peak(config, start)), settings)
    judge = judging.load(small, folder)
    judge = judge and judge.to(run.device)

    stream = batches(
        config, config.batch, seed + 40, run.accelerator.process_index, run.step, paint=photograph, invent=Framer(config.mix, config.side)
    )
    pool = Pool(stream, vae, config.pool, config.batch, config.reuse, run.device, config.unet["sample_size"])

    def ask(framed, _, rng):
        ids = tokenize(tokenizer, [caption(f.scene, rng, config) for f in framed], run.device)
        return ids, torch.tensor([tell(f, config.side, config.wider) for f in framed], dtype=torch.float32, device=run.device)

    def show():
        pipe = assemble(vae, first, second, tokenizer, unet)
        look(run, pipe, config, judge)
        pipe.save_pretrained(run.folder / "model")

    denoise(run, denoiser, begun, pool, ask, show, partial(timesteps, centre=CENTRE + LATER))
    if run.accelerator.is_main_process:
        assemble(vae, first.float().eval(), second.float().eval(), tokenizer, unet.float().eval()).save_pretrained(run.folder / "model")
        print(f"xl: {run.samples} samples in {run.spent:.0f} minutes")
    run.accelerator.end_training()


if __name__ == "__main__":
    stage(train, "xl_minutes")
