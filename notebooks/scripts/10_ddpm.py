# %% [markdown]
# # 10 · DDPM from scratch
#
# Nothing pretrained draws in this notebook. You add noise to pictures, build a network that
# removes it, and train it here. After two and a half minutes of training it draws foxes, frogs
# and umbrellas from nothing but noise.
#
# **You will be able to** write the forward process and its closed form, derive the loss, read a
# U-Net with its time embedding and a training loop, sample in many small steps or few large ones,
# say what each term of a sampler is for, and test whether a network has learned its pictures by
# heart.
#
# | | on two CPU cores |
# |---|---|
# | time for this notebook | four minutes, two and a half of them training |
# | memory | 1 GB |
# | download | none |
#
# The source is Ho, Jain & Abbeel, *Denoising Diffusion Probabilistic Models* (2020,
# arXiv:2006.11239). "Ho, eq. 4" is equation 4 there. The code is short and uses torch alone. Most
# of it lies in the folder `sdlab/scratch`, and you will see all that matters of it, each function
# where it is explained. This shows it:

# %%
import inspect
import time
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from IPython.display import Code

import sdlab
from sdlab.display.intervals import difference, mean, share
from sdlab.scratch import ddpm, drawings, judge, sampling


def source(*functions):
    """The code of functions, as it stands in the package."""
    return Code("\n\n".join(map(inspect.getsource, functions)), language="python")


sdlab.use_style()
torch.manual_seed(0)
print(sdlab.describe("cpu"))  # small enough to train without a GPU

# %% [markdown]
# ## What is to be learned
#
# Twelve things, each drawn by five artists in their own style: sixty drawings of 16×16 pixels. A
# picture is a tensor of $3 \cdot 16 \cdot 16 = 768$ numbers between −1 and 1.

# %%
sheet = drawings.originals()  # (60, 3, 16, 16); drawing d shows thing d // 5 in style d % 5
by_style = sheet.unflatten(0, (12, 5)).transpose(0, 1).flatten(0, 1)
names = [name.replace(" ", "\n") for name in drawings.NAMES]
sdlab.tiles(by_style, columns=12, rows=drawings.STYLES, titles=names)

# %% [markdown]
# In the training pictures a drawing is shifted by up to a pixel in each direction, and half of
# them are mirrored. That makes $2 \cdot 3 \cdot 3 = 18$ pictures of each drawing, and $60 \cdot
# 18 = 1080$ in all.
#
# We do not show all of them to the network. *Five drawings* are kept from it altogether, one of
# each style. And from each of the other drawings *one height* is kept: the drawing is never shown
# at its upper, or its middle, or its lower position. At the end we look whether the network draws
# them all the same.

# %%
world = drawings.variants()  # (60, 18, 3, 16, 16)
hidden_height = torch.randint(3, (60, 1))
shown = torch.arange(18) % 3 != hidden_height  # (60, 18); place % 3 is the height
new_drawing = torch.zeros(60, 18, dtype=torch.bool)
new_drawing[5::11] = True  # drawings 5, 16, 27, 38 and 49
shown &= ~new_drawing
new_height = ~shown & ~new_drawing
pictures = world[shown]  # what the network learns from
print(f"{len(pictures)} pictures to learn from; kept from the network are")
print(
    f"{new_height.sum()} of known drawings at a new height, {new_drawing.sum()} of new drawings"
)

# %% [markdown]
# Beside them we keep a cloud of points in the plane. A point is a tensor of 2 numbers, and
# everything below works on it in the same way. What happens in 768 dimensions cannot be seen; in
# 2 it can.

# %%
turn = torch.linspace(0.1, 1, 300).sqrt()[:, None]  # (300, 1)
spiral = torch.cat([(13 * turn).cos(), (13 * turn).sin()], 1)
cloud = 2 * turn * spiral  # (300, 2)

# %% [markdown]
# ## The forward process: noise, step by step
#
# There are $T = 512$ steps. Step $t$ shrinks the picture a little and adds a little noise:
# $$x_t = \sqrt{1 - \beta_t}\, x_{t-1} + \sqrt{\beta_t}\, \varepsilon_t, \qquad \varepsilon_t \sim
# \mathcal{N}(0, I).$$
# Here $x_0$ is the picture, $x_t$ the picture after $t$ steps, $\varepsilon_t$ fresh noise of
# standard deviation 1 for every number, and $\beta_t$, between 0 and 1, the share of the variance
# that step $t$ replaces by noise (Ho, eq. 2). Our first *schedule*, the list of all $\beta_t$, is
# of the kind that they used: $\beta_t$ grows along a straight line.
#
# The code counts from 0, as Python does: `schedule.betas[0]` is $\beta_1$, and the noise levels
# are 0 … 511.

# %%
source(ddpm.add_noise_once, ddpm.at)

# %%
schedule = ddpm.linear(512, first=2e-4, last=0.04)
x, points = sheet[37:38], cloud
states = [(x, points)]
for level in range(schedule.steps):
    t = torch.tensor([level])
    x = ddpm.add_noise_once(schedule, x, t, torch.randn_like(x))
    points = ddpm.add_noise_once(schedule, points, t, torch.randn_like(points))
    states.append((x, points))

# %%
moments = (0, 32, 64, 128, 256, 512)
figure, axes = plt.subplots(2, len(moments), figsize=(9, 3.2), layout="constrained")
for (picture, dots), t, above, below in zip([states[t] for t in moments], moments, *axes):
    above.imshow((picture[0].permute(1, 2, 0).clamp(-1, 1) + 1) / 2)
    above.set_title(f"t = {t}")
    above.axis("off")
    below.scatter(*dots.T, s=2)
    below.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", xticks=[], yticks=[])

