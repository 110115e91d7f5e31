# %% [markdown]
# # 13 · Rivals and relatives
#
# Diffusion was not the first way to draw from noise. Here it meets three older ones: a *variational autoencoder*, a *generative adversarial network* and a *normalizing flow*. All four learn the same sixty drawings for
# the same seconds, and one table says what came of it. Then two younger relatives of diffusion, which ask for far fewer steps.
#
# **You will be able to** say what each of the four is trained to do and what that costs it, read quality, variety and price off one table, train by flow matching, and say what distillation buys.
#
# | | on two CPU cores |
# |---|---|
# | time for this notebook | four minutes, two and a half of them training |
# | memory | 1 GB |
# | download | none |

# %%
import copy
import json
import time
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import sdlab
from sdlab.scratch import ddpm, drawings, judge, relatives, rivals, sampling
from sdlab.scratch.muon import Muon, groups
from sdlab.scratch.unet import UNet

sdlab.use_style()
torch.manual_seed(0)
SECONDS = 20  # of training, for each


def pictures(size=64):
    return (x for x, _ in drawings.batches(size))


# %% [markdown]
# ## Four promises
#
# Every one of them turns noise $z$ or $\varepsilon$ into a picture $x$. They differ in what they are trained to do.
#
# **The variational autoencoder** (VAE; Kingma & Welling 2014) packs a picture into 64 numbers $z$ and unpacks it. You built one in notebook 12. Its encoder gives a normal distribution $q(z \mid x)$, its decoder $g$ a picture:
# $$L = \left\|x - g(z)\right\|^2 + \lambda\, D_{\mathrm{KL}}\!\left(q(z \mid x)\, \|\, \mathcal{N}(0, I)\right), \qquad z \sim q(z \mid x).$$
# $D_{\mathrm{KL}}$ is the divergence that keeps the packed numbers near a normal distribution, so that one can unpack noise; $\lambda$ is its weight (their eq. 7, with a normal decoder). The answer of least squared error to an uncertain question is a
# mean: it will blur.
#
# **The generative adversarial network** (GAN; Goodfellow et al. 2014) has a forger $G$ and an expert $D$. The expert says how likely a picture is a true one, and each learns against the other (their eq. 1):
# $$\min_G \max_D \; \mathbb{E}_x\left[\log D(x)\right] + \mathbb{E}_z\left[\log\left(1 - D(G(z))\right)\right].$$
# Nobody asks the forger to draw *everything*. What fools the expert is good enough: it may forget kinds of pictures.
#
# **The normalizing flow** (Dinh et al. 2017) is an invertible network $f$ that turns the picture $x$ into noise $z = f(x)$. It knows the probability $p(x)$ of each picture exactly, and is trained to make it large (their eq. 3):
# $$\log p(x) = \log \mathcal{N}(f(x); 0, I) + \log \left|\det \frac{\partial f}{\partial x}\right|.$$
# The last term is by how much $f$ stretches space around $x$. The price: every layer has to be undone, and so it can do little.
#
# **Diffusion** learns to remove noise, one level at a time, by the loss of notebook 10. It pays when it draws: not one look at the network but dozens.
#
# > **Predict.** Which one will find the most of the sixty drawings? Which one will be recognised most often?

# %%
vae, gan, flow, unet = rivals.VAE(), rivals.GAN(), rivals.Flow(), UNet()
models = {"VAE": vae, "GAN": gan, "flow": flow, "diffusion": unet}
for name, model in models.items():
    model.to(memory_format=torch.channels_last)
    print(
        f"{name:10s}{sum(p.numel() for p in model.parameters()) / 1e6:.2f} million parameters"
    )

# %%
schedule = ddpm.cosine(512)
average = ddpm.Average(unet, 0.998)
optimizers = {
    name: Muon(groups(model), lr=2e-3) for name, model in models.items() if name != "GAN"
}
forger, expert = (
    torch.optim.Adam(part.parameters(), 1e-3, betas=(0.0, 0.99))
    for part in (gan.generator, gan.discriminator)
)

