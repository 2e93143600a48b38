"""Laying things out by likeness: features to places on a plane, and from there to a grid without holes.

The embedding is t-SNE (van der Maaten, Hinton 2008; Barnes-Hut: van der Maaten 2014) of the first principal
components, O(N log N) a step. The grid that moves points least is an assignment problem: at worst O(N^3)
steps (Jonker, Volgenant 1987) and a table of N x N, 3 GB for 20,000 things. Here the plane is halved by
turns, its points with it, in O(N log^2 N), and the assignment is solved within overlapping windows of
W = 256 cells, O(W^3) each, O(N W^2) in all: for 2,500 faces, the sum of squared ways was 7% above the least.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from facegan import rng
from facegan.errors import InputError

MAX_FACES = 20_000
_COMPONENTS = 50
_WINDOW = 16  # cells in each direction of a window

Progress = Callable[[str, int, int], None]


def shape_for(count: int, columns: int = 0, aspect: float = 1.0) -> tuple[int, int]:
    """Return ``rows, columns`` of about a square that holds ``count`` cells of width / height ``aspect``."""
    columns = min(columns or max(1, math.ceil(math.sqrt(count / aspect))), count)
    return math.ceil(count / columns), columns


def arrange(
    features: np.ndarray,
    columns: int = 0,
    seed: int = 0,
    *,
    perplexity: float = 30.0,
    on_progress: Progress | None = None,
) -> np.ndarray:
    """Return which of ``N,D`` lies in each cell of a grid, row by row, so that like lies by like.

    The grid has ``columns`` (0: as many as rows) and is full but for the end of its last row. The result is
    the same for equal features and seed, whatever the number of threads.
    """
    n = len(features)
    if n > MAX_FACES:
        raise InputError(f"{n:,} things are too many to be laid out by likeness: {MAX_FACES:,} at most")
    say = on_progress or (lambda what, done, total: None)
    say("laying out", 0, n)
    parts = principal_components(features, _COMPONENTS)
    order = to_grid(embed(parts, seed, perplexity), shape_for(n, columns))
    say("laying out", n, n)
    return order


def principal_components(features: np.ndarray, count: int) -> np.ndarray:
    """Return float64 ``N,K``: the coordinates along the ``count`` widest directions, K <= min(count, N, D).

    Each direction's sign is fixed by its largest component.
    """
    x = np.asarray(features, np.float64)
    x = x - x.mean(0)
    values, vectors = np.linalg.eigh(x.T @ x)
    vectors = vectors[:, np.argsort(-values, kind="stable")[: min(count, len(x))]]
    largest = np.abs(vectors).argmax(0)
    found: np.ndarray = x @ (vectors * np.sign(vectors[largest, np.arange(vectors.shape[1])]))
    return found


def embed(parts: np.ndarray, seed: int = 0, perplexity: float = 30.0) -> np.ndarray:
    """Return ``N,2``: t-SNE of principal components ``N,K``; of very few, or all alike, the components."""
    n = len(parts)
    plane = np.zeros((n, 2))
    plane[:, : min(2, parts.shape[1])] = parts[:, :2]
    if n < 8 or float(plane[:, 0].std()) < 1e-9:
        return plane
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    begin = plane / plane[:, 0].std() * 1e-4  # as wide as the authors' random start
    with threadpool_limits(1):  # sums over several threads differ in their last digit, and so would all
        found: np.ndarray = (
            TSNE(
                2,
                perplexity=min(perplexity, (n - 1) / 3),
                init=begin.astype(np.float32),
                max_iter=750,
                random_state=rng.torch_seed(seed, "t-sne", 0) % 2**32,
                n_jobs=1,
            )
            .fit_transform(parts.astype(np.float32))
            .astype(np.float64)
        )
        return found


def to_grid(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return which point ``N,2`` (x, y) lies in each cell of a grid: halves by turns, then windows.

    ``N`` may fall short of rows x columns by less than a row; the last row's end is then empty.
    """
    n, (rows, columns) = len(points), shape
    if not (rows - 1) * columns < n <= rows * columns and n:
        raise InputError(f"{n} things do not fill {rows} rows of {columns}")
    order = np.empty(n, np.int64)
    todo = [(np.arange(n), 0, rows, 0, columns)]
    while todo:
        members, top, bottom, left, right = todo.pop()
        if len(members) <= 1:
            order[top * columns + left : top * columns + left + len(members)] = members
            continue
        down = bottom - top > right - left or right - left == 1
        middle = (top + bottom) // 2 if down else (left + right) // 2
        ahead = (top, middle, left, right) if down else (top, bottom, left, middle)
        behind = (middle, bottom, left, right) if down else (top, bottom, middle, right)
        sort = members[np.argsort(points[members, 1 if down else 0], kind="stable")]
        cut = _cells(ahead, columns, n)
        todo += [(sort[:cut], *ahead), (sort[cut:], *behind)]
    return _windows_by_place(order, points, shape)


