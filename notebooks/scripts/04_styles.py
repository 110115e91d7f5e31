# %% [markdown]
# # 04 · Styles
#
# The same mountains by the same lake: as a photograph, in oil, as an anime, in pencil, in
# watercolour. Only a few words of the prompt change. Which words carry the style, where does the
# model read them, and when is the style decided? Here you take a prompt apart word by word, and
# then the drawing itself step by step.
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
import textwrap

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.stats import spearmanr

import sdlab
from sdlab.display import diagrams, intervals
from sdlab.display.described import Described
from sdlab.lesson import read_results
from sdlab.pipes import models
from sdlab.study import anatomy, judge, metrics

pipe = sdlab.load()
pipe.set_progress_bar_config(disable=True)
sdlab.use_style()
in_our_world = models.name_of(pipe) == "pocket"  # the judge knows no other model's pictures

# %% [markdown]
# Some measurements of this lesson take hundreds of pictures. `python -m benchmarks.styles` made
# them with the pocket model, once, and wrote down what the judge saw in every picture. We read
# its file, and draw parts of it again as a check.

# %%
record = read_results("04")
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
five = ["photorealistic", "oil painting Van Gogh", "japanese anime"]
five += ["pencil sketch", "watercolor"]
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
# more than another seed does, and it changes something else. In all five pictures of a row the
# sky is above, the mountains are in the middle and the lake is below; colours and lines are new.
# The seed moves the mountains and the clouds.
#
# ### What the judge says
#
# By eye it is easy to be too kind. The course has a *judge*, a small network that was trained on
# pictures of the pocket model's world. It says which style, object and place it sees in a picture,
# and it knows eight styles.

# %%
if in_our_world:
    print("the judge's styles:", ", ".join(judge.shipped().classes["style"]))
    for number, style in enumerate(five):
        answers = judge.answers([row[number] for row in rows], "style")
        print(f"{style:22s}→ {', '.join(answers)}")

# %% [markdown]
# Three styles have the names that we gave them, and *japanese anime* is called *cartoon*. That is
# no mistake. A model knows words only from the captions of its training, and in those of the
# pocket model these words were used for the same pictures:
#
# | style | said in the captions, for example, as |
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
# To this model a *photo* is a 3d render, because it never met the word with other pictures. And yet
# the judge did not call all of the photorealistic landscapes 3d renders. To see why, we draw all
# eight styles with an object in front.

# %% tags=["cover"]
eight = ["3d render", "flat design", "cartoon", "stencil"]
eight += ["oil painting", "watercolor", "pencil sketch", "pixel art"]
prompts = [f"a lion on the beach, {style}" for style in eight]
lions = [run.image for run in sdlab.sweep(pipe, prompts, seed=[2], progress=False)]
if in_our_world:
    print("the judge sees:", ", ".join(judge.answers(lions, "style")))
sdlab.grid(lions, eight, columns=4)

# %% [markdown]
# Compare the first two. The *lion* is shaded in another way, but the beach is nearly the same. In
# the pictures that the model learned from, the styles *3d render* and *flat design* differ in their
# objects only. The landscape has no object, so nothing tells the two styles apart, and the judge
# has to guess. **A style shows only where there is something to draw in it.**
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
# The tokenizer does not mind the space before the comma.
words = f"{landscape} , oil painting Van Gogh".split()
whole = sdlab.Recipe(" ".join(words), seed=1)
left_out = [number for number, word in enumerate(words) if word != ","]
shorter = [" ".join(words[:number] + words[number + 1 :]) for number in left_out]
runs = sdlab.sweep(pipe, [whole.prompt, *shorter], seed=[1], progress=False)
full, *rest = [run.image for run in runs]
moved = 255 * metrics.distance(rest, [full] * len(rest))
names = [words[number] for number in left_out]
titles = ["all words", *(f"without {name}" for name in names)]
sdlab.grid([full, *rest], titles, columns=6, cell=1.5)

# %%
figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained", FigureClass=Described)
figure.alt = "Bars: how far the picture moves when each of its words is left out"
colours = ["C1" if number > words.index(",") else "C0" for number in left_out]
axis.bar(range(len(names)), moved, color=colours)
axis.set_xticks(range(len(names)), names, rotation=30)
axis.set_ylabel("moved by (grey levels)")
if in_our_world:
    answers = judge.answers(rest, "style")
    right = sum(answer == "oil painting" for answer in answers)
    print(f"with a word missing, {right} of {len(rest)} are an oil painting to the judge")

