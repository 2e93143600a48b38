"""Reader of StyleGAN2's ``.pt`` files of rosinality/stylegan2-pytorch, and of its convert_weight.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from facegan.errors import ModelError
from facegan.exchange.base import Imported, ImportOptions, Source
from facegan.exchange.modules import Weights
from facegan.exchange.stylegan2 import channel_settings, check_filters
from facegan.families.stylegan2.config import Config, DiscriminatorConfig, GeneratorConfig
from facegan.pickles.objects import StoredTensor
from facegan.pickles.tables import read_tensors, state_dicts
from facegan.prior import Latent

if TYPE_CHECKING:
    from torch import Tensor

AVERAGED = 4096  # latents of the average of w, as many as its generate.py takes
TYPICAL = {"to_rgb1.conv.weight", "conv1.conv.modulation.weight", "style.1.weight", "input.input"}


def recognises(source: Source) -> bool:
    """Return whether this reader takes the file."""
    return source.kind in ("torch-zip", "pickle") and bool(_generators(source))


def _generators(source: Source) -> dict[str, dict[str, StoredTensor]]:
    return {name or "g_ema": v for name, v in state_dicts(source.tree).items() if v.keys() >= TYPICAL}


def read(source: Source, options: ImportOptions) -> Imported:
    """Read the averaged generator (``g_ema``), and ``g`` and ``d`` for training on."""
    tables = _generators(source)
    name = options.network or ("g_ema" if "g_ema" in tables else next(iter(tables)))
    if name not in tables:
        raise ModelError(f"--network {name}: the file has {', '.join(tables)}")
    tree = source.tree if isinstance(source.tree, dict) else {}
    weights = Weights({k: v.float() for k, v in read_tensors(tables[name]).items()})
    check_filters(weights, name)
    state, widths = _state(weights)
    size = 4 << len(widths) - 1
    w_dim = state["mapping.layers.0.weight"].shape[0]
    depth = sum(key.startswith("mapping.") for key in state) // 2
    config = GeneratorConfig(w_dim=w_dim, mapping_layers=depth, **channel_settings(widths, size))
    latent = Latent(dim=state["mapping.layers.0.weight"].shape[1])
    average = tree.get("latent_avg")
    found = Imported("stylegan2", Config(generator=config), state, (3, size, size), latent)
    found.taken.append(f"{name}: {len(state)} tensors")
    if isinstance(average, StoredTensor):
        state["w_avg"] = average.read().float().reshape(-1)
        found.taken.append("latent_avg: the average of w")
    else:
        state["w_avg"] = _average(config, state, latent)
        found.notes.append(f"the file has no average of w: that of {AVERAGED:,} latents is taken")
    if name != "g" and "g" in tables:
        found.networks["generator"] = {
            **_state(Weights({k: v.float() for k, v in read_tensors(tables["g"]).items()}))[0],
            "w_avg": state["w_avg"],
        }
    if isinstance(judge := state_dicts({"d": tree.get("d")}).get("d"), dict):
        settings, found.networks["discriminator"] = _discriminator(
            Weights({k: v.float() for k, v in read_tensors(judge).items()})
        )
        found.config = Config(config, settings)
    if "g_optim" in tree:
        found.left_out.append("g_optim, d_optim: moments of the optimisers; training on begins with new ones")
    return found


def _styled(weights: Weights, old: str, new: str) -> dict[str, Tensor]:
    state = {f"{new}.affine.{k}": weights[f"{old}.conv.modulation.{k}"] for k in ("weight", "bias")}
    return {**state, f"{new}.weight": weights[f"{old}.conv.weight"][0]}


def _state(weights: Weights) -> tuple[dict[str, Tensor], list[int]]:
    """Return the generator's state by our names, without w_avg, and the width of each resolution."""
    depth = sum(k.startswith("style.") and k.endswith(".weight") for k in weights)
    state = {
        f"mapping.layers.{i}.{k}": weights[f"style.{i + 1}.{k}"]
        for i in range(depth)
        for k in ("weight", "bias")
    }
    state["const"] = weights["input.input"]
    levels = 1 + sum(k.startswith("to_rgbs.") and k.endswith(".conv.weight") for k in weights)
    convs = [("conv1", "blocks.0.conv1")]
    images = [("to_rgb1", "blocks.0.rgb")]
    for i in range(1, levels):
        convs += [(f"convs.{2 * i - 2}", f"blocks.{i}.conv0"), (f"convs.{2 * i - 1}", f"blocks.{i}.conv1")]
        images.append((f"to_rgbs.{i - 1}", f"blocks.{i}.rgb"))
    for i, (old, new) in enumerate(convs):
        state |= _styled(weights, old, new)
        state[f"{new}.bias"] = weights[f"{old}.activate.bias"].reshape(-1)
        state[f"{new}.noise_strength"] = weights[f"{old}.noise.weight"].reshape(())
        noise = weights[f"noises.noise_{i}"]
        state[f"{new}.noise_const"] = noise.reshape(noise.shape[-2:])
    for old, new in images:
        state |= _styled(weights, old, new)
        state[f"{new}.bias"] = weights[f"{old}.bias"].reshape(-1)
    return state, [state[f"blocks.{i}.conv1.bias"].numel() for i in range(levels)]


def _average(config: GeneratorConfig, state: dict[str, Tensor], latent: Latent) -> Tensor:
    from facegan.families.stylegan2.networks import Mapping

    mapping = Mapping(
        latent.dim, 0, config.w_dim, layers=config.mapping_layers, lr_multiplier=config.mapping_lr_multiplier
    )
    mapping.load_state_dict(
        {k.removeprefix("mapping."): v for k, v in state.items() if k.startswith("mapping.")}
    )
    with torch.inference_mode():
        return mapping(latent.sample(range(AVERAGED))).mean(0).clone()


def _discriminator(weights: Weights) -> tuple[DiscriminatorConfig, dict[str, Tensor]]:
    check_filters(weights, "d")
    state = {
        "from_rgb.weight": weights["convs.0.0.weight"],
        "from_rgb.bias": weights["convs.0.1.bias"],
        "conv.weight": weights["final_conv.0.weight"],
        "conv.bias": weights["final_conv.1.bias"],
    }
    state |= {f"dense.{k}": weights[f"final_linear.0.{k}"] for k in ("weight", "bias")}
    state |= {f"out.{k}": weights[f"final_linear.1.{k}"] for k in ("weight", "bias")}
    blocks = sum(k.endswith(".skip.1.weight") for k in weights)
    names = {
        "conv1.0.weight": "conv0.weight",
        "conv1.1.bias": "conv0.bias",
        "conv2.1.weight": "conv1.weight",
        "conv2.2.bias": "conv1.bias",
        "skip.1.weight": "skip.weight",
    }
    for i in range(blocks):
        state |= {f"blocks.{i}.{new}": weights[f"convs.{i + 1}.{old}"] for old, new in names.items()}
    widths = [
        weights["convs.0.1.bias"].numel(),
        *(state[f"blocks.{i}.conv1.bias"].numel() for i in range(blocks)),
    ]
    return DiscriminatorConfig(mbstd_group=4, **channel_settings(widths[::-1], 4 << blocks)), state
