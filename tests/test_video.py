"""Films read back by other programs' eyes: frames, sizes, rate; whole files or none; constant memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegan.errors import InputError
from facegan.video import FORMATS, is_film, write_film


def frames(count: int, h: int = 32, w: int = 32, c: int = 3) -> Iterator[np.ndarray]:
    """A smooth pattern that moves, a little brighter with each frame."""
    y, x = np.mgrid[:h, :w]
    for i in range(count):
        wave = 96 + 60 * np.sin((x + y) / 9 + i / 3)
        yield np.stack([wave + 5 * k + i % 8 for k in range(c)], -1).astype(np.uint8)


def read(path: Path) -> tuple[list[np.ndarray], float]:
    """Frames as RGB and seconds in all."""
    if path.suffix == ".webp":
        with Image.open(path) as film:
            pictures, milliseconds = [], 0
            for i in range(film.n_frames):
                film.seek(i)
                pictures.append(np.asarray(film.convert("RGB")))
                milliseconds += film.info["duration"]
        return pictures, milliseconds / 1000
    import av

    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        pictures = [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
        assert film.duration is not None
        return pictures, film.duration / 1e6


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("fps", [10, 12.5, 24, 29.97])
def test_frames_and_rate_read_back(kind: str, fps: float, tmp_path: Path) -> None:
    path = tmp_path / f"film{kind}"
    assert write_film(path, frames(13), fps) == 13
    pictures, seconds = read(path)
    assert len(pictures) == 13
    # A GIF counts whole hundredths of a second, WebP thousandths: over a film, ends are rounded only.
    assert seconds == pytest.approx(13 / fps, abs=0.02)
    for found, expected in zip(pictures, frames(13), strict=True):
        assert np.abs(found.astype(int) - expected).mean() < 4


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("size", [(31, 32), (32, 31), (33, 17), (1, 1), (28, 28)])
@pytest.mark.parametrize("channels", [1, 3])
def test_odd_sizes_and_grey(kind: str, size: tuple[int, int], channels: int, tmp_path: Path) -> None:
    path = tmp_path / f"film{kind}"
    write_film(path, frames(3, *size, channels))
    pictures, _ = read(path)
    even = tuple(n + n % 2 for n in size) if kind == ".mp4" else size
    assert [p.shape for p in pictures] == [(*even, 3)] * 3
    cut = pictures[0][: size[0], : size[1]].astype(int)
    assert np.abs(cut - next(frames(1, *size, channels))).mean() < 8
    if channels == 1:
        assert np.abs(cut - cut.mean(-1, keepdims=True)).max() < 12, "grey stays grey"


@pytest.mark.parametrize("kind", [".gif", ".webp"])
def test_loops_for_ever(kind: str, tmp_path: Path) -> None:
    write_film(tmp_path / f"film{kind}", frames(3))
    with Image.open(tmp_path / f"film{kind}") as film:
        assert film.is_animated and film.info["loop"] == 0


def test_mp4_is_what_browsers_play(tmp_path: Path) -> None:
    import av

    write_film(tmp_path / "film.mp4", frames(5))
    with av.open(str(tmp_path / "film.mp4")) as film:
        stream = film.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
    content = (tmp_path / "film.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat"), "the index comes first"


@pytest.mark.parametrize("kind", FORMATS)
def test_one_frame_and_capitals(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / f"FILM{kind.upper()}"
    assert write_film(path, frames(1)) == 1 and path.stat().st_size > 100


@pytest.mark.parametrize("kind", FORMATS)
def test_no_half_file_after_an_exception(kind: str, tmp_path: Path) -> None:
    """An older film of that name stays as it was."""
    path = tmp_path / f"film{kind}"
    path.write_bytes(b"the older one")

    def broken() -> Iterator[np.ndarray]:
        yield from frames(5)
        raise RuntimeError("the network stumbled")

    with pytest.raises(RuntimeError, match="stumbled"):
        write_film(path, broken())
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"the older one"


def mixed_sizes() -> Iterator[np.ndarray]:
    yield from frames(2)
    yield from frames(1, 16, 16)


@pytest.mark.parametrize(
    ("name", "given", "fps", "message"),
    [
        ("film.avi", frames(1), 24, "not a known kind of film; the name must end in .mp4, .gif, .webp"),
        ("film", frames(1), 24, "not a known kind of film"),
        ("film.gif", iter(()), 24, "there are no frames to write"),
        ("film.gif", frames(1), 0, "--fps must be above 0"),
        ("film.mp4", frames(1), -3, "--fps must be above 0"),
        ("film.mp4", frames(1), float("nan"), "--fps must be above 0"),
        ("film.gif", frames(1), 60, "for .gif, at most 50, not 60"),
        ("film.mp4", mixed_sizes(), 24, "frame 3 has shape (16, 16, 3), but the first one (32, 32, 3)"),
        ("file/film.mp4", frames(1), 24, "cannot be written"),
        ("film.mp4", iter([np.zeros((8, 16_400, 3), np.uint8)]), 24, "frames of 16400x8 px are too large"),
        ("film.webp", iter([np.zeros((16_384, 8, 3), np.uint8)]), 24, "frames of 8x16384 px are too large"),
        ("film.gif", iter([np.zeros((8, 65_536, 1), np.uint8)]), 24, "frames of 65536x8 px are too large"),
        (
            "film.mp4",
            iter([np.broadcast_to(np.uint8(0), (16_380, 16_380, 3))]),
            24,
            "are too large for a .mp4",
        ),
    ],
)
def test_mistakes(name: str, given: Iterator[np.ndarray], fps: float, message: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError) as caught:
        write_film(tmp_path / name, given, fps)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_is_film() -> None:
    assert [is_film(p) for p in ("a.gif", "b/A.MP4", Path("c.webp"), "d.png", "mp4")] == [True] * 3 + [
        False
    ] * 2


PEAK = """
import resource, sys
import numpy as np
from facegan.video import write_film
noise = np.random.default_rng(0)
count, path = int(sys.argv[1]), sys.argv[2]
write_film(path, (np.repeat(noise.integers(0, 255, (16, 16, 3), np.uint8), 8, 0).repeat(8, 1)
                  for _ in range(count)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.parametrize("kind", FORMATS)
def test_memory_does_not_grow_with_the_number_of_frames(kind: str, tmp_path: Path) -> None:
    """500 frames of 128x128 more are 24 MB of pixels; less than a fifth of it may stay."""
    peaks = []
    for count in (50, 550):
        command = [sys.executable, "-c", PEAK, str(count), str(tmp_path / f"film{kind}")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] - peaks[0] < 4.7, f"{peaks} MB"
