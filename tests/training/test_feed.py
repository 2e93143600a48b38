"""Real images by global index."""

import numpy as np
import pytest
import torch

from facegan.errors import ConfigError
from facegan.recipes.config import override
from facegan.recipes.table import recipe
from facegan.training.sampler import SAMPLING, ImageSampler


def make(n=10, **changes):
    config = override(recipe("faces-tiny-32"), {"flip": False, "batch": 4, **changes})
    images = np.arange(n, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 3, 1), np.uint8)
    images[:, :, 2] += 100  # the right column tells a mirrored image
    return ImageSampler(images, config, torch.device("cpu"))


def rows(batch):
    return torch.round((batch[:, 0, 0, 0] + 1) * 127.5).int().tolist()


def test_shuffle_shows_each_image_once_an_epoch():
    feed = make()
    shown = [row for start in range(0, 40, 4) for row in rows(feed(start, 4))]
    epochs = [shown[i : i + 10] for i in range(0, 40, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("sampling", SAMPLING)
def test_a_batch_depends_on_its_index_alone(sampling):
    a, b = make(sampling=sampling), make(sampling=sampling)
    for start in (0, 4, 8):
        a(start, 4)
    assert rows(a(12, 4)) == rows(b(12, 4))


def test_consecutive_rows_neighbour_and_reach_both_ends():
    feed = make(sampling="consecutive")
    starts = set()
    for start in range(0, 400, 4):
        got = rows(feed(start, 4))
        assert got == list(range(got[0], got[0] + 4))
        starts.add(got[0])
    assert starts == set(range(7))


def test_replacement_is_uniform():
    feed = make(sampling="replacement")
    counts = np.bincount([row for start in range(0, 4000, 4) for row in rows(feed(start, 4))], minlength=10)
    # Chi-squared with 9 degrees of freedom: 27.9 is its 99.9th percentile.
    assert ((counts - 400.0) ** 2 / 400).sum() < 27.9


def test_flips_mirror_about_half():
    feed = make(flip=True)
    left = torch.cat([feed(start, 4)[:, 0, 0, 0] for start in range(0, 800, 4)])
    share = float((left > -0.5).float().mean())
    assert abs(share - 0.5) < 0.06


def test_batch_beyond_the_dataset():
    with pytest.raises(ConfigError, match="--batch 4 is more than the dataset's 3"):
        make(3, sampling="consecutive")
