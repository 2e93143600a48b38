"""Parquet and Arrow as others write them: columns, splits, folders, rows that name files, pixels, streams."""

from __future__ import annotations

import base64
import decimal
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from sample_photos import OPTIONS, smooth

from facegan.data.items import Item, Reading
from facegan.data.parquet import ONLY_NAMED
from facegan.data.prepare import prepare
from facegan.data.sources import open_source
from facegan.errors import InputError
from facegan.images import png_bytes, read_image

PICTURES = [smooth(i) for i in range(4)]
PNGS = [png_bytes(p) for p in PICTURES]
ROWS = [{"bytes": png, "path": f"{i}.png"} for i, png in enumerate(PNGS)]


def read(path: Path | str, **options: Any) -> tuple[list[Item], Reading]:
    reading = Reading(**options)
    return list(open_source(str(path), reading)), reading


def pixels(item: Item) -> np.ndarray:
    assert not item.reject, item
    return read_image(item.content) if item.pixels is None else item.pixels


def same(items: list[Item], pictures: list[np.ndarray] = PICTURES) -> None:
    np.testing.assert_array_equal(np.stack([pixels(item) for item in items]), np.stack(pictures))


# --- attributes -------------------------------------------------------------------------------------------

COLUMNS: dict[str, tuple[Any, list[Any]]] = {
    "text": (["cat", "dog", "cat", None], ["cat", "dog", "cat", None]),
    "float": ([0.0, 1.0, 0.5, None], [0.0, 1.0, 0.5, None]),
    "nan": ([0.0, float("nan"), 1.0, 1.0], [0.0, None, 1.0, 1.0]),
    "nullable": ([0, 1, None, 1], [0, 1, None, 1]),
    "bool": ([True, False, None, True], [1, 0, None, 1]),
    "large": ([2**40, -1, 3, 2**62], [2**40, -1, 3, 2**62]),
    "categorical": (pa.array(["a", "b", "a", None]).dictionary_encode(), ["a", "b", "a", None]),
    "decimal": ([decimal.Decimal("1.5"), None, decimal.Decimal(2), None], [1.5, None, 2.0, None]),
    "half": (pa.array(np.float16([0.5, 1, 0, 0])), [0.5, 1.0, 0.0, 0.0]),
    "unsigned": (pa.array([1, 2, 3, 2**63], pa.uint64()), [1, 2, 3, str(2**63)]),
    "long text": (["x" * 9999] * 4, ["x" * 256] * 4),
    "nothing": (pa.nulls(4), [None] * 4),
    "view": (pa.array(["a", "b", "c", "d"], pa.string_view()), ["a", "b", "c", "d"]),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_column_of_any_type_is_handed_on_as_it_is(tmp_path: Path, kind: str) -> None:
    column, values = COLUMNS[kind]
    pq.write_table(pa.table({"image": ROWS, "x": column}), tmp_path / "a.parquet")
    items, reading = read(tmp_path / "a.parquet")
    assert [item.attributes for item in items] == [{"x": value} for value in values]
    assert not reading.notes.lines()
    same(items)


@pytest.mark.parametrize(
    ("column", "note"),
    [
        ([[1, 2]] * 4, "column 'x' left out: list<"),
        ([{"a": 1}] * 4, "column 'x' left out: struct<"),
        ([b"x"] * 4, "column 'x' left out: --image-column x takes its pictures instead"),
        (pd.to_datetime(["2020-01-01"] * 4), "column 'x' left out: timestamp"),
    ],
)
def test_a_column_that_is_no_attribute_is_told(tmp_path: Path, column: Any, note: str) -> None:
    pq.write_table(pa.table({"image": ROWS, "x": column}), tmp_path / "a.parquet")
    items, reading = read(tmp_path / "a.parquet")
    assert all(item.attributes == {} for item in items)
    assert any(note in line for line in reading.notes.lines()), reading.notes.lines()


def test_what_pandas_writes_ends_as_labels(tmp_path: Path) -> None:
    """Text, floats, gaps and an index that is no attribute, to the end."""
    frame = pd.DataFrame(
        {"image": ROWS, "kind": ["cat", "dog"] * 2, "smile": [0.0, 1.0, 1.0, 0.0], "hat": [1, None, 0, 1]}
    )
    frame[frame.smile >= 0].iloc[::-1].to_parquet(tmp_path / "a.parquet")
    made = prepare(tmp_path / "a.parquet", tmp_path / "ds", **OPTIONS)
    assert made.attribute_names == ("kind", "smile", "hat") and made.class_names == {"kind": ["cat", "dog"]}
    assert made.attributes().tolist() == [[1, 0, 1], [0, 1, 0], [1, 1, -1], [0, 0, 1]]
    again = prepare(made.path, tmp_path / "again", **OPTIONS)
    assert again.class_names == made.class_names and again.content_hash == made.content_hash


def features(**columns: Any) -> dict[bytes, bytes]:
    found = {"image": {"_type": "Image"}, **columns}
    return {b"huggingface": json.dumps({"info": {"features": found}}).encode()}


def test_names_of_classes_are_kept_and_agree_between_files(tmp_path: Path) -> None:
    for name, names in (("a", ["cat", "dog"]), ("b", ["dog", "ape"])):
        table = pa.table({"image": ROWS[:3], "label": [0, 1, -1]})
        label = {"names": names, "_type": "ClassLabel"}
        pq.write_table(table.replace_schema_metadata(features(label=label)), tmp_path / f"{name}.parquet")
    items, reading = read(tmp_path)
    assert [item.attributes["label"] for item in items] == [0, 1, None, 1, 2, None]
    assert reading.class_names == {"label": ["cat", "dog", "ape"]}


BROKEN = [
    b"{",
    b"[]",
    b'{"info": 3}',
    b"\xff",
    json.dumps({"info": {"features": [1]}}).encode(),
    json.dumps(
        {"info": {"features": {"label": {"_type": "ClassLabel", "names": 7}, "image": None}}}
    ).encode(),
    json.dumps({"info": {"features": {"label": {"_type": "ClassLabel", "names": [[], {}]}}}}).encode(),
]


@pytest.mark.parametrize("metadata", BROKEN)
def test_features_of_a_stranger_are_no_trap(tmp_path: Path, metadata: bytes) -> None:
    table = pa.table({"image": ROWS, "label": [0, 1, 5, -7]})
    pq.write_table(table.replace_schema_metadata({b"huggingface": metadata}), tmp_path / "a.parquet")
    items, _ = read(tmp_path / "a.parquet")
    assert [item.attributes["label"] for item in items] == [0, 1, 5, -7]
    same(items)


# --- splits and folders -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "splits", "attributes"),
    [
        (["train", "validation", "test", "Train"], ["train", "val", "test", "train"], {}),
        ([0, 1, 2, 0], ["train", "val", "test", "train"], {}),
        (["fold1", "fold2", "train", "test"], [None] * 4, {"split": "fold1"}),
        ([None, "val", None, None], [None, "val", None, None], {}),
        ([None] * 4, [None] * 4, {"split": None}),
    ],
)
def test_a_column_of_splits(
    tmp_path: Path, column: list[Any], splits: list[Any], attributes: dict[str, Any]
) -> None:
    pq.write_table(pa.table({"image": ROWS, "split": column}), tmp_path / "a.parquet")
    items, reading = read(tmp_path / "a.parquet")
    assert [item.split for item in items] == splits and items[0].attributes == attributes
    told = "a.parquet: column 'split' is an attribute: 'fold1' is no split"
    lines = [told] if column[0] == "fold1" else []
    assert reading.notes.lines() == lines


