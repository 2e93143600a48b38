"""What a translation gives, and its files: a figure, single files, or an .npz."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from facegan import figures, images
from facegan.errors import InputError
from facegan.files import check_places, derived, temporary_beside
from facegan.inversion.saving import check_folder
from facegan.marks import COMPOSITE, GENERATED, Mark
from facegan.sheets import show

MAX_ROWS = 64  # pictures in a figure
MAX_STEPS = 25  # pictures in a row


@dataclass(frozen=True)
class Turned:
    """One picture: what the translator was given, and what it made of that, uint8 ``H,W,C`` of one shape.

    ``photo`` is what the input was derived from, if it was.
    """

    name: str
    before: np.ndarray
    after: np.ndarray
    photo: np.ndarray | None = None

    def row(self, steps: int) -> list[np.ndarray]:
        """Return ``steps`` pictures from none of the change to all of it, or all that there are for 0."""
        if steps:
            return [between(self.before, self.after, i / (steps - 1)) for i in range(steps)]
        return [*([] if self.photo is None else [self.photo]), self.before, self.after]


def between(before: np.ndarray, after: np.ndarray, share: float) -> np.ndarray:
    """Return uint8 at a share of the way: 0 is ``before``, 1 is ``after``, to the bit."""
    mixed = before + share * (after.astype(np.float32) - before)
    return np.rint(mixed).astype(np.uint8)


@dataclass(frozen=True)
class Translated:
    """What a translation gave.

    ``pictures`` are the results, and ``inputs`` what the translator was given, uint8 ``H,W,C`` each. Both are
    empty where the results went to a folder or an .npz. ``files`` were written; ``left_out`` has a line on
    each photo that could not be used.
    """

    count: int
    direction: str
    turned: tuple[Turned, ...] = ()
    files: tuple[Path, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The pictures' names, as those of files."""
        return tuple(one.name for one in self.turned)

    @property
    def pictures(self) -> list[np.ndarray]:
        """The results, uint8 ``H,W,C``; whole photos have their own sizes."""
        return [one.after for one in self.turned]

    @property
    def inputs(self) -> list[np.ndarray]:
        """What the translator was given, or the photos as they were."""
        return [one.before for one in self.turned]

    @property
    def images(self) -> np.ndarray:
        """The results as one array, uint8 ``N,H,W,C``; InputError for photos of several sizes."""
        if len({one.after.shape for one in self.turned}) > 1:
            raise InputError("these photos differ in size: take them from 'pictures', a list")
        return np.stack(self.pictures) if self.turned else np.empty((0, 0, 0, 3), np.uint8)

    def steps(self, count: int) -> list[list[np.ndarray]]:
        """Return for each picture ``count`` ones from none of the change to all of it."""
        return [one.row(count) for one in self.turned]

    def __repr__(self) -> str:
        return f"<Translated: {self._counted()}, {self.direction}>"

    def __str__(self) -> str:
        """Return how many pictures there are, and where they lie."""
        text = f"{self._counted()} translated"
        if self.files:
            text += f" -> {', '.join(map(str, self.files))}"
        return text + (f" ({len(self.left_out)} left out)" if self.left_out else "")

    def _counted(self) -> str:
        return f"{self.count:,} picture{'s' * (self.count != 1)}"

    def _repr_png_(self) -> bytes | None:
        """Return each input beside its result; None where they went to files."""
        if not self.turned:
            return None
        shape = max((one.after.shape[:2] for one in self.turned), default=(1, 1))
        pairs = [images.resize(p, shape) for one in self.turned[:MAX_ROWS] for p in (one.before, one.after)]
        return show(np.stack(pairs), 2)._repr_png_()


