"""Picture files of more than eight bits: their format, their own tags or --range say what they hold; one file
alone is no reason to guess."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegan.data.prepare import prepare
from facegan.errors import ImageError, InputError
from facegan.images import read_image, read_picture

RAMP = np.arange(64 * 64).reshape(64, 64)  # 12 bits


def png16(values: np.ndarray, significant: int = 0) -> bytes:
    """A 16-bit PNG of grey ``H,W`` or colours ``H,W,3``, with a chunk sBIT."""
    h, w, channels = (*values.shape, 1)[:3]

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", w, h, 16, 2 if channels == 3 else 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + (chunk(b"sBIT", bytes([significant] * channels)) if significant else b"")
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def tiff(values: np.ndarray, **tags: object) -> bytes:
    buffer = io.BytesIO()
    info = {int(name.strip("_")): value for name, value in tags.items()}
    Image.fromarray(values).save(buffer, "TIFF", tiffinfo=info)
    return buffer.getvalue()


def grey8() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray((RAMP // 2048).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


COLOUR = np.stack([RAMP, RAMP[::-1], RAMP.T], 2)
FLOAT = (RAMP / 4095).astype(np.float32)
# what: (file, --range, how it is read, or the reason of its refusal)
FILES = {
    "16 bits": (png16(RAMP * 16), "", "0..65535"),
    "dark, but above 12 bits": (png16(RAMP * 2), "", "0..65535"),
    "dark, made of 8 bits": (png16(RAMP // 256 * 257), "", "0..65535"),
    "12 bits": (png16(RAMP), "", "16-bit values up to 4095 (--range 0..4095 or --range 0..65535 says which)"),
    "10 bits": (
        png16(RAMP // 4),
        "",
        "16-bit values up to 1023 (--range 0..1023 or --range 0..65535 says which)",
    ),
    "12 bits, said": (png16(RAMP), "0..4095", "0..4095"),
    "16 bits, said": (png16(RAMP), "0..65535", "0..65535"),
    "full 16 bits beside 12": (png16(RAMP * 16), "0..4095", "0..65535"),
    "12 significant bits, not scaled": (png16(RAMP, 12), "", "0..4095"),
    "12 significant bits, scaled": (png16(RAMP * 16, 12), "", "0..65535"),
    "16 significant bits": (png16(RAMP, 16), "", "0..65535"),
    "black": (png16(RAMP * 0), "", "0..255"),
    "colours of 16 bits": (png16(COLOUR * 16), "", "None"),
    "colours of 12 bits": (png16(COLOUR), "", "16-bit values up to 4095 (--range 0..4095 or"),
    "colours of 12 bits, said": (png16(COLOUR), "0..4095", "0..4095"),
    "TIFF of 16 bits": (tiff((RAMP * 16).astype(np.uint16)), "", "0..65535"),
    "TIFF of 12 bits": (tiff(RAMP.astype(np.uint16)), "", "16-bit values up to 4095 (--range 0..4095 or"),
    "TIFF that tells its maximum": (tiff(RAMP.astype(np.uint16), _281=4095), "", "0..4095"),
    "TIFF with its statistics": (tiff((RAMP * 2).astype(np.uint16), _281=8190), "", "0..65535"),
    "float TIFF": (tiff(FLOAT), "", "0..1"),
    "float TIFF with overshoot": (tiff(FLOAT * 1.1 - 0.05), "", "0..1"),
    "float TIFF of -1 to 1": (tiff(FLOAT * 2 - 1), "", "-1..1"),
    "float TIFF of 0 to 255": (tiff(FLOAT * 255), "", "0..255"),
    "float TIFF in between": (
        tiff(FLOAT * 1.5 - 0.3),
        "",
        "floating-point values in doubt (--range 0..1 or --range -1..1 says which)",
    ),
    "float TIFF of 0 to 9": (
        tiff(FLOAT * 9),
        "",
        "floating-point values in doubt (--range 0..255 or --range LOW..HIGH says which)",
    ),
    "float TIFF with NaN": (tiff(np.where(FLOAT > 0.9, np.nan, FLOAT)), "0..1", "holds NaN or infinite"),
    "mask of 8 bits": (grey8(), "", "None"),
    "mask of 8 bits, said": (grey8(), "0..1", "0..1"),
    "PNM of 12 bits": (b"P5 64 64 4095\n" + RAMP.astype(">u2").tobytes(), "", "0..65535"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_a_file_holds(name: str) -> None:
    content, value_range, expected = FILES[name]
    try:
        found = str(getattr(read_picture(content, name, value_range=value_range)[1], "range", None))
    except ImageError as error:
        found = error.reason
        assert str(error).startswith(f"{error.reason}: {name}")
    assert found.startswith(expected), found


RAMPS = [
    "12 bits, said",
    "16 bits",
    "12 significant bits, not scaled",
    "TIFF of 16 bits",
    "float TIFF",
    "float TIFF of -1 to 1",
    "float TIFF of 0 to 255",
    "TIFF that tells its maximum",
    "PNM of 12 bits",
]


@pytest.mark.parametrize("name", RAMPS)
def test_a_ramp_from_black_to_white_is_one(name: str) -> None:
    content, value_range, _ = FILES[name]
    found = read_image(content, value_range=value_range).astype(int)
    assert np.abs(found - np.rint(RAMP / 4095 * 255)[..., None]).max() <= 1


def test_colours_of_twelve_bits_keep_their_channels_and_their_orientation() -> None:
    image = read_image(FILES["colours of 12 bits, said"][0], value_range="0..4095")
    np.testing.assert_array_equal(image, np.rint(COLOUR / 4095 * 255))
    turned = read_image(tiff(RAMP.astype(np.uint16), _274=6), value_range="0..4095")
    np.testing.assert_array_equal(turned[..., 0], np.rot90(np.rint(RAMP / 4095 * 255), -1))


def write(folder: Path, **files: bytes) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / f"{name}.tif").write_bytes(content)
    return folder


OPTIONS = {"crop": "none", "size": 32, "workers": 1}


def test_the_summary_says_how_values_were_read_also_after_a_resumed_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {"a": FLOAT * 1.1 - 0.05, "b": FLOAT * 2 - 1, "c": FLOAT.T * 1.04, "d": FLOAT - 0.4}
    photos = write(tmp_path / "p", **{name: tiff(values) for name, values in kinds.items()})

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("facegan.data.prepare.assemble", fail)
        prepare(photos, tmp_path / "ds", **OPTIONS)
    made = prepare(photos, tmp_path / "ds", **OPTIONS)
    assert made.info["notes"] == [
        "values 0..255, mean 129",
        "picture files of more than 8 bits: float32 values -0.05..1.05 read as 0..1; clipped: "
        "6% of all values in 2 of 2 pictures",
        "picture files of more than 8 bits: float32 values -1..1 read as -1..1",
        "warning: of the float pictures 2 were read as 0..1 and 1 as -1..1; if all are of one kind, "
        "give --range -1..1",
    ]
    assert [r["reason"] for r in made.info["rejects"]] == [
        "floating-point values in doubt (--range 0..1 or --range -1..1 says which)"
    ]


PLAIN = np.random.default_rng(0).integers(0, 256, (9, 32, 32), dtype=np.uint8)


@pytest.mark.parametrize(
    ("pictures", "text"),
    [
        (PLAIN // 16, "warning: all pictures are nearly black"),
        (255 - PLAIN // 16, "warning: all pictures are nearly white"),
        (PLAIN[:1] // 2 + np.arange(9)[:, None, None], "warning: all pictures are nearly alike"),
        (PLAIN, ""),
    ],
)
def test_a_dataset_that_is_all_black_white_or_alike_is_told(
    tmp_path: Path, pictures: np.ndarray, text: str
) -> None:
    np.savez(tmp_path / "a.npz", pictures.astype(np.uint8))
    notes = prepare(tmp_path / "a.npz", tmp_path / "ds", **OPTIONS).info["notes"]
    found = [line for line in notes if line.startswith("warning")]
    assert len(found) == bool(text) and all(line.startswith(text) for line in found), notes


def test_a_range_that_is_none_is_told_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--range 0-1: write"):
        prepare(tmp_path / "missing", tmp_path / "ds", value_range="0-1")
