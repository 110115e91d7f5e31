"""Moving pictures of a plot."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from sdlab.display.style import STYLE
from sdlab.system.calls import brief, check_call


@check_call("sdlab.animate(draw, frames)")
def animate(draw, frames, size=(4, 4), milliseconds=120):
    """A moving picture for a notebook or a page: `draw(axis, frame)` draws each of `frames` on a cleared axis.

    Returns:
        `IPython.display.HTML` with a GIF inside, which runs for ever and stands two seconds on its last frame.
    """
    from IPython.display import HTML

    if not callable(draw):
        raise TypeError(f"draw is {brief(draw)}: it must be a function of a matplotlib axis and a frame")
    frames = list(frames) if hasattr(frames, "__iter__") else []
    if not frames:
        raise ValueError("frames holds no frame: give at least one, as in sdlab.animate(draw, range(10))")
    images = []
    with plt.rc_context(STYLE | {"figure.dpi": 90}):
        figure, axis = plt.subplots(figsize=size, layout="constrained")
        for frame in frames:
            axis.clear()
            draw(axis, frame)
            figure.canvas.draw()
            images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3]).quantize(64, dither=Image.Dither.NONE))
        plt.close(figure)
    file = io.BytesIO()
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=[milliseconds] * (len(images) - 1) + [2000], loop=0)
    return HTML(
        f'<img src="data:image/gif;base64,{base64.b64encode(file.getvalue()).decode()}" alt="{len(images)} frames of an animation">'
    )
