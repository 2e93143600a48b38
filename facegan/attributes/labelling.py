"""Add predicted attributes to pictures that have none."""

from __future__ import annotations

import csv
import io
import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facegan.attributes.predictor import AttributePredictor
from facegan.data.choosing import PrepareConfig
from facegan.data.crops import Crop
from facegan.data.dataset import Dataset
from facegan.data.derive import Attributes, Confidence, OnProgress, check_out, confidence_by_name, rewrite
from facegan.data.filters import plain
from facegan.data.png import decode
from facegan.data.process_sources import crop_photos
from facegan.data.summary import LABEL_HELP, advice, all_rejected, commonest
from facegan.errors import DatasetError, InputError
from facegan.files import derived, write_bytes


@dataclass(frozen=True)
class Labelled:
    """Summarise ``count`` pictures: for each name, the number of answers and their mean confidence."""

    count: int
    names: dict[str, dict[str, float]]
    rejects: tuple[dict[str, str], ...] = ()


def label_dataset(
    data: Dataset,
    out: str | Path,
    predictor: AttributePredictor,
    *,
    network: str,
    min_confidence: float = 0.5,
    overwrite: bool = False,
    on_progress: OnProgress = lambda *_: None,
) -> tuple[Dataset, Labelled]:
    """Write a copy of ``data`` to ``out`` with unknown attributes predicted by ``predictor``.

    Keeps known ones unless ``overwrite``. Answers below ``min_confidence`` (0.5 to 1) stay unknown.
    The column ``confidence`` contains the confidence of each predicted answer.
    """
    _check(min_confidence)
    check_out(data, Path(out))
    # A name that the dataset spells in another way stays one attribute.
    own = {plain(name): name for name in data.attribute_names}
    called = [own.get(plain(name), name) for name in predictor.names]
    names = tuple(dict.fromkeys([*data.attribute_names, *called]))
    earlier = data.info.get("predicted", {})
    if not overwrite and not earlier and _all_known(data, called):
        raise InputError(
            f"{data.path}: all that this network sees is known already; --overwrite predicts it anew"
        )
    answers = {split: _predict(data, split, predictor, on_progress=on_progress) for split in data.counts}
    sure: dict[str, list[float]] = {name: [] for name in called}

    def edit(  # noqa: PLR0917 -- as `rewrite` calls it
        split: str, number: int, attributes: Attributes, confidence: Confidence
    ) -> tuple[Attributes, Confidence]:
        new, how = {name: attributes.get(name) for name in names}, dict(confidence)
        for name, p in zip(called, answers[split][number].tolist(), strict=True):
            if how.get(name) is not None:
                new[name] = how[name] = None  # an earlier prediction makes room for this one
            certain = max(p, 1 - p)
            if (new[name] is None or overwrite) and certain >= min_confidence:
                new[name], how[name] = int(p > 0.5), certain
                sure[name].append(certain)
        return new, how

    others = {
        name: {"network": earlier["network"], **values}
        for name, values in earlier.get("names", {}).items()
        if name not in sure
    }

    def entries() -> dict[str, Any]:
        """Return the entries for dataset.json after every row."""
        found = {**others, **confidence_by_name(sure)}
        return {"predicted": {"network": network, "min_confidence": min_confidence, "names": found}}

    made = rewrite(data, out, edit, names=names, more=entries, on_progress=on_progress)
    return made, Labelled(sum(data.counts.values()), confidence_by_name(sure))


def _all_known(data: Dataset, called: Sequence[str]) -> bool:
    columns = [data.attribute_names.index(name) for name in called if name in data.attribute_names]
    return len(columns) == len(called) and all(
        (data.attributes(split)[:, columns] != -1).all() for split in data.counts
    )


