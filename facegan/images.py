"""Conversion of uint8 to [-1, 1] and [0, 1] and back; reading, resizing, grids and writing of pictures.

Arrays are uint8 sRGB with 1 or 3 channels. ``x / 127.5 - 1`` and ``round((x + 1) * 127.5)``, clipped to
0..255, keep every uint8 value. torch is imported inside the functions that need it, so that workers that
only read pictures stay small.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import io
import math
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facegan import xmp
from facegan.depth import in_8_bits, plain_tiff
from facegan.errors import ImageError, InputError
from facegan.files import photo_path, write_bytes
from facegan.kinds import HEAD, NO_IMAGE, RAW, is_targa, refusal
from facegan.marks import Mark
from facegan.values import Meaning, meaning_of_picture
from facegan.values import array_to_uint8 as array_to_uint8

if TYPE_CHECKING:
    import torch
    from PIL import Image

# The decoders that may see a stranger's bytes. EPS runs a program, others are rare and little tested.
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "HEIF", "JPEG2000")
MAX_PIXELS = 80_000_000
MAX_FILE_BYTES = 500_000_000
_DNG = 50706  # the tag that makes a TIFF a RAW photo
RUNS = 3  # zlib's Z_RLE
RESAMPLE = {"nearest": "NEAREST", "bilinear": "BILINEAR", "bicubic": "BICUBIC", "lanczos": "LANCZOS"}


def to_float(images: np.ndarray | torch.Tensor, device: str | torch.device = "cpu") -> torch.Tensor:
    """Convert uint8 ``N,H,W,C`` to float32 ``N,C,H,W`` in [-1, 1] on ``device``."""
    import torch

    from facegan.devices import send

    # A permuted view of N,H,W,C memory is already channels-last: the fast layout of convolutions.
    sent = send(_tensor(images), torch.device(device))
    return sent.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def to_uint8(images: torch.Tensor | np.ndarray) -> np.ndarray:
    """Convert float ``N,C,H,W`` in [-1, 1] (outside is clipped) to uint8 ``N,H,W,C``."""
    if isinstance(images, np.ndarray):
        levels = np.rint((images + np.float32(1.0)) * np.float32(127.5)).clip(0, 255).astype(np.uint8)
        return np.ascontiguousarray(levels.transpose(0, 2, 3, 1))
    return _levels(images.detach().float().add(1.0).mul_(127.5))


def to_unit(images: np.ndarray | torch.Tensor, device: str | torch.device = "cpu") -> torch.Tensor:
    """Convert uint8 ``N,H,W,C`` to float32 ``N,C,H,W`` in [0, 1], the range of classifiers."""
    return _tensor(images).to(device).permute(0, 3, 1, 2).float().div_(255.0).contiguous()


def unit_to_uint8(images: torch.Tensor) -> np.ndarray:
    """Convert float ``N,C,H,W`` in [0, 1] (outside is clipped) to uint8 ``N,H,W,C``."""
    return _levels(images.detach().float().mul(255.0))


def _tensor(images: np.ndarray | torch.Tensor) -> torch.Tensor:
    import torch

    return (
        images if isinstance(images, torch.Tensor) else torch.from_numpy(np.require(images, None, ["C", "W"]))
    )


def _levels(scaled: torch.Tensor) -> np.ndarray:
    import torch

    levels = scaled.round_().clamp_(0, 255).to(torch.uint8)
    return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())


def grid(
    images: np.ndarray, columns: int | None = None, pad: int = 2, *, background: int = 255
) -> np.ndarray:
    """Tile uint8 ``N,H,W,C`` row by row into one ``H,W,C`` picture.

    ``columns`` defaults to the smallest square that holds all; empty cells and the ``pad`` px between and
    around cells have the value ``background``.
    """
    n, h, w, c = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    out = np.full((rows * (h + pad) + pad, columns * (w + pad) + pad, c), background, np.uint8)
    for i, image in enumerate(images):
        y, x = pad + (i // columns) * (h + pad), pad + (i % columns) * (w + pad)
        out[y : y + h, x : x + w] = image
    return out


def enlarge(image: np.ndarray, factor: int) -> np.ndarray:
    """Repeat each pixel ``factor`` times, so that small pictures can be looked at."""
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def png_bytes(image: np.ndarray, mark: Mark | None = None) -> bytes:
    """Losslessly encode uint8 ``H,W,C`` (C = 1 or 3); a mark becomes XMP and text chunks."""
    return _encoded(image, "PNG", mark, compress_level=6)


def base64_png(image: np.ndarray, mark: Mark | None = None) -> str:
    """Return uint8 ``H,W,C`` as the base64 text of a PNG, for JSON and for addresses within pages."""
    return base64.b64encode(png_bytes(image, mark)).decode()


def save_png(path: str | Path, image: np.ndarray, mark: Mark | None = None) -> None:
    """Write uint8 ``H,W,C`` as PNG, atomically, with its mark.

    Pixels are coded by runs, a fifth of the time of PNG's usual search, in 2% more bytes for a grid of faces.
    """
    write_bytes(path, _encoded(image, "PNG", mark, compress_level=6, compress_type=RUNS))


def save_picture(path: str | Path, image: np.ndarray, mark: Mark | None = None) -> None:
    """Write uint8 ``H,W,C`` atomically, as PNG or, by the name's ending, JPEG or WebP (quality 92).

    A mark becomes XMP, and besides PNG's text chunks, or JPEG's comment, a line each.
    """
    kind = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}.get(Path(path).suffix.lower())
    write_bytes(path, _encoded(image, kind, mark, quality=92) if kind else png_bytes(image, mark))


def _encoded(image: np.ndarray, kind: str, mark: Mark | None, **options: Any) -> bytes:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    texts, packet, info = ({}, b"", PngInfo()) if mark is None else (mark.texts(), mark.packet(), PngInfo())
    for key, value in texts.items():
        info.add_itxt(key, value)
    own: dict[str, Any] = {
        "PNG": {"pnginfo": info},
        "JPEG": {"comment": "\n".join(f"{key}: {value}" for key, value in texts.items()).encode()},
        "WEBP": {"xmp": packet},
    }
    buffer = io.BytesIO()
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    picture.save(buffer, kind, **options, **own[kind])
    return buffer.getvalue() if kind == "WEBP" else xmp.embed(buffer.getvalue(), packet)


def resize(image: np.ndarray, size: tuple[int, int], resample: str = "lanczos") -> np.ndarray:
    """Resample uint8 ``H,W,C`` (C = 1 or 3) to ``size`` = (height, width), with sRGB values as stored.

    All kinds of ``RESAMPLE`` but ``nearest`` widen with the reduction factor, so that nothing aliases.
    """
    from PIL import Image

    if resample not in RESAMPLE:
        raise InputError(f"unknown resampling {resample!r}: choose one of {', '.join(RESAMPLE)}")
    if min(size) < 1:
        raise InputError(f"cannot resize to {size[0]}x{size[1]}: both sides must be at least 1")
    if image.shape[:2] == tuple(size):
        return image.copy()
    picture = Image.fromarray(np.ascontiguousarray(image[..., 0] if image.shape[-1] == 1 else image))
    resized = np.asarray(picture.resize((size[1], size[0]), Image.Resampling[RESAMPLE[resample]]))
    return resized.reshape(*size, image.shape[-1])


def shrink(image: np.ndarray, most: int, resample: str = "lanczos") -> np.ndarray:
    """Return uint8 ``H,W,C`` with a longer side of at most ``most`` px; smaller pictures as they are."""
    scale = most / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    return resize(image, (height, width), resample) if scale < 1 else image


def luma(image: np.ndarray) -> np.ndarray:
    """Return 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), uint8 ``H,W,1``, of uint8 ``H,W,3``."""
    from PIL import Image

    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).convert("L"))[..., None]


def read_image_file(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode a file, or ``sample:NAME``, as :func:`read_image` does; at most 500 MB."""
    path = photo_path(path)
    try:
        if not path.is_file():
            raise ImageError("unreadable", f"{path} is not a file")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ImageError("too many bytes", f"{path} has more than {MAX_FILE_BYTES // 1_000_000} MB")
        content = path.read_bytes()
    except OSError as error:
        raise ImageError("unreadable", f"{path}: {error.strerror or error}") from None
    return read_image(content, str(path), max_pixels=max_pixels)


