"""The layers of a network: shapes, parameters and multiply-accumulates (MACs).

The words are those of the layer notation (:mod:`facegan.layers.notation`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from facegan import distributed
from facegan.layers import feedforward, labels, ops, styled


@dataclass(frozen=True)
class LayerInfo:
    """One call of one layer. ``output`` is without the batch, (features,) or (C, H, W).

    ``parameters`` are the trained ones, ``statistics`` the numbers that are kept but not trained (batch
    norm's), both counted at a module's first call. ``macs`` are for one picture; padding counts like
    picture, as is usual, and only dense layers and convolutions count at all. ``block`` is the kind of
    the module that holds the layer, "" for one that stands in the network's own sequence.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    statistics: int
    macs: int
    block: str = ""


def _conv(m: nn.Module) -> str:
    assert isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))
    words = ["convT" if isinstance(m, nn.ConvTranspose2d) else "conv", str(m.out_channels)]
    words.append("x".join(map(str, sorted(set(m.kernel_size)))))
    if m.stride[0] > 1:
        words.append(f"s{m.stride[0]}")
    # "Same" padding adds at least one pixel wherever the kernel is larger than the stride.
    unpadded = m.padding == (0, 0) and not (isinstance(m, feedforward.SameConv) and m.uneven)
    if words[0] == "conv" and unpadded and m.kernel_size[0] > m.stride[0]:
        words.append("valid")
    return " ".join(words)


def _leaky(m: nn.Module) -> str:
    assert isinstance(m, nn.LeakyReLU)
    return "lrelu" if m.negative_slope == 0.2 else f"lrelu{m.negative_slope:g}"


def _equalized(m: nn.Module) -> str:
    assert isinstance(m, ops.EqualizedConv2d)
    strided = " s2" if m.up * m.down > 1 else ""
    return f"conv{'T' if m.up > 1 else ''} {m.out_channels} {m.kernel}{strided}"


# Types in order: the first that fits gives the word.
_WORDS: tuple[tuple[type[nn.Module], str | Callable[[Any], str]], ...] = (
    (nn.Conv2d, _conv),
    (nn.ConvTranspose2d, _conv),
    (nn.Linear, lambda m: f"dense {m.out_features}"),
    (ops.EqualizedConv2d, _equalized),
    (ops.EqualizedLinear, lambda m: f"dense {m.out_features}"),
    (styled.StyledConv, lambda m: f"styled {m.out_channels} 3" + (" up" if m.up > 1 else "")),
    (styled.ToRGB, "to image"),
    (nn.modules.batchnorm._BatchNorm, "bn"),
    (feedforward.MinibatchStd, "mbstd"),
    (feedforward.Reshape, lambda m: "reshape " + shape_text(m.shape)),
    (feedforward.ResidualBlock, lambda m: f"res {m.conv2.out_channels} {m.resample}".rstrip()),
    (distributed.Dropout, lambda m: f"drop {m.p:g}"),
    (nn.Dropout, lambda m: f"drop {m.p:g}"),
    (nn.Flatten, "flatten"),
    (labels.LabelledLatent, "labels beside z"),
    (labels.LabelProjection, "labels projected"),
    (nn.Upsample, "up"),
    (nn.AvgPool2d, "down"),
    (nn.MaxPool2d, "pool"),
    (nn.LeakyReLU, _leaky),
    *((kind, word) for word, kind in feedforward.OPS.items()),
)


def kind_of(module: nn.Module) -> str:
    """Return the notation's words for a module, or its class's name if it has none."""
    for kind, word in _WORDS:
        if isinstance(module, kind):
            return word if isinstance(word, str) else word(module)
    return type(module).__name__


def shape_text(shape: Sequence[int]) -> str:
    """Return (C, H, W) as ``HxWxC``, as the notation writes it; (features,) as the number."""
    return "x".join(map(str, [*shape[1:], *shape[:1]]))


def macs_of(module: nn.Module, given: torch.Tensor, out: torch.Tensor) -> int:
    """Return the multiply-accumulates of one call, for the whole batch.

    A transposed convolution spreads each value given, a plain one gathers.
    """
    if isinstance(module, (ops.EqualizedConv2d, styled.StyledConv, styled.ToRGB)):
        values, channels = out, module.out_channels
        if module.up > 1:
            values, channels = given, module.in_channels
        return values.numel() * module.weight.numel() // channels
    if isinstance(module, (nn.Linear, ops.EqualizedLinear)):
        return out.numel() * module.in_features
    if isinstance(module, nn.ConvTranspose2d):
        return given.numel() * math.prod(module.kernel_size) * module.out_channels // module.groups
    if isinstance(module, nn.Conv2d):
        return out.numel() * math.prod(module.kernel_size) * module.in_channels // module.groups
    return 0


def statistics(module: nn.Module, recurse: bool = True) -> int:
    """Return how many numbers a module keeps without training them; counters do not count."""
    return sum(b.numel() for b in module.buffers(recurse) if b.is_floating_point())


def _block_of(root: nn.Module, name: str) -> str:
    parent = root.get_submodule(name.rpartition(".")[0])
    return "" if parent is root or isinstance(parent, (nn.Sequential, nn.ModuleList)) else kind_of(parent)


def summarize(module: nn.Module, example_inputs: torch.Tensor | Sequence[Any]) -> list[LayerInfo]:
    """Return the layers in the order in which ``example_inputs`` (a batch, of one picture, say) meet them.

    A layer is a module without children, or one with parameters of its own. The module runs once,
    in sampling mode and without gradients: its buffers, its modes and torch's random state stay.
    """
    inputs = (example_inputs,) if isinstance(example_inputs, torch.Tensor) else tuple(example_inputs)
    batch = inputs[0].shape[0]
    rows: list[LayerInfo] = []
    seen: set[int] = set()

    def note(name: str) -> Callable[..., None]:
        def hook(m: nn.Module, given: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
            first = id(m) not in seen
            seen.add(id(m))
            whole = is_parametrized(m)  # whose weight is kept one module further down
            trained = sum(p.numel() for p in m.parameters(recurse=whole)) if first else 0
            kept = statistics(m, recurse=whole) if first else 0
            macs = macs_of(m, given[0], out) // batch
            shape = tuple(out.shape[1:])
            rows.append(LayerInfo(name, kind_of(m), shape, trained, kept, macs, _block_of(module, name)))

        return hook

    modes = {m: m.training for m in module.modules()}
    handles = [
        m.register_forward_hook(note(name))
        for name, m in module.named_modules()
        if (not list(m.children()) or list(m.parameters(recurse=False))) and "parametrizations" not in name
    ]
    devices = [t.device.index for t in inputs if t.device.type == "cuda"]
    try:
        with torch.random.fork_rng(devices), torch.no_grad():
            module.eval()
            module(*inputs)
    finally:
        for m, training in modes.items():
            m.training = training
        for handle in handles:
            handle.remove()
    return rows
