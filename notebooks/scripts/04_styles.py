# %% [markdown]
# # 04 · Styles
#
# The same mountains by the same lake: as a photograph, in oil, as an anime, in pencil, in
# watercolour. Only a few words of the prompt change. Which words carry the style, where does the
# model read them, and when does it decide? Here you take a prompt apart word by word, and then
# the drawing itself step by step.
#
# **You will be able to** change the style of a picture and keep its scene; measure which words of
# a prompt matter, and say where this measurement misleads; read attention maps with care; test
# whether a model can combine what it never saw together; and find the step of the denoising at
# which the style is decided.
#
# | | pocket model (default) | SD 1.5 (`SDLAB_MODEL=sd15`) |
# |---|---|---|
# | time for this notebook | two minutes on two CPU cores | five minutes on a GPU |
# | memory | 1 GB | 8 GB on the GPU |
# | download | none | 2.7 GB, once |

# %%
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.stats import spearmanr

import sdlab
from sdlab.display import diagrams, intervals
from sdlab.display.described import Described
from sdlab.pipes import models
from sdlab.study import anatomy, judge, metrics

pipe = sdlab.load()
pipe.set_progress_bar_config(disable=True)
sdlab.use_style()
in_our_world = models.name_of(pipe) == "pocket"  # the judge knows no other model's pictures

# %% [markdown]
# Some measurements of this lesson take hundreds of pictures. `python -m benchmarks.styles` made
# them with the pocket model, once, and wrote down what the judge saw in every picture. We read
# its file, and draw parts of it again to see that it is right.

# %%
file = Path(sdlab.__file__).parent.parent / "notebooks" / "results" / "04.json"
record = json.loads(file.read_text(encoding="utf-8"))
same_model = record["model_hash"] == models.fingerprint(pipe)
print("the file is about the loaded model:", "yes" if same_model else "no")
print(", ".join(f"{name} {value}" for name, value in record["settings"].items()))

# %% [markdown]
# ## Five styles
#
# One landscape in five styles, each from three seeds.
#
# > **Predict.** The five pictures of a row begin with the same noise. What will be the same in
# > them? And which changes a picture more: another style, or another seed?

# %%
landscape = "a beautiful mountain landscape with a lake"
five = [
    "photorealistic",
    "oil painting Van Gogh",
    "japanese anime",
    "pencil sketch",
    "watercolor",
]
recipes = [sdlab.Recipe(f"{landscape}, {style}", steps=40, guidance=8) for style in five]
seeds = [1, 2, 3]
runs = list(sdlab.sweep(pipe, recipes, seed=seeds, progress=False))
rows = [[run.image for run in runs if run.recipe.seed == seed] for seed in seeds]
names = [f"seed {seed}" for seed in seeds]
sheet = [picture for row in rows for picture in row]
sdlab.grid(sheet, [*five, *[None] * 10], columns=5, rows=names)

# %%
pairs = [(i, j) for i in range(5) for j in range(i)]
other_style = [(row[i], row[j]) for row in rows for i, j in pairs]
other_seed = [
    (rows[a][i], rows[b][i]) for a, b in ((0, 1), (0, 2), (1, 2)) for i in range(5)
]
for name, both in ("another style", other_style), ("another seed", other_seed):
    moved = intervals.mean(255 * metrics.distance(*zip(*both)))
    print(f"{name}: the pictures are {moved} grey levels apart")

# %% [markdown]
# The distance is the root mean square difference of the pixels. Another style changes the picture
# more than another seed does, and it changes another part of it. In all five pictures of a row
# the sky is above, the mountains are in the middle and the lake is below; paper, colours and
# lines are new. The seed moves the mountains and the clouds.
#
# ### What the judge says
#
# By eye it is easy to be too kind. The course has a *judge*, a small network that was trained on
# true pictures of the pocket model's world, and names the style of a picture (and its object and
# place). It knows eight styles.