# %% [markdown]
# (The bars of the style's words are orange.) Whichever word is missing, the picture stays nearly
# the same. Look at the highest bar, and compare it with the distances above: even this word changes
# much less than another seed does. And which word decides that it is an oil painting? None of them.
#
# Does that mean that the words do nothing? Leaving out *one* word cannot tell. Where two words
# say the same, either of them can go, because the other is still there. So we turn the experiment
# around: of the style's four words only one stays.

# %%
alone = ["oil", "painting", "Van", "Gogh", ""]
prompts = [f"{landscape}, {word}".rstrip(", ") for word in alone]
runs = sdlab.sweep(pipe, prompts, seed=[1], progress=False)
pictures = [run.image for run in runs]
seen = judge.answers(pictures, "style") if in_our_world else [""] * len(alone)
titles = [f"{word or 'no style'}\n{answer}" for word, answer in zip(alone, seen)]
sdlab.grid(pictures, titles)

# %% [markdown]
# (Below each word is what the judge sees.) *Oil* alone is enough, and so is *Van*: that is why each
# of them could be left out. *Painting* is not, for the captions also say *watercolor painting*.
# *Gogh* is not either: in the captions it always stood behind *Van*, which had said it all. And
# without a style there is no oil painting: together the four words decide everything.
#
# **Leaving out one word finds the words that nothing replaces.** Keeping one word finds those
# that are enough. You need both.
#
# One prompt proves little. The file has eight others, one of each style, with each of their words
# left out in turn.

# %%
dropped = [(one["whole"], word) for one in record["drop"] for word in one["words"]]
print(f"{len(record['drop'])} prompts, such as {record['drop'][0]['prompt']!r}\n")
print(f"{'without':20s}{'moved by':20s}{'same style':16s}same object")
for kind in ("thing", "place", "style", "small"):
    these = [(full, word) for full, word in dropped if word["kind"] == kind]
    moved = intervals.mean([255 * word["moved"] for _, word in these])
    style, thing = (
        intervals.share([full[head] == word[head] for full, word in these])
        for head in ("style", "object")
    )
    print(f"a {kind} word".ljust(20) + f"{moved!s:20s}{style!s:16s}{thing}")

# %% [markdown]
# (*Small* words are a, an, the, in, on, at and with.) Here words of the thing and of the place move
# the picture far, and small words hardly at all. These prompts are short, and no other word
# replaces *pig* or *beach*. Without a word of the thing the judge finds the object in few pictures,
# and their style in nearly all. A word of the style moves the picture less on average: most of
# these styles have two words, such as *pencil sketch*, and one of them is often enough.
#
# ## Attention maps, and how not to read them
#
# Notebook 01 showed how cross-attention works, and drew maps of where in the picture the U-Net
# looks for each word. It is tempting to take such a map for an explanation: the model looked
# here, so this word made this part. We test it.
#
# > **Predict.** A style is everywhere in a picture. What will the maps of *oil* and *painting*
# > look like? And will the words that get most attention be those that matter most?

# %%
run, maps = anatomy.word_maps(pipe, whole)
shown = ["mountain", "lake", "oil", "painting", "van"]
diagrams.words(run.image, {word: maps[word] for word in shown})

# %% [markdown]
# Bright means much attention, dark means little. One would like to say: the model looks for *oil*
# in this part of the picture, and for *painting* in that. But each map is coloured from its own
# lowest value to its own highest. So we look at the numbers behind the colours. How much attention
# does the darkest place of a map get, compared with the brightest? And how much falls on the lower
# half, where the lake is?

# %%
for word in shown:
    dark, half = maps[word].min(), len(maps[word]) // 2  # the brightest is 1
    lower = maps[word][half:].sum() / maps[word].sum()
    print(f"{word:10s}darkest {dark:.0%} of the brightest, lower half {lower:.0%} of all")

# %% [markdown]
# *Oil* gets attention everywhere, as one would expect of a style: its darkest place gets most of
# what the brightest gets. It is the colours that make so much structure of it. *Mountain* does
# gather in one place, as *lion* did in notebook 01. But *lake* gets hardly more attention in the
# half where the lake is than in the other: spread evenly, it would get 50% there. And the brightest
# place of its map is not on the lake, but on the mountains.
#
# And how much attention does a word get in total? For that we take the mean over all layers, heads,
# steps and places of the picture.

# %%
with anatomy.watching(pipe.unet) as kept:
    sdlab.generate(pipe, whole, progress=False)
