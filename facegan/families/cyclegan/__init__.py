"""CycleGAN (Zhu et al. 2017): between two domains, trained on a dataset of each, without pairs."""

from facegan.families.cyclegan.config import Config
from facegan.families.translator import TranslatorFamily


class CycleGan(TranslatorFamily):
    """A generator for each direction, and a discriminator for each domain."""

    config = Config
    objective = "cycle"
    directions = ("a-to-b", "b-to-a")
    caption = (
        "Rows in turn: the first domain, its translation, the second domain, its translation, of held-out "
        "pictures at equal distances; none chosen."
    )
    sees_input = False


FAMILY = CycleGan()
