"""The same pictures and equal time: a plain DCGAN, two public packages and facegan's recipes, side by side.

    python benchmarks/side_by_side.py run dcgan DATASET --seconds 1800 [--seed 1] [--out runs/side_by_side]
    python benchmarks/side_by_side.py table DATASET [--out runs/side_by_side] [--records FOLDER]

``run`` trains one contestant (dcgan, lightweight-gan, stylegan2-pytorch, or a recipe of facegan) for so many
CPU seconds of its updates, on one thread; what any of them saves, draws or measures besides does not count.
With ``--device cuda`` they are wall seconds. At each mark it keeps samples of every way to sample from it.
It can be stopped at any time, and goes on from its last state, also to more seconds: a longer run contains
the shorter ones. ``table`` measures all samples against the test split, by the features `faces`, by those of
the evaluator network, which takes part in no training, and by the sliced Wasserstein distance (SWD), which
needs no network, and keeps them with the first pictures as one record for each trial, so that trials need
not lie in one place: the table is made of the records. It takes each contestant's better way to sample, and
writes table.md and grid.png. Exit code 1 says that `faces-fast-64` has more than half of the best peer's
distance. Without a command it prints the table of what was measured already.

The packages are looked for where Python finds them (PYTHONPATH); none of their code is here.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

MARKS = (600.0, 1800.0, 3600.0, 7200.0)
GOAL, OURS = 0.5, "faces-fast-64"  # of the best peer's distance, and who shall reach it
SAVE_EVERY = 120.0  # of the contestant's seconds
# glibc gives large blocks back at once and asks again: a third of the peers' CPU time, without this
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_TOP_PAD_": "67108864",
}
OUT = "runs/side_by_side"
FIRST, COLUMNS = 40, 10  # samples that a record shows
PACE = (
    "CPU seconds that an update takes on the idle machine: counted instead of the clock's, for a machine "
    "that has other work to do"
)
TABLES = {"faces": "", "evaluator": "evaluator"}  # the feature table 'faces' with which network


def clock(device: torch.device) -> float:
    """CPU seconds of this process, or wall seconds where another device computes."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def machine(device: torch.device) -> str:
    """What computes, as the system names it, and a CPU's vector units."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").is_file() else ""
    names = [x.partition(":")[2].strip() for x in info.splitlines() if x.startswith("model name")]
    units = [torch.backends.cpu.get_cpu_capability(), *(["AMX"] if "amx_bf16" in info else [])]
    return f"{names[0] if names else platform.machine()} ({', '.join(units)})"


# --- random numbers that are drawn without an index, as the peers do, are part of the state ------------


def _random_state(device: torch.device) -> dict[str, Any]:
    found = {"torch": torch.get_rng_state(), "python": random.getstate()}
    return found | ({"cuda": torch.cuda.get_rng_state()} if device.type == "cuda" else {})


def _set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    random.setstate(state["python"])
    if "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"])


# --- one contestant -----------------------------------------------------------------------------------


class Trial:
    """A contestant with its folder: ``state.pt``, ``trial.json``, ``samples-SECONDS-K.npz``."""

    def __init__(self, name: str, args: argparse.Namespace) -> None:
        from facegan.data.dataset import Dataset
        from facegan.files import take_lock

        data = Dataset(args.dataset)
        self.name, self.seed, self.device = name, args.seed, torch.device(args.device)
        self.folder = Path(args.out).absolute() / f"{args.label or name}-seed{args.seed}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = open(self.folder / ".lock", "a")  # noqa: SIM115  held as long as the process lives
        if not take_lock(self.lock):
            sys.exit(f"side_by_side: {self.folder}: another process is training there")
        torch.manual_seed(args.seed)
        random.seed(args.seed)
        self.contestant, count = self.make(data, args)
        self.seconds, self.saved, self.broken, self.pace = 0.0, 0.0, 0, args.pace
        self.about = {
            "name": args.label or name,
            "seed": args.seed,
            "settings": self.contestant.settings,
            "device": args.device,
            "machine": machine(self.device),
            "dataset": data.content_hash,
            "count": count,
            **({"pace": args.pace} if args.pace else {}),
            "marks": {},
        }
        if (self.folder / "state.pt").is_file():
            self._load()

    def make(self, data: Any, args: argparse.Namespace) -> tuple[Any, int]:
        """Return the contestant, and how many pictures it trains on."""
        from contestants import Setting, contestant

        images = np.array(data.images("train"))
        setting = Setting(images, data.path, self.folder, args.seed, self.device, args.batch, tuple(args.set))
        return contestant(self.name, setting), len(images)

    def _load(self) -> None:
        state = torch.load(self.folder / "state.pt", weights_only=True, map_location=self.device)
        about = json.loads((self.folder / "trial.json").read_text())
        for key in ("name", "seed", "settings", "dataset", "pace"):
            if about.get(key) != self.about.get(key):
                sys.exit(
                    f"side_by_side: {self.folder} is another run ({key}: {about[key]}, now "
                    f"{self.about[key]}); remove it or choose another --out or --label"
                )
        if (here := self.about["machine"]) not in about["machine"]:
            about["machine"] += f" / {here}"
        self.about = about
        self.contestant.load(state["contestant"])
        self.seconds = self.saved = state["seconds"]
        self.broken = state["broken"]
        _set_random_state({k: v.cpu() if torch.is_tensor(v) else v for k, v in state["random"].items()})

    def save(self) -> None:
        """First what samples are kept of: a state beyond a mark without them could not get them any more."""
        from facegan.files import write_bytes

        write_bytes(self.folder / "trial.json", json.dumps(self.about, indent=1).encode())
        state = {
            "contestant": self.contestant.state(),
            "seconds": self.seconds,
            "broken": self.broken,
            "random": _random_state(self.device),
        }
        temporary = self.folder / "state.pt.tmp"
        torch.save(state, temporary)
        temporary.replace(self.folder / "state.pt")
        self.saved = self.seconds

    def train_until(self, mark: float, stop: list[int]) -> None:
        """Saved now and then, but not beyond the mark: that comes with its samples."""
        while self.seconds < mark and not stop:
            begin = clock(self.device)
            try:
                self.contestant.update()
            except getattr(self.contestant, "broken", ()):
                self._go_back()
            self.seconds += self.pace or clock(self.device) - begin
            if self.seconds - self.saved >= SAVE_EVERY and self.seconds < mark:
                self.save()
                c = self.contestant
                print(f"{self.name}: {self.seconds:.0f} s, {c.updates} updates, {c.images_seen} images")

    def _go_back(self) -> None:
        """A package found numbers that are not finite: again from the last state, with other draws."""
        spent, broken = self.seconds, self.broken + 1
        print(f"{self.name}: not finite at {spent:.0f} s, back to the last state")
        if broken > 3 or not (self.folder / "state.pt").is_file():
            sys.exit(f"side_by_side: {self.name} breaks down again and again")
        self._load()
        self.seconds, self.broken = spent, broken
        torch.manual_seed(self.seed + 1000 * broken)

    def keep_samples(self, mark: float, count: int, stop: list[int]) -> None:
        """All of them and the state, or, once stopped, nothing."""
        before, ways = _random_state(self.device), []
        for k, (way, images) in enumerate(self.contestant.samples(count)):
            if stop:
                return
            np.savez(self.folder / f"samples-{mark:g}-{k}.npz", images=images)
            ways.append(way)
        _set_random_state(before)
        c = self.contestant
        self.about["marks"][f"{mark:g}"] = {
            "seconds": self.seconds,
            "updates": c.updates,
            "images": c.images_seen,
            "ways": ways,
        }
        self.save()


def run(args: argparse.Namespace, trial_of: type[Trial] = Trial) -> int:
    if args.seconds <= 0 or args.count < 10:
        sys.exit("side_by_side: --seconds must be above 0, and --count at least 10")
    if any(os.environ.get(k) != v for k, v in MALLOC.items()):  # read when a process begins
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **MALLOC})
    torch.set_num_threads(1)
    stop: list[int] = []
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda number, _: stop.append(number))
    trial = trial_of(args.contestant, args)
    print(f"{trial.name}, seed {args.seed}: {trial.contestant.settings}; from {trial.seconds:.0f} s on")
    for mark in sorted({m for m in (*args.marks, args.seconds) if m <= args.seconds}):
        if f"{mark:g}" in trial.about["marks"]:
            continue
        if trial.seconds > mark:
            print(f"{trial.name}: already beyond {mark:g} s, no samples of that mark")
            continue
        trial.train_until(mark, stop)
        if trial.seconds >= mark:
            trial.keep_samples(mark, args.count, stop)
        else:
            trial.save()
        if stop:
            again = f"the same command goes on from {trial.saved:.0f} s"
            print(f"{trial.name}: stopped at {trial.seconds:.0f} s; {again}")
            return 130
        print(f"{trial.name}: samples at {mark:g} s kept", flush=True)
    return 0


# --- all of them --------------------------------------------------------------------------------------


def measured(images: np.ndarray, data: Any, tables: dict[str, Any]) -> dict[str, float]:
    """FID, KID and SWD of these samples against the test split, and what photos of train have."""
    from facegan.metrics.evaluate import evaluate
    from facegan.metrics.shapes import of_array

    values = {}
    for name, table in tables.items():
        metrics = ("fid", "kid", "swd") if name == "faces" else ("fid", "kid")
        found = evaluate(of_array(images), data, table, metrics=metrics, split="test")
        for metric in metrics:
            values[f"{metric}_{name}"] = found.values[metric]
            values[f"{metric}_{name}_real"] = found.real[metric]
    return values


def record(folder: Path, file: Path, data: Any, tables: dict[str, Any]) -> None:
    """What remains of a trial without its folder: ``file`` (numbers) and, beside it, first samples as JPEG.

    What was measured with these networks before is not measured again."""
    from facegan.files import write_bytes
    from facegan.images import grid, save_picture

    about = json.loads((folder / "trial.json").read_text())
    marks, about["measured_with"] = about.pop("marks"), {name: table.key for name, table in tables.items()}
    if not marks:
        return
    known = json.loads(file.read_text()) if file.is_file() else {}
    kept = known.pop("marks", {})
    if known != about:
        kept = {}
    for mark, at in marks.items():
        titles = at.pop("ways")
        if mark in kept and at.items() <= kept[mark].items():
            at.update(kept[mark])
            continue
        samples = [np.load(folder / f"samples-{mark}-{k}.npz")["images"] for k in range(len(titles))]
        ways = {title: measured(x, data, tables) for title, x in zip(titles, samples, strict=True)}
        best = min(ways, key=lambda title: ways[title]["fid_faces"])
        at.update(samples=len(samples[0]), best=best, ways=ways)
        if float(mark) == max(map(float, marks)):
            first = samples[titles.index(best)][:FIRST]
            save_picture(file.with_suffix(".jpg"), grid(first, COLUMNS))
    write_bytes(file, (json.dumps({**about, "marks": marks}, indent=1) + "\n").encode())


def rows_of(records: Path, data: Any, tables: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each contestant and mark: means over its seeds, of the better way to sample."""
    key = {name: table.key for name, table in tables.items()}
    groups: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for file in sorted(records.glob("*.json")):
        about = json.loads(file.read_text())
        if about["dataset"] != data.content_hash or about["measured_with"] != key:
            print(f"side_by_side: {file}: of another dataset, or measured with other networks: left out")
            continue
        for mark, at in about["marks"].items():
            found = {"file": file, "about": about, "at": at, "values": at["ways"][at["best"]]}
            groups.setdefault((about["name"], float(mark)), []).append(found)
    rows = []
    for (name, mark), trials in groups.items():
        values = {k: float(np.mean([t["values"][k] for t in trials])) for k in trials[0]["values"]}
        each = [t["values"]["fid_faces"] for t in trials]
        rows.append({"name": name, "mark": mark, "trials": trials, "values": values, "each": each})
    return sorted(rows, key=lambda r: (r["mark"], r["values"]["fid_faces"]))


