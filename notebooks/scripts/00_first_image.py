# %% [markdown]
# # 00 · First image
#
# A model that ships with this course turns noise and a sentence into a picture. You will make one
# in the next few minutes, on whatever machine this is, and at the end you will be able to make
# exactly the same one again.
#
# **You will be able to** load a model, describe a picture completely with a *recipe*, change one
# ingredient at a time, and keep a picture together with the recipe that made it.
#
# | | pocket model (default) | SD 1.5 (`SDLAB_MODEL=sd15`) |
# |---|---|---|
# | time for this notebook | about a minute on two CPU cores | a few minutes on a GPU |
# | memory | 1 GB | 4 GB on the GPU |
# | download | none | 2.7 GB, once |

# %% [markdown]
# ## Where am I running?
#
# Diffusion runs on an NVIDIA GPU (`cuda`), on Apple silicon (`mps`) and on any processor (`cpu`).
# The course picks the first of these that is there. On a GPU it computes with 16-bit numbers, which
# halve the memory; on a CPU with 32-bit ones. `diagnose` checks whether this machine is fit for the
# course, and prints what is wrong and what to do about it. (In a terminal, `sdlab doctor` checks
# more.)

# %%
import sdlab
from sdlab.study import anatomy, judge

print(sdlab.describe())
sdlab.diagnose()

# %% [markdown]
# ## Load a model
#
# `sdlab.load()` returns an ordinary pipeline of `diffusers`, the most widely used library for
# diffusion models. A pipeline holds all parts of a model and the code that runs them. What you
# learn on this one works on every other.

# %%
import time

start = time.perf_counter()
pipe = sdlab.load()
seconds = time.perf_counter() - start
total = sum(count for _, count in anatomy.parts(pipe).values())
side = sdlab.native_side(pipe)
print(f"{type(pipe).__name__}: {total / 1e6:.1f} million parameters")
print(f"{side}×{side} pixels, loaded in {seconds:.1f} s")

# %% [markdown]
# The pocket model is small, and so is its world. It has seen these things, styles and places. A
# prompt may use other words too, but then it can only guess. (SD 1.5 has seen much more, and nobody
# can list it.)

# %%
import textwrap

known = judge.shipped().classes
things = [name for name in known["object"] if name != judge.NONE]
for kind, names in (
    ("things", things),
    ("styles", known["style"]),
    ("places", known["background"]),
):
    print(textwrap.fill(f"{kind}: {', '.join(names)}", 100, subsequent_indent="    "))

# %% [markdown]
# ## The first picture
#
# A `Recipe` holds everything that decides a picture. The *prompt* says what to draw. The *seed*
# picks the noise that it is drawn from. *Steps* is the number of times that noise is removed, and
# *guidance* is how closely the picture has to follow the prompt. The next notebooks explain each of
# them.
#
# > **Predict.** Which parts of the sentence will you recognise in the picture: the object, the
# > place, the style?

# %%
first = sdlab.Recipe("a lion on the beach, cartoon", seed=3, steps=25, guidance=4.0)
lion = sdlab.generate(pipe, first, keep_latents=True, progress=False)
sdlab.show(lion)

# %% [markdown]
# You have just judged the picture yourself. The course has a *judge* as well: a small network that
# says what it sees in a picture. It learned from *true pictures* of the pocket model's world, which
# a program has drawn, and from spoilt ones, to which it learned to answer *none of these*. It is
# not as good as your eye, but it can look at thousands of pictures, and we will ask it often.

# %%
in_our_world = (
    sdlab.pipes.models.name_of(pipe) == "pocket"
)  # the judge knows no other pictures
if in_our_world:
    for question, answers in judge.see(lion.image, top=2).items():
        print(
            f"{question:11s}"
            + ", ".join(f"{name} {chance:.0%}" for name, chance in answers)
        )

# %% [markdown]
# ## Watch it appear
#
# The picture was not drawn line by line. All of it is there from the start, as noise, and every
# step removes some of the noise everywhere at once. Here are eight moments of the same run. (The
# model works on a small grid of numbers, the *latents*, and a decoder turns them into pixels.
# Notebook 01 shows how.)
#
# > **Predict.** In which step can the beach be recognised, and in which the lion?

# %%
sdlab.film_strip(pipe, lion)

# %% [markdown]
# Now we show each of the 25 pictures to the judge.

# %%
import matplotlib.pyplot as plt

from sdlab.pipes.generation import decode