def read_image(content: bytes, name: str = "", **options: Any) -> np.ndarray:
    """Decode a picture file to uint8 ``H,W,3``; the options are those of :func:`read_picture`."""
    return read_picture(content, name, **options)[0]


def read_picture(
    content: bytes, name: str = "", *, max_pixels: int = MAX_PIXELS, alpha: bool = True, value_range: str = ""
) -> tuple[np.ndarray, Meaning | None]:
    """Decode a picture file to uint8 ``H,W,3``: upright (EXIF) and sRGB (ICC), the first frame or page.

    Args:
        content: The bytes of a file of ``FORMATS``.
        name: A name for the error's detail.
        max_pixels: The most pixels, checked before decoding; more than 178 million never pass.
        alpha: Lay transparent pictures over white, instead of dropping the transparency.
        value_range: The meaning of 16-bit and float values (``facegan.values``) in case of doubt.

    Returns:
        The picture, and how its values were read if they are not bytes.

    Raises:
        ImageError: The only exception, whatever the bytes; ``reason`` can be counted.
    """
    from PIL import Image, ImageChops, UnidentifiedImageError

    if not content:
        raise ImageError("empty file", name)
    try:
        with warnings.catch_warnings(), _quiet_libtiff(content):
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata; the pixels decide here
            formats = (*_formats(), *(("TGA",) if is_targa(content[:HEAD], name) else ()))
            with Image.open(io.BytesIO(content), formats=formats) as picture:
                width, height = picture.size
                if width * height > max_pixels:
                    raise ImageError("too many pixels", f"{width}x{height}")
                if picture.format == "TIFF" and _DNG in picture.tag_v2:  # type: ignore[attr-defined]
                    raise ImageError(RAW)  # Pillow would read the small preview in it
                picture.load()
                inverted = picture.mode == "CMYK" and picture.format in ("JPEG", "MPO")
                if inverted and "adobe" not in picture.info:
                    # Pillow takes every such file for Adobe's, which stores 255 - ink.
                    return _to_srgb(_upright(ImageChops.invert(picture)), alpha), None
                bytes_, meaning = in_8_bits(picture, content, value_range)
                return _to_srgb(_upright(bytes_), alpha), meaning
    except ImageError as error:
        raise ImageError(error.reason, _detail(name, error.detail) if error.detail else name) from None
    except InputError:  # a range that is none
        raise
    except Image.DecompressionBombError as error:
        raise ImageError("too many pixels", _detail(name, error)) from None
    except UnidentifiedImageError:
        return _unidentified(content, name, max_pixels, value_range=value_range)
    except Exception as error:  # decoders raise anything on hostile bytes, MemoryError among others
        text = str(error).lower()
        early = isinstance(error, EOFError) or "truncat" in text or _ends_early(content)
        raise ImageError("truncated" if early else "unreadable", _detail(name, error)) from None


