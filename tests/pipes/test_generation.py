import diffusers
import numpy as np
import pytest
import torch

import sdlab
from sdlab.pipes import samplers
from sdlab.pipes.generation import batch_of, decode, generate_together, prepare
from sdlab.pipes.models import MODELS, recommend


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


def test_a_text_and_keywords_are_a_recipe(pipe, recipe):
    asked = {"seed": 7, "steps": 3, "guidance": 4.0}
    assert sdlab.generate(pipe, recipe.prompt, progress=False, **asked).recipe == sdlab.generate(pipe, recipe, progress=False).recipe
    assert sdlab.generate(pipe, recipe, seed=9, progress=False).recipe.seed == 9


def test_what_is_left_open_is_the_models_recommendation(pipe):
    run = sdlab.generate(pipe, "a lion", progress=False)
    assert (run.recipe.steps, run.recipe.guidance) == (MODELS["pocket"].steps, MODELS["pocket"].guidance) == (25, 4.0)
    unknown = type("Pipe", (), {"config": {"_name_or_path": "someone/model"}})()
    assert recommend(unknown) == (25, 7.5)
    for name, asked in (("sd15", (25, 7.5)), ("sd-turbo", (1, 0.0))):
        assert recommend(type("Pipe", (), {"config": {"_name_or_path": MODELS[name].source}})()) == asked


def test_the_recipe_names_the_model_that_drew_it(pipe, recipe):
    assert sdlab.generate(pipe, recipe.but(model="sd15"), progress=False).recipe.model == "pocket"


def test_pictures_that_do_not_fit_together_are_made_in_parts(pipe, recipe, monkeypatch):
    """A U-Net that runs out of memory above four images (two with guidance), as CUDA's allocator says it."""
    asked = recipe.but(images=5)
    whole = sdlab.generate(pipe, asked, progress=False, keep_latents=True)
    forward, sizes = type(pipe.unet).forward, []

    def small(self, sample, *args, **kwargs):
        sizes.append(len(sample))
        if len(sample) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(self, sample, *args, **kwargs)

    monkeypatch.setattr(type(pipe.unet), "forward", small)
    parts = sdlab.generate(pipe, asked, progress=False, keep_latents=True)
    assert max(sizes) == 10 and sizes.count(4) == 6 and sizes[-1] == 2  # 5, then 2 + 2 + 1
    for a, b in zip(whole.images, parts.images, strict=True):
        assert np.abs(pixels(a) - pixels(b)).max() <= 1
    assert [z.shape for z in parts.latents] == [z.shape for z in whole.latents]
    assert all(torch.allclose(a, b, atol=1e-3) for a, b in zip(whole.latents, parts.latents, strict=True))


def _run_out_of_memory(*_, **__):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def test_one_picture_that_does_not_fit_is_told(recipe, monkeypatch):
    pipe = sdlab.load("pocket", device="cpu", memory="full")  # as asked, and so not laid out otherwise
    plain = type(pipe.unet).forward
    monkeypatch.setattr(type(pipe.unet), "forward", _run_out_of_memory)
    with pytest.raises(
        MemoryError, match=r"one picture of \d+×\d+ takes about .* GB beside the weights, and .* GB are free on cpu: draw a"
    ):
        sdlab.generate(pipe, recipe, progress=False)
    monkeypatch.setattr(type(pipe.unet), "forward", plain)
    assert sdlab.generate(pipe, recipe, progress=False).image.size == (recipe.width or sdlab.native_side(pipe),) * 2


def test_where_the_plan_was_left_open_a_picture_that_does_not_fit_is_drawn_by_the_next_one(recipe, monkeypatch):
    """The decoder runs out of memory on whole pictures, as it does at 1024 pixels, and has enough for tiles."""
    pipe = sdlab.load("pocket", device="cpu")
    decode = pipe.vae.decode
    monkeypatch.setattr(pipe.vae, "decode", lambda *a, **k: (decode if pipe.vae.use_tiling else _run_out_of_memory)(*a, **k))
    with pytest.warns(UserWarning, match=r"are free on cpu; so the model goes on with memory='tiling'"):
        image = sdlab.generate(pipe, recipe, progress=False).image
    assert image.size == (sdlab.native_side(pipe),) * 2
    monkeypatch.setattr(type(pipe.unet), "forward", _run_out_of_memory)
    with pytest.warns(UserWarning, match="memory='slicing'"), pytest.raises(MemoryError):
        sdlab.generate(pipe, recipe, progress=False)


