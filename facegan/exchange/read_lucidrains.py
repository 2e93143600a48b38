"""Reader of the ``.pt`` files of stylegan2-pytorch and lightweight-gan (Phil Wang, lucidrains)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from facegan import rng
from facegan.errors import ModelError
from facegan.exchange.base import Imported, ImportOptions, Source
from facegan.exchange.modules import Weights
from facegan.families.lightweight_gan import config as lightweight
from facegan.families.stylegan2_pytorch import config as stylegan2
from facegan.pickles.objects import StoredTensor, as_table
from facegan.pickles.tables import read_tensors
from facegan.prior import Latent

if TYPE_CHECKING:
    from torch import Tensor

AVERAGED = 2000  # latents of the average of w, as many as stylegan2-pytorch takes
LR_MLP = 0.1
MOST_LEVELS = 9


def recognises(source: Source) -> bool:
    """Return whether this reader takes the file."""
    return source.kind in ("torch-zip", "pickle") and _kind(_tensors(source)) != ""


def _tensors(source: Source) -> dict[str, StoredTensor]:
    table = as_table((as_table(source.tree) or {}).get("GAN")) or {}
    return {str(k): v for k, v in table.items() if isinstance(v, StoredTensor)}


def _kind(tensors: dict[str, StoredTensor]) -> str:
    if "GE.initial_conv.0.weight" in tensors and "GE.out_conv.weight" in tensors:
        return "lightweight-gan"
    return "stylegan2-pytorch" if {"SE.net.0.weight", "GE.blocks.0.conv1.weight"} <= tensors.keys() else ""


def read(source: Source, options: ImportOptions) -> Imported:
    """Read the averaged generator (GE, and SE of stylegan2-pytorch)."""
    tensors = _tensors(source)
    kind, network = _kind(tensors), options.network or "GE"
    if network not in ("GE", "G"):
        raise ModelError(f"--network {network}: the file has GE, the average, and G")
    prefixes = {network: "G", network.replace("G", "S"): "S"}
    chosen = {}
    for name, tensor in tensors.items():
        prefix, _, rest = name.partition(".")
        if prefix in prefixes and not rest.endswith("num_batches_tracked"):
            chosen[f"{prefixes[prefix]}.{rest}"] = tensor
    weights = Weights({k: v.float() for k, v in read_tensors(chosen).items()})
    found = _lightweight(weights) if kind == "lightweight-gan" else _stylegan2(weights, options)
    version = (as_table(source.tree) or {}).get("version")
    known = f" {version}" if isinstance(version, str) else ""
    found.taken.append(f"{network}: {len(chosen)} tensors of {kind}{known}")
    found.left_out.append("D, and what was not averaged: networks of this kind are sampled here, not trained")
    if found.image_shape[0] not in (1, 3):
        raise ModelError("it makes transparent pictures; facegan's are grey or in colour")
    return found


def _levels(count: int, extra: int) -> int:
    """Return the side of the pictures that so many resolutions make; ModelError for too many."""
    if not 1 <= count <= MOST_LEVELS:
        raise ModelError(f"it has {count} resolutions; facegan reads pictures from 8x8 to 2048x2048")
    return 4 << count - 1 + extra


def _renamed(weights: Weights, table: dict[str, str]) -> dict[str, Tensor]:
    """Return the state by our names; ``table`` maps patterns of the file's names."""
    state, patterns = {}, {re.compile(old): new for old, new in table.items()}
    for name, value in weights.items():
        for pattern, new in patterns.items():
            if pattern.fullmatch(name):
                state[pattern.sub(new, name)] = value
                break
        else:
            raise ModelError(
                f"it has weights '{name[:60]}' that facegan does not know; another version has written it"
            )
    return state


def _indices(weights: Weights, pattern: str) -> set[int]:
    """Return the numbers that a pattern's first group takes among the names."""
    return {int(m[1]) for name in weights if (m := re.match(pattern, name))}