def _unidentified(
    content: bytes, name: str, max_pixels: int, *, value_range: str
) -> tuple[np.ndarray, Meaning | None]:
    """Read a plain TIFF of numbers that Pillow does not know, or raise ImageError with the file's kind."""
    values = plain_tiff(content, max_pixels)
    if values is not None:
        try:
            meaning = meaning_of_picture(values, value_range)
        except ImageError as error:
            raise ImageError(error.reason, _detail(name, error.detail)) from None
        levels = meaning.levels(values)
        return np.repeat(levels, 3, axis=2) if levels.shape[2] == 1 else levels, meaning
    if _ends_early(content):
        raise ImageError("truncated", name)
    known = any(accept and accept(content[:16]) for accept in _accept_functions())
    other = refusal(content[:HEAD], name)
    raise ImageError("unreadable" if known else "not an image" if other == NO_IMAGE else other, name)


@contextlib.contextmanager
def _quiet_libtiff(content: bytes) -> Iterator[None]:
    """Hide libtiff's complaints, which are printed past Python; the reason for a reject is enough."""
    if content[:2] not in (b"II", b"MM"):
        yield
        return
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def _ends_early(content: bytes) -> bool:
    """Return whether a WebP, HEIC, AVIF, JPEG 2000 or TIFF file is shorter than its headers say.

    Decoders do not notice it.
    """
    n = len(content)
    if content[:4] == b"RIFF":
        return n < 8 + int.from_bytes(content[4:8], "little")
    if content[:4] in (b"II*\0", b"MM\0*"):
        return n <= int.from_bytes(content[4:8], "little" if content[:2] == b"II" else "big")
    start = 0
    while content[4:8] in (b"ftyp", b"jP  ") and start < n:  # a chain of boxes, each headed by its size
        size = int.from_bytes(content[start : start + 4], "big")
        if size == 1:
            size = int.from_bytes(content[start + 8 : start + 16], "big")
        if start + size > n:
            return True
        if size < 8:  # 0 means up to the end; others are damage
            break
        start += size
    return False


