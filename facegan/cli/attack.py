"""``facegan attack``: photos in which a classifier sees what it should not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import tyro

from facegan import bars
from facegan.cli.main import run_function
from facegan.cli.options import FLAT, notify, with_preset
from facegan.errors import FaceganError
from facegan.pixels.attacks.config import ATTACKS, LEVELS, AttackConfig
from facegan.pixels.settings import ClassifierConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facegan.pixels import AttackResult
    from facegan.pixels.loop import StepStats

PRESETS: dict[str, dict[str, Any]] = {
    "tutorial": {
        "settings": ATTACKS["tutorial"],
        "classifier": ClassifierConfig("inception_v3"),
        "target": "African elephant",
    },
}


def main(
    photos: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO|FOLDER...")],
    target: str = "",
    settings: Annotated[AttackConfig, FLAT] = AttackConfig(),  # noqa: B008
    *,
    out: str = "",
    figure: bool = True,
    report: str = "",
    mark: bool = True,
    classifier: Annotated[ClassifierConfig, FLAT] = ClassifierConfig(),  # noqa: B008
    preset: str = "",
    quiet: bool = False,
) -> int:
    """Change photos, a little, until a classifier sees something else in them.

    The PNG file that was written is read again to check it. The exit code is 1 if some photo cannot be read
    or did not reach its target with the --confidence asked for.

    Args:
        photos: photos (a file, or sample:astronaut), or folders of them; all go to the same target.
        target: the class to become, by name ("face with eyeglasses") or number; '' is any other.
        settings: of the attack.
        out: a .png, or for several photos a folder; '' is PHOTO-attacked.png here, or attacked/.
        figure: write the amplified difference and a figure with classes and curve, beside the picture.
        report: a table of all photos: .html, .json or .csv.
        mark: write into each picture that it was changed, and by which network and command. EU law asks
            providers for such marks since 2 August 2026 (Regulation 2024/1689, Article 50(2)).
        classifier: that is attacked.
        preset: tutorial: the settings of the tutorial; other options still win.
        quiet: no live line.
    """
    from facegan.pixels.attacks.attack import attack

    line, unread = bars.Line(), list[FaceganError]()

    def tell(result: AttackResult) -> None:
        line.close()
        print(f"{describe(result)} -> {result.path}", flush=True)

    def left_out(error: FaceganError) -> None:
        notify(f"facegan attack: left out: {error}")
        unread.append(error)

    try:
        results = attack(
            photos,
            target or None,
            model=classifier,
            config=settings,
            on_step=None if quiet else lambda stats: line.show(status(stats)),
            on_result=tell,
            on_unread=left_out,
            out=out,
            figure=figure,
            report=report,
            mark=mark,
        )
    finally:
        line.close()
    missed = _summary(results, report)
    if signum := max(result.signum for result in results):
        print("facegan attack: interrupted; the pictures so far are saved")
        return 128 + signum
    return int(missed + len(unread) > 0)


def _summary(results: Sequence[AttackResult], report: str) -> int:
    """Print how many of several photos reached their target; return how many did not."""
    missed = sum(not result.success for result in results)
    if len(results) > 1 or report:
        print(f"{len(results) - missed} of {len(results)} reached" + f" -> {report}" * bool(report))
    return missed


def status(stats: StepStats) -> str:
    """Return the live line."""
    done, now, total = (int(stats.values[key]) for key in ("photos_done", "photos_now", "photos"))
    place = f"photos {done + 1} to {done + now} of {total}"
    if now == 1:
        place = f"photo {done + 1} of {total}" if total > 1 else "photo"
    text = f"{place}  step {stats.step} of {stats.steps}  loss {stats.loss:.4g}"
    return f"{text}  probability {stats.values['probability']:.1%}"


def describe(result: AttackResult) -> str:
    """Return one line on one photo."""
    (was, p), (now, q) = result.before[0], result.after[0]
    arrow = f"{result.labels[was]} {p:.1%} -> {result.labels[now]} {q:.1%}"
    if not result.success and result.criterion.accepts(result.said):
        arrow += f" (not as sure as {result.confidence:g})"
    elif not result.success and result.target >= 0:
        arrow += f" (not reached: {result.target_name} {result.probability:.1%})"
    elif not result.success:
        arrow += " (not reached)"
    size = f"largest change {result.linf * LEVELS:.0f}/255, L2 {result.l2:.2f}"
    survived = "".join(f", {share:.0%} survive {name}" for name, share in result.survived.items())
    if result.faces and result.window is None:
        survived += "; no face was found, so the network was shown the whole photo"
    steps = f"{result.steps} step{'s' * (result.steps != 1)}"
    return f"{result.name}: {arrow}; {steps}, {size}, {result.changed:.0%} of pixels{survived}"


def run(argv: list[str]) -> int:
    """Run the command."""
    return int(run_function(with_preset(main, PRESETS, argv), argv) or 0)
