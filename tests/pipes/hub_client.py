"""A student's Python that asks the Hub: reads commands as lines of JSON, does them with the unmodified libraries, answers as lines of JSON.

It is a process of its own, because huggingface_hub reads its environment once, when it is imported.
"""

import json
import sys
import time
import warnings
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import torch

import sdlab
from sdlab.pipes.models import name_of, recommend
from sdlab.pipes.previews import look_at


@contextmanager
def full_disk(wanted):
    """Let downloads be written where the disk is always full, if that is wanted: the error is the system's own."""
    plain = Path.open

    def opened(path, *arguments, **named):
        return plain(Path("/dev/full") if path.name.endswith(".incomplete") else path, *arguments, **named)

    with patch.object(Path, "open", opened if wanted else plain):
        yield


def act(command):
    """Load the model that a command names, and draw with it if it says so: what came of it."""
    start = time.perf_counter()
    said, heard = [], StringIO()
    try:
        with redirect_stderr(StringIO()) as heard, full_disk(command.get("full")), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            dtype = getattr(torch, command.get("dtype", "float32"))
            options = {name: command[name] for name in ("local_files_only", "safety_checker") if name in command}
            pipe = sdlab.load(command.get("model"), device="cpu", dtype=dtype, **options)
            look = {}
            if command.get("look"):
                sdlab.generate(
                    pipe, "a lion", steps=2, progress=False, on_step=lambda step, latents: look.update(at=look_at(pipe, latents))
                )
            said = [str(one.message) for one in caught]
        found = {
            "class": type(pipe).__name__, "name": name_of(pipe), "vae": pipe.vae.config._name_or_path, "recommends": recommend(pipe),
            "sampler": type(pipe.scheduler).__name__, "adapters": pipe.get_active_adapters(),
            "checker": bool(getattr(pipe, "safety_checker", None)), "look": [image.size for image in look.get("at", [])],
        }  # fmt: skip
        if command.get("draw"):
            run = sdlab.generate(pipe, "a lion", steps=2, seed=1, progress=False)
            found |= {"pixels": hash(run.image.tobytes()), "size": run.image.size}
    except Exception as error:
        causes = []
        while error is not None:
            causes.append({"type": type(error).__name__, "says": str(error)})
            error = error.__cause__
        found = {"error": causes[0], "causes": causes[1:]}
    return {**found, "seconds": time.perf_counter() - start, "warned": said, "heard": heard.getvalue()}


def main():
    """Until there are no more commands."""
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(act(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