def test_a_base_and_its_refiner_draw_together(pair, recipe):
    base, refiner = pair
    asked, seen = recipe.but(steps=5, images=2), []
    run = sdlab.generate(pair, asked, progress=False, keep_latents=True, on_step=lambda step, z: seen.append(step))
    assert (run.recipe.model, run.recipe.refiner, run.recipe.handover) == ("pocket-xl", "pocket-xl-refiner", 0.8)
    assert seen == [0, 1, 2, 3, 4] and len(run.latents) == 5
    noise = [torch.Generator().manual_seed(seed) for seed in (7, 8)]
    shared = {"num_inference_steps": 5, "guidance_scale": 4.0, "num_images_per_prompt": 2, "generator": noise}
    latents = base(recipe.prompt, **shared, denoising_end=0.8, output_type="latent").images
    theirs = refiner(recipe.prompt, image=latents, **shared, denoising_start=0.8).images
    assert all((pixels(a) == pixels(b)).all() for a, b in zip(run.images, theirs, strict=True))
    alone = sdlab.generate(base, asked.but(refiner="pocket-xl-refiner", handover=0.8), progress=False)
    assert (alone.recipe.refiner, alone.recipe.handover) == (None, None)  # the recipe says what happened


def test_a_scheduler_outside_the_table_is_used_and_named(pipe, recipe):
    own = pipe.scheduler
    pipe.scheduler = diffusers.DEISMultistepScheduler.from_config(own.config)
    try:
        run = sdlab.generate(pipe, recipe, progress=False)
        assert run.recipe.sampler == "DEISMultistepScheduler"
        assert (pixels(sdlab.generate(pipe, run.recipe, progress=False).image) == pixels(run.image)).all()
    finally:
        pipe.scheduler = own
    assert (pixels(sdlab.generate(pipe, run.recipe, progress=False).image) == pixels(run.image)).all()
    with pytest.raises(ValueError, match="diffusers has no such class: choose one of DDIM"):
        sdlab.generate(pipe, recipe.but(sampler="NoSuchScheduler"), progress=False)


def test_plain_samplers_switch_karras_off():
    for name, (kind, _) in samplers.SAMPLERS.items():
        own = getattr(diffusers, kind)()
        if "use_karras_sigmas" in own.config:
            own.register_to_config(use_karras_sigmas=True)
        scheduler = samplers.make(name, own.config)
        assert type(scheduler).__name__ == kind
        assert bool(scheduler.config.get("use_karras_sigmas", False)) is (name == "DPM++ 2M Karras"), name


def test_the_students_progress_bar_stays_as_it_was(pipe, recipe):
    before = getattr(pipe, "_progress_bar_config", None)
    pipe.set_progress_bar_config(desc="mine", disable=True)
    sdlab.generate(pipe, recipe, progress=False)
    assert pipe._progress_bar_config == {"desc": "mine", "disable": True}
    del pipe._progress_bar_config
    sdlab.generate(pipe, recipe, progress=False)
    assert not hasattr(pipe, "_progress_bar_config")
    if before is not None:
        pipe._progress_bar_config = before


