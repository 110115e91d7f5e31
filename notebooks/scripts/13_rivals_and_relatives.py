# %% [markdown]
# # 13 · Rivals and relatives
#
# Diffusion was not the first way to draw from noise. Here it meets three older ones: a
# *variational autoencoder*, a *generative adversarial network* and a *normalizing flow*. All four
# learn the same sixty drawings for the same time, and one table compares the results. Then come
# two younger relatives of diffusion, which need far fewer steps, and what the newest image models
# have changed.
#
# **You will be able to** say what each of the four is trained to do and what that costs it, read
# quality, variety and price in one table, train by flow matching, say what distillation buys, and
# name what Stable Diffusion 3.5 and FLUX do differently.
#
# | | on two CPU cores |
# |---|---|
# | time for this notebook | five minutes, three of them training |
# | memory | 1 GB |
# | download | none |

# %%
import copy
import inspect
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Code

import sdlab
from sdlab.display.intervals import difference, mean, share
from sdlab.scratch import ddpm, dit, drawings, judge, relatives, rivals, sampling
from sdlab.scratch.muon import Muon, groups
from sdlab.scratch.unet import UNet

sdlab.use_style()
_ = torch.manual_seed(0)
SECONDS = 20  # of training, for each
COUNT = 256  # pictures drawn by each, wherever we count


def pictures(size=64):
    """Endless batches of the drawings of notebook 10, (size, 3, 16, 16)."""
    return (x for x, _ in drawings.batches(size))


# %% [markdown]
# ## Four ways to draw from noise
#
# Each of them turns noise, $z$ or $\varepsilon$, into a picture $x$. They differ in what they are
# trained to do.
#
# | model | what it learns | evaluations to draw | known weakness |
# |---|---|---|---|
# | VAE | to pack a picture into 64 numbers, and to unpack it | 1 | blurred pictures |
# | GAN | to draw what a second network takes for real | 1 | may leave things out |
# | normalizing flow | an invertible function, picture to noise | 1 | simple layers only |
# | diffusion | to remove noise, at every level | many | slow |
#
# An *evaluation* is one run of the network.
#
# **The variational autoencoder** (VAE; Kingma & Welling 2014). Its encoder gives a normal
# distribution $q(z \mid x)$ for each picture, and its decoder $g$ turns a $z$ into a picture.
# You built one in notebook 12, but there $z$ was a grid of 256 numbers, and a diffusion model
# did the drawing. Here $z$ has 64 numbers, and the decoder draws by itself from a random $z$.
# The loss is
# $$L = \left\|x - g(z)\right\|^2 + \lambda\, \mathrm{KL}\!\left(q(z \mid x)\, \|\,
# \mathcal{N}(0, I)\right), \qquad z \sim q(z \mid x).$$
# The Kullback–Leibler divergence KL keeps each $q(z \mid x)$ near a standard normal
# distribution, so that a random $z$ is something that the decoder has seen. $\lambda$ is its
# weight (their eq. 7 with a normal decoder; in the code both terms are means instead of sums).
# When several pictures fit the same $z$, the answer with the smallest squared error is their
# mean. So its pictures will be blurred.
#
# **The generative adversarial network** (GAN; Goodfellow et al. 2014) consists of two networks.
# A generator $G$ draws from a random $z$. A discriminator $D$ gives a score $D(x)$, high if it
# takes $x$ for a real picture. Each learns against the other. The losses that we train are
# $$L_D = \mathbb{E}_x\, \ell(-D(x)) + \mathbb{E}_z\, \ell(D(G(z))) + \tfrac{\gamma}{2}\,
# \mathbb{E}_x \left\|\nabla_x D(x)\right\|^2, \qquad L_G = \mathbb{E}_z\, \ell(-D(G(z))),$$
# where $\ell(a) = \log(1 + e^a)$, which is near 0 where $a$ is far below 0. $L_G$ is the
# *non-saturating* loss (their section 3): it is steep just when the generator is bad. The last
# term of $L_D$, called *R1*, keeps the discriminator from growing too steep at real pictures,
# which makes training stable (Mescheder et al. 2018, eq. 9). Nobody asks the generator to draw
# *everything*. It only has to pass for real, so it may leave out whole kinds of pictures.
#
# **The normalizing flow** (Dinh et al. 2017, *Real NVP*) is an invertible network $f$ that
# turns the picture $x$ into noise $z = f(x)$. It knows the probability density $p(x)$ of each
# picture exactly, and is trained to make it large for the training pictures (their eq. 3):
# $$\log p(x) = \log \mathcal{N}(f(x); 0, I) + \log \left|\det \frac{\partial f}{\partial x}
# \right|.$$
# The last term is the logarithm of how many times $f$ enlarges a small volume around $x$. The
# price: every layer must be invertible, so each can only do something simple. *This* flow is a
# small one that works at a single scale; better ones exist.
#
# **Diffusion** learns to remove noise, one level at a time, with the loss of notebook 10. Its
# price comes when it draws: it needs its network dozens of times instead of once.
#
# > **Predict.** Which one will find the largest number of the sixty drawings? Which one will be
# > recognised most often?

