# %% [markdown]
# # 15 · Benchmark your machine
#
# "A picture takes nine seconds." On which machine, in which number format, with how many steps, and
# was it the first picture? Such numbers are everywhere, and few of them can be compared. Here you
# measure your own machine so that the numbers can be compared, find out what makes it faster, and
# predict how long a thousand pictures will take, with an error that you check.
#
# **You will be able to** time a model so that the number means something; say where the time of a
# picture goes, and how far it is from what the device could do; measure which settings pay on your
# machine; predict the time of long work; find out why a picture is black; and put your machine
# beside others.
#
# | | pocket model (default) | SD 1.5 (`SDLAB_MODEL=sd15`) |
# |---|---|---|
# | time for this notebook | two and a half minutes on two CPU cores | five minutes on a GPU |
# | memory | 4 GB, for one step of a model as large as SD 1.5 | 8 GB on the GPU |
# | download | none | 2.7 GB, once |
#
# Nearly all times are of the machine that runs the notebook, so the cells print them and the text
# names none. Where a time is of another machine, the text says so.

# %%
import gc
import time
import warnings

import numpy as np
import psutil
import torch
from diffusers.utils import logging

import sdlab
from sdlab.assets import ASSETS
from sdlab.bench import limits, projecting, random_weights, results, showing, table
from sdlab.bench.clock import time_call
from sdlab.bench.comparing import PROMPTS, measure
from sdlab.bench.knobs import BASELINE, choose_knobs, list_knobs
from sdlab.bench.memory import watch_memory
from sdlab.bench.preparing import modules_of
from sdlab.lesson import RESULTS
from sdlab.pipes import memory, models
from sdlab.study import anatomy
from sdlab.system import device as devices

sdlab.use_style()
machine = sdlab.describe()
print(machine)
print(f"{psutil.virtual_memory().available / 2**30:.1f} GiB of main memory are free")

# %% [markdown]
# ## Load it twice
#
# `watch_memory` notes how much memory is held before and after a piece of work. On a CPU that is
# what the whole program holds.
#
# > **Predict.** We load the model twice. Will the second time be faster, and will it take as much
# > memory as the first?

# %%
for number in ("first", "second"):
    with watch_memory("cpu") as held:
        start = time.perf_counter()
        pipe = sdlab.load()
        seconds = time.perf_counter() - start
    grown = (held.after - held.before) / 1e6
    print(f"{number} time: {seconds:5.2f} s, memory grew by {grown:5.0f} MB")
pipe.set_progress_bar_config(disable=True)
weights = sum(p.numel() * p.element_size() for p in pipe.unet.parameters())
print(f"the U-Net's weights take {weights / 1e6:.0f} MB")

# %% [markdown]
# The first time pays for more than the model. Python has to import libraries, and the files have to
# come from the disk. After that both are in memory. So a loading time is either that of the first
# time or that of a later one, and a benchmark has to say which of the two it means.
#
# ## The first picture
#
# Three prompts, 25 steps, guidance 7.5. `time_call` calls the pipeline and reads a clock between
# its phases. (The pocket model has never seen a shoe: that is what notebook 14 is about. How long
# a picture takes does not depend on what is on it.)
#
# > **Predict.** Will the three pictures take equally long? If not, which phase makes the
# > difference?

# %%
device, asked = pipe.device, {"num_inference_steps": 25, "guidance_scale": 7.5}
three = []
for prompt in PROMPTS:
    sample, _ = time_call(pipe, device, prompt=prompt, **asked)
    three.append(sample)
    print(
        f"{prompt[2:14]:14s}{sample.total:6.2f} s: text {sample.text:5.2f}, "
        f"first step {sample.steps[0]:5.3f}, then {np.median(sample.steps[1:]):5.3f} per step, "
        f"decoding {sample.decode:5.3f}"
    )

# %%
ratio = three[0].total / np.mean([sample.total for sample in three[1:]])
sdlab.claim(
    "The first picture takes twice as long as the next ones",
    held=1.5 < ratio < 3,
    measured=f"{ratio:.2f} times as long, on {machine.device}",
    source="Apple silicon notebook",
    by_clock=True,
)