frames = [decode(pipe, latents)[0] for latents in lion.latents]
seen = judge.opinion(judge.shipped(), judge.to_tensor(frames))
sdlab.use_style()
figure, axis = plt.subplots(figsize=(6.5, 2.8))
for head, name in (("background", "beach"), ("style", "cartoon"), ("object", "lion")):
    axis.plot(range(1, len(frames) + 1), seen[head][:, known[head].index(name)], label=name)
axis.set(xlabel="step", ylabel="how sure the judge is", ylim=(-0.03, 1.05))
_ = axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

# %%
for head, name in (("background", "beach"), ("style", "cartoon"), ("object", "lion")):
    sure = seen[head][:, known[head].index(name)] > 0.5
    step = next((i for i in range(len(sure)) if sure[i:].all()), None)
    print(
        f"{name}: "
        + (f"seen from step {step + 1} on" if step is not None else "not seen at the end")
    )

# %% [markdown]
# As long as the picture is full of noise, nobody can recognise anything in it, and neither can the
# judge. What the *model* already knows at such a step is another question. Notebook 03 answers it.
#
# ## Change one thing
#
# An experiment changes one ingredient and keeps the rest. Here the style changes, and the seed
# stays.
#
# > **Predict.** Same noise, other words: will the lion stand in the same place?

# %% tags=["cover"]
styles = ["cartoon", "oil painting", "pencil sketch", "pixel art", "watercolor"]
by_style = [first.but(prompt=f"a lion on the beach, {style}") for style in styles]
sdlab.show([sdlab.generate(pipe, recipe, progress=False) for recipe in by_style])

# %% [markdown]
# And now the words stay, and the seed changes.

# %%
by_seed = [first.but(seed=seed) for seed in (3, 4, 5, 6, 7)]
seeds = [sdlab.generate(pipe, recipe, progress=False) for recipe in by_seed]
sdlab.show(seeds)

# %% [markdown]
# To answer with a number, we ask the model itself where in the picture it looks for the word *lion*
# (notebook 01 shows how), and take the centre of the places where it looks most. 50% across and 50%
# down is the middle of the picture.

# %%
import numpy as np


def centre(recipe):
    """The centre of the tenth of the picture where the model looks most for the lion."""
    weights = np.asarray(anatomy.word_maps(pipe, recipe)[1]["lion"], float)
    down, across = np.nonzero(weights >= np.quantile(weights, 0.9))
    return (across.mean() + 0.5) / weights.shape[1], (down.mean() + 0.5) / weights.shape[0]


for name, recipes in (
    ("five styles, one seed", by_style),
    ("one style, five seeds", by_seed),
):
    places = ", ".join(f"{x:.0%} across {y:.0%} down" for x, y in map(centre, recipes))
    print(f"{name}: {places}")

# %% [markdown]
# The lion stands near the middle in *both* rows. So the first row alone would have misled us: it is
# not the seed that holds the lion in its place. This model nearly always puts its object in the
# middle. What the seed changes is how the lion looks, and details of the beach around it. A
# comparison needs something to compare with.
#
# Two ingredients are left. Here are the same words and the same noise with more and more steps, and
# with more and more guidance.

# %%
steps = [1, 2, 5, 10, 25]
runs = [sdlab.generate(pipe, first.but(steps=n), progress=False) for n in steps]
sdlab.grid(
    [run.image for run in runs], [f"{n} step{'s' * (n > 1)}" for n in steps], columns=5
)

# %%
scales = [1, 2, 4, 8, 14]
runs = [sdlab.generate(pipe, first.but(guidance=scale), progress=False) for scale in scales]
sdlab.grid(
    [run.image for run in runs], [f"guidance {scale}" for scale in scales], columns=5
)

# %% [markdown]
# Notebooks 02 and 03 measure both, on many prompts.
#
# ## Does the same recipe give the same picture?
#
# If it does, nothing but the recipe needs to be kept. We test it on four seeds, and measure how
# many pixels differ between two runs with the same seed, and between two runs with neighbouring
# seeds.


# %%
def differing(a, b):
    """The share of pixels in which two generations differ."""
    return (np.asarray(a.image) != np.asarray(b.image)).any(-1).mean()


again = [sdlab.generate(pipe, run.recipe, progress=False) for run in seeds[:4]]
same = [differing(a, b) for a, b in zip(seeds, again)]
other = [differing(a, b) for a, b in zip(seeds, again[1:])]
print(f"same seed:  {max(same):.0%} of the pixels differ at most, over {len(same)} seeds")
print(
    f"other seed: {min(other):.0%} of the pixels differ at least, over {len(other)} pairs"
)