# %% [markdown]
# > **Predict.** Why $\sqrt{1 - \beta_t}$ and not the simpler $1 - \beta_t$? What would happen to
# > the size of the numbers?
#
# We try both on numbers of variance 1.

# %%
right = wrong = torch.randn(50_000)
for beta in schedule.betas.float():
    eps = torch.randn_like(right)
    right = (1 - beta).sqrt() * right + beta.sqrt() * eps
    wrong = (1 - beta) * wrong + beta.sqrt() * eps
print(f"variance after {schedule.steps} steps with the root:    {right.var():.2f}")
print(f"variance after {schedule.steps} steps without the root: {wrong.var():.2f}")

# %% [markdown]
# The variance of a sum of independent numbers is the sum of the variances. With the root it is
# $(1 - \beta_t) \cdot 1 + \beta_t = 1$ at every step. Without it the numbers shrink to the
# variance in the second line. Sampling starts from noise of variance 1, which a network trained
# that way would never have seen.
#
# ## All steps at once
#
# Put step 1 into step 2:
# $$x_2 = \sqrt{1-\beta_2}\sqrt{1-\beta_1}\, x_0 + \sqrt{1-\beta_2}\sqrt{\beta_1}\,
# \varepsilon_1 + \sqrt{\beta_2}\, \varepsilon_2.$$
# The two noises are independent and normal, so together they are one normal noise. Its variance
# is $(1-\beta_2)\beta_1 + \beta_2 = 1 - (1-\beta_1)(1-\beta_2)$. Let $\bar\alpha_t =
# (1-\beta_1)(1-\beta_2)\cdots(1-\beta_t)$; it is the share of the picture's variance that is
# left. Repeating the argument gives (Ho, eq. 4)
# $$x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \varepsilon, \qquad \varepsilon
# \sim \mathcal{N}(0, I).$$
# In code $\bar\alpha$ is `schedule.abar`, counted from 0 as well: `schedule.abar[99]` is
# $\bar\alpha_{100}$, after 100 steps. We check it on 50,000 copies of the number 1.

# %%
many = torch.ones(50_000)
chain = many
for level in range(100):
    noise = torch.randn_like(many)
    chain = ddpm.add_noise_once(schedule, chain, torch.tensor([level]), noise)
jump = ddpm.q_sample(schedule, many, torch.tensor([99]), torch.randn_like(many))
abar = schedule.abar[99]
for name, x in ("100 steps", chain), ("one jump", jump):
    print(f"{name:10s} mean {x.mean():.3f}, standard deviation {x.std():.3f}")
print(f"formula    mean {abar.sqrt():.3f}, standard deviation {(1 - abar).sqrt():.3f}")

# %% [markdown]
# This is what makes training fast. Every picture of a batch may have its own random $t$, and none
# has to wait for the levels before it.

# %%
batch, t = sheet[:32], torch.randint(512, (32,))
start = time.perf_counter()
for row, end in zip(batch.split(1), t):
    for level in range(end):
        noise = torch.randn_like(row)
        row = ddpm.add_noise_once(schedule, row, torch.tensor([level]), noise)
chained, start = time.perf_counter() - start, time.perf_counter()
ddpm.q_sample(schedule, batch, t, torch.randn_like(batch))
jumped = time.perf_counter() - start
print(
    f"32 pictures step by step: {1000 * chained:.0f} ms, in one jump: {1000 * jumped:.1f} ms"
)

# %% [markdown]
# ### Exercise 1 (5 minutes)
#
# The package has the closed form as `ddpm.q_sample`. Write it yourself, without looking. `abar`
# is the number $\bar\alpha_t$.


# %% tags=["stub"]
def jump_to(x0, eps, abar):
    """Clean data and noise → x_t."""
    return x0  # change this line


# %% tags=["solution"]
def jump_to(x0, eps, abar):
    """Clean data and noise → x_t."""
    return abar**0.5 * x0 + (1 - abar) ** 0.5 * eps


# %% tags=["hints"]
hints = [
    "A little picture and a little noise: each has a factor, and the variances must add up to "
    "1.",
    "The two variances are abar and 1 - abar. A factor is the root of a variance.",
    "abar**0.5 * x0 + (1 - abar)**0.5 * eps",
]

# %%
with sdlab.exercise("The closed form", hints=hints):
    x0, eps = torch.randn(2, 10_000)
    mine = jump_to(x0, eps, 0.3)
    assert not torch.equal(mine, x0), (
        "your answer is still x0: noise has to come in, and the picture has to shrink"
    )
    assert abs(mine.var() - 1) < 0.1, (
        "the variance is not 1: are both factors square roots?"
    )
    assert (jump_to(x0, eps, 1.0) - x0).abs().max() < 1e-5, (
        "at abar = 1 only the picture should be left: have picture and noise changed places?"
    )
    assert torch.allclose(mine, 0.3**0.5 * x0 + 0.7**0.5 * eps, atol=1e-5), (
        "size and places are right, but it is not eq. 4: look at the sign of the noise"
    )

# %%
source(ddpm.q_sample)

# %% [markdown]
# ## How fast should the noise come?
#
# The *signal-to-noise ratio* at level $t$ is $\bar\alpha_t / (1 - \bar\alpha_t)$: the variance of
# what is left of the picture, divided by the variance of the noise. A schedule decides how fast
# it falls. Nichol & Dhariwal (2021, eq. 17) let $\bar\alpha_t$ fall like a squared cosine.

