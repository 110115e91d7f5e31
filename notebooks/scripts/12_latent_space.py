# %% [markdown]
# # 12 · Into latent space
#
# Stable Diffusion does not diffuse pixels. It diffuses a grid of numbers that an autoencoder
# makes from them. For SD 1.5 that grid has 48 times fewer numbers than the picture. Here you
# train both parts yourself, the autoencoder and the diffusion model, and measure what the detour
# gains.
#
# **You will be able to** train an autoencoder and compare it with PCA, the best linear
# autoencoder; say what the KL term is for; run the same DDPM in latents and in pixels for the
# same time; and open the autoencoder of a complete text-to-image model in the same way.
#
# | | on two CPU cores |
# |---|---|
# | time for this notebook | four minutes, three of them training |
# | memory | 1.5 GB |
# | download | none |
#
# The source is Rombach et al., *High-Resolution Image Synthesis with Latent Diffusion Models*
# (2022, arXiv:2112.10752).

# %%
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch.nn import functional as F

import sdlab
from sdlab.display.intervals import share
from sdlab.lesson import read_results
from sdlab.scratch import autoencoder, ddpm, drawings, judge, sampling
from sdlab.scratch.muon import Muon, groups
from sdlab.scratch.unet import UNet

sdlab.use_style()
_ = torch.manual_seed(0)

# %% [markdown]
# ## How much smaller?
#
# One often reads that a latent of SD 1.5 is 64 times smaller than the picture. That counts
# positions, and forgets that a picture has three numbers per pixel and a latent has four per
# position. We count all numbers.

# %%
sizes = {"SD 1.5": ((3, 512, 512), (4, 64, 64)), "here": ((3, 32, 32), (4, 8, 8))}
for name, (picture, latent) in sizes.items():
    many, few = torch.Size(picture).numel(), torch.Size(latent).numel()
    print(f"{name:7s}{many:8,} numbers in the picture, {few:6,} in the latent", end=": ")
    print(f"{many / few:.0f} times fewer")

# %% [markdown]
# A sharper question is how much of the picture survives that. Our pictures are the sixty drawings
# of notebook 10, now 32 pixels wide. Quality is measured as *PSNR*: the squared error of the worst
# possible answer divided by the mean squared error, in decibels. Every 10 dB more mean a tenth of
# the squared error; above 30 dB the eye sees little difference.

# %%
pictures, _ = next(drawings.batches(512, side=32, seed=9))


def psnr(x, truth=pictures):
    """In decibels; the larger, the nearer is x to the true pictures."""
    return autoencoder.psnr((x - truth).square().mean())


# %% [markdown]
# ## The linear way: PCA
#
# Cut each picture into patches of 4×4 pixels, 48 numbers each, and describe each patch by four
# numbers: its coordinates along the four directions in which patches vary most. This is
# *principal component analysis* (PCA), and it is an autoencoder, too. Its encoder is one matrix
# and its decoder the transpose of that matrix, and no linear autoencoder of patches with four
# numbers does better.

# %%
patches = F.unfold(pictures, 4, stride=4).transpose(1, 2)  # (512, 64, 48)
middle = patches.mean((0, 1))
_, _, directions = torch.linalg.svd((patches - middle).flatten(0, 1), full_matrices=False)


def pca(numbers):
    """The pictures, each of their patches packed into so many numbers and unpacked again."""
    kept = directions[:numbers]  # (numbers, 48)
    back = (patches - middle) @ kept.T @ kept + middle
    return F.fold(back.transpose(1, 2), 32, 4, stride=4)


print(f"PCA with 4 numbers per patch: {psnr(pca(4)):.1f} dB")

