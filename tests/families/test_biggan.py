"""BigGAN: its shapes and numbers of parameters layer by layer, the conditional norm, latents, the penalty."""

import itertools
from dataclasses import replace

import pytest
import torch
from narrow import at_32

from facegan.errors import ConfigError
from facegan.families import get_family
from facegan.families.biggan.blocks import ConditionalBlock
from facegan.families.biggan.config import Config, DiscriminatorConfig, GeneratorConfig
from facegan.families.biggan.networks import Embedding
from facegan.generator import Generator, describe
from facegan.layers.attention import SelfAttention
from facegan.layers.unfilled import Unfilled
from facegan.losses.penalties import orthogonal_penalty
from facegan.prior import Latent
from facegan.recipes.table import RECIPES, recipe
from facegan.training.adversarial import _filters
from facegan.training.initialization import create_state
from facegan.training.schedules import update_averages

CPU = torch.device("cpu")
BIGGAN = get_family("biggan")


def built(deep=False, size=128, labels=1000, **changes):
    """Both networks with the paper's settings, without memory."""
    settings = {"width": 128 if deep else 96, "deep": deep, **changes}
    shape, z_dim = (3, size, size), 128 if deep else 120
    with Unfilled(), torch.device("meta"):
        g = BIGGAN.build_generator(GeneratorConfig(**settings), shape, z_dim, label_dim=labels)
        d = BIGGAN.build_discriminator(DiscriminatorConfig(**settings), shape, labels)
    return g, d


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def conv(cin, cout, kernel, bias=1):
    return kernel * kernel * cin * cout + bias * cout