amount = sum(weights.mean(0) for weights in kept) / len(kept)  # (77,), the sum is 1
end = len(pipe.tokenizer.tokenize(whole.prompt)) + 1
for name, part in ("start token", slice(0, 1)), ("words", slice(1, end)):
    print(f"{name}: {amount[part].sum():.0%}")
print(f"end tokens: {amount[end:].sum():.0%}")

# %%
kinds = {"thing": "o", "place": "s", "style": "^", "small": "x"}
figure, axis = plt.subplots(figsize=(6.5, 3.4), layout="constrained", FigureClass=Described)
figure.alt = "Words as points: their attention along x, their effect along y"
for kind, marker in kinds.items():
    these = [word for _, word in dropped if word["kind"] == kind]
    share = [100 * word["attention"] for word in these]
    axis.scatter(share, [255 * word["moved"] for word in these], marker=marker, label=kind)
axis.set(xlabel="attention that the word gets (%)", ylabel="moved without it (grey levels)")
_ = axis.legend(frameon=False, title="kind of word")

# %%
for kind in kinds:
    attention = [100 * word["attention"] for _, word in dropped if word["kind"] == kind]
    print(f"{kind:6s}words get {intervals.mean(attention)} % of the attention each")
pairs = [
    [(word["attention"], word["moved"]) for word in one["words"]] for one in record["drop"]
]
ranks = [spearmanr(*zip(*these)).statistic for these in pairs]
print("rank correlation of attention and effect in a prompt:", intervals.mean(ranks))

# %%
rank = intervals.mean(ranks)
sdlab.claim(
    "The words that get most attention matter most",
    held=rank.low > 0.5,
    measured=f"the rank correlation of attention and effect is {rank} in {len(ranks)} prompts",
)

# %% [markdown]
# Each point is one word of the eight prompts. At the right are words of the thing: they get most
# attention, and most of them matter. So far one would believe the maps. But at the upper left are
# words of the place: they get hardly any attention, and without them the picture is another one.
# And at the bottom are small words such as *a* and *in*; many of them get more attention than the
# words of the place, and they change little. Over all words of a prompt, the order by attention
# and the order by effect are related weakly, if at all. (A rank correlation of 1 would be the same
# order, 0 no relation.) **How much a model looks at a word does
# not say how much the word matters.** To know that, change the word and see what becomes of the
# picture.
#
# ### Whose vectors carry the style?
#
# There is one more reason for care. The U-Net gets 77 vectors: one for the start, one for each
# token of the prompt, and all others for *end tokens*, which fill the row. Every vector has read
# what stands before it (notebook 01), so the end tokens have read the style too, and they get a
# large part of the attention, as you saw. Here we separate the two. `joined` puts the vectors of
# one prompt's words before those of another prompt's end tokens.


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


# %% [markdown]
# `draw` makes pictures from such vectors. A pipeline takes them as `prompt_embeds`.

# %%
steps, guidance = models.recommend(pipe)


def draw(vectors, seeds, **more):
    """Pictures from the vectors of prompts, (n, 77, width)."""
    noises = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    settings = {"num_inference_steps": steps, "guidance_scale": guidance}
    return pipe(prompt_embeds=vectors, generator=noises, **settings, **more).images


# %% [markdown]
# > **Predict.** The words come from a prompt with *pixel art*, and the end tokens from the same
# > prompt with *cartoon*. Which of the two styles will be drawn?

# %%
mixed = record["mix"][-4:-2]  # one thing, both ways round
texts = [(one["words of"], one["ends of"]) for one in mixed]
pure = torch.stack([joined(text, text) for text, _ in texts])
both = torch.stack([joined(*pair) for pair in texts])
pictures = draw(torch.cat([pure, both]), [mixed[0]["seed"]] * 4)
first, second = (text.split(", ")[-1] for text, _ in texts)
titles = [f"words: {one}\nends: {other}" for one, other in (
    (first, first), (second, second), (first, second), (second, first),
)]  # fmt: skip
sdlab.grid(pictures, titles)

# %%
shares = {
    "of the words": [one["style"] == one["wanted"][0] for one in record["mix"]],
    "of the end tokens": [one["style"] == one["wanted"][1] for one in record["mix"]],
    "another": [one["style"] not in one["wanted"] for one in record["mix"]],
}
for name, right in shares.items():
    print(f"the style is that {name}:".ljust(36), intervals.share(right))
