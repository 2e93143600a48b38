"""Chains that are DCGANs in the package's own layer notation: they train on, which graphs do not.

``reshape 100x1x1; convT s1 p0; bn; relu; convT s2 p1; tanh`` is ``dense 4x4x512; bn; relu; convT image 4 s2;
tanh``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from facegan.errors import ConfigError
from facegan.exchange.chain import Weights
from facegan.families import get_family
from facegan.families.dcgan.config import Config
from facegan.families.feedforward import NetworkConfig

if TYPE_CHECKING:
    from torch import Tensor

_PLAIN = {"bn", "up", "relu", "gelu", "tanh", "sigmoid"}  # the same words in both notations


def as_dcgan(
    text: str, weights: Sequence[Weights], z_dim: int, *, image_shape: tuple[int, int, int]
) -> tuple[Config, dict[str, Tensor]] | None:
    """Return settings and state of the family ``dcgan``; None where its notation cannot say the same.

    Args:
        text: the layers, as :mod:`facegan.exchange.chain` writes them.
        weights: of the layers, in the order of the file.
        z_dim: length of the latent vector.
        image_shape: (C, H, W).
    """
    import torch
    from torch import nn

    words = [" ".join(part.split()) for part in text.split(";") if part.strip()]
    unit_range = words[-2:] == ["sigmoid", "scale 2 -1"]
    translated = _translate(words[:-1] if unit_range else words, weights)
    if translated is None:
        return None
    layers, used = translated
    last = max(i for i, layer in enumerate(layers) if layer.startswith(("conv", "dense")))
    if layers[last].startswith("conv"):
        layers[last] = re.sub(r"^(convT?) \d+", r"\1 image", layers[last])
    config = Config(NetworkConfig(layers="; ".join(layers), unit_range=unit_range))
    try:
        with torch.device("meta"):
            network = get_family("dcgan").build_generator(config.generator, image_shape, z_dim)
    except ConfigError:
        return None
    state: dict[str, Tensor] = {}
    for name, module in network.named_modules():
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.modules.batchnorm._BatchNorm)):
            state |= {f"{name}.{key}": value for key, value in _tensors(module, used.pop(0)).items()}
    return config, state


def _translate(words: list[str], weights: Sequence[Weights]) -> tuple[list[str], list[Weights]] | None:
    """Return the layers in the package's notation and their weights; None where it has no such layer."""
    layers: list[str] = []
    queue, used = list(weights), []
    shape = ""
    for place, word in enumerate(words):
        kind, *given = word.split()
        if kind == "reshape" and not place:  # of the latent, for a transposed convolution
            shape = given[0]
        elif kind in ("conv", "convT", "linear", "bn"):
            wanted = "conv" if kind == "convT" else kind
            layer = next((one for one in queue if one.kind == wanted), None)
            if layer is None or (given and kind == "bn"):
                return None
            queue.remove(layer)
            used.append(layer)
            following = words[place + 1].split() if place + 1 < len(words) else [""]
            written = _written(kind, given, layer, shape=shape, reshaped=following)
            if not written:
                return None
            layers.append(written)
            shape = ""
        elif kind == "reshape":  # part of the dense layer before it
            if not (layers and layers[-1].startswith("dense") and words[place - 1] == "linear"):
                return None
        elif word in _PLAIN or (kind == "lrelu" and re.fullmatch(r"lrelu( 0?\.\d+)?", word)):
            layers.append(word.replace(" ", ""))
        elif word == "swish":
            layers.append("silu")
        else:
            return None
    return layers, used


def _written(kind: str, given: list[str], layer: Weights, *, shape: str, reshaped: list[str]) -> str:
    """Return a layer with weights in the package's notation; "" where it has no such layer."""
    if kind == "bn":
        return "bn"
    if kind == "linear":
        size = re.fullmatch(r"(\d+)x(\d+)x(\d+)", reshaped[-1]) if reshaped[0] == "reshape" else None
        return f"dense {size[2]}x{size[3]}x{size[1]}" if size else f"dense {layer.shape[0]}"
    k = layer.shape[2]
    if layer.shape[3] != k or not given:
        return ""
    if kind == "convT" and shape.endswith("x1x1"):
        return f"dense {k}x{k}x{layer.shape[1]}" if given == ["s1", "p0"] else ""
    stride = int(given[0].removeprefix("s"))
    # "Same" padding crops and pads both sides alike where this is even; the notation has no other.
    if given != [f"s{stride}", f"p{(k - stride) // 2}"] or (k - stride) % 2 or k < stride:
        return ""
    if kind == "conv" and stride > 1:
        return ""
    out = layer.shape[1] if kind == "convT" else layer.shape[0]
    return f"{kind} {out} {k}" + f" s{stride}" * (stride > 1)


def _tensors(module: object, layer: Weights) -> dict[str, Tensor]:
    """Return the state of a module: the layer's tensors, and zeros for a bias that it lacks."""
    import torch
    from torch import nn

    found = dict(layer.tensors)
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        count = torch.ones(len(found["running_mean"]))
        return {"weight": count, "bias": 0 * count, **found, "num_batches_tracked": torch.tensor(0)}
    weight = found["weight"]
    if isinstance(module, nn.Linear) and weight.ndim == 4:  # a transposed convolution of a single pixel
        pixels = weight[0, 0].numel()
        found["weight"] = weight.flatten(1).T.contiguous()
        if "bias" in found:
            found["bias"] = found["bias"].repeat_interleave(pixels)
    if "bias" not in found:
        outputs = found["weight"].shape[1 if isinstance(module, nn.ConvTranspose2d) else 0]
        found["bias"] = torch.zeros(outputs)
    return found
