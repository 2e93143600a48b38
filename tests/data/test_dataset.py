"""A prepared dataset read by others without our code, and by us though files are damaged or shared."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sample_photos import OPTIONS, folder

from facegan.cli.main import main
from facegan.data.dataset import Dataset
from facegan.data.prepare import prepare
from facegan.errors import DatasetError, FaceganError, FaceganWarning


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures in three splits, with two attributes of which some are unknown."""
    at = tmp_path_factory.mktemp("made")
    photos = folder(at / "photos", 12)
    rows = "".join(f"{i:03d}.png,{i % 2},{i if i % 5 else ''}\n" for i in range(12))
    (at / "a.csv").write_text("file,Odd,Number\n" + rows)
    names = "".join(f"{i:03d}.png {('train', 'train', 'val', 'test')[i % 4]}\n" for i in range(12))
    (at / "split.txt").write_text(names)
    prepare(photos, at / "ds", attributes=at / "a.csv", split=at / "split.txt", **OPTIONS)
    return at / "ds"


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "ds", ignore=shutil.ignore_patterns(".cache"))
    return tmp_path / "ds"


EXPECTED = {"train": [0, 1, 4, 5, 8, 9], "val": [2, 6, 10], "test": [3, 7, 11]}


def test_pictures_are_lossless_and_the_card_is_read_by_the_hub(made: Path) -> None:
    from huggingface_hub import DatasetCard

    for image, row in zip(Dataset(made).images(), Dataset(made).rows(), strict=True):
        np.testing.assert_array_equal(image, np.asarray(Image.open(io.BytesIO(row["image"]["bytes"]))))
        assert row["image"]["bytes"].startswith(b"\x89PNG")
    card = DatasetCard.load(made / "README.md")
    assert [f["split"] for f in card.data.configs[0]["data_files"]] == ["train", "val", "test"]
    assert card.data.size_categories == ["n<1K"] and "12 pictures of 28x28 px" in card.text


def test_attributes_and_sources_in_order(made: Path) -> None:
    data = Dataset(made)
    for split, numbers in EXPECTED.items():
        expected = [[i % 2, i if i % 5 else -1] for i in numbers]
        np.testing.assert_array_equal(data.attributes(split), expected)
        assert [int(Path(source).stem) for source in data.sources(split)] == numbers


def test_the_map_is_made_once_and_maps_of_other_contents_go(copy: Path) -> None:
    old = copy / ".cache/0123abcd"
    old.mkdir(parents=True)
    (old / "train.npy").write_bytes(b"old")
    data = Dataset(copy)
    first = data.images()
    file = copy / f".cache/{data.content_hash}/train.npy"
    assert isinstance(first, np.memmap) and not first.flags.writeable and not old.exists()
    before = file.stat().st_mtime_ns
    np.testing.assert_array_equal(Dataset(copy).images(), first)
    data.images("val")
    assert file.stat().st_mtime_ns == before and file.is_file()
    assert sorted(p.name for p in file.parent.iterdir()) == ["train.npy", "val.npy"]


WRECKS = {
    "empty": lambda file: file.write_bytes(b""),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:1000]),
    "text": lambda file: file.write_text("hello"),
    "another shape": lambda file: np.save(file, np.zeros((6, 28, 28, 1), np.uint8)),
    "another type": lambda file: np.save(file, np.zeros((6, 28, 28, 3), np.float32)),
    "zip": lambda file: file.write_bytes(b"PK\x05\x06" + bytes(18)),
    "absent": lambda file: file.unlink(),
}


@pytest.mark.parametrize("how", WRECKS)
def test_a_damaged_map_is_made_again(copy: Path, how: str) -> None:
    data = Dataset(copy)
    expected = np.array(data.images())
    WRECKS[how](copy / f".cache/{data.content_hash}/train.npy")
    np.testing.assert_array_equal(data.images(), expected)


