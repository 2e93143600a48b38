"""Reading pictures of every kind, refusing hostile ones, and resampling without aliasing."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from facegan import images
from facegan.errors import ImageError, InputError

LEFT, RIGHT = (200, 60, 30), (20, 120, 220)


def two_colours(mode: str = "RGB", left=LEFT, right=RIGHT) -> Image.Image:
    """32 x 16 px: ``left`` in the left half, ``right`` in the right half."""
    picture = Image.new(mode, (32, 16), left)
    picture.paste(right, (16, 0, 32, 16))
    return picture


def encode(picture: Image.Image, kind: str, **options) -> bytes:
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def halves(image: np.ndarray) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The colours in the middle of both halves."""
    h, w, _ = image.shape
    return tuple(image[h // 2, w // 4].tolist()), tuple(image[h // 2, 3 * w // 4].tolist())


def over_white(colour, alpha: int) -> tuple[int, ...]:
    return tuple(round(c * alpha / 255 + 255 - alpha) for c in colour)


def colour_tiff(kind: str, factor: float) -> bytes:
    """Uncompressed colours of numbers, as scientific programs write them; Pillow reads none of those."""
    values = (np.asarray(two_colours()) * factor).astype(kind)
    order, bits = kind[0], 8 * values.dtype.itemsize
    tags = {
        256: 32,
        257: 16,
        258: bits,
        259: 1,
        262: 2,
        273: 200,
        277: 3,
        278: 16,
        279: values.nbytes,
        339: 3,
    }
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    return (head + entries + bytes(4)).ljust(200, b"\0") + values.tobytes()


def grey16() -> Image.Image:
    values = np.full((16, 32), 1000, np.uint16)
    values[:, 16:] = 60000
    return Image.fromarray(values)


def palette_with_transparency() -> bytes:
    picture = two_colours().quantize(4)
    index = picture.getpixel((24, 8))
    return encode(picture, "PNG", transparency=index)


def colour_key_png() -> bytes:
    return encode(two_colours(), "PNG", transparency=RIGHT)


def without_adobe_marker(jpeg: bytes) -> bytes:
    at = jpeg.index(b"\xff\xee")
    length = struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
    return jpeg[:at] + jpeg[at + 2 + length :]


def swapped_profile() -> bytes:
    """sRGB's profile with the red and the blue primary exchanged, under another name."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    return profile.replace(b"sRGB", b"swap").replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))


def cmyk(red: int, green: int, blue: int) -> tuple[int, int, int, int]:
    return 255 - red, 255 - green, 255 - blue, 0


SIMPLE = (LEFT, RIGHT)
GREY = ((40,) * 3, (210,) * 3)
# name: (bytes, colours of the two halves, tolerance)
ODD = {
    "jpeg": (lambda: encode(two_colours(), "JPEG", quality=95), SIMPLE, 4),
    "png": (lambda: encode(two_colours(), "PNG"), SIMPLE, 0),
    "webp lossless": (lambda: encode(two_colours(), "WEBP", lossless=True), SIMPLE, 0),
    "gif": (lambda: encode(two_colours().quantize(8), "GIF"), SIMPLE, 0),
    "gif, two frames": (
        lambda: encode(two_colours(), "GIF", save_all=True, append_images=[Image.new("RGB", (32, 16))]),
        SIMPLE,
        0,
    ),
    "bmp": (lambda: encode(two_colours(), "BMP"), SIMPLE, 0),
    "tiff": (lambda: encode(two_colours(), "TIFF"), SIMPLE, 0),
    "tiff, lzw": (lambda: encode(two_colours(), "TIFF", compression="tiff_lzw"), SIMPLE, 0),
    "ppm": (lambda: encode(two_colours(), "PPM"), SIMPLE, 0),
    "jp2": (lambda: encode(two_colours(), "JPEG2000"), SIMPLE, 0),
    "float tiff in colours": (lambda: colour_tiff("<f4", 1 / 255), SIMPLE, 0),
    "float tiff in colours, double precision": (lambda: colour_tiff("<f8", 1 / 255), SIMPLE, 0),
    "float tiff in colours, other byte order": (lambda: colour_tiff(">f4", 1.0), SIMPLE, 0),
    "heic": (lambda: encode(two_colours(), "HEIF", quality=-1, chroma=444), SIMPLE, 4),
    "palette png": (lambda: encode(two_colours().quantize(8), "PNG"), SIMPLE, 0),
    "1-bit png": (lambda: encode(two_colours("1", 0, 1), "PNG"), ((0,) * 3, (255,) * 3), 0),
    "grey jpeg": (lambda: encode(two_colours("L", 40, 210), "JPEG", quality=95), GREY, 2),
    "grey png": (lambda: encode(two_colours("L", 40, 210), "PNG"), GREY, 0),
    # 1000 / 257 = 3.9, 60000 / 257 = 233.5 (233.46): scaled, not clipped at 255
    "16-bit grey png": (lambda: encode(grey16(), "PNG"), ((4,) * 3, (233,) * 3), 0),
    "16-bit grey tiff": (lambda: encode(grey16(), "TIFF"), ((4,) * 3, (233,) * 3), 0),
    "float tiff": (lambda: encode(two_colours("F", 0.2, 1.0), "TIFF"), ((51,) * 3, (255,) * 3), 0),
    "rgba png": (
        lambda: encode(two_colours("RGBA", (*LEFT, 128), (*RIGHT, 0)), "PNG"),
        (over_white(LEFT, 128), (255,) * 3),
        1,
    ),
    "rgba webp": (
        lambda: encode(two_colours("RGBA", (*LEFT, 128), (*RIGHT, 255)), "WEBP", lossless=True),
        (over_white(LEFT, 128), RIGHT),
        1,
    ),
    "grey and alpha": (
        lambda: encode(two_colours("LA", (40, 255), (40, 100)), "PNG"),
        ((40,) * 3, over_white((40,) * 3, 100)),
        1,
    ),
    "palette with transparency": (palette_with_transparency, (LEFT, (255,) * 3), 0),
    "transparent colour": (colour_key_png, (LEFT, (255,) * 3), 0),
    "cmyk tiff": (lambda: encode(two_colours("CMYK", cmyk(*LEFT), cmyk(*RIGHT)), "TIFF"), SIMPLE, 1),
    "cmyk jpeg, Adobe's inverted": (
        lambda: encode(two_colours("CMYK", cmyk(*LEFT), cmyk(*RIGHT)), "JPEG", quality=98),
        SIMPLE,
        6,
    ),
    # Pillow stores 255 - CMYK; without Adobe's marker what is stored is the ink itself.
    "cmyk jpeg, plain": (
        lambda: without_adobe_marker(
            encode(two_colours("CMYK", (*LEFT, 255), (*RIGHT, 255)), "JPEG", quality=98)
        ),
        SIMPLE,
        6,
    ),
    "profile with red and blue exchanged": (
        lambda: encode(two_colours(), "PNG", icc_profile=swapped_profile()),
        (LEFT[::-1], RIGHT[::-1]),
        3,
    ),
    "exchanging profile under alpha": (
        lambda: encode(two_colours("RGBA", (*LEFT, 255), (*RIGHT, 0)), "PNG", icc_profile=swapped_profile()),
        (LEFT[::-1], (255,) * 3),
        3,
    ),
    "broken profile": (
        lambda: encode(two_colours(), "JPEG", quality=95, icc_profile=b"no profile" * 30),
        SIMPLE,
        4,
    ),
    "RGB profile on grey": (
        lambda: encode(two_colours("L", 40, 210), "PNG", icc_profile=swapped_profile()),
        GREY,
        0,
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_formats_have_the_right_colours(name):
    make, expected, tolerance = ODD[name]
    image = images.read_image(make())
    assert image.shape == (16, 32, 3)
    assert image.dtype == np.uint8
    assert np.abs(np.array(halves(image), int) - expected).max() <= tolerance, halves(image)


# EXIF: the visual top and left of the stored rows and columns; how to undo each (TIFF 6.0, p. 36).
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG", "HEIF"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation(kind, orientation):
    stored = np.kron(np.random.default_rng(5).integers(0, 256, (2, 3, 1)), np.ones((16, 16, 3))).astype(
        np.uint8
    )
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 98}, "HEIF": {"quality": -1}}.get(kind, {})
    image = images.read_image(encode(Image.fromarray(stored), kind, exif=exif.tobytes(), **options))
    expected = UPRIGHT[orientation](stored)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= 5


def test_damaged_exif_is_ignored():
    content = encode(two_colours(), "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 9)
    assert halves(images.read_image(content)) == SIMPLE


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of_size(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(b""))
        + png_chunk(b"IEND", b"")
    )


def text_bomb() -> bytes:
    info = PngInfo()
    info.add_text("comment", "0" * 60_000_000, zip=True)
    return encode(two_colours(), "PNG", pnginfo=info)


def absurd_tiff() -> bytes:
    """Grey, one strip of four bytes, said to hold 65,535 x 65,535 px."""
    tags = {256: 65535, 257: 65535, 258: 8, 259: 1, 262: 1, 273: 4, 277: 1, 278: 65535, 279: 4}
    entries = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + bytes(4)


REFUSED = {
    "empty": (lambda: b"", "empty file"),
    "text": (lambda: b"This is not a picture.\n" * 50, "not an image"),
    "zeros": (lambda: bytes(4096), "not an image"),
    "zip": (lambda: b"PK\x03\x04" + bytes(200), "an archive (unpack it first)"),
    "program for a PostScript interpreter": (
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "a PostScript file (export it as PNG or JPEG first)",
    ),
    "psd": (lambda: b"8BPS\0\1" + bytes(400), "a Photoshop document (export it as PNG or JPEG first)"),
    "svg": (
        lambda: b"<?xml version='1.0'?>\n<!-- drawn -->\n<svg xmlns='http://www.w3.org/2000/svg'/>",
        "an SVG drawing (export it as PNG or JPEG first)",
    ),
    "dng under another suffix": (
        lambda: encode(two_colours(), "TIFF", tiffinfo={50706: b"\1\4\0\0"}),
        "a RAW photo (develop it to JPEG, PNG or TIFF first)",
    ),
    "tga under another name": (lambda: encode(two_colours(), "TGA"), "not an image"),
    "truncated jp2": (lambda: encode(Image.effect_noise((64, 64), 50), "JPEG2000")[:-300], "truncated"),
    "png, signature only": (lambda: b"\x89PNG\r\n\x1a\n", "unreadable"),
    "png of 50,000 x 50,000": (lambda: png_of_size(50_000, 50_000), "too many pixels"),
    "png of 9,000 x 9,000": (lambda: png_of_size(9_000, 9_000), "too many pixels"),
    "png of 2,147,483,647 squared": (lambda: png_of_size(2**31 - 1, 2**31 - 1), "too many pixels"),
    "png without pixels": (lambda: png_of_size(300, 300), "truncated"),
    "png text bomb": (text_bomb, "unreadable"),
    "tiff of 65,535 x 65,535": (absurd_tiff, "too many pixels"),
    "truncated jpeg": (lambda: encode(two_colours().resize((640, 320)), "JPEG")[:-900], "truncated"),
    "truncated png": (lambda: encode(Image.effect_noise((64, 64), 50), "PNG")[:-900], "truncated"),
    "truncated gif": (lambda: encode(Image.effect_noise((64, 64), 50), "GIF")[:-900], "truncated"),
    "truncated tiff": (lambda: encode(Image.effect_noise((64, 64), 50), "TIFF")[:-900], "truncated"),
    "truncated webp": (lambda: encode(Image.effect_noise((64, 64), 50), "WEBP")[:-900], "truncated"),
    "truncated heic": (lambda: encode(Image.effect_noise((64, 64), 50), "HEIF")[:-300], "truncated"),
    "truncated bmp": (lambda: encode(two_colours(), "BMP")[:-100], "truncated"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_countable_reason(name):
    make, reason = REFUSED[name]
    with pytest.raises(ImageError) as caught:
        images.read_image(make(), "somewhere/photo.png")
    assert caught.value.reason == reason
    assert "somewhere/photo.png" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pixel_limit_counts_before_decoding():
    content = encode(two_colours(), "PNG")
    assert images.read_image(content, max_pixels=512).shape == (16, 32, 3)
    with pytest.raises(ImageError, match=r"too many pixels: 32x16"):
        images.read_image(content, max_pixels=511)


def hostile() -> list[tuple[str, bytes]]:
    """Truncated at many lengths, bits flipped, blocks exchanged, and both: 9 files, fixed seeds."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 40, 3)).astype(np.uint8)
    picture = Image.fromarray(noise).resize((96, 64))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    files = {
        "jpeg": encode(picture, "JPEG", exif=exif, icc_profile=profile),
        "progressive jpeg": encode(picture.convert("CMYK"), "JPEG", progressive=True),
        "png": encode(picture.convert("RGBA"), "PNG", exif=exif, icc_profile=profile),
        "gif": encode(picture, "GIF"),
        "webp": encode(picture, "WEBP", exif=exif.tobytes()),
        "tiff": encode(picture, "TIFF", compression="tiff_lzw", exif=exif),
        "bmp": encode(picture.quantize(16), "BMP"),
        "heic": encode(picture, "HEIF", exif=exif.tobytes()),
        "jp2": encode(picture, "JPEG2000"),
    }
    rng = np.random.default_rng(1)
    found = []
    for name, content in files.items():
        n = len(content)
        lengths = [1, 3, 8, 20, 60, *np.linspace(100, n - 1, 9).astype(int)]
        found += [(f"{name} cut at {k}", content[:k]) for k in lengths]
        for i in range(24):
            data = np.frombuffer(content, np.uint8).copy()
            # Headers first: half of the flips hit the first 300 bytes.
            where = rng.integers(0, min(300, n) if i % 2 else n, 1 + i % 6)
            data[where] ^= np.uint8(1) << rng.integers(0, 8, len(where)).astype(np.uint8)
            found.append((f"{name} with flipped bits {i}", data.tobytes()))
        for _ in range(4):
            a, b = sorted(rng.integers(0, n, 2))
            found.append((f"{name} without bytes {a}..{b}", content[:a] + content[b:]))
    return found


def test_hostile_bytes_give_a_picture_or_a_reason(recwarn, capfd):
    cases = hostile()
    assert len(cases) >= 300
    reasons: dict[str, int] = {}
    for name, content in cases:
        try:
            image = images.read_image(content, name)
            assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
            reason = "read"
        except ImageError as error:
            reason = error.reason
        reasons[reason] = reasons.get(reason, 0) + 1
    known = {"read", "not an image", "truncated", "unreadable", "too many pixels", "unsupported pixels"}
    others = [reason for reason in reasons if reason not in known]
    assert all("(" in reason for reason in others), others  # taken for another kind of file
    assert reasons["truncated"] > 30 and reasons["read"] > 30 and reasons["unreadable"] > 30, reasons
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")  # libtiff would write to the terminal


def test_files_that_cannot_be_read(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encode(two_colours(), "PNG"))
    assert halves(images.read_image_file(path)) == SIMPLE
    for bad in (tmp_path, tmp_path / "missing.png"):
        with pytest.raises(ImageError, match="unreadable"):
            images.read_image_file(bad)


def wave(n: int, frequency: float, samples: int) -> np.ndarray:
    """127.5 + 100 cos(2 pi f x) at the centres of ``samples`` equal parts of 0..n; f in cycles per px."""
    x = (np.arange(samples) + 0.5) * n / samples
    return 127.5 + 100 * np.cos(2 * np.pi * frequency * x)


def striped(n: int, frequency: float) -> np.ndarray:
    row = np.rint(wave(n, frequency, n)).astype(np.uint8)
    return np.repeat(np.tile(row, (8, 1))[..., None], 3, axis=2)


@pytest.mark.parametrize("samples", [77, 120, 260])
def test_lanczos_keeps_what_the_result_can_hold(samples):
    """A cosine far below both Nyquist frequencies is, after resampling, the cosine at the new centres."""
    n, frequency = 200, 0.02
    result = images.resize(striped(n, frequency), (8, samples))
    assert result.shape == (8, samples, 3)
    inner = slice(samples // 10, -samples // 10)  # the kernel is cut off at the border
    error = result[4, inner, 0] - wave(n, frequency, samples)[inner]
    assert np.abs(error).max() <= 2


@pytest.mark.parametrize(
    "resample,least,most",
    [
        ("lanczos", 0, 3),
        ("bicubic", 0, 4),
        ("bilinear", 0, 6),
        ("nearest", 80, 128),
    ],
)
def test_frequencies_beyond_the_result_vanish(resample, least, most):
    """0.41 cycles per px is beyond the new Nyquist frequency, 60 / 400 = 0.15: only the mean remains."""
    result = images.resize(striped(200, 0.41), (8, 60), resample)[4, 6:-6, 0]
    swing = np.abs(result - 127.5).max()
    assert least <= swing <= most


def test_resize_of_one_channel_and_wrong_options():
    assert images.resize(np.zeros((5, 7, 1), np.uint8), (3, 4)).shape == (3, 4, 1)
    with pytest.raises(InputError, match="choose one of nearest, bilinear, bicubic, lanczos"):
        images.resize(np.zeros((5, 7, 3), np.uint8), (3, 4), "cubic")
    with pytest.raises(InputError, match="at least 1"):
        images.resize(np.zeros((5, 7, 3), np.uint8), (0, 4))


@pytest.mark.parametrize(("size", "small"), [((40, 20), (10, 5)), ((8, 10), (8, 10)), ((1, 900), (1, 10))])
def test_shrink_bounds_the_longer_side(size, small):
    picture = np.zeros((*size, 3), np.uint8)
    assert images.shrink(picture, 10).shape == (*small, 3)


def test_luma_is_that_of_bt_601():
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 200, 90]]], np.uint8)
    expected = np.rint(colours @ [0.299, 0.587, 0.114])
    assert np.abs(images.luma(colours)[0, :, 0] - expected).max() <= 1
    assert images.luma(colours).shape == (1, 4, 1)
