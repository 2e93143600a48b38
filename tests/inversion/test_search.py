"""The search: L-BFGS, Adam with its ramps, spaces, starts; and the tutorial's procedure, number by number."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from facegan.errors import InputError
from facegan.generator import Generator, Latent
from facegan.images import to_float
from facegan.inversion.config import InvertConfig, checked, preset
from facegan.inversion.invert import invert_pictures
from facegan.inversion.lbfgs import BatchedLBFGS
from facegan.inversion.optimize import learning_rate, optimize
from facegan.inversion.space import Space

# --- L-BFGS --------------------------------------------------------------------------------------


def quadratics(curvatures: torch.Tensor):  # type: ignore[no-untyped-def]
    """f_i(x) = 1/2 sum c_i (x - 1)^2, one problem a row."""

    def evaluate(points: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        c = curvatures[rows]
        return (0.5 * c * (points - 1) ** 2).sum(1), c * (points - 1)

    return evaluate


def rosenbrock(points: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = points[:, 0], points[:, 1]
    g = torch.stack([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)], 1)
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2, g


def test_quadratics_of_any_scale_are_solved() -> None:
    curvatures = torch.tensor(
        [[1.0, 1, 1, 1], [1, 10, 100, 1000], [1e-3, 1e-2, 1e-1, 1]], dtype=torch.float64
    )
    solver = BatchedLBFGS(quadratics(curvatures), torch.zeros(3, 4, dtype=torch.float64))
    for _ in range(60):
        solver.step(0.1)
    assert torch.allclose(solver.points, torch.ones(3, 4, dtype=torch.float64), atol=1e-5)


def test_the_banana_valley() -> None:
    """Rosenbrock's function from its usual start: the minimum is (1, 1)."""
    solver = BatchedLBFGS(rosenbrock, torch.tensor([[-1.2, 1.0], [2.0, -1.0]], dtype=torch.float64))
    last = solver.losses
    for _ in range(80):
        solver.step(0.1)
        assert (solver.losses <= last).all()
        last = solver.losses
    assert torch.allclose(solver.points, torch.ones(2, 2, dtype=torch.float64), atol=1e-6)
    assert not solver.active.any()  # and they know it


def test_problems_do_not_see_each_other() -> None:
    starts = torch.tensor([[-1.2, 1.0], [2.0, -1.0], [0.0, 3.0]], dtype=torch.float64)
    together = BatchedLBFGS(rosenbrock, starts)
    alone = [BatchedLBFGS(rosenbrock, s[None]) for s in starts]
    for _ in range(30):
        for solver in (together, *alone):
            solver.step(0.1)
    assert torch.equal(together.points, torch.cat([s.points for s in alone]))


