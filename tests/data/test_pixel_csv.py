"""CSV with a column of pixels, as FER2013 and its like have it."""

from __future__ import annotations

import gzip
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegan.data.items import Item, Reading
from facegan.data.prepare import prepare
from facegan.data.sources import estimate, open_source
from facegan.errors import InputError

PICTURES = np.random.default_rng(3).integers(0, 256, (6, 48, 48), np.uint8)
CELLS = [" ".join(map(str, p.reshape(-1))) for p in PICTURES]
USAGE = ["Training"] * 3 + ["PublicTest"] * 2 + ["PrivateTest"]
SPLITS = ["train"] * 3 + ["val"] * 2 + ["test"]


def read(path: Path, **options: Any) -> tuple[list[Item], Reading]:
    reading = Reading(**options)
    return list(open_source(str(path), reading)), reading


def fer2013(path: Path, pixels: list[str] = CELLS) -> Path:
    rows = [f"{i % 7},{p},{u}" for i, (p, u) in enumerate(zip(pixels, USAGE, strict=False))]
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    return path


def test_fer2013_becomes_a_dataset_with_labels_and_splits(tmp_path: Path) -> None:
    made = prepare(
        fer2013(tmp_path / "fer2013.csv"), tmp_path / "ds", crop="none", size=48, gray=True, workers=1
    )
    assert made.counts == {"train": 3, "val": 2, "test": 1} and made.attribute_names == ("emotion",)
    np.testing.assert_array_equal(made.images("train")[..., 0], PICTURES[:3])
    assert made.attributes("val")[:, 0].tolist() == [3, 4]
    assert "splits from column 'Usage': train 3, val 2, test 1" in made.info["notes"]


E = [{"emotion": str(i)} for i in range(6)]
LAYOUTS: dict[str, tuple[str, str, list[dict[str, Any]], list[str | None], str]] = {
    # file name, lines, attributes, splits, name of the first picture
    "blanks in the header": ("a.csv", "emotion, Usage, pixels\n{i},{u},{p}", E, SPLITS, "a.csv/000000"),
    "semicolons": ("a.csv", "emotion;pixels;Usage\n{i};{p};{u}", E, SPLITS, "a.csv/000000"),
    "quotes": ("a.csv", '"emotion","pixels","Usage"\n"{i}","{p}","{u}"', E, SPLITS, "a.csv/000000"),
    "Windows": ("a.csv", "\ufeffemotion,pixels,Usage\r\n{i},{p},{u}\r", E, SPLITS, "a.csv/000000"),
    "no Usage": ("a.csv", "emotion,pixels\n{i},{p}", E, [None] * 6, "a.csv/000000"),
    "by its name": ("test.csv", "pixels\n{p}", [{}] * 6, ["test"] * 6, "test.csv/000000"),
    "names": ("a.csv", "emotion,img_name,pixels\n{i},n{i}.jpg,{p}", E, [None] * 6, "n0.jpg"),
    "no split": (
        "a.csv",
        "usage,pixels\nold,{p}",
        [{"usage": "old"}] * 6,
        [None] * 6,
        "a.csv/000000",
    ),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path: Path, layout: str, packed: bool) -> None:
    name, lines, attributes, splits, first = LAYOUTS[layout]
    header, line = lines.split("\n")
    rows = [line.format(i=i, p=p, u=u) for i, (p, u) in enumerate(zip(CELLS, USAGE, strict=True))]
    content = "\n".join([header, *rows]).encode()
    folder = tmp_path / "in"
    folder.mkdir()
    file = folder / (name + ".gz" * packed)
    file.write_bytes(gzip.compress(content) if packed else content)
    items, _ = read(file)
    assert [item.attributes for item in items] == attributes
    assert [item.split for item in items] == splits
    assert items[0].name == first.replace(name, file.name)
    np.testing.assert_array_equal(
        [item.pixels[..., 0] for item in items if item.pixels is not None], PICTURES
    )
    inside = [item.name for item in read(folder)[0]]
    assert inside[0].endswith(items[0].name) and len(inside) == 6
    assert estimate((str(folder),)) is None  # of a table's lines nobody has counted the pictures


REJECTS = {
    " ".join(["7"] * 2303): "its number of pixels (2,303) makes no square picture",
    " ".join(["7"] * 9): "its number of pixels (9) makes no square picture",
    "": "its number of pixels (0) makes no square picture",
    " ".join(
        ["256"] * 2304
    ): "its pixels are not whole numbers from 0 to 255 (--range LOW..HIGH reads others)",
    " ".join(["x"] * 2304): "its pixels are not whole numbers from 0 to 255 (--range LOW..HIGH reads others)",
    "1,2": "its line does not have the header's number of cells",
}


@pytest.mark.parametrize("cell", REJECTS)
def test_a_line_that_is_no_picture_is_a_reject_and_the_others_are_read(tmp_path: Path, cell: str) -> None:
    items, _ = read(fer2013(tmp_path / "a.csv", [CELLS[0], cell, CELLS[2]]))
    assert [item.reject for item in items] == ["", REJECTS[cell], ""]


def test_other_values_are_read_by_the_option(tmp_path: Path) -> None:
    halves = " ".join(["0.5"] * 1152 + ["1"] * 1152)
    file = fer2013(tmp_path / "a.csv", [halves])
    assert "--range" in read(file)[0][0].reject
    pixels = read(file, value_range="0..1")[0][0].pixels
    assert pixels is not None and sorted(set(pixels.reshape(-1).tolist())) == [128, 255]


def test_a_wrong_column_or_an_archive_is_told(tmp_path: Path) -> None:
    file = fer2013(tmp_path / "a.csv")
    with pytest.raises(
        InputError, match=r"a\.csv: there is no column 'faces' \(columns: emotion, pixels, Usage"
    ):
        read(file, image_column="faces")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(file, "fer2013.csv")
    (item,) = read(tmp_path / "a.zip")[0]
    assert item.reject == "an array or table inside an archive (unpack the archive first)"


@pytest.mark.parametrize(
    "text", ["file,pixels\na.png,1024\n", "pixels\n", "a,b\n1,2\n", "pixels of a\n1 2 3 4"]
)
def test_other_tables_are_none_of_pixels(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    assert [item.reject for item in read(tmp_path / "a.csv")[0]] == ["not an image file"]


def test_a_large_table_takes_little_memory(tmp_path: Path) -> None:
    file = fer2013(tmp_path / "a.csv")
    with file.open("a") as more:
        for _ in range(1000):
            more.write(f"1,{CELLS[0]},Training\n")
    assert file.stat().st_size > 8e6
    tracemalloc.start()
    count = sum(1 for _ in open_source(str(file), Reading()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 1006 and peak < 6e6
