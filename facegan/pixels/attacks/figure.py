"""Figures of an attack: the amplified difference, top classes before and after, the curve."""

from __future__ import annotations

import io
import textwrap
from typing import Any

import numpy as np

from facegan import images
from facegan.pixels.attacks.result import AttackResult
from facegan.pixels.face_classes import cut

_GREY, _BLUE, _RED = "#8a8f98", "#2f6db3", "#c8452f"


def amplified(result: AttackResult) -> tuple[np.ndarray, int]:
    """Return the difference on mid-grey, and the factor that makes the largest change visible."""
    difference = result.image.astype(np.int16) - result.original
    factor = max(1, 127 // max(1, int(np.abs(difference).max())))
    return (128 + factor * difference).clip(0, 255).astype(np.uint8), factor


def draw(result: AttackResult) -> np.ndarray:
    """Draw photo, result, difference, below them the top five classes, and the curve; uint8 ``H,W,3``.

    If the classifier sees only faces, the pictures show the face.
    """
    import matplotlib

    matplotlib.use("Agg", force=False)
    from matplotlib.figure import Figure

    difference, factor = amplified(result)
    original, image = result.seen
    height, width = image.shape[:2]
    row = 3.7 * min(max(height / width, 0.5), 1.4)
    drawn: Any = Figure(figsize=(11.5, row + 2.9), dpi=100, layout="constrained")
    (*pictures,), (*charts,) = drawn.subplots(2, 3, height_ratios=(row, 2.3))
    titles = ("photo", "attacked", f"difference × {factor}")
    for axis, picture, title in zip(
        pictures, (original, image, cut(difference, result.window)), titles, strict=True
    ):
        axis.imshow(fitting(picture), interpolation="none")
        axis.set_title(title, fontsize=11)
        axis.axis("off")
    for axis, rows, title in ((charts[0], result.before, "before"), (charts[1], result.after, "after")):
        _bars(axis, result, rows, title=title)
    _curve(charts[2], result)
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", facecolor="white")
    return images.read_image(buffer.getvalue())


def fitting(picture: np.ndarray, side: int = 380) -> np.ndarray:
    """Return a picture no larger than it is shown, so that nothing is thinned out by chance."""
    height, width = picture.shape[:2]
    factor = side / max(height, width)
    if factor >= 1:
        return picture
    return images.resize(picture, (max(1, round(height * factor)), max(1, round(width * factor))), "bilinear")


def _colour(result: AttackResult, index: int) -> str:
    wanted = result.target if result.target >= 0 else result.said
    return _BLUE if index == result.source else _RED if index == wanted else _GREY


def _wrapped(text: str, most: int = 24) -> str:
    """Break a text into at most two lines: classes of faces differ in their last words."""
    lines = textwrap.wrap(text, most, max_lines=2, placeholder=" …") or [""]
    return "\n".join(lines).replace("$", r"\$")  # else what stands between two of them is read as mathematics


def _bars(axis: Any, result: AttackResult, rows: list[tuple[int, float]], *, title: str) -> None:
    names = [_wrapped(result.labels[i]) for i, _ in rows]
    places = range(len(rows))
    axis.barh(places, [p for _, p in rows], color=[_colour(result, i) for i, _ in rows], height=0.62)
    for place, (_, p) in zip(places, rows, strict=True):
        axis.text(p + 0.015, place, f"{p:.1%}", va="center", fontsize=8.5)
    axis.set_yticks(places, names, fontsize=9)
    axis.invert_yaxis()
    axis.set_xlim(0, 1.15)
    axis.set_xticks([0, 0.5, 1], ["0", "50%", "100%"], fontsize=8)
    axis.set_title(title, fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)


def _curve(axis: Any, result: AttackResult) -> None:
    steps = range(len(result.curve))
    dots = "o" if len(steps) <= 60 else ""
    for values, colour, name in (
        ([source for _, source in result.curve], _BLUE, result.labels[result.source]),
        ([reached for reached, _ in result.curve], _RED, result.target_name or "best other class"),
    ):
        axis.plot(
            steps, values, color=colour, label=_wrapped(name), marker=dots, markersize=3.5, linewidth=1.6
        )
    axis.set_ylim(-0.03, 1.03)
    axis.set_yticks([0, 0.5, 1], ["0", "50%", "100%"], fontsize=8)
    axis.tick_params(axis="x", labelsize=8)
    axis.set_xlim(0, max(1, len(steps) - 1))
    if len(steps) <= 11:
        axis.set_xticks(list(range(max(2, len(steps)))))
    axis.set_xlabel("step", fontsize=9)
    axis.set_title("probability", fontsize=10)
    axis.legend(fontsize=8.5, frameon=False, loc="best")
    axis.spines[["top", "right"]].set_visible(False)