# %%
if in_our_world:
    print("the judge's styles:", ", ".join(judge.shipped().classes["style"]))
    for number, style in enumerate(five):
        answers = judge.answers([row[number] for row in rows], "style")
        print(f"{style:22s}→ {', '.join(answers)}")

# %% [markdown]
# Two of our five styles have other names there, and this is no mistake. A model knows words only
# from the captions of its training. In those of the pocket model these words were used for the
# same pictures:
#
# | style | said in the captions as |
# |---|---|
# | 3d render | 3d render, photorealistic, realistic photo, photo, product photo, 3d, realistic |
# | flat design | flat design, flat illustration, minimalist illustration, flat vector art |
# | cartoon | cartoon, anime, japanese anime, comic |
# | stencil | stencil, linocut, stencil linocut, black and white linocut |
# | oil painting | oil painting, oil painting van gogh, van gogh style, impressionist painting |
# | watercolor | watercolor, watercolour, watercolor painting, soft watercolor |
# | pencil sketch | pencil sketch, pencil drawing, sketch, black and white pencil sketch |
# | pixel art | pixel art, 8-bit pixel art, retro pixel art, video game pixel art |
#
# To this model a *photo* is a 3d render, because it never read the word with anything else. Here
# are all eight, with an object in front.

# %% tags=["cover"]
eight = ["3d render", "flat design", "cartoon", "stencil"]
eight += ["oil painting", "watercolor", "pencil sketch", "pixel art"]
lions = sdlab.sweep(
    pipe, [f"a lion on the beach, {style}" for style in eight], seed=[2], progress=False
)
sdlab.grid([run.image for run in lions], eight, columns=4)

# %% [markdown]
# Look at the first two. They differ in how the *lion* is shaded, and hardly in the beach: in the
# pictures that the model learned from, the styles *3d render* and *flat design* differ in the
# objects alone. That is why the landscape above, in which there is no object, gave the judge
# nothing to tell a photorealistic picture by. **A style can only show in what is there to be drawn.**
#
# ## Which words carry the style?
#
# The simplest way to find out: leave out one word, keep everything else, the noise too, and
# measure how far the picture moves.
#
# > **Predict.** *a beautiful mountain landscape with a lake, oil painting Van Gogh*: which word
# > will move the picture most when it is missing? And which of them decides that it is an oil
# > painting?

# %%
words = (
    f"{landscape} , oil painting Van Gogh".split()
)  # the tokenizer does not mind the space
whole = sdlab.Recipe(" ".join(words), seed=1)
left_out = [number for number, word in enumerate(words) if word != ","]
shorter = [" ".join(words[:number] + words[number + 1 :]) for number in left_out]
runs = sdlab.sweep(
    pipe, [whole.but(prompt=p) for p in (whole.prompt, *shorter)], seed=[1], progress=False
)
full, *rest = [run.image for run in runs]
moved = 255 * metrics.distance(rest, [full] * len(rest))
names = [words[number] for number in left_out]
sdlab.grid(
    [full, *rest],
    ["all words", *[f"without {name}" for name in names]],
    columns=6,
    cell=1.5,
)

# %%
figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained", FigureClass=Described)
figure.alt = "How far the picture moves without each word, as bars"
colours = ["C1" if number > words.index(",") else "C0" for number in left_out]
axis.bar(range(len(names)), moved, color=colours)
axis.set_xticks(range(len(names)), names, rotation=30)
axis.set_ylabel("moved by (grey levels)")
if in_our_world:
    answers = dict(zip(["all words", *names], judge.answers([full, *rest], "style")))
    print(
        "not an oil painting without:",
        [name for name in names if answers[name] != "oil painting"],
    )

# %% [markdown]
# (The bars of the style's words are orange.) TODO
#
# Before you conclude: what is left when only *one* of the four words stays?

