# %% [markdown]
# # 09 · SDXL: base and refiner
#
# SDXL is the larger successor of Stable Diffusion 1.5, and it differs in more than size. It
# reads the prompt with two text encoders. It is told how large a picture was and where it was
# cropped. And it comes as two models: a *base* that draws, and a *refiner* that takes over when
# little noise is left. The refiner, it is said, adds detail. Here you take all of this apart,
# with a small SDXL that was trained in the same way, and measure what each part brings.
#
# **You will be able to** use base and refiner together, and say which steps belong to which;
# tell the model a size and a crop, and say what it makes of them; compare two models fairly, at
# equal steps and from the same noise; find out why a picture in half precision is black, and
# mend it in three ways; and hide a message in a picture.
#
# | | pocket XL (default) | SDXL (`SDLAB_MODEL=sdxl`) |
# |---|---|---|
# | time for this notebook | two minutes on two CPU cores | ten minutes on a GPU |
# | memory | 1.5 GB | 16 GB on the GPU |
# | download | none | 11.4 GB, once |

# %%
import copy
import importlib.util
import io
import math
import os
import tempfile

import matplotlib.pyplot as plt
import numpy as np
import torch
from diffusers.models.resnet import ResnetBlock2D
from diffusers.pipelines.stable_diffusion_xl.watermark import WATERMARK_BITS
from diffusers.utils import logging
from PIL import Image
from scipy.fft import dctn, idctn
from scipy.ndimage import uniform_filter
from transformers.utils import logging as transformers_logging

import sdlab
from sdlab.display import intervals
from sdlab.display.described import Described
from sdlab.lesson import read_results
from sdlab.pipes import models, samplers
from sdlab.pipes.generation import decode
from sdlab.study import anatomy, judge, metrics

# %%
large = os.environ.get("SDLAB_MODEL") == "sdxl"
base = sdlab.load("sdxl" if large else "pocket-xl")
refiner = sdlab.load("sdxl-refiner" if large else "pocket-xl-refiner", base=base)
side, (steps, guidance) = sdlab.native_side(base), models.recommend(base)
kept, asked = read_results("09"), judge.known_prompts()
for pipe in (base, refiner):
    pipe.set_progress_bar_config(disable=True)
for log in (logging, transformers_logging):
    log.set_verbosity_error()
    log.disable_progress_bar()
sdlab.use_style()
print(f"{models.name_of(base)} and {models.name_of(refiner)}, {side}×{side} pixels")

# %% [markdown]
# The base alone is a complete model. It is used like every other pipeline:

# %%
astronaut = sdlab.Recipe("An astronaut riding a green horse", images=4)
riders = sdlab.generate(base, astronaut, progress=False)
sdlab.show(riders)

# %% [markdown]
# Measurements that take longer than a lesson were made once, with the pocket models, by `python
# -m pocket.reports.refining` (twelve minutes). They were kept with the course and are in
# `kept`. Each time we repeat a small part of them and compare.
#
# ### Loading
#
# The real SDXL is downloaded when it is first loaded, into the cache of Hugging Face, and from
# then on taken from there. With `sdlab.load("sdxl", local_files_only=True)` the network is
# never asked; a missing file is then an error at once. The pocket models come with the course.
# And any pipeline can be written into a folder of your own and loaded from there, on a computer
# without a network:

# %%
if not large:  # SDXL would write 7 GB
    with tempfile.TemporaryDirectory() as folder:
        base.save_pretrained(folder)
        again = sdlab.load(folder)
    pairs = zip(base.unet.parameters(), again.unet.parameters(), strict=True)
    print(
        "parts in the folder:", *(name for name, part in again.components.items() if part)
    )
    print("the U-Net is the same to the bit:", all(torch.equal(*pair) for pair in pairs))
    del again

# %% [markdown]
# ## Two text encoders
#
# > **Predict.** The first text encoder is the one that SD 1.5 has. Why could a second one help,
# > if both read the same prompt?

# %%
small = sdlab.load("pocket")
paper = {name: anatomy.on_paper(name) for name in ("sd15", "sdxl")}
rows = {"SD 1.5": paper["sd15"], "SDXL": paper["sdxl"], "pocket": small.components}
for name, parts in (rows | {"pocket XL": base.components}).items():
    readers = [parts[key] for key in ("text_encoder", "text_encoder_2") if key in parts]
    width = " + ".join(str(reader.config.hidden_size) for reader in readers)
    read = sum(anatomy.parameters(reader) for reader in readers) / 1e6
    unet = anatomy.parameters(parts["unet"]) / 1e6
    print(
        f"{name:10s}{width:>11s} numbers per token; {read:6.1f} M to read, {unet:7.1f} M to draw"
    )

# %% [markdown]
# (*M* means a million parameters. SD 1.5 and SDXL were counted without their weights, as in
# notebook 01.) Every token of the prompt gets a vector from the first encoder and one from the
# second. They are put side by side into one long vector, and the U-Net's cross-attention looks
# at that.

# %%
without = {"device": base.device, "do_classifier_free_guidance": False}
heard = base.encode_prompt(astronaut.prompt, **without)
words, pooled = (heard[i][0].detach().float().cpu() for i in (0, 2))
tokens = [token.removesuffix("</w>") for token in base.tokenizer.tokenize(astronaut.prompt)]
tokens, first = ["start", *tokens, "end"], base.text_encoder.config.hidden_size

# %%
size = {"figsize": (9, 2.8), "layout": "constrained", "FigureClass": Described}
figure, axis = plt.subplots(**size)
reach = 2 * words.std()
look = {"cmap": "RdBu", "vmin": -reach, "vmax": reach, "aspect": "auto"}
shown = axis.imshow(words[: len(tokens)], **look)
axis.axvline(first - 0.5, color="black", lw=2)
axis.set_yticks(range(len(tokens)), tokens)
axis.set_xlabel("number in the vector (left of the line: first encoder; right: second)")
figure.colorbar(shown, label="value")
figure.alt = "The vectors of all tokens as coloured rows, the two encoders side by side"

# %%
said = words[: len(tokens)]
for name, part in {"first": said[:, :first], "second": said[:, first:]}.items():
    varied = part.std(0).mean()
    print(
        f"{name} encoder: {part.shape[1]} numbers, they vary by {varied:.3f} over the tokens"
    )
print(f"words:  {tuple(words.shape)}, a vector for each of 77 places")
print(f"pooled: {tuple(pooled.shape)}, one vector for the whole caption")
each = base.unet.config.addition_time_embed_dim
added = len(pooled) + 6 * each
print(f"pooled vector and six told numbers: {len(pooled)} + 6 × {each} = {added} numbers")
assert added == base.unet.config.projection_class_embeddings_input_dim

