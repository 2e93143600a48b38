"""Pictures of work in progress: a folder of them, a film of them, a curve of the loss, and the result."""

from __future__ import annotations

import io
import itertools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facegan import images, video
from facegan.errors import InputError
from facegan.files import check_ending, check_places, write_bytes, writing
from facegan.marks import Mark
from facegan.pixels.loop import OnPicture
from facegan.pixels.settings import SnapshotConfig

MAX_FILM_SIDE = 1920  # px of a film's longer side; pictures may be larger


def check_snapshots(config: SnapshotConfig, out: str, read: Sequence[Any]) -> None:
    """Check the names of files that are written.

    Args:
        config: What is kept.
        out: Where the result goes; "" is nowhere.
        read: The pictures that are read; those that are no files do not matter.

    Raises:
        InputError: A name or a frame rate is impossible, or a result would replace a file that is read.
    """
    if out:
        check_ending("--out", out, (".png", ".jpg", ".jpeg"))
    if config.curve:
        check_ending("--curve", config.curve, (".png",))
    if config.film:
        video.check_film(config.film, config.fps, "--film ")
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


class Recorder:
    """Keeps pictures of work in progress: called with (steps done, uint8 ``H,W,3``) for each.

    Pictures go to the folder ``pictures`` or OUT-steps as 000100.png, or to a temporary one for the film.
    """

    def __init__(
        self,
        keep: SnapshotConfig,
        out: str,
        going_on: bool = False,
        *,
        mark: Mark,
        on_picture: OnPicture | None = None,
    ) -> None:
        """Write the result to ``out`` ("" is nowhere); ``going_on``: an earlier call has begun the work.

        ``mark`` says what makes the pictures; ``on_picture`` sees what the recorder is given.
        """
        self.mark = mark
        folder = keep.pictures or (f"{Path(out).with_suffix('')}-steps" if out and keep.every else "")
        self.keep, self.out, self.on_picture, self.files = keep, out, on_picture, list[Path]()
        self.every = keep.every if going_on else 0
        self.temporary = tempfile.TemporaryDirectory() if keep.film and not folder else None
        self.folder = Path(self.temporary.name) if self.temporary else Path(folder) if folder else None

    def __call__(self, done: int, image: np.ndarray) -> None:
        if self.folder is not None:
            path = self.folder / f"{done:06d}.png"
            if not self.files:
                self._add_earlier(done - 1)
            with writing("--pictures", str(self.folder)):
                images.save_png(path, image, self.mark)
            if path not in self.files:
                self.files.append(path)
        if self.on_picture is not None:
            self.on_picture(done, image)

    def _add_earlier(self, last: int) -> None:
        """Add the pictures that an earlier call has kept of the steps until ``last``."""
        if self.every and self.folder is not None:
            places = (self.folder / f"{n:06d}.png" for n in range(self.every, last + 1, self.every))
            self.files = [place for place in places if place.is_file()]

    def finish(
        self,
        image: np.ndarray,
        rows: Sequence[Mapping[str, float]],
        *,
        steps: int,
        title: str,
        text: Mapping[str, str],
        frame: np.ndarray | None = None,
    ) -> tuple[Path | None, int]:
        """Write the result, the curve and the film.

        Args:
            image: The result.
            rows: Named losses of each step.
            steps: The steps done.
            title: Of the curve.
            text: What else made the picture, for its mark.
            frame: The result as a frame, if it is another picture; the film has it if no other was due.

        Returns:
            The file of the result, None if it is not written, and the number of the film's frames.
        """
        self.mark = self.mark.having(**text)
        if self.out:
            with writing("--out", self.out):
                images.save_picture(self.out, image, self.mark)
        if self.keep.curve and rows:
            save_curve(self.keep.curve, rows, title)
        count = self._write_film(steps, image if frame is None else frame)
        if self.temporary is not None:
            self.temporary.cleanup()
        return Path(self.out) if self.out else None, count

    def _write_film(self, steps: int, image: np.ndarray) -> int:
        """Write frames as large as ``image``, at most 1920 px; return their number."""
        if not self.keep.film:
            return 0
        if not self.files:
            self._add_earlier(steps)
        if not self.files:
            self.on_picture = None
            self(steps, image)
        k = min(1.0, MAX_FILM_SIDE / max(image.shape[:2]))
        size = max(2, round(image.shape[0] * k)), max(2, round(image.shape[1] * k))
        frames = (images.resize(images.read_image_file(f), size) for f in self.files)
        with writing("--film", self.keep.film):
            return video.write_film(self.keep.film, frames, self.keep.fps, mark=self.mark)


def save_curve(path: str | Path, rows: Sequence[Mapping[str, float]], title: str) -> None:
    """Draw every named value over the steps, one panel each, as PNG."""
    from matplotlib.figure import Figure

    names = [n for n in rows[0] if n not in ("size", "octave")]
    figure = Figure(figsize=(3.6 * len(names), 3.0), layout="constrained")
    figure.suptitle(title, fontsize=10, parse_math=False)
    stages = [(row.get("size"), row.get("octave")) for row in rows]
    jumps = [i for i, (a, b) in enumerate(itertools.pairwise(stages), 1) if a != b]
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