# %%
alone = ["oil", "painting", "Van", "Gogh", ""]
prompts = [f"{landscape}, {word}".rstrip(", ") for word in alone]
runs = sdlab.sweep(pipe, prompts, seed=[1], progress=False)
pictures = [run.image for run in runs]
seen = judge.answers(pictures, "style") if in_our_world else [""] * len(alone)
titles = [f"{word or 'no style'}\n{answer}" for word, answer in zip(alone, seen)]
sdlab.grid(pictures, titles)

# %% [markdown]
# TODO: redundancy.
#
# One prompt proves little. The file has the same for others, each of another style.

# %%
dropped = [(one["whole"], word) for one in record["drop"] for word in one["words"]]
print(f"{len(record['drop'])} prompts, such as {record['drop'][0]['prompt']!r}\n")
print(f"{'without a word of':20s}{'moved by':22s}{'same style':16s}same object")
for kind in ("thing", "place", "style", "small"):
    these = [(full, word) for full, word in dropped if word["kind"] == kind]
    moved = intervals.mean([255 * word["moved"] for _, word in these])
    same = [
        intervals.share([full[head] == word[head] for full, word in these])
        for head in ("style", "object")
    ]
    print(f"{kind:20s}{moved!s:22s}{same[0]!s:16s}{same[1]}")

# %% [markdown]
# TODO (*Small* words are a, an, the, in, on, at and with.)
#
# ## Attention maps, and how not to read them
#
# Notebook 01 showed where in the picture the U-Net looks for each word. Does it look *where* the
# style is? And does it look *much* at the words that matter?
#
# > **Predict.** Where will *oil* and *Gogh* be bright? And will the words that get most attention
# > be those that move the picture most?

# %%
run, maps = anatomy.word_maps(pipe, whole)
shown = ["mountain", "lake", "oil", "painting", "van"]
diagrams.words(run.image, {word: maps[word] for word in shown})

# %% [markdown]
# TODO describe
#
# Each map is scaled by itself. How much attention a word gets in all, they do not show; that we
# sum up over layers, heads, steps and places.

# %%
with anatomy.watching(pipe.unet) as kept:
    sdlab.generate(pipe, whole, progress=False)
amount = sum(weights.mean(0) for weights in kept) / len(kept)  # (77,), the sum is 1
tokens = pipe.tokenizer.tokenize(whole.prompt)
print(f"the start token {amount[0]:.0%}, {len(tokens)} tokens of words and comma ", end="")
print(
    f"{amount[1 : len(tokens) + 1].sum():.0%}, the end tokens {amount[len(tokens) + 1 :].sum():.0%}"
)

# %%
kinds = {"thing": "o", "place": "s", "style": "^", "small": "x"}
figure, axis = plt.subplots(figsize=(6.5, 3.4), layout="constrained", FigureClass=Described)
figure.alt = (
    "Words as points: attention to the right, what leaving the word out changes upwards"
)
for kind, marker in kinds.items():
    these = [word for _, word in dropped if word["kind"] == kind]
    share = [100 * word["attention"] for word in these]
    axis.scatter(share, [255 * word["moved"] for word in these], marker=marker, label=kind)
axis.set(xlabel="attention that the word gets (%)", ylabel="moved without it (grey levels)")
_ = axis.legend(frameon=False)

# %%
ranks = [
    spearmanr(
        *zip(*((word["attention"], word["moved"]) for word in one["words"]))
    ).statistic
    for one in record["drop"]
]
print("rank correlation of attention and effect:", intervals.mean(ranks))

# %% [markdown]
# TODO
#
# ### Whose vectors carry the style?
#
# The U-Net gets 77 vectors: one for the start, one for each token, and all others for *end
# tokens*, which fill the row up. Each vector has read everything before it (notebook 01), so the
# end tokens have read the style too. Here we take them apart. `joined` puts the vectors of one
# prompt's words before those of another prompt's end tokens.


# %%
@torch.no_grad()
def embed(texts):
    """The vectors of prompts: (n, 77, width)."""
    return pipe.encode_prompt(texts, pipe.device, 1, False)[0]


