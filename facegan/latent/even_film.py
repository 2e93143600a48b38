"""Films whose motion is even: frames along a path, at equal steps in the features of a network.

Equal steps in latent space are not equal to the eye: a face may stand still for a second and change within
two frames. Here the way along the path is measured in features, frame by frame, and the frames are placed
anew where each is as far from the next as all others are; a few rounds of that suffice.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from facegan import arguments, bars, images
from facegan.errors import InputError
from facegan.figures import colour, magnified
from facegan.images import to_uint8
from facegan.latent.interpolation import array_along, vectors
from facegan.sampler import Sampler

if TYPE_CHECKING:
    import torch

    from facegan.metrics.feature_extractors import FeatureTable

MAX_FRAMES = 20_000
SHOWN = 12  # frames in each strip of the figure
ROUNDS = 8
GOOD = 0.01  # a variation of the steps that needs no further round

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Film:
    """A film: latents of its frames (``array``: N,dim, or N,num_ws,w_dim), and their ``places`` on the path.

    ``steps`` are those from each frame to the next in features (in a loop also from the last to the first):
    exact, and as ``seen`` in 8 bits.
    """

    array: np.ndarray
    places: np.ndarray
    steps: np.ndarray
    seen: np.ndarray

    @property
    def z(self) -> torch.Tensor:
        """The latents as a tensor."""
        import torch

        return torch.from_numpy(self.array)

    def __repr__(self) -> str:
        return f"<Film: {len(self.array)} frames, steps even to {self.variation:.1%}>"

    @property
    def variation(self) -> float:
        """Standard deviation of the steps, divided by their mean: 0 is perfectly even."""
        return variation(self.steps)


def variation(steps: np.ndarray) -> float:
    """Return the coefficient of variation; 0 where nothing moves."""
    mean = float(np.mean(steps))
    return float(np.std(steps)) / mean if mean > 0 else 0.0


def film(
    model: Sampler,
    points: Any,
    frames: int = 240,
    *,
    kind: str = "slerp",
    loop: bool = True,
    features: str | FeatureTable = "faces",
    truncation: float = 1.0,
    on_progress: Progress | None = None,
) -> Film:
    """Place frames along a path through points, equally far apart in features.

    A loop goes back to the first point and ends one step before it, so that it can be repeated; otherwise the
    last frame is the last point. ``model.images(film.z, truncation)`` draws the frames.

    Args:
        model: the generator.
        points: two or more, z or all layers' w.
        frames: their number.
        kind: a path of :data:`~facegan.latent.PATHS`.
        loop: whether the film can be repeated.
        features: what measures the steps: faces, pixels, inception, or a table of features.
        truncation: below 1 moves towards the average face.
        on_progress: receives what is done, how much, and of how much; without it a bar shows it.
    """
    frames = arguments.whole(frames, "frames", -MAX_FRAMES)
    if not 2 <= frames <= MAX_FRAMES:
        raise InputError(f"a film takes 2 to {MAX_FRAMES:,} frames, not {frames:,}")
    points = vectors(points)
    judge = _judge(model, features) if isinstance(features, str) else features
    array_along(points, [0], kind, loop=loop)  # raises what is wrong with the points
    stretches = len(points) if loop else len(points) - 1
    places = even_places(max(frames, 12 * stretches), stretches, loop)
    best, kept, least = places, np.empty(0), math.inf
    with bars.shown(on_progress) as show:

        def measure(z: np.ndarray, turn: int, rounded: bool = False) -> np.ndarray:
            report = _part(show, turn)
            options: Any = {"loop": loop, "truncation": truncation, "rounded": rounded}
            return step_lengths(model, z, judge, on_progress=report, **options)

        for turn in range(ROUNDS):
            steps = measure(array_along(points, places, kind, loop=loop), turn)
            if len(places) == frames and variation(steps) < least:
                best, kept, least = places, steps, variation(steps)
                if least < GOOD:
                    break
            places = placed_anew(places, steps, stretches, frames=frames, loop=loop)
        z = array_along(points, best, kind, loop=loop)
        return Film(z, best, kept, measure(z, ROUNDS, rounded=True))


def _judge(model: Sampler, features: str, weights: str = "") -> FeatureTable:
    """Return the features of that name, on the model's device."""
    from facegan.metrics.feature_extractors import table

    return table(features, weights, str(getattr(model, "device", "cpu")))


def _part(on_progress: Progress, turn: int) -> Progress:
    """Return a round's share of the whole; the last one is that of the film as it is seen."""
    return lambda what, done, total: on_progress(what, turn * total + done, (ROUNDS + 1) * total)


def even_places(frames: int, stretches: int, loop: bool) -> np.ndarray:
    """Return places of ``frames`` at equal steps of the path's own parameter."""
    return np.linspace(0.0, stretches, frames, endpoint=not loop)


