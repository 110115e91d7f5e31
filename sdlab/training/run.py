"""What every training stage shares: a run that stops on time, resumes, and survives being killed at any moment.

Progress is measured in minutes, so that the same recipe fits a laptop and a short GPU lease, or in steps, so that it can be repeated
exactly, or in whichever of both ends first: the learning rate warms up and decays along the share that is done, counted over all
resumed parts.
"""

import math
import re
import shutil
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from accelerate.utils import broadcast, set_seed
from diffusers.training_utils import EMAModel
from tqdm.auto import tqdm

from sdlab.system.device import has_bf16, synchronize
from sdlab.system.folders import replace_folder, restore_folder
from sdlab.training.in_part import keep_only_what_is_trained
from sdlab.training.log import append_entry, forget_later_losses
from sdlab.training.precision import accelerate
from sdlab.training.settings import refuse_other_settings, write_settings

LOG_STEPS = 50  # one entry of the log for so many updates
LONGEST_STEP = 60  # seconds; a longer one means that the machine slept or the process was stopped, which is not training
LOG = "log.jsonl"
WARM_UP = 100  # steps until the learning rate is at its peak; a tenth of all where they are fewer than a thousand

BARS = {
    "minutes": "{desc} {percentage:3.0f}%|{bar}| {n:.1f}/{total:.1f} min {postfix}",
    "steps": "{desc} {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} steps {postfix}",
}


