"""The layer notation: a feed-forward network as one readable line, parsed without torch.

    dense 1024 tanh; dense 7x7x128 bn tanh; up; conv 64 5 tanh; up; conv image 5 tanh

Layers are separated by ``;``, words by spaces; ``x4`` at the end of a layer repeats it.

| layer | meaning |
|---|---|
| ``dense N``, ``dense HxWxC`` | fully connected on the flat input; the second form reshapes after it |
| ``conv C K`` | K x K convolution to C channels; ``s2`` strides by 2, ``valid`` pads nothing |
| ``convT C K`` | transposed convolution, ``s2`` doubles the resolution |
| ``res C`` | residual block of two 3 x 3 convolutions; ``up`` / ``down`` changes the resolution |
| ``up`` / ``down`` / ``pool`` | nearest-neighbour doubling, 2 x 2 average, 2 x 2 maximum |
| ``drop P`` | dropout with probability P |
| ``mbstd`` | minibatch standard deviation (Karras et al. 2018, section 3) |
| ``bn``, ``pixelnorm``, an activation | on their own, or inside a layer in the written order |

``image`` in place of a number is the image's channels (``conv``) or its whole shape (``dense``).
Padding is "same" as Keras does it: ``max(K - stride, 0)`` pixels, the smaller half before.
Activations: relu, lrelu (slope 0.2; ``lrelu0.3`` sets another), silu, gelu, tanh, sigmoid, linear.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from facegan.errors import ConfigError

ACTIVATIONS = ("relu", "lrelu", "silu", "gelu", "tanh", "sigmoid", "linear")
NORMS = ("bn", "pixelnorm")
_STRIDED = ("conv", "convT")
_SIZED = ("dense", *_STRIDED, "res")
_PLAIN = ("up", "down", "pool", "mbstd")


@dataclass(frozen=True)
class Layer:
    """One parsed layer. ``out`` is a channel count, (H, W, C), or "image"; ``then`` what follows it."""

    kind: str
    out: int | tuple[int, int, int] | str = 0
    kernel: int = 3
    stride: int = 1
    padding: str = "same"
    resample: str = ""
    rate: float = 0.0
    then: tuple[str, ...] = ()


def _is_op(word: str) -> bool:
    return word in NORMS or word in ACTIVATIONS or bool(re.fullmatch(r"lrelu0?\.\d+", word))


def _size(word: str) -> int | tuple[int, int, int] | str | None:
    if word == "image":
        return word
    if re.fullmatch(r"[1-9]\d*", word):
        return int(word)
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)x([1-9]\d*)", word)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def _parse_layer(text: str, option: str) -> list[Layer]:
    words, repeat = text.split(), 1
    if len(words) > 1 and re.fullmatch(r"x[1-9]\d{0,2}", words[-1]):
        repeat = int(words.pop()[1:])
    try:
        layer, rest = _parse_head(words)
        for word in rest:
            layer = _modify(layer, word)
    except ValueError as error:
        raise ConfigError(f"{option}: in layer '{text.strip()}': {error}") from None
    return [layer] * repeat


def _parse_head(words: list[str]) -> tuple[Layer, list[str]]:
    """Return the layer with its numbers, and the words after them."""
    kind, *rest = words
    if _is_op(kind):
        return Layer("apply"), words
    if kind in _PLAIN:
        return Layer(kind), rest
    if kind == "drop":
        if not rest or not re.fullmatch(r"0?\.\d+", rest[0]):
            raise ValueError("'drop' needs a probability below 1")
        return Layer(kind, rate=float(rest[0])), rest[1:]
    if kind not in _SIZED:
        raise ValueError(f"'{kind}' is no layer (known: {', '.join((*_SIZED, *_PLAIN, 'drop'))})")
    size = _size(rest[0]) if rest else None
    if size is None or (kind != "dense" and isinstance(size, tuple)):
        raise ValueError(f"'{kind}' needs a size such as {'7x7x128' if kind == 'dense' else '64'} or image")
    if kind not in _STRIDED:
        return Layer(kind, size), rest[1:]
    if len(rest) < 2 or not re.fullmatch(r"[1-9]\d?", rest[1]):
        raise ValueError("a kernel size must follow the channels")
    return Layer(kind, size, int(rest[1])), rest[2:]


def _modify(layer: Layer, word: str) -> Layer:
    if word in ("s1", "s2") and layer.kind in _STRIDED:
        return replace(layer, stride=int(word[1]))
    if word == "valid" and layer.kind == "conv":
        return replace(layer, padding=word)
    if word in ("up", "down") and layer.kind == "res":
        return replace(layer, resample=word)
    if _is_op(word):
        return replace(layer, then=(*layer.then, word))
    raise ValueError(f"'{word}' is not understood")


def parse(text: str, option: str = "layers") -> list[Layer]:
    """Parse the notation; ConfigError names ``option`` and the offending layer."""
    parts = [part for part in text.split(";") if part.strip()]
    if not parts:
        raise ConfigError(f"{option}: no layers given")
    return [layer for part in parts for layer in _parse_layer(part, option)]


def scale(
    layers: list[Layer], width: float = 1.0, activation: str = "", *, kernel: int = 0, depth: int = 0
) -> list[Layer]:
    """Apply the quick changes that the flags offer, leaving the last layer's size and activation.

    ``width`` multiplies every channel count, ``activation`` and ``kernel`` replace those of all
    hidden layers, ``depth`` adds that many stride-1 3 x 3 convolutions after each hidden
    convolution that changes the resolution.
    """
    if width <= 0:
        raise ConfigError(f"width must be above 0, not {width}")
    if not 0 <= depth <= 100:
        raise ConfigError(f"depth must be from 0 to 100, not {depth}")
    if activation and not (_is_op(activation) and activation not in NORMS):
        raise ConfigError(f"activation: '{activation}' is unknown (known: {', '.join(ACTIVATIONS)})")

    def wide(out: int | tuple[int, int, int] | str) -> int | tuple[int, int, int] | str:
        if isinstance(out, tuple):
            return (out[0], out[1], max(1, round(out[2] * width)))
        return max(1, round(out * width)) if isinstance(out, int) else out

    result: list[Layer] = []
    for layer in layers[:-1]:
        then = tuple(activation if activation and _is_op(op) and op not in NORMS else op for op in layer.then)
        new = replace(layer, out=wide(layer.out), then=then)
        if kernel and layer.kind in _STRIDED and layer.out != "image":
            new = replace(new, kernel=kernel)
        result.append(new)
        if depth and layer.kind in _STRIDED and layer.stride == 2 and isinstance(new.out, int):
            result += [Layer("conv", new.out, 3, then=then)] * depth
    return [*result, layers[-1]]