# %%
trainings = {
    "VAE": (rivals.train_vae(vae, pictures(), optimizers["VAE"]), optimizers["VAE"]),
    "GAN": (rivals.train_gan(gan, pictures(), forger, expert), forger),
    "flow": (rivals.train_flow(flow, pictures(), optimizers["flow"]), optimizers["flow"]),
    "diffusion": (
        ddpm.train(unet, pictures(), schedule, optimizers["diffusion"], "v", average),
        optimizers["diffusion"],
    ),
}
for name, (training, optimizer) in trainings.items():
    steps = sum(1 for _ in sdlab.train_for(training, SECONDS, optimizer))
    print(f"{name:10s}{64 * steps:7,} pictures in {SECONDS} s")

# %% [markdown]
# ## One table
#
# Every model draws 256 pictures. *Recognised* is the share in which a classifier sees one of the things, *found* how many of the sixty drawings are among them. The *Fréchet* distance to true pictures is small where quality and variety are both right.
# *Evaluations* is how often the network is asked for one picture.


# %%
def diffusing(network, steps):
    """A sampler: a count → pictures."""
    denoise = sampling.denoiser(network, schedule, "v")
    levels = sampling.space_levels(schedule, steps)

    def sample(count):
        noise = torch.randn(count, 3, 16, 16)
        return sampling.last(sampling.ddim(denoise, schedule, noise, levels, eta=1.0))

    return sample


# %%
real, _ = next(drawings.batches(512, seed=5))
HEADING = f"{'':24s}recognised  found  Fréchet  evaluations  ms a picture"


def measured(name, sample, evaluations, count=256):
    """Draw, print a line of the table, and return the pictures."""
    start = time.perf_counter()
    x = sample(count).clamp(-1, 1)
    cost = 1000 * (time.perf_counter() - start) / count
    print(
        f"{name:24s}{judge.recognition(x):10.0%}{judge.coverage(x):7d}"
        f"{judge.frechet(x, real):9.0f}{evaluations:13d}{cost:14.1f}"
    )
    return x


# %%
samplers = {
    "VAE": (vae.sample, 1),
    "GAN": (gan.sample, 1),
    "flow": (flow.sample, 1),
    "diffusion": (diffusing(average.model, 50), 50),
    "true pictures": (lambda count: next(drawings.batches(count, seed=6))[0], 0),
}
print(HEADING)
drawn = [measured(name, *sampler) for name, sampler in samplers.items()]

# %% tags=["cover"]
sdlab.tiles(torch.cat([x[:16] for x in drawn]), columns=16)  # a row a model

# %% [markdown]
# 20 seconds are short: they favour what learns quickly. The same race over four minutes each was run once, with `python -m benchmarks.rivals`, and its results came with the course.

# %%
race = json.loads(
    (Path(sdlab.__file__).parent / "assets/rivals/table.json").read_text(encoding="utf-8")
)
print(f"{race['minutes']:.0f} minutes each, on {race['machine']}")
print(HEADING)
for row in race["table"]:
    print(
        f"{row['name']:24s}{row['recognised']:10.0%}{row['found']:7d}"
        f"{row['frechet']:9.0f}{row['evaluations']:13d}{row['ms']:14.1f}"
    )

# %%
fig, ax = plt.subplots(figsize=(8, 4))
families = {}
for row in race["table"]:
    family, _, detail = row["name"].partition(", ")
    families.setdefault(family, []).append((row["ms"], 100 * row["recognised"], detail))
for family, points in families.items():
    ms, share, details = zip(*points)
    ax.plot(ms, share, "o-", label=family)
    if family in ("diffusion", "consistency"):  # flow matching has the steps of diffusion
        for x, y, detail in points:
            ax.annotate(detail, (x, y), (0, 7), textcoords="offset points", ha="center")
