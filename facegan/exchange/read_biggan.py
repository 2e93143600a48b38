"""Reader of BigGAN's generators: of ajbrock/BigGAN-PyTorch, and DeepMind's of pytorch_pretrained_biggan."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from facegan.errors import ModelError
from facegan.exchange.base import Imported, ImportOptions, Source
from facegan.exchange.modules import Weights
from facegan.exchange.stylegan2 import class_labels
from facegan.families.biggan.config import DEPTH, Config, GeneratorConfig
from facegan.pickles.tables import read_tensors, state_dicts
from facegan.prior import Latent

if TYPE_CHECKING:
    from torch import Tensor

    from facegan.pickles.objects import StoredTensor

State = dict[str, "Tensor"]
BROCK = {"linear.weight", "shared.weight", "blocks.0.0.conv1.weight", "blocks.0.0.bn1.gain.weight"}
PORTED = {"embeddings.weight", "generator.gen_z.weight_orig", "generator.layers.0.conv_0.weight_orig"}
PORTED_EPS = 1e-4
_NAMES = {"conv_sc": "skip", "theta": "query", "phi": "key", "g": "value", "o": "out"}


def recognises(source: Source) -> bool:
    """Return whether this reader takes the file."""
    return source.kind in ("torch-zip", "pickle") and bool(_generators(source))


def _generators(source: Source) -> dict[str, dict[str, StoredTensor]]:
    found = {}
    for place, table in state_dicts(source.tree).items():
        plain = {name.removeprefix("module."): tensor for name, tensor in table.items()}
        if "generator.embeddings.weight" in plain:
            plain = {name.removeprefix("generator."): tensor for name, tensor in plain.items()}
        if plain.keys() >= BROCK or plain.keys() >= PORTED:
            found[place or "the file"] = plain
    return found


def read(source: Source, options: ImportOptions) -> Imported:
    """Read the generator with its labels as classes, and the batch norm's statistics of truncation 1."""
    tables = _generators(source)
    name = options.network or next(iter(tables), "")
    if name not in tables:
        raise ModelError(f"--network {name}: the file has {', '.join(tables) or 'no BigGAN'}")
    weights = Weights({k: v.float() for k, v in read_tensors(tables[name]).items()})
    brock = "shared.weight" in weights
    config, state, widths = (_brock if brock else _ported)(weights)
    first = state["first.weight"]
    side = _side(first, widths[0])
    rows = len(widths) - 1 if not config.deep else 0
    chunk = first.shape[1] - (config.shared_dim if config.deep else 0)
    size = side << len(widths) - 1
    found = Imported(
        "biggan",
        Config(generator=config),
        state,
        (len(state["to_image.weight"]), size, size),
        Latent("truncated", chunk * (rows + 1)),
        **class_labels(len(state["embed.weight"])),
    )
    found.taken.append(f"{name}: {len(state)} tensors")
    found.notes.append(f"its {len(state['embed.weight']):,} classes are --labels label=0 and so on")
    if not brock:
        found.left_out.append("statistics of other truncations: they are gathered when they are needed")
    return found


