"""How even a film is, beside plain linear interpolation: numbers and a figure."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch

from facegan import images
from facegan.figures import colour, magnified
from facegan.generator import Generator
from facegan.latent.film import Film, even_places, step_lengths, variation
from facegan.latent.interpolation import along
from facegan.metrics.feature_extractors import table

SHOWN = 12  # frames in each strip of the figure


@dataclass(frozen=True)
class Row:
    """Steps in the features of one network: of plain lerp, and of the film."""

    name: str
    plain: np.ndarray
    even: np.ndarray


@dataclass(frozen=True)
class Comparison:
    """``z`` are the latents of plain lerp, as many as the film has."""

    z: torch.Tensor
    rows: tuple[Row, ...]


def compare(
    model: Generator,
    points: torch.Tensor,
    done: Film,
    *,
    features: str = "faces",
    loop: bool = True,
    truncation: float = 1.0,
) -> Comparison:
    """The film beside lerp at equal steps of z through the same points, as many frames from point to point.

    Measured by what made the film even, and by the evaluator network, which took no part in that.
    """
    stretches = len(points) if loop else len(points) - 1
    plain = along(points, even_places(len(done.z), stretches, loop), "lerp", loop=loop)
    device = str(model.device)
    own, other = table(features, device=device), table("faces", "evaluator", device)
    return Comparison(
        plain,
        (
            Row(features, step_lengths(model, plain, own, loop=loop, truncation=truncation), done.steps),
            Row(
                "evaluator",
                step_lengths(model, plain, other, loop=loop, truncation=truncation),
                step_lengths(model, done.z, other, loop=loop, truncation=truncation),
            ),
        ),
    )


def figure(
    model: Generator, plain: Comparison, done: Film, *, fps: float, truncation: float = 1.0
) -> np.ndarray:
    """uint8 ``H,W,3``: the steps over time for each network, and frames of both at equal times."""
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
    for i, (z, name) in enumerate(((plain.z, "plain lerp"), (done.z, "this film"))):
        ax = sheet.add_subplot(grid[rows + i])
        ax.imshow(_strip(model, z, truncation), interpolation="bicubic")
        ax.set_title(f"{name}, at equal times", fontsize=9, loc="left")
        ax.set_axis_off()
    buffer = io.BytesIO()
    sheet.savefig(buffer, format="png")
    return images.read_image(buffer.getvalue())


def _strip(model: Generator, z: torch.Tensor, truncation: float) -> np.ndarray:
    rows = (np.arange(min(SHOWN, len(z))) * len(z)) // min(SHOWN, len(z))
    faces = colour(model.images(z[torch.from_numpy(rows)], truncation))
    return images.grid(magnified(faces, len(faces), 0, wide=1400), len(faces), pad=2)