# %% [markdown]
# ## The learned way
#
# Our encoder is a few convolutions, two of them with stride 2, so that the grid becomes 8×8; the
# decoder goes the same way back. For each latent the encoder predicts a mean $\mu$ and a variance
# $\sigma^2$, and the decoder gets a random sample from $\mathcal{N}(\mu, \sigma^2)$. The loss is
# the squared error plus $\lambda$ times the Kullback–Leibler divergence
# $$\mathrm{KL}\left(\mathcal{N}(\mu, \sigma^2)\,\|\,\mathcal{N}(0, 1)\right) =
# \tfrac{1}{2}\left(\mu^2 + \sigma^2 - 1 - \log \sigma^2\right),$$
# which pulls every latent towards a standard normal distribution (Kingma & Welling 2014, appendix
# B). What is that good for? The latents get a known size, and the decoder learns to read not only
# each $\mu$ but also what lies a little beside it.
#
# (The autoencoders of Stable Diffusion are trained with two more losses, a *perceptual* one and an
# *adversarial* one. They keep pictures sharp where squared error alone would blur them. We leave
# them out.)
#
# We train two, for the same time: one with a small weight, $\lambda = 0.001$, and one with a large
# one, $\lambda = 0.3$.
#
# > **Predict.** Which one will give back sharper pictures? And which one will decode pure noise to
# > something more like a drawing?

# %%
BEFORE = 40  # seconds of training, for each autoencoder


def trained(kl):
    """An autoencoder, and its PSNR in training as (seconds, decibels)."""
    model = autoencoder.Autoencoder().to(memory_format=torch.channels_last)
    optimizer = Muon(groups(model), lr=2e-3)
    batches = (x for x, _ in drawings.batches(32, side=32))
    training = autoencoder.train(model, batches, optimizer, kl)
    curve = [
        (spent, autoencoder.psnr(error.mean()))
        for spent, (error, _) in sdlab.train_for(training, BEFORE, optimizer)
    ]
    return model.eval().requires_grad_(False), curve


little, curve = trained(kl=0.001)
much, much_curve = trained(kl=0.3)

# %%
figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
for (name, points), color in zip(
    (("λ = 0.001", curve), ("λ = 0.3", much_curve)), ("C0", "C2")
):
    axis.plot(*zip(*points), color=color, linewidth=0.8)
    axis.text(*points[-1], f" {name}", color=color, va="center")
axis.axhline(psnr(pca(4)), color="C1", linestyle="--")
axis.text(0, psnr(pca(4)), " PCA", color="C1", va="bottom")
axis.set(xlabel="seconds of training", ylabel="PSNR, dB", xlim=(0, 1.2 * points[-1][0]))
_ = axis.set_title("the learning rate falls in the second half", loc="left")

# %%
codes = little.encode(pictures)[0]  # (512, 4, 8, 8), the means
packed = {"λ = 0.001": (little, codes), "λ = 0.3": (much, much.encode(pictures)[0])}
noise = torch.randn(96, 4, 8, 8)
sheet = {"pictures": pictures, "PCA": pca(4)}
for name, (model, z) in packed.items():
    sheet[name] = model.decode(z)
    sheet[f"noise, {name}"] = model.decode(noise)
    drawn = share(judge.recognise(sheet[f"noise, {name}"]) < 60)
    print(
        f"{name:10s}{psnr(sheet[name]):5.1f} dB, latents of standard deviation {z.std():.2f}"
    )
    print(f"{'':10s}from noise, {drawn} are recognised as a drawing")
sdlab.tiles(torch.cat([x[:10] for x in sheet.values()]), columns=10, rows=sheet)

# %%
gap = psnr(sheet["λ = 0.001"]) - psnr(sheet["λ = 0.3"])
against = psnr(sheet["λ = 0.3"]) - psnr(pca(4))
print(f"the small weight is {gap:.1f} dB better than the large one")
print(
    f"the large weight is {abs(against):.1f} dB {'better' if against > 0 else 'worse'} than PCA"
)

