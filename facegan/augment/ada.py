"""Adaptive discriminator augmentation's pipeline (Karras et al. 2020a, appendix B).

Every transform happens to each image with probability p.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce

import torch

from facegan.augment import colour, geometry, wavelets
from facegan.augment.draws import Draw, Sampler, Strength, choose, gaussian
from facegan.augment.resample import blit, resample_where
from facegan.devices import full_precision, send

Tensor = torch.Tensor


_BAND_POWER = [10 / 13, 1 / 13, 1 / 13, 1 / 13]  # expected in the bands of natural pictures


@dataclass(frozen=True)
class Ada:
    """The pipeline; 0 or False leaves a transform out. The defaults are the paper's "bgc"."""

    x_flip: bool = True
    """Pixel blitting: mirror with probability one half."""
    rotate90: bool = True
    """0 to 3 quarter turns; 0 or 2 where height and width differ."""
    int_translation: float = 0.125
    """Whole pixels, up to this share of width and height."""
    scale: float = 0.2
    """Geometric: standard deviation of log2 of the size."""
    rotation: float = 1.0
    """Largest angle before and after the anisotropic scaling, in units of pi."""
    anisotropy: float = 0.2
    """Standard deviation of log2 of the stretch in x, undone in y."""
    frac_translation: float = 0.125
    """Standard deviation as a share of width and height."""
    brightness: float = 0.2
    """Colour: standard deviation of what is added."""
    contrast: float = 0.5
    """Standard deviation of log2 of the factor."""
    luma_flip: bool = True
    """Light for dark, with the colours kept, with probability one half."""
    hue: float = 1.0
    """Largest angle about the grey axis, in units of pi."""
    saturation: float = 1.0
    """Standard deviation of log2 of the factor."""
    colour_share: float = 1.0
    """The probability of the colour transforms as a share of p."""
    image_filter: float = 0.0
    """Image-space filtering: standard deviation of log2 of the gain of each of four frequency bands."""
    noise: float = 0.0
    """Corruption: scale of the half-normal standard deviation of the noise."""
    cutout: float = 0.0
    """Side of the rectangle set to 0, as a share of width and height."""

    def __call__(self, images: Tensor, p: Strength, draw: Draw) -> Tensor:
        """Augment ``images`` (``N,C,H,W`` in [-1, 1]) with strength ``p``; see the package's table."""
        if not isinstance(p, Tensor) and p == 0:
            return images
        with full_precision(images.device):
            # Half precision is too coarse for positions: it comes back at the end.
            x = images if images.dtype == torch.float64 else images.float()
            s = Sampler(draw, p, "ada/", dtype=x.dtype)
            x = self.corrupted(self.filtered(self.coloured(self.moved(x, s), s), s), s)
            return x.to(images.dtype)

    def moved(self, x: Tensor, s: Sampler) -> Tensor:
        """Apply pixel blitting and geometric transforms as one resampling; copy images of the first alone."""
        x = x.contiguous()
        blitting = self._blitting(x, s)
        copied = x if blitting is None else blit(x, send(blitting, x.device))
        back, hit = self._geometric(x, s, blitting)
        if back is None or hit is None:
            return copied
        return resample_where(hit, x, back, otherwise=copied)

    def _blitting(self, x: Tensor, s: Sampler) -> Tensor | None:
        """Return the inverse (``N,3,3``) of flip, quarter turns and whole pixels; None without any."""
        h, w = x.shape[2:]
        steps: list[Tensor] = []
        if self.x_flip:
            _, flip = s.whole("x-flip", 2)
            steps.append(geometry.scale_back(1.0 - 2.0 * flip, torch.ones_like(flip)))
        if self.rotate90:
            # Turned by 90 degrees, a picture that is not square would not lie on its own pixels.
            turns = s.whole("rotate90", 4)[1] if h == w else 2.0 * s.whole("rotate90", 2)[1]
            steps.append(geometry.quarter_turns_back(turns))
        if self.int_translation:
            _, shift = s.signed("int-translation", 2)
            shift = shift * self.int_translation
            steps.append(geometry.translate_back((shift[:, 0] * w).round(), (shift[:, 1] * h).round()))
        return reduce(geometry.compose, steps) if steps else None

    def _geometric(
        self, x: Tensor, s: Sampler, blitting: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the inverse of all, and which images are scaled, turned or moved by parts of pixels."""
        h, w = x.shape[2:]
        steps: list[Tensor] = []
        hits: list[Tensor] = []
        if self.scale:
            hit, z = s.normal("scale")
            size = torch.exp2(z[:, 0] * self.scale)
            steps, hits = [*steps, geometry.scale_back(size, size)], [*hits, hit]
        if self.rotation:
            hit, u = s.signed("rotation-before", 1, geometry.rotation_share(s.p))
            steps, hits = [*steps, geometry.rotate_back(u[:, 0] * math.pi * self.rotation)], [*hits, hit]
        if self.anisotropy:
            hit, z = s.normal("anisotropy")
            size = torch.exp2(z[:, 0] * self.anisotropy)
            steps, hits = [*steps, geometry.scale_back(size, 1.0 / size)], [*hits, hit]
        if self.rotation:
            hit, u = s.signed("rotation-after", 1, geometry.rotation_share(s.p))
            steps, hits = [*steps, geometry.rotate_back(u[:, 0] * math.pi * self.rotation)], [*hits, hit]
        if self.frac_translation:
            hit, z = s.normal("frac-translation", 2)
            z = z * self.frac_translation
            steps, hits = [*steps, geometry.translate_back(z[:, 0] * w, z[:, 1] * h)], [*hits, hit]
        if not steps:
            return None, None
        first = [] if blitting is None else [blitting]
        return reduce(geometry.compose, [*first, *steps]), torch.stack(hits).any(0)

    def coloured(self, x: Tensor, s: Sampler) -> Tensor:
        """Apply all colour transforms as one matrix."""
        s = Sampler(s.draw, s.p * self.colour_share, s.prefix, dtype=s.dtype)
        steps: list[Tensor] = []
        hits: list[Tensor] = []

        def add(hit: Tensor, matrix: Tensor) -> None:
            hits.append(hit)
            steps.insert(0, matrix)  # the latest stands on the left

        if self.brightness:
            hit, z = s.normal("brightness")
            add(hit, colour.brightness(z[:, 0] * self.brightness))
        if self.contrast:
            hit, z = s.normal("contrast")
            add(hit, colour.contrast(torch.exp2(z[:, 0] * self.contrast)))
        if self.luma_flip:
            hit, on = s.whole("luma-flip", 2)
            add(hit, colour.luma_flip(on))
        if self.hue:
            hit, u = s.signed("hue")
            add(hit, colour.hue(u[:, 0] * math.pi * self.hue))
        if self.saturation:
            hit, z = s.normal("saturation")
            add(hit, colour.saturation(torch.exp2(z[:, 0] * self.saturation)))
        if not steps:
            return x
        hit = send(torch.stack(hits).any(0), x.device)
        return choose(hit, colour.recolour(x, send(reduce(geometry.compose, steps), x.device)), x)

    def filtered(self, x: Tensor, s: Sampler) -> Tensor:
        """Filter: apply a gain to each of four frequency bands, at the same expected power."""
        if not self.image_filter:
            return x
        n, _, h, w = x.shape
        u = s.field("image-filter", 8)
        hit = u[:, :4] < s.p
        gain = torch.exp2(torch.where(hit, gaussian(u[:, 4:]), 0.0) * self.image_filter)
        # Row i: the gains when band i alone is changed, scaled back to the power of a 1/f spectrum.
        alone = torch.diag_embed(gain - 1.0) + 1.0
        power = gain.new_tensor(_BAND_POWER)
        alone = alone / (alone.square() * power).sum(2, keepdim=True).sqrt()
        gains, hits = send(alone.prod(1), x.device), send(hit.any(1), x.device)
        vertical = (gains @ wavelets.bands(h, x).flatten(1)).view(n, 1, h, h)
        horizontal = (gains @ wavelets.bands(w, x).flatten(1)).view(n, 1, w, w)
        return choose(hits, vertical @ x @ horizontal.mT, x)

    def corrupted(self, x: Tensor, s: Sampler) -> Tensor:
        """Add noise, then cut out a rectangle."""
        n, c, h, w = x.shape
        if self.noise:
            hit, z = s.normal("noise")
            u = send(s.field("noise-pixels", c * h * w + c * h * w % 2), x.device)
            field, deviation = gaussian(u)[:, : c * h * w].view(x.shape), send(z.abs() * self.noise, x.device)
            x = choose(send(hit, x.device), x + field * deviation[:, :, None, None], x)
        if self.cutout:
            hit, centre = s.uniform("cutout", 2)
            inside = send(hit, x.device)[:, None, None]
            for size, at, shape in ((w, centre[:, 0], (1, 1, w)), (h, centre[:, 1], (1, h, 1))):
                place = (torch.arange(size, device=at.device, dtype=at.dtype) + 0.5) / size
                near = (place - at[:, None]).abs() < self.cutout / 2
                inside = inside & send(near, x.device).view(n, *shape[1:])
            x = torch.where(inside[:, None], 0.0, x)
        return x