def _detail(name: str, text: object) -> str:
    line = " ".join(str(text).split())[:200]
    return f"{name} ({line})" if name else line


@functools.lru_cache(maxsize=1)
def _formats() -> tuple[str, ...]:
    import pillow_heif
    from PIL import Image

    Image.init()
    pillow_heif.register_heif_opener()
    return tuple(name for name in FORMATS if name in Image.OPEN)  # AVIF is an option of Pillow's build


def _accept_functions() -> list[Any]:
    from PIL import Image

    return [Image.OPEN[name][1] for name in _formats()]


def _upright(picture: Image.Image) -> Image.Image:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # damaged EXIF says nothing about the orientation
        return picture


def _to_srgb(picture: Image.Image, keep_alpha: bool = True) -> np.ndarray:
    """Convert any Pillow mode to uint8 ``H,W,3``."""
    from PIL import Image

    if picture.mode == "1":
        picture = picture.convert("L")
    alpha = None
    if picture.has_transparency_data:  # an alpha channel, an RGBA palette or a transparent colour
        opaque = "L" if picture.mode in ("L", "LA", "La") else "RGB"
        picture = picture.convert("RGBA")
        alpha = picture.getchannel("A") if keep_alpha else None
        picture = picture.convert(opaque)
    elif picture.mode == "P":
        picture = picture.convert("RGB")
    profile = picture.info.get("icc_profile")
    converted = _convert_profile(picture, profile) if profile else None
    try:
        picture = converted or picture.convert("RGB")
    except ValueError:
        raise ImageError("unsupported pixels", picture.mode) from None
    if alpha is not None:
        picture = Image.composite(picture, Image.new("RGB", picture.size, "white"), alpha)
    return np.array(picture, np.uint8)


def _convert_profile(picture: Image.Image, profile: bytes) -> Image.Image | None:
    """Convert to sRGB by the embedded ICC profile; None if that is broken or made for other channels."""
    from PIL import ImageCms

    try:
        transform = _transform(profile, picture.mode)
        return ImageCms.applyTransform(picture, transform) if transform else None
    except (ImageCms.PyCMSError, ValueError, OSError, TypeError):
        return None


@functools.lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> Any:
    from PIL import ImageCms

    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if mode == "RGB" and "sRGB" in (source.profile.profile_description or ""):
        return None
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
