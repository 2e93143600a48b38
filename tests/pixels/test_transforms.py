"""The differentiable JPEG and resizing, beside those of Pillow."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facegan import images
from facegan.pixels.attacks import transforms


@pytest.fixture(scope="module")
def photo(shared: Path) -> np.ndarray:
    whole = images.read_image_file(shared / "data" / "photos" / "officer.jpg")
    return whole[40:141, 150:313].copy()  # sides that are no multiples of 8 or 16


@pytest.mark.parametrize("quality", [30, 50, 80, 95])
def test_jpeg_is_that_of_the_library(quality: int, photo: np.ndarray) -> None:
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    file = Image.open(io.BytesIO(buffer.getvalue()))
    for ours, theirs in zip(transforms.tables(quality), file.quantization.values(), strict=True):
        assert ours.flatten().tolist() == list(theirs)
    real = np.asarray(file).astype(float)
    soft = images.unit_to_uint8(transforms.jpeg(images.to_unit(photo[None]), quality))[0].astype(float)
    off, lost = np.abs(soft - real).mean(), np.abs(real - photo).mean()
    assert off < 0.25 * lost + 0.6, (off, lost)


def test_gradients_pass_through_jpeg(photo: np.ndarray) -> None:
    """At the best quality JPEG nearly is the identity, and so is its gradient."""
    x = images.to_unit(photo[None]).mul(0.5).add(0.25).requires_grad_(True)  # far from black and white
    weights = torch.zeros_like(x)
    weights[..., 20:40, 20:40] = 1.0  # flat: what halved colour keeps
    (gradient,) = torch.autograd.grad((transforms.jpeg(x, 100) * weights).sum(), x)
    assert float(gradient.sum()) == pytest.approx(float(weights.sum()), rel=0.02)
    inside = gradient[..., 24:36, 24:36]
    assert float((inside - 1).abs().max()) < 0.2


def test_sizes_and_draws(photo: np.ndarray) -> None:
    def generator(seed: int) -> torch.Generator:
        return torch.Generator().manual_seed(seed)

    x = images.to_unit(photo[None])
    for name, transform in transforms.TRANSFORMS.items():
        soft = [transform.soft(x, generator(seed)) for seed in (0, 0, 1)]
        assert torch.equal(soft[0], soft[1]), name
        assert soft[0].shape != soft[2].shape or not torch.equal(soft[0], soft[2]), name
        real = transform.real(photo, generator(0))
        assert real.dtype == np.uint8 and real.shape[:2] == soft[0].shape[-2:]
        close = np.abs(real.astype(float) - images.unit_to_uint8(soft[0])[0]).mean()
        assert close < 1.5, f"{name}: both kinds draw the same and do the same"
