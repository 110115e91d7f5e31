# %% [markdown]
# # 02 · Guidance
#
# Every step of Stable Diffusion asks the network twice, once with your prompt and once without.
# The difference between the two answers is then multiplied by a number called *guidance*. Here you
# see what it does in a single step, measure what it buys and what it costs, and test three ways of
# paying less.
#
# **You will be able to** write the formula of classifier-free guidance and say what each part of
# it looks like; choose a guidance scale and give a reason for it; recognise the damage of too
# much guidance, and explain it; and use guidance rescale, a guidance interval and adaptive
# projected guidance, knowing what each of them does and does not repair.
#
# | | pocket model (default) | SD 1.5 (`SDLAB_MODEL=sd15`) |
# |---|---|---|
# | time for this notebook | two minutes on two CPU cores | about ten minutes on a GPU |
# | memory | 1 GB | 6 GB on the GPU |
# | download | none | 2.7 GB, once |

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from diffusers.guiders import AdaptiveProjectedGuidance, ClassifierFreeGuidance
from diffusers.utils import logging

import sdlab
from sdlab.display import intervals
from sdlab.display.described import Described
from sdlab.lesson import read_results
from sdlab.pipes import models, samplers
from sdlab.pipes.generation import decode
from sdlab.study import judge, metrics

logging.set_verbosity_error()  # diffusers warns that its guiders may still change
pipe = sdlab.load()
pipe.scheduler = samplers.make("DDIM", pipe.scheduler.config)
pipe.set_progress_bar_config(disable=True)
sdlab.use_style()

# %% [markdown]
# ## The formula
#
# At every step the network sees the noisy latents $x_t$, the noise level $t$ and a text. From what
# it predicts one can compute its guess $\hat x_0$ of the finished latents. We ask for two guesses:
#
# - the **conditional** one, $\hat x_0(c)$, with the prompt $c$;
# - the **unconditional** one, $\hat x_0(\varnothing)$, with an empty prompt $\varnothing$.
#
# *Classifier-free guidance* (Ho & Salimans 2022) starts at the second and goes in the direction of
# the first, $w$ times as far:
# $$\hat x_0^{\,w} = \hat x_0(\varnothing) + w\,\bigl(\hat x_0(c) - \hat x_0(\varnothing)\bigr).$$
# The number $w$ is the **guidance scale**. With $w = 0$ the prompt does not matter, $w = 1$ is the
# conditional guess itself, and with a larger $w$ the result lies *beyond* the conditional guess.
# Notebook 11 derives the formula from Bayes' rule and builds a network that can answer both ways.
# (Ho & Salimans themselves, and the third remedy below, count from the conditional guess: their
# scale is $w - 1$.)
#
# Our U-Net predicts not $\hat x_0$ but $v$, a mixture of picture and noise (notebook 10), and SD
# 1.5 predicts the noise. In both cases the guess is
# $\hat x_0 = a\,x_t - b \cdot \text{prediction}$, where $a$ and $b$ depend on the noise level only.
# So it makes no difference whether predictions or guesses are combined.


# %%
def line(t):
    """The a and b of `guess = a * x - b * prediction` at noise level t."""
    abar = pipe.scheduler.alphas_cumprod[int(t)]
    picture, noise = abar.sqrt().item(), (1 - abar).sqrt().item()
    predicts_v = pipe.scheduler.config.prediction_type == "v_prediction"
    return (picture, noise) if predicts_v else (1 / picture, noise / picture)


def noises(seeds):
    """The noise that each seed stands for: (seeds, 4, side, side)."""
    shape = (1, 4, pipe.unet.config.sample_size, pipe.unet.config.sample_size)
    each = [torch.randn(shape, generator=torch.Generator().manual_seed(s)) for s in seeds]
    return torch.cat(each).to(pipe.device, pipe.unet.dtype)


# %% [markdown]
# Here is the loop of notebook 01 with one change: how the two guesses become one is left to a
# *guider*. The library `diffusers` has a family of them, and `ClassifierFreeGuidance` is the
# formula above. A guider says for which texts it wants a guess, gets one for each, and combines
# them. The loop is a generator: after every step it hands out what it has. (In the code, `told` is
# conditional and `untold` unconditional.)


