"""A fresh state; beginning with trained weights (``--init``); layers that stay as they are (Freeze-D)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any, cast

import torch

from facegan import rng
from facegan.augment.adaptive import AdaptiveStrength
from facegan.devices import fast_bfloat16
from facegan.errors import ConfigError, ModelError
from facegan.families import OptimizerConfig, get_family
from facegan.layers.network import DiscriminatorNetwork, Network
from facegan.layers.optimizers import Adam
from facegan.recipes.config import TrainConfig
from facegan.training.objective import objective_of
from facegan.training.state import TrainState


def with_precision(config: TrainConfig, device: torch.device) -> TrainConfig:
    """Return the configuration with ``precision`` auto decided for this device."""
    if config.precision != "auto":
        return config
    return replace(config, precision="bfloat16" if fast_bfloat16(device) else "float32")


def create_state(
    config: TrainConfig,
    image_shape: Sequence[int],
    device: torch.device,
    *,
    dtype: torch.dtype = torch.float32,
    label_dim: int = 0,
    resuming: bool = False,
) -> TrainState:
    """Return fresh networks and optimisers; weights depend on ``config.seed`` alone.

    Args:
        config: the whole configuration.
        image_shape: (C, H, W).
        device: where everything lies.
        dtype: of the weights.
        label_dim: how many numbers of labels go with each image.
        resuming: a checkpoint is to follow, so that ``config.init`` is not read.

    Raises:
        ConfigError: the family takes no labels, or cannot make such images.
    """
    objective = objective_of(config)
    torch.manual_seed(rng.torch_seed(config.seed, "weights", 0))
    networks = dict(objective.build(config, image_shape, label_dim))
    # Channels-last is the layout in which convolutions are fastest on current CPUs and GPUs.
    for network in networks.values():
        network.to(device=device, dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.train()
    freeze(cast(DiscriminatorNetwork, networks["discriminator"]), config.freeze_d)
    trained = list(networks)
    if config.ema_halflife_kimg > 0:
        for name, of in objective.averages.items():
            networks[name] = deepcopy(networks[of]).eval().requires_grad_(False)
    augment = AdaptiveStrength(
        target=config.augment_target,
        interval=4 * config.accumulate * config.d_updates,
        speed_kimg=config.augment_kimg,
        cap=config.augment_max,
        p=config.augment_p,
    )
    optimizers = {name: _adam(networks[name], vars(config.model)[name]) for name in trained}
    state = TrainState(
        config, objective, networks, optimizers, device, dtype, label_dim=label_dim, augment=augment
    )
    if config.init and not resuming:
        state.begun_with = initialise(state, config.init, image_shape)
    return state


def _adam(network: Network, settings: OptimizerConfig) -> torch.optim.Optimizer:
    betas = (settings.beta1, settings.beta2)
    trained = [p for p in network.parameters() if p.requires_grad]
    return Adam(trained, settings.lr, betas, settings.eps, fused=True)


def initialise(state: TrainState, reference: str, image_shape: Sequence[int]) -> str:
    """Put the weights of ``reference`` into fresh networks for ``C,H,W``; a line that says which.

    A model gives its generator; a run folder (its newest checkpoint), or a moment of one whose checkpoint
    is kept, such as RUN@best, the discriminator as well; so does a file of 'facegan pack'. What has another
    shape there (labels, channels) stays fresh, and so does the discriminator for pictures of another size,
    unless it counts its layers from the smallest resolution. ConfigError if the networks have next to
    nothing in common.
    """
    with _for_init(reference):
        metadata, average, whole = _networks(reference)
    if not get_family(metadata["family"]).trains:
        raise ConfigError(
            f"--init {reference}: a model of another program that no recipe has, without a discriminator; "
            "generate, film, edit, invert and evaluate take it, training does not"
        )
    if metadata["family"] != state.config.family:
        raise ConfigError(
            f"--init {reference}: its family is {metadata['family']}, not {state.config.family}; "
            "choose a recipe of that family"
        )
    origin = metadata.get("provenance", {})
    state.images_before = origin.get("images_seen", 0) + origin.get("images_before", 0)
    (h, w), (own_h, own_w) = metadata["image_shape"][1:], image_shape[1:]
    levels = state.discriminator.levels
    resized = (h, w) != (own_h, own_w)
    if resized and not levels:  # a layer of the same name works at another resolution there
        whole = {**whole, "discriminator": {}}
    told = []
    for name, module, given in (
        ("generator", state.generator, whole.get("generator") or average),
        ("", state.ema, whole.get("ema") or average),
        ("discriminator", state.discriminator, whole.get("discriminator", {})),
    ):
        if module is None:
            continue
        taken, there = _take(module, given), len(module.state_dict())
        if name == "generator" and len(taken) < there / 2:
            raise ConfigError(
                f"--init {reference}: only {len(taken)} of the generator's {there} tensors fit; choose the "
                "recipe and the settings that it was trained with"
            )
        frozen = {key for key, p in module.named_parameters() if not p.requires_grad}
        if name == "discriminator" and frozen - taken:
            why = f", but for {w}x{h} px" if resized and whole else ""
            raise ConfigError(
                f"--freeze-d {state.config.freeze_d}: {reference} has no such layers of a discriminator, "
                f"and these would stay random{why}; begin with a run folder{' of this size' if why else ''}, "
                "or what 'facegan pack' makes of one"
            )
        if name == "discriminator" and frozen and levels and given["level"] < levels - 1:
            raise ConfigError(
                f"--freeze-d {state.config.freeze_d}: {reference} has not grown to {own_w}x{own_h} px, and "
                "the layers there would stay random; let it grow first, or leave out --freeze-d"
            )
        if name:
            told.append(f"{len(taken)} of {there} tensors of the {name}")
    if not whole:
        told[-1] = "a fresh discriminator (a run's checkpoints have one, and what 'facegan pack' makes)"
    elif not whole["discriminator"]:
        told[-1] = f"a fresh discriminator (the model is for {w}x{h} px)"
    if state.label_dim and metadata.get("labels"):
        told.append(f"which was told {', '.join(metadata['labels'])}")
    return f"began with {reference}: {', '.join(told)}"


def metadata_of(reference: str) -> dict[str, Any]:
    """What is known of the model that ``--init`` names; ConfigError if there is none."""
    from facegan.models import load
    from facegan.runs.export import is_packed, unpack

    with _for_init(reference):
        return unpack(reference)[0] if is_packed(reference) else load(reference).meta


BOTH = "celeba64-networks.safetensors"
"""Both networks of the bundled model: in the source repository, and too large for the package."""


@contextmanager
def _for_init(reference: str) -> Iterator[None]:
    try:
        yield
    except ModelError as error:
        more = ""
        if reference.endswith(BOTH):
            more = (
                "; this file comes with the source repository, not with the installed package: "
                "--init celeba64 begins with the bundled generator alone"
            )
        raise ConfigError(f"--init {error}{more}") from None


State = dict[str, torch.Tensor]


def _networks(reference: str) -> tuple[dict[str, Any], State, dict[str, State]]:
    """Return metadata, the generator to sample from, and a run's networks by name (none of a mere model)."""
    from facegan.models import load
    from facegan.runs.checkpoints import checkpoint_of, read_networks
    from facegan.runs.export import is_packed, unpack

    if is_packed(reference):
        metadata, whole = unpack(reference)
        return metadata, whole.get("ema") or whole["generator"], whole
    model = load(reference)
    found = checkpoint_of(reference)
    return model.meta, model.network.state_dict(), read_networks(found) if found else {}


@torch.no_grad()
def _take(module: Network, given: dict[str, torch.Tensor]) -> set[str]:
    """Copy what fits; its names."""
    own = module.state_dict()
    if module.levels and "level" in given:  # one that has grown larger is all grown here
        given = {**given, "level": given["level"].clamp(max=module.levels - 1)}
    fits = {k: v for k, v in given.items() if k in own and own[k].shape == v.shape}
    for key, value in fits.items():
        own[key].copy_(value)
    return set(fits)


def freeze(discriminator: DiscriminatorNetwork, count: int) -> None:
    """Keep the ``count`` layers next to the image as they are (Mo et al. 2020, Freeze-D)."""
    if not count:
        return
    every = discriminator.layers_from_image()
    layers = [m for m in every if any(True for _ in m.parameters(recurse=False))]
    if count >= len(layers):
        raise ConfigError(
            f"--freeze-d {count}: the discriminator has {len(layers)} layers, and some must learn"
        )
    for layer in layers[:count]:
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(False)
