# %% [markdown]
# # 05 · Negative prompts
#
# *Ugly, distorted, blurry, low quality, extra limbs, bad anatomy, …* Lists like this one are passed
# on from picture to picture, and hardly anybody knows what the single words do. Here you see what
# a negative prompt is, in one formula; then you measure what it changes, what it costs, and when
# it does nothing at all.
#
# **You will be able to** write the formula of a negative prompt and say, without any experiment,
# what it does in some special cases; tell words that work from words that only move the picture;
# and compare two settings fairly, picture by picture.
#
# | | pocket model (default) | SD 1.5 (`SDLAB_MODEL=sd15`) |
# |---|---|---|
# | time for this notebook | two minutes on two CPU cores | five minutes on a GPU |
# | memory | 1 GB | 6 GB on the GPU |
# | download | none | 2.7 GB, once |

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

import sdlab
from sdlab.display import intervals
from sdlab.lesson import read_results
from sdlab.study import judge, metrics

pipe = sdlab.load()
pipe.set_progress_bar_config(disable=True)
sdlab.use_style()

# %% [markdown]
# ## Five stages
#
# One prompt, one seed, and a negative prompt that grows from stage to stage.
#
# > **Predict.** Which of the stages will change the picture most? Will the last picture be the
# > best?

# %% tags=["cover"]
wizard = sdlab.Recipe(
    "A portrait of a wizard casting a spell, fantasy art", steps=40, guidance=7.5, seed=999
)
added = (
    "ugly, distorted",
    "blurry, low quality",
    "extra limbs, bad anatomy",
    "cartoon, anime",
)
stages = ["", *(", ".join(added[: count + 1]) for count in range(len(added)))]
runs = sdlab.sweep(pipe, wizard, negative_prompt=stages, progress=False)
titles = ["no negative prompt", *(f"+ {words}" for words in added)]
sdlab.grid([run.image for run in runs], [title.replace(", ", ",\n") for title in titles])

# %% [markdown]
# Look for yourself: is there one that you would call better than the first? One picture cannot
# answer. We let the same five stages draw with more seeds, and measure how far each stage moves
# the picture away from the one before.

# %%
seeds = list(range(8))
many = sdlab.sweep(
    pipe, wizard.but(steps=25), negative_prompt=stages, seed=seeds, progress=False
)
rows = [
    [run.image for run in many[start : start + len(seeds)]]
    for start in range(0, len(many), len(seeds))
]
for before, after, words in zip(rows, rows[1:], added):
    moved = intervals.mean(255 * metrics.distance(after, before))
    sharper = intervals.difference(metrics.sharpness(after), metrics.sharpness(before))
    print(f"+ {words:26s}moves by {moved} grey levels, sharpness {sharper}")

# %% [markdown]
# Read the table from top to bottom. A number of the last column is clear only if its interval does
# not contain 0; otherwise nothing was shown. The first two stages make the picture sharper, and
# after the second it is far too sharp: black lines everywhere. *Extra limbs, bad anatomy* brings
# little that is new. This model learned them as other words for *distorted*, and that is in the
# list already. The last words are about a style and not about quality. They move the picture far,
# and away from *cartoon, anime* it is less sharp again.
#
# To say what the words do, we need to know what a negative prompt *is*.
#
# ## The formula
#
# Guidance (notebook 02) asks the U-Net twice at every step, with the prompt and with an empty one,
# and goes further along the difference. A negative prompt simply takes the place of the empty
# one:
#
# $$\hat v = v_{\text{neg}} + w\,(v_{\text{prompt}} - v_{\text{neg}}).$$
#
# Here $v_{\text{prompt}}$ is what the U-Net predicts with the prompt, $v_{\text{neg}}$ with the
# negative prompt, $w$ is the guidance, and $\hat v$ is what the step is taken with. That is all.
# The model is not told to *avoid* anything. It makes two guesses, and the step goes towards one and
# away from the other.
#
# > **Predict**, from the formula alone: What does a negative prompt do at a guidance of 1? What if
# > it says the same as the prompt? What if it is empty?

# %%
lion = sdlab.Recipe("a lion on the beach, oil painting", seed=3, guidance=4)


def draw(**changes):
    """The picture of the lion's recipe, with something changed."""
    return sdlab.generate(pipe, lion.but(**changes), progress=False).image


def levels(picture, other):
    """The largest difference of two pictures, in grey levels from 0 to 255."""
    return int(np.abs(np.asarray(picture, int) - np.asarray(other, int)).max())