def joined(words_of, ends_of):
    """The vectors of one prompt's words, then those of another's end tokens: (77, width)."""
    cut, end = (len(pipe.tokenizer(text).input_ids) - 1 for text in (words_of, ends_of))
    words, ends = embed([words_of, ends_of])
    return torch.cat([words[:cut], ends[end:], ends[end:]])[: len(words)]


steps, guidance = models.recommend(pipe)


def draw(vectors, seeds, **more):
    """Pictures from the vectors of prompts, (n, 77, width)."""
    noises = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    settings = {
        "num_inference_steps": steps,
        "guidance_scale": guidance,
        "generator": noises,
    }
    return pipe(prompt_embeds=vectors, **settings, **more).images


# %% [markdown]
# > **Predict.** The words say *flat design*, the end tokens come from *oil painting*. What will be
# > drawn?

# %%
mixed = record["mix"][2:4]  # one prompt, both ways round
texts = [(one["words of"], one["ends of"]) for one in mixed]
pure = torch.stack([joined(text, text) for text, _ in texts])
both = torch.stack([joined(*pair) for pair in texts])
pictures = draw(torch.cat([pure, both]), [mixed[0]["seed"]] * 4)
first, second = (text.split(", ")[-1] for text, _ in texts)
titles = [
    first,
    second,
    f"words: {first}\nends: {second}",
    f"words: {second}\nends: {first}",
]
sdlab.grid(pictures, titles)

# %%
shares = {
    "of the words": [one["style"] == one["wanted"][0] for one in record["mix"]],
    "of the end tokens": [one["style"] == one["wanted"][1] for one in record["mix"]],
    "another": [one["style"] not in one["wanted"] for one in record["mix"]],
}
print("the style is")
for name, right in shares.items():
    print(f"  {name:20s}{intervals.share(right)}")
if in_our_world:
    now = judge.answers(pictures[2:], "style")
    print(
        "drawn again, the judge says",
        now,
        "and in the file",
        [one["style"] for one in mixed],
    )

# %% [markdown]
# TODO
#
# ## The order of words
#
# A prompt has a subject, a place and a style. Does it matter where the style stands, or whether it
# is said twice? What if another word contradicts it?
#
# > **Predict.** Which of these is drawn as a watercolour: *watercolor, a lion on the beach,
# > cartoon*, or *a lion on the beach, watercolor, cartoon*?

# %%
forms = {
    "last": "subject, style",
    "first": "style, subject",
    "twice": "style, subject, style",
    "synonym": "subject, another name of the style",
    "reversed": "all words in reverse order",
    "unsaid": "subject",
}
print(f"{'':38s}{'style':18s}object")
for form, meaning in forms.items():
    rows = [(one, one["forms"][form]) for one in record["forms"]]
    style = intervals.share([row["style"] == one["wanted"] for one, row in rows])
    thing = intervals.share([row["object"] == one["thing"] for one, row in rows])
    print(f"{meaning:38s}{style!s:18s}{thing}")

# %% [markdown]
# TODO
#
# Now the prompts that contradict themselves: two styles, the one that is said earlier and the one
# that is said later.

# %%
for form, meaning in {
    "both after": "subject, style, other style",
    "before and after": "style, subject, other style",
}.items():
    rows = [row for row in record["contradicted"] if row["form"] == form]
    wins = {
        "earlier": [row["style"] == row["said"][0] for row in rows],
        "later": [row["style"] == row["said"][1] for row in rows],
        "neither": [row["style"] not in row["said"] for row in rows],
    }
    told = ", ".join(f"{name} {intervals.share(right)}" for name, right in wins.items())
    print(f"{meaning}: {told}")

