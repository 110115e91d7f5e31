"""What every training stage shares: a run that stops on time, resumes, and survives being killed at any moment.

Progress is measured in minutes, not steps, so that the same recipe fits a laptop and a short GPU lease: the learning rate warms
up and decays along the share of the minutes that is spent, counted over all resumed parts.
"""

import json
import math
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, set_seed
from diffusers.training_utils import EMAModel
from tqdm.auto import tqdm

from sdlab.system.calls import brief
from sdlab.system.device import has_bf16, synchronize
from sdlab.system.folders import replace_folder, restore_folder

LOG_STEPS = 50  # one entry of the log for so many updates
LONGEST_STEP = 60  # seconds; a longer one means that the machine slept or the process was stopped, which is not training
SETTINGS = "settings.json"  # in a checkpoint: what it was trained with

BAR = "{desc} {percentage:3.0f}%|{bar}| {n:.1f}/{total:.1f} min {postfix}"


class OtherSettings(ValueError):
    """A run is asked to go on with other settings than it was begun with."""


def _flatten(settings, before=""):
    """Settings inside settings under names with dots: `{"mix": {"flaw": 0.1}}` → `{"mix.flaw": 0.1}`."""
    flat = {}
    for name, value in settings.items():
        flat |= _flatten(value, f"{before}{name}.") if isinstance(value, dict) else {before + name: value}
    return flat


