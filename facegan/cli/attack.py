"""``facegan attack``: photos in which a classifier sees what it should not."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from facegan.cli.main import run_function
from facegan.cli.options import Live, check_places, chosen_classifier, number, with_preset, writing
from facegan.errors import FaceganError, InputError
from facegan.files import derived, fit_name, photo_path

if TYPE_CHECKING:
    import numpy as np

    from facegan.pixels import AttackResult, Classifier
    from facegan.pixels.loop import StepStats

# What stands in the tutorial, in units of pictures in [0, 1]: half of those in [-1, 1], where it works.
PRESETS: dict[str, dict[str, Any]] = {
    "tutorial": {
        "model": "inception_v3", "target": "African elephant", "method": "gradient", "norm": "linf",
        "epsilon": "0.005", "step": "0.025", "steps": 10_000, "confidence": 0.8, "size": 299,
    },
}  # fmt: skip


def main(
    photos: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO|FOLDER...")],
    target: str = "",
    model: str = "faces",
    method: Literal["pgd", "fgsm", "gradient", "ddn", "fmn"] = "pgd",
    norm: Literal["", "linf", "l2"] = "",
    epsilon: str = "",
    step: str = "",
    steps: int = 0,
    momentum: float = 0.0,
    restarts: int = 1,
    loss: Literal["", "ce", "margin", "probability"] = "",
    confidence: float = 0.0,
    robust: tuple[Literal["resize", "jpeg"], ...] = (),
    samples: int = 4,
    out: str = "",
    figure: bool = True,
    report: str = "",
    size: int = 0,
    labels: str = "",
    weights: str = "",
    input_size: int = 0,
    mean: str = "",
    std: str = "",
    crop: bool = False,
    batch: int = 0,
    seed: int = 0,
    device: str = "cpu",
    preset: str = "",
    quiet: bool = False,
) -> int:
    """Change photos, a little, until a classifier sees something else in them.

    Whether it does is checked on the PNG file that was written, read again. The exit code is 1 if some photo
    was not brought to its target, with the --confidence asked for, or cannot be read.

    Args:
        photos: photos (a file, or sample:astronaut), or folders of them; all go to the same target.
        target: the class to become, by name ("face with eyeglasses") or number; '' is any other class.
        model: the classifier: faces (bundled; faces:bald,smiling chooses attributes), efficientnet_lite0, a
            name of torchvision's, an exported program (.pt2), or FILE.py:FUNCTION.
        method: pgd, fgsm (one step), gradient (the tutorial's); ddn and fmn look for the smallest change.
        norm: how changes are measured: linf (the largest one) or l2; '' is the method's.
        epsilon: the largest change allowed, of 1: 4/255, 0.02; '' is 4/255, in l2 5. Not for ddn and fmn.
        step: length of a step, of 1; '' is a quarter of epsilon, for other methods their own.
        steps: the most steps; 0 is the method's: 40, fgsm 1, gradient 1000, ddn and fmn 100.
        momentum: 1 adds all gradients up; 0 forgets them.
        restarts: starts, the first at the photo, others at random within epsilon.
        loss: what falls: ce, margin (of logits) or probability; '' is the method's.
        confidence: go on until the target is so probable; 0 stops as soon as it is the first of all.
        robust: what it should survive: resize, jpeg, or both.
        samples: of such changes, for each step.
        out: a .png, or for several photos a folder; '' is PHOTO-attacked.png here, or attacked/.
        figure: write the amplified difference and a figure with classes and curve, beside the picture.
        report: a table of all photos: .html, .json or .csv.
        size: make photos size x size px first (nearest pixel, as the tutorial does); 0 leaves them.
        labels: file with the names of the classes, one a line, or JSON; '' is what the classifier brings.
        weights: file of weights for ImageNet's networks; '' looks into torch's cache, then downloads.
        input_size: side of what the classifier sees, in px; 0 is what it was trained with.
        mean: of the colours, in [0, 1]: 0.485,0.456,0.406; '' is the classifier's.
        std: of the colours; '' is the classifier's.
        crop: the classifier sees the centre, as in its training, instead of the whole photo.
        batch: photos at once; 0 is one a thread, on a GPU 16.
        seed: for random starts and changes.
        device: cpu, cuda or mps.
        preset: tutorial: the settings of the tutorial; other options still win.
        quiet: no live line.
    """
    from facegan.pixels import attack
    from facegan.pixels.attacks.report import REPORTS

    files, unread = photo_files(photos)
    single = len(files) == 1 and not photo_path(photos[0]).is_dir()
    places = _places(files, photos, out, single, figure)
    check_places(
        {"--out": [path for place in places for path in _made(place, figure)], "--report": report},
        [*files, labels, weights],
    )
    if report and Path(report).suffix.lower() not in REPORTS:
        raise InputError(f"--report {report}: the name must end in {', '.join(REPORTS)}")
    if size < 0:
        raise InputError(f"--size must be 0 (as the photo) or more, not {size}")
    if steps < 0:
        raise InputError(f"--steps must be 0 (the method's) or more, not {steps}")
    classifier = chosen_classifier(model, labels, weights, input_size, mean, std, crop, device)
    if target:
        classifier.find_class(target)
    pictures: list[Any] = [_squared(f, size) for f in files] if size else list(files)
    live, kept = Live(quiet), _Keeper(classifier, files, places, robust, figure, seed)

    def keep(result: AttackResult) -> None:
        live.close()
        kept(result)

    try:
        attack(
            classifier, pictures, target or None, method=method, norm=norm,
            epsilon=number("--epsilon", epsilon), step=number("--step", step), steps=steps or None,
            momentum=momentum, restarts=restarts, loss=loss,
            confidence=confidence, robust=robust, samples=samples, batch=batch, seed=seed,
            on_step=lambda stats: live(status(stats)), on_result=keep,
        )  # fmt: skip
    except KeyboardInterrupt:  # between two steps: what is done is told all the same
        kept.stopped = True
    finally:
        live.close()
    return kept.finish(report, unread)


def photo_files(photos: tuple[str, ...]) -> tuple[list[Path], int]:
    """Files as given; of folders all that look like photos, by name, and how many of those are none."""
    from facegan import images
    from facegan.data.walk import picture_files
    from facegan.kinds import NO_IMAGE

    found: list[Path] = []
    unread = 0
    for text in photos:
        path = photo_path(text)
        if path.is_dir():
            inside, others = picture_files(path, deep=False)
            for reason, count in others.items():
                if not reason.startswith("link to a folder") and reason != NO_IMAGE:
                    print(f"facegan attack: left out of {text}: {count} {reason}", file=sys.stderr)
            if not inside:
                raise InputError(f"{text}: no photos in this folder")
            for file in inside:
                try:
                    images.read_image_file(file)
                except FaceganError as error:
                    print(f"facegan attack: left out: {error}", file=sys.stderr)
                    unread += 1
                else:
                    found.append(file)
        elif not path.is_file():
            raise InputError(f"{text}: there is no such photo or folder")
        else:
            images.read_image_file(path)  # what is wrong with one is said before hours of work on others
            found.append(path)
    if not found:
        raise InputError(
            f"{photos[0]}: none of its photos can be read"
            if unread
            else "which photo? Name a file or a folder"
        )
    return found, unread


def _made(place: Path, figure: bool) -> list[Path]:
    """What is written for a photo."""
    beside = ("-difference", "-figure") if figure else ()
    return [place, *(derived(place, f"{ending}.png") for ending in beside)]


def _places(files: list[Path], photos: tuple[str, ...], out: str, single: bool, figure: bool) -> list[Path]:
    """Where each result goes."""
    if single and (not out or Path(out).suffix):
        target = Path(out or fit_name(files[0].stem, "-attacked.png"))
        if target.suffix.lower() != ".png":
            raise InputError(
                f"--out {target}: the name must end in .png; other formats would lose the change"
            )
        return [target]
    folder = Path(out or "attacked")
    if folder.suffix.lower() == ".png" or folder.is_file():
        raise InputError(f"--out {folder}: {len(files)} photos need a folder")
    if any(Path(text).is_dir() and Path(text).resolve() == folder.resolve() for text in photos):
        raise InputError(f"--out {folder}: holds photos that are read; choose another folder")
    taken: set[str] = set()
    places = []
    for file in files:
        place, number = folder / fit_name(file.stem, ".png"), 1
        while taken & (names := {made.name.casefold() for made in _made(place, figure)}):
            number += 1
            place = folder / fit_name(file.stem, f"-{number}.png")
        taken |= names
        places.append(place)
    return places


def _squared(file: Path, side: int) -> np.ndarray:
    from facegan import images

    return images.resize(images.read_image_file(file), (side, side), "nearest")


def status(stats: StepStats) -> str:
    """The live line."""
    v = stats.values
    place = f"photo {v['photos_done'] + 1:g} of {v['photos']:g}" if v["photos"] > 1 else "photo"
    if v["photos_now"] > 1:
        place = (
            f"photos {v['photos_done'] + 1:g} to {v['photos_done'] + v['photos_now']:g} of {v['photos']:g}"
        )
    text = f"{place}  step {stats.step} of {stats.steps}  loss {stats.loss:.4g}"
    return f"{text}  probability {v['probability']:.1%}"


@dataclass
class _Keeper:
    """Writes each photo's result as soon as it is there, reads it again, and tells."""

    classifier: Classifier
    files: list[Path]
    places: list[Path]
    robust: tuple[str, ...]
    figure: bool
    seed: int
    checked: list[AttackResult] = field(default_factory=list)
    survived: list[dict[str, float]] = field(default_factory=list)
    stopped: bool = False

    def __call__(self, result: AttackResult) -> None:
        from facegan import __version__, images
        from facegan.pixels.attacks import figure as attack_figure
        from facegan.pixels.attacks.attack import survival, verified

        number, classifier = len(self.checked), self.classifier
        place = self.places[number]
        result = replace(result, name=self.files[number].name)
        goal = classifier.short_label(result.target) if result.target >= 0 else "any other class"
        text = {"model": classifier.name, "target": goal, "Software": f"facegan {__version__}"}
        with writing("--out", str(place)):
            images.save_png(place, result.image, text)
            found = verified(classifier, result, images.read_image_file(place))
            if self.figure:
                _, difference, figure = _made(place, True)
                images.save_png(difference, attack_figure.amplified(found)[0])
                images.save_png(figure, attack_figure.figure(classifier, found))
        self.checked.append(found)
        self.survived.append(survival(classifier, found, self.robust, self.seed) if self.robust else {})
        print(f"{told(classifier, found, self.survived[-1])} -> {place}", flush=True)

    def finish(self, report: str, unread: int) -> int:
        """The report, the sum of all, and the exit code."""
        from facegan.pixels.attacks.report import write_report

        checked = self.checked
        if report and checked:
            with writing("--report", report):
                write_report(report, self.classifier, checked, self.survived, [str(p) for p in self.places])
        missed = sum(not r.success for r in checked)
        if len(checked) > 1 or report:
            arrow = f" -> {report}" if report else ""
            print(f"{len(checked) - missed} of {len(checked)} reached{arrow}")
        if signum := max((r.signum for r in checked), default=0) or signal.SIGINT * self.stopped:
            print("facegan attack: interrupted; the pictures so far are saved")
            return 128 + signum
        return int(missed + unread > 0)


def told(classifier: Classifier, result: AttackResult, survived: dict[str, float]) -> str:
    """One line on one photo."""
    (was, p), (now, q) = result.before[0], result.after[0]
    arrow = f"{classifier.short_label(was)} {p:.1%} -> {classifier.short_label(now)} {q:.1%}"
    seen = result.said == result.target if result.target >= 0 else result.said != result.source
    if not result.success and seen:
        arrow += f" (not as sure as {result.confidence:g})"
    elif not result.success and result.target >= 0:
        arrow += f" (not reached: {classifier.short_label(result.target)} {result.probability:.1%})"
    elif not result.success:
        arrow += " (not reached)"
    change = f"largest change {result.linf * 255:.0f}/255, L2 {result.l2:.2f}, {result.changed:.0%} of pixels"
    lasting = "".join(f", {share:.0%} survive {name}" for name, share in survived.items())
    if classifier.faces and result.window is None:
        lasting += "; no face was found, so the network was shown the whole photo"
    return f"{result.name}: {arrow}; {result.steps} step{'s' * (result.steps != 1)}, {change}{lasting}"


def run(argv: list[str]) -> int:
    return int(run_function(with_preset(main, PRESETS, argv), argv) or 0)