# %%
@torch.no_grad()
def walk(prompts, guider, seeds, steps=25):
    """Denoise; yields (t, x before the step, the guesses, the guided guess, x after it)."""
    told, untold = pipe.encode_prompt(prompts, pipe.device, 1, True, [""] * len(prompts))
    x = noises(seeds)
    pipe.scheduler.set_timesteps(steps, device=pipe.device)
    for step, t in enumerate(pipe.scheduler.timesteps):
        a, b = line(t)
        guider.set_state(step, steps, t)
        states = guider.prepare_inputs({"words": (told, untold)})
        for state in states:  # the conditional one comes first
            state.noise_pred = a * x - b * pipe.unet(x, t, state.words).sample
        guided = guider(states).pred
        before, x = x, pipe.scheduler.step((a * x - guided) / b, t, x).prev_sample
        yield t, before, [state.noise_pred for state in states], guided, x


# %% [markdown]
# ## One step, taken apart
#
# > **Predict.** The unconditional guess has not read the prompt. What will it show at the first
# > step, where there is nothing but noise? And later, when the lion is half drawn?

# %% tags=["cover"]
lion = "A majestic lion wearing a crown, digital art, highly detailed"
way = list(walk([lion], ClassifierFreeGuidance(guidance_scale=7.5), [42], steps=30))


def seen(latents):
    """Latents decoded into a picture, as an array of numbers."""
    return np.asarray(decode(pipe, latents)[0], float)


sheet, looked_at = [], (0, 5, 12, 25)
for _, before, (told, untold), guided, _ in (way[step] for step in looked_at):
    difference = np.clip(127.5 + seen(told) - seen(untold), 0, 255)
    sheet += [seen(before), seen(untold), seen(told), difference, seen(guided)]
names = ["noisy latents", "unconditional", "conditional", "difference", "guided, 7.5"]
sdlab.grid(
    [picture.astype(np.uint8) for picture in sheet], names + [None] * 15,
    columns=5, cell=1.6, rows=[f"step {step + 1}" for step in looked_at],
)  # fmt: skip

# %%
print("step    t   the guesses differ by   standard deviation: conditional, guided")
for step in looked_at:
    t, _, (told, untold), guided, _ = way[step]
    apart = (told - untold).float().square().mean().sqrt()
    print(f"{step + 1:4d}  {int(t):3d}{apart:12.2f}{told.std():34.2f}{guided.std():12.2f}")

# %% [markdown]
# The columns are the parts of the formula, decoded into pictures. *Difference* is the conditional
# picture less the unconditional one; where they agree it is grey.
#
# - At the first step the unconditional guess is a blur: with no text and nothing but noise, the
#   best guess is the mean of all pictures. The conditional guess is the mean of all crowned lions.
# - Later the noisy latents themselves contain the lion, so the unconditional guess shows it too,
#   without having read a word of the prompt. In the end the two guesses hardly differ, and what is
#   left of the difference lies at outlines and small details.
# - The guided guess goes 7.5 times as far. In the first steps that is far outside anything a
#   picture can be: its colours are burnt, and its standard deviation is larger than that of a
#   nearly finished picture (the last row). Little of it is seen then, because nearly all of $x_t$
#   is still noise. We come back to it below.
#
# ## Five scales
#
# Everything else stays fixed: 30 steps, seed 42, and a *negative prompt*, a text that takes the
# place of the empty prompt $\varnothing$ (notebook 05 is about it).
#
# > **Predict.** What changes from guidance 2 to 15: the content, the colours, the outlines? Which
# > picture will you like best?

# %%
scales = [2, 5, 7.5, 10, 15]
poor = "blurry, low quality, distorted"
recipe = sdlab.Recipe(lion, negative_prompt=poor, steps=30, seed=42)
sdlab.show(sdlab.sweep(pipe, recipe, guidance=scales, progress=False))

# %% [markdown]
# One seed proves nothing, so here are three more, and some numbers. *Clipping* is the share of
# colour values that are as dark or as bright as a picture file can hold: detail is lost there.
# *Saturation* is 0 for grey and 1 for a pure colour. *Variety* says how unlike one another the four
# pictures of a column are.

# %%
lions = sdlab.sweep(pipe, recipe, seed=[42, 43, 44, 45], guidance=scales, progress=False)
sdlab.knob_grid(lions, rows="seed", columns="guidance")