# %%
schedules = {"linear": schedule, "cosine": ddpm.cosine(512)}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.6), layout="constrained")
for name, s in schedules.items():
    left.plot(s.abar, label=name)
    right.plot(s.snr, label=name)
    lost = (s.abar < 0.01).float().mean()
    print(f"{name}: at {lost:.0%} of the levels less than 1% of the variance is left")
left.set(xlabel="noise level t", ylabel="share of the picture's\nvariance left")
right.set(xlabel="noise level t", ylabel="signal-to-noise ratio", yscale="log")
_ = left.legend(frameon=False)

# %%
levels = torch.linspace(0, 511, 12).long()
copies, eps = sheet[37:38].expand(12, -1, -1, -1), torch.randn(1, 3, 16, 16)
rows = [ddpm.q_sample(s, copies, levels, eps) for s in schedules.values()]
above = [f"t = {t}" for t in levels.tolist()]
sdlab.tiles(torch.cat(rows), columns=12, rows=schedules, titles=above)

# %% [markdown]
# On a small picture the linear schedule is wasteful: at a large part of its levels there is
# almost nothing left to see, and so nothing to learn. From here on we take the cosine.
#
# ## The way back, and why in small steps
#
# Drawing is the way back: $x_T \to x_{T-1} \to \dots \to x_0$. But where did a given $x_t$ come
# from? We look at the smallest world there is. Its data are the two numbers −1 and 1, equally
# likely. By Bayes' rule, $q(x_{t-1} \mid x_t) \propto q(x_t \mid x_{t-1})\, q(x_{t-1})$, and here
# both factors can be written down. Suppose that $\bar\alpha_{t-1} = 0.8$, and that we hold $x_t =
# 0.3$ (the dashed line).

# %%
where = torch.linspace(-3, 3, 600)


def origin(beta, abar_before=0.8, xt=0.3):
    """The density of x_{t-1} on `where`, given x_t, when the data are −1 and 1."""
    variance = 1 - abar_before
    prior = sum(
        torch.exp(-((where - s * abar_before**0.5) ** 2) / (2 * variance)) for s in (-1, 1)
    )
    density = prior * torch.exp(-((xt - (1 - beta) ** 0.5 * where) ** 2) / (2 * beta))
    return density / density.sum() / (where[1] - where[0])


# %%
figure, axes = plt.subplots(1, 3, figsize=(9, 2.2), layout="constrained", sharex=True)
for axis, beta in zip(axes, (0.02, 0.3, 0.9)):
    density = origin(beta)
    middle = (density * where).sum() / density.sum()
    axis.fill_between(where, density, alpha=0.6)
    axis.axvline(0.3, color="C1", linestyle="--", linewidth=1)
    axis.plot(middle, 0, "k^", clip_on=False)
    axis.set(title=f"a step of β = {beta}", yticks=[], xlabel="$x_{t-1}$")
    at_mean = density[(where - middle).abs().argmin()] / density.max()
    print(f"β = {beta}: density at the mean (triangle) is {at_mean:.0%} of the highest")

# %% [markdown]
# After a small step the origin is one bump, nearly a normal distribution: a mean and a width
# describe it, and a network can predict a mean. After a large step there are two bumps, and their
# mean lies in the valley between them, where $x_{t-1}$ is seldom found. That is why DDPM goes
# back in many small steps.
#
# ## A step back, if the picture were known
#
# With $x_0$ known, Bayes' rule gives a normal distribution exactly. Multiply the two densities
# $q(x_t \mid x_{t-1})$ and $q(x_{t-1} \mid x_0)$. The exponents add up to
# $$-\tfrac12 \left[ \frac{(x_t - \sqrt{1-\beta_t}\,x_{t-1})^2}{\beta_t} + \frac{(x_{t-1} -
# \sqrt{\bar\alpha_{t-1}}\,x_0)^2}{1-\bar\alpha_{t-1}} \right].$$
# In the bracket, $x_{t-1}^2$ has the coefficient $\frac{1-\beta_t}{\beta_t} +
# \frac{1}{1-\bar\alpha_{t-1}} = \frac{1-\bar\alpha_t}{\beta_t(1-\bar\alpha_{t-1})}$, and
# $-2x_{t-1}$ has $\frac{\sqrt{1-\beta_t}}{\beta_t} x_t +
# \frac{\sqrt{\bar\alpha_{t-1}}}{1-\bar\alpha_{t-1}} x_0$. In a normal density with mean $\mu$ and
# variance $\sigma^2$ these two are $1/\sigma^2$ and $\mu/\sigma^2$. So (Ho, eq. 6 and 7)
# $$q(x_{t-1} \mid x_t, x_0) = \mathcal{N}(\tilde\mu_t, \tilde\beta_t I), \qquad \tilde\mu_t =
# \frac{\sqrt{\bar\alpha_{t-1}}\,\beta_t}{1-\bar\alpha_t} x_0 +
# \frac{\sqrt{1-\beta_t}\,(1-\bar\alpha_{t-1})}{1-\bar\alpha_t} x_t, \qquad
# \tilde\beta_t = \frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\beta_t.$$

# %%
source(ddpm.posterior)

# %% [markdown]
# We check by trying: run many points forward from $x_0 = 1$, keep those that happen to pass near
# $x_t = 0.5$, and see where they were one step earlier.