# %% [markdown]
# The source, one of the notebooks that this course grew out of, measured 18.8, 8.9 and 8.9 seconds
# on an M2 Max. What is slow in a first call is done once and kept: programs for a GPU are
# translated, the fastest variant of an operation is searched for, memory is asked of the system.
# How much that is depends on the device; on the Mac of the source it took as long as a whole
# picture. Compare the columns: the phases whose first time is longer are those where something was
# prepared.
#
# This is called **warm-up**, and what follows is the **steady state**. A benchmark reports both,
# and never their mean.
#
# ### A clock that waits
#
# A GPU works on by itself. Python hands it the work and goes ahead at once, so a clock that is
# simply read afterwards measures how fast work can be *handed over*. `time_call` waits before each
# reading until the device is done (`torch.cuda.synchronize()`, `torch.mps.synchronize()`). A CPU
# does its work before the call returns, and there is nothing to wait for.
#
# ## Where the time goes
#
# > **Predict.** The last steps only change small details (notebook 03). Are they faster than the
# > first steps?

# %%
calls = [time_call(pipe, device, prompt=PROMPTS[0], **asked)[0] for _ in range(5)]
steps = 1000 * np.array([sample.steps for sample in calls])  # (repeats, steps), in ms
axes = {"xlabel": "step", "ylabel": "milliseconds"}
figure = sdlab.curve(range(1, steps.shape[1] + 1), steps, **axes)
figure.axes[0].set_ylim(bottom=0)
figure

# %%
typical = np.median(steps, axis=0)  # of each step, over the repeats
off = np.abs(typical / np.median(typical) - 1)
for phase in ("text", "decode", "total"):
    spans = [getattr(sample, phase) for sample in calls]
    print(f"{phase:8s}{1000 * np.median(spans):7.0f} ms, from {1000 * min(spans):.0f} "
          f"to {1000 * max(spans):.0f}")  # fmt: skip
print(
    f"a step  {np.median(typical):7.1f} ms; "
    f"half of the steps are within {np.median(off):.1%} of that"
)
sdlab.claim(
    "Every step takes equally long",
    held=np.quantile(off, 0.9) < 0.1,
    measured=f"nine of ten steps are within {np.quantile(off, 0.9):.0%} of the median step",
    source="SD 1.5 notebook",
    by_clock=True,
)

# %% [markdown]
# The U-Net does the same multiplications at every step, whatever the numbers are. It does not know
# that little is left to do. Where a curve has a peak, something else used the machine at that
# moment; the median over repeats hides a single such moment, and the mean does not.
#
# ### How fast could it be?
#
# Count the work. torch can count the *floating-point operations* (FLOP) of a model, a
# multiplication and an addition as two. Then measure how many of them the device does per second,
# at what it does best: multiplying two large matrices.

# %%
work = limits.count_work(pipe, sdlab.native_side(pipe))
rate = limits.measure_rate(device, pipe.unet.dtype)
for phase, flop in work.items():
    print(f"{phase:8s}{flop / 1e9:8.2f} GFLOP")
share = np.median([limits.share_of_limit(work, sample, rate) for sample in calls])
print(f"large matrices: {rate / 1e9:.0f} GFLOP per second in {machine.dtype}")
print(f"a picture uses {share:.0%} of that speed")

# %% [markdown]
# It is less than all of it, for three reasons. Some operations, such as the normalisations, compute
# little and move many numbers: memory is their limit. Small layers do not fill the device. And
# between the layers Python has to say what comes next. The larger the model, the less the last two
# matter.
#
# Two large models *on paper*, which have shapes and no numbers (notebook 01), counted the same way:

# %%
paper = {name: random_weights.assemble(anatomy.on_paper(name)) for name in ("sd15", "sdxl")}
for name, large in paper.items():
    side = sdlab.native_side(large)
    parts = limits.count_work(large, side)
    total = parts["text"] + 25 * parts["step"] + parts["decode"]
    print(f"{name} at {side}: {parts['step'] / 1e12:6.2f} TFLOP per guided step, "
          f"{total / 1e12:4.0f} TFLOP per picture of 25 steps")  # fmt: skip
    print(f"    at this machine's full speed {total / rate:.0f} s, at the share above "
          f"{total / rate / share:.0f} s")  # fmt: skip

# %% [markdown]
# ## How long will 3,000 pictures take?
#
# The source multiplies: 100, 1,000 or 3,000 pictures, each taking as long as the measured one. We
# also want to know how far off that may be. A picture costs something once, for its text and its
# decoding, and something per step:
# $$\text{seconds} = a \cdot \text{pictures} + b \cdot \text{steps}.$$
# Here $a$ is the time that a picture costs once, and $b$ the time of a step. To find them, we
# measure several numbers of steps, in turn, and fit $a$ and $b$.

