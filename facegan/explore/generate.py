"""Pictures from seeds, constants or saved vectors."""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facegan import arguments, figures, images
from facegan.errors import InputError
from facegan.explore.config import MAX_IN_GRID, GenerateConfig, configure
from facegan.explore.result import Explored, as_words, files_of
from facegan.files import check_places, temporary_beside, writing
from facegan.marks import Mark
from facegan.models import as_sampler, with_labels
from facegan.sampler import Sampler, check_truncation
from facegan.seeds import is_seeds, parse_seeds, spell_seeds
from facegan.vectors import Vectors, constant_vectors, save_vectors, seed_vectors, select_vectors

ROW = 8  # pictures of a class, where nothing else is said
MAX_ROWS = 100  # of a sheet


@dataclass(frozen=True)
class _Chosen:
    """What to draw: seeds, or vectors that are constant or saved."""

    kind: str
    points: Sequence[int] | Vectors

    def __len__(self) -> int:
        return len(self.points)

    @property
    def names(self) -> tuple[str, ...]:
        return self.points.names if isinstance(self.points, Vectors) else tuple(map(str, self.points))

    @property
    def in_w(self) -> bool:
        return isinstance(self.points, Vectors) and self.points.space != "z"

    def spelled(self) -> str:
        """Return all of them in one line."""
        return ", ".join(self.names) if isinstance(self.points, Vectors) else spell_seeds(self.points)


def generate(
    model: Sampler | str | Path,
    points: Any = (),
    *,
    labels: str = "",
    device: str = "cpu",
    say: Callable[[str], None] | None = None,
    **settings: Any,
) -> Explored:
    """Generate pictures and write them: one grid, a folder of files, or an array.

    >>> facegan.generate("celeba64", range(100), out="faces/", latents="faces.npz")

    Args:
        model: what ``load`` takes, or a loaded model.
        points: texts such as ``seed:0-99`` or ``FILE.npz:1,4-6``, whole numbers as seeds, or vectors; by
            default 25 seeds from 0 on.
        labels: of a conditional model, such as ``smiling=1``; ``random`` draws each seed its own.
        device: cpu, cuda or mps, of a model that is loaded.
        say: receives a line on the labels taken.
        **settings: those of :class:`~facegan.explore.config.GenerateConfig`.
    """
    config, given = _choose_by(points, configure(GenerateConfig, settings))
    if config.every_class:
        config = _for_rows(config, labels)
    kind = _output_kind(config)
    check_places({"--latents": config.latents, "--out": config.out}, files_of([config.vectors]))
    network = check_truncation(config.truncation, as_sampler(model, device))
    chosen = _Chosen("vector", given) if given is not None else _choose(network, config)
    if config.every_class:
        return _every_class(network, chosen, config, labels=labels, say=say)
    held = chosen.in_w and config.truncation == 1  # else labels choose the average to draw towards
    network = with_labels(network, labels, by_seed=chosen.kind == "seed", in_w=held, say=say)
    _check_kind(kind, chosen, config)
    vectors = chosen.points
    if config.latents:
        vectors = vectors if isinstance(vectors, Vectors) else seed_vectors(network, vectors)
        save_vectors(config.latents, replace(vectors, model_hash=network.hash))
    note = figures.origin(network.hash, config.truncation, labels=labels, mark=config.mark)
    pictures = network.stream(chosen.points, config.truncation)
    with writing("--out", config.out):
        if kind == "grid":
            sheet = _grid(np.concatenate(list(pictures)), config)
            images.save_png(config.out, sheet, note.having(**{chosen.kind: chosen.spelled()}))
        elif kind == "npz":
            channels, height, width = network.image_shape
            _write_npz(Path(config.out), pictures, (len(chosen), height, width, channels))
        else:
            _write_folder(Path(config.out), pictures, chosen, scale=config.scale or 1, note=note)
    text = f"{len(chosen)} picture{'s' * (len(chosen) != 1)} -> {config.out}"
    return Explored(network, tuple(Path(f) for f in (config.out, config.latents) if f), text)


