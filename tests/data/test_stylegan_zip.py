"""Datasets as StyleGAN's zip: what its code asks of the file, and the way there and back."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facegan
from facegan.cli.main import main
from facegan.data.dataset import Dataset
from facegan.errors import FaceganError

N = 6
VALUES = {"label": [0, 1, 2, 2, 1, 0], "Smiling": [0, 1, 0, 1, 1, 0], "Male": [1, 1, 0, 0, 1, 0]}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    at = tmp_path_factory.mktemp("zip")
    (at / "photos").mkdir()
    for i in range(N):
        pixels = np.random.default_rng(i).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(at / "photos" / f"{i}.png")
    lines = [f"{i}.png,{','.join(str(v[i]) for v in VALUES.values())}" for i in range(N)]
    (at / "table.csv").write_text("\n".join([f"file,{','.join(VALUES)}", *lines]))
    made: Dataset = facegan.prepare(
        at / "photos", at / "ds", crop="none", size=32, attributes=at / "table.csv", workers=1
    )
    return made


def read_as_stylegan(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Return pictures and labels as ImageFolderDataset of StyleGAN2-ADA and StyleGAN3 understands them."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(n for n in archive.namelist() if n.endswith(".png"))
        pictures = np.stack([np.asarray(Image.open(io.BytesIO(archive.read(n)))) for n in names])
        labels = json.loads(archive.read("dataset.json"))["labels"]
    if labels is None:
        return pictures, None
    table = dict(labels)
    return pictures, np.array([table[name] for name in names])


@pytest.mark.parametrize("labels", ["", "label", "Smiling,Male"])
def test_stylegan_reads_pictures_and_labels(data: Dataset, labels: str, tmp_path: Path) -> None:
    out = tmp_path / "faces.zip"
    assert main(["export", str(data.path), "--out", str(out), "--labels", labels]) == 0
    pictures, found = read_as_stylegan(out)
    np.testing.assert_array_equal(pictures, data.images())
    if not labels:
        assert found is None
        return
    columns = [data.attribute_names.index(name) for name in labels.split(",")]
    expected = data.attributes()[:, columns]
    assert found is not None and found.dtype.kind == ("i" if len(columns) == 1 else "f")
    np.testing.assert_array_equal(found.reshape(N, -1), expected)


def test_there_and_back(data: Dataset, tmp_path: Path) -> None:
    made = facegan.export_dataset(data, tmp_path / "faces.zip", labels="label")
    assert (made.count, made.labels, made.warning) == (N, ("label",), "")
    again = facegan.prepare(made.path, tmp_path / "again", crop="none", size=32, workers=1)
    np.testing.assert_array_equal(again.images(), data.images())
    label = data.attribute_names.index("label")
    np.testing.assert_array_equal(again.attributes()[:, 0], data.attributes()[:, label])
    other = facegan.export_dataset(data, tmp_path / "other.zip", labels=["label"])
    assert other.path.read_bytes() == made.path.read_bytes()


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ({"labels": "age"}, "no such attribute"),
        ({"split": "test"}, "no split 'test'"),
        ({"out": "faces.tar"}, "must end in .zip"),
    ],
)
def test_what_cannot_be(data: Dataset, how: dict[str, str], line: str, tmp_path: Path) -> None:
    how = {"out": "faces.zip", **how}
    with pytest.raises(FaceganError, match=line):
        facegan.export_dataset(data, tmp_path / how.pop("out"), **how)
    assert not list(tmp_path.iterdir())


def test_unknown_labels_are_refused_and_odd_sizes_told(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for i in range(2):
        Image.fromarray(np.full((28, 28, 3), 90 * i + 40, np.uint8)).save(tmp_path / "photos" / f"{i}.png")
    (tmp_path / "table.csv").write_text("file,Smiling\n0.png,1\n")
    data = facegan.prepare(
        tmp_path / "photos",
        tmp_path / "ds",
        crop="none",
        size=28,
        attributes=tmp_path / "table.csv",
        workers=1,
    )
    with pytest.raises(FaceganError, match="unknown for 1 of 2 pictures"):
        facegan.export_dataset(data, tmp_path / "a.zip", labels="Smiling")
    assert "28x28" in facegan.export_dataset(data, tmp_path / "a.zip").warning