@pytest.mark.parametrize(
    ("layout", "split", "attributes"),
    [
        ("default/train/0000.parquet", "train", {}),
        ("default/partial-test/0000.parquet", "test", {}),
        ("data/validation-00000-of-00001.parquet", "val", {}),
        ("Smiling=1/part-0.parquet", None, {"Smiling": "1"}),
        ("Smiling=0/Hat=__HIVE_DEFAULT_PARTITION__/x.parquet", None, {"Smiling": "0", "Hat": None}),
        ("split=test/who=A%20B/x.parquet", "test", {"who": "A B"}),
        ("a-test-of-mine/0000.parquet", None, {}),
    ],
)
def test_folders_of_tables(
    tmp_path: Path, layout: str, split: str | None, attributes: dict[str, Any]
) -> None:
    (tmp_path / layout).parent.mkdir(parents=True)
    pq.write_table(pa.table({"image": ROWS}), tmp_path / layout)
    items, _ = read(tmp_path)
    assert {item.split for item in items} == {split}
    assert all(item.attributes == attributes for item in items)
    same(items)


def test_what_datasets_saves_to_disk(tmp_path: Path) -> None:
    import datasets

    datasets.disable_progress_bar()
    named = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    parts = {
        split: datasets.Dataset.from_dict({"image": ROWS[a:b], "label": [0, 1]}, features=named)
        for split, a, b in (("train", 0, 2), ("validation", 2, 4))
    }
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "both")
    items, reading = read(tmp_path / "both")
    assert [(item.split, item.attributes) for item in items] == [
        ("train", {"label": 0}),
        ("train", {"label": 1}),
        ("val", {"label": 0}),
        ("val", {"label": 1}),
    ]
    assert reading.class_names == {"label": ["cat", "dog"]}
    same(items)
    parts["train"].save_to_disk(tmp_path / "one")
    (tmp_path / "one/cache-0123abcd.arrow").write_bytes(b"x")
    items, _ = read(tmp_path / "one")
    same(items, PICTURES[:2])
    made = prepare(tmp_path / "both", tmp_path / "ds", **OPTIONS)
    assert made.counts == {"train": 2, "val": 2} and made.class_names == {"label": ["cat", "dog"]}
    assert not made.info["rejects"]