# %%
schedule = ddpm.cosine(512)
one, t = torch.ones(2_000_000), torch.tensor([200])
before = ddpm.q_sample(schedule, one, t - 1, torch.randn_like(one))
after = ddpm.add_noise_once(schedule, before, t, torch.randn_like(one))
passed = before[(after - 0.5).abs() < 0.002]
mu, variance = ddpm.posterior(schedule, torch.ones(1), torch.tensor([0.5]), t)
tried = f"mean {passed.mean():.3f}, standard deviation {passed.std():.4f}"
print(f"tried:   {tried}  ({len(passed)} points)")
print(f"formula: mean {mu.item():.3f}, standard deviation {variance.sqrt().item():.4f}")

# %% [markdown]
# ## The loss, in five steps
#
# 1. When we draw, $x_0$ is what we do not know. So a network guesses it, and its guess takes the
#    place of $x_0$ in $\tilde\mu_t$.
# 2. Good weights $\theta$ make the data likely: $-\log p_\theta(x_0)$ should be small. It cannot
#    be computed, but Ho et al. bound it from above by a sum with one term per step (Ho, eq. 5);
#    if the sum is small, so is what lies below it. The term of step $t$ is the *Kullback–Leibler
#    divergence* $\mathrm{KL}(q(x_{t-1} \mid x_t, x_0) \,\|\, p_\theta(x_{t-1} \mid x_t))$ between
#    the true step back and the network's. It measures how far apart two distributions are:
#    $\mathrm{KL}(q \,\|\, p) = \mathbb{E}_q[\log q - \log p]$, where $\mathbb{E}_q$ is the mean
#    over samples of $q$. It is 0 only if they are equal.
# 3. Both are normal with the same variance $\tilde\beta_t$, and for those it is the squared
#    difference of the means, divided by $2\tilde\beta_t$ (Ho, eq. 8).
# 4. The two means differ only in that one contains $x_0$ and the other the guess. And since
#    $x_0 = (x_t - \sqrt{1-\bar\alpha_t}\,\varepsilon)/\sqrt{\bar\alpha_t}$, a guess
#    $\varepsilon_\theta$ of the noise $\varepsilon$ is a guess of $x_0$. So each term is a number
#    that depends on $t$ times $\|\varepsilon - \varepsilon_\theta(x_t, t)\|^2$.
# 5. In their schedule that number is largest at the lowest noise. Ho et al. drop it, which gives
#    the noisy levels more weight, and found that the pictures become better. With a random $t$,
#    what is left is (Ho, eq. 14)
#
# $$L = \mathbb{E}_{t,\, x_0,\, \varepsilon}\, \left\|\varepsilon - \varepsilon_\theta(x_t,
# t)\right\|^2 ,$$
# where $\mathbb{E}$ is the mean over random $t$, pictures and noises. (In code we take the mean
# over the 768 numbers as well.)


# %%
def loss(model, schedule, x0):
    t = torch.randint(schedule.steps, (len(x0),))
    eps = torch.randn_like(x0)
    xt = ddpm.q_sample(schedule, x0, t, eps)
    return (model(xt, t) - eps).square().mean()


def zero(xt, t):
    """A network that always answers: there is no noise."""
    return torch.zeros_like(xt)


print(f"loss of a network that always answers 0: {loss(zero, schedule, sheet):.2f}")

# %% [markdown]
# ### What to ask for
#
# Noise, picture, or something between? At high noise, $x_t$ *is* almost the noise: predicting it
# teaches the network nothing. At low noise, the same holds for the picture. Salimans & Ho (2022,
# appendix D) ask for
# $$v = \sqrt{\bar\alpha_t}\, \varepsilon - \sqrt{1-\bar\alpha_t}\, x_0,$$
# which is given at no level: at high noise it is almost $-x_0$, at low noise almost
# $\varepsilon$. And an error in $v$ never becomes larger when $x_0$ is computed from it. They
# call $v$ the *velocity*: write $\sqrt{\bar\alpha_t} = \cos\delta$ and $\sqrt{1-\bar\alpha_t} =
# \sin\delta$, so that $x_t = \cos\delta\, x_0 + \sin\delta\, \varepsilon$ moves along an arc from
# the picture to the noise; then $v$ is the derivative of $x_t$ with respect to the angle
# $\delta$. The pocket model of this course was trained on $v$, and so is this one.
#
# ### Exercise 2 (10 minutes)
#
# A sampler needs the picture. Which $x_0$ belongs to a given $x_t$ and $v$? You have two
# equations, for $x_t$ and for $v$, with two unknowns, $x_0$ and $\varepsilon$.


# %% tags=["stub"]
def picture_from(v, xt, abar):
    """The x0 that belongs to a velocity v at x_t; `abar` is a number."""
    return xt  # change this line


# %% tags=["solution"]
def picture_from(v, xt, abar):
    """The x0 that belongs to a velocity v at x_t; `abar` is a number."""
    return abar**0.5 * xt - (1 - abar) ** 0.5 * v


# %% tags=["hints"]
hints = [
    "You have two equations and two unknowns: get rid of the noise.",
    "Multiply each equation by a number so that the noise has the same factor in both, and "
    "subtract.",
    "What stands before x0 then is abar + (1 - abar), which is 1: abar**0.5 * xt minus another "
    "root times v.",
]

# %%
with sdlab.exercise("From velocity to picture", hints=hints):
    for level in (100, 250, 400):
        t = torch.tensor([level])
        eps = torch.randn_like(sheet[:1])
        xt = ddpm.q_sample(schedule, sheet[:1], t, eps)
        v = ddpm.target("v", schedule, sheet[:1], eps, t)
        mine = picture_from(v, xt, schedule.abar[level].item())
        far = (mine - sheet[:1]).abs().max()
        assert far < 1e-4, (
            f"at level {level} your picture is off by {far:.2f}: is any noise left in it?"
        )

