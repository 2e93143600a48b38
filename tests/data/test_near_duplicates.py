"""Near duplicates: copies are found, different pictures are not."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegan.data.near_duplicates import NearDuplicates, alike, describe


def smooth(n: int, seed: int = 3) -> list[np.ndarray]:
    """Random pictures as smooth as photos: 7 x 7 colours, enlarged."""
    dots = np.random.default_rng(seed).integers(0, 256, (n, 7, 7, 3), np.uint8)
    return [np.asarray(Image.fromarray(d).resize((64, 64), Image.Resampling.BICUBIC)) for d in dots]


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def through(image: np.ndarray, factor: float) -> np.ndarray:
    h, w = image.shape[:2]
    small = Image.fromarray(image).resize((round(w * factor), round(h * factor)), Image.Resampling.LANCZOS)
    return np.asarray(small.resize((w, h), Image.Resampling.BICUBIC))


def brighter(image: np.ndarray) -> np.ndarray:
    return np.clip(image.astype(int) + 6, 0, 255).astype(np.uint8)


COPIES = {
    "jpeg 50": lambda image: jpeg(image, 50),
    "jpeg 85": lambda image: jpeg(image, 85),
    "half the size": lambda image: through(image, 0.5),
    "enlarged": lambda image: through(image, 1.5),
    "brighter": brighter,
    "three values changed": lambda image: np.where(np.arange(image.size).reshape(image.shape) < 3, 0, image),
}


def find(images: list[np.ndarray]) -> list[int | None]:
    return NearDuplicates().find_or_add([describe(np.ascontiguousarray(image, np.uint8)) for image in images])


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_found_among_others(kind: str) -> None:
    images = smooth(60)
    found = find([*images, *map(COPIES[kind], images)])
    assert found == [None] * 60 + list(range(60))


def test_different_pictures_are_not_reported() -> None:
    assert find(smooth(1500)) == [None] * 1500  # beyond the first growth of the table


def test_even_pictures_are_told_apart_by_their_brightness() -> None:
    even = [np.full((28, 28, 1), value, np.uint8) for value in (0, 100, 255, 103)]
    assert find(even) == [None, None, None, 1]


@pytest.mark.parametrize("size", [1, 7, 100])
def test_pieces_of_any_size_find_the_same(size: int) -> None:
    """Copies of pictures in the same piece and in earlier ones; even pictures, whose buckets overflow."""
    images = smooth(40)
    images += [np.full((28, 28, 3), value, np.uint8) for value in range(60, 200)]
    images += [jpeg(image, 50) for image in images[:20]] + images[40:60:3]
    described = [describe(np.ascontiguousarray(image, np.uint8)) for image in images]
    near, found = NearDuplicates(), []
    for at in range(0, len(described), size):
        found += near.find_or_add(described[at : at + size])
    assert found == NearDuplicates().find_or_add(described)
    assert found[:40] == [None] * 40 and found[180:200] == list(range(20))


def test_difference_is_relative_to_the_contrast() -> None:
    """A wave of amplitude 40 against one of 44: the difference has 4 / sqrt(40 * 44) of the contrast."""
    wave = np.sin(np.arange(256) / 256 * 16 * np.pi)
    one, other = (np.round(128 + a * wave).astype(np.uint8) for a in (40, 44))
    assert alike(one, other[None])[0] == pytest.approx(4 / np.sqrt(40 * 44), abs=0.01)
    assert alike(one, (other + 20)[None])[0] == np.inf


def digits(shared: Path, n: int) -> list[np.ndarray]:
    with gzip.open(shared / "data/mnist/train-images-idx3-ubyte.gz") as stream:
        raw = stream.read(16 + n * 784)
    return list(np.frombuffer(raw, np.uint8, offset=16).reshape(n, 28, 28, 1))


def photos(shared: Path, n: int) -> list[np.ndarray]:
    with zipfile.ZipFile(shared / "data/celeba-9k.zip") as archive:
        names = [name for name in sorted(archive.namelist()) if name.endswith(".jpg")][:n]
        opened = [Image.open(io.BytesIO(archive.read(name))) for name in names]
        return [np.asarray(image.convert("RGB").crop((0, 20, 178, 198)).resize((64, 64))) for image in opened]


def test_real_digits_and_faces_differ(shared: Path) -> None:
    assert find(digits(shared, 2000)) == [None] * 2000
    faces = photos(shared, 300)
    assert find([*faces, *(jpeg(face, 70) for face in faces)]) == [None] * 300 + list(range(300))
