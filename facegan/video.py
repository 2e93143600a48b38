"""Films of frames: GIF, MP4 or WebP by the file's extension, at constant memory.

Each frame is encoded as it comes and only the encoder's few frames of delay are held, so that a film of
thousands of frames takes no more memory than one of a hundred.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from facegan import xmp
from facegan.errors import InputError
from facegan.files import temporary_beside
from facegan.marks import Mark

MAX_AREA = 2**28 - 1  # px, with a margin of 128: FFmpeg refuses more

BT709 = 1  # FFmpeg's number for the matrix, the primaries and the transfer of ITU-R BT.709
LIMITED = 1  # FFmpeg's number for 16..235 (luma) and 16..240 (chroma)
_RED, _BLUE = 0.2126, 0.0722  # shares in luma, BT.709 item 3.2
# R'G'B' in 0..255, and 1, to limited Y'CbCr in 8 bits (items 3.3 to 3.5)
TO_YCBCR = np.array(
    [
        [219 / 255 * x for x in (_RED, 1 - _RED - _BLUE, _BLUE)] + [16],
        [112 / 255 / (1 - _BLUE) * x for x in (-_RED, _RED + _BLUE - 1, 1 - _BLUE)] + [128],
        [112 / 255 / (1 - _RED) * x for x in (1 - _RED, _RED + _BLUE - 1, -_BLUE)] + [128],
    ],
    np.float32,
)


def _write_mp4(path: Path, frames: Iterator[np.ndarray], fps: Fraction) -> int:
    # H.264 with 4:2:0 colour and the index in front is what every browser plays while it loads.
    # Colours are BT.709 in limited range, converted and tagged: what players assume differs by size.
    options, container = {"crf": "17", "preset": "medium"}, {"movflags": "+faststart"}
    return _encode(path, frames, fps, codec="libx264", pixels="yuv420p", options=options, container=container)


def _write_gif(path: Path, frames: Iterator[np.ndarray], fps: Fraction) -> int:
    return _encode(path, frames, fps, codec="gif", pixels="pal8", options={}, container={"loop": "0"})


def _write_webp(path: Path, frames: Iterator[np.ndarray], fps: Fraction) -> int:
    """Write ANMF chunks (RFC 9649, section 2.7.1); usual encoders hold all frames until the end."""
    from PIL import Image

    count = 0
    with open(path, "wb") as file:
        for frame in frames:
            h, w = frame.shape[:2]
            if count == 0:
                file.write(b"RIFF\0\0\0\0WEBP")
                file.write(_chunk(b"VP8X", b"\x02\0\0\0" + _u24(w - 1) + _u24(h - 1)))  # 2: animated
                file.write(_chunk(b"ANIM", struct.pack("<IH", 0xFFFFFFFF, 0)))  # white; for ever
            # Ends are rounded rather than durations, so that a long film keeps its time.
            begin, end = (round(n * 1000 / fps) for n in (count, count + 1))
            buffer = io.BytesIO()
            # Below 95, a flat colour comes back up to four levels off; from there on, at most two.
            Image.fromarray(frame).save(buffer, "WEBP", quality=95, method=4)
            head = _u24(0) * 2 + _u24(w - 1) + _u24(h - 1) + _u24(end - begin) + b"\x02"  # 2: no blending
            file.write(_chunk(b"ANMF", head + buffer.getvalue()[12:]))
            count += 1
        size = file.tell() - 8
        file.seek(4)
        file.write(struct.pack("<I", size))
    return count


@dataclass(frozen=True)
class Format:
    """How to write one kind of film: the fastest rate, the longest side in px, and its writer."""

    max_fps: int
    max_side: int
    write: Callable[[Path, Iterator[np.ndarray], Fraction], int]


FORMATS: dict[str, Format] = {
    ".mp4": Format(240, 16_384, _write_mp4),
    ".gif": Format(50, 65_535, _write_gif),  # whole hundredths of a second; browsers show none below 2
    ".webp": Format(240, 16_383, _write_webp),
}


def is_film(path: str | Path) -> bool:
    """Return whether the extension is one of ``FORMATS``."""
    return Path(path).suffix.lower() in FORMATS


def check_film(path: str | Path, fps: float, option: str = "") -> Format:
    """Return the format of a film's name; InputError if there is none, or it cannot keep ``fps``.

    ``option`` (with a space) precedes the name in the message.
    """
    path = Path(path)
    if not is_film(path):
        endings = ", ".join(FORMATS)
        raise InputError(f"{option}{path}: not a known kind of film; the name must end in {endings}")
    kind = FORMATS[path.suffix.lower()]
    if not 0 < fps <= kind.max_fps:
        raise InputError(f"--fps must be above 0 and, for {path.suffix}, at most {kind.max_fps}, not {fps:g}")
    return kind


def write_film(
    path: str | Path, frames: Iterable[np.ndarray], fps: float = 24.0, *, mark: Mark | None = None
) -> int:
    """Write uint8 ``H,W,C`` frames (C = 1 or 3) of one size, with a mark, and return their number.

    A flat colour comes back at most two levels off: MP4 is converted to BT.709 in limited range, with tags.
    MP4 gets one more row or column of the edge's colour if a side is odd, which H.264 cannot have. GIF and
    WebP loop for ever; each GIF frame has a palette of its own. The file appears whole or not at all.

    Raises:
        InputError: An unknown extension, a rate out of range, no frames, or frames that are too large or of
            different sizes.
    """
    path = Path(path)
    kind = check_film(path, fps)
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise InputError(f"{path}: there are no frames to write")
    h, w = first.shape[:2]
    if max(h, w) > kind.max_side or (h + 128) * (w + 128) > MAX_AREA:
        raise InputError(f"{path}: frames of {w}x{h} px are too large for a {path.suffix}")
    temporary = temporary_beside(path, path.suffix.lower())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        rate = Fraction(fps).limit_denominator(1000) or Fraction(1, 1000)
        count = kind.write(temporary, _rgb(chain([first], iterator), first.shape, path), rate)
        xmp.append(temporary, mark.packet() if mark else b"")
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        with contextlib.suppress(OSError):  # without its folder there is nothing to remove
            temporary.unlink()
    return count


def _rgb(frames: Iterable[np.ndarray], shape: tuple[int, ...], path: Path) -> Iterator[np.ndarray]:
    for i, frame in enumerate(frames):
        if frame.shape != shape:
            raise InputError(f"{path}: frame {i + 1} has shape {frame.shape}, but the first one {shape}")
        yield np.ascontiguousarray(np.repeat(frame, 3, 2) if shape[2] == 1 else frame)


def _u24(number: int) -> bytes:
    return struct.pack("<I", number)[:3]


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _encode(
    path: Path,
    frames: Iterator[np.ndarray],
    fps: Fraction,
    *,
    codec: str,
    pixels: str,
    options: dict[str, str],
    container: dict[str, str],
) -> int:
    import av

    count = 0
    try:
        with av.open(str(path), "w", options=container) as out:
            stream: Any = None
            for frame in frames:
                if pixels == "yuv420p":
                    frame = np.pad(frame, ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)), "edge")
                    frame = np.ascontiguousarray(frame)
                if stream is None:
                    stream = out.add_stream(codec, rate=fps, options=options)
                    stream.height, stream.width, stream.pix_fmt = *frame.shape[:2], pixels
                    stream.time_base = 1 / fps
                    if pixels == "yuv420p":
                        _tag(stream.codec_context)
                ready = _with_palette(frame) if pixels == "pal8" else _subsampled(frame)
                ready.pts, ready.time_base = count, 1 / fps
                out.mux(stream.encode(ready))
                count += 1
            out.mux(stream.encode(None))
    except av.codec.codec.UnknownCodecError:
        raise InputError(f"this PyAV has no encoder '{codec}'; install the wheel from PyPI") from None
    return count


def _tag(codec: Any) -> None:
    """Tag the colours: players take an untagged film of 720 lines or more for BT.709, others for BT.601."""
    codec.colorspace = codec.color_primaries = codec.color_trc = BT709
    codec.color_range = LIMITED


def _subsampled(frame: np.ndarray) -> Any:
    """Convert a uint8 frame ``H,W,3`` (even sides) to BT.709 with 4:2:0 colour.

    PyAV converts or tags, depending on its version, and FFmpeg dithers, which costs up to three levels of a
    flat colour; so the arithmetic is done here.
    """
    import av
    import cv2

    h, w = frame.shape[:2]
    planes = np.empty((h * 3 // 2, w), np.uint8)
    cv2.transform(frame, TO_YCBCR[:1], planes[:h])
    small = cv2.resize(frame, (w // 2, h // 2), interpolation=cv2.INTER_AREA)
    for row, plane in zip(TO_YCBCR[1:], planes[h:].reshape(2, h // 2, w // 2), strict=True):
        cv2.transform(small, row[None], plane)
    ready = av.VideoFrame.from_ndarray(planes, "yuv420p")
    ready.colorspace, ready.color_range = BT709, LIMITED
    return ready


def _with_palette(pixels: np.ndarray) -> Any:
    """Return the frame in its 256 best colours. New filters for each frame hold no others."""
    import av
    import av.filter

    frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=av.VideoFormat("rgb24"), time_base=Fraction(1, 100)
    )
    split, generate = graph.add("split"), graph.add("palettegen", "reserve_transparent=0")
    use, sink = graph.add("paletteuse", "dither=sierra2_4a"), graph.add("buffersink")
    source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(generate, 1, 0)
    generate.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    frame.pts, frame.time_base = 0, Fraction(1, 100)
    graph.push(frame)
    graph.push(None)
    return graph.pull()
