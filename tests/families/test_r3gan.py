"""R3GAN's networks against the paper's numbers, closed forms and naive loops."""

import dataclasses
import json
import math

import pytest
import torch

from facegan.errors import ConfigError
from facegan.families import get_family
from facegan.families.r3gan import FAMILY
from facegan.families.r3gan.config import Config, NetworkConfig, base_size, default_widths
from facegan.families.r3gan.networks import Resample, ResidualBlock
from facegan.generator import Generator, Latent, describe
from facegan.losses.penalties import gradient_penalty
from facegan.model_header import from_dict

WIDE = {"widths": (1536,) * 4, "group_size": 32}
WIDER = {"widths": (1536,) * 5, "group_size": 32}
TINY = {"widths": (6, 4), "group_size": 2, "blocks": (1,)}

# Table 9 of the paper: settings, size, classes, parameters of G and D in millions
PAPER = {
    "Stacked MNIST": ({}, 32, 0, 20.73, 20.68),
    "CIFAR-10": ({}, 32, 10, 20.78, 21.28),
    "FFHQ-256": ({}, 256, 0, 23.06, 23.01),
    "FFHQ-64": ({}, 64, 0, 22.43, 22.38),
    "ImageNet-32": (WIDE, 32, 1000, 82.91, 86.55),
    "ImageNet-64": (WIDER, 64, 1000, 103.57, 107.21),
}


def count(network):
    return sum(p.numel() for p in network.parameters())


def pair(shape, label_dim=0, z_dim=5, dtype=torch.float64, **settings):
    """Two small networks whose residual branches do something."""
    torch.manual_seed(0)
    config = NetworkConfig(**settings)
    networks = (
        FAMILY.build_generator(config, shape, z_dim, label_dim=label_dim).to(dtype),
        FAMILY.build_discriminator(config, shape, label_dim).to(dtype),
    )
    for network in networks:
        for name, p in network.named_parameters():
            if "project" in name or "bias" in name:
                torch.nn.init.normal_(p, 0.0, 0.3)
    return networks


@pytest.mark.parametrize("name", PAPER)
def test_parameters_of_the_paper(name):
    settings, size, classes, millions_g, millions_d = PAPER[name]
    with torch.device("meta"):
        g = FAMILY.build_generator(NetworkConfig(**settings), (3, size, size), 64, label_dim=classes)
        d = FAMILY.build_discriminator(NetworkConfig(**settings), (3, size, size), classes)
    assert round(count(g) / 1e6, 2) == millions_g
    assert round(count(d) / 1e6, 2) == millions_d


def test_parameters_by_hand():
    # Grey 12 x 8 pictures: 6 x 4 at width 6, then 12 x 8 at width 4, one block each, groups of 2.
    block6 = 6 * 12 + 12 + 12 * 2 * 9 + 12 + 12 * 6
    block4 = 4 * 8 + 8 + 8 * 2 * 9 + 8 + 8 * 4
    g, d = pair((1, 12, 8), **TINY)
    assert count(g) == 6 * 6 * 4 + 5 * 6 + block6 + 6 * 4 + block4 + 4 * 1
    assert count(d) == 1 * 4 + block4 + 4 * 6 + block6 + 6 * 6 * 4 + 6
    g, d = pair((1, 12, 8), label_dim=3, **TINY)
    assert count(g) == 6 * 6 * 4 + 2 * 5 * 6 + 3 * 5 + block6 + 6 * 4 + block4 + 4 * 1
    assert count(d) == 1 * 4 + block4 + 4 * 6 + block6 + 6 * 6 * 4 + 6 * 6 + 3 * 6 + 6