def _cells(place: tuple[int, int, int, int], columns: int, n: int) -> int:
    """Return how many of the first ``n`` cells lie within a rectangle."""
    top, bottom, left, right = place
    whole = max(0, min(bottom, n // columns) - top) * (right - left)
    rest = n % columns if top <= n // columns < bottom else 0
    return whole + min(max(rest - left, 0), right - left)


def _windows_by_place(order: np.ndarray, points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Assign exactly within windows, twice: the sum of squared ways to the cells only falls."""
    columns = shape[1]
    ranks = np.empty_like(points)  # as even as the grid is
    for axis, size in ((0, shape[1]), (1, shape[0])):
        by = np.argsort(points[:, axis], kind="stable")
        ranks[by, axis] = (np.arange(len(points)) + 0.5) / len(points) * size - 0.5
    for step in range(2):
        for cells in windows(len(order), shape, (step * _WINDOW // 2,) * 2):
            places = np.stack([cells % columns, cells // columns], 1)
            order[cells] = _assigned(order[cells], ranks, places)
    return order


def windows(n: int, shape: tuple[int, int], shift: tuple[int, int]) -> Iterator[np.ndarray]:
    """Return the cells of square windows that cover the grid once, moved by ``shift`` (down, right)."""
    rows, columns = shape
    for top in range(shift[0] % _WINDOW - _WINDOW, rows, _WINDOW):
        for left in range(shift[1] % _WINDOW - _WINDOW, columns, _WINDOW):
            y = np.arange(max(top, 0), min(top + _WINDOW, rows))
            x = np.arange(max(left, 0), min(left + _WINDOW, columns))
            cells = (y[:, None] * columns + x).ravel()
            cells = cells[cells < n]
            if len(cells) > 1:
                yield cells


def _assigned(members: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return ``members`` in the order in which the sum of |values - wanted|^2 is least."""
    from scipy.optimize import linear_sum_assignment

    mine = values[members]
    cost = np.square(mine).sum(1)[None] - 2 * wanted @ mine.T  # |wanted|^2 is the same for all
    found: np.ndarray = members[linear_sum_assignment(cost)[1]]
    return found


def neighbour_distance(features: np.ndarray, order: np.ndarray, columns: int) -> float:
    """Return mean distance of things that lie beside or below each other, divided by that of random pairs.

    1 is a random layout.
    """
    x = np.asarray(features, np.float64)
    n = len(x)
    beside = [i for i in range(n - 1) if (i + 1) % columns]
    pairs = [(i, i + 1) for i in beside] + [(i, i + columns) for i in range(n - columns)]
    if not pairs:
        return 1.0
    a, b = np.array(pairs).T
    near = float(np.linalg.norm(x[order[a]] - x[order[b]], axis=1).mean())
    mixed = x[rng.permutation(0, "atlas-pairs", 0, n=n)]
    far = float(np.linalg.norm(mixed - np.roll(mixed, 1, 0), axis=1).mean())
    return near / far if far > 0 else 1.0