def attention(c):
    return 2 * conv(c, c // 8, 1, 0) + conv(c, c // 2, 1, 0) + conv(c // 2, c, 1, 0) + 1


def test_parameters_of_the_paper_at_128_px():
    """Tables 4 (ch = 96) and 7 (ch = 128), 1000 classes: 70.4 and 88.0 million, deep 50.2 and 34.6."""
    ch, w = 96, 20 + 128
    widths = [16 * ch, 16 * ch, 8 * ch, 4 * ch, 2 * ch, ch]
    expected = 1000 * 128 + 20 * 16 * widths[0] + 16 * widths[0]  # embedding, first layer
    for a, b in itertools.pairwise(widths):
        expected += 2 * w * (a + b) + conv(a, b, 3) + conv(b, b, 3) + conv(a, b, 1)
    expected += attention(2 * ch) + 2 * ch + conv(ch, 3, 3)  # at 64 px; the last norm, to the picture
    g, d = built()
    assert parameters(g) == expected == 70_433_988

    widths = [3, ch, 2 * ch, 4 * ch, 8 * ch, 16 * ch]
    expected = sum(conv(a, b, 3) + conv(b, b, 3) + conv(a, b, 1) for a, b in itertools.pairwise(widths))
    expected += 2 * conv(16 * ch, 16 * ch, 3) + attention(ch) + 16 * ch + 1 + 1000 * 16 * ch
    assert parameters(d) == expected == 87_982_370


def test_parameters_of_the_deep_variant_at_128_px():
    ch, w = 128, 128 + 128
    widths = [16 * ch, 16 * ch, 8 * ch, 4 * ch, 2 * ch, ch]
    expected = 1000 * 128 + w * 16 * widths[0] + 16 * widths[0]
    for a, out in itertools.pairwise(widths):
        for b in (a, out):
            n = a // 4
            expected += 2 * w * (a + 3 * n) + conv(a, n, 1) + 2 * conv(n, n, 3) + conv(n, b, 1)
    expected += attention(2 * ch) + 2 * ch + conv(ch, 3, 3)
    g, d = built(deep=True)
    assert parameters(g) == expected == 50_244_484
    # The authors' last convolution makes ch channels, of which they take three: the published 50.4 million.
    assert expected - conv(ch, 3, 3) + conv(ch, ch, 3) == 50_388_609

    widths = [ch, 2 * ch, 4 * ch, 8 * ch, 16 * ch, 16 * ch]
    expected = conv(3, ch, 3) + attention(2 * ch) + 16 * ch + 1 + 1000 * 16 * ch
    for a, b in itertools.pairwise(widths):
        n = b // 4
        expected += conv(a, n, 1) + 2 * conv(n, n, 3) + conv(n, b, 1) + (conv(a, b - a, 1) if b > a else 0)
        expected += conv(b, n, 1) + 2 * conv(n, n, 3) + conv(n, b, 1)
    assert parameters(d) == expected == 34_590_210


@pytest.mark.parametrize("deep", [False, True])
def test_every_blocks_shape(deep):
    """At 128 px, narrow: maps double from 4 px to 128 and halve again, with attention at 64 px."""
    changes = {"width": 4, "deep": deep}
    g = BIGGAN.build_generator(GeneratorConfig(**changes), (3, 128, 128), 60, label_dim=2).eval()
    d = BIGGAN.build_discriminator(DiscriminatorConfig(**changes), (3, 128, 128), 2)
    seen = {"g": [], "d": []}

    def note(side, module):
        module.register_forward_hook(lambda m, given, out: seen[side].append(tuple(out.shape[1:])))

    for side, network in (("g", g), ("d", d)):
        for block in network.blocks:
            note(side, block)
        note(side, network.attention)
    labels = torch.eye(2)
    assert d(g(torch.randn(2, 60), labels), labels).shape == (2,)
    up = [(64, 8), (32, 16), (16, 32), (8, 64), (4, 128)]
    if deep:
        g_expected = [(64, 4), (64, 8), (64, 8), (32, 16), (32, 16), (16, 32), (16, 32), (8, 64), (8, 64)]
        g_expected += [(8, 64), (4, 128)]  # attention between
        d_expected = [(8, 64), (8, 64), (8, 64), (16, 32), (16, 32), (32, 16), (32, 16)]
        d_expected += [(64, 8), (64, 8), (64, 4), (64, 4)]
    else:
        g_expected = [*up[:4], (8, 64), (4, 128)]
        d_expected = [(4, 64), (4, 64), (8, 32), (16, 16), (32, 8), (64, 4), (64, 4)]
    assert seen["g"] == [(c, s, s) for c, s in g_expected]
    assert seen["d"] == [(c, s, s) for c, s in d_expected]
    assert g.num_ws == (11 if deep else 6) and g.w_dim == 128 + (60 if deep else 10)


def test_a_norm_is_scaled_and_shifted_by_linear_functions_of_w():
    torch.manual_seed(0)
    block = ConditionalBlock([3], 2, GeneratorConfig(bn_eps=1e-12, spectral_norm=False)).double().train()
    x, w = torch.randn(4, 3, 5, 5).double(), torch.randn(4, 2).double()
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
    out = block.activated(1, x, w)
    for n in range(4):
        for c in range(3):
            gain = 1 + sum(block.gain1.weight[c, k] * w[n, k] for k in range(2))
            shift = sum(block.shift1.weight[c, k] * w[n, k] for k in range(2))
            expected = (gain * (x[n, c] - mean[c]) / var[c].sqrt() + shift).clamp_min(0)
            torch.testing.assert_close(out[n, c], expected)


def test_attention_against_its_definition():
    torch.manual_seed(0)
    layer, x = SelfAttention(8, normalised=False).double(), torch.randn(2, 8, 4, 6).double()
    torch.testing.assert_close(layer(x), x)  # gamma begins at 0
    with torch.no_grad():
        layer.scale.fill_(0.5)
    found = layer(x)
    q, k, v = (part.weight[:, :, 0, 0] for part in (layer.query, layer.key, layer.value))
    for n in range(2):
        keys, values = [], []
        for i in range(0, 4, 2):
            for j in range(0, 6, 2):
                window = x[n, :, i : i + 2, j : j + 2].flatten(1)
                keys.append((k @ window).amax(1))
                values.append((v @ window).amax(1))
        for i in range(4):
            for j in range(6):
                likeness = torch.stack([(q @ x[n, :, i, j]) @ key for key in keys]).softmax(0)
                taken = sum(a * value for a, value in zip(likeness, values, strict=True))
                expected = x[n, :, i, j] + 0.5 * (layer.out.weight[:, :, 0, 0] @ taken)
                torch.testing.assert_close(found[n, :, i, j], expected)


def test_w_is_a_chunk_of_z_beside_the_shared_embedding():
    g = BIGGAN.build_generator(GeneratorConfig(width=2, shared_dim=3), (3, 128, 128), 12, label_dim=2)
    z, labels = torch.arange(12.0)[None], torch.tensor([[1.0, 1.0]])
    w = g.map(z, labels)
    assert w[0, :, :2].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]
    assert torch.equal(w[0, 0, 2:], g.embed.weight.sum(0)) and torch.equal(w[0, 0, 2:], w[0, 5, 2:])
    assert not g.map(z)[0, :, 2:].any()
    deep = BIGGAN.build_generator(GeneratorConfig(width=2, deep=True), (3, 128, 128), 12)
    assert torch.equal(deep.map(z), z[:, None].expand(-1, 11, -1))


