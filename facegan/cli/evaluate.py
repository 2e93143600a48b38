"""``facegan evaluate``: honest numbers for a model, a folder of pictures or a dataset."""

from __future__ import annotations

from json import dumps
from typing import Annotated

import tyro

from facegan.cli.options import notify, print_json


def main(
    subject: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL|FOLDER|DATASET")],
    against: str,
    split: str = "",
    *,
    features: str = "faces",
    metrics: str = "",
    count: int = 0,
    subject_split: str = "train",
    truncation: float = 1.0,
    weights: str = "",
    floor: bool = True,
    json: str = "",
    page: str = "",
    mark: bool = True,
    device: str = "cpu",
) -> None:
    """Measure generated pictures against real ones.

    Args:
        subject: a run, a model file, a folder of pictures, or a dataset.
        against: the dataset with the real pictures.
        split: which of its pictures: test, val or train (default: the first of these that is there).
        features: what compares pictures: faces (bundled), inception (its weights must be there), pixels.
        metrics: metrics separated by commas: fid, kid, precision-recall, density-coverage, swd, ms-ssim, ppl,
            memorization (default: all that fit).
        count: samples of a model, or the maximum number of pictures (0: 5000 samples, or all pictures).
        subject_split: which split to measure if the subject is a dataset.
        truncation: below 1 moves samples towards the average face.
        weights: file of the feature network, instead of the bundled or downloaded one.
        floor: measure other real pictures, too, as the score of a perfect generator.
        json: write everything as JSON here (- for standard output).
        page: write a page with pictures (.html) here; it shows faces of the dataset, so keep it private.
        mark: write into the page's generated pictures that they are, and their model and command. EU law asks
            providers for such marks since 2 August 2026 (Regulation 2024/1689, Article 50(2)).
        device: cpu, cuda or mps.
    """
    options = {k: v for k, v in locals().items() if k not in ("json", "page", "mark")}
    from facegan.files import write_bytes, writing
    from facegan.metrics.evaluate import evaluate
    from facegan.runs.evaluation_page import check_page, write_evaluation

    if page:
        check_page(page)
    measured = [options.pop(name) for name in ("subject", "against", "features")]
    done = evaluate(*measured, say=notify, **options)
    if json == "-":
        notify(str(done))
        print_json(done.to_dict())
    else:
        print(done)
    if json not in ("", "-"):
        with writing("--json", json):
            write_bytes(json, dumps(done.to_dict(), indent=1).encode() + b"\n")
        notify(f"wrote {json}")
    if page:
        write_evaluation(done, page, mark=mark)
        notify(f"wrote {page}")
