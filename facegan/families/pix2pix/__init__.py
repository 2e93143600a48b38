"""pix2pix (Isola et al. 2017): from an input to its target, trained on pairs."""

from facegan.families.pix2pix.config import Config
from facegan.families.translator import TranslatorFamily


class Pix2Pix(TranslatorFamily):
    """A generator for one direction, judged beside its input."""

    config = Config
    objective = "paired"
    directions = ("forward",)
    caption = "Rows in turn: input, result, target, of held-out pictures at equal distances; none chosen."
    sees_input = True


FAMILY = Pix2Pix()
