"""The augmentation pipeline of Karras et al. 2020b, "Training generative adversarial networks with limited
data", appendix B, in its order: pixel blitting, geometry, colour, filters, corruptions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from facegan.augment.sampling import mirrored, normal, rotation, scaling, translation, warp

if TYPE_CHECKING:
    from facegan.augment.table import Draw

# Low-pass filter of the sym2 wavelet (Daubechies 1992).
SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)
"""Expected power of natural images in the four bands (appendix B.4)."""


@dataclass(frozen=True)
class Pipeline:
    """Strengths of the transforms; 0 or False leaves one out. Each one hits an image with probability p."""

    flip: bool = True
    """Mirror (with p/2, so that p = 1 mirrors half)."""
    rotate90: bool = True
    """Turn by a multiple of 90 degrees."""
    translate_int: float = 0.125
    """Move by whole pixels, at most this share of each side."""
    scale_std: float = 0.2
    """Scale by 2^N(0, scale_std)."""
    rotate: float = 1.0
    """Turn before and after stretching by up to this share of 180 degrees."""
    stretch_std: float = 0.2
    """Scale one axis by 2^N(0, stretch_std), the other by its inverse."""
    translate_std: float = 0.125
    """Move by N(0, translate_std) of each side."""
    brightness_std: float = 0.2
    """Add N(0, brightness_std)."""
    contrast_std: float = 0.5
    """Multiply by 2^N(0, contrast_std)."""
    luma_flip: bool = True
    """Reflect brightness, keeping hue (with p/2)."""
    hue: float = 1.0
    """Turn hues by up to this share of 180 degrees."""
    saturation_std: float = 1.0
    """Multiply saturation by 2^N(0, saturation_std)."""
    filter_std: float = 0.0
    """Amplify each of four frequency bands by 2^N(0, filter_std)."""
    noise_std: float = 0.0
    """Add noise of |N(0, noise_std)|."""
    cutout: float = 0.0
    """Blank a square of this share of each side."""

    def __call__(self, images: torch.Tensor, p: float, draw: Draw) -> torch.Tensor:
        if p <= 0.0:
            return images
        # Two thirds of an image's draws are seldom used, but each belongs to it alone.
        chosen = _Chosen(p, draw)
        images = self._blits(images, chosen)
        images = self._geometry(images, chosen)
        images = self._colour(images, chosen)
        images = self._filters(images, chosen)
        return self._corruptions(images, chosen)

    # --- appendix B.2: pixel blitting and general geometry ----------------------------------------

    def _blits(self, images: torch.Tensor, chosen: _Chosen) -> torch.Tensor:
        """What only moves pixels, and so needs no filters."""
        _, _, h, w = images.shape
        if self.flip:
            mirror = (chosen.value("flip", 0) >= 0.5) & chosen.hit("flip")
            images = _where(mirror, images.flip(3), images)
        if self.rotate90:
            turns = (chosen.value("rotate90", 0) * 4).floor() * chosen.hit("rotate90")
            if h == w:  # others can be turned by 180 degrees only
                images = _where(turns % 2 == 1, images.flip(2).transpose(2, 3), images)
            images = _where(turns >= 2, images.flip((2, 3)), images)
        if self.translate_int:
            for axis, k, size in ((3, 0, w), (2, 1, h)):
                t = ((chosen.value("translate-int", k) * 2 - 1) * self.translate_int * size).round()
                images = _rolled(images, axis, chosen.keep("translate-int", t, 0.0))
        return images

    def _geometry(self, images: torch.Tensor, chosen: _Chosen) -> torch.Tensor:
        _, _, h, w = images.shape
        steps: list[torch.Tensor] = []
        if self.scale_std:
            s = chosen.keep("scale", torch.exp2(chosen.normal("scale", 0) * self.scale_std), 1.0)
            steps.append(scaling(s, s))
        if self.rotate:
            steps.append(self._turned(chosen, "rotate-before"))
        if self.stretch_std:
            s = chosen.keep("stretch", torch.exp2(chosen.normal("stretch", 0) * self.stretch_std), 1.0)
            steps.append(scaling(s, 1 / s))
        if self.rotate:
            steps.append(self._turned(chosen, "rotate-after"))
        if self.translate_std:
            tx, ty = (
                chosen.normal("translate", k) * self.translate_std * size for k, size in enumerate((w, h))
            )
            steps.append(translation(chosen.keep("translate", tx, 0.0), chosen.keep("translate", ty, 0.0)))
        return warp(images, _inverse(steps)) if steps else images

    def _turned(self, chosen: _Chosen, name: str) -> torch.Tensor:
        """One of two rotations, so seldom that at least one of them comes with probability p."""
        angle = (chosen.value(name, 0) * 2 - 1) * math.pi * self.rotate
        return rotation(chosen.keep(name, angle, 0.0, 1 - math.sqrt(1 - chosen.p)))

    # --- appendix B.3: colour ---------------------------------------------------------------------

    def _colour(self, images: torch.Tensor, chosen: _Chosen) -> torch.Tensor:
        some = (self.brightness_std, self.contrast_std, self.luma_flip, self.hue, self.saturation_std)
        if not any(some):
            return images
        like = chosen.value("brightness", 0)
        eye = torch.eye(3, dtype=like.dtype, device=like.device)
        axis = torch.full((3,), 3**-0.5, dtype=like.dtype, device=like.device)
        along = torch.outer(axis, axis)
        shift = like.new_zeros(len(like), 3, 1)
        if self.brightness_std:
            b = chosen.keep("brightness", chosen.normal("brightness", 0) * self.brightness_std, 0.0)
            shift = shift + b[:, None, None]
        matrix = eye.expand(len(like), 3, 3)
        factors = []
        if self.contrast_std:
            c = chosen.keep("contrast", torch.exp2(chosen.normal("contrast", 0) * self.contrast_std), 1.0)
            factors.append(eye * c[:, None, None])
        if self.luma_flip:
            flipped = chosen.keep("luma-flip", (chosen.value("luma-flip", 0) >= 0.5).to(like.dtype), 0.0)
            factors.append(eye - 2 * along * flipped[:, None, None])
        if self.hue:
            angle = (chosen.value("hue", 0) * 2 - 1) * math.pi * self.hue
            factors.append(_about(axis, chosen.keep("hue", angle, 0.0)))
        if self.saturation_std:
            s = torch.exp2(chosen.normal("saturation", 0) * self.saturation_std)
            s = chosen.keep("saturation", s, 1.0)
            factors.append(along + (eye - along) * s[:, None, None])
        for factor in factors:
            matrix, shift = factor @ matrix, factor @ shift
        matrix, shift = matrix.to(images.dtype), shift.to(images.dtype)
        if images.shape[1] == 1:  # grey is a colour with equal channels, and stays one
            scale = matrix.sum(2).mean(1).view(-1, 1, 1, 1)
            return images * scale + shift.mean(1).view(-1, 1, 1, 1)
        flat = torch.baddbmm(shift, matrix, images.flatten(2))
        return flat.reshape(images.shape)

    # --- appendix B.4: image-space filtering --------------------------------------------------------

    def _filters(self, images: torch.Tensor, chosen: _Chosen) -> torch.Tensor:
        if not self.filter_std:
            return images
        n, c, h, w = images.shape
        power = torch.tensor(POWER, dtype=images.dtype, device=images.device)
        gains = torch.ones(n, 4, dtype=images.dtype, device=images.device)
        for band in range(4):
            t = torch.ones_like(gains)
            name = f"filter-{band}"
            t[:, band] = chosen.keep(name, torch.exp2(chosen.normal(name, 0) * self.filter_std), 1.0)
            gains = gains * t / (power * t.square()).sum(1, keepdim=True).sqrt()
        bank = torch.tensor(filter_bank(), dtype=images.dtype, device=images.device)
        taps = (gains @ bank).repeat_interleave(c, 0)
        reach = taps.shape[1] // 2
        x = (
            mirrored(images, min(reach, h, w))
            if min(h, w) >= reach
            else F.pad(images, [reach] * 4, "replicate")
        )
        x = x.reshape(1, n * c, *x.shape[2:])
        x = F.conv2d(x, taps[:, None, None, :], groups=n * c)
        x = F.conv2d(x, taps[:, None, :, None], groups=n * c)
        return x.reshape(n, c, h, w)

    # --- appendix B.5: corruptions ------------------------------------------------------------------

    def _corruptions(self, images: torch.Tensor, chosen: _Chosen) -> torch.Tensor:
        _, c, h, w = images.shape
        if self.noise_std:
            sigma = chosen.keep("noise", chosen.normal("noise", 0).abs() * self.noise_std, 0.0)
            pixels = normal(chosen.draw("noise-pixels", c * h * w)).reshape(images.shape)
            images = images + pixels.to(images.dtype) * sigma.to(images.dtype).view(-1, 1, 1, 1)
        if self.cutout:
            hit = chosen.hit("cutout").view(-1, 1, 1)
            xs, ys = (
                ((torch.arange(size, device=images.device) + 0.5) / size - chosen.value("cutout", k)[:, None])
                .abs() < self.cutout / 2
                for k, size in enumerate((w, h))
            )  # fmt: skip
            hole = (ys[:, :, None] & xs[:, None, :] & hit)[:, None]
            images = images.masked_fill(hole, 0.0)
        return images


class _Chosen:
    """The images' own random numbers: of each transform, whether it hits, and its parameters."""

    def __init__(self, p: float, draw: Draw) -> None:
        self.p, self.draw = min(float(p), 1.0), draw
        self._drawn: dict[str, torch.Tensor] = {}

    def _numbers(self, name: str) -> torch.Tensor:
        if name not in self._drawn:
            self._drawn[name] = self.draw(name, 3)
        return self._drawn[name]

    def hit(self, name: str, p: float | None = None) -> torch.Tensor:
        return self._numbers(name)[:, 0] < (self.p if p is None else p)

    def value(self, name: str, k: int) -> torch.Tensor:
        return self._numbers(name)[:, 1 + k]

    def normal(self, name: str, k: int) -> torch.Tensor:
        return normal(self.value(name, k))

    def keep(self, name: str, value: torch.Tensor, otherwise: float, p: float | None = None) -> torch.Tensor:
        """``value`` where the transform hits, else what changes nothing."""
        return torch.where(self.hit(name, p), value, torch.full_like(value, otherwise))


