"""Inverting photos from end to end: read, start, search, tune, save."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegan import arguments, bars
from facegan.errors import FaceganWarning, InputError
from facegan.files import writing
from facegan.generator import Generator
from facegan.images import to_float, to_uint8
from facegan.inversion import config as settings
from facegan.inversion import saving
from facegan.inversion import tune as tuning
from facegan.inversion.batch_cache import BatchCache
from facegan.inversion.config import InvertConfig
from facegan.inversion.curvature import inverse_metric
from facegan.inversion.encoder import Encoder, find_encoder
from facegan.inversion.losses import distances, parse_losses
from facegan.inversion.noise import noise_names, synthesize_with
from facegan.inversion.optimize import Found, OnStep, optimize
from facegan.inversion.results import Inversion, InversionStopped, merged
from facegan.inversion.space import Space, default_space
from facegan.inversion.targets import Photo, as_sources, read_photos
from facegan.inversion.tune import TuneConfig
from facegan.models import as_model, with_labels
from facegan.vectors import Vectors

AROUND = 0.5  # spread of further starts around an encoder's guess
DEFAULT_FOLDER = "inverted"
Say = Callable[[str], None]


def starts(
    model: Generator, space: Space, targets: torch.Tensor, *, config: InvertConfig, encoder: Encoder | None
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
    model: Generator,
    photos: np.ndarray,
    names: Sequence[str],
    *,
    config: InvertConfig,
    encoder: Encoder | None = None,
    on_step: OnStep | None = None,
) -> Inversion:
    """One batch: uint8 ``N,H,W,C`` of the model's shape. Ctrl-C returns what was found (``stopped``)."""
    if config.noise and not noise_names(model):
        raise InputError("--noise: this model has none of its own")
    space = Space(model, config.space or default_space(model))
    targets = to_float(photos, model.device)
    begin = starts(model, space, targets, config=config, encoder=encoder)
    known = encoder is not None and encoder.metric.numel() and encoder.space == space.name
    inverse = inverse_metric(encoder.metric).to(model.device) if encoder is not None and known else None
    found = optimize(model, space, targets, starts=begin, config=config, on_step=on_step, inverse=inverse)
    return _gathered(model, space, photos, targets=targets, names=tuple(names), found=found, config=config)


def _gathered(
    model: Generator,
    space: Space,
    photos: np.ndarray,
    *,
    targets: torch.Tensor,
    names: tuple[str, ...],
    found: Found,
    config: InvertConfig,
) -> Inversion:
    with torch.no_grad():
        vectors = space.vectors(found.u)
        w = space.w(found.u)
        pictures = synthesize_with(model, w, found.noise) if found.noise else model.synthesize(w)
        kept = torch.stack([space.vectors(u) for u in found.snapshots])
    errors = {"loss": found.losses} | distances(pictures, targets)
    return Inversion(
        names,
        Vectors(vectors.detach().cpu(), names, model.hash, space.name),
        photos,
        to_uint8(pictures),
        {k: v.cpu().double().numpy() for k, v in errors.items()},
        found.curve.numpy(),
        kept.cpu(),
        found.snapshot_steps,
        config,
        {k: v.cpu() for k, v in found.noise.items()},
        found.stopped,
    )


# --- several photos ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SearchStep:
    """One update: of the photos after ``before``, of ``photos`` in all, ``losses`` after ``step``."""

    before: int
    photos: int
    step: int
    steps: int
    losses: torch.Tensor


