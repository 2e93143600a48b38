"""Heads on a frozen network: the right maps, nothing of it stored or trained, gradients to pictures."""

import numpy as np
import pytest
import torch

from facegan.attributes.predictor import AttributePredictor
from facegan.families import fast
from facegan.families.fast.projected import ProjectedHeads, networks
from facegan.planning.dry_run import _judging
from facegan.recipes.config import override
from facegan.recipes.table import recipe
from facegan.training.initialization import create_state
from facegan.training.objective import train_step
from facegan.training.sampler import ImageSampler


def pictures(count=2, side=64):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("name", networks())
def test_maps_are_the_networks_own(name):
    """Averaged over positions they are its features, which are tapped before batch norms are folded."""
    heads, predictor, x = ProjectedHeads(name, 8), AttributePredictor.load(name), pictures()
    with torch.no_grad():
        maps = heads.frozen(x)
        means = torch.cat([m.mean((2, 3)) for m in maps], 1) * torch.from_numpy(predictor.map_std)
        torch.testing.assert_close(means, predictor.network.features(x), atol=1e-4, rtol=1e-4)
        assert heads(x).shape == (2, len(maps))


def test_only_heads_are_trained_and_stored():
    heads = ProjectedHeads("critic", 8)
    stored = {k: v.numel() for k, v in heads.state_dict().items()}
    assert stored and all(k.startswith("heads.") for k in stored)
    assert all(p.requires_grad for p in heads.parameters())
    frozen = [p.detach().clone() for p in heads.frozen.parameters()]
    x = pictures().requires_grad_(True)
    heads.train()
    torch.optim.SGD(heads.parameters(), 0.1).step(lambda: heads(x).sum().backward())
    assert float(x.grad.abs().sum()) > 0
    assert all(torch.equal(a, b) for a, b in zip(frozen, heads.frozen.parameters(), strict=True))


def test_other_precision_size_and_colours():
    heads = ProjectedHeads("critic", 8).to(torch.float64).eval()
    assert heads(pictures(side=32)[:, :1].double()).dtype == torch.float64


def test_spectral_norms_bound_each_head():
    """Each layer's largest singular value is 1 after power iterations: no head can shout."""
    heads = ProjectedHeads("critic", 8).train()
    for _ in range(200):
        heads(pictures(1))
    heads.eval()
    for head in heads.heads:
        for layer in head:
            if isinstance(layer, torch.nn.Conv2d):
                largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
                assert float(largest.detach()) == pytest.approx(1.0, abs=0.02)


def test_same_weights_whatever_was_drawn_before():
    """Reading the frozen network takes no random numbers from those of the heads."""
    found = []
    for _ in range(2):
        torch.manual_seed(3)
        found.append(ProjectedHeads("critic", 8).state_dict())
    assert all(torch.equal(v, found[1][k]) for k, v in found[0].items())


def small_discriminator():
    config = fast.DiscriminatorConfig(
        widths=(8, 8), blocks=(0,), stem=1, projected="critic", projected_width=8
    )
    return fast.FAMILY.build_discriminator(config, (3, 64, 64))


def test_freezing_reaches_no_head():
    d = small_discriminator()
    layers = [m for m in d.layers_from_image() if list(m.parameters(recurse=False))]
    assert layers == [d.first, d.downs[0].conv, d.last, d.dense]


def test_a_dry_run_tells_of_all_that_judges():
    """Parameters are the trained ones; a 5x5 convolution of 3 to 32 channels at 32 px is the first frozen."""
    d = small_discriminator()
    rows = _judging(d, (pictures(1),))
    assert sum(r.parameters for r in rows) == sum(p.numel() for p in d.parameters())
    frozen = [r for r in rows if r.name.startswith("frozen.")]
    assert frozen[0].macs == 25 * 3 * 32 * 32 * 32 and not any(r.parameters for r in frozen)
    heads = [r for r in rows if r.name.startswith("projected.") and r.macs]
    assert heads[0].macs == 16 * 64 * 8 * 8 * 8  # 4x4, from 64 channels to 8 at 8x8 px


def test_power_iterations_do_not_depend_on_the_pieces():
    """An update in one piece and in two take equally many: the vectors agree while weights stay."""
    found = []
    for pieces in (1, 2):
        changes = {
            "batch": 4,
            "accumulate": pieces,
            "generator.widths": (8, 8, 8),
            "size": 32,
            "generator.blocks": (0, 0, 0),
            "discriminator.widths": (8, 8),
            "r1_gamma": 0.0,
            "discriminator.blocks": (0,),
            "discriminator.projected_width": 8,
            "discriminator.lr": 1e-12,
        }
        config = override(recipe("faces-fast-64"), {**changes, "precision": "float32"})
        state = create_state(config, (3, 32, 32), torch.device("cpu"))
        images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
        train_step(state, ImageSampler(images, config, state.device))
        found.append({k: v for k, v in state.discriminator.state_dict().items() if k.endswith("0._u")})
    assert found[0] and found[0].keys() == found[1].keys()
    for key, value in found[0].items():
        torch.testing.assert_close(value, found[1][key], atol=1e-5, rtol=0)