def test_what_a_killed_process_left_is_removed(copy: Path) -> None:
    data = Dataset(copy)
    data.images()
    folder = copy / f".cache/{data.content_hash}"
    old, new = folder / ".train.npy.1.tmp", folder / ".train.npy.2.tmp"
    for left in (old, new):  # somebody may be writing the second one
        left.write_bytes(b"x")
    os.utime(old, (1e9, 1e9))
    (folder / "train.npy").unlink()
    assert len(data.images()) and not old.exists() and new.exists()


def test_a_disk_that_fills_up_on_the_way(copy: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands for it; the map must not be a hole that pages fall into."""
    code = """
import resource, sys
from facegan.data.dataset import Dataset
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
print(int(Dataset(sys.argv[1]).images().sum()))
"""
    shutil.rmtree(copy / ".cache", ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-c", code, str(copy)],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
    )
    assert done.stdout == f"{int(Dataset(copy).images().sum())}\n", done.stderr
    assert "no folder takes the cache" in done.stderr and done.stderr.count("(File too large)") == 2
    assert "the 6 pictures of 'train' take 0.1 MB of memory in each process" in done.stderr
    assert sorted(p.name for p in tmp_path.rglob("*.tmp")) == []


def sealed(copy: Path, monkeypatch: pytest.MonkeyPatch, places: dict[str, Path]) -> Dataset:
    """The dataset with a cache folder that cannot be made (root may write where modes forbid it)."""
    (copy / ".cache").write_text("")
    monkeypatch.delenv("FACEGAN_CACHE", raising=False)
    for name, place in places.items():
        monkeypatch.setenv(name, str(place))
    return Dataset(copy)


@pytest.mark.parametrize("variable", ["FACEGAN_CACHE", "XDG_CACHE_HOME"])
def test_a_read_only_dataset_has_its_map_elsewhere(
    made: Path, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    from facegan.metrics.feature_extractors import table
    from facegan.metrics.image_sets import features_of, of_dataset

    folder = tmp_path / "elsewhere"
    data = sealed(copy, monkeypatch, {"XDG_CACHE_HOME": tmp_path, variable: folder})
    with warnings.catch_warnings():
        warnings.simplefilter("error" if variable == "FACEGAN_CACHE" else "ignore")
        images = data.images()
        features = features_of(of_dataset(data, "train"), table("pixels"))
    assert isinstance(images, np.memmap)
    np.testing.assert_array_equal(images, Dataset(made).images())
    below = folder / ("." if variable == "FACEGAN_CACHE" else "facegan") / "datasets" / data.content_hash
    assert {p.name.partition("-")[0] for p in below.iterdir()} == {"train.npy", "features"}
    monkeypatch.setattr(Dataset, "rows", None)  # what is kept is not made again
    np.testing.assert_array_equal(Dataset(copy).images(), images)
    np.testing.assert_array_equal(features_of(of_dataset(data, "train"), table("pixels")), features)


def test_without_any_place_the_pictures_are_held_in_memory(
    made: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = sealed(copy, monkeypatch, {"XDG_CACHE_HOME": copy / "dataset.json"})
    with pytest.warns(FaceganWarning) as told:
        images = data.images()
    assert [str(w.message).partition(": ")[0] for w in told] == ["no folder takes the cache", str(copy)]
    np.testing.assert_array_equal(images, Dataset(made).images())
    assert not images.flags.writeable
    assert data.images() is images and Dataset(copy).images() is images  # once in a process


@pytest.mark.parametrize("free", [6 * 28 * 28 * 3 - 1, 6 * 28 * 28 * 3])
def test_pictures_that_do_not_fit_into_memory_are_one_line(
    copy: Path, monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    from facegan.data import dataset

    data = sealed(copy, monkeypatch, {"XDG_CACHE_HOME": copy / "dataset.json"})
    monkeypatch.setattr(dataset, "free_memory", lambda: free)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if free == 6 * 28 * 28 * 3:
            assert len(data.images()) == 6
            return
        with pytest.raises(DatasetError, match=r"take 0.1 MB of memory, 0.1 MB are free.*FACEGAN_CACHE"):
            data.images()


def test_the_command_tells_it_in_a_note(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sealed(copy, monkeypatch, {"XDG_CACHE_HOME": tmp_path / "users"})
    assert main(["inspect", str(copy), "--grid", str(tmp_path / "grid.png")]) == 0
    assert capsys.readouterr().err == ""  # a look at the first pictures needs no memory map
    assert main(["inspect", str(copy), "--to-npz", str(tmp_path / "all.npz")]) == 0
    told = capsys.readouterr().err.splitlines()
    folder = tmp_path / "users/facegan/datasets" / Dataset(copy).content_hash
    own = copy / ".cache" / Dataset(copy).content_hash
    assert told == [f"note: not writable: {own} (Not a directory); the cache is {folder}"]


def test_two_processes_make_the_map_at_once(copy: Path) -> None:
    code = """
import sys
from facegan.data.dataset import Dataset
data = Dataset(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(int(data.images().sum()), int(data.images("val").sum()))
"""
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(copy)], stdin=-1, stdout=-1, stderr=-1, text=True)
        for _ in range(2)
    ]
    for one in both:
        assert one.stdout is not None and one.stdin is not None
        assert one.stdout.readline() == "ready\n"
    for one in both:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    ends = [one.communicate() for one in both]
    data = Dataset(copy)
    expected = f"{int(data.images().sum())} {int(data.images('val').sum())}\n"
    assert [end[0] for end in ends] == [expected] * 2, ends
    assert sorted(p.name for p in (copy / ".cache").rglob("*") if p.is_file()) == ["train.npy", "val.npy"]


def test_damaged_dataset_json_is_one_line(copy: Path) -> None:
    file = copy / "dataset.json"
    whole = file.read_text()
    info = json.loads(whole)
    texts = [whole[: len(whole) * i // 8] for i in range(8)] + ["[]", "null", "3", "[" * 50_000, "\0"]
    texts += [json.dumps({k: v for k, v in info.items() if k != key}) for key in ("size", "counts", "crop")]
    texts += [
        json.dumps({**info, **change})
        for change in (
            {"format": 99},
            {"size": "ab"},
            {"counts": [1]},
            {"channels": None},
            {"attribute_names": 3},
        )
    ]
    for text in texts:
        file.write_text(text)
        with pytest.raises(DatasetError, match=r"dataset\.json") as caught:
            Dataset(copy)
        assert "\n" not in str(caught.value)
    file.write_bytes(b"\xff\xfe\x80")
    with pytest.raises(DatasetError, match=r"dataset\.json"):
        Dataset(copy)


def read_all(path: Path) -> None:
    data = Dataset(path)
    data.images()
    data.attributes()
    data.sources()


def test_damaged_shards_are_one_line(copy: Path) -> None:
    shard = copy / "data/train-00000-of-00001.parquet"
    content, failures = shard.read_bytes(), 0
    rng = np.random.default_rng(0)
    for i in range(40):
        raw = np.frombuffer(content, np.uint8).copy()
        if i < 10:
            raw = raw[: len(raw) * i // 10]
        else:
            raw[rng.integers(0, len(raw), 20)] ^= 64
        shard.write_bytes(raw.tobytes())
        shutil.rmtree(copy / ".cache", ignore_errors=True)
        try:
            read_all(copy)
        except FaceganError as error:
            failures += 1
            assert "\n" not in str(error) and str(copy) in str(error)
    assert failures >= 30
    shard.unlink()
    for read in (Dataset.images, Dataset.attributes, Dataset.sources):
        with pytest.raises(DatasetError, match="0 of 6"):
            read(Dataset(copy))


def test_a_shard_with_other_columns_is_one_line(copy: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"x": list(range(6))}), copy / "data/train-00000-of-00001.parquet")
    for read in (Dataset.images, Dataset.attributes, Dataset.sources):
        with pytest.raises(DatasetError) as caught:
            read(Dataset(copy))
        assert "\n" not in str(caught.value)


def test_what_is_not_there_is_one_line(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no such folder"):
        Dataset(tmp_path / "missing")
    with pytest.raises(DatasetError, match=r"make one with 'facegan prepare .* --out DATASET'"):
        Dataset(tmp_path)
    with pytest.raises(DatasetError, match=r"no split 'holdout' \(there are: train, val, test\)"):
        Dataset(copy).images("holdout")