ax.set(
    xscale="log", xlabel="milliseconds a picture", ylabel="recognised, %", ylim=(-6, 112)
)
ax.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
fig.tight_layout()

# %% [markdown]
# Diffusion is recognised most often, 96 of 100 times, and finds all sixty drawings. It pays for that with fifty looks at its network: 38 ms a picture. The GAN needs 0.2 ms and gets three of four right, but it leaves out seven of the
# sixty even in 512 pictures: *mode collapse*, though a mild one. The VAE blurs. The flow can hardly draw at all: it must be undone layer by layer, each layer costs as much as a small network, and in the same time it saw the fewest pictures.
#
# Down in the corner are diffusion and *flow matching* in one step. Between them and their fifty steps lies the question of the rest of this notebook: **how few steps can one do with?**
#
# ## A relative: straight paths
#
# Diffusion's way from noise to picture is bent: guess, turn, guess again. *Flow matching* (Lipman et al. 2023; Liu et al. 2023) lays the way down beforehand. Join each picture $x_0$ to a noise $\varepsilon$ by a straight line,
# $$x_t = (1 - t)\, x_0 + t\, \varepsilon, \qquad \frac{dx_t}{dt} = \varepsilon - x_0, \qquad 0 \le t \le 1,$$
# and train a network $u_\theta$ to name the velocity $\varepsilon - x_0$ when it sees $x_t$ (Liu, eq. 1, where time runs the other way):
# $$L = \mathbb{E}_{t,\, x_0,\, \varepsilon}\, \left\|u_\theta(x_t, t) - (\varepsilon - x_0)\right\|^2 .$$
# To draw, start at noise and go back along the velocity in $n$ equal steps, $x \leftarrow x - \tfrac{1}{n} u_\theta(x, t)$. There is no $\beta_t$ and no $\bar\alpha_t$ any more. Stable Diffusion 3 is trained so (Esser et al. 2024).
#
# ### Exercise (5 minutes)
#
# Write the point on the path and the velocity there. `t` is a number between 0 and 1.


# %% tags=["stub"]
def straight(x0, eps, t):
    """The point of the straight path at time t, and the velocity."""
    return x0, eps  # change this line


# %% tags=["solution"]
def straight(x0, eps, t):
    """The point of the straight path at time t, and the velocity."""
    return (1 - t) * x0 + t * eps, eps - x0


# %%
with sdlab.exercise("The straight path"):
    x0, eps = torch.tensor([2.0]), torch.tensor([-1.0])
    assert straight(x0, eps, 0.0)[0] == 2, "at t = 0 the path is at the picture"
    assert straight(x0, eps, 1.0)[0] == -1, "at t = 1 the path is at the noise"
    assert straight(x0, eps, 0.3)[1] == -3, (
        "the velocity is how far the noise lies from the picture, here -1 - 2 = -3"
    )

# %%
straight_unet = UNet().to(memory_format=torch.channels_last)
straight_average = ddpm.Average(straight_unet, 0.998)
optimizer = Muon(groups(straight_unet), lr=2e-3)
training = relatives.train_flow_matching(
    straight_unet, pictures(), optimizer, straight_average
)
steps = sum(1 for _ in sdlab.train_for(training, SECONDS, optimizer))
print(f"{64 * steps:,} pictures in {SECONDS} s")

# %% [markdown]
# That is all there is to training. For what follows 20 seconds are too few, so we go on with two networks that had four minutes each, in the race above, and came with the course.
#
# > **Predict.** The paths in training were straight. Will the paths along which it draws be straight too?
#
# How bent is a path? We compare its length with the distance between its ends: 1 would be straight.

