# %% [markdown]
# # 00 · First image
#
# A model that ships with this course turns noise and a sentence into a picture. You will make one in the next few minutes, on
# whatever machine this is, and at the end you will be able to make exactly the same one again.
#
# **You will be able to** load a model, describe a picture completely by a *recipe*, change one ingredient at a time, and keep a
# picture together with the recipe that made it.
#
# | | pocket model (default) | SD 1.5 (`SDLAB_MODEL=sd15`) |
# |---|---|---|
# | time for this notebook | about a minute on two CPU cores | a few minutes on a GPU |
# | memory | 1 GB | 4 GB on the GPU |
# | download | none | 2.7 GB, once |

# %% [markdown]
# ## Where am I running?
#
# Diffusion runs on an NVIDIA GPU (`cuda`), on Apple silicon (`mps`) and on any processor (`cpu`). The course picks the first of
# these that is there. On a GPU it computes with 16-bit numbers, which halve the memory; on a CPU with 32-bit ones.

# %%
import sdlab
from sdlab.study import anatomy

print(sdlab.describe())

# %% [markdown]
# ## Load a model
#
# `sdlab.load()` gives a stock `diffusers` pipeline. What you learn on it here works on every other one.

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
# ## The first picture
#
# A `Recipe` holds everything that decides a picture. The *prompt* says what to draw. The *seed* picks the noise that it is drawn from.
# *Steps* is how often the noise is cleaned, and *guidance* how strongly the prompt pulls. The next notebooks take each of them apart.
#
# > **Predict.** Which parts of the sentence will you recognise in the picture: the thing, the
# > place, the manner of drawing?

# %%
first = sdlab.Recipe("a lion on the beach, cartoon", seed=3, steps=25, guidance=7.0)
lion = sdlab.generate(pipe, first, keep_latents=True)
sdlab.show(lion)

# %% [markdown]
# ## Watch it appear
#
# The picture was not drawn line by line. It was there as noise from the start, and every step took some of the noise away. Here are
# eight moments of the same run.

# %%
sdlab.film_strip(pipe, lion)

# %% [markdown]
# In which step does the beach appear, and in which the lion? We can measure when the picture is settled: how far each step's picture
# still is from the last one, in grey levels out of 255.

# %%
import matplotlib.pyplot as plt
import numpy as np

from sdlab.pipes.generation import decode

frames = [np.asarray(decode(pipe, z)[0], dtype=float) for z in lion.latents]
distance = [np.abs(frame - frames[-1]).mean() for frame in frames]
sdlab.use_style()
figure, axis = plt.subplots(figsize=(6, 2.6))
axis.plot(range(1, len(frames) + 1), distance, marker="o", markersize=3)
axis.set(xlabel="step", ylabel="distance to the result", ylim=(0, None))
half = next(i for i, d in enumerate(distance, 1) if d < distance[0] / 2)
print(f"the first picture was {distance[0]:.0f} grey levels away from the last")
print(f"half of the way is done after {half} of {len(frames)} steps")

# %% [markdown]
# ## Change one thing
#
# An experiment changes one ingredient and keeps the rest. Here the manner of drawing changes, and the seed stays.
#
# > **Predict.** Same noise, other words: will the lion stand in the same place?

# %% tags=["cover"]
manners = ["cartoon", "oil painting", "pencil sketch", "pixel art", "watercolor"]
runs = [
    sdlab.generate(pipe, first.but(prompt=f"a lion on the beach, {manner}"), progress=False)
    for manner in manners
]
sdlab.show(runs)

# %% [markdown]
# And now the words stay, and the seed changes.

# %%
seeds = [
    sdlab.generate(pipe, first.but(seed=seed), progress=False) for seed in (3, 4, 5, 6, 7)
]
sdlab.show(seeds)

# %% [markdown]
# ## Is a seed a promise?
#
# Same recipe, same picture: if that holds, nothing but the recipe needs to be kept. We test it on four seeds, and measure how many
# pixels differ between two runs with the same seed, and between two runs with neighbouring seeds.


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
# The noise comes from a generator on the CPU, one for each image. So a seed means the same noise on every device. The sums that follow
# may round differently on another device; on one device they do not, as you just saw.
#
# ## Keep it, and make it again
#
# `save` writes a PNG with the recipe inside, in the form that other tools read, and never overwrites a file.

# %%
from PIL import Image

[file] = sdlab.save(lion, "outputs")
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
    f"a picture: {lion.seconds:.1f} s, {per_step:.0f} ms a step, in {lion.dtype} on {lion.device}"
)
print(f"memory at its peak so far: {device.peak_memory(lion.device) / 2**30:.1f} GiB")

# %% [markdown]
# ## When something is wrong
#
# A recipe is checked when it is written, not after minutes of waiting. Each message names the value, the rule, and what to do.

# %%
for mistake in (
    {"steps": 0},
    {"guidance": float("nan")},
    {"width": 65},
    {"sampler": "Eular"},
    {"prompt": " "},
):
    try:
        first.but(**mistake)
    except ValueError as error:
        print("•", error)

# %% [markdown]
# ## Exercise (5 minutes)
#
# Write a recipe `mine` that differs from `first` in its prompt and its seed only, draws another animal, and make it. Then run the check.

# %% tags=["stub"]
mine = first  # change this line: first.but(…)
my_run = None  # and this one

# %% tags=["solution"]
mine = first.but(prompt="a penguin in the snow, cartoon", seed=11)
my_run = sdlab.generate(pipe, mine, progress=False)

# %%
with sdlab.exercise("A recipe of your own"):
    changed = {
        name for name, value in mine.to_dict().items() if value != first.to_dict()[name]
    }
    assert "prompt" in changed, (
        "the prompt is still the lion's: change it with first.but(prompt=…)"
    )
    assert changed == {"prompt", "seed"}, (
        f"prompt and seed should differ, and nothing else; now it is {sorted(changed)}"
    )
    assert my_run is not None, (
        "the recipe is fine; now make its picture with sdlab.generate(pipe, mine)"
    )
    assert my_run.recipe.prompt == mine.prompt, (
        "my_run was made from another recipe than mine"
    )
my_run and sdlab.show(my_run)

# %% [markdown]
# ## Go further
#
# - Give the recipe `images=4`: one call, four seeds. Is the first of them the picture you know?
# - Watch a picture while it is made: `sdlab.generate(pipe, first, on_step=sdlab.preview(pipe))`.
# - `sdlab.Gallery("outputs")` lists what you kept, newest last. Try `.filter(seed=3)` and `.show()` on it.
# - Open your PNG in another Stable Diffusion tool: it shows the same parameters.
# - The next notebook opens the model and looks at its five parts, one by one.