plain, alone = draw(), draw(guidance=1)
same_words = draw(negative_prompt=lion.prompt)
print(
    "at guidance 1, with and without a negative prompt:",
    levels(alone, draw(guidance=1, negative_prompt="blurry")),
)
print("the prompt as its own negative, against guidance 1:", levels(same_words, alone))
print("the prompt as its own negative, against none:", levels(same_words, plain))

# %% [markdown]
# (The numbers are the largest differences, in grey levels from 0 to 255.)
#
# - **Guidance 1**: $\hat v = v_{\text{prompt}}$, the negative prompt drops out. (The pipeline does
#   not even compute it.) With models that are made for guidance 1 or 0, such as SD-Turbo, a
#   negative prompt does nothing, whatever one writes.
# - **The prompt itself**: the difference is 0 at every step, so $\hat v = v_{\text{prompt}}$ for
#   every $w$. All guidance is gone, up to rounding.
# - **Empty**: then it is plain guidance. But is *empty* the same as *missing*?

# %%
words = {"num_inference_steps": 25, "guidance_scale": 4.0}


def by_pipeline(**more):
    """The picture that the pipeline itself draws, from the noise of seed 3."""
    noise = torch.Generator("cpu").manual_seed(3)
    return pipe(lion.prompt, generator=noise, **words, **more).images[0]


missing, empty = by_pipeline(), by_pipeline(negative_prompt="")
encoded = pipe.encode_prompt("", pipe.device, 1, False)[0]
by_hand = by_pipeline(negative_prompt_embeds=encoded)
print("missing against empty:", levels(missing, empty), "grey levels")
print("missing against the encoded empty text:", levels(missing, by_hand), "grey levels")

# %% [markdown]
# Here they are the same, and in SD 1.5 too: a missing negative prompt *is* the encoded empty text.
# Not so in SDXL. There the pipeline replaces a *missing* one with zeros, but encodes `""`, which
# gives another picture. So if somebody says that they used "no negative prompt", ask which.
#
# ## Which words work?
#
# Now the measurement. We draw 64 prompts, each from the same noise, without a negative prompt and
# with eight kinds of it: two with words about quality, the whole list of the five stages, something
# absurd, a thing that the prompt does not ask for, and three contradictions, in which the negative
# prompt names what the prompt asks for.
#
# > **Predict.** Which of the eight will cost the most? Does the absurd one do anything?
#
# This takes ten minutes (`python -m pocket.reports.negatives`), so the numbers were kept. We draw
# four of the prompts again and compare.

# %%
kept = read_results("05")
kinds = [kind for kind in kept if kind != "settings"]
asked = judge.known_prompts()[:4]
absurd = "seventeen invisible violins"
live = [
    sdlab.generate(
        pipe, one.prompt, negative_prompt=absurd, seed=seed, progress=False
    ).image
    for seed, one in enumerate(asked)
]
sharp = metrics.sharpness(live)
print("sharpness now: ", *np.round(sharp, 3))
print("sharpness kept:", *np.round(kept["absurd"]["sharpness"][:4], 3))

# %%
head = "".join(f"{name:>15s}" for name in ("object", "style", "moved by", "sharpness"))
print(f"{'negative prompt':20s}{head}")
for kind in kinds:
    found = kept[kind]
    shares = "".join(
        f"{intervals.share(found[name])!s:>15s}" for name in ("object", "style")
    )
    moved, sharp = 255 * np.mean(found["distance"]), np.mean(found["sharpness"])
    print(f"{kind:20s}{shares}{moved:15.0f}{sharp:15.3f}")
print("\nmoved by: grey levels, against the picture without a negative prompt")

# %% [markdown]
# Some prompts are easier than others, and each share depends on which prompts were drawn. But here
# every kind drew the *same* prompts from the *same* noise, so we can compare picture by picture.
# How easy a prompt is counts in both numbers then, and drops out.

# %%
names = [kind for kind in kinds if kind != "none"]
measures = {
    "object": "object recognised",
    "style": "style recognised",
    "sharpness": "sharpness",
}
change = {
    measure: [
        intervals.difference(kept[kind][measure], kept["none"][measure]) for kind in names
    ]
    for measure in measures
}

# %%
figure, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
for axis, (measure, label) in zip(axes, measures.items()):
    for row, one in enumerate(change[measure]):
        axis.plot(
            (one.low, one.high), (row, row), color="C0" if one.is_clear else "0.7", lw=3
        )
        axis.plot(one.value, row, "o", color="C0" if one.is_clear else "0.7")
    axis.axvline(0, color="0.3", lw=1)
    axis.locator_params(axis="x", nbins=4)
    axis.set(
        xlabel=f"{label},\nmore than without", yticks=range(len(names)), yticklabels=names
    )