# %%
pictures = [run.image for run in lions]
for name, measure in ("clipping", metrics.clipping), ("saturation", metrics.saturation):
    values = 100 * measure(pictures).reshape(4, len(scales))  # (seeds, scales), in percent
    means = ", ".join(
        f"{scale:g}: {mean:.1f}%" for scale, mean in zip(scales, values.mean(0))
    )
    more = intervals.difference(values[:, -1], values[:, 0])
    print(f"{name:11s}{means}; 15 less 2: {more} points")
alike = [metrics.variety(pictures[column :: len(scales)]) for column in range(len(scales))]
print("variety    " + ", ".join(f"{scale:g}: {v:.1f}" for scale, v in zip(scales, alike)))

# %% [markdown]
# The content hardly changes: the lion stays a lion and stays in its place. Colours and outlines do
# change. The outlines become heavier from left to right, and clipping is clearly larger at 15 than
# at 2. Saturation goes up in one row and down in another, so here it has no clear direction. Look
# down the columns as well: the four lions of guidance 15 are more alike than those of guidance 2.
# Whether that is so in general, four pictures of one prompt cannot tell.
#
# (The negative prompt has its part in these heavy outlines: the run that we took apart above is the
# lion of seed 42 at 7.5 without it.)
#
# ## Sixty-four prompts
#
# Now we measure: 64 prompts that name a thing, a style and a place, two pictures of each, and the
# same noises at every scale. The *judge* of the course (a network that was trained on true
# pictures of the pocket model's world) says whether the thing, the style and the place of the
# prompt can be recognised. Variety is the distance between two pictures of one prompt in what the
# judge sees. Beside the model's pictures stand **true pictures** of the same 64 prompts, drawn
# by the program that drew the training pictures.
#
# That takes about ten minutes, so the numbers come from a file. `python -m
# pocket.reports.guidance` wrote it, with the numbers of every picture.
#
# > **Predict.** Accuracy will rise with guidance. Up to which scale? And what will fall?

# %%
measured = read_results("02")
about = measured.pop("about")
arrays = {
    name: {key: np.array(values) for key, values in entry.items() if key != "setting"}
    for name, entry in measured.items()
}
for entry in arrays.values():
    entry["all three"] = entry["object"] * entry["style"] * entry["background"]
true = arrays.pop("true pictures")

# %%
plain = {  # guidance scale → the numbers of its pictures, (prompts, 2)
    measured[name]["setting"]["guidance_scale"]: entry
    for name, entry in arrays.items()
    if name.startswith("guidance")
}
print(
    f"{len(about['prompts'])} prompts, 2 pictures each, {about['steps']} steps; {list(plain)}"
)

# %%
questions = {
    "object": "thing",
    "style": "style",
    "background": "place",
    "all three": "all three",
}
right = {
    name: np.stack([entry[key].ravel() for entry in plain.values()], 1)
    for key, name in questions.items()
}
ceiling = {"all three, true pictures": np.full(len(plain), true["all three"].mean())}
axes = {"xlabel": "guidance scale", "ylabel": "share of pictures that are right"}
sdlab.curve(list(plain), right | ceiling, **axes)

# %% [markdown]
# Style and place are mostly right without any guidance (scale 1). What is missed there is the
# *thing*, and a little guidance is enough to bring it. Then comes a long way on which little
# changes, and at 15 fewer things and styles are right again. The line of true pictures shows how
# far one can get: the judge does not recognise each of them either.

# %%
variety = {
    "the model": np.stack([entry["variety"] for entry in plain.values()], 1),
    "true pictures": np.full(len(plain), true["variety"].mean()),
}
sdlab.curve(
    list(plain), variety, xlabel="guidance scale", ylabel="variety (judge's features)"
)

# %% [markdown]
# It is variety that falls, and most of it is lost early. Guidance makes pictures of one prompt more
# alike. A network without guidance has more variety than true pictures, but remember that it often
# misses the thing.

# %%
more = {
    key: np.stack([100 * (entry[key] - true[key]).mean(1) for entry in plain.values()], 1)
    for key in ("saturation", "clipping")
}
axes = {"xlabel": "guidance scale", "ylabel": "percentage points above true pictures"}
sdlab.curve(list(plain), more | {"true pictures": np.zeros(len(plain))}, **axes)

# %% [markdown]
# For colours there is a right answer: that of true pictures. With more guidance the pictures become
# more saturated and more clipped. Without it they are clipped less than true ones, and at 15 more.
# So guidance takes the colours past the truth, saturation earlier and clipping later.
#
# ### A slice of it, live
#
# A file can be old. So we draw the first twelve prompts again, at three scales, and compare.

