"""How fast is it here? Import, load, a picture, the world: `python -m benchmarks.speed`, or `make bench`.

Prints a table of medians over repeated runs. Nothing is asserted: a clock belongs in a benchmark, not in a test.
"""

import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from os import cpu_count

import numpy as np

from sdlab.system import device


def in_a_fresh_python(code, setup="", repeats=3):
    """Median seconds that `code` takes in new interpreters, by their own clock, after `setup`, which is not counted."""
    timed = f"import time\n{setup}\nstart = time.perf_counter()\n{code}\nprint(time.perf_counter() - start)"
    runs = [subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True) for _ in range(repeats)]
    return statistics.median(float(run.stdout.split()[-1]) for run in runs)


def picture_seconds(repeats=5):
    """Median seconds of a guided 25-step picture, after one for warming up, and of its decoding."""
    import sdlab
    from sdlab.bench.clock import time_call

    pipe = sdlab.load()
    pipe.set_progress_bar_config(disable=True)
    asked = {"prompt": "a lion on the beach, cartoon", "num_inference_steps": 25, "guidance_scale": 7.0}
    samples = [time_call(pipe, pipe.device, **asked)[0] for _ in range(repeats + 1)][1:]
    return (statistics.median(getattr(sample, phase) for sample in samples) for phase in ("total", "decode"))


def draw_many(seed, count=400, side=128):
    """Draw `count` scenes of the whole world; the sprites are decoded before the clock starts."""
    from pocket.world.scene import Inventor, draw

    rng, invent = np.random.default_rng(seed), Inventor()
    scenes = [invent(rng) for _ in range(count)]
    for scene in scenes:
        draw(scene, 0, 32)
    start = time.perf_counter()
    for scene in scenes:
        draw(scene, rng, side)
    return count / (time.perf_counter() - start)


def world_rate():
    """Pictures a second at 128 px with one process a core."""
    cores = cpu_count() or 1
    with ProcessPoolExecutor(cores) as pool:
        return sum(pool.map(draw_many, range(cores)))


def main():
    """Measure and print."""
    picture, decoding = picture_seconds()
    libraries = "import sdlab, sdlab.pipes.generation, diffusers; diffusers.StableDiffusionPipeline"
    rows = [
        ("import sdlab", f"{in_a_fresh_python('import sdlab'):.3f} s", "0.2 s"),
        ("import of the libraries under it", f"{in_a_fresh_python(libraries):.1f} s", "—"),
        ("load the pocket model after that", f"{in_a_fresh_python('sdlab.load()', setup=libraries):.2f} s", "3 s"),
        ("a guided 25-step picture", f"{picture:.2f} s", "1.3 s"),
        ("of that the decoding", f"{1000 * decoding:.0f} ms", "60 ms"),
        ("pictures of the world at 128 px, all cores", f"{world_rate():.0f} a second", "400 a second"),
    ]
    print(device.describe())
    width = max(len(name) for name, _, _ in rows)
    print(f"{'':{width}s}  {'measured':>14s}  {'goal':>12s}")
    for name, measured, goal in rows:
        print(f"{name:{width}s}  {measured:>14s}  {goal:>12s}")


if __name__ == "__main__":
    main()