axes[0].invert_yaxis()

# %% [markdown]
# The clear differences are blue: 0 is outside their 95% interval. There are three kinds of rows.
#
# - **The contradictions** do not all cost the same. *Its own thing* drives the picture away from
#   exactly what was asked for; no other kind makes the object so hard to recognise. *Its own
#   prompt* is guidance 1, as you saw above. But with *its own style* no cost is clear: most
#   pictures still have that style.
# - **Another thing** and **the absurd one** have nothing to do with the picture, and still they
#   move it, as the column *moved by* says. A negative prompt is never neutral: the model has to go
#   away from *something*, and that something is no longer the empty prompt.
# - **Words about quality** are the reason why people write negative prompts. The last panel shows
#   what they bring. Compare it with the other two, which show what they cost.

# %%
sharper_by = dict(zip(names, change["sharpness"]))
for kind in ("blurry, low quality", "ugly, distorted", "absurd"):
    found = sharper_by[kind]
    print(f"{kind:20s}sharpness {found} more, {'clear' if found.is_clear else 'not clear'}")
known, nonsense = sharper_by["blurry, low quality"], sharper_by["absurd"]
sdlab.claim(
    "A negative prompt of quality words makes pictures sharper",
    held=known.is_clear and known.value > 0,
    measured=f"'blurry, low quality' changes the sharpness by {known}, '{absurd}' by {nonsense}, "
    f"of {np.mean(kept['none']['sharpness']):.3f}",
    source="SD 1.5 notebook",
)

# %%
cost = dict(zip(names, change["object"]))["all five stages"]
few, many = (intervals.share(kept[kind]["object"]) for kind in ("none", "all five stages"))
sdlab.claim(
    "A long list of negative words costs nothing",
    held=not (cost.is_clear and cost.value < 0),
    measured=f"the thing is recognised in {many} of the pictures with all five stages, and in "
    f"{few} without; pair by pair {100 * cost.value:+.0f} points ({100 * cost.low:+.0f} to "
    f"{100 * cost.high:+.0f})",
)

# %% [markdown]
# Both are true at once: the pictures are sharper, and less can be recognised in them. Sharpness is
# not quality. It is one number that a negative prompt can push. *Ugly, distorted* pushes it a
# little, and no cost is clear; *blurry, low quality* pushes it much further, and costs the picture.
#
# Why could *blurry* work at all? Because the model has seen blurred pictures *with that word*. In
# its world one picture in twenty was spoilt on purpose, and its caption said how. So *away from
# blurry* is a direction that means something. A word without such pictures also moves the picture,
# but not away from anything in particular. Whether SD 1.5 has seen *bad anatomy* under pictures
# with bad anatomy is a question about its training captions, and the only honest answer is an
# experiment like this one.
#
# ## A word that the model knows well
#
# *Cartoon, anime* in the fifth stage is not about quality. It names a style, and of styles the
# model knows a lot. We ask for things without naming a style and count how often the judge sees a
# cartoon.
#
# > **Predict.** How often without the negative prompt, and how often with it?

# %%
things = "lion", "car", "owl", "rocket", "castle", "robot"
recipes = [sdlab.Recipe(f"a {thing} in a garden", steps=20) for thing in things]
pair = sdlab.sweep(
    pipe, recipes, negative_prompt=["", "cartoon, anime"], seed=[1, 2, 3], progress=False
)
pictures = [run.image for run in pair]
without = [p for p, run in zip(pictures, pair) if not run.recipe.negative_prompt]
against = [p for p, run in zip(pictures, pair) if run.recipe.negative_prompt]
for name, group in {"without": without, "with the negative prompt": against}.items():
    styles = judge.answers(group, "style")
    counts = {
        style: styles.count(style) for style in sorted(set(styles), key=styles.count)[::-1]
    }
    print(
        f"{name:25s}cartoon {intervals.share([s == 'cartoon' for s in styles])}; {counts}"
    )
sdlab.grid(without[:6] + against[:6], columns=6, rows=["without", "cartoon, anime"])

