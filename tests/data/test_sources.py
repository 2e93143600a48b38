"""The same pictures come out of every kind of source; what an archive must not hold is refused by name."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facegan.data import archives, prepare, sources
from facegan.data.items import Item
from facegan.data.sources import estimate, open_source
from facegan.errors import FaceganError, InputError
from facegan.images import png_bytes, read_image

RNG = np.random.default_rng(5)
PICTURES = RNG.integers(0, 256, (5, 30, 28, 3), np.uint8)
NAMES = [f"deep/er/{i}.png" if i % 2 else f"{i}.png" for i in range(len(PICTURES))]


def pngs() -> dict[str, bytes]:
    return {name: png_bytes(p) for name, p in zip(NAMES, PICTURES, strict=True)}


def tar_bytes() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in pngs().items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def make_folder(at: Path) -> Path:
    for name, content in pngs().items():
        (at / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (at / "photos" / name).write_bytes(content)
    return at / "photos"


def make_zip(at: Path) -> Path:
    with zipfile.ZipFile(at / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in pngs().items():
            archive.writestr(name, content)
    return at / "a.zip"


def make_tar(name: str, pack: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    def make(at: Path) -> Path:
        (at / name).write_bytes(pack(tar_bytes()))
        return at / name

    return make


def zstd(content: bytes) -> bytes:
    import zstandard

    half = len(content) // 2  # two frames, as parallel compressors write them
    return b"".join(zstandard.ZstdCompressor().compress(part) for part in (content[:half], content[half:]))


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def make_npz(array: np.ndarray, name: str = "arr_0") -> Callable[[Path], Path]:
    def make(at: Path) -> Path:
        np.savez_compressed(at / "a.npz", **{name: array})
        return at / "a.npz"

    return make


def make_idx(at: Path) -> Path:
    (at / "x-images-idx4-ubyte.gz").write_bytes(gzip.compress(idx(PICTURES)))
    return at / "x-images-idx4-ubyte.gz"


def make_parquet(at: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"image": list(pngs().values())}), at / "a.parquet")
    return at / "a.parquet"


def make_struct_parquet(at: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"bytes": content, "path": name} for name, content in pngs().items()]
    pq.write_table(pa.table({"img": rows}), at / "a.parquet")
    return at / "a.parquet"


def make_dataset(at: Path) -> Path:
    prepare.prepare(make_folder(at), at / "ds", crop="none", size=28, workers=1)
    return at / "ds"


KINDS: dict[str, Callable[[Path], Path]] = {
    "folder": make_folder,
    "zip": make_zip,
    "tar": make_tar("a.tar", bytes),
    "tar.gz": make_tar("a.tar.gz", gzip.compress),
    "tgz": make_tar("a.tgz", gzip.compress),
    "tar.xz": make_tar("a.tar.xz", lzma.compress),
    "tar.zst": make_tar("a.tar.zst", zstd),
    "idx": make_idx,
    "npz": make_npz(PICTURES),
    "npz under another name": make_npz(PICTURES, "faces"),
    "npz in [0, 1]": make_npz(PICTURES / 255.0),
    "npz in [-1, 1]": make_npz((PICTURES / 127.5 - 1).astype(np.float32)),
    "npz of wide numbers": make_npz(PICTURES.astype(np.int64)),
    "npz with opaque alpha": make_npz(np.concatenate([PICTURES, np.full_like(PICTURES[..., :1], 255)], 3)),
    "parquet of bytes": make_parquet,
    "parquet of structs": make_struct_parquet,
}


def pixels(item: Item) -> np.ndarray:
    assert not item.reject, item
    if item.pixels is None:
        return read_image(item.content)
    return item.pixels[..., :3]


@pytest.mark.parametrize("kind", KINDS)
def test_every_source_gives_the_same_pictures(tmp_path: Path, kind: str) -> None:
    path = KINDS[kind](tmp_path)
    found = list(open_source(str(path)))
    assert all(item.source.startswith(str(path)) for item in found)
    if kind.startswith(("folder", "zip", "tar", "tgz", "parquet of structs")):
        assert sorted(item.name for item in found) == sorted(NAMES)
        found.sort(key=lambda item: NAMES.index(item.name))
    np.testing.assert_array_equal(np.stack([pixels(item) for item in found]), PICTURES)
    assert estimate((str(path),)) in (None, len(PICTURES))


def test_several_sources_are_one(tmp_path: Path) -> None:
    listed = [make_zip(tmp_path), make_npz(PICTURES[:2] // 2)(tmp_path)]
    made = prepare.prepare(listed, tmp_path / "ds", crop="none", size=28, workers=1)
    assert made.counts == {"train": 7}
    assert made.sources()[-1] == f"{tmp_path}/a.npz!1"


def test_a_prepared_dataset_hands_on_splits_attributes_and_sources(tmp_path: Path) -> None:
    photos = make_folder(tmp_path)
    (tmp_path / "a.csv").write_text("file,Hat,Age\n0.png,1,30\n1.png,0,\n2.png,,5\n3.png,1,1\n4.png,0,2\n")
    (tmp_path / "split.txt").write_text("0.png train\n1.png val\n2.png test\n3.png train\n4.png val\n")
    options = {"crop": "none", "size": 28, "workers": 1}
    first = prepare.prepare(
        photos, tmp_path / "one", attributes=tmp_path / "a.csv", split=tmp_path / "split.txt", **options
    )
    second = prepare.prepare(tmp_path / "one", tmp_path / "two", **options)
    assert first.counts == second.counts == {"train": 2, "val": 2, "test": 1}
    assert first.attribute_names == second.attribute_names == ("Hat", "Age")
    for split in first.counts:
        np.testing.assert_array_equal(first.images(split), second.images(split))
        np.testing.assert_array_equal(first.attributes(split), second.attributes(split))
        assert first.sources(split) == second.sources(split)
    assert first.content_hash == second.content_hash
    chosen = prepare.prepare(tmp_path / "one", tmp_path / "three", where="Hat or Age == 5", **options)
    assert chosen.counts == {"train": 2, "test": 1}
    one_shard = next((tmp_path / "one/data").glob("val-*"))
    assert [item.split for item in open_source(str(one_shard))] == ["val", "val"]


def test_idx_files_in_a_folder_come_with_labels_and_splits_and_do_not_hide_other_files(
    tmp_path: Path,
) -> None:
    for prefix, count in (("t10k", 2), ("train", 3)):
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(idx(PICTURES[:count, :, :, 0]))
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(np.arange(count, dtype=np.uint8)))
    (tmp_path / "photo.png").write_bytes(png_bytes(PICTURES[4]))
    (tmp_path / "notes.txt").write_text("x")
    found = list(open_source(str(tmp_path)))
    assert [(item.split, item.attributes) for item in found[:5]] == [
        ("train", {"label": 0}),
        ("train", {"label": 1}),
        ("train", {"label": 2}),
        ("test", {"label": 0}),
        ("test", {"label": 1}),
    ]
    assert [(item.name, item.reject) for item in found[5:]] == [
        ("notes.txt", "not an image file"),
        ("photo.png", ""),
    ]


def test_parquet_columns_are_attributes_gaps_too(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"image": list(pngs().values())[:3], "label": [3, None, 5], "ok": [True, False, None]}
    pq.write_table(pa.table({**columns, "word": ["a", "b", "c"]}), tmp_path / "a.parquet")
    found = [item.attributes for item in open_source(str(tmp_path))]
    assert found == [
        {"label": 3, "ok": 1, "word": "a"},
        {"label": None, "ok": 0, "word": "b"},
        {"label": 5, "ok": None, "word": "c"},
    ]


def test_a_hub_name_without_connection_is_one_line_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    begin = time.monotonic()
    for name in (
        "nobody/no-such-dataset",
        "hf:nobody/no-such-dataset",
        "hf://datasets/nobody/no-such-dataset",
    ):
        with pytest.raises(InputError, match=r"nobody/no-such-dataset.*Hub.*connection") as caught:
            list(open_source(name))
        assert "\n" not in str(caught.value)
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize("text", ["missing.zip", "/missing/folder", "a/b/c", "~nobody-here/x", "x" * 5000])
def test_a_missing_source_is_one_line(text: str) -> None:
    with pytest.raises(InputError) as caught:
        list(open_source(text))
    assert str(caught.value).startswith(text) and "\n" not in str(caught.value)
    assert sources.fingerprint(text) == sources.fingerprint("another missing file")


# What an archive must not hold: name, tar type, expected reject.
UNSAFE = [
    ("../escape.png", tarfile.REGTYPE, "'..' in archive path"),
    ("../.escape.png", tarfile.REGTYPE, "'..' in archive path"),
    ("a/../../escape.png", tarfile.REGTYPE, "'..' in archive path"),
    ("a\\..\\..\\escape.png", tarfile.REGTYPE, "'..' in archive path"),
    ("/tmp/escape.png", tarfile.REGTYPE, "absolute path in archive"),
    ("C:\\escape.png", tarfile.REGTYPE, "absolute path in archive"),
    ("\\\\host\\share\\escape.png", tarfile.REGTYPE, "absolute path in archive"),
    ("soft.png", tarfile.SYMTYPE, "link in archive"),
    ("hard.png", tarfile.LNKTYPE, "link in archive"),
    ("null.png", tarfile.CHRTYPE, "device or pipe in archive"),
    ("disk.png", tarfile.BLKTYPE, "device or pipe in archive"),
    ("pipe.png", tarfile.FIFOTYPE, "device or pipe in archive"),
    ("inner.zip", tarfile.REGTYPE, "an archive (unpack it first)"),
]


def member_bytes(name: str) -> bytes:
    buffer = io.BytesIO(png_bytes(PICTURES[0]))
    if name.endswith(".zip"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("a.png", png_bytes(PICTURES[0]))
    return buffer.getvalue()


def unsafe_tar(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, kind, _ in UNSAFE:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            content = member_bytes(name) if kind == tarfile.REGTYPE else b""
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def unsafe_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, kind, _ in UNSAFE:
            info = zipfile.ZipInfo("placeholder")
            info.filename = name
            mode = 0o120777 if kind == tarfile.SYMTYPE else 0o100644
            info.external_attr = mode << 16
            archive.writestr(info, member_bytes(name))


@pytest.mark.parametrize("make", [unsafe_tar, unsafe_zip], ids=["tar", "zip"])
def test_unsafe_members_are_refused_by_name_and_nothing_is_written_outside(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    archive, good = outer / ("a.tar.gz" if make is unsafe_tar else "a.zip"), make_npz(PICTURES)(outer)
    make(archive)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p != outer}
    made = prepare.prepare([archive, good], outer / "ds", crop="none", size=28, workers=1)
    after = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p != outer}
    new = [p for p in after if p not in before and (outer / "ds") not in (p, *p.parents)]
    assert not new and all(after[p] == before[p] for p in before)
    assert not Path("/tmp/escape.png").exists()
    rejects = {r["source"].removeprefix(f"{archive}!"): r["reason"] for r in made.info["rejects"]}
    kinds = {tarfile.REGTYPE, tarfile.SYMTYPE} if make is unsafe_zip else {kind for _, kind, _ in UNSAFE}
    for name, kind, reason in UNSAFE:
        if kind in kinds:
            assert rejects[name] == reason, name
    assert made.counts == {"train": 5}


def test_caps_on_size_ratio_members_and_total(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.png", bytes(3 * 2**20))
        archive.writestr("ok.png", png_bytes(PICTURES[0]))
    assert {i.name: i.reject for i in open_source(str(bomb))} == {
        "zeros.png": "compressed beyond reason",
        "ok.png": "",
    }
    tar_bomb = tmp_path / "bomb.tar.gz"
    with tarfile.open(tar_bomb, "w:gz") as archive:
        info = tarfile.TarInfo("zeros.dat")  # not even a picture: it must be unpacked to be skipped
        info.size = 30 * 2**20
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    with pytest.raises(InputError, match=r"bomb\.tar\.gz.*compressed beyond reason"):
        list(open_source(str(tar_bomb)))
    good_zip, good_tar = make_zip(tmp_path), make_tar("a.tar", bytes)(tmp_path)
    monkeypatch.setattr(archives, "MAX_FILE_BYTES", 100)
    for path in (good_zip, good_tar):
        assert {i.reject for i in open_source(str(path))} == {"file too large"}
    monkeypatch.setattr(archives, "MAX_FILE_BYTES", 2**20)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 4)
    for path in (good_zip, good_tar):
        with pytest.raises(InputError, match="members"):
            list(open_source(str(path)))
    monkeypatch.setattr(archives, "MAX_MEMBERS", 100)
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 4000)
    for path in (good_zip, good_tar):
        with pytest.raises(InputError, match="4000 bytes"):
            list(open_source(str(path)))


def test_arrays_that_unpack_beyond_reason_or_promise_too_much(tmp_path: Path) -> None:
    bad: dict[str, bytes] = {
        "bomb-images-ubyte.gz": gzip.compress(idx(np.zeros((2, 2000, 2000), np.uint8))),
        "wrap-images-ubyte": bytes([0, 0, 8, 4]) + struct.pack(">4I", *[65536] * 4),
        "none-images-ubyte": bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**32 - 1, 0, 28),
        "head-images-ubyte": bytes([0, 0, 8, 3, 0]),
        "line-images-ubyte": idx(np.zeros(9, np.uint8)),
        "five-images-ubyte": idx(np.zeros((1, 3, 3, 5), np.uint8)),
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name) as caught:
            list(open_source(str(tmp_path / name)))
        assert "\n" not in str(caught.value)
    arrays = [
        np.zeros((2, 2000, 2000), np.uint8),
        np.zeros((10**9, 0, 3)),
        np.zeros((3, 9, 9, 2)),
        np.array("x"),
        np.full((1, 9, 9), np.nan),
        np.full((1, 9, 9), 300),
        np.zeros((1, 9, 9), complex),
        np.array([None]),
    ]
    for array in arrays:
        with pytest.raises(InputError, match=r"a\.npz") as caught:
            list(open_source(str(make_npz(array)(tmp_path))))
        assert "\n" not in str(caught.value)


def test_transparent_arrays_lie_over_white(tmp_path: Path) -> None:
    array = np.zeros((1, 28, 28, 4), np.uint8)
    array[..., 3] = np.arange(28, dtype=np.uint8)[:, None] * 9  # black at growing opacity
    made = prepare.prepare(make_npz(array)(tmp_path), tmp_path / "ds", crop="none", size=28, workers=1)
    np.testing.assert_array_equal(made.images()[0, :, 0, 0], 255 - np.arange(28) * 9)


def test_odd_files_in_a_folder_are_named(tmp_path: Path) -> None:
    import os

    photos = make_folder(tmp_path)
    os.mkfifo(photos / "pipe.png")
    (photos / "gone.png").symlink_to("nowhere.png")
    (photos / "loop").symlink_to(photos)
    (photos / ".hidden.png").write_bytes(b"x")
    (photos / "Thumbs.db").write_bytes(b"x")
    (photos / "a.xyz").write_bytes(b"x")
    name = os.fsdecode(b"caf\xe9.png")  # not valid UTF-8
    (photos / name).write_bytes(png_bytes(PICTURES[0][:, ::-1].copy()))
    rejects = {i.name: i.reject for i in open_source(str(photos)) if i.reject}
    assert rejects == {
        "pipe.png": "not a regular file",
        "gone.png": "unreadable (No such file or directory)",
        "loop": "link to a folder (--follow-links follows it)",
        "a.xyz": "not an image file",
    }
    made = prepare.prepare(photos, tmp_path / "ds", crop="none", size=28, workers=1)
    assert made.counts == {"train": 6}
    assert f"{photos}/caf\\udce9.png" in made.sources()


def test_tables_read_nothing_but_tables(tmp_path: Path) -> None:
    for name in ("a.parquet", "a.npz", "a.zip", "a.tar", "a.tar.zst", "images-ubyte"):
        for content in (b"", b"hello", RNG.bytes(3000)):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(FaceganError, match=name) as caught:
                list(open_source(str(tmp_path / name)))
            assert "\n" not in str(caught.value)