# %%
some = record["contradicted"][4:8]
runs = sdlab.sweep(
    pipe,
    [sdlab.Recipe(row["prompt"], seed=row["seed"]) for row in some],
    seed=[some[0]["seed"]],
    progress=False,
)
pictures = [run.image for run in runs]
seen = judge.answers(pictures, "style") if in_our_world else [""] * 4
titles = [f"{row['said'][0]}, then\n{row['said'][1]} ({row['form']})" for row in some]
if in_our_world:
    same = sum(now == row["style"] for now, row in zip(seen, some))
    print(f"drawn again: the judge says the same of {same} of {len(some)}")
sdlab.grid(pictures, titles, columns=4)

# %% [markdown]
# TODO
#
# ## A style never seen with this thing
#
# In the world of the pocket model's training, some pairs of a thing and a style were kept back on
# purpose: the model has seen tigers and it has seen watercolours, and never a tiger in
# watercolour. If it only repeats pictures, it must fail on these. If it has learned *tiger* and
# *watercolour* apart, it can combine them.
#
# > **Predict.** In what share of the prompts will the unseen style be right, compared with styles
# > that were seen with the same thing?

# %%
unseen = record["unseen"]
pairs = [unseen[0], unseen[9], unseen[18], unseen[27]] if len(unseen) > 27 else unseen[:4]
prompts = [one[kind]["prompt"] for kind in ("unseen", "seen") for one in pairs]
recipes = [sdlab.Recipe(p, seed=one["seed"]) for p, one in zip(prompts, pairs * 2)]
runs = [sdlab.generate(pipe, recipe, progress=False) for recipe in recipes]
pictures = [run.image for run in runs]
titles = [text.replace(", ", ",\n") for text in prompts]
sdlab.grid(pictures, titles, columns=4, rows=["pair never seen", "pair seen"])

# %%
right = {}
for head in ("style", "object"):
    for kind in ("unseen", "seen"):
        wanted = [
            one["thing"] if head == "object" else one[kind]["wanted"] for one in unseen
        ]
        right[head, kind] = [one[kind][head] == word for one, word in zip(unseen, wanted)]
        print(f"{head:7s}{kind:8s}{intervals.share(right[head, kind])}")
    more = intervals.difference(
        np.float64(right[head, "unseen"]), np.float64(right[head, "seen"])
    )
    said = "can" if more.is_clear else "cannot"
    print(f"       unseen less seen: {more}, which {said} be told from 0\n")
if in_our_world:
    now, kept = (
        judge.answers(pictures, "style"),
        [one[k]["style"] for k in ("unseen", "seen") for one in pairs],
    )
    print(
        f"drawn again: the judge says the same of {sum(map(str.__eq__, now, kept))} of {len(now)}"
    )

# %% [markdown]
# TODO
#
# ## When is the style decided?
#
# A picture is drawn in 25 steps. To see in which of them the style is decided, we begin with one
# prompt and go on with another: the first $k$ steps are told *cartoon*, the others *watercolor*.
# Diffusers lets us do that from outside. After every step it calls a function of ours, which may
# replace the vectors of the prompt.


# %%
def swap(first, then, after, seed):
    """Pictures that follow one prompt, and another one after some of their steps."""
    now, later, at = (
        embed([first] * len(after)),
        embed([then] * len(after)),
        torch.tensor(after),
    )
    now[at == 0] = later[at == 0]

    def change(pipe, step, time, values):
        turn = at == step + 1
        prompts = values["prompt_embeds"][
            -len(after) :
        ]  # the empty prompt's come before them
        prompts[turn] = later[turn]
        return values

    told = {
        "callback_on_step_end": change,
        "callback_on_step_end_tensor_inputs": ["prompt_embeds"],
    }
    return draw(now, [seed] * len(after), **told)


# %% [markdown]
# > **Predict.** A cartoon that becomes a watercolour after $k$ of 25 steps: up to which $k$ will
# > the picture be a watercolour? And if the *object* changes on the way, will that be decided
# > earlier than the style, or later?

