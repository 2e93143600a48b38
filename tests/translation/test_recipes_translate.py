"""What every recipe of translators promises: the same pixels alone, in a batch of 8, and from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import facegan
from facegan.families import TRANSLATORS
from facegan.recipes.table import RECIPES
from facegan.translator import Translator, build_networks, describe_translator

NAMES = [name for name in RECIPES if facegan.recipe(name).family in TRANSLATORS]


def test_there_are_the_papers_recipes_and_small_ones() -> None:
    assert set(NAMES) >= {"pix2pix-256", "cyclegan-256", "pix2pix-64", "cyclegan-64"}


@pytest.mark.parametrize("name", NAMES)
def test_the_same_pixels_alone_in_a_batch_of_8_and_from_a_file(name: str, tmp_path: Path) -> None:
    """At full width, with fresh weights, through the function that the command calls."""
    settings = facegan.recipe(name)
    side = settings.size
    with torch.random.fork_rng():
        torch.manual_seed(0)
        meta = describe_translator(settings.family, settings.model, image_shape=(3, side, side))
        model = Translator(build_networks(meta), meta)
    model.save(tmp_path / "model.safetensors")
    # At 256 px, each picture is a group of its own, and two of them tell as much as eight.
    many, few = (8, 2) if side <= 64 else (2, 1)
    photos = np.random.default_rng(0).integers(0, 256, (many, side, side, 3), np.uint8)
    loaded = facegan.load(tmp_path / "model.safetensors")
    for direction in model.directions:
        together = facegan.translate(model, photos, direction).images
        assert together.std() > 1 and (together[0] != together[1]).any()
        for i in range(few):
            alone = facegan.translate(loaded, photos[i], direction).images
            np.testing.assert_array_equal(alone, together[i : i + 1])
    np.testing.assert_array_equal(facegan.translate(model, photos[0]).images, loaded.translate(photos[:1]))


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("-64")])
def test_small_recipes_are_small(name: str) -> None:
    settings = facegan.recipe(name)
    meta = describe_translator(settings.family, settings.model, image_shape=(3, 64, 64))
    with torch.device("meta"):
        networks = build_networks(meta)
    for network in networks.values():
        assert sum(p.numel() for p in network.parameters()) <= 3_000_000
