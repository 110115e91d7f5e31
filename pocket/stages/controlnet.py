"""A further stage, the ControlNet (Zhang et al. 2023): a scribble and a caption → a picture. `python -m pocket.stages.controlnet`.

The shipped pipeline is frozen. A copy of its U-Net's encoder sees the scribble, and adds to what the decoder gets, through convolutions
that begin at zero. Things stand anywhere and are of any size, of which the captions say nothing, and half of the captions are left empty,
so that the scribble has to be understood by itself.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline, StableDiffusionPipeline

from pocket.ruler import judge as judging
from pocket.ruler import prompts
from pocket.ruler.agreement import agreement
from pocket.ruler.pictures import contact_sheet, sample
from pocket.stages import outer_hint
from pocket.stages.command import stage
from pocket.stages.denoising import KNOBS, caption, denoise, peak, timesteps, tokenize
from pocket.stages.pool import Pool
from pocket.stages.settings import list_settings
from pocket.stages.story import hand_on
from pocket.world.scene import Inventor, draw_apart
from pocket.world.scribble import lines, scribble
from pocket.world.stream import batches
from sdlab.assets import ASSETS
from sdlab.scratch.muon import Muon, groups
from sdlab.training.run import Run

EMPTY_CAPTIONS = 0.5
LOOK_PROMPTS = 48


class Control(torch.nn.Module):
    """A ControlNet with its loss, beside a frozen text encoder and U-Net."""

    def __init__(self, controlnet, pipe):
        super().__init__()
        self.controlnet = controlnet
        self.frozen = pipe.text_encoder, pipe.unet  # in a tuple, so that they are not among this module's parameters

    def forward(self, noisy, t, ids, hint, target):
        """The v-loss; latents are (B, 4, h, w), t (B,), ids (B, 77), hint (B, 3, H, W) in 0…1."""
        text, unet = self.frozen
        with torch.no_grad():
            context = text(ids).last_hidden_state  # (B, 77, width)
        down, middle = self.controlnet(noisy, t, context, hint, return_dict=False)
        guess = unet(noisy, t, context, down_block_additional_residuals=down, mid_block_additional_residual=middle).sample
        return F.mse_loss(guess.float(), target)


def place(scene, place="anywhere"):
    """The scene with its thing anywhere, or with `place` None as a caption tells it; scenes of two things stay as they are."""
    return replace(scene, things=tuple(replace(thing, place=place) for thing in scene.things)) if len(scene.things) == 1 else scene


class Placer:
    """Invents scenes of a mix whose single things stand anywhere; a class, because workers that are not forked get it pickled."""

    def __init__(self, mix):
        self.invent = Inventor(replace(mix, sized=0, placed=0))

    def __call__(self, rng):
        """One random scene. `rng` is a numpy Generator."""
        return place(self.invent(rng))


def early_timesteps(batch, device):
    """Timesteps, of two drawn the noisier one: where things stand is decided early."""
    return torch.maximum(timesteps(batch, device), timesteps(batch, device))


def draw_with_scribble(scene, rng, side, grain=1):
    """A picture of the scene and a scribble of its things as a fourth channel, uint8 (side, side, 4)."""
    picture, things = draw_apart(scene, rng, side, grain)
    return np.dstack([picture, scribble(things, rng)])


def as_hint(scribbles):
    """Scribbles, uint8 (B, 1, H, W), as a ControlNet sees them: (B, 3, H, W) in 0…1."""
    return scribbles.float().div(255).expand(-1, 3, -1, -1)


def outline_things(scenes, side, seed):
    """The lines of the things in true pictures of scenes, as they are: uint8 (B, 1, side, side)."""
    rng = np.random.default_rng(seed)
    drawn = [255 * lines(draw_apart(scene, rng, side)[1]).astype(np.uint8) for scene in scenes]
    return torch.from_numpy(np.stack(drawn))[:, None]


def begin(base, start):
    """The ControlNet in `start`, grown where it knows sketches of half the side only; else one that begins as the U-Net's encoder.

    Raises:
        ValueError: the one in `start` is for sketches of another side.
    """
    factor = base.vae_scale_factor  # by which a sketch is wider than latents
    if not start:
        return ControlNetModel.from_unet(base.unet, conditioning_embedding_out_channels=(16, 16, 32, 64)[-factor.bit_length() :])
    controlnet = ControlNetModel.from_pretrained(start)
    known = 2 ** (len(controlnet.config.conditioning_embedding_out_channels) - 1)
    if known not in (factor, factor // 2):
        raise ValueError(f"the ControlNet in {start} shrinks sketches {known} times, the autoencoder pictures {factor}: begin with another")
    return controlnet if known == factor else outer_hint.grow(controlnet)


@torch.no_grad()
def look(run, pipe, config, judge):
    """Draw some of the fixed prompts from the lines of true pictures, log accuracy and agreement, and keep the sheet."""
    texts, scenes = map(list, zip(*prompts.one_thing(config.mix, LOOK_PROMPTS), strict=True))
    hints = outline_things([place(scene) for scene in scenes], config.shown, 1)
    pictures = sample(pipe, texts, 15, 4.0, image=list(as_hint(hints)))
    if judge:
        found = judging.accuracy(judge, judging.opinion(judge, pictures), scenes)
        run.log(agreement=agreement(pictures, hints), **{f"accuracy_{head}": share for head, share in found.items()})
    shown = torch.cat([torch.stack([hint, picture]) for hint, picture in zip(as_hint(hints) * 2 - 1, pictures, strict=True)])
    contact_sheet(shown, columns=12).save(run.folder / f"sheet_{round(run.spent):04d}.png")


def train(config, folder, minutes, seed=0, start=None):
    """Train for `minutes`, from the ControlNet in `start` if given, and write the averaged one to `folder/controlnet/model`."""
    run = Run("controlnet", folder, minutes, peak(config, start), seed)
    torch.manual_seed(seed)
    base = StableDiffusionPipeline.from_pretrained(ASSETS / "pocket", dtype=torch.float32).to(run.device)
    for part in (base.text_encoder, base.unet, base.vae):
        part.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    controlnet = begin(base, start)
    if start:
        hand_on(start, run.folder)
    control = Control(controlnet, base).to(run.device, memory_format=torch.channels_last)
    settings = list_settings(config, *KNOBS, start=start, base=ASSETS / "pocket")
    begun = run.begin(control, Muon(groups(control), lr=peak(config, start)), settings)
    judge = judging.load(config, folder)
    judge = judge and judge.to(run.device)

    shown, paint = replace(config, side=config.shown), partial(draw_with_scribble, grain=config.wider)
    stream = batches(shown, config.batch, seed + 30, run.accelerator.process_index, run.step, paint=paint, invent=Placer(config.mix))
    pool = Pool(stream, base.vae, config.pool, config.batch, config.reuse, run.device, config.unet["sample_size"])

    def ask(scenes, scribbles, rng):
        captions = [caption(place(scene, None), rng, config, EMPTY_CAPTIONS) for scene in scenes]
        return tokenize(base.tokenizer, captions, run.device), as_hint(scribbles)

    def show():
        pipe = StableDiffusionControlNetPipeline(**base.components, controlnet=controlnet, requires_safety_checker=False)
        look(run, pipe, config, judge)
        controlnet.save_pretrained(run.folder / "model")

    denoise(run, control, begun, pool, ask, show, early_timesteps)
    if run.accelerator.is_main_process:
        controlnet.float().eval().save_pretrained(run.folder / "model")
        print(f"controlnet: {run.samples} samples in {run.spent:.0f} minutes")
    run.accelerator.end_training()


if __name__ == "__main__":
    stage(train, "control_minutes")
