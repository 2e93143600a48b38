"""Pictures to pictures at equal time: the authors' pix2pix and CycleGAN and facegan's recipes, side by side.

    python benchmarks/translation.py run authors TASK DATASET --seconds 3600 [--seed 1] [--out FOLDER]
    python benchmarks/translation.py run pix2pix-64 TASK DATASET ...
    python benchmarks/translation.py table DATASET [--out FOLDER] [--records FOLDER]

TASK is ``edges``, ``grey`` or another derived input (pairs), or an attribute of the dataset such as
``smiling`` (two domains: photos without it become photos with it). ``run`` trains for so many CPU seconds of
updates, on one thread; it can be stopped at any time and goes on. At each mark it keeps what becomes of the
test split. ``table`` measures that with the evaluator network, which takes part in no training, and keeps one
record for each trial: pairs by the perceptual distance to the real target, domains by KID to the test photos
that have the attribute. It takes the better way to test of each contestant. Exit code 1 says that ours has
more than 0.6 of the authors' distance in some task. None of the authors' code is here: see
contestants/translators.py.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from side_by_side import Trial, parser_of, run

MARKS = (600.0, 1800.0, 3600.0)
GOAL = 0.6  # of the authors' distance
OUT = "runs/translation"
KEPT = ("male", "eyeglasses", "smiling")  # what should stay, but for what is asked
ALL = 1_000_000  # pictures of the test split at each mark


class Task:
    """What is to become of what, from one prepared dataset."""

    def __init__(self, name: str, data: Any) -> None:
        from facegan.data.inputs import INPUTS, derive

        self.name, self.paired = name, name in INPUTS
        train, test = data.images("train"), data.images("test")
        if self.paired:
            self.inputs, self.targets = derive(name, train), np.array(train)
            self.held_out, self.wanted = derive(name, test), np.array(test)
        else:
            known = {n.casefold(): i for i, n in enumerate(data.attribute_names)}
            if name.casefold() not in known:
                sys.exit(
                    f"translation: no task '{name}': choose {', '.join(INPUTS)}, or an attribute of "
                    f"{data.path}"
                )
            column = known[name.casefold()]
            has, had = (np.asarray(data.attributes(s))[:, column] for s in ("train", "test"))
            self.inputs, self.targets = train[has == 0], train[has == 1]
            self.held_out, self.wanted = test[had == 0], test[had == 1]


class Translation(Trial):
    """A trial whose contestant is given a task."""

    def __init__(self, name: str, args: argparse.Namespace) -> None:
        super().__init__(name, args)
        self.about |= {"contestant": args.contestant, "task": args.task}

    def make(self, data: Any, args: argparse.Namespace) -> tuple[Any, int]:
        from contestants.translators import TranslationSetting, contestant

        task = Task(args.task, data)
        setting = TranslationSetting(
            inputs=task.inputs, targets=task.targets, paired=task.paired, held_out=task.held_out,
            dataset=data.path, folder=self.folder, seed=args.seed, device=self.device, batch=args.batch,
            options=tuple(args.set), task=args.task,
        )  # fmt: skip
        return contestant(args.contestant, setting), len(task.inputs)


# --- measuring ----------------------------------------------------------------------------------------


def measured(images: np.ndarray, task: Task, data: Any) -> dict[str, float]:
    """Return the measures of a trial's pictures, all by the evaluator network; the first one decides."""
    from facegan.metrics import pairs

    table = pairs.attribute_features("evaluator")
    if task.paired:
        return {
            "perceptual": float(pairs.perceptual(images, task.wanted, table).mean()),
            "psnr": float(pairs.psnr(images, task.wanted).mean()),
            "ssim": float(pairs.ssim(images, task.wanted).mean()),
        }
    from facegan.attributes.predictor import AttributePredictor
    from facegan.metrics.kid import kid

    judge = AttributePredictor.load("evaluator")
    before, after = (judge.predict(x) for x in (task.held_out, images))
    names = [n.casefold() for n in judge.names]
    column = names.index(task.name.casefold())
    others = [i for i, n in enumerate(names) if n in KEPT and i != column]
    return {
        "kid": kid(table(task.wanted, pairs.BATCH), table(images, pairs.BATCH)).value,
        "reached": float(pairs.reached(before, after, {column: True}).mean()),
        "kept": float(pairs.kept(before, after, others).mean()),
        "recognised": float(pairs.recognised(judge.features(task.held_out), judge.features(images)).mean()),
    }


