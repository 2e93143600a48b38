"""Several hundred broken and hostile files: a dataset with named rejects, or one clear line.

Every file is damaged in a way fixed by its number; any exception other than FaceganError fails.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sample_photos import OPTIONS, smooth

from facegan.data.prepare import prepare
from facegan.errors import FaceganError
from facegan.images import png_bytes

KNOWN_REASONS = {
    "empty file",
    "not an image",
    "truncated",
    "unreadable",
    "unsupported pixels",
    "too many pixels",
}


def damaged(content: bytes, count: int, seed: int) -> list[bytes]:
    """Cut short at many places, bits flipped, a piece overwritten, doubled, or shifted by a byte."""
    rng, n = np.random.default_rng(seed), len(content)
    made = [content[: max(0, round(n * i / (count // 3)))] for i in range(count // 3)]
    while len(made) < count - 4:
        raw = np.frombuffer(content, np.uint8).copy()
        # Half of the flips hit the first bytes, where headers are.
        places = rng.integers(0, n if len(made) % 2 else min(n, 200), rng.integers(1, 12))
        raw[places] ^= 1 << rng.integers(0, 8, len(places)).astype(np.uint8)
        made.append(raw.tobytes())
    piece = rng.integers(0, n)
    made += [content[:piece] + rng.bytes(50) + content[piece + 50 :], content * 2, b"\0" + content]
    return [*made, content[::-1]]


def encode(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(smooth(1)).save(buffer, kind, **options)
    return buffer.getvalue()


def bombs() -> dict[str, bytes]:
    """Small files that promise, or unpack to, very large pictures."""
    wide = bytearray(png_bytes(smooth(0)))
    wide[16:24] = (2**31 - 1).to_bytes(4, "big") * 2
    wide[29:33] = zlib.crc32(wide[12:29]).to_bytes(4, "big")
    big = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(big, "PNG")
    gif = bytearray(encode("GIF"))
    gif[6:10] = b"\xff\xff\xff\xff"
    return {
        "wide.png": bytes(wide),
        "big.png": big.getvalue(),
        "big.gif": bytes(gif),
        "big.pgm": b"P5 100000 100000 255\n",
        "big.ppm": b"P6 99999999999 99999999999 255\n",
        "big.bmp": b"BM" + bytes(12) + (40).to_bytes(4, "little") + b"\xff\xff\xff\x7f" * 2 + bytes(40),
    }


WRONG = {
    "text.jpg": b"hello\n" * 100,
    "html.png": b"<html><body>404</body></html>",
    "zeros.jpg": bytes(5000),
    "script.png": b"#!/bin/sh\necho\n",
    "zip.jpg": b"PK\x03\x04" + bytes(100),
    "pdf.png": b"%PDF-1.7\n" * 9,
    "eps.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "empty.png": b"",
    "svg.png": b"<svg xmlns='http://www.w3.org/2000/svg' width='99999' height='99999'/>",
}


def test_damaged_pictures_are_named_rejects(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    kinds = {
        "jpg": encode("JPEG"),
        "png": encode("PNG"),
        "webp": encode("WEBP"),
        "gif": encode("GIF"),
        "bmp": encode("BMP"),
        "tif": encode("TIFF", compression="tiff_lzw"),
        "ppm": encode("PPM"),
    }
    for seed, (kind, content) in enumerate(kinds.items()):
        for i, broken in enumerate(damaged(content, 40, seed)):
            (photos / f"{kind}{i:03d}.{kind}").write_bytes(broken)
    rng = np.random.default_rng(9)
    files = WRONG | bombs() | {f"noise{i}.jpg": rng.bytes(100 * i) for i in range(1, 6)}
    for name, content in files.items():
        (photos / name).write_bytes(content)
    (photos / "good.png").write_bytes(png_bytes(smooth(2)))
    names = {p.name for p in photos.iterdir()}
    assert len(names) > 290

    made = prepare(photos, tmp_path / "ds", **OPTIONS)
    rejects = {Path(r["source"]).name: r["reason"] for r in made.info["rejects"]}
    kept = {Path(source).name for source in made.sources()}
    assert kept | set(rejects) == names and not kept & set(rejects)
    assert "good.png" in kept and set(files) <= set(rejects)
    others = {reason for reason in rejects.values() if "duplicate of" not in reason} - KNOWN_REASONS
    assert others == {
        "a PDF (export its pictures first)",
        "a PostScript file (export it as PNG or JPEG first)",
        "a web page (download the picture itself)",
        "an SVG drawing (export it as PNG or JPEG first)",
        "its end is missing: cut short, or one part of a split archive",
    }
    told = {name: rejects[name] for name in bombs()}
    assert set(told.values()) <= {"too many pixels", "truncated", "unreadable", "not an image"}
    large = {name for name, reason in told.items() if reason == "too many pixels"}
    assert large >= {"wide.png", "big.png", "big.gif", "big.pgm"}, told
    assert len(rejects) > 150


def zip_of(method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for i in range(4):
            archive.writestr(zipfile.ZipInfo(f"{i}.png"), png_bytes(smooth(i)), method)
    return buffer.getvalue()


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for i in range(4):
            content = png_bytes(smooth(i))
            info = tarfile.TarInfo(f"{'long' * 40 if i == 2 else ''}{i}.png")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def npz() -> bytes:
    buffer = io.BytesIO()
    pictures = np.stack([smooth(i) for i in range(4)])
    np.savez_compressed(buffer, images=pictures, labels=np.arange(4))
    return buffer.getvalue()


def idx() -> bytes:
    pictures = np.stack([smooth(i)[..., 0] for i in range(4)])
    return bytes([0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 32, 0, 0, 0, 32]) + pictures.tobytes()


def parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"bytes": png_bytes(smooth(i)), "path": f"{i}.png"} for i in range(4)]
    buffer = io.BytesIO()
    pq.write_table(pa.table({"image": rows, "label": [1, 2, None, 4], "text": ["a", "b", "c", "d"]}), buffer)
    return buffer.getvalue()


def zst() -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(write_checksum=True).compress(tar())


ARCHIVES = {
    "a.zip": lambda: zip_of(zipfile.ZIP_DEFLATED),
    "stored.zip": lambda: zip_of(zipfile.ZIP_STORED),
    "lzma.zip": lambda: zip_of(zipfile.ZIP_LZMA),
    "bzip2.zip": lambda: zip_of(zipfile.ZIP_BZIP2),
    "a.tar": tar,
    "a.tar.gz": lambda: gzip.compress(tar(), mtime=0),
    "a.tar.zst": zst,
    "a.npz": npz,
    "a-images-ubyte": idx,
    "a-images-ubyte.gz": lambda: gzip.compress(idx(), mtime=0),
    "a.parquet": parquet,
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_damaged_archives_give_a_dataset_or_one_line(tmp_path: Path, name: str) -> None:
    seed = sorted(ARCHIVES).index(name)
    content, file, errors = ARCHIVES[name](), tmp_path / name, 0
    file.write_bytes(content)
    whole = prepare(file, tmp_path / "whole", **OPTIONS)
    assert whole.counts == {"train": 4} and not whole.info["rejects"]
    for i, broken in enumerate(damaged(content, 48, seed)):
        file.write_bytes(broken)
        try:
            made = prepare(file, tmp_path / f"ds{i}", **OPTIONS)
        except FaceganError as error:
            errors += 1
            assert name in str(error) or "no picture is left" in str(error), str(error)
            assert "\n" not in str(error) and len(str(error)) < 500
        else:
            assert 1 <= sum(made.counts.values()) <= 4
            assert all(r["source"] and r["reason"] for r in made.info["rejects"])
            with contextlib.suppress(FaceganError):
                made.images()
    assert errors >= 10


def test_a_cut_archive_is_never_taken_for_a_whole_one(tmp_path: Path) -> None:
    """Wherever a tar or zip is cut, its pictures are all there, listed as rejects, or it is refused."""
    for name in ("a.tar", "a.tar.gz", "a.zip"):
        content = ARCHIVES[name]()
        for i, end in enumerate(np.linspace(1, len(content) - 1, 40).astype(int)):
            (tmp_path / name).write_bytes(content[:end])
            try:
                made = prepare(tmp_path / name, tmp_path / f"{name}{i}", **OPTIONS)
            except FaceganError:
                continue
            # Only the padding after tar's last member may be missing.
            assert made.counts == {"train": 4}, (name, end, len(content))
