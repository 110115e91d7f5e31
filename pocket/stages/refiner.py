"""A further stage, the refiner: an expert for the last fifth of the noise (Podell et al. 2023, section 2.5).

`python -m pocket.stages.refiner` trains it.
It begins as a copy of the base's U-Net, hears the second text encoder only, and is told how good a picture should look. The second text
encoder and the autoencoder are the base's and stay as they are, so that one copy of them serves both.
"""

from dataclasses import replace

import torch
from diffusers import AutoencoderKL, StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline, UNet2DConditionModel

from pocket.stages.command import stage
from pocket.stages.denoising import KNOBS, caption, denoise, peak, timesteps, tokenize
from pocket.stages.grow import TIME_WIDTH
from pocket.stages.pipeline import scheduler
from pocket.stages.pool import Pool
from pocket.stages.settings import list_settings
from pocket.stages.story import hand_on
from pocket.stages.xl import DenoiserXL, enlarge
from pocket.world.framing import Framer, photograph, tell_refiner
from pocket.world.stream import batches
from sdlab.assets import ASSETS
from sdlab.scratch.muon import Muon, groups
from sdlab.training.run import Run

SHARE = 0.2  # of the noise, the last of it
TOLD = 5  # numbers that the refiner is told
FLAWS = 0.25  # share of spoilt pictures, from which it learns what the aesthetic score means


def last_timesteps(batch, device):
    """Timesteps of the last fifth, 0…199, spread as those of the base are."""
    return (SHARE * timesteps(batch, device)).long()


@torch.no_grad()
def narrow(base, context, added):
    """A U-Net that begins as the base's, but hears only the last `context` numbers of each token, and is told `added` numbers."""
    unet = UNet2DConditionModel.from_config(base.config, cross_attention_dim=context, projection_class_embeddings_input_dim=added)
    weights = unet.state_dict()
    for name, value in base.state_dict().items():
        place = weights[name]
        if place.shape == value.shape:
            place.copy_(value)
        elif "attn2" in name:
            place.copy_(value[:, -context:])
    unet.add_embedding.linear_2.weight.zero_()  # its first layer reads other numbers now: nothing is made of them yet
    unet.add_embedding.linear_2.bias.zero_()
    return unet


def assemble(unet, base=None):
    """The stock pipeline, on the base's autoencoder, second text encoder and tokenizer; without a base, a place for them is left."""
    shared = {name: getattr(base, name, None) for name in ("vae", "text_encoder_2", "tokenizer_2")}
    return StableDiffusionXLImg2ImgPipeline(
        **shared, text_encoder=None, tokenizer=None, unet=unet, scheduler=scheduler(),
        requires_aesthetics_score=True, force_zeros_for_empty_prompt=False, add_watermarker=False,
    )  # fmt: skip


def train(config, folder, minutes, seed=0, start=None):
    """Train for `minutes`, from the refiner in `start` if given, and write the averaged U-Net to `folder/refiner/model`."""
    config = enlarge(config)
    run = Run("refiner", folder, minutes, peak(config, start), seed)
    torch.manual_seed(seed)
    own = folder / "xl" / "model"
    own = own if own.exists() else ASSETS / "pocket-xl"
    base = StableDiffusionXLPipeline.from_pretrained(
        own, vae=AutoencoderKL.from_pretrained(ASSETS / "pocket" / "vae"), dtype=torch.float32
    ).to(run.device)
    for part in (base.vae, base.text_encoder_2):
        part.eval().requires_grad_(False)
    settings = base.text_encoder_2.config
    if start:
        unet = UNet2DConditionModel.from_pretrained(start)
        hand_on(start, run.folder)
    else:
        unet = narrow(base.unet, settings.hidden_size, settings.projection_dim + TOLD * TIME_WIDTH)
    denoiser = DenoiserXL(unet, base.text_encoder_2).to(run.device, memory_format=torch.channels_last)
    begun = run.begin(denoiser, Muon(groups(unet), lr=peak(config, start)), list_settings(config, *KNOBS, start=start, base=own))
    framer = Framer(replace(config.mix, flaw=FLAWS), config.side)
    stream = batches(config, config.batch, seed + 50, run.accelerator.process_index, run.step, paint=photograph, invent=framer)
    pool = Pool(stream, base.vae, config.pool, config.batch, config.reuse, run.device, config.unet["sample_size"])

    def ask(framed, _, rng):
        ids = tokenize(base.tokenizer_2, [caption(f.scene, rng, config) for f in framed], run.device)
        return ids, torch.tensor([tell_refiner(f, config.wider) for f in framed], dtype=torch.float32, device=run.device)

    def keep():
        unet.save_pretrained(run.folder / "model")

    denoise(run, denoiser, begun, pool, ask, keep, last_timesteps)
    if run.accelerator.is_main_process:
        unet.float().eval()
        keep()
        print(f"refiner: {run.samples} samples in {run.spent:.0f} minutes")
    run.accelerator.end_training()


if __name__ == "__main__":
    stage(train, "refiner_minutes")