# %%
count, checked = 12, [2, 7.5, 15]
asked = judge.known_prompts()[:count]
things = [one.things[0] for one in asked[:6]]
recipes = [sdlab.Recipe(one.prompt, seed=i, steps=25) for i, one in enumerate(asked)]
live = sdlab.sweep(pipe, recipes, guidance=checked, progress=False)  # three of each prompt
sdlab.grid(
    [live[3 * i + place].image for place in range(3) for i in range(6)],
    things + [None] * 12, columns=6, cell=1.4, rows=[f"guidance {s:g}" for s in checked],
)  # fmt: skip

# %%
in_our_world = models.name_of(pipe) == "pocket"  # the judge knows no photographs
print(f"same weights as in the file: {models.fingerprint(pipe) == about['model']}")
for place, scale in enumerate(checked):
    pictures = [run.image for run in live[place::3]]
    clipped, kept = metrics.clipping(pictures), plain[scale]["clipping"][:count, 0]
    print(
        f"guidance {scale:4g}: clipping {clipped.mean():.1%}, in the file {kept.mean():.1%}",
        end="",
    )
    if in_our_world:
        hits = judge.recognise(pictures, asked)["object"]
        same = np.equal(hits, plain[scale]["object"][:count, 0])
        print(f"; the judge says the same of {same.sum()} of {count}", end="")
    print()

# %% [markdown]
# ## Where is the sweet spot?
#
# That is: which scale is the best? Two sentences are repeated in many tutorials: *a guidance of 7.5
# to 8 is best*, and *above 12 pictures are oversaturated*. We can test both, on the same prompts
# and noises at every scale.

# %%
near = {
    name: min(plain, key=lambda scale: abs(plain[scale][name].mean() - true[name].mean()))
    for name in ("variety", "saturation", "clipping")
}
print("scale  all three right  against 7.5, pair by pair      nearest to true pictures in")
for scale, entry in plain.items():
    change = intervals.difference(100 * entry["all three"], 100 * plain[7.5]["all three"])
    points = f"{change.value:+.1f} ({change.low:.1f} to {change.high:.1f}) points"
    names = ", ".join(name for name, closest in near.items() if closest == scale)
    print(f"{scale:5g}  {intervals.share(entry['all three'])!s:17s}{points:31s}{names}")

# %%
best = max(plain, key=lambda s: plain[s]["all three"].mean())
rival = max((s for s in plain if s != 7.5), key=lambda s: plain[s]["all three"].mean())
gain = intervals.difference(100 * plain[7.5]["all three"], 100 * plain[rival]["all three"])
for scale in 7.5, rival:
    print(f"all three right at {scale:g}: {intervals.share(plain[scale]['all three'])}")
certain = "clear" if gain.is_clear else "not clear"
print(f"7.5 less the best other scale: {gain} points, {certain}")
for key in "saturation", "clipping":
    for scale in 5, 15:
        over = intervals.difference(100 * plain[scale][key], 100 * true[key])
        print(f"{key} at {scale}: {over} points above true pictures")

# %%
sdlab.claim(
    "A guidance scale of 7.5 to 8 is the best",
    held=bool(gain.value > 0) if gain.is_clear else None,
    measured=f"thing, style and place are all right {gain.value:+.1f} ({gain.low:.1f} to "
    f"{gain.high:.1f}) points more often at 7.5 than at {rival:g}, the best other scale",
    source="SD 1.5 notebook",
)

# %%
above = intervals.difference(100 * plain[15]["saturation"], 100 * true["saturation"])
sdlab.claim(
    "Above 12 pictures are oversaturated",
    held=above.is_clear and above.value > 0,
    measured=f"saturation at 15 is {above.value:.1f} ({above.low:.1f} to {above.high:.1f}) "
    "percentage points above that of true pictures",
    source="SD 1.5 notebook",
)

# %% [markdown]
# Both rules come from a teaching notebook about Stable Diffusion 1.5, which the verdicts name as
# their source. This course grew out of that one and three others; notebook 17 lists what became of
# their claims.
#
# - **Is 7.5 best?** These pictures cannot tell: the top is flat, and from 3 to 10 no scale is
#   clearly better or worse than 7.5. No question in the last column of the table has 7.5 as its
#   answer either; at smaller scales the pictures are nearer to true ones.
# - **Oversaturated above 12?** At 15 the pictures are more saturated and more clipped than true
#   ones, so the sentence is right. But there is no border at 12. Most of the excess of *saturation*
#   is there at guidance 5 already. What goes on growing is *clipping*.
#
# ### Why it moves
#
# The sweet spot is not a property of guidance. It depends on what you ask for, as the last column
# of the table shows. It also depends on the prompt. For each prompt we look for the smallest scale
# at which both of its pictures have all three right.

