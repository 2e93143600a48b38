"""Deep convolutional GANs (Radford et al. 2015) and the tutorials' variations on them."""

from facegan.families.dcgan.config import Config
from facegan.families.feedforward import FeedForward


class Dcgan(FeedForward):
    """Convolutional networks in the layer notation."""

    config = Config


FAMILY = Dcgan()
