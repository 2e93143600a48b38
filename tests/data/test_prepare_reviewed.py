"""What a first review of preparing found: each case failed before it was mended."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sample_photos import OPTIONS, folder, smooth

from facegan.data import arrow, parquet
from facegan.data.crops import TEMPLATE
from facegan.data.dataset import Dataset
from facegan.data.prepare import prepare
from facegan.data.shards import Schema
from facegan.data.sources import open_source
from facegan.errors import InputError


@pytest.mark.parametrize("through", ["a file", "standard input"])
def test_a_plain_script_without_a_guard_may_prepare_with_two_workers(tmp_path: Path, through: str) -> None:
    folder(tmp_path / "photos", 70)
    call = "facegan.prepare('photos', 'ds', crop='none', size=28, workers=2)"
    script = f"import facegan\nprint('once')\nprint({call}.counts)\n"
    (tmp_path / "script.py").write_text(script)
    argv = [sys.executable, "script.py"] if through == "a file" else [sys.executable, "-"]
    done = subprocess.run(argv, input=script, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.stdout.splitlines() == ["once", "{'train': 70}"], done.stderr


def test_a_small_parquet_file_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    """2 MiB of zeros in each of 64 rows, in less than a hundredth of that."""
    rows = [{"bytes": bytes(2 * 2**20), "path": f"{i}.png"} for i in range(64)]
    pq.write_table(
        pa.table({"image": rows}), tmp_path / "a.parquet", compression="zstd", use_dictionary=False
    )
    with pytest.raises(InputError, match=r"a\.parquet: compressed beyond reason"):
        list(open_source(str(tmp_path / "a.parquet")))


def test_rows_of_large_groups_are_read_few_at_a_time(tmp_path: Path) -> None:
    rows = [{"bytes": np.random.default_rng(i).bytes(2**20), "path": f"{i}.png"} for i in range(16)]
    pq.write_table(pa.table({"image": rows}), tmp_path / "a.parquet", use_dictionary=False)
    assert arrow.rows_at_once(pq.read_metadata(tmp_path / "a.parquet")) == 2**28 // (16 * 2**20 + 2**10) == 15


def test_hub_datasets_of_plain_files_are_read_but_no_file_of_this_machine() -> None:
    asked: list[str] = []

    def open_file(path: str, mode: str) -> io.BytesIO:
        asked.append(path)
        return io.BytesIO(b"content")

    remote = {"bytes": None, "path": "zip://a/b.png::hf://datasets/user/name@main/train.zip"}
    assert parquet.fetched(remote, open_file) == {"path": "b.png", "bytes": b"content"}
    plain = {"bytes": None, "path": "hf://datasets/user/name@main/c.png"}
    assert parquet.fetched(plain, open_file) == {"path": "c.png", "bytes": b"content"}
    for value in (
        {"bytes": None, "path": "/etc/passwd"},
        {"bytes": None, "path": "zip://a::/etc/x"},
        None,
        {"bytes": b"x", "path": "hf://x"},
        {"bytes": None, "path": None},
    ):
        assert parquet.fetched(value, open_file) == value
    assert asked == [remote["path"], plain["path"]]


def test_lists_are_named_as_every_version_of_datasets_reads_them() -> None:
    """``List`` came with datasets 4; ``Sequence`` is read by 3 and by all after it."""
    metadata = Schema().arrow().metadata[b"huggingface"]
    kinds = {name: feature["_type"] for name, feature in json.loads(metadata)["info"]["features"].items()}
    assert kinds == {"image": "Image", "source": "Value", "box": "Sequence", "landmarks": "Sequence"}


def test_attributes_that_describe_no_picture_are_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("file,Hat\n100.png,1\n101.png,0\n")
    with pytest.raises(InputError, match=r"a\.csv: describes none of 3 files \(it names '100\.png', they"):
        prepare(folder(tmp_path / "photos", 3), tmp_path / "ds", attributes=tmp_path / "a.csv", **OPTIONS)
    assert not (tmp_path / "ds").exists()


def test_the_option_that_chose_nothing_is_named(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", 3)
    (tmp_path / "a.csv").write_text("file,Hat\n" + "".join(f"{i:03d}.png,0\n" for i in range(3)))
    with pytest.raises(InputError, match=r"none of 3 files fits --where \(Hat: 0\)"):
        prepare(photos, tmp_path / "ds", attributes=tmp_path / "a.csv", where="Hat", **OPTIONS)
    with pytest.raises(InputError, match=r"none of 3 files fits --include;"):
        prepare(photos, tmp_path / "ds", include="*.webp", **OPTIONS)


def test_where_sees_the_sources_own_attributes_beside_a_table(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", images=np.stack([smooth(i) for i in range(4)]), labels=np.arange(4))
    (tmp_path / "a.csv").write_text("file,Hat\n000003,1\n")
    made = prepare(
        tmp_path / "p.npz",
        tmp_path / "ds",
        attributes=tmp_path / "a.csv",
        where="label > 1 and Hat",
        **OPTIONS,
    )
    assert made.counts == {"train": 1} and made.attributes().tolist() == [[3, 1]]
    with pytest.raises(InputError, match="did you mean 'Hat'"):
        prepare(tmp_path / "p.npz", tmp_path / "x", attributes=tmp_path / "a.csv", where="Hut", **OPTIONS)
    assert not (tmp_path / "x").exists()


def test_a_folder_behind_a_link_is_listed(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", 1)
    (photos / "more").symlink_to(folder(tmp_path / "elsewhere", 2))
    made = prepare(photos, tmp_path / "ds", **OPTIONS)
    assert made.info["rejects"] == [
        {"source": f"{photos}/more", "reason": "link to a folder (--follow-links follows it)"}
    ]


def test_the_geometry_of_aligned_crops_is_on_record(tmp_path: Path, shared: Path) -> None:
    made = prepare(shared / "data/photos/portrait.jpg", tmp_path / "ds", size=64, workers=1)
    np.testing.assert_allclose(made.crop["landmarks"], TEMPLATE * 64, atol=1e-4)
    assert made.crop["opencv"] == cv2.__version__


@pytest.mark.parametrize("change", ["nothing", "options of later versions", "opencv", "landmarks"])
def test_preparing_again_what_an_earlier_version_has_made(tmp_path: Path, shared: Path, change: str) -> None:
    """Crops that would lie elsewhere are not taken for the same; the old dataset stays readable."""

    def again() -> Dataset:
        return prepare(shared / "data/photos/portrait.jpg", tmp_path / "ds", size=64, workers=1)

    again()
    file = tmp_path / "ds/dataset.json"
    info = json.loads(file.read_text())
    if change == "options of later versions":
        del info["plan"]["image_column"]
    elif change == "opencv":
        info["crop"]["opencv"] = "4.10.0"
    elif change == "landmarks":
        info["crop"]["landmarks"][0][1] += 1.05
    file.write_text(json.dumps(info))
    if change == "landmarks":
        with pytest.raises(InputError, match="made by an earlier facegan, whose tilted faces lie a little"):
            again()
    else:
        assert again().info.get("made_with") == {"opencv": "OpenCV 4.10.0"}.get(change)
    assert len(Dataset(tmp_path / "ds").images()) == 1


def test_every_preset_in_the_help_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    from facegan.cli import prepare as command
    from facegan.data.crops import PRESETS

    text = next(line for line in (command.main.__doc__ or "").splitlines() if "preset:" in line)
    assert text.rpartition(": ")[2].rstrip(".").split(", ") == list(PRESETS)


@pytest.mark.parametrize("crop", ["none", "center"])
@pytest.mark.parametrize("gray", [True, False])
def test_grey_arrays_become_grey_or_colour(tmp_path: Path, crop: str, gray: bool) -> None:
    """One channel all the way to a grey crop, thumbnails included; the same levels as through three."""
    pictures = np.random.default_rng(5).integers(0, 256, (3, 28, 28), np.uint8)
    np.save(tmp_path / "a.npy", pictures)
    made = prepare(tmp_path / "a.npy", tmp_path / "ds", crop=crop, size=28, gray=gray, workers=1)
    assert made.counts == {"train": 3} and made.channels == (1 if gray else 3)
    np.testing.assert_array_equal(made.images()[..., 0], pictures)