ARROW: dict[str, Callable[[pa.Table, Path], None]] = {
    "a.feather": lambda table, path: pyarrow.feather.write_feather(table, str(path)),
    "zstd.feather": lambda table, path: pyarrow.feather.write_feather(table, str(path), "zstd"),
    "file.arrow": lambda table, path: _written(pa.ipc.new_file, table, path),
    "stream.arrow": lambda table, path: _written(pa.ipc.new_stream, table, path),
}


def _written(new: Any, table: pa.Table, path: Path) -> None:
    with new(str(path), table.schema) as writer:
        writer.write_table(table)


@pytest.mark.parametrize("name", ARROW)
def test_arrow_files(tmp_path: Path, name: str) -> None:
    ARROW[name](pa.table({"image": ROWS, "label": [3, 1, 2, 0]}), tmp_path / name)
    items, _ = read(tmp_path / name)
    same(items)
    assert [item.attributes["label"] for item in items] == [3, 1, 2, 0]
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-200])
    with pytest.raises(InputError, match=r"not a readable (Arrow|Parquet) file"):
        read(tmp_path / name)


def test_a_small_arrow_file_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    table = pa.table({"image": [{"bytes": bytes(2**24), "path": f"{i}.png"} for i in range(4)]})
    pyarrow.feather.write_feather(table, str(tmp_path / "a.feather"), "zstd")
    with pytest.raises(InputError, match=r"a\.feather: compressed beyond reason"):
        read(tmp_path / "a.feather")


@pytest.mark.parametrize("name", ARROW)
def test_damaged_arrow_files_are_one_line_and_no_crash(tmp_path: Path, name: str) -> None:
    """Arrow trusts the lengths in a file; a damaged one ended the process."""
    table = pa.table({"image": [p[:8, :8].tolist() for p in PICTURES], "label": ["a", "b", None, "d"]})
    ARROW[name](table, tmp_path / name)
    whole, rng, refused = (tmp_path / name).read_bytes(), np.random.default_rng(1), 0
    for i in range(150):
        raw = np.frombuffer(whole, np.uint8).copy()
        at = rng.integers(0, len(raw) - 8)
        raw[at : at + 4] = np.frombuffer((b"\xff\xff\xff\x7f", b"\xff" * 4, b"\0\0\0\x40")[i % 3], np.uint8)
        (tmp_path / name).write_bytes(raw.tobytes())
        try:
            read(tmp_path / name)
        except InputError as error:
            refused += 1
            assert "\n" not in str(error) and name in str(error)
    assert refused >= 10


# --- the column of pictures -------------------------------------------------------------------------------