# %%
counts, spent = [10, 20, 30, 50], []
for repeat in range(3):
    for count in counts if repeat % 2 == 0 else counts[::-1]:
        more = asked | {"prompt": PROMPTS[0], "num_inference_steps": count}
        spent.append((count, time_call(pipe, device, **more)[0].total))
n, seconds = map(np.array, zip(*spent))
for count in counts:
    typical = np.median(seconds[n == count])
    print(f"{count} steps: {typical:5.2f} s, {1000 * typical / count:6.1f} ms per step")

# %%
fitted = projecting.fit(n, seconds)
a, b = 1000 * fitted.per_picture, 1000 * fitted.per_step
print(f"a = {a:.0f} ms per picture, b = {b:.1f} ms per step")
for pictures in (100, 1000, 3000):
    print(f"{pictures:5d} pictures of 25 steps: {fitted.project(pictures, 25)}")

# %% [markdown]
# In the first table the milliseconds per step fall when there are more steps, because $a$ is spread
# over them. Whoever divides a picture's time by its steps measures a part of $a$, too.
#
# In brackets is the interval that should hold the true time in 95 of 100 cases, *if the machine
# goes on as it was while we measured*. Two errors are in it. The times of single pictures scatter,
# and in a sum of many pictures this averages out. But $a$ and $b$ are not known exactly either, and
# that error is the same in every picture, so it never averages out.
#
# > **Predict.** Is a longer run inside its interval?

# %%
ahead = fitted.project(8, 25)
start = time.perf_counter()
for number in range(8):
    time_call(pipe, device, prompt=PROMPTS[number % 3], **asked)
taken = time.perf_counter() - start
inside = ahead.low <= taken <= ahead.high
print(f"8 pictures of 25 steps: projected {ahead}, measured {taken:.3g} s")
off = taken / ahead.seconds - 1
print(f"inside: {'yes' if inside else 'no'}; {off:+.1%} from the middle")

# %% [markdown]
# Where the answer is *no*, the condition is broken: another program ran, or the processor became
# warm and slowed down (laptops do that within minutes). An interval only knows what happened while
# it was measured. Before you plan a night of work, measure for a quarter of an hour.
#
# ### Exercise: what the source did (10 minutes)
#
# The projection of the source is the time of one picture, times the number of pictures. Yours
# should also work for another number of steps than the measured ones. Write `project`. From calls
# of one picture each, with their steps and seconds, it says how long `pictures` pictures of
# `each` steps will take.


# %% tags=["stub"]
def project(steps, seconds, pictures, each):
    """Seconds for so many pictures of `each` steps, from measured calls."""
    return pictures * np.mean(seconds)  # right for the measured mixture of steps only


# %% tags=["solution"]
def project(steps, seconds, pictures, each):
    """Seconds for so many pictures of `each` steps, from measured calls."""
    per_step, per_picture = np.polyfit(steps, seconds, 1)
    return pictures * (per_picture + per_step * each)


# %% tags=["hints"]
hints = [
    "One picture costs a time per step, and a time that is paid once per picture. Find both "
    "from the measured calls.",
    "np.polyfit(steps, seconds, 1) fits the line: it returns the time per step, then what is "
    "paid once.",
    "pictures * (per_picture + per_step * each)",
]

# %%
with sdlab.exercise("What the source did", hints=hints):
    made_up = np.array([[10, 20, 40], [1.5, 2.0, 3.0]])  # 1 s per picture, 0.05 s per step
    one = project(*made_up, pictures=1, each=30)
    assert one is not None, "the function should return seconds"
    assert not np.isclose(one, np.mean([1.5, 2, 3])), (
        "this is the mean time, whatever `each` is: find a step's time first, by np.polyfit"
    )
    assert np.isclose(one, 2.5), (
        f"a picture of 30 steps should take 2.5 s in the made-up example, not {one:.3g}: it "
        "has a time per step and a time that is paid once"
    )
    many = project(*made_up, pictures=100, each=30)
    assert np.isclose(many, 250), (
        f"100 such pictures take 250 s, not {many:.4g}: what is paid once is paid once per "
        "picture"
    )
    ours, theirs = project(n, seconds, 3000, 25), fitted.project(3000, 25).seconds
    assert np.isclose(ours, theirs), (
        "the made-up example is right, the measured one is not: fit the line to all calls"
    )

