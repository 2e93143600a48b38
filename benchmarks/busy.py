"""Training beside another program that keeps a core busy: this checkout and another one, in turns.

Without another checkout the other side is this one with torch's own threads: two, which wait as its OpenMP
library does by default.

Each of them trains the same recipe on drawn portraits, as its command does, on two cores: alone, beside one
busy process that is there before it, and beside one that comes later. Pictures a second count from the first
update that was told, over so many seconds.

    git worktree add /tmp/other 4b1f1a9
    python benchmarks/busy.py [/tmp/other] [--rounds 5] [--seconds 15]

Exit code 1 says that beside a busy process less than 45% of the idle speed is left, or that this checkout is
more than 2% slower than the other one when idle.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from facegan.data.prepare import prepare
from facegan.demo.portraits import write_portraits
from facegan.machine import cores
from facegan.recipes.table import recipe

HERE = Path(__file__).resolve().parents[1]
STATES = ("idle", "busy before", "busy later")
LEFT, SLOWER = 0.45, 0.02
STOCK = {"OMP_NUM_THREADS": "2", "GOMP_SPINCOUNT": "300000", "KMP_BLOCKTIME": "200"}
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


@contextlib.contextmanager
def running(command: list[str], **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block."""
    process = subprocess.Popen(command, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def lines(run: Path) -> list[dict[str, float]]:
    """What the run has told of its updates so far."""
    try:
        told = [
            json.loads(line)
            for line in (run / "stats.jsonl").read_text().splitlines(keepends=True)
            if line.endswith("\n")
        ]
    except OSError:
        return []
    return [line for line in told if line["seconds"] > 0]


def speed(
    checkout: Path, given: dict[str, str], dataset: Path, name: str, state: str, seconds: float
) -> float:
    """Pictures a second of ``facegan train`` of that checkout, with the variables ``given``."""
    batch = recipe(name).batch
    clean = {k: v for k, v in os.environ.items() if k not in THREADS}
    environment = {**clean, **given, "PYTHONPATH": str(checkout)}
    busy = [sys.executable, "-c", "while True: pass"]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        run = Path(folder) / "run"
        if state == "busy before":
            stack.enter_context(running(busy))
        # 400 lines are told of a run: so long that there is one for each update, and nothing else is done.
        command = [sys.executable, "-m", "facegan.cli.main", "train", str(dataset), "--recipe", name]
        command += ["--kimg", str(0.4 * batch), "--grid-kimg", "1e6", "--checkpoint-kimg", "1e6"]
        command += [
            "--quality-count",
            "0",
            "--no-tensorboard",
            "--quiet",
            "--device",
            "cpu",
            "--out",
            str(run),
        ]
        training = stack.enter_context(running(command, env=environment, cwd=folder))
        while not lines(run):
            if training.poll() is not None:
                raise SystemExit(f"{checkout}: training ended with {training.returncode} before it began")
            time.sleep(0.1)
        if state == "busy later":
            stack.enter_context(running(busy))
        begun = lines(run)[-1]
        time.sleep(seconds)
        while (told := lines(run)[-1])["seconds"] <= begun["seconds"]:
            time.sleep(0.1)
        return (told["images_seen"] - begun["images_seen"]) / (told["seconds"] - begun["seconds"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path, nargs="?", help="another checkout, such as a worktree")
    parser.add_argument("--recipe", default="faces-tiny-32")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    if cores() != 2:
        raise SystemExit("this needs two cores")
    other = (args.other.resolve(), {}) if args.other else (HERE, STOCK)
    builds: dict[str, tuple[Path, dict[str, str]]] = {"other": other, "this": (HERE, {})}
    found: dict[tuple[str, str], list[float]] = {(b, s): [] for b in builds for s in STATES}
    with tempfile.TemporaryDirectory() as folder:
        side = recipe(args.recipe).size
        write_portraits(Path(folder) / "photos", 200, 0, size=side)
        dataset = prepare([Path(folder) / "photos"], Path(folder) / "data", crop="none", size=side).path
        for turn in range(args.rounds):
            for state in STATES:
                for build, way in builds.items():
                    value = speed(*way, dataset, args.recipe, state, args.seconds)
                    found[build, state].append(value)
                    print(f"{turn + 1}: {build}, {state}: {value:.1f} img/s", file=sys.stderr, flush=True)
    middle = {key: statistics.median(values) for key, values in found.items()}
    print(f"{args.recipe}, two cores, median of {args.rounds}; img/s and share of the own idle speed")
    print(f"{'':<8}" + "".join(f"{state:>20}" for state in STATES))
    for build in builds:
        cells = (f"{middle[build, s]:8.1f} ({middle[build, s] / middle[build, 'idle']:4.0%})" for s in STATES)
        print(f"{build:<8}" + "".join(f"{cell:>20}" for cell in cells))
    idle = middle["this", "idle"] / middle["other", "idle"]
    left = middle["this", "busy before"] / middle["this", "idle"]
    print(
        f"idle, this to the other: {idle:.3f} (at least {1 - SLOWER}); beside a busy process: {left:.2f} "
        f"of idle (at least {LEFT})"
    )
    return int(left < LEFT or idle < 1 - SLOWER)


if __name__ == "__main__":
    raise SystemExit(main())
