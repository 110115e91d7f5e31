# %% [markdown]
# # 10 · DDPM from scratch
#
# Nothing is loaded in this notebook. You add noise to pictures, build a network that takes it away, train it here and now, and two and a half
# minutes later it draws foxes, frogs and umbrellas out of nothing but noise.
#
# **You will be able to** write the forward process and its closed form, derive the loss, read a U-Net with its time embedding, train it,
# sample in many small steps or few large ones, and say what each term of a sampler is for.
#
# | | on two CPU cores |
# |---|---|
# | time for this notebook | four minutes, two and a half of them training |
# | memory | 1 GB |
# | download | none |
#
# The source is Ho, Jain & Abbeel, *Denoising Diffusion Probabilistic Models* (2020, arXiv:2006.11239). "Ho, eq. 4" is equation 4 there.

# %%
import matplotlib.pyplot as plt
import torch

import sdlab
from sdlab.scratch import ddpm, drawings, judge, sampling

sdlab.use_style()
torch.manual_seed(0)
print(sdlab.describe("cpu"))  # small enough to train without a GPU

# %% [markdown]
# ## What is to be learned
#
# Twelve things, each drawn by five artists: sixty drawings of 16×16 pixels. A training picture is one of them, shifted by up to a pixel and
# perhaps mirrored. A picture is a tensor of $3 \cdot 16 \cdot 16 = 768$ numbers between −1 and 1.

# %%
sheet = drawings.originals()  # (60, 3, 16, 16)
sdlab.tiles(sheet, columns=20)

# %% [markdown]
# Beside them we keep a cloud of points in the plane. A point is a tensor of 2 numbers, and everything below works on it just the same. What
# happens in 768 dimensions cannot be seen; in 2 it can.

# %%
turn = torch.linspace(0.12, 1, 300).sqrt()[:, None]  # (300, 1)
cloud = 1.7 * turn * torch.cat([(9 * turn).cos(), (9 * turn).sin()], 1)  # (300, 2)

# %% [markdown]
# ## The forward process: noise, step by step
#
# There are $T = 512$ steps. Step $t$ shrinks the picture a little and adds a little noise:
# $$x_t = \sqrt{1 - \beta_t}\, x_{t-1} + \sqrt{\beta_t}\, \varepsilon_t, \qquad \varepsilon_t \sim \mathcal{N}(0, I).$$
# Here $x_0$ is the picture, $x_t$ the picture after $t$ steps, $\varepsilon_t$ fresh noise of deviation 1 for every number, and $\beta_t$, between 0
# and 1, the share of the variance that step $t$ renews (Ho, eq. 2). The first schedule we take is theirs, a straight line.

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
shown = (0, 32, 64, 128, 256, 512)
figure, axes = plt.subplots(2, len(shown), figsize=(9, 3.2), layout="constrained")
for (picture, dots), t, above, below in zip([states[t] for t in shown], shown, *axes):
    above.imshow((picture[0].permute(1, 2, 0).clamp(-1, 1) + 1) / 2)
    above.set_title(f"t = {t}")
    above.axis("off")
    below.scatter(*dots.T, s=2)
    below.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", xticks=[], yticks=[])

# %% [markdown]
# > **Predict.** Why $\sqrt{1 - \beta_t}$ and not the simpler $1 - \beta_t$? What would become of the size of the numbers?
#
# One often meets the second form in tutorials. We try both on numbers of variance 1.

# %%
right = wrong = torch.randn(50_000)
for beta in schedule.betas.float():
    eps = torch.randn_like(right)
    right = (1 - beta).sqrt() * right + beta.sqrt() * eps
    wrong = (1 - beta) * wrong + beta.sqrt() * eps
print(f"variance after {schedule.steps} steps with the root:    {right.var():.2f}")
print(f"variance after {schedule.steps} steps without the root: {wrong.var():.2f}")

