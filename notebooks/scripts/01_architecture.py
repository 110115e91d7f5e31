# %% [markdown]
# # 01 · Architecture tour
#
# A Stable Diffusion model consists of five parts that hand a sentence and some noise on to one
# another. In this notebook you open each part, see what goes in and what comes out, and in the end
# you write the loop that connects them yourself. It makes the same picture as the library's own
# loop, to the last bit.
#
# **You will be able to** name the five parts and what each one turns into what, read a U-Net's
# shapes, see where in the picture the model looks for each word, and write the sampling loop.
#
# | | pocket model (default) | SD 1.5 (`SDLAB_MODEL=sd15`) |
# |---|---|---|
# | time for this notebook | about a minute on two CPU cores | a few minutes on a GPU |
# | memory | 1 GB | 6 GB on the GPU |
# | download | none | 2.7 GB, once |

# %%
import matplotlib.pyplot as plt
import torch

import sdlab
from sdlab.display import diagrams
from sdlab.pipes.generation import decode
from sdlab.study import anatomy

pipe = sdlab.load()
pipe.set_progress_bar_config(disable=True)
sdlab.use_style()
print(sdlab.describe())

# %% [markdown]
# ## The five parts
#
# **Text → tokens → embeddings → denoised latents → picture.** The *tokenizer* cuts the sentence
# into numbers. The *text encoder* turns them into vectors that carry meaning. The *U-Net* takes
# noise away from a small grid of numbers, the latents, again and again, looking at those vectors.
# The *scheduler* says how much noise there is at each step, and takes the step. The *VAE*
# (variational autoencoder) turns the latents into pixels.

# %%
for part, (kind, count) in anatomy.parts(pipe).items():
    learned = f"{count / 1e6:8.2f} M parameters" if count else "       nothing to learn"
    print(f"{part:14s}{kind:26s}{learned}")

# %% [markdown]
# How big are the real ones? We build SD 1.5 and SDXL on torch's *meta* device. It holds shapes but
# no numbers, so that billions of parameters take no memory, and they can be counted here instead of
# quoted.

# %%
real = {name: anatomy.on_paper(name) for name in ("sd15", "sdxl")}
for name, modules in real.items():
    counts = {part: anatomy.parameters(module) for part, module in modules.items()}
    print(
        f"{name}: "
        + ", ".join(f"{part} {count / 1e6:,.1f} M" for part, count in counts.items())
    )
    loaded = sum(count for _, count in anatomy.parts(pipe).values())
    print(
        f"      in all {sum(counts.values()) / loaded:,.0f} times the model you just loaded"
    )

# %% [markdown]
# All three are built from the same classes. They differ in how wide and how deep these are, in
# which blocks of the U-Net look at the text, and SDXL has a second text encoder (notebook 09).
# These are the settings of the loaded model:

# %%
text, unet, vae, steps = (
    pipe.text_encoder.config,
    pipe.unet.config,
    pipe.vae.config,
    pipe.scheduler.config,
)
print(
    f"vocabulary {text.vocab_size:,}, at most {text.max_position_embeddings} tokens, "
    f"embeddings of {text.hidden_size} numbers"
)
print(
    f"latents {unet.in_channels}×{unet.sample_size}×{unet.sample_size}, "
    f"the picture {pipe.vae_scale_factor} times as wide and high"
)
print(
    f"{steps.num_train_timesteps} levels of noise in training; "
    f"the U-Net predicts {steps.prediction_type}"
)

# %% [markdown]
# (The pocket model's U-Net predicts $v$, a mixture of picture and noise that notebook 10 explains;
# SD 1.5 predicts the noise, *epsilon*. Its pictures, too, are 8 times as wide and high as its
# latents: 512 pixels from 64.)
#
# ## 1 · The tokenizer
#
# It cuts a sentence into pieces from a fixed vocabulary: frequent words whole, rare ones in parts.
# `</w>` marks the end of a word. A start and an end token are put around them, and the rest of the
# 77 places is filled with the end token.
#
# > **Predict.** Which of these words does the tokenizer know as one piece: *lion*, *umbrella*,
# > *photosynthesis*?