# %%
after = record["swap"]["after"]  # numbers of steps
example = 4 if len(record["swap"]["style"]) > 4 else 0
tries = [
    record["swap"][kind][example + way]
    for kind, way in (("style", 0), ("style", 1), ("object", 0))
]
films = [swap(one["first"], one["then"], after, one["seed"]) for one in tries]
names = ["{} then {}".format(*one["wanted"]) for one in tries]
titles = [f"after {k}" for k in after] + [None] * 2 * len(after)
sheet = [picture for film in films for picture in film]
sdlab.grid(sheet, titles, columns=len(after), rows=names, cell=1.15)

# %%
if in_our_world:
    for one, film, head in zip(tries, films, ("style", "style", "object")):
        now, kept = (
            judge.answers(film, head),
            [picture[head] for picture in one["pictures"]],
        )
        print(f"{' → '.join(one['wanted'])}: {', '.join(now)}")
        print(
            f"   the same as in the file: {sum(map(str.__eq__, now, kept))} of {len(now)}"
        )

# %% [markdown]
# TODO
#
# The file has this for eight prompts of other things, places and styles, in both directions.

# %%
shows = {}  # (what changed, whose it is) → (runs, points) of True and False
for head in ("style", "object"):
    rows = record["swap"][head]
    for whose, name in enumerate(("first prompt's", "second prompt's")):
        shows[head, name] = np.array(
            [[p[head] == one["wanted"][whose] for p in one["pictures"]] for one in rows]
        )
    shows[head, "another"] = ~(
        shows[head, "first prompt's"] | shows[head, "second prompt's"]
    )
lines = {
    name: shows["style", name] for name in ("first prompt's", "second prompt's", "another")
}
axes = {"xlabel": "steps before the prompt changes", "ylabel": "share of pictures"}
sdlab.curve(after, lines, **axes, title="the style")

# %%
both = {head: shows[head, "second prompt's"] for head in ("style", "object")}
axes["ylabel"] = "share that shows the second prompt's"
sdlab.curve(after, both, **axes)

# %%
pipe.scheduler.set_timesteps(25)
noise = (1 - pipe.scheduler.alphas_cumprod[pipe.scheduler.timesteps.cpu()]).sqrt()
print(
    f"{'change after':14s}{'noise left':12s}{'second style':18s}{'second object':18s}difference"
)
for point, k in enumerate(after[1:-1], 1):
    style, thing = (both[head][:, point] for head in ("style", "object"))
    more = intervals.difference(style * 1.0, thing * 1.0)
    share = [str(intervals.share(some)) for some in (style, thing)]
    print(f"{k:<14d}{noise[k]:<12.2f}{share[0]:18s}{share[1]:18s}{more}")

# %% [markdown]
# TODO
#
# ### Exercise: the step of the decision (10 minutes)
#
# Where does a curve cross one half? Write `decided`, which takes the points of a curve, `steps` and
# `shares` (from low to high), and returns the step at which it *first* reaches 0.5. Between two
# points the curve is a straight line.


# %% tags=["stub"]
def decided(steps, shares):
    """The step at which a rising curve of shares reaches one half."""
    return steps[
        np.argmax(np.array(shares) >= 0.5)
    ]  # a point of the curve: go on from here


# %% tags=["solution"]
def decided(steps, shares):
    """The step at which a rising curve of shares reaches one half."""
    after = int(np.argmax(np.array(shares) >= 0.5))  # the first point that is high enough
    if after == 0:
        return steps[0]
    low, high = shares[after - 1], shares[after]
    way = (0.5 - low) / (high - low)
    return steps[after - 1] + way * (steps[after] - steps[after - 1])


