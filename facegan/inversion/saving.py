"""The folder with the results of an inversion."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegan import images, video
from facegan.deltas import save_delta
from facegan.errors import InputError
from facegan.figures import origin
from facegan.files import write_bytes
from facegan.generator import Generator
from facegan.inversion import figures
from facegan.inversion.config import InvertConfig
from facegan.inversion.results import Inversion, errors_csv
from facegan.inversion.targets import Photo
from facegan.marks import COMPOSITE, Mark
from facegan.vectors import Vectors, save_vectors
from facegan.xmp import embed

MAX_PATHS = 4  # so many photos get their paths and films without being asked for


def check_folder(out: Path, photos: Sequence[Any]) -> None:
    """Refuse, before hours of search, a folder that cannot be written, or one that holds the photos."""
    there = next(p for p in (out, *out.absolute().parents) if p.exists())
    if not there.is_dir():
        raise InputError(f"--out {out}: {there} is a file; choose a folder")
    if not os.access(there, os.W_OK):
        raise InputError(f"--out {out}: {there} may not be written to; choose another folder")
    for text in photos:
        if not isinstance(text, (str, os.PathLike)):
            continue
        path = Path(text).expanduser()
        if not str(text) or not path.exists():
            continue
        within = (out.resolve(), *out.resolve().parents) if path.is_dir() else (out.resolve(),)
        if (path if path.is_dir() else path.parent).resolve() in within:  # of a folder all below is read
            raise InputError(f"--out {out}: the photos lie there; choose a folder for the results alone")


def place(out: Path, names: Sequence[str], asked: bool) -> Path:
    """Return a folder for results of these photos that holds no results of others.

    InputError if the one that does was ``asked`` for.
    """
    for number in itertools.count(2):
        others = _others(out, names)
        if not others:
            return out
        if asked:
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            raise InputError(f"--out {out}: it holds the results of {others[0]}{more}; choose another folder")
        out = out.with_name(f"inverted-{number}")
    raise AssertionError


def _others(out: Path, names: Sequence[str]) -> list[str]:
    """Return photos whose results lie in the folder and that are not among ``names``."""
    try:
        with np.load(out / "vectors.npz", allow_pickle=False) as archive:
            return [str(name) for name in archive["names"] if str(name) not in names]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return []


def write_vectors(out: Path, model: Generator, done: Inversion, *, mark: bool = True) -> None:
    """Write ``vectors.npz`` and each photo's picture."""
    out.mkdir(parents=True, exist_ok=True)
    save_vectors(out / "vectors.npz", done.vectors)
    for name, picture in zip(done.names, done.pictures, strict=True):
        images.save_png(out / f"{name}.png", picture, _origin(model, done, mark).having(inverted=name))
        delta_file(out, name).unlink(missing_ok=True)  # of an earlier search: it fits another vector


def write_delta(out: Path, model: Generator, done: Inversion, *, name: str, **made: Any) -> Path:
    """Write what the model changes by for one photo; ``made`` says how it was found."""
    file = delta_file(out, name)
    save_delta(file, model.hash, done.deltas[name], photo=name, tuning=made)
    return file


def write_figures(
    out: Path,
    model: Generator,
    done: Inversion,
    *,
    paths: str = "auto",
    film: str = "mp4",
    mark: bool = True,
) -> None:
    """Write errors, pairs and curves, and the way to ``all`` photos, ``none``, or (``auto``) a few."""
    text = replace(_origin(model, done, mark), source=COMPOSITE)  # photos stand beside
    write_bytes(out / "errors.csv", errors_csv(done))
    images.save_png(out / "pairs.png", figures.pairs_figure(done), text)
    title = f"{done.config.optimizer}, {done.config.loss}, {len(done)} photo{'s' * (len(done) != 1)}"
    write_bytes(out / "curve.png", figures.curve_figure(done.curves, done.names, title))
    if paths == "all" or (paths == "auto" and len(done) <= MAX_PATHS):
        for i, name in enumerate(done.names):
            steps, pictures = figures.path_pictures(model, done, i)
            images.save_png(out / f"{name}-path.png", figures.path_figure(steps, pictures), text)
            frames = figures.film_frames(done, i, pictures, hold=10)
            video.write_film(out / f"{name}.{film}", frames, 10, mark=text)


def write_comparison(out: Path, model: Generator, done: dict[str, Inversion], *, mark: bool = True) -> None:
    """Write the figure and the errors of one photo under several losses."""
    out.mkdir(parents=True, exist_ok=True)
    text = origin(model.hash, compared=", ".join(done), mark=mark)
    write_bytes(
        out / "compare.png", embed(figures.compare_figure(done), replace(text, source=COMPOSITE).packet())
    )
    rows = [errors_csv(d).decode().splitlines() for d in done.values()]
    lines = [f"by,{rows[0][0]}", *(f"{name},{row[1]}" for name, row in zip(done, rows, strict=True))]
    write_bytes(out / "errors.csv", ("\n".join(lines) + "\n").encode())


def delta_file(out: Path, name: str) -> Path:
    """Return the file of a photo's delta."""
    return out / f"{name}-delta.safetensors"


def _origin(model: Generator, done: Inversion, mark: bool) -> Mark:
    return origin(model.hash, space=done.vectors.space, loss=done.config.loss, mark=mark)


# --- what finished batches leave, so that the same call goes on with the rest -----------------------


class BatchCache:
    """Finished batches in ``OUT/.parts``, until all are done.

    Found again are those of the same settings, model, encoder and photos. Without a folder nothing is kept.
    """

    def __init__(self, folder: Path | None, config: InvertConfig, model_hash: str, *, encoder: str) -> None:
        self.folder, self.config = folder and folder / ".parts", config
        self.key = json.dumps([asdict(config), model_hash, encoder], sort_keys=True)

    def file(self, photos: Sequence[Photo]) -> Path:
        assert self.folder is not None
        content = self.key + json.dumps([[p.name, p.digest] for p in photos])
        return self.folder / f"{hashlib.sha256(content.encode()).hexdigest()[:24]}.npz"

    def save(self, photos: Sequence[Photo], done: Inversion) -> None:
        if self.folder is None:
            return
        arrays: dict[str, np.ndarray] = {
            "names": np.array(done.names),
            "vectors": done.vectors.z.numpy(),
            "space": np.array(done.vectors.space),
            "model_hash": np.array(done.vectors.model_hash),
            "photos": done.photos,
            "pictures": done.pictures,
            "curves": done.curves,
            "snapshots": done.snapshots.numpy(),
            "steps": np.array(done.snapshot_steps),
            **{f"error/{k}": v for k, v in done.errors.items()},
            **{f"noise/{k}": v.numpy() for k, v in done.noise.items()},
        }
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        write_bytes(self.file(photos), buffer.getvalue())

    def load(self, photos: Sequence[Photo]) -> Inversion | None:
        if self.folder is None:
            return None
        try:
            with np.load(self.file(photos), allow_pickle=False) as a:
                names = tuple(str(n) for n in a["names"])
                vectors = Vectors(
                    torch.from_numpy(a["vectors"]), names, str(a["model_hash"]), str(a["space"])
                )
                errors, noise = (
                    {k[6:]: a[k] for k in a.files if k.startswith(kind)} for kind in ("error/", "noise/")
                )
                return Inversion(
                    names,
                    vectors,
                    a["photos"],
                    a["pictures"],
                    errors,
                    a["curves"],
                    torch.from_numpy(a["snapshots"]),
                    [int(s) for s in a["steps"]],
                    self.config,
                    {k: torch.from_numpy(v) for k, v in noise.items()},
                )
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None

    def remove(self) -> None:
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
