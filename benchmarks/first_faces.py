"""The first faces of the bundled model, and every further one: ONNX Runtime beside PyTorch, in one run.

    .venv/bin/python benchmarks/first_faces.py                        # one thread, 5 rounds
    .venv/bin/python benchmarks/first_faces.py --before CHECKOUT      # the command of an earlier build

Cold start: ``facegan generate celeba64 --count 25`` in a process of its own, beside the same work of a model
that ``facegan.load`` has loaded, which PyTorch draws. Speed: CPU seconds of one picture and of a batch of 32,
from latents to uint8. Both sides take turns; ratios are those of the medians. It exits with 1 if a target is
missed, or if a pixel differs by more than one level.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

MODEL, COUNT, BATCH = "celeba64", 25, 32
MOST = {"wall time": 0.3, "peak memory": 0.35, "CPU, one picture": 1 / 2.5, f"CPU, batch of {BATCH}": 1 / 1.1}
"""Measure -> the largest ratio of ONNX Runtime to PyTorch."""
OURS = "import sys; from facegan.cli.main import main; sys.exit(main({words!r}))"
THEIRS = "import facegan; facegan.generate(facegan.load({model!r}), count={count}, out={out!r})"


def started(code: str, checkout: str = "") -> dict[str, float]:
    """Run code in a fresh process, of another checkout if named; return seconds, and peak memory in MiB."""
    environment = {**os.environ, **({"PYTHONPATH": checkout} if checkout else {})}
    begin = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"first_faces: a process ended with {process.returncode}")
    wall = time.perf_counter() - begin
    return {
        "wall time": wall,
        "CPU time": used.ru_utime + used.ru_stime,
        "peak memory": used.ru_maxrss / 1024,
    }


def spent(draw: Callable[[], object], least: float = 0.5) -> float:
    """Return the CPU seconds of one call, over calls that take so many seconds together."""
    begin, calls = time.process_time(), 0
    while time.process_time() - begin < least:
        draw()
        calls += 1
    return (time.process_time() - begin) / calls


def cold(rounds: int, folder: Path, before: str) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """Return the measures of both sides' processes; raise where their pictures differ."""
    from facegan import images

    files = [folder / "ours.png", folder / "theirs.png"]
    words = ["generate", MODEL, "--count", str(COUNT), "--out"]
    theirs_code = THEIRS.format(model=MODEL, count=COUNT, out=str(files[1]))
    theirs_code = OURS.format(words=[*words, str(files[1])]) if before else theirs_code
    ours, theirs = [], []
    for turn in range(rounds + 1):
        found = started(OURS.format(words=[*words, str(files[0])]))
        other = started(theirs_code, before)
        if turn:  # the first only fills the caches of the disk
            ours.append(found)
            theirs.append(other)
    pictures = [images.read_image_file(file).astype(int) for file in files]
    check(np.abs(pictures[0] - pictures[1]).max(), "of the files")
    return ours, theirs


def check(difference: int, what: str) -> None:
    if difference > 1:
        sys.exit(f"first_faces: pixels {what} differ by {difference} levels")


def warm(rounds: int) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """Return the CPU seconds a picture of both sides."""
    import torch

    import facegan
    from facegan.models import as_sampler

    torch.set_num_threads(1)
    sides = as_sampler(MODEL), facegan.load(MODEL)
    z = sides[0].latents(range(BATCH))
    check(np.abs(sides[0].images(z).astype(int) - sides[1].images(z)).max(), "of a batch")
    found: tuple[list[dict[str, float]], list[dict[str, float]]] = ([], [])
    for _ in range(rounds):
        for side, kept in zip(sides, found, strict=True):
            one, many = spent(lambda m=side: m.images(z[:1])), spent(lambda m=side: m.images(z)) / BATCH
            kept.append({"CPU, one picture": one, f"CPU, batch of {BATCH}": many})
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--before", default="", help="a checkout whose command the cold start is beside")
    options = parser.parse_args()
    rounds = options.rounds
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        measured = [cold(rounds, Path(folder), options.before), warm(rounds)]
    print(f"{'':<20}{'ONNX Runtime':>14}{'PyTorch':>12}{'ratio':>8}{'most':>8}")
    missed = 0
    for ours, theirs in measured:
        for name in ours[0]:
            a, b = (statistics.median(side[name] for side in sides) for sides in (ours, theirs))
            scale, unit = (1, "MiB") if "memory" in name else (1000, "ms")
            most = f"{MOST[name]:.2f}" if name in MOST else "-"
            print(f"{name:<20}{scale * a:>10.1f} {unit:<3}{scale * b:>8.1f} {unit:<3}{a / b:>8.2f}{most:>8}")
            missed += name in MOST and a / b > MOST[name]
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
