"""Each transform of the augmentation pipelines against a closed form, and what all of them share."""

import itertools
import math

import numpy as np
import pytest
import torch

from facegan import rng
from facegan.augment import AUGMENT_NAMES, ada, sampling
from facegan.augment.ada import Pipeline, filter_bank
from facegan.augment.table import AUGMENTS

F64 = torch.float64
OFF = dict(
    flip=False, rotate90=False, translate_int=0, scale_std=0, rotate=0, stretch_std=0, translate_std=0,
    brightness_std=0, contrast_std=0, luma_flip=False, hue=0, saturation_std=0,
)  # fmt: skip


def only(**settings):
    return Pipeline(**{**OFF, **settings})


def fixed(**values):
    """Draws that are said: name=(u0, u1, u2); whatever else is asked for is 0.5 and hits at p = 1."""

    def draw(purpose, k):
        row = [*values.get(purpose.replace("-", "_"), (0.0,)), 0.5, 0.5, 0.5]
        return torch.tensor([row[:k]] * draw.count, dtype=F64)

    draw.count = 2
    return draw


def random_draw(count, first=0, dtype=F64):
    return lambda purpose, k: torch.from_numpy(rng.uniform(0, purpose, first, count, k)).to(dtype)


def pictures(n=2, c=3, h=16, w=16, seed=0):
    """Smooth random pictures."""
    x = torch.randn(n, c, h, w, dtype=F64, generator=torch.Generator().manual_seed(seed))
    kernel = torch.ones(c, 1, 5, 5, dtype=F64) / 25
    return torch.nn.functional.conv2d(x, kernel, padding=2, groups=c)


def quantile(value):
    """The uniform number that becomes ``value`` of N(0, 1)."""
    return 0.5 * (1 + math.erf(value / math.sqrt(2)))


def test_names_are_those_of_the_table():
    assert set(AUGMENT_NAMES) == set(AUGMENTS)


@pytest.mark.parametrize("name", AUGMENTS)
def test_nothing_at_p_0(name):
    x = pictures()
    assert AUGMENTS[name](x, 0.0, random_draw(2)) is x


@pytest.mark.parametrize("name", AUGMENTS)
@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 16, 16), (3, 24, 12), (3, 32, 32)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_images_of_every_kind_keep_shape_and_type(name, shape, dtype):
    x = pictures(4, *shape).to(dtype)
    y = AUGMENTS[name](x, 0.9, random_draw(4, dtype=dtype))
    assert y.shape == x.shape and y.dtype == dtype and bool(y.isfinite().all())


@pytest.mark.parametrize("name", AUGMENTS)
def test_an_image_is_augmented_alike_alone_and_in_any_batch(name):
    x = pictures(6)
    whole = AUGMENTS[name](x, 0.7, random_draw(6))
    parts = [AUGMENTS[name](x[i : i + 2], 0.7, random_draw(2, i)) for i in (0, 2, 4)]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", AUGMENTS)
def test_differentiable_twice(name):
    x = pictures(2, 3, 8, 8).requires_grad_(True)
    draw = random_draw(2)
    assert torch.autograd.gradgradcheck(lambda v: AUGMENTS[name](v.tanh(), 0.9, draw), x, fast_mode=True)


@pytest.mark.parametrize("name", ["ada", "ada-face"])
def test_an_untouched_image_comes_back(name):
    """Where no transform hits, the two orthogonal filters undo each other."""
    x = torch.rand(2, 3, 17, 22, dtype=F64)
    y = AUGMENTS[name](x, 1e-9, lambda purpose, k: torch.full((2, k), 0.7, dtype=F64))
    torch.testing.assert_close(y, x, rtol=0, atol=1e-10)


# --- geometry --------------------------------------------------------------------------------------


def test_mirror():
    x = pictures(h=12, w=10)
    for pipeline in (only(flip=True), only(flip=True, scale_std=0.2)):  # on its own, and in the warp
        torch.testing.assert_close(pipeline(x, 1.0, fixed(flip=(0, 0.5))), x.flip(3), rtol=0, atol=1e-9)
        torch.testing.assert_close(pipeline(x, 1.0, fixed(flip=(0, 0.49))), x, rtol=0, atol=1e-9)


@pytest.mark.parametrize("turns", range(4))
def test_quarter_turns(turns):
    x = pictures()
    y = only(rotate90=True)(x, 1.0, fixed(rotate90=(0, (turns + 0.5) / 4)))
    expected = np.rot90(x.numpy(), -turns, (2, 3))  # y points down: a positive angle turns clockwise
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-9)


def test_whole_pixels():
    """u = 0.75 of +-0.125 x 16 px is 1 px to the right; u = 0 is 2 px up. Edges are mirrored in."""
    x = pictures()
    y = only(translate_int=0.125)(x, 1.0, fixed(translate_int=(0, 0.75, 0.0)))
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (4, 4), (4, 4)), "symmetric")
    np.testing.assert_allclose(y.numpy(), padded[:, :, 6:22, 3:19], atol=1e-9)