# %%
done = np.stack(
    [entry["all three"].all(1) for entry in plain.values()], 1
)  # (prompts, scales)
first = np.where(done.any(1), done.argmax(1), len(plain))
for place, scale in enumerate([*plain, None]):
    name = f"guidance {scale:g}" if scale else "at no scale"
    print(f"{name:12s}{'■' * (first == place).sum()} {(first == place).sum()}")

# %% [markdown]
# And it depends on the model. This is what the course's table of models recommends:

# %%
for name, model in sdlab.MODELS.items():
    if model.kind == "text to image":
        print(f"{name:10s} guidance {model.guidance:g}, {model.steps} steps")

# %% [markdown]
# A likely reason: guidance repairs what the conditional guess lacks. The captions that SD 1.5 was
# trained with came from the web and often say little about their picture, so its conditional guess
# follows a prompt loosely, and it needs more help. The captions of the pocket model say exactly
# what is in the picture. SD-Turbo was trained to draw without guidance (Sauer et al. 2023), so its
# scale in the table is 0, by which `diffusers` means no guidance at all.
#
# ## Why it burns
#
# The damage of too much guidance starts in the numbers. We draw eight prompts at three scales and
# note at every step the standard deviation of the guided guess: how far its numbers spread.
#
# > **Predict.** You have seen that the first guided guesses are the wildest. Is that excess gone at
# > the last step, or does some of it reach the finished picture?

# %%
prompts = [one.prompt for one in judge.known_prompts()[:8]]
spreads, gaps = {}, {}
for scale in 1.0, 5.0, 15.0:
    way = list(walk(prompts, ClassifierFreeGuidance(guidance_scale=scale), range(8)))
    spread = [guided.float().flatten(1).std(1).cpu() for _, _, _, guided, _ in way]
    spreads[f"guidance {scale:g}"] = np.stack(spread, 1)  # (prompts, steps)
    gap = [(both[0] - both[-1]).float().flatten(1).std(1).cpu() for _, _, both, _, _ in way]
    gaps[f"guidance {scale:g}"] = np.stack(gap, 1)
axes = {"xlabel": "step", "ylabel": "standard deviation of the guided guess"}
sdlab.curve(range(1, 26), spreads, **axes)

# %%
print("standard deviations of 8 prompts")
for name in "guidance 5", "guidance 15":
    for quantity, table in (
        ("guided guess", spreads),
        ("difference of the two guesses", gaps),
    ):
        ends = [intervals.mean(table[name][:, step]) for step in (0, -1)]
        print(f"{name:13s}{quantity:31s}first step {ends[0]!s:18s} last step {ends[1]}")
print(
    f"guidance 1   {'guided guess':31s}last step {intervals.mean(spreads['guidance 1'][:, -1])}"
)

# %% [markdown]
# The excess is largest at the beginning, by far. There the two guesses differ most, and that
# difference is multiplied. Then they come closer and the curve falls. But the excess does not
# disappear: at the last step the guess at guidance 15 still spreads more widely than the one at
# guidance 1, and the last guess becomes the picture. The decoder turns numbers that are too large
# into colours beyond black and white, and there they are clipped.
#
# ## What the field does about it
#
# Three repairs are in use. Each of them acts on another part of what you have just seen.
#
# **Guidance rescale** (Lin et al. 2023) acts on the *spread*. It shrinks the guided prediction to
# the standard deviation of the conditional one, and then mixes the result with the unchanged
# prediction. With $\hat v^w$ guided, $\hat v(c)$ conditional, and $\varphi$ between 0 and 1 (0.7 in
# the paper):
# $$\hat v = \varphi\, \frac{\operatorname{std}(\hat v(c))}{\operatorname{std}(\hat v^w)}\,
# \hat v^w + (1 - \varphi)\, \hat v^w.$$
# The pipeline that we have loaded knows it as the argument `guidance_rescale`.
#
# **A guidance interval** (Kynkäänniemi et al. 2024) changes *when* guidance acts. It is used at the
# middle noise levels only; before and after, the conditional guess is used alone. It also saves
# time, because there the network is asked once.
#
# **Adaptive projected guidance**, APG (Sadat et al. 2024), acts on the *direction*. The difference
# of the two guesses is split into a part parallel to the conditional guess and a part at a right
# angle to it. The parallel part makes the guess larger as a whole: more contrast, more colour. It
# is left out. Two further changes: a difference that is too long is cut to a maximal length, and a
# share of the earlier differences is subtracted (a negative *momentum*).
#
# > **Predict.** All three are used at guidance 15. Which one will bring the clipping down most, and
# > which one will keep most pictures right?

