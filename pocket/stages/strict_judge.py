"""The strict judge: name what pictures show, or answer "none of these". `python -m pocket.stages.strict_judge`.

It begins as the judge of `pocket.stages.judge`, which knows the things but looks at 64 pixels and has no such answer, and learns from the
pictures of `pocket.stages.exam`. The pool of the model's own pictures is made first, once, where it is not there yet:
`python -m pocket.stages.weak_samples`.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from pocket.ruler import prompts
from pocket.ruler.first_judge import load as load_first
from pocket.ruler.judge import ask
from pocket.stages.command import stage
from pocket.stages.denoising import CONTINUED
from pocket.stages.exam import LOOKED, Examiner, labels
from pocket.stages.settings import digest, list_settings
from pocket.stages.weak_samples import load_pool
from pocket.world.scene import Inventor
from pocket.world.stream import batches, to_unit
from pocket.world.words import BACKGROUNDS, COLOURS, STYLES
from sdlab.assets import ASSETS
from sdlab.scratch.muon import Muon, groups
from sdlab.study import judge as judging
from sdlab.study.judge import CLASSES, HEADS, NONE, PROMPTS, SIDE, WEIGHTS, Judge, opinion
from sdlab.system.device import has_bf16
from sdlab.training.run import Run

BATCH = 64
TRAINING = "training.json"  # the runs of a judge, beside its weights: a list of minutes and samples
AGAIN = 3  # times that each picture is learned from; to draw it costs more than to learn from it once


def classes_of(config):
    """What each head of a configuration's judge can answer: `{head: [names]}`."""
    names = {"object": [*Inventor(config.mix).names, NONE], "style": STYLES, "background": BACKGROUNDS, "colour": COLOURS}
    return {head: list(names[head]) for head in HEADS}


@torch.no_grad()
def travel(vae, pictures):
    """Pictures in −1…1, (B, 3, 128, 128), after a trip through the autoencoder at half the size, enlarged again."""
    small = F.interpolate(pictures, scale_factor=0.5, mode="bicubic", antialias=True).clamp(-1, 1)
    with torch.autocast(pictures.device.type, torch.bfloat16, enabled=has_bf16(pictures.device)):
        made = vae.decode(vae.encode(small).latent_dist.mean).sample
    return judging.resize(made.float().clamp(-1, 1))


@torch.no_grad()
def grow(judge, old):
    """Let a `Judge` begin as the judge of 64 pixels, `old`: a patch of two by two pixels counts as the mean that `old` would see.

    The answer "none of these" begins with no evidence for it.
    """
    weights, before = judge.state_dict(), old.state_dict()
    stem = "trunk.embedder.embedder.convolution.weight"
    before[stem] = before[stem].repeat_interleave(2, 2).repeat_interleave(2, 3) / 4  # (32, 3, 7, 7) → (32, 3, 14, 14)
    for name, value in before.items():
        (weights[name][: len(value)] if value.ndim else weights[name]).copy_(value)
    weights["heads.object.weight"][-1:].zero_()
    weights["heads.object.bias"][-1:] = before["heads.object.bias"].min()