OTHER = [{"bytes": b"other", "path": None}] * 4
COLUMN_NAMES: dict[str, tuple[dict[str, Any], str, str]] = {
    "jpg": ({"jpg": PNGS, "__key__": ["a", "b", "c", "d"]}, "", "a.parquet: pictures from column 'jpg'"),
    "a struct of any name": ({"portrait": ROWS, "blob": [b"x"] * 4}, "", "pictures from column 'portrait'"),
    "bytes of any name": ({"portrait": PNGS}, "", "pictures from column 'portrait'"),
    "image_bytes beside a path": (
        {"image": ["x.jpg"] * 4, "image_bytes": PNGS},
        "",
        "from column 'image_bytes'",
    ),
    "by an option": ({"image": OTHER, "face": ROWS}, "face", "pictures from column 'face'"),
    "several": (
        {"photo": OTHER, "image": ROWS},
        "",
        "column 'photo' left out: --image-column photo takes its pictures instead",
    ),
    "case": ({"Image": PNGS}, "", ""),
}


@pytest.mark.parametrize("kind", COLUMN_NAMES)
def test_which_column_holds_the_pictures(tmp_path: Path, kind: str) -> None:
    columns, wish, note = COLUMN_NAMES[kind]
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    items, reading = read(tmp_path / "a.parquet", image_column=wish)
    same(items)
    assert any(note in line for line in [*reading.notes.lines(), ""]), reading.notes.lines()
    if "__key__" in columns:
        assert [item.name for item in items] == columns["__key__"]


def test_the_column_that_features_call_an_image(tmp_path: Path) -> None:
    table = pa.table({"image": OTHER, "face": ROWS}).replace_schema_metadata(
        features(image={"dtype": "string"}, face={"_type": "Image"})
    )
    pq.write_table(table, tmp_path / "a.parquet")
    same(read(tmp_path / "a.parquet")[0])


@pytest.mark.parametrize(
    ("columns", "wish", "message"),
    [
        ({"x": [1], "y": [2.0]}, "", r"a\.parquet: no column 'image' or the like \(columns: x, y\)"),
        ({"image": [b"x"], "y": [2.0]}, "y", r"--image-column y: it holds double, which is no picture"),
        ({"image": [b"x"]}, "nope", r"--image-column nope: there is none \(columns: image\)"),
    ],
)
def test_no_such_column_is_one_line(tmp_path: Path, columns: Any, wish: str, message: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "a.parquet", image_column=wish)
    assert "\n" not in str(caught.value)


# --- rows that only name files ----------------------------------------------------------------------------


def photos(at: Path) -> Path:
    (at / "set/pics").mkdir(parents=True)
    for i, png in enumerate(PNGS):
        (at / "set/pics" / f"{i}.png").write_bytes(png)
    return at / "set"


NAMED = {
    "relative": "pics/{0}.png",
    "absolute": "{root}/pics/{0}.png",
    "moved": "/home/someone/data/pics/{0}.png",
    "of Windows": "C:\\data\\pics\\{0}.png",
    "with dots": "./pics/../pics/{0}.png",
}


@pytest.mark.parametrize("kind", NAMED)
@pytest.mark.parametrize("struct", [True, False])
def test_files_that_rows_name_are_read_beside_the_table(tmp_path: Path, kind: str, struct: bool) -> None:
    root = photos(tmp_path)
    names = [NAMED[kind].format(i, root=root) for i in range(4)]
    cells = [{"bytes": None, "path": name} for name in names] if struct else names
    table = pa.table({"image": cells, "label": [0, 1, 2, 3]})
    pq.write_table(table, root / "a.parquet")
    items, _ = read(root / "a.parquet")
    same(items)
    assert [item.name for item in items] == [f"pics/{i}.png" for i in range(4)]
    items, _ = read(root)  # they are not read a second time as files
    same(items)
    assert [item.attributes["label"] for item in items] == [0, 1, 2, 3]