# %% [markdown]
# ## The network
#
# This *U-Net* sees the picture at three sizes. On the way down it halves the grid twice, on the
# way up it doubles it twice. At each size the way down also passes its results directly to the
# way up (*skip connections*; `handed_across` in the code). They are what makes it a U, and they
# carry the fine detail that the small grid in the middle cannot hold.

# %%
from sdlab.scratch.muon import Muon, groups
from sdlab.scratch.unet import Block, UNet, time_embedding

source(UNet.forward)

# %% [markdown]
# One set of weights serves all 512 levels, so the network has to be told at which level it is.
# The number $t$ enters every block as a vector of sines and cosines, $(\sin(\omega_i t),
# \cos(\omega_i t))$ with $\omega_i = 10000^{-i/n}$ for $i = 0 \dots n-1$: fast waves tell
# neighbouring levels apart, slow ones tell early from late. A block is two convolutions; between
# them the vector scales and shifts each channel.

# %%
source(time_embedding, Block.forward)

# %%
embedding = time_embedding(torch.arange(512), 32)  # (512, 32)
figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained")
axis.imshow(embedding, aspect="auto", cmap="RdBu", interpolation="nearest")
axis.set(xlabel="entry of the vector (16 sines, then 16 cosines)", ylabel="noise level t")
model = UNet(channels=3, widths=(32, 96, 128))  # channels at full, half and quarter size
model.to(memory_format=torch.channels_last)  # an order in which CPUs convolve faster
print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} million parameters")

# %% [markdown]
# ## Train
#
# Here is the whole training. A step takes 64 pictures, gives each a random level and noise, and
# moves the weights against the gradient.

# %%
source(ddpm.losses, ddpm.train)

# %% [markdown]
# The optimizer is *Muon*, a recent one for weight matrices: it changes all directions of a matrix
# by the same amount, not only those in which the gradient is large. (You could use Adam instead.)
# For sampling we keep a running average of the weights, because it usually draws better than the
# weights of any single step (Ho, appendix B, keeps one as well). `sdlab.watch` runs `ddpm.train`
# for a number of seconds and shows how it goes: the loss, and below it twelve pictures, drawn
# from the same twelve noises each time. How they are drawn comes next.
#
# > **Predict.** At which noise levels will the loss fall least: at the high ones, where the
# > picture is hidden, or at the low ones?


# %%
def batches(size=64):
    while True:
        yield pictures[torch.randint(len(pictures), (size,))]


average = ddpm.Average(model, decay=0.998)  # each step changes it by 0.2%
optimizer = Muon(groups(model), lr=2e-3)
training = ddpm.train(model, batches(), schedule, optimizer, "v", average)
denoise = sampling.denoiser(average.model, schedule, "v")  # (x_t, t) → the guess of x_0

# %% tags=["cover"]
noise = torch.randn(12, 3, 16, 16)
few = sampling.space_levels(schedule, 25)  # 25 levels, evenly spaced, from 511 down
history = sdlab.watch(
    training, 140, schedule.steps, optimizer,
    lambda: sampling.last(sampling.ddim(denoise, schedule, noise, few)),
)  # fmt: skip

# %%
first, final = history.by_level[0], history.by_level[-1]  # 16 groups of levels each
begin, falls = history.looked[0], {}
for name, bins in ("low", slice(5)), ("middle", slice(5, 11)), ("high", slice(11, 16)):
    a, b = first[bins].mean(), final[bins].mean()
    falls[name] = a / b
    print(f"{name:7s}noise: loss {a:.2f} in the first {begin:.0f} s, {b:.2f} at the end")
least = min(falls, key=falls.get)
print(f"it fell least at {least} noise: by a factor of {falls[least]:.1f}")
print(f"{len(history.losses)} steps, {64 * len(history.losses):,} pictures")

# %% [markdown]
# Why are the levels so different? At high noise nobody can know which of the drawings is hidden,
# and the best answer is the mean of all that it could be. In the middle the network can find out.
# At low noise, $v$ is almost the noise itself, a faint grain on a nearly finished picture. To see
# the grain, the network would have to know the exact value of every pixel.
#
# ## Draw
#
# Ho's algorithm 2: start from noise; at every level guess the picture, take the mean
# $\tilde\mu_t$, and add noise of standard deviation $\sqrt{\tilde\beta_t}$. At the last step no
# noise is added. `denoise` turns the network's $v$ into a guess of $x_0$ (your formula of
# exercise 2), and clamps it to −1…1, where pictures lie.

# %%
source(sampling.ancestral)

# %% [markdown]
# In the upper row you see what the sampler holds at a level, in the lower row what the network
# guesses there.

# %%
generator = torch.Generator().manual_seed(1)
x = torch.randn(8, 3, 16, 16, generator=generator)
steps = list(sampling.ancestral(denoise, schedule, x, generator=generator))
marks = [510, 500, 480, 460, 440, 420, 400, 350, 300, 200, 100, 0]  # levels
held = torch.cat([steps[510 - level][:1] for level in marks])
guessed = torch.cat([denoise(x[None], torch.tensor([t])) for x, t in zip(held, marks)])
titles = [f"t = {level}" for level in marks]
rows = ["held", "guessed"]
sdlab.tiles(torch.cat([held, guessed]), columns=12, rows=rows, titles=titles)

# %% [markdown]
# First the guess is a pale spot, the mean of many drawings. It takes shape and colour while the
# picture above is still noise to our eyes. Here are all eight.

# %%
sdlab.tiles(steps[-1], columns=8)

