"""Inverting photos from end to end: read, start, search, compare."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegan import arguments, bars
from facegan.errors import FaceganWarning, InputError
from facegan.generator import Generator
from facegan.images import to_float, to_uint8
from facegan.inversion.config import InvertConfig, preset
from facegan.inversion.curvature import inverse_metric
from facegan.inversion.encoder import Encoder, find_encoder
from facegan.inversion.losses import distances
from facegan.inversion.noise import noise_names, synthesize_with
from facegan.inversion.optimize import Found, OnStep, optimize
from facegan.inversion.space import Space, default_space
from facegan.inversion.targets import Photo, as_sources, read_photos
from facegan.sheets import show
from facegan.vectors import Vectors

AROUND = 0.5  # spread of further starts around an encoder's guess
COLUMNS = ("loss", "mae", "mse", "faces")


@dataclass
class Inversion:
    """What inverting N photos gave.

    ``pictures`` are what the vectors' pictures look like, ``photos`` what they should (both uint8
    ``N,H,W,C``); ``errors`` has, for each photo, the loss that was made small, and MAE, MSE and the
    distance in the face network's features (unweighted, of pictures in [-1, 1]). ``curves`` is ``steps+1,N``.
    """

    names: tuple[str, ...]
    vectors: Vectors
    photos: np.ndarray
    pictures: np.ndarray
    errors: dict[str, np.ndarray]
    curves: np.ndarray
    snapshots: torch.Tensor
    snapshot_steps: list[int]
    config: InvertConfig
    noise: dict[str, torch.Tensor] = field(default_factory=dict)
    stopped: bool = False

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        mean = float(np.mean(self.errors["mse"])) if "mse" in self.errors else float("nan")
        photos = f"{len(self)} photo{'s' * (len(self) != 1)}"
        return f"<Inversion: {photos} in {self.vectors.space}, mean MSE {mean:.3g}>"

    def _repr_png_(self) -> bytes:
        """Each photo beside the picture of its vector."""
        pairs = np.stack([self.photos, self.pictures], 1)
        return show(pairs.reshape(-1, *pairs.shape[2:]), 2)._repr_png_()


def starts(
    model: Generator, space: Space, targets: torch.Tensor, config: InvertConfig, encoder: Encoder | None
) -> torch.Tensor:
    """Where the search begins: ``N,restarts,dim``."""
    kind = config.start
    if kind == "auto":
        kind = "encoder" if encoder is not None and (encoder.space == "z" or space.name != "z") else "random"
    n, r = len(targets), config.restarts
    if kind == "encoder":
        if encoder is None:
            raise InputError("--start encoder: this model has none; make one with 'facegan train-encoder'")
        if space.name == "z" and encoder.space != "z":
            raise InputError(f"--start encoder: it guesses {encoder.space}, not z; choose --space w or w+")
        first = space.coordinates(encoder.guess(model, targets))[:, None]
        more = AROUND * space.draw(config.seed, "invert/starts", r)[1:]
        return torch.cat([first, first + more], 1)
    if kind == "random":
        return space.random(range(config.seed, config.seed + r)).expand(n, -1, -1)
    mean = torch.zeros(1, space.dim, device=model.device)
    more = AROUND * space.draw(config.seed, "invert/starts", r)[1:]
    return torch.cat([mean, more]).expand(n, -1, -1)


def invert_pictures(
    model: Generator, photos: np.ndarray, names: Sequence[str], config: InvertConfig,
    encoder: Encoder | None = None, on_step: OnStep | None = None,
) -> Inversion:  # fmt: skip
    """One batch: uint8 ``N,H,W,C`` of the model's shape. Ctrl-C returns what was found (``stopped``)."""
    if config.noise and not noise_names(model):
        raise InputError("--noise: this model has none of its own")
    space = Space(model, config.space or default_space(model))
    targets = to_float(photos, model.device)
    begin = starts(model, space, targets, config, encoder)
    known = encoder is not None and encoder.metric.numel() and encoder.space == space.name
    inverse = inverse_metric(encoder.metric).to(model.device) if encoder is not None and known else None
    found = optimize(model, space, targets, begin, config, on_step, inverse)
    return _gathered(model, space, photos, targets, tuple(names), found, config)


def _gathered(
    model: Generator, space: Space, photos: np.ndarray, targets: torch.Tensor, names: tuple[str, ...],
    found: Found, config: InvertConfig,
) -> Inversion:  # fmt: skip
    with torch.no_grad():
        vectors = space.vectors(found.u)
        w = space.w(found.u)
        pictures = synthesize_with(model, w, found.noise) if found.noise else model.synthesize(w)
        kept = torch.stack([space.vectors(u) for u in found.snapshots])
    errors = {"loss": found.losses} | distances(pictures, targets)
    return Inversion(
        names, Vectors(vectors.detach().cpu(), names, model.hash, space.name), photos, to_uint8(pictures),
        {k: v.cpu().double().numpy() for k, v in errors.items()}, found.curve.numpy(), kept.cpu(),
        found.snapshot_steps, config, {k: v.cpu() for k, v in found.noise.items()}, found.stopped,
    )  # fmt: skip


