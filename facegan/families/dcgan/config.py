"""Settings of the family."""

from __future__ import annotations

from dataclasses import dataclass, field

from facegan.families.feedforward import NetworkConfig


@dataclass(frozen=True)
class Config:
    """The paper's 64 px networks without batch norm in the discriminator, which gradient penalties need."""

    generator: NetworkConfig = field(
        default_factory=lambda: NetworkConfig(
            layers="dense 4x4x512; bn relu; convT 256 4 s2 bn relu; convT 128 4 s2 bn relu; "
            "convT 64 4 s2 bn relu; convT image 4 s2 tanh"
        )
    )
    discriminator: NetworkConfig = field(
        default_factory=lambda: NetworkConfig(
            layers="conv 64 4 s2 lrelu; conv 128 4 s2 lrelu; conv 256 4 s2 lrelu; "
            "conv 512 4 s2 lrelu; dense 1"
        )
    )
