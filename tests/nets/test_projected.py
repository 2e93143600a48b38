"""Heads on a frozen network: the right maps, nothing of it stored or trained, gradients to pictures."""

import pytest
import torch

from facegan.metrics.attributes import AttributePredictor
from facegan.nets.projected import ProjectedHeads, networks


def pictures(count=2, side=64):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("name", networks())
def test_maps_are_the_networks_own(name):
    """Averaged over positions they are its features, which are tapped before batch norms are folded."""
    heads, predictor, x = ProjectedHeads(name, 8), AttributePredictor.load(name), pictures()
    with torch.no_grad():
        maps = heads._frozen[0](x)
        means = torch.cat([m.mean((2, 3)) for m in maps], 1) * torch.from_numpy(predictor.map_std)
        torch.testing.assert_close(means, predictor.network.features(x), atol=1e-4, rtol=1e-4)
        assert heads(x).shape == (2, len(maps))


def test_only_heads_are_trained_and_stored():
    heads = ProjectedHeads("critic", 8)
    stored = {k: v.numel() for k, v in heads.state_dict().items()}
    assert stored and all(k.startswith("heads.") for k in stored)
    assert all(p.requires_grad for p in heads.parameters())
    frozen = [p.detach().clone() for p in heads._frozen[0].parameters()]
    x = pictures().requires_grad_(True)
    heads.train()
    torch.optim.SGD(heads.parameters(), 0.1).step(lambda: heads(x).sum().backward())
    assert float(x.grad.abs().sum()) > 0
    assert all(torch.equal(a, b) for a, b in zip(frozen, heads._frozen[0].parameters(), strict=True))


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