# %% [markdown]
# The first prediction: the small weight gives back sharper pictures, by the decibels above. The
# large one makes the encoder add so much noise to its latents, and pull them so near to zero,
# that the picture suffers: see how it compares with PCA, which needs no training.
#
# The second: neither of them *draws* when it is fed noise, whatever the weight. Nearly all random
# latents belong to no drawing. Latent diffusion goes another way. It takes the sharp autoencoder,
# and leaves it to a diffusion model to find the latents that belong to drawings.
#
# ## Is a latent more than a small picture?
#
# Half-way between two pictures there is a blend in which both are seen. What is half-way between
# their latents?

# %%
shares = torch.linspace(0, 1, 10)[:, None, None, None]
blends = (1 - shares) * pictures[:1] + shares * pictures[4:5]
decoded = little.decode((1 - shares) * codes[:1] + shares * codes[4:5])
sdlab.tiles(torch.cat([blends, decoded]), columns=10, rows=["in pixels", "in latents"])

# %%
between = little.decode(0.5 * (codes[:-1] + codes[1:]))  # of 511 pairs of neighbours
blend = 0.5 * (pictures[:-1] + pictures[1:])


def distance(x):
    """From what is decoded half-way, for each pair: the root of the mean squared error."""
    return (between - x).square().mean((1, 2, 3)).sqrt()


to_nearer = torch.minimum(distance(pictures[:-1]), distance(pictures[1:]))
print("what is decoded half-way between two latents is on average")
print(f"{distance(blend).mean():.2f} away from the blend of the two pictures")
print(f"{to_nearer.mean():.2f} away from the nearer one of the two pictures")

# %% [markdown]
# So half-way between two latents there is nearly the same as half-way between two pictures, a
# blend. The latents are still laid out like a picture, only more coarsely. The autoencoder has
# made the picture small. It has not learned what a drawing is. That is the task of the diffusion
# model.
#
# ## The same DDPM, in latents and in pixels
#
# The widths of the network, the optimizer and the training time are the same for both. One learns
# pictures of 3×32×32 numbers, the other latents of 4×8×8. The latents are shifted and scaled to
# mean 0 and standard deviation 1, channel by channel, because that is the size of the noise that
# a DDPM adds.
#
# > **Predict.** Which one will see more pictures in the same time? Which one will draw better
# > afterwards?

# %%
schedule = ddpm.cosine(512)
centre = codes.mean((0, 2, 3), keepdim=True)  # (1, 4, 1, 1)
scale = codes.std((0, 2, 3), keepdim=True)
RACE = 55  # seconds of training, for each


def in_pixels():
    for x, _ in drawings.batches(64, side=32):
        yield x


def in_latents():
    for x in in_pixels():
        yield (little.encode(x)[0] - centre) / scale


def train_ddpm(data, channels):
    """The averaged network, and how many pictures it saw."""
    model = UNet(channels=channels).to(memory_format=torch.channels_last)
    average, optimizer = ddpm.Average(model, 0.998), Muon(groups(model), lr=2e-3)
    training = ddpm.train(model, data, schedule, optimizer, "v", average)
    steps = sum(1 for _ in sdlab.train_for(training, RACE, optimizer))
    return average.model, 64 * steps


# %%
networks = {"latents": train_ddpm(in_latents(), 4), "pixels": train_ddpm(in_pixels(), 3)}
for name, (_, seen) in networks.items():
    print(f"in {RACE} s {seen:6,} pictures in {name}")

# %%
levels = sampling.space_levels(schedule, 32)
real, _ = next(drawings.batches(512, side=32, seed=5))


def draw(name, shape):
    """Pictures, and the milliseconds that one takes."""
    start = time.perf_counter()
    denoise = sampling.denoiser(networks[name][0], schedule, "v", clamp=name == "pixels")
    x = sampling.last(sampling.ddim(denoise, schedule, torch.randn(shape), levels, eta=1.0))
    x = x if name == "pixels" else little.decode(x * scale + centre)
    return x, 1000 * (time.perf_counter() - start) / len(x)