def blob(h, w, cx, cy, sx, sy=None, angle=0.0):
    """A Gaussian, turned by ``angle``; cx, cy in pixels from the centre."""
    ys, xs = np.mgrid[:h, :w]
    xs, ys = xs + 0.5 - w / 2 - cx, ys + 0.5 - h / 2 - cy
    u, v = xs * math.cos(angle) + ys * math.sin(angle), -xs * math.sin(angle) + ys * math.cos(angle)
    return torch.from_numpy(np.exp(-0.5 * ((u / sx) ** 2 + (v / (sy or sx)) ** 2)))[None, None].expand(
        2, 3, -1, -1
    )


# What a transform makes of a blob: settings, draws, and the blob that must come out of blob(5, 0, 3, 3).
MOVES = {
    "larger": ({"scale_std": 0.2}, {"scale": (0, quantile(1.0))}, lambda s: (5 * s, 0, 3 * s, 3 * s), 2**0.2),
    "smaller": ({"scale_std": 0.2}, {"scale": (0, quantile(-1))}, lambda s: (5 * s, 0, 3 * s, 3 * s),
                2**-0.2),
    "stretched": ({"stretch_std": 0.2}, {"stretch": (0, quantile(1.0))}, lambda s: (5 * s, 0, 3 * s, 3 / s),
                  2**0.2),
    "moved": ({"translate_std": 0.125}, {"translate": (0, quantile(0.5), quantile(-0.25))},
              lambda s: (5 + 3.0, -2.0, 3, 3), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", MOVES)
def test_blobs_move_as_they_should(name):
    settings, draws, after, s = MOVES[name]
    h, w = 64, 48
    y = only(**settings)(blob(h, w, 5, 0, 3), 1.0, fixed(**draws))
    cx, cy, sx, sy = after(s)
    torch.testing.assert_close(y, blob(h, w, cx, cy, sx, sy), rtol=0, atol=0.01)


def test_rotation_by_30_degrees():
    u = 0.5 + 30 / 360
    pipeline = only(rotate=1.0)
    y = pipeline(blob(64, 64, 8, 0, 5, 3), 1.0, fixed(rotate_before=(0, u), rotate_after=(1, 0.5)))
    c, s = math.cos(math.pi / 6), math.sin(math.pi / 6)
    torch.testing.assert_close(y, blob(64, 64, 8 * c, 8 * s, 5, 3, math.pi / 6), rtol=0, atol=0.01)


def test_steps_in_the_papers_order():
    """First moved by 4 px, then scaled by 2: the blob ends 8 px from the centre (not 4)."""
    pipeline = only(translate_int=0.125, scale_std=1.0)
    y = pipeline(blob(64, 64, 0, 0, 3), 1.0, fixed(translate_int=(0, 0.75, 0.5), scale=(0, quantile(1.0))))
    torch.testing.assert_close(y, blob(64, 64, 8, 0, 6), rtol=0, atol=0.01)


def test_wavelets_are_orthogonal_to_their_shifts_by_two():
    for taps in (sampling.SYM6, ada.SYM2):
        h = np.asarray(taps)
        assert h.sum() == pytest.approx(math.sqrt(2), abs=1e-9)
        for shift in range(0, len(h), 2):
            assert h[shift:] @ h[: len(h) - shift] == pytest.approx(float(shift == 0), abs=1e-9)


# --- colour ----------------------------------------------------------------------------------------

AXIS = np.full(3, 3**-0.5)
COLOURS = {
    "brighter": (dict(brightness_std=0.2), dict(brightness=(0, quantile(1.5))), np.eye(3), 0.3),
    "more contrast": (dict(contrast_std=0.5), dict(contrast=(0, quantile(2.0))), 2 * np.eye(3), 0),
    "luma flipped": (dict(luma_flip=True), dict(luma_flip=(0, 0.5)), np.eye(3) - 2 * np.outer(AXIS, AXIS), 0),
    # A third of the circle about the grey axis makes red green, green blue, and blue red.
    "hue": (dict(hue=1.0), dict(hue=(0, 0.5 + 1 / 3)), np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]]), 0),
    "grey": (dict(saturation_std=50.0), dict(saturation=(0, quantile(-2.0))), np.full((3, 3), 1 / 3), 0),
    "twice as saturated": (dict(saturation_std=1.0), dict(saturation=(0, quantile(1.0))),
                           np.full((3, 3), -1 / 3) + 2 * np.eye(3), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", COLOURS)
def test_colours(name):
    settings, draws, matrix, shift = COLOURS[name]
    x = pictures()
    y = only(**settings)(x, 1.0, fixed(**draws))
    expected = np.einsum("ij,njhw->nihw", matrix, x.numpy()) + shift
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-9)


def test_brightness_before_contrast():
    x = pictures()
    pipeline = only(brightness_std=0.2, contrast_std=0.5)
    y = pipeline(x, 1.0, fixed(brightness=(0, quantile(1.5)), contrast=(0, quantile(2.0))))
    torch.testing.assert_close(y, 2 * (x + 0.3), rtol=0, atol=1e-9)


