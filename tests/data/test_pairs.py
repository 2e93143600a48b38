"""Datasets of pairs: two pictures side by side, two folders by name, the column ``input`` everywhere."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import facegan
from facegan.data.dataset import Dataset
from facegan.data.prepare import prepare
from facegan.errors import DatasetError, FaceganError, FaceganWarning, InputError
from facegan.images import resize, save_png

SIDE = 64


def scene(number: int, size: tuple[int, int] = (SIDE, SIDE)) -> np.ndarray:
    """A picture unlike the others: smooth random colours."""
    small = np.random.default_rng(number).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return resize(small, size, "bicubic")


def given(picture: np.ndarray) -> np.ndarray:
    """Its input: something that can be recognised in any half."""
    return 255 - picture


def side_by_side(folder: Path, splits: dict[str, range], turned: bool = False) -> Path:
    for split, numbers in splits.items():
        (folder / split).mkdir(parents=True)
        for n in numbers:
            both = [given(scene(n)), scene(n)]
            save_png(folder / split / f"{n}.png", np.concatenate(both[::-1] if turned else both, axis=1))
    return folder


def two_folders(root: Path, inputs: list[str], targets: list[str], factor: int = 1) -> tuple[Path, Path]:
    for name in inputs + targets:
        number = int(Path(name).stem)
        what, folder, times = (given, "in", factor) if name in inputs else (lambda p: p, "out", 1)
        file = root / folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        save_png(file.with_suffix(".png"), what(scene(number, (SIDE * times, SIDE * times))))
        file.with_suffix(".png").rename(file)
    return root / "in", root / "out"


def reasons(data: Dataset) -> Counter[str]:
    return Counter(reject["reason"] for reject in data.info["rejects"])


@pytest.mark.parametrize("turned", [False, True])
def test_two_pictures_side_by_side_become_pairs_in_the_splits_of_their_folders(tmp_path, turned):
    folder = side_by_side(
        tmp_path / "ab", {"train": range(4), "val": range(4, 6), "test": range(6, 7)}, turned
    )
    direction = "b-to-a" if turned else "a-to-b"
    data = prepare(folder, tmp_path / "pairs", pairs="side-by-side", direction=direction, workers=1)
    assert data.has_inputs and data.counts == {"train": 4, "val": 2, "test": 1}
    for split, numbers in {"train": range(4), "val": range(4, 6), "test": range(6, 7)}.items():
        np.testing.assert_array_equal(data.images(split), np.stack([scene(n) for n in numbers]))
        np.testing.assert_array_equal(data.inputs(split), np.stack([given(scene(n)) for n in numbers]))
    assert not data.info["rejects"] and "pairs" in repr(data)
    again = prepare(folder, tmp_path / "pairs", pairs="side-by-side", direction=direction)
    assert again.info["already_made"]


def test_the_direction_is_part_of_what_was_made(tmp_path):
    folder = side_by_side(tmp_path / "ab", {"train": range(3)})
    one = prepare(folder, tmp_path / "one", pairs="side-by-side", workers=1)
    other = prepare(folder, tmp_path / "other", pairs="side-by-side", direction="b-to-a", workers=1)
    np.testing.assert_array_equal(one.inputs(), other.images())
    assert one.content_hash != other.content_hash
    with pytest.raises(InputError, match="different: direction"):
        prepare(folder, tmp_path / "one", pairs="side-by-side", direction="b-to-a")


def test_what_is_no_two_pictures_is_a_reject_with_its_reason(tmp_path):
    folder = side_by_side(tmp_path / "ab", {"train": range(3)})
    save_png(folder / "train" / "photo.png", scene(9, (100, 100)))
    save_png(folder / "train" / "odd.png", scene(10, (64, 129)))
    save_png(folder / "train" / "wide.png", scene(11, (64, 192)))
    (folder / "train" / "readme.txt").write_text("how this was made")
    data = prepare(folder, tmp_path / "pairs", pairs="side-by-side", workers=1)
    assert data.counts == {"train": 3}
    assert reasons(data) == {"not two pictures side by side": 3, "not an image file": 1}


def test_halves_that_are_not_square_need_a_size_of_their_proportions(tmp_path):
    (tmp_path / "ab").mkdir()
    for n in range(3):
        both = [given(scene(n, (64, 48))), scene(n, (64, 48))]
        save_png(tmp_path / "ab" / f"{n}.png", np.concatenate(both, axis=1))
    with pytest.raises(
        InputError, match=r"no picture is left.*each half must have the proportions of --size"
    ):
        prepare(tmp_path / "ab", tmp_path / "square", pairs="side-by-side", workers=1)
    data = prepare(tmp_path / "ab", tmp_path / "tall", pairs="side-by-side", size=(64, 48), workers=1)
    np.testing.assert_array_equal(data.inputs(), 255 - data.images())


IN, OUT = (
    ["train/1.png", "train/2.png", "val/3.png", "val/4.png"],
    ["train/1.jpg", "train/2.jpg", "val/3.jpg"],
)


def test_two_folders_are_matched_by_name_and_what_has_no_partner_is_listed(tmp_path):
    inputs, targets = two_folders(tmp_path, IN, [*OUT, "val/7.jpg", "train/4.jpg"])
    data = prepare(targets, tmp_path / "pairs", pairs=inputs, workers=1)
    assert data.counts == {"train": 2, "val": 1}
    found = {Path(reject["source"]).name: reject["reason"] for reject in data.info["rejects"]}
    # train/4 and val/4 are different pictures
    assert found == {
        "7.jpg": "no input of this name",
        "4.jpg": "no input of this name",
        "4.png": "no target of this name",
    }
    np.testing.assert_array_equal(data.images("val")[0], scene(3))
    np.testing.assert_array_equal(data.inputs("val")[0], given(scene(3)))
    assert data.sources("val") == [str(targets / "val" / "3.jpg")]


@pytest.mark.parametrize("kind", ["zip", "tar", "one folder inside", "npz"])
def test_inputs_may_lie_in_archives(tmp_path, kind):
    inputs, targets = two_folders(tmp_path, IN, [name.replace("png", "jpg") for name in IN])
    top = "in" if kind == "one folder inside" else "."
    if kind == "tar":
        with tarfile.open(tmp_path / "in.tar", "w") as archive:
            for file in sorted(inputs.rglob("*.png"), reverse=True):  # in another order than the targets
                archive.add(file, str(file.relative_to(inputs)))
        place = tmp_path / "in.tar"
    elif kind == "npz":
        # Arrays have no names but their numbers: both sides come from such a file.
        for folder, what in ((inputs, given), (targets, lambda p: p)):
            np.savez(tmp_path / f"{folder.name}.npz", images=np.stack([what(scene(n)) for n in (1, 2, 3, 4)]))
        place, targets = tmp_path / "in.npz", tmp_path / "out.npz"
    else:
        place = Path(
            shutil.make_archive(str(tmp_path / "in"), "zip", tmp_path if top == "in" else inputs, top)
        )
    data = prepare(targets, tmp_path / "pairs", pairs=place, workers=1)
    assert sum(data.counts.values()) == 4 and not data.info["rejects"]
    for split in data.counts:
        np.testing.assert_array_equal(data.inputs(split), 255 - data.images(split))


def test_a_full_disk_for_the_inputs_of_an_archive_is_one_line(tmp_path, monkeypatch):
    import tempfile

    inputs, targets = two_folders(tmp_path, IN, OUT)
    place = shutil.make_archive(str(tmp_path / "in"), "zip", inputs)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: open("/dev/full", "rb+"))  # noqa: SIM115
    with pytest.raises(InputError, match=r"No space left on device.*set TMPDIR"):
        prepare(targets, tmp_path / "pairs", pairs=place, workers=1)
    assert not (tmp_path / "pairs").exists()


def test_sizes_that_differ_within_a_pair_are_cut_alike(tmp_path):
    inputs, targets = two_folders(tmp_path, IN, OUT, factor=2)
    for file in inputs.rglob("*.png"):  # a wide picture, whose middle alone is taken
        save_png(file, scene(int(file.stem), (128, 192)))
    for file in list(targets.rglob("*.jpg")):
        save_png(file.with_suffix(".png"), scene(int(file.stem), (64, 96)))
        file.unlink()
    data = prepare(targets, tmp_path / "pairs", pairs=inputs, size=32, workers=1)
    for split in data.counts:
        difference = np.abs(data.inputs(split).astype(int) - data.images(split))
        assert difference.mean() < 4, "the same part of both"


def test_proportions_that_differ_are_a_reject(tmp_path):
    inputs, targets = two_folders(tmp_path, IN, OUT)
    save_png(inputs / "train" / "1.png", scene(1, (64, 80)))
    data = prepare(targets, tmp_path / "pairs", pairs=inputs, workers=1)
    assert reasons(data)["proportions unlike its input's"] == 1 and data.counts == {"train": 1, "val": 1}


def test_grey_inputs_and_coloured_targets_get_the_same_channels(tmp_path):
    inputs, targets = two_folders(tmp_path, IN, OUT)
    for file in inputs.rglob("*.png"):
        Image.open(file).convert("L").save(file)
    colour = prepare(targets, tmp_path / "colour", pairs=inputs, workers=1)
    assert colour.inputs().shape == colour.images().shape and colour.channels == 3
    assert (np.ptp(colour.inputs(), axis=3) == 0).all() and np.ptp(colour.images(), axis=3).max() > 20
    grey = prepare(targets, tmp_path / "grey", pairs=inputs, gray=True, workers=1)
    assert grey.inputs().shape == (*grey.images().shape[:3], 1)


def test_a_damaged_input_takes_its_target_along(tmp_path):
    inputs, targets = two_folders(tmp_path, IN, OUT)
    file = inputs / "train" / "1.png"
    file.write_bytes(file.read_bytes()[:200])
    (inputs / "val" / "3.png").write_text("no picture")
    data = prepare(targets, tmp_path / "pairs", pairs=inputs, workers=1)
    found = reasons(data)
    assert found["its input: truncated"] == 1 and data.counts == {"train": 1}
    assert any(reason.startswith("its input: ") and "truncated" not in reason for reason in found)


def test_a_face_of_the_target_says_where_both_are_cut(tmp_path):
    from facegan.images import read_image_file

    photo = read_image_file("sample:officer")
    for folder, picture in (("out", photo), ("in", 255 - photo)):
        (tmp_path / folder).mkdir()
        save_png(tmp_path / folder / "officer.png", picture)
    data = prepare(tmp_path / "out", tmp_path / "pairs", pairs=tmp_path / "in", crop="aligned", workers=1)
    assert data.crop["kind"] == "aligned" and next(data.rows())["box"]
    assert np.abs(data.inputs().astype(int) - (255 - data.images().astype(int))).mean() < 1


def test_only_the_same_input_and_target_are_duplicates(tmp_path):
    folder = side_by_side(tmp_path / "ab", {"": range(3)})
    save_png(folder / "other-input.png", np.concatenate([scene(77), scene(0)], axis=1))
    save_png(folder / "other-target.png", np.concatenate([given(scene(0)), scene(78)], axis=1))
    again = np.asarray(Image.open(folder / "0.png"))
    Image.fromarray(again).save(folder / "same.tiff")
    data = prepare(folder, tmp_path / "pairs", pairs="side-by-side", drop_near_duplicates=True, workers=1)
    assert data.counts == {"train": 5}
    assert [r["reason"].partition(" of ")[0] for r in data.info["rejects"]] == ["exact duplicate"]


def test_pairs_do_not_depend_on_the_number_of_processes(tmp_path):
    inputs, targets = two_folders(tmp_path, [f"{n}.png" for n in range(40)], [f"{n}.jpg" for n in range(40)])
    made = [prepare(targets, tmp_path / f"{n}", pairs=inputs, workers=n) for n in (1, 2)]
    assert made[0].content_hash == made[1].content_hash
    assert made[0].shards()[0].read_bytes() == made[1].shards()[0].read_bytes()


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Dataset:
    root = tmp_path_factory.mktemp("pairs")
    (root / "list.csv").write_text("file,Smiling\n" + "".join(f"{n}.png,{n % 2}\n" for n in range(8)))
    folder = side_by_side(root / "ab", {"train": range(6), "val": range(6, 8)})
    return prepare(folder, root / "pairs", pairs="side-by-side", attributes=root / "list.csv", workers=1)


def test_select_and_label_keep_the_inputs(pairs, tmp_path):
    smiling = facegan.select(pairs, "smiling", tmp_path / "smiling").dataset
    assert smiling.has_inputs and smiling.counts == {"train": 3, "val": 1}
    np.testing.assert_array_equal(smiling.inputs(), pairs.inputs()[1::2])
    assert smiling.content_hash != pairs.content_hash
    labelled = facegan.label(pairs.path, tmp_path / "labelled").dataset
    np.testing.assert_array_equal(labelled.inputs("val"), pairs.inputs("val"))
    everything = facegan.select(pairs, "smiling or not smiling", tmp_path / "all").dataset
    assert everything.content_hash == pairs.content_hash


def test_an_expression_and_its_opposite_part_a_dataset_into_two_domains(pairs, tmp_path):
    a = facegan.select(pairs, "smiling", tmp_path / "a").dataset
    b = facegan.select(pairs, "not smiling", tmp_path / "b").dataset
    for split in pairs.counts:
        both = a.sources(split) + b.sources(split)
        assert sorted(both) == sorted(pairs.sources(split)) and len(set(both)) == len(both)
    assert a.size == b.size and a.channels == b.channels and a.crop == b.crop


def test_inspect_shows_the_input_at_the_left_and_writes_both(pairs, tmp_path):
    found = facegan.inspect(pairs, grid=tmp_path / "grid.png", count=1, to_npz=tmp_path / "pairs.npz")
    assert "6 pairs" in found.text and "--pairs side-by-side" in found.text
    grid = np.asarray(Image.open(tmp_path / "grid.png"))[2:-2, 2:-2]
    np.testing.assert_array_equal(grid, np.concatenate([pairs.inputs()[0], pairs.images()[0]], axis=1))
    with np.load(tmp_path / "pairs.npz") as arrays:
        np.testing.assert_array_equal(arrays["inputs"], pairs.inputs())
        np.testing.assert_array_equal(arrays["arr_0"], pairs.images())


def test_an_export_for_stylegan_says_that_it_leaves_the_inputs_out(pairs, tmp_path):
    assert "inputs" in facegan.export_dataset(pairs, tmp_path / "a.zip").warning


def test_other_tools_read_both_columns(pairs):
    import datasets

    table = pq.read_table(pairs.shards()[0])
    assert table.schema.names[:3] == ["image", "input", "source"]
    row = table.slice(2, 1).to_pylist()[0]
    picture = np.asarray(Image.open(io.BytesIO(row["input"]["bytes"])))
    np.testing.assert_array_equal(picture, pairs.inputs()[2])
    read = datasets.load_dataset(str(pairs.path), split="val")
    assert {"image", "input"} <= set(read.features)
    np.testing.assert_array_equal(np.asarray(read[1]["input"]), pairs.inputs("val")[1])
    assert "`input`" in (pairs.path / "README.md").read_text()


def test_pictures_without_a_folder_for_maps_are_kept_apart_from_their_inputs(pairs, monkeypatch):
    from facegan.caches import Cache

    monkeypatch.setattr(Cache, "keep", lambda *_: None)
    monkeypatch.setattr(Cache, "files", lambda *_: [])
    data = Dataset(pairs.path)
    with pytest.warns(FaceganWarning, match="of memory"):
        assert (data.inputs() != data.images()).any()
    assert data.inputs() is data.inputs()


def test_preparing_pairs_again_keeps_them(pairs, tmp_path):
    data = prepare(pairs.path, tmp_path / "again", crop="none", workers=1)
    assert data.content_hash == pairs.content_hash and data.counts == pairs.counts
    np.testing.assert_array_equal(data.inputs("val"), pairs.inputs("val"))
    half = prepare(pairs.path, tmp_path / "half", crop="none", size=32, workers=1)
    np.testing.assert_array_equal(half.inputs()[0], resize(pairs.inputs()[0], (32, 32)))
    assert not any("input" in note for note in half.info["notes"])


def test_preparing_pairs_with_other_pictures_takes_the_targets_and_says_so(pairs, tmp_path):
    (tmp_path / "more").mkdir()
    save_png(tmp_path / "more" / "a.png", scene(99))
    sources = [pairs.path, tmp_path / "more"]
    data = prepare(sources, tmp_path / "again", crop="none", workers=1)
    assert not data.has_inputs and data.counts["train"] == 7
    assert any(note.startswith("8 of 9 pictures have inputs") for note in data.info["notes"])
    assert "input" not in pq.read_schema(data.shards()[0]).names
    again = prepare(data.path, tmp_path / "once more", crop="none", workers=1)
    assert again.content_hash == data.content_hash, "that of the targets alone"


def test_a_prepared_dataset_of_pairs_gives_its_targets_as_inputs_of_others(pairs, tmp_path):
    (tmp_path / "out").mkdir()
    for n in range(6):
        save_png(tmp_path / "out" / f"{n}.png", scene(50 + n))
    data = prepare(tmp_path / "out", tmp_path / "new", pairs=pairs.path, workers=1)
    np.testing.assert_array_equal(data.inputs(), pairs.images())
    assert reasons(data) == {"no target of this name": 2}


def test_a_dataset_without_pairs_and_one_with_a_lost_column_say_so(pairs, tmp_path):
    (tmp_path / "photos").mkdir()
    for n in range(2):
        save_png(tmp_path / "photos" / f"{n}.png", scene(n))
    plain = prepare(tmp_path / "photos", tmp_path / "plain", crop="none", workers=1)
    with pytest.raises(DatasetError, match="have no inputs"):
        plain.inputs()
    info = json.loads((plain.path / "dataset.json").read_text())
    info["content_hash"] = "0" * 64
    (plain.path / "dataset.json").write_text(json.dumps({**info, "has_inputs": True}))
    with pytest.raises(DatasetError):
        Dataset(plain.path).inputs()


WRONG = {
    "inputs that are not there": ({"pairs": "nowhere"}, "nowhere: no such file or folder"),
    "a folder of text as inputs": ({"pairs": "text"}, "holds no picture (not an image file)"),
    "a folder of text as targets": ({"sources": "text", "pairs": "ab"}, "not an image file"),
    "a folder of text side by side": ({"sources": "text", "pairs": "side-by-side"}, "not an image file"),
    "the same folder twice": ({"pairs": "ab"}, "inputs and targets are the same"),
    "names that have nothing in common": ({"pairs": "other"}, "no input of this name"),
    "no targets": ({"sources": [], "pairs": "ab"}, "name the pictures, too"),
    "no path": ({"pairs": 3}, "must be a path, not 3"),
    "an unknown direction": ({"pairs": "side-by-side", "direction": "left"}, "choose one of a-to-b, b-to-a"),
    "a direction of two folders": ({"pairs": "other", "direction": "b-to-a"}, "name the other folder first"),
    "a direction without pairs": ({"direction": "b-to-a"}, "goes with --pairs side-by-side"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_told_in_one_line(case, tmp_path, monkeypatch):
    side_by_side(tmp_path / "ab", {"": range(2)})
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text("text")
    (tmp_path / "other").mkdir()
    save_png(tmp_path / "other" / "x.png", scene(5))
    monkeypatch.chdir(tmp_path)
    options, text = WRONG[case]
    with pytest.raises(FaceganError) as found:
        prepare(
            options.get("sources", "ab"),
            "out",
            **{k: v for k, v in options.items() if k != "sources"},
            workers=1,
        )
    assert text in str(found.value) and "\n" not in str(found.value)
    assert not (tmp_path / "out").exists()


def test_one_pair_is_a_dataset(tmp_path):
    folder = side_by_side(tmp_path / "ab", {"": range(1)})
    data = prepare(folder, tmp_path / "pairs", pairs="side-by-side", workers=1)
    assert data.counts == {"train": 1} and data.inputs().shape == (1, SIDE, SIDE, 3)