def _stylegan2(weights: Weights, options: ImportOptions) -> Imported:
    blocks = _indices(weights, r"G\.blocks\.(\d+)\.conv1")
    attention = _indices(weights, r"G\.attns\.(\d+)\.")
    layers = sorted(_indices(weights, r"S\.net\.(\d+)\.weight"))
    size = _levels(len(blocks), 0)
    table = {
        r"G\.initial_block": "const",
        r"G\.to_initial_block\.(.+)": r"from_w.\1",
        r"G\.initial_conv\.(.+)": r"conv.\1",
        r"G\.blocks\.(\d+)\.conv([12])\.weight": r"blocks.\1.conv\2.weight",
        r"G\.blocks\.(\d+)\.to_style([12])\.(.+)": r"blocks.\1.conv\2.style.\3",
        r"G\.blocks\.(\d+)\.to_noise([12])\.(.+)": r"blocks.\1.conv\2.noise.\3",
        r"G\.blocks\.(\d+)\.to_rgb\.conv\.weight": r"blocks.\1.rgb.weight",
        r"G\.blocks\.(\d+)\.to_rgb\.to_style\.(.+)": r"blocks.\1.rgb.style.\2",
        r"G\.attns\.(\d+)\.0\.fn\.norm\.g": r"blocks.\1.attention.attend.0.scale",
        r"G\.attns\.(\d+)\.0\.fn\.norm\.b": r"blocks.\1.attention.attend.0.shift",
        r"G\.attns\.(\d+)\.1\.fn\.norm\.g": r"blocks.\1.attention.forward_layers.0.scale",
        r"G\.attns\.(\d+)\.1\.fn\.norm\.b": r"blocks.\1.attention.forward_layers.0.shift",
        r"G\.attns\.(\d+)\.0\.fn\.fn\.to_q\.(.+)": r"blocks.\1.attention.attend.1.query.\2",
        r"G\.attns\.(\d+)\.0\.fn\.fn\.to_kv\.net\.(.+)": r"blocks.\1.attention.attend.1.key_value.\2",
        r"G\.attns\.(\d+)\.0\.fn\.fn\.to_out\.(.+)": r"blocks.\1.attention.attend.1.out.\2",
        r"G\.attns\.(\d+)\.1\.fn\.fn\.0\.(.+)": r"blocks.\1.attention.forward_layers.1.\2",
        r"G\.attns\.(\d+)\.1\.fn\.fn\.2\.(.+)": r"blocks.\1.attention.forward_layers.3.\2",
        r"S\.net\.(\d+)\.(weight|bias)": r"mapping.\1.\2",
    }
    state = _renamed(Weights({k: v for k, v in weights.items() if not k.endswith("upsample.1.f")}), table)
    for place, layer in enumerate(layers):  # every second place is a leaky ReLU; the factor joins the weights
        for key in ("weight", "bias"):
            state[f"mapping.{place}.{key}"] = state.pop(f"mapping.{layer}.{key}") * (
                options.multiplier or LR_MLP
            )
    latent = Latent(dim=state["mapping.0.weight"].shape[1])
    state["w_avg"] = _average(
        [state[f"mapping.{i}.weight"] for i in range(len(layers))],
        [state[f"mapping.{i}.bias"] for i in range(len(layers))],
        latent,
    )
    state["noise_const"] = torch.from_numpy(
        rng.uniform(0, "imported noise", 0, count=size, per_item=size)
    ).float()
    widths = tuple(len(state[f"blocks.{i}.conv1.weight"]) for i in range(len(blocks)))
    config = stylegan2.GeneratorConfig(
        mapping_layers=len(layers), widths=widths, attention=tuple(sorted(attention)), const="const" in state
    )
    shape = (len(state["blocks.0.rgb.weight"]), size, size)
    found = Imported("stylegan2-pytorch", stylegan2.Config(generator=config), state, shape, latent)
    if not options.multiplier:
        found.notes.append(
            f"lr_mlp, which the file does not keep, is taken for {LR_MLP}: --multiplier sets it"
        )
    found.notes.append("noise, which the original draws for each picture, is fixed; 'none' is its mean")
    return found