def _for_rows(config: GenerateConfig, labels: str) -> GenerateConfig:
    """Return the settings of a sheet with a row for each class; InputError for those that do not suit it."""
    if not config.out.lower().endswith(".png"):
        raise InputError(
            f"--every-class makes a sheet: choose an --out that ends in .png, not {config.out}; for files, "
            "name the class with --labels"
        )
    for option, given in (("numbered", config.numbered), ("columns", config.columns)):
        if given:
            raise InputError(
                f"--every-class: a row is a class, so leave out --{option}; --count is its length"
            )
    if "random" in labels.lower().replace(",", " ").split():
        raise InputError("--every-class shows all labels: leave out --labels random")
    single = not (config.constant or config.vectors or "-" in config.seed or "," in config.seed)
    return replace(config, count=config.count or (ROW if single else 0))


def _every_class(
    network: Sampler,
    chosen: _Chosen,
    config: GenerateConfig,
    *,
    labels: str,
    say: Callable[[str], None] | None,
) -> Explored:
    """Write a sheet with the same latents in each row, and one combination of labels a row."""
    if network.conditions is None:
        raise InputError("--every-class: this model takes no labels; train one with --condition")
    if chosen.in_w:
        raise InputError("--every-class: vectors of w hold their labels already; give seeds or vectors of z")
    fixed = network.conditions.parse([word for word in labels.split(",") if word.strip()])
    told = network.conditions.combinations(fixed)
    if len(told) > MAX_ROWS:
        if say is not None:
            say(f"the first {MAX_ROWS} of {len(told)} combinations of labels; others with --labels")
        told = told[:MAX_ROWS]
    if (count := len(told) * len(chosen)) > MAX_IN_GRID:
        raise InputError(f"--every-class: {count} pictures are too many for one sheet; lower --count")
    latents = chosen.points
    z = latents.array if isinstance(latents, Vectors) else network.latents(latents)
    if config.latents:
        save_vectors(config.latents, Vectors(z, chosen.names, network.hash))
    rows = []
    for row in told:
        name = network.conditions.spelled(row)
        pictures = network.tell(name).images(z, config.truncation)
        large = figures.magnified(pictures, len(z) + 1, config.scale)
        rows.append((name.replace(",", " "), list(figures.colour(large))))
    note = figures.origin(network.hash, config.truncation, labels=labels, mark=config.mark)
    with writing("--out", config.out):
        images.save_png(config.out, figures.table(rows), note.having(**{chosen.kind: chosen.spelled()}))
    text = f"{len(rows)} rows of {len(z)} pictures -> {config.out}"
    return Explored(network, tuple(Path(f) for f in (config.out, config.latents) if f), text)


def _choose_by(points: Any, config: GenerateConfig) -> tuple[GenerateConfig, Vectors | None]:
    """Return the settings ``seed``, ``vectors`` and ``count`` as points stand for them, or vectors."""
    words = as_words(points)
    if not words and not isinstance(points, Vectors) and arguments.are_seeds(points):
        words = [spell_seeds(arguments.seeds(points))] if not isinstance(points, Sequence) or points else []
    elif not words:
        z = np.atleast_2d(arguments.array(points, "points", "they are seeds or vectors, N,D"))
        space = "z" if z.ndim < 3 else "w+"
        names = getattr(points, "names", tuple(f"#{i + 1}" for i in range(len(z))))
        return config, Vectors(z, names, space=space)
    if not words:
        return config, None
    for option, other in (
        ("seed", config.seed != "0"),
        ("vectors", config.vectors),
        ("constant", config.constant),
    ):
        if other:
            raise InputError(f"--{option}: the faces are named already ({' '.join(words)}); leave one out")
    if not all(map(is_seeds, words)):
        if len(words) > 1:
            raise InputError(f"{' '.join(words)}: name seeds, or one file of vectors")
        return replace(config, vectors=words[0]), None
    seeds = [number for text in words for number in parse_seeds(text, "seed:")]
    if len(seeds) == 1:
        return replace(config, seed=str(seeds[0]), count=config.count or 1), None
    return replace(config, seed=spell_seeds(seeds)), None