# %%
networks = {"VAE": rivals.VAE(), "GAN": rivals.GAN(), "flow": rivals.Flow()}
networks["diffusion"] = UNet()
averages = {}
for name, network in networks.items():
    averages[name] = ddpm.Average(network.to(memory_format=torch.channels_last), 0.998)
    parameters = sum(p.numel() for p in network.parameters())
    print(f"{name:10s}{parameters / 1e6:.2f} million parameters")

# %% [markdown]
# They do not have the same size. What is equal is the training time. And two things that one
# could easily forget are equal, too: all of them draw with a running average of their weights,
# and all learning rates fall to a tenth in the second half of the time. This is how the GAN is
# trained:

# %%
Code(inspect.getsource(rivals.train_gan), language="python")

# %%
schedule = ddpm.cosine(512)
vae, gan, flow, unet = networks.values()
muon = {name: Muon(groups(net), lr=2e-3) for name, net in networks.items() if name != "GAN"}
adam = [
    torch.optim.Adam(part.parameters(), 1e-3, betas=(0.0, 0.99))  # 0: no momentum
    for part in (gan.generator, gan.discriminator)
]
trainings = {
    "VAE": rivals.train_vae(vae, pictures(), muon["VAE"], averages["VAE"]),
    "GAN": rivals.train_gan(gan, pictures(), *adam, averages["GAN"]),
    "flow": rivals.train_flow(flow, pictures(), muon["flow"], averages["flow"]),
    "diffusion": ddpm.train(
        unet, pictures(), schedule, muon["diffusion"], "v", averages["diffusion"]
    ),
}

# %%
for name, training in trainings.items():
    optimizers = adam if name == "GAN" else [muon[name]]
    steps = sum(1 for _ in sdlab.train_for(training, SECONDS, *optimizers))
    print(f"{name:10s}{64 * steps:7,} pictures in {SECONDS} s")

# %% [markdown]
# ## One table
#
# Every model draws 256 pictures. *Recognised* is the share in which the judge of notebook 10 sees
# one of the sixty drawings, with its 95% interval. *Found* says how many of the sixty are among
# them. The *Fréchet distance* to true pictures is small only if quality and variety are both
# right. *Evaluations* is how many times the network runs for one picture. The last row, true
# pictures, shows how well one can do at all. Diffusion draws as in notebook 10, by DDIM in 50 steps
# with as much fresh noise as DDPM has (η = 1; the table says *and noise*). Later, where we count
# steps, there is no fresh noise (η = 0).


# %%
def diffusing(network, steps, eta=0.0):
    """A sampler, count → pictures: DDIM, with fresh noise if eta > 0."""
    denoise = sampling.denoiser(network, schedule, "v")
    levels = sampling.space_levels(schedule, steps)

    def sample(count):
        noise = torch.randn(count, 3, 16, 16)
        return sampling.last(sampling.ddim(denoise, schedule, noise, levels, eta))

    return sample


# %%
real, _ = next(drawings.batches(512, seed=5))
HEAD = f"{'':32s}{'recognised':16s}found  Fréchet  evaluations  ms per picture"


def measured(name, sample, evaluations):
    """Draw, print a row of the table, and return the pictures."""
    start = time.perf_counter()
    x = sample(COUNT).clamp(-1, 1)
    cost = f"{1000 * (time.perf_counter() - start) / COUNT:.1f}" if evaluations else "—"
    print(
        f"{name:32s}{share(judge.recognise(x) < 60)!s:16s}{judge.coverage(x):5d}"
        f"{judge.frechet(x, real):9.0f}{evaluations or '—':>13}{cost:>16s}"
    )
    return x


