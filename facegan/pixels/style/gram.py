"""Content and style of a picture: activations of a network, and Gram matrices of activations.

Gatys, Ecker, Bethge 2016, *Image style transfer using convolutional neural networks*, equations 1 to 7;
guided Gram matrices, where a style goes to a part of the picture: Gatys et al. 2017, *Controlling perceptual
factors in neural style transfer*, equation 4.

A Gram matrix is a sum over positions, so that it can be collected tile by tile; its loss is not. So there are
two passes: the first collects the matrices, the second pulls the loss's gradient with respect to them back
through each tile. Together they give the whole picture's gradient in the memory of one tile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from facegan.classifiers.classifier import Classifier
from facegan.errors import InputError
from facegan.pixels.colours import total_variation
from facegan.pixels.tiles import Canvas, Tile, mirror_indices, strides


def gram(activation: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return ``C,C``: the sum over positions of f f^T (equation 3), each times ``weight`` ``h,w``."""
    f = activation[0].flatten(1)
    return (f if weight is None else f * weight.flatten()) @ f.T


@dataclass
class Style:
    """One style: its share, its Gram matrix for each layer, and where it goes (``h,w`` for each layer)."""

    share: float
    targets: dict[str, Tensor]
    where: dict[str, Tensor] = field(default_factory=dict)