def test_nothing_outside_of_the_folder_is_read(tmp_path: Path) -> None:
    root = photos(tmp_path)
    secret = tmp_path / "secret.png"
    secret.write_bytes(PNGS[0])
    (root / "link.png").symlink_to(secret)
    names = [
        str(secret),
        "../secret.png",
        "link.png",
        "https://example.org/a.png",
        "pics/9.png",
        "a\0b",
        "pics",
    ]
    names += ["x" * 5000, "hf://datasets/a/b/1.png", ""]
    pq.write_table(pa.table({"image": names}), root / "a.parquet")
    items, _ = read(root / "a.parquet")
    assert {item.reject for item in items} == {ONLY_NAMED} and not any(item.content for item in items)
    with pytest.raises(InputError, match="give the folder of the pictures, and the table with --attributes"):
        prepare(root / "a.parquet", tmp_path / "ds", **OPTIONS)


def test_files_of_one_name_in_several_folders_are_not_mixed_up(tmp_path: Path) -> None:
    """Of /old/a/0.png and /old/b/0.png only one can be the file 0.png beside the table."""
    (tmp_path / "0.png").write_bytes(PNGS[0])
    pq.write_table(pa.table({"image": ["/old/a/0.png", "/old/b/0.png"]}), tmp_path / "a.parquet")
    items, _ = read(tmp_path / "a.parquet")
    assert [bool(item.reject) for item in items] == [False, True]


def test_tables_beside_pictures(tmp_path: Path) -> None:
    root = photos(tmp_path)
    pq.write_table(pa.table({"id": [1, 2]}), root / "other.parquet")
    names = pa.table({"file_name": [f"{i}.png" for i in range(4)], "age": [1, 2, 3, None]})
    pq.write_table(names, root / "pics/metadata.parquet")
    items, _ = read(root)
    assert items[0].reject == "table without a column of pictures"
    assert [item.attributes for item in items[1:]] == [{"age": n} for n in (1, 2, 3, None)]
    same(items[1:])


# --- pixels and text --------------------------------------------------------------------------------------

GRAY = [p[..., :1] for p in PICTURES]
UNIT = [np.round(p / 255, 6) for p in PICTURES]


def tensors(arrays: list[np.ndarray]) -> Any:
    return pa.FixedShapeTensorArray.from_numpy_ndarray(np.stack(arrays))


CELLS: dict[str, tuple[Any, list[np.ndarray], str]] = {
    "height, width, channels": (pa.array([p.tolist() for p in PICTURES]), PICTURES, "int64 values"),
    "bytes of pixels": (
        pa.array([p.tolist() for p in PICTURES], pa.list_(pa.list_(pa.list_(pa.uint8())))),
        PICTURES,
        "",
    ),
    "channels first": (pa.array([p.transpose(2, 0, 1).tolist() for p in UNIT]), PICTURES, "read as 0..1"),
    "gray": (pa.array([p[..., 0].tolist() for p in GRAY]), GRAY, "read as 0..255"),
    "flat": (pa.array([p.ravel().tolist() for p in GRAY]), GRAY, "read as 0..255"),
    "Arrow's tensors": (tensors(PICTURES), PICTURES, ""),
    "data URIs": (["data:image/png;base64," + base64.b64encode(png).decode() for png in PNGS], PICTURES, ""),
    "base64": ([base64.b64encode(png).decode() for png in PNGS], PICTURES, ""),
    "views": (pa.array(PNGS, pa.binary_view()), PICTURES, ""),
}


@pytest.mark.parametrize("kind", CELLS)
def test_pictures_in_cells(tmp_path: Path, kind: str) -> None:
    column, expected, note = CELLS[kind]
    pq.write_table(pa.table({"image": column}), tmp_path / "a.parquet")
    items, reading = read(tmp_path / "a.parquet")
    same(items, expected)
    assert bool(note) == bool(reading.notes.lines()) and note in "".join(reading.notes.lines())