# %% [markdown]
# ## How good are they?
#
# A *judge* that comes with the course, a small network trained on true pictures and on spoilt
# ones, says which of the sixty drawings a picture shows, or none. A share of pictures is an
# estimate; in brackets stands the interval that holds the true share in 95 of 100 such
# experiments. The *Fréchet distance* compares two sets of pictures by mean $m$ and covariance $C$
# of the judge's *features*, the 64 numbers in its last layer but one: $\|m_1 - m_2\|^2 +
# \mathrm{tr}(C_1 + C_2 - 2(C_1 C_2)^{1/2})$ (Heusel et al. 2017; tr is the sum of the diagonal).
# It is small only if the samples are both good and varied. To save time we draw them with 64 of
# the 512 levels; how that works comes below.

# %%
pick = torch.Generator().manual_seed(5)
real, more = (pictures[torch.randint(len(pictures), (512,), generator=pick)] for _ in "ab")
noise = torch.randn(256, 3, 16, 16, generator=generator)
levels = sampling.space_levels(schedule, 64)
ours = sampling.ddim(denoise, schedule, noise, levels, eta=1.0, generator=generator)
ours = sampling.last(ours)


def recognised(x):
    """In which pictures the judge sees one of the sixty drawings."""
    return judge.recognise(x) < 60


# %%
for name, x in ("true pictures", more), ("our samples", ours), ("noise", noise):
    found = f"recognised {share(recognised(x))!s:15s} {judge.coverage(x):2d} drawings"
    print(f"{name:14s}{found}, Fréchet distance {judge.frechet(x, real):4.0f}")
sdlab.tiles(ours[:64], columns=16)

# %% [markdown]
# The true pictures do not have the distance 0, because two finite samples of the same pictures
# are never exactly alike. Their number is the floor, and it depends on how many pictures one
# compares.
#
# ## What is the noise for?
#
# The sampler adds noise at every step, only to take it away again. We leave it out, and start
# from the same noises.
#
# > **Predict.** Will the drawings be cleaner without it?

# %%
x = torch.randn(24, 3, 16, 16, generator=generator)
with_noise = sampling.last(sampling.ancestral(denoise, schedule, x, generator=generator))
without = sampling.last(sampling.ancestral(denoise, schedule, x, noise=False))


def spread(x):
    """The mean distance between two pictures, in standard deviations per number."""
    return torch.pdist(x.flatten(1)).mean().item() / 768**0.5


named = {"with noise": with_noise, "without": without, "true pictures": real[:24]}
for name, x in named.items():
    found = f"{share(recognised(x))!s:15s} {judge.coverage(x):2d} different drawings"
    print(f"{name:14s}recognised {found}, spread {spread(x):.2f}")
sdlab.tiles(torch.cat([with_noise[:12], without[:12]]), columns=12, rows=list(named)[:2])

# %% [markdown]
# The shares say whether they are cleaner. But such drawings are worthless: without noise the
# spread is nearly 0, because every start ends in the same picture. Why? In the formula of
# $\tilde\mu_t$, what the sampler holds, $x_t$, is multiplied by a factor below 1, and the guess
# is added. At high noise the guess is nearly the same for all. So the start is forgotten before
# it can influence the picture. How fast?

# %%
beta, abar, before = schedule.betas, schedule.abar, schedule.abar_before
factor = (1 - beta).sqrt() * (1 - before) / (1 - abar)  # of x_t in the mean, (512,)
left = factor.flip(0).cumprod(0)
for count in (1, 10, 50, 100):
    print(f"{left[count - 1]:.3%} of the start is left after the first {count} steps back")
print(
    "betas, from the last one down:", [round(beta[-n].item(), 3) for n in (1, 10, 50, 100)]
)

# %% [markdown]
# Most is lost in the first few steps, because the last betas of the cosine are close to 1: those
# steps replace almost everything. Fresh noise takes the place of what is forgotten. It keeps
# $x_t$ as noisy as the network expects it at that level, and it is what decides, step by step,
# which picture comes.
#
# ## Few large steps
#
# 512 evaluations of the network for one picture is a lot. DDIM (Song et al. 2021, eq. 12) may
# skip levels, and go from $t$ to any earlier level $s$. From the guess $\hat x_0$ follows a guess
# of the noise, $\hat\varepsilon = (x_t - \sqrt{\bar\alpha_t}\,\hat x_0)/\sqrt{1-\bar\alpha_t}$.
# Then
# $$x_s = \underbrace{\sqrt{\bar\alpha_s}\,\hat x_0}_{\text{the picture, as large as it is at }
# s} + \underbrace{\sqrt{1-\bar\alpha_s-\sigma_t^2}\;\hat\varepsilon}_{\text{the noise we had, in
# the same direction}} + \underbrace{\sigma_t z}_{\text{fresh noise}}, \qquad z \sim \mathcal{N}(0,
# I).$$
# The variances of the two noises add up to $1 - \bar\alpha_s$, as much as there must be at level
# $s$. How they share it is our choice: with $\sigma_t = 0$ there is no fresh noise, and with
# $\sigma_t^2 = \frac{1-\bar\alpha_s}{1-\bar\alpha_t}\left(1 -
# \frac{\bar\alpha_t}{\bar\alpha_s}\right)$ there is as much as in DDPM. One multiplies this
# $\sigma_t$ by a number $\eta$ from 0 to 1.
#
# ### Exercise 3 (10 minutes): find the error
#
# A friend has written the step, without looking at ours. It runs, but the pictures come out
# grainy. Find the error, and mend it; below the step you see what it draws.