# %%
numbers = noises([0]).numel()  # of the latents of one picture
longest = 15 * (numbers / 65_536) ** 0.5
guiders = {
    "guidance 15": ClassifierFreeGuidance(guidance_scale=15.0),
    "in an interval": ClassifierFreeGuidance(guidance_scale=15.0, start=0.4, stop=0.8),
    "projected": AdaptiveProjectedGuidance(
        guidance_scale=15.0 - 1, use_original_formulation=True, eta=0.0,
        adaptive_projected_guidance_rescale=longest, adaptive_projected_guidance_momentum=-0.5,
    ),
}  # fmt: skip

# %% [markdown]
# `start` and `stop` are shares of the steps: here guidance begins after two fifths of them and
# ends after four fifths. `eta` is what is kept of the parallel part. Two settings of APG are easy
# to get wrong:
#
# - Its formula begins at the *conditional* guess (`use_original_formulation`), so its scale is one
#   less than ours. If it began at the unconditional guess, as the guider does by default, then the
#   parallel part would be missing in the conditional guess too.
# - The longest difference that is allowed depends on how many numbers the latents have. The
#   default of `diffusers` is 15. We take it as meant for the 65,536 numbers of SDXL's latents, and
#   keep the same root mean square per number.


# %%
def draw(name, prompts, seeds):
    """Pictures of prompts with one of the guiders, or rescaled by the pipeline itself."""
    if name == "rescaled":
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        extra = {
            "guidance_rescale": 0.7,
            "num_inference_steps": 25,
            "generator": generators,
        }
        return pipe(prompts, guidance_scale=15.0, **extra).images
    *_, (*_, last) = walk(prompts, guiders[name], seeds)
    return decode(pipe, last)


# %%
remedies = ["rescaled", "in an interval", "projected"]
words = [one.prompt for one in asked]
rows = {name: draw(name, words[:6], range(6)) for name in ("guidance 15", *remedies)}
moderate = sdlab.sweep(pipe, recipes[:6], guidance=[best], progress=False)
rows = {f"guidance {best:g}": [run.image for run in moderate], **rows}
sheet = [picture for row in rows.values() for picture in row]
sdlab.grid(sheet, things + [None] * 24, columns=6, cell=1.4, rows=list(rows))

# %% [markdown]
# And the numbers, on all 64 prompts. The first rows repeat plain guidance.

# %%
chosen = {f"guidance {best:g}": plain[best], "guidance 15": plain[15]}
chosen |= {name: arrays[name] for name in remedies} | {"true pictures": true}
columns = "all three right  variety            saturation above true  clipping above true"
print(f"{'':16s}{columns}")
for name, entry in chosen.items():
    print(f"{name:16s}{intervals.share(entry['all three'])!s:17s}", end="")
    print(f"{intervals.mean(entry['variety'])!s:19s}", end="")
    for key in "saturation", "clipping":
        above = intervals.difference(100 * entry[key], 100 * true[key])
        print(
            f"{above.value:+5.1f} ({above.low:.1f} to {above.high:.1f})".ljust(23), end=""
        )
    print()

# %%
print(
    "against plain guidance 15, pair by pair (* = clear, clipping and saturation in points)"
)
for name in remedies:
    print(f"{name:16s}", end="")
    for key, times in (
        ("all three", 100),
        ("variety", 1),
        ("saturation", 100),
        ("clipping", 100),
    ):
        change = intervals.difference(times * arrays[name][key], times * plain[15][key])
        print(f"{key} {change.value:+.1f}{'*' if change.is_clear else ' '}   ", end="")
    print()

# %% [markdown]
# Is that worth the trouble? There is a cheaper repair: a smaller scale. So the fair question is
# whether a repair gives something that *no plain scale* gives. In the plot, further to the right
# means more clipping, and further up means more right pictures; the line is plain guidance, from
# scale to scale. A repair has to lie above the line.