def table_text(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| seconds | contestant | seeds | updates | kimg | FID `faces` | KID `faces` | FID evaluator | "
        "KID evaluator | SWD | sampled with |",
        "|---" * 11 + "|",
    ]
    for row in rows:
        v, trials = row["values"], row["trials"]
        updates, images = (np.mean([t["at"][k] for t in trials]) for k in ("updates", "images"))
        each = f" ({', '.join(f'{x:.1f}' for x in row['each'])})" if len(trials) > 1 else ""
        ways = " / ".join(dict.fromkeys(t["at"]["best"] for t in trials))
        lines.append(
            f"| {row['mark']:g} | {row['name']} | {len(trials)} | {updates:.0f} | {images / 1000:.0f} | "
            f"{v['fid_faces']:.1f}{each} | {v['kid_faces']:.4f} | {v['fid_evaluator']:.1f} | "
            f"{v['kid_evaluator']:.4f} | {v['swd_faces']:.1f} | {ways} |"
        )
    real = rows[0]["values"]
    lines.append(
        f"| | real (train) | | | | {real['fid_faces_real']:.1f} | {real['kid_faces_real']:.4f} | "
        f"{real['fid_evaluator_real']:.1f} | {real['kid_evaluator_real']:.4f} | "
        f"{real['swd_faces_real']:.1f} | |"
    )
    settings = {
        row["name"]: " / ".join(dict.fromkeys(t["about"]["settings"] for t in row["trials"])) for row in rows
    }
    trials = [t for row in rows for t in row["trials"]]
    counts, machines = (
        dict.fromkeys(v)
        for v in (
            (t["at"]["samples"] for t in trials),
            (t["about"]["machine"] for t in trials),
        )
    )
    lines += [
        "",
        f"{' / '.join(map(str, counts))} samples of each. "
        + " ".join(f"{k}: {v}." for k, v in settings.items())
        + f" Trained on {' / '.join(machines)}.",
    ]
    return "\n".join(lines)


