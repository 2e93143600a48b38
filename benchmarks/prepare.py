"""How much faster two workers prepare than one, and whether memory stays constant.

    python benchmarks/prepare.py [PHOTOS.zip] [--speed 3000] [--memory 1000,9000]
    python benchmarks/prepare.py --against CHECKOUT     # CPU seconds beside another version's

Without photos beside the checkout (../shared/data/celeba-9k.zip) it takes centre crops of drawn noise.

Speed: pictures a second between the first and the last finished chunk, so that start-up is excluded;
the runs take turns (one, two, one, two), and the medians make the ratio. Memory: the largest sum of
the resident sizes (proportional ones, where shared pages are divided among their users) of the main
process and its workers. Exits with 1 where two workers are not 1.6 times one, or where memory at the
last count is more than 1.15 times that at the first.

``--against`` names a checkout of another version (``git worktree add ../old COMMIT``). Both prepare photos
and, where they lie beside the photos, MNIST's digits, in turns; what counts are CPU seconds of all processes
with everything around the work, since a machine is seldom idle.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from facegan.machine import cores

PHOTOS = Path(__file__).resolve().parents[2] / "shared/data/celeba-9k.zip"
TARGET_RATIO, TARGET_MEMORY = 1.6, 1.15
# A fresh process for each run: what an earlier one left in memory does not count for the next.
CHILD = """
import json, sys
from facegan.data.prepare import prepare
if __name__ == "__main__":
    source, out, limit, workers, crop, size = sys.argv[1:]
    times = []
    def note(p):
        if p.stage == "read":
            times.append((p.done, p.seconds))
    options = {"limit": int(limit), "workers": int(workers), "crop": crop, "size": int(size)}
    if crop == "center" and int(size) == 28:
        options["gray"] = True
    data = prepare(source, out, on_progress=note, **options)
    (n0, t0), (n1, t1) = times[0], times[-1]
    print(json.dumps({"rate": (n1 - n0) / max(t1 - t0, 1e-9), "kept": sum(data.counts.values()), "read": n1}))
"""


def family(pid: int) -> list[int]:
    """A process and all of its descendants."""
    found = [pid]
    for one in found:
        try:
            found += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except OSError:
            continue
    return found


def resident(pid: int) -> float:
    """MiB of one process, shared pages divided among their users; 0 if it has gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def run(source: str, limit: int, workers: int, crop: str, size: int) -> dict[str, float]:
    """Rate (pictures a second), pictures kept and read, peak memory in MiB of one run."""
    peak = 0.0
    with tempfile.TemporaryDirectory() as folder:
        arguments = [source, f"{folder}/ds", str(limit), str(workers), crop, str(size)]
        script = Path(folder) / "child.py"  # a file, which spawned workers can import again
        script.write_text(CHILD)
        process = subprocess.Popen(
            [sys.executable, str(script), *arguments], stdout=subprocess.PIPE, text=True, cwd=os.getcwd()
        )
        stop = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not stop.wait(0.2):
                peak = max(peak, sum(map(resident, family(process.pid))))

        watcher = threading.Thread(target=watch)
        watcher.start()
        out, _ = process.communicate()
        stop.set()
        watcher.join()
        if process.returncode:
            raise SystemExit(f"preparing failed with exit code {process.returncode}")
        return {**json.loads(out), "memory": peak}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", default="")
    parser.add_argument("--speed", type=int, default=3000, help="pictures to compare speed on; 0 skips it")
    parser.add_argument("--memory", default="1000,9000", help="counts of pictures; '' skips it")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--crop", default="aligned")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--digits", type=int, default=20000, help="digits to compare on; 0 skips them")
    parser.add_argument("--against", default="", help="a checkout of another version: compare CPU seconds")
    args = parser.parse_args()
    if not args.source and PHOTOS.is_file():
        args.source = str(PHOTOS)
    if args.against:
        return compare(args)
    if args.source:
        return measure(args)
    with tempfile.TemporaryDirectory() as folder:
        args.source, args.crop = f"{folder}/noise.zip", "center"
        draw(args.source, max([args.speed, *map(int, filter(None, args.memory.split(",")))]))
        return measure(args)


def cpu_seconds(checkout: str, source: str, limit: int, crop: str, size: int) -> float:
    """User and system time of preparing with the package in ``checkout`` and two workers, all processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "child.py"
        script.write_text(CHILD)
        command = [sys.executable, str(script), source, f"{folder}/ds", str(limit), "2", crop, str(size)]
        environment = {**os.environ, "PYTHONPATH": checkout}
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(args: argparse.Namespace) -> int:
    """CPU seconds of this version beside another one's, in turns, and the ratio of the least of each."""
    own, digits = str(Path(__file__).resolve().parents[1]), Path(args.source).parent / "mnist"
    works = [(args.source, args.speed, args.crop, args.size)] if args.speed else []
    works += [(str(digits), args.digits, "center", 28)] if digits.is_dir() and args.digits else []
    for source, limit, crop, size in works:
        found: dict[str, list[float]] = {args.against: [], own: []}
        for _ in range(args.repeats):
            for checkout, seconds in found.items():
                seconds.append(cpu_seconds(checkout, source, limit, crop, size))
        old, new = (min(seconds) for seconds in found.values())
        print(
            f"{limit} of {Path(source).name}, crop {crop}, {size} px: {old:.1f} CPU seconds -> {new:.1f}, "
            f"{new / old:.2f} times (least of {args.repeats} each: {found[args.against]} and {found[own]})",
            flush=True,
        )
    return 0


def draw(path: str, count: int) -> None:
    """A zip of JPEGs the size of CelebA's: noise of 12 x 15 px, enlarged."""
    import io
    import zipfile

    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(count):
            buffer = io.BytesIO()
            dots = Image.fromarray(rng.integers(0, 256, (15, 12, 3), np.uint8))
            dots.resize((178, 218), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
            archive.writestr(f"{i:06d}.jpg", buffer.getvalue())


def measure(args: argparse.Namespace) -> int:
    """Run and print everything; the exit code."""
    load = os.getloadavg()[0]
    print(
        f"{Path(args.source).name}, crop {args.crop}, size {args.size}, {cores()} cores, "
        f"load before the start {load:.1f}"
    )
    good = True
    if args.speed:
        rates: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(args.repeats):
            for workers, found in rates.items():
                found.append(run(args.source, args.speed, workers, args.crop, args.size)["rate"])
        one, two = (statistics.median(found) for found in rates.values())
        good &= two >= TARGET_RATIO * one
        print(f"{args.speed} pictures, median of {args.repeats}, start-up excluded")
        print(f"{'one worker':<14}{one:8.1f} pictures/s")
        print(f"{'two workers':<14}{two:8.1f} pictures/s, {two / one:.2f} times one (target {TARGET_RATIO})")
    counts = [int(n) for n in args.memory.split(",") if n]
    peaks = []
    for count in counts:
        begin = time.monotonic()
        result = run(args.source, count, 2, args.crop, args.size)
        peaks.append(result["memory"])
        print(
            f"{result['read']:5.0f} pictures, two workers: peak {result['memory']:.0f} MiB, "
            f"{result['kept']:.0f} kept, {time.monotonic() - begin:.0f} s"
        )
    if len(peaks) > 1:
        good &= peaks[-1] <= TARGET_MEMORY * peaks[0]
        print(f"memory at {counts[-1]} is {peaks[-1] / peaks[0]:.2f} times that at {counts[0]}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
