"""Memory plans: what is chosen for a device that is not here, and what is carried out on the one that is."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import sdlab
from benchmarks.memory import decoder_peak, unet_peak
from sdlab.pipes import memory
from sdlab.pipes.memory import ON, Needs, choose, estimate

GB = 10**9
SD15 = Needs(parts=(250_000_000, 1_720_000_000, 167_000_000), layer=30_000_000, unet=137_000_000, decoder=403_000_000, tile=403_000_000)
SDXL = Needs(
    parts=(250_000_000, 1_390_000_000, 5_135_000_000, 167_000_000), layer=30_000_000, unet=550_000_000,
    decoder=3_222_000_000, tile=806_000_000,
)  # fmt: skip


@pytest.mark.parametrize(
    ("needs", "free", "chosen"),
    [(SD15, 24, "full"), (SD15, 4, "full"), (SD15, 2.9, "offload"), (SD15, 1.5, "sequential"),
     (SDXL, 24, "full"), (SDXL, 10, "tiling"), (SDXL, 8, "offload"), (SDXL, 4, "sequential"), (SDXL, 0.1, "sequential")],
)  # fmt: skip
def test_gpus_of_several_sizes_get_the_fastest_plan_that_fits(needs, free, chosen):
    assert choose("cuda", needs, free * GB, is_half=True) == chosen


@given(
    kind=st.sampled_from(list(ON)), parts=st.lists(st.integers(1, 10 * GB), min_size=1, max_size=5), unet=st.integers(0, 5 * GB),
    decoder=st.integers(0, 9 * GB), free=st.integers(0, 60 * GB), more=st.integers(0, 30 * GB), is_half=st.booleans(),
)  # fmt: skip
def test_more_memory_never_makes_it_slower_and_what_is_chosen_fits_if_anything_does(kind, parts, unet, decoder, free, more, is_half):
    needs = Needs(tuple(parts), max(parts) // 3, unet, decoder, decoder // 4)
    chosen = choose(kind, needs, free, is_half)
    assert ON[kind].index(choose(kind, needs, free + more, is_half)) <= ON[kind].index(chosen)
    fitting = [name for name in ON[kind] if estimate(name, needs, is_half) <= free and not (is_half and name == "half")]
    assert chosen == (fitting or ON[kind])[0 if fitting else -1]


def test_what_was_counted_on_paper_is_within_the_estimate(pipe):
    side = pipe.unet.config.sample_size
    config = {**pipe.unet.config, "cross_attention_dim": pipe.unet.config.cross_attention_dim}
    plain = {name: value for name, value in config.items() if not name.startswith("_")}
    assert unet_peak(plain, side)[1] <= memory.UNET_PEAK
    vae = {name: value for name, value in pipe.vae.config.items() if not name.startswith("_")}
    _, factor = decoder_peak(vae, side) if pipe.vae_scale_factor == 8 else (None, 0)
    assert factor <= 2 * memory.DECODER_PEAK


def test_half_and_tiling_draw_nearly_the_same_picture(recipe):
    full = sdlab.generate(sdlab.load("pocket", device="cpu", memory="full"), recipe, progress=False).image
    with pytest.warns(UserWarning, match=r"loaded with memory='tiling' .*, as asked"):
        pipe = sdlab.load("pocket", device="cpu", memory="tiling")
    assert pipe.unet.dtype == pipe.text_encoder.dtype == torch.bfloat16 and pipe.vae.use_tiling
    tiled = sdlab.generate(pipe, recipe, progress=False).image
    assert np.abs(np.asarray(full, int) - np.asarray(tiled, int)).mean() < 4


def test_a_small_memory_is_noticed_and_said(monkeypatch):
    monkeypatch.setattr(memory.devices, "free_memory", lambda device: int(0.58 * GB))
    with pytest.warns(UserWarning, match=r"loaded with memory='\w+' \(.*\), for all of it takes 0\.\d GB, and 0\.6 GB are free"):
        sdlab.load("pocket", device="cpu")


def test_on_this_machine_the_pocket_model_is_simply_loaded(recwarn):
    sdlab.load("pocket-xl-refiner", device="cpu")
    assert not [one for one in recwarn if "memory=" in str(one.message)]


@pytest.mark.parametrize(
    ("plan", "said"),
    [("offload", "needs a GPU with a memory of its own: here it can be full, half"), ("much", "must be 'auto' or one of 'full', 'half'")],
)
def test_a_plan_that_cannot_be_is_refused(plan, said):
    with pytest.raises(ValueError) as caught:
        sdlab.load("pocket", device="cpu", memory=plan)
    assert said in str(caught.value) and "\n" not in str(caught.value)
