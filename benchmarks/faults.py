"""Kill commands, repeat them, and compare: the end must be that of an uninterrupted command, bit for bit.

    python benchmarks/faults.py run [OUT] [--targets "prepare; pairs"] [--trials 8] [--seed 0] [--minutes 30]
    python benchmarks/faults.py table [OUT]

A trial is one command in a folder of its own with small inputs, killed by SIGKILL once or twice: at the N-th
failure point (``facegan/files.py``: before, within and after each write and rename), or after a random share
of the CPU time that it takes. Then the same command runs to its end. Every file in the folder must be there
as after a command that nobody killed, no other may be left, and no process. Each kill is a line of
OUT/kills.jsonl. All draws come from (seed, target, trial), and trials that are recorded are not made again,
so that ``run`` can be stopped and continued. ``table`` prints the record as Markdown.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from killing.attempts import attempt, contents
from killing.targets import TARGETS, Target, prepare_inputs

OUT = Path("runs/faults")
WARM = (
    "cli.train",
    "metrics.random_features",
    "metrics.validation",
    "models",
    "runs.report",
    "training.train",
)
COLUMNS = {
    "kills": lambda own: len(own),
    "at failure points": lambda own: sum("point" in line for line in own),
    "ended the same": lambda own: sum(line["same"] for line in own),
    "other contents": lambda own: sum(bool(line["different"] or line["missing"]) for line in own),
    "stray files": lambda own: sum(bool(line["stray"]) for line in own),
    "processes left": lambda own: sum(bool(line["orphans"]) for line in own),
}

# --- trials ------------------------------------------------------------------------------------------------


def fresh(target: Target, inputs: Path, folder: Path) -> Path:
    """Return the folder of a trial, with copies of what the target needs."""
    for old in (folder, folder.with_suffix(".log"), folder.with_suffix(".points")):
        shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
    folder.mkdir(parents=True)
    for name in target.needs:
        shutil.copytree(inputs / name, folder / name)
    return folder


def whole(name: str, out: Path) -> dict[str, Any]:
    """Return what the target makes uninterrupted, and which failure points it passes."""
    slug = name.replace(" ", "_").replace(",", "").replace("/", "_")
    file = out / "whole" / f"{slug}.json"
    if file.is_file():
        found: dict[str, Any] = json.loads(file.read_text())
        return found
    folder = fresh(TARGETS[name], out / "inputs", out / "work" / slug)
    done = attempt(TARGETS[name], folder)
    if any(done.codes):
        raise SystemExit(f"{name}: fails without a kill, see {folder.with_suffix('.log')}")
    found = {"slug": slug, "seconds": done.seconds, "points": done.points, "files": contents(folder)}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found))
    return found


def trial(name: str, number: int, out: Path, *, seed: int) -> list[dict[str, Any]]:
    """Kill a target once or twice, let it end, and return a line for each kill."""
    target, before = TARGETS[name], whole(name, out)
    draw = random.Random(f"{seed}/{name}/{number}")
    folder = fresh(target, out / "inputs", out / "work" / f"{before['slug']}-{number}")
    kills = []
    for again in range(1 + (draw.random() < 0.3)):
        kill: dict[str, Any] = {"rank": draw.randrange(target.processes)}
        if draw.random() < 0.6 and before["points"] and kill["rank"] == 0:
            kill["point"] = draw.randrange(1, 1 + len(before["points"]))
        else:
            kill["seconds"] = draw.uniform(0.02, 0.98) * before["seconds"]
        done = attempt(target, folder, kill)
        died = done.codes[kill["rank"]] == -signal.SIGKILL
        at = done.points[-1] if done.points and "point" in kill and died else ""
        kills.append({"target": name, "trial": number, "seed": seed, "again": again, "died": died,
                      **kill, "at": at, "codes": done.codes, "orphans": done.orphans})  # fmt: skip
    done = attempt(target, folder)
    after = contents(folder)
    verdict = {
        "ended": done.codes,
        "missing": sorted(set(before["files"]) - set(after)),
        "stray": sorted(set(after) - set(before["files"])),
        "different": sorted(k for k in set(after) & set(before["files"]) if after[k] != before["files"][k]),
    }
    # Killed after its last rename, a command has ended; some refuse to be repeated then.
    said = folder.with_suffix(".log").read_text(errors="replace").splitlines()[-1:]
    ended = not any(done.codes) or (done.codes == [2] and any("exists already" in line for line in said))
    verdict["same"] = ended and not any(verdict[k] for k in ("missing", "stray", "different"))
    if verdict["same"]:
        shutil.rmtree(folder)
        folder.with_suffix(".log").unlink(missing_ok=True)
    return [{**kill, **verdict} for kill in kills]


def recorded(out: Path) -> list[dict[str, Any]]:
    file = out / "kills.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def run(out: Path, names: list[str], *, trials: int, seed: int, minutes: float) -> None:
    """Make the trials that are not recorded, one of each target after the other."""
    for module in WARM:  # children that are forked have them, too
        importlib.import_module(f"facegan.{module}")
    if (pid := os.fork()) == 0:
        try:
            prepare_inputs((out / "inputs").resolve())
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    if os.waitpid(pid, 0)[1]:
        raise SystemExit("the inputs could not be made")
    known = {(line["target"], line["trial"], line["seed"]) for line in recorded(out)}
    end = time.monotonic() + 60 * minutes
    for number in range(trials):
        for name in names:
            if (name, number, seed) in known or time.monotonic() > end:
                continue
            lines = trial(name, number, out.resolve(), seed=seed)
            with open(out / "kills.jsonl", "a") as record:
                record.writelines(f"{json.dumps(line)}\n" for line in lines)
            said = "the same" if lines[0]["same"] else f"NOT THE SAME: {lines[0]}"
            print(f"{name} {number}: {len(lines)} kills, {said}", flush=True)


# --- the record --------------------------------------------------------------------------------------------


def table(out: Path) -> str:
    """Return the record as a table in Markdown, a row for each target."""
    lines = [line for line in recorded(out) if line["died"]]
    rows = [["command", *COLUMNS], ["---"] * (1 + len(COLUMNS))]
    for name in [*TARGETS, "all"]:
        if own := [line for line in lines if name in (line["target"], "all")]:
            rows.append([name, *(str(count(own)) for count in COLUMNS.values())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=("run", "table"), default="table")
    parser.add_argument("out", nargs="?", type=Path, default=OUT)
    parser.add_argument("--targets", default="", help="names with semicolons between them; all by default")
    parser.add_argument("--trials", type=int, default=8, help="of each target, those recorded included")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    options = parser.parse_args()
    names = [name.strip() for name in options.targets.split(";") if name.strip()] or list(TARGETS)
    if options.what == "run":
        run(options.out, names, trials=options.trials, seed=options.seed, minutes=options.minutes)
    print(table(options.out))
    return int(any(not line["same"] for line in recorded(options.out)))


if __name__ == "__main__":
    sys.exit(main())