@dataclass(frozen=True)
class Search:
    """What is sought, in which model, and how."""

    model: Generator
    photos: Sequence[Photo]
    config: InvertConfig
    encoder: Encoder | None = None

    @property
    def each(self) -> int:
        """Photos in a batch of ``config.batch`` pictures."""
        return max(1, self.config.batch // self.config.restarts)

    def batches(
        self, cache: BatchCache | None = None, on_step: Callable[[SearchStep], None] | None = None
    ) -> Iterator[Inversion]:
        """Yield the result of each batch, from the cache if it is there. A batch that was stopped is the
        last one."""
        for before in range(0, len(self.photos), self.each):
            part = self.photos[before : before + self.each]
            done = cache.load(part) if cache is not None else None
            if done is None:
                done = self.run(part, before, on_step)
                if cache is not None and not done.stopped and len(self.photos) > self.each:
                    cache.save(part, done)
            yield done
            if done.stopped:
                return

    def run(
        self, part: Sequence[Photo], before: int = 0, on_step: Callable[[SearchStep], None] | None = None
    ) -> Inversion:
        """Return the result of one batch."""
        count, steps = len(self.photos), self.config.steps

        def step(number: int, losses: torch.Tensor) -> None:
            if on_step is not None:
                on_step(SearchStep(before, count, number, steps, losses))

        pictures, names = np.stack([p.image for p in part]), [p.name for p in part]
        return invert_pictures(
            self.model, pictures, names, config=self.config, encoder=self.encoder, on_step=step
        )


def invert(
    photos: Any,
    model: Generator | str | Path,
    *,
    encoder: str | Path | Encoder = "auto",
    align: bool = True,
    face: int = 1,
    preset: str = "quick",
    tune: bool | TuneConfig = False,
    out: str | Path | None = None,
    paths: str = "auto",
    film: str = "mp4",
    labels: str = "",
    device: str = "cpu",
    on_progress: Callable[[str, int, int], None] | None = None,
    on_step: Callable[[SearchStep], None] | None = None,
    say: Say | None = None,
    **changes: Any,
) -> Inversion:
    """Find the vectors whose pictures are nearest to the photos.

    >>> found = facegan.invert("me.jpg", "celeba64", steps=100)
    >>> found.vectors, found.pictures, found.errors["mse"]
    >>> facegan.invert("photos", "celeba64", tune=True, out="inverted")

    Args:
        photos: files, folders, addresses, ``seed:7``, pictures ``H,W,C`` or ``N,H,W,C`` of any numbers
            (arrays, tensors, Pillow's), or a list of these.
        model: what ``load`` takes, or a Generator (whose ``encoder`` must then be a file).
        encoder: ``auto`` (the one beside the model), ``none``, a file of ``train_encoder``, or an Encoder.
        align: find the face and crop as the model's data were.
        face: which face of a photo, the largest being 1.
        preset: ``quick``, ``plain``, ``thorough`` or ``tutorial``.
        tune: adapt the model to each photo; True, or a TuneConfig with other settings.
        out: a folder for vectors, pictures, errors, curves, films and deltas (``auto``: ``inverted``, or
            ``inverted-2`` and so on where that holds the results of other photos); the same call goes on
            where it was interrupted. None writes nothing.
        paths: figure and film of the way to ``all`` photos, ``none``, or ``auto``, of up to 4 photos.
        film: kind of the films: mp4, gif or webp.
        labels: of a conditional model, such as ``smiling=1``, like ``device`` of a model that is loaded.
        on_progress: is called with what, done, total; without it a bar shows the progress.
        on_step: is called after each update with a :class:`SearchStep`.
        say: is told, in a line, what was left out of folders, of further faces in a photo, and of files
            written; by default of the first two as a FaceganWarning.
        **changes: settings of :class:`InvertConfig`, such as ``steps=200``.

    Raises:
        InversionStopped: a KeyboardInterrupt, after Ctrl-C; with ``out``, what was found is saved.
    """
    settings.preset(preset, **changes)  # mistakes are told before anything is read
    wish = tuning.checked(tune if isinstance(tune, TuneConfig) else TuneConfig()) if tune else None
    search, folder = _prepared(
        photos,
        model,
        encoder,
        face=(align, face),
        preset=preset,
        out=out,
        labels=labels,
        device=device,
        say=say,
        **changes,
    )
    key = search.model.spelled() + (search.encoder.digest() if search.encoder else "")
    cache = BatchCache(folder, search.config, search.model.hash, encoder=key)
    said = say or (lambda line: None)
    with contextlib.ExitStack() as stack:
        if on_step is None:
            on_step = _count_updates(stack.enter_context(bars.shown(on_progress)))
        found = merged(list(search.batches(cache, on_step)))
    found.folder = folder
    with writing("--out", str(folder)):
        if folder is not None:
            if found.stopped:
                said(f"stopped at step {len(found.curves) - 1}; what was found is in {folder}")
            saving.write_vectors(folder, search.model, found)
        _find_deltas(search.model, found, None if found.stopped else wish, said=said)
        if folder is not None:
            saving.write_figures(folder, search.model, found, paths=paths, film=film)
    if found.stopped:
        raise InversionStopped(found)
    cache.remove()
    return found


def compare_losses(
    photos: Any,
    model: Generator | str | Path,
    losses: str | Sequence[str],
    *,
    encoder: str | Path | Encoder = "auto",
    align: bool = True,
    face: int = 1,
    preset: str = "quick",
    out: str | Path | None = None,
    labels: str = "",
    device: str = "cpu",
    on_step: Callable[[SearchStep], None] | None = None,
    say: Say | None = None,
    **changes: Any,
) -> dict[str, Inversion]:
    """Invert one photo from the same start under several losses, each alone; see :func:`invert`.

    ``losses`` are names, as a list or a text with commas. With ``out``, ``compare.png`` and ``errors.csv``
    are written there. After Ctrl-C the last result is ``stopped``.
    """
    settings.preset(preset, **changes)
    losses = list(parse_losses(losses if isinstance(losses, str) else ",".join(losses), "--compare"))
    search, folder = _prepared(
        photos,
        model,
        encoder,
        face=(align, face),
        preset=preset,
        out=out,
        labels=labels,
        device=device,
        say=say,
        **changes,
    )
    if len(search.photos) != 1:
        raise InputError(f"--compare takes one photo, not {len(search.photos)}")
    found: dict[str, Inversion] = {}
    for name in losses:
        each = replace(search, config=replace(search.config, loss=name))
        found[name] = each.run(search.photos, 0, on_step)
        if found[name].stopped:
            break
    if folder is not None:
        for one in found.values():
            one.folder = folder
        with writing("--out", str(folder)):
            saving.write_comparison(folder, found)
    return found


def _prepared(
    photos: Any,
    model: Generator | str | Path,
    encoder: str | Path | Encoder,
    *,
    face: tuple[bool, int],
    preset: str,
    out: str | Path | None,
    labels: str,
    device: str,
    say: Say | None,
    **changes: Any,
) -> tuple[Search, Path | None]:
    """The search for photos that were read, and the folder for its results."""
    parse_losses(changes.get("loss") or "mse")
    sources = as_sources(photos)
    target = Path(DEFAULT_FOLDER if out == "auto" else out) if out is not None else None
    if target is not None:
        saving.check_folder(target, sources)
    generator = with_labels(as_model(model, device), labels, by_seed=False, say=say)
    guide = encoder if isinstance(encoder, Encoder) else None
    if guide is None and (not isinstance(model, Generator) or encoder not in ("auto", "none")):
        guide = find_encoder(generator, "" if isinstance(model, Generator) else model, str(encoder))
    align, number = arguments.switch(face[0], "align"), arguments.whole(face[1], "--face")
    read = read_photos(sources, generator, align, face=number, alpha=preset != "tutorial", say=say or warn)
    if target is not None:
        target = saving.place(target, [photo.name for photo in read], asked=out != "auto")
    config = settings.preset(preset, all(p.seed is not None for p in read), **changes)
    if preset == "tutorial" and say is not None and any(p.seed is None for p in read):
        say(
            "the tutorial feeds a photo as a vector and takes what comes out as target; here, the photo is it"
        )
    return Search(generator, read, config, guide), target


def _find_deltas(model: Generator, found: Inversion, wish: TuneConfig | None, *, said: Say) -> None:
    """Tune the model to each photo, or take the noise that was found, and save what changes."""
    if wish is None and not found.noise:
        return
    for i, name in enumerate(found.names):
        z, noise = found.vectors.z[i : i + 1], {k: v[i : i + 1] for k, v in found.noise.items()}
        if wish is None:
            found.deltas[name] = tuning.noise_difference(model, noise)
        else:
            said(f"tuning to {name}")
            target = to_float(found.photos[i : i + 1], model.device)
            each = replace(wish, loss=wish.loss if found.config.sums else found.config.loss)
            found.deltas[name] = tuning.tune(model, model.map(z), target, config=each, noise=noise)
            picture = tuning.with_delta(model, found.deltas[name]).images(z)
            found.tuned[name] = picture[0]
            for key, value in distances(to_float(picture, model.device), target).items():
                found.tuned_errors.setdefault(f"{key}_tuned", []).append(float(value))
        if found.folder is not None:
            made = asdict(wish) if wish is not None else {"noise": found.config.noise}
            file = saving.write_delta(found.folder, model, found, name=name, **made)
            said(f"{file}: {file.stat().st_size / 1e6:.2f} MB")


def _count_updates(told: Callable[..., None]) -> Callable[[SearchStep], None]:
    """Count the updates of all photos."""

    def step(at: SearchStep) -> None:
        what = f"invert {at.photos} photo{'s' * (at.photos != 1)}"
        steps = max(at.steps, 1)
        note = {"note": f"loss {float(at.losses.mean()):.4f}"} if isinstance(told, bars.Bar) else {}
        told(what, at.before * steps + len(at.losses) * at.step, at.photos * steps, **note)

    return step


def warn(line: str) -> None:
    """A FaceganWarning that speaks of arguments."""
    warnings.warn(FaceganWarning(arguments.as_arguments(line, ("align", "face"))), stacklevel=2)