# %%
prompt = "a lion next to an umbrella on the beach, oil painting"
ids = pipe.tokenizer(prompt, padding="max_length", return_tensors="pt").input_ids
print("pieces:", pipe.tokenizer.tokenize(prompt))
print("photosynthesis:", pipe.tokenizer.tokenize("photosynthesis"))
print(f"ids {tuple(ids.shape)}:", ids[0, :16].tolist(), "…")

# %% [markdown]
# *Lion* is one piece, because the vocabulary was made from captions in which it is frequent.
# *Photosynthesis* never occurs there, and is put together from parts. Look for *umbrella* in the
# first line.
#
# ## 2 · The text encoder
#
# It is a *transformer*. Each token's vector is changed by the tokens before it, never by those
# behind it. That can be measured: change one word, and see from which word on the vectors differ.


# %%
@torch.no_grad()
def embed(sentence):
    """The text encoder's output for a sentence: (77, width)."""
    ids = pipe.tokenizer(sentence, padding="max_length", return_tensors="pt").input_ids
    return pipe.text_encoder(ids.to(pipe.device))[0][0].float().cpu()


before, after = "a lion on the beach, oil painting", "a lion in the beach, oil painting"
change = (embed(before) - embed(after)).norm(dim=-1)  # (77,)
print("vectors that changed before the new word:", int((change[:3] > 1e-5).sum()), "of 3")
print("and from it on:", int((change[3:] > 1e-5).sum()), "of 74")

# %%
pieces = [piece.removesuffix("</w>") for piece in pipe.tokenizer.tokenize(before)]
labels = ["start", *pieces, "end"]
figure, axis = plt.subplots(figsize=(7, 2.4))
axis.bar(range(len(labels)), change[: len(labels)])
axis.set_xticks(range(len(labels)), labels)
_ = axis.set_ylabel("change of the vector")
# %% [markdown]
# The word *on* became *in*. Nothing before it changed, and everything from it on did, even the
# empty places at the end. So the last vectors have seen the whole sentence. The U-Net looks at all
# of the 77. (How *much* a vector changes does not say how much the word means: *the* and the comma,
# for example, have little of their own to say, and carry what stands before them.)
#
# ## 3 · The U-Net
#
# It takes a noisy latent, the noise level, and the 77 vectors, and predicts how to clean the
# latent. On the way down the grid gets smaller and the number of channels grows; on the way up it
# is the reverse. At each size, the way down also hands its results directly to the way up, which
# draws the U: these *skip connections* keep the fine detail that the small grids in the middle
# cannot hold. We put a *hook* on each block, a function that PyTorch calls whenever the block has
# computed something, and note what comes out. (In the drawings the height of a box is the side of
# the grid; below it stand channels × height × width, and the parameters.)

# %%
diagrams.levels(
    anatomy.trace(pipe.unet),
    "the loaded model's U-Net: channels × height × width, and parameters",
)

# %%
diagrams.levels(anatomy.trace(real["sd15"]["unet"]), "SD 1.5")

# %%
diagrams.levels(anatomy.trace(real["sdxl"]["unet"]), "SDXL")

# %% [markdown]
# The widest blocks hold by far the most parameters: the number of weights between two layers grows
# with the square of the channels. In SDXL it also grows with the number of transformer layers, of
# which there are ten on the smallest grid.
#
# One set of weights serves every noise level. The level $t$ enters as a *time embedding*: sines and
# cosines of $t$ at many frequencies. Each row below is one level. The left half of the columns are
# the cosines, the right half the sines, from fast to slow frequencies. Rows of neighbouring levels
# are similar, rows of distant levels are not.

# %%
with torch.no_grad():
    rows = pipe.unet.time_proj(torch.arange(0, 1000, 5)).float()  # (200, width)
figure, axis = plt.subplots(figsize=(7, 2.6))
axis.imshow(
    rows,
    aspect="auto",
    cmap="RdBu",
    extent=(0, rows.shape[1], 995, 0),
    interpolation="nearest",
)
axis.set(xlabel="number in the embedding", ylabel="noise level t")
near = torch.nn.functional.cosine_similarity(rows[:-1], rows[1:]).mean()
far = torch.nn.functional.cosine_similarity(rows[:100], rows[100:]).mean()
print(f"similarity of levels 5 apart: {near:.2f}; 500 apart: {far:.2f}")