# %% tags=["stub"]
def ddim_step(x0, xt, abar_t, abar_s, sigma, z):
    """From x_t to x_s: x0 is the network's guess, z fresh noise; the rest are numbers."""
    eps = (xt - abar_t**0.5 * x0) / (1 - abar_t) ** 0.5
    return abar_s**0.5 * x0 + (1 - abar_t - sigma**2) ** 0.5 * eps + sigma * z


# %% tags=["solution"]
def ddim_step(x0, xt, abar_t, abar_s, sigma, z):
    """From x_t to x_s: x0 is the network's guess, z fresh noise; the rest are numbers."""
    eps = (xt - abar_t**0.5 * x0) / (1 - abar_t) ** 0.5
    return abar_s**0.5 * x0 + (1 - abar_s - sigma**2) ** 0.5 * eps + sigma * z


# %%
x = noise[:16]
for t, s in pairwise([*sampling.space_levels(schedule, 16), None]):
    abar_t, abar_s = schedule.abar[t].item(), 1.0 if s is None else schedule.abar[s].item()
    x0 = denoise(x, torch.full((16,), t))
    x = ddim_step(x0, x, abar_t, abar_s, sigma=0.0, z=torch.zeros_like(x))
sdlab.tiles(x[:12], columns=12)

# %% tags=["hints"]
hints = [
    "Look at the very last step. There abar_s is 1 and sigma is 0. What should be left of each "
    "term?",
    "How much noise must x_s have, and how much does the code leave in it?",
    "One of the levels in the second term is the wrong one: the noise that is left belongs to "
    "s, not to t.",
]

# %%
with sdlab.exercise("One DDIM step", hints=hints):
    x0, eps, z = torch.randn(3, 100_000)
    xt = 0.2**0.5 * x0 + 0.8**0.5 * eps
    assert torch.allclose(ddim_step(x0, xt, 0.2, 1.0, 0.0, z), x0, atol=1e-4), (
        "at the last step only the guess x0 should be left, and there is still noise"
    )
    mine = ddim_step(x0, xt, 0.2, 0.6, 0.3, z)
    assert abs((mine - 0.6**0.5 * x0).var() - 0.4) < 0.02, (
        "at a level where abar is 0.6, the noise must have the variance 0.4 in all"
    )
    fresh = (mine * z).mean()
    assert abs(fresh - 0.3) < 0.02, "the fresh noise z should come in sigma times"
    wanted = 0.6**0.5 * x0 + 0.31**0.5 * eps + 0.3 * z
    assert torch.allclose(mine, wanted, atol=1e-4), (
        "the amounts are right, but the old noise must keep its direction: look at the signs"
    )

# %%
source(sampling.ddim)

# %% [markdown]
# How few steps are enough? And does the fresh noise help? We draw from the same 192 noises each
# time.
#
# > **Predict.** With how many steps, 4, 8 or 16, does DDIM reach three quarters of what it
# > reaches with 64?

# %%
counts, right = (4, 8, 16, 64), {}
for eta in (0.0, 1.0):
    for count in counts:
        levels = sampling.space_levels(schedule, count)
        drawn = sampling.ddim(denoise, schedule, noise[:192], levels, eta, generator)
        right[eta, count] = recognised(sampling.last(drawn)).numpy()
shares = {eta: [share(right[eta, count]) for count in counts] for eta in (0.0, 1.0)}
for count, a, b in zip(counts, *shares.values()):
    more = difference(right[1.0, count], right[0.0, count])
    print(
        f"{count:2d} steps: {a!s:13s} with η = 0, {b!s:13s} with η = 1, difference {more}"
    )
enough = [n for n, a in zip(counts, shares[0.0]) if a.value >= 0.75 * shares[0.0][-1].value]
print(f"with η = 0, {enough[0]} steps reach three quarters of what 64 steps reach")
clear = [n for n in counts if difference(right[1.0, n], right[0.0, n]).is_clear]
print("the fresh noise makes a clear difference at", clear or "none", "steps")

# %%
figure, axis = plt.subplots(figsize=(5, 2.6), layout="constrained")
for (eta, found), marker in zip(shares.items(), "os"):
    values = torch.tensor(
        [[s.value, s.value - s.low, s.high - s.value] for s in found]
    ).T.clamp(min=0)
    axis.errorbar(
        counts, values[0], values[1:], marker=marker, capsize=3, label=f"η = {eta:g}"
    )
axis.legend(frameon=False)
axis.set_xscale("log", base=2)
axis.set_xticks(counts, counts)
_ = axis.set(xlabel="steps", ylabel="share recognised", ylim=(0, 1))

# %% [markdown]
# So a small part of the 512 steps does most of the work. Does the fresh noise help? Where the
# interval of a difference contains 0, chance alone could have made it; the last line names the
# numbers of steps where it does not. One reason why noise may help is that a step with a fresh
# guess can mend an error of an earlier one, which without noise is carried to the end. We have
# not tested that.
#
# ## Did it learn its pictures by heart?
#
# The network has seen every training picture many times. It could simply have stored them.
#
# > **Predict.** Will it draw a known drawing at the height that was kept from it? And one of the
# > five drawings that were kept from it altogether?
#
# First we look at some samples (upper row), each above the training picture that is nearest to
# it.

# %%
every = world.flatten(0, 1)  # (1080, 3, 16, 16)
good = ours[recognised(ours)] if recognised(ours).any() else ours
apart = torch.cdist(good.flatten(1), every.flatten(1)) / 768**0.5  # (samples, 1080)
to_shown = apart.masked_fill(~shown.flatten(), torch.inf)
pairs = torch.cat([good[:14], every[to_shown[:14].argmin(1)]])
sdlab.tiles(pairs, columns=14, rows=["sample", "nearest"])