def _average(weights: list[Tensor], biases: list[Tensor], latent: Latent) -> Tensor:
    x = F.normalize(latent.sample(range(AVERAGED)), dim=1)
    for weight, bias in zip(weights, biases, strict=True):
        x = F.leaky_relu(F.linear(x, weight, bias), 0.2)
    return x.mean(0)


def _lightweight(weights: Weights) -> Imported:
    layers = _indices(weights, r"G\.layers\.(\d+)\.0\.")
    attention = _indices(weights, r"G\.layers\.(\d+)\.2\.")
    size = _levels(len(layers), 1)
    table = {
        r"G\.initial_conv\.(\d)\.(.+)": r"first.\1.\2",
        r"G\.layers\.(\d+)\.0\.0\.net\.0\.(.+)": r"layers.\1.up.\2",
        r"G\.layers\.(\d+)\.0\.2\.1\.(.+)": r"layers.\1.conv.\2",
        r"G\.layers\.(\d+)\.0\.3\.weight": r"layers.\1.strength",
        r"G\.layers\.(\d+)\.0\.4\.(.+)": r"layers.\1.norm.\2",
        r"G\.layers\.(\d+)\.1\.to_k\.(.+)": r"gates.\1.key.\2",
        r"G\.layers\.(\d+)\.1\.dct_weights": r"gates.\1.waves",
        r"G\.layers\.(\d+)\.1\.net\.(.+)": r"gates.\1.net.\2",
        r"G\.layers\.(\d+)\.2\.norm\.g": r"layers.\1.attention.0.scale",
        r"G\.layers\.(\d+)\.2\.norm\.b": r"layers.\1.attention.0.shift",
        r"G\.layers\.(\d+)\.2\.fn\.to_lin_q\.(.+)": r"layers.\1.attention.1.query.\2",
        r"G\.layers\.(\d+)\.2\.fn\.to_lin_kv\.net\.(.+)": r"layers.\1.attention.1.key_value.\2",
        r"G\.layers\.(\d+)\.2\.fn\.to_q\.(.+)": r"layers.\1.attention.1.near_query.\2",
        r"G\.layers\.(\d+)\.2\.fn\.to_kv\.(.+)": r"layers.\1.attention.1.near_key_value.\2",
        r"G\.layers\.(\d+)\.2\.fn\.to_out\.(.+)": r"layers.\1.attention.1.out.\2",
        r"G\.out_conv\.(.+)": r"out.\1",
    }
    state = _renamed(Weights({k: v for k, v in weights.items() if not k.endswith(".0.1.f")}), table)
    for i in range(len(layers)):
        state[f"layers.{i}.strength"] = state[f"layers.{i}.strength"].reshape(())
        state[f"layers.{i}.noise_const"] = torch.from_numpy(
            rng.normal(i, "imported noise", 0, count=8 << i, per_item=8 << i)
        )
    for norm in ("first.1", *(f"layers.{i}.norm" for i in range(len(layers)))):
        state[f"{norm}.num_batches_tracked"] = torch.zeros((), dtype=torch.int64)
    config = lightweight.GeneratorConfig(
        widths=tuple(len(state[f"layers.{i}.norm.weight"]) // 2 for i in range(len(layers))),
        attention=tuple(sorted(attention)),
        frequencies=any(k.endswith(".waves") for k in state),
    )
    shape = (len(state["out.weight"]), size, size)
    latent = Latent(dim=len(state["first.0.weight"]))
    found = Imported("lightweight-gan", lightweight.Config(generator=config), state, shape, latent)
    found.notes.append("noise, which the original draws for each picture, is fixed")
    return found