# %% [markdown]
# The variance of a sum of independent numbers is the sum of the variances. With the root it is $(1 - \beta_t) \cdot 1 + \beta_t = 1$ at every step.
# Without it, the numbers shrink, and the noise we would later start from does not have the size that the network was trained on.
#
# ## All steps at once
#
# Put step 1 into step 2:
# $$x_2 = \sqrt{1-\beta_2}\sqrt{1-\beta_1}\, x_0 + \sqrt{1-\beta_2}\sqrt{\beta_1}\, \varepsilon_1 + \sqrt{\beta_2}\, \varepsilon_2.$$
# The two noises are independent and normal, so together they are one normal noise. Its variance is
# $(1-\beta_2)\beta_1 + \beta_2 = 1 - (1-\beta_1)(1-\beta_2)$. With $\bar\alpha_t = (1-\beta_1)(1-\beta_2)\cdots(1-\beta_t)$, the share of the picture's variance that is left, the same
# step again and again gives (Ho, eq. 4)
# $$x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \varepsilon, \qquad \varepsilon \sim \mathcal{N}(0, I).$$
# We check it on 50,000 copies of the number 1.

# %%
many = torch.ones(50_000)
chain = many
for level in range(100):
    chain = ddpm.add_noise_once(
        schedule, chain, torch.tensor([level]), torch.randn_like(many)
    )
jump = ddpm.q_sample(schedule, many, torch.tensor([99]), torch.randn_like(many))
abar = schedule.abar[99]
for name, x in ("100 steps", chain), ("one jump", jump):
    print(f"{name:10s} mean {x.mean():.3f}, deviation {x.std():.3f}")
print(f"formula    mean {abar.sqrt():.3f}, deviation {(1 - abar).sqrt():.3f}")

# %% [markdown]
# This is what makes training fast. Every picture of a batch may have its own random $t$, and none has to wait for the levels before it.

# %%
import time

batch, t = sheet[:32], torch.randint(512, (32,))
start = time.perf_counter()
for row, end in zip(batch.split(1), t):
    for level in range(end):
        row = ddpm.add_noise_once(
            schedule, row, torch.tensor([level]), torch.randn_like(row)
        )
chained, start = time.perf_counter() - start, time.perf_counter()
ddpm.q_sample(schedule, batch, t, torch.randn_like(batch))
jumped = time.perf_counter() - start
print(
    f"32 pictures step by step: {1000 * chained:.0f} ms, in one jump: {1000 * jumped:.1f} ms"
)

# %% [markdown]
# ### Exercise 1 (5 minutes)
#
# Write the closed form yourself. `abar` is the number $\bar\alpha_t$.


# %% tags=["stub"]
def jump_to(x0, eps, abar):
    """Clean data and noise → x_t."""
    return x0  # change this line


# %% tags=["solution"]
def jump_to(x0, eps, abar):
    """Clean data and noise → x_t."""
    return abar**0.5 * x0 + (1 - abar) ** 0.5 * eps


# %%
with sdlab.exercise("The closed form"):
    x0, eps = torch.randn(2, 10_000)
    assert not torch.equal(jump_to(x0, eps, 0.3), x0), (
        "x_t is still x_0: noise has to come in, and the picture has to shrink"
    )
    assert abs(jump_to(x0, eps, 0.3).var() - 1) < 0.1, (
        "the variance is not 1: are both factors square roots?"
    )
    assert torch.allclose(jump_to(x0, eps, 1.0), x0), (
        "at abar = 1 nothing but the picture is left"
    )
    t = torch.tensor([99])
    wanted = ddpm.q_sample(schedule, x0[None], t, eps[None])[0]
    assert torch.allclose(jump_to(x0, eps, schedule.abar[99].item()), wanted, atol=1e-5), (
        "picture and noise have changed places"
    )

# %% [markdown]
# ## How fast should the noise come?
#
# The *signal-to-noise ratio* at level $t$ is $\bar\alpha_t / (1 - \bar\alpha_t)$: variance of what is left of the picture against variance of the noise. A schedule is a way
# to run through it. Nichol & Dhariwal (2021, eq. 17) let $\bar\alpha_t$ fall like a squared cosine.

# %%
schedules = {"linear": schedule, "cosine": ddpm.cosine(512)}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.6), layout="constrained")
for name, s in schedules.items():
    left.plot(s.abar, label=name)
    right.plot(s.snr, label=name)
left.set(xlabel="t", ylabel="share of the picture left")
right.set(xlabel="t", ylabel="signal-to-noise ratio", yscale="log")
left.legend(frameon=False)
for name, s in schedules.items():
    print(
        f"{name}: in {(s.abar < 0.01).float().mean():.0%} of the levels less than 1% is left"
    )

# %%
levels = torch.linspace(0, 511, 14).long()
eps = torch.randn(1, 3, 16, 16)
rows = [
    ddpm.q_sample(s, sheet[37:38].expand(14, -1, -1, -1), levels, eps)
    for s in schedules.values()
]
sdlab.tiles(torch.cat(rows), columns=14)  # above: linear, below: cosine

