"""How long ``facegan --help`` and ``import facegan`` take, against Python's own start.

    python benchmarks/startup.py [RUNS]

Each is a fresh process; the table shows medians of wall and CPU seconds. Exits with 1 where a wall
time is over its target.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time

PYTHON = sys.executable
CASES: list[tuple[str, list[str], float | None]] = [  # name, command, target in wall seconds
    ("python -c pass", [PYTHON, "-c", "pass"], None),
    ("import facegan", [PYTHON, "-c", "import facegan"], 0.2),
    ("facegan --help", [PYTHON, "-m", "facegan.cli.main", "--help"], 0.5),
    ("facegan recipes", [PYTHON, "-m", "facegan.cli.main", "recipes"], None),
    ("facegan train --help", [PYTHON, "-m", "facegan.cli.main", "train", "--help"], None),
]


def cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(command: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of one run."""
    cpu, wall = cpu_of_children(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - wall, cpu_of_children() - cpu


def main(runs: int = 11) -> int:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name, _, _ in CASES}
    for _, command, _ in CASES:
        measure(command)  # fills the disk cache and writes the .pyc files
    for _ in range(runs):  # in turns, so that a busy moment of the machine meets all of them
        for name, command, _ in CASES:
            times[name].append(measure(command))
    print(f"{'median of ' + str(runs):<22}{'wall s':>8}{'CPU s':>8}{'target':>8}")
    late = False
    for name, _, target in CASES:
        wall, cpu = (statistics.median(values) for values in zip(*times[name], strict=True))
        late |= target is not None and wall > target
        print(f"{name:<22}{wall:>8.3f}{cpu:>8.3f}{target or '':>8}")
    return int(late)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
