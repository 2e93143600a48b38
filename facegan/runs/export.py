"""The networks of a run in one small file: what must outlive a machine, for ``--init`` elsewhere.

Half precision, without the optimisers' moments: a run that begins with it goes on from what was learnt,
not bit for bit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from facegan.errors import RunError
from facegan.files import has_papers, read_tensors, write_bytes

KEY, FORMAT = "facegan-networks", 1


def pack(run: str | Path, out: str | Path) -> dict[str, Any]:
    """Write generator, average and discriminator of a checkpoint of ``run``; the file's papers.

    ``run`` is a folder, whose newest checkpoint counts, or a moment of one (``RUN@best``). RunError where
    there is no checkpoint. The papers are those of the run's model at that moment.
    """
    from safetensors.torch import save

    from facegan.generator import canonical_json
    from facegan.models import load, moment_name
    from facegan.runs.checkpoints import checkpoint_of, kimg_of, read_networks

    found = checkpoint_of(run)
    if found is None:
        raise RunError(
            f"{run}: no checkpoint there; name the run folder of a 'facegan train', or RUN@best of one "
            "with --metric"
        )
    papers = load(f"{found.parent.parent}@{moment_name(kimg_of(found.name))}").meta
    tensors = {
        f"{name}/{key}": value.half() if value.is_floating_point() else value
        for name, network in read_networks(found).items()
        for key, value in network.items()
    }
    header = canonical_json({"format": FORMAT, "papers": papers})
    write_bytes(out, save(dict(sorted(tensors.items())), {KEY: header}))
    return papers


def is_packed(path: str | Path) -> bool:
    """Whether ``path`` is a file that :func:`pack` wrote."""
    return has_papers(path, KEY)


def unpack(path: str | Path) -> tuple[dict[str, Any], dict[str, dict[str, torch.Tensor]]]:
    """The papers, and name -> state of each network; ModelError in one line for a damaged file."""
    with read_tensors(path, KEY, FORMAT, "file of 'facegan pack'", "file") as (head, tensors):
        networks: dict[str, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            name, _, rest = key.partition("/")
            networks.setdefault(name, {})[rest] = value
        return dict(head["papers"]), networks