def verdict(rows: list[dict[str, Any]], peers: list[str]) -> tuple[str, bool]:
    """At the longest time that both sides have: the FID of OURS as a share of the best peer's, and whether
    that misses the goal."""
    both = {r["mark"] for r in rows if r["name"] == OURS} & {r["mark"] for r in rows if r["name"] in peers}
    if not both:
        return "", False
    mark = max(both)
    at = [r for r in rows if r["mark"] == mark]
    theirs = next(r for r in at if r["name"] in peers)
    ours = next(r for r in at if r["name"] == OURS)
    shares = [ours["values"][k] / theirs["values"][k] for k in ("fid_faces", "fid_evaluator")]
    text = (
        f"At {mark:g} seconds {ours['name']} has {shares[0]:.0%} of the distance of {theirs['name']}, the "
        f"best peer, by `faces`, and {shares[1]:.0%} by the evaluator (goal: at most {GOAL:.0%})."
    )
    return text, shares[0] > GOAL


def figure(rows: list[dict[str, Any]]) -> np.ndarray:
    """At the longest mark of each contestant, its first samples of its first seed, uncurated."""
    from facegan.figures import join, text_line
    from facegan.images import read_image_file

    longest = {row["name"]: row for row in rows}  # rows come in the order of their marks
    blocks = []
    for name, row in sorted(longest.items(), key=lambda item: -item[1]["values"]["fid_faces"]):
        sheet = read_image_file(row["trials"][0]["file"].with_suffix(".jpg"))
        text = f"{name}: {row['mark']:g} s, FID {row['each'][0]:.1f}"  # of the seed that is shown
        blocks.append(np.concatenate([text_line(text, sheet.shape[1], 15), sheet]))
    if len(blocks) % 2:
        blocks.append(np.full_like(blocks[0], 255))
    return join([blocks[i : i + 2] for i in range(0, len(blocks), 2)], 8)


