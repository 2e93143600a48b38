"""The networks of a run in one small file, for ``--init`` on another machine.

Half precision, without the optimisers' moments: a run that begins with it goes on from what was learnt,
not bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from facegan.errors import RunError
from facegan.tensor_files import by_group, half, has_header, read_tensors, write_tensors

KEY, FORMAT = "facegan-networks", 1


def pack(run: str | Path, out: str | Path) -> dict[str, Any]:
    """Write generator, average and discriminator of a checkpoint; return the metadata of its model.

    ``run`` is a folder, whose newest checkpoint counts, or ``RUN@best`` and the like. RunError if there is no
    checkpoint.
    """
    from facegan.models import load, moment_name
    from facegan.runs.checkpoints import checkpoint_of, kimg_of, read_networks

    found = checkpoint_of(run)
    if found is None:
        raise RunError(
            f"{run}: no checkpoint there; name the run folder of a 'facegan train', or RUN@best of one "
            "with --metric"
        )
    metadata = load(f"{found.parent.parent}@{moment_name(kimg_of(found.name))}").meta
    write_networks(out, metadata, read_networks(found))
    return metadata


def write_networks(
    out: str | Path, metadata: dict[str, Any], networks: Mapping[str, Mapping[str, torch.Tensor]]
) -> None:
    """Write the states of ``generator``, ``ema`` and ``discriminator`` into a file that ``--init`` takes."""
    tensors = {f"{name}/{key}": value for name, state in networks.items() for key, value in state.items()}
    write_tensors(out, KEY, {"format": FORMAT, "papers": metadata}, tensors=half(tensors))


def is_packed(path: str | Path) -> bool:
    """Return whether :func:`pack` wrote the file ``path``."""
    return has_header(path, KEY)


def unpack(path: str | Path) -> tuple[dict[str, Any], dict[str, dict[str, torch.Tensor]]]:
    """Return the metadata, and the networks' tensors by name; ModelError for a damaged file."""
    with read_tensors(path, KEY, FORMAT, what="file of 'facegan pack'", absent="file") as (head, tensors):
        return dict(head["papers"]), by_group(tensors)
