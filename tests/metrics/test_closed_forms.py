"""Every metric on sets for which its value can be derived, and what none of them may depend on."""

import math

import numpy as np
import pytest
import torch

from facegan.generator import Latent
from facegan.metrics import fid, kid, memorization, msssim, neighbours, path_length, prdc, swd


def normal(n, dim, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim))


def exactly(mean, covariance, n=400, seed=0):
    """``n`` points whose sample mean and covariance are these to rounding: noise, whitened, coloured."""
    x = normal(n, len(mean), seed)
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return x @ np.linalg.cholesky(covariance).T + mean


# --- Frechet's distance ---------------------------------------------------------------------------


def test_fid_of_the_same_set_is_zero():
    x = normal(300, 20)
    assert fid.fid(x, x) == pytest.approx(0, abs=1e-9)


def test_fid_of_a_shift_is_its_square():
    x = normal(300, 20)
    assert fid.fid(x, x + 0.5) == pytest.approx(20 * 0.25, rel=1e-9)


def test_fid_of_a_stretch():
    """Roots of commuting covariances: tr(S + s^2 S - 2 s S) = (s - 1)^2 tr(S)."""
    x = normal(300, 20)
    x -= x.mean(0)
    assert fid.fid(x, 3 * x) == pytest.approx(4 * np.trace(np.cov(x, rowvar=False)), rel=1e-9)


def test_fid_of_two_gaussians_that_do_not_commute():
    """In two dimensions tr((AB)^(1/2)) = sqrt(tr(AB) + 2 sqrt(det(AB))), by Cayley and Hamilton."""
    a, b = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[1.0, -0.7], [-0.7, 3.0]])
    root = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a @ b)))
    expected = 1.0 + np.trace(a) + np.trace(b) - 2 * root
    found = fid.fid(exactly([0.0, 0.0], a), exactly([0.6, 0.8], b, seed=1))
    assert found == pytest.approx(expected, rel=1e-9)


def test_fid_of_fewer_pictures_than_dimensions_is_finite_and_real():
    """Both covariances are singular; disjoint supports leave nothing shared: |d|^2 + tr A + tr B."""
    x = np.zeros((10, 40))
    y = np.zeros((10, 40))
    x[:, :9], y[:, 20:29] = normal(10, 9), normal(10, 9, 1)
    expected = np.square(x.mean(0) - y.mean(0)).sum() + x.var(0, ddof=1).sum() + y.var(0, ddof=1).sum()
    assert fid.fid(x, y) == pytest.approx(expected, rel=1e-7)


def test_moments_in_pieces(monkeypatch):
    x = normal(100, 5).astype(np.float32)
    monkeypatch.setattr(fid, "_ROWS", 7)
    mean, covariance = fid.moments(x)
    np.testing.assert_allclose(mean, x.astype(float).mean(0), atol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(x.astype(float), rowvar=False), atol=1e-12)


# --- kernel distance ------------------------------------------------------------------------------


