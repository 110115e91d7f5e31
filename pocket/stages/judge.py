"""Stage 2, the first judge: learn to name what true pictures show. `python -m pocket.stages.judge`.

The strict one begins with what it knows.
"""

import torch
from safetensors.torch import load_file, save_file

from pocket.ruler import first_judge as judging
from pocket.stages.command import stage
from pocket.stages.settings import list_settings
from pocket.world.stream import batches, to_unit
from sdlab.scratch.muon import Muon, groups
from sdlab.training.run import Run


def train(config, folder, minutes, seed=0, start=None):
    """Train for `minutes`, from the weights in `start` if given, and write `folder/judge/judge.safetensors`."""
    run = Run("judge", folder, minutes, lr := 1e-3, seed)
    torch.manual_seed(seed)
    judge = judging.Judge(config).to(run.device)
    if start:
        judge.load_state_dict(load_file(start))
    model, optimizer, _ = run.begin(
        judge, Muon(groups(judge), lr=lr), list_settings(config, "side", "mix", "judge_width", "judge_batch", start=start)
    )
    stream = batches(config, config.judge_batch, seed + 10, run.accelerator.process_index, run.step, mix=judging.mix_for_judge(config.mix))
    for _ in run.steps(optimizer, config.judge_batch):
        pictures, scenes = next(stream)
        truth = {head: answers.to(run.device) for head, answers in judging.labels(config, scenes).items()}
        run.update(model(to_unit(pictures, run.device), truth))
    if run.accelerator.is_main_process:
        judge.eval()
        pictures, scenes = next(batches(config, 1024, seed + 999, mix=judging.mix_for_judge(config.mix)))
        scores = judging.accuracy(judging.opinion(judge, to_unit(pictures)), config, scenes)
        run.log(**{f"real_{head}": score for head, score in scores.items()})
        weights = {name: v.cpu().half() if v.is_floating_point() else v.cpu() for name, v in judge.state_dict().items()}
        save_file({name: v.contiguous() for name, v in weights.items()}, run.folder / "judge.safetensors")
        print("judge, on held-out true pictures:", ", ".join(f"{h} {s:.1%}" for h, s in scores.items()))
    run.accelerator.end_training()


if __name__ == "__main__":
    stage(train, "judge_minutes")