# %% [markdown]
# ## What pays?
#
# A dozen settings are said to make a model faster. Each is measured against a **baseline**: what
# the notebook that this course began with did, which is `float32` on a CPU, and `float16` with
# sliced attention on a GPU. Calls with the setting and calls with the baseline are made in turn, in
# pairs, so that a busy moment affects both. What counts is the ratio within the pairs.
#
# | setting | what it does |
# |---|---|
# | `bfloat16`, `float16` | numbers of 16 bits: half the memory to move, faster where the device has instructions for them |
# | sdpa, sliced, plain attention | torch's fused kernel; half of the heads at a time; the whole matrix at once |
# | `channels_last` | the channels of a pixel side by side in memory, as convolutions like it |
# | compile regions, whole | torch translates the U-Net into a program of its own: the repeated blocks, or all of it and the decoder |
# | batch | several pictures in one call |
# | VAE slicing, tiling | decode one picture of a batch after the other; a picture in tiles |
# | words encoded once | for the next picture of the same prompt, the text is not read again |
# | int8 weights | the weights of linear layers in 8 bits |
# | onnxruntime | another program computes the U-Net |
#
# > **Predict.** Which three will gain most? Is there one that makes the model slower?
#
# The whole measurement takes too long for a lesson. A command made it once and wrote a file with
# every sample: `sdlab bench --model pocket --out sdlab/assets/results/15-pocket.json`. Here they
# are as a figure. The lines show the 95% intervals.

# %% tags=["cover"]
kept = results.read(RESULTS / "15-pocket.json")
showing.show_ratios(kept)

# %%
where = kept.machine
print(f"measured on {kept.made[:10]}, {where['name']}, {where['threads']} threads")
print("its user says of the machine:", where["note"] or "nothing")
same = kept.asked["weights"] == models.fingerprint(pipe)
print("the file is about the loaded model:", "yes" if same else "no")
for name, entry in kept.entries.items():
    print(showing.tell(name, entry))

# %% [markdown]
# The pixel difference at the end of each line is as important as the ratio. A setting that is
# faster and changes the picture is a different bargain from one that is only faster. A difference
# of one grey level is rounding. A large one means that at least one pixel has clearly changed. The
# picture need not be worse, but it is not the same. (Fewer steps and another sampler are *meant* to
# change it.)
#
# Sorted by what the intervals say:

# %%
found = {name: entry.ratio for name, entry in kept.entries.items() if entry.ratio}
groups = {
    "faster": [name for name, ratio in found.items() if ratio.low > 1],
    "slower": [name for name, ratio in found.items() if ratio.high < 1],
    "no clear difference": [name for name, r in found.items() if r.low <= 1 <= r.high],
    "not measured there": [name for name, entry in kept.entries.items() if entry.failed],
}
for group, names in groups.items():
    print(f"{group}: {', '.join(names) or 'none'}")

# %% [markdown]
# Now a small part of it on your machine, with few steps and few repeats.

# %%
device, side = pipe.device, sdlab.native_side(pipe)
knobs = list_knobs(device.type, steps=6, side=side)
names = ["bfloat16", "sliced attention", "plain attention", "channels_last", "batch 4"]
names += ["VAE tiling", "words encoded once"]
chosen = choose_knobs([name for name in names if name in knobs], knobs)
live = results.begin({"model": "this notebook", "device": device.type})
live.entries = dict(measure(pipe, knobs[BASELINE], chosen, 4, device))
for name, entry in live.entries.items():
    print(showing.tell(name, entry))

# %%
showing.show_phases(live)

# %% [markdown]
# Look for your three among the lines. Where an interval holds 1, the repeats cannot tell the
# setting from the baseline, and neither can you.
#
# In the figure, 1 is the time that the baseline took in the same pairs. With few steps the text and
# the decoding take a larger share of the time, so a setting that saves there gains more than in the
# file. This is a general trap: **a ratio belongs to a number of steps, a size and a batch**, and
# has to be given with them.
#
# Many notebooks use sliced attention, also the one that this course began with. It saves memory.
# What does it cost?

