"""The model card: every number in it comes from the evaluation or from the logs."""

import json

from pocket.reports.agreement_with_eye import FILE
from pocket.shipping.tables import HEAD, fill_table, write_runs, write_share
from pocket.world.scene import Inventor
from pocket.world.words import BACKGROUNDS, STYLES
from sdlab.study.judge import FOLDER, HEADS

CARD = (
    HEAD
    + """\
A Stable Diffusion small enough to ship inside a course: stock `CLIPTextModel`, `UNet2DConditionModel`, `AutoencoderKL` and
`CLIPTokenizer`, {total:.1f} M parameters in all, {side}×{side} pixels. It draws a world of {concepts} things in {styles} styles before
{backgrounds} backgrounds, and nothing else. It is made for learning how diffusion works, not for making pictures of the world.

```python
from diffusers import DiffusionPipeline

pipe = DiffusionPipeline.from_pretrained("sdlab/assets/pocket")
pipe("a lion on the beach, watercolor", num_inference_steps=25, guidance_scale={guidance}).images[0]
```

## What it was trained on
Pictures composed by `pocket.world` from emoji drawings (Fluent Emoji, MIT; Noto Emoji, Apache 2.0; Twemoji and EmojiOne 2, CC BY 4.0; see
`pocket/data/ATTRIBUTION.md`), with captions in {languages}, made by `pocket.world.captions`.
Held out: everyday shoes, 5% of object × style pairs, 5% of object × object pairs (`pocket/data/held_out.json`). The data have a card of
their own, `pocket/data/README.md`.

## How
Configuration `{config}`, on {hardware}.
Autoencoder: {autoencoder}{enlarged}.
Text encoder and U-Net together: {diffusion}.
The objective is v-prediction on SD's scaled-linear schedule; the optimizer Muon and AdamW; bf16; the weights' moving average is shipped;
a tenth of the captions was empty. `make pocket CONFIG={config}` does the first run again, and
`python -m pocket.stages.diffusion --config {config} --start sdlab/assets/pocket` continues from the shipped weights.
{notes}
## Numbers
Fixed prompts with fixed seeds, {steps} steps, guidance {guidance}, judged by `sdlab.study.judge`, which may answer "none of these" and
agrees with a vision model, which stands in for the eye, on {agreement} of two hundred pictures
(`python -m pocket.reports.base --config {config}`):

| prompts | how many | object | style | background | colour |
|---|---|---|---|---|---|
{rows}

In brackets: the 95% interval over the prompts, by Wilson (1927). Where a scene holds two things, both must be right. "Unseen style" is a
thing in a style that training never showed it in, "unseen pair" two things that it never showed together.

No model can do better than its ruler and its autoencoder. This is what the judge finds right in true pictures of the same scenes, after
a trip through the autoencoder and as they are:

| prompts | how many | object | style | background | colour |
|---|---|---|---|---|---|
{ceilings}

The object is among the judge's five likeliest in {object_top5:.0%} of the English prompts (by chance: {chance5:.0%}). Fréchet distance in
the judge's features to true pictures of the same prompts: {frechet[model]:.0f}; between two such sets of true pictures:
{frechet[true]:.0f}. The autoencoder gives back held-out scenes at {psnr:.1f} dB PSNR.

{behaviour}## What it cannot do
Anything outside its world; people other than by role; writing; counting. At {side} pixels fine detail is lost in the autoencoder
already.
"""
)
BEHAVIOUR = """## What happens when a knob is turned
{prompts} prompts for each row, the same noises in all of them (`python -m pocket.reports.behaviour --config {config}`).
"All" is object, style and
background right in one picture. Variety is the distance of two pictures of one prompt in the judge's features, clipping the share of
values that are as dark or as bright as can be.

| guidance | object | all | variety | saturation | clipped |
|---|---|---|---|---|---|
{guidance}

| all right after | {steps} |
|---|{rule}
{samplers}

With the negative prompt "{poor}" the pictures' sharpness goes from {unsaid[sharpness]:.3f} to {said[sharpness]:.3f} (true pictures:
{true[sharpness]:.3f}). Where the prompt names no style, {open[cartoon]:.0%} are judged cartoons; with "cartoon" as negative prompt
{against[cartoon]:.0%}.

| strength of image-to-image | distance to the source | style asked for | style of the source |
|---|---|---|---|
{strengths}

"""
COPY = """## Does it copy?
For {samples} samples the sprite that fits best was searched among all of them, at three sizes and in any colour
(`python -m pocket.reports.nearest --config {config}`).
The median correlation of edges is {model[fit]:.2f}, and in {model[own]:.0%} of the samples
the sprite is one of the thing asked for; for fresh true pictures of the same prompts {fresh[fit]:.2f} and {fresh[own]:.0%}. The nearest of
{pictures:,} training pictures is {model[far]:.1f} away in the judge's features; from a fresh true picture it is {fresh[far]:.1f}.

"""


