"""``python refusing.py MOST ...`` is ``facegan ...`` where torch refuses memory for more than MOST pictures.

A network that is given more asks for more than any address space has. A limit on the process would make
libraries below torch fail as well, and some of them die of it.
"""

import sys

import torch
from torch import nn

from facegan.cli.main import main


def refuse(_: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
    if given and isinstance(given[0], torch.Tensor) and len(given[0]) > MOST:
        torch.empty(1 << 60, dtype=torch.uint8)


if __name__ == "__main__":
    MOST = int(sys.argv[1])
    nn.modules.module.register_module_forward_pre_hook(refuse)
    sys.exit(main(sys.argv[2:]))
