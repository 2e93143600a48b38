"""Pictures of work in progress: a folder of them, a film of them, a curve of the loss, and the result."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facegan import __version__, images, video
from facegan.errors import InputError
from facegan.files import check_ending, check_places, write_bytes, writing
from facegan.pixels.settings import SnapshotConfig
from facegan.settings import check_values

MAX_FILM_SIDE = 1920  # px of a film's longer side; pictures may be larger


def check_film(film: str, fps: float) -> None:
    """Raise InputError for a name or rate that no film can have; "" is no film."""
    if not film:
        return
    if not video.is_film(film):
        raise InputError(f"--film {film}: the name must end in {', '.join(video.FORMATS)}")
    most = video.FORMATS[Path(film).suffix.lower()].most_fps
    if not 0 < fps <= most:
        raise InputError(f"--fps must be above 0 and, for {film}, at most {most}, not {fps:g}")


def check_snapshots(config: SnapshotConfig, out: str, read: Sequence[Any]) -> None:
    """Check names and numbers.

    Args:
        out: Where the result goes; "" is nowhere.
        read: The pictures that are read; those that are no files do not matter.

    Raises:
        InputError: A name or number cannot be, or a result would replace what is read.
    """
    check_values(config, error=InputError)
    if out:
        check_ending("--out", out, (".png", ".jpg", ".jpeg"))
    if config.curve:
        check_ending("--curve", config.curve, (".png",))
    check_film(config.film, config.fps)
    given = [str(name) for name in read if isinstance(name, (str, Path)) and str(name)]
    places = {"--out": out, "--curve": config.curve, "--film": config.film}
    check_places(places, given)
    for option, name in places.items():
        if name and Path(name).is_dir():
            raise InputError(f"{option} {name}: is a folder; choose a name for a file")
    folders = [Path(photo).resolve().parent for photo in given if Path(photo).exists()]
    if config.pictures and Path(config.pictures).resolve() in folders:
        raise InputError(
            f"--pictures {config.pictures}: pictures that are read lie there; choose another folder"
        )


class Snapshots:
    """Keeps pictures: called with (steps done, uint8 ``H,W,3``); ``finish`` makes the film."""

    def __init__(self, folder: str = "", film: str = "", fps: float = 24.0, *, going_on: int = 0) -> None:
        """Say where pictures go, as 000100.png ("" keeps none), and the film ("" makes none).

        ``going_on`` is after how many steps each an earlier call of the same work kept pictures, which belong
        to the film, too; 0 is none.
        """
        self.film, self.fps, self.files, self.going_on = film, fps, list[Path](), going_on
        self.temporary = tempfile.TemporaryDirectory() if film and not folder else None
        self.folder = Path(self.temporary.name) if self.temporary else Path(folder) if folder else None

    def __call__(self, done: int, image: np.ndarray) -> None:
        if self.folder is not None:
            path = self.folder / f"{done:06d}.png"
            if not self.files:
                self._take_up(done - 1)
            with writing("--pictures", str(self.folder)):
                images.save_png(path, image)
            if path not in self.files:
                self.files.append(path)

    def _take_up(self, upto: int) -> None:
        """Add what an earlier call has kept of the steps until ``upto``."""
        if self.going_on and self.folder is not None:
            places = (self.folder / f"{n:06d}.png" for n in range(self.going_on, upto + 1, self.going_on))
            self.files = [place for place in places if place.is_file()]

    def finish(self, done: int, image: np.ndarray) -> int:
        """Make the film, every frame as large as ``image``, at most 1920 px; return its number of frames.

        ``image`` itself, of ``done`` steps, is one if no other was due.
        """
        count, size = 0, image.shape[:2]
        if not self.files:
            self._take_up(done)
        if self.film and not self.files:
            self(done, image)
        if self.film:
            k = min(1.0, MAX_FILM_SIDE / max(size))
            size = max(2, round(size[0] * k)), max(2, round(size[1] * k))
            frames = (images.resize(images.read_image_file(f), size) for f in self.files)
            with writing("--film", self.film):
                count = video.write_film(self.film, frames, self.fps)
        if self.temporary is not None:
            self.temporary.cleanup()
        return count


class Recorder:
    """Keeps what settings ask for: pictures on the way, the result, a curve and a film."""

    def __init__(self, keep: SnapshotConfig, out: str, going_on: bool = False) -> None:
        """Write the result to ``out`` ("" is nowhere); ``going_on``: an earlier call has begun it."""
        folder = keep.pictures
        if not folder and out and keep.every:
            folder = f"{Path(out).with_suffix('')}-steps"
        self.keep, self.out = keep, out
        self.snapshots = Snapshots(folder, keep.film, keep.fps, going_on=keep.every if going_on else 0)

    def save(self, image: np.ndarray, text: Mapping[str, str]) -> Path | None:
        """Save the result, with text that says what made it; return where it is."""
        if not self.out:
            return None
        with writing("--out", self.out):
            images.save_picture(self.out, image, {**text, "Software": f"facegan {__version__}"})
        return Path(self.out)

    def finish(
        self, steps: int, image: np.ndarray, rows: Sequence[Mapping[str, float]], *, title: str
    ) -> int:
        """Draw the curve and make the film, which ends with ``image`` if it is short; return its frames."""
        if self.keep.curve and rows:
            save_curve(self.keep.curve, rows, title)
        return self.snapshots.finish(steps, image)


def save_curve(path: str | Path, rows: Sequence[Mapping[str, float]], title: str) -> None:
    """Draw every named value over the steps, one panel each, as PNG."""
    import io

    from matplotlib.figure import Figure

    names = [n for n in rows[0] if n not in ("size", "octave")]
    figure = Figure(figsize=(3.6 * len(names), 3.0), layout="constrained")
    figure.suptitle(title, fontsize=10, parse_math=False)
    jumps = [i + 1 for i, (a, b) in enumerate(itertools.pairwise(rows)) if _place(a) != _place(b)]
    for axes, name in zip(np.atleast_1d(np.asarray(figure.subplots(1, len(names)))), names, strict=True):
        values = [row[name] for row in rows]
        axes.plot(range(1, len(rows) + 1), values, color="#3b6ea5", linewidth=1.2)
        for jump in jumps:
            axes.axvline(jump + 0.5, color="#bbbbbb", linewidth=0.8, zorder=0)
        # The first step of a long fall would flatten all others.
        if min(values) > 0 and max(values) > 30 * min(values):
            axes.set_yscale("log")
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("steps", fontsize=8)
        axes.tick_params(labelsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    with writing("--curve", str(path)):
        write_bytes(path, buffer.getvalue())


def _place(row: Mapping[str, float]) -> tuple[float, float]:
    return row.get("size", 0.0), row.get("octave", 0.0)
