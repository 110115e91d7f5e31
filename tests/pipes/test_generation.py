import numpy as np
import pytest
import torch

import sdlab
from sdlab.pipes import samplers
from sdlab.pipes.generation import decode


def pixels(image):
    return np.asarray(image, dtype=int)


def test_a_generation_equals_plain_diffusers(pipe, recipe):
    ours = sdlab.generate(pipe, recipe, progress=False)
    pipe.set_progress_bar_config(disable=True)
    theirs = pipe(
        recipe.prompt, num_inference_steps=3, guidance_scale=4.0, negative_prompt="", generator=torch.Generator("cpu").manual_seed(7)
    )  # fmt: skip
    assert (pixels(ours.image) == pixels(theirs.images[0])).all()
    assert ours.recipe.width == ours.recipe.height == ours.image.width
    assert ours.recipe.model == "pocket"
    assert ours.recipe.sampler == samplers.name_of(pipe.scheduler)
    assert ours.seconds > 0


def test_a_batch_gives_the_pictures_of_its_seeds(pipe, recipe):
    batch = sdlab.generate(pipe, recipe.but(images=3), progress=False)
    for i, image in enumerate(batch.images):
        alone = sdlab.generate(pipe, recipe.but(seed=recipe.seed + i), progress=False).image
        assert np.abs(pixels(image) - pixels(alone)).max() <= 1


def test_seed_and_prompt_both_matter(pipe, recipe):
    one = pixels(sdlab.generate(pipe, recipe, progress=False).image)
    assert (one != pixels(sdlab.generate(pipe, recipe.but(seed=8), progress=False).image)).any()
    assert (one != pixels(sdlab.generate(pipe, recipe.but(prompt="a red car in the snow"), progress=False).image)).any()


def test_kept_latents_end_in_the_picture(pipe, recipe):
    seen = []
    run = sdlab.generate(pipe, recipe, progress=False, keep_latents=True, on_step=lambda step, z: seen.append((step, tuple(z.shape))))
    assert [step for step, _ in seen] == [0, 1, 2]
    assert len(run.latents) == 3
    assert (pixels(decode(pipe, run.latents[-1])[0]) == pixels(run.image)).all()


@pytest.mark.parametrize("name", samplers.SAMPLERS)
def test_every_sampler_makes_a_picture_and_is_put_back(pipe, recipe, name):
    own = pipe.scheduler
    run = sdlab.generate(pipe, recipe.but(sampler=name, steps=6), progress=False)
    assert pipe.scheduler is own
    assert run.recipe.sampler == name
    assert pixels(run.image).std() > 5  # neither black nor one grey
    assert samplers.name_of(samplers.make(name, own.config)) == name


def test_other_sizes_work(pipe, recipe):
    run = sdlab.generate(pipe, recipe.but(width=96, height=64), progress=False)
    assert run.image.size == (96, 64)


def test_a_prompt_too_long_is_refused_with_the_words_that_would_be_cut(pipe, recipe):
    long = ", ".join(["a lion"] * 40) + ", volcano"
    with pytest.raises(ValueError, match=r"prompt is longer than 75 tokens, so that .*volcano.* would be cut off"):
        sdlab.generate(pipe, recipe.but(prompt=long))
    with pytest.raises(ValueError, match="negative_prompt is longer"):
        sdlab.generate(pipe, recipe.but(negative_prompt=long))


def test_an_interrupted_run_leaves_the_pipeline_as_it_was(pipe, recipe):
    def stop(step, latents):
        raise KeyboardInterrupt

    own = pipe.scheduler
    with pytest.raises(KeyboardInterrupt):
        sdlab.generate(pipe, recipe.but(sampler="Euler"), progress=False, on_step=stop)
    assert pipe.scheduler is own