def label_photos(
    sources: Sequence[str],
    out: str | Path,
    predictor: AttributePredictor,
    *,
    align: bool = True,
    min_confidence: float = 0.5,
    workers: int = 1,
    on_progress: OnProgress = lambda *_: None,
    value_range: str = "",
    follow_links: bool = False,
) -> Labelled:
    """Write a CSV for ``facegan prepare --attributes`` to ``out``, for the photos of ``sources``.

    Each photo's largest face is aligned first; without ``align`` the whole photo is taken. ``out`` has the
    columns file and one for each attribute (1, 0, or empty where less sure than ``min_confidence``); beside
    it, ``NAME-confidence.csv`` has the probabilities. Photos without a usable face are in ``rejects``.
    ``value_range`` and ``follow_links`` are those of ``prepare``.
    """
    _check(min_confidence)
    crop, files, rejects = Crop("aligned" if align else "none", 64), [], []
    parts = [np.empty((0, len(predictor.names)), np.float32)]
    with tempfile.TemporaryDirectory(prefix="facegan-label-") as folder:
        store = crop_photos(
            sources,
            Path(folder) / "crops",
            crop,
            workers=workers,
            on_progress=lambda p: on_progress("reading", p.done, p.total or p.done),
            value_range=value_range,
            follow_links=follow_links,
        )
        rows = store.rows()
        while batch := list(itertools.islice(rows, 256)):
            for row in batch:
                if reason := row.reject or _unfit(row.name):
                    rejects.append({"source": row.source, "reason": reason})
            kept = [row for row in batch if not row.reject and not _unfit(row.name)]
            if kept:
                parts.append(predictor.predict(np.stack([decode(row.png) for row in kept])))
                files += [row.name for row in kept]
                on_progress("looking", len(files), len(files))
    if not files:
        why, help_ = all_rejected(rejects) or "there are no photos", what_helps(rejects, 0)
        raise InputError(
            f"{', '.join(sources)}: no face to look at: {why}; nothing was written"
            + f"; {help_}" * bool(help_)
        )
    p = np.concatenate(parts)
    sure = np.maximum(p, 1 - p)
    cells = np.where(sure >= min_confidence, (p > 0.5).astype(int).astype(str), "")
    for path, table in ((Path(out), cells), (confidence_file(out), np.char.mod("%.4f", p))):
        _write_table(path, files, predictor.names, cells=table)
    given = {
        name: sure[:, k][sure[:, k] >= min_confidence].tolist() for k, name in enumerate(predictor.names)
    }
    return Labelled(len(files), confidence_by_name(given), tuple(rejects))


def _write_table(path: Path, files: Sequence[str], names: Sequence[str], *, cells: np.ndarray) -> None:
    """Write a row for each file, sorted by name."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", *names])
    order = sorted(range(len(files)), key=files.__getitem__)
    writer.writerows([files[i], *cells[i]] for i in order)
    write_bytes(path, text.getvalue().encode())


def what_helps(rejects: Sequence[dict[str, str]], kept: int) -> str:
    """Return the option that helps if most photos are rejected for one reason, or ''."""
    return advice(commonest(list(rejects)), kept, PrepareConfig(()).plan(), helps=LABEL_HELP)


def confidence_file(out: str | Path) -> Path:
    """Return the file for the confidence of the answers in the table ``out``."""
    return derived(out, f"-confidence{Path(out).suffix}")


def _check(min_confidence: float) -> None:
    if not 0.5 <= min_confidence <= 1:
        raise InputError(f"--min-confidence must be from 0.5 to 1, not {min_confidence}")


def _predict(
    data: Dataset, split: str, predictor: AttributePredictor, *, on_progress: OnProgress
) -> np.ndarray:
    parts = [np.empty((0, len(predictor.names)), np.float32)]
    done, total = 0, data.counts[split]
    for images in data.batches(split):
        parts.append(predictor.predict(images))
        done += len(images)
        on_progress(f"looking at {split}", done, total)
    if done != total:
        raise DatasetError(f"{data.path}: split '{split}' has {done} of {total} pictures; prepare again")
    return np.concatenate(parts)


def _unfit(name: str) -> str:
    """Return why a table that is read line by line cannot contain this name, or ''."""
    return (
        "" if name.strip() == name and name.splitlines() == [name] else "its name does not fit into a table"
    )