ends, own = (np.float64(shares[f"of the {name}"]) for name in ("end tokens", "words"))
print("end tokens less words:", intervals.difference(ends, own))
if in_our_world:
    now, then = judge.answers(pictures[2:], "style"), [one["style"] for one in mixed]
    print(f"the two pictures above: {now}; in the file: {then}")

# %% [markdown]
# The style comes more often from the end tokens than from the words that name it. A map of the
# word *cartoon* shows nothing of that: it shows one vector, and the style is in sixty others as
# well. Yi et al. (2024, arXiv:2405.15330) report the same of Stable Diffusion: in its early steps
# most of the picture is decided by the end tokens.
#
# ## The order of words
#
# A prompt has a subject, a place and a style. Does it matter where the style stands, or that it
# is said twice? And what if a second style contradicts it?
#
# > **Predict.** *3d render, a pig on the beach, stencil linocut*, or *a pig on the beach, stencil
# > linocut, 3d render*: which of the two will be a stencil, and which a 3d render?

# %%
forms = {
    "last": "subject, style",
    "first": "style, subject",
    "twice": "style, subject, style",
    "synonym": "subject, another name of the style",
    "reversed": "all words in reverse order",
    "unsaid": "subject",
}
print(f"{'':38s}{'style':16s}object")
for form, meaning in forms.items():
    rows = [(one, one["forms"][form]) for one in record["forms"]]
    style = intervals.share([row["style"] == one["wanted"] for one, row in rows])
    thing = intervals.share([row["object"] == one["thing"] for one, row in rows])
    print(f"{meaning:38s}{style!s:16s}{thing}")
print("\nin reverse order:", record["forms"][0]["forms"]["reversed"]["prompt"])

# %% [markdown]
# Last, first or twice: the judge sees the style that was asked for, and another name of it does
# as well. Even with all words in reverse order the style is drawn. Without any style the model
# draws *some* style, for it never saw a picture without one; the share in the last row is what
# agrees by chance.
#
# Now the prompts that contradict themselves. They name two styles, one earlier and one later.

# %%
for form, meaning in {
    "both after": "subject, style, other style",
    "before and after": "style, subject, other style",
}.items():
    rows = [row for row in record["contradicted"] if row["form"] == form]
    wins = {
        "the earlier": [row["style"] == row["said"][0] for row in rows],
        "the later": [row["style"] == row["said"][1] for row in rows],
        "neither": [row["style"] not in row["said"] for row in rows],
    }
    told = ", ".join(f"{name} {intervals.share(right)}" for name, right in wins.items())
    print(f"{meaning}: {told}")

# %%
winners = {}  # two styles → the styles that were seen in their four prompts
for row in record["contradicted"]:
    winners.setdefault(frozenset(row["said"]), []).append(row["style"])
for pair, seen in winners.items():
    told = ", ".join(
        f"{style} in {seen.count(style)} of 4" for style in dict.fromkeys(seen)
    )
    print(f"{' and '.join(sorted(pair)):30s}→ {told}")
always = intervals.share([len(set(seen)) == 1 for seen in winners.values()])
print(f"one style wins all four prompts in {always} of the pairs")

# %% [markdown]
# It is not the place in the prompt that decides, but *which* styles they are: in most pairs the
# same style wins, earlier or later, before the subject or behind it. The two plain ones, 3d
# render and flat design, lose against those that change the whole picture. Look at one pair.

# %%
some = record["contradicted"][:4]
prompts, seed = [row["prompt"] for row in some], some[0]["seed"]
runs = sdlab.sweep(pipe, prompts, seed=[seed], progress=False)
pictures = [run.image for run in runs]
if in_our_world:
    now, then = judge.answers(pictures, "style"), [row["style"] for row in some]
    print(f"the judge now: {now}\nin the file:   {then}")
firsts, others = zip(*((pictures[i], pictures[j]) for i in range(4) for j in range(i)))
apart = intervals.mean(255 * metrics.distance(firsts, others))
print(f"the four pictures are {apart} grey levels apart")
sdlab.grid(pictures, [prompt.replace(", ", ",\n") for prompt in prompts], columns=4)

