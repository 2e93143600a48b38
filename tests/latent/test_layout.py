"""Layouts: closed forms, every shape of grid, and the same answer whatever the number of threads."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from facegan.errors import InputError
from facegan.latent import layout
from facegan.latent.layout import (
    MAX_FACES,
    arrange,
    embed,
    neighbour_distance,
    principal_components,
    shape_for,
    to_grid,
    windows,
)

SHAPES = [
    (1, 1, 1),
    (2, 1, 2),
    (3, 3, 1),
    (5, 2, 3),
    (4, 2, 3),
    (16, 4, 4),
    (17, 5, 4),
    (50, 1, 50),
    (7, 7, 1),
    (400, 20, 20),
    (391, 20, 20),
    (600, 15, 40),
]


def lattice(rows: int, columns: int, jitter: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points near the cells of a grid, shuffled, and the shuffle: cell c holds point order[c]."""
    g = np.random.default_rng(seed)
    cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).reshape(-1, 2).astype(float)
    order = g.permutation(len(cells))
    points = np.empty_like(cells)
    points[order] = cells + g.uniform(-jitter, jitter, cells.shape)
    return points, order


@pytest.mark.parametrize(("n", "rows", "columns"), SHAPES)
def test_every_shape_is_filled(n: int, rows: int, columns: int) -> None:
    points = np.random.default_rng(n).normal(size=(n, 2))
    assert sorted(to_grid(points, (rows, columns))) == list(range(n))
    assert sorted(to_grid(np.zeros((n, 2)), (rows, columns))) == list(range(n)), "all at one place"


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (5, 12), (33, 20)])
def test_a_jittered_lattice_comes_back(rows: int, columns: int) -> None:
    points, order = lattice(rows, columns, 0.2)
    assert np.array_equal(to_grid(points * [3.0, 0.1] + 7, (rows, columns)), order)


def test_close_to_the_exact_assignment() -> None:
    from scipy.optimize import linear_sum_assignment

    g = np.random.default_rng(3)
    points = np.concatenate([g.normal(c, 0.7, (100, 2)) for c in ((0, 0), (4, 1), (1, 5), (6, 6))])
    ranks = np.argsort(np.argsort(points, 0), 0) / 20 - 0.475
    cells = np.stack([np.arange(400) % 20, np.arange(400) // 20], 1)
    cost = ((cells[:, None] - ranks[None]) ** 2).sum(2)
    exact = cost[linear_sum_assignment(cost)].sum()
    found = cost[np.arange(400), to_grid(points, (20, 20))].sum()
    assert exact <= found < 1.25 * exact


@pytest.mark.parametrize("wrong", [(3, 3), (1, 9), (4, 5), (0, 0)])
def test_a_grid_that_does_not_fit(wrong: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="do not fill"):
        to_grid(np.zeros((10, 2)), wrong)


@pytest.mark.parametrize("n", [1, 30, 96, 100])
@pytest.mark.parametrize("shift", [(0, 0), (5, 9), (16, 31)])
def test_windows_cover_each_cell_once(
    n: int, shift: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "_WINDOW", 4)
    found = [int(c) for cells in windows(n, (10, 10), shift) for c in cells]
    assert len(found) == len(set(found)) and set(found) <= set(range(n))
    assert len(found) >= n - 10, "but for windows with one cell"


def test_shapes() -> None:
    assert shape_for(2500) == (50, 50) and shape_for(10, 4) == (3, 4) and shape_for(1) == (1, 1)
    assert shape_for(4, 30_000) == (1, 4)
    rows, columns = shape_for(200, 0, 0.5)  # cells twice as high as wide
    assert columns == pytest.approx(2 * rows, abs=1) and rows * columns >= 200


def test_principal_components() -> None:
    """x = a u + b v with |a| > |b| in spread: the coordinates are a and b again, up to the fixed sign."""
    g = np.random.default_rng(0)
    a, b = 5 * g.normal(size=200), g.normal(size=200)
    u, v = np.array([0.6, 0.8, 0, 0]), np.array([0, 0, -1.0, 0])
    x = a[:, None] * u + b[:, None] * v + [1, 2, 3, 4]
    found = principal_components(x, 2)
    centred = principal_components(np.concatenate([a[:, None], b[:, None]], 1), 2)
    assert np.allclose(np.abs(found), np.abs(centred), atol=1e-9)
    assert principal_components(x[:3], 50).shape == (3, 3)
    assert np.allclose(principal_components(x, 4)[:, 2:], 0, atol=1e-6)


def test_clusters_stay_together_and_a_line_stays_a_line() -> None:
    g = np.random.default_rng(1)
    kind = g.permutation(np.repeat(np.arange(4), 64))
    features = 20 * np.eye(4)[kind] @ g.normal(size=(4, 30)) + g.normal(size=(256, 30))
    order = arrange(features)
    laid = kind[order].reshape(16, 16)
    same = np.concatenate([(laid[1:] == laid[:-1]).ravel(), (laid[:, 1:] == laid[:, :-1]).ravel()]).mean()
    assert same > 0.8, "0.25 by chance"
    random = neighbour_distance(features, g.permutation(256), 16)
    assert 0.9 < random < 1.1 and neighbour_distance(features, order, 16) < 0.45
    # Features along a line, in one row: nearly sorted.
    line = g.permutation(40).astype(float)
    row = line[arrange(line[:, None], columns=40)]
    assert np.abs(np.corrcoef(row, np.arange(40))[0, 1]) > 0.6


def test_neighbour_distance_by_hand() -> None:
    """2x2 cells with values 0 1 / 3 6: steps 1, 3 beside and 3, 5 below, on average 3."""
    features = np.array([[0.0], [1.0], [3.0], [6.0]])
    assert neighbour_distance(features, np.arange(4), 2) / neighbour_distance(
        features, np.array([0, 3, 1, 2]), 2
    ) == pytest.approx(3.0 / ((6 + 1 + 1 + 4) / 4))  # 0 6 / 1 3
    assert neighbour_distance(features[:1], np.arange(1), 1) == 1.0
    assert neighbour_distance(np.zeros((4, 1)), np.arange(4), 2) == 1.0


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 8, 9, 13])
def test_very_few_and_all_alike(n: int) -> None:
    g = np.random.default_rng(n)
    for features in (g.normal(size=(n, 5)), np.ones((n, 5)), g.normal(size=(n, 1))):
        assert sorted(arrange(features)) == list(range(n))
        assert np.isfinite(embed(principal_components(features, 5))).all()


def test_too_many() -> None:
    with pytest.raises(InputError, match="too many to be laid out"):
        arrange(np.zeros((MAX_FACES + 1, 1)))


CODE = """
import numpy as np
from facegan.latent.layout import arrange
x = np.random.default_rng(5).normal(size=(150, 40)).astype(np.float32)
print(arrange(x, seed=3).tolist())
"""


def test_deterministic_for_any_number_of_threads() -> None:
    x = np.random.default_rng(5).normal(size=(150, 40)).astype(np.float32)
    here = arrange(x, seed=3)
    assert np.array_equal(arrange(x, seed=3), here)
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, env=environment)
    assert done.stdout == f"{here.tolist()}\n", done.stderr