# %% [markdown]
# The second encoder gives something else too: one vector for the whole caption, called
# *pooled*. It does not go into the cross-attention. It is added to the time embedding, so that
# it reaches every layer and every place of the picture alike. (The last line is for the next
# section.)
#
# Do both encoders matter? `diffusers` can give each its own prompt: `prompt` for the first and
# `prompt_2` for the second. So we let them disagree. In half of the pictures the first encoder
# reads one prompt and the second another; in the other half they change places.
#
# > **Predict.** Which of the two will decide the thing in the picture, which the style, which
# > the background?


# %%
def noises(count):
    """The generators of the seeds 0, 1, 2 and so on."""
    return [torch.Generator("cpu").manual_seed(seed) for seed in range(count)]


half = 2 if large else 6
one, two = asked[: 2 * half], asked[half : 2 * half] + asked[:half]
quick = {"num_inference_steps": 12, "guidance_scale": guidance}
mixed = base(
    [a.prompt for a in one], [b.prompt for b in two], generator=noises(2 * half), **quick
).images
titles = [
    f"first reads: {a.things[0]}\nsecond reads: {b.things[0]}" for a, b in zip(one, two)
]
sdlab.grid(mixed[:4], titles[:4])

# %%
asks = {"object": lambda a: a.things[0], "style": lambda a: a.style}
asks["background"], shares = lambda a: a.background, {}
for head, wanted in asks.items():
    seen = judge.answers(mixed, head)
    shares[head] = [
        intervals.share([s == wanted(a) for s, a in zip(seen, prompts)])
        for prompts in (one, two)
    ]
    print(
        f"{head:11s} of the first prompt {shares[head][0]!s:15s} of the second {shares[head][1]}"
    )

# %%
firsts, seconds = shares["object"]
sdlab.claim(
    "Both of SDXL's text encoders have a say in what is drawn",
    held=None if large else seconds.value > firsts.value / 4,
    measured=f"where they read different prompts, the thing is the first one's in {firsts}, "
    f"the second one's in {seconds} of the pictures",
    source="Podell et al. 2023, section 2.1",
)

# %% [markdown]
# In the pocket XL the first encoder decides nearly everything. (With `SDLAB_MODEL=sdxl` look at
# the grid; the judge of this course knows the pocket world only, and its answers mean nothing
# there.) You could see it coming: in the figure, the rows of the second encoder are pale and
# nearly alike, so they say little about the words. How this model was trained can explain that.
# It was grown from the pocket model, whose U-Net could read the vectors of the first encoder
# already. The second encoder began with random weights, and as long as it says nothing that the
# first one does not say, listening to it brings nothing.
#
# For the real SDXL both encoders had been trained before, on different data and by different
# people (OpenAI's CLIP, and OpenCLIP), and the U-Net met both at once. There a second encoder
# can help because it has learned something else. So you cannot carry this result over to SDXL,
# but you can carry over the method: **a part that is there need not be used.** Let it disagree
# with the others, and see whether anything changes.
#
# ## What the base is told
#
# Training pictures come in all sizes and shapes. SD 1.5 threw small ones away and cropped the
# rest to a square. Its pictures show it: sometimes a head is cut off, as heads were in
# training. SDXL kept all pictures and *told* the U-Net what was done: the height and width that
# the picture had, and the top and left corner of the crop. Together with the height and width
# that are asked for, that makes six numbers. When you draw, you may tell it what you like. The
# default is the native size and no crop.
#
# > **Predict.** What will it draw when it is told that the picture was a third as large? And
# > when it is told that the picture was cut out of a larger one, at the left?

# %%
plain_ones = [a for a in asked if a.background in ("white", "plain", "gradient")]
chosen = [18, 33]  # two of those that were measured; their seeds are their numbers


def told(original=1, top=0, left=0):
    """Two pictures; the base is told a size and a crop, in units of the picture's side."""
    frame = {
        "original_size": (round(original * side),) * 2,
        "crops_coords_top_left": (round(top * side), round(left * side)),
    }
    noise = [torch.Generator("cpu").manual_seed(seed) for seed in chosen]
    prompts = [plain_ones[number].prompt for number in chosen]
    return base(prompts, generator=noise, **quick, **frame).images


# %% tags=["cover"]
originals, corners = (0.35, 0.5, 0.7, 1), (0, 0.25, 0.5)
by_size = [told(original) for original in originals]
by_corner = [told(1.5, 0.25, left) for left in corners]
titles = [f"told {round(original * side)} px" for original in originals]
titles += [f"cropped\nfrom {round(left * side)} px" for left in corners]
pictures = [row[i] for i in range(len(chosen)) for row in by_size + by_corner]
sdlab.grid(pictures, titles * len(chosen), columns=len(titles), cell=1.45)

# %% [markdown]
# Each row is one prompt and one noise; only what the base is *told* differs. In the first four
# pictures it is the size of the original, in the last three the place of a crop.
#
# ### The told size
#
# 48 prompts, measured by *sharpness*, the standard deviation of the Laplacian of the grey
# values (as in notebook 05). Beside them are true pictures of the same things that really were
# so small and were enlarged.


# %%
def told_rows(names, measure, kind="drawn"):
    """A kept measure, (pictures, settings); of the drawn pictures, or of true ones."""
    rows = [kept[name] if kind == "drawn" else kept[name]["true"] for name in names]
    return np.transpose([row[measure] for row in rows])


sizes = [f"original of {original}" for original in originals]
kinds = ("drawn", "true pictures")
sharp = {kind: told_rows(sizes, "sharpness", kind) for kind in kinds}
print("now: ", *np.round([metrics.sharpness(row) for row in by_size], 3).T, sep="\n")
print("kept:", *sharp["drawn"][chosen].round(3), sep="\n")

# %%
relative = {kind: 100 * rows / rows[:, -1:] for kind, rows in sharp.items()}
names = {
    "xlabel": "told size, in sides of the picture",
    "ylabel": "sharpness (% of the full size)",
}
sdlab.curve(originals, relative, **names)

# %%
for kind, rows in relative.items():
    print(f"told {originals[0]:.0%} of the side, {kind}: ", end="")
    print(f"{intervals.mean(rows[:, 0])} % of the sharpness is left")

