"""``facegan pack``: the networks of a run in one small file, to train on elsewhere."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import tyro

from facegan.files import beside, fit_name


def main(run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")], out: str = "") -> None:
    """Write a run's generator, average and discriminator into one file, in half precision.

    They come from the newest checkpoint, or RUN@best. 'facegan train --init FILE' continues from them on any
    machine.

    Args:
        run: a run folder, or a checkpoint of one (RUN@best).
        out: the file; '' is RUN-networks.safetensors.
    """
    from facegan.files import check_ending, writing
    from facegan.runs.export import pack

    place = Path(run) if Path(run).name else Path(run).resolve()  # "." has no name
    name = out or str(beside(place, fit_name(place.name, "-networks.safetensors")))
    check_ending("--out", name, [".safetensors"])
    with writing("--out", name):
        metadata = pack(run, name)
    seen = metadata["provenance"]["images_seen"] / 1000
    print(f"{run} at {seen:g} kimg -> {name} ({Path(name).stat().st_size / 2**20:.1f} MiB)")
    recipe = metadata["provenance"]["recipe"] or "RECIPE"
    print(f"next: facegan train DATASET --recipe {recipe} --init {shlex.quote(name)}")
