"""Frames to films: GIF, MP4 or WebP by the file's extension, at constant memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from facegan.errors import InputError

# Extension -> (container, codec, its options, pixel format)
FORMATS: dict[str, tuple[str, str, dict[str, str], str]] = {
    ".mp4": ("mp4", "libx264", {"crf": "17", "preset": "medium"}, "yuv420p"),
    ".gif": ("gif", "gif", {}, "pal8"),
    ".webp": ("webp", "libwebp_anim", {"quality": "90", "compression_level": "4"}, "yuv420p"),
}


def is_film(path: str | Path) -> bool:
    """Whether the extension is one of ``FORMATS``."""
    return Path(path).suffix.lower() in FORMATS


def write_film(path: str | Path, frames: Iterable[np.ndarray], fps: float = 24.0) -> int:
    """Write uint8 ``H,W,C`` frames (C = 1 or 3) of one size and return their number.

    Odd sizes get one more row or column of the edge's colour where the codec needs even ones. GIF and
    WebP loop for ever; GIF has a palette of its own for each frame and lasts a whole number of 1/100 s
    a frame. The file appears whole or not at all. InputError for an unknown extension, a rate that is
    not above 0, or no frames.
    """
    path = Path(path)
    if not is_film(path):
        raise InputError(f"{path}: no known film; the name must end in {', '.join(FORMATS)}")
    if not 0 < fps <= 240:
        raise InputError(f"--fps must be above 0 and at most 240, not {fps}")
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise InputError(f"{path}: there are no frames to write")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix.lower()}")
    try:
        count = _encode(temporary, chain([first], iterator), first.shape, fps)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _encode(path: Path, frames: Iterator[np.ndarray], shape: tuple[int, ...], fps: float) -> int:
    import av

    container, codec, options, pixel_format = FORMATS[path.suffix.lower()]
    rate = Fraction(fps).limit_denominator(1000)
    even = pixel_format == "yuv420p"
    h, w = (n + n % 2 if even else n for n in shape[:2])
    count = 0
    with av.open(
        str(path), "w", format=container, options={"loop": "0"} if container != "mp4" else {}
    ) as out:
        stream: Any = out.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = w, h, pixel_format
        stream.time_base = 1 / rate
        prepare: Callable[[Any], Iterable[Any]] = (
            _palettes(w, h, rate) if codec == "gif" else lambda frame: [frame.reformat(format=pixel_format)]
        )
        for pixels in frames:
            if pixels.shape != shape:
                raise InputError(f"{path}: frame {count} has shape {pixels.shape}, the first has {shape}")
            rgb = np.repeat(pixels, 3, 2) if shape[2] == 1 else pixels
            rgb = np.pad(rgb, ((0, h - shape[0]), (0, w - shape[1]), (0, 0)), "edge")
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24")
            for ready in prepare(frame):
                ready.pts, ready.time_base = count, 1 / rate
                out.mux(stream.encode(ready))
            count += 1
        out.mux(stream.encode(None))
    return count


def _palettes(width: int, height: int, rate: Fraction) -> Callable[[Any], Iterable[Any]]:
    """A filter that gives each frame its best 256 colours; it is made anew for each frame, so that
    nothing of one frame is held for the next."""
    import av
    import av.filter

    def convert(frame: Any) -> Iterable[Any]:
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=width, height=height, format=av.VideoFormat("rgb24"), time_base=1 / rate
        )
        split, generate = graph.add("split"), graph.add("palettegen", "reserve_transparent=0")
        use, sink = graph.add("paletteuse", "dither=sierra2_4a"), graph.add("buffersink")
        source.link_to(split)
        split.link_to(use, 0, 0)
        split.link_to(generate, 1, 0)
        generate.link_to(use, 0, 1)
        use.link_to(sink)
        graph.configure()
        frame.pts, frame.time_base = 0, 1 / rate
        graph.push(frame)
        graph.push(None)
        return [graph.pull()]

    return convert
