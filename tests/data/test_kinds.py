"""Contents decide what a file is, not suffixes; what is not read is named with the way out."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegan.data.items import Reading
from facegan.data.prepare import prepare
from facegan.data.sources import open_source
from facegan.data.walk import picture_files, walk
from facegan.errors import InputError

RNG = np.random.default_rng(3)
PICTURES = RNG.integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
OPTIONS = {"crop": "none", "size": 32, "workers": 1}


def encoded(kind: str, index: int = 0) -> bytes:
    buffer = io.BytesIO()
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.fromarray(PICTURES[index]).save(buffer, kind)
    return buffer.getvalue()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(files: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def without_mark(tar: bytes) -> bytes:
    """As programs of before POSIX wrote them."""
    header = bytearray(tar[:512])
    header[257:345] = bytes(88)
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return bytes(header) + tar[512:]


def npy(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def idx(values: np.ndarray, code: int = 8) -> bytes:
    return (
        bytes([0, 0, code, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()
    )


def parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table({"image": [encoded("PNG")]}), buffer)
    return buffer.getvalue()


NAMES = [
    "a",
    "a.jfif",
    "a.pjpeg",
    "a.jpg_large",
    "a.JPG?width=600",
    "a.tga",
    "a.jp2",
    "a.txt",
    "a.zip",
    "a.npz",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["file", "folder", "zip", "tar"])
def test_a_picture_is_one_under_every_name(tmp_path: Path, name: str, place: str) -> None:
    content = encoded("JPEG")
    path = tmp_path / (name if place == "file" else f"source.{place}")
    if place == "folder":
        path.mkdir()
        (path / name).write_bytes(content)
    else:
        pack = {"zip": zipped, "tar": tarred}.get(place)
        path.write_bytes(pack({name: content}) if pack else content)
    assert [(i.name, i.content, i.reject) for i in open_source(str(path))] == [(name, content, "")]


FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "HEIF"]


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_known_by_its_begin(tmp_path: Path, kind: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "picture").write_bytes(encoded(kind))
    (tmp_path / "in" / "real.tga").write_bytes(encoded("TGA", 1))
    made = prepare(tmp_path / "in", tmp_path / "ds", **OPTIONS)
    assert made.counts == {"train": 2} and not made.info["rejects"]
    np.testing.assert_array_equal(made.images()[1], PICTURES[1])


VIDEO = "a video (take its pictures out first: ffmpeg -i VIDEO FOLDER/%05d.png)"
RAW = "a RAW photo (develop it to JPEG, PNG or TIFF first)"
# what a file begins with, and what is said of it
OTHERS = {
    "film.mp4": (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", VIDEO),
    "film.mov": (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", VIDEO),
    "film.mkv": (b"\x1a\x45\xdf\xa3\x01\0\0\0", VIDEO),
    "film.avi": (b"RIFF\0\0\0\0AVI LIST", VIDEO),
    "photo.cr2": (b"II*\0\x10\0\0\0CR\2\0", RAW),
    "photo.cr3": (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", RAW),
    "photo.NEF": (b"MM\0*\0\0\0\x08", RAW),
    "photo.dng": (b"II*\0\x08\0\0\0", RAW),
    "photo.raf": (b"FUJIFILMCCD-RAW 0201", RAW),
    "a.psd": (b"8BPS\0\1", "a Photoshop document (export it as PNG or JPEG first)"),
    "a.svg": (b'<?xml version="1.0"?><svg width="3">', "an SVG drawing (export it as PNG or JPEG first)"),
    "a.pdf": (b"%PDF-1.7\n", "a PDF (export its pictures first)"),
    "a.jxl": (b"\xff\x0a\x7f", "a JPEG XL picture (convert it to PNG or JPEG first)"),
    "a.exr": (b"\x76\x2f\x31\x01\2", "an OpenEXR picture (convert it to PNG or JPEG first)"),
    "a.dcm": (bytes(128) + b"DICM", "a DICOM picture (convert it to PNG or JPEG first)"),
    "a.7z": (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive (unpack it first)"),
    "a.rar": (b"Rar!\x1a\x07\1\0", "a RAR archive (unpack it first)"),
    "a.tar.lz4": (b"\x04\x22\x4d\x18\x64", "packed by lz4, which is not read (unpack it first)"),
    "a.h5": (b"\x89HDF\r\n\x1a\n", "an HDF5 file (save its pictures as files or as .npz first)"),
    "a.mat": (b"MATLAB 5.0 MAT-file", "a MATLAB file (save its pictures as files or as .npz first)"),
    "data_batch_1": (
        b"\x80\x02}q\x01(U\x0bbatch_label",
        "a pickle, which may run code when it is read (save its pictures as files or as .npz first)",
    ),
    "a.docx": (
        zipped({"[Content_Types].xml": b"<x/>", "word/media/image1.png": b""}),
        "a document or program (export its pictures first)",
    ),
    "model.pt": (zipped({"archive/data.pkl": b""}), "a document or program (export its pictures first)"),
    "photos.zip.002": (b"anything", "one part of a split archive (join the parts first)"),
    "photos.z01": (b"anything", "one part of a split archive (join the parts first)"),
    "photo.jpg": (b"<!DOCTYPE html>\n<title>404</title>", "a web page (download the picture itself)"),
    "lfs.png": (
        b"version https://git-lfs.github.com/spec/v1\noid",
        "a pointer of Git LFS ('git lfs pull' fetches the file itself)",
    ),
    "notes.txt": (b"dear diary", "not an image file"),
    "table.csv": (b"file,smiling\n", "not an image file"),
    "empty": (b"", "not an image file"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_read_is_named_and_the_rest_is_used(tmp_path: Path, name: str) -> None:
    begin, reason = OTHERS[name]
    content = begin if name in ("empty", "notes.txt") or begin[:2] == b"PK" else begin + bytes(2000)
    (tmp_path / name).write_bytes(content)
    (tmp_path / "good.png").write_bytes(encoded("PNG"))
    found = {i.name: i.reject for i in open_source(str(tmp_path))}
    assert found == {name: reason, "good.png": ""}
    if "split" not in reason:
        (tmp_path / "all.zip").write_bytes(zipped({name: content, "good.png": encoded("PNG")}))
        inside = "an archive (unpack it first)" if "archive" in reason and "a " not in reason[:2] else reason
        assert {i.name: i.reject for i in open_source(str(tmp_path / "all.zip"))} == {
            name: inside,
            "good.png": "",
        }


def test_housekeeping_of_desktops_is_passed_over_in_silence(tmp_path: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "@eaDir/a.png", "__MACOSX/._a.png", ".git/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded("PNG"))
    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    assert [i.name for i in open_source(str(tmp_path))] == ["a.png"]


TWO = {"photos/a.png": encoded("PNG"), "photos/b.png": encoded("PNG", 1)}
STACK = PICTURES[:2]
GREY = PICTURES[:2, :, :, 0]
# file: (content, number of pictures, which are PICTURES[0] and PICTURES[1], or the red of these)
SOURCES = {
    "deflated.zip": (zipped(TWO, zipfile.ZIP_DEFLATED), 2),
    "bzip2.zip": (zipped(TWO, zipfile.ZIP_BZIP2), 2),
    "lzma.zip": (zipped(TWO, zipfile.ZIP_LZMA), 2),
    "a zip without suffix": (zipped(TWO), 2),
    "comic.cbz": (zipped(TWO), 2),
    "a.tar.bz2": (bz2.compress(tarred(TWO)), 2),
    "a.tbz": (bz2.compress(tarred(TWO)), 2),
    "a.xz": (lzma.compress(tarred(TWO)), 2),
    "a tar.gz under another suffix.zip": (gzip.compress(tarred(TWO)), 2),
    "without mark.tar": (without_mark(tarred({"a.png": encoded("PNG")})), 1),
    "a.npy": (npy(STACK), 2),
    "a.npy.gz": (gzip.compress(npy(STACK)), 2),
    "channels first.npy": (npy(STACK.transpose(0, 3, 1, 2)), 2),
    "one.npy": (npy(PICTURES[0]), 1),
    "one grey.npy": (npy(PICTURES[0, :, :, 0]), 1),
    "rows, grey.npy": (npy(GREY.reshape(2, -1)), 2),
    "a.npz": (npz(faces=STACK), 2),
    "an npz under another suffix.bin": (npz(images=STACK / 255), 2),
    "floats.idx": (idx((GREY / 255.0).astype(">f4"), 13), 2),
    "whole numbers": (idx(GREY.astype(">i2"), 11), 2),
    "a table": (parquet(), 1),
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a folder"])
def test_archives_and_arrays_are_read_alone_and_in_folders(tmp_path: Path, name: str, inside: bool) -> None:
    content, count = SOURCES[name]
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / name).write_bytes(content)
    made = prepare(tmp_path / "deep" if inside else tmp_path / "deep" / name, tmp_path / "ds", **OPTIONS)
    assert made.info["rejects"] == [] and made.counts == {"train": count}
    expected = (
        PICTURES[:count] if "grey" not in name and content[:2] != b"\0\0" else PICTURES[:count, :, :, :1]
    )
    np.testing.assert_array_equal(made.images(), np.broadcast_to(expected, made.images().shape))
    assert all(source.startswith(str(tmp_path / "deep" / name)) for source in made.sources())
    if inside and "zip" in name:
        found = [item.name for item in open_source(str(tmp_path / "deep"))]
        assert found == [f"{name}/{member}" for member in TWO]


BROKEN = {
    "empty.zip": (zipped({}), "the archive is empty"),
    "empty.tar": (tarred({}), "the archive is empty"),
    "cut.zip": (zipped(TWO)[:-40], "its end is missing: cut short, or one part of a split archive"),
    "last part.zip": (
        zipped(TWO).replace(b"PK\5\6\0\0\0\0", b"PK\5\6\1\0\1\0"),
        "one part of a split archive (join the parts to one file first)",
    ),
    "damaged.npy": (npy(STACK)[:-9], "not a readable .npy of pictures"),
    "objects.npy": (npy(np.array([{}, {}])), "not a readable .npy of pictures"),
    "words.npy": (npy(np.array(["a", "b"])), "has shape (2,), which is no pictures"),
    "rows in colours.npy": (npy(np.zeros((9, 48 * 48 * 3))), "if its rows are pictures, reshape it to N,H,W"),
    "masks.npz": (npz(images=STACK // 128), "--range 0..1 or --range 0..255 says which"),
    "labels": (idx(np.arange(9, dtype=np.uint8)), "which is no pictures"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_one_line_alone_and_a_reject_in_a_folder(tmp_path: Path, name: str) -> None:
    content, reason = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        list(open_source(str(tmp_path / name)))
    assert str(caught.value).startswith(f"{tmp_path / name}") and reason in str(caught.value)
    (tmp_path / "good.png").write_bytes(encoded("PNG"))
    found = {i.name: i.reject for i in open_source(str(tmp_path))}
    assert reason in found.pop(name) and found == {"good.png": ""}


def test_members_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    content = bytearray(zipped({"a.png": encoded("PNG"), "b.png": encoded("PNG"), "c.png": encoded("PNG")}))
    for name, place, value in ((b"a.png", 8, 9), (b"b.png", 6, 1)):  # deflate64; the flag of encryption
        local, central = content.index(name) - 30, content.rindex(name) - 46
        content[local + place], content[central + place + 2] = value, value
    (tmp_path / "x.zip").write_bytes(bytes(content))
    assert {i.name: i.reject for i in open_source(str(tmp_path / "x.zip"))} == {
        "a.png": "compression method deflate64 is not read here (unpack the archive first)",
        "b.png": "encrypted (unpack the archive with its password first)",
        "c.png": "",
    }
    (tmp_path / "y.zip").write_bytes(zipped({"in.zip": zipped(TWO), "a.npy": npy(STACK)}))
    assert {i.name: i.reject for i in open_source(str(tmp_path / "y.zip"))} == {
        "in.zip": "an archive (unpack it first)",
        "a.npy": "an array or table inside an archive (unpack the archive first)",
    }


LABELS = np.array([[3], [1], [4], [1], [5], [9]])
NPZ = {
    "Keras": dict(x_train=PICTURES[:4], y_train=LABELS[:4, 0], x_test=PICTURES[4:], y_test=LABELS[4:, 0]),
    "MedMNIST": dict(
        train_images=PICTURES[:4], val_images=PICTURES[4:], train_labels=LABELS[:4], val_labels=LABELS[4:]
    ),
    "camel": dict(
        trainImages=PICTURES[:4], trainLabels=LABELS[:4], testImages=PICTURES[4:], testLabels=LABELS[4:]
    ),
}


@pytest.mark.parametrize("kind", NPZ)
def test_an_npz_of_several_splits_keeps_them_and_their_labels(tmp_path: Path, kind: str) -> None:
    np.savez(tmp_path / "a.npz", **NPZ[kind], other=np.zeros(3))
    made = prepare(tmp_path / "a.npz", tmp_path / "ds", **OPTIONS)
    held_out = "val" if kind == "MedMNIST" else "test"
    assert made.counts == {"train": 4, held_out: 2} and made.attribute_names == ("label",)
    np.testing.assert_array_equal(made.images(held_out), PICTURES[4:])
    np.testing.assert_array_equal(made.attributes(held_out), LABELS[4:])
    assert "a.npz: array 'other' (3) left out" in made.info["notes"]


def test_a_folder_of_float_arrays_tells_once_how_they_were_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for i, picture in enumerate(PICTURES):
        np.save(tmp_path / "in" / f"{i}.npy", (picture / 127.5 - 1).astype(np.float32))
    made = prepare(tmp_path / "in", tmp_path / "ds", **OPTIONS)
    np.testing.assert_array_equal(made.images(), PICTURES)
    assert [n for n in made.info["notes"] if "read as" in n] == [
        "picture files of more than 8 bits: float32 values -1..1 read as -1..1"
    ]


def test_torchvisions_folder_of_packed_and_unpacked_digits_is_read_once(tmp_path: Path) -> None:
    for name, values in (("images-idx3", GREY), ("labels-idx1", np.array([7, 2], np.uint8))):
        (tmp_path / "raw").mkdir(exist_ok=True)
        (tmp_path / "raw" / f"train-{name}-ubyte").write_bytes(idx(values))
        (tmp_path / "raw" / f"train-{name}-ubyte.gz").write_bytes(gzip.compress(idx(values)))
    reading = Reading()
    found = list(open_source(str(tmp_path), reading))
    assert [(i.name, i.reject, i.attributes, i.split) for i in found] == [
        ("raw/train-images-idx3-ubyte/000000", "", {"label": 7}, "train"),
        ("raw/train-images-idx3-ubyte/000001", "", {"label": 2}, "train"),
    ]
    assert any("it lies unpacked beside it" in line for line in reading.notes.lines())


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A folder with links to itself, above itself, to one of its own folders, and twice to one elsewhere."""
    top, other = tmp_path / "up" / "top", tmp_path / "other"
    (top / "own").mkdir(parents=True)
    (other / "deep").mkdir(parents=True)
    for i, folder in enumerate((top, top / "own", other, other / "deep")):
        (folder / f"{i}.png").write_bytes(encoded("PNG", i))
    (tmp_path / "up" / "4.png").write_bytes(encoded("PNG", 4))
    links = {"again": top, "above": top.parent, "mine": top / "own", "x": other, "y": other / "deep"}
    for name, target in links.items():
        (top / name).symlink_to(target)
    (other / "back").symlink_to(top)
    (top / "5.png").symlink_to(tmp_path / "up" / "4.png")
    return top


