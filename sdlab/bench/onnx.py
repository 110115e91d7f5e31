"""A U-Net in onnxruntime, in the place of torch's: exported once, with fixed shapes."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

WORDS = ("sample", "timestep", "words")


class OnnxUNet(torch.nn.Module):
    """What a Stable Diffusion pipeline calls as its U-Net, computed by onnxruntime.

    Args:
        unet: SD 1.5's or one like it, in float32.
        batch: rows of a call, with guidance two for each picture.
        side: of the latents.
        tokens: of a text.

    Raises:
        ImportError: onnxruntime, or what torch exports with, is not installed.
        ValueError: the U-Net takes more than latents, a time and words.
    """

    def __init__(self, unet, batch, side, tokens):
        super().__init__()
        try:
            import onnxruntime
            import onnxscript  # noqa: F401  torch.onnx.export imports it late
        except ImportError as error:
            raise ImportError(f"{error.name} is not installed: pip install onnxruntime onnxscript") from error
        if unet.config.addition_embed_type is not None:
            raise ValueError("the U-Net takes sizes and a second text too, as SDXL's does, and is not exported here")
        self.config, self.dtype, self.device = unet.config, unet.dtype, unet.device
        self._folder = TemporaryDirectory(ignore_cleanup_errors=True)
        file = str(Path(self._folder.name) / "unet.onnx")
        shapes = (batch, unet.config.in_channels, side, side), (1,), (batch, tokens, unet.config.cross_attention_dim)
        example = tuple(torch.zeros(shape, dtype=unet.dtype, device=unet.device) for shape in shapes)
        torch.onnx.export(_Plain(unet).eval(), example, file, dynamo=True, opset_version=18, input_names=WORDS, output_names=("noise",))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.session = onnxruntime.InferenceSession(file, options, providers=onnxruntime.get_available_providers())

    def forward(self, sample, timestep, encoder_hidden_states, **_):
        """As a U-Net called with `return_dict=False`: a tuple with the prediction, (B, 4, h, w)."""
        given = sample, torch.as_tensor(timestep).reshape(1), encoder_hidden_states
        feed = {name: value.to("cpu", self.dtype).numpy() for name, value in zip(WORDS, given, strict=True)}
        return (torch.from_numpy(self.session.run(None, feed)[0]).to(sample.device, sample.dtype),)


class _Plain(torch.nn.Module):
    """A U-Net of plain arguments and one plain result, as an export wants it."""

    def __init__(self, unet):
        super().__init__()
        self.unet = unet

    def forward(self, sample, timestep, words):
        return self.unet(sample, timestep, words, return_dict=False)[0]