def test_blocks_begin_as_the_identity():
    torch.manual_seed(0)
    block = ResidualBlock(width=64, expansion=2, group_size=16, kernel=3, blocks=16)
    x = torch.randn(2, 64, 5, 4)
    torch.testing.assert_close(block(x), x, rtol=0, atol=0)
    # He et al. for leaky ReLU of 0.2, times 16^(-1/4) = 1/2; fan-in 64 and 16 x 9.
    gain = math.sqrt(2 / 1.04) / 2
    assert block.expand.weight.std().item() == pytest.approx(gain / math.sqrt(64), rel=0.03)
    assert block.grouped.weight.std().item() == pytest.approx(gain / math.sqrt(144), rel=0.03)
    assert block.expand.bias.abs().max() == block.grouped.bias.abs().max() == 0


def test_the_number_of_blocks_scales_the_start():
    torch.manual_seed(0)
    config = NetworkConfig(widths=(64, 32), blocks=(3, 5), group_size=16)
    for network in (
        FAMILY.build_generator(config, (3, 8, 8), 4),
        FAMILY.build_discriminator(config, (3, 8, 8)),
    ):
        blocks = [m for m in network.modules() if isinstance(m, ResidualBlock)]
        assert len(blocks) == 8
        weights = torch.stack([b.expand.weight.std() for b in blocks if b.expand.in_channels == 64])
        assert weights.mean().item() == pytest.approx(math.sqrt(2 / 1.04 / 64) * 8**-0.25, rel=0.03)


def test_pictures_and_logits_begin_at_the_scale_of_their_inputs():
    torch.manual_seed(0)
    config = NetworkConfig(widths=(64,), blocks=(1,), group_size=16)
    images = FAMILY.build_generator(config, (3, 4, 4), 64)(torch.randn(200, 64))
    assert images.std().item() == pytest.approx(1.0, rel=0.2)
    logits = FAMILY.build_discriminator(config, (3, 4, 4))(torch.randn(200, 3, 4, 4))
    assert logits.std().item() == pytest.approx(1.0, rel=0.4)


def naive_resample(x, up):
    """Each output pixel by its own weights: distances in the finer grid of 1/2, 3/2 have 3/4, 1/4."""
    n, c, h, w = x.shape
    size = (2 * h, 2 * w) if up else (h // 2, w // 2)
    out = torch.zeros(n, c, *size, dtype=x.dtype)

    def weight(coarse, fine):
        distance = abs(2 * coarse + 0.5 - fine)
        return {0.5: 0.75, 1.5: 0.25}.get(distance, 0.0)

    for i in range(size[0]):
        for j in range(size[1]):
            for k in range(h):
                for m in range(w):
                    if up:
                        share = weight(k, i) * weight(m, j)
                    else:
                        share = weight(i, k) * weight(j, m) / 4
                    out[:, :, i, j] += share * x[:, :, k, m]
    return out


@pytest.mark.parametrize("up, size", [(True, (3, 4)), (True, (1, 5)), (False, (6, 4)), (False, (2, 8))])
def test_bilinear_resampling(up, size):
    torch.manual_seed(0)
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    resample = Resample(up).double()
    torch.testing.assert_close(resample(x), naive_resample(x, up))
    with torch.no_grad():
        torch.testing.assert_close(resample(x), naive_resample(x, up))
    assert torch.autograd.gradcheck(resample, x)
    assert torch.autograd.gradgradcheck(resample, x)


def test_a_constant_picture_stays_away_from_the_border():
    x = torch.ones(1, 1, 8, 8)
    assert (Resample(True)(x)[..., 1:-1, 1:-1] == 1).all()
    assert (Resample(False)(x)[..., 1:-1, 1:-1] == 1).all()


@pytest.mark.parametrize("label_dim", [0, 2])
def test_second_derivatives_of_the_discriminator(label_dim):
    _, d = pair((1, 8, 8), label_dim, **TINY)
    images = torch.randn(2, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64) if label_dim else None
    assert torch.autograd.gradcheck(lambda x: d(x, labels), images, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: d(x, labels), images, fast_mode=True)


def test_the_penalties_gradient_by_differences():
    """R1 + R2 along a random direction in all weights, (f(+e) - f(-e)) / 2e."""
    _, d = pair((1, 8, 8), **TINY)
    real, fake = (torch.randn(3, 1, 8, 8, dtype=torch.float64, requires_grad=True) for _ in range(2))

    def penalty():
        return gradient_penalty(d(real), real) + gradient_penalty(d(fake), fake)

    weights = list(d.parameters())
    gradients = torch.autograd.grad(penalty(), weights, allow_unused=True)
    directions = [torch.randn_like(p) for p in weights]
    expected = sum((g * v).sum() for g, v in zip(gradients, directions, strict=True) if g is not None)
    values = []
    for step in (1e-6, -2e-6):
        with torch.no_grad():
            for p, v in zip(weights, directions, strict=True):
                p += step * v
        values.append(penalty().item())
    assert (values[0] - values[1]) / 2e-6 == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 12, 8), (3, 10, 14), (3, 8, 28)])