# %%
cost = kept.entries["sliced attention"].ratio
sdlab.claim(
    "Attention slicing costs time",
    held=cost.high < 1,
    measured=f"{cost} times the pictures per second of torch's own attention, on a CPU",
    source="diffusers' documentation",
    by_clock=True,
)

# %% [markdown]
# ### Bigger batches
#
# > **Predict.** Four pictures in one call instead of four calls: how many times faster?

# %%
sizes = [1, 2, 4, 8]
entries = [kept.entries[f"batch {size}"] for size in sizes[1:]]
repeats = [entries[0].against, *(entry.samples for entry in entries)]
each = 1000 * np.array([[sample.per_picture for sample in these] for these in repeats]).T
axes = {"xlabel": "pictures per call", "ylabel": "milliseconds per picture"}
figure = sdlab.curve(sizes, each, **axes)
figure.axes[0].set_ylim(bottom=0)
figure

# %%
for size, entry in zip(sizes, [kept.baseline, *entries]):
    added = (entry.memory.peak - entry.memory.before) / 1e6
    ratio = (
        f"{entry.ratio} times the pictures per second" if entry.ratio else "the baseline"
    )
    print(f"batch {size}: {ratio}; the call added up to {added:.0f} MB")

# %% [markdown]
# A batch helps where a single picture does not keep the device busy. The layers of the pocket
# model are small, so that calling them takes a large part of the time, and a batch calls them once
# for all its pictures. Where one picture is work enough, as for a large model on a small CPU,
# expect less. The price is memory: what a call holds beside the weights grows with the batch.
#
# ## What to do when memory is short
#
# `sdlab.load` chooses a *plan*, the fastest that fits (`memory="auto"`). What a plan needs can be
# estimated on paper, from the weights and the largest tensors that a picture needs. In half
# precision:

# %%
needs = {}
for name, large in paper.items():
    for part in modules_of(large).values():
        part.half()  # on paper too
    needs[name] = memory.measure_needs(large, sdlab.native_side(large))
for plan in memory.ON["cuda"]:
    if plan == "half":
        continue
    gigabytes = [memory.estimate(plan, need, is_half=True) / 1e9 for need in needs.values()]
    told = ", ".join(f"{name} {size:4.1f} GB" for name, size in zip(needs, gigabytes))
    print(f"{plan:11s}{told}: {memory.PLANS[plan].does}")

# %%
for free in (4, 6, 8, 12, 24):
    plans = {n: memory.choose("cuda", need, free * 1e9, True) for n, need in needs.items()}
    told = ", ".join(f"{name} {plan}" for name, plan in plans.items())
    print(f"a GPU with {free:2d} GB free: {told}")

# %% [markdown]
# *Offload* keeps only the part at work on the GPU: the text encoder, then the U-Net, then the
# decoder. Each is copied once per picture, which costs little. *Sequential* copies every single
# layer at every step, and is many times slower. A Mac and a CPU have one memory for everything, so
# there is nothing to move out of the way: there half precision, tiling and slicing remain.
#
# ## Warnings, and what they mean
#
# Three messages appear in nearly every log of Stable Diffusion. We make all three on purpose.
#
# **The name of an argument.** `torch_dtype` is called `dtype` today.

# %%
pocket = sdlab.load("pocket")
logging.disable_progress_bar()
StableDiffusion, parts = type(pocket), modules_of(pocket)  # so that nothing is loaded again
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    StableDiffusion.from_pretrained(ASSETS / "pocket", **parts, torch_dtype=torch.float32)
for message in {str(one.message) for one in caught if "torch_dtype" in str(one.message)}:
    print(message)

# %% [markdown]
# Harmless: the old name still works, for a while. Replace it and the message is gone. (If nothing
# is printed above, your version of diffusers does not mind the old name, or says so in its log.)
#
# **The safety checker.** SD 1.5 comes with a second model that blackens pictures that it finds
# indecent. A pipeline without one says so:

# %%
unchecked = StableDiffusion(**pocket.components, requires_safety_checker=True)

# %% [markdown]
# A reminder, no error. It matters where others use what you build. The course loads its models with
# `requires_safety_checker=False`, because its prompts are harmless. Remember that a checker's
# picture is black *without* any warning about numbers.
#
# **The black picture.** On a Mac, and with `float16`, many have met this one: `invalid value
# encountered in cast`, and a black picture. `float16` ends at 65,504. What is larger becomes
# infinite, the difference of two infinities is no number (*NaN*, not a number), every calculation
# with it is NaN again, and NaN has no grey level.
#
# > **Predict.** The U-Net's answer overflows in a single step of ten. How much of the picture
# > will be black?