# %% [markdown]
# Told that the original was small, it draws a softer picture, and the thing stays where it was.
# So the told size is a knob for sharpness, although nobody built it for that: it comes from
# telling the truth in training. But the knob is weak. A picture that really was so small is
# blurred much more.
#
# ### The told crop
#
# Two numbers say what a crop does. A thing that is cut off has edges at the border of the
# picture: we take the share of all edges that lie in the outermost sixteenth. And if only the
# left part of a scene is seen, what was in the middle appears further right: we take the centre
# of the edges, 0 at the left and 1 at the right.

# %%
frames = [f"corner at {left}" for left in corners]
for kind in kinds:
    whole, cut = (told_rows(some, "border", kind) for some in (sizes[-1:], frames))
    print(f"{kind:14s}edges at the border: whole {intervals.mean(whole)}, ", end="")
    print(f"cropped {intervals.mean(cut)}")
centres = {kind: told_rows(frames, "centre", kind) for kind in kinds}
moved = {kind: 100 * (rows - rows[:, 1:2]) for kind, rows in centres.items()}
names = {"xlabel": "told left corner, in sides", "ylabel": "the edges move (% of the side)"}
sdlab.curve(corners, moved, **names)

# %%
drawn, truly = (intervals.difference(rows[:, 0], rows[:, -1]) for rows in moved.values())
cut = told_rows(frames, "border").mean(1)
more = intervals.difference(cut, told_rows(sizes[-1:], "border")[:, 0])
obeys, cuts = drawn.low > truly.value / 2, more.is_clear and more.value > 0
sdlab.claim(
    "Told where a picture was cropped, the base draws that part of the scene",
    held=True if obeys else None if cuts else False,
    measured=f"between two corners the edges move by {drawn} % of the side, in true crops by "
    f"{truly} %; the share of edges at the border grows by {more}",
    source="Podell et al. 2023, section 2.2",
)

# %% [markdown]
# This is half of what one would hope for. Told of a crop, it does draw cropped pictures: the
# thing is larger, and parts of it are cut off. But it hardly minds *which* part. The default, a
# corner at (0, 0) and no larger original, is the useful one: it asks for a picture from which
# nothing was cut.
#
# ## Two experts
#
# The refiner is a second U-Net. It was trained on the last fifth of the timesteps only, where
# little noise is left. The idea is from Balaji et al. 2022, who call such models an *ensemble
# of experts*. Which timesteps belong to which of the two?

# %%
border = round((1 - 0.8) * len(base.scheduler.alphas_cumprod))  # a timestep
base.scheduler.set_timesteps(40)
taken = base.scheduler.timesteps.float().cpu()
noise = (1 - base.scheduler.alphas_cumprod).sqrt().cpu()
figure, axis = plt.subplots(**size)
axis.plot(noise, color="0.6", label="size of the noise, $\\sqrt{1-\\bar\\alpha_t}$")
for name, mine in {"base": taken >= border, "refiner": taken < border}.items():
    at = taken[mine]
    axis.plot(at, noise[at.long()], "o", ms=4, label=f"{name}: {len(at)} steps")
axis.axvline(border, color="0.3", lw=1)
axis.set(xlabel="timestep $t$ (drawing goes from left to right)", xlim=(1010, -10))
axis.set_ylabel("size of the noise")
_ = axis.legend(frameon=False)
figure.alt = "Size of the noise over timesteps, with the steps of base and refiner"
print(f"at the hand-over the noise still has {noise[border]:.0%} of its full size")

# %% [markdown]
# With 40 steps and a hand-over at 0.8 the base takes 32 and the refiner 8. The refiner has a
# fifth of the *timesteps*. But the noise at the border still has much more than a fifth of its
# full size, as the curve shows. (Here $\bar\alpha_t$ is the share of the picture's variance
# that is left at the timestep $t$; see notebook 10.)
#
# > **Predict.** Both experts get true pictures with more and more noise, and predict $v$, the
# > mixture of picture and noise from which the next step is computed (notebook 10). At which
# > timesteps is the refiner better, and how bad is it where it was never trained?

# %%
levels = [int(name.split()[1]) for name in kept if name.startswith("noise ")]
errors = {
    expert: np.transpose([kept[f"noise {level}"][expert] for level in levels])
    for expert in ("base", "refiner")
}
names = {"xlabel": "timestep (more noise to the right)", "ylabel": "squared error of $v$"}
title = f"{len(errors['base'])} true pictures; smaller is better"
figure = sdlab.curve(levels, errors, **names, title=title)
figure.axes[0].axvline(border, color="0.3", lw=1)
figure

# %%
print("timestep  refiner's error less the base's")
for level, mine, theirs in zip(levels, errors["refiner"].T, errors["base"].T):
    apart = intervals.difference(mine, theirs)
    who = "refiner" if apart.high < 0 else "base" if apart.low > 0 else "neither, clearly"
    print(f"{level:8d}  {apart!s:28s} better: {who}")

# %% [markdown]
# The curves cross at the border of the refiner's training. Below it the refiner has the smaller
# error, with a network of about the same size: it could use all of it for small noise. Above
# it, its error grows quickly. So the refiner is not a better model, it is an *expert* for some
# timesteps, and 0.8 is not a matter of taste: the hand-over belongs where its training began.
#
# ## The lion
#
# Now they draw together. `sdlab.generate` takes the pair. In `diffusers` it is two calls: the
# base with `denoising_end=0.8` and `output_type="latent"`, and the refiner with
# `denoising_start=0.8` on the latents that came out.

# %%
lion = sdlab.Recipe("A majestic lion jumping from a big stone at night", steps=40, seed=9)
both = sdlab.generate((base, refiner), lion, progress=False, keep_latents=True)
alone = sdlab.generate(base, lion, progress=False)
sdlab.film_strip(base, both)

# %%
sdlab.grid([alone.image, both.image], ["base, 40 steps", "base 32, refiner 8"], cell=3.5)

# %% [markdown]
# The film shows the decoded latents. Around step 32 of 40 there is still grain all over the
# picture: the refiner does not improve a finished picture, it finishes a noisy one. Whatever is
# visible through the grain is settled by then. What is left to the refiner are the fine strokes
# and edges. (This model has never seen a jump. It reads the prompt as a lion above a stone.)
#
# ### A hand-over changes nothing by itself
#
# Before we compare, a control. What if the base hands over to *itself*? If the two calls fit
# together, the picture must be that of the base alone.


# %%
def levels_apart(picture, other):
    """The largest difference of two pictures, in grey levels from 0 to 255."""
    return int(np.abs(np.asarray(picture, int) - np.asarray(other, int)).max())


# %%
from diffusers import AutoPipelineForImage2Image