# %%
def position(entry):
    """Where an entry stands: clipping (points above true pictures) and share of all three."""
    clipped = 100 * (entry["clipping"] - true["clipping"]).mean()
    return clipped, intervals.share(entry["all three"])


line_x, line_y = zip(*((x, y.value) for x, y in map(position, plain.values())))

# %%
figure, axis = plt.subplots(figsize=(6.5, 3.6), layout="constrained", FigureClass=Described)
axis.plot(line_x, line_y, marker="o", label="plain guidance")
for scale, x, y in zip(plain, line_x, line_y):
    axis.annotate(f"{scale:g}", (x, y), (0, -13), textcoords="offset points", ha="center")
for marker, name in zip("s^D", remedies):
    x, y = position(arrays[name])
    ends = [[y.value - y.low], [y.high - y.value]]
    axis.errorbar(x, y.value, ends, fmt=marker, label=f"15, {name}")
axis.margins(y=0.12)
axis.set(xlabel="clipping, points above true pictures", ylabel="all three right")
axis.legend(frameon=False, loc="lower right")
figure.alt = (
    "Right pictures over clipping: plain guidance as a line, three repairs as points"
)
plt.close(figure)
figure

# %%
print("against the plain scale that clips most nearly the same, pair by pair (* = clear)")
for name in remedies:
    clipped = arrays[name]["clipping"].mean()
    rival = min(plain, key=lambda scale: abs(plain[scale]["clipping"].mean() - clipped))
    print(f"{name:16s}against guidance {rival:<5g}", end="")
    for key, times in ("all three", 100), ("variety", 1):
        change = intervals.difference(times * arrays[name][key], times * plain[rival][key])
        print(f"{key} {change.value:+.1f}{'*' if change.is_clear else ' '}   ", end="")
    print()

# %% [markdown]
# Clipping comes down most with APG, and most pictures stay right with the interval. Each repair
# does what it was made for, and none does everything:
#
# - **Rescale** brings clipping and saturation down to about those of true pictures, and variety
#   up. Whether it also brings back pictures that guidance 15 gets wrong, so few prompts cannot
#   tell.
# - **The interval** takes away the smallest part of the clipping. It brings back variety, and it is
#   the only one of the three that clearly brings back right pictures. It also costs least: in three
#   fifths of the steps the network is asked once instead of twice.
# - **APG** takes away most of the clipping, more than is good, for true pictures clip more. It has
#   the most variety and the fewest right pictures.
#
# Is one of them worth the trouble? The last output compares each with the plain scale whose
# pictures are clipped about as much. None of the three has clearly more right pictures than that;
# what the interval does give is more variety. For this model the cheapest repair is to turn
# guidance down. It follows its prompts at a small scale already; the papers repair models that
# need a large one, and chose their settings for them. What holds for every model is the way of
# asking: compare a repair with the best plain scale, and not with the worst.
#
# ## Exercise: rescale (10 minutes)
#
# Write `guide`: classifier-free guidance with rescale, from the unconditional and the conditional
# prediction, `untold` and `told`. Both are batches of the shape (pictures, 4, h, w). Every picture
# has a standard deviation of its own.


# %% tags=["stub"]
def guide(untold, told, scale, rescale):
    """The guided prediction, shrunk towards the spread of `told`; `rescale` is the phi above."""
    return told  # write the two formulas here


# %% tags=["solution"]
def guide(untold, told, scale, rescale):
    """The guided prediction, shrunk towards the spread of `told`; `rescale` is the phi above."""
    guided = untold + scale * (told - untold)
    spread = told.std((1, 2, 3), keepdim=True) / guided.std((1, 2, 3), keepdim=True)
    return rescale * spread * guided + (1 - rescale) * guided


# %% tags=["hints"]
hints = [
    "There are two formulas: first the guided prediction, then its spread brought back to that "
    "of told.",
    "A standard deviation for each picture of a batch: x.std((1, 2, 3), keepdim=True).",
    "With guided from the first formula and ratio = told's spread / guided's spread: rescale * "
    "ratio * guided + (1 - rescale) * guided.",
]

