"""A hundred photos: what augmentation and beginning with trained weights make of them, at equal CPU seconds.

    python benchmarks/small_data.py run NAME [--seconds 2000] [--data ../shared/data] [--out runs/small_data]
    python benchmarks/small_data.py table [--out runs/small_data]

``run`` prepares the photos (once) and trains the recipe faces-fast-64 on them, on one thread. NAME is one of
the data sets and one of the ways, such as bush-ada:

    bush             George W. Bush in lfw-1k.zip: grey photos, which become three equal channels
    celeba100        the first 100 photos of CelebA's train split; celeba64 has learnt from these, and from
                     7,881 others
    celeba100-new    the first 100 of val, which celeba64 has not learnt from
    -scratch         fresh networks, no augmentation
    -ada             fresh networks, adaptive augmentation (ada-face, from 0 to 1 in 50 kimg)
    -heads           the same with the recipe's heads on the network critic, which knows 7,981 other faces
    -init            the networks of celeba64, adaptive augmentation

All photos are aligned as those of celeba64 are. What counts are the CPU seconds of the whole training, its
grids and measures included. It can be stopped at any time; the same command goes on, also to more seconds.
``table`` measures 2,000 samples of each training, and of celeba64 as it is, and writes table.md and grid.png
(generated faces only, seeds 0 and up). Without a command it prints the table of what was measured already.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facegan.errors import FaceganError, InputError, RunError
from facegan.runs.callbacks import Listener, StepStats
from facegan.runs.record import read_record

if TYPE_CHECKING:
    from facegan.data.dataset import Dataset
    from facegan.generator import Generator

ROOT = Path(__file__).resolve().parents[1]
NETWORKS = ROOT / "weights" / "celeba64-networks.safetensors"
RECIPE, SIZE = "faces-fast-64", 64
PACE = 0.1  # kimg a CPU second, more than the recipe makes: where a run would end that no clock stops
COUNT = 2000  # samples that are measured
OUT = "runs/small_data"  # photos and pictures near to them lie there: nothing to commit


@dataclass(frozen=True)
class Photos:
    """What is trained on: of an archive what ``include`` fits, or the first ``count`` of a split."""

    title: str
    archive: str
    include: str = ""
    split: str = ""
    count: int = 0


DATASETS = {
    "bush": Photos("George W. Bush", "lfw-1k.zip", include="George_W_Bush*"),
    "celeba100": Photos("CelebA, 100 of train", "celeba-9k.zip", split="train", count=100),
    "celeba100-new": Photos("CelebA, 100 of val", "celeba-9k.zip", split="val", count=100),
}
ALONE: dict[str, Any] = {"discriminator.projected": ""}  # without what was learnt from other photos
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "scratch": ("from scratch, no augmentation", {"augment": "", **ALONE}),
    "ada": ("from scratch, `ada-face`", ALONE),
    "heads": ("from scratch, `ada-face`, heads on `critic`", {}),
    "init": ("`--init` celeba64, `ada-face`", {"init": str(NETWORKS), **ALONE}),
}


# --- the photos ---------------------------------------------------------------------------------------


def split_text(lines: list[str], split: str, count: int) -> str:
    """A split file with the first ``count`` names of ``split`` as train; what else is val or test stays."""
    rows = [line.split() for line in lines if line.strip()]
    chosen = [name for name, of in rows if of == split][:count]
    others = [(name, of) for name, of in rows if of in ("val", "test") and name not in set(chosen)]
    return "".join(f"{name} {of}\n" for name, of in [*((name, "train") for name in chosen), *others])


def prepared(name: str, source: Path, out: Path) -> Dataset:
    """The data set ``name``, made from the archives in ``source`` where it is not there yet."""
    from facegan.data.dataset import Dataset
    from facegan.data.prepare import prepare

    photos, folder = DATASETS[name], out / "data" / name
    if (folder / "dataset.json").is_file():
        return Dataset(folder)
    options: dict[str, Any] = {"include": photos.include, "size": SIZE, "crop": "aligned", "workers": 1}
    if photos.count:
        listed = source / "celeba-9k-split.txt"
        if not listed.is_file():
            raise InputError(f"--data {source}: there is no {listed.name} in it")
        file = out / "data" / f"{name}-split.txt"
        text = split_text(listed.read_text().splitlines(), photos.split, photos.count)
        if not file.is_file() or file.read_text() != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        options["split"] = file
    return prepare(source / photos.archive, folder, **options)


# --- one training -------------------------------------------------------------------------------------


class CpuClock(Listener):
    """Counts the CPU seconds of a run over all its stretches, in ``file``; stops it after ``limit``, by the
    signal with which a user would: the run saves and ends."""

    def __init__(self, file: Path, limit: float) -> None:
        self.file, self.limit, self.enough = file, limit, False
        self.before, self.begin = 0.0, time.process_time()

    @property
    def seconds(self) -> float:
        return self.before + time.process_time() - self.begin

    def on_event(self, images_seen: int, text: str) -> None:
        print(f"{images_seen / 1000:8.1f} kimg: {text}", flush=True)
        if text.startswith("resumed from"):
            self.before, self.begin = self._spent(images_seen), time.process_time()

    def _spent(self, images_seen: int) -> float:
        """What had been spent at a checkpoint: a killed process may have gone beyond it."""
        found = 0.0
        for line in self.file.read_text().splitlines() if self.file.is_file() else []:
            with suppress(ValueError):  # a line that was cut off
                seen, seconds = json.loads(line)
                found = seconds if seen <= images_seen else found
        return found

    def on_stats(self, stats: StepStats) -> None:
        with open(self.file, "a") as handle:
            handle.write(f"{json.dumps([stats.images_seen, round(self.seconds, 2)])}\n")
        if self.seconds >= self.limit and not self.enough:
            self.enough = True
            signal.raise_signal(signal.SIGTERM)


def run(args: argparse.Namespace) -> int:
    import torch

    from facegan.training.train import Interrupted, train

    if not 0 < args.seconds < float("inf"):
        raise InputError(f"--seconds {args.seconds:g}: must be above 0")
    torch.set_num_threads(1)
    name, _, way = args.name.rpartition("-")
    out = Path(args.out)
    folder = out / args.name
    done = about(folder)
    if done.get("broke_down") or done.get("seconds", 0.0) >= args.seconds:
        print(f"{args.name}: has had {done['seconds']:.0f} CPU seconds already {done['broke_down']}")
        return 0
    data, changes = prepared(name, Path(args.data), out), dict(WAYS[way][1])
    if "augment" not in changes:
        changes["augment_kimg"] = args.augment_kimg
    folder.mkdir(parents=True, exist_ok=True)
    clock, told = CpuClock(folder / "cpu.jsonl", args.seconds), ""
    try:
        train(
            data,
            RECIPE,
            folder / "run",
            listeners=[clock],
            device="cpu",
            seed=args.seed,
            kimg=args.seconds * PACE,
            cooldown=0.0,
            grid_kimg=max(1.0, args.seconds / 400),
            checkpoint_kimg=5.0,
            command=f"benchmarks/small_data.py run {args.name}",
            **changes,
        )
    except Interrupted:
        if not clock.enough:
            print(f"{args.name}: stopped after {clock.seconds:.0f} s, saved; the same command goes on")
            return 130
    except RunError as error:  # the watchdog: a result as well
        if "stopped at" not in str(error):
            raise
        told = str(error)
    if not clock.enough and not told:
        raise RunError(f"{args.name}: trained faster than {PACE:g} kimg a CPU second: raise PACE")
    values = {"seconds": clock.seconds, "seed": args.seed, "broke_down": told}
    (folder / "about.json").write_text(json.dumps(values, indent=1))
    print(f"{args.name}: {clock.seconds:.0f} CPU seconds{', ' * bool(told)}{told}")
    return 0


def about(folder: Path) -> dict[str, Any]:
    """What a finished training says of itself; nothing of another."""
    file = folder / "about.json"
    return json.loads(file.read_text()) if file.is_file() else {}


# --- all of them --------------------------------------------------------------------------------------


def measure(generator: Generator, name: str, data: Dataset, file: Path, count: int) -> dict[str, Any]:
    """Distances of ``count`` samples, and how many of them look copied; kept in ``file``."""
    from facegan.metrics.copies import Copies
    from facegan.metrics.evaluate import evaluate
    from facegan.metrics.image_sets import of_model

    key = [generator.hash, data.content_hash, count]
    if file.is_file() and (known := json.loads(file.read_text()))["key"] == key:
        return known["values"]
    held_out = bool(data.counts.get("test"))
    metrics = ("fid", "kid", "precision-recall", *(("memorization",) if held_out else ()))
    done = evaluate(of_model(generator, name, count), data, "faces", metrics=metrics)
    copies = Copies.of_dataset(data)
    values = {k: float(v) for k, v in done.values.items()}
    if copies is not None:
        values["copied"] = copies(done.subject.at(np.arange(count)))
    values |= {f"{k}_real": float(v) for k, v in done.real.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"key": key, "values": values}, indent=1))
    return values


def curves(run: Path) -> dict[str, Any]:
    """What the training itself says: length, p and r_t at the end, and every alarm at its kimg.

    r_t is the mean sign of the discriminator's logits on real pictures, as it sees them, over the last ten
    reports: 2 x accuracy - 1, which runs without augmentation have as well."""
    record = read_record(run)
    right = [value for _, value in record.curve("accuracy_real")][-10:]
    alarms = [e for e in record.events if str(e.get("text", "")).startswith("watchdog: ")]
    return {
        "kimg": record.kimg,
        "p": record.last("augment_p"),
        "adapts": record.config.get("augment_kimg") if record.config.get("augment") else None,
        "r": 2 * float(np.mean(right)) - 1 if right else None,
        "warnings": [f"{e['images_seen'] / 1000:.1f}: {alarm(e['text'])}" for e in alarms],
    }


def alarm(text: str) -> str:
    """The beginning of what the watchdog told, without its numbers and advice."""
    return re.split("[:;]", text.removeprefix("watchdog: "))[0]


def rows_of(out: Path, count: int) -> list[dict[str, Any]]:
    """One row for celeba64 and for each training of each data set that something was trained on."""
    from facegan.data.dataset import Dataset
    from facegan.models import load

    rows = []
    for name, photos in DATASETS.items():
        trained = [w for w in WAYS if about(out / f"{name}-{w}")]
        if not trained:
            continue
        data = Dataset(out / "data" / name)
        common = {"name": name, "title": f"{photos.title} ({data.counts['train']})"}
        start, file = load("celeba64"), out / "data" / f"{name}-celeba64.json"
        untrained = {"way": "", "title_way": "celeba64 as it is", "seconds": 0.0, "kimg": 0.0}
        rows.append({**common, **untrained, "values": measure(start, "celeba64", data, file, count)})
        for way in trained:
            folder = out / f"{name}-{way}"
            told = {**about(folder), **curves(folder / "run")}
            model = load(folder / "run")
            values = measure(model, folder.name, data, folder / "measured.json", count)
            rows.append({**common, "way": way, "title_way": WAYS[way][0], **told, "values": values})
    return rows


def cell(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def table_text(rows: list[dict[str, Any]], count: int) -> str:
    lines = [
        "| photos | training | CPU s | kimg | FID | KID (95%) | precision | recall | memorised | copied | p "
        "| r_t | warnings (kimg) |",
        "|---" * 13 + "|",
    ]
    for i, row in enumerate(rows):
        v = row["values"]
        kid = f"{v['kid']:.3f} ({v['kid_low']:.3f} to {v['kid_high']:.3f})"
        adapts = f" (0 to 1 in {row['adapts']:g} kimg)" if row.get("adapts") else ""
        lines.append(
            f"| {row['title']} | {row['title_way']}{adapts} | {row['seconds']:.0f} | {row['kimg']:.1f} | "
            f"{v['fid']:.1f} | {kid} | {v['precision']:.2f} | {v['recall']:.2f} | "
            f"{cell(v.get('memorized'), 3)} | {cell(v.get('copied'), 3)} | {cell(row.get('p'), 3)} | "
            f"{cell(row.get('r'), 2)} | {'; '.join(row.get('warnings', ()))} |"
        )
        last = i + 1 == len(rows) or rows[i + 1]["name"] != row["name"]
        if last and "fid_real" in v:
            lines.append(
                f"| {row['title']} | the photos themselves | | | {v['fid_real']:.1f} | {v['kid_real']:.3f} | "
                f"{v['precision_real']:.2f} | {v['recall_real']:.2f} | | | | | |"
            )
    lines += ["", *notes(count)]
    return "\n".join(lines)


def notes(count: int) -> list[str]:
    return [
        f"Features `faces`, {count} samples of each model; one seed of training each. CelebA: against the "
        "500 photos of test, on which nothing was trained. Bush: against the very photos that were trained "
        "on, for there are no others, so that copies of them would look perfect: read it beside *copied*. "
        "FID grows as pictures get fewer, KID does not: hence the high FID of a hundred photos themselves.",
        "",
        "*memorised*: share of samples nearer to a training photo than 95% of test's are (0.05 is none); "
        "it needs photos held out. *copied*: the same by small pictures, beside the nearest photo of val or, "
        "for Bush, the second nearest of training (0.05 is none). p: the augmentation's strength at the end. "
        "r_t: mean sign of the discriminator's logits on real photos as it sees them, last ten reports.",
        "",
        "celeba64 has learnt from all of CelebA's train split: 100 photos of train are not new to it, and "
        "what it knows of the others shows in its distance to test. It has not learnt from val.",
    ]


def figure(out: Path, rows: list[dict[str, Any]], columns: int = 10, lines: int = 2) -> np.ndarray:
    """A block for each training: seeds 0 and up, uncurated; one column of blocks for each data set."""
    from facegan.figures import join, text_line
    from facegan.images import grid
    from facegan.models import load

    blocks: dict[tuple[str, str], np.ndarray] = {}
    for row in (r for r in rows if r["way"]):
        model = load(out / f"{row['name']}-{row['way']}" / "run")
        sheet = grid(model.sample(range(columns * lines)), columns)
        text = f"{row['title']}: {row['title_way'].replace('`', '')}, {row['seconds']:.0f} CPU s"
        blocks[row["way"], row["name"]] = np.concatenate([text_line(text, sheet.shape[1], 13), sheet])
    blank = np.full_like(next(iter(blocks.values())), 255)  # where a training is missing
    names = list(dict.fromkeys(row["name"] for row in rows))
    ways = [way for way in WAYS if any((way, name) in blocks for name in names)]
    strips = [[blocks.get((way, name), blank) for name in names] for way in ways]
    return join(strips, 8)


def table(args: argparse.Namespace) -> int:
    import torch

    from facegan.images import save_png

    torch.set_num_threads(1)
    out = Path(args.out)
    rows = rows_of(out, args.count)
    if not rows:
        raise InputError(f"--out {out}: nothing is trained yet; begin with 'run'")
    text = table_text(rows, args.count)
    (out / "table.md").write_text(text + "\n")
    save_png(out / "grid.png", figure(out, rows))
    print(f"{text}\n\n{out / 'table.md'}, {out / 'grid.png'}")
    return 0


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command")
    one, all_of_them = commands.add_parser("run"), commands.add_parser("table")
    names = [f"{name}-{way}" for name in DATASETS for way in WAYS]
    one.add_argument("name", choices=names, metavar="NAME", help=", ".join(names))
    one.add_argument("--seconds", type=float, default=2000.0, help="CPU seconds of training")
    one.add_argument("--data", default=str(ROOT.parent / "shared" / "data"), help="folder of the archives")
    one.add_argument("--seed", type=int, default=0)
    one.add_argument(
        "--augment-kimg",
        type=float,
        default=50.0,
        help="in so many kimg the augmentation can go from 0 to 1 (the recipe's 500 are too many for so few)",
    )
    all_of_them.add_argument("--count", type=int, default=COUNT, help="samples that are measured")
    for command in (one, all_of_them):
        command.add_argument("--out", default=OUT, help="folder of all trainings")
    return parser.parse_args(argv)


def main() -> int:
    args = parse()
    if args.command is None:
        kept = Path(OUT) / "table.md"
        print(kept.read_text() if kept.is_file() else "nothing measured yet: see --help")
        return 0
    try:
        return {"run": run, "table": table}[args.command](args)
    except FaceganError as error:
        sys.exit(f"small_data: {error}")


if __name__ == "__main__":
    raise SystemExit(main())