def _enlarged(story):
    """How an autoencoder that shrinks four times was grown to one that shrinks eight times."""
    if not story.get("enlarge"):
        return ""
    grown, sharpened = write_runs(story["enlarge"]), write_runs(story["sharpen"])
    return f"; then grown, to shrink eight times over the same latents: {grown}; then sharpened: {sharpened}"


def _agreement():
    found = json.loads((FOLDER / FILE).read_text(encoding="utf-8"))["judge"]["all"]
    return write_share(found["share"], found["interval"])


def _languages(shares):
    """What the captions of all runs were in, from each run's share of Portuguese ones."""
    if not any(shares):
        return "English"
    late = sum(map(bool, shares))
    when = "" if all(shares) else f" in the last {late} runs" if late > 1 else " in the last run"
    return f"English and{when}, {shares[-1]:.0%} of them, in Portuguese"


def _table(results, cell):
    """Rows of a table, one for each set of prompts; `cell(measured, head)` fills it where the question was asked."""
    return fill_table(
        [name, str(measured["prompts"]), *(cell(measured, head) if head in measured["accuracy"] else "—" for head in HEADS)]
        for name, measured in results["sets"].items()
    )


def _share(measured, head):
    return write_share(measured["accuracy"][head], measured["interval"][head])


def _ceilings(measured, head):
    return f"{measured['through_autoencoder'][head]:.0%}, {measured['true'][head]:.0%}"


def _rows(table, *cells):
    """Rows of a table; each cell is a key and how to write its value."""
    return fill_table([format(row[key], how) for key, how in cells] for row in table)


def _short(near):
    return {
        "fit": near["correlation with the nearest sprite"], "own": near["nearest sprite is of the thing"],
        "far": near["distance to the nearest training picture"],
    }  # fmt: skip


def _behaviour(config, results):
    """What `pocket.reports.behaviour` found, in words and tables."""
    found = results["behaviour"]
    counts = sorted({row["steps"] for row in found["steps"]})
    shares = {(row["sampler"], row["steps"]): row["all"] for row in found["steps"]}
    names = dict.fromkeys(row["sampler"] for row in found["steps"])
    (_, unsaid), (poor, said), (_, true) = found["negative"]["quality"].items()
    open_, against = found["negative"]["style"].values()
    shown = (("object", ".0%"), ("all", ".0%"), ("variety", ".1f"), ("saturation", ".2f"), ("clipped", ".1%"))
    real = found["guidance"]["true pictures"]
    guidance = _rows(found["guidance"]["table"], ("guidance", ""), *shown)
    return BEHAVIOUR.format(
        config=config.name, prompts=found["prompts"],
        guidance=f"{guidance}\n| true pictures | | | {real['variety']:.1f} | {real['saturation']:.2f} | {real['clipped']:.1%} |",
        steps=" | ".join(f"{n} steps" if n > 1 else "1 step" for n in counts), rule="---|" * len(counts),
        samplers=fill_table([name, *(f"{shares[name, n]:.0%}" for n in counts)] for name in names),
        poor=poor, unsaid=unsaid, said=said, true=true, open=open_, against=against,
        strengths=_rows(found["image to image"], ("strength", ""), ("distance", ".3f"), ("style", ".0%"), ("style of the source", ".0%")),
    )  # fmt: skip


def _copy(config, results):
    """What `pocket.reports.nearest` found, in words."""
    near = results["nearest"]
    return COPY.format(
        config=config.name, samples=near["samples"], pictures=near["training pictures"], model=_short(near["model"]),
        fresh=_short(near["fresh true pictures"]),
    )  # fmt: skip


def card(config, story, results, hardware):
    """The model card's text, every number taken from the results and the logs."""
    return CARD.format(
        task="text-to-image", title="Pocket Stable Diffusion",
        total=sum(results["parameters"].values()) / 1e6, side=results["side"], config=config.name, hardware=hardware,
        rows=_table(results, _share), ceilings=_table(results, _ceilings),
        concepts=(concepts := len(Inventor(config.mix).names)), styles=len(STYLES), backgrounds=len(BACKGROUNDS), agreement=_agreement(),
        **{stage: write_runs(story[stage]) for stage in ("autoencoder", "diffusion")}, enlarged=_enlarged(story),
        languages=_languages([run.get("portuguese", 0) for run in story["diffusion"]]),
        behaviour="".join(tell(config, results) for name, tell in (("behaviour", _behaviour), ("nearest", _copy)) if name in results),
        notes="".join(f"\n{note}\n" for note in story["notes"]), chance5=5 / concepts, psnr=results["autoencoder_psnr_db"],
        **{k: results[k] for k in ("steps", "guidance", "object_top5", "frechet")},
    )  # fmt: skip
