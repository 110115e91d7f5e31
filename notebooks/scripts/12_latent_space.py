# %% [markdown]
# # 12 · Into latent space
#
# Stable Diffusion does not diffuse pixels. It diffuses a grid of numbers that an autoencoder has made of them, 48 times fewer. Here you train both halves yourself and measure what the detour brings.
#
# **You will be able to** train an autoencoder and compare it with its linear relative, say what the KL term is for, run the same DDPM in latents and in pixels for equal seconds, and open the autoencoder
# of a real Stable Diffusion in the same way.
#
# | | on two CPU cores |
# |---|---|
# | time for this notebook | four minutes, three of them training |
# | memory | 1.5 GB |
# | download | none |
#
# The source is Rombach et al., *High-Resolution Image Synthesis with Latent Diffusion Models* (2022, arXiv:2112.10752).

# %%
import time

import matplotlib.pyplot as plt
import torch

import sdlab
from sdlab.scratch import autoencoder, ddpm, drawings, judge, sampling
from sdlab.scratch.muon import Muon, groups
from sdlab.scratch.unet import UNet

sdlab.use_style()
torch.manual_seed(0)

# %% [markdown]
# ## An honest count
#
# How much smaller is a latent? A picture has three numbers a pixel, and they all count.

# %%
for name, picture, latent in (
    ("SD 1.5", (3, 512, 512), (4, 64, 64)),
    ("here", (3, 32, 32), (4, 8, 8)),
):
    many, few = torch.Size(picture).numel(), torch.Size(latent).numel()
    print(
        f"{name:7s}{many:8,} numbers in the picture, {few:6,} in the latent: {many / few:.0f} times fewer"
    )

# %% [markdown]
# A sharper question is whether the picture survives that. Our pictures are the sixty drawings again, now 32 pixels wide. Quality is measured as *PSNR*, the ratio of the largest possible squared error to the
# mean one, in decibels: 10 dB more is a tenth of the error.

# %%
pictures, _ = next(drawings.batches(512, side=32, seed=9))


def psnr(x, truth=pictures):
    return autoencoder.psnr((x - truth).square().mean())


# %% [markdown]
# ## The linear way: PCA
#
# Cut each picture into patches of 4×4 pixels, 48 numbers each, and keep of every patch its coordinates along the four directions in which patches vary most. That is an autoencoder too: its encoder and its decoder
# are one matrix, and no linear one does better.

# %%
patches = torch.nn.functional.unfold(pictures, 4, stride=4).transpose(1, 2)  # (512, 64, 48)
mean = patches.mean((0, 1))
_, _, directions = torch.linalg.svd((patches - mean).flatten(0, 1), full_matrices=False)
first = directions[:4]  # (4, 48)
back = (patches - mean) @ first.T @ first + mean
by_pca = torch.nn.functional.fold(back.transpose(1, 2), 32, 4, stride=4)
print(f"PCA: {psnr(by_pca):.1f} dB")

# %% [markdown]
# ## The learned way
#
# The encoder is a few convolutions, two of them with stride 2; the decoder is its mirror. For each latent the encoder names a mean $\mu$ and a variance $\sigma^2$, and the decoder gets a draw from $\mathcal{N}(\mu, \sigma^2)$. The loss is
# the squared error plus $\lambda$ times
# $$\mathrm{KL}\left(\mathcal{N}(\mu, \sigma^2)\,\|\,\mathcal{N}(0, 1)\right) = \tfrac{1}{2}\left(\mu^2 + \sigma^2 - 1 - \log \sigma^2\right),$$
# which draws the latents towards a standard normal distribution (Kingma & Welling 2014, appendix B). We train one with little of it, $\lambda = 0.001$, and one with much, $\lambda = 0.3$.
#
# > **Predict.** Which one will give back sharper pictures? And which one will decode pure noise to something more like a drawing?


