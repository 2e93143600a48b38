"""What pix2pix and CycleGAN share: judging patches, their losses, the models, beginning with weights."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, ClassVar, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import nn

from facegan import rng
from facegan.attributes.networks import fit
from facegan.errors import ConfigError
from facegan.families import get_family
from facegan.families.fast.projected import FrozenMaps
from facegan.families.translator import TranslatorFamily
from facegan.layers.network import DiscriminatorNetwork
from facegan.losses.adversarial import LOSSES
from facegan.losses.penalties import gradient_penalty
from facegan.recipes.config import TrainConfig, TrainSettings
from facegan.settings import flag
from facegan.training.initialization import take
from facegan.training.schedules import burn_in
from facegan.training.snapshot import with_progress
from facegan.training.state import Given, Objective, Statistics, TrainState
from facegan.translator import Translator, describe_translator, key_of

HEADS = LOSSES["hinge"]  # of the discriminator's heads on a frozen network
_NOT_HERE = (
    "condition", "g_batch", "d_updates", "flip_labels", "label_noise", "r2_gamma", "gp_weight", "drift",
    "augment", "d_split", "frozen_fakes", "eval_count", "save_pairs",
)  # fmt: skip


class Verdict(NamedTuple):
    """What a discriminator makes of pictures ``N,C,H,W``."""

    seen: torch.Tensor
    """What it was given: the pictures, with the inputs before them if it sees those."""
    logits: torch.Tensor
    """``N,1,h,w``, one for each patch."""
    projected: torch.Tensor | None
    """Logits ``N,K`` of the heads on a frozen network."""


class TranslationObjective(Objective):
    """The part of an objective that does not depend on what the pictures are compared with."""

    directions: ClassVar[dict[str, tuple[str, str]]]
    """Direction -> the network that goes there, and its moving average."""

    def check(self, config: TrainConfig) -> None:
        usual = TrainSettings()
        for name in _NOT_HERE:
            if getattr(config, name) != getattr(usual, name):
                raise ConfigError(
                    f"{flag(name)}: recipes that turn pictures into pictures take none; leave it out"
                )

    def header(self, config: TrainConfig, image_shape: Sequence[int], **more: Any) -> dict[str, Any]:
        made_of = "" if config.input == "given" else config.input
        return describe_translator(
            config.family, config.model, image_shape=image_shape, input=made_of, **more
        )

    def model(self, state: TrainState, metadata: dict[str, Any]) -> Translator:
        networks = {
            key_of(name): deepcopy(state.networks.get(average, state.networks[network]))
            for name, (network, average) in self.directions.items()
        }
        return Translator(nn.ModuleDict(networks), with_progress(state, metadata), state.device)

    def initialise(self, state: TrainState, given: Given, image_shape: Sequence[int]) -> str:
        notes = []
        for direction, (network, average) in self.directions.items():
            start = f"{key_of(direction)}."
            own = {k.removeprefix(start): v for k, v in given.model.items() if k.startswith(start)}
            taken, count = take(state.networks[network], given.networks.get(network) or own), len(own)
            if len(taken) < count / 2:
                raise ConfigError(
                    f"--init {given.reference}: only {len(taken)} of the generator's {count} tensors fit; "
                    "choose the recipe and the settings that it was trained with"
                )
            if average in state.networks:
                take(state.networks[average], given.networks.get(average) or own)
            notes.append(f"{len(taken)} of {count} tensors of the generator {direction}")
        for name in state.optimizers if given.networks else ():
            if name.startswith("discriminator"):
                judge_of = state.networks[name]
                taken, count = take(judge_of, given.networks.get(name, {})), len(judge_of.state_dict())
                notes.append(f"{len(taken)} of {count} tensors of the {name}")
        if not given.networks:
            notes.append("fresh discriminators (a run's checkpoints and files of 'facegan pack' have some)")
        return f"began with {given.reference}: {', '.join(notes)}"


def family_of(config: TrainConfig) -> TranslatorFamily:
    """Return the family of a configuration for translators."""
    return cast(TranslatorFamily, get_family(config.family))


# --- judging ------------------------------------------------------------------------------------------


def translate(state: TrainState, name: str, images: torch.Tensor) -> torch.Tensor:
    """Return what the generator ``name`` makes of images ``N,C,H,W``."""
    with state.autocast():
        result: torch.Tensor = state.networks[name](images)
    return result.to(state.dtype)


def judge(
    state: TrainState,
    name: str,
    images: torch.Tensor,
    *,
    inputs: torch.Tensor | None = None,
    learns: str = "d",
    iterate: bool = False,
) -> Verdict:
    """Return the verdict of the discriminator ``name``.

    Args:
        state: of the run.
        name: the discriminator.
        images: ``N,C,H,W``.
        inputs: what they were made of, if it sees that.
        learns: whether the discriminator (``d``) or the generator (``g``) learns from the verdict. Only the
            generator learns through the frozen network.
        iterate: whether the heads' spectral norms take their one power iteration of this update.
    """
    network = cast(DiscriminatorNetwork, state.networks[name])
    seen = images if inputs is None else torch.cat([inputs, images], 1)
    if learns == "d":
        seen = seen.detach().requires_grad_(state.config.r1_gamma > 0)
    with state.autocast():
        logits = network(seen).to(state.dtype)
        heads, projected = network.projected, None
        if heads is not None:
            heads.train(iterate)
            shown = images if learns == "g" else images.detach()
            projected = heads(shown.roll(phase(state), (2, 3))).to(state.dtype)
    return Verdict(seen, logits, projected)


STRIDE = 4  # px between neighbours of a frozen network's first maps


def phase(state: TrainState) -> tuple[int, int]:
    """Return by how many pixels all pictures are shifted before a frozen network sees them, at this update.

    The network's steps of two pixels would otherwise leave a grid of dots in the results, which it does not
    see.
    """
    u = rng.uniform(state.config.seed, "phase", state.updates, count=1, per_item=2)[0]
    return int(u[0] * STRIDE), int(u[1] * STRIDE)


def discriminator_loss(
    state: TrainState, name: str, real: Verdict, *, fake: Verdict
) -> tuple[torch.Tensor, Statistics]:
    """Return the loss on real pictures and results, with R1 at the real ones if it is due at this update."""
    c, loss = state.config, LOSSES[state.config.loss]
    x, y = real.logits, fake.logits
    total = loss.d(x, y)
    statistics = {
        "score_real": x, "accuracy_real": (x > loss.boundary).float(),
        "score_fake": y, "accuracy_fake": (y < loss.boundary).float(), "loss_d": total,
    }  # fmt: skip
    if loss.d_real is not None and loss.d_fake is not None:
        with torch.no_grad():
            statistics |= {"loss_real": loss.d_real(x), "loss_fake": loss.d_fake(y)}
    if real.projected is not None and fake.projected is not None:
        assert HEADS.d_real is not None and HEADS.d_fake is not None
        statistics["loss_projected_real"] = HEADS.d_real(real.projected)
        statistics["loss_projected_fake"] = HEADS.d_fake(fake.projected)
        weight = cast(DiscriminatorNetwork, state.networks[name]).projected_weight
        total = total + weight * (statistics["loss_projected_real"] + statistics["loss_projected_fake"])
    if c.r1_gamma > 0 and state.updates % c.r1_every == 0:
        # The mean over patches takes the place of the one logit of a picture.
        statistics["r1"] = gradient_penalty(x.mean((1, 2, 3)), real.seen)
        total = total + statistics["r1"] * (c.r1_gamma * burn_in(state, c.burnin_gamma, 1.0) * c.r1_every)
    return total, statistics


def generator_loss(state: TrainState, name: str, fake: Verdict, *, real: Verdict | None) -> torch.Tensor:
    """Return the adversarial loss of a generator; a loss over pairs needs the real pictures' verdict, too."""
    total = LOSSES[state.config.loss].g(fake.logits, None if real is None else real.logits)
    if fake.projected is not None:
        weight = cast(DiscriminatorNetwork, state.networks[name]).projected_weight
        total = total + weight * HEADS.g(fake.projected, None)
    return total


# --- reconstruction -----------------------------------------------------------------------------------


class Perceptual:
    """The mean absolute difference in the feature maps of a frozen network (Johnson et al. 2016).

    The maps of the bundled ``critic`` are scaled to deviation 1 over photos, and all of them count alike.
    Both pictures are shifted alike (:func:`phase`).
    """

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self.maps = FrozenMaps("critic").to(device, dtype)

    def __call__(
        self, images: torch.Tensor, targets: torch.Tensor, shift: tuple[int, int] = (0, 0)
    ) -> torch.Tensor:
        made = self.maps(fit(images, self.maps.shape).roll(shift, (2, 3)))
        with torch.no_grad():
            wanted = self.maps(fit(targets, self.maps.shape).roll(shift, (2, 3)))
        return torch.stack([F.l1_loss(a, b) for a, b in zip(made, wanted, strict=True)]).mean()