# %%
with sdlab.exercise("Rescale", hints=hints):
    untold, told = torch.randn(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    told[1] *= 3  # pictures of one batch can spread differently
    plainly = untold + 7.5 * (told - untold)
    assert torch.allclose(guide(untold, told, 7.5, 0.0), plainly, atol=1e-4), (
        "with rescale 0 it should be plain guidance: begin at untold, go 7.5 times the difference"
    )
    full = guide(untold, told, 7.5, 1.0)
    assert torch.isclose(full.std(), told.std(), rtol=0.05), (
        "guidance is right. With rescale 1 the spread should be that of told: multiply by a ratio"
    )
    assert torch.allclose(full.std((1, 2, 3)), told.std((1, 2, 3)), rtol=1e-3), (
        "the spread of the batch is right, that of each picture is not: std over (1, 2, 3)"
    )
    usual = ClassifierFreeGuidance(guidance_scale=7.5, guidance_rescale=0.7)
    assert torch.allclose(
        guide(untold, told, 7.5, 0.7), usual.forward(told, untold).pred, atol=1e-4
    ), "rescale 0 and 1 are right, 0.7 is not: mix the two, 0.7 of one and 0.3 of the other"

# %% [markdown]
# ## Exercise: find the interval (15 minutes)
#
# Somebody wants guidance 15 and no burnt pictures. Choose `start` and `stop`, shares of the steps
# between 0 and 1. Compared with guidance 15 in all steps, clipping should fall by a fifth or more,
# and of the things in the twelve pictures at most one fewer should be right. Think first: in which
# steps does the damage arise, and in which is the prompt needed?

# %% tags=["stub"]
start, stop = 0.0, 1.0  # the whole way: change these

# %% tags=["solution"]
start, stop = 0.5, 0.9  # long after the wild beginning; the last steps change little

# %%
guiders["mine"] = ClassifierFreeGuidance(guidance_scale=15.0, start=start, stop=stop)
burnt = [run.image for run in live[2::3]]
mine = draw("mine", words[:6], range(6)) + draw("mine", words[6:], range(6, 12))
cut = 1 - metrics.clipping(mine).mean() / metrics.clipping(burnt).mean()
print(f"clipping falls by {cut:.0%}")
if in_our_world:
    had, has = (sum(judge.recognise(some, asked)["object"]) for some in (burnt, mine))
    print(f"right things: {has} of {count}, with guidance on the whole way {had}")
sdlab.grid(burnt[:6] + mine[:6], columns=6, cell=1.4, rows=["the whole way", "mine"])

# %% tags=["hints"]
hints = [
    "Remember what the section on the interval says: the excess of colour begins in the first, "
    "noisiest steps.",
    "Leave the first steps out and see whether the things stay. Then try how much of the end "
    "you can leave out too.",
    "Begin near the middle, at 0.4 or 0.5, and stop a little before the end.",
]

# %%
with sdlab.exercise("Find the interval", hints=hints):
    assert 0 <= start < stop <= 1, (
        f"start and stop are {start} and {stop}: they are shares of the steps, start is the smaller"
    )
    assert (start, stop) != (0, 1), (
        "start and stop are still the whole way: leave some steps out"
    )
    assert stop - start > 0.05, "there is hardly any step left between start and stop"
    if in_our_world:
        assert has >= had - 1, (
            "too many things are lost: guidance is needed for longer, or earlier on the way"
        )
    assert cut >= 0.2, (
        "the things are there, and still too much is clipped: which part of the way burns most?"
    )

# %% [markdown]
# ## What you learned
#
# - Guidance asks the network twice and goes beyond the conditional guess, $w$ times the way from
#   the unconditional one. The difference is large in the first steps and nearly gone in the last.
# - A little guidance buys most of the accuracy. More of it costs variety and burns colours: the
#   excess begins in the first steps and is still there in the last.
# - The best scale depends on the model, on the prompt, and on what you ask for. "7.5 is best" and
#   "above 12 is too much" are recipes for one model, not laws.
# - Rescale changes the spread of the guess, an interval the steps in which guidance acts, APG its
#   direction. Before you use one of them, try a smaller scale.
#
# ## Go further
#
# - Draw a prompt with two things (`judge.known_prompts(2)`) at guidance 2, 4 and 8. Does it need
#   more guidance than one thing?
# - Use 10 steps instead of 25 and look at guidance 15 again. Is the damage larger?
# - `diffusers.guiders` has more: try `ClassifierFreeZeroStarGuidance` or
#   `TangentialClassifierFreeGuidance` in `walk`. Where do they stand in the last plot?
# - Notebook 11 builds guidance from nothing, on a network that you train yourself.
