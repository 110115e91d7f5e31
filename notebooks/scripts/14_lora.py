# %% [markdown]
# # 14 · LoRA: teaching it shoes
#
# You need product photos of shoes, and your model draws none: it has never seen a shoe. To train
# it anew would take days and thousands of pictures, and afterwards you would have a second model
# of full size. *Low-rank adaptation*, LoRA for short, takes two minutes and some dozen pictures.
# What it learns fits into a file that is small enough for an e-mail, and it can be switched on and
# off like a lamp.
#
# **You will be able to** say what a LoRA adds to a model and count its numbers; train one, stop it
# and go on; measure what it brought, and what the model forgot for it; choose scale, rank and
# learning rate with numbers; look inside the matrices; mix two LoRAs; and hand one on to other
# programs.
#
# | | pocket model (default) | SD 1.5 (`SDLAB_MODEL=sd15`) |
# |---|---|---|
# | time for this notebook | four minutes on two CPU cores, two of them training | fifteen minutes on a GPU |
# | memory | 1.5 GB | 10 GB on the GPU |
# | download | none | 2.7 GB, once |
#
# The source is Hu et al., *LoRA: Low-Rank Adaptation of Large Language Models* (2022,
# arXiv:2106.09685). The method is now used for diffusion models more than for anything else.

# %%
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from diffusers.utils import logging, make_image_grid
from PIL import Image, ImageOps
from safetensors.torch import load_file

import sdlab
from sdlab.assets import ASSETS
from sdlab.display import intervals
from sdlab.lesson import read_results
from sdlab.pipes import models
from sdlab.study import judge, metrics
from sdlab.study.shoes import check_shoes, shoe_score
from sdlab.training.lora_files import to_kohya

# %%
logging.set_verbosity_error()  # diffusers wonders that no LoRA is for the text encoder
pipe = sdlab.load()
pipe.set_progress_bar_config(disable=True)
sdlab.use_style()
in_our_world = models.name_of(pipe) == "pocket"  # the judges know no other model's pictures
side = sdlab.native_side(pipe)
place = Path("outputs/lora") / models.name_of(pipe)
kept = read_results("14")

# %% [markdown]
# ## What it cannot draw
#
# The pocket model was trained on pictures of more than six hundred things. Everyday shoes were
# held back on purpose, for this lesson. We ask for three product photos, as a shop would.

# %%
colours = ["black", "brown", "white"]
prompts = [
    f"product photo of {colour} casual shoes on a white background" for colour in colours
]
seeds = [0, 1, 2, 3]


def draw_shoes(seeds=seeds, words=""):
    """Pictures of the three prompts: one row per colour, one column per seed."""
    recipes = [sdlab.Recipe(prompt + words, steps=20) for prompt in prompts]
    return [run.image for run in sdlab.sweep(pipe, recipes, seed=seeds, progress=False)]


before = draw_shoes()
sdlab.grid(before, columns=len(seeds), rows=colours)

# %% [markdown]
# It has understood the colour and the white background, for those it knows. What stands there is
# some other thing, or nothing in particular. (Stable Diffusion 1.5 has seen many shoes. With it
# everything below runs too, but it learns a style and no new thing, and the numbers about pictures
# mean nothing, because our judges know the pocket model's world only.)
#
# ### A judge that knows shoes
#
# "Some other thing" is an opinion. To measure it we need a judge, and the judge of the course has
# never seen a shoe either: the word is not among its answers. But before it answers, it describes
# every picture by 256 numbers, its *features*. Shoes have features too. On these a very small
# network was trained, with one layer of 64 hidden units. It gives one number, and where that is
# above 0 it says *shoe* (`python -m pocket.shipping.shoes`).
#
# A judge has to be judged first. The course has pictures of shoes by an artist whose shoes neither
# this judge nor our training will ever see, and pictures of other things that it has not seen.

