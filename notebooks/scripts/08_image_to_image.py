# %% [markdown]
# # 08 · Image to image
#
# Words are a poor way to say where a house stands, how a friend's hat looks, or what you mean by
# "in this style". A picture says it at once. Here pictures are the beginning: a rough painting
# becomes a finished one, one thing is replaced and the rest stays, a sketch says where the lines
# go, an example says the style, and one word is exchanged in a picture that you like.
#
# **You will be able to** choose a strength and say what it does, step by step; replace a part of a
# picture and prove that the rest is untouched; let a sketch act strongly or weakly, early or late;
# give a picture the style of another without a word about it; and tell which of these methods did
# what they promise here.
#
# | | pocket model (default) | SD 1.5 (`SDLAB_MODEL=sd15`) |
# |---|---|---|
# | time for this notebook | two minutes on two CPU cores | five minutes on a GPU |
# | memory | 1 GB | 7 GB on the GPU |
# | download | none | 2.7 GB, once |

# %%
import inspect
import textwrap

import numpy as np
import torch
from diffusers.utils import logging
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image, ImageDraw, ImageFilter, ImageOps
from skimage.exposure import match_histograms

import sdlab
from sdlab.display import intervals
from sdlab.lesson import read_results
from sdlab.pipes import models, samplers
from sdlab.pipes.generation import decode
from sdlab.study import borrowing, judge, metrics
from sdlab.study.anatomy import word_maps

# %% [markdown]
# Some experiments need more pictures than this notebook has time for. A program drew them with the
# pocket model (`python -m pocket.reports.pictures_from_pictures`, ten minutes) and kept one number
# per picture. We read that file, and draw a few of its pictures again.

# %%
pipe = sdlab.load()
pipe.set_progress_bar_config(disable=True)
logging.set_verbosity_error()
sdlab.use_style()
in_our_world = models.name_of(pipe) == "pocket"  # the judge knows no other model's pictures
side = sdlab.native_side(pipe)
steps, guidance = 20, models.recommend(pipe)[1]
kept = read_results("08")


def draw(prompt, seed=0, **more):
    """The picture of a prompt."""
    run = sdlab.generate(pipe, prompt, seed=seed, steps=steps, progress=False, **more)
    return run.image


# %% [markdown]
# ## Where do we step in?
#
# A model draws by removing noise, step by step. Nothing says that it has to begin with nothing but
# noise. Take a picture, cover it with as much noise as there is in the middle of a run, and let
# the model do the second half. What the noise has not covered stays, and the rest is drawn anew.
# This is **SDEdit** (Meng et al. 2022), and every program calls it *image to image*.
#
# Here is a picture that needs help.

# %%
rough = Image.new("RGB", (512, 512), (120, 190, 240))
pen = ImageDraw.Draw(rough)
pen.rectangle((0, 330, 512, 512), fill=(90, 170, 80))  # grass
pen.rectangle((155, 205, 360, 410), fill=(235, 215, 160))  # a wall
pen.polygon([(115, 215), (256, 75), (400, 215)], fill=(190, 50, 40))  # a roof
pen.rectangle((230, 295, 285, 410), fill=(110, 70, 40))  # a door
rough = rough.resize((side, side), Image.LANCZOS)
sdlab.grid([rough], ["the beginning"])

# %% [markdown]
# > ✎ **Your own picture.** Instead of this house you can take a drawing or a photo of your own:
# > `rough = Image.open("mine.png").convert("RGB").resize((side, side))`. (A recipe takes a file as
# > well, `image="mine.jpg"`. If its shape is another one, `fit="pad"` keeps all of the picture, and
# > `fit="crop"` its middle.)
#
# The **strength**, from 0 to 1, says where we step in: with strength 0.6 the first 40% of the steps
# of a run are left out. On the noise schedule it looks like this. The curves show how much of the
# picture, $\sqrt{\bar\alpha_t}$, and how much noise, $\sqrt{1-\bar\alpha_t}$, there is in the
# latents $x_t$ at the beginning of every step (notebook 10 derives them). The dotted lines show
# where each strength steps in; the number above is the strength.

# %%
strengths = [0.2, 0.4, 0.6, 0.8, 1.0]
scheduler = samplers.make("DDIM", pipe.scheduler.config)
scheduler.set_timesteps(steps)
picture = scheduler.alphas_cumprod[scheduler.timesteps].sqrt()
curves = {"picture": picture, "noise": (1 - picture.square()).sqrt()}

# %%
labels = {"xlabel": "step of the run", "ylabel": "factor in the latents"}
figure = sdlab.curve(range(steps), curves, **labels)
[axis] = figure.axes
for strength in strengths:
    entry = steps - int(steps * strength)
    axis.axvline(entry, color="0.5", ls=":", zorder=0)
    axis.text(entry, 1.06, f"{strength:g}", ha="center")
axis.set_xticks(range(0, steps, 2))
axis.legend(loc="center left", frameon=False)
figure

# %% [markdown]
# To step in, two lines are enough: encode the picture, and let the scheduler add the noise of that
# step (`add_noise`), $x_t = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\varepsilon$, where
# $x_0$ are the latents of the picture and $\varepsilon$ is noise.


# %%
@torch.no_grad()
def step_in(picture, strength, seed):
    """The latents where a strength steps in, and the noise levels of the steps that are left."""
    generator = torch.Generator("cpu").manual_seed(seed)
    pixels = pipe.image_processor.preprocess(picture).to(pipe.device, pipe.unet.dtype)
    clean = pipe.vae.encode(pixels).latent_dist.sample(generator)
    clean = pipe.vae.config.scaling_factor * clean  # (1, 4, h, w)
    noise = randn_tensor(clean.shape, generator, clean.device, clean.dtype)
    times = scheduler.timesteps[steps - int(steps * strength) :]
    return scheduler.add_noise(clean, noise, times[:1]), times