itself = AutoPipelineForImage2Image.from_pipe(base)  # the same parts, for the second call
itself.set_progress_bar_config(disable=True)
same = sdlab.generate((base, itself), lion, progress=False)
pairs = {"handed over to itself": same, "finished by the refiner": both}
for name, run in pairs.items():
    print(
        f"base alone and {name:24s}{levels_apart(alone.image, run.image):3d} levels apart"
    )

# %% [markdown]
# So every difference from now on is the refiner's work. (A sampler that remembers earlier
# steps, such as DPM++ 2M, forgets them at the hand-over, and then this control is not exact.)
#
# ### What they share
#
# The refiner has a U-Net of its own. It reads the prompt with the second text encoder only, and
# it works on the same latents, so it needs no autoencoder of its own.

# %%
parts = {name: part for name, part in refiner.components.items() if part is not None}
shared = [name for name, part in parts.items() if part is getattr(base, name, None)]
weights = [name for name in shared if isinstance(getattr(base, name), torch.nn.Module)]
saved = sum(anatomy.parameters(getattr(base, name)) for name in weights)
print("the same objects in memory:", *shared)
print(f"here that saves {saved / 1e6:.1f} M parameters")
real = sum(anatomy.parameters(paper["sdxl"][name]) for name in ("text_encoder_2", "vae"))
print(f"with the real SDXL {real / 1e6:.0f} M, {2 * real / 1e9:.1f} GB in half precision")
assert refiner.vae is base.vae and refiner.text_encoder_2 is base.text_encoder_2

# %% [markdown]
# ## When to hand over
#
# First by eye: the same lion, always 40 steps in all, and an earlier or later hand-over.
#
# > **Predict.** What becomes of the lion if the refiner gets more than its fifth?

# %%
runs = sdlab.sweep((base, refiner), lion, handover=[0.4, 0.6, 0.9], progress=False)
early = [run.image for run in runs]
titles = ["at 0.4", "at 0.6", "at 0.8", "at 0.9", "base alone"]
sdlab.grid([early[0], early[1], both.image, early[2], alone.image], titles)

# %% [markdown]
# Now the measurement: 40 prompts, 25 steps in all, and the same noise for every hand-over. We
# need numbers for *detail*. Sharpness is one. A second one comes from the Fourier transform,
# which splits a picture into waves: the power of those shorter than four pixels says how much
# fine structure there is. And detail in the wrong place is a flaw: areas that should be even
# can have smears. So the third one takes the standard deviation of the pixels in small windows,
# and then the median of all windows, because the middle one seldom lies on an edge.


# %%
def fine_power(picture):
    """The power of waves shorter than four pixels, as a decimal logarithm."""
    pixels = np.asarray(picture.convert("RGB"), float) / 127.5 - 1
    waves = np.square(np.abs(np.fft.fft2(pixels, axes=(0, 1)))).mean(-1)
    down, across = (np.abs(np.fft.fftfreq(length)) for length in waves.shape)
    return np.log10(waves[np.maximum(down[:, None], across) > 0.25].mean())


def smears(picture):
    """The median of the standard deviations of windows of 5×5 pixels, in grey levels."""
    grey = np.asarray(picture.convert("L"), float)
    variance = uniform_filter(grey**2, 5) - uniform_filter(grey, 5) ** 2
    return np.median(np.sqrt(variance.clip(0)))


# %%
true, plain = kept["true pictures"], kept["base alone"]
measures = {"sharpness": "sharpness", "fine": "fine power", "smears": "smears"}


def percent_more(row, measure):
    """How much more than with the base alone, in percent, for each picture."""
    mine, start = np.array(row[measure]), np.array(plain[measure])
    return 100 * ((10 ** (mine - start) if measure == "fine" else mine / start) - 1)


def table(rows):
    """Settings beside the base alone, and beside true pictures."""
    head = "".join(f"{name:24s}" for name in (*measures.values(), "recognised"))
    print(f"{'':16s}{head}Fréchet")
    for name, row in rows.items():
        cells = [intervals.mean(percent_more(row, measure)) for measure in measures]
        cells = "".join(
            f"{cell!s:24s}" for cell in (*cells, intervals.share(row["object"]))
        )
        print(f"{name!s:16s}{cells}{row['frechet of quarters']:.0f}")


# %%
points = [float(name.split()[-1]) for name in kept if name.startswith("handed over")]
settings = {point: kept[f"handed over at {point}"] for point in points}
table(settings | {"base alone": plain, "true pictures": true})

# %% [markdown]
# *Sharpness*, *fine power* and *smears* are compared with the base alone, picture by picture,
# in percent. *Recognised* is the share of pictures in which the judge sees the thing. The
# *Fréchet distance* says how far the pictures are from true pictures in what the judge sees
# (notebook 10 gives the formula); the judge sees each picture in four quarters, so that the
# fine structure is not scaled away. Two sets of true pictures are not at 0 either, as the last
# row shows. (It has no interval, so small differences of it mean nothing.)

# %%
gains = {
    name: np.transpose([percent_more(settings[point], measure) for point in points])
    for measure, name in measures.items()
}
label = "more than with the base alone (%)"
sdlab.curve(points, gains, xlabel="handed over at", ylabel=label)

# %%
bands = (np.arange(len(plain["spectrum"])) + 0.5) / len(plain["spectrum"])
figure, axis = plt.subplots(**size)
for name, row in {"base alone": plain, "base and refiner": settings[0.8]}.items():
    share = 100 * np.divide(row["spectrum"], true["spectrum"])
    axis.plot(bands, share, "o-", label=name)
axis.axhline(100, color="0.3", lw=1)
axis.set(xlabel="frequency (1: waves of two pixels)", ylabel="power (% of true pictures)")
axis.legend(frameon=False)
figure.alt = (
    "Power over frequency, of the base alone and with the refiner, in % of true pictures"
)

# %%
sharper, finer = (
    intervals.mean(percent_more(settings[0.8], m)) for m in ("sharpness", "fine")
)
missing = intervals.mean(percent_more(true, "fine"))
off = [row["fine error"] for row in (plain, settings[0.8], true)]
print("fine error: base {:.3f}, with the refiner {:.3f}, true pictures {:.3f}".format(*off))
clear = [sharper.low > 0, finer.low > 0]
sdlab.claim(
    "The refiner adds detail",
    held=all(clear) if all(clear) == any(clear) else None,
    measured=f"at equal steps and from the same noise the sharpness grows by {sharper} % and the "
    f"fine power by {finer} %; true pictures have {missing} % more fine power",
    source="Podell et al. 2023, section 2.5",
)