def _settings(widths: list[int], **more: object) -> GeneratorConfig:
    """Return settings of a network with these widths, from the smallest map on."""
    unit = math.gcd(*widths)
    if not unit:
        raise ModelError("its layers have no channels")
    multipliers = tuple(width // unit for width in widths)
    return GeneratorConfig(width=unit, multipliers=multipliers, **more)  # type: ignore[arg-type]


def _side(weight: Tensor, width: int) -> int:
    """Return the side of the square maps that the first layer makes."""
    side = math.isqrt(len(weight) // max(width, 1))
    if weight.ndim != 2 or side**2 * width != len(weight) or not side:
        raise ModelError(f"its first layer makes no square maps of {width} channels")
    return side


def _norm(state: State, name: str, statistics: Sequence[Tensor]) -> None:
    mean, variance = statistics
    state |= {f"{name}.running_mean": mean, f"{name}.running_var": variance}
    state[f"{name}.num_batches_tracked"] = torch.tensor(0)


def _attended(at: list[int], widths: list[int], per_stage: int, *, side: int) -> int:
    """Return the side of the maps with self-attention, which follows the blocks ``at``; 0 for none."""
    if not at:
        return 0
    stage, rest = divmod(at[0] + 1, per_stage)
    if len(at) > 1 or rest or not 0 < stage < len(widths):
        raise ModelError(
            "its self-attention stands elsewhere than in BigGAN; facegan cannot read such networks"
        )
    return side << stage


# --- ajbrock/BigGAN-PyTorch ---------------------------------------------------------------------------------


def _brock(weights: Weights) -> tuple[GeneratorConfig, State, list[int]]:
    deep, normalised = "blocks.0.0.conv3.weight" in weights, "linear.u0" in weights
    count = sum(k.startswith("blocks.") and k.endswith(".0.conv1.weight") for k in weights)
    last, step = ("conv4", DEPTH) if deep else ("conv2", 1)
    ends = [weights[f"blocks.{i}.0.{last}.weight"] for i in range(step - 1, count, step)]
    widths = [weights["blocks.0.0.conv1.weight"].shape[1], *(len(end) for end in ends)]
    embedding = weights["shared.weight"]
    told = embedding.shape[1]
    state = {"embed.weight": embedding}

    def layer(old: str, new: str, swapped: bool = False) -> None:
        weight = weights[f"{old}.weight"]
        # Here the embedding stands before z.
        state[f"{new}.weight"] = torch.cat([weight[:, told:], weight[:, :told]], 1) if swapped else weight
        if f"{old}.bias" in weights:
            state[f"{new}.bias"] = weights[f"{old}.bias"]
        if normalised:
            state[f"{new}.u"] = weights[f"{old}.u0"].reshape(-1)

    layer("linear", "first", swapped=deep)
    for i in range(count):
        old, new = f"blocks.{i}.0", f"blocks.{i}"
        for k in range(1, 5 if deep else 3):
            layer(f"{old}.conv{k}", f"{new}.conv{k}")
            layer(f"{old}.bn{k}.gain", f"{new}.gain{k}", swapped=True)
            layer(f"{old}.bn{k}.bias", f"{new}.shift{k}", swapped=True)
            stored = [weights[f"{old}.bn{k}.stored_{what}"] for what in ("mean", "var")]
            _norm(state, f"{new}.norm{k}", stored)
        if not deep:
            layer(f"{old}.conv_sc", f"{new}.skip")
    at = [i for i in range(count) if f"blocks.{i}.1.theta.weight" in weights]
    side = _side(weights["linear.weight"], widths[0])
    attention = _attended(at, widths, step, side=side)
    for i in at:
        for part in ("theta", "phi", "g", "o"):
            layer(f"blocks.{i}.1.{part}", f"attention.{_NAMES[part]}")
        state["attention.scale"] = weights[f"blocks.{i}.1.gamma"].reshape(())
    state |= {f"norm.{k}": weights[f"output_layer.0.{v}"] for k, v in (("weight", "gain"), ("bias", "bias"))}
    _norm(state, "norm", [weights[f"output_layer.0.stored_{what}"] for what in ("mean", "var")])
    layer("output_layer.2", "to_image")
    more = {"attention": attention, "deep": deep, "spectral_norm": normalised, "shared_dim": told}
    return _settings(widths, **more), state, widths


# --- pytorch_pretrained_biggan: the deep variant ------------------------------------------------------------


def _ported(weights: Weights) -> tuple[GeneratorConfig, State, list[int]]:
    indices = sorted(
        int(k.split(".")[2])
        for k in weights
        if k.startswith("generator.layers.") and k.endswith(("conv_0.weight_orig", "theta.weight_orig"))
    )
    names = [f"generator.layers.{i}" for i in indices]
    blocks = [name for name in names if f"{name}.conv_0.weight_orig" in weights]
    at = [i - 1 for i, name in enumerate(names) if name not in blocks]
    widths = [weights[f"{blocks[0]}.conv_0.weight_orig"].shape[1]]
    widths += [len(weights[f"{name}.conv_3.weight_orig"]) for name in blocks[1::DEPTH]]
    embedding = weights["embeddings.weight"].T.contiguous()
    state = {"embed.weight": embedding}

    def layer(old: str, new: str) -> None:
        state[f"{new}.weight"] = _divided(weights, old)
        if f"{old}.bias" in weights:
            state[f"{new}.bias"] = weights[f"{old}.bias"]

    layer("generator.gen_z", "first")
    side = _side(state["first.weight"], widths[0])
    for key in ("first.weight", "first.bias"):  # its maps are H,W,C
        rows = state[key].reshape(side, side, widths[0], -1).permute(2, 0, 1, 3).flatten(0, 2)
        state[key] = rows if key.endswith("weight") else rows[:, 0]
    for i, old in enumerate(blocks):
        for k in range(4):
            layer(f"{old}.conv_{k}", f"blocks.{i}.conv{k + 1}")
            for theirs, ours in (("scale", "gain"), ("offset", "shift")):
                layer(f"{old}.bn_{k}.{theirs}", f"blocks.{i}.{ours}{k + 1}")
            _norm(state, f"blocks.{i}.norm{k + 1}", _statistics(weights, f"{old}.bn_{k}"))
    attention = _attended(at, widths, DEPTH, side=side)
    for i in at:
        for theirs, ours in (("theta", "query"), ("phi", "key"), ("g", "value"), ("o_conv", "out")):
            layer(f"{names[i + 1]}.snconv1x1_{theirs}", f"attention.{ours}")
        state["attention.scale"] = weights[f"{names[i + 1]}.gamma"].reshape(())
    state |= {f"norm.{k}": weights[f"generator.bn.{k}"] for k in ("weight", "bias")}
    _norm(state, "norm", _statistics(weights, "generator.bn"))
    layer("generator.conv_to_rgb", "to_image")
    for key in ("to_image.weight", "to_image.bias"):  # of its many channels three are used
        state[key] = state[key][:3]
    more = {"attention": attention, "deep": True, "spectral_norm": False, "bn_eps": PORTED_EPS}
    return _settings(widths, **more, shared_dim=embedding.shape[1]), state, widths


def _divided(weights: Weights, name: str) -> Tensor:
    """Return a weight divided by its largest singular value, by the stored vectors (Miyato et al. 2018)."""
    weight = weights[f"{name}.weight_orig"]
    u, v = (weights[f"{name}.weight_{side}"] for side in "uv")
    try:
        divided: Tensor = weight / (u @ weight.flatten(1) @ v)
    except (RuntimeError, IndexError):
        raise ModelError(f"layer {name}: a spectral norm that does not fit its weight") from None
    return divided


def _statistics(weights: Weights, name: str) -> tuple[Tensor, Tensor]:
    """Return mean and variance of truncation 1, the last row."""
    mean, variance = (weights[f"{name}.running_{what}"] for what in ("means", "vars"))
    if mean.ndim != 2 or variance.ndim != 2 or not len(mean) or not len(variance):
        raise ModelError(f"{name}: its statistics are no table by truncation")
    return mean[-1], variance[-1]