# %% [markdown]
# They are nearly the same picture, so the order of the words hardly matters to this model. And it
# is a picture of both styles: parts of it are a stencil's, in black and grey, and parts have the
# colours and the shading of a 3d render. The judge has to name one of them. So the answer to the
# prediction is: both prompts draw the same mixture.
#
# ## A style never seen with this thing
#
# In the world of the pocket model's training, some pairs of a thing and a style were kept back on
# purpose. The model has seen tigers, and it has seen watercolours, but never a tiger in
# watercolour. If it only repeats what it saw, it must fail there. If it has learned *tiger* and
# *watercolour* separately, it can put them together.
#
# > **Predict.** We ask for things in a style that was never seen with them, and for the same
# > things in styles that were. In what share of the pictures will the style be right?

# %%
unseen = record["unseen"]
some = unseen[::8]
prompts = [one[kind]["prompt"] for kind in ("unseen", "seen") for one in some]
recipes = [sdlab.Recipe(p, seed=one["seed"]) for p, one in zip(prompts, [*some, *some])]
pictures = [run.image for run in sdlab.sweep(pipe, recipes, progress=False)]
titles = ["\n".join(textwrap.fill(part, 22) for part in p.split(", ")) for p in prompts]
sdlab.grid(pictures, titles, columns=len(some), rows=["pair never seen", "pair seen"])

# %%
for head in ("style", "object"):
    right = {}
    for kind in ("unseen", "seen"):
        wanted = [
            one["thing"] if head == "object" else one[kind]["wanted"] for one in unseen
        ]
        right[kind] = np.float64([one[kind][head] == w for one, w in zip(unseen, wanted)])
        print(f"{head:8s}pair {kind:8s}{intervals.share(right[kind])}")
    print(f"{head:8s}difference   {intervals.difference(right['unseen'], right['seen'])}")
if in_our_world:
    now = judge.answers(pictures, "style")
    then = [one[kind]["style"] for kind in ("unseen", "seen") for one in some]
    same = sum(map(str.__eq__, now, then))
    print(f"drawn again, the judge says the same of {same} of {len(now)} pictures")

# %%
right = {
    kind: np.float64([one[kind]["style"] == one[kind]["wanted"] for one in unseen])
    for kind in ("unseen", "seen")
}
less = intervals.difference(right["unseen"], right["seen"])
sdlab.claim(
    "A model can draw a thing in a style in which it never saw it",
    held=right["unseen"].mean() > 0.5 and not (less.is_clear and less.value < -0.1),
    measured=f"the style is right in {intervals.share(right['unseen'])} of {len(unseen)} such "
    f"pictures, and in {intervals.share(right['seen'])} where the pair was seen",
)

# %% [markdown]
# What was never seen together is drawn about as well as what was, so the model has learned the
# thing and the style separately, and puts them together. Two remarks. The intervals are wide: with
# so few pairs a small difference is not found. And the test is easy. Every style was seen with some
# ninety other things, and most styles of this world are laid over a drawing that the model has seen
# without them. How far a large model can combine depends on what it has seen, and for most such
# models nobody can look that up. That is why such a test needs a world like this one.
#
# ## When is the style decided?
#
# A picture is drawn in 25 steps. To see in which of them the style is decided, we begin with one
# prompt and go on with another: the first $k$ steps follow the first prompt, all later ones the
# second. Diffusers lets us do that from outside. After every step it calls a function of ours,
# which may replace the prompt's vectors.


# %%
def swap(first, then, after, seed):
    """Pictures that follow one prompt, and another one after some of their steps."""
    now, later = (embed([text] * len(after)) for text in (first, then))
    at = torch.tensor(after)
    now[at == 0] = later[at == 0]

    def change(pipe, step, time, values):
        turn = at == step + 1
        prompts = values["prompt_embeds"][-len(after) :]  # the empty prompt's come first
        prompts[turn] = later[turn]
        return values

    told = {
        "callback_on_step_end": change,
        "callback_on_step_end_tensor_inputs": ["prompt_embeds"],
    }
    return draw(now, [seed] * len(after), **told)


# %% [markdown]
# > **Predict.** The prompt changes from one style to another after $k$ of 25 steps. Up to which
# > $k$ will the second style still win? And if it is the *object* that changes: is it decided
# > earlier than the style, or later?

# %%
after = record["swap"]["after"]  # numbers of steps
tries = [*record["swap"]["style"][-4:-2], record["swap"]["object"][-4]]
films = [swap(one["first"], one["then"], after, one["seed"]) for one in tries]
names = ["{}, then {}".format(*one["wanted"]) for one in tries]
titles = [f"after {k}" for k in after] + [None] * 2 * len(after)
sheet = [picture for film in films for picture in film]
sdlab.grid(sheet, titles, columns=len(after), rows=names, cell=1.15)