# %% [markdown]
# ### Where does it look for each word?
#
# In *cross-attention* every cell of the grid asks all 77 vectors how much each concerns it. Learned
# matrices make a query $q$ from the cell, and a key $k_j$ and a value from token $j$. With queries
# and keys of $d$ numbers, token $j$ gets the weight
# $$w_j = \frac{\exp(q \cdot k_j / \sqrt{d})}{\sum_i \exp(q \cdot k_i / \sqrt{d})},$$
# and the cell receives the mean of the values with these weights. Every layer does this several
# times side by side, with other matrices; each of them is a *head*. We average the weights over all
# layers, heads and steps, and lay them over the picture. (Each map is coloured from its own lowest
# to its own highest value, so brightness cannot be compared between words.)
#
# > **Predict.** Where will *lion* be bright, and where *beach*?

# %% tags=["cover"]
recipe = sdlab.Recipe("a lion on the beach, oil painting", seed=3, steps=20, guidance=7.0)
run, maps = anatomy.word_maps(pipe, recipe)
diagrams.words(run.image, maps)

# %% [markdown]
# One picture proves little. So we measure on six seeds how much of a word's attention falls on
# three parts of the picture: the middle (half the width and half the height), where the animal
# mostly is; the quarter at the top, where the sky is; and the quarter at the bottom, where the sand
# is. If a word's attention were spread evenly, each share would be 25%.

# %%
share = {}
for seed in range(6):
    _, maps = anatomy.word_maps(pipe, recipe.but(seed=seed))
    for word, attention in maps.items():
        q = attention.shape[0] // 4
        parts = attention[q:-q, q:-q], attention[:q], attention[-q:]
        share.setdefault(word, []).append([part.sum() / attention.sum() for part in parts])
print(" " * 10 + "".join(f"{part:>23s}" for part in ("middle", "top", "bottom")))
for word, values in share.items():
    values = torch.tensor(values)  # (seeds, parts)
    row = zip(values.mean(0), values.amin(0), values.amax(0))
    print(f"{word:10s}" + "".join(f"{m:9.1%} ({a:.1%}–{b:.1%})" for m, a, b in row))

# %% [markdown]
# (In brackets are the smallest and the largest share of the six seeds.) In the pocket model *lion*
# gathers in the middle. *Beach* leaves the middle, but it does not gather on the sand either: its
# largest share is at the top, in the sky, and at the bottom it has less than an even share. The
# comma does the same, and *on* is above an even share in the middle. Perhaps that is because they
# come after *beach* and after *lion*, so that their vectors know of these words; the measurement
# does not say. And even for *lion* we cannot say yet what its attention follows: in this model's
# world the object nearly always stands in the middle. So we ask for another place, and look in
# which half of the picture *lion* gets more attention then.

# %%
sides = {}
for side in ("left", "right"):
    halves = []
    for seed in range(4):
        asked = recipe.but(
            prompt=f"a lion on the {side}, on the beach, oil painting", seed=seed
        )
        _, maps = anatomy.word_maps(pipe, asked)
        halves.append((maps["lion"].chunk(2, 1)[0].sum() / maps["lion"].sum()).item())
    sides[side] = halves
    print(
        f"on the {side}: "
        + ", ".join(f"{half:.0%}" for half in halves)
        + " in the left half"
    )

# %% [markdown]
# Where the prompt moves the lion, its attention goes with it. Attention maps are easy to over-read
# all the same; notebook 04 tests them against what happens when a word is left out.
#
# ## 4 · The VAE
#
# The U-Net never sees a pixel. The VAE's encoder shrinks a picture to latents, and its decoder
# turns them back into a picture. How much smaller are they, and what is lost? (PSNR, in decibels,
# measures what is kept: 10 dB more mean a tenth of the squared error. Above about 30 dB the eye
# sees little difference. The picture below has come out of this decoder, so it is an easy one.
# Notebook 12 gives the VAE pictures that it has not drawn itself.)

# %%
import numpy as np

from sdlab.scratch.autoencoder import psnr


@torch.no_grad()
def round_trip(image):
    """A PIL image through the VAE and back."""
    pixels = pipe.image_processor.preprocess(image).to(pipe.device, pipe.vae.dtype)
    latents = pipe.vae.encode(pixels).latent_dist.mean
    return latents, pipe.image_processor.postprocess(
        pipe.vae.decode(latents).sample, output_type="pil"
    )[0]