# %%
def trained(kl, seconds):
    model = autoencoder.Autoencoder().to(memory_format=torch.channels_last)
    optimizer = Muon(groups(model), lr=2e-3)
    batches = (x for x, _ in drawings.batches(32, side=32))
    curve = [
        (spent, error.mean().item())
        for spent, (error, _) in sdlab.train_for(
            autoencoder.train(model, batches, optimizer, kl), seconds, optimizer
        )
    ]
    return model.eval().requires_grad_(False), curve


little, curve = trained(kl=0.001, seconds=45)
much, _ = trained(kl=0.3, seconds=20)
figure, axis = plt.subplots(figsize=(6, 2.2), layout="constrained")
axis.plot(*zip(*[(s, autoencoder.psnr(e)) for s, e in curve]))
axis.axhline(psnr(by_pca), color="C1", linestyle="--")
_ = axis.set(xlabel="seconds of training", ylabel="PSNR (dB); PCA dashed")

# %%
codes = {"little KL": little.encode(pictures)[0], "much KL": much.encode(pictures)[0]}
noise = torch.randn(10, 4, 8, 8)
rows = [pictures[:10], by_pca[:10]]
for (name, z), model in zip(codes.items(), (little, much)):
    print(f"{name}: {psnr(model.decode(z)):.1f} dB, deviation of the latents {z.std():.2f}")
    rows += [model.decode(z[:10]), model.decode(noise)]
sdlab.tiles(torch.cat(rows), columns=10)

# %% [markdown]
# Row by row: the pictures; PCA; little KL, and below it noise decoded; much KL, and below it noise decoded. Neither of them *draws* when it is fed noise: the latents of drawings are a few islands in a wide sea.
# More KL pushes the islands together, and pays with the pictures. Latent diffusion goes another way. It takes the sharp autoencoder, and leaves it to a diffusion model to find the islands.
#
# What lies between two of them? Half-way between two pictures there are two pictures, faintly, one over the other. Half-way between their latents?