def test_grey_pictures_stay_the_grey_of_colour_ones():
    grey = pictures(4, 1)
    pipeline, draw = AUGMENTS["ada"], random_draw(4)
    colour = pipeline(grey.expand(-1, 3, -1, -1), 0.9, draw)
    torch.testing.assert_close(pipeline(grey, 0.9, draw), colour.mean(1, keepdim=True), rtol=0, atol=1e-12)


# --- filters and corruptions -----------------------------------------------------------------------


def test_bands_sum_to_the_identity_and_pass_their_frequencies():
    bank = np.asarray(filter_bank())
    total = bank.sum(0)
    delta = np.zeros_like(total)
    delta[len(total) // 2] = 1
    np.testing.assert_allclose(total, delta, atol=1e-9)
    np.testing.assert_allclose(bank, bank[:, ::-1], atol=1e-9)  # no shift of phase
    frequencies = [1 / 32, 3 / 32, 3 / 16, 3 / 8]  # the middle of each band, in cycles a sample
    times = np.arange(bank.shape[1]) - bank.shape[1] // 2
    response = [[abs(row @ np.exp(2j * np.pi * f * times)) for f in frequencies] for row in bank]
    assert (np.argmax(response, 0) == np.arange(4)).all()


def test_amplifying_a_band_keeps_the_expected_power():
    """Band 2 four times as strong, all divided by sqrt(10/13 + (1 + 16 + 1)/13)."""
    x = pictures(h=40, w=40)
    y = only(filter_std=1.0)(x, 1.0, fixed(filter_2=(0, quantile(2.0))))
    gains = np.array([1, 1, 4, 1]) / math.sqrt((10 + 1 + 16 + 1) / 13)
    taps = gains @ np.asarray(filter_bank())
    reach = len(taps) // 2
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (reach,) * 2, (reach,) * 2), "symmetric")
    expected = np.zeros(x.shape)
    for (i, a), (j, b) in itertools.product(enumerate(taps), repeat=2):
        expected += a * b * padded[:, :, i : i + 40, j : j + 40]
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-9)


def test_noise_has_the_strength_that_is_drawn():
    x = torch.zeros(2, 3, 64, 64, dtype=F64)

    def draw(purpose, k):
        if purpose == "noise-pixels":
            return random_draw(2)(purpose, k)
        return torch.tensor([[0.0, quantile(-1.5), 0.5], [1.0, 0.9, 0.5]], dtype=F64)

    y = only(noise_std=0.1)(x, 0.5, draw)
    assert float(y[0].std()) == pytest.approx(0.15, rel=0.03) and float(y[0].mean().abs()) < 0.01
    assert bool((y[1] == 0).all())


@pytest.mark.parametrize(
    ("u", "area"), [((0, 0.5, 0.5), 1 / 4), ((0, 0.0, 0.0), 1 / 16), ((0, 0.5, 0.0), 1 / 8)]
)
def test_cutout_blanks_a_square_of_half_the_side(u, area):
    y = only(cutout=0.5)(torch.ones(2, 3, 32, 64, dtype=F64), 1.0, fixed(cutout=u))
    assert float((y == 0).to(F64).mean()) == pytest.approx(area)


# --- how often -------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [
    dict(translate_int=0.5), dict(scale_std=0.2), dict(stretch_std=0.2), dict(translate_std=0.1),
    dict(brightness_std=0.2), dict(contrast_std=0.5), dict(hue=1.0), dict(saturation_std=1.0),
    dict(noise_std=0.1), dict(cutout=0.5), dict(rotate=1.0),
], ids=lambda s: next(iter(s)))  # fmt: skip
def test_as_many_images_are_hit_as_p_says(settings):
    """Rotation comes twice, so that one of the two hits with probability p."""
    n, p = 400, 0.3
    x = pictures(1, 3, 8, 8).expand(n, -1, -1, -1)
    y = only(**settings)(x, p, random_draw(n))
    share = float(((y - x).abs().amax((1, 2, 3)) > 1e-6).to(F64).mean())
    assert share == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / n) + 0.02)


def test_diffaugment_by_hand():
    """Brightness +0.25, saturation 0, contrast 1.5; 1 px down and 2 px left; a hole around the middle."""
    x = pictures(2, 3, 16, 16)
    draws = {"diff_colour": (0, 0.75, 0.0, 1.0), "diff_shift": (0, 0.7, 0.05), "diff_hole": (0, 0.5, 0.5)}
    y = AUGMENTS["diffaugment"](x, 1.0, fixed(**draws)).numpy()
    z = x.numpy().mean(1, keepdims=True).repeat(3, 1) + 0.25
    mean = z.mean((1, 2, 3), keepdims=True)
    z = mean + (z - mean) * 1.5
    moved = np.zeros_like(z)
    moved[:, :, 1:, :-2] = z[:, :, :-1, 2:]
    moved[:, :, 4:12, 4:12] = 0
    np.testing.assert_allclose(y, moved, atol=1e-9)