latents, back = round_trip(run.image)
loss = np.abs(np.asarray(run.image, dtype=float) - np.asarray(back, dtype=float))
decibels = psnr((loss**2).mean(), span=255)
large, small = np.asarray(run.image).size, latents.numel()
print(f"{large:,} numbers become {small:,}: {large / small:.0f} times fewer")
print(f"back again: {decibels:.1f} dB")
large, small = 3 * 512 * 512, 4 * 64 * 64
print(f"in SD 1.5, {large:,} numbers become {small:,}: {large / small:.0f} times fewer")
sdlab.grid(
    [run.image, back, np.clip(loss * 4, 0, 255).astype(np.uint8)],
    ["before", "after", "difference × 4"],
)

# %% [markdown]
# Where does it lose most? We split the pixels in two halves: those where the picture changes much
# from one pixel to the next, and the rest.

# %%
grey = np.asarray(run.image.convert("L"), dtype=float)
change = np.hypot(*np.gradient(grey))  # (H, W)
busy = change > np.median(change)
print(
    f"lost on edges and texture: {loss[busy].mean():.1f} grey levels; "
    f"on plain areas: {loss[~busy].mean():.1f}"
)

# %% [markdown]
# More is lost where something changes from pixel to pixel. Notebook 12 measures it on other
# pictures.
#
# Here are the four channels of the latents themselves: a small, strange picture that still shows
# the layout.

# %%
figure, axes = plt.subplots(1, 4, figsize=(8, 2.2))
for channel, axis in enumerate(axes):
    axis.imshow(latents[0, channel].float().cpu(), cmap="gray", interpolation="nearest")
    axis.set_title(f"channel {channel}")
    axis.axis("off")

# %% [markdown]
# ## 5 · The scheduler
#
# It holds the noise schedule. A latent at level $t$ is
# $$x_t = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\varepsilon,$$
# the clean latent $x_0$ and noise $\varepsilon$ (drawn from the standard normal distribution), in a
# mixture that $\bar\alpha_t$ determines, which falls from nearly 1 to nearly 0 as $t$ grows.
# (Notebook 10 derives this.) A run visits only a few of the thousand levels.

# %%
pipe.scheduler.set_timesteps(25)
abar = pipe.scheduler.alphas_cumprod
visited = pipe.scheduler.timesteps.cpu()
figure, axis = plt.subplots(figsize=(7, 2.8))
axis.plot(abar.sqrt(), label=r"$\sqrt{\bar\alpha_t}$: factor of the picture")
axis.plot((1 - abar).sqrt(), label=r"$\sqrt{1-\bar\alpha_t}$: factor of the noise")
axis.plot(
    visited, torch.zeros(len(visited)), "k|", markersize=9, label="the 25 levels of a run"
)
axis.set(xlabel="noise level t")
axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
print(
    f"as much noise as picture at t = {int((abar - 0.5).abs().argmin())}; "
    f"at the end the picture's factor is {abar[-1].sqrt():.3f}"
)

# %% [markdown]
# ## The loop, by hand
#
# Now all five parts play together. Each step asks the U-Net twice, once with the empty prompt and
# once with ours; the code does both in one call, as a batch of two. (`init_noise_sigma` and
# `scale_model_input` do nothing for this scheduler; others need them.) *Guidance* goes from the
# first answer towards the second, and past it. With the guidance scale $w$,
# $$\hat v = v_{\text{empty}} + w\,(v_{\text{prompt}} - v_{\text{empty}}).$$


# %%
@torch.no_grad()
def by_hand(recipe):
    """The latents of a recipe, by our own loop."""
    prompts = pipe.tokenizer(
        [recipe.negative_prompt, recipe.prompt], padding="max_length", return_tensors="pt"
    )
    context = pipe.text_encoder(prompts.input_ids.to(pipe.device))[0]  # (2, 77, width)
    noise = torch.Generator("cpu").manual_seed(recipe.seed)
    size = pipe.unet.config.sample_size
    x = torch.randn((1, 4, size, size), generator=noise, dtype=context.dtype).to(
        pipe.device
    )
    pipe.scheduler.set_timesteps(recipe.steps, device=pipe.device)
    x = x * pipe.scheduler.init_noise_sigma
    for t in pipe.scheduler.timesteps:
        both = pipe.scheduler.scale_model_input(torch.cat([x, x]), t)
        empty, prompted = pipe.unet(both, t, encoder_hidden_states=context).sample.chunk(2)
        guided = empty + recipe.guidance * (prompted - empty)
        x = pipe.scheduler.step(guided, t, x).prev_sample
    return x


