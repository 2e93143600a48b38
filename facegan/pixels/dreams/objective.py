"""The objective of a dream: layers, channels of layers, classes, or the features of a guide picture.

Each term is a sum over positions, so that tiles' values and gradients add up to the picture's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from facegan.classifiers.classifier import Classifier
from facegan.errors import InputError
from facegan.pixels.tiles import Canvas, Tile, strides

MAX_GUIDE_POSITIONS = 1024  # positions of the guide that are compared with, evenly spaced
_PIECE = 4096  # positions compared with the guide at a time


@dataclass(frozen=True)
class ObjectiveTerm:
    """One term. ``what`` is square (a layer), channel, class or guide; ``index`` the channel or class."""

    what: str
    layer: str = ""
    index: int = -1
    weight: float = 1.0
    name: str = ""


def parse_layer(text: str, classifier: Classifier) -> ObjectiveTerm:
    """Parse ``NAME`` or ``NAME:CHANNEL``, each with ``=WEIGHT``; InputError explains a mistake."""
    body, weight = _weighted(text, "--layers")
    layer, colon, channel = body.partition(":")
    found = classifier.find_layer(layer)
    if not colon:
        return ObjectiveTerm("square", layer, -1, weight, body)
    channels = dict(classifier.layer_names())[found][0]
    if not channel.isdecimal() or int(channel) >= channels:
        raise InputError(f"--layers {text}: {layer} has the channels 0 to {channels - 1}")
    return ObjectiveTerm("channel", layer, int(channel), weight, body)


def parse_class(text: str, classifier: Classifier) -> ObjectiveTerm:
    """Parse the ``NAME`` or number of a class, with ``=WEIGHT``."""
    body, weight = _weighted(text, "--classes")
    index = classifier.find_class(body)
    return ObjectiveTerm("class", "", index, weight, classifier.short_label(index))


def _weighted(text: str, option: str) -> tuple[str, float]:
    body, equals, number = text.rpartition("=")
    if not equals:
        return text, 1.0
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight) or not body:
        raise InputError(f"{option} {text}: write NAME=WEIGHT with a number, such as {body or 'NAME'}=0.5")
    return body, weight


def expand_channels(texts: Sequence[str]) -> list[str]:
    """Split ``NAME:3,7,10-12`` into one item for each channel."""
    found = []
    for text in texts:
        body, equals, weight = text.partition("=")
        layer, colon, channels = body.partition(":")
        if not colon or channels.isdecimal():
            found.append(text)
            continue
        for part in channels.split(","):
            low, dash, high = part.partition("-")
            if not low.isdecimal() or (dash and not high.isdecimal()):
                raise InputError(f"--layers {text}: channels are numbers, such as {layer}:3,7,10-12")
            many = range(int(low), int(high if dash else low) + 1)
            if not many or len(many) > 10_000:
                raise InputError(f"--layers {text}: {part} is no range of channels")
            found += [f"{layer}:{i}{equals}{weight}" for i in many]
    return found


def parse_terms(classifier: Classifier, layers: Sequence[str], classes: Sequence[str]) -> list[ObjectiveTerm]:
    """Return the terms of ``--layers`` and ``--classes``; InputError explains a mistake."""
    terms = [parse_layer(text, classifier) for text in expand_channels(layers)]
    terms += [parse_class(text, classifier) for text in classes]
    shapes = dict(classifier.layer_names())
    for term in terms:
        if term.layer and len(shapes[classifier.find_layer(term.layer)]) != 3:
            raise InputError(f"{term.layer}: its output is no picture; choose an earlier layer, or --classes")
    return terms


class Objective:
    """The weighted sum of terms on one picture, or (``apart``) term i on picture i of a batch."""

    def __init__(self, classifier: Classifier, terms: Sequence[ObjectiveTerm], apart: bool = False) -> None:
        if not terms:
            raise InputError("what should be dreamt of? Give --layers or --classes")
        self.classifier, self.terms, self.apart = classifier, list(terms), apart
        self.layers = list(dict.fromkeys(g.layer for g in terms if g.layer))
        self.strides = strides(classifier, self.layers)
        self.stride = max([*self.strides.values(), 32 if any(g.what == "class" for g in terms) else 1])
        self.guides: dict[str, Tensor] = {}

    def follow(self, guide: Tensor) -> None:
        """Pull each position of a layer towards that of ``guide`` with the largest inner product.

        Mordvintsev, Olah, Tyka 2015, *Inceptionism*; the authors' notebook.
        """
        if not any(term.what == "square" for term in self.terms):
            raise InputError("--guide goes with whole layers (--layers NAME), not with channels or classes")
        with torch.no_grad():
            acts = self.classifier.activations(guide, self.layers, resize=False)
        for name, act in acts.items():
            vectors = act[0].flatten(1)
            pick = torch.linspace(0, vectors.shape[1] - 1, min(MAX_GUIDE_POSITIONS, vectors.shape[1]))
            self.guides[name] = vectors[:, pick.round().long().to(vectors.device)]
        for i, term in enumerate(self.terms):
            if term.what == "square":
                self.terms[i] = replace(term, what="guide")

    def tile_value(self, crop: Tensor, tile: Tile, canvas: Canvas, *, sizes: dict[str, int]) -> Tensor:
        """Return the tile's share of the value.

        ``sizes`` has each layer's positions on the picture; the first tile, which is the last of its rows and
        columns, adds them.
        """
        value, acts = crop.new_zeros(()), {}
        if self.layers:
            acts = self.classifier.activations(crop, self.layers, resize=False)
        for name, act in acts.items():
            acts[name] = tile.owned(act, self.strides[name])
            if name not in sizes:
                rows, columns = tile.place(self.strides[name], acts[name])
                sizes[name] = rows.stop * columns.stop
        logits = None
        for i, term in enumerate(self.terms):
            one = slice(i, i + 1) if self.apart else slice(None)
            if term.what == "class":
                if logits is None:
                    logits = self.classifier.module(self.classifier.normalise(crop))
                area = math.prod(span.own_end - span.own_begin for span in (tile.rows, tile.columns))
                share = area / (canvas.height * canvas.width)
                value = value + term.weight * share * logits[one, term.index].sum()
                continue
            act, size = acts[term.layer][one], sizes[term.layer]
            if not act.numel():
                continue
            if term.what == "square":
                value = value + term.weight * act.square().sum() / (size * act.shape[1])
            elif term.what == "channel":
                value = value + term.weight * act[:, term.index].sum() / size
            else:
                value = value + term.weight * self._resemblance(act, term.layer) / (size * act.shape[1])
        return value

    def _resemblance(self, act: Tensor, layer: str) -> Tensor:
        """Return the sum over positions of the largest inner product with a position of the guide."""
        vectors = act.movedim(1, -1).flatten(0, -2)
        best = [(part @ self.guides[layer]).amax(1).sum() for part in torch.split(vectors, _PIECE)]
        return torch.stack(best).sum()

    def evaluate(
        self, x: Tensor, tile: int = 0, margin: int = 0, *, pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    ) -> tuple[float, Tensor]:
        """Return value and gradient of a picture in [0, 1], in tiles of ``tile`` px (0 is the whole)."""
        canvas = Canvas(x.detach(), tile, margin, stride=self.stride, pad=pad)
        gradient, total, sizes = torch.zeros_like(x), 0.0, dict[str, int]()
        for piece, crop in canvas.crops():
            leaf = crop.requires_grad_(True)
            value = self.tile_value(leaf, piece, canvas, sizes=sizes)
            if not value.requires_grad:
                continue
            (part,) = torch.autograd.grad(value, leaf)
            canvas.add(gradient, piece, part)
            total += float(value.detach())
        return total, gradient