# %%
z = codes["little KL"]
share = torch.linspace(0, 1, 10)[:, None, None, None]
in_pixels = (1 - share) * pictures[:1] + share * pictures[4:5]
in_latents = little.decode((1 - share) * z[:1] + share * z[4:5])
middle = judge.recognise(torch.cat([in_pixels[4:6], in_latents[4:6]]))
print(
    "the judge sees in the middle:",
    ["nothing" if d == 60 else drawings.NAMES[d // 5] for d in middle.tolist()],
)
sdlab.tiles(torch.cat([in_pixels, in_latents]), columns=10)

# %% [markdown]
# Hardly anything else: the latents are still laid out like a picture, only coarser, so the way between two of them is a blend as well. The autoencoder has made the picture small. It has not
# learned what a drawing is. That is left to the diffusion.
#
# ## The same DDPM, in latents and in pixels
#
# Same network widths, same optimizer, same 65 seconds. One sees pictures of 3×32×32, the other latents of 4×8×8, shifted and scaled to mean 0 and deviation 1.

# %%
schedule = ddpm.cosine(512)
centre, scale = z.mean((0, 2, 3), keepdim=True), z.std((0, 2, 3), keepdim=True)


def pixels():
    for x, _ in drawings.batches(64, side=32):
        yield x


def latents():
    for x in pixels():
        yield (little.encode(x)[0] - centre) / scale


def race(data, channels, seconds=65):
    model = UNet(channels=channels).to(memory_format=torch.channels_last)
    average, optimizer = ddpm.Average(model, 0.998), Muon(groups(model), lr=2e-3)
    training = ddpm.train(model, data, schedule, optimizer, "v", average)
    steps = sum(1 for _ in sdlab.train_for(training, seconds, optimizer))
    return average.model, steps


# %%
in_latents, latent_steps = race(latents(), 4)
in_pixels, pixel_steps = race(pixels(), 3)
print(f"in 65 s: {64 * latent_steps:,} pictures in latents, {64 * pixel_steps:,} in pixels")

# %%
levels = sampling.space_levels(schedule, 32)
real, _ = next(drawings.batches(512, side=32, seed=5))


def draw(model, shape, clamp):
    start = time.perf_counter()
    denoise = sampling.denoiser(model, schedule, "v", clamp=clamp)
    x = sampling.last(sampling.ddim(denoise, schedule, torch.randn(shape), levels, eta=1.0))
    x = x if clamp else little.decode(x * scale + centre)
    return x, 1000 * (time.perf_counter() - start) / len(x)


from_latents = draw(in_latents, (96, 4, 8, 8), clamp=False)
from_pixels = draw(in_pixels, (96, 3, 32, 32), clamp=True)
for name, (x, cost) in ("latents", from_latents), ("pixels", from_pixels):
    print(
        f"{name:8s}recognised {judge.recognition(x):4.0%}, {judge.coverage(x):2d} drawings found, "
        f"Fréchet distance {judge.frechet(x, real):5.0f}, {cost:4.0f} ms a picture"
    )

# %% tags=["cover"]
sdlab.tiles(torch.cat([from_latents[0][:36], from_pixels[0][:36]]), columns=12)

# %% [markdown]
# Above three rows from latents, below three from pixels. The detour pays twice: the network sees more pictures in the same seconds, and every picture costs less to draw. The autoencoder itself had its own 45 seconds; but it is trained once and
# serves every model after it.
#
# ### Exercise (5 minutes)
#
# The latents were brought to mean 0 and deviation 1 before diffusion. Stable Diffusion does that with one number, the *scaling factor*. What should it be for our autoencoder? `z` holds the latents of 512 pictures.

# %% tags=["stub"]
factor = 1.0  # change this line

# %% tags=["solution"]
factor = 1 / z.std().item()

# %%
with sdlab.exercise("The scaling factor"):
    scaled = (factor * z).std().item()
    assert abs(scaled - 1) < 0.01, (
        f"the scaled latents have deviation {scaled:.2f}, and should have 1: by which number must they be multiplied?"
    )

# %% [markdown]
# ## A real one
#
# Now the autoencoder of the pipeline that this course loads. It is opened in the same way: a picture in, latents out, the picture back, and where the two differ.

# %%
pipe = sdlab.load()
side = sdlab.native_side(pipe)
chosen = drawings.originals(32)[[2, 17, 22, 38, 42, 50]]
truth = torch.nn.functional.interpolate(chosen, size=side, mode="bicubic").clamp(-1, 1)
with torch.no_grad():
    z = pipe.vae.encode(truth.to(pipe.device, pipe.vae.dtype)).latent_dist.mean
    back = pipe.vae.decode(z).sample.float().cpu().clamp(-1, 1)
lost = (back - truth).abs()  # (6, 3, side, side)
print(f"{tuple(truth.shape[1:])} → {tuple(z.shape[1:])}, {psnr(back, truth):.1f} dB")
print(
    f"deviation of its latents: {z.std():.2f}; its scaling factor: {pipe.vae.config.scaling_factor:.4g}"
)
sdlab.tiles(
    torch.cat([truth, back, 1 - 4 * lost.mean(1, keepdim=True).expand_as(lost)]),
    columns=6,
    width=600,
)

# %% [markdown]
# Below each pair is the difference, darker where more is lost. Is it spread evenly? Edges are where neighbouring pixels differ most, so we compare them with the rest.

# %%
gray = truth.mean(1)
steep = torch.nn.functional.pad(
    (gray.diff(dim=2).abs())[:, :-1] + gray.diff(dim=1).abs()[..., :-1], (0, 1, 0, 1)
)
edge = steep > steep.flatten(1).quantile(0.85, 1)[:, None, None]
error = lost.mean(1)
print(
    f"error at the steepest 15% of pixels: {error[edge].mean():.3f}, elsewhere: {error[~edge].mean():.3f}"
)

# %% [markdown]
# This autoencoder keeps surfaces and blurs edges. Thin lines and letters are all edge: what it blurs, no diffusion in its latents can bring back.
#
# ## Go further
#
# - Give the latents two channels, or eight. Where does PSNR stop to rise, and what becomes of the diffusion?
# - Train the autoencoder for five minutes. Does the diffusion in its latents get better too?
# - Run this notebook with `SDLAB_MODEL=sd15` on a GPU: what does its autoencoder lose at 512 pixels?
