"""Copies of training pictures are found, also altered ones; new pictures, blurred or not, are left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facegan.data.dataset import Dataset
from facegan.data.prepare import prepare
from facegan.demo.portraits import write_portraits
from facegan.images import resize
from facegan.metrics.copies import MIN_REAL, Copies, _two_nearest
from facegan.metrics.random_features import QuickQuality


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """300 drawn portraits: 160 to train, 60 held out, 80 that are new to everyone."""
    folder = tmp_path_factory.mktemp("portraits")
    write_portraits(folder / "drawn", 300, size=32)
    parts = ["train"] * 160 + ["val"] * 60 + ["test"] * 80
    split = folder / "split.csv"
    split.write_text("".join(f"{i + 1:06d}.png,{part}\n" for i, part in enumerate(parts)))
    return prepare([folder / "drawn"], folder / "faces", crop="none", size=32, split=split, workers=1)


def blurred(pictures: np.ndarray, size: int) -> np.ndarray:
    return np.stack([resize(resize(p, (size, size)), p.shape[:2]) for p in pictures])


def noisy(pictures: np.ndarray) -> np.ndarray:
    g = np.random.default_rng(0)
    return np.clip(pictures + g.normal(0, 20, pictures.shape), 0, 255).astype(np.uint8)


CHANGES = {
    "as it is": lambda x: x,
    "mirrored": lambda x: x[:, :, ::-1],
    "blurred": lambda x: blurred(x, 16),
    "with noise": noisy,
    "darker": lambda x: (x * 0.7).astype(np.uint8),
    "with less contrast": lambda x: (x * 0.6 + 50).astype(np.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("against", ["val", ""])
def test_copies_are_found_and_new_pictures_are_not(change: str, against: str, data: Dataset) -> None:
    copies = Copies(data.images("train"), data.images(against) if against else None)
    altered = CHANGES[change]
    assert copies(altered(np.asarray(data.images("train")))) > 0.9
    assert copies(altered(np.asarray(data.images("test")))) < 0.18, "80 pictures: 0.05, four deviations above"
    half = np.concatenate([altered(np.asarray(data.images(s)[:60])) for s in ("train", "test")])
    assert 0.45 < copies(half) < 0.6


def test_what_is_no_picture_is_no_copy(data: Dataset) -> None:
    copies = Copies(data.images("train"), data.images("val"))
    noise = np.random.default_rng(1).integers(0, 256, (64, 32, 32, 3), np.uint8)
    for pictures in (noise, np.full_like(noise, 127), np.full_like(noise, 255)):
        assert copies(pictures) < 0.2


def test_two_nearest_by_hand() -> None:
    """Of 0, 4 and 10 (mirror images negative): 3 lies at 1 and 3; 4 itself at 4 and 6 of the others."""
    plain = np.array([0.0, 4.0, 10.0], np.float32)[:, None]
    y = np.concatenate([plain, -plain])
    assert _two_nearest(np.array([[3.0]], np.float32), y)[0] == pytest.approx([1, 3], abs=0.01)
    assert _two_nearest(np.array([[-9.0]], np.float32), y)[0] == pytest.approx([1, 5], abs=0.01)
    assert _two_nearest(plain, y, itself=True)[1] == pytest.approx([4, 6], abs=0.01)


def test_many_training_pictures_are_thinned_out(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    from facegan.metrics import copies as module

    monkeypatch.setattr(module, "MAX_TRAINING", 40)
    thinned = Copies(data.images("train"), data.images("val"))
    assert len(thinned._train) == 2 * 40
    assert 0.2 < thinned(np.asarray(data.images("train"))) < 0.4, "a quarter is among those that were kept"


def test_too_few_to_tell(data: Dataset, tmp_path: Path) -> None:
    write_portraits(tmp_path / "few", MIN_REAL - 1, size=32)
    few = prepare(tmp_path / "few", tmp_path / "faces", crop="none", size=32, workers=1)
    assert Copies.of_dataset(few) is None
    found = Copies.of_dataset(data)
    assert found is not None and found._held_out is not None


def test_goes_with_the_quality_of_a_grid(data: Dataset) -> None:
    class Repeats:
        """Draws training pictures."""

        def stream(self, seeds: range) -> list[np.ndarray]:
            return [np.asarray(data.images("train"))[[s % 160 for s in seeds]]]

    quick = QuickQuality(data, 48)
    assert quick(Repeats())["copied"] > 0.9  # type: ignore[arg-type]
    assert "copied" not in QuickQuality(np.asarray(data.images("train")), 48)(Repeats())  # type: ignore[arg-type]
