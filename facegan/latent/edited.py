"""What an edit gives: points before and after, pictures on the way, files."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegan import figures, images
from facegan.data.filters import plain
from facegan.errors import ImageError, InputError
from facegan.files import check_ending, derived, write_bytes, writing
from facegan.generator import Generator
from facegan.latent.points import as_vectors
from facegan.sheets import show
from facegan.vectors import Vectors, save_vectors

MAX_ROWS = 64
MAX_STEPS = 25


@dataclass(frozen=True)
class Mask:
    """Where the original stays: ``weight`` ``H,W,1`` from 0 (edited) to 1 (kept)."""

    weight: np.ndarray

    @classmethod
    def read(cls, path: str, model: Generator) -> Mask:
        """Return a picture of any size, white where the original stays."""
        try:
            picture = images.read_image_file(path)
        except ImageError as error:
            raise InputError(f"--keep {path}: {error}") from None
        h, w = model.image_shape[1:]
        return cls(images.luma(images.resize(picture, (h, w), "bilinear")).astype(np.float32) / 255)

    def blend(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        mixed = self.weight * before.astype(np.float32) + (1 - self.weight) * after.astype(np.float32)
        found: np.ndarray = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
        return found


@dataclass(frozen=True)
class Edited:
    """Points before and after in w, what was asked, and how to draw it."""

    model: Generator
    names: tuple[str, ...]
    before: torch.Tensor
    after: torch.Tensor
    strengths: dict[str, float]
    mask: Mask | None = None
    files: tuple[Path, ...] = ()

    def spelled(self, share: float = 1.0) -> str:
        """Return ``smiling +2, eyeglasses -1``, at a share of the strengths."""
        return ", ".join(f"{plain(name)} {share * s:+.3g}" for name, s in self.strengths.items())

    def __repr__(self) -> str:
        asked = ", ".join(f"{name}={value:+g}" for name, value in self.strengths.items())
        return f"<Edited: {len(self.names)} face{'s' * (len(self.names) != 1)}, {asked}>"

    def __str__(self) -> str:
        """Return what was edited and where the files lie."""
        if len(self.files) != 3:
            count = f"{len(self.names)} edited face{'s' * (len(self.names) != 1)}: {self.spelled()}"
            return f"{count} -> {self.files[0]}" if self.files else count
        strip, picture, vectors = self.files
        return f"{self.spelled()} -> {strip}, {picture}, and the vectors in {vectors}"

    def _repr_png_(self) -> bytes:
        """Before and after, side by side."""
        pairs = np.stack([self.at(0.0), self.images], 1)
        return show(pairs.reshape(-1, *pairs.shape[2:]), 2)._repr_png_()

    @property
    def images(self) -> np.ndarray:
        """uint8 ``N,H,W,C`` of the edited faces."""
        return self.at(1.0)

    def at(self, share: float, rows: slice = slice(None)) -> np.ndarray:
        """Return uint8 ``N,H,W,C`` at a share of the strengths: 0 is the original, 1 the edit."""
        before, after = self.before[rows], self.after[rows]
        drawn = self.model.images(before + share * (after - before))
        return drawn if self.mask is None else self.mask.blend(self.model.images(before), drawn)

    @property
    def vectors(self) -> Vectors:
        """The edited points: z where w is z itself and all layers agree, else w."""
        return as_vectors(self.model, self.after.numpy(), self.names)

    def save(self, out: str | Path, *, steps: int = 5, scale: int = 0, mark: bool = True) -> list[Path]:
        """Write a strip, its last pictures and the vectors; or, in one .npz, pictures and vectors.

        Args:
            out: a .png, for a row of ``steps`` pictures for each face, from the original to the edit; beside
                it lie OUT-result.png and OUT.npz. Or an .npz.
            steps: pictures in a row, including both ends.
            scale: repeat each pixel so often; 0 enlarges smoothly, to a figure of about 1,024 px.
            mark: write into the pictures what made them.

        Returns:
            The files.
        """
        written = check_saved(out, steps, len(self.names))
        with writing("--out", str(out)):
            if len(written) == 1:
                write_bytes(out, self._archive())
                return written
            about = {"target": ", ".join(self.names), "edits": self.spelled()}
            text = figures.origin(self.model.hash, 1.0, **about, mark=mark)
            frames = [self.at(i / (steps - 1)) for i in range(steps)]
            images.save_png(out, self.strip(frames, scale), text)
            across = math.ceil(math.sqrt(len(self.names)))
            last = figures.magnified(frames[-1], across, scale)
            images.save_png(written[1], last[0] if len(last) == 1 else images.grid(last, across), text)
            save_vectors(written[2], self.vectors)
        return written

    def _archive(self) -> bytes:
        """Return pictures ``images`` and vectors (``z``, ``w`` or ``w+``) as the bytes of an .npz."""
        vectors, buffer = self.vectors, io.BytesIO()
        arrays: Any = {vectors.space: vectors.array, "images": self.images}
        np.savez(buffer, names=np.array(self.names), model_hash=np.array(vectors.model_hash), **arrays)
        return buffer.getvalue()

    def strip(self, frames: Sequence[np.ndarray], scale: int = 0) -> np.ndarray:
        """Return a row for each face, from the original to the edit, with names and strengths."""
        shares = [i / (len(frames) - 1) for i in range(len(frames))]
        captions = ["original", *(self.spelled(share).replace(", ", "\n") for share in shares[1:])]
        wide = figures.WIDE - figures.NAMES
        large = [figures.colour(figures.magnified(frame, len(frames), scale, wide=wide)) for frame in frames]
        rows = [(name, [frame[n] for frame in large]) for n, name in enumerate(self.names)]
        return figures.table(rows, captions)


def check_saved(out: str | Path, steps: int, faces: int = 1) -> list[Path]:
    """Return the files of :meth:`Edited.save`; InputError where it could not write them so."""
    check_ending("--out", str(out), [".png", ".npz"])
    if not 2 <= steps <= MAX_STEPS:
        raise InputError(f"--steps must be from 2 to {MAX_STEPS}, not {steps}")
    if str(out).lower().endswith(".npz"):
        return [Path(out)]
    if faces > MAX_ROWS:
        raise InputError(f"--out {out}: {faces} faces are too many rows; choose an .npz, or fewer faces")
    return [Path(out), derived(out, "-result.png"), derived(out, ".npz")]