def placed_anew(
    places: np.ndarray, steps: np.ndarray, stretches: int, *, frames: int, loop: bool
) -> np.ndarray:
    """Return places of ``frames`` at equal shares of the way, of which ``steps`` lie between ``places``."""
    knots = np.append(places, stretches) if loop else places
    total = float(steps.sum())
    if total <= 0:  # nothing moves: any places will do
        return even_places(frames, stretches, loop)
    way = np.concatenate([[0.0], np.cumsum(steps + 1e-6 * total / len(steps))])
    found: np.ndarray = np.interp(np.linspace(0.0, way[-1], frames, endpoint=not loop), way, knots)
    return found


def step_lengths(
    model: Sampler,
    z: np.ndarray,
    judge: FeatureTable,
    *,
    loop: bool = False,
    truncation: float = 1.0,
    rounded: bool = False,
    on_progress: Progress | None = None,
    batch: int = 64,
) -> np.ndarray:
    """Return float64: how far each picture is from the next in features; a ``loop`` goes on to the first.

    ``rounded`` to 8 bits, which blurs the small steps of a slow film, or exactly.
    """
    parts: list[np.ndarray] = []
    for i in range(0, len(z), batch):
        drawn = model.drawn(z[i : i + batch], truncation)
        found = judge(to_uint8(drawn)) if rounded else judge.of_floats(drawn)
        parts.append(found.astype(np.float64))
        if on_progress is not None:
            on_progress("measuring steps", min(i + batch, len(z)), len(z))
    features = np.concatenate(parts)
    if not np.isfinite(features).all():
        raise InputError("the features of some of these faces are not finite: is the model sound?")
    ahead = np.roll(features, -1, 0) if loop else features[1:]
    steps: np.ndarray = np.linalg.norm(ahead - features[: len(ahead)], axis=1)
    return steps


# --- beside plain linear interpolation ------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """Steps in the features of one network: of plain lerp, and of the film."""

    name: str
    plain: np.ndarray
    even: np.ndarray


@dataclass(frozen=True)
class Comparison:
    """``array`` are the latents of plain lerp, as many as the film has."""

    array: np.ndarray
    rows: tuple[Row, ...]


def compare(
    model: Sampler,
    points: np.ndarray,
    done: Film,
    *,
    features: str = "faces",
    loop: bool = True,
    truncation: float = 1.0,
) -> Comparison:
    """Compare the film with lerp at equal steps of z through the same points, in as many frames.

    Both are measured by what made the film even, and by the evaluator network, which took no part in that.
    """
    stretches = len(points) if loop else len(points) - 1
    plain = array_along(points, even_places(len(done.array), stretches, loop), "lerp", loop=loop)
    own, other = _judge(model, features), _judge(model, "faces", "evaluator")
    return Comparison(
        plain,
        (
            Row(features, step_lengths(model, plain, own, loop=loop, truncation=truncation), done.steps),
            Row(
                "evaluator",
                step_lengths(model, plain, other, loop=loop, truncation=truncation),
                step_lengths(model, done.array, other, loop=loop, truncation=truncation),
            ),
        ),
    )


def figure(
    model: Sampler, plain: Comparison, done: Film, *, fps: float, truncation: float = 1.0
) -> np.ndarray:
    """Return uint8 ``H,W,3``: the steps over time for each network, and frames of both at equal times."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = len(plain.rows)
    sheet = Figure(figsize=(10, 2.5 * rows + 2.3), dpi=110, layout="constrained")
    FigureCanvasAgg(sheet)
    grid = sheet.add_gridspec(rows + 2, 1, height_ratios=[2.5] * rows + [1.0, 1.0])
    axes = [sheet.add_subplot(grid[i]) for i in range(rows)]
    for ax, row in zip(axes, plain.rows, strict=True):
        for steps, name, shade in ((row.plain, "plain lerp", "#b0502a"), (row.even, "this film", "#0b6e6e")):
            seconds = (np.arange(len(steps)) + 0.5) / fps
            label = f"{name}: varies by {variation(steps):.1%}"
            ax.plot(seconds, steps / max(float(steps.mean()), 1e-12), color=shade, lw=1.3, label=label)
        what = "that took no part" if row.name == "evaluator" else "that placed the frames"
        ax.set_title(f"Step from frame to frame, by '{row.name}', {what}", fontsize=10, loc="left")
        ax.set_ylim(0, 1.2 * ax.get_ylim()[1])  # with room for the legend
        ax.set_ylabel("of the mean step")
        ax.grid(alpha=0.25)
        ax.legend(loc="upper right", fontsize=9, ncols=2)
    axes[-1].set_xlabel("seconds")
    for i, (z, name) in enumerate(((plain.array, "plain lerp"), (done.array, "this film"))):
        ax = sheet.add_subplot(grid[rows + i])
        ax.imshow(_strip(model, z, truncation), interpolation="bicubic")
        ax.set_title(f"{name}, at equal times", fontsize=9, loc="left")
        ax.set_axis_off()
    buffer = io.BytesIO()
    sheet.savefig(buffer, format="png")
    return images.read_image(buffer.getvalue())


def _strip(model: Sampler, z: np.ndarray, truncation: float) -> np.ndarray:
    rows = (np.arange(min(SHOWN, len(z))) * len(z)) // min(SHOWN, len(z))
    faces = colour(model.images(z[rows], truncation))
    return images.grid(magnified(faces, len(faces), 0, wide=1400), len(faces), pad=2)