# %%
for one, film, head in zip(tries, films, ("style", "style", "object")):
    then = [picture[head] for picture in one["pictures"]]
    print(f"{', then '.join(one['wanted'])}:\n   {' | '.join(then)}")
    if in_our_world:
        same = sum(map(str.__eq__, judge.answers(film, head), then))
        print(f"   drawn again, the judge says the same of {same} of {len(then)}")

# %% [markdown]
# Read each row from left to right. At the left the second prompt had all the steps, at the right
# the first one had. What was drawn in the first twelve steps is simply drawn over. Then come
# pictures of both, and then the first prompt wins. The two upper rows do not turn at the same
# place. Pencil strokes can be laid over a coloured picture nearly to the very end; to bring
# colours into a pencil sketch takes more steps. In the third row there is a place where the thing
# is neither. (The judge may call a flat design a 3d render: the two are close, as you saw.)
#
# The file has this for eight prompts of other things, places and styles, in both directions.

# %%
shows = {}  # (what changed, whose it is) → (runs, points) of True and False
for head in ("style", "object"):
    for whose, name in enumerate(("the first prompt's", "the second prompt's")):
        shows[head, name] = np.array([
            [picture[head] == one["wanted"][whose] for picture in one["pictures"]]
            for one in record["swap"][head]
        ])  # fmt: skip
    shows[head, "another"] = ~(shows[head, "the first prompt's"] | shows[head, name])
axes = {"xlabel": "steps before the prompt changes", "ylabel": "share of pictures"}
style = {whose: shows[what, whose] for what, whose in shows if what == "style"}
sdlab.curve(after, style, **axes, title="the style is")

# %%
thing = {whose: shows[what, whose] for what, whose in shows if what == "object"}
sdlab.curve(after, thing, **axes, title="the object is")

# %% [markdown]
# And the two side by side: how often does the *second* prompt get its style, and how often its
# object?

# %%
pipe.scheduler.set_timesteps(25)
noise = (1 - pipe.scheduler.alphas_cumprod[pipe.scheduler.timesteps.cpu()]).sqrt()
print("steps  noise left  second style    second object   difference")
for point, k in enumerate(after[1:-1], 1):
    style, thing = (
        np.float64(shows[head, "the second prompt's"][:, point])
        for head in ("style", "object")
    )
    cells = [f"{intervals.share(some)!s:16s}" for some in (style, thing)]
    print(f"{k:5d}  {noise[k]:10.2f}  {''.join(cells)}{intervals.difference(style, thing)}")

# %%
half = min(range(len(after)), key=lambda point: abs(after[point] - 12))
taken = intervals.share(shows["style", "the second prompt's"][:, half])
sdlab.claim(
    "The style is decided in the first half of the steps",
    held=taken.high < 0.5,
    measured=f"with another prompt after {after[half]} of 25 steps {taken} of the pictures have "
    "its style and not the first one's",
)

# %% [markdown]
# - Half-way through the steps hardly anything is decided: the second prompt wins in most
#   pictures.
# - An object has to be started earlier than a style. With six steps left (after 19) few pictures
#   take over the second object, and more take over the second style.
# - In between, many pictures show neither object: the first is spoilt already, and the second is
#   not finished. Pictures with neither style are rarer.
#
# That fits the noise. An object is large and has to be there before its surface is. A style such
# as *pencil sketch* is made of greys and fine strokes, which are drawn when little noise is left.
# But it is a difference of a few steps and not of early against late: both are decided in the
# second half.
#
# Do not carry this over to other models. Balaji et al. (2022, *eDiff-I*, arXiv:2211.01324) report
# that large models almost ignore the prompt towards the end. Ours is small, its styles are strong,
# and we measured with one sampler and one guidance scale.
#
# ### Exercise: the step of the decision (10 minutes)
#
# One number for a curve: where does it cross one half? Write `decided`. It gets the points of a
# curve, `steps` and `shares`, and returns the step at which the curve *first* reaches 0.5. Between
# two points the curve is a straight line; if it begins at 0.5 or more, the answer is its first
# step. The cell after the check applies it to the curves above.


# %% tags=["stub"]
def decided(steps, shares):
    """The step at which a rising curve of shares reaches one half."""
    after = int(np.argmax(np.array(shares) >= 0.5))  # the first point that is high enough
    return steps[after]  # go on from here


