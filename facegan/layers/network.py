"""Base classes of generators and discriminators: what training and everything after it may ask of a network.

Shapes: z ``N,z_dim``, labels ``N,label_dim``, w ``N,num_ws,w_dim``, images ``N,C,H,W`` around [-1, 1].
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import torch
from torch import nn

from facegan import distributed

Mix = tuple[torch.Tensor, torch.Tensor]
"""Second latents ``N,z_dim`` and uniform numbers ``N,2``: whether an image mixes, and from which layer on."""


class Network(nn.Module):
    """What generators and discriminators have in common."""

    label_dim: int = 0
    """How many numbers of labels go with each image."""
    with_labels: Mapping[str, float] = MappingProxyType({})
    """The weights whose inputs are z and, after it, an embedding of the labels: their names, and by how much
    a weight for z alone is to be multiplied, so that it does there what it did without labels."""
    levels: int = 0
    """How many resolutions a growing network has, 0 for all others. It keeps how far it has grown in the
    buffer ``level``, from 0 to ``levels`` - 1, and counts its layers from the smallest resolution."""

    @property
    def draws_noise(self) -> bool:
        """Whether the network draws random numbers of its own in training, such as noise or dropout."""
        return any(isinstance(m, distributed.Dropout) for m in self.modules())


class GeneratorNetwork(Network):
    """A generator. Subclasses set ``z_dim``, ``w_dim``, ``num_ws``, and define ``map`` and ``synthesize``."""

    z_dim: int
    w_dim: int
    num_ws: int
    """How many layers take w."""
    ignores_length: bool = False
    """Whether ``synthesize`` brings each w to one length, so that truncation changes nothing."""
    renews_statistics: bool = False
    """Whether pictures with another truncation take batch-norm statistics of their own."""
    embeddings: frozenset[str] = frozenset()
    """Names of weights that are embeddings of labels, whose rows orthogonal regularisation leaves alone."""
    pieces: float = 1.0
    """Into how many pieces training cuts an update's batch: running averages move as much less with each."""

    @property
    def average_w(self) -> torch.Tensor | None:
        """The average of w that training has kept; None if it keeps none."""
        return None

    def map(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return w of z; labels of None are zeros."""
        raise NotImplementedError

    def synthesize(self, w: torch.Tensor, noise: str = "const") -> torch.Tensor:
        """Return images of w; ``noise`` is const (the same for all), random or none."""
        raise NotImplementedError

    def styles(
        self, z: torch.Tensor, labels: torch.Tensor | None = None, mix: Mix | None = None
    ) -> torch.Tensor:
        """Return w of a training batch; a network that mixes styles takes the second latents of ``mix``."""
        return self.map(z, labels)

    def forward(
        self, z: torch.Tensor, labels: torch.Tensor | None = None, mix: Mix | None = None
    ) -> torch.Tensor:
        """Return images: with random noise in training, with fixed noise in sampling."""
        return self.synthesize(self.styles(z, labels, mix), "random" if self.training else "const")


class TranslatorNetwork(Network):
    """A generator of pictures from pictures of the same shape. Subclasses define ``forward(images)``.

    In evaluation mode, what it makes of a picture does not depend on the rest of the batch.
    """


class Heads(nn.Module):
    """Further judges of images, which look at the maps of a frozen network.

    Subclasses define ``forward(images, labels=None)``, which returns logits ``N,K``.
    """

    @property
    def frozen(self) -> nn.Module:
        """The frozen network, which is no part of the state."""
        raise NotImplementedError

    shape: tuple[int, int, int]
    """(C, H, W) of the images that the frozen network takes."""


class DiscriminatorNetwork(Network):
    """A discriminator. Subclasses define ``forward(images, labels=None)``, which returns logits ``N``."""

    projected: Heads | None
    """Further judges of the images, trained by a hinge loss."""
    projected_weight: float = 0.0
    """The weight of that loss."""

    def __init__(self) -> None:
        super().__init__()
        self.projected = None

    def prepare_real(self, images: torch.Tensor) -> torch.Tensor:
        """Return real images as the network takes them at this stage of training."""
        return images

    def layers_from_image(self) -> Iterable[nn.Module]:
        """Return the layers that Freeze-D may freeze, in the order in which an image meets them."""
        return self.modules()