def record(folder: Path, file: Path, data: Any) -> None:
    """Write what remains of a trial without its folder: its numbers."""
    from facegan.files import write_bytes

    about = json.loads((folder / "trial.json").read_text())
    task = Task(about["task"], data)
    for mark, at in about["marks"].items():
        ways = {
            title: measured(np.load(folder / f"samples-{mark}-{k}.npz")["images"], task, data)
            for k, title in enumerate(at.pop("ways"))
        }
        key = "perceptual" if task.paired else "kid"
        at.update(best=min(ways, key=lambda title: ways[title][key]), ways=ways)
    write_bytes(file, (json.dumps(about, indent=1) + "\n").encode())


def rows_of(records: Path) -> list[dict[str, Any]]:
    """Return one row for each task, mark and contestant: means over its seeds, of its better way to test."""
    groups: dict[tuple[str, float, str], list[dict[str, Any]]] = {}
    for file in sorted(records.glob("*.json")):
        about = json.loads(file.read_text())
        for mark, at in about["marks"].items():
            key = (about["task"], float(mark), about["contestant"])
            groups.setdefault(key, []).append({"about": about, "at": at})
    rows = []
    for (task, mark, name), trials in sorted(groups.items()):
        values = [t["at"]["ways"][t["at"]["best"]] for t in trials]
        means = {k: float(np.mean([v[k] for v in values])) for k in values[0]}
        rows.append(
            {"task": task, "mark": mark, "name": name, "trials": trials, "values": means, "each": values}
        )
    return rows


def table_text(rows: list[dict[str, Any]]) -> str:
    """Return the rows as Markdown, one table for pairs and one for domains."""
    blocks = []
    for key, columns in (("perceptual", ("psnr", "ssim")), ("kid", ("reached", "kept", "recognised"))):
        chosen = [r for r in rows if key in r["values"]]
        if not chosen:
            continue
        lines = [
            f"| task | seconds | contestant | seeds | updates | {key} | {' | '.join(columns)} | tested |"
        ]
        lines.append("|---" * (7 + len(columns)) + "|")
        for r in chosen:
            each = ", ".join(f"{v[key]:.4f}" for v in r["each"])
            updates = np.mean([t["at"]["updates"] for t in r["trials"]])
            ways = " / ".join(dict.fromkeys(t["at"]["best"] for t in r["trials"]))
            numbers = " | ".join(f"{r['values'][c]:.3f}" for c in columns)
            lines.append(
                f"| {r['task']} | {r['mark']:g} | {r['name']} | {len(r['trials'])} | {updates:.0f} | "
                f"{r['values'][key]:.4f} ({each}) | {numbers} | {ways} |"
            )
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def verdicts(rows: list[dict[str, Any]]) -> tuple[list[str], bool]:
    """Return, for each task at its longest common time, our share of the authors' distance, and any miss."""
    said, missed = [], False
    for task in dict.fromkeys(r["task"] for r in rows):
        here = [r for r in rows if r["task"] == task]
        theirs = {r["mark"]: r for r in here if r["name"] == "authors"}
        ours = {r["mark"]: r for r in here if r["name"] != "authors" and r["mark"] in theirs}
        if not ours:
            continue
        mark = max(ours)
        key = "perceptual" if "perceptual" in ours[mark]["values"] else "kid"
        share = ours[mark]["values"][key] / theirs[mark]["values"][key]
        missed |= share > GOAL
        said.append(
            f"{task}: at {mark:g} s {ours[mark]['name']} has {share:.2f} of the authors' {key} "
            f"(goal: at most {GOAL})."
        )
    return said, missed


def table(args: argparse.Namespace) -> int:
    """Measure what trials have kept, and print the table."""
    from facegan.data.dataset import Dataset

    data, out = Dataset(args.dataset), Path(args.out)
    records = Path(args.records) if args.records else out / "records"
    for trial in sorted(out.glob("*/trial.json")):
        record(trial.parent, records / f"{trial.parent.name}.json", data)
    rows = rows_of(records)
    if not rows:
        sys.exit(f"translation: {out}: no results yet; train a contestant with 'run' first")
    said, missed = verdicts(rows)
    print("\n\n".join([table_text(rows), *said]))
    return int(missed)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    words = ("contestant", "authors, or a recipe"), ("task", "a derived input, or an attribute")
    parser, _ = parser_of(__doc__, OUT, MARKS, *words)
    args = parser.parse_args(argv)
    if args.command is None:
        parser.error("choose run or table")
    if args.command == "run":
        args.count, args.label = ALL, f"{args.contestant}-{args.task}"
    return args


def main() -> int:
    """Run the command that is given."""
    args = parse()
    from facegan.errors import FaceganError

    try:
        return run(args, Translation) if args.command == "run" else table(args)
    except FaceganError as error:
        sys.exit(f"translation: {error}")


if __name__ == "__main__":
    raise SystemExit(main())
