"""What U-Nets and decoders hold at their peak, counted on paper: `python -m benchmarks.memory`. Two minutes, no weights, hardly any memory.

torch's `MemTracker` follows the tensors of the true architectures, which are fake: they have shapes and no numbers. The factors that it
finds are those of `sdlab.pipes.memory`.
"""

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker

from sdlab.pipes.memory import DECODER_PEAK, GUIDED, UNET_PEAK
from sdlab.study.anatomy import SD15_UNET, SD_VAE, SDXL_UNET


def activations(make, call, dtype=torch.float16):
    """Bytes that a module holds beside its weights at the peak of a call.

    Args:
        make: gives the module.
        call: is called with it, and runs it.
        dtype: of its weights.
    """
    with FakeTensorMode():
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            module = make().eval()
            weights = sum(p.numel() * p.element_size() for p in module.parameters())
            tracker = MemTracker()
            tracker.track_external(module)
            with tracker, torch.no_grad():
                call(module)
        finally:
            torch.set_default_dtype(before)
        [total] = [found["Total"] for found in tracker.get_tracker_snapshot("peak").values()]
    return total - weights


def unet_peak(config, side, added=None):
    """Of a U-Net with a guided batch of one picture: bytes at the peak, and how many times its widest layer that is."""

    def call(unet):
        more = {"added_cond_kwargs": added()} if added else {}
        words = torch.zeros(GUIDED, 77, config["cross_attention_dim"])
        unet(torch.zeros(GUIDED, 4, side, side), torch.zeros(GUIDED, dtype=torch.long), words, **more)

    found = activations(lambda: UNet2DConditionModel(**config), call)
    return found, found / (GUIDED * side * side * config["block_out_channels"][0] * 2)


def decoder_peak(config, side, dtype=torch.float16):
    """Of a decoder with the latents of one picture, `side` wide: the same, of its last wide layer."""
    found = activations(lambda: AutoencoderKL(**config), lambda vae: vae.decode(torch.zeros(1, 4, side, side, dtype=dtype)), dtype)
    return found, found / ((8 * side) ** 2 * config["block_out_channels"][1] * dtype.itemsize)


def main():
    """Count and print."""

    def told():
        return {"text_embeds": torch.zeros(GUIDED, 1280), "time_ids": torch.zeros(GUIDED, 6)}

    print(f"sdlab.pipes.memory says {UNET_PEAK} and {DECODER_PEAK}")
    for name, config, side, added in (("SD 1.5 U-Net at 512", SD15_UNET, 64, None), ("SDXL U-Net at 1024", SDXL_UNET, 128, told)):
        peak, factor = unet_peak(config, side, added)
        print(f"{name:22s}{peak / 1e6:8.0f} MB, {factor:5.1f} times the widest layer")
    for side in (64, 128):
        peak, factor = decoder_peak(SD_VAE, side)
        print(f"decoder at {8 * side:4d}       {peak / 1e6:8.0f} MB, {factor:5.1f} times the last wide layer")


if __name__ == "__main__":
    main()