# %% tags=["solution"]
def decided(steps, shares):
    """The step at which a rising curve of shares reaches one half."""
    after = int(np.argmax(np.array(shares) >= 0.5))  # the first point that is high enough
    if after == 0:
        return steps[0]
    low, high = shares[after - 1], shares[after]
    way = (0.5 - low) / (high - low)
    return steps[after - 1] + way * (steps[after] - steps[after - 1])


# %% tags=["hints"]
hints = [
    "The line crosses one half between the point before `after` and the point at `after`.",
    "What share of the way from shares[after - 1] to shares[after] is done at 0.5?",
    "That share of the way from steps[after - 1] to steps[after] is what has to be added to "
    "steps[after - 1]. And what if after is 0?",
]

# %%
with sdlab.exercise("The step of the decision", hints=hints):
    exact = decided([0, 10, 20], [0, 0.5, 1])
    assert exact == 10, (
        f"a point on one half is the answer itself: 10 here, and not {exact}"
    )
    near = decided([0, 10, 20], [0, 0.2, 1])
    assert near != 20, (
        "20 is the first point above one half; the line reaches it earlier, between 10 and 20"
    )
    assert abs(near - 13.75) < 0.01, (
        f"from 0.2 at 10 to 1 at 20 the line reaches 0.5 at 13.75, not at {near:g}: which part of "
        "the way from 0.2 to 1 is done at 0.5?"
    )
    shaky = [0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.4, 0.45, 0.48, 1]
    assert abs(decided(list(range(10)), shaky) - 4.5) < 0.01, (
        "where a curve reaches one half more than once, the first time counts"
    )
    assert decided([0, 10], [0.6, 1]) == 0, (
        "where the first point is above one half already, the answer is its step"
    )

# %%
rng = np.random.default_rng(0)
for head in ("style", "object"):
    lost, safe = ~shows[head, "the second prompt's"], shows[head, "the first prompt's"]
    for told, rows in ("the second is lost", lost), ("the first is safe", safe):
        draws = rng.integers(len(rows), size=(1000, len(rows)))
        found = [decided(after, rows[some].mean(0)) for some in draws]
        low, high = np.quantile(found, (0.025, 0.975))
        value = decided(after, rows.mean(0))
        print(f"{head}: {told} from {value:.1f} steps on ({low:.1f}–{high:.1f})")

# %% [markdown]
# (In brackets is a 95% bootstrap interval: we draw as many rows of the experiment at random, some
# of them more than once, compute the step, and do this a thousand times.) The gap between *lost*
# and *safe* is where the pictures show neither.
#
# ## Exercise: half and half (20 minutes)
#
# Draw a picture that is half in one style and half in another. The judge will check it. It gives
# every style a probability, from which we take two numbers. `between` says where a picture lies
# between two pure ones: the logarithm of the ratio of the two probabilities, scaled so that the
# first style is 1 and the second 0. And `belief` is the sum of the two probabilities: is it one
# of these styles at all?


# %%
def chances(pictures, styles):
    """The judge's probabilities of two styles: (n, 2)."""
    ruler = judge.shipped()
    found = judge.opinion(ruler, judge.to_tensor(pictures))["style"]
    return found[:, [ruler.classes["style"].index(style) for style in styles]].numpy()


def between(picture, pure, styles):
    """Where a picture lies between two pure ones: 1 is the first style, 0 the second."""
    found = np.log(chances([*pure, picture], styles).clip(1e-30))
    high, low, own = found[:, 0] - found[:, 1]
    return (own - low) / (high - low)


def belief(picture, styles):
    """How sure the judge is that a picture has one of two styles, from 0 to 1."""
    return chances([picture], styles).sum()


# %% [markdown]
# The first idea is the mean of the two prompts' vectors. We try it on three pairs of styles.

# %%
subjects = ["a lion on the beach", "a house in the snow", "a car in a garden"]
pairs = [
    ("oil painting", "pencil sketch"),
    ("cartoon", "watercolor"),
    ("pixel art", "stencil"),
]
prompts = [
    [f"{subject}, {style}" for style in pair] for subject, pair in zip(subjects, pairs)
]
pures = [draw(embed(both), [seed] * 2) for seed, both in enumerate(prompts)]
means = [draw(embed(both).mean(0)[None], [seed])[0] for seed, both in enumerate(prompts)]
for pair, pure, mean in zip(pairs, pures, means):
    told = f"between {between(mean, pure, pair):.2f}, belief {belief(mean, pair):.2f}"
    print(f"{' and '.join(pair):32s}{told}")