def _choose(network: Sampler, config: GenerateConfig) -> _Chosen:
    """Return what the settings choose; InputError if they contradict each other."""
    seed, count, constant, vectors = config.seed, config.count, config.constant, config.vectors
    if constant and vectors:
        raise InputError("--constant and --vectors exclude each other")
    if (constant or vectors) and (count or seed != "0"):
        option, other = "--count" if count else "--seed", "--constant" if constant else "--vectors"
        raise InputError(f"{option} is for pictures of seeds, not for {other}")
    if constant:
        return _Chosen("constant", constant_vectors(network, constant))
    if vectors:
        shape = (network.num_ws, network.w_dim)
        return _Chosen("vector", select_vectors(vectors, network.latent.dim, w_shape=shape))
    seeds = parse_seeds(seed)
    if len(seeds) == 1 and "-" not in seed:
        return _Chosen("seed", range(seeds[0], seeds[0] + (count or 25)))
    if count not in (0, len(seeds)):
        raise InputError(f"--seed {seed} means {len(seeds)} pictures already; leave out --count {count}")
    return _Chosen("seed", seeds)


def _output_kind(config: GenerateConfig) -> str:
    """Return ``grid``, ``npz`` or ``folder``, by the name's ending."""
    out = config.out
    kind = {".png": "grid", ".npz": "npz", "": "folder"}.get(Path(out).suffix.lower(), "")
    if Path(out).is_dir() or out.endswith("/"):
        kind = "folder"
    if not kind:
        raise InputError(f"--out {out}: choose a .png, an .npz or a folder (FOLDER/)")
    if kind != "grid" and (config.numbered or config.columns):
        option = "--numbered" if config.numbered else "--columns"
        raise InputError(f"{option} makes a grid: choose an --out that ends in .png, not {out}")
    if kind == "npz" and config.scale > 1:
        raise InputError(f"--scale is for PNG: leave it out, or choose another --out than {out}")
    return kind


def _check_kind(kind: str, chosen: _Chosen, config: GenerateConfig) -> None:
    if kind == "folder" and chosen.kind == "seed" and len(set(chosen.names)) < len(chosen):
        raise InputError(f"--seed {config.seed}: one of them comes twice, and a folder has one file for each")
    if kind == "grid" and len(chosen) > MAX_IN_GRID:
        raise InputError(
            f"--out {config.out}: {len(chosen)} pictures are too many for one grid; choose a folder or .npz"
        )


def _grid(faces: np.ndarray, config: GenerateConfig) -> np.ndarray:
    columns = min(config.columns, len(faces)) or math.ceil(math.sqrt(len(faces)))
    large = figures.magnified(faces, columns, config.scale)
    if config.numbered:
        return figures.labelled_grid(large, [str(i + 1) for i in range(len(faces))], columns)
    return images.grid(large, columns)


def _write_folder(
    path: Path, pictures: Iterator[np.ndarray], chosen: _Chosen, *, scale: int, note: Mark
) -> None:
    path.mkdir(parents=True, exist_ok=True)
    faces = (image for batch in pictures for image in batch)
    for number, (image, name) in enumerate(zip(faces, chosen.names, strict=True), 1):
        stem = f"seed{int(name):04d}" if chosen.kind == "seed" else f"{chosen.kind}{number:04d}"
        images.save_png(
            path / f"{stem}.png", images.enlarge(image, scale), note.having(**{chosen.kind: name})
        )


def _write_npz(path: Path, pictures: Iterator[np.ndarray], shape: tuple[int, ...]) -> None:
    """Write an .npz with ``images`` batch by batch: memory does not grow with their number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, head = temporary_beside(path), io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": shape})
    try:
        with (
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
            archive.open("images.npy", "w", force_zip64=True) as stream,
        ):
            stream.write(head.getvalue())
            for batch in pictures:
                stream.write(batch.tobytes())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
