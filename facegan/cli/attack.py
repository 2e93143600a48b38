"""``facegan attack``: photos in which a classifier sees what it should not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from facegan.cli.main import run_function
from facegan.cli.options import Live, chosen_classifier, number, with_preset, writing
from facegan.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from facegan.pixels import Attacked, Classifier
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
    model: str = "inception_v3",
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
    was not brought to its target.

    Args:
        photos: photos, or folders of them; all go to the same target.
        target: the class to become, by name ("African elephant") or number; '' is any other class.
        model: the classifier: a name of torchvision's, an exported program (.pt2), or FILE.py:FUNCTION.
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
        weights: file of weights for torchvision's networks; '' looks into torch's cache, then downloads.
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
    from facegan.pixels.attack_report import REPORTS

    files = photo_files(photos)
    single = len(files) == 1 and not Path(photos[0]).expanduser().is_dir()
    places = _places(files, out, single)
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
    live = Live(quiet)
    try:
        results = attack(
            classifier, pictures, target or None, method=method, norm=norm,
            epsilon=number("--epsilon", epsilon), step=number("--step", step), steps=steps or None,
            momentum=momentum, restarts=restarts, loss=loss,
            confidence=confidence, robust=robust, samples=samples, batch=batch, seed=seed,
            on_step=lambda stats: live(status(stats)),
        )  # fmt: skip
    finally:
        live.close()
    results = [replace(r, name=f.name) for r, f in zip(results, files, strict=False)]
    return _finish(classifier, results, places, robust, figure, report, seed)


def photo_files(photos: tuple[str, ...]) -> list[Path]:
    """Files as given; of folders all that look like photos, by name."""
    endings = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".heic", ".avif", ".ppm")
    found: list[Path] = []
    for text in photos:
        path = Path(text).expanduser()
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in endings and p.is_file())
            if not inside:
                raise InputError(f"{text}: no photos in this folder")
            found += inside
        elif not path.is_file():
            raise InputError(f"{text}: there is no such photo or folder")
        else:
            found.append(path)
    if not found:
        raise InputError("which photo? Name a file or a folder")
    return found


def _places(files: list[Path], out: str, single: bool) -> list[Path]:
    """Where each result goes."""
    if single and (not out or Path(out).suffix):
        target = Path(out or f"{files[0].stem}-attacked.png")
        if target.suffix.lower() != ".png":
            raise InputError(
                f"--out {target}: the name must end in .png; other formats would lose the change"
            )
        if target.exists() and target.samefile(files[0]):
            raise InputError(f"--out {target}: is the photo itself; choose another name")
        return [target]
    folder = Path(out or "attacked")
    if folder.suffix.lower() == ".png" or folder.is_file():
        raise InputError(f"--out {folder}: {len(files)} photos need a folder")
    stems: dict[str, int] = {}
    places = []
    for file in files:
        stems[file.stem] = count = stems.get(file.stem, 0) + 1
        places.append(folder / f"{file.stem}{f'-{count}' if count > 1 else ''}.png")
    for file, place in zip(files, places, strict=True):
        if place.exists() and place.samefile(file):
            raise InputError(f"--out {folder}: holds the photos themselves; choose another folder")
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


def _finish(
    classifier: Classifier, results: list[Attacked], places: list[Path], robust: tuple[str, ...],
    figure: bool, report: str, seed: int,
) -> int:  # fmt: skip
    """Write, read again, tell."""
    from facegan import __version__, images
    from facegan.pixels import attack_figure
    from facegan.pixels.attack_report import write_report
    from facegan.pixels.attacks import survival, verified

    checked: list[Attacked] = []
    survived: list[dict[str, float]] = []
    for result, place in zip(results, places, strict=False):
        goal = classifier.short_label(result.target) if result.target >= 0 else "any other class"
        text = {"model": classifier.name, "target": goal, "Software": f"facegan {__version__}"}
        with writing("--out", str(place)):
            images.save_png(place, result.image, text)
            found = verified(classifier, result, images.read_image_file(place))
            if figure:
                stem = place.with_suffix("")
                images.save_png(f"{stem}-difference.png", attack_figure.amplified(found)[0])
                images.save_png(f"{stem}-figure.png", attack_figure.figure(classifier, found))
        checked.append(found)
        survived.append(survival(classifier, found, robust, seed) if robust else {})
        print(f"{told(classifier, found, survived[-1])} -> {place}")
    if report:
        with writing("--report", report):
            write_report(report, classifier, checked, survived, [str(p) for p in places])
    missed = sum(not r.success for r in checked)
    if len(checked) > 1 or report:
        print(f"{len(checked) - missed} of {len(checked)} reached" + (f" -> {report}" if report else ""))
    signum = max((r.signum for r in checked), default=0)
    if signum:
        print("facegan attack: interrupted; the pictures so far are saved")
        return 128 + signum
    return int(missed > 0)


def told(classifier: Classifier, result: Attacked, survived: dict[str, float]) -> str:
    """One line on one photo."""
    (was, p), (now, q) = result.before[0], result.after[0]
    arrow = f"{classifier.short_label(was)} {p:.1%} -> {classifier.short_label(now)} {q:.1%}"
    if not result.success and result.target >= 0:
        arrow += f" (not reached: {classifier.short_label(result.target)} {result.probability:.1%})"
    elif not result.success:
        arrow += " (not reached)"
    change = f"largest change {result.linf * 255:.0f}/255, L2 {result.l2:.2f}, {result.changed:.0%} of pixels"
    lasting = "".join(f", {share:.0%} survive {name}" for name, share in survived.items())
    return f"{result.name}: {arrow}; {result.steps} step{'s' * (result.steps != 1)}, {change}{lasting}"


def run(argv: list[str]) -> int:
    return int(run_function(with_preset(main, PRESETS, argv), argv) or 0)
