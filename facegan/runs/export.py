"""The networks of a run in one small file: what must outlive a machine, for ``--init`` elsewhere.

Half precision, without the optimisers' moments: a run that begins with it goes on from what was learnt,
not bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from facegan.errors import RunError
from facegan.tensor_files import half, has_header, read_tensors, write_tensors

KEY, FORMAT = "facegan-networks", 1


def pack(run: str | Path, out: str | Path) -> dict[str, Any]:
    """Write generator, average and discriminator of a checkpoint of ``run``; the file's metadata.

    ``run`` is a folder, whose newest checkpoint counts, or a moment of one (``RUN@best``). RunError where
    there is no checkpoint. The metadata is that of the run's model at that moment.
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
    """Whether ``path`` is a file that :func:`pack` wrote."""
    return has_header(path, KEY)


def unpack(path: str | Path) -> tuple[dict[str, Any], dict[str, dict[str, torch.Tensor]]]:
    """The metadata, and name -> state of each network; ModelError in one line for a damaged file."""
    with read_tensors(path, KEY, FORMAT, what="file of 'facegan pack'", absent="file") as (head, tensors):
        networks: dict[str, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            name, _, rest = key.partition("/")
            networks.setdefault(name, {})[rest] = value
        return dict(head["papers"]), networks