# %% [markdown]
# > **Predict.** This is what the model gets to see at five strengths. From which of them will the
# > house still stand where it was painted? From which will it look like a real house?

# %%
seen = [decode(pipe, step_in(rough, strength, seed=3)[0])[0] for strength in strengths]
sdlab.grid(seen, [f"strength {strength:g}" for strength in strengths])

# %% [markdown]
# From there on it is an ordinary run. We take its steps by hand, and compare the result with what
# `diffusers` draws: in `sdlab`, a recipe with an `image` is drawn by diffusers' own pipeline.

# %%
house = sdlab.Recipe("a house in a garden, watercolor", image=rough, steps=steps, seed=3)
by_diffusers = draw(house, seed=3, strength=0.6, sampler="DDIM")

# %%
with torch.no_grad():
    x, times = step_in(rough, 0.6, seed=3)
    prompt, negative = pipe.encode_prompt(house.prompt, pipe.device, 1, True)
    for t in times:
        guess = pipe.unet(torch.cat([x, x]), t, torch.cat([negative, prompt])).sample
        guess = guess[:1] + guidance * (guess[1:] - guess[:1])  # notebook 02
        x = scheduler.step(guess, t, x).prev_sample
[by_hand] = decode(pipe, x)
apart = np.abs(np.asarray(by_hand, int) - np.asarray(by_diffusers, int)).max()
print(f"{len(times)} of {steps} steps, at most {apart} of 255 grey levels apart")
assert apart <= 2

# %% [markdown]
# That is all there is to image to image. Now the strengths, with three seeds.

# %% tags=["cover"]
seeds = [1, 2, 3]
runs = sdlab.sweep(pipe, house, seed=seeds, strength=strengths, progress=False)
sdlab.knob_grid(runs, rows="seed", columns="strength")

# %%
rows = [[run.image for run in runs if run.recipe.seed == seed] for seed in seeds]
far = [255 * metrics.distance(row, [rough] * len(strengths)) for row in rows]
labels = {"xlabel": "strength", "ylabel": "distance to the painting (grey levels)"}
sdlab.curve(strengths, np.array(far), **labels)

# %% [markdown]
# At the smallest strength the house stands where it was painted, and it looks painted. At the
# largest it looks like the other houses of this model, and it stands where the model would have put
# it anyway. In between is a range where the place is yours and the drawing is the model's. Look
# again at what the model gets to see: the noise covers fine detail first, because a detail is only
# a few numbers, and large areas of colour shine through for longer. That is why the layout is the
# last thing to go.
#
# ### How strong is strong enough?
#
# Three seeds of one house are not a measurement. The program drew 48 pictures with the words of
# the pocket model's world, and changed one thing in the prompt: in one half of the experiment the
# style, in the other the thing itself. The judge says whether the *new* word can be seen, and
# whether what should stay has stayed.
#
# > **Predict.** What needs more strength: another style, or another thing?

# %%
points = [row["strength"] for row in kept["strength"] if row["new"] == "style"]
style, thing = (
    [row for row in kept["strength"] if row["new"] == new] for new in ("style", "object")
)
seen = {
    "the new style": np.transpose([row["style"] for row in style]),
    "the old thing": np.transpose([row["object"] for row in style]),
    "the new thing": np.transpose([row["object"] for row in thing]),
    "the old style": np.transpose([row["style"] for row in thing]),
}
sdlab.curve(points, seen, xlabel="strength", ylabel="share of pictures in which it is seen")

# %% [markdown]
# The blue and the orange curve belong to the pictures with a new style, the other two to those
# with a new thing. We draw four of the restyled ones again, at strength 0.6.

# %%
again = points.index(0.6)
for number, (before, after) in enumerate(kept["prompts"]):
    source = draw(before, seed=number)
    made = draw(after, seed=number, image=source, strength=0.6)
    [now] = metrics.distance([made], [source])
    there = style[again]["distance"][number]
    print(f"{before} → {after.rsplit(', ')[-1]}: moved by {now:.3f}, kept {there:.3f}")

# %%
for number, strength in enumerate(points[:3]):
    pair = style[number]["style"], thing[number]["object"]
    gap = intervals.difference(*pair)
    low, value, high = (100 * end for end in (gap.low, gap.value, gap.high))
    print(f"strength {strength}: style {intervals.share(pair[0])}", end=", ")
    print(f"thing {intervals.share(pair[1])}, difference {value:+.0f}", end=" ")
    print(f"points ({low:+.0f} to {high:+.0f}), {'clear' if gap.is_clear else 'not clear'}")

# %% [markdown]
# With little strength the new style is seen more often than the new thing: another thing needs
# more strength than another style. A likely reason: a style is mostly fine detail, and a little
# noise covers that; a thing is its outline, and the noise covers the outline late.
#
# The other two curves hardly move. What should stay is named in the prompt as well, so it is drawn
# at any strength. But the judge only knows *a* tent from *a* rocket. Whether it is still *your*
# tent, in its place, it cannot say, and you have seen above that a large strength gives that up. So
# take as much strength as the change needs, and no more.
#
# ### Is anything left at strength 1?
#
# At strength 1 all steps are taken. But the first of them begins with the picture *under* noise,
# not with noise alone, since $\sqrt{\bar\alpha_t}$ is small there but not 0.
#
# > **Predict.** A black and a white picture, both at strength 1, the same prompt and seed. Will the
# > two results be equal? Will one be darker?

# %%
car = sdlab.Recipe("a car in a garden, oil painting", steps=steps)
plain = [Image.new("RGB", (side, side), colour) for colour in ("black", "white")]
recipes = [car.but(image=one, strength=1.0) for one in plain]
ends = sdlab.sweep(pipe, recipes, seed=list(range(8)), progress=False)
from_black, from_white = (
    [run.image for run in ends[start : start + 8]] for start in (0, 8)
)