# %% [markdown]
# *Fine error* says how far the power of the finest waves is from that of true pictures, in
# powers of ten (0.3 is a factor of two) and over all pictures together. Compare the row of 0.8
# with the last row of the table. The refined pictures have fewer smears. Sharpness and fine
# power grow by a few percent at most; whether that is clear, the box says. All of it goes
# towards the true pictures, and most of the way remains.
#
# Now read the table from its last rows up. The earlier the hand-over, the *more* detail: if
# detail were all that we look at, we would choose 0.4. And there the thing is recognised least
# often, the Fréchet distance is the largest, and the even areas are full of smears. The refiner
# has drawn fine strokes over a picture whose shapes it could not finish, because it had never
# seen so much noise. **A number that can be raised by spoiling the picture does not measure
# quality.** That answers the prediction, and it is what the crossing curves of the errors have
# told you.
#
# ## Look yourself
#
# Numbers do not look at pictures; you do. Here are pairs in full size: on the left the base
# alone, on the right the same noise, finished by the refiner.

# %%
shown = asked[: 4 if large else 8]
prompts = [one.prompt for one in shown]
fixed = {"num_inference_steps": steps, "guidance_scale": guidance}
until = {"denoising_end": 0.8, "output_type": "latent"}
begun = base(prompts, generator=noises(len(prompts)), **until, **fixed).images


def finish(expert, **told):
    """The pictures that an expert makes of what the base began."""
    return expert(prompts, image=begun, denoising_start=0.8, **fixed, **told).images


unrefined, refined = finish(itself), finish(refiner)

# %%
pictures = [picture for pair in zip(unrefined, refined) for picture in pair]
cell = max(side, 256) / 110  # inches: one pixel of the screen for one of the picture
sdlab.grid(pictures, ["base", "refined"] * len(prompts), columns=4, cell=cell)

# %%
print("prompts:", *prompts, sep="\n  ")
tools = {"sharpness": metrics.sharpness, "fine": fine_power, "smears": smears}
for measure, find in tools.items():
    for name, row, group in (
        ("base", plain, unrefined),
        ("refined", settings[0.8], refined),
    ):
        now = (
            find(group) if measure == "sharpness" else [find(picture) for picture in group]
        )
        print(f"{name:8s}{measure:10s}now {np.round(now[:4], 3)}", end="  ")
        print("kept", np.round(row[measure][:4], 3))

# %%
apart = intervals.mean(255 * metrics.distance(refined, unrefined))
seeds_apart = intervals.mean(255 * metrics.distance(riders.images[1:], riders.images[:-1]))
print(f"refined and unrefined differ by {apart} grey levels")
print(f"(two seeds of the astronaut differ by {seeds_apart})")

# %% [markdown]
# Whoever knows which picture is which sees what they hope to see. So look once more, and
# *blind*: now the sides are shuffled. Write down for each pair which one you like better, `l`,
# `r`, or `-` for neither, and only then run the second cell, which counts.

