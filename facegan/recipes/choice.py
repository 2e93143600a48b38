"""Which recipe suits a dataset and a device: the rules behind ``facegan train`` without ``--recipe``.

No torch is imported here, so that ``facegan prepare`` can name the next step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from facegan.data.dataset import Dataset
from facegan.errors import ConfigError
from facegan.families import get_family
from facegan.recipes.config import TrainConfig
from facegan.recipes.table import RECIPES

FEW_PICTURES = 2_000  # training pictures; with fewer, a discriminator soon knows them by heart
MANY_PICTURES = 10_000  # from here on, large networks have enough to learn from without adaptive augmentation


@dataclass(frozen=True)
class Surroundings:
    """What is known of the dataset and the device when a recipe is chosen."""

    pictures: int
    height: int
    width: int
    channels: int
    attributes: tuple[str, ...]
    faces: bool
    """Whether the pictures are crops of faces, as its metadata say."""
    device: str
    cores: int
    memory: int | None
    """Free bytes; None if the system does not tell."""

    @property
    def gpu(self) -> bool:
        return self.device != "cpu"

    @property
    def many(self) -> bool:
        return self.pictures >= MANY_PICTURES

    @property
    def side(self) -> int:
        """The longer side."""
        return max(self.height, self.width)


def surroundings(
    data: Dataset, device: str = "cpu", cores: int = 1, *, memory: int | None = None
) -> Surroundings:
    """Return what the dataset's metadata say, and what is known of the device."""
    (h, w), kind = data.size, data.crop.get("kind", "")
    return Surroundings(
        data.counts.get("train", 0),
        h,
        w,
        data.channels,
        data.attribute_names,
        kind in ("aligned", "face", "tutorial"),
        device,
        cores,
        memory,
    )


# --- which recipe --------------------------------------------------------------------------------

Rule = tuple[Callable[[Surroundings], bool], str, str]

# The first that holds and whose recipe takes pictures of this size and these channels.
RULES: tuple[Rule, ...] = (
    (lambda s: s.side == 28 and s.channels == 1, "digits-dcgan-28-plus", "small and grey: digits"),
    (lambda s: s.gpu and not s.many, "stylegan2-{side}", "augments adaptively, for little data"),
    (lambda s: s.gpu and s.many, "r3gan-{side}", "the best pictures where a GPU has the time"),
    (lambda s: s.gpu, "stylegan2-{side}", "for GPUs"),
    (lambda s: not s.gpu, "faces-fast-{side}", "the best faces that a CPU gives in hours"),
    (lambda s: not s.gpu, "faces-tiny-{side}", "minutes on a CPU"),
    (lambda s: not s.gpu and not s.many, "stylegan2-{side}-small", "little data, small machine"),
    (lambda s: True, "faces-dcgan-{side}-plus", "a small network that trains anywhere"),
    (lambda s: not s.gpu, "r3gan-{side}-small", "a narrow modern network, for small machines"),
    (lambda s: not s.gpu, "stylegan2-{side}-small", "a narrow network that takes this shape"),
    (lambda s: True, "stylegan2-small", "a narrow network that takes any shape that halves to 4 to 8 px"),
)


def pick_recipe(
    s: Surroundings, conditional: bool = False, family: str = "", *, before: str = ""
) -> tuple[str, str]:
    """Return the name of the recipe that suits, and why.

    Args:
        s: dataset and device.
        conditional: whether the networks must take labels.
        family: the family that they must belong to; "" is any.
        before: the recipe by which a model to begin with was trained; it is preferred.

    Raises:
        ConfigError: no recipe suits; the message names the nearest sizes that would.
    """

    def suits(name: str) -> bool:
        config = RECIPES[name].config
        labels = get_family(config.family).conditional
        return accepts(config, s) and (labels or not conditional) and family in ("", config.family)

    if family and not any(row.config.family == family for row in RECIPES.values()):
        raise ConfigError(
            f"--init: its family '{family}' can be sampled, but not trained; begin with a model of a recipe"
        )
    if before in RECIPES and suits(before):
        return before, "the model to begin with was trained by it"
    for holds, pattern, why in RULES:
        name = pattern.format(side=s.side)
        if holds(s) and name in RECIPES and suits(name):
            return name, f"{why}; takes --condition" if conditional else why
    for name in RECIPES if family else ():
        if suits(name):
            return name, f"the model to begin with is a {family}"
    kind = f" of the family {family}, the model's of --init," if family else ""
    kind += " that takes --condition" if conditional else ""
    raise ConfigError(
        f"no recipe{kind} takes pictures of {s.width}x{s.height} px: prepare with --size "
        f"{near_shapes(s.height, s.width)}"
    )


def accepts(config: TrainConfig, s: Surroundings) -> bool:
    """Return whether the recipe works with pictures of this size and these channels."""
    return accepts_shape(config, s.height, s.width) and config.channels in (0, s.channels)


def accepts_shape(config: TrainConfig, height: int, width: int) -> bool:
    """Return whether a recipe is for such pictures; in a family of any shape, its size is the longer side."""
    family = get_family(config.family)
    if height != width and not family.any_shape:
        return not config.size
    if config.size == 0:
        try:
            family.check_shape(height, width)
        except ConfigError:
            return False
    return config.size in (0, max(height, width))


def image_shape(config: TrainConfig, data: Dataset) -> tuple[int, int, int]:
    """Return (C, H, W) of the dataset; ConfigError if it is not what the recipe needs."""
    (h, w), c = data.size, data.channels
    name = config.recipe or "this configuration"
    sized, coloured = accepts_shape(config, h, w), config.channels in (0, c)
    if not (sized and coloured):
        longer = " (the longer side)" if get_family(config.family).any_shape else ""
        shades = {1: "in grey", 3: "in colour"}
        has, needs, options = [], [], []
        if not sized:
            has, needs = [f"{w}x{h}"], [f"{config.size}x{config.size}{longer}"]
            options = [f"--size {config.size}"]
        if not coloured:
            has.append(shades[c])
            needs.append(("" if needs else "them ") + shades[config.channels])
            options.append("--gray" if config.channels == 1 else "--no-gray")
        raise ConfigError(
            f"{data.path}: its pictures are {' '.join(has)}, but {name} needs {' '.join(needs)}; "
            f"prepare with {' '.join(options)} or choose another recipe"
        )
    if data.counts.get("train", 0) < 2:
        raise ConfigError(f"{data.path}: it has fewer than 2 training pictures")
    return c, h, w


def near_shapes(height: int, width: int) -> str:
    """Return the nearest shapes that some recipe takes, smaller and larger, as WIDTHxHEIGHT."""
    # The shorter side must be 4 to 8 times a power of two, which divides the longer one.
    unit = 2 ** int(math.log2(max(min(height, width), 8) / 4))
    below, above = ([max(r(n / unit), 1) * unit for n in (width, height)] for r in (math.floor, math.ceil))
    found = dict.fromkeys(f"{w}x{h}" if w != h else f"{w}" for w, h in (below, above))
    return " or ".join(found)


def next_step(data: Dataset) -> str:
    """Return the command that comes after 'facegan prepare': training, or preparing in another size."""
    if data.counts.get("train", 0) < 2:
        return "add photos: training takes two pictures or more"
    if data.has_inputs and (paired := f"pix2pix-{max(data.size)}") in RECIPES:
        return f"facegan train {data.path} --recipe {paired}"
    try:
        pick_recipe(surroundings(data))
    except ConfigError:
        (h, w), near = data.size, near_shapes(*data.size)
        return f"prepare with --size {near}, for no recipe takes pictures of {w}x{h} px"
    return f"facegan train {data.path}"