def slow_kid(x, y):
    def k(a, b):
        return (a @ b / len(a) + 1) ** 3

    within = [
        np.mean([k(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j]) for s in (x, y)
    ]
    return sum(within) - 2 * np.mean([k(a, b) for a in x for b in y])


def test_kid_by_a_double_loop():
    x, y = normal(11, 4), normal(13, 4, 1) + 0.3
    assert kid.kid(x, y).value == pytest.approx(slow_kid(x, y), rel=1e-5)


def test_kid_interval_is_the_jackknife(monkeypatch):
    """Leaving out each point and computing again gives the variance that the sums give at once."""
    monkeypatch.setattr(kid, "_ROWS", 4)
    x, y = normal(9, 3), normal(8, 3, 1) + 1
    variance = 0.0
    for which in (x, y):
        rest = [
            slow_kid(*((np.delete(s, i, 0) if s is which else s) for s in (x, y))) for i in range(len(which))
        ]
        variance += (len(rest) - 1) / len(rest) * np.square(rest - np.mean(rest)).sum()
    found = kid.kid(x, y)
    assert found.high - found.value == pytest.approx(1.959964 * np.sqrt(variance), rel=1e-5)
    assert found.value - found.low == pytest.approx(found.high - found.value)


@pytest.mark.parametrize("mean", [0.0, 0.3])
def test_kid_has_no_bias_and_its_interval_covers(mean):
    """Sixteen coins of +-1 with means m and n: xy is 2 B - 16, B binomial with p = (1 + mn) / 2, so that
    E (xy / 16 + 1)^3 is a finite sum. The interval is a little wide where the sets are alike."""

    def expected(product):
        p = (1 + product) / 2
        return sum(math.comb(16, b) * p**b * (1 - p) ** (16 - b) * (b / 8) ** 3 for b in range(17))

    def coins(n, mean, seed):
        return np.where(np.random.default_rng(seed).random((n, 16)) < (1 + mean) / 2, 1.0, -1.0)

    truth = expected(0) + expected(mean**2) - 2 * expected(0)
    found = [kid.kid(coins(60, 0, 2 * i), coins(80, mean, 2 * i + 1)) for i in range(300)]
    values = np.array([f.value for f in found])
    assert abs(values.mean() - truth) < 4 * values.std() / np.sqrt(len(values))
    assert 0.92 < np.mean([f.low <= truth <= f.high for f in found]) < 0.995


# --- nearest neighbours ---------------------------------------------------------------------------


def test_neighbours_by_a_double_loop(monkeypatch):
    monkeypatch.setattr(neighbours, "_BYTES", 4 * 30 * 4)
    x, y = normal(25, 6) + 100, normal(30, 6, 1) + 100  # far from the origin: cancellation would show
    rows, distances = neighbours.nearest(x, y)
    full = np.square(x[:, None] - y[None]).sum(2)
    np.testing.assert_array_equal(rows, full.argmin(1))
    np.testing.assert_allclose(distances, full.min(1), rtol=1e-9)
    own = np.sort(np.square(x[:, None] - x[None]).sum(2), axis=1)
    np.testing.assert_allclose(neighbours.radii(x, [3])[0], own[:, 3], rtol=1e-5)
    for radius, k in zip(neighbours.radii(x, (2, 5)), (2, 5), strict=True):
        np.testing.assert_allclose(radius, own[:, k], rtol=1e-5)


def test_twins_are_neighbours_at_no_distance():
    x = np.repeat(normal(5, 3), 3, axis=0)
    assert neighbours.radii(x, [2])[0].max() == pytest.approx(0, abs=1e-5)


def test_prdc_of_the_same_set():
    """Every ball holds itself and k - 1 neighbours inside its border: density is k / k."""
    x = normal(60, 4)
    found = prdc.prdc(x, x, 5)
    assert found == {"precision": 1.0, "recall": 1.0, "density": 1.0, "coverage": 1.0}


def test_prdc_of_two_balls_apart():
    x = normal(60, 4)
    found = prdc.prdc(x, x + 100, 5)
    assert set(found.values()) == {0.0}


def test_prdc_of_half_a_set():
    """Two far balls of real pictures, one of them generated: precision stays, recall and coverage halve."""
    ball = normal(50, 4)
    found = prdc.prdc(np.concatenate([ball, ball + 100]), np.concatenate([ball, ball + 1e-9]), 5)
    assert found["precision"] == 1.0 and found["coverage"] == 0.5 and found["recall"] == 0.5


def test_one_outlier_widens_precision_but_not_density():
    """A real outlier's ball reaches far and takes a bad sample in; density counts it as one of k."""
    ball = normal(50, 2)
    real = np.concatenate([ball, [[50.0, 0.0]]])
    bad = np.repeat([[30.0, 0.0]], 10, axis=0)
    found = prdc.prdc(real, bad, 5)
    assert found["precision"] == 1.0 and found["density"] == pytest.approx(1 / 5)


def test_memorization():
    train, held_out = normal(200, 8), normal(100, 8, 1)
    copies = memorization.memorization(train, held_out, train[:50])
    assert (copies.share, copies.nearer) == (1.0, 1.0)
    assert {p[:2] for p in copies.pairs} <= {(i, i) for i in range(50)} and len(copies.pairs) == 10
    others = memorization.memorization(train, held_out, held_out)
    assert others.share == pytest.approx(0.05) and others.nearer == pytest.approx(0.5)
    far = memorization.memorization(train, held_out, held_out + 10)
    assert (far.share, far.nearer) == (0.0, 0.0)


# --- pixels ---------------------------------------------------------------------------------------


def pictures(n, side=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), np.uint8)


def test_the_pyramid_adds_up_to_the_picture():
    x = pictures(3, 64)
    levels = swd._levels(x)
    assert [level.shape[2] for level in levels] == [64, 32, 16]
    total = levels[-1]
    for level in levels[-2::-1]:
        large = torch.zeros_like(level)
        large[:, :, ::2, ::2] = total
        total = level + 4 * swd._blur(large)
    np.testing.assert_allclose(total.permute(0, 2, 3, 1), x, atol=1e-2)


def test_swd_of_the_same_set_is_zero_and_light_does_not_count():
    x = pictures(20) // 2
    assert swd.swd(x, x)["swd"] == 0.0
    assert swd.swd(x, x + 40)["swd"] == pytest.approx(0, abs=0.5)  # each channel is normalised