# %%
apart = intervals.mean(255 * metrics.distance(from_black, from_white))
by_seed = intervals.mean(
    255 * metrics.distance(from_black, from_black[1:] + from_black[:1])
)
brighter = np.mean(from_white) - np.mean(from_black)
print(f"√ᾱ at the first step: {picture[0]:.3f}")
print(f"from white, the pictures are {brighter:+.1f} grey levels brighter than from black")
sdlab.claim(
    "At strength 1 nothing of the picture is left",
    held=apart.high < by_seed.low / 5,
    measured=f"a black and a white picture lead to results that are {apart} grey levels apart, "
    f"two seeds to results that are {by_seed} apart",
    source="SD 1.5 notebook",
)

# %% [markdown]
# So the two results are not equal, but what is left of the picture is little beside what another
# seed changes. In practice strength 1 means: only the size of the picture is taken.
#
# ## One picture, six transformations
#
# Now we take a finished picture, with small wishes and large ones: four styles, another place, and
# another animal. The strengths follow from what you have just seen.

# %%
lion = draw("a lion on the beach, cartoon", seed=3)
wishes = {
    "a lion on the beach, oil painting": 0.5,
    "a lion on the beach, watercolor": 0.5,
    "a lion on the beach, pencil sketch": 0.5,
    "a lion on the beach, pixel art": 0.5,
    "a lion in the snow, cartoon": 0.8,
    "a panda on the beach, cartoon": 0.8,
}

# %%
recipes = [
    sdlab.Recipe(prompt, image=lion, strength=strength, steps=steps)
    for prompt, strength in wishes.items()
]
six = sdlab.sweep(pipe, recipes, seed=seeds, progress=False)
first = [run.image for run in six if run.recipe.seed == 1]
titles = [
    f"{textwrap.fill(prompt, 22)}\nstrength {strength:g}"
    for prompt, strength in wishes.items()
]
sdlab.grid([lion, *first], ["the source", *titles], columns=4)

# %%
print(f"{'':36s}moved by (grey levels)   seen by the judge, of three seeds")
for prompt in wishes:
    made = [run.image for run in six if run.recipe.prompt == prompt]
    moved = 255 * metrics.distance(made, [lion] * len(made))
    told = f"{prompt:36s}{intervals.mean(moved)!s:25s}"
    if in_our_world:
        heads = ("object", "style", "background")
        seen = zip(*(judge.answers(made, head) for head in heads))
        told += "; ".join(", ".join(answers) for answers in seen)
    print(told)

# %% [markdown]
# The last column answers for each wish. Half of the steps are enough for a style. For another place
# or another animal more has to be drawn anew, and then the lion of the source is lost: what stands
# in the snow is *a* lion, and not that one.
#
# ### With Stable Diffusion XL
#
# The same recipe, given to another model. We take the small one that comes with the course; the
# real one is `sdlab.load("sdxl")`.

# %%
xl = sdlab.load("pocket-xl")
xl.set_progress_bar_config(disable=True)
larger = rough.resize((sdlab.native_side(xl),) * 2, Image.LANCZOS)
by_xl = sdlab.sweep(
    xl, house.but(image=larger), seed=[1, 2], strength=[0.3, 0.6, 0.9], progress=False
)
for strength in (0.3, 0.6, 0.9):
    made = [run.image for run in by_xl if run.recipe.strength == strength]
    far = 255 * metrics.distance(made, [larger] * 2)
    print(f"strength {strength}: {far.mean():.0f} grey levels from the painting")
sdlab.knob_grid(by_xl, rows="seed", columns="strength")

# %% [markdown]
# Strength means the same to both models: a share of the steps. What it does is not quite the same.
# At 0.6 the larger picture is nearer to its painting than the smaller ones were (the curve above).
# A likely reason: the house covers more cells of the larger latents, so it takes more noise to hide
# it. The *refiner* of SDXL (notebook 09) can be used in just
# this way: image to image with a small strength, by a model that has learned only the last steps.
#
# ## Inpainting: one part anew
#
# A **mask** is white where the picture is to be drawn anew, and black where it is to stay.

