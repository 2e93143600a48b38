"""LPIPS with VGG16 (Zhang et al. 2018): the package lpips, with a backbone whose weights the user has.

Nothing is downloaded: the weights of the backbone lie in torch's cache, or a line says where they belong.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from facegan.errors import InputError, ModelError
from facegan.pickles.tables import read_state

VGG_FILE = "vgg16-397923af.pth"


def vgg_weights(option: str) -> dict[str, torch.Tensor]:
    """Return the weights of VGG16's convolutions, by the names that torchvision's layers have.

    Args:
        option: what asked for them, such as ``--loss vgg``; messages begin with it.

    Raises:
        InputError: The file is not in torch's cache, or cannot be read.
    """
    file = Path(torch.hub.get_dir()) / "checkpoints" / VGG_FILE
    if not file.is_file():
        raise InputError(f"{option}: its weights are not here; put {VGG_FILE} at {file}, or use 'faces'")
    try:
        weights = read_state(file)
    except (ModelError, OSError) as error:
        raise InputError(f"{file}: not readable as weights ({error})") from None
    return {k.removeprefix("features."): v for k, v in weights.items() if k.startswith("features.")}


def lpips_network(option: str, device: str) -> Any:
    """Return the network of the package lpips, which takes two batches ``N,3,H,W`` in [-1, 1].

    Args:
        option: what asked for it, such as ``--loss lpips``; messages begin with it.
        device: where it computes: cpu, cuda or mps.

    Raises:
        InputError: The package or the weights of its backbone are not there.
    """
    tower = vgg_weights(option)
    try:
        import lpips
    except ImportError:
        raise InputError(f"{option} needs the package lpips: pip install lpips") from None
    network = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False)
    for piece in (getattr(network.net, f"slice{i + 1}") for i in range(5)):
        piece.load_state_dict({k: tower[k] for k in piece.state_dict()})
    return network.to(device).eval().requires_grad_(False)