# --- files -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Output:
    """Where results go and how.

    ``out`` None is nowhere, so that they are kept in memory; else it is a .png for a figure, an .npz, or a
    folder. ``steps`` 0 shows input and result. ``whole`` says that pictures are whole photos, ``scale`` how
    often a pixel is repeated (0: smoothly in figures, once in files), ``note`` is the mark of the files.
    """

    out: str | Path | None
    steps: int = 0
    whole: bool = False
    scale: int = 0
    note: Mark = field(default_factory=Mark)

    @property
    def kind(self) -> str:
        """Return memory, figure, npz or folder, by the name's ending."""
        if self.out is None:
            return "memory"
        text = str(self.out)
        kind = {".png": "figure", ".npz": "npz", "": "folder"}.get(Path(text).suffix.lower(), "")
        if Path(text).is_dir() or text.endswith("/"):
            kind = "folder"
        if not kind:
            raise InputError(f"--out {text}: choose a .png, an .npz or a folder (FOLDER/)")
        return kind

    def check(self, read: Sequence[Any], count: int | None) -> None:
        """Raise InputError, before any work, where ``count`` pictures cannot be written so.

        ``read`` are the photos' places; nothing that is written may replace them.
        """
        if not (self.steps == 0 or 2 <= self.steps <= MAX_STEPS):
            raise InputError(f"--steps must be from 2 to {MAX_STEPS}, or 0 for input and result")
        if not 0 <= self.scale <= 64:
            raise InputError(f"--scale must be from 0 (as fits) to 64, not {self.scale}")
        kind, places = self.kind, [place for place in read if isinstance(place, (str, os.PathLike))]
        if kind == "folder":
            check_folder(Path(str(self.out)), places)
        elif kind != "memory":
            check_folder(Path(str(self.out)).parent, ())
            check_places({"--out": [*self.files()]}, [str(p) for p in places if str(p) != "-"])
        if kind == "npz" and self.whole:
            raise InputError(f"--out {self.out}: photos differ in size; choose a folder for --whole")
        if kind == "npz" and self.scale > 1:
            raise InputError(f"--scale is for PNG: leave it out, or choose another --out than {self.out}")
        if kind == "figure" and (count or 0) > MAX_ROWS:
            raise InputError(self.too_many(f"{count:,}"))

    def too_many(self, count: str) -> str:
        """Return the message on more pictures than a figure holds."""
        return f"--out {self.out}: {count} pictures are too many for a figure; choose a folder or an .npz"

    def mark(self, composite: bool) -> Mark:
        """Return the mark of a picture; ``composite``: with pixels of a photo, or photos beside it."""
        return replace(self.note, source=COMPOSITE if composite else GENERATED)

    def files(self) -> list[Path]:
        """Return the files of a figure or an .npz."""
        out = Path(str(self.out))
        return [out, derived(out, "-result.png")] if self.kind == "figure" else [out]

    def sink(self) -> Sink:
        """Return what takes the results one by one."""
        kinds: dict[str, type[Sink]] = {"figure": Figure, "npz": Archive, "folder": Folder}
        return kinds.get(self.kind, Sink)(self)