# %%
largest = torch.tensor([65504.0, 70000.0]).half()
print("in float16:", largest.tolist())
print("infinite - infinite =", (largest[1] - largest[1]).item())


def overflow(unet, given, output):
    """Makes the answer of one step, between levels 400 and 500, too large for float16."""
    answer, *more = output
    if 400 <= float(given[1]) < 500:
        answer = (1e6 * answer).half().to(answer.dtype)
    return answer, *more


# %%
lion = sdlab.Recipe("a lion on the beach, cartoon", steps=10, seed=3)
good = sdlab.generate(pipe, lion, progress=False)
hook = pipe.unet.register_forward_hook(overflow)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    black = pipe(lion.prompt, num_inference_steps=10).images[0]
    bad = sdlab.generate(pipe, lion, progress=False, keep_latents=True)
hook.remove()
for told in dict.fromkeys(f"{one.category.__name__}: {one.message}" for one in caught):
    print(told)
sdlab.grid([good.image, black], ["as it should be", "after an overflow"])

# %% [markdown]
# All of it. Here nearly all numbers of one answer overflow. But a single NaN would reach the whole
# picture in the next steps, too, because every convolution mixes neighbours, and attention mixes
# everything with everything. The first message is the famous one, from the last line of the
# pipeline that turns numbers into grey levels. The second is from `sdlab.generate`, which looks at
# the latents and says what happened. (It names the format that the U-Net has. On a CPU that is
# `float32`, and we only imitated `float16`.) What helps is `bfloat16`, which is coarser and ends at
# $3 \cdot 10^{38}$, or `float32` for the part that overflows (for SDXL that is the decoder).
#
# ### Exercise: where did it break? (10 minutes)
#
# To mend an overflow, one has to know *when* it begins. Write `first_bad`. From the latents of
# every step it says at which step, counted from 1, a number is NaN or infinite for the first time.
# If all numbers are finite at every step, it returns `None`.


# %% tags=["stub"]
def first_bad(latents):
    """The first step, from 1, whose latents hold a NaN or an infinite number, or None."""
    return None


# %% tags=["solution"]
def first_bad(latents):
    """The first step, from 1, whose latents hold a NaN or an infinite number, or None."""
    for step, values in enumerate(latents, 1):
        if not torch.isfinite(values).all():
            return step
    return None


# %% tags=["hints"]
hints = [
    "Go through the list with enumerate, and count from 1.",
    "torch.isfinite(values) says of every number whether it is finite.",
    "Return the step as soon as torch.isfinite(values).all() is False, and None after the loop.",
]

# %%
with sdlab.exercise("Where did it break?", hints=hints):
    sound = torch.zeros(1, 4, 2, 2)
    spoilt = {value: sound.clone() for value in (float("nan"), float("inf"))}
    for value, tensor in spoilt.items():
        tensor[0, 2, 1, 0] = value
    nan, infinite = spoilt.values()
    third = first_bad([sound, sound, nan])
    assert third is not None, (
        "the third step holds a NaN, one number among many: look for it"
    )
    assert third != 2, "steps are counted from 1, not from 0"
    assert third == 3, f"the third step holds the first NaN, and the answer is {third}"
    assert first_bad([sound, nan, nan]) == 2, "the first bad step is wanted, not the last"
    assert first_bad([infinite, nan]) == 1, "infinite is not finite either: torch.isfinite"
    assert first_bad([sound, sound]) is None, "where all is sound, the answer is None"
    found = first_bad(bad.latents)
    print(f"the black lion broke at step {found} of {len(bad.latents)}")

# %% [markdown]
# ## A model of true size
#
# How long a step takes does not depend on what the weights say. So we can time SD 1.5 without
# having it: `random_weights.build` makes its parts in full size, filled with random numbers. We
# take the number format in which this device multiplies faster, and one step, without decoding.

# %%
formats = [torch.float32, torch.bfloat16] if device.type == "cpu" else [torch.float16]
rates = {dtype: limits.measure_rate(device, dtype) for dtype in formats}
fast = max(rates, key=rates.get)
for dtype, speed in rates.items():
    print(f"{dtype}: {speed / 1e9:7.0f} GFLOP per second")