# %% [markdown]
# On a small picture the straight line is wasteful: for a large part of the levels there is almost nothing left to see, and so nothing to learn. From here
# on we take the cosine.
#
# ## The way back, and why in small steps
#
# Drawing is the way back: $x_T \to x_{T-1} \to \dots \to x_0$. But where did a given $x_t$ come from? We look at the smallest world there is. Its data are the two numbers
# −1 and 1, equally likely. By Bayes' rule, $q(x_{t-1} \mid x_t) \propto q(x_t \mid x_{t-1})\, q(x_{t-1})$, and here both factors can be written down.

# %%
where = torch.linspace(-3, 3, 600)


def origin(beta, abar_before, xt=0.3):
    """The density of x_{t-1} on `where`, given x_t, when the data are −1 and 1."""
    spread = 1 - abar_before
    prior = sum(
        torch.exp(-((where - s * abar_before**0.5) ** 2) / (2 * spread)) for s in (-1, 1)
    )
    density = prior * torch.exp(-((xt - (1 - beta) ** 0.5 * where) ** 2) / (2 * beta))
    return density / density.sum() / (where[1] - where[0])


figure, axes = plt.subplots(1, 3, figsize=(9, 2.2), layout="constrained", sharex=True)
for axis, beta in zip(axes, (0.02, 0.3, 0.9)):
    axis.fill_between(where, origin(beta, 0.8), alpha=0.6)
    axis.set(title=f"a step of β = {beta}", yticks=[], xlabel="where it came from")

# %% [markdown]
# After a small step the origin is one bump, nearly a normal distribution: a mean and a width say it all, and a network can name a mean. After a large step
# there are two bumps, and their mean lies where no data are. That is why DDPM goes back in many small steps.
#
# ## A step back, if the picture were known
#
# With $x_0$ known, Bayes' rule gives a normal distribution exactly (Ho, eq. 6 and 7):
# $$q(x_{t-1} \mid x_t, x_0) = \mathcal{N}(\tilde\mu_t, \tilde\beta_t I), \qquad \tilde\mu_t = \frac{\sqrt{\bar\alpha_{t-1}}\,\beta_t}{1-\bar\alpha_t} x_0 + \frac{\sqrt{1-\beta_t}\,(1-\bar\alpha_{t-1})}{1-\bar\alpha_t} x_t, \qquad
# \tilde\beta_t = \frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\beta_t.$$
# To get there, multiply the two exponentials $q(x_t \mid x_{t-1})$ and $q(x_{t-1} \mid x_0)$, and complete the square in $x_{t-1}$. We check by trying: run many points forward from $x_0 = 1$, keep
# those that happen to pass near $x_t = 0.5$, and see where they were one step earlier.

# %%
schedule = ddpm.cosine(512)
one, t = torch.ones(2_000_000), torch.tensor([200])
before = ddpm.q_sample(schedule, one, t - 1, torch.randn_like(one))
after = ddpm.add_noise_once(schedule, before, t, torch.randn_like(one))
passed = before[(after - 0.5).abs() < 0.002]
mean, variance = ddpm.posterior(schedule, torch.ones(1), torch.tensor([0.5]), t)
print(
    f"tried:   mean {passed.mean():.3f}, deviation {passed.std():.4f}  ({len(passed)} points)"
)
print(f"formula: mean {mean.item():.3f}, deviation {variance.sqrt().item():.4f}")

# %% [markdown]
# ## The loss, in five lines
#
# When we draw, $x_0$ is what we do not know. So a network guesses it, and its guess takes the place of $x_0$ in $\tilde\mu_t$. How should it be trained? Ho et al.
# bound the data's likelihood by a sum of distances, one a step, between the true step back and the network's, $\mathrm{KL}(q(x_{t-1} \mid x_t, x_0) \,\|\, p_\theta(x_{t-1} \mid x_t))$ (Ho, eq. 5). Both are normal
# with the same width $\tilde\beta_t$, and for those the distance is the squared difference of the means over $2\tilde\beta_t$ (eq. 8). The means differ only by $x_0$ against its guess.
# And since $x_0 = (x_t - \sqrt{1-\bar\alpha_t}\,\varepsilon)/\sqrt{\bar\alpha_t}$, a guess of the noise $\varepsilon$ is a guess of $x_0$. So each distance is a number that depends on $t$ times
# $\|\varepsilon - \varepsilon_\theta(x_t, t)\|^2$. Drop the number, take a random $t$, and what is left is (eq. 14)
# $$L = \mathbb{E}_{t,\, x_0,\, \varepsilon}\, \left\|\varepsilon - \varepsilon_\theta(x_t, t)\right\|^2 .$$
# $\theta$ stands for the weights of the network, $\mathbb{E}$ for the mean over random $t$, pictures and noises.