drawn = {
    "latents": draw("latents", (96, 4, 8, 8)),
    "pixels": draw("pixels", (96, 3, 32, 32)),
}
for name, (x, cost) in drawn.items():
    right = f"{name:8s}recognised {share(judge.recognise(x) < 60)!s:14s}"
    print(f"{right} {judge.coverage(x):2d} drawings found,", end=" ")
    print(f"Fréchet distance {judge.frechet(x, real):5.0f}, {cost:4.0f} ms per picture")

# %% tags=["cover"]
both = torch.cat([x[:36] for x, _ in drawn.values()])
sdlab.tiles(both, columns=12, rows=["latents", "", "", "pixels", "", ""])

# %% [markdown]
# One run with one seed is not enough to say whose pictures are better. So the same was run with
# several seeds, autoencoder included. (The command is `python -m benchmarks.latents`, a quarter
# of an hour for three seeds; the first line below says for how long it was run.) And since the
# autoencoder had training time of its own, a third row shows what the network in pixels does when
# it gets that time, too. The table gives the mean over the seeds, and in brackets the smallest
# and the largest value.

# %%
kept = read_results("12")
ways = {row["way"]: row["numbers"] for row in kept["ways"]}


def column(way, key, form="{:.0f}"):
    """The mean over the seeds, and the smallest and the largest value."""
    found = np.array([numbers[key] for numbers in ways[way]])
    low, high = form.format(found.min()).rstrip("%"), form.format(found.max()).rstrip("%")
    return f"{form.format(found.mean())} ({low}–{high})"


seconds = kept["seconds"]
print(f"autoencoder {seconds['autoencoder']:.0f} s, DDPM {seconds['race']:.0f} s, ", end="")
print(
    f"{len(ways['pixels'])} seeds, {kept['threads']} CPU thread(s), {kept['count']} pictures"
)
for way in ways:
    print(f"{way:40s}recognised {column(way, 'recognised', '{:.0%}'):16s}", end="")
    print(f"found {column(way, 'found'):12s}Fréchet {column(way, 'frechet')}")

# %%
LONGER = "pixels, with the autoencoder's time too"
ahead = []
for key, sign in (("recognised", 1), ("frechet", -1)):  # of the second, less is better
    ours, theirs = ([sign * n[key] for n in ways[way]] for way in ("latents", LONGER))
    ahead.append(min(ours) > max(theirs))
pairs = list(zip(ways["latents"], ways["pixels"]))
more = np.mean([a["pictures"] / b["pictures"] for a, b in pairs])
faster = np.mean([b["ms"] / a["ms"] for a, b in pairs])
print(
    f"in latents {more:.1f} times as many pictures, each drawn {faster:.1f} times as fast"
)
shares = [column(way, "recognised", "{:.0%}") for way in ("latents", "pixels", LONGER)]
sdlab.claim(
    "In the same time, diffusion in latents draws better than in pixels",
    all(ahead) or (None if any(ahead) else False),
    f"recognised {shares[0]} against {shares[1]}, "
    f"and {shares[2]} if the autoencoder's time is counted, too",
    source="Rombach et al. 2022",
)

# %% [markdown]
# The box resolves the second prediction; it says *held here* only if latents are ahead of pixels
# on every seed, even with the autoencoder's time counted, in both measures. The line above it
# resolves the first, and says what one pays for a picture afterwards. The autoencoder is trained
# once and serves every diffusion model after it.
#
# What latents cannot do is draw what the autoencoder cannot give back. At best, their pictures are
# as sharp as those of the row λ = 0.001 above.
#
# ### Exercise 1 (10 minutes): how many numbers?
#
# The learned autoencoder has four numbers per patch, like our PCA, and does better. How
# many numbers would PCA need to be as good? Find it out by experiment. `enough` is the
# *smallest* number of numbers per patch with which PCA reaches the PSNR of `little`.

# %% tags=["stub"]
target = psnr(little.decode(codes))
enough = 4  # replace this by an experiment

