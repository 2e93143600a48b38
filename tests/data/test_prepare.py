"""Preparing as a whole: the same result however it is reached, and every picture accounted for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sample_photos import OPTIONS, contents, folder, messy, smooth

from facegan.data import process_sources, shards
from facegan.data.dataset import Dataset
from facegan.data.prepare import Progress, prepare
from facegan.errors import InputError
from facegan.images import png_bytes

REASONS = {
    "010.png": "exact duplicate of {0}/003.png",
    "011.bmp": "exact duplicate of {0}/005.png",
    "020.png": "not an image",
    "021.png": "truncated",
    "023.png": "empty file",
    "notes.txt": "not an image file",
}


def rejects(dataset: Dataset, source: Path) -> dict[str, str]:
    return {r["source"].removeprefix(f"{source}/"): r["reason"] for r in dataset.info["rejects"]}


def test_every_picture_is_kept_or_listed_with_its_reason(tmp_path: Path) -> None:
    photos = messy(tmp_path / "photos")
    made = prepare(photos, tmp_path / "ds", **OPTIONS)
    assert rejects(made, photos) == {name: reason.format(photos) for name, reason in REASONS.items()}
    files = {str(p) for p in photos.iterdir()}
    assert set(made.sources()) | {r["source"] for r in made.info["rejects"]} == files
    assert made.counts == {"train": len(files) - len(REASONS)}
    assert made.info["near_duplicates"] == [{"source": f"{photos}/041.jpg", "of": f"{photos}/040.png"}]
    np.testing.assert_array_equal(made.images()[0].shape, (28, 28, 3))


def test_near_duplicates_are_dropped_on_request(tmp_path: Path) -> None:
    photos = messy(tmp_path / "photos")
    made = prepare(photos, tmp_path / "ds", drop_near_duplicates=True, **OPTIONS)
    expected = {name: reason.format(photos) for name, reason in REASONS.items()}
    assert rejects(made, photos) == expected | {"041.jpg": f"near duplicate of {photos}/040.png"}


def test_two_workers_make_what_one_makes_byte_for_byte(tmp_path: Path) -> None:
    photos = messy(tmp_path / "photos")
    for workers in (1, 2):
        (tmp_path / str(workers)).mkdir()
        prepare(photos, tmp_path / str(workers) / "ds", **{**OPTIONS, "workers": workers})
    assert contents(tmp_path / "1/ds") == contents(tmp_path / "2/ds")


def test_limit_include_where_attributes_and_split_choose(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", 12)
    (photos / "012.jpg").write_bytes(b"broken")
    table = tmp_path / "a.csv"
    table.write_text(
        "file,Even,Third\n" + "".join(f"{i:03d}.png,{i % 2 == 0},{i % 3 == 0}\n" for i in range(10))
    )
    cases: list[tuple[dict[str, Any], list[int], int]] = [
        ({"limit": 4}, [0, 1, 2, 3], 0),
        ({"include": "00[1-3].*"}, [1, 2, 3], 0),
        ({"include": "*.jpg", "sources": [photos, folder(tmp_path / "b", 1)]}, [], 1),
        ({"attributes": table, "where": "Even and Third"}, [0, 6], 0),
        ({"attributes": table, "where": "Even and Third", "limit": 1}, [0], 0),
        ({"attributes": table, "where": "not Even", "include": "*.png"}, [1, 3, 5, 7, 9], 0),
        ({"attributes": table, "where": "Even = 0", "include": "*.png"}, [1, 3, 5, 7, 9], 0),
    ]
    for i, (options, expected, rejected) in enumerate(cases):
        options = dict(options)
        sources = options.pop("sources", photos)
        if not expected:
            with pytest.raises(InputError, match="the only one found was rejected: not an image;"):
                prepare(sources, tmp_path / f"ds{i}", **OPTIONS, **options)
            continue
        made = prepare(sources, tmp_path / f"ds{i}", **OPTIONS, **options)
        assert [int(Path(s).stem) for s in made.sources()] == expected, options
        assert len(made.info["rejects"]) == rejected, options
    assert made.attribute_names == ("Even", "Third")
    np.testing.assert_array_equal(made.attributes()[:2], [[0, 0], [0, 1]])


def test_pictures_that_a_split_list_does_not_name_are_listed(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", 4)
    (tmp_path / "split.txt").write_text("000.png train\n001.png val\n002.png test\n")
    made = prepare(photos, tmp_path / "ds", split=tmp_path / "split.txt", **OPTIONS)
    assert made.counts == {"train": 1, "val": 1, "test": 1}
    assert rejects(made, photos) == {"003.png": "not named by the split file"}


def test_adding_pictures_moves_none_to_another_split(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", 40)
    first = prepare(photos, tmp_path / "one", split="val=0.2,test=0.2", **OPTIONS)
    for i in range(40, 60):
        (photos / f"0{i}a.png").write_bytes(png_bytes(smooth(i)))
    second = prepare(photos, tmp_path / "two", split="val=0.2,test=0.2", **OPTIONS)
    assert set(first.counts) == {"train", "val", "test"}
    for split in first.counts:
        assert set(first.sources(split)) <= set(second.sources(split))


def test_where_nothing_is_left_nothing_is_left_behind(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    with pytest.raises(InputError, match="the sources hold none"):
        prepare(photos, tmp_path / "deep/ds", **OPTIONS)
    (photos / "a.png").write_bytes(b"x")
    (photos / "b.txt").write_bytes(b"x")
    with pytest.raises(InputError, match="not an image, once; not an image file, once") as caught:
        prepare(photos, tmp_path / "ds", **OPTIONS)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ds").exists()


def test_faces_that_are_not_there_are_rejects(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="all 2 were rejected for the same reason: no face;"):
        prepare(folder(tmp_path / "photos", 2), tmp_path / "ds", workers=1)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "crop": ({"crop": "square"}, "square"),
    "preset": ({"preset": "faces-65"}, "--preset 'faces-65' is unknown"),
    "small": ({"size": 27}, "--size must be from 28 to 1024"),
    "large": ({"size": 1025}, "--size must be from 28 to 1024"),
    "resample": ({"resample": "cubic"}, "cubic"),
    "margin": ({"margin": -0.1}, "--margin"),
    "confidence": ({"min_confidence": 1.5}, "--min-confidence"),
    "limit": ({"limit": -1}, "--limit"),
    "workers": ({"workers": -1}, "--workers"),
    "where": ({"where": "Smiling"}, "no attribute 'Smiling'; there are no attributes"),
    "attributes": ({"attributes": "missing.csv"}, "--attributes missing.csv"),
    "split": ({"split": "missing.txt"}, "--split missing.txt"),
    "share": ({"split": "test=2"}, "--split 'test=2'"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_work_is_one_line(tmp_path: Path, case: str) -> None:
    options, text = BAD[case]
    with pytest.raises(InputError) as caught:
        prepare(folder(tmp_path / "photos", 1), tmp_path / "ds", **{**OPTIONS, **options})
    assert text in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "ds/dataset.json").exists()


def test_where_out_cannot_be_it_says_so(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", 2)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.txt").write_text("mine")
    for out, text in [
        (tmp_path / "file", "cannot be written"),
        (tmp_path / "file/deeper", "cannot be written"),
        (tmp_path / "full", "not empty and not a dataset"),
        (photos, "lies inside the source"),
        (photos / "ds", "lies inside the source"),
    ]:
        with pytest.raises(InputError, match=text) as caught:
            prepare(photos, out, **OPTIONS)
        assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == (tmp_path / "full/thesis.txt").read_text() == "mine"
    assert sorted(p.name for p in photos.iterdir()) == ["000.png", "001.png"]


@pytest.mark.parametrize(
    "limits", [{"SHARD_ROWS": 5}, {"SHARD_BYTES": 6000}, {"GROUP_ROWS": 3}, {"GROUP_BYTES": 1}], ids=str
)
def test_shards_and_groups_are_bounded_by_rows_and_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int]
) -> None:
    photos = folder(tmp_path / "photos", 12)
    whole = prepare(photos, tmp_path / "whole", split="test=0.3", **OPTIONS)
    for name, value in limits.items():
        monkeypatch.setattr(shards, name, value)
    cut = prepare(photos, tmp_path / "cut", split="test=0.3", **OPTIONS)
    assert cut.content_hash == whole.content_hash
    for split in whole.counts:
        assert list(cut.rows(split)) == list(whole.rows(split))
        np.testing.assert_array_equal(cut.images(split), whole.images(split))
        names = [shard.name for shard in cut.shards(split)]
        assert names == [f"{split}-{i:05d}-of-{len(names):05d}.parquet" for i in range(len(names))]
    files = [pq.ParquetFile(shard) for shard in cut.shards()]
    rows = [file.metadata.num_rows for file in files]
    if "SHARD_ROWS" in limits:
        assert rows == [5] * (cut.counts["train"] // 5) + [cut.counts["train"] % 5]
    if "SHARD_BYTES" in limits:
        sizes = [sum(len(row["image"]["bytes"]) for row in file.read().to_pylist()) for file in files]
        assert len(files) > 2 and max(sizes) <= 6000
    groups = [file.metadata.row_group(i).num_rows for file in files for i in range(file.num_row_groups)]
    assert max(groups) <= limits.get("GROUP_ROWS", 1 if "GROUP_BYTES" in limits else 5000)


def test_large_files_make_small_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = folder(tmp_path / "photos", 50)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    prepare(photos, tmp_path / "a/ds", **OPTIONS)
    monkeypatch.setattr(process_sources, "MAX_CHUNK_BYTES", 5000)
    steps: list[int] = []

    def note(progress: Progress) -> None:
        if progress.stage == "read":
            steps.append(progress.done)

    prepare(photos, tmp_path / "b/ds", on_progress=note, **OPTIONS)
    assert len(steps) > 10 and steps[-1] == 50
    assert contents(tmp_path / "a/ds") == contents(tmp_path / "b/ds")


def test_the_contact_sheet_of_large_pictures_stays_small(tmp_path: Path) -> None:
    prepare(folder(tmp_path / "photos", 4), tmp_path / "ds", **{**OPTIONS, "size": 512})
    assert Image.open(tmp_path / "ds/preview.jpg").size == (4 * 130 + 2, 132)
    assert Dataset(tmp_path / "ds").size == (512, 512)


def test_dataset_json_says_how_it_was_made(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", 3)
    made = prepare(photos, tmp_path / "ds", gray=True, **OPTIONS)
    info = json.loads((tmp_path / "ds/dataset.json").read_text())
    assert info["size"] == [28, 28] and info["channels"] == 1 and info["counts"] == {"train": 3}
    assert (
        info["plan"]["sources"] == [str(photos)] and info["crop"]["kind"] == "none" and info["crop"]["gray"]
    )
    assert made.images().shape == (3, 28, 28, 1)
    assert {p.name for p in (tmp_path / "ds").iterdir()} == {
        "data",
        "dataset.json",
        "README.md",
        "preview.jpg",
        ".cache",
    }


def test_most_of_real_faces_are_kept(shared: Path, tmp_path: Path) -> None:
    data = shared / "data"
    made = prepare(
        data / "celeba-9k.zip",
        tmp_path / "ds",
        size=64,
        limit=300,
        workers=2,
        attributes=data / "celeba-9k-attributes.txt",
        split=data / "celeba-9k-split.txt",
    )
    assert sum(made.counts.values()) >= 0.98 * 300
    assert len(made.attribute_names) == 40 and (tmp_path / "ds/detections.jpg").is_file()
    assert not made.info["near_duplicates"]
    row = next(made.rows())
    assert len(row["box"]) == 4 and len(row["landmarks"]) == 10
