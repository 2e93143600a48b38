"""What holds for every row of AUGMENTS."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise

import pytest
import torch
from given_draws import drawn

from facegan.augment import resample, table, wavelets
from facegan.augment.ada import Ada
from facegan.augment.draws import gaussian
from facegan.augment.table import AUGMENTS, PRESETS

NOTHING = Ada(**table.NOTHING)
Tensor = torch.Tensor


def pictures(n: int, c: int = 3, h: int = 16, w: int = 16, dtype: torch.dtype = torch.float32) -> Tensor:
    x = torch.rand(n, c, h, w, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    return x.to(dtype)


@pytest.mark.parametrize("name", AUGMENTS)
@pytest.mark.parametrize("p", [0, 0.0, torch.tensor(0.0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_strength_0_is_the_identity(name: str, p: Tensor | float, dtype: torch.dtype) -> None:
    for channels in (1, 3):
        x = pictures(5, channels, 12, 9, dtype)
        y = AUGMENTS[name](x, p, drawn(0, 5))
        assert torch.equal(y, x) and y.dtype == x.dtype


@pytest.mark.parametrize("name", AUGMENTS)
@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 16, 16), (3, 12, 20), (1, 21, 8), (3, 5, 7), (3, 2, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_shape_and_type_are_kept(name: str, shape: tuple[int, int, int], dtype: torch.dtype) -> None:
    """Half precision is the float64 result but for the rounding of the pictures."""
    x = pictures(8, *shape, dtype)
    y = AUGMENTS[name](x, 0.9, drawn(0, 8))
    assert y.shape == x.shape and y.dtype == dtype
    exact = AUGMENTS[name](x.double(), 0.9, drawn(0, 8))
    most = {torch.bfloat16: 2**-8, torch.float16: 2**-11, torch.float32: 2e-5, torch.float64: 0.0}[dtype]
    torch.testing.assert_close(y.double(), exact, rtol=most, atol=2 * most)


@pytest.mark.parametrize("name", AUGMENTS)
def test_autocast_changes_nothing(name: str) -> None:
    x = pictures(4)
    with torch.autocast("cpu", torch.bfloat16):
        y = AUGMENTS[name](x, 0.9, drawn(0, 4))
    assert torch.equal(y, AUGMENTS[name](x, 0.9, drawn(0, 4)))


@pytest.mark.parametrize("name", AUGMENTS)
def test_a_batch_can_be_split_anywhere(name: str) -> None:
    """What happens to an image depends on its own index, not on who is in the batch with it."""
    x = pictures(12)
    whole = AUGMENTS[name](x, 0.5, drawn(100, 12))
    for cuts in ((0, 1, 12), (0, 5, 6, 12)):
        parts = [AUGMENTS[name](x[a:b], 0.5, drawn(100 + a, b - a)) for a, b in pairwise(cuts)]
        torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=2e-6)
    assert not torch.allclose(whole, x)


@pytest.mark.parametrize("name", AUGMENTS)
def test_gradients_to_second_order(name: str) -> None:
    """R1 goes through the augmentation; the square makes the second derivative something to check."""
    x = pictures(2, 3, 6, 6, torch.float64).requires_grad_()
    draw = drawn(0, 2)

    def judged(x: Tensor) -> Tensor:
        return AUGMENTS[name](x, 1.0, draw).pow(3)

    assert not torch.equal(AUGMENTS[name](x, 1.0, draw), x)
    assert torch.autograd.gradcheck(judged, x, fast_mode=True)
    assert torch.autograd.gradgradcheck(judged, x, fast_mode=True)


N = 2000
# share of 16 px images that a transform alone changes with p = 0.3
SHARES = {
    "x_flip": 0.15,
    "rotate90": 0.225,
    # round(16 x U(-1/8, 1/8)) is 0 in a quarter of the cases along each axis
    "int_translation": 0.3 * 15 / 16,
    "luma_flip": 0.15,
}


@pytest.mark.parametrize("name", [f.name for f in fields(Ada) if f.name != "colour_share"])
def test_each_transform_happens_with_its_probability(name: str) -> None:
    """Four standard deviations of the share of 2000 images; those missed are as they were, bit for bit."""
    value = {"image_filter": 1.0, "noise": 0.1, "cutout": 0.5}.get(name, getattr(Ada(), name))
    share = {"image_filter": 1 - 0.7**4}.get(name, SHARES.get(name, 0.3))
    x = pictures(N)
    y = replace(NOTHING, **{name: value})(x, torch.tensor(0.3), drawn(0, N))
    changed = (y != x).flatten(1).any(1).float().mean().item()
    assert abs(changed - share) < 4 * (share * (1 - share) / N) ** 0.5


COLOURS = ("brightness", "contrast", "luma_flip", "hue", "saturation")


@pytest.mark.parametrize("name", [*COLOURS, "cutout"])
def test_only_colours_happen_with_their_share_of_the_probability(name: str) -> None:
    p = 0.6
    share = p * (0.5 if name in COLOURS else 1.0) * (0.5 if name == "luma_flip" else 1.0)
    ada = Ada(**PRESETS["ada-r3gan"])
    x = pictures(N)
    alone = replace(NOTHING, colour_share=ada.colour_share, **{name: getattr(ada, name)})
    changed = (alone(x, p, drawn(0, N)) != x).flatten(1).any(1).float().mean().item()
    assert abs(changed - share) < 4 * (share * (1 - share) / N) ** 0.5


@pytest.mark.parametrize("name", ["diffaugment", "flip"])
def test_the_others_happen_with_theirs(name: str) -> None:
    share = {"diffaugment": 0.3, "flip": 0.15}[name]
    x = pictures(N, 3, 8, 8)
    changed = (AUGMENTS[name](x, 0.3, drawn(0, N)) != x).flatten(1).any(1).float().mean().item()
    assert abs(changed - share) < 4 * (share * (1 - share) / N) ** 0.5


@pytest.mark.parametrize("name", AUGMENTS)
def test_every_transform_has_a_purpose_of_its_own(name: str) -> None:
    asked: list[str] = []

    def draw(purpose: str, k: int) -> Tensor:
        asked.append(purpose)
        return drawn(0, 2)(purpose, k)

    AUGMENTS[name](pictures(2), 0.5, draw)
    assert asked and len(set(asked)) == len(asked)


@pytest.mark.parametrize("name", AUGMENTS)
@pytest.mark.parametrize("u", [0.0, 1.0])
def test_the_ends_of_the_random_numbers_are_harmless(name: str, u: float) -> None:
    """float64 numbers just below 1 become 1 in float32. The first of each row decides on the hit."""

    def draw(purpose: str, k: int) -> Tensor:
        return torch.cat([torch.zeros(2, 1), torch.full((2, k - 1), u)], dim=1)

    y = AUGMENTS[name](pictures(2), 1.0, draw)
    assert y.isfinite().all() and y.abs().max() < 1e3


def test_normal_numbers_are_normal() -> None:
    z = gaussian(drawn(0, 5000)("", 4).double())
    assert abs(z.mean()) < 0.03 and abs(z.std() - 1) < 0.02
    assert abs((z.abs() < 1).double().mean() - 0.6827) < 0.015
    assert (torch.corrcoef(z.T) - torch.eye(4)).abs().max() < 0.06


@pytest.mark.parametrize("name", AUGMENTS)
def test_other_devices_operators_give_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU, or a device without a derivative of grid_sample, computes instead; here on the CPU."""

    def results() -> list[Tensor]:
        x = pictures(6, dtype=torch.float64).requires_grad_()
        y = AUGMENTS[name](x, 0.4, drawn(0, 6))
        (g,) = torch.autograd.grad(y.pow(3).sum(), x, create_graph=True)
        return [y, g, torch.autograd.grad(g.square().sum(), x)[0]]

    usual = results()
    for module, constant in ((resample, "KNOWN"), (resample, "SAMPLED"), (wavelets, "IN_BLOCKS")):
        monkeypatch.setattr(module, constant, ())
        torch.testing.assert_close(results(), usual)


@pytest.mark.parametrize("hit", [[0, 1, 1, 0, 1], [0] * 5, [1] * 5])
def test_only_images_that_are_hit_are_resampled(hit: list[int]) -> None:
    x, other = pictures(5), torch.zeros(5, 3, 16, 16)
    back = torch.eye(3) + 0.1 * torch.randn(5, 3, 3, generator=torch.Generator().manual_seed(0))
    result = resample.resample_where(torch.tensor(hit) > 0, x, back, otherwise=other)
    for i in range(5):
        expected = resample.resample(x[i : i + 1], back[i : i + 1]) if hit[i] else other[i : i + 1]
        torch.testing.assert_close(result[i : i + 1], expected, rtol=0, atol=2e-6)


def test_the_face_preset_keeps_faces_upright_and_positive() -> None:
    """None of the angles is above 10 degrees, nor is a picture turned by quarters or made a negative."""
    face = Ada(**PRESETS["ada-face"])
    assert not face.rotate90 and not face.luma_flip and face.x_flip
    assert 180 * face.rotation <= 10 + 1e-9
    for field in fields(Ada):
        assert getattr(face, field.name) <= getattr(Ada(), field.name)
