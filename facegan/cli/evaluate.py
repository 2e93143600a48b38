"""``facegan evaluate``: honest numbers for a model, a folder of pictures or a dataset."""

from __future__ import annotations

from json import dumps
from typing import Annotated, Any

import tyro

from facegan.cli.options import notify, print_json
from facegan.errors import InputError

HOLD = "male,eyeglasses,young,smiling"
_OF_TRANSLATORS = {"photos": "", "direction": "", "asked": "", "hold": HOLD}


def main(
    subject: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL|FOLDER|DATASET")],
    against: str,
    split: str = "",
    *,
    photos: str = "",
    direction: str = "",
    asked: str = "",
    hold: str = HOLD,
    features: str = "faces",
    metrics: str = "",
    count: int = 0,
    subject_split: str = "train",
    truncation: float = 1.0,
    labels: str = "",
    weights: str = "",
    input_size: int = 0,
    floor: bool = True,
    json: str = "",
    page: str = "",
    mark: bool = True,
    device: str = "cpu",
) -> None:
    """Measure generated pictures against real ones, or a translator on held-out pictures.

    A translator is measured on pairs: the inputs and targets of --against, or the inputs that it derives of
    its pictures. With --photos, it translates these, and the results are compared with --against as a whole.

    Args:
        subject: a run, a model file, a folder of pictures, or a dataset.
        against: the dataset with the real pictures.
        split: which of its pictures: test, val or train (default: the first of these that is there).
        photos: for a translator: the dataset whose pictures are translated, if they are others.
        direction: for a translator of two domains: a-to-b or b-to-a.
        asked: for a translator: attributes that results should have, such as "eyeglasses" (default, with
            --photos: those by which the two datasets differ).
        hold: for a translator: attributes that should stay.
        features: what compares pictures: faces (bundled), inception (its weights must be there), pixels, or a
            classifier: efficientnet_lite0, a name of torchvision's, an exported program (.pt2), or
            FILE.py:FUNCTION.
        metrics: metrics separated by commas: fid, kid, precision-recall, density-coverage, swd, ms-ssim, ppl,
            memorization, linear-auc, c2st (a minute of a core); for a translator perceptual, psnr, ssim,
            lpips, kid, attributes, identity (default: all that fit, but c2st).
        count: samples of a model, or the maximum number of pictures (0: 5000 samples, or all pictures).
        subject_split: which split to measure if the subject is a dataset.
        truncation: below 1 moves samples towards the average face.
        labels: of a conditional model, such as smiling=1: measure samples with these labels against the real
            pictures that have them (default: labels as often as in training).
        weights: file of the feature network, instead of the bundled or downloaded one.
        input_size: side in px to which pictures are brought for a classifier; 0 is its own.
        floor: measure other real pictures, too, as the score of a perfect generator: those of train, or with
            --split train those of test or val.
        json: write everything as JSON here (- for standard output).
        page: write a page with pictures (.html) here; it shows faces of the dataset, so keep it private.
        mark: write into the page's generated pictures that they are, and their model and command. EU law asks
            providers for such marks since 2 August 2026 (Regulation 2024/1689, Article 50(2)).
        device: cpu, cuda or mps.
    """
    options = {k: v for k, v in locals().items() if k not in ("json", "page", "mark")}
    from facegan.models import is_translator

    if page and is_translator(subject):
        raise InputError("--page: is for generators and pictures; a translator's pictures are in 'translate'")
    if page:
        from facegan.runs.evaluation_page import check_page

        check_page(page)
    done = (_of_translator if is_translator(subject) else _of_pictures)(options)
    _tell(done, json)
    if page:
        from facegan.runs.evaluation_page import write_evaluation

        write_evaluation(done, page, mark=mark)
        notify(f"wrote {page}")


def _of_pictures(options: dict[str, Any]) -> Any:
    """Measure pictures, or the samples of a generator."""
    from facegan.metrics.evaluate import evaluate

    measured = [options.pop(name) for name in ("subject", "against", "features")]
    others = {name: options.pop(name) for name in _OF_TRANSLATORS}
    for name, value in others.items():
        if value != _OF_TRANSLATORS[name]:
            raise InputError(f"--{name} {value}: is for translators, and {measured[0]} is none")
    return evaluate(*measured, say=notify, **options)


def _of_translator(options: dict[str, Any]) -> Any:
    """Measure a translator."""
    from facegan.metrics.evaluate_translator import evaluate_translator

    usual = {"truncation": 1.0, "subject_split": "train", "floor": True, "labels": ""}
    for name, default in usual.items():
        if options.pop(name) != default:
            raise InputError(f"--{name.replace('_', '-')}: is not for translators; leave it out")
    model, against, photos, table = (options.pop(k) for k in ("subject", "against", "photos", "features"))
    return evaluate_translator(model, against, photos or None, table=table, **options)


def _tell(done: Any, json: str) -> None:
    """Print the table, and write or print the numbers as JSON."""
    from facegan.files import write_bytes, writing

    if json == "-":
        notify(str(done))
        print_json(done.to_dict())
    else:
        print(done)
    if json not in ("", "-"):
        with writing("--json", json):
            write_bytes(json, dumps(done.to_dict(), indent=1).encode() + b"\n")
        notify(f"wrote {json}")
