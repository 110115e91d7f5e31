"""From an image, into a mask, along a sketch: the pictures of diffusers' own pipelines, on the parts that are loaded."""

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline
from PIL import Image, ImageDraw

import sdlab
from sdlab.pipes.recipe import Recipe
from sdlab.pipes.tasks import pipeline_for


@pytest.fixture(scope="module")
def side(pipe):
    return sdlab.native_side(pipe)


@pytest.fixture(scope="module")
def photo(side):
    """A red disc on a green ground, of the size that is drawn."""
    made = Image.new("RGB", (side, side), (60, 140, 70))
    ImageDraw.Draw(made).ellipse((side // 4, side // 4, 3 * side // 4, 3 * side // 4), fill=(200, 40, 40))
    return made


@pytest.fixture(scope="module")
def mask(side):
    """White in the right half."""
    made = Image.new("L", (side, side), 0)
    made.paste(255, (side // 2, 0, side, side))
    return made


@pytest.fixture(scope="module")
def scribble():
    return sdlab.load("pocket-scribble", device="cpu")


def pixels(image):
    return np.asarray(image, int)


def seeded(seed):
    return torch.Generator("cpu").manual_seed(seed)


def test_an_image_is_painted_over_as_diffusers_does(pipe, photo):
    recipe = Recipe("a lion, cartoon", image=photo, strength=0.6, steps=5, guidance=4.0, seed=3)
    run = sdlab.generate(pipe, recipe, progress=False)
    plain = StableDiffusionImg2ImgPipeline(**pipe.components, requires_safety_checker=False)
    plain.set_progress_bar_config(disable=True)
    said = plain("a lion, cartoon", image=photo, strength=0.6, num_inference_steps=5, guidance_scale=4.0, generator=[seeded(3)])
    assert np.array_equal(pixels(run.image), pixels(said.images[0]))
    assert run.recipe.strength == 0.6 and run.recipe.image.size == photo.size


def test_a_mask_leaves_the_rest_as_it_is(pipe, photo, mask, side):
    run = sdlab.generate(pipe, "a lion, cartoon", image=photo, mask=mask, steps=5, seed=3, progress=False)
    half = side // 2
    assert run.recipe.strength == 1.0
    assert np.array_equal(pixels(run.image)[:, :half], pixels(photo)[:, :half])
    plain = StableDiffusionInpaintPipeline(**pipe.components, requires_safety_checker=False)
    plain.set_progress_bar_config(disable=True)
    [said] = plain(
        "a lion, cartoon", image=photo, mask_image=mask, width=side, height=side, strength=1.0, num_inference_steps=5,
        guidance_scale=4.0, generator=[seeded(3)],
    ).images  # fmt: skip
    assert np.array_equal(pixels(run.image)[:, half:], pixels(said)[:, half:])
    assert not np.array_equal(pixels(said)[:, :half], pixels(photo)[:, :half])  # which is why it is pasted back


def test_a_sketch_is_followed_as_diffusers_does(scribble, side):
    lines = Image.new("RGB", (side, side))
    ImageDraw.Draw(lines).ellipse((10, 10, side - 10, side - 10), outline="white", width=2)
    run = sdlab.generate(scribble, "a lion, cartoon", sketch=lines, sketch_scale=0.8, sketch_end=0.5, steps=4, seed=3, progress=False)
    [said] = scribble(
        "a lion, cartoon", image=lines, controlnet_conditioning_scale=0.8, control_guidance_end=0.5, num_inference_steps=4,
        guidance_scale=4.0, generator=[seeded(3)],
    ).images  # fmt: skip
    assert np.array_equal(pixels(run.image), pixels(said))
    assert (run.recipe.sketch_scale, run.recipe.sketch_start, run.recipe.sketch_end) == (0.8, 0.0, 0.5)


def test_a_refiner_alone_paints_over_an_image(pair, photo):
    _, refiner = pair
    whole = sdlab.generate(refiner, "a lion", image=photo.resize((64, 64)), strength=0.5, steps=4, progress=False)
    assert whole.image.size == (sdlab.native_side(refiner),) * 2


def test_no_weight_is_in_memory_twice_and_none_changes_its_dtype(photo, mask):
    pipe = sdlab.load("pocket", device="cpu", dtype=torch.bfloat16)
    before = {id(p) for part in (pipe.unet, pipe.vae, pipe.text_encoder) for p in part.parameters()}
    for recipe in (Recipe("a lion", image=photo), Recipe("a lion", image=photo, mask=mask)):
        other = pipeline_for(pipe, recipe)
        assert other is not pipe
        assert {id(p) for part in (other.unet, other.vae, other.text_encoder) for p in part.parameters()} == before
    sdlab.generate(pipe, "a lion", image=photo, steps=2, progress=False)
    assert {p.dtype for part in (pipe.unet, pipe.vae, pipe.text_encoder) for p in part.parameters()} == {torch.bfloat16}


def test_several_images_and_a_sweep_of_strengths_are_those_of_single_ones(pipe, photo):
    recipe = Recipe("a lion, cartoon", image=photo, strength=0.6, steps=5, seed=3)
    two = sdlab.generate(pipe, recipe.but(images=2), progress=False)
    for seed, image in zip((3, 4), two.images, strict=True):
        assert np.abs(pixels(image) - pixels(sdlab.generate(pipe, recipe.but(seed=seed), progress=False).image)).max() <= 1
    runs = sdlab.sweep(pipe, recipe, strength=[0.4, 0.9], gallery=None, progress=False)
    near, far = (np.abs(pixels(run.image) - pixels(photo)).mean() for run in runs)
    assert near < far


def test_a_recipe_knows_its_picture_by_what_its_pixels_are(pipe, photo, tmp_path):
    photo.save(tmp_path / "photo.png")
    from_file, from_array = (Recipe("a lion", image=given) for given in (tmp_path / "photo.png", np.asarray(photo)))
    assert from_file == from_array and hash(from_file) == hash(from_array)
    assert Recipe("a lion", image=photo.rotate(90)) != from_file
    again = Recipe.from_dict(from_file.to_dict())
    assert again == from_file and not again.image.is_here
    with pytest.raises(FileNotFoundError, match=r"the picture \w{8} of \d+×\d+ is not here: give it again"):
        sdlab.generate(pipe, again, progress=False)


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (lambda p, s, photo: sdlab.generate(p, "a lion", strength=0.5), ValueError, "strength was given and no image"),
        (lambda p, s, photo: sdlab.generate(p, "a lion", mask=photo), ValueError, "mask was given and no image"),
        (
            lambda p, s, photo: sdlab.generate(p, "a lion", image=photo, strength=1.5),
            ValueError,
            "strength is 1.5: it must be between",
        ),
        (lambda p, s, photo: sdlab.generate(p, "a lion", image=photo, strength=0.1, steps=5), ValueError, "leaves no step to take"),
        (lambda p, s, photo: sdlab.generate(p, "a lion", image=photo, sketch=photo), ValueError, "image and sketch were both given"),
        (lambda p, s, photo: sdlab.generate(p, "a lion", sketch=photo), TypeError, "follows none: load a ControlNet"),
        (lambda p, s, photo: sdlab.generate(s, "a lion"), TypeError, "this pipeline follows a sketch, and the recipe has none"),
        (lambda p, s, photo: sdlab.generate(p, "a lion", image=3), TypeError, "image is 3: give a file, a PIL picture"),
        (lambda p, s, photo: sdlab.generate(p, "a lion", image=photo, fit="squeeze"), ValueError, "fit is 'squeeze': it must be one of"),
        (lambda p, s, photo: Recipe("a lion", sketch=photo, sketch_start=0.6, sketch_end=0.5), ValueError, "is not before sketch_end"),
        (lambda p, s, photo: Recipe.from_dict({"prompt": "a", "image": {"digest": "../x"}}), ValueError, "tells of no picture"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_sentence(pipe, scribble, photo, make, kind, said):
    with pytest.raises(kind) as caught:
        make(pipe, scribble, photo)
    assert said in str(caught.value) and "\n" not in str(caught.value)
