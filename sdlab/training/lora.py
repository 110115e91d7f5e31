"""Low-rank adaptation (LoRA; Hu et al. 2022): teach a pipeline something from a folder of pictures, and change none of its weights.

Beside each matrix W of the attention layers two thin ones are trained, B and A, and the layer multiplies with W + (alpha / rank)·B·A. The
loss is the one that the model was trained with: its scheduler adds the noise, and its `prediction_type` says what is predicted. One
function trains the pocket models, Stable Diffusion 1.5 and SDXL, which is told sizes and crops too.

Left out: adapters of the text encoders, augmentation of the pictures, and weights of the loss by noise level.
"""

import hashlib
import json
import math
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler

from sdlab.pipes.models import fingerprint, native_side
from sdlab.system.calls import brief, check_call
from sdlab.system.device import has_bf16
from sdlab.training.captioned import read_examples
from sdlab.training.examples import Examples, set_dtype
from sdlab.training.lora_files import FILE, save_lora
from sdlab.training.run import Run
from sdlab.training.validation import Validation
from sdlab.training.watch import shorten

TARGETS = ("to_q", "to_k", "to_v", "to_out.0")  # the four matrices of every attention layer
PREDICTIONS = ("epsilon", "v_prediction")


@dataclass(frozen=True)
class TrainedLora:
    """What a training left.

    Args:
        file: the LoRA, as `pipe.load_lora_weights(file)` takes it.
        parameters: how many numbers were trained.
        steps: how many updates, resumed parts included.
        minutes: how long that took, without the validation pictures.
        log: of the run, `[{"step": …, "minutes": …, "samples": …, "loss": …}, …]`.
        sheets: the files of the validation pictures, the first ones first.
    """

    file: Path
    parameters: int
    steps: int
    minutes: float
    log: list
    sheets: list


class Loss(torch.nn.Module):
    """A U-Net with its loss around it, which is what Accelerate spreads over processes.

    Args:
        unet: of a pipeline.
        scheduler: of the same; only what it says of the noise and of the prediction matters.
    """

    def __init__(self, unet, scheduler):
        super().__init__()
        self.unet, self.dtype = unet, unet.conv_in.weight.dtype
        self.noise = DDPMScheduler.from_config(scheduler.config)

    def forward(self, latents, noise, times, told):
        """The mean squared error of the prediction.

        Args:
            latents: of pictures, (B, 4, h, w).
            noise: as many, standard normal.
            times: noise levels, (B,).
            told: what the U-Net is told beside them, `{"encoder_hidden_states": (B, 77, d), …}`.
        """
        noisy = self.noise.add_noise(latents, noise, times)
        wanted = noise if self.noise.config.prediction_type == "epsilon" else self.noise.get_velocity(latents, noise, times)
        guess = self.unet(noisy.to(self.dtype), times, **cast(told, self.dtype)).sample
        return F.mse_loss(guess.float(), wanted.float())


def cast(told, dtype):
    """Tensors, also those in dictionaries, in a dtype."""
    return {name: cast(value, dtype) if isinstance(value, dict) else value.to(dtype) for name, value in told.items()}


def check_pipeline(pipe):
    """Refuse what cannot be trained here.

    Raises:
        TypeError: no text-to-image pipeline with a U-Net.
        ValueError: another LoRA is loaded; or it is spread over devices; or its scheduler is of another kind of model.
    """
    if not hasattr(pipe, "unet") or not hasattr(pipe, "encode_prompt") or hasattr(pipe, "controlnet"):
        raise TypeError(f"pipe is {brief(pipe)}: give a text-to-image pipeline with a U-Net, such as sdlab.load('pocket')")
    if pipe.config.get("requires_aesthetics_score") or getattr(pipe, "tokenizer", None) is None:
        raise TypeError("pipe is a refiner, which draws nothing alone: give its base, such as sdlab.load('pocket-xl')")
    if getattr(pipe.unet, "peft_config", None):
        raise ValueError("a LoRA is loaded already: pipe.unload_lora_weights() takes it off")
    if getattr(pipe, "_all_hooks", None) or pipe.unet.device.type == "meta":
        raise ValueError("the pipeline is moved to the device part by part: load it with memory='full' to train it")
    if (kind := pipe.scheduler.config.get("prediction_type")) not in PREDICTIONS:
        raise ValueError(f"the scheduler's prediction_type is {kind!r}: only {' and '.join(PREDICTIONS)} are trained here")


