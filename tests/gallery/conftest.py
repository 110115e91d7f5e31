import numpy as np
import pytest
from PIL import Image

from sdlab.pipes.generation import Generation
from sdlab.pipes.recipe import Recipe


def make_run(prompt="a lion on the beach, cartoon", side=16, images=1, **recipe):
    """A Generation of noise, as `generate` would complete it, without a model that draws."""
    recipe = {"seed": 7, "steps": 3, "guidance": 4.0, "sampler": "DDIM", "model": "pocket"} | recipe
    recipe = Recipe(prompt, width=side, height=side, images=images, **recipe)
    noise = np.random.default_rng(recipe.seed).integers(0, 256, (images, side, side, 3), dtype=np.uint8)
    return Generation(recipe, [Image.fromarray(pixels) for pixels in noise], 0.5 * images, "cpu", "float32", 0, "0123456789")


@pytest.fixture(scope="session")
def make():
    return make_run


@pytest.fixture(scope="session")
def run():
    """Two images, and words that a narrow encoding loses."""
    return make_run(images=2, negative_prompt="blurry, ünïcode 🦁")
