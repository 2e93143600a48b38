"""Inverting photos from end to end: read, start, search, tune, save."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
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
from facegan.inversion.config import InvertConfig
from facegan.inversion.curvature import inverse_metric
from facegan.inversion.encoder import Encoder, find_encoder
from facegan.inversion.losses import distances, parse_losses
from facegan.inversion.noise import noise_names, synthesize_with
from facegan.inversion.optimize import Best, optimize
from facegan.inversion.results import Inversion, InversionStopped, merge
from facegan.inversion.saving import BatchCache
from facegan.inversion.space import Space, default_space
from facegan.inversion.targets import Photo, as_sources, read_photos, silent
from facegan.inversion.tune import TuneConfig
from facegan.models import as_model, with_labels
from facegan.vectors import Vectors

AROUND = 0.5  # spread of further starts around an encoder's guess
DEFAULT_FOLDER = "inverted"
Say = Callable[[str], None]
Draw = Callable[[], np.ndarray]
OnProgress = Callable[[str, int, int], None]


def starts(
    model: Generator, space: Space, targets: torch.Tensor, *, config: InvertConfig, encoder: Encoder | None
) -> torch.Tensor:
    """Return where the search begins: ``N,restarts,dim``."""
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
    on_step: Callable[[int, torch.Tensor, Draw], None] | None = None,
) -> Inversion:
    """Invert one batch, uint8 ``N,H,W,C`` of the model's shape; Ctrl-C returns what was found so far.

    ``on_step`` receives the step, the losses ``N``, and a function that draws the best pictures so far.
    """
    if config.noise and not noise_names(model):
        raise InputError("--noise: this model has none of its own")
    space = Space(model, config.space or default_space(model))
    targets = to_float(photos, model.device)
    begin = starts(model, space, targets, config=config, encoder=encoder)
    known = encoder is not None and encoder.metric.numel() and encoder.space == space.name
    inverse = inverse_metric(encoder.metric).to(model.device) if encoder is not None and known else None

    def step(number: int, losses: torch.Tensor, best: Best) -> None:
        def draw() -> np.ndarray:
            with torch.no_grad():
                u, noise = best()
                return to_uint8(synthesize_with(model, space.w(u), noise))

        if on_step is not None:
            on_step(number, losses, draw)

    found = optimize(model, space, targets, starts=begin, config=config, on_step=step, inverse=inverse)
    with torch.no_grad():
        vectors = space.vectors(found.u).detach().cpu()
        pictures = synthesize_with(model, space.w(found.u), found.noise)
        kept = torch.stack([space.vectors(u) for u in found.snapshots])
    errors = {"loss": found.losses} | distances(pictures, targets)
    return Inversion(
        tuple(names),
        Vectors(vectors, tuple(names), model.hash, space.name),
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
    """One update: of the photos after ``before``, of ``photos`` in all, ``losses`` after ``step``.

    ``pictures()`` draws what was found so far for the photos of this batch, uint8 ``N,H,W,C``.
    """

    before: int
    photos: int
    step: int
    steps: int
    losses: torch.Tensor
    pictures: Draw


@dataclass(frozen=True)
class Search:
    """What is sought, in which model, how, and the folder for the results."""

    model: Generator
    photos: Sequence[Photo]
    config: InvertConfig
    encoder: Encoder | None = None
    folder: Path | None = None

    def find(self, cache: BatchCache, on_step: Callable[[SearchStep], None]) -> Inversion:
        """Return the results of all batches, those in the cache included, up to one that was stopped."""
        each, found = max(1, self.config.batch // self.config.restarts), []
        for before in range(0, len(self.photos), each):
            part = self.photos[before : before + each]
            done = cache.load(part)
            if done is None:
                done = self.run(part, before, on_step)
                if not done.stopped and len(self.photos) > each:
                    cache.save(part, done)
            found.append(done)
            if done.stopped:
                break
        return merge(found)

    def run(
        self, part: Sequence[Photo], before: int = 0, on_step: Callable[[SearchStep], None] | None = None
    ) -> Inversion:
        """Return the result of one batch."""
        count, steps = len(self.photos), self.config.steps

        def step(number: int, losses: torch.Tensor, draw: Draw) -> None:
            if on_step is not None:
                on_step(SearchStep(before, count, number, steps, losses, draw))

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
    mark: bool = True,
    labels: str = "",
    device: str = "cpu",
    on_progress: OnProgress | None = None,
    on_step: Callable[[SearchStep], None] | None = None,
    say: Say | None = None,
    **changes: Any,
) -> Inversion:
    """Find the vectors whose pictures are nearest to the photos.

    >>> found = facegan.invert("me.jpg", "celeba64", steps=100, out="inverted")
    >>> found.vectors, found.pictures, found.errors["mse"]

    Args:
        photos: files, folders, addresses, ``seed:7``, pictures ``H,W,C`` or ``N,H,W,C`` of any numbers
            (arrays, tensors, Pillow's), or a list of these.
        model: what ``load`` takes, or a Generator (whose ``encoder`` must then be a file).
        encoder: ``auto`` (the one beside the model), ``none``, a file of ``train_encoder``, or an Encoder.
        align: find the face and crop as the model's data were.
        face: which face of a photo; 1 is the largest.
        preset: ``quick``, ``plain``, ``thorough`` or ``tutorial``.
        tune: adapt the model to each photo; True, or a TuneConfig with other settings.
        out: a folder for the results, where the same call goes on after an interruption; ``auto`` is
            ``inverted``, or ``inverted-2`` and so on where that holds those of other photos.
        paths: figure and film of the way to ``all`` photos, ``none``, or ``auto``, of up to 4 photos.
        film: kind of the films: mp4, gif or webp.
        mark: write into pictures and films that a model made them, and which.
        labels: of a conditional model, such as ``smiling=1``.
        device: cpu, cuda or mps, of a model that is loaded.
        on_progress: receives what is done, how much, and of how much; without it a bar shows it.
        on_step: receives a :class:`SearchStep` after each update, which can draw what was found so far.
        say: receives lines on what was left out of folders, on further faces in a photo, and on files; by
            default the first two are a FaceganWarning.
        **changes: settings of :class:`InvertConfig`, such as ``steps=200``.

    Raises:
        InversionStopped: a KeyboardInterrupt, after Ctrl-C; with ``out``, what was found is saved.
    """
    wish = tuning.checked(tune if isinstance(tune, TuneConfig) else TuneConfig()) if tune else None
    options: Any = {"preset": preset, "out": out, "labels": labels, "device": device, "say": say, **changes}
    search = _prepare(photos, model, encoder, face=(align, face), **options)
    key = search.model.spelled() + (search.encoder.digest() if search.encoder else "")
    cache = BatchCache(search.folder, search.config, search.model.hash, encoder=key)
    with bars.shown(on_progress) as show:
        found = search.find(cache, on_step or _count_updates(show))
    options = {"paths": paths, "film": film}
    _finish(search, found, wish, say=say or silent, on_progress=on_progress, mark=mark, **options)
    cache.remove()
    return found


def _finish(
    search: Search,
    found: Inversion,
    wish: TuneConfig | None,
    *,
    say: Say,
    on_progress: OnProgress | None,
    mark: bool,
    **figures: str,
) -> None:
    """Tune the model and write the folder; raise InversionStopped where the search was stopped."""
    folder = found.folder = search.folder
    with writing("--out", str(folder)):
        if folder is not None:
            if found.stopped:
                say(f"stopped at step {len(found.curves) - 1}; what was found is in {folder}")
            saving.write_vectors(folder, search.model, found, mark=mark)
        _find_deltas(search.model, found, None if found.stopped else wish, say=say, on_progress=on_progress)
        if folder is not None:
            saving.write_figures(folder, search.model, found, mark=mark, **figures)
    if found.stopped:
        raise InversionStopped(found)


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
    mark: bool = True,
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
    names = list(parse_losses(losses if isinstance(losses, str) else ",".join(losses), "--compare"))
    options: Any = {"preset": preset, "out": out, "labels": labels, "device": device, "say": say, **changes}
    search = _prepare(photos, model, encoder, face=(align, face), **options)
    if len(search.photos) != 1:
        raise InputError(f"--compare takes one photo, not {len(search.photos)}")
    found: dict[str, Inversion] = {}
    for name in names:
        each = replace(search, config=replace(search.config, loss=name))
        found[name] = each.run(search.photos, 0, on_step)
        found[name].folder = search.folder
        if found[name].stopped:
            break
    if search.folder is not None:
        with writing("--out", str(search.folder)):
            saving.write_comparison(search.folder, search.model, found, mark=mark)
    return found


def _prepare(
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
) -> Search:
    """Return the search for photos that were read; mistakes in the settings are found before."""
    settings.preset(preset, **changes)
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
        say("the tutorial's target is what its model makes of a photo as a vector; here it is the photo")
    return Search(generator, read, config, guide, target)


def _find_deltas(
    model: Generator,
    found: Inversion,
    wish: TuneConfig | None,
    *,
    say: Say,
    on_progress: OnProgress | None,
) -> None:
    """Tune the model to each photo, or take the noise that was found, and save what changes."""
    if wish is None and not found.noise:
        return
    for row, name in enumerate(found.names):
        if wish is None:
            noise = {k: v[row : row + 1] for k, v in found.noise.items()}
            found.deltas[name] = tuning.noise_difference(model, noise)
        else:
            say(f"tuning to {name}")
            _tune_to(model, found, row, wish=wish, on_progress=on_progress)
        if found.folder is not None:
            made = asdict(wish) if wish is not None else {"noise": found.config.noise}
            file = saving.write_delta(found.folder, model, found, name=name, **made)
            say(f"{file}: {file.stat().st_size / 1e6:.2f} MB")


def _tune_to(
    model: Generator, found: Inversion, row: int, *, wish: TuneConfig, on_progress: OnProgress | None
) -> None:
    """Tune the model to one of the photos; ``found`` gets the delta, its picture and its errors."""
    name, z = found.names[row], found.vectors.z[row : row + 1]
    target = to_float(found.photos[row : row + 1], model.device)
    config = replace(wish, loss=wish.loss if found.config.sums else found.config.loss)
    noise = {k: v[row : row + 1] for k, v in found.noise.items()}
    with bars.shown(on_progress) as show:

        def step(number: int, loss: float) -> None:
            show(f"tune to {name}", number, config.steps)

        w = model.map(z)
        found.deltas[name] = tuning.tune(model, w, target, config=config, noise=noise, on_step=step)
    picture = tuning.with_delta(model, found.deltas[name]).images(z)
    found.tuned[name] = picture[0]
    for key, value in distances(to_float(picture, model.device), target).items():
        found.tuned_errors.setdefault(f"{key}_tuned", []).append(float(value))


def _count_updates(show: Callable[..., None]) -> Callable[[SearchStep], None]:
    """Count the updates of all photos."""

    def step(at: SearchStep) -> None:
        what = f"invert {at.photos} photo{'s' * (at.photos != 1)}"
        steps = max(at.steps, 1)
        note = {"note": f"loss {float(at.losses.mean()):.4f}"} if isinstance(show, bars.Bar) else {}
        show(what, at.before * steps + len(at.losses) * at.step, at.photos * steps, **note)

    return step


def warn(line: str) -> None:
    """Warn by a FaceganWarning that speaks of arguments."""
    warnings.warn(FaceganWarning(arguments.as_arguments(line, ("align", "face"))), stacklevel=2)
