"""A fresh state; beginning with trained weights (``--init``); layers that stay as they are (Freeze-D)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

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
from facegan.training.state import Given, TrainState, settings_of

State = dict[str, torch.Tensor]


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
    objective.check(config)
    torch.manual_seed(rng.torch_seed(config.seed, "weights", 0))
    networks = dict(objective.build(config, image_shape, label_dim))
    # Channels-last is the layout in which convolutions are fastest on current CPUs and GPUs.
    for network in networks.values():
        network.to(device=device, dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.train()
    for network in networks.values():
        if isinstance(network, DiscriminatorNetwork):
            freeze(network, config.freeze_d)
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
    optimizers = {name: _adam(networks[name], settings_of(config, name)) for name in trained}
    state = TrainState(
        config, objective, networks, optimizers, device, dtype, label_dim=label_dim, augment=augment
    )
    if config.init and not resuming:
        before = given(config.init, config.family)
        origin = before.metadata.get("provenance", {})
        state.images_before = origin.get("images_seen", 0) + origin.get("images_before", 0)
        state.begun_with = objective.initialise(state, before, image_shape)
    return state


def _adam(network: Network, settings: OptimizerConfig) -> torch.optim.Optimizer:
    betas = (settings.beta1, settings.beta2)
    trained = [p for p in network.parameters() if p.requires_grad]
    return Adam(trained, settings.lr, betas, settings.eps, fused=True)


def given(reference: str, family: str) -> Given:
    """Return the weights that ``reference`` means.

    A model has a generator alone; a run folder, a checkpoint of one (RUN@best) and a file of 'facegan pack'
    have all networks.

    Raises:
        ConfigError: It is missing, damaged, or of another family.
    """
    with _for_init(reference):
        found = Given(reference, *_networks(reference))
    _check_family(found.metadata["family"], family, reference)
    return found


def initialise(state: TrainState, given: Given, image_shape: Sequence[int]) -> str:
    """Put the weights of a GAN into fresh networks for (C, H, W); return a line that says which.

    Tensors of another shape (labels, channels) stay fresh, and so does a discriminator for pictures of
    another size, unless it counts its layers from the smallest resolution.

    Raises:
        ConfigError: The networks have next to nothing in common, or frozen layers would stay random.
    """
    metadata, average, whole, reference = given.metadata, given.model, given.networks, given.reference
    h, w = metadata["image_shape"][1:]
    resized = [h, w] != list(image_shape[1:])
    judge = whole.get("discriminator", {})
    if resized and not state.discriminator.levels:  # layers of the same name work at other resolutions there
        judge = {}

    taken, count = take(state.generator, whole.get("generator") or average), _count(state.generator)
    if len(taken) < count / 2:
        raise ConfigError(
            f"--init {reference}: only {len(taken)} of the generator's {count} tensors fit; choose the "
            "recipe and the settings that it was trained with"
        )
    notes = [f"{len(taken)} of {count} tensors of the generator"]
    if state.ema is not None:
        take(state.ema, whole.get("ema") or average)
    taken = take(state.discriminator, judge)
    _check_frozen(state, judge, taken, other=f"{w}x{h} px" if resized and whole else "", reference=reference)
    if not whole:
        notes.append("a fresh discriminator (a run's checkpoints have one, and what 'facegan pack' makes)")
    elif not judge:
        notes.append(f"a fresh discriminator (the model is for {w}x{h} px)")
    else:
        notes.append(f"{len(taken)} of {_count(state.discriminator)} tensors of the discriminator")
    if state.label_dim and metadata.get("labels"):
        notes.append(f"trained with the labels {', '.join(metadata['labels'])}")
    return f"began with {reference}: {', '.join(notes)}"


def _count(network: Network) -> int:
    return len(network.state_dict())


def _check_family(family: str, wanted: str, reference: str) -> None:
    if not get_family(family).trains:
        raise ConfigError(
            f"--init {reference}: a model of another program that no recipe has, without a discriminator; "
            "generate, film, edit, invert and evaluate take it, training does not"
        )
    if family != wanted:
        raise ConfigError(
            f"--init {reference}: its family is {family}, not {wanted}; choose a recipe of that family"
        )


def _check_frozen(state: TrainState, given: State, taken: set[str], *, other: str, reference: str) -> None:
    """Raise ConfigError if frozen layers of the discriminator would stay random; ``other`` is its size."""
    frozen = {key for key, p in state.discriminator.named_parameters() if not p.requires_grad}
    if frozen - taken:
        why = f", but for {other}" if other else ""
        raise ConfigError(
            f"--freeze-d {state.config.freeze_d}: {reference} has no such layers of a discriminator, "
            f"and these would stay random{why}; begin with a run folder{' of this size' if why else ''}, "
            "or what 'facegan pack' makes of one"
        )
    levels = state.discriminator.levels
    if frozen and levels and given["level"] < levels - 1:
        raise ConfigError(
            f"--freeze-d {state.config.freeze_d}: {reference} has not grown to the full size, and the layers "
            "there would stay random; let it grow first, or leave out --freeze-d"
        )


def metadata_of(reference: str) -> dict[str, Any]:
    """Return the metadata of the model that ``--init`` names; ConfigError if there is none."""
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
def take(module: Network, given: dict[str, torch.Tensor]) -> set[str]:
    """Copy the tensors that fit; return their names.

    Weights that take z alone fit where z is joined with labels: the labels begin without effect there.
    """
    own = module.state_dict()
    for key, gain in module.with_labels.items():
        if key in given and given[key].ndim == 2 and given[key].shape[1] < own[key].shape[1]:
            wider = torch.zeros_like(own[key])
            if wider.shape[0] == given[key].shape[0]:
                wider[:, : given[key].shape[1]] = given[key] * gain
                given = {**given, key: wider}
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
