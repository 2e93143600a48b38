"""Paths against closed forms on circles, their special cases, and how many vectors they yield."""

from __future__ import annotations

import math

import pytest
import torch

from facegan.errors import InputError
from facegan.latent import PATHS, path, path_length
from facegan.latent.interpolation import along, angle, hypersphere, lerp, orthogonal, slerp

A, B = torch.tensor([1.0, 0.0], dtype=torch.float64), torch.tensor([0.0, 1.0], dtype=torch.float64)
ZERO = torch.zeros(2, dtype=torch.float64)
TIMES = [i / 8 for i in range(9)]


def vector(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def close(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return torch.allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("t", TIMES)
def test_quarter_circle(t: float) -> None:
    """slerp has constant speed; the hypersphere path is the straight line's direction."""
    turn = t * math.pi / 2
    assert close(lerp(A, B, t), vector(1 - t, t))
    assert close(slerp(A, B, t), vector(math.cos(turn), math.sin(turn)))
    length = math.hypot(1 - t, t)
    assert close(hypersphere(A, B, t), vector((1 - t) / length, t / length))


@pytest.mark.parametrize("t", TIMES)
def test_unequal_norms(t: float) -> None:
    """slerp weighs the ends as they are; the hypersphere path keeps the first one's norm, end included."""
    a, b = 2 * A, 6 * B
    turn = t * math.pi / 2
    assert close(slerp(a, b, t), vector(2 * math.cos(turn), 6 * math.sin(turn)))
    assert hypersphere(a, b, t).norm().item() == pytest.approx(2.0)
    assert close(hypersphere(a, b, 1.0), vector(0, 2))


def test_slerp_of_60_degrees_in_the_middle() -> None:
    """For unit vectors at angle w, the middle is (a + b) / (2 cos(w / 2))."""
    b = vector(0.5, math.sqrt(3) / 2)
    assert close(slerp(A, b, 0.5), (A + b) / (2 * math.cos(math.pi / 6)))


@pytest.mark.parametrize("gap", [0.13, 0.01, 1e-4])
def test_near_the_antipode_of_a_longer_vector(gap: float) -> None:
    """Lengths go evenly from one to the other, where the plain formula goes beyond all bounds."""
    b = 3 * vector(math.cos(math.pi - gap), math.sin(math.pi - gap))
    for t, length in ((0.0, 1), (0.25, 1.5), (0.5, 2), (1.0, 3)):
        assert slerp(A, b, t).norm().item() == pytest.approx(length, rel=1e-3)
    middle = vector(math.cos((math.pi - gap) / 2), math.sin((math.pi - gap) / 2))
    assert torch.allclose(slerp(A, b, 0.5), 2 * middle, atol=1e-2)


def through_the_circle(t: float) -> torch.Tensor:
    return vector(math.cos(math.pi * t), math.sin(math.pi * t))


# (kind, first end, second end) -> the vector at t, as facegan.latent.path's table defines it
SPECIAL = {
    ("lerp", "equal"): (A, A, lambda t: A),
    ("slerp", "equal"): (A, A, lambda t: A),
    ("hypersphere", "equal"): (A, A, lambda t: A),
    ("lerp", "opposite"): (A, -A, lambda t: (1 - 2 * t) * A),
    ("slerp", "opposite"): (A, -A, lambda t: (1 - 2 * t) * A),
    ("hypersphere", "opposite"): (A, -A, through_the_circle),
    ("hypersphere", "opposite, other norm"): (A, -3 * A, through_the_circle),
    ("slerp", "same direction"): (A, 3 * A, lambda t: (1 + 2 * t) * A),
    ("hypersphere", "same direction"): (A, 3 * A, lambda t: A),
    ("lerp", "first zero"): (ZERO, B, lambda t: t * B),
    ("slerp", "first zero"): (ZERO, B, lambda t: t * B),
    ("hypersphere", "first zero"): (ZERO, B, lambda t: ZERO),
    ("lerp", "second zero"): (A, ZERO, lambda t: (1 - t) * A),
    ("slerp", "second zero"): (A, ZERO, lambda t: (1 - t) * A),
    ("hypersphere", "second zero"): (A, ZERO, lambda t: A),
    ("lerp", "both zero"): (ZERO, ZERO, lambda t: ZERO),
    ("slerp", "both zero"): (ZERO, ZERO, lambda t: ZERO),
    ("hypersphere", "both zero"): (ZERO, ZERO, lambda t: ZERO),
}


@pytest.mark.parametrize("case", SPECIAL, ids=", ".join)
def test_special_cases(case: tuple[str, str]) -> None:
    a, b, expected = SPECIAL[case]
    for t, found in zip(TIMES, path([a, b], len(TIMES), case[0]), strict=True):
        assert close(found, expected(t)), f"t = {t}: {found.tolist()}"


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("nearly", [1e-4, 1e-6, 1e-8, 1e-10, 1e-12])
def test_nearly_equal_and_nearly_opposite_ends_stay_finite(kind: str, nearly: float) -> None:
    for b in (vector(math.cos(nearly), math.sin(nearly)), vector(-math.cos(nearly), math.sin(nearly))):
        for v in path([A, b], 9, kind):
            assert torch.isfinite(v).all() and v.norm() <= 1 + 1e-9
            if kind == "hypersphere":
                assert v.norm().item() == pytest.approx(1.0)


def test_orthogonal_is_a_unit_vector_at_right_angles() -> None:
    for seed in range(5):
        a = torch.randn(64, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        found = orthogonal(a)
        assert found.norm().item() == pytest.approx(1.0)
        assert abs(torch.dot(found, a).item()) < 1e-12
        assert torch.equal(found, orthogonal(a)), "always the same one"


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("dim", [1, 2, 100])
def test_ends_are_exact_and_types_kept(kind: str, dim: int) -> None:
    a, b = torch.randn(2, dim, generator=torch.Generator().manual_seed(dim))
    if kind == "hypersphere":
        b = b * (a.norm() / b.norm())
    found = list(path([a, b], 7, kind))
    assert len(found) == 7 and {v.dtype for v in found} == {torch.float32}
    assert torch.equal(found[0], a)
    assert torch.allclose(found[-1], b, rtol=1e-6)
    if kind != "hypersphere":
        assert torch.equal(found[-1], b)


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("steps", [2, 3, 10])
def test_many_points_appear_once_each(kind: str, loop: bool, count: int, steps: int) -> None:
    points = list(torch.nn.functional.normalize(torch.randn(count, 16), dim=1))
    found = list(path(points, steps, kind, loop=loop))
    assert len(found) == path_length(count, steps, loop)
    for i, point in enumerate(points):
        at = i * (steps - 1)
        assert torch.allclose(found[at], point, atol=1e-6)
    stacked = torch.stack(found)
    distances = torch.cdist(stacked, stacked) + 10 * torch.eye(len(found))
    # A loop of two points goes there and back, so that its inner vectors are met twice.
    if not (loop and count == 2):
        assert distances.min() > 1e-3, "no vector repeats, across the loop's seam either"
    if loop:
        step = (stacked[0] - stacked[-1]).norm()
        assert step <= 1.01 * (points[0] - points[-1]).norm() * math.pi / 2, "the seam is one step"


def test_hypersphere_keeps_the_first_norm_over_all_points() -> None:
    points = [4.0 * A, 0.1 * B, -7.0 * A, 2.0 * B]
    assert [v.norm().item() for v in path(points, 5, "hypersphere")] == pytest.approx([4.0] * 13)


@pytest.mark.parametrize("t", TIMES)
def test_the_angle_near_0_and_pi(t: float) -> None:
    for offset in (1e-3, 1e-6, 1e-9):
        near = offset * (1 + t)
        assert angle(A, vector(math.cos(near), math.sin(near))) == pytest.approx(near, rel=1e-6)
        assert math.pi - angle(A, vector(-math.cos(near), math.sin(near))) == pytest.approx(near, rel=1e-5)


def test_a_zero_point_within_a_hypersphere_path_repeats_the_one_before() -> None:
    found = list(path([A, ZERO, B], 3, "hypersphere"))
    middle = vector(1, 1) / math.sqrt(2)
    for v, expected in zip(found, [A, A, A, middle, B], strict=True):
        assert close(v, expected)


def test_opposite_ends_in_one_dimension() -> None:
    """A sphere of one dimension is two points: there is no way round, only a step."""
    found = [v.item() for v in path([torch.tensor([2.0]), torch.tensor([-1.0])], 4, "hypersphere")]
    assert found == [2.0, 2.0, -2.0, -2.0]


def test_points_as_one_tensor_or_a_list() -> None:
    points = torch.randn(3, 8)
    both = zip(path(points, 4), path(list(points), 4), strict=True)
    assert all(torch.equal(a, b) for a, b in both)


def test_opposite_ends_in_half_precision_stay_on_the_sphere() -> None:
    a = torch.randn(100).half()
    norms = [v.float().norm().item() for v in path([a, -a], 5, "hypersphere")]
    assert norms == pytest.approx([a.float().norm().item()] * 5, rel=2e-3)


def test_paths_are_lazy() -> None:
    endless = path([A, B], 10**12)
    assert torch.equal(next(endless), A)


@pytest.mark.parametrize(
    ("count", "steps", "kind", "message"),
    [
        (2, 1, "lerp", "--steps must be at least 2 (both ends), not 1"),
        (2, 10, "spline", "--path 'spline' is unknown (known: lerp, slerp, hypersphere)"),
        (1, 10, "lerp", "a path needs two points or more, not 1"),
        (0, 10, "lerp", "a path needs two points or more, not 0"),
    ],
)
def test_mistakes(count: int, steps: int, kind: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        path([A] * count, steps, kind)
    assert str(caught.value) == message


@pytest.mark.parametrize("points", [[A, torch.zeros(3)], [A, B[None]], [torch.tensor(1.0)] * 2])
def test_points_of_other_shapes(points: list[torch.Tensor]) -> None:
    with pytest.raises(InputError, match="must be vectors of one size"):
        path(points, 3)


@pytest.mark.parametrize("kind", ["lerp", "slerp", "hypersphere"])
def test_points_with_layers_are_long_vectors(kind: str) -> None:
    w = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    whole, flat = torch.stack([*path(w, 4, kind)]), torch.stack([*path(w.flatten(1), 4, kind)])
    assert torch.equal(whole, flat.view(-1, 4, 5))
    assert torch.equal(along(w, [0.3, 1.5], kind), along(w.flatten(1), [0.3, 1.5], kind).view(2, 4, 5))
    assert along(w, [], kind).shape == (0, 4, 5)