def shift(pictures):
    """Each picture of a batch moved by up to a 16th of its side and scaled by up to a tenth, mirrored at its rim."""
    count = len(pictures)
    turn = torch.zeros(count, 2, 3, device=pictures.device)
    turn[:, 0, 0] = turn[:, 1, 1] = torch.empty(count, device=pictures.device).uniform_(0.9, 1.1)
    turn[:, :, 2].uniform_(-0.125, 0.125)  # in halves of the side
    grid = F.affine_grid(turn, pictures.shape, align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


def again(vae, pictures, exam):
    """A batch once more: moved, half of it mirrored, and half after a trip through the autoencoder, but not what the model itself made."""
    later = shift(pictures)
    later[::2] = later[::2].flip(3)
    for part in torch.randperm(len(exam))[: len(exam) // 2].split(16):
        part = [i for i in part.tolist() if exam[i].kind not in ("weak sample", "repainted", LOOKED)]
        if part:
            later[part] = travel(vae, later[part])
    return later


def score(judge, config, pool, seed, count=1024, batch=64):
    """How a judge does on fresh pictures: `{what: share}`, the things of true ones and each kind of none apart."""
    examiner, right = Examiner(config, pool, none_share=0.5), {}
    stream = batches(replace(config, side=SIDE), batch, seed, paint=examiner.paint, invent=examiner.invent)
    for _ in range(count // batch):
        pictures, exam = next(stream)
        found = opinion(judge, to_unit(pictures))
        truth = labels(judge.classes, exam)
        for i, shown in enumerate(exam):
            seen = {judge.classes["object"][n] for n in found["object"][i].topk(len(shown.answers)).indices}
            right.setdefault(shown.source or shown.kind, []).append(seen == set(shown.answers))
            for head in HEADS[1:]:
                if truth[head][i] >= 0:
                    right.setdefault(head, []).append(bool(found[head][i].argmax() == truth[head][i]))
    return {what: sum(values) / len(values) for what, values in sorted(right.items())}


def keep(judge, config, folder):
    """Write a judge as it ships: weights in float16, its classes, and the prompts it knows."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: v.detach().cpu().half() if v.is_floating_point() else v.cpu() for name, v in judge.state_dict().items()}
    save_file({name: v.contiguous() for name, v in weights.items()}, folder / WEIGHTS)
    (folder / CLASSES).write_text(json.dumps(judge.classes, indent=1) + "\n", encoding="utf-8")
    rows = [asdict(one) for one in ask(prompts.one_thing(config.mix, 256)) + ask(prompts.two_things(config.mix, 128))]
    (folder / PROMPTS).write_text(json.dumps(rows, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")


def tell_runs(run, start):
    """Every run of a judge: those of the one it began with, and this one."""
    before = start and Path(start).parent / TRAINING
    earlier = json.loads(before.read_text(encoding="utf-8")) if before and before.exists() else []
    return [*earlier, {"minutes": round(run.spent, 3), "samples": run.samples}]


def train(config, folder, minutes, seed=0, start=None):
    """Train for `minutes`, from the weights in `start` if given, and write `folder/strict_judge/judge`."""
    lr = 1e-3 * (CONTINUED if start else 1)
    run = Run("strict_judge", folder, minutes, lr, seed)
    torch.manual_seed(seed)
    pool = load_pool(folder / "weak_samples")
    vae = AutoencoderKL.from_pretrained(ASSETS / "pocket", subfolder="vae").to(run.device).eval().requires_grad_(False)
    judge = Judge(classes_of(config)).to(run.device)
    if start:
        judge.load_state_dict(load_file(start))
    elif (old := load_first(config, folder)) is not None:
        grow(judge, old)
    samples = {f"weak {kind}": digest(folder / "weak_samples" / f"{kind}.npy") for kind in pool}
    settings = {**list_settings(config, "mix", start=start), "batch": BATCH, "again": AGAIN, **samples}
    model, optimizer, _ = run.begin(judge, Muon(groups(judge), lr=lr), settings)
    first = run.step
    examiner = Examiner(config, pool)
    stream = batches(
        replace(config, side=SIDE), BATCH, seed + 40, run.accelerator.process_index, run.step, paint=examiner.paint, invent=examiner.invent
    )
    for step in run.steps(optimizer, BATCH):
        if step % AGAIN == 0 or step == first:
            drawn, exam = next(stream)
            pictures, truth = to_unit(drawn, run.device), {h: t.to(run.device) for h, t in labels(judge.classes, exam).items()}
            run.update(model(pictures, truth))
        else:
            run.update(model(again(vae, pictures, exam), truth))
    if run.accelerator.is_main_process:
        judge.eval()
        keep(judge, config, run.folder / "judge")
        (run.folder / "judge" / TRAINING).write_text(json.dumps(tell_runs(run, start), indent=1) + "\n", encoding="utf-8")
        scores = score(judge, config, pool, seed + 999)
        run.log(**{f"fresh_{what}": share for what, share in scores.items()})
        print("strict judge, on fresh pictures:", ", ".join(f"{what} {share:.1%}" for what, share in scores.items()))
    run.accelerator.end_training()


if __name__ == "__main__":
    stage(train, "strict_minutes")