def test_pixels_in_doubt_are_refused_and_decided_by_the_option(tmp_path: Path) -> None:
    deep = [(p[..., 0].astype(np.int32) * 16).tolist() for p in PICTURES]
    pq.write_table(pa.table({"image": deep}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a\.parquet: column 'image' holds int64 values .*--range"):
        read(tmp_path / "a.parquet")
    same(read(tmp_path / "a.parquet", value_range="0..4080")[0], GRAY)


def test_a_ragged_picture_is_a_reject(tmp_path: Path) -> None:
    good = PICTURES[0][..., 0].tolist()
    cells = [good, [[1, 2], [3]], None, [[250, 0]] * 2, []]
    pq.write_table(pa.table({"pixel_values": cells}), tmp_path / "a.parquet")
    items, _ = read(tmp_path / "a.parquet")
    assert [item.reject.partition(" ")[0] for item in items] == ["", "no", "no", "", "no"]


# --- the Hub ----------------------------------------------------------------------------------------------


def test_a_stream_is_read_as_its_table_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    label = {"names": ["cat", "dog"], "_type": "ClassLabel"}
    text = {"dtype": "string", "_type": "Value"}
    said = features(label=label, Smiling={"dtype": "bool", "_type": "Value"}, who=text, usage=text)
    columns = {
        "image": ROWS,
        "label": [0, 1, 1, -1],
        "Smiling": [True, None, False, True],
        "who": ["a", "b", "a", None],
        "usage": ["web", "print", None, "web"],
    }
    table = pa.table(columns).replace_schema_metadata(said)
    for split, part in (("train", table[:2]), ("validation", table[2:])):
        pq.write_table(part, tmp_path / f"{split}.parquet")
    files = {split: str(tmp_path / f"{split}.parquet") for split in ("train", "validation")}
    load = datasets.load_dataset
    monkeypatch.setattr(datasets, "get_dataset_split_names", lambda name: list(files))
    monkeypatch.setattr(
        datasets,
        "load_dataset",
        lambda name, split, streaming: load("parquet", data_files=files, split=split, streaming=streaming),
    )
    streamed, reading = read("hf:someone/pets")
    listed, other = read(tmp_path)
    assert [(i.name, i.attributes, i.split) for i in streamed] == [
        (i.name, i.attributes, i.split) for i in listed
    ]
    assert reading.class_names == other.class_names == {"label": ["cat", "dog"]}
    assert [item.split for item in streamed] == ["train", "train", "val", "val"]
    assert streamed[0].attributes["usage"] == "web"  # called like a column of splits, but none
    same(streamed)


@pytest.mark.parametrize("kind", ["Array3D", "List"])
def test_a_stream_of_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    import datasets

    if kind == "Array3D":
        column: Any = datasets.Array3D((32, 32, 3), "uint8")
    else:
        column = datasets.Sequence(datasets.Sequence(datasets.Value("uint8")))
    cells = [(p if kind == "Array3D" else p[..., 0]).tolist() for p in PICTURES]
    made = datasets.Dataset.from_dict(
        {"pixel_values": cells}, features=datasets.Features(pixel_values=column)
    )
    made.to_parquet(tmp_path / "a.parquet")
    expected = PICTURES if kind == "Array3D" else GRAY
    same(read(tmp_path / "a.parquet")[0], expected)
    monkeypatch.setattr(datasets, "get_dataset_split_names", lambda name: ["train"])
    monkeypatch.setattr(datasets, "load_dataset", lambda name, split, streaming: made.to_iterable_dataset())
    same(read("hub:someone/pixels")[0], expected)


# --- damaged tables among others ------------------------------------------------------------------------

DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda content: content[: len(content) // 2],
    "empty after its mark": lambda content: content[:4],
    "no table": lambda content: b"PAR1" + b"x" * 99,
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_table_is_a_reject_and_the_others_are_read(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    pq.write_table(pa.table({"image": ROWS}), folder / "b.parquet")
    (folder / "a.parquet").write_bytes(DAMAGED[kind]((folder / "b.parquet").read_bytes()))
    items, _ = read(folder)
    assert items[0].name == "a.parquet" and items[0].reject.startswith("not a readable Parquet file (")
    same(items[1:])
    made = prepare(folder, tmp_path / "ds", **OPTIONS)
    assert made.counts == {"train": 4} and [r["source"] for r in made.info["rejects"]] == [items[0].source]
    (folder / "b.parquet").write_bytes((folder / "a.parquet").read_bytes())
    with pytest.raises(
        InputError, match="all 2 were rejected for the same reason: not a readable Parquet"
    ) as e:
        prepare(folder, tmp_path / "none", **OPTIONS)
    assert "\n" not in str(e.value)
    with pytest.raises(InputError, match=r"a\.parquet: not a readable Parquet file"):
        read(folder / "a.parquet")  # named alone, it is the source that cannot be used
