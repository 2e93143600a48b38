"""Labels in networks: joined with the latent, projected in the discriminator; none where there are none."""

from dataclasses import replace

import pytest
import torch
from narrow import TRAINED, at_32

from facegan.families import get_family
from facegan.generator import Generator, describe
from facegan.layers.labels import LABEL_SCALE, LabelledLatent, LabelProjection
from facegan.prior import Latent
from facegan.training.initialization import create_state

CPU = torch.device("cpu")


def test_z_stands_beside_an_embedding_of_fixed_length():
    joined = LabelledLatent(2, 3, normalised=False).double()
    with torch.no_grad():
        joined.weight.copy_(torch.tensor([[3.0, 0.0, 1.0], [0.0, 4.0, 1.0]]))
        joined.bias.copy_(torch.tensor([0.0, 1.0]))
    z = torch.tensor([[5.0, -6.0]], dtype=torch.float64).expand(3, -1)
    w = joined(z, torch.tensor([[1.0, 0, 0], [0, 1, 1], [0, 0, 0]]))
    assert torch.equal(w[:, :2], z)
    rows = torch.tensor([[3.0, 1.0], [1.0, 6.0], [0.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(w[:, 2:], LABEL_SCALE * rows / rows.square().mean(1, keepdim=True).sqrt())
    torch.testing.assert_close(joined(z)[0], w[2])  # no labels are zeros
    joined.normalised = True
    torch.testing.assert_close(joined(z, None)[0, :2], z[0] / z[0].square().mean().sqrt())


@pytest.mark.parametrize("equalized", [False, True])
def test_what_a_projection_adds_is_linear_in_both(equalized):
    project = LabelProjection(2, 4, equalized=equalized)
    x, y = torch.randn(3, 4), torch.tensor([[1.0, 0], [0, 1], [0, 0]])
    scale = 0.5 if equalized else 1.0
    expected = torch.stack([x[0] @ project.weight[:, 0], x[1] @ project.weight[:, 1], torch.zeros(())])
    torch.testing.assert_close(project(x, y), scale * expected)
    assert project(x.bfloat16(), y).dtype == torch.float32  # a logit is a sum of many products
    with pytest.raises(ValueError, match="needs their labels"):
        project(x, None)


def networks(family, label_dim, seed=0):
    config = at_32(family)
    torch.manual_seed(seed)
    built = get_family(family)
    return (
        built.build_generator(config.model.generator, (3, 32, 32), config.latent.dim, label_dim=label_dim),
        built.build_discriminator(config.model.discriminator, (3, 32, 32), label_dim),
    )


@pytest.mark.parametrize("family", TRAINED)
def test_labels_move_pictures_and_logits_and_learn(family):
    """Each row of labels has pictures and logits of its own, and both networks' new weights get gradients."""
    g, d = networks(family, 2)
    plain = {name for network in networks(family, 0) for name, _ in network.named_parameters()}
    if g.levels:
        g.level.fill_(g.levels - 1)
        d.level.fill_(d.levels - 1)
    z = torch.randn(4, g.z_dim)
    rows = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    pictures = [g.eval()(z, row.expand(4, -1)) for row in rows]
    logits = [d.eval()(pictures[0], row.expand(4, -1)) for row in rows]
    for i in range(4):
        for j in range(i):
            assert (pictures[i] - pictures[j]).std() > 0.05 * pictures[i].std()
            assert (logits[i] - logits[j]).abs().max() > 1e-6
    g.train()
    d.train()
    total = d(g(z, rows), rows).sum()
    if d.projected is not None:
        total = total + d.projected(g(z, rows), rows).sum()
    total.backward()
    new = {k: p for n in (g, d) for k, p in n.named_parameters() if k not in plain}
    assert new and all(p.grad is not None and bool(p.grad.any()) for p in new.values()), list(new)


def test_heads_on_a_frozen_network_project_labels():
    """Without labels a head is what it was; each row of labels adds its own product of features."""
    _, d = networks("fast", 2)
    heads, x = d.projected.eval(), torch.randn(3, 3, 32, 32)
    none, first, both = (
        heads(x, torch.tensor([row]).expand(3, -1)) for row in ([0.0, 0], [1.0, 0], [1.0, 1])
    )
    second = heads(x, torch.tensor([[0.0, 1.0]]).expand(3, -1))
    torch.testing.assert_close(both - none, (first - none) + (second - none))
    assert (first - none).abs().min() > 0 and none.shape == (3, len(heads.heads))
    for embedding in heads.embeddings:
        assert torch.linalg.svdvals(embedding.weight)[0].item() == pytest.approx(1.0, abs=0.1)
    with pytest.raises(ValueError, match="need their labels"):
        heads(x)


@pytest.mark.parametrize("family", TRAINED)
def test_an_unconditional_model_goes_on_with_labels(family, tmp_path):
    """--init of a model without labels: at first, labels change nothing, and faces are those it drew."""
    config = at_32(family)
    state = create_state(config, (3, 32, 32), CPU)
    if state.generator.levels:
        state.generator.level.fill_(state.generator.levels - 1)
    describes = describe(family, config.model, Latent(dim=config.latent.dim), image_shape=(3, 32, 32))
    old = Generator(state.generator, describes)
    old.save(tmp_path / "old.safetensors", torch.float32)
    init = replace(config, init=str(tmp_path / "old.safetensors"))
    begun = create_state(init, (3, 32, 32), CPU, label_dim=2)
    count = len(state.generator.state_dict())
    assert f"{count} of " in begun.begun_with and "tensors of the generator" in begun.begun_with
    rows = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    with torch.no_grad():
        # Where only the direction of z counts, its length is that of the old network's own norm.
        z = old.latent.sample(range(3))
        expected = old(z)
        for row in rows:
            torch.testing.assert_close(
                begun.generator.eval()(z, row.expand(3, -1)), expected, rtol=1e-3, atol=2e-4
            )
    moving = begun.generator.train()
    moving(z, rows).square().sum().backward()
    for key in moving.with_labels:
        gradient = dict(moving.named_parameters())[key].grad
        plain = dict(old.network.named_parameters())[key].shape[1]
        assert gradient[:, plain:].abs().sum() > 0, "labels could never learn"