large = random_weights.build("sd15", fast).to(device)
large.set_progress_bar_config(disable=True)
once = {"num_inference_steps": 1, "guidance_scale": 7.5, "output_type": "latent"}
large_samples = [time_call(large, device, prompt=PROMPTS[0], **once)[0] for _ in range(2)]

# %%
first, second = (np.mean(sample.steps) for sample in large_samples)
flop = limits.count_work(paper["sd15"], 512)
print(f"one guided step of SD 1.5 at 512 pixels: {second:.2f} s (the first {first:.2f} s)")
print(f"that is {flop['step'] / second / rates[fast]:.0%} of the speed of large matrices")
rest = (flop["text"] + flop["decode"]) / flop["step"] * second
print(f"a picture of 25 steps takes about {25 * second + rest:.0f} s")
del large, large_samples
collected = gc.collect()

# %% [markdown]
# The last line assumes that the text and the decoding are as fast per operation as the step. SDXL
# would take about eight times as much work per step and 7 GB in half precision, so on a CPU it
# stays on paper. `sdlab bench --model sdxl --random-weights` measures it on a GPU with 10 GB.
#
# ## Your machine beside others
#
# Now we put the step into a table with what others have published. Every row says who measured it.
# The published rows were *not* measured by this course: they come from other programs, other
# versions and other settings. `steps/s` counts the steps of all pictures of a batch.

# %%
mine = table.Row(
    f"{machine.name} ({machine.device})", "sd15 at 512", f"this notebook, {fast}",
    25 / (25 * second + rest), "measured here, one step with random weights",
)  # fmt: skip
files = [results.read(file) for file in sorted(RESULTS.glob("15-*.json"))]
rows = table.compare_machines([file for file in files if file.asked["model"] != "pocket"])
rows.append(mine)
rows

# %% [markdown]
# When two rows of this table differ, is it the machine, the program or the settings? One cannot
# tell, except between rows that one program measured. That is why `sdlab bench` writes files:
# machine, versions, settings and every single sample, so that files of two machines can be compared
# knob by knob.
#
# **What was not tested.** No Mac and no NVIDIA GPU was at hand when this lesson was written. The
# code for them is exercised with stand-ins that check its order (wait before the clock is read,
# look at the memory while the work runs), and no number of such a device is ours. If you have one,
# a file of yours is welcome:
#
#     sdlab bench --model sd15 --random-weights --note "MacBook Air, on battery" --out my-mac.json
#
# Then open an issue at the course's repository and attach `my-mac.json`. It holds the name of the
# processor, sizes, versions and times. It holds no name of yours, of the machine, or of a folder.
# `sdlab bench --compare my-mac.json other.json` prints both in one table.
#
# ## The run in numbers

# %%
counted = {"this model": pipe, "SD 1.5": paper["sd15"], "SDXL": paper["sdxl"]}
for name, one in counted.items():
    sizes = {part: anatomy.parameters(module) for part, module in modules_of(one).items()}
    told = ", ".join(f"{part} {size / 1e6:.1f}" for part, size in sizes.items())
    print(f"{name}: {sum(sizes.values()) / 1e6:.0f} million parameters ({told})")
print(f"peak memory: {devices.peak_memory(device) / 1e9:.1f} GB")
print(f"mean time of a picture of 25 steps: {np.mean([s.total for s in calls]):.2f} s")

# %% [markdown]
# ## What you learned
#
# - The first call pays for what is done once. Report warm-up and steady state separately, wait for
#   the device before you read the clock, and repeat.
# - Every step costs the same, so a picture's time grows along a straight line with its steps. A
#   projection needs an interval.
# - What pays depends on the device, the size and the batch. Measure against a baseline, in turn,
#   and look at the pixels too.
# - A black picture with `invalid value encountered in cast` is an overflow; without that warning it
#   is probably the safety checker.
# - A speed means little without the machine, the versions, the settings and the name of who
#   measured it.
#
# ## Go further
#
# - Run `sdlab bench` for the pocket model on your machine. Does `together` gain as much as its
#   parts multiplied?
# - Start a film in the background and run the knob cell again. Which numbers move, the seconds or
#   the ratios?
# - Measure on battery and on mains, and after ten minutes of load.
