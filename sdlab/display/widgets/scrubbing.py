"""A film to leaf through, of the steps of one picture or of the pictures of a sweep: `sdlab.scrub(...)`."""

import html

import numpy as np
from traitlets import Int

from sdlab.display.knobs import every_image
from sdlab.display.showing import ONE_LINE, caption, check_film, contrast
from sdlab.display.widgets.look import LOOK, picture_url
from sdlab.display.widgets.shown import OWN_KEYS, Shown
from sdlab.pipes.generation import Generation, decode, split_pair
from sdlab.system.calls import brief, check_call

MOST_FRAMES = 60  # of a film; of more steps, evenly spaced ones are shown

CSS = """
.sdlab-scrub { width: 22em; }
.sdlab-scrub .sdlab-track { display: flex; align-items: center; gap: 0.7em; margin-top: 0.6em; }
.sdlab-scrub input { flex: 1; min-width: 0; height: 1.6em; margin: 0; cursor: pointer; }
.sdlab-scrub button { flex: none; display: grid; place-items: center; width: 2.4em; height: 2.4em; padding: 0; cursor: pointer;
  border: 1px solid var(--sdlab-line); border-radius: 50%; background: var(--sdlab-tint); }
.sdlab-scrub button::before { content: ""; width: 0.85em; height: 0.95em; background: currentColor; translate: 8% 0;
  clip-path: polygon(0 0, 100% 50%, 0 100%); }
.sdlab-scrub button[aria-pressed="true"]::before { translate: none; width: 0.75em;
  clip-path: polygon(0 0, 33% 0, 33% 100%, 67% 100%, 67% 0, 100% 0, 100% 100%, 0 100%); }
"""

RENDER = """
function render({ model, el }) {
  if (model.get("markup")) el.innerHTML = model.get("markup");
  const range = el.querySelector("input"), play = el.querySelector("button"), frames = el.querySelectorAll("img");
  const last = frames.length - 1;
  let timer = null;
  const show = () => {
    frames.forEach((frame, i) => { frame.hidden = i !== Number(range.value); });
    const said = frames[range.value].dataset.caption;
    el.querySelector("figcaption").textContent = said;
    range.setAttribute("aria-valuetext", said);
  };
  const go = (frame) => {
    range.value = frame;
    show();
    model.set("index", frame);
    model.save_changes();
  };
  const halt = () => {
    clearInterval(timer);
    timer = null;
    play.setAttribute("aria-pressed", "false");
  };
  const next = () => (Number(range.value) < last ? go(Number(range.value) + 1) : halt());
  const follow = () => {
    if (model.get("index") === Number(range.value) || timer) return;
    range.value = model.get("index");
    show();
  };
  range.addEventListener("input", () => { halt(); go(Number(range.value)); });
  play.addEventListener("click", () => {
    if (timer) return halt();
    play.setAttribute("aria-pressed", "true");
    if (Number(range.value) === last) go(0);
    timer = setInterval(next, Math.max(120, Math.min(800, 3000 / frames.length)));
  });
  model.on("change:index", follow);
  range.value = model.get("index");
  show();
  return () => { halt(); model.off("change:index", follow); };
}
"""


class Film(Shown):
    """Pictures with a slider; `index` is the one that is seen, from 0."""

    index = Int(0).tag(sync=True)
    live = ("index",)
    render = RENDER
    _css = LOOK + CSS


@check_call("sdlab.scrub(pipe, run) or sdlab.scrub(runs)")
def scrub(source, run=None):
    """A film to leaf through with the pointer or the arrow keys: the steps of one picture, or the pictures of a sweep.

    Args:
        source: the pipeline that made `run`, whose autoencoder decodes; or, alone, a list of generations such as a sweep's.
        run: a generation made with `keep_latents=True`; the steps of its first image are shown.

    Returns:
        The widget. Exported pages keep it, and it works there without a kernel.

    Raises:
        TypeError: no generations, or no pipeline before the generation.
        ValueError: the list is empty, or the generation kept no latents.
    """
    if run is not None:
        pipe = split_pair(source)[0] if isinstance(source, tuple | list) else source
        check_film(pipe, run)
        return _film(pipe, run)
    if isinstance(source, Generation):
        raise TypeError("scrub was given one generation: its steps need the pipeline that decodes them, as in sdlab.scrub(pipe, run)")
    if hasattr(source, "unet"):
        raise TypeError(f"scrub was given {brief(source)} alone: give what it made too, as in sdlab.scrub(pipe, run)")
    pictures = every_image(source, "sdlab.scrub([run, another])")
    titles = contrast([recipe for recipe, _ in pictures], ONE_LINE)
    titles = [title.replace("\n", " · ") or f"picture {number}" for number, title in enumerate(titles, 1)]
    label = f"picture of a sweep of {len(pictures)}"
    return _make([image for _, image in pictures], titles, [recipe.prompt for recipe, _ in pictures], label, index=0)


def _film(pipe, run):
    """The steps of a generation, the last one seen at first."""
    last = len(run.latents) - 1
    chosen = sorted({round(i) for i in np.linspace(0, last, MOST_FRAMES)})
    images = [decode(pipe, run.latents[i][:1])[0] for i in chosen]
    titles = [f"step {i + 1} of {last + 1}" for i in chosen]
    film = _make(images, titles, [run.recipe.prompt] * len(images), "denoising step", index=len(images) - 1)
    film.alt = f"{film.alt}; {caption(run)}"
    return film


def _make(images, titles, prompts, label, index):
    frames = "".join(
        f'<img alt="{html.escape(prompt)}, {html.escape(title)}" data-caption="{html.escape(title)}" src="{picture_url(image)}"'
        f"{'' if number == index else ' hidden'}>"
        for number, (image, title, prompt) in enumerate(zip(images, titles, prompts, strict=True))
    )
    markup = (
        f'<figure class="sdlab sdlab-scrub"><div class="sdlab-stage">{frames}</div>'
        f'<div class="sdlab-track"><button type="button" {OWN_KEYS} aria-label="play" aria-pressed="false"></button>'
        f'<input type="range" {OWN_KEYS} min="0" max="{len(images) - 1}" value="{index}" aria-label="{html.escape(label)}"></div>'
        f"<figcaption>{html.escape(titles[index])}</figcaption></figure>"
    )
    film = Film(markup=markup, index=index)
    film.alt = f"{len(images)} pictures to leaf through: {prompts[index]}"
    return film
