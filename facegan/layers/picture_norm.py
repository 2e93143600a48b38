"""Normalisation and noise of translators, which at use treat each picture of a batch by itself.

pix2pix is trained with batches of one picture, and at test time keeps batch norm and dropout as in training
(Isola et al. 2017, section 3.4). Batch norm of one picture is instance norm, so that is what it is at use;
dropout's masks are then the same for all pictures, drawn once for each layer.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from facegan import distributed, rng


class PictureBatchNorm(distributed.BatchNorm2d):
    """Batch norm in training; in evaluation mode the norm over each picture, with the same weights."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, track_running_stats=False)
        nn.init.normal_(self.weight, 1.0, 0.02)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            return super().forward(x)
        # Each channel is a group. (In torch 2.15, instance_norm of one picture has wrong gradients on CPUs
        # where the gradient that comes in is channels-last: findings/torch-instance-norm-channels-last.sh.)
        return F.group_norm(x, x.shape[1], self.weight, self.bias, self.eps)


class PictureDropout(distributed.Dropout):
    """Dropout that stays on in evaluation mode, where all pictures get the mask of this ``layer``."""

    def __init__(self, p: float, layer: int) -> None:
        super().__init__(p)
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            return super().forward(x)
        source = torch.Generator().manual_seed(rng.torch_seed(0, "translator-dropout", self.layer))
        keep = torch.rand(x.shape[1:], generator=source) >= self.p
        return x * keep.to(x) / (1.0 - self.p)


class PictureInstanceNorm(nn.Module):
    """Instance norm without weights (Ulyanov et al. 2016): each channel of each picture by itself."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.channels, self.eps = channels, eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.group_norm(x, self.channels, eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.channels}"


def norm_layer(kind: str, channels: int) -> list[nn.Module]:
    """Return the layer of that kind (batch, instance), or none of ``none``, as a list."""
    if kind == "none":
        return []
    return [PictureBatchNorm(channels) if kind == "batch" else PictureInstanceNorm(channels)]


@torch.no_grad()
def initialise(network: nn.Module, std: float = 0.02) -> None:
    """Draw all convolutions' weights from N(0, std), with biases of 0 (Isola et al. 2017, appendix 6.2)."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