# %%
with sdlab.exercise("The step of the decision"):
    assert decided([0, 10, 20], [0, 0.5, 1]) == 10, (
        "a point that lies on one half is the answer"
    )
    near = decided([0, 10, 20], [0, 0.2, 1])
    assert near != 20, (
        "20 is the first point above one half; the line crosses it earlier, between 10 and 20"
    )
    assert abs(near - 13.75) < 0.01, (
        f"from 0.2 at 10 to 1 at 20 the line passes 0.5 at 13.75, not at {near:g}: which part of "
        "the way from 0.2 to 1 is done at 0.5?"
    )
    assert abs(decided([0, 10, 20, 25], [0, 0.6, 0.4, 1]) - 10 * 5 / 6) < 0.01, (
        "where a curve crosses one half more than once, the first time counts"
    )
    for head in ("style", "object"):
        rows = shows[head, "first prompt's"]
        again = np.random.default_rng(0).integers(len(rows), size=(1000, len(rows)))
        low, high = np.quantile(
            [decided(after, rows[pick].mean(0)) for pick in again], (0.025, 0.975)
        )
        print(
            f"{head}: after {decided(after, rows.mean(0)):.1f} steps ({low:.1f}–{high:.1f})"
        )

# %% [markdown]
# (The interval is a bootstrap over the prompts: the experiment is imagined again by drawing from
# its own rows.)
#
# ## Exercise: half and half (20 minutes)
#
# Draw a picture that lies half-way between two styles. The judge decides. It gives each style a
# probability; `lean` takes the logarithm of the ratio of two. A pure picture of the first style
# has a high value, one of the second a low value, and yours should be between them.


# %%
def lean(pictures, one, other):
    """How much more the judge believes in one style than in another: log p(one) − log p(other)."""
    ruler = judge.shipped()
    chances = judge.opinion(ruler, judge.to_tensor(pictures))["style"].log()
    first, second = (ruler.classes["style"].index(style) for style in (one, other))
    return (chances[:, first] - chances[:, second]).numpy()


# %% [markdown]
# `half` gets two prompts that differ only in the style, and a seed, and returns one picture. The
# check draws three such pairs. There is more than one way: you know `swap` and `embed`, and how
# the style depends on the step.


# %% tags=["stub"]
def half(first, then, seed):
    """A picture half-way between the styles of two prompts."""
    return draw(embed([first]), [seed])[0]  # this is the first style alone


# %% tags=["solution"]
def half(first, then, seed):
    """A picture half-way between the styles of two prompts."""
    vectors = embed([first, then]).mean(0, keepdim=True)
    return draw(vectors, [seed])[0]


# %%
trials = [
    ("a lion on the beach", "oil painting", "pencil sketch"),
    ("a house in the snow", "cartoon", "watercolor"),
    ("a car in a garden", "pixel art", "stencil"),
]
sheet, places = [], []
with sdlab.exercise("Half and half"):
    for seed, (subject, one, other) in enumerate(trials):
        first, then = f"{subject}, {one}", f"{subject}, {other}"
        pure, mine = draw(embed([first, then]), [seed] * 2), half(first, then, seed)
        sheet += [pure[0], mine, pure[1]]
        high, own, low = lean([pure[0], mine, pure[1]], one, other)
        places.append((own - low) / (high - low))
    told = ", ".join(f"{place:.2f}" for place in places)
    print(f"from 0, the second style, to 1, the first one: {told}")
    assert max(places) < 0.9, "one picture or more is as good as the first style alone"
    assert min(places) > 0.1, "one picture or more is as good as the second style alone"
    assert 0.25 < np.mean(places) < 0.75, (
        "between them, but not in the middle: on average 0.25 to 0.75"
    )

# %%
sdlab.grid(
    sheet, ["the first style", "yours", "the second style"] * (len(sheet) // 3), columns=3
)

# %% [markdown]
# ## What you learned
#
# TODO
#
# ## Go further
#
# - In `swap`, let the other prompt rule only from step $k$ to step $k + 5$. Where does a short visit
#   of another style leave most?
# - Is the style decided at the same step with guidance 2, or with another sampler (notebook 03)?
# - Does a style also say *what* is drawn? Draw eight seeds of *a house* in each style without a
#   place, and ask the judge for the place.
# - With SD 1.5: *a beautiful mountain landscape with a lake, oil painting Van Gogh*, and then only
#   one of the last four words. Is *Gogh* enough now?
