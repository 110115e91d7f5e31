"""One sweep, drawn by several processes, each on a device of its own, as `accelerate launch` starts them."""

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, parse_flag_from_env
from tqdm.auto import tqdm


def join_processes():
    """What this process is among those that were started with it, and where it draws.

    Returns:
        Accelerate's `PartialState`, and the device: a CUDA GPU of its own; else None, for the best there is, which all then share; or
        "cpu" where the launcher was told so.
    """
    on_cpu = parse_flag_from_env("ACCELERATE_USE_CPU")  # as `accelerate launch --cpu` sets it
    own_gpu = torch.cuda.is_available() and not on_cpu
    state = PartialState(cpu=not own_gpu)  # without a word about CPUs, processes that have no CUDA would not find each other
    return state, str(state.device) if own_gpu else "cpu" if on_cpu else None


def draw_shared(runs, state, progress=True):
    """Draw what a sweep's gallery lacks, each process its share.

    The first process looks what is missing, so that all split the same list. Nobody waits for anybody after that: where a process is
    killed, the others finish theirs, and the next run finds missing what the killed one had not drawn.

    Args:
        runs: a `Sweep` with a gallery, made alike in every process.
        state: Accelerate's `PartialState`.
        progress: let the first process show a bar over its batches.

    Returns:
        How many pictures this process drew.
    """
    plan = [runs.plan(state.num_processes) if state.is_main_process else None]
    broadcast_object_list(plan)
    with state.split_between_processes(plan[0]) as mine:
        for batch in tqdm(mine, unit="batch", desc="sweep", disable=not progress or not state.is_main_process or not mine):
            runs.draw(batch)
    return sum(map(len, mine))
