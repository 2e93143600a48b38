"""The cheap quality measure: closed forms, and that it falls and rises where it should."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from facegan.data.dataset import Dataset
from facegan.data.prepare import prepare
from facegan.demo.portraits import write_portraits
from facegan.errors import DatasetError, InputError
from facegan.generator import Generator
from facegan.metrics.random_features import (
    FIRST_SEED,
    QuickQuality,
    frechet_distance,
    mean_pairwise_distance,
    thumbnails,
)


@pytest.fixture(scope="module")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("portraits")
    write_portraits(folder / "drawn", 260, size=32)
    return prepare(folder / "drawn", folder / "faces", crop="none", size=32, workers=1)


@pytest.fixture(scope="module")
def quick(portraits: Dataset) -> QuickQuality:
    return QuickQuality(portraits, 64)


def random_covariance(k: int, seed: int) -> np.ndarray:
    a = np.random.default_rng(seed).normal(size=(k, k + 3))
    return a @ a.T / k


# --- closed forms ---------------------------------------------------------------------------------


def test_distance_of_shifted_and_stretched_gaussians() -> None:
    k = 40
    mean, cov, shift = np.arange(k) / 7, random_covariance(k, 0), np.linspace(-1, 2, k)
    assert frechet_distance((mean, cov), (mean, cov)) == pytest.approx(0, abs=1e-9)
    assert frechet_distance((mean, cov), (mean + shift, cov)) == pytest.approx((shift**2).sum(), rel=1e-9)
    # Equal up to a factor f: tr(1 + f - 2 sqrt f) = (1 - sqrt f)^2 tr.
    assert frechet_distance((mean, cov), (mean, 9 * cov)) == pytest.approx(4 * np.trace(cov), rel=1e-9)
    spread_a, spread_b = np.linspace(0.1, 4, k), np.linspace(3, 0.2, k)
    expected = ((spread_a - spread_b) ** 2).sum()
    assert frechet_distance((mean, np.diag(spread_a**2)), (mean, np.diag(spread_b**2))) == pytest.approx(
        expected
    )


def test_distance_is_that_of_the_matrix_root() -> None:
    a, b = random_covariance(25, 1), random_covariance(25, 2)
    zero = np.zeros(25)
    values, vectors = np.linalg.eig(a @ b)  # not symmetric, but its eigenvalues are positive
    root = vectors @ np.diag(np.sqrt(values)) @ np.linalg.inv(vectors)
    assert np.allclose(root @ root, a @ b)
    expected = np.trace(a + b - 2 * root.real)
    assert frechet_distance((zero, a), (zero, b)) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance((zero, b), (zero, a)) == pytest.approx(expected, rel=1e-8)


def test_distance_of_flat_gaussians_is_finite() -> None:
    """Fewer pictures than features: a covariance without full rank, eigenvalues of -1e-17 and so on."""
    few = np.random.default_rng(0).normal(size=(5, 30))
    moments = few.mean(0), np.cov(few, rowvar=False)
    point = np.zeros(30), np.zeros((30, 30))
    assert frechet_distance(moments, moments) == pytest.approx(0, abs=1e-6)
    expected = (moments[0] ** 2).sum() + np.trace(moments[1])
    assert frechet_distance(moments, point) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(7, 5, 6, 1), (40, 28, 28, 3), (3, 200, 150, 3)])
def test_mean_pairwise_distance_is_the_mean_over_pairs(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    x = images.reshape(len(images), -1) / 127.5 - 1
    pairs = [np.sqrt(((x[i] - x[j]) ** 2).mean()) for i in range(len(x)) for j in range(i)]
    assert mean_pairwise_distance(images) == pytest.approx(np.mean(pairs), rel=1e-12)


def test_mean_pairwise_distance_of_extremes() -> None:
    black, white = np.zeros((1, 4, 4, 3), np.uint8), np.full((1, 4, 4, 3), 255, np.uint8)
    assert mean_pairwise_distance(np.concatenate([black, white])) == 2.0
    assert mean_pairwise_distance(np.concatenate([white] * 9)) == 0.0
    assert mean_pairwise_distance(white) == 0.0


@pytest.mark.parametrize(("side", "small"), [(28, 28), (64, 64), (80, 64), (128, 64), (1000, 64)])
def test_thumbnails_are_area_averages(side: int, small: int) -> None:
    ramp = np.linspace(0, 250, side)[None, :, None, None]
    images = np.broadcast_to(ramp, (2, side, side, 1)).round().astype(np.uint8)
    made = thumbnails(images)
    assert made.shape == (2, small, small, 1)
    fine = np.repeat(images[0, :, 0, 0].astype(float), small).reshape(small, side).mean(1)
    assert np.abs(made[1, :, 5, 0] - fine).max() <= 0.51


# --- behaviour ------------------------------------------------------------------------------------


def test_the_reference_itself_has_distance_zero(portraits: Dataset, quick: QuickQuality) -> None:
    real = portraits.images("train")
    found = quick.judge(real)  # 64 are set aside for the floor, so not quite all of them are the reference
    assert 0 <= found["quality"] < 0.15 * quick.floor
    exact = QuickQuality(np.array(real[:100]), 64)
    assert exact.judge(real[:100])["quality"] == pytest.approx(0, abs=1e-6)
    assert exact.judge(real[:100])["diversity"] == pytest.approx(1, abs=0.05)


def test_floor_is_what_other_real_pictures_get(quick: QuickQuality, tmp_path: Path) -> None:
    write_portraits(tmp_path / "others", 64, seed=1, size=32)
    others = prepare(tmp_path / "others", tmp_path / "faces", crop="none", size=32, workers=1)
    found = quick.judge(others.images("train"))
    assert 0.5 * quick.floor < found["quality"] < 1.5 * quick.floor
    assert 0.9 < found["diversity"] < 1.1


def test_val_is_the_reference_where_it_is_large_enough() -> None:
    class Split:
        def __init__(self, val: int) -> None:
            r = np.random.default_rng(0)
            self.parts = {
                "train": r.integers(0, 100, (90, 32, 32, 3), np.uint8),
                "val": r.integers(100, 256, (val, 32, 32, 3), np.uint8),
            }
            self.counts = {name: len(part) for name, part in self.parts.items()}

        def images(self, split: str) -> np.ndarray:
            return self.parts[split]

    near = {}
    for val in (30, 29):
        data = Split(val)
        quick = QuickQuality(data, 30)  # type: ignore[arg-type]
        near[val] = min(data.parts, key=lambda name: quick.judge(data.parts[name])["quality"])
    assert near == {30: "val", 29: "train"}


def test_worse_pictures_are_further_away(portraits: Dataset, quick: QuickQuality) -> None:
    real = np.array(portraits.images("train")[:128])
    draw = np.random.default_rng(0)

    def blur(times: int) -> np.ndarray:
        soft = real.astype(float)
        for axis in (1, 2) * times:
            soft = (np.roll(soft, 1, axis) + 2 * soft + np.roll(soft, -1, axis)) / 4
        return soft

    ladders = {
        "blur": [blur(times) for times in (1, 4, 16, 64)],
        "noise": [real + draw.normal(0, s, real.shape) for s in (8, 16, 32, 64)],
        "shift": [np.roll(real, s, axis=2) for s in (2, 4, 8)],
        "brightness": [real * f for f in (0.8, 0.6, 0.3)],
        "few faces": [np.resize(real[:n], real.shape) for n in (48, 16, 4, 1)],
    }
    clean = quick.judge(real)["quality"]
    for name, ladder in ladders.items():
        distances = [quick.judge(x.clip(0, 255).astype(np.uint8))["quality"] for x in ladder]
        assert clean < distances[0] and (np.diff(distances) > 0).all(), (name, clean, distances)


def test_diversity_falls_with_collapse(portraits: Dataset, quick: QuickQuality) -> None:
    real = np.array(portraits.images("train")[:64])
    half = np.concatenate([real[:32], np.repeat(real[:1], 32, axis=0)])
    whole = np.repeat(real[:1], 64, axis=0)
    found = [quick.judge(x)["diversity"] for x in (real, half, whole)]
    assert found[0] == pytest.approx(1, abs=0.1) and 0.6 < found[1] / found[0] < 0.9 and found[2] == 0.0


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (50, 50, 3), (300, 200, 3)])
def test_any_size_and_few_pictures(shape: tuple[int, int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (12, *shape), np.uint8)
    quick = QuickQuality(noise, 8)
    found = quick.judge(noise // 2)
    assert np.isfinite(quick.floor) and found["quality"] > quick.floor
    assert found["diversity"] == pytest.approx(0.5, abs=0.1)


def test_too_few_pictures_are_named() -> None:
    with pytest.raises(DatasetError, match=r"3 pictures are too few .*--quality-count 0"):
        QuickQuality(np.zeros((3, 32, 32, 3), np.uint8))
    with pytest.raises(InputError, match=r"--quality-count 1: .* at least 2"):
        QuickQuality(np.zeros((9, 32, 32, 3), np.uint8), 1)


@pytest.mark.parametrize("count", [2, 256])
def test_identical_pictures_give_numbers(count: int) -> None:
    same = np.full((4, 32, 32, 3), 90, np.uint8)
    assert QuickQuality(same, count).judge(same) == {"quality": pytest.approx(0, abs=1e-6), "diversity": 0.0}


# --- a generator ----------------------------------------------------------------------------------


def test_generator_is_judged_by_its_own_seeds(quick: QuickQuality, tiny_model: Generator) -> None:
    seeds: list[int] = []
    inner = tiny_model.latent

    class Watched(type(inner)):  # type: ignore[misc]
        def sample(self, more: range) -> torch.Tensor:
            seeds.extend(more)
            return inner.sample(more)

    tiny_model.latent = Watched(dim=64)
    try:
        found = quick(tiny_model)
    finally:
        tiny_model.latent = inner
    assert seeds == list(range(FIRST_SEED, FIRST_SEED + 64))
    assert found == quick(tiny_model)
    assert 0 <= found.pop("copied") < 0.2, "noise copies nothing"
    assert found.pop("quality_floor") == quick.floor
    assert found == quick.judge(tiny_model.sample(seeds))
    assert found["quality"] > 20 * quick.floor and set(found) == {"quality", "diversity"}


def test_other_random_numbers_are_left_alone(portraits: Dataset, tiny_model: Generator) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = QuickQuality(portraits, 64)(tiny_model)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    assert QuickQuality(portraits, 64)(tiny_model) == first


def test_cost_of_256_small_pictures() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 32, 32, 3), np.uint8)
    quick = QuickQuality(noise)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        begin = time.process_time()
        quick.judge(noise)
        assert time.process_time() - begin < 0.5  # about 0.06 s on a quiet core
    finally:
        torch.set_num_threads(threads)