def check_numbers(**numbers):
    """Refuse counts that are not whole numbers from 1 up, and shares and rates that are not positive numbers."""
    for name, value in numbers.items():
        whole = name not in ("alpha", "lr", "minutes")
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise TypeError(f"{name} is {brief(value)}: it must be a {'whole ' if whole else ''}number")
        if not 0 < value < math.inf:
            raise ValueError(f"{name} is {brief(value)}: it must be {'1 or more' if whole else 'more than 0 and finite'}")


def choose_precision(device, dtype):
    """Accelerate's mixed precision for weights of a dtype: on a CUDA GPU their own half, or bf16 where it computes in it.

    "no" elsewhere: a CPU gains nothing from it in these small products, and a Mac's GPU has no tested scaling of gradients.
    """
    if torch.device(device).type != "cuda":
        return "no"
    return {torch.float16: "fp16", torch.bfloat16: "bf16"}.get(dtype, "bf16" if has_bf16(device) else "no")


@contextmanager
def adapter(pipe, rank, alpha, targets, use_dora, seed):
    """Inside the block the U-Net carries a LoRA, whose parameters alone require gradients; afterwards it is as it was.

    Yields:
        The peft `LoraConfig`.

    Raises:
        ValueError: a target that is no module of the U-Net.
        ImportError: peft cannot work beside another package.
    """
    from peft import LoraConfig

    names = [name for name, module in pipe.unet.named_modules() if isinstance(module, torch.nn.Linear | torch.nn.Conv2d)]
    for target in targets:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            raise ValueError(f"target {target!r} is no matrix of this U-Net: the usual ones are {', '.join(TARGETS)}")
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(targets), use_dora=use_dora, init_lora_weights="gaussian")
    required = {name: value.requires_grad for name, value in pipe.unet.named_parameters()}
    dtype, training = pipe.unet.conv_in.weight.dtype, pipe.unet.training
    pipe.unet.requires_grad_(False)
    if choose_precision(pipe.unet.device, dtype) == "no":
        set_dtype(pipe.unet, torch.float32)
    try:
        torch.manual_seed(seed)
        with explained():
            pipe.unet.add_adapter(config)
        for value in pipe.unet.parameters():
            if value.requires_grad:
                value.data = value.data.float()  # in half precision small updates would be rounded away
        yield config
    finally:
        if getattr(pipe.unet, "peft_config", None):
            pipe.unload_lora_weights()
        set_dtype(pipe.unet, dtype)
        pipe.unet.train(training)
        for name, value in pipe.unet.named_parameters():
            value.requires_grad_(required[name])


@contextmanager
def explained():
    """Say what to do where peft meets a torchao that it cannot work with, as on Colab; the course uses no torchao."""
    try:
        yield
    except ImportError as error:
        if "torchao" not in str(error):
            raise
        raise ImportError(
            f"peft cannot work beside this torchao ({str(error).splitlines()[0]}): remove it with `pip uninstall -y torchao`, which "
            "nothing here needs, and restart the notebook"
        ) from error


def fit(pipe, run, examples, loss, *, batch, accumulation, settings, validation=None):
    """Train what of a pipeline's U-Net requires gradients, until the run ends.

    What a step sees hangs on the seed and its number alone. So a run that was stopped goes on as if nothing had happened, and a batch is
    the same whether it is computed at once, in parts, or by several processes.

    Args:
        pipe: a pipeline.
        run: a `Run`.
        examples: `Examples`, encoded.
        loss: the `Loss` of the pipeline's U-Net.
        batch: pictures at once.
        accumulation: so many of them per step and process.
        settings: what must not change when the run goes on.
        validation: a `Validation`, or None.
    """
    parameters = [value for value in loss.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=run.lr)
    model, optimizer, _ = run.begin(loss, optimizer, settings, in_part=True)
    share, rank = batch * accumulation, run.accelerator.process_index
    pipe.unet.train()
    for step in run.steps(optimizer, share):
        drawn = examples.draw(step, share * run.accelerator.num_processes, run.seed, len(loss.noise))
        parts = examples.split(drawn, share * rank, share * (rank + 1), batch, run.device)
        run.update_in_parts((model(*part) for part in parts), accumulation)
        if validation and validation.is_due(step + 1):
            with run.pause():
                validation.draw(pipe, run, step + 1)