def test_an_autoencoder_that_overflows_in_half_precision_decodes_in_full(pipe, recipe):
    run = sdlab.generate(pipe, recipe, progress=False, keep_latents=True)
    seen = []
    handle = pipe.vae.decoder.register_forward_pre_hook(lambda module, args: seen.append(args[0].dtype))
    pipe.vae.register_to_config(force_upcast=True)
    pipe.vae.half()
    try:
        image = decode(pipe, run.latents[-1])[0]
        assert pipe.vae.dtype == torch.float16
    finally:
        handle.remove()
        pipe.vae.float()
        pipe.vae.register_to_config(force_upcast=False)
    assert seen == [torch.float32]
    assert np.abs(pixels(image) - pixels(run.image)).max() <= 2


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda pipe: sdlab.generate("a lion", pipe), "pipe is 'a lion': the pipeline comes first, as in sdlab.generate"),
        (lambda pipe: sdlab.generate(pipe), "missing a required argument: 'recipe'; it is called as sdlab.generate(pipe, 'a lion"),
        (lambda pipe: sdlab.generate(pipe, 7), "recipe is 7: give a prompt"),
        (lambda pipe: sdlab.generate(pipe, ["a lion"] * 100), "recipe is ['a lion'"),
        (lambda pipe: sdlab.generate(pipe, "a lion", sed=3), "unexpected keyword argument 'sed': did you mean 'seed'?"),
        (lambda pipe: sdlab.generate(pipe, sdlab.Recipe("a lion"), sed=3), "a Recipe has no 'sed'"),
        (lambda pipe: sdlab.generate(pipe, "a lion", 3), "too many positional arguments"),
        (lambda pipe: sdlab.generate((pipe, pipe, pipe), "a lion"), "the pipeline comes first"),
        (lambda pipe: sdlab.generate((pipe, pipe), "a lion"), "'pocket' cannot refine 'pocket'"),
        (lambda pipe: sdlab.generate(None, "a lion"), "pipe is None"),
        (lambda pipe: sdlab.generate(pipe, "a lion", on_step=3), "on_step is 3: it must be a function"),
    ],
)
def test_wrong_calls_are_told_in_one_sentence(pipe, call, said):
    with pytest.raises(TypeError) as caught:
        call(pipe)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_pipelines_that_want_more_than_a_text_say_so(pipe, pair):
    with pytest.raises(TypeError, match=r"this pipeline is a refiner: give its base too, as in \(base, refiner\), or a picture to refine"):
        sdlab.generate(pair[1], "a lion")
    with pytest.raises(TypeError, match=r"this pipeline follows a sketch, and the recipe has none: give sketch="):
        sdlab.generate(sdlab.load("pocket-scribble", device="cpu", base=pipe), "a lion")


@pytest.mark.parametrize("sampler", ["DDIM", "DPM++ 2M", "Euler a", "DDPM"])
def test_recipes_drawn_together_give_the_pictures_of_each_alone(pipe, recipe, sampler):
    words = [("a lion", "blurry"), ("a red car in the snow", "ugly, distorted"), ("a lion", "blurry")]
    asked = [prepare(pipe, recipe.but(prompt=p, negative_prompt=n, seed=s, sampler=sampler)) for s, (p, n) in enumerate(words)]
    assert len({batch_of(one) for one in asked}) == 1
    together = generate_together(pipe, asked)
    assert [run.recipe for run in together] == asked
    assert len({run.seconds for run in together}) == 1
    for run in together:
        alone = sdlab.generate(pipe, run.recipe, progress=False)
        assert np.abs(pixels(run.image) - pixels(alone.image)).max() <= 1
        assert alone.recipe == run.recipe


def test_a_pair_draws_several_recipes_together(pair, recipe):
    base, refiner = pair
    asked = [prepare(base, recipe.but(prompt=prompt, seed=3, steps=5), refiner) for prompt in ("a lion", "a red car in the snow")]
    for run in generate_together(pair, asked):
        assert np.abs(pixels(run.image) - pixels(sdlab.generate(pair, run.recipe, progress=False).image)).max() <= 1


@pytest.mark.parametrize(
    "change", [{"steps": 4}, {"guidance": 5}, {"width": 72}, {"sampler": "Euler"}, {"negative_prompt": "blurry"}, {"images": 2}]
)
def test_what_a_pipeline_takes_once_for_all_is_not_drawn_together(recipe, change):
    assert batch_of(recipe) != batch_of(recipe.but(**change))
    assert batch_of(recipe) == batch_of(recipe.but(prompt="a zebra", seed=99))
