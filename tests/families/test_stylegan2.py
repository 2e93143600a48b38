"""StyleGAN2's networks: the paper's table of layers, and what a generator and a discriminator promise."""

from dataclasses import replace

import pytest
import torch
from small_stylegan2 import SMALL, discriminator, generator, noisy
from torch.nn import functional as F

from facegan.families.stylegan2 import FAMILY
from facegan.families.stylegan2.config import Config
from facegan.families.stylegan2.networks import Mapping
from facegan.generator import Generator, Latent, describe
from facegan.layers.ops import downsample2d, upsample2d
from facegan.layers.styled import FILTER, StyledConv
from facegan.layers.summary import summarize
from facegan.losses.penalties import gradient_penalty, path_lengths


def count(module):
    return sum(p.numel() for p in module.parameters())


# --- the table of layers -------------------------------------------------------------------------

WIDTHS = {4: 512, 8: 512, 16: 512, 32: 512, 64: 256, 128: 128, 256: 64}  # 16384 / side, 512 at most


def generator_by_hand(mapping_layers):
    def affine(channels):
        return 512 * channels + channels

    def styled(cin, cout):  # kernel, bias, strength of noise
        return affine(cin) + 9 * cin * cout + cout + 1

    total = mapping_layers * (512 * 512 + 512) + 4 * 4 * 512
    sides = list(WIDTHS)
    for side, before in zip(sides, [None, *sides], strict=False):
        width = WIDTHS[side]
        total += styled(width, width) + affine(width) + 3 * width + 3
        total += styled(WIDTHS[before], width) if before else 0
    return total


