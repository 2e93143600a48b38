"""The original GAN with dense networks (Goodfellow et al. 2014), as MNIST tutorials build it."""

from facegan.families.feedforward import FeedForward
from facegan.families.vanilla.config import Config


class Vanilla(FeedForward):
    """Dense networks in the layer notation."""

    config = Config


FAMILY = Vanilla()