# %% [markdown]
# Now we count. To which of all 1080 pictures is a sample nearest: to one that was shown, or to
# one that was kept from the network? A network that had only stored its pictures would never draw
# a known drawing at its new height; one to which all heights are equal would do so in a third of
# the cases.

# %%
kinds = {
    "shown": shown,
    "known drawing, new height": new_height,
    "new drawing": new_drawing,
}
nearest = apart.argmin(1)
for name, kind in kinds.items():
    found = share(kind.flatten()[nearest].numpy())
    print(f"{name:26s}{kind.float().mean():4.0%} of the world, {found} of the samples")
neighbours = torch.cdist(every.flatten(1), every.flatten(1)).fill_diagonal_(torch.inf)
between = neighbours.min(1).values.median() / 768**0.5
print(f"distance of a sample to the nearest picture: {apart.min(1).values.median():.2f}")
print(f"distance of a true picture to the nearest other one: {between:.2f}")

# %% [markdown]
# The second test asks how well it *denoises* pictures that it has or has not seen. A network that
# had only stored its pictures would do much worse on others. All pictures get the same noises
# here, at four levels. We take the mean error of each drawing, and compare.

# %%
errors = []
for level in (150, 250, 350, 420):
    eps, t = torch.randn(1, 3, 16, 16, generator=generator), torch.full((1080,), level)
    guess = denoise(ddpm.q_sample(schedule, every, t, eps.expand_as(every)), t)
    errors.append((guess - every).square().mean((1, 2, 3)))
error = torch.stack(errors).mean(0).unflatten(0, shown.shape)  # (60, 18)
by_kind = {}
for name, kind in kinds.items():
    of_drawings = error.where(kind, torch.nan).nanmean(1)  # (60,), nan where there are none
    by_kind[name] = of_drawings[kind.any(1)].numpy()
    print(f"{name:26s}mean squared error {mean(by_kind[name])}")
more = difference(by_kind["known drawing, new height"], by_kind["shown"])
print(f"a new height instead of a shown one, for each of the 55 drawings: {more} more")

# %% [markdown]
# So there are two answers. At *new heights* the network does draw, but less often than if it had
# understood that every drawing may stand at any height (and some of these samples may only be
# blurred pictures between two heights). The errors agree: at new heights they are a little
# higher. That difference is what it has learned by heart. *New drawings* are another matter:
# hardly any sample is nearest to one, and on them the errors are highest (there are only five, so
# the interval is wide). We see no sign that it could invent a sixth fox.
#
# Keep this in mind when you read *recognised* in this course: it says that a picture looks like
# one of the drawings of the training set, and nothing about new ones.
#
# ## Seen from above
#
# In the plane the whole story fits into one picture. For the cloud we need no network: the best
# possible guess of $x_0$ is the mean of all its points, each weighted by how likely it became
# this $x_t$. An arrow shows the direction from a place to the guess that is made there, at the
# level that the title names; 400 points start as noise and follow the guesses by DDIM.

# %%
guess = sampling.ideal_denoiser(cloud, schedule)
levels = sampling.space_levels(schedule, 36)
mesh = torch.cartesian_prod(*[torch.linspace(-2.4, 2.4, 17)] * 2)  # (289, 2)
dots = torch.randn(400, 2, generator=generator)
frames = [dots, *sampling.ddim(guess, schedule, dots, levels)]
aims = [guess(mesh, torch.full((289,), t)) for t in levels]  # what is guessed at each place
for i in (0, 8, 16, 24, 32):
    print(
        f"t = {levels[i]}: guesses have a standard deviation of {aims[i].std(0).mean():.2f}"
    )


def paint(axis, i):
    way = aims[min(i, 35)] - mesh
    axis.quiver(
        *mesh.T, *(way / way.norm(dim=1, keepdim=True)).T, color="#9aa5b1", scale=26
    )
    axis.scatter(*frames[i].T, s=4, color="C0")
    axis.set(xlim=(-2.4, 2.4), ylim=(-2.4, 2.4), aspect="equal", xticks=[], yticks=[])
    axis.set_title(f"t = {levels[i]}" if i < 36 else "the end")


sdlab.animate(paint, range(37))

# %% [markdown]
# At first all arrows point to the middle: from noise, the best guess is the mean of everything,
# and it is nearly the same wherever one stands. Only later do the guesses spread, and every arrow
# points to the nearest turn of the spiral. The network does the same in 768 dimensions, where
# instead of a spiral there are foxes and frogs.
#
# ## What you learned
#
# - Noise can be added in one jump, so every picture of a batch can be trained at its own level.
# - The network only learns to guess the noise in a noisy picture, or the picture, or $v$; from
#   one of them the others follow.
# - A sampler repeats two moves: guess the picture, and go back to a slightly lower noise level.
#   Each step must leave exactly the noise that the next level expects.
# - With DDIM, a few steps do most of the work of 512.
# - Whether a network has learned by heart can be tested: keep something from it, and look whether
#   it draws that.
#
# ## Go further
#
# - Train on pictures of your own: `pictures` may be any tensor (n, 3, 16, 16) of numbers in −1…1.
# - Train on `"eps"` instead of `"v"` (in `ddpm.train` and in `sampling.denoiser`), and compare
#   the loss by level and the samples.
# - Train with `ddpm.linear(512, 2e-4, 0.04)`: how many of the drawings are recognised after the
#   same training time?
# - Train on ten pictures only. Does the error on the other pictures show that these ten were
#   learned by heart?
# - The next notebook tells the network what to draw.