# %% tags=["solution"]
target = psnr(little.decode(codes))
enough = next(numbers for numbers in range(1, 49) if psnr(pca(numbers)) >= target)

# %% tags=["hints"]
hints = [
    "pca(numbers) gives the pictures back; compare psnr(pca(numbers)) with target",
    "PSNR only grows with the number, so try 1, 2, 3, … and stop at the first that is enough.",
    "next(n for n in range(1, 49) if psnr(pca(n)) >= target)",
]

# %%
with sdlab.exercise("How many numbers", hints=hints):
    assert isinstance(enough, int) and 1 <= enough <= 48, (
        f"enough is {enough}: it should be a whole number from 1 to 48, the numbers in a patch"
    )
    assert psnr(pca(enough)) >= target, (
        f"with {enough} numbers PCA reaches {psnr(pca(enough)):.1f} dB, and {target:.1f} are needed"
    )
    assert psnr(pca(enough - 1)) < target, (
        f"{enough} is enough, but {enough - 1} is enough as well: the smallest number is wanted"
    )
# %% [markdown]
# ### Exercise 2 (10 minutes): find the error
#
# Stable Diffusion does not shift its latents, and scales them with one number, the *scaling
# factor*: latents are multiplied by it before diffusion, and must be brought back before they are
# decoded. A friend has written both functions and has chosen a `factor`. The program runs, and
# its pictures look almost right. Find the error in the functions and mend it. Then set `factor`
# to the number that gives `codes` the standard deviation 1.


# %% tags=["stub"]
def to_diffusion(z, factor):
    """Latents of the autoencoder → latents of standard deviation 1."""
    return z * factor


def to_decoder(z, factor):
    """What the diffusion has drawn → latents of the autoencoder."""
    return z * factor


factor = codes.std().item()


# %% tags=["solution"]
def to_diffusion(z, factor):
    """Latents of the autoencoder → latents of standard deviation 1."""
    return z * factor


def to_decoder(z, factor):
    """What the diffusion has drawn → latents of the autoencoder."""
    return z / factor


factor = 1 / codes.std().item()

# %%
again = little.decode(to_decoder(to_diffusion(codes, factor), factor))
print(f"there and back: {psnr(again):.1f} dB, without scaling {target:.1f} dB")
sdlab.tiles(torch.cat([pictures[:10], again[:10]]), columns=10, rows=["pictures", "again"])

# %% tags=["hints"]
hints = [
    "There and back should change nothing: try it with factor = 3 and the number 1.",
    "What undoes a multiplication?",
    "The latents have the standard deviation codes.std(), and it should become 1.",
]

# %%
with sdlab.exercise("The scaling factor", hints=hints):
    z = torch.tensor([-1.0, 0.0, 2.0])
    there = to_diffusion(z, 3.0)
    assert torch.allclose(to_decoder(there, 3.0), z), (
        f"there and back with the factor 3 turns {z.tolist()} into {to_decoder(there, 3).tolist()}"
    )
    assert torch.allclose(there, 3 * z), (
        "before diffusion, latents are multiplied by the factor"
    )
    scaled = to_diffusion(codes, factor).std().item()
    assert abs(scaled - 1) < 0.01, (
        f"with your factor the latents have the standard deviation {scaled:.2f}, and it should be 1"
    )

# %% [markdown]
# ## The one of a complete model
#
# Now the autoencoder of the pipeline that this course loads. We open it in the same way: a
# picture goes in, latents come out, the picture comes back, and we look where the two differ. One
# of the pictures is a word, because letters are what such autoencoders are known to be bad at.

# %%
pipe = sdlab.load()
side = sdlab.native_side(pipe)
word = Image.new("RGB", (side, side), "white")
letters = ImageFont.load_default(side / 4)
ImageDraw.Draw(word).text((side / 2, side / 2), "latent", "black", letters, anchor="mm")
chosen = drawings.originals(32)[[2, 17, 22, 38, 42]]
truth = F.interpolate(chosen, size=side, mode="bicubic").clamp(-1, 1)
words = torch.from_numpy(np.array(word)).permute(2, 0, 1) / 127.5 - 1
truth = torch.cat([truth, words[None]])  # (6, 3, side, side)