# %% [markdown]
# So a negative prompt is a good tool where the model knows the word well, and where you can say
# what you do *not* want more easily than what you want. But if you know what you want, say it. You
# cannot choose where the picture goes instead: the counts show the styles that came, and nobody
# asked for any of them.
#
# ### Exercise: the formula (10 minutes)
#
# Write `combine`, the line with which every step is taken. It gets two predictions as tensors and
# the guidance. The check tries special cases, such as guidance 1 and two equal predictions.


# %% tags=["stub"]
def combine(negative, prompt, guidance):
    """The guided prediction."""
    return prompt  # replace this


# %% tags=["solution"]
def combine(negative, prompt, guidance):
    """The guided prediction."""
    return negative + guidance * (prompt - negative)


# %% tags=["hints"]
hints = [
    "With guidance 0 the answer is the negative prediction alone, with guidance 1 the prompted "
    "one alone.",
    "Begin at negative, and go in the direction of prompt.",
    "negative + guidance * (prompt - negative)",
]

# %%
with sdlab.exercise("The formula", hints=hints):
    one, two = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(combine(one, two, 7.5), two), (
        "the negative prompt changes nothing yet"
    )
    assert torch.allclose(combine(one, two, 1), two, atol=1e-5), (
        "at guidance 1 only the prompt should be left"
    )
    assert torch.allclose(combine(one, two, 0), one, atol=1e-5), (
        "at guidance 0 only the negative prompt should be left: begin at it"
    )
    assert torch.allclose(combine(one, one, 7.5), one, atol=1e-5), (
        "equal ones should cancel"
    )
    assert torch.allclose(combine(one, two, 3) - one, 3 * (two - one), atol=1e-4), (
        "at guidance 3 it should be three times as far from the negative one as the prompt's is"
    )

# %% [markdown]
# ### Exercise: an unfair comparison (15 minutes)
#
# A friend says: "*Blurry* as a negative prompt makes pictures much sharper, I measured it." Here is
# how. Find out why his number proves nothing, and mend the function. A fair test of this kind has a
# simple property: if both settings are the *same*, it must find exactly no difference.


# %% tags=["stub"]
def sharper(negative):
    """How much sharper pictures are with a negative prompt than without."""
    recipe = sdlab.Recipe("a lion on the beach", steps=10)
    with_it = sdlab.sweep(
        pipe, recipe.but(negative_prompt=negative), seed=[1, 2, 3], progress=False
    )
    without_it = sdlab.sweep(pipe, recipe, seed=[4, 5, 6], progress=False)
    groups = [[run.image for run in group] for group in (with_it, without_it)]
    return intervals.difference(*map(metrics.sharpness, groups))


# %% tags=["solution"]
def sharper(negative):
    """How much sharper pictures are with a negative prompt than without."""
    recipe = sdlab.Recipe("a lion on the beach", steps=10)
    with_it = sdlab.sweep(
        pipe, recipe.but(negative_prompt=negative), seed=[1, 2, 3], progress=False
    )
    without_it = sdlab.sweep(pipe, recipe, seed=[1, 2, 3], progress=False)
    groups = [[run.image for run in group] for group in (with_it, without_it)]
    return intervals.difference(*map(metrics.sharpness, groups))


# %% tags=["hints"]
hints = [
    'Call it with "" as the negative prompt: it should find no difference at all.',
    "What differs between the two groups besides the negative prompt?",
    "Both groups should be drawn from the same noise, so from the same seeds.",
]

# %%
with sdlab.exercise("An unfair comparison", hints=hints):
    nothing = sharper("")
    assert nothing.low == nothing.high == 0, (
        f"without any negative prompt it should find no difference, and finds {nothing}"
    )
    found = sharper("blurry")
    assert found.low != found.high, (
        "now it never finds a difference: only one of the two groups may have the negative prompt"
    )
    print("with 'blurry':", found)

# %% [markdown]
# ## What you learned
#
# - A negative prompt takes the place of the empty prompt in the formula of guidance:
#   $\hat v = v_{\text{neg}} + w\,(v_{\text{prompt}} - v_{\text{neg}})$.
# - It does nothing at guidance 1, and undoes all guidance if it says what the prompt says.
# - It is never neutral: even an absurd one moves the picture.
# - It can only lead away from what the model has learned under that word.
# - Compare with and without on the same prompts and from the same noise, picture by picture.
#
# ## Go further
#
# - Let the negative prompt act in the first half of the steps only, or in the second
#   (`callback_on_step_end` can exchange `prompt_embeds`). Which half is enough?
#   [Ban et al. 2024](https://arxiv.org/abs/2406.02965) studied this for large models.
# - Notebook 02 takes one step of guidance apart; notebook 11 builds it from nothing.