def test_what_is_near_enough_rests() -> None:
    evaluations: list[int] = []

    def counted(points: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        evaluations.append(len(rows))
        return rosenbrock(points, rows)

    solver = BatchedLBFGS(counted, torch.tensor([[1.0, 1.001], [-1.2, 1.0]], dtype=torch.float64), stop=1e-3)
    for _ in range(60):
        solver.step(0.1)
    assert solver.points[0].tolist() == [1.0, 1.001]
    assert solver.losses[1] <= 1e-3 and evaluations[0] == 2 and set(evaluations[1:]) == {1}


# --- spaces --------------------------------------------------------------------------------------


def test_coordinates_of_z(vivid_model: Generator) -> None:
    """N(mean, std) in standard coordinates, and back; the tutorials' norm penalty is that of N(0, 1)."""
    meta = {**vivid_model.meta, "latent": {"kind": "normal", "dim": 64, "mean": -0.5, "std": 0.5}}
    model = Generator(vivid_model.network, meta)
    space = Space(model, "z")
    z = model.latent.sample([3, 4])
    u = space.coordinates(z)
    assert torch.allclose(u, Latent(dim=64).sample([3, 4]), atol=1e-5)
    assert torch.allclose(space.vectors(u), z, atol=1e-6)
    assert torch.allclose(space.random([3, 4]), u)
    expected = (u.norm(dim=1) - 8).abs()
    assert torch.allclose(space.norm_penalty(u), expected) and expected.min() > 0


def test_coordinates_on_a_sphere(vivid_model: Generator) -> None:
    meta = {**vivid_model.meta, "latent": {"kind": "sphere", "dim": 64, "mean": 0.0, "std": 1.0}}
    space = Space(Generator(vivid_model.network, meta), "z")
    u = torch.randn(3, 64) * 5
    assert torch.allclose(space.vectors(u).norm(dim=1), torch.tensor(8.0))
    z = space.vectors(u)
    assert torch.allclose(space.vectors(space.coordinates(z)), z, atol=1e-5)


@pytest.fixture(scope="module")
def styled() -> Generator:
    """An untrained, narrow stylegan2 of 32 px whose noise is felt."""
    from facegan.families import get_family
    from facegan.generator import describe
    from facegan.recipes.config import override
    from facegan.recipes.table import recipe

    narrow = {"channel_base": 128, "channel_max": 16, "w_dim": 16}
    changes = {"latent.dim": 16, **{f"generator.{k}": v for k, v in narrow.items()}}
    config = override(recipe("stylegan2-32"), changes)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = get_family("stylegan2").build_generator(config.model.generator, (3, 32, 32), 16)
        for name, p in network.named_parameters():
            if name.endswith("noise_strength"):
                p.data.fill_(0.3)
    return Generator(network, describe("stylegan2", config.model, Latent(dim=16), image_shape=(3, 32, 32)))


@pytest.mark.parametrize(("name", "dim"), [("w", 16), ("w+", None)])
def test_coordinates_of_w(styled: Generator, name: str, dim: int | None) -> None:
    space = Space(styled, name)
    assert space.dim == (dim or 16 * styled.num_ws)
    z = styled.latent.sample(range(500))
    u = space.coordinates(z)
    assert abs(float(u.mean())) < 0.1 and float(u.std()) == pytest.approx(1, abs=0.1)
    assert torch.allclose(space.vectors(u), styled.map(z), atol=1e-4)


def test_an_unknown_space(vivid_model: Generator) -> None:
    with pytest.raises(InputError, match="--space v: choose z, w or w"):
        Space(vivid_model, "v")


# --- the search ----------------------------------------------------------------------------------


def test_ramps() -> None:
    """Up over 5 of 100 steps, down over the last 25 along half a cosine."""
    config = InvertConfig(optimizer="adam", steps=100, lr=0.2, ramp_up=0.05, ramp_down=0.25)
    rates = [learning_rate(step, config) for step in (0, 1, 5, 50, 75, 80, 100)]
    falling = 0.2 * (0.5 - 0.5 * math.cos(math.pi * 0.8))
    assert rates == pytest.approx([0, 0.04, 0.2, 0.2, 0.2, falling, 0])


def test_the_tutorial_number_by_number(vivid_model: Generator) -> None:
    """An independent loop: seed 777, Keras's Adam 0.01; the loss on pictures in [0, 1] is the sum over pixels
    of the channels' mean difference + | ||z|| - sqrt(dim) |."""
    steps, photo = 6, vivid_model.sample([7])
    for name, power in (("mae", 1), ("mse", 2)):
        config = preset("tutorial", generated=True, loss=name, steps=steps)
        assert (preset("tutorial", generated=True).steps, preset("tutorial").steps) == (200, 300)
        assert (preset("tutorial", generated=True).seed, preset("tutorial").seed) == (777, 0)
        found = invert_pictures(vivid_model, photo, ["x"], config=config)
        target = torch.from_numpy(photo.astype(np.float64)).permute(0, 3, 1, 2) / 255
        z, m, v, losses = vivid_model.latent.sample([777]).double().requires_grad_(), 0.0, 0.0, []
        network = vivid_model.network.double()
        for t in range(1, steps + 2):
            image = (network.synthesize(network.map(z)) + 1) / 2
            pixels = (image - target).abs().pow(power).mean(1).sum()
            loss = pixels + (z.norm() - math.sqrt(64)).abs()
            losses.append(float(loss.detach()))
            (g,) = torch.autograd.grad(loss, z)
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            step = 0.01 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            z = (z - step * m / (v.sqrt() + 1e-7 * math.sqrt(1 - 0.999**t))).detach().requires_grad_()
        network.float()
        assert found.curves[:, 0] == pytest.approx(losses, rel=1e-4), name


def test_the_tutorial_keeps_a_picture_before_every_fifth_update(vivid_model: Generator) -> None:
    config = preset("tutorial", generated=True, steps=20)
    found = invert_pictures(vivid_model, vivid_model.sample([7]), ["x"], config=config)
    assert found.snapshot_steps == [0, 5, 10, 15] and found.snapshots.shape == (4, 1, 64)
    assert torch.allclose(found.snapshots[0], vivid_model.latent.sample([777]))
    assert preset("tutorial").snapshots == 60 and preset("tutorial", generated=True).snapshots == 40


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
@pytest.mark.parametrize("name", ["z", "w", "w+"])
def test_every_space_comes_nearer(styled: Generator, name: str, optimizer: str) -> None:
    photos = styled.sample([5, 6])
    config = preset("quick", space=name, optimizer=optimizer, loss="mse", steps=25, start="random")
    found = invert_pictures(styled, photos, ["a", "b"], config=config)
    assert (found.curves[-1] < 0.6 * found.curves[0]).all()
    assert np.isfinite(found.curves).all() and found.vectors.space == name
    shape = (2, 16) if name == "z" else (2, styled.num_ws, 16)
    assert tuple(found.vectors.z.shape) == shape
    layers = found.vectors.z
    if name == "w":
        assert torch.equal(layers, layers[:, :1].expand_as(layers))
    np.testing.assert_array_equal(styled.images(found.vectors.z), found.pictures)


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_photo_alone_and_in_a_batch(vivid_model: Generator, optimizer: str) -> None:
    photos = vivid_model.sample([5, 6, 7])
    config = preset("quick", loss="mse", steps=10, optimizer=optimizer, restarts=2, start="random")
    together = invert_pictures(vivid_model, photos, list("abc"), config=config)
    again = invert_pictures(vivid_model, photos, list("abc"), config=config)
    alone = invert_pictures(vivid_model, photos[1:2], ["b"], config=config)
    assert torch.equal(together.vectors.z, again.vectors.z)
    assert alone.errors["loss"][0] == pytest.approx(together.errors["loss"][1], rel=2e-2)
    assert torch.allclose(alone.snapshots[:3], together.snapshots[:3, 1:2], atol=1e-3)


def test_the_best_start_wins_and_the_best_point_of_it(vivid_model: Generator) -> None:
    """One of the starts is the answer itself: it must be the one that is kept, and at step 0."""
    space, config = (
        Space(vivid_model, "z"),
        preset("quick", loss="mse", norm=0.0, steps=3, restarts=3, optimizer="adam", jitter=0.0, ramp_up=0.0),
    )
    u = space.random([1, 2, 3])
    targets = vivid_model(space.vectors(u[1:2]))
    found = optimize(vivid_model, space, targets, starts=u[None], config=config)
    assert int(found.start[0]) == 1 and torch.equal(found.u[0], u[1]) and float(found.losses[0]) < 1e-10


def test_ctrl_c_keeps_what_was_found(vivid_model: Generator) -> None:
    seen: list[tuple[float, np.ndarray]] = []

    def stop(step: int, losses: torch.Tensor, draw: Callable[[], np.ndarray]) -> None:
        seen.append((float(losses), draw()))
        if step == 4:
            raise KeyboardInterrupt

    for optimizer in ("adam", "lbfgs"):
        config = preset("quick", loss="mse", steps=50, start="random", optimizer=optimizer)
        found = invert_pictures(vivid_model, vivid_model.sample([5]), ["a"], config=config, on_step=stop)
        assert found.stopped and len(found.curves) == 5
        assert np.array_equal(seen[-1][1], found.pictures), "what the callback draws is the best so far"
        assert len({picture.tobytes() for _, picture in seen}) == len({loss for loss, _ in seen}) > 2
        seen.clear()
        picture = to_float(found.pictures)
        error = float((picture - to_float(found.photos)).square().mean())
        assert error == pytest.approx(found.errors["mse"][0], abs=1e-3)
        assert found.errors["loss"][0] == pytest.approx(float(found.curves.min()), rel=1e-5)


def test_sought_noise_stays_noise(styled: Generator) -> None:
    photos = styled.sample([5])
    config = preset("quick", loss="mse", steps=15, start="random", optimizer="adam", noise=1.0)
    found = invert_pictures(styled, photos, ["a"], config=config)
    assert len(found.noise) > 2
    own = dict(styled.network.named_buffers())
    for name, maps in found.noise.items():
        assert maps.shape == (1, *own[name].shape)
        assert abs(float(maps.mean())) < 1e-4 and float(maps.std(correction=0)) == pytest.approx(1, abs=1e-4)
        assert not torch.allclose(maps[0], own[name])
    plain = preset("quick", loss="mse", steps=15, start="random", optimizer="adam")
    without = invert_pictures(styled, photos, ["a"], config=plain)
    assert found.errors["mse"][0] < without.errors["mse"][0]
    with pytest.raises(InputError, match="--noise goes with --optimizer adam"):
        preset("quick", noise=1.0)


WRONG = [
    ({"steps": -1}, "--steps must be 0 or more"),
    ({"restarts": 0}, "--restarts must be at least 1"),
    ({"lr": 0.0}, "--lr must be above 0"),
    ({"lr": math.nan}, "--lr must be a finite number"),
    ({"norm": -1.0}, "--norm must be 0 or more"),
    ({"batch": 0}, "--batch must be at least 1"),
    ({"optimizer": "sgd"}, "--optimizer .sgd. is unknown"),
    ({"start": "x"}, "--start .x. is unknown"),
    ({"space": "y"}, "--space .y. is unknown"),
    ({"ramp_up": -0.1}, "--ramp-up must be 0 or more"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_settings_out_of_range(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked(InvertConfig(**changes))
    with pytest.raises(InputError, match="--preset x"):
        preset("x")