# %%
folder = ASSETS / "shoes-judge" / "held-out"
lines = (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
truth = [json.loads(line) for line in lines]
pictures = [Image.open(folder / row["file_name"]) for row in truth]
is_shoe = np.array(["shoes" in row["text"] for row in truth])
said = shoe_score(pictures) > 0
print("true shoes that it recognises:     ", intervals.share(said[is_shoe]))
print("other things that it takes for one:", intervals.share(said[~is_shoe]))
some = [*np.flatnonzero(is_shoe)[:6], *np.flatnonzero(~is_shoe)[:6]]
sdlab.grid(
    [pictures[i] for i in some], [f"{shoe_score([pictures[i]])[0]:+.1f}" for i in some]
)

# %% [markdown]
# Shops want more than a shoe. `check_shoes` asks four questions about a picture: is there a
# **shoe**; does the judge see the **colour** that was asked for; is the rim of the picture
# **white** on all sides; and is the thing **centred**, its centre of mass at most a tenth of the
# side from the middle. On the true shoes:

# %%
true_shoes = [picture for picture, yes in zip(pictures, is_shoe) if yes]
checks = check_shoes(true_shoes, [row["colour"] for row in truth if "shoes" in row["text"]])
for question, right in checks.items():
    print(f"{question:8s}{intervals.share(right)}")

# %% [markdown]
# Where true pictures do not get all points, a model cannot be expected to get them: these numbers
# are the ceiling. Now the pictures from above:


# %%
def ask(pictures):
    """The answers to the four questions for pictures of draw_shoes."""
    return check_shoes(pictures, np.repeat(colours, len(pictures) // 3))


checks_before = ask(before)
for question, right in checks_before.items():
    print(f"{question:8s}{intervals.share(right)}")
print(f"all pictures have {side}×{side} pixels, the model's own size:", end=" ")
print({picture.size for picture in before} == {(side, side)})

# %% [markdown]
# ## The idea
#
# A layer of a network multiplies with a matrix $W$ of $m \times n$ numbers. Training all of them
# means to look for a change $\Delta W$ of the same size. Hu et al. observed that a model which
# knows a lot already needs only a *simple* change, and made it simple by construction: a product
# of two thin matrices,
# $$W' = W + \frac{\alpha}{r}\, B A, \qquad B \in \mathbb{R}^{m \times r}, \quad
# A \in \mathbb{R}^{r \times n},$$
# where $r$ is the *rank*, much smaller than $m$ and $n$, and $\alpha$ a constant factor. $W$ stays
# *frozen*, which means that it is not trained; $A$ begins with random numbers and $B$ with zeros,
# so that at the start nothing is changed. Which layers? Usually the four matrices of every
# attention (notebook 01): the ones that make queries, keys and values, and the one after them.
#
# > **Predict.** With rank 8 in all attention layers: how many percent of the U-Net's numbers does
# > a LoRA have?

# %%
targets = ("to_q", "to_k", "to_v", "to_out.0")
shapes = [
    module.weight.shape  # (m, n)
    for name, module in pipe.unet.named_modules()
    if name.endswith(targets)
]
everything = sum(value.numel() for value in pipe.unet.parameters())
for rank in (2, 8, 16):
    added = sum(rank * (m + n) for m, n in shapes)
    print(f"rank {rank:2d}: {added:9,} of {everything:,} numbers, {added / everything:.2%}")

# %% [markdown]
# At rank 8 it is about one percent. In larger models the share is smaller still: the matrices grow
# with $m \cdot n$, and the LoRA with $m + n$.
#
# ### Exercise: merge it (10 minutes)
#
# Two thin matrices beside every layer cost time when one draws. But they can be *merged*: replace
# $W$ by $W'$, and the layer is as fast as before. Write `merge`, which returns $W'$. The rank is
# not given, since the shapes tell it.


# %% tags=["stub"]
def merge(W, A, B, alpha):
    """The matrix that does what W and the LoRA do together."""
    return W  # change this line


# %% tags=["solution"]
def merge(W, A, B, alpha):
    """The matrix that does what W and the LoRA do together."""
    rank = A.shape[0]
    return W + alpha / rank * B @ A


# %% tags=["hints"]
hints = [
    "The formula above adds a multiple of one matrix to W: which product has the shape of W?",
    "B @ A is (m, r) times (r, n), so (m, n), as W is. Its factor is alpha over the rank, and the "
    "rank is the number of rows of A.",
    "W + alpha / A.shape[0] * B @ A",
]

# %%
with sdlab.exercise("Merge it", hints=hints):
    W, A, B = torch.randn(6, 5), torch.randn(2, 5), torch.randn(6, 2)
    x = torch.randn(5)
    merged = merge(W.clone(), A, B, alpha=2)
    assert not torch.equal(merged, W), "W comes back as it was: add the LoRA to it"
    assert merged.shape == W.shape, f"W' should have the shape of W, {tuple(W.shape)}"
    assert torch.allclose(merged @ x, W @ x + B @ (A @ x), atol=1e-4), (
        "here the rank is 2 and alpha too, so the factor is 1 and W' should be W + B A"
    )
    assert torch.allclose(merge(W.clone(), A, B, alpha=6), W + 3 * B @ A, atol=1e-4), (
        "right where alpha is the rank, and wrong elsewhere: the factor is alpha / rank"
    )

# %% [markdown]
# ## The training pictures
#
# 54 pictures teach it: five kinds of shoes by three artists, in the three colours. Their captions
# are in a file beside them, `metadata.jsonl`, with one line per picture. For pictures of your own
# you can also put a text file beside each, or say in the file's name what it shows.

# %%
images = ASSETS / "shoes"
lines = (images / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
rows = [json.loads(line) for line in lines]
for row in rows[:3]:
    print(row["text"])
sdlab.grid([Image.open(images / row["file_name"]) for row in rows[::4]], columns=7)

# %% [markdown]
# ## Training
#
# Training is what the model went through before (notebooks 10 and 11): add noise to a picture,
# predict, compare. Only the gradients are different: they go to $A$ and $B$ and to nothing else.
# Beside our settings stands a typical recipe for Stable Diffusion 1.5 and photos of shoes, on a
# graphics card or a large Mac:
#
# | | for SD 1.5 | here | why |
# |---|---|---|---|
# | rank, $\alpha$ | 8, 16 | the same | |
# | matrices | `to_q`, `to_k`, `to_v`, `to_out.0` | the same | |
# | batch | 2, gradients of 8 batches added up | 16 at once | the same 16 pictures per step; ours fit into memory together |
# | steps | 3,000 | a few hundred | a minute or two |
# | learning rate | 0.0001 | 0.002 | few steps, a small model; measured below |
# | validation pictures | every 500 steps | every 50 | |
# | checkpoints | every 500 steps, five kept | every 100, two kept | |
# | log | TensorBoard | the same | `tensorboard --logdir outputs/lora` |
# | after an interruption | goes on at the last checkpoint | the same | with the same numbers, bit for bit |
#
# > **Predict.** The loss of the model before is about the mean squared error for any new picture.
# > By how much will it fall?

# %%
shoes = sdlab.train_lora(
    pipe, images, place / "shoes", rank=8, alpha=16, targets=targets,
    batch=16, accumulation=1, lr=2e-3, steps=kept["settings"]["steps"], minutes=1.5,
    save_steps=100, keep=2, validate=prompts[:1], validate_steps=50,
)  # fmt: skip
print(
    f"{shoes.steps} steps in {shoes.minutes:.1f} minutes; {shoes.parameters:,} numbers in a"
)
print(f"file of {shoes.file.stat().st_size / 1e3:.0f} kB: {shoes.file.as_posix()}")

# %% [markdown]
# If you run this cell again, it reads the checkpoint and is finished at once. If you stop it in
# the middle, it goes on where it was. If you change a setting, it refuses, because half of the
# training would belong to something else: give another folder.

# %%
steps_seen, losses = zip(*[(row["step"], row["loss"]) for row in shoes.log])
their_steps, theirs = zip(*kept["rank 8"]["losses"])
figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained")
axis.plot(steps_seen, losses, label="here")
axis.plot(their_steps, theirs, "--", label="the long run's")
axis.set(xlabel="step", ylabel="loss", ylim=(0, None))
_ = axis.legend(frameon=False)

# %% [markdown]
# The curve is a disappointment, and it always is. It falls by a part at the beginning, and then it
# goes up and down. How large the error is depends on how much noise was added, and that is drawn
# at random in every step. The dashed line is from a training with the same settings on another day
# (we come to it below). As long as both took the same steps on the same weights, they go up and
# down together, since the seed decides the noise.
#
# So do not judge a LoRA by its loss. Look at pictures: always of the same prompt and the same
# seeds, here two of them.

# %%
sheets = [Image.open(file) for file in shoes.sheets]
titles = [f"{int(file.stem[-6:])} steps" for file in shoes.sheets]
sdlab.grid([make_image_grid(before[:2], 1, 2), *sheets], ["before", *titles], columns=4)

# %% [markdown]
# ## Before and after
#
# The pipeline is as it was; training has not changed it. `load_lora_weights` is a method of
# `diffusers`, which needs nothing of this course.

# %% tags=["cover"]
pipe.load_lora_weights(shoes.file, adapter_name="shoes")
after = draw_shoes()
pairs = [
    picture
    for i in range(3)
    for picture in (*before[4 * i : 4 * i + 3], *after[4 * i : 4 * i + 3])
]
titles = [*["before"] * 3, *["after"] * 3, *[None] * 12]
sdlab.grid(pairs, titles, columns=6, rows=colours)

# %%
checks_after = ask(after)
for question, right in checks_after.items():
    was = intervals.share(checks_before[question])
    print(f"{question:8s} before {was!s:18s} after {intervals.share(right)}")
gain = intervals.difference(checks_after["shoe"], checks_before["shoe"])
sdlab.claim(
    "A few dozen pictures teach a model a thing that it has never seen",
    held=gain.is_clear and gain.value > 0,
    measured=f"{len(rows)} pictures: a shoe in {intervals.share(checks_before['shoe'])} of the "
    f"pictures before and {intervals.share(checks_after['shoe'])} after",
    source="LoRA tutorials",
)

# %% [markdown]
# Colour and background were right before, and stayed right. What is new is the shoe, and as a rule
# it is better centred than what stood there before. The loss fell by a part, and the pictures are
# others altogether. Every picture has the size that was asked for: the model's own, which is small.
# The shop would ask SD 1.5 for 512×512.
#
# Has it learned what a shoe is, or has it learned 54 pictures by heart? We look for the nearest
# training picture of some of our results, in the features of the judge.

# %%
taught = [Image.open(images / row["file_name"]).convert("RGB") for row in rows]
ours, theirs = metrics.features(after), metrics.features(taught)
apart = torch.cdist(ours, theirs)
chosen = [0, 1, 4, 5, 8, 9]
nearest = [taught[apart[i].argmin()] for i in chosen]
sdlab.grid([*[after[i] for i in chosen], *nearest], columns=6, rows=["ours", "nearest"])

# %% [markdown]
# Compare the two rows yourself. Ours are no copies; they are plainer than their neighbours. But the
# toes point to the right, as in all training pictures. Nobody told the LoRA that this matters, and
# nobody told it that it does not. A LoRA can only be as varied as its pictures, and one with twenty
# photos of a single shoe draws that shoe.
#
# ## What it forgot
#
# A LoRA changes every picture of the model, not only those of shoes.
#
# > **Predict.** Will a lion still be a lion? What will suffer more: things, styles or places?

# %%
count = 16
asked = judge.known_prompts()[:count]
recipes = [sdlab.Recipe(one.prompt, seed=i, steps=20) for i, one in enumerate(asked)]
with_lora = [run.image for run in sdlab.sweep(pipe, recipes, progress=False)]
pipe.set_adapters("shoes", 0.0)  # switched off
without = [run.image for run in sdlab.sweep(pipe, recipes, progress=False)]
pipe.set_adapters("shoes", 1.0)
sdlab.grid([*without[:6], *with_lora[:6]], columns=6, rows=["without", "with"])

# %%
if in_our_world:
    seen = [judge.recognise(pictures, asked) for pictures in (without, with_lora)]
    for head in ("object", "style", "background"):
        shares = [intervals.share(one[head]) for one in seen]
        print(f"{head:11s}without {shares[0]!s:18s} with {shares[1]}")
print("taken for shoes with the LoRA:", intervals.share(shoe_score(with_lora) > 0))

# %% [markdown]
# Sixteen pictures are few. Here are more, from a program that also trained LoRAs of other ranks
# with the same steps and seeds (`python -m pocket.reports.lora`; it takes half an hour, goes on
# where it was stopped, and keeps one answer per picture).

# %%
print(f"{len(kept['before']['object'])} pictures  before              rank 8")
for head in ("object", "style", "background"):
    pair = kept["rank 8"][head], kept["before"][head]
    lost = intervals.difference(*pair)
    print(
        f"{head:12s}{intervals.share(pair[1])!s:20s}{intervals.share(pair[0])!s:20s}",
        end="",
    )
    print(f"difference {lost}, {'clear' if lost.is_clear else 'not clear'}")

# %% [markdown]
# It is the things that suffer; style and place are hardly touched. So a lion is less often a lion
# than it was, and the pictures above show why: outlines have moved. This can be spared, for a LoRA
# is separate from the model: switch it off where you do not need it. That is why there is a scale.
#
# ## The scale
#
# `set_adapters` multiplies $BA$ by a number $s$ when drawing: 0 is the model without the LoRA, 1
# what was trained.
#
# > **Predict.** What will scale 0.5 give: half a shoe, every second time a shoe, or a mixture with
# > the thing that was there before? And 1.5, is more better?

# %%
scales = [0.0, 0.25, 0.5, 0.75, 1.0, 1.5]
rows_of = []
for scale in scales:
    pipe.set_adapters("shoes", scale)
    rows_of.append(draw_shoes(seeds=[0]))
pipe.set_adapters("shoes", 1.0)
by_colour = [rows_of[s][colour] for colour in range(3) for s in range(len(scales))]
titles = [f"scale {scale:g}" for scale in scales] + [None] * 12
sdlab.grid(by_colour, titles, columns=len(scales), rows=colours)

# %%
points = [row["scale"] for row in kept["scales"]]
questions = ("shoe", "colour", "white", "centred")
answers = {q: np.transpose([row[q] for row in kept["scales"]]) for q in questions}
figure = sdlab.curve(
    points, answers, xlabel="scale of the LoRA", ylabel="share of pictures"
)
figure.axes[0].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
figure

# %% [markdown]
# The curves are from the program's pictures. The thing changes its outline step by step, and on the
# way, near the middle, the judge begins to call it a shoe. So half a LoRA gives a mixture. Beyond 1
# there are not more shoes, only more of what the LoRA does to them.
#
# The scale multiplies what $\alpha$ multiplies already: $s = 0.5$ with $\alpha = 16$ does the same
# as $s = 1$ with $\alpha = 8$.
#
# ### Exercise: the lost alpha (15 minutes)
#
# A friend has put the matrices of our LoRA into another file, and has written down neither rank
# nor $\alpha$. A program that reads only matrices takes $\alpha = r$. Your friend complains that
# the shoes are weak now. Which scale brings back what we trained? Think of the formula; you can
# also print `pipe.unet.peft_config`.

# %%
bare_matrices = load_file(shoes.file)  # without the file's notes
pipe.load_lora_weights(bare_matrices, adapter_name="friend")
pipe.set_adapters("friend")

# %% tags=["stub"]
scale_for_friend = 1.0  # change this number

# %% tags=["solution"]
scale_for_friend = 16 / 8  # alpha / rank of the training, where the program takes 1

# %% tags=["hints"]
hints = [
    "The change of W is alpha / r times B A. The friend's program took alpha = r: which factor is "
    "that?",
    'Print pipe.unet.peft_config["shoes"]: it holds the rank and the alpha of our training.',
    "The training had the factor alpha / r, the friend's program has 1: the scale is alpha / r.",
]

# %%
with sdlab.exercise("The lost alpha", hints=hints):
    assert isinstance(scale_for_friend, (int, float)) and scale_for_friend > 0, (
        "the scale should be a number above 0"
    )
    layers = [m for m in pipe.unet.modules() if hasattr(m, "get_delta_weight")]
    pipe.set_adapters("shoes", 1.0)
    wanted = torch.cat([layer.get_delta_weight("shoes").flatten() for layer in layers])
    pipe.set_adapters("friend", scale_for_friend)
    found = torch.cat([layer.get_delta_weight("friend").flatten() for layer in layers])
    share = (found.norm() / wanted.norm()).item()
    assert share > 0.99, f"the change has {share:.0%} of its size: the scale is too small"
    assert share < 1.01, (
        f"the change has {share:.0%} of its size: which factor had the training, and which one "
        "does a program use that takes alpha = r?"
    )

# %%
pipe.delete_adapters("friend")
pipe.set_adapters("shoes", 1.0)

# %% [markdown]
# ## Which rank?
#
# The program trained the same steps with ranks 2, 8 and 16; with all weights of the U-Net, without
# any LoRA; with the usual learning rate; and a *DoRA* (Liu et al. 2024). A DoRA splits every
# row of $W$ into its length and its direction; the LoRA changes the directions, and the lengths
# are trained by themselves.
#
# > **Predict.** Which one will draw the most shoes? Which one will forget most?

# %%
names = [
    "before",
    *[name for name in kept if isinstance(kept[name], dict) and "losses" in kept[name]],
]
print(f"{'':17s}{'numbers':>11s}{'MB':>7s}  {'shoe':18s}{'colour':18s}known things")
for name in names:
    row = kept[name]
    size = (
        f"{row['parameters']:11,}{row['bytes'] / 1e6:7.2f}" if "bytes" in row else " " * 18
    )
    shares = [intervals.share(row[key]) for key in ("shoe", "colour", "object")]
    print(f"{name:17s}{size}  {shares[0]!s:18s}{shares[1]!s:18s}{shares[2]}")

# %%
lora, full = kept["rank 8"], kept["all weights"]
learned = intervals.difference(full["shoe"], lora["shoe"])
kept_more = intervals.difference(lora["object"], full["object"])
verdict = kept_more.is_clear and kept_more.value > 0
sdlab.claim(
    "A LoRA forgets less than training all weights",
    held=verdict if kept_more.is_clear else None,
    measured=f"known things are recognised {kept_more} more often; shoes {learned} less often",
    source="Biderman et al. 2024",
)

# %% [markdown]
# Read the table by its intervals: where two of them overlap widely, these pictures do not tell the
# two apart. Each line is one training with one seed, and a second one would move every number.
# Three things are sure enough. Rank 2 is plenty for a shoe. The learning rate that is usual for
# SD 1.5 teaches much less in so few steps: there it has ten times as many. And the price: a file of
# all weights is many times as large as a LoRA, and for every thing that you teach you would need
# another one.
#
# A rank says how much *could* be changed. Does a LoRA use it?
#
# ## Inside the matrices
#
# The *singular values* of a matrix say how strongly it acts in its most important direction, in
# the second one, and so on. $BA$ has at most $r$ that are not 0. We compare them with those of $W$.

# %%
sizes = {}
for name, module in pipe.unet.named_modules():
    if hasattr(module, "get_delta_weight"):
        change = torch.linalg.svdvals(module.get_delta_weight("shoes").detach().float())[:8]
        own = torch.linalg.svdvals(module.base_layer.weight.detach().float())[:8]
        sizes[name] = change.numpy(), own.numpy()
changes, owns = (np.array(part) for part in zip(*sizes.values()))
ranks = np.arange(1, 9)
labels = {"xlabel": "number of the singular value", "ylabel": "mean over all layers"}
sdlab.curve(ranks, {"of the change": changes, "of W itself": owns}, **labels)

# %%
energy = (changes**2).cumsum(1) / (changes**2).sum(1, keepdims=True)
print("directions that hold nine tenths of the squared change:", end=" ")
print(f"{np.mean((energy < 0.9).sum(1) + 1):.1f} of 8 on average")
norms = np.linalg.norm(changes, axis=1) / np.linalg.norm(owns, axis=1)
for kind, where in (
    ("attn1", "the picture, to itself"),
    ("attn2", "the picture, to the words"),
):
    chosen = [norm for name, norm in zip(sizes, norms) if kind in name]
    print(f"{where:26s} change / W = {np.mean(chosen):.2f}")

# %% [markdown]
# The first direction of the change is much stronger than the last: a part of the rank is hardly
# used. That fits to what the table says of small ranks. And the change is not small. Beside the
# eight strongest directions of $W$ it can be seen with the naked eye. The two last lines say which
# attention has changed more, the one of the picture to itself or the one to the words.
#
# ## Two at once
#
# A second LoRA shall teach a style that the world does not have: *cyanotype*, the old blue print.
# Its training pictures are those that we drew without the LoRA, printed in blue.

# %%
blue = place / "blue-pictures"
blue.mkdir(parents=True, exist_ok=True)


def print_blue(picture):
    """A picture in the colours of a cyanotype."""
    return ImageOps.colorize(picture.convert("L"), (10, 30, 90), (235, 245, 250))


for number, (one, picture) in enumerate(zip(asked, without)):
    print_blue(picture).save(blue / f"{number}.png")
    (blue / f"{number}.txt").write_text(f"{one.prompt}, cyanotype", encoding="utf-8")

# %%
pipe.unload_lora_weights()
cyanotype = sdlab.train_lora(
    pipe, blue, place / "cyanotype", batch=16, accumulation=1, lr=2e-3, steps=150, minutes=1,
)  # fmt: skip
pipe.load_lora_weights(cyanotype.file, adapter_name="cyanotype")
pipe.load_lora_weights(shoes.file, adapter_name="shoes")

# %% [markdown]
# > **Predict.** Both LoRAs change the same matrices, and the changes are simply added. Will there
# > be blue shoes, or nonsense?

# %%
mixtures = {
    "shoes": [1.0, 0.0],
    "cyanotype": [0.0, 1.0],
    "both": [1.0, 1.0],
    "0.7 of each": [0.7, 0.7],
}
mixed = {}
for name, weights in mixtures.items():
    pipe.set_adapters(["shoes", "cyanotype"], weights)
    mixed[name] = draw_shoes(seeds=[0, 1], words=", cyanotype")
sdlab.grid(
    [picture for row in mixed.values() for picture in row], columns=6, rows=list(mixed)
)

# %%
for name, row in mixed.items():
    far = metrics.distance(row, [print_blue(picture) for picture in row])
    there = intervals.share(shoe_score(row) > 0)
    print(
        f"{name:12s} a shoe in {there!s:16s} distance to a blue print {intervals.mean(far)}"
    )

# %% [markdown]
# The distance is 0 for a picture that consists of cyanotype's blues only. The blue comes through in
# every mixture. For the shoe compare the first line with the last two. That the sum of two changes
# does both things is no law: the LoRAs were trained without knowing of each other, and where they
# change the same directions they disturb each other. Smaller scales are the first thing to try.
#
# ## Handing it on
#
# Our file has the names of `diffusers`. Many programs expect those of *kohya*, a collection of
# training scripts. `to_kohya` translates, and keeps $\alpha$, which is lost so easily. And a LoRA
# that you always need can be *fused*: merged into $W$, as in the first exercise.

# %%
pipe.unload_lora_weights()
other = to_kohya(shoes.file, place / "shoes-kohya.safetensors")
for file in (shoes.file, other):
    print(next(name for name in load_file(file) if name.endswith("down.weight")))
pipe.load_lora_weights(other, adapter_name="shoes")
[from_kohya] = draw_shoes(seeds=[0])[:1]
pipe.fuse_lora()
[fused] = draw_shoes(seeds=[0])[:1]
pipe.unfuse_lora()
pipe.unload_lora_weights()
gone = draw_shoes(seeds=[0])[0]

# %%
for name, picture, same in (
    ("kohya's file", from_kohya, after[0]),
    ("fused", fused, after[0]),
    ("unloaded", gone, before[0]),
):
    apart = np.abs(np.asarray(picture, int) - np.asarray(same, int)).max()
    print(f"{name:14s}at most {apart} of 255 grey levels from what it should be")
    assert apart <= 2 or not in_our_world

# %% [markdown]
# From a shell the same training is one line, and `accelerate launch -m sdlab` instead of `sdlab`
# spreads it over several graphics cards:
#
# ```
# sdlab lora --images shoes/ --to outputs/lora/mine --rank 8 --alpha 16 --validate "black shoes"
# ```
#
# On Colab, `peft`, the library that holds the matrices, refuses to work beside the old `torchao`
# that is installed there. The error message says what to do.
#
# ## What you learned
#
# - A LoRA adds $\frac{\alpha}{r} B A$ to frozen matrices. It has a few percent of the model's
#   numbers or less, and it starts as no change at all.
# - Some dozen pictures and two minutes were enough for a thing that the model had never seen.
# - The loss hardly tells whether it worked. Checks of pictures do, with a judge that was itself
#   checked, on pictures that it had not seen.
# - A LoRA changes all pictures, also those of other things. It can be scaled, switched off, mixed,
#   merged and taken off again.
# - $\alpha$ belongs to the file. Without it the LoRA acts too weakly or too strongly.
#
# ## Go further
#
# - Train on pictures of your own: ten photos of one thing, with captions. `train_lora` says which
#   files it could not use.
# - Train on the black and brown shoes only, and ask for white ones. Has it learned the shoe, or the
#   pictures?
# - Train the four matrices of the attention to the words alone (`targets=("attn2.to_q", …)`). What
#   do shoes need?