def discriminator_by_hand():
    total = 3 * 64 + 64
    for side in (256, 128, 64, 32, 16, 8):
        cin, cout = WIDTHS[side], WIDTHS[side // 2]
        total += 9 * cin * cin + cin + 9 * cin * cout + cout + cin * cout
    return total + 9 * 513 * 512 + 512 + 4 * 4 * 512 * 512 + 512 + 512 + 1


def test_parameters_of_the_published_256_px_networks():
    """24,767,458 and 24,001,089 are what the authors' code prints for 8 mapping layers and these widths."""
    with torch.device("meta"):
        paper = FAMILY.build_generator(replace(Config().generator, mapping_layers=8), (3, 256, 256), 512)
        auto = FAMILY.build_generator(Config().generator, (3, 256, 256), 512)
        d = FAMILY.build_discriminator(Config().discriminator, (3, 256, 256))
    assert count(paper) == generator_by_hand(8) == 24_767_458
    assert count(auto) == generator_by_hand(2) == 23_191_522
    assert count(d) == discriminator_by_hand() == 24_001_089
    assert (auto.num_ws, auto.w_dim, auto.z_dim) == (14, 512, 512)


def test_labels_add_their_embedding_and_projection():
    assert count(generator(label_dim=3)) - count(generator()) == (3 * 10 + 10) + 10 * 10
    mapping = (3 * 8 + 8) + 2 * (8 * 8 + 8)
    assert count(discriminator(label_dim=3)) - count(discriminator()) == mapping + (8 - 1) * 8 + (8 - 1)


def test_summary_counts_every_parameter_and_multiplication():
    net = generator((3, 8, 8))
    rows = {row.name: row for row in summarize(net, torch.zeros(2, 6))}
    assert sum(row.parameters for row in rows.values()) == count(net)
    first, second, rgb = "blocks.0.conv1", "blocks.1.conv0", "blocks.1.rgb"
    assert [(rows[n].kind, rows[n].macs) for n in (first, second, rgb)] == [
        ("styled 8 3", 9 * 8 * 8 * 16),
        ("styled 8 3 up", 9 * 8 * 8 * 16),  # each of 4 x 4 values spreads over 3 x 3
        ("to image", 8 * 3 * 64),
    ]
    d = discriminator((3, 8, 8))
    rows = {row.name: row for row in summarize(d, torch.zeros(2, 3, 8, 8))}
    assert sum(row.parameters for row in rows.values()) == count(d)
    assert [(rows[n].kind, rows[n].macs) for n in ("blocks.0.conv0", "blocks.0.conv1", "dense")] == [
        ("conv 8 3", 9 * 8 * 8 * 64),
        ("conv 8 3 s2", 9 * 8 * 8 * 16),
        ("dense 8", 8 * 16 * 8),
    ]


# --- generator -----------------------------------------------------------------------------------


def test_an_image_is_the_same_alone_and_in_a_batch():
    net = noisy(generator((3, 16, 12), label_dim=2)).eval()
    z, labels = torch.randn(5, 6), torch.randn(5, 2)
    together = net(z, labels)
    for i in range(5):
        torch.testing.assert_close(net(z[i : i + 1], labels[i : i + 1])[0], together[i])
    torch.testing.assert_close(net.synthesize(net.map(z, labels)), together)


def test_kinds_of_noise():
    net = noisy(generator())
    w = net.map(torch.randn(3, 6))
    const = net.synthesize(w, "const")
    assert torch.equal(net.synthesize(w), const), "fixed noise is the default"
    torch.manual_seed(1)
    first, second = net.synthesize(w, "random"), net.synthesize(w, "random")
    assert not torch.allclose(first, second) and not torch.allclose(first, const)
    torch.manual_seed(1)
    assert torch.equal(net.synthesize(w, "random"), first)
    for module in net.modules():
        if isinstance(module, StyledConv):
            module.noise_const.zero_()
    torch.testing.assert_close(net.synthesize(w, "none"), net.synthesize(w, "const"))


def test_training_draws_noise_and_sampling_does_not():
    net, z = noisy(generator()), torch.randn(2, 6)
    assert not torch.allclose(net(z), net(z))
    net.eval()
    assert torch.equal(net(z), net.synthesize(net.map(z), "const"))


def test_a_styled_convolution_by_its_formula():
    """leaky ReLU of (demodulated convolution + strength x noise + bias), times sqrt(2)."""
    torch.manual_seed(0)
    layer = StyledConv(3, 2, 5, size=(4, 6)).double()
    with torch.no_grad():
        layer.noise_strength.fill_(0.7)
        layer.bias.normal_()
    x, w = torch.randn(2, 3, 4, 6, dtype=torch.float64), torch.randn(2, 5, dtype=torch.float64)
    styles = w @ layer.affine.weight.t() / 5**0.5 + 1
    kernels = layer.weight * styles[:, None, :, None, None]
    kernels = kernels / (kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8).sqrt()
    plain = torch.cat([F.conv2d(a[None], k, padding=1) for a, k in zip(x, kernels, strict=True)])
    for noise, field in (("none", 0.0), ("const", 0.7 * layer.noise_const)):
        before = plain + field + layer.bias[:, None, None]
        torch.testing.assert_close(layer(x, w, noise), F.leaky_relu(before, 0.2) * 2**0.5)


def test_the_image_is_the_sum_over_levels():
    """Weights of 0 leave each level's bias, which upsampling keeps but at the border."""
    net = generator((3, 32, 32))
    with torch.no_grad():
        for i, block in enumerate(net.blocks):
            block.rgb.weight.zero_()
            block.rgb.bias.fill_(10.0**i)
    image = net(torch.randn(1, 6))
    expected = torch.full((1, 3, 4, 4), 1.0)
    for i in range(1, 4):
        expected = upsample2d(expected, FILTER) + 10.0**i
    torch.testing.assert_close(image, expected)
    assert image[0, 0, 16, 16].item() == pytest.approx(1111)


def test_the_mapping_takes_the_direction_of_z():
    net, z = generator(label_dim=2), torch.randn(3, 6)
    labels = torch.randn(3, 2)
    torch.testing.assert_close(net.map(5 * z, labels), net.map(z, labels))
    assert net.map(z).shape == (3, 6, 10) and torch.equal(net.map(z)[:, 0], net.map(z)[:, -1])
    assert torch.equal(net.map(z), net.map(z, torch.zeros(3, 2)))


def test_labels_may_all_be_0():
    """A vector of 0 has no direction: where the embedding began there, gradients were a million others'."""
    torch.manual_seed(0)
    mapping = Mapping(8, 2, 16, layers=2, lr_multiplier=0.01)
    mapping(torch.randn(4, 8), torch.zeros(4, 2)).square().mean().backward()
    bias, first = mapping.embed.bias.grad, mapping.layers[0].bias.grad
    assert 0 < float(bias.norm()) < 1000 * float(first.norm())


def test_labels_change_images_and_logits():
    g, d = generator(label_dim=2).eval(), discriminator(label_dim=2, mbstd_group=0).eval()
    z, images = torch.randn(1, 6).expand(2, -1), torch.randn(1, 3, 16, 16).expand(2, -1, -1, -1)
    labels = torch.eye(2)
    a, b = g(z, labels)
    assert (a - b).abs().max() > 0.01
    real = d(images, labels)
    assert (real[0] - real[1]).abs() > 1e-3
    # The projection: logit = <features, mapped label> / sqrt(channels), linear in the features.
    mapped = d.mapping(None, labels)
    with torch.no_grad():
        d.out.weight.zero_()
        d.out.bias.copy_(torch.arange(8.0))
    torch.testing.assert_close(d(images, labels), mapped @ torch.arange(8.0) / 8**0.5)


MIXES = [  # u -> layers of six that keep the first latent, with style_mixing 0.9
    ((0.9, 0.0), 6),
    ((0.95, 0.5), 6),
    ((0.0, 0.0), 1),
    ((0.5, 0.1999), 1),
    ((0.5, 0.2), 2),
    ((0.899, 0.59), 3),
    ((0.1, 0.79), 4),
    ((0.1, 0.8), 5),
    ((0.1, 0.99999), 5),
    ((0.1, 1.0), 5),
]


def test_mixing_takes_exactly_the_later_layers():
    """1 + floor(u 5), from 1 to 5, is the first layer of the second latent."""
    net = generator()
    z, z2 = torch.randn(len(MIXES), 6), torch.randn(len(MIXES), 6)
    first, second = net.map(z), net.map(z2)
    found = net.styles(z, mix=(z2, torch.tensor([u for u, _ in MIXES])))
    for i, (_, kept) in enumerate(MIXES):
        assert torch.equal(found[i, :kept], first[i, :kept])
        assert torch.equal(found[i, kept:], second[i, kept:])
    assert not torch.allclose(first, second)
    never = generator(style_mixing=0.0)
    assert torch.equal(never.styles(z, mix=(z2, torch.zeros(len(MIXES), 2))), never.map(z))


def test_the_average_of_w():
    """After batches with means m1 and m2: (1 - b) (b m1 + m2); sampling and second latents leave it."""
    net = generator(w_avg_beta=0.75)
    z = torch.randn(2, 4, 6)
    means = [net.map(part)[:, 0].mean(0) for part in z]
    assert net.w_avg.tolist() == [0.0] * 10
    net(z[0])
    net(z[1], mix=(torch.randn(4, 6), torch.zeros(4, 2)))
    expected = 0.25 * (0.75 * means[0] + means[1])
    torch.testing.assert_close(net.w_avg, expected.detach())
    net.eval()
    net(z[0])
    net.map(z[0])
    torch.testing.assert_close(net.w_avg, expected.detach())


def test_a_saved_generator_shows_the_same(tmp_path):
    net = noisy(generator((1, 16, 12)))
    net(torch.randn(8, 6))
    config = replace(Config(), generator=replace(Config().generator, **SMALL, w_dim=10))
    model = Generator(net, describe("stylegan2", config, Latent(dim=6), image_shape=(1, 16, 12)))
    model.save(tmp_path / "g.safetensors")
    found = Generator.load(tmp_path / "g.safetensors")
    assert abs(found.sample(4).astype(int) - model.sample(4)).max() <= 2
    z = model.latent.sample([3])
    middle = (net.map(z) + net.w_avg) / 2
    torch.testing.assert_close(model.map(z, truncation=0.5), middle)


# --- discriminator -------------------------------------------------------------------------------


def test_a_residual_block_is_both_ways_over_sqrt_2():
    block = discriminator().double().blocks[0]
    x = torch.randn(2, 8, 16, 16, dtype=torch.float64)
    by_hand = lambda conv, x: F.conv2d(x, conv.weight / (8 * conv.kernel**2) ** 0.5)  # noqa: E731
    skip = by_hand(block.skip, downsample2d(x, FILTER))
    torch.testing.assert_close(block.skip(x), skip / 2**0.5)
    torch.testing.assert_close(block(x), block.conv1(block.conv0(x)) + skip / 2**0.5)
    assert block.conv0.gain == pytest.approx(2**0.5) and block.conv1.gain == 1.0


def test_logits_see_the_group_only_through_its_deviation():
    x = torch.randn(8, 3, 16, 16)
    alone = discriminator(mbstd_group=0)
    torch.testing.assert_close(alone(x)[:1], alone(x[:1]))
    grouped = discriminator(mbstd_group=4)
    torch.testing.assert_close(grouped(x)[:4], grouped(x[:4]))
    assert not torch.allclose(grouped(x)[:1], grouped(x[:1]))


# --- gradients and precision ---------------------------------------------------------------------


def test_second_order_gradients_by_finite_differences():
    """Of R1 and of the path length, along one direction of all parameters, in float64."""
    d, g = discriminator((3, 8, 8)).double(), noisy(generator((3, 8, 8))).double()
    noise = torch.randn(2, 3, 8, 8, dtype=torch.float64) / 8
    x, z = torch.randn(2, 3, 8, 8, dtype=torch.float64), torch.randn(2, 6, dtype=torch.float64)

    def r1():
        at = x.clone().requires_grad_()
        return gradient_penalty(d(at), at)

    def length():
        w = g.map(z)
        return path_lengths(g.synthesize(w, "const"), w, noise).square().sum()

    for of, net in ((r1, d), (length, g)):
        parameters = list(net.parameters())
        directions = [torch.randn_like(p) for p in parameters]
        gradients = torch.autograd.grad(of(), parameters, allow_unused=True)
        found = sum(float((a * b).sum()) for a, b in zip(gradients, directions, strict=True) if a is not None)
        values, step = [], 1e-6
        for move in (step, -2 * step):
            with torch.no_grad():
                torch._foreach_add_(parameters, directions, alpha=move)
            values.append(float(of().detach()))
        assert found == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5)
        assert abs(found) > 1e-4 and values[0] > 1e-4


def test_mixed_precision_is_near_and_differentiable():
    g, d = noisy(generator()), discriminator()
    z = torch.randn(4, 6)
    w = g.map(z)
    exact = g.synthesize(w)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(g.map(z), w), "the mapping keeps full precision"
        images = g.synthesize(w)
        logits = d(images)
        (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    assert images.dtype == logits.dtype == torch.float32
    torch.testing.assert_close(images, exact, atol=0.1, rtol=0.05)
    gradient.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in g.parameters() if p.grad is not None)


def test_layout_stays_channels_last():
    g = generator((3, 16, 16)).to(memory_format=torch.channels_last)
    layouts = []
    for block in g.blocks:
        for conv in (block.conv0, block.conv1):
            if conv is not None:
                hook = lambda _, given, out: layouts.append(  # noqa: E731
                    out.is_contiguous(memory_format=torch.channels_last)
                )
                conv.register_forward_hook(hook)
    g(torch.randn(2, 6))
    assert layouts == [True] * 5
