"""A dataset as the zip that StyleGAN2-ADA, StyleGAN3 and R3GAN train on: PNG files and ``dataset.json``."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facegan import arguments
from facegan.data.dataset import Dataset
from facegan.errors import DatasetError, InputError
from facegan.files import check_ending, check_places, rename, temporary_beside, writing

_TIME = (1980, 1, 1, 0, 0, 0)  # of all members, so that equal datasets make equal files


@dataclass(frozen=True)
class ExportedDataset:
    """What :func:`export_dataset` wrote."""

    path: Path
    count: int
    """Pictures."""
    labels: tuple[str, ...]
    """The attributes in their labels."""
    warning: str = ""
    """Why StyleGAN's code would not take it, or what it does not have of the dataset; "" if all is well."""

    def __str__(self) -> str:
        named = f"with the labels {', '.join(self.labels)}" if self.labels else "without labels"
        size = self.path.stat().st_size / 2**20
        lines = [f"{self.path}: {self.count:,} pictures {named}, {size:.1f} MiB"]
        return "\n".join(lines + ([f"warning: {self.warning}"] if self.warning else []))


def export_dataset(
    dataset: Dataset | str | Path, out: str | Path, *, split: str = "train", labels: str | Sequence[str] = ()
) -> ExportedDataset:
    """Write one split of a dataset as a zip for StyleGAN's training code.

    The pictures' bytes are copied as they are. ``facegan prepare`` reads such a zip, labels included.

    Args:
        dataset: a folder that ``facegan prepare`` wrote, or what was opened of it.
        out: the ``.zip`` to write.
        split: ``train``, ``val`` or ``test``.
        labels: attributes that become labels. A single one is each picture's class, several are a list of
            numbers, 0 or 1 for yes/no attributes. Without any, the pictures have no labels.

    Raises:
        FaceganError: there is no such dataset, split or attribute, or one is unknown of some picture.
    """
    data = dataset if isinstance(dataset, Dataset) else Dataset(dataset)
    check_ending("--out", str(out), [".zip"])
    check_places({"--out": str(out)}, read=[data.path])
    split, place = data.split(split), arguments.place(out, "out")
    names = tuple(labels.split(",") if isinstance(labels, str) and labels else labels)
    values = _values(data, split, names)
    temporary = temporary_beside(place)
    with writing("--out", str(out)):
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with zipfile.ZipFile(temporary, "w") as archive:
                count = _write(archive, data, split, values=values)
            with open(temporary, "rb") as handle:
                os.fsync(handle.fileno())
            rename(temporary, place)
        finally:
            temporary.unlink(missing_ok=True)
    h, w = data.size
    odd = h != w or h & (h - 1)
    why = f"StyleGAN's code takes squares whose side is a power of two, not {w}x{h}" if odd else ""
    if data.has_inputs:
        why += "; " * bool(why) + "the inputs of the pairs were left out: StyleGAN's code knows none"
    return ExportedDataset(place, count, names, why)


def _values(data: Dataset, split: str, names: tuple[str, ...]) -> np.ndarray | None:
    """Return the labels ``N,K`` of a split; None without names."""
    if not names:
        return None
    for name in names:
        if name not in data.attribute_names:
            known = ", ".join(data.attribute_names) or "none"
            raise InputError(f"--labels {name}: the dataset has no such attribute (it has: {known})")
    values = data.attributes(split)[:, [data.attribute_names.index(name) for name in names]]
    if missing := int((values < 0).any(1).sum()):
        raise InputError(
            f"--labels {','.join(names)}: unknown for {missing:,} of {len(values):,} pictures; "
            "'facegan label' or 'facegan select' makes a dataset in which all are known"
        )
    return values


def _write(archive: zipfile.ZipFile, data: Dataset, split: str, *, values: np.ndarray | None) -> int:
    """Write pictures and labels; the number of pictures."""
    pairs: list[list[object]] = []
    count = 0
    for count, row in enumerate(data.rows(split, ["image"]), 1):
        name = f"{(count - 1) // 1000:05d}/img{count - 1:08d}.png"
        archive.writestr(zipfile.ZipInfo(name, _TIME), row["image"]["bytes"])
        if values is not None:
            own = values[count - 1].tolist()
            pairs.append([name, own[0] if len(own) == 1 else [float(v) for v in own]])
    if count != data.counts[split]:
        rows = f"{count} of {data.counts[split]} rows"
        raise DatasetError(f"{data.path}: split '{split}' has {rows}; prepare again")
    content = json.dumps({"labels": pairs or None})
    archive.writestr(zipfile.ZipInfo("dataset.json", _TIME), content)
    return count