# %%
def loss(model, schedule, x0):
    t = torch.randint(schedule.steps, (len(x0),))
    eps = torch.randn_like(x0)
    xt = ddpm.q_sample(schedule, x0, t, eps)
    return (model(xt, t) - eps).square().mean()


def nothing(xt, t):
    """A network that always answers: there is no noise."""
    return torch.zeros_like(xt)


print(f"the loss of who guesses nothing: {loss(nothing, schedule, sheet):.2f}")

# %% [markdown]
# ### What to ask for
#
# Noise, picture, or something between? At high noise, $x_t$ *is* almost the noise: naming it teaches nothing. At low noise, the same holds for the picture. Salimans & Ho (2022, appendix D) ask
# for the *velocity*
# $$v = \sqrt{\bar\alpha_t}\, \varepsilon - \sqrt{1-\bar\alpha_t}\, x_0,$$
# which is a fair question at every level. From $x_t$ and $v$ the picture follows: multiply $x_t$ by $\sqrt{\bar\alpha_t}$, $v$ by $\sqrt{1-\bar\alpha_t}$, and subtract. The noise cancels, and $\bar\alpha_t + (1-\bar\alpha_t) = 1$
# stands before $x_0$. The pocket model of this course was trained on $v$, and so is this one.
#
# ### Exercise 2 (5 minutes)
#
# Write that down.


# %% tags=["stub"]
def picture_from(v, xt, abar):
    """What x0 is, when the velocity v is known at x_t."""
    return xt  # change this line


# %% tags=["solution"]
def picture_from(v, xt, abar):
    """What x0 is, when the velocity v is known at x_t."""
    return abar**0.5 * xt - (1 - abar) ** 0.5 * v


# %%
with sdlab.exercise("From velocity to picture"):
    t = torch.tensor([250])
    eps = torch.randn_like(sheet[:1])
    xt, abar = ddpm.q_sample(schedule, sheet[:1], t, eps), schedule.abar[250].item()
    v = ddpm.target("v", schedule, sheet[:1], eps, t)
    far = (picture_from(v, xt, abar) - sheet[:1]).abs().max()
    assert far < 1e-4, (
        f"your picture is off by {far:.2f}: multiply xt and v by the two roots, and subtract"
    )

# %% [markdown]
# ## The network
#
# A *U-Net* sees the picture at three sizes. On the way down it halves the grid, on the way up it doubles it, and each size hands its findings across. One set of weights serves all 512
# levels, so it has to be told which level it is at. The number $t$ enters every block as a vector of sines and cosines,
# $(\sin(\omega_i t), \cos(\omega_i t))$ with $\omega_i = 10000^{-i/n}$ for $i = 0 \dots n-1$: fast waves tell neighbours apart, slow ones tell early from late.

# %%
from sdlab.scratch.muon import Muon, groups
from sdlab.scratch.unet import UNet, time_embedding

model = UNet(channels=3, widths=(32, 96, 128)).to(memory_format=torch.channels_last)
embedding = time_embedding(torch.arange(512), 32)  # (512, 32)
figure, axis = plt.subplots(figsize=(7, 1.8), layout="constrained")
axis.imshow(embedding.T, aspect="auto", cmap="RdBu", interpolation="nearest")
axis.set(xlabel="noise level t", ylabel="number")
print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} million parameters")

# %% [markdown]
# ## Train
#
# A step takes 64 pictures, gives each a random level and noise, and moves the weights along the gradient. The gradients of the last step are zeroed first. The optimizer is Muon, which replaces the gradient of each
# matrix by the nearest orthogonal matrix. For sampling we keep a running average of the weights. Every row of pictures below is drawn from the same twelve noises.
#
# > **Predict.** At which noise levels will the loss fall least: at the high ones, where the picture is hidden, or at the low ones?