def _where(hit: torch.Tensor, yes: torch.Tensor, no: torch.Tensor) -> torch.Tensor:
    return torch.where(hit.view(-1, 1, 1, 1), yes, no)


def _rolled(images: torch.Tensor, axis: int, by: torch.Tensor) -> torch.Tensor:
    """Moved by whole pixels along ``axis``; edges are mirrored in."""
    size = images.shape[axis]
    source = (torch.arange(size, device=images.device)[None] - by.long()[:, None]) % (2 * size)
    source = torch.minimum(source, 2 * size - 1 - source)
    shape = [len(images), 1, 1, 1]
    shape[axis] = size
    return images.gather(axis, source.view(shape).expand_as(images))


def _inverse(steps: list[torch.Tensor]) -> torch.Tensor:
    """``N,2,3``: the inverse of all steps, the first one applied first."""
    total = torch.linalg.inv(steps[0].double())
    for step in steps[1:]:
        total = total @ torch.linalg.inv(step.double())
    return total[:, :2]


def _about(axis: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """``N,3,3``: rotations about a unit vector (Rodrigues)."""
    x, y, z = axis.tolist()
    cross = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=axis.dtype, device=axis.device)
    eye = torch.eye(3, dtype=axis.dtype, device=axis.device)
    s, c = angle.sin()[:, None, None], angle.cos()[:, None, None]
    return eye * c + cross * s + torch.outer(axis, axis) * (1 - c)


def filter_bank() -> list[list[float]]:
    """Zero-phase filters of the four bands, [0, 1/8], [1/8, 1/4], [1/4, 1/2] and [1/2, 1] of the highest
    frequency, from sym2's autocorrelations; they sum to the identity."""
    import numpy as np

    low = np.asarray(SYM2)
    high = low * (-1.0) ** np.arange(len(low))
    low2, high2 = np.convolve(low, low[::-1]) / 2, np.convolve(high, high[::-1]) / 2
    bank = np.ones((1, 1))
    for _ in range(3):
        wide = np.zeros((len(bank), 2 * bank.shape[1] - 1))
        wide[:, ::2] = bank
        wide = np.stack([np.convolve(row, low2) for row in wide])
        top = np.zeros(wide.shape[1])
        middle = (wide.shape[1] - len(high2)) // 2
        top[middle : middle + len(high2)] = high2
        bank = np.vstack([wide, top])
    return bank.tolist()