# %%
teacher = relatives.load_trained("diffusion")
denoise = sampling.denoiser(teacher, schedule, "v")
velocity = relatives.velocity_of(relatives.load_trained("flow matching"))
noise = torch.randn(128, 3, 16, 16)
paths = {
    "diffusion": sampling.ddim(
        denoise, schedule, noise, sampling.space_levels(schedule, 50)
    ),
    "flow matching": relatives.follow(velocity, noise, 50),
}
for name, path in paths.items():
    bend = relatives.bend([noise, *path])
    print(f"{name:14s}{bend:.2f} times as long as the straight line")

# %%
rows = []
for name in paths:
    for steps in (2, 4, 8, 50):
        if name == "diffusion":
            x = sampling.last(
                sampling.ddim(
                    denoise, schedule, noise, sampling.space_levels(schedule, steps)
                )
            )
        else:
            x = sampling.last(relatives.follow(velocity, noise, steps)).clamp(-1, 1)
        print(f"{name:14s}{steps:3d} steps{judge.recognition(x):6.0%} recognised")
        rows.append(x[:16])
sdlab.tiles(torch.cat(rows), columns=16)  # a row a line

# %% [markdown]
# The paths of flow matching are nearly straight, 2% longer than the line between their ends; those of diffusion are 11% longer. They are not quite straight, because where the lines of training cross, the network can only name the mean of their directions.
#
# On these small drawings that buys little. In two steps both give mixtures, and from four on they are close. What flow matching does give is a simpler recipe: one line in place of a schedule. Compare the columns: all rows began at the same noise, and two networks
# that never saw each other often make the same drawing of it.
#
# ## A relative: where does the path end?
#
# If only the end of the path matters, why walk it? A *consistency model* (Song et al. 2023) is asked, anywhere on a path, for the picture where that path ends. It is taught by a diffusion model that is already trained. The teacher takes one small step from $x_t$ to $x_s$. Both lie on one path, so
# both have one end, and the student is trained to say the same at both (Song, algorithm 2):
# $$L = \mathbb{E}\, \left\| f_\theta(x_t, t) - f_{\theta^-}(x_s, s) \right\|^2 .$$
# $f_\theta$ is the student, $f_{\theta^-}$ its own running average. At the last step the teacher's answer takes the average's place; from there the truth wanders up the path, a step at a time.

# %%
student = copy.deepcopy(teacher).train()
memory = ddpm.Average(student, 0.95)
optimizer = Muon(groups(student), lr=1e-3)
levels = sampling.space_levels(schedule, 16)
training = relatives.distil(
    student, memory, denoise, schedule, levels, pictures(), optimizer
)
steps = sum(1 for _ in sdlab.train_for(training, 50, optimizer))
print(f"{64 * steps:,} pictures in 50 s")


# %%
def jumping(levels):
    denoise = sampling.denoiser(memory.model, schedule, "v")
    return lambda count: sampling.last(
        relatives.jump(denoise, schedule, torch.randn(count, 3, 16, 16), levels)
    )


print(HEADING)
few = [
    measured("diffusion", diffusing(teacher, 1), 1),
    measured("consistency", jumping([511]), 1),
    measured("consistency", jumping([511, 383, 255, 127]), 4),
    measured("diffusion", diffusing(teacher, 4), 4),
    measured("diffusion", diffusing(teacher, 50), 50),
]
sdlab.tiles(torch.cat([x[:16] for x in few]), columns=16)  # a row a line of the table

# %% [markdown]
# In one step the teacher draws the mean of all drawings, and its student, after less than a minute, draws things that the classifier knows. In four steps the student is ahead of its teacher. With four minutes of distillation, in the long race, one jump is
# recognised 47 of 100 times and four jumps 79 of 100. Fifty steps of the teacher are still better, for ten times the price.
#
# ## Go further
#
# - Let the GAN train for five minutes and watch `judge.found` on the way. Does it rise steadily?
# - Give the student 32 levels in place of 16. Does one jump get better or worse?
# - *Rectified flow* trains flow matching again on its own pairs of noise and drawing (Liu et al. 2023). Do the paths get straighter?