def test_the_penalty_counts_the_products_of_different_filters():
    weight = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 0.0]], requires_grad=True)
    products = (1 * 3 - 2, 0.5, 1.5)  # of rows 1 and 2, 1 and 3, 2 and 3
    value = orthogonal_penalty([weight, torch.eye(3)[:, :, None, None]])
    assert float(value.detach()) == pytest.approx(2 * sum(p * p for p in products))
    value.backward()
    gram = weight.detach() @ weight.detach().T
    torch.testing.assert_close(weight.grad, 4 * (gram - gram.diag().diag()) @ weight.detach())


def test_the_penalty_leaves_embeddings_of_labels_alone():
    state = create_state(at_32("biggan"), (3, 32, 32), CPU, label_dim=2)
    taken = {id(p) for p in _filters(state.generator)}
    assert id(state.generator.embed.weight) not in taken and isinstance(state.generator.embed, Embedding)
    assert id(state.generator.first.weight) in taken and id(state.generator.blocks[0].gain1.weight) in taken


def test_the_average_waits():
    state = create_state(at_32("biggan", ema_start_kimg=0.016, ema_rampup=0.0), (3, 32, 32), CPU)
    weight, average = state.generator.first.weight, state.ema.first.weight
    for seen, same in ((8, True), (16, True), (24, False)):
        with torch.no_grad():
            weight.add_(1.0)
        state.images_seen = seen
        update_averages(state, 8)
        assert torch.equal(weight, average) == same


def test_the_papers_averages_and_length():
    config = recipe("biggan-128")
    update = config.batch * config.d_updates
    assert 0.5 ** (update / (config.ema_halflife_kimg * 1000)) == pytest.approx(0.9999, abs=1e-8)
    assert (config.ema_start_kimg * 1000 / update, config.kimg * 1000 / update) == (20_000, 140_000)


def test_the_small_recipe_is_small():
    config = RECIPES["biggan-64-small"].config
    g = BIGGAN.build_generator(config.model.generator, (3, 64, 64), config.latent.dim, label_dim=2)
    d = BIGGAN.build_discriminator(config.model.discriminator, (3, 64, 64), 2)
    assert parameters(g) + parameters(d) <= 4_000_000 and config.batch == 32


@pytest.mark.parametrize(
    "changes, shape, z_dim, text",
    [
        ({}, (3, 100, 100), 120, "biggan cannot make 100x100 pictures"),
        (
            {"attention": 40},
            (3, 64, 64),
            100,
            r"--generator.attention 40.*choose 8, 16, 32, 64, or 0 for none",
        ),
        ({"attention": 0}, (3, 64, 64), 101, r"--latent.dim 101.* 5 layers; choose 100 or 105"),
        ({"multipliers": (1, 2)}, (3, 64, 64), 100, r"--generator.multipliers: 64x64 pictures have 5 stages"),
    ],
)
def test_what_cannot_be_is_one_line(changes, shape, z_dim, text):
    with pytest.raises(ConfigError, match=text):
        BIGGAN.build_generator(GeneratorConfig(**{"width": 2, **changes}), shape, z_dim)


