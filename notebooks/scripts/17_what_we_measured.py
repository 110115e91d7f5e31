# %% [markdown]
# # 17 · What we measured
#
# Tutorials and manuals are full of rules. "Use 40 to 50 steps." "A guidance of 7.5 is best." "It
# cannot write." Some of them are true of every diffusion model, some of one, and some were never
# tested. In this course we tested many. This notebook does what is left: it measures the time, the
# limits and the preferences of the model. Then it lists what all notebooks found.
#
# **You will be able to** say what the time of a picture consists of; show four things that a
# diffusion model does badly, with numbers instead of one funny picture; measure a bias; and look
# up what the course says about a rule, and where it was measured.
#
# | | pocket model (default) | SD 1.5 (`SDLAB_MODEL=sd15`) |
# |---|---|---|
# | time for this notebook | two minutes on two CPU cores | five minutes on a GPU |
# | memory | 1 GB | 6 GB on the GPU |
# | download | none | 2.7 GB, once |

# %%
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import ImageDraw

import sdlab
from sdlab.claims import show_table
from sdlab.display import intervals
from sdlab.lesson import results
from sdlab.study import layout, metrics

pipe = sdlab.load()
pipe.set_progress_bar_config(disable=True)
sdlab.use_style()

# %% [markdown]
# ## Time against steps
#
# > **Predict.** A picture of 20 steps takes a certain time. How much longer does one of 50 steps
# > take?

# %%
city = sdlab.Recipe(
    "A cyberpunk city at night with neon lights, rainy weather, reflections",
    seed=123,
    guidance=7.5,
)
counts, repeats = [20, 30, 50], 3
sdlab.generate(pipe, city.but(steps=2), progress=False)  # the first picture is slower
times = {steps: [] for steps in counts}
for _ in range(repeats):  # in turn, so that a busy moment does not hit one number alone
    for steps in counts:
        run = sdlab.generate(pipe, city.but(steps=steps), progress=False)
        times[steps].append(run.seconds)
sdlab.time_bars({f"{steps} steps": seconds for steps, seconds in times.items()})

# %% [markdown]
# A straight line through the fastest time of each count says how long a step takes, and how long
# everything else, that is reading the prompt and decoding the latents.

# %%
fastest = np.array([min(times[steps]) for steps in counts])
per_step, rest = np.polyfit(counts, fastest, 1)
off = np.abs(np.polyval([per_step, rest], counts) / fastest - 1).max()
ratio = fastest[2] / fastest[0]
print(f"a step takes {1000 * per_step:.0f} ms, everything else {1000 * rest:.0f} ms")
for steps, seconds in zip(counts, fastest):
    print(f"{steps} steps: {seconds:.2f} s, {1000 * seconds / steps:.0f} ms per step")
sdlab.claim(
    "Steps are linear in time",
    held=off < 0.1,
    measured=f"the line misses no time by more than {off:.0%}; 50 steps took {ratio:.2f} "
    "times as long as 20",
    source="SD 1.5 notebook",
)

# %% [markdown]
# 50 steps take nearly, but not quite, two and a half times as long as 20, because the rest is
# paid once. The picture does not get two and a half times better: notebook 03 measures what it
# gets.
#
# The whole run in numbers:

# %%
parts = {"text encoder": pipe.text_encoder, "U-Net": pipe.unet, "VAE": pipe.vae}
sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}
for name, size in sizes.items():
    print(f"{name:13s}{size / 1e6:7.2f} million parameters")
print(f"{'together':13s}{sum(sizes.values()) / 1e6:7.2f} million")
print(f"peak memory  {run.peak_memory / 1e6:7.0f} MB, of the whole program on a CPU")
print(f"mean time    {np.mean(sum(times.values(), [])):7.2f} s per picture")

# %% [markdown]
# ## Four limits
#
# > **Predict.** Which of these four will the pocket model draw as it is told?

# %%
tests = {
    "order": "a red cube on top of a blue sphere",
    "side": "a fox on the left, on a white background, flat design",
    "number": "three apples, on a white background, flat design",
    "letters": 'books with the word "LOVE", on a white background, flat design',
}
drawn = sdlab.sweep(pipe, [sdlab.Recipe(text) for text in tests.values()], seed=[0, 1, 2])
images = [run.image for run in drawn]
sdlab.grid(images, columns=3, rows=[f"{name}: {text}" for name, text in tests.items()])
