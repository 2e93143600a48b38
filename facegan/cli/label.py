"""``facegan label``: attributes for photos that have none."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import tyro

from facegan.cli.options import notify

if TYPE_CHECKING:
    from facegan.attributes.labelling import Labelled


def main(
    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER|DATASET")],
    out: str = "",
    network: str = "faces",
    *,
    min_confidence: float = 0.5,
    overwrite: bool = False,
    align: bool = True,
    value_range: Annotated[str, tyro.conf.arg(name="range", metavar="LOW..HIGH")] = "",
    follow_links: bool = False,
    workers: int = 0,
) -> None:
    """Predict smiles, glasses, hair ... in photos and save them with their confidence.

    Writes a copy of a dataset with the attributes, or for photos a CSV for 'facegan prepare --attributes'.

    Args:
        source: a dataset, or photos: a folder, an archive, a file.
        out: the new dataset's folder, or the CSV; '' is SOURCE-labelled or SOURCE-attributes.csv beside it.
        network: a bundled attribute network (faces) or a file of 'facegan train-attributes'.
        min_confidence: answers with lower confidence stay unknown; 0.5 keeps all answers.
        overwrite: for a dataset: predict known attributes, too; for photos: replace an existing CSV.
        align: for photos: find and align the largest face first; otherwise use the whole photo.
        value_range: of photos: values of arrays and of float or 16-bit pictures, such as 0..1 or 0..4095,
            where they leave it in doubt.
        follow_links: for photos: follow links to folders.
        workers: processes that read photos; 0 is one for each core that this process may use.
    """
    from facegan.attributes.label import label
    from facegan.attributes.labelling import what_helps
    from facegan.data.summary import reason_lines

    made = label(
        source,
        out,
        network=network,
        min_confidence=min_confidence,
        overwrite=overwrite,
        align=align,
        value_range=value_range,
        follow_links=follow_links,
        workers=workers,
    )
    done, path = made.labelled, str(made.path)
    if made.dataset:
        print(f"{path}: {text(done)}\nnext: facegan inspect {shlex.quote(path)}")
        return
    if done.rejects:
        helps = what_helps(done.rejects, done.count)
        lines = reason_lines(done.rejects, example=True) + [f"  {helps}"] * bool(helps)
        notify("\n".join([f"{len(done.rejects):,} left out:", *lines]))
    options = ["--range", value_range] * bool(value_range) + ["--follow-links"] * follow_links
    command = shlex.join(["facegan", "prepare", source, "--attributes", path, *options])
    print(f"{path}: {text(done)}\nnext: {command} --out DATASET")


def text(done: Labelled) -> str:
    """Say how many pictures and answers there are, and of which attributes they are least sure."""
    given = {n: v for n, v in done.names.items() if v["count"]}
    total = sum(int(v["count"]) for v in done.names.values())
    lines = f"{done.count} picture{'s' * (done.count != 1)}, {total} answers for {len(given)} attributes"
    if not given:
        return lines
    doubtful = sorted(given, key=lambda n: given[n]["confidence"])[:3]
    named = ", ".join(f"{n} ({given[n]['confidence']:.0%})" for n in doubtful)
    return f"{lines}; least sure of {named}"