# %%
ways = {name: (averages[name].model.sample, 1) for name in ("VAE", "GAN", "flow")}
diffuse = diffusing(averages["diffusion"].model, 50, eta=1.0)
ways["diffusion, 50 steps and noise"] = (diffuse, 50)
ways["true pictures"] = (lambda count: next(drawings.batches(count, seed=6))[0], 0)
print(HEAD)
drawn = {name: measured(name, *way) for name, way in ways.items()}
sdlab.tiles(torch.cat([x[:16] for x in drawn.values()]), columns=16, rows=drawn)

# %% [markdown]
# After such a short time none of them is good, and one run with one seed says little about
# which is ahead. So the race was run longer, and with several seeds, each of which trained
# everything anew. Its results come with the course, and the first line of the table says how
# long it was. (The command is `python -m benchmarks.rivals`. Seven trainings of four minutes,
# with three seeds, take an hour and a half on two cores.) The table gives the mean over the
# seeds, and in brackets the smallest and the largest value.

# %%
race = relatives.load_race()
rows = {row["name"]: row for row in race["table"]}


def spread(row, key, form="{:.0f}"):
    """The mean over the seeds, and the smallest and the largest value."""
    values = np.array(row[key])
    low, high = form.format(values.min()), form.format(values.max())
    return f"{form.format(values.mean())} ({low.rstrip('%')}–{high.rstrip('%')})"


def print_rows(*kinds):
    """The rows of some kinds of models."""
    print(f"{'':31s}{'recognised':17s}{'found':12s}{'Fréchet':20s}ms per picture")
    for name, row in rows.items():
        if name.split(",")[0] in kinds:
            cost = f"{np.mean(row['ms']):.1f}" if "ms" in row else "—"
            print(
                f"{name:31s}{spread(row, 'recognised', '{:.0%}'):17s}"
                f"{spread(row, 'found'):12s}{spread(row, 'frechet'):20s}{cost}"
            )


# %%
times = f"{race['minutes']:g} minutes of training for each, {race['threads']} CPU thread(s)"
print(f"{times}, {race['seeds']} seeds, {race['count']} pictures")
print_rows("VAE", "GAN", "flow", "diffusion", "true pictures")

# %% tags=["cover"]
samples = relatives.load_samples()
shown = ["VAE", "GAN", "flow", "diffusion, 50 steps and noise", "true pictures"]
sdlab.tiles(torch.cat([samples[name] for name in shown]), columns=16, rows=shown)

# %%
diffusion = rows["diffusion, 50 steps and noise"]


def beats(key, row, other, larger=True):
    """Whether the worst seed of one is better than the best seed of the other."""
    ours, theirs = np.array(row[key]), np.array(other[key])
    return bool(ours.min() > theirs.max()) if larger else bool(ours.max() < theirs.min())


for name in ("VAE", "GAN", "flow"):
    ahead = beats("recognised", diffusion, rows[name])
    print(f"on every seed diffusion is recognised more often than the {name}: {ahead}")

# %%
better = [
    beats("frechet", diffusion, rows["GAN"], larger=False),
    beats("recognised", diffusion, rows["GAN"]),
]
sdlab.claim(
    "Diffusion models draw better than GANs",
    all(better) or (None if any(better) else False),
    f"recognised {spread(diffusion, 'recognised', '{:.0%}')} against "
    f"{spread(rows['GAN'], 'recognised', '{:.0%}')}, "
    f"Fréchet {spread(diffusion, 'frechet')} against {spread(rows['GAN'], 'frechet')}",
    source="Dhariwal & Nichol 2021",
)

# %%
kinds = {name: rows[name] for name in ("VAE", "GAN", "flow")} | {"diffusion": diffusion}
for key, word in (
    ("found", "finds the most drawings"),
    ("recognised", "is recognised most"),
):
    best = max(kinds, key=lambda name: np.mean(kinds[name][key]))
    print(f"{best} {word}: {np.mean(kinds[best][key]):.3g}")
missing = 60 - np.mean(rows["GAN"]["found"])
floor = 60 - np.mean(rows["true pictures"]["found"])
print(f"the GAN leaves out {missing:.0f} drawings; true pictures leave out {floor:.0f}")
ratio = np.mean(diffusion["ms"]) / np.mean(rows["GAN"]["ms"])
print(f"a picture by diffusion takes {ratio:.0f} times as long as one by the GAN")

# %% [markdown]
# These lines answer your prediction. Look at the sheet, too. The pictures of the VAE are soft:
# at an edge where it cannot decide, it draws the mean. Those of the GAN are crisp, for blurred
# ones would not pass for real. If it leaves out more drawings than true pictures do, one speaks
# of *mode collapse*. The pictures of this flow are hardly ever recognised. We cannot say why
# from this race: it has the fewest parameters, and we have not tried larger ones.
#
# The time that a picture takes decides what one can use a model for, so we plot both.