class Sink:
    """Takes results one by one and keeps them; others write them instead."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self.turned: list[Turned] = []

    def take(self, one: Turned) -> None:
        """Take a result."""
        self.turned.append(one)

    def finish(self) -> list[Path]:
        """Write what is left to write, and return the files."""
        return []

    def close(self) -> None:
        """Clear away what helped to write; the files and what is kept stay."""
        return


class Figure(Sink):
    """Draws a row for each picture, and beside the figure the results alone."""

    def take(self, one: Turned) -> None:
        if len(self.turned) == MAX_ROWS:
            raise InputError(self.output.too_many(f"more than {MAX_ROWS}"))
        super().take(one)

    def finish(self) -> list[Path]:
        written, note = self.output.files(), self.output.mark(composite=self.output.whole)
        images.save_png(written[0], figure(self.turned, self.output), self.output.mark(composite=True))
        results = [one.after for one in self.turned]
        if not self.output.whole:
            across = math.ceil(math.sqrt(len(results)))
            large = figures.magnified(np.stack(results), across, self.output.scale)
            images.save_png(written[1], large[0] if len(large) == 1 else images.grid(large, across), note)
        elif len(results) == 1:
            images.save_png(written[1], results[0], note)
        else:
            written = written[:1]  # photos of several sizes go to a folder
        return written


def figure(turned: Sequence[Turned], output: Output) -> np.ndarray:
    """Return a row for each picture, uint8 ``H,W,3``: input and result, or the way from one to the other."""
    rows = [(one.name if len(turned) > 1 else "", one.row(output.steps)) for one in turned]
    count = len(rows[0][1])
    if output.steps:
        heads = ["none", *(f"{100 * i / (count - 1):.0f}%" for i in range(1, count - 1)), "full"]
    else:
        heads = ["photo", "input", "result"][-count:] if count == 3 else ["input", "result"]
        heads = ["photo", "result"] if output.whole else heads
    wide = figures.WIDE - (figures.NAMES if len(turned) > 1 else 0)
    if output.whole:
        side = (wide - 4) // count - 4
        shown = [(name, [_fitted(p, side) for p in row]) for name, row in rows]
    else:
        pictures = np.stack([p for _, row in rows for p in row])
        large = figures.colour(figures.magnified(pictures, count, output.scale, wide=wide))
        shown = [(name, list(large[i * count : (i + 1) * count])) for i, (name, _) in enumerate(rows)]
    return figures.table(shown, heads)


def _fitted(photo: np.ndarray, width: int) -> np.ndarray:
    """Return a photo made ``width`` px wide, on white where it is higher than that."""
    height = max(1, round(photo.shape[0] * width / photo.shape[1]))
    return figures.colour(images.resize(photo, (height, width)))


class Folder(Sink):
    """Writes single files as soon as they are there."""

    def take(self, one: Turned) -> None:
        folder, steps = Path(str(self.output.out)), self.output.steps
        folder.mkdir(parents=True, exist_ok=True)
        names = [f"{one.name}-{i + 1}" for i in range(steps)] if steps else [one.name]
        for name, picture in zip(names, one.row(steps) if steps else [one.after], strict=True):
            large = images.enlarge(picture, max(1, self.output.scale))
            note = self.output.mark(composite=self.output.whole or steps > 0)
            images.save_png(folder / f"{name}.png", large, note.having(photo=one.name))

    def finish(self) -> list[Path]:
        return [Path(str(self.output.out))]


class Archive(Sink):
    """Writes ``images``, ``inputs`` and ``names`` to an .npz, in constant memory."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self.path, self.names = Path(str(output.out)), list[str]()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.parts: dict[str, IO[bytes]] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}

    def take(self, one: Turned) -> None:
        steps = self.output.steps
        result = np.stack(one.row(steps)) if steps else one.after
        for name, array in (("images", result), ("inputs", one.before)):
            if name not in self.parts:
                self.parts[name] = tempfile.TemporaryFile(dir=self.path.parent)  # noqa: SIM115
                self.shapes[name] = array.shape
            self.parts[name].write(np.ascontiguousarray(array).tobytes())
        self.names.append(one.name)

    def finish(self) -> list[Path]:
        temporary = temporary_beside(self.path)
        try:
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
                for name, part in self.parts.items():
                    head = {
                        "descr": "|u1",
                        "fortran_order": False,
                        "shape": (len(self.names), *self.shapes[name]),
                    }
                    part.seek(0)
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                        np.lib.format.write_array_header_1_0(stream, head)
                        shutil.copyfileobj(part, stream)
                with archive.open("names.npy", "w") as stream:
                    np.lib.format.write_array(stream, np.array(self.names))
            os.replace(temporary, self.path)
        finally:
            temporary.unlink(missing_ok=True)
        return [self.path]

    def close(self) -> None:
        for part in self.parts.values():
            part.close()
