"""Pictures as people have them; pictures of other shapes are cut as the dataset was, never squashed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import facegan
from facegan.data.dataset import Dataset
from facegan.data.prepare import prepare
from facegan.errors import FaceganError
from facegan.generator import Generator
from facegan.images import luma, save_png
from facegan.metrics.image_sets import of_folder, of_model
from facegan.metrics.shapes import like, of_array

SIZES = {"wide": (40, 64), "tall": (80, 56), "twice": (64, 64), "small": (20, 20)}


def photo(height: int, width: int, seed: int) -> np.ndarray:
    """Smooth colours with a round disc in the middle."""
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(seed)
    ground = np.stack([(x * 255 // width), (y * 255 // height), np.full_like(x, rng.integers(256))], 2)
    disc = (x - width / 2 + 0.5) ** 2 + (y - height / 2 + 0.5) ** 2 < (0.3 * min(height, width)) ** 2
    return np.where(disc[..., None], rng.integers(256, size=3), ground).astype(np.uint8)


def folder(at: Path, sizes: list[tuple[int, int]], count: int = 12) -> Path:
    at.mkdir(parents=True)
    for i in range(count):
        save_png(at / f"{i:02d}.png", photo(*sizes[i % len(sizes)], i))
    return at


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Dataset]:
    """A dataset of a crop and size, made of square photos."""
    made: dict[Any, Dataset] = {}
    at = tmp_path_factory.mktemp("shapes")
    square = folder(at / "square", [(48, 48)])

    def get(crop: str = "center", size: int | tuple[int, int] = 32, gray: bool = False) -> Dataset:
        key = (crop, size, gray)
        if key not in made:
            plain = "none" if crop == "aligned" else crop
            out = at / f"d{len(made)}"
            made[key] = prepare(square, out, crop=plain, size=size, gray=gray, workers=1)
            if crop == "aligned":  # as a dataset of faces says of itself
                made[key].crop["kind"] = "aligned"
        return made[key]

    return get


@pytest.mark.parametrize("sizes", [["wide"], ["tall"], ["twice"], ["small"], ["wide", "tall", "twice"]])
@pytest.mark.parametrize("gray", [False, True])
def test_cut_as_the_dataset_was(sizes: list[str], gray: bool, data: Any, tmp_path: Path) -> None:
    """The same files through 'prepare' give the same pictures, to the bit."""
    photos = folder(tmp_path / "photos", [SIZES[s] for s in sizes])
    expected = prepare(photos, tmp_path / "d", crop="center", size=32, gray=gray, workers=1)
    found, said = like(of_folder(photos), data(gray=gray))
    assert found.shape == (32, 32, 1 if gray else 3) and found.sizes == {(32, 32)}
    rows = {source: row for row, source in enumerate(expected.sources())}
    order = [rows[str(file)] for file in sorted(photos.iterdir())]
    np.testing.assert_array_equal(found.at(np.arange(12)), expected.images()[order])
    cut = any(s in ("wide", "tall") for s in sizes)
    assert ("cut around the centre" in said) == cut and "to 32x32" in said


def test_the_disc_stays_round(data: Any) -> None:
    """Across as high as wide: squashed it would be 0.6 of that."""
    wide = np.zeros((12, 60, 100, 3), np.uint8)
    y, x = np.mgrid[:60, :100]
    wide[:, (x - 49.5) ** 2 + (y - 29.5) ** 2 < 20**2] = 255
    found, _ = like(of_array(wide), data())
    disc = found.at(np.array([0]))[0, ..., 0] > 127
    across, high = disc.any(0).sum(), disc.any(1).sum()
    assert across == high == pytest.approx(40 * 32 / 60, abs=1)


REFUSED = {
    ("none", "wide"): "pictures of 64x40 px, and those of",
    ("aligned", "tall"): "pictures of 56x80 px, and those of",
    ("aligned", "mixed"): "prepare ... --crop aligned --size 32'",
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_aspects_of_other_crops_are_refused(case: tuple[str, str], data: Any, tmp_path: Path) -> None:
    crop, shape = case
    sizes = [SIZES["wide"], SIZES["twice"]] if shape == "mixed" else [SIZES[shape]]
    photos = folder(tmp_path / "photos", sizes)
    with pytest.raises(FaceganError) as caught:
        facegan.evaluate(photos, data(crop), "pixels")
    text = str(caught.value)
    assert REFUSED[case] in text and "prepare them as the dataset was" in text and "\n" not in text


@pytest.mark.parametrize("crop", ["none", "aligned", "center"])
@pytest.mark.parametrize("size", [(64, 64), (33, 32), (20, 20), (65, 64)])
def test_other_sizes_of_the_same_aspect_are_resized(crop: str, size: tuple[int, int], data: Any) -> None:
    found, said = like(of_array(np.stack([photo(*size, i) for i in range(10)])), data(crop))
    assert found.at(np.arange(10)).shape == (10, 32, 32, 3) and "brought to 32x32" in said


def test_a_model_of_another_shape(data: Any, tiny_model: Generator) -> None:
    with pytest.raises(FaceganError, match="measure a model against a dataset of its own shape"):
        like(of_model(tiny_model, "model", 12), data("none", (48, 32)))
    found, said = like(of_model(tiny_model, "model", 12), data("none", 64))
    assert (
        found.at(np.arange(2)).shape == (2, 64, 64, 3)
        and said == "model has 32x32 px and was brought to 64x64"
    )
    assert like(of_model(tiny_model, "model", 12), data("center", 32))[1] == ""


# --- arrays ---------------------------------------------------------------------------------------

BATCH = np.stack([photo(32, 32, i) for i in range(12)])
TAKEN: dict[str, Callable[[], Any]] = {
    "uint8": lambda: BATCH,
    "floats 0..1": lambda: BATCH / 255,
    "floats -1..1": lambda: BATCH / 127.5 - 1,
    "uint16": lambda: BATCH.astype(np.uint16) * 257,
    "channels first": lambda: BATCH.transpose(0, 3, 1, 2),
    "tensor": lambda: torch.from_numpy(BATCH).permute(0, 3, 1, 2).float() / 127.5 - 1,
    "with a gradient": lambda: (torch.from_numpy(BATCH) / 255).requires_grad_(),
    "list": lambda: list(BATCH),
    "list of floats": lambda: list(BATCH / 255),
    "list of tensors": lambda: list(torch.from_numpy(BATCH)),
    "list of Pillow's": lambda: [Image.fromarray(p) for p in BATCH],
    "tuple": lambda: tuple(BATCH),
    "lists of lists": lambda: [p.tolist() for p in BATCH],
}


@pytest.mark.parametrize("kind", TAKEN)
def test_pictures_as_people_have_them(kind: str) -> None:
    found = of_array(TAKEN[kind]())
    assert found.shape == (32, 32, 3)
    np.testing.assert_array_equal(found.at(np.arange(12)), BATCH)


def test_grey_and_mixed_pictures(data: Any) -> None:
    grey = np.stack([luma(p) for p in BATCH])
    for given in (grey, grey[..., 0], list(grey[..., 0])):
        assert of_array(given).shape == (32, 32, 1)
    mixed = [photo(40, 64, 0), photo(64, 64, 1) / 1.0, grey[0, ..., 0]]
    found, said = like(of_array(mixed), data())
    assert found.at(np.arange(3)).shape == (3, 32, 32, 3) and "32x32 to 64x64 px" in said
    np.testing.assert_array_equal(found.at(np.array([2]))[0], np.repeat(grey[0], 3, 2))


REFUSED_ARRAYS: dict[str, tuple[Callable[[], Any], str]] = {
    "none": (lambda: None, "not None"),
    "number": (lambda: 7, "not 7"),
    "one picture": (lambda: np.zeros((2, 3)), "not an array of shape (2, 3)"),
    "five dimensions": (lambda: np.zeros((1, 2, 8, 8, 3)), "not an array of shape (1, 2, 8, 8, 3)"),
    "alpha": (lambda: np.zeros((12, 32, 32, 4)), "leave out the alpha channel"),
    "empty": (lambda: [], "not an empty list"),
    "no pictures": (lambda: np.zeros((0, 8, 8, 3)), "is empty"),
    "words": (lambda: ["a.png", "b.png"], "not 'a.png'"),
    "nan": (lambda: np.where(BATCH > 250, np.nan, BATCH), "holds NaN"),
    "nan in a list": (lambda: [np.full((8, 8, 3), np.nan), BATCH[0] / 255], "holds NaN"),
    "in doubt": (lambda: BATCH / 255 * 3, "bring them to uint8, or to floats from 0 to 1"),
    "complex": (lambda: BATCH.astype(complex), "complex128"),
}


@pytest.mark.parametrize("kind", REFUSED_ARRAYS)
def test_arrays_that_are_no_pictures(kind: str, data: Any) -> None:
    make, message = REFUSED_ARRAYS[kind]
    with pytest.raises(FaceganError) as caught:
        facegan.evaluate(make(), data(), "pixels")
    assert message in str(caught.value) and "\n" not in str(caught.value)


ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "metrics": ({"metrics": ["fud"]}, "metrics='fud': choose of fid, kid"),
    "metrics of numbers": ({"metrics": [1]}, "metrics: choose of fid, kid"),
    "table": ({"table": "vgg"}, "--features vgg: choose faces"),
    "table none": ({"table": None}, "--features None: choose faces"),
    "against": ({"against": None}, "against must be a path, not None"),
    "against an array": ({"against": BATCH}, "against must be a path, not an array of shape (12, 32, 32, 3)"),
    "split": ({"split": "best"}, "there is no split 'best'"),
    "subject": ({"subject": "nobody"}, "nobody: no such run folder, model file or bundled model"),
}


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_arguments_of_evaluate(kind: str, data: Any) -> None:
    changes, message = ARGUMENTS[kind]
    with pytest.raises(FaceganError) as caught:
        facegan.evaluate(**{"subject": BATCH, "against": data(), "table": "pixels", **changes})
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_metrics_in_a_text_and_names(data: Any, tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", [(32, 32)])
    by_name = facegan.evaluate(str(photos), data().path, "pixels", metrics="fid, kid", floor=False)
    by_array = facegan.evaluate(
        of_folder(photos).at(np.arange(12)), data(), "pixels", metrics=["fid", "kid"], floor=False
    )
    assert by_name.values == by_array.values and set(by_name.values) == {"fid", "kid", "kid_low", "kid_high"}