# %% [markdown]
# The noise comes from a generator of random numbers on the CPU, one for each image. So a seed means
# the same noise on every device. The calculations after that may be rounded differently on another
# device. On the same device they are not, as you have just seen.
#
# ## Keep it, and make it again
#
# `save` writes a PNG with the recipe inside, in the form that AUTOMATIC1111's web UI and other
# tools read. If a file of that name exists, it takes the next free name.

# %%
from PIL import Image

[file] = sdlab.save(lion, "outputs")  # a list, because a recipe may ask for several images
print(file)
print(Image.open(file).info["parameters"])

# %% [markdown]
# The file is enough. `reproduce` reads the recipe out of the picture and makes the picture again.

# %%
twin = sdlab.reproduce(pipe, file)
print(f"{differing(lion, twin):.0%} of the pixels differ")
sdlab.grid([Image.open(file), twin.image], ["from the file", "made again"])

# %% [markdown]
# ## What did it cost?

# %%
from sdlab.system import device

per_step = 1000 * lion.seconds / lion.recipe.steps
print(
    f"a picture: {lion.seconds:.1f} s, {per_step:.0f} ms per step, {lion.dtype} on {lion.device}"
)
print(f"memory at its peak so far: {device.peak_memory(lion.device) / 2**30:.1f} GiB")

# %% [markdown]
# ## When something is wrong
#
# A recipe is checked when it is written, not after minutes of waiting. Each message names the
# value, the rule, and what to do.

# %%
for mistake in (
    {"steps": 0}, {"guidance": float("nan")}, {"width": 65}, {"sampler": "Eular"}, {"prompt": " "},
):  # fmt: skip
    try:
        first.but(**mistake)
    except ValueError as error:
        print("•", error)

# %% [markdown]
# ## Exercise (5 minutes)
#
# Write a recipe `mine` that differs from `first` only in its prompt and its seed, and that asks for
# another animal. Make its picture, `my_run`, and run the check. (The list above shows which animals
# the model knows.)

# %% tags=["stub"]
mine = first  # change this line: first.but(…)
my_run = None  # and this one: make the picture of mine

# %% tags=["solution"]
mine = first.but(prompt="a penguin in the snow, cartoon", seed=11)
my_run = sdlab.generate(pipe, mine, progress=False)

# %% tags=["hints"]
hints = [
    "A recipe is never changed: first.but(…) returns a new one.",
    "first.but takes the names of what should differ: prompt=… and seed=….",
    'mine = first.but(prompt="a penguin in the snow, cartoon", seed=11), and then my_run = '
    "sdlab.generate(pipe, mine).",
]

# %%
with sdlab.exercise("A recipe of your own", hints=hints):
    assert isinstance(mine, sdlab.Recipe), "mine should be a recipe: first.but(…) gives one"
    old, new = first.to_dict(), mine.to_dict()
    changed = {name for name, value in new.items() if value != old[name]}
    assert "prompt" in changed, (
        "the prompt is still the lion's: change it with first.but(prompt=…)"
    )
    assert "lion" not in mine.prompt.lower(), (
        "the prompt still asks for a lion: take another animal"
    )
    assert changed == {"prompt", "seed"}, (
        f"prompt and seed should differ, and nothing else; now it is {sorted(changed)}"
    )
    assert hasattr(my_run, "recipe"), (
        "the recipe is fine; now my_run should be what sdlab.generate(pipe, mine) gives"
    )
    made, wanted = ((one.prompt, one.seed) for one in (my_run.recipe, mine))
    assert made == wanted, "the picture was made from another recipe than mine"
sdlab.show(my_run) if hasattr(my_run, "recipe") else None

# %% [markdown]
# ## What you learned
#
# - A recipe decides a picture: prompt, seed, steps and guidance. The same recipe gives the same
#   picture on the same device.
# - A picture appears everywhere at once, out of noise.
# - An experiment changes one ingredient, and needs something to compare with.
#
# ## Go further
#
# - Give the recipe `images=4`: one call, four seeds. Is the first of the four the picture that you
#   know?
# - Watch a picture while it is made: `sdlab.generate(pipe, first, on_step=sdlab.preview(pipe))`.
# - `sdlab.Gallery("outputs")` lists what you kept, newest last. Try `.filter(seed=3)` and `.show()`
#   on it.
# - Open your PNG in another Stable Diffusion tool: it shows the same parameters.
# - The next notebook opens the model and looks at its five parts, one by one.