# --- sampling -----------------------------------------------------------------------------------------------


def model(labels=("a",), **latent):
    torch.manual_seed(3)
    g = GeneratorConfig(width=4, attention=16, shared_dim=8)
    meta = describe(
        "biggan",
        Config(g),
        Latent("truncated", 40),
        image_shape=(3, 32, 32),
        labels=labels,
        label_rows={"rows": [[0], [1]], "counts": [3, 1]} if labels else {},
    )
    network = BIGGAN.build_generator(g, (3, 32, 32), 40, label_dim=len(labels))
    made = Generator(network, meta)
    with torch.no_grad():  # as a snapshot does
        from facegan.layers.ema import recalibrate_batch_norm

        recalibrate_batch_norm(network, made._typical(1.0), network.synthesize)
    return made


def test_truncated_numbers_are_resampled_ones():
    """Their distribution is that of normal draws of which those beyond 2 are drawn again."""
    from statistics import NormalDist

    prior, normal = Latent("truncated", 4, mean=1.0, std=3.0), NormalDist()
    inside = 1 - 2 * normal.cdf(-2)
    for n in (-3.7, -1.0, 0.0, 0.4, 2.5):
        expected = normal.inv_cdf(normal.cdf(-2) + normal.cdf(n) * inside)
        found = prior.shape_normal(torch.tensor([n]))
        assert float(found) == pytest.approx(1 + 3 * expected, abs=1e-5)
        assert float(prior.normal_of(found)) == pytest.approx(n, abs=1e-3)
    draws = Latent("truncated", 5000).sample([0, 1])
    assert float(draws.abs().max()) <= 2 and float(draws.std()) == pytest.approx(0.8796, abs=0.01)
    plain = torch.randn(5000, generator=torch.Generator().manual_seed(0))
    assert float((draws[0] - plain).abs()[plain.abs() < 1].max()) < 0.2  # a seed stays much the same


@pytest.mark.parametrize("labels", [(), ("a",)])
def test_each_truncation_has_statistics_of_its_own(labels):
    generator = model(labels)
    network, half = generator.network, generator.network_at(0.5)
    assert generator.network_at(1.0) is network and generator.network_at(0.5) is half
    for (name, ours), theirs in zip(half.named_parameters(), network.parameters(), strict=True):
        assert ours is theirs, name
    # What the norms of the copy see at this truncation has mean 0 and deviation 1; those of the original
    # see less than they expect.
    z = generator.latent.sample(range(2000, 2400))
    drawn = None if not labels else generator.conditions.draw(range(2000, 2400), {})
    w = generator.map(z, 0.5, drawn)
    spreads = []
    for n in (half, network):
        seen = []
        handle = n.norm.register_forward_hook(lambda m, given, out, seen=seen: seen.append(out))
        n.synthesize(w)
        handle.remove()
        spreads.append((seen[0] - n.norm.bias[:, None, None]).square().mean())
    assert float(spreads[0]) == pytest.approx(1.0, abs=0.1)
    assert abs(float(spreads[1]) - 1) > 3 * abs(float(spreads[0]) - 1)
    torch.testing.assert_close(generator(z[:4], 0.5), half.synthesize(generator.map(z[:4], 0.5)))
    again = model(labels)
    assert (again.sample(3, truncation=0.5) == generator.sample(3, truncation=0.5)).all()
    told = generator.tell("a=1") if labels else generator
    assert told.network_at(0.5) is half


def test_truncation_zero_is_one_picture_a_class():
    pictures = model().sample(3, truncation=0.0)
    assert (pictures[0] == pictures[1]).all()


def test_statistics_of_other_families_stay():
    network = get_family("dcgan").build_generator(replace(at_32("dcgan")).model.generator, (3, 32, 32), 64)
    meta = describe("dcgan", at_32("dcgan").model, Latent(dim=64), image_shape=(3, 32, 32))
    generator = Generator(network, meta)
    assert generator.network_at(0.3) is network