class Run:
    """One stage of training.

    Args:
        name: the stage; also its folder under `folder`.
        folder: where checkpoints, logs and results go.
        minutes: how long to train in all, resumed parts included; None for as long as the steps take.
        lr: the peak learning rate.
        seed: of the model's start and of the noise.
        decay: "cosine" or "linear", both to zero at the end.
        save_minutes: how often to write a checkpoint, if `save_steps` does not say it.
        precision: Accelerate's mixed precision, "bf16", "fp16" or "no"; "no" where the device only imitates bf16.
        limit: how many steps to take in all; None for as many as the minutes allow.
        save_steps: write a checkpoint after so many steps, and not by the clock.
        keep: how many checkpoints to keep. One is called `checkpoint`, several have the step in their names.
        log_steps: one entry of the log for so many updates.
        device: where to train, "cuda", "mps" or "cpu"; default: a CUDA GPU, else the CPU.
    """

    def __init__(
        self, name, folder, minutes, lr, seed=0, decay="cosine", save_minutes=3, precision="bf16",
        *, limit=None, save_steps=None, keep=1, log_steps=LOG_STEPS, device=None,
    ):  # fmt: skip
        self.folder = Path(folder) / name
        self.folder.mkdir(parents=True, exist_ok=True)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        if precision == "bf16" and not has_bf16(device):
            precision = "no"
        self.accelerator = accelerate(precision, self.folder, device)
        self.accelerator.init_trackers("log")
        set_seed(seed, device_specific=True)
        self.name, self.minutes, self.lr, self.seed, self.decay, self.save_minutes = name, minutes, lr, seed, decay, save_minutes
        self.limit, self.save_steps, self.keep, self.log_steps = limit, save_steps, keep, log_steps
        self.step, self.spent, self.samples = 0, 0.0, 0
        self._saved, self._losses, self._entries, self._clock = 0.0, [], 0, time.monotonic()

    @property
    def device(self):
        """Where the models live."""
        return self.accelerator.device

    @property
    def checkpoint(self):
        """The folder of the last checkpoint."""
        return self.folder / "checkpoint" if self.keep == 1 else next(reversed(self._kept()), self._place())

    def _place(self):
        """Where a checkpoint of this step goes."""
        return self.folder / ("checkpoint" if self.keep == 1 else f"checkpoint-{self.step:06d}")

    def _kept(self):
        """The checkpoints with a step in their names, the oldest first."""
        numbered = [place for place in self.folder.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d{6,}", place.name)]
        return sorted(numbered, key=lambda place: int(place.name.removeprefix("checkpoint-")))

    @property
    def progress(self):
        """The share of the training that is done, 0…1: of its minutes or of its steps, whichever is more."""
        return max(self.spent / self.minutes if self.minutes else 0.0, self.step / self.limit if self.limit else 0.0)

    @property
    def own_seed(self):
        """A seed that no other process has, and another one after each resume."""
        return self.seed + 1000 * self.accelerator.process_index + self.step

    def begin(self, model, optimizer, settings=None, in_part=False):
        """Prepare for training and load the last checkpoint, if there is one.

        Args:
            model: a module whose `forward` gives the loss.
            optimizer: over its parameters.
            settings: what else must not change when the run is resumed, as JSON can hold it: the batch, sizes, which pictures. The
                learning rate, its decay, the seed and the number of processes, which share the batch, are always among it. The minutes
                and steps may change, for more of them is what one resumes for; the precision too, for it belongs to the machine.
            in_part: only the parameters that require gradients are trained: the others are in no checkpoint, and there is no average.

        Returns:
            The prepared model, the prepared optimizer, and an `EMAModel` of the parameters with diffusers' warm-up rule, or None.

        Raises:
            OtherSettings: the checkpoint was trained with others.
        """
        self._settings = {
            "lr": self.lr, "decay": self.decay, "seed": self.seed, "processes": self.accelerator.num_processes, **(settings or {}),
        }  # fmt: skip
        average = None if in_part else EMAModel(model.parameters(), decay=0.9999)
        plain = model
        model, optimizer = self.accelerator.prepare(model, optimizer)
        self._training = plain, model, optimizer, average
        if in_part:
            keep_only_what_is_trained(self.accelerator, plain)
            self.accelerator.register_for_checkpointing(self)
        else:
            average.to(self.device)
            self.accelerator.register_for_checkpointing(self, average)
        if self.accelerator.is_main_process:
            restore_folder(self.checkpoint)
        self.accelerator.wait_for_everyone()
        if self.checkpoint.exists():
            refuse_other_settings(self.checkpoint, self._settings)
            self.accelerator.load_state(self.checkpoint)
            if average:
                average.to(self.device)  # its copy in the checkpoint is read to the CPU
            of_all = f"of {self.limit}" if self.limit else f"{self.spent:.1f} of {self.minutes} minutes spent"
            self.accelerator.print(f"{self.name}: resumed at step {self.step}{' ' if self.limit else ', '}{of_all}")
            if self.accelerator.is_main_process and self._entries is not None:
                forget_later_losses(self.folder / LOG, self._entries)
        torch.manual_seed(self.own_seed)  # so far all processes drew the same numbers, and so began with the same weights
        return model, optimizer, average

    def update(self, loss):
        """One update from a loss: the gradients, clipped to norm 1, the optimizer's step, and the average of the weights.

        Every `log_steps` updates, and at the end, the mean loss since the last entry, over all processes, goes to the log.
        """
        self.accelerator.backward(loss)
        self._apply(loss.detach())

    def update_in_parts(self, losses, count):
        """One update from the mean of several losses: those of a batch that is too large to be held at once.

        Args:
            losses: an iterator, which computes each when it is asked for; `update` says the rest.
            count: how many.
        """
        total = 0.0
        for part in range(count):
            with nullcontext() if part + 1 == count else self.accelerator.no_sync(self._training[1]):  # processes meet at the last
                loss = next(losses) / count
                self.accelerator.backward(loss)
            total = total + loss.detach()
        self._apply(total)

    def _apply(self, loss):
        plain, _, optimizer, average = self._training
        self.accelerator.clip_grad_norm_(plain.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if average:
            average.step(plain.parameters())
        self._losses.append(loss)
        if len(self._losses) == self.log_steps:
            self._log_loss()

    def _log_loss(self):
        self.log(loss=self.accelerator.reduce(torch.stack(self._losses).mean(), "mean").item())
        self._losses.clear()

    def state_dict(self):
        """What Accelerate stores beside the models."""
        waiting = [loss.item() for loss in self._losses]  # for the next entry of the log
        return {"step": self.step, "spent": self.spent, "samples": self.samples, "waiting": waiting, "entries": self._entries}

    def load_state_dict(self, state):
        """Take up where the checkpoint ended."""
        state = dict(state)
        self._losses = [torch.tensor(loss, device=self.device) for loss in state.pop("waiting", [])]
        self._entries = state.pop("entries", None)  # older checkpoints do not tell
        self.__dict__.update(state)
        self._saved = self.spent

    def save(self):
        """Write a checkpoint beside the last one and let it take its place; a kill at any moment leaves one of them whole.

        Where several are kept, the oldest goes when there are too many.
        """
        place, partial = self._place(), self.folder / "checkpoint.partial"
        if self.keep > 1 and place.exists():
            return  # of this very step
        if self.accelerator.is_main_process and partial.exists():
            shutil.rmtree(partial)
        self.accelerator.wait_for_everyone()
        self.accelerator.save_state(partial)
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            write_settings(partial, self._settings)
            replace_folder(place, partial)
            for old in self._kept()[: -self.keep] if self.keep > 1 else []:
                old.rename(partial)  # so that no half of it can be taken for a checkpoint
                shutil.rmtree(partial)
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
        """Yield step numbers until the minutes are spent or the steps taken; sets the learning rate before each, saves and logs between.

        What the caller does between two numbers counts as training, but for what it does in `pause`. Checkpoints do not count.
        """
        self._clock = time.monotonic()
        total, unit = (self.minutes, "minutes") if self.minutes else (self.limit, "steps")
        bar = tqdm(total=total, initial=min(self._done(), total), desc=self.name, mininterval=5,
                   disable=not self.accelerator.is_main_process, bar_format=BARS[unit])  # fmt: skip
        warm_up = min(WARM_UP, max(1, self.limit // 10)) if self.limit else WARM_UP
        while (progress := self.progress) < 1:
            tail = 0.5 * (1 + math.cos(math.pi * progress)) if self.decay == "cosine" else 1 - progress
            for group in optimizer.param_groups:
                group["lr"] = self.lr * min(1.0, (self.step + 1) / warm_up) * tail
            yield self.step
            self.step += 1
            self.samples += batch * self.accelerator.num_processes
            now = time.monotonic()
            self.spent += min(now - self._clock, LONGEST_STEP) / 60
            self._clock = now
            if self.accelerator.num_processes > 1:  # one clock for all, or the learning rates would part
                self.spent = broadcast(torch.tensor(self.spent, device=self.device)).item()
            bar.set_postfix_str(f"step {self.step}, {self.samples / max(self.spent, 1e-6) / 60:.0f} samples/s", refresh=False)
            bar.update(min(self._done(), total) - bar.n)
            if self.progress < 1 and self._is_time_to_save():
                with self.pause():
                    self.save()
        if self._losses:
            self._log_loss()
        self.save()
        bar.close()

    def _is_time_to_save(self):
        return self.step % self.save_steps == 0 if self.save_steps else self.spent - self._saved > self.save_minutes

    def _done(self):
        """What the bar counts: minutes, or steps where there are no minutes."""
        return self.spent if self.minutes else self.step

    def report_skipped(self, skipped):
        """Tell how many pictures of a folder were left out, and in `skipped.txt` which and why: `[(path, reason)]`."""
        self.accelerator.print(f"{len(skipped)} left out")
        if skipped and self.accelerator.is_main_process:
            file = self.folder / "skipped.txt"
            file.write_text("".join(f"{path}: {reason}\n" for path, reason in skipped), encoding="utf-8")
            print(f"{file} says which and why")

    def log(self, **values):
        """Send numbers to the tracker, and append them to `log.jsonl`, where the documentation's curves come from."""
        self.accelerator.log(values, step=self.step)
        self._entries = None if self._entries is None else self._entries + 1
        if self.accelerator.is_main_process:
            entry = {"step": self.step, "minutes": round(self.spent, 3), "samples": self.samples, **values}
            append_entry(self.folder / LOG, entry)