def table(args: argparse.Namespace) -> int:
    from contestants import PEERS

    from facegan.data.dataset import Dataset
    from facegan.images import save_png
    from facegan.metrics.feature_extractors import faces

    data, out = Dataset(args.dataset), Path(args.out)
    records = Path(args.records) if args.records else out / "records"
    tables = {name: faces(weights, args.device) for name, weights in TABLES.items()}
    for trial in sorted(out.glob("*/trial.json")):
        record(trial.parent, records / f"{trial.parent.name}.json", data, tables)
    rows = rows_of(records, data, tables)
    if not rows:
        sys.exit(f"side_by_side: {out}: no samples yet; train a contestant with 'run' first")
    said, missed = verdict(rows, list(PEERS))
    text = "\n\n".join(t for t in (table_text(rows), said) if t)
    out.mkdir(parents=True, exist_ok=True)
    (out / "table.md").write_text(text + "\n")
    save_png(out / "grid.png", figure(rows))
    print(f"{text}\n\n{out / 'table.md'}, {out / 'grid.png'}")
    return int(missed)


def parser_of(
    text: str, out: str, marks: Sequence[float], *words: tuple[str, str]
) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The command line of a script with ``run`` and ``table``, and that of its ``run``, which may get more.

    ``words`` are the names of what ``run`` takes before the dataset, with their help.
    """
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command")
    one, all_of_them = commands.add_parser("run"), commands.add_parser("table")
    for word, about in words:
        one.add_argument(word, help=about)
    for command in (one, all_of_them):
        command.add_argument("dataset", help="made by facegan prepare, 64 px, with a test split")
        command.add_argument("--out", default=out, help="folder of all trials")
        command.add_argument("--device", default="cpu")
    all_of_them.add_argument(
        "--records", default="", help="folder of what was measured; OUT/records if not given"
    )
    one.add_argument("--seconds", type=float, default=marks[-1])
    one.add_argument("--marks", type=float, nargs="*", default=marks, help="results are kept at these")
    one.add_argument("--pace", type=float, default=0, help=PACE)
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--batch", type=int, default=0, help="0 is the contestant's own")
    one.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of our recipe")
    return parser, one


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    contestant = ("contestant", "one of PEERS in benchmarks/contestants, or a recipe")
    parser, one = parser_of(__doc__, OUT, MARKS, contestant)
    one.add_argument("--count", type=int, default=5000, help="samples at each mark")
    one.add_argument("--label", default="", help="name of the row, where one contestant takes part twice")
    return parser.parse_args(argv)


def main() -> int:
    args = parse()
    if args.command is None:
        kept = Path(OUT) / "table.md"
        print(kept.read_text() if kept.is_file() else "nothing measured yet: see --help")
        return 0
    from facegan.errors import FaceganError

    try:
        return {"run": run, "table": table}[args.command](args)
    except FaceganError as error:
        sys.exit(f"side_by_side: {error}")


if __name__ == "__main__":
    raise SystemExit(main())
