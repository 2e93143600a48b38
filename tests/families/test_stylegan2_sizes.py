"""Sizes, widths and settings of StyleGAN2's networks, and how they refuse what cannot work."""

import itertools
from dataclasses import replace

import pytest
import torch
from small_stylegan2 import discriminator, generator

from facegan.errors import ConfigError
from facegan.families.stylegan2.config import Config
from facegan.families.stylegan2.networks import channels, resolutions

SIZES = {  # height, width -> base, levels
    (8, 8): ((4, 4), 2),
    (32, 32): ((4, 4), 4),
    (256, 256): ((4, 4), 7),
    (64, 48): ((8, 6), 4),
    (96, 128): ((6, 8), 5),
    (80, 80): ((5, 5), 5),
    (56, 56): ((7, 7), 4),
    (16, 64): ((4, 16), 3),
}


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_levels(size):
    levels = resolutions(*size)
    assert (levels[0], len(levels), levels[-1]) == (*SIZES[size], size)
    assert all((2 * a, 2 * b) == after for (a, b), after in itertools.pairwise(levels))


@pytest.mark.parametrize(
    "size, words",
    [
        ((100, 100), "100x100 halve down to 25x25, not to 4 to 8 px; prepare them as 96x96 or 112x112"),
        ((200, 300), "300x200 halve down to 75x50, not to 4 to 8 px; prepare them as 288x192 or 320x224"),
        ((9, 8), "8x9 halve down to 8x9, not to 4 to 8 px; prepare them as 8x8 or 8x10"),
        ((64, 6), "6x64 are too small; the smallest are 8x8"),
    ],
    ids=str,
)
def test_sizes_that_do_not_fit(size, words):
    for build in (generator, discriminator):
        with pytest.raises(ConfigError, match=words):
            build((3, *size))
    if "prepare them as" in words:
        for text in words.split("prepare them as ")[1].split(" or "):
            width, height = map(int, text.split("x"))
            assert resolutions(height, width)


def test_channels_follow_the_longer_side():
    config = Config().generator
    assert [channels(config, (side, side)) for side in (4, 8, 16, 32, 64, 128, 256)] == [
        512,
        512,
        512,
        512,
        256,
        128,
        64,
    ]
    assert channels(config, (64, 48)) == channels(config, (48, 64)) == 256
    assert channels(config, (80, 80)) == 200  # 204 in eights
    assert channels(replace(config, channel_max=100), (8, 8)) == 100
    assert channels(replace(config, channel_base=64), (256, 256)) == 1


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 8, 8), (3, 32, 24), (1, 20, 20), (3, 14, 28)], ids=str)
def test_shapes_in_and_out(shape):
    g, d = generator(shape), discriminator(shape)
    images = g(torch.randn(4, 6))
    assert images.shape == (4, *shape)
    assert d(images).shape == (4,)
    (d(images).sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for net in (g, d) for p in net.parameters())


BAD = {
    "generator": {
        "w_dim": 0,
        "mapping_layers": 0,
        "style_mixing": 1.5,
        "w_avg_beta": -0.1,
        "channel_max": 0,
        "path_length_every": 0,
        "mapping_lr_multiplier": 0.0,
    },
    "discriminator": {"mbstd_group": -1, "channel_base": 0},
}


@pytest.mark.parametrize("side, name", [(side, name) for side in BAD for name in BAD[side]])
def test_settings_that_cannot_work(side, name):
    build = generator if side == "generator" else discriminator
    with pytest.raises(ConfigError, match=f"--{side}.{name.replace('_', '-')}"):
        build(**{name: BAD[side][name]})
