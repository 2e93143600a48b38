"""Label photos or a dataset, as ``facegan label`` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan import bars
from facegan.attributes.labelling import Labelled, confidence_file, label_dataset, label_photos
from facegan.attributes.networks import digest
from facegan.attributes.predictor import AttributePredictor
from facegan.data.dataset import Dataset
from facegan.data.derive import OnProgress
from facegan.errors import InputError
from facegan.files import beside, fit_name, photo_path


@dataclass(frozen=True)
class LabelResult:
    """Hold the result of :func:`label`."""

    path: Path
    """The new dataset, or the table."""
    labelled: Labelled
    """How many pictures and answers there are, and which photos were left out."""
    dataset: Dataset | None = None
    """The new dataset, where the source is one."""


def label(
    source: str | Path,
    out: str | Path = "",
    *,
    network: str = "faces",
    min_confidence: float = 0.5,
    overwrite: bool = False,
    align: bool = True,
    value_range: str = "",
    follow_links: bool = False,
    workers: int = 0,
    on_progress: OnProgress | None = None,
) -> LabelResult:
    """Predict attributes such as smiles, glasses and hair in photos, with their confidence.

    Write a copy of a dataset with the attributes, or for photos a table for ``prepare(attributes=...)``.

    Args:
        source: A dataset, or photos: a folder, an archive, a file.
        out: The new dataset's folder, or the CSV; '' is SOURCE-labelled or SOURCE-attributes.csv next to it.
        network: A bundled attribute network or a file of ``facegan train-attributes``.
        min_confidence: Answers with lower confidence stay unknown; 0.5 keeps all answers.
        overwrite: For a dataset: predict known attributes, too; for photos: replace an existing CSV.
        align: For photos: find and align the largest face first; otherwise use the whole photo.
        value_range: For photos: ``LOW..HIGH`` of arrays and float pictures, if ambiguous.
        follow_links: For photos: follow links to folders.
        workers: The number of processes that read photos; 0 is one for each core.
        on_progress: Called with the task, the pictures done, and the total; by default, a bar shows it.

    Raises:
        InputError: An option cannot be, or no photo shows a face.
    """
    predictor, source = AttributePredictor.load(network), str(source)
    out = str(out) or _default_place(source)
    if (Path(source) / "dataset.json").is_file():
        if Path(out).suffix.lower() == ".csv":
            raise InputError(f"--out {out}: a dataset becomes a dataset; choose a folder")
        how: dict[str, Any] = {"min_confidence": min_confidence, "network": f"{network}-{digest(network)}"}
        with bars.shown(on_progress) as show:
            made, done = label_dataset(
                Dataset(source), out, predictor, overwrite=overwrite, on_progress=show, **how
            )
        return LabelResult(made.path, done, made)
    _check_table(out, overwrite)
    try:
        with bars.shown(on_progress) as show:
            done = label_photos(
                [source],
                out,
                predictor,
                align=align,
                min_confidence=min_confidence,
                workers=workers,
                on_progress=show,
                value_range=value_range,
                follow_links=follow_links,
            )
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written ({error.strerror or error})") from None
    return LabelResult(Path(out), done)


def _check_table(out: str, overwrite: bool) -> None:
    if Path(out).suffix.lower() != ".csv":
        raise InputError(f"--out {out}: photos become a table; choose a name that ends in .csv")
    for table in (Path(out), confidence_file(out)):
        if table.exists() and not overwrite:
            raise InputError(f"--out {out}: {table} exists already; --overwrite replaces it")


def _default_place(source: str) -> str:
    """Return the default place of the result: next to the source and named after it."""
    path = photo_path(source).resolve()
    if source.startswith("sample:"):
        return fit_name(path.stem, "-attributes.csv")
    if (path / "dataset.json").is_file():
        return str(beside(path, fit_name(path.name, "-labelled")))
    return str(beside(path, fit_name(path.name if path.is_dir() else path.stem, "-attributes.csv")))