# %%
with torch.no_grad():
    small = pipe.vae.encode(truth.to(pipe.device, pipe.vae.dtype)).latent_dist.mean
    back = pipe.vae.decode(small).sample.float().cpu().clamp(-1, 1)
lost = (back - truth).abs()  # (6, 3, side, side)
spread, stored = small.std().item(), pipe.vae.config.scaling_factor
narrower, fewer = side // small.shape[-1], truth.numel() / small.numel()
print(f"{tuple(truth.shape[1:])} → {tuple(small.shape[1:])}: {narrower} times narrower")
print(f"{fewer:.0f} times fewer numbers, {psnr(back, truth):.1f} dB")
print(f"standard deviation of these latents {spread:.2f}, scaling factor {stored:.4g}")
print(f"after scaling {spread * stored:.2f}")
dark = 1 - 4 * lost.mean(1, keepdim=True).expand_as(lost)
rows = ["picture", "back", "difference × 4"]
sdlab.tiles(torch.cat([truth, back, dark]), columns=6, width=1200, rows=rows)

# %% [markdown]
# The last row is darker where more is lost. A scaling factor is chosen once, from the latents of
# the training pictures, so for other pictures the standard deviation after scaling is only near
# 1.
#
# Is the loss spread evenly? Edges are where neighbouring pixels differ most, so we compare the
# 15% of pixels with the largest differences to their neighbours with the rest.
#
# > **Predict.** At edges, how many times as large is the error?

# %%
grey = F.pad(truth.mean(1), (0, 1, 0, 1), mode="replicate")  # (6, side + 1, side + 1)
steep = (grey[:, 1:, :-1] - grey[:, :-1, :-1]).abs() + (
    grey[:, :-1, 1:] - grey[:, :-1, :-1]
).abs()
edge = steep > steep.flatten(1).quantile(0.85, 1)[:, None, None]
error = lost.mean(1)
there, elsewhere = error[edge].mean(), error[~edge].mean()
print(
    f"mean error at edges {there:.3f}, elsewhere {elsewhere:.3f}: {there / elsewhere:.1f} times"
)
for name, these in ("drawings", slice(0, 5)), ("the word", slice(5, 6)):
    print(f"{name:10s}{psnr(back[these], truth[these]):.1f} dB")

# %% [markdown]
# This autoencoder keeps surfaces and blurs edges. Thin lines and letters consist of edges: what
# the autoencoder blurs, no diffusion in its latents can bring back. That is one reason why
# Stable Diffusion 3 and FLUX have latents of 16 channels instead of 4 (notebook 13 comes back to
# it). Exercise 1 shows what more numbers per patch bring, if only for PCA.
#
# ## What you learned
#
# - An autoencoder makes a picture small and gives most of it back. With as many numbers, a
#   learned one is better than PCA.
# - A large weight of the KL term costs sharpness and does not make the decoder draw.
# - In latents a DDPM sees more pictures in the same time, and each picture costs less to draw.
#   Whose pictures are better is a question for several seeds, with the autoencoder's own time
#   counted.
# - Latents must have about the standard deviation 1 before diffusion, and must be scaled back
#   after it.
# - What the autoencoder loses, above all at edges, is lost for good.
#
# ## Go further
#
# - Give the latents two channels, or eight (`autoencoder.Autoencoder(latents=8)`). Where does
#   PSNR stop rising, and what happens to the diffusion?
# - Run the diffusion in the latents of `much`. Is it easier or harder?
# - Train the autoencoder for five minutes. Does the diffusion in its latents get better too?
# - Put a photograph of your own in the place of `word`.
# - Run this notebook with `SDLAB_MODEL=sd15` on a GPU: what does its autoencoder lose at 512
#   pixels?