@pytest.mark.parametrize("label_dim", [0, 3])
def test_shapes_and_independence_of_the_batch(shape, label_dim):
    g, d = pair(shape, label_dim, **TINY)
    z = torch.randn(4, 5, dtype=torch.float64)
    labels = torch.eye(3, dtype=torch.float64)[[0, 2, 1, 2]] if label_dim else None
    w = g.map(z, labels)
    assert (g.num_ws, g.w_dim, g.z_dim, g.label_dim) == (1, 10 if label_dim else 5, 5, label_dim)
    assert w.shape == (4, 1, g.w_dim)
    images, logits = g(z, labels, mix=None), d(g(z, labels), labels)
    assert images.shape == (4, *shape) and logits.shape == (4,)
    torch.testing.assert_close(g.synthesize(w, noise="random"), images)
    for i in range(4):
        one = labels[i : i + 1] if label_dim else None
        torch.testing.assert_close(g(z[i : i + 1], one), images[i : i + 1])
        torch.testing.assert_close(d(images[i : i + 1], one), logits[i : i + 1])


def test_labels_change_pictures_and_logits():
    g, d = pair((3, 8, 8), 2, **TINY)
    z, images = torch.randn(1, 5, dtype=torch.float64), torch.randn(1, 3, 8, 8, dtype=torch.float64)
    none, first, both = (torch.tensor([v], dtype=torch.float64) for v in ([0, 0], [1, 0], [1, 1]))
    torch.testing.assert_close(g.map(z)[..., :5], z[:, None])
    torch.testing.assert_close(g.map(z, first)[0, 0, 5:], g.embed.weight[:, 0])
    torch.testing.assert_close(g.map(z), g.map(z, none))
    assert not torch.allclose(g(z, first), g(z, both))
    # Logits are affine in the labels: f . (E y + b).
    features = d.head(d.body(images))
    torch.testing.assert_close(d(images, none), features @ d.embed.bias)
    torch.testing.assert_close(d(images, both) - d(images, none), features @ d.embed.weight.sum(1))
    with pytest.raises(ValueError, match="labels"):
        d(images)


def test_mixed_precision_stays_close():
    g, d = pair((3, 16, 16), dtype=torch.float32, widths=(16, 16, 8), group_size=4)
    z = torch.randn(3, 5)
    images = g(z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(g(z).float(), images, rtol=0.1, atol=0.1)
        loss = d(g(z)).float().sum()
    loss.backward()
    assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in g.parameters())


