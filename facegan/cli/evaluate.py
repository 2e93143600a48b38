"""``facegan evaluate``: honest numbers for a model, a folder of pictures or a dataset."""

from __future__ import annotations

import json as jsonlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from facegan.cli.evaluate_page import ARROWS, described, shown
from facegan.cli.main import run_function
from facegan.errors import InputError

if TYPE_CHECKING:
    from facegan.metrics.evaluate import Evaluation


def main(
    subject: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL|FOLDER|DATASET")],
    against: str,
    split: str = "",
    *,
    features: str = "faces",
    metrics: str = "",
    count: int = 0,
    subject_split: str = "train",
    truncation: float = 1.0,
    weights: str = "",
    floor: bool = True,
    json: str = "",
    page: str = "",
    device: str = "cpu",
) -> None:
    """Measure generated pictures against real ones.

    Args:
        subject: a run, a model file, a folder of pictures, or a dataset.
        against: the dataset with the real pictures.
        split: which of its pictures: test, val or train (default: the first of these that is there).
        features: what compares pictures: faces (bundled), inception (its weights must be there), pixels.
        metrics: some of them, with commas: fid, kid, precision-recall, density-coverage, swd, ms-ssim, ppl,
            memorization (default: all that fit).
        count: samples of a model, or at most so many pictures (0: 5000 samples, or all pictures).
        subject_split: which split, where the subject is a dataset.
        truncation: below 1 draws samples towards the average face.
        weights: file of the feature network, instead of the bundled or downloaded one.
        floor: measure other real pictures too, for what a perfect generator would get.
        json: write everything as JSON here (- for standard output).
        page: write a page with pictures (.html) here; with faces of the dataset, so for your eyes only.
        device: cpu, cuda or mps.
    """
    from facegan.metrics.evaluate import evaluate

    if page and Path(page).suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--page {page}: the name must end in .html")
    done = evaluate(
        subject,
        against,
        features,
        metrics=metrics,
        split=split,
        floor=floor,
        on_progress=Progress(),
        count=count,
        subject_split=subject_split,
        truncation=truncation,
        weights=weights,
        device=device,
        say=say,
    )
    print(text(done), file=sys.stderr if json == "-" else sys.stdout)
    if json:
        _write("--json", json, jsonlib.dumps(done.to_dict(), indent=1).encode() + b"\n")
    if page:
        from facegan.cli.evaluate_page import render_page

        _write("--page", page, render_page(done))


def text(done: Evaluation) -> str:
    """The table: each number, what real pictures get, and its reading."""
    rows = [("", "generated", "real", "")]
    for name, value in described(done):
        real = shown(done.real, name, value.digits, interval=False)
        said = f"{ARROWS[value.better]}: {value.reading}"
        rows.append((value.title, shown(done.values, name, value.digits), real, said))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [
        f"{done.subject.name} ({done.subject.count}) against {done.against.name} ({done.against.count}), "
        f"features {done.table.key}"
    ]
    lines += [f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}  {d}".rstrip() for a, b, c, d in rows]
    if done.headline:
        head = shown(done.values, done.headline, 5 if done.headline == "kid" else 3)
        lines.append(f"headline: {done.headline.upper()} {head}")
    lines += [f"note: {warning}" for warning in done.warnings]
    return "\n".join(lines)


class Progress:
    """A line on standard error now and then: rewritten on a terminal, one in ten seconds elsewhere."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self.open = False

    def __call__(self, what: str, done: int, total: int) -> None:
        live = sys.stderr.isatty()
        now = time.monotonic()
        if now - self.last < (0.2 if live else 10) and not (self.open and done >= total):
            return
        self.last = now
        line = f"{what}: {done} of {total}"
        if live:
            print(f"\r\x1b[K{line}", end="\n" if done >= total else "", file=sys.stderr, flush=True)
            self.open = done < total
        else:
            print(line, file=sys.stderr, flush=True)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _write(option: str, path: str, content: bytes) -> None:
    from facegan.files import write_bytes

    if path == "-":
        sys.stdout.write(content.decode())
        return
    try:
        write_bytes(path, content)
    except OSError as error:
        raise InputError(f"{option} {path}: cannot be written ({error.strerror})") from None
    say(f"wrote {path}")


def run(argv: list[str]) -> int:
    run_function(main, argv)
    return 0
