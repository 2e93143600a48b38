"""Splits and labels that folders, archives and files beside the pictures say."""

from __future__ import annotations

import io
import json
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sample_photos import OPTIONS, smooth

from facegan.data.beside import Beside
from facegan.data.folders import are_splits, folder_word, shard_split, source_splits
from facegan.data.items import Item, Reading
from facegan.data.prepare import prepare
from facegan.data.sources import open_source
from facegan.images import png_bytes


def beside(names: Iterable[str], files: dict[str, Any] | None = None) -> tuple[Beside, Reading]:
    """What is said of pictures ``names`` by their folders and by ``files`` among them."""
    reading = Reading()
    raw = {name: c if isinstance(c, bytes) else c.encode() for name, c in (files or {}).items()}
    made = Beside(
        "src",
        [*names, *raw],
        lambda name, most: raw[name] if len(raw[name]) <= most else None,
        reading=reading,
    )
    return made, reading


def told(
    names: Iterable[str], files: dict[str, Any] | None = None
) -> dict[str, tuple[str | None, dict[str, Any]]]:
    """Split and attributes by name."""
    names = list(names)
    made, _ = beside(names, files)
    items = [made(Item(name, name)) for name in names]
    return {item.name: (item.split, item.attributes) for item in items}


def each(*folders: str, count: int = 2) -> list[str]:
    return [f"{folder}/{i}.jpg".lstrip("/") for folder in folders for i in range(count)]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("train val test", ["train", "val", "test"]),
        ("training testing", ["train", "test"]),
        ("train valid", ["train", "val"]),
        ("train2017 val2017", ["train", "val"]),
        ("TRAIN Dev", ["train", "val"]),
        ("training_set test_set", ["train", "test"]),
        ("Training PublicTest PrivateTest", ["train", "val", "test"]),
        ("train validation extra", ["train", "val", None]),
        ("train test", ["train", "test"]),
        ("test", ["test"]),
        ("train car boat", [None, None, None]),
        ("train_station bus_station", [None, None]),
        ("test_anna test_bob", [None, None]),
        ("contest latest", [None, None]),
        ("", [None]),
    ],
)
def test_names_side_by_side_are_splits_or_classes(names: str, found: list[str | None]) -> None:
    splits = are_splits(names.split(" "))
    assert [splits.get(name) for name in names.split(" ")] == found


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train-000017.tar", "train"),
        ("imagenet1k-validation-00.tar", None),
        ("faces-val-0003.tar.gz", "val"),
        ("t10k-images-idx3-ubyte", None),
        ("contest-00001.tar", None),
        ("test.tar", None),
    ],
)
def test_names_of_shards(name: str, split: str | None) -> None:
    assert shard_split(name) == split


def test_sources_named_by_their_splits() -> None:
    assert source_splits(["a/train", "a/val.zip"]) == {"a/train": "train", "a/val.zip": "val"}
    assert source_splits(["a/test"]) == {} == source_splits(["a/cats", "a/test"])
    assert folder_word("trainset") is None