def merged(parts: Sequence[Inversion]) -> Inversion:
    """Several batches as one; a stopped batch's curve is filled up with its last value."""
    if len(parts) == 1:
        return parts[0]
    longest = max(len(p.curves) for p in parts)
    curves = [np.pad(p.curves, ((0, longest - len(p.curves)), (0, 0)), mode="edge") for p in parts]
    most = max(parts, key=lambda p: len(p.snapshots))
    kept = []
    for p in parts:
        missing = len(most.snapshots) - len(p.snapshots)
        kept.append(torch.cat([p.snapshots, p.vectors.z[None].expand(missing, *p.vectors.z.shape)]))
    names = tuple(name for p in parts for name in p.names)
    first = parts[0]
    vectors = Vectors(
        torch.cat([p.vectors.z for p in parts]), names, first.vectors.model_hash, first.vectors.space
    )
    errors = {k: np.concatenate([p.errors[k] for p in parts]) for k in first.errors}
    noise = {k: torch.cat([p.noise[k] for p in parts]) for k in first.noise}
    return Inversion(
        names, vectors,
        np.concatenate([p.photos for p in parts]), np.concatenate([p.pictures for p in parts]), errors,
        np.concatenate(curves, 1), torch.cat(kept, 1), most.snapshot_steps, first.config, noise,
        any(p.stopped for p in parts),
    )  # fmt: skip


def batches(
    model: Generator, photos: Sequence[Photo], config: InvertConfig, encoder: Encoder | None = None,
    on_step: Callable[[int, int, torch.Tensor], None] | None = None,
) -> Iterator[Inversion]:  # fmt: skip
    """Photos in batches of ``config.batch`` pictures; ``on_step`` gets photos before, step, losses. A batch
    that was stopped is the last one."""
    each = max(1, config.batch // config.restarts)
    for at in range(0, len(photos), each):
        part = photos[at : at + each]
        told = None if on_step is None else (lambda step, losses, at=at: on_step(at, step, losses))
        pictures, names = np.stack([p.image for p in part]), [p.name for p in part]
        done = invert_pictures(model, pictures, names, config, encoder, told)
        yield done
        if done.stopped:
            return


def invert(
    photos: Any, model: Generator | str | Path, *,
    encoder: str | Path = "auto", align: bool = True, face: int = 1, preset: str = "quick",
    on_progress: Callable[[str, int, int], None] | None = None, **changes: Any,
) -> Inversion:  # fmt: skip
    """The vectors whose pictures are nearest to the photos.

    ``photos``: files, folders, addresses, ``seed:7``, pictures ``H,W,C`` or ``N,H,W,C`` of any numbers
    (arrays, tensors, Pillow's), or a list of these. ``model``: what ``load`` takes, or a Generator (whose
    ``encoder`` must then be a file). ``preset`` and ``changes`` are settings of :class:`InvertConfig`, such
    as ``steps=200``. ``on_progress(what, done, total)`` is told of the progress; without it a bar shows it.

    >>> found = facegan.invert("me.jpg", "celeba64", steps=100)
    >>> found.vectors, found.pictures, found.errors["mse"]
    """
    return invert_saying(
        warn, photos, model, encoder=encoder, align=align, face=face, preset=preset, on_progress=on_progress,
        **changes,
    )  # fmt: skip


def warn(line: str) -> None:
    """A FaceganWarning that speaks of arguments."""
    warnings.warn(FaceganWarning(arguments.as_arguments(line, ("align", "face"))), stacklevel=2)


def invert_saying(
    say: Callable[[str], None], photos: Any, model: Generator | str | Path, *,
    encoder: str | Path = "auto", align: bool = True, face: int = 1, preset: str = "quick",
    on_progress: Callable[[str, int, int], None] | None = None, **changes: Any,
) -> Inversion:  # fmt: skip
    """:func:`invert`, where ``say`` is told what was left out of folders, and of further faces in a photo."""
    from facegan.models import as_model

    generator = as_model(model)
    guide: Encoder | None = None
    if not isinstance(model, Generator) or encoder not in ("auto", "none"):
        guide = find_encoder(generator, "" if isinstance(model, Generator) else model, str(encoder))
    align, face = arguments.switch(align, "align"), arguments.whole(face, "--face")
    read = read_photos(as_sources(photos), generator, align, face, alpha=preset != "tutorial", say=say)
    config = _preset(preset, all(p.seed is not None for p in read), **changes)
    with bars.shown(on_progress) as told:
        total = len(read) * max(config.steps, 1)
        done = list(batches(generator, read, config, guide, _counted(told, config, len(read), total)))
    if done[-1].stopped:
        raise KeyboardInterrupt
    return merged(done)


def _counted(
    told: Callable[[str, int, int], None], config: InvertConfig, photos: int, total: int
) -> Callable[[int, int, torch.Tensor], None]:
    """What counts the updates of all photos."""
    each = max(1, config.batch // config.restarts)

    def step(before: int, number: int, losses: torch.Tensor) -> None:
        here = min(each, photos - before)
        told(f"invert {photos} photo{'s' * (photos != 1)}", before * config.steps + here * number, total)

    return step


def _preset(name: str, generated: bool, **changes: Any) -> InvertConfig:
    return preset(name, generated, **changes)


def compared(
    model: Generator, photo: Photo, names: Sequence[str], config: InvertConfig,
    encoder: Encoder | None = None, on_step: OnStep | None = None,
) -> list[Inversion]:  # fmt: skip
    """The same photo from the same start under several losses, each alone."""
    done = []
    for name in names:
        each = replace(config, loss=name)
        done.append(invert_pictures(model, photo.image[None], [photo.name], each, encoder, on_step))
        if done[-1].stopped:
            break
    return done
