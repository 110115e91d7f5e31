"""Two pictures over each other and an edge between them that is moved: `sdlab.compare(before, after)`."""

import html

import numpy as np
from PIL import Image
from traitlets import Float

from sdlab.display.showing import ONE_LINE, contrast
from sdlab.display.widgets.look import LOOK, picture_url
from sdlab.display.widgets.shown import OWN_KEYS, Shown
from sdlab.pipes.generation import Generation
from sdlab.system.calls import brief, check_call

CSS = """
.sdlab-compare { width: 26em; }
.sdlab-compare .sdlab-stage { position: relative; overflow: hidden; border-radius: 8px; --at: 50%; }
.sdlab-compare .sdlab-stage:focus-within { outline: 3px solid var(--sdlab-accent); outline-offset: 2px; }
.sdlab-compare .sdlab-after { position: absolute; inset: 0; height: 100%; clip-path: inset(0 0 0 var(--at)); }
.sdlab-compare .sdlab-edge { position: absolute; inset: 0 auto 0 calc(var(--at) - 2px); width: 4px; background: #ffffff;
  box-shadow: 0 0 5px #000000aa; pointer-events: none; }
.sdlab-compare .sdlab-edge::after { content: "⟨ ⟩"; position: absolute; top: 50%; left: 50%; transform: translate(-50%, -50%);
  background: #ffffff; color: #222831; border-radius: 2em; padding: 0.15em 0.55em 0.25em; font-weight: 700; white-space: nowrap;
  box-shadow: 0 0 5px #000000aa; }
.sdlab-compare input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: ew-resize; }
.sdlab-compare figcaption { display: flex; justify-content: space-between; gap: 1.5em; }
"""

RENDER = """
function render({ model, el }) {
  if (model.get("markup")) el.innerHTML = model.get("markup");
  const stage = el.querySelector(".sdlab-stage"), range = el.querySelector("input");
  const place = () => {
    stage.style.setProperty("--at", range.value + "%");
    range.setAttribute("aria-valuetext", range.value + " %");
  };
  const move = () => {
    place();
    model.set("position", Number(range.value));
    model.save_changes();
  };
  const follow = () => {
    range.value = model.get("position");
    place();
  };
  range.addEventListener("input", move);
  model.on("change:position", follow);
  follow();
  return () => model.off("change:position", follow);
}
"""


class Comparison(Shown):
    """Two pictures and the edge between them; `position` is the share of the width, in per cent, that shows the first one."""

    position = Float(50.0, min=0, max=100).tag(sync=True)
    live = ("position",)
    render = RENDER
    _css = LOOK + CSS


@check_call("sdlab.compare(before, after)")
def compare(before, after, titles=None):
    """Two pictures over each other, with an edge between them that the pointer or the arrow keys move.

    Args:
        before: a PIL image, an array (H, W, 3) in 0…255 or a generation, whose first image counts.
        after: another of the same shape; it may be larger.
        titles: a text for each; None means what differs between two generations, or "before" and "after".

    Returns:
        The widget. Exported pages keep it, and it works there without a kernel.

    Raises:
        TypeError: what is given is no picture.
        ValueError: the pictures are of different shapes, or there are not two titles.
    """
    pictures = [_picture(name, given) for name, given in (("before", before), ("after", after))]
    (w, h), (width, height) = (picture.size for picture in pictures)
    if abs(w * height - h * width) > max(w * height, h * width) / 100:
        raise ValueError(f"before is {w}×{h} and after {width}×{height}: to lie over each other they must have the same ratio of sides")
    if titles is None:
        differ = contrast([before.recipe, after.recipe], ONE_LINE) if all(isinstance(g, Generation) for g in (before, after)) else ["", ""]
        titles = [said.replace("\n", " · ") or name for said, name in zip(differ, ("before", "after"), strict=True)]
    if isinstance(titles, str) or len(titles) != 2 or not all(isinstance(title, str) for title in titles):
        raise ValueError(f"titles is {brief(titles)}: give two texts, such as ['before', 'after']")
    widget = Comparison(markup=_mark_up(pictures, [html.escape(title) for title in titles]))
    widget.alt = f"Two pictures to compare: {titles[0]}; {titles[1]}"
    return widget


def _picture(name, given):
    """The PIL image of a generation, an array or an image."""
    picture = given.image if isinstance(given, Generation) else given
    if isinstance(picture, np.ndarray) and picture.ndim in (2, 3):
        picture = Image.fromarray(picture.astype(np.uint8))
    if not isinstance(picture, Image.Image):
        raise TypeError(f"{name} is {brief(given)}: give a picture or a generation, as in sdlab.compare(run.image, other.image)")
    return picture


def _mark_up(pictures, titles):
    first, second = (picture_url(picture) for picture in pictures)
    return (
        f'<figure class="sdlab sdlab-compare"><div class="sdlab-stage">'
        f'<img alt="{titles[0]}" src="{first}"><img class="sdlab-after" alt="{titles[1]}" src="{second}">'
        f'<span class="sdlab-edge"></span>'
        f'<input type="range" {OWN_KEYS} min="0" max="100" value="50" aria-label="how much is seen of: {titles[0]}"></div>'
        f"<figcaption><span>{titles[0]}</span><span>{titles[1]}</span></figcaption></figure>"
    )
