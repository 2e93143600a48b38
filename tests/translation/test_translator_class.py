"""Translators: the papers' sizes, the same pixels in any batch and from a file, mistaken models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import facegan
from facegan.errors import ConfigError, FaceganError
from facegan.families import TRANSLATORS, get_family
from facegan.families.translator import TranslatorFamily
from facegan.layers.picture_norm import PictureInstanceNorm
from facegan.models import as_model, as_translator
from facegan.translator import Translator, build_networks, describe_translator

LIGHT = {"layout": "light", "norm": "none", "dropout": 0.0, "widths": (8, 16), "blocks": 1, "stem": 2}
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "unet": ("pix2pix", {"widths": (8, 8, 8, 8, 8)}),
    "light": ("pix2pix", LIGHT),
    "light, residual": ("cyclegan", {**LIGHT, "residual": True}),
    "resnet": ("cyclegan", {"widths": (8, 8, 8), "blocks": 2}),
}


def translator(case: str, side: int = 32, channels: int = 3) -> Translator:
    name, changes = SETTINGS[case]
    model = get_family(name).config()
    model = replace(model, generator=replace(model.generator, **changes))
    torch.manual_seed(0)
    meta = describe_translator(name, model, image_shape=(channels, side, side), input="edges")
    networks = build_networks(meta)
    for parameter in networks.parameters():  # branches that begin as zero would be seen by no test
        nn.init.normal_(parameter, 0.0, 0.1)
    return Translator(networks, meta)


def pictures(count: int, side: int = 32, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), np.uint8)


@pytest.mark.parametrize(
    ("name", "generator", "discriminator"),
    [  # pix2pix: the authors' PyTorch code. CycleGAN: 11.4 and 2.8 million in theirs.
        ("pix2pix", 54_413_955, 2_768_705),
        ("cyclegan", 11_378_179, 2_764_737),
    ],
)
def test_parameters_of_the_papers(name: str, generator: int, discriminator: int) -> None:
    family = get_family(name)
    assert isinstance(family, TranslatorFamily)
    with torch.device("meta"):
        networks = [
            family.build_translator(family.config().generator, (3, 256, 256)),
            family.build_discriminator(family.config().discriminator, (3, 256, 256)),
        ]
    assert [sum(p.numel() for p in n.parameters()) for n in networks] == [generator, discriminator]


def test_a_patch_is_70_px() -> None:
    family = get_family("cyclegan")
    network = family.build_discriminator(family.config().discriminator, (3, 256, 256)).eval()
    for m in network.modules():
        if isinstance(m, PictureInstanceNorm):  # which sees the whole picture
            m.forward = lambda x: x  # type: ignore[method-assign]
    images = torch.zeros(1, 3, 256, 256, requires_grad=True)
    logits = network(images)
    assert logits.shape == (1, 1, 30, 30)
    logits[0, 0, 15, 15].backward()
    assert images.grad is not None
    seen = images.grad.abs().sum((0, 1)).nonzero()
    assert (seen.amax(0) - seen.amin(0) + 1).tolist() == [70, 70]


def test_every_family_has_a_case() -> None:
    assert {name for name, _ in SETTINGS.values()} == set(TRANSLATORS)


@pytest.mark.parametrize("case", SETTINGS)
def test_the_same_pixels_alone_in_a_batch_and_from_a_file(case: str, tmp_path: Path) -> None:
    model, photos = translator(case), pictures(11)
    model.save(tmp_path / "model.safetensors")
    loaded = facegan.load(tmp_path / "model.safetensors")
    assert isinstance(loaded, Translator)
    assert loaded.hash == model.hash
    for direction in model.directions:
        together = model.translate(photos, direction)
        assert together.std() > 5
        alone = np.concatenate([model.translate(photo, direction) for photo in photos])
        np.testing.assert_array_equal(alone, together)
        np.testing.assert_array_equal(model.translate(photos[:8], direction), together[:8])
        np.testing.assert_array_equal(loaded.translate(photos, direction), together)
    if len(model.directions) > 1:
        assert (model.translate(photos, "b-to-a") != model.translate(photos, "a-to-b")).any()
    assert model.translate(photos[:0]).shape == (0, 32, 32, 3)


@pytest.mark.parametrize("case", SETTINGS)
def test_a_call_is_differentiable(case: str) -> None:
    model = translator(case)
    x = torch.randn(2, 3, 32, 32).requires_grad_()
    model(x).square().sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0


def test_at_use_each_picture_has_its_own_norm_and_the_same_dropout() -> None:
    """In training, dropout is drawn anew and batch norm looks over the batch."""
    model = translator("unet")
    network = model.network["generator-forward"]
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        at_use = network(x)
        torch.testing.assert_close(network(x[:1]), at_use[:1])
        torch.testing.assert_close(network(x), at_use)
        network.train()
        assert not torch.allclose(network(x), at_use)
        for m in network.modules():  # without dropout, one picture in training is a picture at use
            if type(m).__name__ == "PictureDropout":
                m.p = 0.0
        one = network(x[:1])
        network.eval()
        torch.testing.assert_close(network(x[:1]), one)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda m: m.translate(pictures(1, 16)), "takes uint8 pictures N,32,32,3, not 1,16,16,3"),
        (lambda m: m.translate(pictures(1, channels=1)), "takes uint8 pictures N,32,32,3, not 1,32,32,1"),
        (lambda m: m.translate(np.zeros((1, 32, 32, 3))), "not numbers of the type float64"),
        (lambda m: m.translate("me.jpg"), "takes uint8 pictures"),
        (lambda m: m.translate(pictures(1), "b-to-a"), "--direction b-to-a: this translator has forward;"),
    ],
)
def test_pictures_that_do_not_fit(make: Any, text: str) -> None:
    with pytest.raises(FaceganError) as caught:
        make(translator("light"))
    assert text in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "shape", "text"),
    [
        ({"widths": (8,) * 6}, (3, 48, 48), "sides that are multiples of 64, not 48x48 px"),
        ({"widths": (8,)}, (3, 32, 32), "--generator.widths needs at least two numbers"),
        ({"layout": "light"}, (3, 32, 32), "light has neither norms nor dropout"),
        ({**LIGHT, "widths": (8, 8, 8)}, (3, 20, 36), "multiples of 8, not 36x20 px"),
        ({"layout": "resnet", "widths": (8, 8, 8, 8)}, (3, 8, 8), "needs sides of 16 px or more"),
        ({"layout": "dense"}, (3, 32, 32), "--generator.layout 'dense' is unknown"),
    ],
)
def test_networks_that_cannot_be(changes: dict[str, Any], shape: tuple[int, int, int], text: str) -> None:
    family = get_family("pix2pix")
    assert isinstance(family, TranslatorFamily)
    with pytest.raises(ConfigError) as caught:
        family.build_translator(replace(family.config().generator, **changes), shape)
    assert text in str(caught.value)


def test_patches_larger_than_the_picture() -> None:
    family = get_family("pix2pix")
    with pytest.raises(ConfigError, match=r"4 layers have no patch in 16x16 px; give fewer"):
        family.build_discriminator(family.config().discriminator, (3, 16, 16))


def test_a_mistaken_model_is_one_line(tmp_path: Path, tiny_model_file: Path) -> None:
    file = tmp_path / "sketch.safetensors"
    translator("light").save(file)
    with pytest.raises(FaceganError, match=r"sketch.safetensors: this is a translator.*facegan translate"):
        as_model(file)
    with pytest.raises(FaceganError, match=r"this is a generator.*facegan train"):
        as_translator(tiny_model_file)
    with pytest.raises(FaceganError, match=r"sketch.safetensors: this is a translator"):
        facegan.generate(str(file), out=tmp_path / "grid.png")
    with pytest.raises(FaceganError, match=r"sketch.safetensors: this is a translator"):
        facegan.Generator.load(file)
    with pytest.raises(FaceganError, match="this is a generator"):
        Translator.load(tiny_model_file)


def test_show_describes_a_translator(tmp_path: Path) -> None:
    from facegan.model_summary import facts_text

    file = tmp_path / "sketch.safetensors"
    translator("light, residual").save(file)
    found = facegan.describe_model(str(file))
    text = facts_text(found)
    assert "a-to-b, b-to-a" in text and "input        edges" in text
    assert found["macs"] > 0 and found["parameters"] == sum(r["parameters"] for r in found["layers"])