# Folders of pictures, and of each what is expected: split and label.
LAYOUTS: dict[str, tuple[list[str], dict[str, tuple[str | None, Any]]]] = {
    "splits": (each("train", "val", "test"), {"train/0.jpg": ("train", None), "test/1.jpg": ("test", None)}),
    "below a common folder": (
        each("celeba/train", "celeba/valid"),
        {"celeba/train/0.jpg": ("train", None), "celeba/valid/0.jpg": ("val", None)},
    ),
    "classes": (each("cats", "dogs"), {"cats/0.jpg": (None, 0), "dogs/1.jpg": (None, 1)}),
    "digits": (each("2", "10", "7"), {"2/0.jpg": (None, 2), "10/0.jpg": (None, 10)}),
    "natural order": (each("a10", "a2"), {"a2/0.jpg": (None, 0), "a10/0.jpg": (None, 1)}),
    "classes in splits": (
        each("d/train/cats", "d/train/dogs", "d/test/dogs"),
        {"d/train/cats/0.jpg": ("train", 0), "d/test/dogs/0.jpg": ("test", 1)},
    ),
    "splits in classes": (
        each("cats/train", "cats/test", "dogs/train"),
        {"cats/test/0.jpg": ("test", 0), "dogs/train/0.jpg": ("train", 1)},
    ),
    "a class called train": (
        each("train", "car", "boat"),
        {"train/0.jpg": (None, 2), "car/0.jpg": (None, 1)},
    ),
    "a class called train in splits": (
        each("train/train", "train/car", "val/train", "val/car"),
        {"train/train/0.jpg": ("train", 1), "val/car/0.jpg": ("val", 0)},
    ),
    "repeated": (
        each("seg_train/seg_train/sea", "seg_train/seg_train/wood", "seg_test/seg_test/sea"),
        {"seg_train/seg_train/wood/0.jpg": ("train", 1), "seg_test/seg_test/sea/0.jpg": ("test", 0)},
    ),
    "test pictures without a class": (
        each("train/a", "train/b", "test"),
        {"train/b/0.jpg": ("train", 1), "test/0.jpg": ("test", None)},
    ),
    "a folder beside the splits": (
        [*each("train/a", "train/b", "test/a", "test/b"), "unknown/0.jpg"],
        {"test/b/0.jpg": ("test", 1), "unknown/0.jpg": (None, None)},
    ),
    "a class called test": (each("test", "boat"), {"test/0.jpg": (None, 1), "boat/0.jpg": (None, 0)}),
    "an archive beside, which is not entered": (
        [*each("test"), "more.zip"],
        {"test/0.jpg": ("test", None)},
    ),
    "only test": (each("pack/test"), {"pack/test/0.jpg": ("test", None)}),
    "one folder": (each("cats"), {"cats/0.jpg": (None, None)}),
    "several depths": ([*each("cats", "dogs"), "x.jpg"], {"cats/0.jpg": (None, None), "x.jpg": (None, None)}),
    "one picture each": (each("a", "b", "c", count=1), {"a/0.jpg": (None, None)}),
    "FFHQ's pieces": (
        [f"{k:02d}000/{k * 1000 + i:05d}.png" for k in range(3) for i in range(5)],
        {"01000/01003.png": (None, None)},
    ),
    "numbers of persons": (
        [f"{k:07d}/{i:03d}.jpg" for k in (45, 99) for i in range(3)],
        {"0000045/001.jpg": (None, 0), "0000099/001.jpg": (None, 1)},
    ),
    "too many": (each(*(f"p{k}" for k in range(1001))), {"p0/0.jpg": (None, None)}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_folders(layout: str) -> None:
    names, expected = LAYOUTS[layout]
    found = told(names)
    assert {n: (found[n][0], found[n][1].get("label")) for n in expected} == expected


def test_levels_and_partitions_are_attributes() -> None:
    found = told(each("male/young", "male/old", "female/young"))
    assert found["female/young/0.jpg"][1] == {"folder_1": 0, "label": 1}
    found = told(each("Smiling=1/Hat=0", "Smiling=0/Hat=__HIVE_DEFAULT_PARTITION__"))
    assert found["Smiling=1/Hat=0/0.jpg"][1] == {"Smiling": "1", "Hat": "0"}
    assert found["Smiling=0/Hat=__HIVE_DEFAULT_PARTITION__/1.jpg"][1] == {"Smiling": "0", "Hat": None}


@pytest.mark.parametrize(
    ("layout", "note"),
    [
        ("classes", "src: attribute 'label' from 2 folders: cats, dogs"),
        (
            "a class called train",
            "folder 'train' is not taken for a split, because 'boat' and 'car' beside it are none",
        ),
        (
            "a class called test",
            "folder 'test' is not taken for a split, because 'boat' beside it is not one",
        ),
        ("several depths", "pictures lie at several depths, some beside the folders, some in 'cats'"),
        ("one picture each", "3 (a, b, c) hold 3 pictures, fewer than two each"),
        ("FFHQ's pieces", "00000 to 02000 are numbered pieces of one list"),
        ("too many", "1,001 (p0, p1, p2, p3, ...) are more than 1,000 classes"),
    ],
)
def test_what_folders_are_taken_for_is_told(layout: str, note: str) -> None:
    lines = beside(LAYOUTS[layout][0])[1].notes.lines()
    assert any(note in line for line in lines), lines


def test_two_sources_agree_on_the_numbers_of_their_classes() -> None:
    reading = Reading()
    for names in (each("cats", "dogs"), each("birds", "dogs")):
        made = Beside("src", names, lambda name, most: None, reading=reading)
        last = made(Item("dogs/0.jpg", "")).attributes
        assert last == {"label": 1}
    assert made(Item("birds/0.jpg", "")).attributes == {"label": 2}
    assert reading.class_names == {"label": ["cats", "dogs", "birds"]}


FLAT = each("", count=4)
JSONL = '{"file_name": "0.jpg", "hat": true, "box": [1, 2]}\n\n{"file_name": "1.jpg", "age": 2.5}\n'
# Files among pictures 0.jpg to 3.jpg, and what 0.jpg and 1.jpg have of them.
FILES: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "StyleGAN": ({"dataset.json": '{"labels": [["0.jpg", 7], ["1.jpg", 3]]}'}, {"label": 7}, {"label": 3}),
    "StyleGAN's dictionary": ({"dataset.json": '{"labels": {"0.jpg": 1}}'}, {"label": 1}, {"label": None}),
    "StyleGAN without": ({"dataset.json": '{"labels": null}'}, {}, {}),
    "StyleGAN one-hot": (
        {"dataset.json": '{"labels": [["0.jpg", [0, 1, 0]], ["1.jpg", [0.0, 0.0, 1.0]]]}'},
        {"label": 1},
        {"label": 2},
    ),
    "StyleGAN's numbers": (
        {"dataset.json": '{"labels": [["0.jpg", [0.5, 2]], ["1.jpg", [1, 1]]]}'},
        {"label_0": 0.5, "label_1": 2},
        {"label_0": 1, "label_1": 1},
    ),
    "csv": (
        {"metadata.csv": "file_name,Age,mood\r\n0.jpg,31,glad\r\n./1.jpg,,sad\r\n"},
        {"Age": 31, "mood": "glad"},
        {"Age": None, "mood": "sad"},
    ),
    "semicolons": ({"metadata.csv": "\ufefffile_name;hat\n0.jpg;yes\n"}, {"hat": "yes"}, {"hat": None}),
    "jsonl": (
        {"metadata.jsonl": JSONL},
        {"hat": 1, "age": None},
        {"hat": None, "age": 2.5},
    ),
    "Roboflow": (
        {"_classes.csv": "filename, cat, dog\n0.jpg, 1, 0\n"},
        {"cat": 1, "dog": 0},
        {"cat": None, "dog": None},
    ),
    "WebDataset's classes": ({"0.cls": "12", "1.cls": "3\n"}, {"label": "12"}, {"label": "3"}),
    "WebDataset's JSON": (
        {"0.json": '{"smile": 1, "at": [1]}', "1.json": '{"smile": null, "who": "x"}'},
        {"smile": 1, "who": None},
        {"smile": None, "who": "x"},
    ),
    "captions": ({"0.txt": "a face, smiling\n"}, {"text": "a face, smiling"}, {"text": None}),
}


@pytest.mark.parametrize("kind", FILES)
def test_files_that_describe_pictures(kind: str) -> None:
    files, first, second = FILES[kind]
    found = told(FLAT, files)
    assert (found["0.jpg"][1], found["1.jpg"][1]) == (first, second)
    made, _ = beside(FLAT, files)
    assert made.used == set(files)


def test_a_table_rules_its_own_folder_and_names_splits() -> None:
    names = each("a", "b")
    found = told(names, {"a/metadata.csv": "file_name,split,hat\n0.jpg,validation,1\n1.jpg,train,0\n"})
    assert found["a/0.jpg"] == ("val", {"hat": 1, "label": 0})
    assert found["b/0.jpg"] == (None, {"label": 1})
    found = told(FLAT, {"metadata.csv": "file_name,split\n0.jpg,fold1\n1.jpg,fold2\n"})
    assert found["1.jpg"] == (None, {"split": "fold2"})


def test_labels_of_stylegan_take_the_place_of_its_folders() -> None:
    files = {"dataset.json": json.dumps({"labels": [["00000/0.jpg", 1], ["00001/0.jpg", 0]]})}
    found = told(each("00000", "00001"), files)
    assert [found[n][1] for n in ("00000/0.jpg", "00001/0.jpg", "00001/1.jpg")] == [
        {"label": 1},
        {"label": 0},
        {"label": None},
    ]


DEEP = "[" * 10**5
# What a stranger may have put there: never a crash, always a line.
HOSTILE: dict[str, dict[str, Any]] = {
    "deep": {"dataset.json": DEEP},
    "no pairs": {"dataset.json": '{"labels": [1, 2]}'},
    "mixed": {"dataset.json": '{"labels": [["0.jpg", 1], ["1.jpg", [1, 0]]]}'},
    "strings": {"dataset.json": '{"labels": [["0.jpg", ["0", "1"]]]}'},
    "wide": {"dataset.json": json.dumps({"labels": [["0.jpg", [0.5] * 2000]]})},
    "bytes": {"metadata.csv": b"file_name,x\n\xff\xfe,1\n"},
    "no column": {"metadata.csv": "a,b\n1,2\n"},
    "empty": {"metadata.csv": ""},
    "lines": {"metadata.jsonl": "[1]\n"},
    "no JSON": {"metadata.jsonl": "{\n"},
    "no Parquet": {"metadata.parquet": b"PAR1xxxxPAR1"},
    "deep JSON": {"0.json": DEEP},
    "binary": {"0.cls": b"\xff\x00"},
    "large": {"0.cls": b"1" * (2**20 + 1)},
    "lists": {"metadata.jsonl": '{"file_name": "0.jpg", "box": [1]}'},
    "columns without end": {"metadata.jsonl": "\n".join(f'{{"c{i}": 1}}' for i in range(10_001))},
    "twice": {"metadata.csv": "file_name,x\n0.jpg,1\n0.jpg,2\n"},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_cannot_be_used_is_one_line(kind: str) -> None:
    made, reading = beside(FLAT, HOSTILE[kind])
    for name in FLAT:
        assert set(made(Item(name, name)).attributes.values()) <= {None, 2}
    lines = [line for line in reading.notes.lines() if "pictures found" not in line]
    assert len(lines) == 1 and "\n" not in lines[0], lines
    assert next(iter(HOSTILE[kind])).removeprefix("0") in lines[0]


def test_notes_are_lines_whatever_names_hold() -> None:
    notes = Reading().notes
    notes.add("column 'a\n\udc80' left out")
    notes.add("x" * 5000)
    notes.tally("splits from file names", "train")
    first, second = notes.lines()
    assert first == "column 'a \\udc80' left out" and len(second) < 500


# --- the same through every kind of source ---------------------------------------------------------------


def content(name: str) -> bytes:
    return png_bytes(smooth(hash(name) % 2**31))


def as_folder(at: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (at / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (at / "src" / name).write_bytes(data)
    return at / "src"


def as_zip(at: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(at / "src.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return at / "src.zip"


def as_tar(kind: str) -> Callable[[Path, dict[str, bytes]], Path]:
    def make(at: Path, files: dict[str, bytes]) -> Path:
        with tarfile.open(at / f"src.tar{kind}", f"w{kind.replace('.', ':')}") as archive:
            for name, data in files.items():
                info = tarfile.TarInfo(f"./{name}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return at / f"src.tar{kind}"

    return make


SOURCES = {"folder": as_folder, "zip": as_zip, "tar": as_tar(""), "tar.gz": as_tar(".gz")}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_source_hands_on_splits_and_labels(tmp_path: Path, kind: str) -> None:
    names = [n.replace("jpg", "png") for n in each("d/test/cats", "d/train/cats", "d/train/dogs")]
    files = {name: png_bytes(smooth(i)) for i, name in enumerate(names)}
    files |= {"d/train/dogs/0.json": b'{"age": 3}', "d/metadata.csv": b"file_name,hat\ntest/cats/1.png,1\n"}
    reading = Reading()
    found = {item.name: item for item in open_source(str(SOURCES[kind](tmp_path, files)), reading)}
    assert list(found) == sorted(names) and not any(item.reject for item in found.values())
    nothing = {"age": None, "hat": None}
    assert [(i.split, i.split_from, i.attributes) for i in found.values()] == [
        ("test", "folders", {**nothing, "label": 0}),
        ("test", "folders", {**nothing, "label": 0, "hat": 1}),
        ("train", "folders", {**nothing, "label": 0}),
        ("train", "folders", {**nothing, "label": 0}),
        ("train", "folders", {**nothing, "label": 1, "age": 3}),
        ("train", "folders", {**nothing, "label": 1}),
    ]
    assert reading.class_names == {"label": ["cats", "dogs"]}


def test_what_is_held_out_stays_so_and_the_summary_says_it(tmp_path: Path) -> None:
    names = [
        n.replace("jpg", "png") for n in [*each("train", count=20), *each("validation", "test", count=3)]
    ]
    source = as_folder(tmp_path, {name: png_bytes(smooth(i)) for i, name in enumerate(names)})
    made = prepare(source, tmp_path / "ds", **OPTIONS)
    assert made.counts == {"train": 20, "val": 3, "test": 3}
    assert "splits from folders: train 20, val 3, test 3" in made.info["notes"]
    made = prepare(source, tmp_path / "ds2", split="test=0.4", **OPTIONS)
    assert made.counts["val"] == 3 and 3 < made.counts["test"] < 20
    assert {s.split("/")[-2] for s in made.sources("train")} == {"train"}
    made = prepare([source / "train", source / "test"], tmp_path / "ds3", **OPTIONS)
    assert made.counts == {"train": 20, "test": 3}


def pngs(*names: str) -> dict[str, bytes]:
    return {name: png_bytes(smooth(i)) for i, name in enumerate(names)}


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_archives_of_one_folder_are_its_splits(tmp_path: Path) -> None:
    """train.zip and test.zip as Kaggle gives them, and shards of WebDataset."""
    for k, split in enumerate(("train", "test")):
        content = {f"{split}/{i}.png": png_bytes(smooth(10 * k + i)) for i in range(3)}
        as_folder(tmp_path, {f"{split}.zip": packed(content)})
    items = list(open_source(str(tmp_path / "src")))
    assert [item.split for item in items] == ["test"] * 3 + ["train"] * 3
    shard = SOURCES["tar"](tmp_path, {"0.png": png_bytes(smooth(1)), "0.cls": b"4"})
    found = list(open_source(str(shard.rename(tmp_path / "faces-val-0007.tar"))))
    assert [(i.split, i.split_from, i.attributes) for i in found] == [
        ("val", "names of shards", {"label": "4"})
    ]


def test_fairface_as_it_is_given(tmp_path: Path) -> None:
    """Splits by folders; the tables beside them are named with the option that reads them."""
    header = "file,age,gender\n"
    files = pngs("train/1.png", "train/2.png", "val/1.png")
    files |= {"fairface_label_train.csv": (header + "train/1.jpg,20-29,Male\n").encode()}
    source = as_folder(tmp_path, files)
    made = prepare(source, tmp_path / "ds", **OPTIONS)
    assert made.counts == {"train": 2, "val": 1}
    label = "fairface_label_train.csv beside the pictures was not read; --attributes"
    assert f"{label} {source}/fairface_label_train.csv reads it" in made.info["notes"]
    made = prepare(source, tmp_path / "d2", attributes=source / "fairface_label_train.csv", **OPTIONS)
    assert made.class_names["gender"] == ["Male"] and made.counts == {"train": 2, "val": 1}
    assert not any("was not read" in note for note in made.info["notes"])


PARTS = [0, 0, 0, 1, 2, 2]
SMILING = [1, -1, -1, 1, -1, 1]
CELEBA = {
    "kaggle": {
        "list_attr_celeba.csv": "image_id,Smiling,Male\n{attributes}",
        "list_eval_partition.csv": "image_id,partition\n{parts}",
        "list_bbox_celeba.csv": "image_id,x_1,y_1,width,height\n000001.jpg,95,71,226,313\n",
        "list_landmarks_align_celeba.csv": "image_id,lefteye_x,lefteye_y\n000001.jpg,69,109\n",
    },
    "authors": {
        "Anno/list_attr_celeba.txt": "6\nSmiling Male\n{attributes}",
        "Anno/list_bbox_celeba.txt": "6\nimage_id x_1 y_1 width height\n000001.jpg 95 71 226 313\n",
        "Eval/list_eval_partition.txt": "{parts}",
    },
}
KINDS_OF_SOURCE = ["folder", "zip", "tar"]


@pytest.mark.parametrize("layout", CELEBA)
@pytest.mark.parametrize("kind", KINDS_OF_SOURCE)
def test_celeba_needs_no_option(tmp_path: Path, layout: str, kind: str) -> None:
    """Kaggle's archive and the authors' folders: attributes and splits are found by the files' names."""
    sign = "," if layout == "kaggle" else " "
    names = [f"{i:06d}.jpg" for i in range(1, 7)]
    rows = {
        "attributes": "".join(f"{n}{sign}{s}{sign}1\n" for n, s in zip(names, SMILING, strict=True)),
        "parts": "".join(f"{n}{sign}{p}\n" for n, p in zip(names, PARTS, strict=True)),
    }
    files = pngs(*(f"img_align_celeba/img_align_celeba/{n.replace('jpg', 'png')}" for n in names))
    files |= {name: text.format(**rows).encode() for name, text in CELEBA[layout].items()}
    make = {"folder": as_folder, **SOURCES}[kind]
    made = prepare(make(tmp_path, files), tmp_path / "ds", **OPTIONS)
    assert made.counts == {"train": 3, "val": 1, "test": 2}
    assert made.attribute_names == ("Smiling", "Male")
    assert made.attributes("train").tolist() == [[1, 1], [0, 1], [0, 1]]
    assert made.attributes("test").tolist() == [[0, 1], [1, 1]]
    assert not made.info["rejects"], "tables are no pictures that cannot be read"


def test_nothing_for_training_is_told(tmp_path: Path) -> None:
    made = prepare(as_folder(tmp_path, pngs("test/1.png", "test/2.png")), tmp_path / "ds", **OPTIONS)
    assert made.counts == {"test": 2}
    assert any(note.startswith("no picture is for training") for note in made.info["notes"])


def test_a_source_is_looked_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies beside the pictures of a large archive takes its time."""
    made: list[str] = []
    init = Beside.__init__

    def counted(self: Beside, source: str, *rest: Any, **more: Any) -> None:
        made.append(source)
        init(self, source, *rest, **more)

    monkeypatch.setattr(Beside, "__init__", counted)
    prepare(SOURCES["tar"](tmp_path, pngs("1.png", "2.png")), tmp_path / "ds", **OPTIONS)
    assert made == ["src.tar"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array(["cat", "dog"]), ["cat", "dog"]),
        (np.array([b"cat", b"dog"]), ["cat", "dog"]),
        (np.array([0.5, np.nan], np.float32), [0.5, None]),
        (np.array([True, False]), [1, 0]),
        (np.array([[2**40], [-1]]), [2**40, -1]),
        (np.array([[0, 0, 1], [0, 1, 0]]), [2, 1]),
        (np.array([[0, 2, 1], [0, 1, 0]]), None),
    ],
)
def test_labels_of_an_npz(tmp_path: Path, labels: np.ndarray, expected: list[Any] | None) -> None:
    np.savez(tmp_path / "a.npz", images=np.stack([smooth(1), smooth(2)]), labels=labels)
    reading = Reading()
    found = [item.attributes for item in open_source(str(tmp_path / "a.npz"), reading)]
    assert found == ([{"label": v} for v in expected] if expected else [{}, {}])
    assert any("'labels' left out" in line for line in reading.notes.lines()) == (not expected)


def test_each_folder_has_its_own_table_and_the_nearest_counts() -> None:
    names = [f"{k}/{i}.jpg" for k in ("a", "a0", "b") for i in range(2)] + ["a/deep/0.jpg"]
    tables = {
        "metadata.csv": "file_name,hat,age\na/0.jpg,1,7\nb/0.jpg,1,9\n",
        "a/metadata.csv": "file_name,hat\n0.jpg,0\ndeep/0.jpg,1\n",
    }
    made = Beside("src", [*names, *tables], lambda name, most: tables[name].encode(), reading=Reading())
    found = {name: made(Item(name, "")).attributes for name in names}
    assert found["a/0.jpg"] == {"hat": 0, "age": 7} and found["b/0.jpg"] == {"hat": 1, "age": 9}
    assert found["a/deep/0.jpg"] == {"hat": 1, "age": None} and found["a0/0.jpg"]["hat"] is None


def test_many_tables_take_no_longer_than_one() -> None:
    names = [f"{k}/{i}.jpg" for k in range(2000) for i in range(10)]
    table = ("file_name,hat\n" + "".join(f"{i}.jpg,{i % 2}\n" for i in range(10))).encode()
    begin = time.monotonic()
    made = Beside(
        "src", [*names, *(f"{k}/metadata.csv" for k in range(2000))], lambda *_: table, reading=Reading()
    )
    assert all(made(Item(n, "")).attributes["hat"] == int(n[-5]) % 2 for n in names)
    assert time.monotonic() - begin < 20  # 80 million comparisons would take longer