# %%
right_is_refined = np.random.default_rng().permutation([True, False] * (len(prompts) // 2))
pairs = zip(unrefined, refined, right_is_refined)
blind = [picture for a, b, keep in pairs for picture in ((a, b) if keep else (b, a))]
sdlab.grid(blind, ["l", "r"] * len(prompts), columns=4, cell=cell)

# %%
choices = "-" * len(prompts)  # your answers, such as "lr-lrr-l"
answers = [pair for pair in zip(choices, right_is_refined) if pair[0] != "-"]
better = [(choice == "r") == keep for choice, keep in answers]
print(
    f"refined is better: {intervals.share(better)}" if better else "you have not chosen yet"
)

# %% [markdown]
# Eight pairs decide little: even 7 of 8 leaves an interval down to about a half. It takes
# thirty pairs or more to show that a person prefers one side.
#
# ## Where does the detail come from?
#
# The refiner is told one more number, the *aesthetic score*: how good the picture looks. Ours
# has learned that spoilt pictures (blurred, pixelated, distorted, noisy, washed out) have 2.5
# and all others 6. These are also the numbers that `diffusers` tells the refiner by default.
# Guidance asks it twice (notebook 02): in the half that reads the prompt it is told 6, in the
# other half 2.5.
#
# > **Predict.** What changes if both halves are told 6? Or 9 and 2.5? Or the two the wrong way
# > round?

# %%
judged = {"base alone": unrefined, "6 and 2.5": refined}
for score, other in ((6, 6), (9, 2.5), (2.5, 6)):
    told_of = {"aesthetic_score": score, "negative_aesthetic_score": other}
    judged[f"{score} and {other}"] = finish(refiner, **told_of)
pictures = [group[i] for i in (0, 1) for group in judged.values()]
sdlab.grid(pictures, [*judged] * 2, columns=5, cell=1.8)

# %%
rows = {"6 and 2.5": settings[0.8]}
rows |= {
    name.removeprefix("scores "): row for name, row in kept.items() if "scores" in name
}
table(rows | {"base alone": plain, "true pictures": true})

# %%
same = kept["scores 6 and 6"]
for name in ("sharpness", "fine", "smears"):
    apart = intervals.difference(settings[0.8][name], same[name])
    print(
        f"6 and 2.5 less 6 and 6: {name:10s}{apart}, {'clear' if apart.is_clear else 'not clear'}"
    )
alike = [intervals.mean(percent_more(same, measure)) for measure in ("sharpness", "fine")]
clear = [one.low > 0 for one in alike]
sdlab.claim(
    "The refiner adds detail because it was trained for small noise",
    held=all(clear) if all(clear) == any(clear) else None,
    measured="told the same score in both halves, it changes the sharpness by {} % and the fine "
    f"power by {{}} %; told 6 and 2.5, by {sharper} % and {finer} %".format(*alike),
    source="Podell et al. 2023, section 2.5",
)

# %% [markdown]
# A surprise. With the same score in both halves the refiner adds no detail. It does something
# else: it takes smears out of even areas. That is the work of the expert. Whatever sharpness
# and fine power there is comes from the *difference* of the two scores, as the comparison with
# *6 and 6* shows. This is guidance again (notebook 02): what the refiner predicts for a good
# picture, minus what it predicts for a spoilt one, times the guidance scale. It works like the
# negative prompt *blurry* of notebook 05, with a number instead of a word. The wrong way round,
# with 2.5 and 6, it leads towards spoilt pictures: they are full of smears, and the Fréchet
# distance is much larger. A score of 9, which the refiner has never met, adds nothing to 6.
#
# So two things came together under the name *refiner*, and only an experiment that changes one
# of them at a time could tell them apart. Whether it is the same with the real SDXL, the grid
# above can show you with `SDLAB_MODEL=sdxl`.
#
# ## The refiner as image to image
#
# There is a second way to use the refiner, the one that Podell et al. describe: take a
# *finished* picture, cover it with a little noise, and let the refiner remove the noise
# (notebook 08). The *strength* is the share of the timesteps that are taken again. These steps
# come on top of those that the picture has cost already.
#
# > **Predict.** You know with which noise the refiner was trained. What is the largest strength
# > that makes sense?

# %%
strengths, some = [0.1, 0.2, 0.4, 0.6], range(3)
recipes = [sdlab.Recipe(prompts[i], image=unrefined[i], seed=i) for i in some]
runs = sdlab.sweep(refiner, recipes, strength=strengths, progress=False)
rows = [[run.image for run in runs[4 * i : 4 * i + 4]] for i in some]
titles = ["base alone", *(f"strength {strength}" for strength in strengths)]
pictures = [picture for i in some for picture in (unrefined[i], *rows[i])]
sdlab.grid(pictures, titles * len(rows), columns=5, cell=1.7)

# %%
before = unrefined[: len(rows)]
for number, strength in enumerate(strengths):
    after, more = [row[number] for row in rows], int(steps * strength)
    far = 255 * metrics.distance(after, before).mean()
    sharper = (metrics.sharpness(after) - metrics.sharpness(before)).mean()
    print(f"strength {strength}: {more:2d} more steps, {far:4.1f} levels away, ", end="")
    print(f"sharpness {sharper:+.3f}")

# %% [markdown]
# At a strength of 0.2 the noise reaches just to the border of the refiner's training, so 0.2 is
# the answer. Beyond it the shapes come apart, for the same reason as with an early hand-over.
# (The default of `diffusers` for this pipeline is 0.3.)
#
# ### Exercise: whose step? (10 minutes)
#
# "With 40 steps and a hand-over at 0.8 the base takes 32." That is true if the steps are spread
# evenly. A sampler may put them elsewhere: the Karras spacing takes many small steps at the
# end. Write `split_steps`, which counts the steps of both experts from the timesteps
# themselves.


# %% tags=["stub"]
def split_steps(timesteps, handover, every=1000):
    """How many steps the base takes, and how many the refiner."""
    mine = round(handover * len(timesteps))  # true for even steps only: mend it
    return mine, len(timesteps) - mine


# %% tags=["solution"]
def split_steps(timesteps, handover, every=1000):
    """How many steps the base takes, and how many the refiner."""
    border = round((1 - handover) * every)
    mine = sum(int(timestep >= border) for timestep in timesteps)
    return mine, len(timesteps) - mine


# %% tags=["hints"]
hints = [
    "A step belongs to the base if there is still much noise, so if its timestep is large.",
    "Where is the border? The hand-over is a share of `every` timesteps, counted from the "
    "largest.",
    "With a hand-over at 0.8 of 1000 timesteps the base has 200 and all above: count those "
    "that are at least (1 - handover) * every.",
]

# %%
with sdlab.exercise("Whose step?", hints=hints):
    even = split_steps([900, 700, 500, 300, 100], 0.8)
    assert even == (4, 1), f"900, 700, 500, 300, 100 should give (4, 1), and give {even}"
    assert split_steps([900, 190, 100, 50], 0.8) == (1, 3), (
        "of the timesteps 900, 190, 100, 50 only one is the base's: compare each with the border"
    )
    assert split_steps([800, 600, 200], 0.8) == (3, 0), "200 itself belongs to the base"
    assert split_steps([800, 600, 200], 0.5) == (2, 1), (
        "the border depends on the hand-over"
    )
    assert split_steps([80, 50, 20], 0.5, every=100) == (2, 1), (
        "of 100 timesteps the border of 0.5 is 50, and 50 itself belongs to the base"
    )
    for name in ("DDIM", "DPM++ 2M Karras"):
        sampler = samplers.make(name, base.scheduler.config)
        sampler.set_timesteps(40)
        print(f"{name:16s}base and refiner:", *split_steps(sampler.timesteps.tolist(), 0.8))

# %% [markdown]
# ### Exercise: the grainy lion (15 minutes)
#
# A friend hands the base's latents to the refiner, and the pictures are full of grain. The
# function is below. Find the mistake. You have a perfect test: if the *base itself* is the
# second expert, the picture must be that of the base alone.


# %% tags=["stub"]
def draw_together(expert, prompt, seed, steps=10):
    """A picture that the base begins and another expert finishes."""
    words = {"prompt": prompt, "num_inference_steps": steps, "guidance_scale": guidance}
    noise = torch.Generator("cpu").manual_seed(seed)
    begun = base(generator=noise, denoising_end=0.8, output_type="latent", **words).images
    return expert(image=begun, generator=noise, strength=0.2, **words).images[0]


# %% tags=["solution"]
def draw_together(expert, prompt, seed, steps=10):
    """A picture that the base begins and another expert finishes."""
    words = {"prompt": prompt, "num_inference_steps": steps, "guidance_scale": guidance}
    noise = torch.Generator("cpu").manual_seed(seed)
    begun = base(generator=noise, denoising_end=0.8, output_type="latent", **words).images
    return expert(image=begun, generator=noise, denoising_start=0.8, **words).images[0]


# %% tags=["hints"]
hints = [
    "What does image to image do to a picture before the first step?",
    "These latents have noise in them already, as much as belongs to the hand-over.",
    "The right argument is the one that refine uses, named above in The lion: "
    "denoising_start=0.8 in the place of strength.",
]

# %%
with sdlab.exercise("The grainy lion", hints=hints):
    expected = sdlab.generate(base, lion.but(steps=10, seed=5), progress=False).image
    drawn = draw_together(itself, lion.prompt, 5)
    assert isinstance(drawn, Image.Image), f"it should return a picture, not {drawn}"
    far = levels_apart(drawn, expected)
    assert far <= 2, (
        f"with the base as both experts it should be the base's picture, and is {far} grey levels "
        "away: is noise added to latents that are noisy already?"
    )

# %% [markdown]
# ## A black picture
#
# Half precision (`float16`) needs half the memory, so SDXL is nearly always run in it. But the
# decoder of SDXL gives a black picture in `float16`. The largest number that `float16` can hold
# is 65,504. How large are the numbers inside a decoder?


# %%
def run_decoder(decoder, dtype):
    """What a decoder gives at a precision, and the largest number that a convolution gives."""
    decoder, seen = copy.deepcopy(decoder).to(dtype), []
    for module in decoder.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(
                lambda _, inputs, out: seen.append(out.abs().max())
            )
    with torch.no_grad():
        numbers = decoder(coarse.to(dtype)).float()  # coarse: see the next cell
    return numbers, max(seen).item()


# %%
latents = both.latents[-1].to(base.device)  # of the lion
vae = copy.deepcopy(base.vae).float()
with torch.no_grad():
    coarse = vae.post_quant_conv(latents / vae.config.scaling_factor)
exact, largest = run_decoder(vae.decoder, torch.float32)
limit = torch.finfo(torch.float16).max
print(f"largest number in the decoder: {largest:,.0f}, limit of float16: {limit:,.0f}")

# %% [markdown]
# The pocket's decoder is far from the limit. That of SDXL is beyond it; the card of
# [sdxl-vae-fp16-fix](https://huggingface.co/madebyollin/sdxl-vae-fp16-fix), a mended version,
# shows its numbers layer by layer. So here we **construct** the problem, in our decoder. In
# every residual block a convolution is followed by a group normalization, which subtracts the
# mean and divides by the standard deviation. So we may multiply the weights of the convolution
# by a factor $c$, and the block still computes the same function:
#
# $$\mathrm{norm}(c\,x) = \frac{c\,x - c\,\mu}{c\,\sigma}
# = \frac{x - \mu}{\sigma} = \mathrm{norm}(x).$$
#
# Here $x$ is what the convolution gives, with the mean $\mu$ and the standard deviation
# $\sigma$. A training that only looks at the result does not notice $c$, so nothing keeps it
# small.
#
# > **Predict.** We make the factor larger and larger. Will the picture in `float16` get worse
# > little by little?


# %%
def scale(decoder, factor):
    """A copy of a decoder with numbers inside that are so many times larger."""
    decoder = copy.deepcopy(decoder)
    for block in decoder.modules():
        if isinstance(block, ResnetBlock2D):
            block.conv1.weight.data *= factor
            block.conv1.bias.data *= factor
    return decoder


# %%
_, inside = run_decoder(scale(vae.decoder, 2.0**10), torch.float32)
doublings = 10 + math.floor(math.log2(limit / inside))  # as many as the limit allows
factors = [1.0, *(2.0 ** (doublings + more) for more in (-2, -1, 0, 1, 2))]
decoders = [scale(vae.decoder, factor) for factor in factors]
halves = [run_decoder(decoder, torch.float16)[0] for decoder in decoders]
fulls = [run_decoder(decoder, torch.float32) for decoder in decoders]


# %%
def to_picture(numbers):
    """What the pipeline makes of a decoder's numbers."""
    with np.errstate(invalid="ignore"):  # numpy warns when it casts NaN to a byte
        return base.image_processor.postprocess(numbers.cpu(), output_type="pil")[0]


reference = to_picture(exact)
print("  factor  largest inside  float32 is off by  float16 is off by  NaN in float16")
for factor, half, (full, inside) in zip(factors, halves, fulls):
    off = [levels_apart(to_picture(numbers), reference) for numbers in (full, half)]
    print(f"{factor:8g}{inside:16,.0f}{off[0]:12d} levels{off[1]:12d} levels", end="")
    print(f"{half.isnan().float().mean():15.0%}")
titles = [f"factor {factor:g}" for factor in factors[1:]]
sdlab.grid([to_picture(half) for half in halves[1:]], titles, title="in float16")

# %% [markdown]
# Not little by little. As long as the largest number fits, the picture is right, and one factor
# further all of it is lost. A number above 65,504 becomes *infinity*. The normalization
# computes infinity minus infinity, which is *not a number* (NaN). The following layers spread
# NaN over the whole picture, and as a byte NaN becomes 0, which is black. In `float32` the same
# weights give the right picture every time.
#
# So if a picture is black and there was no error, look for NaN. (A picture that a safety
# checker has blacked out looks the same. But only for NaN does `numpy` warn: *invalid value
# encountered in cast*. We switched that warning off above, because here it was expected.) There
# are three remedies:

# %%
broken = decoders[-1]
remedies = {
    "upcast": run_decoder(copy.deepcopy(broken).half(), torch.float32),
    "bfloat16": run_decoder(broken, torch.bfloat16),
    "smaller weights": run_decoder(scale(broken, factors[1] / factors[-1]), torch.float16),
}
for name, (numbers, inside) in remedies.items():
    error = 255 * metrics.distance([to_picture(numbers)], [reference])[0]
    print(f"{name:16s}{error:5.2f} grey levels away, largest number {inside:9,.0f}")

# %% [markdown]
# - **Upcast**: the weights are kept in `float16` and turned into `float32` for decoding.
#   `diffusers` does this if the VAE's configuration says `force_upcast`. It is nearly exact,
#   and needs more memory and time while it decodes.
# - **bfloat16** has the range of `float32` with fewer digits: nothing overflows here, but
#   numbers are rounded more coarsely.
# - **Smaller weights**: the same function with smaller numbers inside. That is the idea of
#   *sdxl-vae-fp16-fix*. We know the factor and can divide by it. Its author trained the decoder
#   further, so that the numbers became smaller and the pictures stayed nearly the same.
#
# Here is the switch `force_upcast` at work, with the broken decoder inside:

# %%
own, base.vae = base.vae, copy.deepcopy(base.vae).half()
base.vae.decoder = copy.deepcopy(broken).half()
switched = []
for force in (True, False):
    base.vae.register_to_config(force_upcast=force)
    with np.errstate(invalid="ignore"):
        switched += decode(base, latents)
base.vae = own
sdlab.grid(switched, ["force_upcast on", "force_upcast off"], cell=2)

# %% [markdown]
# ## An invisible watermark
#
# The program that was published with SDXL hides 48 bits in every picture, so that a machine can
# recognise later that it was generated. `diffusers` does so too if the package
# `invisible-watermark` is installed, for pictures of 256 pixels and more, unless the pipeline
# is made with `add_watermarker=False`. The 48 bits are in its source code. Is it at work here?
# (In the pocket models `sdlab` switches it off, so that their pictures are the same everywhere.)

# %%
has_package = importlib.util.find_spec("imwatermark") is not None
print("invisible-watermark is installed:", has_package)
print("the pipeline puts a watermark in: ", base.watermark is not None)
bits = np.array(WATERMARK_BITS)
print("the message:", "".join(map(str, bits)))

# %% [markdown]
# The package is optional, so we build a watermark ourselves. Both use the same idea
# (*quantization index modulation*, Chen & Wornell 2001). Cut the picture into blocks of 8×8
# pixels. In each block take a number that the eye hardly notices: how strong a certain wave is
# in it. For a bit 0 move this number to the nearest *even* multiple of a step $q$, for a bit 1
# to the nearest *odd* multiple. All blocks together hold the message several times; to read it,
# they vote on each bit.


# %%
def strengths_of(pixels):
    """The strength of one wave in each block of 8×8 pixels, (H/8, W/8)."""
    blocks = pixels.mean(-1).reshape(pixels.shape[0] // 8, 8, -1, 8).swapaxes(1, 2)
    return dctn(blocks, axes=(2, 3), norm="ortho")[..., 2, 1]


wave = np.zeros((8, 8))
wave[2, 1] = 1
wave = idctn(wave, norm="ortho")


# %%
def hide(picture, q=16):
    """The picture with the message in it."""
    pixels = np.asarray(picture, float)
    now = strengths_of(pixels)
    wanted = np.resize(bits, now.shape)
    multiple = 2 * np.round((now / q - wanted) / 2) + wanted  # even for 0, odd for 1
    change = (multiple * q - now)[..., None, None] * wave  # in each block
    pixels += change.swapaxes(1, 2).reshape(pixels.shape[:2])[..., None]
    return Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8))


def read(picture, q=16):
    """The bits in a picture, each by the vote of its blocks."""
    strong = strengths_of(np.asarray(picture, float)).ravel()
    votes = np.cos(np.pi * strong / q)  # 1 at the even multiples, −1 at the odd ones
    votes = votes[: len(votes) // len(bits) * len(bits)].reshape(-1, len(bits))
    return (votes.sum(0) < 0).astype(int)


# %% [markdown]
# > **Predict.** Which of these will the message survive: a JPEG, a smaller copy, three pixels
# > cut off at the edge, the refiner at a strength of 0.1?


# %%
def squeeze(picture, quality):
    """The picture after a JPEG."""
    picture.save(file := io.BytesIO(), "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def redraw(picture):
    """The picture after the refiner, as image to image."""
    recipe = sdlab.Recipe("a picture", image=picture, strength=0.1)
    return sdlab.generate(refiner, recipe, progress=False).image


marked = [hide(picture) for picture in refined]
invisible = 255 * metrics.distance(marked, refined)
print(f"hiding moves the pixels by {intervals.mean(invisible)} grey levels")

# %%
small_side = 3 * side // 4
ways = {
    "never marked": lambda p, i: refined[i],
    "as it is": lambda p, i: p,
    "JPEG of quality 75": lambda p, i: squeeze(p, 75),
    "smaller, and back": lambda p, i: p.resize((small_side,) * 2).resize((side,) * 2),
    "3 pixels cut off": lambda p, i: p.crop((3, 3, side - 5, side - 5)),
    "refined at 0.1": lambda p, i: redraw(p),
}
for way, change in ways.items():
    right = np.concatenate([read(change(p, i)) == bits for i, p in enumerate(marked[:4])])
    print(f"{way:20s}bits that are right: {intervals.share(right)}")

# %% [markdown]
# About half of the bits are right by chance, as in a picture that was never marked. So *half*
# means that nothing is left. The message survives a JPEG and a change of size: they change the
# numbers a little, and most of the votes stay. It does not survive when the blocks move, even
# by three pixels, nor when a model draws the fine structure again. Such a watermark helps to
# recognise generated pictures when nobody tries to hide it. Against somebody who does, it is no
# protection.
#
# Where the package is installed, the next cell reads the watermark of `diffusers` with the
# decoder of the package.

# %%
if has_package and side >= 256:
    from diffusers.pipelines.stable_diffusion_xl.watermark import (
        StableDiffusionXLWatermarker,
    )
    from imwatermark import WatermarkDecoder

    base.watermark = StableDiffusionXLWatermarker()
    marked_by_pipeline = sdlab.generate(base, lion, progress=False).image
    decoder = WatermarkDecoder("bits", len(bits))
    found = decoder.decode(np.array(marked_by_pipeline)[..., ::-1], "dwtDct")
    print(f"bits that are right: {intervals.share(np.array(found, int) == bits)}")
    base.watermark = None
else:
    print("not run: it needs %pip install invisible-watermark and 256 pixels")

# %% [markdown]
# ## Limits
#
# The model card of SDXL names its limits itself: photorealism, legible text, composition (its
# example is the first prompt below), faces, and what the autoencoder loses. Look at two of them
# here. Notebook 17 measures such limits for the pocket model, and notebook 12 what the
# autoencoder loses.

# %%
hard = ["a red cube on top of a blue sphere", "a book with the word LOVE, cartoon"]
draws = sdlab.sweep(
    base, [sdlab.Recipe(text, steps=15) for text in hard], seed=[0, 1, 2], progress=False
)
sdlab.grid([run.image for run in draws], columns=3, rows=hard, cell=1.8)

# %% [markdown]
# Count for yourself: in how many of the three is everything right, that is, both things, both
# colours and the order? And can you read the word?
#
# ## Does refining help?
#
# Now the answer, with all that you have measured. On noisy true pictures the refiner's
# prediction is better than the base's, wherever it was trained. In what they draw, this is a
# small change: even areas have fewer smears, the two scores make edges a little sharper, and
# the judge recognises about as many things as before. Refined and unrefined pictures differ far
# less than two seeds do. To our eyes the refined side is the
# cleaner one in most of the pairs above, when both are side by side and in full size: areas are
# more even and strokes smoother. No shape was mended. Whether you like it better, your blind
# test says.
#
# **What you learned**
#
# - SDXL reads the prompt with two encoders, side by side, and gets a pooled vector of the whole
#   caption.
# - It is told size and crop. The told size works as a weak knob for sharpness; the crop cuts
#   things off without obeying the corner.
# - Base and refiner share the work by noise. An expert does harm at noise levels that it was
#   not trained for.
# - Here the expert cleans even areas; the added detail comes from the two scores.
# - More detail is not a better picture: the earliest hand-over had the most.
# - Compare at equal steps, from the same noise, with a control: a model that hands over to
#   itself.
# - NaN is black. Upcast, use bfloat16, or make the numbers smaller.
# - An invisible watermark survives a JPEG, but not a crop.
#
# **Go further.** With `negative_original_size` and `negative_target_size` the other half of the
# guidance can be told a small size, so that guidance leads away from blur. Does it work here?
# And read [Podell et al. 2023](https://arxiv.org/abs/2307.01952), the report on SDXL, and
# [Balaji et al. 2022](https://arxiv.org/abs/2211.01324), where the idea of experts comes from.
# Notebook 08 has more on image to image, notebook 15 on memory.