# %%
ours = by_hand(recipe)
theirs = pipe(
    recipe.prompt, num_inference_steps=recipe.steps, guidance_scale=recipe.guidance,
    output_type="latent", generator=torch.Generator("cpu").manual_seed(recipe.seed),
).images  # fmt: skip
print("the same to the last bit:", torch.equal(ours, theirs))

# %%
sdlab.grid([*decode(pipe, ours), *decode(pipe, theirs)], ["our loop", "the pipeline"])

# %% [markdown]
# That is the whole loop; the rest of the pipeline mostly checks arguments.
#
# ## Exercise (10 minutes)
#
# Some tools use guidance in a part of the steps only (notebook 02 measures what that does). Write
# `guide`: the guided prediction of one step, from the two predictions, the scale, and the number of
# the step, counted from 0, out of `steps`. In the *first half* of the steps guidance is used; in
# the second half the answer is the prompted one alone. The check tests four properties.


# %% tags=["stub"]
def guide(empty, prompted, scale, step, steps):
    """The guided prediction; all tensors have the same shape."""
    return None  # the formula stands above; when does it count?


# %% tags=["solution"]
def guide(empty, prompted, scale, step, steps):
    """The guided prediction; all tensors have the same shape."""
    return empty + scale * (prompted - empty) if step < steps / 2 else prompted


# %% tags=["hints"]
hints = [
    "The formula is in the loop of by_hand: it begins at the empty prediction and goes towards "
    "the prompted one.",
    "The steps are counted from 0, so step 9 of 20 is the last one of the first half.",
    "empty + scale * (prompted - empty) where step < steps / 2, otherwise prompted.",
]

# %%
with sdlab.exercise("Guidance in the first half", hints=hints):
    a, b = torch.randn(2, 1, 4, 8, 8, dtype=torch.float64)  # exact enough to compare
    assert guide(a, b, 1.0, 0, 20) is not None, (
        "the function returns nothing yet: write the formula first"
    )
    assert torch.allclose(guide(a, b, 0.0, 0, 20), a), (
        "at scale 0 the prompt must not matter: the answer of the first step is the empty one"
    )
    assert torch.allclose(guide(a, b, 7.5, 9, 20) - a, 7.5 * (b - a)), (
        "step 9 of 20 is in the first half: the step away from empty must be 7.5 times as long"
    )
    late = [guide(a, b, 7.5, step, 20) for step in (10, 19)]
    assert all(one is not None and torch.allclose(one, b) for one in late), (
        "from step 10 of 20 on the answer is the prompted one alone"
    )
    assert torch.allclose(guide(a, b, 7.5, 10, 50) - a, 7.5 * (b - a)), (
        "step 10 of 50 is in the first half: where the half ends depends on the steps"
    )

# %% [markdown]
# ## What you learned
#
# - A Stable Diffusion model has five parts: the tokenizer cuts the sentence, the text encoder makes
#   vectors of it, the U-Net removes noise from the latents, the scheduler says how much, and the
#   VAE turns the latents into pixels.
# - A token's vector knows the words before it, and the U-Net looks at all 77 vectors.
# - An attention map shows where the U-Net looks for a word. It does not show what the word does.
# - Drawing is a loop of a few lines: ask the U-Net with and without the prompt, combine the
#   two answers, and take a step.
#
# ## Go further
#
# - Call `by_hand(recipe.but(negative_prompt="blurry"))`. The word takes the place of the empty
#   prompt, and that is all that a negative prompt is.
# - Let the loop run only half of its steps on *lion* and the other half on *tiger*: make two
#   contexts, and choose one with `for step, t in enumerate(pipe.scheduler.timesteps)`. Which animal
#   wins?
# - The next notebook asks how large the guidance scale should be, and measures it.
