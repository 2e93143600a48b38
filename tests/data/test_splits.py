"""Who is held out stays held out: splits that sources have, shares of the rest, near duplicates, lists."""

from __future__ import annotations

import io
import json
import struct
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sample_photos import OPTIONS, folder, smooth

from facegan.cli.prepare import report
from facegan.data.attribute_tables import Splitter
from facegan.data.folders import name_words, split_named
from facegan.data.prepare import prepare
from facegan.errors import InputError
from facegan.images import png_bytes


def shard(path: Path, indices: range, **columns: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": png_bytes(smooth(i)), "path": f"{i}.png"} for i in indices]
    pq.write_table(pa.table({"image": images, **columns}), path)


def idx(path: Path, indices: range) -> None:
    pixels = np.stack([smooth(i)[..., 0] for i in indices])
    path.write_bytes(struct.pack(">HBB3I", 0, 8, 3, *pixels.shape) + pixels.tobytes())


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("validation-00000-of-00001", "val"),
        ("test", "test"),
        ("valid_0", "val"),
        ("t10k-images-idx3-ubyte", "test"),
        ("emnist-letters-test-images-idx3-ubyte", "test"),
        ("00000", None),
        ("contest", None),
        ("2-0-1", None),
    ],
)
def test_words_in_names(name: str, split: str | None) -> None:
    assert split_named(name_words(name)) == split


@pytest.mark.parametrize(
    "layout", ["data/{0}-00000-of-00001.parquet", "{0}.parquet", "default/{0}/0000.parquet"]
)
def test_tables_laid_out_as_the_hub_does(tmp_path: Path, layout: str) -> None:
    (tmp_path / "hf/data").mkdir(parents=True)
    shard(tmp_path / "hf/data/train-extra.parquet", range(20, 21))
    for k, name in enumerate(("train", "validation", "test")):
        shard(tmp_path / "hf" / layout.format(name), range(3 * k, 3 * k + 2 + k))
    made = prepare(tmp_path / "hf", tmp_path / "ds", **OPTIONS)
    assert made.counts == {"train": 3, "val": 3, "test": 4}


def test_idx_of_any_name_and_shares_of_the_rest(tmp_path: Path) -> None:
    """The official test pictures are neither trained on nor divided."""
    (tmp_path / "e").mkdir()
    idx(tmp_path / "e/emnist-letters-train-images-idx3-ubyte", range(40))
    idx(tmp_path / "e/emnist-letters-test-images-idx3-ubyte", range(100, 110))
    made = prepare(tmp_path / "e", tmp_path / "ds", split="val=0.3,test=0.2", **OPTIONS)
    assert sum(made.counts.values()) == 50 and made.counts["test"] >= 10 and made.counts["val"] > 0
    held = set(made.sources("test"))
    assert len([s for s in held if "-test-" in s]) == 10
    assert not [s for s in (*made.sources("train"), *made.sources("val")) if "-test-" in s]


def near(at: Path, count: int) -> Path:
    """Each picture twice, the second time nearly."""
    photos = folder(at, count)
    for i in range(count):
        buffer = io.BytesIO()
        Image.fromarray(smooth(i)).save(buffer, "JPEG", quality=80)
        (photos / f"{i:03d}n.jpg").write_bytes(buffer.getvalue())
    return photos


def test_shares_leave_near_duplicates_together(tmp_path: Path) -> None:
    photos = near(tmp_path / "photos", 30)
    made = prepare(photos, tmp_path / "ds", split="val=0.3,test=0.3", **OPTIONS)
    assert len(made.info["near_duplicates"]) >= 25
    split = {Path(s).stem: name for name in made.counts for s in made.sources(name)}
    for pair in made.info["near_duplicates"]:
        assert split[Path(pair["source"]).stem] == split[Path(pair["of"]).stem] and "splits" not in pair
    assert sum(made.counts.values()) == 60 and len(made.counts) == 3
    assert "another split" not in report(made)