def test_swd_of_scattered_dots_is_that_of_their_distributions(monkeypatch):
    """Patches of one pixel: with one channel the projection is +-1, and Wasserstein's distance of a fair coin
    (+-1) from a standardised biased one (p = 0.2: 2 with 0.2, -1/2 with 0.8) is
    0.2 * |2 - 1| + 0.3 * |-1/2 - 1| + 0.5 * |-1/2 + 1| = 0.9."""
    monkeypatch.setattr(swd, "PATCH", 1)
    monkeypatch.setattr(swd, "_levels", lambda x: [torch.from_numpy(x).permute(0, 3, 1, 2).float()])
    random = np.random.default_rng(0)
    fair, biased = (
        (random.random((200, 16, 16, 1)) < p).astype(np.uint8) * np.uint8(255) for p in (0.5, 0.2)
    )
    found = swd.swd(fair, biased)["swd"] / 1000
    assert found == pytest.approx(0.9, abs=0.05)


def test_ms_ssim_of_one_picture_is_one_and_of_noise_is_low():
    same = np.repeat(pictures(1, 64), 20, axis=0)
    assert msssim.diversity_ms_ssim(same) == pytest.approx(1.0, abs=1e-5)
    assert msssim.diversity_ms_ssim(pictures(20, 64)) < 0.1


@pytest.mark.parametrize("a, b", [(100, 100), (100, 150), (10, 240)])
def test_ms_ssim_of_flat_pictures_is_luminance(a, b):
    """No variance: only the last scale's (2ab + c) / (a^2 + b^2 + c), to its weight, is left."""
    x, y = (torch.full((1, 3, 64, 64), float(v)) for v in (a, b))
    weights = np.array(msssim.WEIGHTS[:3]) / sum(msssim.WEIGHTS[:3])
    c = (0.01 * 255) ** 2
    expected = ((2 * a * b + c) / (a * a + b * b + c)) ** weights[-1]
    assert float(msssim.ms_ssim(x, y)) == pytest.approx(expected, rel=1e-3)


class Linear:
    """G(z) = A z as a picture."""

    def __init__(self):
        self.latent = Latent(dim=4)
        self.a = torch.from_numpy(normal(12, 4).astype(np.float32))

    def labels_of(self, seeds):
        return None

    def map(self, z, labels=None):
        return z[:, None]

    def synthesize(self, w):
        return (w[:, 0] @ self.a.T).view(-1, 3, 2, 2)


def test_path_length_of_a_linear_generator_is_the_squared_distance_of_its_ends():
    model = Linear()
    z = model.latent.sample(range(100, 120))
    lengths = ((z[1::2] - z[::2]) @ model.a.T).square().sum(1).numpy()
    # Of ten paths none lies beyond the lowest and the highest percent.
    found = path_length.path_length(model, lambda x: x.flatten(1), paths=10, first_seed=100)
    assert found == pytest.approx(lengths.mean(), rel=1e-2)  # float32 differences of a thousandth


# --- what must not matter -------------------------------------------------------------------------

SETS = {
    "fid": fid.fid,
    "kid": lambda x, y: kid.kid(x, y).value,
    "precision": lambda x, y: prdc.prdc(x, y)["precision"],
    "recall": lambda x, y: prdc.prdc(x, y)["recall"],
    "density": lambda x, y: prdc.prdc(x, y)["density"],
    "coverage": lambda x, y: prdc.prdc(x, y)["coverage"],
    "memorized": lambda x, y: memorization.memorization(x, x[:50] + 0.1, y).share,
}


@pytest.mark.parametrize("name", SETS)
def test_order_and_the_size_of_blocks_do_not_matter(name, monkeypatch):
    x, y = normal(150, 6).astype(np.float32), (normal(120, 6, 1) * 1.1).astype(np.float32)
    expected = SETS[name](x, y)
    random = np.random.default_rng(2)
    assert SETS[name](x, y[random.permutation(len(y))]) == pytest.approx(expected, rel=1e-6)
    for module, constant, value in (
        (fid, "_ROWS", 11),
        (kid, "_ROWS", 13),
        (neighbours, "_BYTES", 4 * 120 * 3),
    ):
        monkeypatch.setattr(module, constant, value)
    assert SETS[name](x, y) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", SETS)
def test_float32_features_are_enough(name):
    """Features come in float32: the results are those of float64."""
    x, y = normal(150, 6), normal(120, 6, 1) * 1.1
    assert SETS[name](x.astype(np.float32), y.astype(np.float32)) == pytest.approx(SETS[name](x, y), abs=1e-5)