sheet = [some for pure, mean in zip(pures, means) for some in (pure[0], mean, pure[1])]
titles = ["first style", "mean of the vectors", "second style", *[None] * 6]
sdlab.grid(sheet, titles, columns=3, cell=1.5)

# %% [markdown]
# By the first number this is about half-way. By the second it is not a mixture: mostly the judge
# sees some *third* style. Look for yourself: brush strokes, pencil lines, the white margin of a
# watercolour, how much of the two pure styles do you find in the middle? The mean of two vectors is
# another vector, and it need not mean both. Always ask what else could give the number that you
# hoped for.
#
# Now do better. `half` gets two prompts that differ in their style only, and a seed, and returns
# one picture. Over the three pairs, the mean of `between` should be near 0.5 and the mean of
# `belief` above 0.6. There are several ways: think of what you know about prompts that contradict
# themselves, and of `swap`. (The judge knows the pocket model's pictures only. With another model,
# judge by eye.)


# %% tags=["stub"]
def half(first, then, seed):
    """A picture half in the style of one prompt, half in that of another."""
    return draw(embed([first]), [seed])[0]  # this is the first style alone


# %% tags=["solution"]
def half(first, then, seed):
    """A picture half in the style of one prompt, half in that of another."""
    vectors = embed([first, then])

    def take_turns(pipe, step, time, values):
        values["prompt_embeds"][-1] = vectors[(step + 1) % 2]  # for the next step
        return values

    told = {
        "callback_on_step_end": take_turns,
        "callback_on_step_end_tensor_inputs": ["prompt_embeds"],
    }
    return draw(vectors[:1].clone(), [seed], **told)[0]


# %%
yours = [half(*both, seed) for seed, both in enumerate(prompts)]
places = [between(mine, pure, pair) for mine, pure, pair in zip(yours, pures, pairs)]
beliefs = [belief(mine, pair) for mine, pair in zip(yours, pairs)]
sheet = [some for pure, mine in zip(pures, yours) for some in (pure[0], mine, pure[1])]
titles[1] = "yours"
sdlab.grid(sheet, titles, columns=3, cell=1.5)

# %% tags=["hints"]
hints = [
    "One prompt that means both does not exist. But a picture takes many steps, and each step "
    "can have a prompt of its own.",
    "If the first style has the first half of the steps and the second the rest, one of them "
    "wins. Let them take turns.",
    'A callback_on_step_end may set values["prompt_embeds"][-1] to the vector of the other '
    "prompt, after every step; see swap above. The last step counts most: try both orders.",
]

# %%
with sdlab.exercise("Half and half", hints=hints):
    print("between:", np.round(places, 2), "belief:", np.round(beliefs, 2))
    assert max(places) < 0.9, "one of the pictures is as good as the first style alone"
    assert min(places) > 0.1, "one of the pictures is as good as the second style alone"
    assert 0.25 < np.mean(places) < 0.75, (
        f"they lie between the styles, at {np.mean(places):.2f} on average: aim at 0.25 to 0.75"
    )
    assert np.mean(beliefs) > 0.6, (
        f"they lie in the middle, but the judge believes in neither style ({np.mean(beliefs):.2f} "
        "on average): let each of the two styles draw a part"
    )

# %% [markdown]
# ## What you learned
#
# - Another style changes how everything is drawn and leaves the scene where it is. A model knows
#   a style by the words of its captions, and a style shows only in what is there.
# - Leaving out one word at a time finds the words that nothing replaces. Words that stand in for
#   each other look unimportant there, so keep one at a time as well.
# - Attention maps are easy to over-read: their colours are stretched, words that matter can get
#   little attention, and the end tokens carry the style too. Change something and look at the
#   picture.
# - It made no difference where the style stands in the prompt. Of two styles the stronger one
#   wins.
# - The model can draw a thing in a style in which it never saw it.
# - The first half of the steps decides neither object nor style. An object has to be started a
#   few steps earlier than a style.
# - A number that lies in the middle is not yet a mixture. Ask a second question.
#
# ## Go further
#
# - In `swap`, let the second prompt act for five steps only, and then the first again. In which
#   steps do these five change the picture most?
# - Is the style decided at the same step with guidance 2, or with another sampler (notebook 03)?
# - Does a style also change *what* is drawn? Draw eight seeds of *a house* in each style, without
#   a place, and ask the judge for the place.
# - With SD 1.5, keep one of the words *oil painting Van Gogh*. Is *Gogh* enough now?