def test_a_list_is_obeyed_and_what_it_parts_is_told(tmp_path: Path) -> None:
    photos = near(tmp_path / "photos", 6)
    lines = [f"{p.name} {'test' if p.suffix == '.jpg' else 'train'}\n" for p in sorted(photos.iterdir())]
    (tmp_path / "split.txt").write_text("".join(lines))
    made = prepare(photos, tmp_path / "ds", split=tmp_path / "split.txt", **OPTIONS)
    assert made.counts == {"train": 6, "test": 6}
    apart = [pair for pair in made.info["near_duplicates"] if pair.get("splits") == "test, train"]
    assert len(apart) >= 5 and f"{len(apart)} pictures have a near copy in another split" in report(made)


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("image_id,partition\n1.jpg,0\n2.jpg,2\n", {"1.jpg": "train", "2.jpg": "test"}),
        ("my photo.jpg train\n\nb.png  val\n", {"my photo.jpg": "train", "b.png": "val"}),
        ('"my photo.jpg",test\n', {"my photo.jpg": "test"}),
    ],
)
def test_lists_as_others_write_them(tmp_path: Path, text: str, table: dict[str, str]) -> None:
    (tmp_path / "s.csv").write_text(text)
    assert Splitter(str(tmp_path / "s.csv")).table == table


@pytest.mark.parametrize("text", ["1.jpg,partition\n", "a.jpg train\nimage_id,partition\n", "train\n"])
def test_what_is_no_list_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(InputError, match=r"is not 'name train\|val\|test'"):
        Splitter(str(tmp_path / "s.csv"))


# --- what vanished without a word -------------------------------------------------------------------


def test_an_archive_of_a_folders_dot(tmp_path: Path) -> None:
    """``tar -C FOLDER .`` begins every name with ./, and so must not hide them all."""
    photos = folder(tmp_path / "photos", 4)
    (photos / ".hidden.png").write_bytes(b"x")
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as archive:
        archive.add(photos, ".")
    (tmp_path / "split.txt").write_text("000.png test\n001.png val\n002.png train\n003.png train\n")
    made = prepare(tmp_path / "a.tgz", tmp_path / "ds", split=tmp_path / "split.txt", **OPTIONS)
    assert made.counts == {"train": 2, "val": 1, "test": 1} and not made.info["rejects"]


def test_another_tools_dataset_json_hides_no_pictures(tmp_path: Path) -> None:
    photos = folder(tmp_path / "sg", 3)
    (photos / "dataset.json").write_text('{"labels": null}')
    made = prepare(photos, tmp_path / "ds", **OPTIONS)
    assert made.counts == {"train": 3}
    for file in (made.path / "data").iterdir():
        file.unlink()
    with pytest.raises(InputError, match=r"its shards \(data/\*.parquet\) are gone"):
        prepare(made.path, tmp_path / "again", **OPTIONS)


def test_a_no_of_minus_one_is_a_no(tmp_path: Path) -> None:
    """CelebA's -1 in a table; beside other classes it is one of them, never "unknown"."""
    shard(tmp_path / "t/train.parquet", range(4), Smiling=[-1, 1, -1, 1], kind=[-1, 1, 2, 0])
    made = prepare(tmp_path / "t", tmp_path / "ds", **OPTIONS)
    found = made.attributes("train")[:, [made.attribute_names.index(n) for n in ("Smiling", "kind")]]
    assert found.tolist() == [[0, 0], [1, 2], [0, 3], [1, 1]]
    assert made.class_names == {"kind": ["-1", "0", "1", "2"]}
    again = prepare(made.path, tmp_path / "again", **OPTIONS)
    assert again.content_hash == made.content_hash


def test_a_table_erases_nothing_that_it_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("file,Smiling\n000.png,1\n001.png,0\n002.png,1\n")
    first = prepare(folder(tmp_path / "p", 4), tmp_path / "one", attributes=tmp_path / "a.csv", **OPTIONS)
    (tmp_path / "b.csv").write_text("file,Smiling,Male\n000.png,0,1\n001.png,,1\n")
    made = prepare(first.path, tmp_path / "two", attributes=tmp_path / "b.csv", **OPTIONS)
    assert made.attribute_names == ("Smiling", "Male")
    assert made.attributes("train").tolist() == [[0, 1], [0, 1], [1, -1], [-1, -1]]
    assert json.loads((made.path / "dataset.json").read_text())["counts"] == {"train": 4}


def test_counts_of_splits_say_that_they_hold_what_was_left_out(tmp_path: Path) -> None:
    for name in ("a", "b"):  # the same pictures again
        for split, first in (("train", 0), ("test", 8)):
            (tmp_path / "in" / name / split).mkdir(parents=True)
            for i in range(first, first + 4):
                (tmp_path / "in" / name / split / f"{i}.png").write_bytes(png_bytes(smooth(i)))
    made = prepare(tmp_path / "in", tmp_path / "ds", **OPTIONS)
    assert made.counts == {"train": 4, "test": 4}
    assert "splits from folders (with what was left out later): train 8, test 8" in report(made)
