"""Even films: places by closed forms, and steps on a network whose picture moves unevenly by design."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facegan.errors import InputError
from facegan.generator import Generator
from facegan.latent import along, film, path
from facegan.latent.even_film import compare, even_places, figure, placed_anew, step_lengths, variation
from facegan.layers.network import GeneratorNetwork
from facegan.metrics.feature_extractors import FeatureTable

BRIGHTNESS = FeatureTable("brightness", "brightness", 1, lambda x: x.mean((1, 2, 3))[:, None])


class Cubic(GeneratorNetwork):
    """A picture of one brightness, the cube of the first latent: still near 0, fast near 1."""

    w_dim, num_ws = 2, 1

    def map(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return z[:, None]

    def synthesize(self, w: torch.Tensor, noise: str = "const") -> torch.Tensor:
        return (w[:, 0, :1] ** 3)[..., None, None].expand(-1, 1, 4, 4)


@pytest.fixture
def cubic() -> Generator:
    meta = {"latent": {"dim": 2}, "image_shape": (1, 4, 4), "family": "", "config": {}}
    return Generator(Cubic(), meta)


def points(*firsts: float) -> torch.Tensor:
    return torch.tensor([[first, 0.5] for first in firsts])


def test_variation_by_hand() -> None:
    assert variation(np.array([1.0, 3.0])) == 0.5 and variation(np.full(7, 2.0)) == 0.0
    assert variation(np.zeros(3)) == 0.0


def test_even_places() -> None:
    assert even_places(5, 2, False).tolist() == [0, 0.5, 1, 1.5, 2]
    assert even_places(4, 2, True).tolist() == [0, 0.5, 1, 1.5]


def test_places_anew_by_hand() -> None:
    """Ways 3 and 1 over two stretches: the middle of the way of 4 is at 2/3."""
    found = placed_anew(np.array([0.0, 1.0, 2.0]), np.array([3.0, 1.0]), 2, frames=3, loop=False)
    assert found == pytest.approx([0, 2 / 3, 2], abs=1e-5)
    looped = placed_anew(np.array([0.0, 1.0]), np.array([3.0, 1.0]), 2, frames=4, loop=True)
    assert looped == pytest.approx([0, 1 / 3, 2 / 3, 1], abs=1e-5)
    assert placed_anew(np.array([0.0, 1.0]), np.zeros(1), 1, frames=3, loop=False).tolist() == [0, 0.5, 1]
    still = placed_anew(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0]), 2, frames=5, loop=False)
    assert np.all(np.diff(still) > 0), "also where nothing moves for a while"


@pytest.mark.parametrize("count", [2, 3, 7, 30])
def test_a_cube_is_evened_by_its_root(count: int, cubic: Generator) -> None:
    """From 0 to 1, brightness t^3 is even at t = (i / n)^(1/3)."""
    found = film(cubic, points(0, 1), count, kind="lerp", loop=False, features=BRIGHTNESS)
    wanted = np.linspace(0, 1, count) ** (1 / 3)
    assert found.places == pytest.approx(wanted, abs=0.02)
    assert found.places[0] == 0 and found.places[-1] == 1 and len(found.z) == count
    assert found.variation < 0.03 and found.steps.sum() == pytest.approx(1.0, abs=1e-5)
    plain = step_lengths(cubic, along(points(0, 1), even_places(count, 1, False), "lerp"), BRIGHTNESS)
    if count > 2:
        assert variation(plain) > 0.5


def test_a_loop_is_even_across_its_seam(cubic: Generator) -> None:
    found = film(cubic, points(-1, 1), 20, kind="lerp", features=BRIGHTNESS)
    assert len(found.steps) == 20 and found.steps.sum() == pytest.approx(4.0, abs=0.02)
    assert found.variation < 0.03 and torch.equal(found.z[0], points(-1)[0])
    assert found.places[10] == pytest.approx(1.0, abs=0.02)


def test_what_is_seen_is_rounded(cubic: Generator) -> None:
    """Steps of 0.6 of 2/255: in 8 bits they are 0 or 1 of them."""
    count = round(1 / (0.6 * 2 / 255))
    found = film(cubic, points(0, 1), count, kind="lerp", loop=False, features=BRIGHTNESS)
    assert found.variation < 0.05 < 0.5 < variation(found.seen)
    assert sorted({round(float(s) * 127.5, 3) for s in found.seen}) == [0, 1]


def test_nothing_moves(cubic: Generator) -> None:
    found = film(cubic, points(0.3, 0.3), 6, features=BRIGHTNESS)
    assert found.variation == 0 and found.places.tolist() == even_places(6, 2, True).tolist()
    still = film(cubic, points(0, 1), 5, loop=False, features=BRIGHTNESS, truncation=0.0)
    assert still.steps.max() == 0


def test_fewer_frames_than_points(tiny_model: Generator) -> None:
    found = film(tiny_model, tiny_model.latent.sample(range(5)), 3, features="pixels")
    assert len(found.z) == 3 and len(found.steps) == 3 and np.isfinite(found.steps).all()


def test_a_real_network_in_its_own_features_and_in_others(tiny_model: Generator) -> None:
    z = tiny_model.latent.sample(range(4))
    found = film(tiny_model, z, 40, features="pixels")
    again = film(tiny_model, z, 40, features="pixels")
    assert torch.equal(found.z, again.z) and found.z.dtype == torch.float32
    compared = compare(tiny_model, z, found, features="pixels")
    own, other = compared.rows
    assert (own.name, other.name) == ("pixels", "evaluator")
    assert variation(own.even) < 0.02 < 0.1 < variation(own.plain)
    assert len(other.plain) == len(other.even) == 40
    sheet = figure(tiny_model, compared, found, fps=24.0)
    assert sheet.shape[1] == 1100 and len(np.unique(sheet.reshape(-1, 3), axis=0)) > 100


def test_progress_goes_up_to_the_end(cubic: Generator) -> None:
    told: list[tuple[int, int]] = []
    film(
        cubic,
        points(0, 1),
        70,
        kind="lerp",
        features=BRIGHTNESS,
        on_progress=lambda what, done, total: told.append((done, total)),
    )
    done = [a for a, _ in told]
    assert done == sorted(done) and told[-1][0] == told[-1][1] and len({b for _, b in told}) == 1


def test_along_is_path_between_and_at_the_points() -> None:
    z = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    for kind in ("lerp", "slerp", "hypersphere"):
        for loop in (False, True):
            expected = torch.stack(list(path(z, 5, kind, loop=loop)))
            places = even_places(len(expected), 3 if loop else 2, loop)
            assert torch.allclose(along(z, places, kind, loop=loop), expected, atol=1e-6)
    assert torch.equal(along(z, [], "lerp"), torch.empty(0, 8))
    assert torch.equal(along(z, [3], "lerp", loop=True)[0], z[0])


@pytest.mark.parametrize("place", [-0.1, 2.1, float("nan")])
def test_places_beyond_the_path(place: float) -> None:
    with pytest.raises(InputError, match="is not on this path, which goes from 0 to 2"):
        along(torch.randn(3, 4), [place], "lerp")


@pytest.mark.parametrize(
    ("frames", "count", "kind", "words"),
    [
        (1, 2, "lerp", "a film takes 2 to 20,000 frames, not 1"),
        (20_001, 2, "lerp", "not 20,001"),
        (10, 1, "lerp", "a path needs two points or more, not 1"),
        (10, 2, "arc", "--path 'arc' is unknown"),
    ],
)
def test_mistakes(frames: int, count: int, kind: str, words: str, cubic: Generator) -> None:
    with pytest.raises(InputError, match=words):
        film(cubic, points(*range(count)), frames, kind=kind, features=BRIGHTNESS)