class Run:
    """One stage of training.

    Args:
        name: the stage; also its folder under `folder`.
        folder: where checkpoints, logs and results go.
        minutes: how long to train in all, resumed parts included.
        lr: the peak learning rate.
        seed: of the model's start and of the noise.
        decay: "cosine" or "linear", both to zero at the end.
        save_minutes: how often to write a checkpoint.
        precision: Accelerate's mixed precision, "bf16" or "no"; "no" where the device only imitates bf16.
    """

    def __init__(self, name, folder, minutes, lr, seed=0, decay="cosine", save_minutes=3, precision="bf16"):
        self.folder = Path(folder) / name
        self.folder.mkdir(parents=True, exist_ok=True)
        use_gpu = torch.cuda.is_available()
        if not has_bf16("cuda" if use_gpu else "cpu"):
            precision = "no"
        self.accelerator = Accelerator(mixed_precision=precision, log_with="tensorboard", project_dir=self.folder, cpu=not use_gpu)
        self.accelerator.init_trackers("log")
        set_seed(seed, device_specific=True)
        self.name, self.minutes, self.lr, self.seed, self.decay, self.save_minutes = name, minutes, lr, seed, decay, save_minutes
        self.step, self.spent, self.samples = 0, 0.0, 0
        self._saved, self._losses, self._clock = 0.0, [], time.monotonic()

    @property
    def device(self):
        """Where the models live."""
        return self.accelerator.device

    @property
    def checkpoint(self):
        """The folder of the last checkpoint."""
        return self.folder / "checkpoint"

    @property
    def own_seed(self):
        """A seed that no other process has, and another one after each resume."""
        return self.seed + 1000 * self.accelerator.process_index + self.step

    def begin(self, model, optimizer, settings=None):
        """Prepare for training and load the last checkpoint, if there is one.

        Args:
            model: a module whose `forward` gives the loss.
            optimizer: over its parameters.
            settings: what else must not change when the run is resumed, as JSON can hold it: the batch, sizes, which pictures. The
                learning rate, its decay, the seed and the number of processes, which share the batch, are always among it. The minutes
                may change, for more of them is what one resumes for; the precision too, for it belongs to the machine.

        Returns:
            The prepared model, the prepared optimizer, and an `EMAModel` of the parameters with diffusers' warm-up rule.

        Raises:
            OtherSettings: the checkpoint was trained with others.
        """
        self._settings = {
            "lr": self.lr, "decay": self.decay, "seed": self.seed, "processes": self.accelerator.num_processes, **(settings or {}),
        }  # fmt: skip
        average = EMAModel(model.parameters(), decay=0.9999)
        average.to(self.device)
        plain = model
        model, optimizer = self.accelerator.prepare(model, optimizer)
        self._training = plain, optimizer, average
        self.accelerator.register_for_checkpointing(self, average)
        if self.accelerator.is_main_process:
            restore_folder(self.checkpoint)
        self.accelerator.wait_for_everyone()
        if self.checkpoint.exists():
            self._refuse_other_settings()
            self.accelerator.load_state(self.checkpoint)
            self.accelerator.print(f"{self.name}: resumed at step {self.step}, {self.spent:.1f} of {self.minutes} minutes spent")
        torch.manual_seed(self.own_seed)  # so far all processes drew the same numbers, and so began with the same weights
        return model, optimizer, average

    def _refuse_other_settings(self):
        """Raise `OtherSettings` if the checkpoint was trained with others; one that tells of none is taken as it is."""
        file = self.checkpoint / SETTINGS
        if not file.exists():
            return
        before = _flatten(json.loads(file.read_text(encoding="utf-8")))
        now = _flatten(json.loads(json.dumps(self._settings)))  # tuples become lists there
        others = [
            f"{name} was {brief(before.get(name))} and is now {brief(now.get(name))}"
            for name in dict.fromkeys([*before, *now])
            if before.get(name) != now.get(name)
        ]
        if others:
            raise OtherSettings(
                f"{self.folder} holds a training begun with other settings ({'; '.join(others)}): set them back to go on with it, or "
                "choose another folder to begin anew"
            )

    def update(self, loss):
        """One update from a loss: the gradients, clipped to norm 1, the optimizer's step, and the average of the weights.

        Every `LOG_STEPS` updates, and at the end, the mean loss since the last entry, over all processes, goes to the log.
        """
        model, optimizer, average = self._training
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average.step(model.parameters())
        self._losses.append(loss.detach())
        if len(self._losses) == LOG_STEPS:
            self._log_loss()

    def _log_loss(self):
        self.log(loss=self.accelerator.reduce(torch.stack(self._losses).mean(), "mean").item())
        self._losses.clear()

    def state_dict(self):
        """What Accelerate stores beside the models."""
        return {"step": self.step, "spent": self.spent, "samples": self.samples}

    def load_state_dict(self, state):
        """Take up where the checkpoint ended."""
        self.__dict__.update(state)
        self._saved = self.spent

    def save(self):
        """Write a checkpoint beside the last one and let it take its place; a kill at any moment leaves one of them whole."""
        partial = self.checkpoint.with_name("checkpoint.partial")
        if self.accelerator.is_main_process and partial.exists():
            shutil.rmtree(partial)
        self.accelerator.wait_for_everyone()
        self.accelerator.save_state(partial)
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            (partial / SETTINGS).write_text(json.dumps(self._settings, indent=1) + "\n", encoding="utf-8")
            replace_folder(self.checkpoint, partial)
        self.accelerator.wait_for_everyone()
        self._saved = self.spent

    @contextmanager
    def pause(self):
        """What is done inside the `with` block, such as drawing samples, is not training: its time does not count."""
        synchronize(self.device)  # or the end of the last step would fall into the pause
        start = time.monotonic()
        try:
            yield
        finally:
            synchronize(self.device)
            self._clock += time.monotonic() - start

    def steps(self, optimizer, batch):
        """Yield step numbers until the minutes are spent; sets the learning rate before each, saves and logs between them.

        What the caller does between two numbers counts as training, but for what it does in `pause`. Checkpoints do not count.
        """
        self._clock = time.monotonic()
        bar = tqdm(total=self.minutes, initial=min(self.spent, self.minutes), unit="min", desc=self.name, mininterval=5,
                   disable=not self.accelerator.is_main_process, bar_format=BAR)  # fmt: skip
        while self.spent < self.minutes:
            progress = self.spent / self.minutes
            tail = 0.5 * (1 + math.cos(math.pi * progress)) if self.decay == "cosine" else 1 - progress
            for group in optimizer.param_groups:
                group["lr"] = self.lr * min(1.0, (self.step + 1) / 100) * tail
            yield self.step
            self.step += 1
            self.samples += batch * self.accelerator.num_processes
            now = time.monotonic()
            self.spent += min(now - self._clock, LONGEST_STEP) / 60
            self._clock = now
            if self.accelerator.num_processes > 1:  # one clock for all, or the learning rates would part
                self.spent = broadcast(torch.tensor(self.spent, device=self.device)).item()
            bar.set_postfix_str(f"step {self.step}, {self.samples / max(self.spent, 1e-6) / 60:.0f} samples/s", refresh=False)
            bar.update(min(self.spent, self.minutes) - bar.n)
            if self.spent - self._saved > self.save_minutes:
                with self.pause():
                    self.save()
        if self._losses:
            self._log_loss()
        self.save()
        bar.close()

    def log(self, **values):
        """Send numbers to the tracker, and append them to `log.jsonl`, where the documentation's curves come from."""
        self.accelerator.log(values, step=self.step)
        if self.accelerator.is_main_process:
            with open(self.folder / "log.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps({"step": self.step, "minutes": round(self.spent, 3), "samples": self.samples, **values}) + "\n")
