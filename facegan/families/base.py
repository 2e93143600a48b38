"""The contract of a family: every hook that training and the rest of the package may call, with its default.

No torch is imported here, so that recipes and help stay fast.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from facegan.errors import ConfigError, InputError
from facegan.settings import check_values, setting

if TYPE_CHECKING:
    import numpy as np

    from facegan.families.sampling import SamplingGraph
    from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork


@dataclass(frozen=True)
class OptimizerConfig:
    """Adam (Kingma and Ba 2015) for one network."""

    lr: float = setting(2e-4, above=0)
    """Learning rate."""
    beta1: float = setting(0.5, minimum=0, below=1)
    """Decay of the first moment."""
    beta2: float = setting(0.999, minimum=0, below=1)
    """Decay of the second moment."""
    eps: float = setting(1e-8, minimum=0)
    """Adam's epsilon."""
    eps_hat: bool = False
    """Add epsilon before the second moment's bias is corrected, as Keras does (Adam, end of section 2)."""
    lr_decay: float = setting(0.0, minimum=0)
    """Divides the rate by 1 + lr_decay x updates, as Keras's `decay` does."""


@dataclass(frozen=True)
class PathLength:
    """The path length penalty (Karras et al. 2020, equation 4) of a family's generator."""

    weight: float
    every: int
    """It joins every so many updates, with its weight raised as much."""
    decay: float
    """Share of the new batch in the mean path length."""


class Family(ABC):
    """A family of networks. Subclass it, and make it known with :func:`facegan.register_family`.

    A subclass sets ``config`` and defines the two builders; all else has a default. ``model`` in the hooks
    is an instance of ``config``, and ``image_shape`` is (C, H, W).
    """

    config: ClassVar[type[Any]]
    """A frozen dataclass with the fields ``generator`` and ``discriminator``, each an OptimizerConfig with
    the settings of that network. It can be made without arguments, and every field becomes a flag."""
    objective: ClassVar[str] = "adversarial"
    """How the networks are trained: a row of ``facegan.training.objective.OBJECTIVES``."""
    trains: ClassVar[bool] = True
    """Whether there are recipes and discriminators; without them its generators are only sampled from."""
    translates: ClassVar[bool] = False
    """Whether its models turn pictures into pictures (a :class:`facegan.translator.Translator`)."""
    next_command: ClassVar[str] = "generate {}"
    """What to do with a run, after the word facegan."""
    caption: ClassVar[str] = ""
    """What the report's sheets show; "" for the grid of seeds."""
    conditional: ClassVar[bool] = False
    """Whether the networks take labels."""
    any_shape: ClassVar[bool] = False
    """Whether the networks make pictures that are not square; a recipe's size is then the longer side."""
    width_setting: ClassVar[str] = ""
    """The setting by which either network becomes wider or narrower: what to halve if memory is short."""

    @abstractmethod
    def build_generator(
        self, settings: Any, image_shape: Sequence[int], z_dim: int, *, label_dim: int = 0
    ) -> GeneratorNetwork:
        """Return a fresh generator of ``model.generator``; raise ConfigError for settings that cannot be."""

    @abstractmethod
    def build_discriminator(
        self, settings: Any, image_shape: Sequence[int], label_dim: int = 0
    ) -> DiscriminatorNetwork:
        """Return a fresh discriminator of ``model.discriminator``; raise ConfigError for impossible ones."""

    def check_shape(self, height: int, width: int) -> None:  # noqa: B027
        """Raise ConfigError if there are no networks for pictures of that shape."""

    def check(self, side: str, settings: Any, label_dim: int) -> None:
        """Raise ConfigError for settings of a ``side`` out of bounds, and for labels that it cannot take."""
        check_values(settings, f"{side}.")
        if label_dim and not self.conditional:
            raise ConfigError("--condition: this recipe's networks take no labels; see 'facegan recipes'")

    def sampling_graph(
        self, settings: Any, image_shape: Sequence[int], z_dim: int, *, arrays: Mapping[str, np.ndarray]
    ) -> SamplingGraph | None:
        """Return an unconditional generator as a graph, of the arrays of its file; None if there is none.

        Raises:
            ValueError: The arrays are not those of a generator with these settings.
        """
        return None

    def begin_update(
        self,
        model: Any,
        generator: GeneratorNetwork,
        discriminator: DiscriminatorNetwork,
        *,
        images_seen: int,
    ) -> bool:
        """Set the stage of networks that grow; return whether the optimisers begin again."""
        return False

    def kimg_until_settled(self, model: Any, image_shape: Sequence[int]) -> tuple[float, str]:
        """Return how long the networks grow, in kimg, and what to call that, with its flags."""
        return 0.0, ""

    def style_mixing(self, model: Any) -> float:
        """Return the share of training pictures that mix two styles."""
        return 0.0

    def path_length(self, model: Any) -> PathLength | None:
        """Return the path length penalty's settings; None if there is no such penalty."""
        return None


class SampledFamily(Family):
    """A family of other programs' networks, which facegan imports and samples, and does not train."""

    trains = False
    networks: ClassVar[str] = ""
    """The module whose ``Generator`` takes (settings, image_shape, z_dim) and, if conditional, label_dim."""

    def build_generator(
        self, settings: Any, image_shape: Sequence[int], z_dim: int, *, label_dim: int = 0
    ) -> GeneratorNetwork:
        self.check("generator", settings, label_dim)
        module: Any = importlib.import_module(self.networks)
        labels = {"label_dim": label_dim} if self.conditional else {}
        network: GeneratorNetwork = module.Generator(settings, image_shape, z_dim, **labels)
        return network

    def build_discriminator(
        self, settings: Any, image_shape: Sequence[int], label_dim: int = 0
    ) -> DiscriminatorNetwork:
        raise ConfigError("a model of another program has no discriminator, and is not trained on")


def check_family(family: Any, what: str) -> Family:
    """Return ``family``; InputError, which begins with ``what``, says what it lacks."""
    if not isinstance(family, Family):
        raise InputError(f"{what}: give an instance of a subclass of facegan.families.base.Family")
    try:
        config = family.config
    except AttributeError:
        config = None
    if not (isinstance(config, type) and is_dataclass(config)):
        raise InputError(f"{what}: the attribute config must be a dataclass")
    if {f.name for f in fields(config)} != {"generator", "discriminator"}:
        raise InputError(f"{what}: {config.__name__} must have the fields generator and discriminator alone")
    try:
        model: Any = config()
        hash(model)  # which asks the settings within, too, whether they are frozen
    except TypeError as error:
        raise InputError(f"{what}: {config.__name__}() must make a frozen dataclass ({error})") from None
    for side, settings in (("generator", model.generator), ("discriminator", model.discriminator)):
        if not isinstance(settings, OptimizerConfig):
            raise InputError(f"{what}: {config.__name__}.{side} must be an OptimizerConfig or a subclass")
        if family.width_setting not in ("", *(f.name for f in fields(settings))):
            raise InputError(f"{what}: width_setting '{family.width_setting}' is no setting of {side}")
    return family
