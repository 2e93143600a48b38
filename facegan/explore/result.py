"""What the functions of this folder return, and the checks that they share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.arguments import are_seeds, seeds
from facegan.errors import InputError
from facegan.marks import without_folder
from facegan.models import as_generator
from facegan.sampler import Sampler
from facegan.seeds import is_seeds, parse_seeds, spell_seeds
from facegan.vectors import Vectors, joined, parse_point, seed_vectors, split_numbers

if TYPE_CHECKING:
    from facegan.generator import Generator


@dataclass(frozen=True)
class Explored:
    """The ``files`` that were written, the ``sampler`` that drew them, and ``text``, which sums up.

    ``vectors`` are those of the pictures, where the function has some of its own.
    """

    sampler: Sampler
    files: tuple[Path, ...]
    text: str
    vectors: Vectors | None = None

    def __str__(self) -> str:
        return self.text

    @cached_property
    def model(self) -> Generator:
        """The model that drew them, in PyTorch."""
        return as_generator(self.sampler)


def check_drawn(model: Sampler, truncation: float) -> None:
    """Raise InputError where a path between seeds with labels, and an average, of their own is truncated."""
    if model.varied is not None and truncation != 1:
        raise InputError(
            f"--truncation {truncation:g}: goes with one row of labels, not with --labels random"
        )


def as_words(points: Any) -> list[str]:
    """Return points that are texts as a list; of anything else, an empty one."""
    points = [points] if isinstance(points, (str, Path)) else points
    texts = isinstance(points, Sequence) and all(isinstance(point, (str, Path)) for point in points)
    return [str(point) for point in points] if texts else []


def files_of(points: Iterable[str]) -> list[str]:
    """Return the files among points: ``FILE.npz:1-3`` is FILE.npz."""
    return [split_numbers(text)[0] for text in points if ".npz" in text.lower()]


def gather(model: Sampler, points: Any, what: str = "a path") -> Vectors:
    """Return points as vectors: texts such as ``seed:7`` and ``FILE.npz:2``, whole numbers, or vectors.

    Raises:
        InputError: There are fewer than two, or one of them is not understood.
    """
    if words := as_words(points):
        every = joined(model, [parse_point(model, text) for text in words])
    elif isinstance(points, Vectors):
        every = points
    elif are_seeds(points):
        every = seed_vectors(model, seeds(points))
    else:
        w = model.to_w(points)
        every = Vectors(w, tuple(f"#{i + 1}" for i in range(len(w))), model.hash, "w+")
    if len(every) < 2:
        raise InputError(
            f"{what} needs two points or more, not {len(every)}: give two seeds, such as seed:0,1"
        )
    return every


def describe_points(points: Any) -> dict[str, str]:
    """Return points as a picture's mark names them: ``points``, without folders, and ``seed`` of seeds."""
    words, found = as_words(points), list[int]()
    if words and all(map(is_seeds, words)):
        found = [number for text in words for number in parse_seeds(text, "seed:")]
    elif not words and are_seeds(points):
        found = seeds(points)
    named = " ".join(map(without_folder, words)) or ", ".join(map(str, found)) or "vectors"
    return {"points": named, "seed": spell_seeds(found)} if found else {"points": named}