# %% tags=["cover"]
average = ddpm.Average(model, decay=0.998)
optimizer = Muon(groups(model), lr=2e-3)
pictures = (x for x, _ in drawings.batches(64))
training = ddpm.train(model, pictures, schedule, optimizer, "v", average)
denoise = sampling.denoiser(average.model, schedule, "v")
noise = torch.randn(12, 3, 16, 16)


def draw():
    return sampling.last(
        sampling.ddim(denoise, schedule, noise, sampling.space_levels(schedule, 25))
    )


history = sdlab.watch(training, 150, schedule.steps, optimizer, draw)

# %%
first, final = history.by_level[0], history.by_level[-1]
for name, bins in ("low", slice(5)), ("middle", slice(5, 11)), ("high", slice(11, 16)):
    a, b = first[bins].mean(), final[bins].mean()
    print(
        f"{name:7s}noise: loss {a:.2f} at first, {b:.2f} at the end, {a / b:.1f} times less"
    )
print(f"{len(history.losses)} steps, {64 * len(history.losses):,} pictures")

# %% [markdown]
# At high noise the loss falls least: which of the sixty drawings is hidden there cannot be known, and the best answer is the mean of those that it could be. In
# the middle it can be found out, and there the loss becomes smallest. At low noise the network has to know every pixel.
#
# ## Draw
#
# Ho's algorithm 2: start from noise; at every level guess the picture, take the mean $\tilde\mu_t$, and add noise of width $\sigma_t = \sqrt{\tilde\beta_t}$. At the last step no noise is added. The guess is clamped to −1…1, where
# pictures live. Above is what the sampler holds, below what the network believes at that moment.

# %%
generator = torch.Generator().manual_seed(1)
x = torch.randn(8, 3, 16, 16, generator=generator)
steps = list(sampling.ancestral(denoise, schedule, x, generator=generator))
marks = [0, 128, 256, 320, 384, 416, 448, 480, 496, 511]
held = torch.cat([steps[i][:1] for i in marks])
believed = torch.cat(
    [denoise(steps[i][:1], torch.tensor([max(510 - i, 0)])) for i in marks]
)
sdlab.tiles(torch.cat([held, believed]), columns=10)

# %% [markdown]
# First a spot of colour, then an outline, then the detail. Here are the eight drawings.

# %%
sdlab.tiles(steps[-1], columns=8, width=700)

# %% [markdown]
# ## How good are they?
#
# A *judge* that comes with the course, a small network trained on true pictures and on spoilt ones, says which of the sixty drawings a picture shows, or none. The *Fréchet distance* compares two sets
# of pictures by mean $m$ and covariance $C$ of the judge's features: $\|m_1 - m_2\|^2 + \mathrm{tr}(C_1 + C_2 - 2(C_1 C_2)^{1/2})$ (Heusel et al. 2017). It is small only if the samples are both good and varied.
# To save time we draw them with 64 of the 512 levels; how that works comes below.

# %%
real, more = (next(drawings.batches(512, seed=s))[0] for s in (5, 6))
noise = torch.randn(256, 3, 16, 16, generator=generator)
levels = sampling.space_levels(schedule, 64)
ours = sampling.last(
    sampling.ddim(denoise, schedule, noise, levels, eta=1.0, generator=generator)
)


def report(name, x):
    print(
        f"{name:18s}recognised {judge.recognition(x):4.0%}, {judge.coverage(x):2d} of 60 drawings, "
        f"Fréchet distance {judge.frechet(x, real):4.0f}"
    )


report("true pictures", more)
report("our samples", ours)
report("noise", noise)
sdlab.tiles(ours[:64], columns=16)

# %% [markdown]
# ## What is the noise for?
#
# The sampler adds noise at every step, only to take it away again. We leave it out, and look at the same start.
#
# > **Predict.** Will the drawings be cleaner without?

# %%
x = torch.randn(32, 3, 16, 16, generator=generator)
with_noise = sampling.last(sampling.ancestral(denoise, schedule, x, generator=generator))
without = sampling.last(sampling.ancestral(denoise, schedule, x, noise=False))


def spread(x):
    """The mean distance between two pictures, in deviations a number."""
    return torch.pdist(x.flatten(1)).mean().item() / 768**0.5


for name, x in (
    ("with noise", with_noise),
    ("without", without),
    ("true pictures", real[:32]),
):
    print(
        f"{name:14s}recognised {judge.recognition(x):4.0%}, {judge.coverage(x):2d} different drawings, spread {spread(x):.2f}"
    )
