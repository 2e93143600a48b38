"""Settings of the family."""

from __future__ import annotations

from dataclasses import dataclass, field

from facegan.families.feedforward import NetworkConfig


@dataclass(frozen=True)
class Config:
    """Dense networks of any size: the last generator layer takes the picture's shape."""

    generator: NetworkConfig = field(
        default_factory=lambda: NetworkConfig(
            layers="dense 256 lrelu bn; dense 512 lrelu bn; dense 1024 lrelu bn; dense image tanh",
            init="glorot",
            bn_eps=1e-3,
            bn_momentum=0.2,
        )
    )
    discriminator: NetworkConfig = field(
        default_factory=lambda: NetworkConfig(
            layers="dense 784 lrelu; dense 392 lrelu; dense 1", init="glorot"
        )
    )
