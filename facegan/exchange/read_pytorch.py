"""Reads plain PyTorch generators: a chain of convolutions, dense layers, norms and activations.

A state dict holds names and weights, but neither activations nor strides. Those of the usual networks follow
from the shapes (:mod:`facegan.exchange.chain`); what was read so is told as a line of layers, and
``--layers`` replaces it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from facegan.errors import InputError, ModelError, offered
from facegan.exchange.base import Imported, ImportOptions, Source
from facegan.exchange.chain import Weights, build_chain, guess_layers, latent_of
from facegan.pickles.objects import StoredTensor
from facegan.pickles.tables import state_dicts

if TYPE_CHECKING:
    from torch import Tensor

Table = Mapping[str, "StoredTensor | Tensor"]

# Parts of names, the likeliest first, of what is a generator, and of what is none.
_GENERATORS = ("g_ema", "ema_g", "netg_ema", "ema", "netg", "generator", "gen", "g")
_OTHERS = ("netd", "discriminator", "disc", "d", "critic", "optimizer", "optim", "opt", "loss")
_IGNORED = ("num_batches_tracked",)


def recognises(source: Source) -> bool:
    """Return whether the file holds a table with weights of convolutions or dense layers."""
    if source.kind not in ("torch-zip", "pickle", "safetensors"):
        return False
    return any(len(value.shape) in (2, 4) for table in _tables(source).values() for value in table.values())


def read(source: Source, options: ImportOptions) -> Imported:
    """Return the generator; ModelError says what cannot be understood, and which option decides it."""
    tables = _tables(source)
    place = _chosen(tables, options.network)
    weights = _weights(tables[place])
    text = options.layers or guess_layers(weights, options)
    z_dim = options.latent or latent_of(weights)
    config, state, image_shape = build_chain(text, weights, z_dim)
    used = [name for name in tables[place] if not name.endswith(_IGNORED)]
    count = sum(math.prod(tables[place][name].shape) for name in used)
    taken = f"{place or 'the weights'}: {len(used)} tensors, {count:,} numbers"
    left = [f"{name or 'the rest'}: {len(table)} tensors" for name, table in tables.items() if name != place]
    notes = [] if options.layers else [f'read as --layers "{text}"']
    if not options.layers and not options.activation:
        assumed = f"relu, and {options.output_range or 'tanh'} at the end"
        notes.append(f"activations are not in the file: {assumed} (--activation, --output-range)")
    return Imported(
        "graph",
        config,
        state,
        image_shape,
        options.prior_of(z_dim),
        taken=[taken],
        left_out=left,
        notes=notes,
        licence=options.licence,
    )


# --- which table ------------------------------------------------------------------------------------------


def _tables(source: Source) -> dict[str, Table]:
    """Return every network of the file by its name, without what data parallelism puts before names."""
    found: dict[str, Table] = {}
    if source.kind == "safetensors":  # which keeps no order: numbers in names have to tell it
        raw: Mapping[str, Table] = {
            "": dict(sorted(source.tensors.items(), key=lambda item: _natural(item[0])))
        }
    else:
        raw = state_dicts(source.tree)
    for place, table in raw.items():
        plain = {re.sub(r"^(module\.|_orig_mod\.)+", "", name): value for name, value in table.items()}
        parts = {name.partition(".")[0] for name in plain if "." in name}
        networks = sorted(part for part in parts if _rank(part) < len(_GENERATORS) or _is_other(part))
        if any(_rank(part) < len(_GENERATORS) for part in networks):  # one module that holds several networks
            for part in networks:
                inner = {k.removeprefix(f"{part}."): v for k, v in plain.items() if k.startswith(f"{part}.")}
                found[f"{place}.{part}" if place else part] = inner
        else:
            found[place] = plain
    return {place: table for place, table in found.items() if table}


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts ``main.2`` before ``main.10``."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d{1,9})", name)]


def _words(place: str) -> list[str]:
    """Return the parts of a name, lower case: ``netG_state_dict`` is netg_state_dict, netg, state, dict."""
    whole = place.lower().replace("-", "_")
    return [whole, *whole.split("."), *re.split(r"[._]", whole), whole.removesuffix("_state_dict")]


def _rank(place: str) -> int:
    """Return the place of a name in _GENERATORS; its length for others."""
    words = _words(place)
    return next((i for i, name in enumerate(_GENERATORS) if name in words), len(_GENERATORS))


def _is_other(place: str) -> bool:
    return any(name in _words(place) for name in _OTHERS)


def _chosen(tables: Mapping[str, Table], wanted: str) -> str:
    """Return the place of the generator."""
    networks = [
        place for place, table in tables.items() if any(len(v.shape) in (2, 4) for v in table.values())
    ]
    if wanted:
        if wanted not in tables:
            named = [place for place in tables if place]
            known = offered(named, wanted) if named else "it holds one network; leave out --network"
            raise InputError(f"--network {wanted}: not in this file ({known})")
        return wanted
    left = [place for place in networks if not _is_other(place)] or networks
    if not left:
        raise ModelError("no weights of a network; import reads generators")
    best = min(map(_rank, left))
    first = [place for place in left if _rank(place) == best]
    if len(first) > 1:
        raise ModelError(f"several networks ({', '.join(first[:8])}); name the generator with --network")
    return first[0]


# --- its weights ------------------------------------------------------------------------------------------


def _weights(table: Table) -> list[Weights]:
    """Return the layers in the order of the table, each with its tensors."""
    groups: dict[str, dict[str, Tensor]] = {}
    for name, value in table.items():
        layer, _, key = _plain(name).rpartition(".")
        if key not in _IGNORED:
            tensor = value.read() if isinstance(value, StoredTensor) else value
            groups.setdefault(layer, {})[key] = tensor.float()
    return [_layer(name, tensors) for name, tensors in groups.items()]


def _plain(name: str) -> str:
    """Return a name as PyTorch wrote it before it had parametrizations."""
    name = name.replace(".parametrizations.weight.original", ".weight_orig")
    return re.sub(r"\.parametrizations\.weight\.0\._([uv])$", r".weight_\1", name)


def _layer(name: str, tensors: dict[str, Tensor]) -> Weights:
    """Return a layer; the weight behind a spectral norm is divided by its norm (Miyato et al. 2018)."""
    if {"weight_orig", "weight_u", "weight_v"} <= tensors.keys():
        whole = tensors.pop("weight_orig")
        tensors["weight"] = whole / _norm(name, whole, tensors.pop("weight_u"), v=tensors.pop("weight_v"))
    weight = tensors.get("weight")
    if {"running_mean", "running_var"} <= tensors.keys():
        kind = "bn"
    elif weight is None:
        raise ModelError(f"layer {name}: it has {', '.join(tensors)}, but no weight that could be read")
    else:
        kind = {4: "conv", 2: "linear", 1: "prelu"}.get(weight.ndim, "")
    known = {"bn": {"weight", "bias", "running_mean", "running_var"}, "prelu": {"weight"}}
    if not kind or tensors.keys() - known.get(kind, {"weight", "bias"}):
        shapes = ", ".join(f"{key} of shape {tuple(value.shape)}" for key, value in tensors.items())
        raise ModelError(f"layer {name}: {shapes}: no convolution, dense layer, batch norm or PReLU")
    return Weights(name, kind, tensors)


def _norm(name: str, weight: Tensor, u: Tensor, *, v: Tensor) -> Tensor:
    """Return the spectral norm by its stored vectors.

    PyTorch flattens by the outputs, which are the second axis of a transposed convolution. Where both axes
    are as long, the true one gives more, since the vectors are its own.
    """
    found = []
    for axis in range(min(2, weight.ndim)):
        matrix = weight.transpose(0, axis).flatten(1)
        if matrix.shape == (len(u), len(v)):
            found.append(u @ matrix @ v)
    if not found:
        raise ModelError(f"layer {name}: a spectral norm that does not fit its weight")
    return max(found, key=lambda norm: float(norm.abs()))
