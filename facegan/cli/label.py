"""``facegan label``: attributes for photos that have none."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from facegan.cli.evaluate import Progress, say
from facegan.cli.main import run_function
from facegan.errors import InputError
from facegan.files import beside, fit_name, photo_path

if TYPE_CHECKING:
    from facegan.attributes.labelling import Labelled


def main(
    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER|DATASET")],
    out: str = "",
    network: str = "faces",
    min_confidence: float = 0.5,
    overwrite: bool = False,
    align: bool = True,
    value_range: Annotated[str, tyro.conf.arg(name="range", metavar="LOW..HIGH")] = "",
    follow_links: bool = False,
    workers: int = 0,
) -> None:
    """See smiles, glasses, hair ... in photos and write them down with their confidence.

    Of a dataset, a copy with the attributes is made; of photos, a CSV for 'facegan prepare --attributes'.

    Args:
        source: a dataset, or photos: a folder, an archive, a file.
        out: the new dataset's folder, or the CSV; '' is SOURCE-labelled or SOURCE-attributes.csv beside it.
        network: a bundled attribute network (faces) or a file of 'facegan train-attributes'.
        min_confidence: answers that are less sure stay unknown; 0.5 keeps all, 0.9 the sure ones.
        overwrite: of a dataset: predict known attributes, too; of photos: replace a CSV that is there.
        align: of photos: find and align the largest face first; otherwise the whole photo is taken.
        value_range: of photos: values of arrays and of float or 16-bit pictures, such as 0..1 or 0..4095,
            where they leave it in doubt.
        follow_links: of photos: follow links to folders.
        workers: processes that read photos; 0 is one for each core that this process may use.
    """
    from facegan.attributes.labelling import confidence_file, label_dataset, label_photos, what_helps
    from facegan.attributes.predictor import AttributePredictor
    from facegan.data.advice import reason_lines
    from facegan.data.dataset import Dataset
    from facegan.metrics.feature_extractors import digest

    predictor = AttributePredictor.load(network)
    out = out or default_place(source)
    if (Path(source) / "dataset.json").is_file():
        if Path(out).suffix.lower() == ".csv":
            raise InputError(f"--out {out}: a dataset becomes a dataset; choose a folder")
        name = f"{network}-{digest(network)}"
        made, done = label_dataset(
            Dataset(source), out, predictor, name, min_confidence=min_confidence, overwrite=overwrite,
            told=Progress(),
        )  # fmt: skip
        print(f"{made.path}: {text(done)}\nnext: facegan inspect {shlex.quote(str(made.path))}")
        return
    if Path(out).suffix.lower() != ".csv":
        raise InputError(f"--out {out}: photos become a table; choose a name that ends in .csv")
    for table in (Path(out), confidence_file(out)):
        if table.exists() and not overwrite:
            raise InputError(f"--out {out}: {table} exists already; --overwrite replaces it")
    try:
        done = label_photos(
            [source], out, predictor, align=align, min_confidence=min_confidence, workers=workers,
            told=Progress(), value_range=value_range, follow_links=follow_links,
        )  # fmt: skip
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written ({error.strerror or error})") from None
    if done.rejects:
        helps = what_helps(done.rejects, done.count)
        lines = reason_lines(done.rejects, example=True) + [f"  {helps}"] * bool(helps)
        say("\n".join([f"{len(done.rejects):,} left out:", *lines]))
    options = ["--range", value_range] * bool(value_range) + ["--follow-links"] * follow_links
    command = shlex.join(["facegan", "prepare", source, "--attributes", out, *options])
    print(f"{out}: {text(done)}\nnext: {command} --out DATASET")


def default_place(source: str) -> str:
    """Where the result goes if nothing is said: next to the source, named after it."""
    path = photo_path(source).resolve()
    if source.startswith("sample:"):
        return fit_name(path.stem, "-attributes.csv")
    if (path / "dataset.json").is_file():
        return str(beside(path, fit_name(path.name, "-labelled")))
    return str(beside(path, fit_name(path.name if path.is_dir() else path.stem, "-attributes.csv")))


def text(done: Labelled) -> str:
    """How many pictures and answers there are, and of which attributes they are least sure."""
    given = {n: v for n, v in done.names.items() if v["count"]}
    total = sum(int(v["count"]) for v in done.names.values())
    lines = f"{done.count} picture{'s' * (done.count != 1)}, {total} answers for {len(given)} attributes"
    if not given:
        return lines
    doubtful = sorted(given, key=lambda n: given[n]["confidence"])[:3]
    named = ", ".join(f"{n} ({given[n]['confidence']:.0%})" for n in doubtful)
    return f"{lines}; least sure of {named}"


def run(argv: list[str]) -> int:
    run_function(main, argv)
    return 0