# %%
tent = draw("a tent in the mountains with a lake, oil painting", seed=2)
mask = Image.new("L", (side, side), 0)
box = [round(share * side) for share in (0.1, 0.12, 0.9, 0.9)]
ImageDraw.Draw(mask).rounded_rectangle(box, radius=side // 5, fill=255)
inside = np.asarray(mask) > 127

# %% [markdown]
# > ✎ **Your own mask.** Paint it here: `paper = sdlab.canvas(tent)` shows the picture to paint on,
# > and then `mask = paper.mask`. Or take any black and white picture of the same size:
# > `mask = Image.open("mask.png").convert("L").resize((side, side))`.
#
# The model here was never trained to fill holes. (There are models that were; their U-Net takes the
# mask and the masked picture as further inputs.) So the pipeline *blends*: after every step the
# part outside of the mask is thrown away and replaced with the source, under as much noise as
# belongs to that step:
#
# $$x_t \leftarrow m \odot x_t + (1-m) \odot
# \left(\sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\varepsilon\right).$$
#
# Here $m$ is the mask on the grid of the latents, 1 inside and 0 outside, and $\odot$ multiplies
# number by number. So at every step the model sees surroundings that are already right, and draws
# something that fits.
#
# > **Predict.** After the last step the latents outside *are* those of the source. Are the pixels
# > there exactly the same, too?

# %%
rocket = sdlab.Recipe(
    "a rocket in the mountains with a lake, oil painting", steps=steps, seed=1
)
filled = draw(rocket, seed=1, image=tent, mask=mask)

# %%
from diffusers import AutoPipelineForInpainting

blender = AutoPipelineForInpainting.from_pipe(pipe)
blender.set_progress_bar_config(disable=True)
told = {"image": tent, "mask_image": mask, "width": side, "height": side, "strength": 1.0}
told |= {"num_inference_steps": steps, "guidance_scale": guidance}
generator = torch.Generator("cpu").manual_seed(1)
by_diffusers = blender(rocket.prompt, generator=[generator], **told).images[0]

# %%
with torch.no_grad():
    pixels = pipe.image_processor.preprocess(tent).to(pipe.device, pipe.unet.dtype)
    clean = pipe.vae.encode(pixels).latent_dist.mean * pipe.vae.config.scaling_factor
[back] = decode(pipe, clean)
ways = {"encoded, decoded": back, "diffusers": by_diffusers, "sdlab": filled}
cell = pipe.vae_scale_factor  # pixels of a picture on each side of a cell of the latents
near = np.asarray(mask.filter(ImageFilter.MaxFilter(2 * cell + 1))) > 127

# %%
print("outside moved by (grey levels): all, and those at least a cell away from the mask")
for name, made in ways.items():
    everywhere, far = (
        255 * metrics.distance([made], [tent], where=~part)[0] for part in (inside, near)
    )
    same = (np.asarray(made) == np.asarray(tent)).all(-1)[~inside].mean()
    print(f"{name:18s}{everywhere:5.1f}{far:7.1f}, {same:4.0%} of the pixels outside equal")
sdlab.grid([tent, mask.convert("RGB"), *ways.values()], ["source", "mask", *ways])

# %% [markdown]
# No. In the first row nothing was drawn at all: the source was encoded and decoded, and the
# autoencoder alone has changed its pixels. Inpainting has this loss too, and another one near the
# mask: its grid is as coarse as that of the latents, so that cells on the border are drawn anew
# with all of their pixels. And the decoder looks at neighbouring cells too, so the change reaches
# even further. All of this is easy to avoid: paste the source back outside of the mask when
# all is done. That is what `sdlab` does with a mask, and then every pixel outside is the same.

# %%
outside = np.asarray(filled)[~inside] == np.asarray(tent)[~inside]
moved = 255 * metrics.distance([back], [tent], where=~inside)[0]
sdlab.claim(
    "Inpainting leaves the rest of the picture untouched",
    held=False if outside.mean() < 1 else None if moved else True,
    measured=f"pasted back, {outside.mean():.0%} of the pixels outside are equal; without that, "
    f"the autoencoder alone moves them by {moved:.1f} grey levels",
)

# %% [markdown]
# If pasting is enough, why blend at all? One could draw a whole new picture and paste the source
# over it. And does the paste leave a mark? We measure the **seam**: the mean jump between two
# pixels side by side, one inside and one outside of the mask. The source has a value too, since it
# is not flat; that is the value to reach.
#
# > **Predict.** Order these four by their seam: only blended; blended, then pasted; only pasted;
# > and blended, then pasted with a soft edge on the inner side of the mask.


# %%
def seam(picture):
    """The mean jump across the mask's border, from pixel to pixel in a row, in grey levels."""
    grey = np.asarray(picture.convert("L"), float)
    border = np.diff(inside.astype(int), axis=1) != 0
    return np.abs(np.diff(grey, axis=1))[border].mean()


# %%
many = list(range(8))
generators = [torch.Generator("cpu").manual_seed(seed) for seed in many]
blended = blender([rocket.prompt] * 8, generator=generators, **told).images
alone = [run.image for run in sdlab.sweep(pipe, rocket, seed=many, progress=False)]
soft = mask.filter(ImageFilter.GaussianBlur(cell)).point(lambda v: max(0, 2 * v - 255))
ways = {
    "only blended": blended,
    "blended, then pasted": [Image.composite(one, tent, mask) for one in blended],
    "with a soft edge": [Image.composite(one, tent, soft) for one in blended],
    "only pasted": [Image.composite(one, tent, mask) for one in alone],
}

# %%
print(f"{'in the source':22s}{seam(tent):.1f}")
for name, made in ways.items():
    moved = 255 * metrics.distance(made, [tent] * 8, where=~inside).mean()
    jump = intervals.mean([seam(one) for one in made])
    print(f"{name:22s}{jump!s:18s} outside moved by {moved:.1f}")
sheet = [one for made in ways.values() for one in made[:5]]
sdlab.grid(sheet, columns=5, rows=list(ways))

# %% [markdown]
# *Only pasted* has the largest seam: the new picture knows nothing of its surroundings. Blending
# makes it fit. But the hard paste adds a jump of its own, because the blended cells on the border
# were drawn as a whole, and it cuts through them. The soft edge takes the jump away, and outside
# every pixel is still that of the source; inside, the change is spread over several pixels. (Where
# the tent came near the edge, a little of it shines through.) That is
# why programs for inpainting have a setting called *mask blur* or *feather*.

# %% [markdown]
# ## From a sketch to a picture
#
# A ControlNet (Zhang et al. 2023) is a copy of the U-Net's way down that gets a sketch as a second
# input and adds what it finds to the U-Net's features. The U-Net itself stays as it is. The
# course has a small one, `pocket-scribble`, which learned from scribbles of the pocket model's
# world; this section uses it with either model. (For SD 1.5 there is
# `lllyasviel/control_v11p_sd15_scribble`.)

# %%
scribble = sdlab.load("pocket-scribble")
scribble.set_progress_bar_config(disable=True)
width = sdlab.native_side(scribble)
sketch = Image.new("RGB", (width, width))
walls = [(0.08, 0.85), (0.08, 0.52), (0.45, 0.53), (0.45, 0.85), (0.08, 0.85)]
roof = [(0.05, 0.53), (0.27, 0.28), (0.49, 0.53)]
for stroke in walls, roof:
    path = [(x * width, y * width) for x, y in stroke]
    ImageDraw.Draw(sketch).line(path, "white", round(width / 32), "curve")
sdlab.grid([sketch], ["the sketch"])

# %% [markdown]
# > ✎ **Your own sketch.** Draw it here: `paper = sdlab.canvas(scribble)`, and then
# > `sketch = paper.sketch`. Or take a file with a few white lines on black:
# > `sketch = Image.open("sketch.png").convert("RGB").resize((width, width))`.
#
# `sketch_scale` is the weight with which the ControlNet's features are added (its *conditioning
# scale*).
#
# > **Predict.** The sketch is a hut on the left, and we ask for a castle. What will the model do at
# > scale 0, at 1, and at 2?

# %%
castle = sdlab.Recipe("a castle on the beach, cartoon", sketch=sketch, steps=steps)
scales = [0, 0.5, 1, 1.5, 2]
by_scale = sdlab.sweep(
    scribble, castle, seed=[0, 8, 16], sketch_scale=scales, progress=False
)
sdlab.knob_grid(by_scale, rows="seed", columns="sketch_scale")

# %% [markdown]
# To measure this, we take the edges of the picture (Canny 1986) and ask what share of the sketch's
# lines has an edge nearby (`metrics.followed`). But a picture has many edges. So we ask the same of
# the *mirrored* sketch, whose lines are in the wrong place. What is found of those is found by
# chance.

# %%
mirrored = ImageOps.mirror(sketch)
for scale in scales:
    made = [run.image for run in by_scale if run.recipe.sketch_scale == scale]
    now, chance = (
        metrics.followed(made, [lines] * 3).mean() for lines in (sketch, mirrored)
    )
    row = next(row for row in kept["sketch"] if (row["scale"], row["end"]) == (scale, 1))
    before = np.mean(row["followed"][::8])
    print(
        f"scale {scale:3g}: {now:.2f} followed (kept {before:.2f}), mirrored {chance:.2f}"
    )

# %% [markdown]
# The program drew eight sketches of this kind, each with three seeds.

# %%
whole = [row for row in kept["sketch"] if (row["start"], row["end"]) == (0, 1)]
scales = [row["scale"] for row in whole]
curves = {
    "lines followed": np.transpose([row["followed"] for row in whole]),
    "the mirrored lines, by chance": np.transpose([row["mirrored"] for row in whole]),
    "the thing is recognised": np.transpose([row["object"] for row in whole]),
}
sdlab.curve(scales, curves, xlabel="conditioning scale", ylabel="share")

# %%
surplus = [np.subtract(row["followed"], row["mirrored"]) for row in whole]
at = dict(zip(scales, surplus))
recognised = {scale: row["object"] for scale, row in zip(scales, whole)}
gain = intervals.difference(at[1.0], at[0.0])
cost = intervals.difference(recognised[2.0], recognised[0.0])

# %%
changes = {
    "followed less mirrored, scale 1 against 0": gain,
    "thing recognised, scale 2 against 0": cost,
}
for name, one in changes.items():
    low, value, high = (100 * number for number in (one.low, one.value, one.high))
    clear = "clear" if one.is_clear else "not clear"
    print(f"{name:42s}{value:+4.0f} points ({low:+.0f} to {high:+.0f}), {clear}")

# %% [markdown]
# At scale 0 the sketch is not there at all. Up to 1 the lines are followed more and more, and those
# in the wrong place less: the thing really moves to where the sketch is. Beyond 1 there is little
# left to gain. And there is a price: with a strong sketch the thing itself is recognised less often
# than without one. The judge may have a part in this, for it has seen few things that are small and
# stand at the side. And beyond 1 the U-Net gets what it has never met: the ControlNet learned with
# a weight of 1.
#
# ### When does it act?
#
# The sketch need not act all the time. `sketch_start` and `sketch_end` are the shares of the steps
# between which it does.
#
# > **Predict.** Which is better: to let the sketch act in the first 40% of the steps, or in the
# > other 60%? Think of what you saw of strength.

# %%
parts = {"never": (0, 0, 1)}
parts |= {
    f"steps from {a:.0%} to {b:.0%}": (1, a, b)
    for a, b in ((0, 0.2), (0, 0.4), (0.2, 1), (0.4, 1), (0, 1))
}
by_part = {
    name: next(r for r in kept["sketch"] if (r["scale"], r["start"], r["end"]) == part)
    for name, part in parts.items()
}

# %%
print(f"{'':26s}{'lines followed':24s}{'mirrored':24s}thing recognised")
for name, row in by_part.items():
    two = "".join(f"{intervals.mean(row[key])!s:24s}" for key in ("followed", "mirrored"))
    print(f"{name:26s}{two}{intervals.share(row['object'])}")

# %%
early, late = (by_part[f"steps from {part}"] for part in ("0% to 40%", "40% to 100%"))
gap = intervals.difference(
    np.subtract(early["followed"], early["mirrored"]),
    np.subtract(late["followed"], late["mirrored"]),
)
after_40 = intervals.share(thing[points.index(0.6)]["object"])
print(f"strength 0.6 begins after 40% of the steps; the new thing was seen in {after_40}")
sdlab.claim(
    "A sketch has to act in the first steps, because they decide the layout",
    held=bool(gap.value > 0) if gap.is_clear else None,
    measured=f"followed less mirrored, steps 0–40% against 40–100%: {100 * gap.value:+.0f} points "
    f"({100 * gap.low:.0f} to {100 * gap.high:.0f})",
)

# %% [markdown]
# Here it helps to remember the strengths. Strength 0.6 leaves out the first 40% of the steps, and
# still most new things could be drawn. So after 40% of the steps the outline is still open, and a
# sketch that begins to act then comes in time. The rule is not wrong everywhere: how early the
# layout is decided depends on the noise schedule, and on how large things are in the pictures. It
# has to be measured.

# %% [markdown]
# ## A style by example
#
# "In this style" is hard to say in words, and easy to show. We have an example, and want *other
# things* in its style. The prompts will not say a word about style.

# %%
example = draw("a castle in the mountains with a lake, oil painting", seed=4)
prompts = [
    "a lion in a garden",
    "a rocket at night",
    "a pizza on the beach",
    "a car in the snow",
]
plain = [draw(prompt, seed) for seed, prompt in enumerate(prompts)]

# %% [markdown]
# **Colours first.** We give each plain picture the colours of the example (*histogram matching*:
# the darkest tenth becomes as dark as the example's darkest tenth, and so on, for each channel),
# and let the model draw it over with a strength of 0.5.


# %%
def recolour(picture):
    """The picture in the colours of the example."""
    pixels = match_histograms(np.asarray(picture), np.asarray(example), channel_axis=-1)
    return Image.fromarray(pixels.astype("uint8"))


over = [
    draw(prompt, seed, image=recolour(one), strength=0.5)
    for seed, (prompt, one) in enumerate(zip(prompts, plain))
]

# %% [markdown]
# **Shared attention.** In self-attention every cell of the picture sends out a query and looks at
# the keys and values of all cells. *StyleAligned* (Hertz et al. 2024) draws the example in the same
# batch, and lets the others look at the example's cells too: $K = [K_{\text{example}}, K]$ and
# $V = [V_{\text{example}}, V]$. Before that, queries and keys get the example's statistics,
# channel by channel (*AdaIN*, Huang & Belongie 2017):
#
# $$\text{AdaIN}(x, y) = \operatorname{std}(y)\,
# \frac{x - \operatorname{mean}(x)}{\operatorname{std}(x)} + \operatorname{mean}(y),$$
#
# with the mean and the standard deviation over all cells. In `diffusers` such a change is an
# *attention processor*, and this is all of ours:

# %%
print(textwrap.dedent(inspect.getsource(borrowing.SharedAttention.__call__)))

# %% [markdown]
# **Matched features.** Or we leave attention alone and use AdaIN on the features themselves, on the
# finest level of the U-Net. A mean over all cells no longer knows *where* anything is. What is left
# of a picture when its places are forgotten is not far from what we call its style.
#
# `draw_like` does both. The example is a picture like any other: it is encoded, and for every step
# it gets the noise of that step.
#
# > **Predict.** Which of the three will carry over the brush strokes, and which only the colours?

# %%
how = {"steps": steps, "guidance": guidance}
like = {
    "no example": plain,
    "its colours, drawn over": over,
    "shared attention": borrowing.draw_like(pipe, example, prompts, features=False, **how),
    "matched features": borrowing.draw_like(pipe, example, prompts, attention=False, **how),
    "both": borrowing.draw_like(pipe, example, prompts, **how),
}

# %%
sheet = [one for row in like.values() for one in (example, *row)]
titles = ["the example", *prompts] + [""] * (len(sheet) - 1 - len(prompts))
sdlab.grid(sheet, titles, columns=5, rows=list(like))

# %%
if in_our_world:
    for name, made in like.items():
        told = zip(judge.answers(made, "object"), judge.answers(made, "style"))
        print(f"{name:25s}", "; ".join(f"{thing}, {style}" for thing, style in told))

# %% [markdown]
# Four pictures prove nothing, here either. The program took an example of each of the eight styles,
# and drew three other things like it. *Style* is the share in which the judge sees the example's
# style. Two more rows are there to compare with: the style in words, which is the easy way, and the
# example itself, drawn over with the new prompt at a strength of 0.8.

# %%
print(f"{'':26s}{'style':16s}{'object':16s}place")
for row in kept["style"]:
    found = (intervals.share(row[head]) for head in ("style", "object", "background"))
    print(f"{row['method']:26s}" + "".join(f"{one!s:16s}" for one in found))

# %%
by_method = {row["method"]: row for row in kept["style"]}
base = by_method["no example"]["style"]
gains = {
    name: intervals.difference(by_method[name]["style"], base)
    for name in ("colours of the example", "shared attention", "matched features", "both")
}
for name, gain in gains.items():
    print(
        f"{name:24s}{100 * gain.value:+4.0f} points ({100 * gain.low:+.0f} to "
        f"{100 * gain.high:+.0f}), {'clear' if gain.is_clear else 'not clear'}"
    )

# %%
best = gains["both"]
sdlab.claim(
    "An example can give its style without a word",
    held=bool(best.is_clear and best.value > 0),
    measured=f"with attention and features the judge sees the example's style in "
    f"{intervals.share(by_method['both']['style'])}, without an example in "
    f"{intervals.share(base)}; in words in {intervals.share(by_method['style in words']['style'])}",
)

# %%
for name, head in ("thing", "object"), ("place", "background"):
    lost = intervals.difference(by_method["both"][head], by_method["no example"][head])
    low, value, high = (100 * number for number in (lost.low, lost.value, lost.high))
    clear = "clear" if lost.is_clear else "not clear"
    print(f"{name} recognised, both against no example: {value:+.0f} points", end=" ")
    print(f"({low:+.0f} to {high:+.0f}), {clear}")

# %% [markdown]
# The example's colours alone are not its style. Attention and matching each carry over a part of
# it. Both together have the largest share, though 24 pictures cannot tell by how much. For the
# brush strokes in the four pictures above, matching does most. They act in different places: in the
# pocket model attention works on the two coarse levels of the U-Net only, where a cell is a large
# patch of the picture, and matching on the finest, where the strokes are. (SD 1.5 has attention on
# its finest level too.)
#
# There are two limits. A mean does not know what is a thing and what is style, so it takes the blue
# of a lake along as readily as the stroke of a brush. Here that costs the place in some pictures.
# And where the model knows a word for the style, the word is still the surer way. The example is
# for the styles that have no word.
#
# ## An edit by words
#
# You like a picture, but the lion should be a tiger. The prompt with one word exchanged and the
# same seed gives a picture which is *similar*. *Prompt-to-Prompt* (Hertz et al. 2022) wants more:
# it draws both at the same time, and for the first part of the steps the second picture uses the
# cross-attention of the first. Every word then gets its attention in the same places, and the new
# word fills the place of the old one.
#
# > **Predict.** Will the tiger stand where the lion stood? What becomes of the beach?

# %%
pairs = {
    ("a lion on the beach, oil painting", "lion", "tiger"): 5,
    ("a car in the snow, flat design", "car", "bus"): 4,
    ("a red house in a garden, watercolor", "red", "blue"): 2,
}
ways = {
    "the word alone": {"to_words": 0},
    "attention to words, 80%": {"to_words": 0.8},
    "both attentions, 80%": {"to_words": 0.8, "to_itself": 0.8},
}

# %%
edited = {
    (before, name): borrowing.edit_words(
        pipe, before, before.replace(old, new), seed=seed, **how, **shares
    )
    for (before, old, new), seed in pairs.items()
    for name, shares in ways.items()
}

# %%
sheet = [
    picture
    for before, *_ in pairs
    for picture in (
        edited[before, "the word alone"][0],
        *(edited[before, name][1] for name in ways),
    )
]
names = [f"{old} → {new}" for _, old, new in pairs]
sdlab.grid(sheet, ["before", *ways] + [""] * 8, columns=4, rows=names)

# %% [markdown]
# What should have changed, and what not? The attention map of the thing's word says where the thing
# is (notebook 01). We take as *inside* the cells with more than half of its largest attention. For
# each of the three pairs we print how far the picture has moved, in grey levels.

# %%
names = ["lion", "car", "house"]
masks = []
for ((before, *_), seed), name in zip(pairs.items(), names):
    _, maps = word_maps(pipe, sdlab.Recipe(before, seed=seed, steps=steps))
    found = (255 * maps[name].numpy()).astype("uint8")
    soft = Image.fromarray(found).resize((side, side), Image.BILINEAR)
    masks.append(soft.point(lambda value: 255 * (value > 127)))
where = np.stack([np.asarray(one) > 127 for one in masks])
for name in ways:
    old, new = zip(*(edited[before, name] for before, *_ in pairs))
    parts = [255 * metrics.distance(new, old, where=part) for part in (where, ~where)]
    print(f"{name:25s}inside {parts[0].round()}, outside {parts[1].round()}")

# %% [markdown]
# Three pairs are only for looking. The program edited 24: eight with another thing, eight with
# another colour, eight with another place. In the last ones it is the *inside* that should stay.

# %%
print(f"{'':26s}{'new word seen':18s}{'should stay: moved by':24s}may change: moved by")
for row in kept["words"]:
    moved = [
        intervals.mean(255 * np.array(row[part])) for part in ("should stay", "may change")
    ]
    seen = intervals.share(row["recognised"])
    print(f"{row['method']:26s}{seen!s:18s}{moved[0]!s:24s}{moved[1]}")

# %%
by_method = {row["method"]: row for row in kept["words"]}
alone, words, both = (by_method[name] for name in ways)
calmer = intervals.difference(words["should stay"], alone["should stay"])
cost = intervals.difference(both["recognised"], alone["recognised"])
ends = ", ".join(f"{255 * end:+.1f}" for end in (calmer.low, calmer.high))

# %%
sdlab.claim(
    "Keeping the attention to words keeps the rest of the picture",
    held=bool(calmer.is_clear and calmer.value < 0),
    measured=f"against the word alone, what should stay moves by {255 * calmer.value:+.1f} grey "
    f"levels ({ends}) of {255 * np.mean(alone['should stay']):.0f}; "
    "keeping both attentions, the share in which the new word is seen changes by "
    f"{100 * cost.value:+.0f} points",
    source="Hertz et al. 2022",
)

# %% [markdown]
# The word alone does a good part of the work here: with the same noise this model draws nearly the
# same place around another thing. Kept attention keeps a little more. Where the old and the new
# thing have the same shape, as with the house that only changes its colour, that is what one wants.
# Where they have not, as with lion and tiger, the new thing has to fill an outline that is not its
# own, and the more of the attention is kept, the less it is itself. So the new thing does stand
# where the old one stood, and not always to its advantage.
#
# One idea is left, and it puts this notebook together. The attention map is a *mask*: so let the
# word be exchanged by inpainting, inside of it.

# %%
found = []
for ((before, old, new), seed), shape in zip(pairs.items(), masks):
    source = edited[before, "the word alone"][0]
    made = draw(before.replace(old, new), seed, image=source, mask=shape)
    found += [source, shape.convert("RGB"), made]
titles = ["before", "where the word looks", "that part anew"]
sdlab.grid(found, titles + [""] * 6, columns=3)

# %% [markdown]
# Outside of the mask nothing moves, by construction. But look at the borders: where the map is
# smaller than the thing, the rest of the old thing stays, and the model has to make something of
# it. Attention maps are easy to over-read (notebook 01), and programs do it too.
#
# ### Exercise: enough steps (5 minutes)
#
# Image to image takes `int(steps * strength)` steps. With a small strength few are left, too few
# for a clean picture. Write `ask_for`, which says how many steps a recipe must have so that at
# least `wanted` of them are really taken, and not more than necessary.


# %% tags=["stub"]
def ask_for(wanted, strength):
    """The smallest number of steps of which `wanted` are taken at a strength."""
    return wanted  # change this line


# %% tags=["solution"]
def ask_for(wanted, strength):
    """The smallest number of steps of which `wanted` are taken at a strength."""
    return next(steps for steps in range(wanted, 1001) if int(steps * strength) >= wanted)


# %% tags=["hints"]
hints = [
    "At strength 0.5 every second step is taken, so twice as many are needed.",
    "int() rounds down. After dividing, round up, and then look at the case of 0.29.",
    "Do not divide: try wanted, wanted + 1, … and return the first one for which int(steps * "
    "strength) >= wanted.",
]

# %%
with sdlab.exercise("Enough steps", hints=hints):
    some = ask_for(10, 0.3)
    assert isinstance(some, int), f"steps are a whole number, an int, and yours are {some}"
    assert ask_for(20, 1.0) == 20, "at strength 1 all steps are taken: 20 for 20"
    assert ask_for(20, 0.5) == 40, "at strength 0.5 every second step is taken: 40 for 20"
    assert int(ask_for(10, 0.3) * 0.3) >= 10, (
        "10 / 0.3 is 33.3, and 33 steps are not enough: int() rounds down, so round up"
    )
    assert ask_for(10, 0.3) == 34, "34 steps are enough at strength 0.3, give no more"
    assert ask_for(29, 0.29) == 101, (
        "at strength 0.29, 100 steps should give 29, but a computer has 100 * 0.29 a little under "
        "29 and int() makes it 28. Try the numbers one after the other instead of dividing"
    )
    few, enough = (
        sdlab.generate(pipe, house, strength=0.3, steps=count, progress=False).image
        for count in (ask_for(2, 0.3), ask_for(12, 0.3))
    )
    print(
        f"2 or 12 steps: {255 * metrics.distance([few], [enough])[0]:.0f} grey levels apart"
    )

# %% [markdown]
# ### Exercise: the surroundings (15 minutes)
#
# A friend has built inpainting into a plain text-to-image pipeline, with a callback that blends
# after every step. His pictures have a hard edge along the mask, and the thing inside does not fit
# its surroundings. The mistake is in `blend`. It gets the latents `x` after a step, those of the
# source (`clean`), noise of standard deviation 1, the mask (1 inside), and the noise level `t` that
# `x` has now; after the last step `t` is None. Mend it.


# %% tags=["stub"]
def blend(x, clean, noise, mask, t):
    """Latents with the source outside of the mask."""
    return mask * x + (1 - mask) * clean  # something is missing


# %% tags=["solution"]
def blend(x, clean, noise, mask, t):
    """Latents with the source outside of the mask."""
    around = clean if t is None else scheduler.add_noise(clean, noise, t)
    return mask * x + (1 - mask) * around


# %%
small = torch.tensor(inside)[None, None].to(clean)
small = torch.nn.functional.interpolate(
    small, clean.shape[-2:]
)  # on the grid of the latents


def inpaint(recipe):
    """A picture, drawn by the text-to-image pipeline with `blend` after every step."""
    start = torch.Generator("cpu").manual_seed(recipe.seed)
    noise = randn_tensor(clean.shape, start, clean.device, clean.dtype)

    def after_step(pipe, step, t, values):
        t = pipe.scheduler.timesteps[step + 1 : step + 2]
        t = t if len(t) else None
        return {"latents": blend(values["latents"], clean, noise, small, t)}

    told = {"num_inference_steps": steps, "guidance_scale": guidance}
    told |= {"latents": noise.clone(), "callback_on_step_end": after_step}
    return pipe(recipe.prompt, **told).images[0]


# %% tags=["hints"]
hints = [
    "How much noise has x at this moment, and how much have the surroundings?",
    "Which line of step_in adds noise to the source?",
    "scheduler.add_noise(clean, noise, t), but only while t is not None: after the last step "
    "the source should be clean.",
]

# %%
with sdlab.exercise("The surroundings", hints=hints):
    both = torch.randn(2, *clean.shape, generator=torch.Generator().manual_seed(0))
    x, noise = both.to(clean)
    t = scheduler.timesteps[3:4]
    mixed = blend(x, clean, noise, small, t)
    hole = small.bool().expand_as(x)
    assert torch.equal(mixed[hole], x[hole]), "inside of the mask x should stay as it is"
    outside = scheduler.add_noise(clean, noise, t)[~hole]
    assert not torch.allclose(mixed[~hole], clean[~hole]), (
        "the source outside has no noise, but x has: add as much as belongs to the time t"
    )
    assert torch.allclose(mixed[~hole], outside, atol=1e-3), (
        "there is noise outside, but not as much as at t: scheduler.add_noise(clean, noise, t)"
    )
    try:
        last = blend(x, clean, noise, small, None)
    except (AttributeError, TypeError):  # add_noise knows no level None
        last = x
    assert torch.equal(last[~hole], clean[~hole]), "if t is None, the source has no noise"
    print(f"seam {seam(inpaint(rocket)):.1f}, in the source {seam(tent):.1f}")

# %% [markdown]
# ## What you learned
#
# - Image to image steps into a run in the middle: the strength says at which step, and so how much
#   of the picture the noise has covered. Fine detail is covered first, the layout last.
# - Inpainting is image to image with the surroundings put back after every step. The autoencoder
#   changes every pixel, so paste the source back at the end.
# - A sketch is a second input, with a weight and a time. Measure it against the mirrored sketch.
# - A style can be passed on by statistics of features and by attention, without words. The level of
#   the U-Net on which they act decides what is passed on.
# - To edit one word, keep the noise; keep the attention as well if the outline is to stay; use a
#   mask if the rest must not move at all.
# - Every method here keeps the weights as they are. It only changes where a run begins, what is put
#   back, or what the network looks at.
#
# ## Go further
#
# - Let the strength differ from place to place: more in the sky than on the house (*differential
#   diffusion*, Levin & Fried 2023). It is `blend` with a mask that depends on $t$.
# - Go the way back: turn a real picture into the noise that would have drawn it (*DDIM inversion*:
#   the steps of DDIM from picture to noise). Then edit words in it.
# - `draw_like` with a photo as the example: what does the pocket model take from it?
# - Draw over a picture ten times at strength 0.3, each time the last result. Where does it go?