# %%
def plot(axis, kind, marker, label=None):
    """The rows of one kind, a point for each, with bars from the smallest to the largest."""
    points = [row for name, row in rows.items() if name.split(",")[0] == kind]
    values = 100 * np.array([row["recognised"] for row in points])  # (points, seeds)
    cost = [np.mean(row["ms"]) for row in points]
    away = np.abs(np.stack([values.min(1), values.max(1)]) - values.mean(1))
    axis.errorbar(cost, values.mean(1), away, marker=marker, capsize=2, label=label)
    for row, x, y in zip(points, cost, values.mean(1)):
        steps = row["name"].partition(", ")[2]
        text = steps.split()[0] + "+" * ("noise" in steps) if steps else kind
        axis.annotate(text, (x, y), (5, 5), textcoords="offset points")


# %%
figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
for kind in ("VAE", "GAN", "flow"):
    plot(axis, kind, "*")
for kind, marker in zip(
    ("diffusion", "flow matching", "consistency", "transformer"), "os^D"
):
    plot(axis, kind, marker, label=kind)
axis.set(xscale="log", xlabel="milliseconds per picture", ylabel="recognised, %")
axis.legend(
    title="numbers: steps or jumps,\n+: and noise",
    loc="center left",
    bbox_to_anchor=(1, 0.5),
)
axis.set_title("best is top left", loc="left")
axis.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
_ = axis.set_ylim(-6, 112)

# %% [markdown]
# Each line leads from few steps at the left to fifty, or to four jumps, at the right.
# (*Consistency* and *transformer* are explained below.) The rest of this notebook asks: **how
# few steps are enough?**
#
# ## A relative: straight paths
#
# On its way from noise to a picture, diffusion guesses, takes a step, and guesses again. *Flow
# matching* (Lipman et al. 2023; Liu et al. 2023) fixes the path in advance. (It is not the
# *normalizing flow* above: its network need not be invertible.) Join each picture $x_0$ to a
# noise $\varepsilon$ by a straight line,
# $$x_t = (1 - t)\, x_0 + t\, \varepsilon, \qquad \frac{dx_t}{dt} = \varepsilon - x_0, \qquad 0
# \le t \le 1,$$
# and train a network $u_\theta$ to predict the velocity $\varepsilon - x_0$ when it sees $x_t$
# (Liu, eq. 1, where time runs the other way):
# $$L = \mathbb{E}_{t,\, x_0,\, \varepsilon}\, \left\|u_\theta(x_t, t) - (\varepsilon -
# x_0)\right\|^2 .$$
# To draw, start at noise and go back along the velocity in $n$ equal steps, $x \leftarrow x -
# \tfrac{1}{n} u_\theta(x, t)$. There is no $\beta_t$ and no $\bar\alpha_t$ any more. Stable
# Diffusion 3 is trained this way (Esser et al. 2024).
#
# ### Exercise 1 (5 minutes)
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


# %% tags=["hints"]
hints = [
    "Where must the path be at t = 0, and where at t = 1?",
    "On a straight line the shares of picture and noise add up to 1 at every t.",
    "The velocity is the derivative of (1 - t) * x0 + t * eps with respect to t.",
]