@pytest.mark.parametrize("label_dim", [0, 2])
def test_logits_are_of_full_precision(label_dim):
    """Of features in half precision: small differences between large logits must not be rounded away."""
    _, d = pair((3, 8, 8), label_dim, dtype=torch.float32, **TINY)
    images = torch.randn(32, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    given = (torch.ones(32, label_dim),) if label_dim else ()
    with torch.autocast("cpu", torch.bfloat16):
        logits = d(images, *given)
        features = d.body(images)
    assert features.dtype == torch.bfloat16 and logits.dtype == torch.float32
    expected = d.head(features.float())
    expected = (expected * d.embed(given[0])).sum(1) if label_dim else expected[:, 0]
    torch.testing.assert_close(logits, expected)
    assert not torch.equal(logits, logits.bfloat16().float())


def test_default_widths():
    assert default_widths(256) == (768, 768, 768, 768, 384, 192, 96)
    assert default_widths(64) == (768, 768, 768, 768, 384) == default_widths((96, 64))
    assert default_widths(32) == (768,) * 4
    for size, stages in ((32, 4), (64, 5), (128, 6), (256, 7), (80, 5), (56, 4)):
        small = default_widths(size, small=True)
        assert len(small) == len(default_widths(size)) == stages
        config = NetworkConfig(widths=small, group_size=1)
        with torch.device("meta"):
            g, d = (
                FAMILY.build_generator(config, (3, size, size), 64),
                FAMILY.build_discriminator(config, (1, size, size)),
            )
            assert g(torch.zeros(2, 64)).shape == (2, 3, size, size)
            assert d(torch.zeros(2, 1, size, size)).shape == (2,)


BASES = {
    (64, 64): ((4, 4), 5),
    (80, 80): ((5, 5), 5),
    (48, 80): ((6, 10), 4),
    (218, 178): None,
    (7, 9): ((7, 9), 1),
}


@pytest.mark.parametrize("size", BASES)
def test_base_size(size):
    if BASES[size]:
        assert base_size(*size) == BASES[size]
    else:
        with pytest.raises(ConfigError, match="178x218"):
            base_size(*size)


# settings, shape -> what the line says
WRONG = [
    ({}, (3, 50, 50), "50x50 .* --size 48 or 56"),
    ({}, (3, 512, 512), "512x512 .* --size 384 or 448"),
    (
        {"widths": (8, 8)},
        (3, 64, 64),
        "generator.widths: 64x64 pictures have 5 stages, from 4x4 .* 2 numbers",
    ),
    ({"blocks": (1, 2)}, (3, 64, 64), "generator.blocks: .* 5 stages"),
    ({"widths": (24, 12)}, (3, 8, 8), "generator.group-size 16 .* 24 channels .* width 12"),
    ({"widths": (0, 8)}, (3, 8, 8), "generator.widths must be at least 1, not 0"),
    ({"blocks": (-1,)}, (3, 8, 8), "generator.blocks must be 0 or more, not -1"),
    ({"kernel": 4}, (3, 8, 8), "generator.kernel must be odd, not 4"),
    ({"expansion": 0}, (3, 8, 8), "generator.expansion must be at least 1"),
]


@pytest.mark.parametrize("settings, shape, line", WRONG)
def test_settings_that_cannot_be(settings, shape, line):
    with pytest.raises(ConfigError, match=line):
        FAMILY.build_generator(NetworkConfig(**settings), shape, 8)
    with pytest.raises(ConfigError, match=line.replace("generator", "discriminator")):
        FAMILY.build_discriminator(NetworkConfig(**settings), shape)


def test_the_family_is_in_the_table_and_survives_json():
    family = get_family("r3gan")
    assert family.conditional
    small = NetworkConfig(**TINY)
    config = Config(small, small)
    assert from_dict(Config, json.loads(json.dumps(dataclasses.asdict(config)))) == config
    assert (config.generator.lr, config.generator.beta1, config.generator.beta2) == (2e-4, 0.0, 0.99)


def test_a_model_file_holds_everything(tmp_path):
    g, _ = pair((3, 8, 8), dtype=torch.float32, **TINY)
    latent = Latent(dim=5)
    meta = describe("r3gan", Config(NetworkConfig(**TINY)), latent, image_shape=(3, 8, 8))
    before = Generator(g, meta)
    before.save(tmp_path / "model.safetensors")
    after = Generator.load(tmp_path / "model.safetensors")
    z = latent.sample([0, 1])
    torch.testing.assert_close(after(z), before(z), rtol=0.02, atol=0.02)