@check_call("sdlab.train_lora(pipe, 'shoes', 'outputs/shoes')")
def train_lora(
    pipe, images, out, *, rank=8, alpha=16, targets=TARGETS, use_dora=False, steps=3000, minutes=None, batch=2, accumulation=8, lr=1e-4,
    seed=0, save_steps=500, keep=5, validate=(), validate_steps=500, gradient_checkpointing=False,
):  # fmt: skip
    """Train a LoRA on a folder of pictures with captions.

    The same call goes on where it was stopped, and ends with the same weights as if it had not been. `accelerate launch` runs it in
    several processes. `SDLAB_REHEARSAL=5` in the environment cuts it to five seconds.

    Args:
        pipe: a text-to-image pipeline, as `sdlab.load` gives it. It is as it was afterwards: load the LoRA to use it.
        images: a folder; where its captions may be, `sdlab.training.captioned` says.
        out: a folder, for the LoRA, checkpoints, the log and the validation pictures.
        rank: the number of columns of B and rows of A.
        alpha: the factor of B·A is alpha / rank.
        targets: the matrices that get one, by the ends of their names.
        use_dora: train the length of each row of W apart from its direction (DoRA; Liu et al. 2024).
        steps: how many updates.
        minutes: end after so many minutes, if the steps take longer; the learning rate has then fallen to 0 too.
        batch: pictures at once, per process.
        accumulation: so many batches per update.
        lr: the peak learning rate.
        seed: of A's start, the order of the pictures, and the noise.
        save_steps: write a checkpoint after so many steps.
        keep: how many checkpoints to keep.
        validate: prompts to draw on the way, each with two fixed seeds.
        validate_steps: how often.
        gradient_checkpointing: compute activations twice instead of keeping them: less memory, more time.

    Returns:
        A `TrainedLora`.

    Raises:
        TypeError, ValueError: an argument that cannot be; no picture has a caption; a run of other settings is in `out`.
        FileNotFoundError: there is no such folder, or no picture in it that can be read.
        ImportError: peft cannot work beside another package; the message says what to do.
    """
    check_pipeline(pipe)
    check_numbers(
        rank=rank, alpha=alpha, steps=steps, batch=batch, accumulation=accumulation, lr=lr, save_steps=save_steps, keep=keep,
        validate_steps=validate_steps, **({} if minutes is None else {"minutes": minutes}),
    )  # fmt: skip
    targets, validate = ((texts,) if isinstance(texts, str) else tuple(texts) for texts in (targets, validate))
    read, skipped = read_examples(images, native_side(pipe))
    seconds = shorten(math.inf if minutes is None else 60 * minutes)
    settings = {
        "rank": rank, "alpha": alpha, "targets": targets, "use_dora": use_dora, "batch": batch, "accumulation": accumulation,
        "model": fingerprint(pipe), "images": digest(read),
    }  # fmt: skip
    out, precision = Path(out), choose_precision(pipe.device, pipe.unet.dtype)
    with adapter(pipe, rank, alpha, targets, use_dora, seed) as config:
        run = Run(
            out.name, out.parent, None if seconds == math.inf else seconds / 60, lr, seed, precision=precision, limit=steps,
            save_steps=save_steps, keep=keep, log_steps=10, device=pipe.device.type,
        )  # fmt: skip
        run.accelerator.print(f"learning from {len(read):,} pictures", end="; ")
        run.report_skipped(skipped)
        if gradient_checkpointing:
            pipe.unet.enable_gradient_checkpointing()
        try:
            validation = Validation(validate, validate_steps) if validate else None
            loss = Loss(pipe.unet, pipe.scheduler)
            fit(pipe, run, Examples(pipe, read), loss, batch=batch, accumulation=accumulation, settings=settings, validation=validation)
            if run.accelerator.is_main_process:
                save_lora(pipe, config, out / FILE)
        finally:
            if gradient_checkpointing:
                pipe.unet.disable_gradient_checkpointing()
        parameters = sum(value.numel() for value in pipe.unet.parameters() if value.requires_grad)
    run.accelerator.end_training()
    return TrainedLora(out / FILE, parameters, run.step, run.spent, read_log(out), sorted(out.glob("validation-*.png")))


def digest(examples):
    """A word that changes with any picture or caption."""
    whole = hashlib.sha256()
    for one in examples:
        whole.update(one.caption.encode())
        whole.update(one.pixels.numpy().tobytes())
    return f"{len(examples):,} pictures, {whole.hexdigest()[:12]}"


def read_log(folder):
    """The entries of a run's log."""
    file = Path(folder) / "log.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