class StyleObjective:
    """Loss and gradient of a picture of one size.

    Args:
        classifier: The network.
        layers: Name -> weight of the layers of the style.
        content_layers: Name -> weight of the layers of the content.
        content: The photo, ``1,3,H,W``, at that size.
        content_weight: Weight of the content beside the style.
        tv_weight: Weight of total variation.
        formula: ``relative``: losses are shares of the target's own squares. ``tutorial``: of Gram matrices
            that are sums, sum / (4 x 3^2 x (H W)^2) with H, W of the picture; mean squares of activations.
        tile: Side of the pieces; 0 is the whole.
        margin: How far pieces look beyond their own part.
        border: px by which pictures are mirrored outwards first, so that a network's padding leaves no frame.
    """

    def __init__(
        self,
        classifier: Classifier,
        layers: Mapping[str, float],
        content_layers: Mapping[str, float],
        *,
        content: Tensor,
        content_weight: float = 0.1,
        tv_weight: float = 0.0,
        formula: str = "relative",
        tile: int = 0,
        margin: int = 0,
        border: int = 0,
    ) -> None:
        self.classifier, self.layers, self.content_layers = classifier, dict(layers), dict(content_layers)
        self.names = list(dict.fromkeys([*self.layers, *self.content_layers]))
        self.strides = strides(classifier, self.names)
        self.stride, self.tile, self.margin = max(self.strides.values()), tile, margin
        self.content_weight, self.tv_weight, self.relative = content_weight, tv_weight, formula == "relative"
        self.border, self.area = border, content.shape[-2] * content.shape[-1]
        self.sizes: dict[str, tuple[int, int]] = {}
        self.content = self._content(content)
        self.styles: list[Style] = []

    def add_style(
        self, picture: Tensor, share: float = 1.0, mask: Tensor | None = None, *, tile: int | None = None
    ) -> None:
        """Add a style picture ``1,3,h,w``; ``mask`` ``1,1,H,W`` in [0, 1] is its place on the content.

        ``tile`` is the side of its own pieces, if they are not as large as the content's.
        """
        with torch.no_grad():
            (found,), positions = self._grams(self._canvas(picture, tile), [Style(1.0, {})])
        targets = {n: found[n] / (positions[n] if self.relative else 1) for n in self.layers}
        where = {} if mask is None else {name: self._place(mask, name) for name in self.layers}
        self.styles.append(Style(share, targets, where))

    def _place(self, mask: Tensor, name: str) -> Tensor:
        """Return the mask at the size of a layer; InputError if nothing of it is white there."""
        rows, columns = (
            mirror_indices(n, self.border, self.border, device=mask.device) for n in mask.shape[-2:]
        )
        wide = mask[..., rows, :][..., columns]
        small = F.interpolate(wide, self.sizes[name], mode="bilinear", antialias=True)[0, 0]
        if not float(small.sum()) > 0.5:
            if float(mask.max()) > 0.5:
                raise InputError(f"--masks: too small a part of a mask is white for {name} at this size")
            raise InputError("--masks: a mask is black all over; white is where its style goes")
        return small

    def _canvas(self, picture: Tensor, tile: int | None = None) -> Canvas:
        tile, pad = self.tile if tile is None else tile, (self.border,) * 4
        return Canvas(picture, tile, self.margin, stride=self.stride, pad=pad)

    def _owned(self, crop: Tensor, tile: Tile, names: Sequence[str]) -> dict[str, Tensor]:
        acts = self.classifier.activations(crop, names, resize=False)
        return {name: tile.owned(act, self.strides[name]) for name, act in acts.items()}

    @torch.no_grad()
    def _content(self, photo: Tensor) -> dict[str, Tensor]:
        """Return activations of the content layers on the whole photo; note how large each layer is."""
        found: dict[str, Tensor] = {}
        for tile, crop in self._canvas(photo).crops():
            for name, act in self._owned(crop, tile, self.names).items():
                rows, columns = tile.place(self.strides[name], act)
                if name not in self.sizes:  # the first tile is the last of its rows and columns
                    self.sizes[name] = rows.stop, columns.stop
                    if name in self.content_layers:
                        found[name] = act.new_zeros(1, act.shape[1], rows.stop, columns.stop)
                if name in found:
                    found[name][..., rows, columns] = act
        return found

    def _grams(
        self, canvas: Canvas, styles: Sequence[Style]
    ) -> tuple[list[dict[str, Tensor]], dict[str, int]]:
        """Return summed Gram matrices for each style's part of the picture, and each layer's positions."""
        sums: list[dict[str, Tensor]] = [{} for _ in styles]
        positions = dict.fromkeys(self.layers, 0)
        for tile, crop in canvas.crops():
            owned = self._owned(crop, tile, list(self.layers))
            for name, act in owned.items():
                positions[name] += act.shape[-2] * act.shape[-1]
            for total, part in zip(sums, self._parts(owned, tile, styles), strict=True):
                for name in self.layers:
                    total[name] = total[name] + part[name] if name in total else part[name]
        return sums, positions

    def _parts(
        self, owned: Mapping[str, Tensor], tile: Tile, styles: Sequence[Style]
    ) -> Iterator[dict[str, Tensor]]:
        """Yield Gram matrices of a tile for each style; those without a mask share one."""
        plain = {n: gram(owned[n]) for n in self.layers} if any(not s.where for s in styles) else {}
        for style in styles:
            yield (
                plain
                if not style.where
                else {
                    n: gram(owned[n], style.where[n][tile.place(self.strides[n], owned[n])])
                    for n in self.layers
                }
            )

    def style_loss(self, sums: Sequence[Mapping[str, Tensor]]) -> Tensor:
        """Return equations 4 and 5 of the summed Gram matrices of the whole picture."""
        total = []
        for style, found in zip(self.styles, sums, strict=True):
            for name, weight in self.layers.items():
                target, matrix = style.targets[name], found[name]
                if self.relative:
                    h, w = self.sizes[name]
                    matrix = matrix / (float(style.where[name].sum()) if style.where else h * w)
                    factor = 1 / float(target.square().sum().clamp_min(1e-12))
                else:
                    factor = 1 / (4 * 3**2 * self.area**2)
                total.append(style.share * weight * factor * (matrix - target).square().sum())
        return torch.stack(total).sum()

    def content_loss(self, owned: Mapping[str, Tensor], tile: Tile) -> Tensor:
        """Return a tile's share of equation 1."""
        total = []
        for name, weight in self.content_layers.items():
            target = self.content[name]
            part = target[(..., *tile.place(self.strides[name], owned[name]))]
            factor = 1 / target.numel()
            if self.relative:
                around = target - target.mean((2, 3), keepdim=True)
                factor = 1 / float(around.square().sum().clamp_min(1e-12))
            total.append(weight * factor * (owned[name] - part).square().sum())
        return self.content_weight * torch.stack(total).sum()

    def evaluate(self, x: Tensor) -> tuple[float, Tensor, dict[str, float]]:
        """Return loss, gradient, and the loss's parts (style, content, tv) of a picture in [0, 1]."""
        x = x.detach()
        canvas = self._canvas(x)
        pull: list[dict[str, Tensor]] | None = None
        style, content, smooth, gradient = 0.0, 0.0, 0.0, torch.zeros_like(x)
        if len(canvas.tiles) > 1:
            with torch.no_grad():
                sums, _ = self._grams(canvas, self.styles)
            pull, style = self._pull(sums)
        for tile, crop in canvas.crops():
            leaf = crop.requires_grad_(True)
            owned = self._owned(leaf, tile, self.names)
            parts = list(self._parts(owned, tile, self.styles))
            content_part = self.content_loss(owned, tile) if self.content_weight else leaf.new_zeros(())
            if pull is None:
                style_part = self.style_loss(parts)
                style = float(style_part.detach())
            else:
                pairs = ((d[n], part[n]) for d, part in zip(pull, parts, strict=True) for n in self.layers)
                style_part = torch.stack([(slope * matrix).sum() for slope, matrix in pairs]).sum()
            (piece,) = torch.autograd.grad(style_part + content_part, leaf)
            canvas.add(gradient, tile, piece)
            content += float(content_part.detach())
        if self.tv_weight:
            leaf = x.detach().requires_grad_(True)
            value = self.tv_weight * total_variation(leaf)
            gradient += torch.autograd.grad(value, leaf)[0]
            smooth = float(value.detach())
        values = {"style": style, "content": content, "tv": smooth}
        return style + content + smooth, gradient, values

    def _pull(self, sums: Sequence[Mapping[str, Tensor]]) -> tuple[list[dict[str, Tensor]], float]:
        """Return the style loss's gradient with respect to each Gram matrix, and the loss."""
        # Styles without a mask share one matrix in _parts, but each has its own leaf here.
        leaves = [{n: m.detach().requires_grad_(True) for n, m in found.items()} for found in sums]
        loss = self.style_loss(leaves)
        pieces = iter(torch.autograd.grad(loss, [m for found in leaves for m in found.values()]))
        return [{n: next(pieces) for n in found} for found in leaves], float(loss.detach())