sdlab.tiles(torch.cat([with_noise[:16], without[:16]]), columns=16)

# %% [markdown]
# Without noise every start ends in the same picture. In the formula of $\tilde\mu_t$, what the sampler holds, $x_t$, is multiplied by a factor below 1, and the guess is added. At
# high noise the guess is the same for all. So the start is forgotten before it has had a say. How fast?

# %%
beta, abar, before = schedule.betas, schedule.abar, schedule.abar_before
factor = (1 - beta).sqrt() * (1 - before) / (1 - abar)  # of x_t in the mean, (512,)
left = factor.flip(0).cumprod(0)
print(
    f"of the start is left after 10 steps {left[9]:.1%}, after 50 {left[49]:.2%}, after 100 {left[99]:.3%}"
)

# %% [markdown]
# Fresh noise takes the place of what is forgotten. It keeps $x_t$ as noisy as the network expects it at that level, and it is what decides, step by step, which picture comes.
#
# ## Few large steps
#
# 512 evaluations of the network for one picture are many. DDIM (Song et al. 2021, eq. 12) may skip levels. It keeps the *direction* of the noise it has guessed in place of drawing fresh noise; $\eta$ mixes the two: $\eta = 0$ adds none,
# $\eta = 1$ as much as DDPM.

# %%
counts = (4, 8, 16, 32, 64)
table = {0.0: [], 1.0: []}
noise = torch.randn(128, 3, 16, 16, generator=generator)
for eta, shares in table.items():
    for count in counts:
        levels = sampling.space_levels(schedule, count)
        steps = sampling.ddim(denoise, schedule, noise, levels, eta, generator)
        shares.append(judge.recognition(sampling.last(steps)))
    print(f"η = {eta:g}:", ", ".join(f"{n} steps {s:.0%}" for n, s in zip(counts, shares)))

# %%
figure, axis = plt.subplots(figsize=(5, 2.6), layout="constrained")
for eta, shares in table.items():
    axis.plot(counts, shares, marker="o", label=f"η = {eta:g}")
axis.legend(frameon=False)
axis.set_xscale("log", base=2)
_ = axis.set(xlabel="steps", ylabel="share recognised", ylim=(0, 1))

# %% [markdown]
# With 8 steps in place of 512 most of the drawings are there already. Does the noise help? Compare the two rows at 64 steps. Noise and a fresh guess can mend a wrong turn of an earlier step; without noise
# it is carried to the end.
#
# ## Seen from above
#
# In the plane the whole story fits into one picture. For the cloud we need no network: the best possible guess of $x_0$ is the mean of all points, each weighted by how likely it became this $x_t$. The arrows show where DDIM moves a point at
# that level; 400 points start as noise and follow them.

# %%
guess = sampling.ideal_denoiser(cloud, schedule)
levels = sampling.space_levels(schedule, 36)
mesh = torch.cartesian_prod(*[torch.linspace(-2.4, 2.4, 17)] * 2)  # (289, 2)
dots = torch.randn(400, 2, generator=generator)
frames = [dots, *sampling.ddim(guess, schedule, dots, levels)]
arrows = [
    next(sampling.ddim(guess, schedule, mesh, pair)) - mesh
    for pair in zip(levels, [*levels[1:], 0])
]


def paint(axis, i):
    axis.quiver(
        *mesh.T, *arrows[min(i, 35)].T, color="#9aa5b1", angles="xy", scale=3, width=0.003
    )
    axis.scatter(*frames[i].T, s=4, color="C0")
    axis.set(xlim=(-2.4, 2.4), ylim=(-2.4, 2.4), aspect="equal", xticks=[], yticks=[])


sdlab.animate(paint, range(37))

# %% [markdown]
# At first all arrows point to the middle: from noise, the best guess is the mean of everything. Only late do they turn towards the nearest arm of the spiral. The network does the same in 768 dimensions, where the arms are foxes and frogs.
#
# ## Go further
#
# - Train on `"eps"` in place of `"v"`, and compare the loss by level and the samples.
# - Train with `ddpm.linear(512, 2e-4, 0.04)`: how many of the drawings are recognised after the same seconds?
# - There are only sixty drawings, and the network has learned them by heart. Which training set would make it invent?
# - The next notebook tells the network what to draw.
