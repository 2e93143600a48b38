"""Attributes for pictures that have none, as an attribute network sees them."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facegan.data.dataset import Dataset
from facegan.data.rewrite import Attributes, Confidence, confidence_by_name, rewrite
from facegan.errors import InputError
from facegan.files import write_bytes
from facegan.metrics.attributes import AttributePredictor

Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Labelled:
    """``count`` pictures; of each name how many answers were given, and how sure they are on average."""

    count: int
    names: dict[str, dict[str, float]]
    rejects: tuple[dict[str, str], ...] = ()


def label_dataset(
    data: Dataset, out: str | Path, predictor: AttributePredictor, network: str, *,
    min_confidence: float = 0.5, overwrite: bool = False, told: Told = lambda *_: None,
) -> tuple[Dataset, Labelled]:  # fmt: skip
    """A copy of ``data`` at ``out`` whose unknown attributes are those that ``predictor`` sees.

    Known ones stay, unless ``overwrite``. Answers less sure than ``min_confidence`` (0.5 to 1) stay unknown.
    The column ``confidence`` holds how sure each predicted answer is.
    """
    _check(min_confidence)
    answers = {split: _predict(data, split, predictor, told) for split in data.counts}
    names = tuple(dict.fromkeys([*data.attribute_names, *predictor.names]))
    before = set(data.info.get("predicted", {}).get("names", {}))
    sure: dict[str, list[float]] = {name: [] for name in predictor.names}

    def edit(
        split: str, number: int, attributes: Attributes, confidence: Confidence
    ) -> tuple[Attributes, Confidence]:
        new, how = {name: attributes.get(name) for name in names}, dict(confidence)
        for name, p in zip(predictor.names, answers[split][number].tolist(), strict=True):
            certain = max(p, 1 - p)
            if (new[name] is None or overwrite or how.get(name) is not None) and certain >= min_confidence:
                new[name], how[name] = int(p > 0.5), certain
                sure[name].append(certain)
        return new, how

    predicted = tuple(dict.fromkeys([*sorted(before), *predictor.names]))

    def said() -> dict[str, Any]:
        """For dataset.json, once every row has been seen."""
        earlier = data.info.get("predicted", {}).get("names", {})
        sums = {**earlier, **confidence_by_name(sure)}
        return {"predicted": {"network": network, "min_confidence": min_confidence, "names": sums}}

    made = rewrite(data, out, edit, names, said, predicted)
    return made, Labelled(sum(data.counts.values()), confidence_by_name(sure))


def label_photos(
    sources: Sequence[str], out: str | Path, predictor: AttributePredictor, *, align: bool = True,
    min_confidence: float = 0.5, workers: int = 1, told: Told = lambda *_: None,
) -> Labelled:  # fmt: skip
    """A CSV at ``out`` that ``facegan prepare --attributes`` reads, for the photos of ``sources``.

    Each photo's largest face is aligned first; without ``align`` the whole photo is taken. ``out`` has the
    columns file and one for each attribute (1, 0, or empty where less sure than ``min_confidence``); beside
    it, ``NAME-confidence.csv`` has the probabilities. Photos without a usable face are in ``rejects``.
    """
    from facegan.data.prepare import prepare

    _check(min_confidence)
    with tempfile.TemporaryDirectory(prefix="facegan-label-") as folder:
        data = prepare(
            list(sources), Path(folder) / "faces", crop="aligned" if align else "none", size=64,
            workers=workers, on_progress=lambda p: told("reading", p.done, p.total or p.done),
        )  # fmt: skip
        p = np.concatenate([_predict(data, split, predictor, told) for split in data.counts])
        files = [_name(source, sources) for split in data.counts for source in data.sources(split)]
        rejects = tuple(data.info["rejects"])
    sure = np.maximum(p, 1 - p)
    cells = np.where(sure >= min_confidence, (p > 0.5).astype(int).astype(str), "")
    order = sorted(range(len(files)), key=files.__getitem__)
    target = Path(out)
    for path, table in (
        (target, cells),
        (target.with_name(f"{target.stem}-confidence{target.suffix}"), np.char.mod("%.4f", p)),
    ):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["file", *predictor.names])
        writer.writerows([files[i], *table[i]] for i in order)
        write_bytes(path, text.getvalue().encode())
    given = {
        name: sure[:, k][sure[:, k] >= min_confidence].tolist() for k, name in enumerate(predictor.names)
    }
    return Labelled(len(files), confidence_by_name(given), rejects)


def _check(min_confidence: float) -> None:
    if not 0.5 <= min_confidence <= 1:
        raise InputError(f"--min-confidence must be from 0.5 to 1, not {min_confidence}")


def _predict(data: Dataset, split: str, predictor: AttributePredictor, told: Told) -> np.ndarray:
    images, parts = data.images(split), []
    for start in range(0, len(images), 256):
        parts.append(predictor.predict(images[start : start + 256]))
        told(f"looking at {split}", min(start + 256, len(images)), len(images))
    return np.concatenate(parts) if parts else np.empty((0, len(predictor.names)), np.float32)


def _name(source: str, sources: Sequence[str]) -> str:
    """A picture's path inside the source that it came from."""
    if "!" in source:
        return source.rpartition("!")[2]
    for given in map(Path, sources):
        if given.is_dir() and given in Path(source).parents:
            return Path(source).relative_to(given).as_posix()
    return Path(source).name
