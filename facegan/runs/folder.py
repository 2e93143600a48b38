"""Writing a run folder: its lock, settings, statistics, grids and models."""

from __future__ import annotations

import contextlib
import json
import platform
import shutil
import sys
from dataclasses import asdict, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from facegan import files, images
from facegan.errors import RunError
from facegan.families import FAMILIES, get_family
from facegan.machine import cores
from facegan.marks import made
from facegan.models import moments
from facegan.recipes.config import TrainSettings, differences
from facegan.runs.callbacks import Listener, StepStats
from facegan.runs.checkpoints import kimg_name, kimg_of, list_checkpoints
from facegan.settings import walk
from facegan.version import __version__


class RunFolder(Listener):
    """The folder of a run that trains; statistics and events become lines, grids become files."""

    def __init__(self, path: Path, mark: bool = True) -> None:
        self.path = path
        self.mark = made(mark=mark)
        try:
            self._before = {p.name for p in path.iterdir()} if path.is_dir() else set()
            self._made = [folder for folder in (path, *path.parents) if not folder.exists()]
            path.mkdir(parents=True, exist_ok=True)
            self._lock = open(path / ".lock", "a+")  # noqa: SIM115  held as long as the run lives
        except OSError as error:
            raise RunError(
                f"{path}: the run folder cannot be written ({error.strerror}); choose another --out"
            ) from None
        if not files.take_lock(self._lock):
            raise RunError(f"{self.path}: another process is training in this folder")

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def begin(self, config: dict[str, Any]) -> None:
        """Write config.json, or check that the one there differs only in what may change.

        Before the first checkpoint there is nothing to lose: a run that did not fit into memory, say, may
        begin again with other settings. Models without any checkpoint are somebody's results.
        """
        file = self.path / "config.json"
        begun, models = list_checkpoints(self.checkpoints), len(moments(self.path))
        if models > 1 and not begun:  # one may be there before the first checkpoint
            raise RunError(
                f"{self.path}: it holds {models} models but no checkpoint to go on from, and beginning again "
                "would replace them; choose another --out"
            )
        if file.exists():
            try:
                old = json.loads(file.read_text())
            except (OSError, ValueError):
                raise RunError(f"{file}: not readable as JSON; restore it or choose another --out") from None
            drop = {s.name for s in walk(TrainSettings()) if s.rules.resumable} | {"command", "facegan"}
            new = json.loads(json.dumps(config, default=str))  # lists, not tuples
            a, b = ({k: v for k, v in _with_defaults(c).items() if k not in drop} for c in (old, new))
            for side in (a, b):  # a dataset may be moved: what counts is its content
                for name in {"dataset", "to"} & side.keys():
                    data = side[name]
                    side[name] = {
                        "content": f"{str(data.get('content_hash'))[:16]} ({data.get('count')} pictures)"
                    }
            changed = differences(a, b)
            if changed and begun:
                shown = "; ".join(changed[:6]) + (
                    f"; and {len(changed) - 6} more" if len(changed) > 6 else ""
                )
                begin = f"; to begin there with what this run has learnt, add --init {self.path}"
                raise RunError(
                    f"{self.path} holds a run with other settings ({shown}); choose another --out"
                    + begin * (old.get("family") == new.get("family"))  # another family's do not fit
                )
        elif any(p.name != ".lock" and not fnmatch(p.name, ".*.tmp") for p in self.path.iterdir()):
            raise RunError(f"{self.path}: not empty and not a run folder; choose another --out")
        for folder in ("", "samples", "samples/pairs", "models", "checkpoints"):
            for stale in (self.path / folder).glob(".*.tmp"):  # of a process that was killed
                shutil.rmtree(stale) if stale.is_dir() else stale.unlink()
        files.write_bytes(file, json.dumps(config, indent=1, default=str).encode())
        files.write_bytes(self.path / "environment.json", json.dumps(environment(), indent=1).encode())

    def withdraw(self) -> None:
        """Remove what a run has written that could not begin; what was there before stays."""
        new = {p.name for p in self.path.iterdir()} - self._before
        if new <= {".lock", "config.json", "environment.json", "labels.json", "labels.png"}:
            for name in new:
                (self.path / name).unlink()
            with contextlib.suppress(OSError):  # another run has begun beside this one
                for folder in self._made:
                    folder.rmdir()

    def truncate(self, images_seen: int) -> None:
        """Remove statistics and pictures after the point at which a run resumes."""
        for name in ("stats.jsonl", "events.jsonl"):
            file = self.path / name
            if file.exists():
                lines = [line for line in file.read_text().splitlines() if _seen(line) <= images_seen]
                files.write_bytes(file, "".join(f"{line}\n" for line in lines).encode())
        patterns = ("samples/*kimg.png", "samples/pairs/*.png", "models/*kimg.safetensors")
        for file in (found for pattern in patterns for found in self.path.glob(pattern)):
            if kimg_of(file.name) > images_seen / 1000:
                file.unlink()

    def _append(self, name: str, value: dict[str, Any]) -> None:
        line = json.dumps(value) + "\n"
        try:
            with open(self.path / name, "a") as handle:
                handle.write(line[: len(line) // 2])
                handle.flush()
                files.failpoint(f"{name}: half a line")
                handle.write(line[len(line) // 2 :])
        except OSError as error:  # without a file name, if it comes from closing
            raise OSError(error.errno, error.strerror, str(self.path / name)) from None
        files.failpoint(f"{name}: a line")

    def on_stats(self, stats: StepStats) -> None:
        self._append("stats.jsonl", stats.line())

    def amend(self, images_seen: int, values: dict[str, float]) -> None:
        """Add values to a report: of two lines for one count of images, the later counts."""
        file, line = self.path / "stats.jsonl", {"images_seen": images_seen, "kimg": images_seen / 1000}
        for text in file.read_text().splitlines() if file.exists() else ():
            if _seen(text) == images_seen:
                line |= json.loads(text)
        self._append("stats.jsonl", line | values)

    def name_grid(self, model_hash: str, count: int) -> None:
        """Let the marks of the next pictures name the generator, and the seeds from 0 on."""
        seeds = f"0-{count - 1}" if count > 1 else "0"
        self.mark = replace(self.mark, details={"seed": seeds, "model": model_hash})

    def on_grid(self, images_seen: int, grid: np.ndarray) -> None:
        file = self.path / "samples" / f"{kimg_name(images_seen)}.png"
        images.save_png(file, grid, self.mark.having(kimg=f"{images_seen / 1000:g}"))

    def save_labels(self, counts: dict[str, Any], sheet: np.ndarray) -> None:
        """Save how many training pictures have which label, and a sheet of examples, uint8 ``H,W,3``."""
        images.save_png(self.path / "labels.png", sheet)
        files.write_bytes(self.path / "labels.json", json.dumps(counts, indent=1).encode())

    def save_pair(self, images_seen: int, real: np.ndarray, fake: np.ndarray) -> None:
        """Save one real and one generated picture, uint8 ``H,W,C``."""
        for kind, picture in (("real", real), ("fake", fake)):
            file = self.path / "samples/pairs" / f"{kimg_name(images_seen)}-{kind}.png"
            note = replace(self.mark, details={**self.mark.details, "seed": "0"})
            images.save_png(file, picture, note if kind == "fake" else None)

    def on_event(self, images_seen: int, text: str) -> None:
        self._append("events.jsonl", {"images_seen": images_seen, "text": text})

    def model_path(self, images_seen: int) -> Path:
        return self.path / "models" / f"{kimg_name(images_seen)}.safetensors"

    def point_at_best(self, best: dict[str, Any] | None) -> None:
        """Write which checkpoint is the best by the run's metric, for ``RUN@best``."""
        file = self.path / "best.json"
        if best:
            content = json.dumps({**best, "model": self.model_path(best["images_seen"]).name}).encode()
            if not file.exists() or file.read_bytes() != content:
                files.write_bytes(file, content)
        else:
            file.unlink(missing_ok=True)

    def close(self) -> None:
        self._lock.close()


def _with_defaults(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration in which settings that are younger than the run have their default."""
    found = {**json.loads(json.dumps(asdict(TrainSettings()))), **config}
    if found.get("family") in FAMILIES:
        model = json.loads(json.dumps(asdict(get_family(found["family"]).config())))
        found["model"] = {
            side: {**model.get(side, {}), **given} for side, given in found.get("model", {}).items()
        }
    return found


def _seen(line: str) -> float:
    """Return images_seen of a line; a torn one counts as beyond every point."""
    try:
        return json.loads(line)["images_seen"]
    except (ValueError, KeyError, TypeError):
        return float("inf")


def environment() -> dict[str, Any]:
    """Return the machine and the versions."""
    import torch

    return {
        "facegan": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "cores": cores(),
        "threads": torch.get_num_threads(),
        "cuda_device": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "argv": sys.argv[1:],
    }