# %%
with sdlab.exercise("The straight path", hints=hints):
    x0, eps = torch.tensor([2.0]), torch.tensor([-1.0])
    both = straight(x0, eps, 0.3)
    assert len(both) == 2, (
        "two things are asked for: the point on the path, and the velocity"
    )
    point, velocity = both
    assert torch.equal(straight(x0, eps, 0.0)[0], x0), "at t = 0 the path is at the picture"
    assert torch.equal(straight(x0, eps, 1.0)[0], eps), "at t = 1 the path is at the noise"
    assert torch.allclose(point, torch.tensor([1.1])), (
        f"from 2 to -1, after 0.3 of the way, it should be at 1.1 and not at {point.item():.2f}"
    )
    assert torch.allclose(velocity, torch.tensor([-3.0])), (
        "from x0 = 2 to eps = -1 in a time of 1, the velocity is -3"
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
# That is all there is to training. For what follows, this one was too short. So we go on with
# two networks that were trained longer and come with the course: one by diffusion and one by
# flow matching.
#
# > **Predict.** The lines in training were straight. Will the paths along which it draws be
# > straight, too? And straighter than those of diffusion?
#
# First a picture in the plane, where the best possible guess is known, as at the end of notebook
# 10. A drawing path must always be compared in the same coordinates. In diffusion the factors of
# $x_0$ and $\varepsilon$ are $\sqrt{\bar\alpha_t}$ and $\sqrt{1 - \bar\alpha_t}$, whose *squares*
# add up to 1. Divide $x_t$ by $\sqrt{\bar\alpha_t} + \sqrt{1 - \bar\alpha_t}$, and the factors
# themselves add up to 1, as they do in flow matching.

# %%
turn = torch.linspace(0.1, 1, 300).sqrt()[:, None]  # (300, 1)
cloud = 2 * turn * torch.cat([(13 * turn).cos(), (13 * turn).sin()], 1)  # a spiral
levels = sampling.space_levels(schedule, 256)
noise = torch.randn(10, 2)
guess = sampling.ideal_denoiser(cloud, schedule)
own = [noise, *sampling.ddim(guess, schedule, noise, levels)]
flat = [relatives.as_flow(schedule, x, level) for x, level in zip(own, [*levels, None])]
lines = torch.stack([noise, cloud[torch.randint(300, (10,))]])

# %%
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
titles = ("lines in training", "paths in drawing", "the same, as diffusion sees them")
for axis, title, path in zip(axes, titles, (lines, torch.stack(flat), torch.stack(own))):
    axis.scatter(*cloud.T, s=2, color="#c5cbd3")
    for way in path.unbind(1):  # (points, 2)
        axis.plot(*way.T, linewidth=1.5)
        axis.scatter(*way[-1], s=14, color="black", zorder=3)
    axis.set(title=title, xlim=(-2.5, 2.5), ylim=(-2.5, 2.5), aspect="equal")
    axis.axis("off")

# %% [markdown]
# At the left, lines of training cross. Where they cross, the network can only predict the mean
# of their directions. So the paths along which it draws (middle) do not cross. They first lead
# towards the middle of the data, and turn to one point later. At the right are *the same
# paths*. With a perfect network, diffusion and flow matching draw along one and the same path.
# What differs is a factor by which $x$ is scaled, and the clock (compare Karras et al. 2022,
# section 2). So how bent a path looks depends on the coordinates in which it is drawn.
#
# Are the paths of our two networks the same? We divide the length of each path by the distance
# between its ends: 1 would be straight.

# %%
teacher = relatives.load_trained("diffusion")
free = sampling.denoiser(teacher, schedule, "v", clamp=False)  # as free as the other's
velocity = relatives.velocity_of(relatives.load_trained("flow matching"))
noise = torch.randn(128, 3, 16, 16)
levels = sampling.space_levels(schedule, 50)
own = [noise, *sampling.ddim(free, schedule, noise, levels)]
flat = [relatives.as_flow(schedule, x, level) for x, level in zip(own, [*levels, None])]
path = [noise, *relatives.follow(velocity, noise, 50)]

# %%
bends = {
    "diffusion, in its own coordinates": relatives.bend(own).numpy(),
    "diffusion, in those of flow matching": relatives.bend(flat).numpy(),
    "flow matching": relatives.bend(path).numpy(),
}
for name, values in bends.items():
    print(f"{name:38s}{mean(values)} times as long as the straight line")
own_bend, diffusion_bend, flow_bend = bends.values()
gain = difference(diffusion_bend, flow_bend)
print(f"in the same coordinates, diffusion minus flow matching: {gain}")
sdlab.claim(
    "Flow matching draws along straighter paths than diffusion",
    bool(gain.low > 0.01) or (None if gain.low > 0 else False),
    f"{mean(flow_bend)} against {mean(diffusion_bend)} straight lines, same coordinates",
    source="Liu et al. 2023",
)

# %% [markdown]
# The first line is much larger than the second, though it is about the same paths: in
# diffusion's own coordinates even a path that is straight in those of flow matching would look
# bent. If you read that flow matching has straighter paths than diffusion, ask in which
# coordinates they were measured. The last lines say what is left of the difference in the same
# coordinates. And no path is quite straight, because lines of training cross.
#
# What does this buy in pictures? Here are both, from the same noises, with 2, 4, 8 and 50 steps.

# %%
few = {}
for steps in (2, 4, 8, 50):
    denoise = sampling.denoiser(teacher, schedule, "v")
    levels = sampling.space_levels(schedule, steps)
    few["diffusion", steps] = sampling.last(sampling.ddim(denoise, schedule, noise, levels))
    x = sampling.last(relatives.follow(velocity, noise, steps)).clamp(-1, 1)
    few["flow matching", steps] = x
for (name, steps), x in few.items():
    print(f"{name:14s}{steps:3d} steps  {share(judge.recognise(x) < 60)} recognised")
names = [f"{name}, {steps}" for name, steps in few]
sdlab.tiles(torch.cat([x[:16] for x in few.values()]), columns=16, rows=names)

# %%
one, other = (judge.recognise(few[name, 50]) for name in ("diffusion", "flow matching"))
same = share((one == other) & (one < 60))
mixed = share((one == other.roll(1)) & (one < 60))
print(f"from the same noise, both networks make the same drawing in {same}")
print(f"from different noises in {mixed}")
in_four = difference(
    *(judge.recognise(few[n, 4]) < 60 for n in ("flow matching", "diffusion"))
)
print(f"recognised with four steps, flow matching minus diffusion: {in_four}")

# %% [markdown]
# In two steps, both draw mixtures. The line about four steps says which is ahead there, and
# whether it is clear (an interval that contains 0 is not). What flow matching certainly gives
# is a simpler recipe: one line instead of a schedule.
#
# Now compare the last rows of the two, column by column. Two networks that were trained apart
# often make the same drawing from the same noise, far more often than from different noises.
# The picture in the plane explains why: both have learned the same paths, in different
# coordinates.
#
# ## A relative: where does the path end?
#
# If only the end of the path matters, why walk along it? A *consistency model* (Song et al.
# 2023) predicts, at any point of a path, the picture where that path ends. It learns from a
# diffusion model that is already trained, its teacher. The teacher takes one small step without
# fresh noise, from $x_t$ to $x_s$. Both lie on one path, so both have the same end, and the
# student $f_\theta$ is trained to predict the same at both (Song, algorithm 2):
# $$L = \mathbb{E}\, \left\| f_\theta(x_t, t) - f_{\theta^-}(x_s, s) \right\|^2 .$$
# $f_{\theta^-}$ is a running average of the student itself. That alone could be solved by always
# predicting grey. So at the step nearest to the picture, the target is the teacher's own answer.
# From there the right answer spreads, step by step, to noisier levels.

# %%
student = copy.deepcopy(teacher).train()  # it begins as its teacher
memory = ddpm.Average(student, 0.95)
optimizer = Muon(groups(student), lr=1e-3)
denoise = sampling.denoiser(teacher, schedule, "v")
levels = sampling.space_levels(schedule, 16)
training = relatives.distil(
    student, memory, denoise, schedule, levels, pictures(), optimizer
)
steps = sum(1 for _ in sdlab.train_for(training, 50, optimizer))
print(f"{64 * steps:,} pictures in 50 s")

# %% [markdown]
# A student can draw in one *jump*, from pure noise to the end. It can also jump again. For that,
# fresh noise is added to its answer $\hat x_0$, to come back to a lower level $s$, and from
# there it jumps once more (Song, algorithm 1):
# $$x_s = \sqrt{\bar\alpha_s}\, \hat x_0 + \sqrt{1 - \bar\alpha_s}\, z, \qquad z \sim
# \mathcal{N}(0, I).$$
#
# ### Exercise 2 (10 minutes): find the errors
#
# A friend has written these jumps. They run, but something is left on the pictures. There are two
# errors. Find them and mend them; below you see what the code draws.


# %% tags=["stub"]
def jumps(denoise, x, levels):
    """From noise x to pictures, with one jump from each of the falling levels."""
    for level in levels:
        t = torch.full((len(x),), level)
        x0 = denoise(x, t)
        x = ddpm.q_sample(schedule, x0, t, torch.randn_like(x))
    return x


# %% tags=["solution"]
def jumps(denoise, x, levels):
    """From noise x to pictures, with one jump from each of the falling levels."""
    x0 = None
    for level in levels:
        t = torch.full((len(x),), level)
        if x0 is not None:
            x = ddpm.q_sample(schedule, x0, t, torch.randn_like(x))
        x0 = denoise(x, t)
    return x0


# %%
learned = sampling.denoiser(memory.model, schedule, "v")
four = [511, 383, 255, 127]
sdlab.tiles(jumps(learned, noise[:16], four), columns=16)

# %% tags=["hints"]
hints = [
    "Look at the last time round the loop: what is returned, and is there noise in it?",
    "When the network is told level 383, how much noise has x, and how much should it have?",
    "Add the noise before the guess, at the level of this guess, but not before the first one.",
]

# %%
with sdlab.exercise("Jumps", hints=hints):
    seen = []

    def half(x, t):  # a student whose every path ends at 0.5
        seen.append((x, int(t[0])))
        return torch.full_like(x, 0.5)

    end = jumps(half, torch.randn(20_000, 1), [511, 300, 100])
    told = [level for _, level in seen]
    assert told == [511, 300, 100], f"the levels should be 511, 300, 100, not {told}"
    assert torch.allclose(end, torch.tensor(0.5)), (
        "the student says 0.5 everywhere, and that should be the result, without noise"
    )
    for x, level in seen[1:]:
        size, noisy = schedule.abar[level].item() ** 0.5, 1 - schedule.abar[level].item()
        assert abs(x.var() - noisy) < 0.03, (
            f"at level {level} the noise's variance should be {noisy:.2f}, not {x.var():.2f}"
        )
        assert abs(x.mean() - 0.5 * size) < 0.03, (
            f"at level {level} the picture should have shrunk from 0.50 to {0.5 * size:.2f}"
        )

# %% [markdown]
# Now the student against its teacher. Both sample without fresh noise where they can (η = 0).
# Since a student needs fresh noise between two jumps, we also let the teacher jump in the same
# way.


# %%
def jumping(network, levels):
    """A sampler, count → pictures: jumps, with fresh noise between them."""
    denoise = sampling.denoiser(network, schedule, "v")

    def sample(count):
        noise = torch.randn(count, 3, 16, 16)
        return sampling.last(relatives.jump(denoise, schedule, noise, levels))

    return sample


ways = {
    "teacher, 1 step": (diffusing(teacher, 1), 1),
    "student, 1 jump": (jumping(memory.model, four[:1]), 1),
    "teacher, 4 steps": (diffusing(teacher, 4), 4),
    "teacher, 4 jumps": (jumping(teacher, four), 4),
    "student, 4 jumps": (jumping(memory.model, four), 4),
    "teacher, 50 steps": (diffusing(teacher, 50), 50),
}

# %%
print(HEAD)
few = {name: measured(name, *way) for name, way in ways.items()}
sdlab.tiles(torch.cat([x[:16] for x in few.values()]), columns=16, rows=few)

# %%
print_rows("diffusion", "consistency")
ahead = beats("recognised", rows["consistency, 1 jump"], rows["diffusion, 1 step"])
fifty, jumped = rows["diffusion, 50 steps"], rows["consistency, 4 jumps"]
behind = beats("frechet", fifty, jumped, larger=False)
print(f"on every seed one jump is recognised more often than one step: {ahead}")
print(
    f"on every seed fifty steps have the smaller Fréchet distance than four jumps: {behind}"
)
print(f"and take {np.mean(fifty['ms']) / np.mean(jumped['ms']):.0f} times as long")

# %% [markdown]
# In one step the teacher draws the mean of all drawings, a blot. What its student makes of one
# jump, after less than a minute of training, you see below it. With four evaluations, compare
# the student with the *better* of the teacher's two rows, and do not look at *recognised* alone.
# A student can be recognised more often than its teacher and still have lost something: *found*
# and the Fréchet distance say how much of the variety is left. The second table is the long
# race, in which the student had as much time as its teacher before it.
#
# ## What the newest models changed
#
# Stable Diffusion 1.5 and SDXL are U-Nets trained by diffusion on latents with four channels.
# Stable Diffusion 3 and 3.5 (Esser et al. 2024, arXiv:2403.03206) and FLUX.1 (Black Forest Labs
# 2024) have changed three things at once:
#
# | | SD 1.5, SDXL | SD 3.5, FLUX.1 |
# |---|---|---|
# | training | diffusion | flow matching, as above, with more weight on middle $t$ |
# | network | U-Net with cross-attention | transformer; picture and words in one sequence |
# | channels of the latents | 4 | 16 |
#
# **Sixteen channels.** A picture of 1024×1024 pixels becomes a grid of 128×128 in all of them.
# With 4 channels that is 48 times fewer numbers than in the picture, with 16 channels 12 times
# fewer. The autoencoder loses less, and the diffusion has more to learn. (Exercise 1 of
# notebook 12 shows, for PCA, how fast an autoencoder gets better with more numbers per patch.)
#
# **A transformer.** A *diffusion transformer* (DiT; Peebles & Xie 2023) has no convolutions and
# no levels of different size. The grid is cut into patches of 2×2 cells, each patch becomes a
# token, and in every block all tokens look at all others. The time $t$ scales and shifts what
# the block computes. This is the network in full:

# %%
Code(inspect.getsource(dit.Block) + "\n\n" + inspect.getsource(dit.DiT), language="python")

# %% [markdown]
# For pictures as small as ours, patches of 4×4 pixels did better in short trials, and so did a
# learning rate five times that of the U-Net, so we take both.
#
# > **Predict.** A small DiT and our U-Net have about as many parameters. Both train by flow
# > matching for the same time, here and now. Which one will be recognised more often?

# %%
small = dit.DiT(patch=4)
small_average = ddpm.Average(small, 0.998)
optimizer = Muon(groups(small), lr=1e-2)
training = relatives.train_flow_matching(small, pictures(), optimizer, small_average)
steps = sum(1 for _ in sdlab.train_for(training, SECONDS, optimizer))
sizes = [sum(p.numel() for p in net.parameters()) / 1e6 for net in (straight_unet, small)]
print(f"millions of parameters: U-Net {sizes[0]:.2f}, DiT {sizes[1]:.2f}")
print(f"the DiT saw {64 * steps:,} pictures in {SECONDS} s")


# %%
def following(network, steps):
    """A sampler, count → pictures: equal steps along the velocity."""
    velocity = relatives.velocity_of(network)

    def sample(count):
        noise = torch.randn(count, 3, 16, 16)
        return sampling.last(relatives.follow(velocity, noise, steps))

    return sample


print(HEAD)
both = {
    "U-Net, 25 steps": measured(
        "U-Net, 25 steps", following(straight_average.model, 25), 25
    ),
    "DiT, 25 steps": measured("DiT, 25 steps", following(small_average.model, 25), 25),
}
sdlab.tiles(torch.cat([x[:16] for x in both.values()]), columns=16, rows=both)

# %% [markdown]
# One short run is no answer. In the long race the DiT was one of the seven. It is called
# *transformer* in the table; *flow matching* is the U-Net with the same loss.

# %%
print_rows("flow matching", "transformer")
unet_row, dit_row = rows["flow matching, 50 steps"], rows["transformer, 50 steps"]
seen = [np.mean(row["pictures"]) for row in (unet_row, dit_row)]
print(f"pictures seen in the same time: U-Net {seen[0]:,.0f}, DiT {seen[1]:,.0f}")
worse = beats("recognised", unet_row, dit_row)
sdlab.claim(
    "A transformer can take the place of the U-Net",
    not worse,
    f"same time, recognised: DiT {spread(dit_row, 'recognised', '{:.0%}')}, "
    f"U-Net {spread(unet_row, 'recognised', '{:.0%}')}",
    source="Peebles & Xie 2023",
)

# %% [markdown]
# Read this with care. Convolutions know from the start that neighbouring pixels belong together
# and that a drawing may be shifted; a transformer has to learn it. With little data and little
# time that may decide. Peebles & Xie found that their transformers draw better than earlier U-Nets,
# at much larger sizes and after much longer training, and a toy like ours cannot contradict them.
# If you want to know which network is better *for you*, measure it at your size.
#
# ## What you learned
#
# - A VAE, a GAN, a flow and a diffusion model all turn noise into pictures. They differ in the
#   question that they are trained on, and each question has its own weakness.
# - A race is only fair if training time, averaging, the fall of the learning rates and the
#   counting are the same for all, and one seed is not enough.
# - Flow matching trains on straight lines. In the same coordinates, a perfect diffusion model
#   would draw along the same paths.
# - A consistency model predicts where a path ends. It needs a few evaluations instead of fifty,
#   and pays with variety.
# - Stable Diffusion 3.5 and FLUX train by flow matching, with transformers, on latents of 16
#   channels.
#
# ## Go further
#
# - Let the GAN train for five minutes and print `judge.coverage` on the way. Does it rise
#   steadily?
# - Choose the levels of the four jumps yourself. Which choice is clearly better than `four`, by
#   the `difference` on the same noises?
# - Give the student 32 levels instead of 16. Does one jump get better or worse?
# - *Rectified flow* trains flow matching a second time, on pairs of a noise and the drawing
#   that the first network made from it (Liu et al. 2023). Do the paths get straighter?
# - Esser et al. choose $t$ more often from the middle: `torch.sigmoid(torch.randn(n))`. Change
#   `relatives.train_flow_matching` that way and compare, over three seeds.