def test_links_to_folders_are_followed_on_request_and_never_in_circles(linked: Path, tmp_path: Path) -> None:
    plain = {e.name: e.reject for e in walk(linked)}
    refused = "link to a folder (--follow-links follows it)"
    assert plain == dict.fromkeys(("above", "again", "mine", "x", "y"), refused) | dict.fromkeys(
        ("0.png", "5.png", "own/1.png"), ""
    )
    followed = {e.name: e.reject for e in walk(linked, follow_links=True)}
    assert {name for name, reject in followed.items() if not reject} == {
        "0.png",
        "5.png",
        "own/1.png",
        "above/4.png",
        "x/2.png",
        "x/deep/3.png",
    }
    assert followed["y"] == followed["above/top"] == "link to a folder that is read already"
    assert followed["mine"] == followed["x/back"] == "link to a folder that is read anyway"
    made = prepare(linked, tmp_path / "ds", follow_links=True, **OPTIONS)
    assert made.counts == {"train": 5}  # 5.png and 4.png are the same


@pytest.mark.skipif(os.geteuid() == 0 and not hasattr(os, "seteuid"), reason="a root that cannot step down")
def test_a_folder_that_may_not_be_entered_is_a_reject(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    (tmp_path / "lost+found").mkdir(mode=0)
    tmp_path.chmod(0o755)
    parents = [(p, p.stat().st_mode) for p in tmp_path.parents if p != Path("/")]
    for parent, mode in parents:
        parent.chmod(mode | 0o055)
    was = os.geteuid()
    try:
        if was == 0:
            os.seteuid(65534)
        found = {i.name: i.reject for i in open_source(str(tmp_path))}
        with pytest.raises(InputError, match=r"lost\+found: cannot be read \(Permission denied\)"):
            list(open_source(str(tmp_path / "lost+found")))
        files, others = picture_files(tmp_path)
        assert [p.name for p in files] == ["a.png"]
        assert others == {"unreadable folder (Permission denied)": 1}
    finally:
        if was == 0:
            os.seteuid(0)
        for parent, mode in parents:
            parent.chmod(mode)
    assert found == {"lost+found": "unreadable folder (Permission denied)", "a.png": ""}
