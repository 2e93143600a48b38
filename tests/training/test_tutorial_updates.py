"""Two whole updates of each tutorial's recipe against Keras's arithmetic in NumPy (keras_numpy.py).

Networks, batches, labels and optimisers are written out here from the tutorials, not read from facegan's
recipes; given to both sides are the first weights, the real pictures, what was drawn (latents, label noise,
dropout masks), and nothing else. Widths are a fraction of the full ones, in float64.
"""

import numpy as np
import pytest
import torch

from facegan import rng
from facegan.nets import parallel
from facegan.nets.ema import batch_norms
from facegan.recipes import recipe
from facegan.training.config import check, override
from facegan.training.data import ImageFeed
from facegan.training.step import create_state, train_step
from tests.training import keras_numpy as k

PARTS = 16  # networks of a sixteenth of the width


def chain(groups):
    return [layer for group in groups for layer in group]


def thin(units):
    return max(1, round(units / PARTS))


def tanh_generator(side, channels):
    return [
        k.Dense(thin(1024)), k.Tanh(), k.Dense(side * side * thin(128)), k.BatchNorm(0.99), k.Tanh(),
        k.Reshape(thin(128), side, side), k.Up(), k.Conv(thin(64), 5), k.Tanh(), k.Up(), k.Conv(channels, 5),
        k.Tanh(),
    ]  # fmt: skip


def tanh_discriminator():
    return [
        k.Conv(thin(64), 5), k.Tanh(), k.Pool(), k.Conv(thin(128), 5, padding="valid"), k.Tanh(), k.Pool(),
        k.Reshape(), k.Dense(thin(1024)), k.Tanh(), k.Dense(1),
    ]  # fmt: skip


def vanilla_generator():
    hidden = [[k.Dense(thin(n)), k.Leaky(0.2), k.BatchNorm(0.8)] for n in (256, 512, 1024)]
    return [*chain(hidden), k.Dense(784), k.Tanh(), k.Reshape(1, 28, 28)]


def vanilla_discriminator():
    return [
        k.Reshape(), k.Dense(thin(784)), k.Leaky(0.2), k.Dense(thin(392)), k.Leaky(0.2), k.Dense(1),
    ]  # fmt: skip


def generator_80():
    up = [[k.ConvT(thin(128), 4, 2), k.Leaky(0.2)] for _ in range(4)]
    start = [k.Dense(25 * thin(128)), k.Leaky(0.2), k.Reshape(thin(128), 5, 5)]
    return [*start, *chain(up), k.Conv(3, 5), k.Tanh()]


def discriminator_80():
    down = [[k.Conv(thin(128), 5, 2), k.Leaky(0.2)] for _ in range(4)]
    return [k.Conv(thin(128), 5), k.Leaky(0.2), *chain(down), k.Dropout(), k.Reshape(), k.Dense(1)]


def generator_50():
    def after(layer):
        return [layer, k.BatchNorm(0.5), k.Leaky(0.0)]

    return [
        *after(k.Dense(625 * thin(128))), k.Reshape(thin(128), 25, 25), *after(k.Conv(thin(512), 5)),
        *after(k.ConvT(thin(256), 4, 2)), *after(k.Conv(thin(256), 5)), *after(k.Conv(thin(128), 5)),
        *after(k.Conv(thin(64), 5)), k.Conv(3, 7), k.Tanh(),
    ]  # fmt: skip


def discriminator_50():
    return [
        k.Conv(thin(256), 3, 1, "valid"), k.Leaky(0.3), k.Conv(thin(256), 5, 2, "valid"), k.Leaky(0.3),
        k.Conv(thin(256), 5, 2, "valid"), k.Leaky(0.3), k.Conv(thin(256), 3, 2, "valid"), k.Leaky(0.3),
        k.Dropout(), k.Reshape(), k.Dense(1),
    ]  # fmt: skip


def generator_128():
    up = [[k.ConvT(thin(n), 4, 2), k.Leaky(0.2)] for n in (128, 256, 512)]
    start = [k.Dense(256 * thin(128)), k.Reshape(thin(128), 16, 16)]
    return [*start, *chain(up), k.Conv(3, 4), k.Sigmoid()]


def discriminator_128():
    down = [[k.Conv(thin(n), 4, 2), k.Leaky(0.2)] for n in (64, 128, 128)]
    return [*chain(down), k.Dropout(), k.Reshape(), k.Dense(1)]


SLOW = {"lr": 2e-4, "beta_1": 0.5, "decay": 8e-8}
FAST = {"lr": 2e-4, "beta_1": 0.5}
FLIP = {"real": 0.0, "fake": 1.0, "g_target": 0.0}
COMMON = {"real": 1.0, "fake": 0.0, "g_target": 1.0, "noise": 0.0, "z": (100, 0.0, 1.0), "split": False,
          "unit": False}  # fmt: skip
# ``d_batch`` real and as many generated pictures make an update of the discriminator, or one each if split
TUTORIALS = {
    "digits-vanilla-28": {
        **COMMON, "nets": (vanilla_generator, vanilla_discriminator), "shape": (1, 28, 28), "d_batch": 16,
        "g_batch": 32, "z": (100, -0.5, 0.5), "g_adam": SLOW, "d_adam": SLOW,
    },
    "digits-dcgan-28": {
        **COMMON, "nets": (lambda: tanh_generator(7, 1), tanh_discriminator), "shape": (1, 28, 28),
        "d_batch": 16, "g_batch": 32, "z": (100, -0.5, 0.5), "g_adam": SLOW, "d_adam": SLOW,
    },
    "faces-dcgan-56": {
        **COMMON, "nets": (lambda: tanh_generator(14, 3), tanh_discriminator), "shape": (3, 56, 56),
        "d_batch": 16, "g_batch": 64, "g_adam": SLOW, "d_adam": SLOW,
    },
    "faces-dcgan-80": {
        **COMMON, "nets": (generator_80, discriminator_80), "shape": (3, 80, 80), "d_batch": 64,
        "g_batch": 128, "g_adam": FAST, "d_adam": FAST, "split": True,
    },
    "faces-dcgan-50": {
        **COMMON, **FLIP, "nets": (generator_50, discriminator_50), "shape": (3, 50, 50), "d_batch": 20,
        "g_batch": 20, "noise": 0.1, "unit": True, "g_adam": {"lr": 4e-4}, "d_adam": {"lr": 8e-4},
    },
    "faces-dcgan-128": {
        **COMMON, **FLIP, "nets": (generator_128, discriminator_128), "shape": (3, 128, 128), "d_batch": 32,
        "g_batch": 32, "noise": 0.05, "z": (128, 0.0, 1.0), "unit": True, "g_adam": {"lr": 1e-4},
        "d_adam": {"lr": 1e-4},
    },
}  # fmt: skip
SMALLER = 4  # batches of a quarter, for time; sizes as the tutorials have them are asserted beside


def arrays(module):
    return (p.detach().double().numpy() for p in module.parameters())


def facegan_side(name, t, pictures):
    """The state before (as arrays) and after two updates, and the dropout masks of the discriminator."""
    config = recipe(name)
    assert (config.batch, config.g_batch or config.batch) == (t["d_batch"], t["g_batch"])
    small = {"generator.width": 1 / PARTS, "discriminator.width": 1 / PARTS}
    small |= {"batch": t["d_batch"] // SMALLER, "g_batch": t["g_batch"] // SMALLER}
    config = check(override(config, small))
    state = create_state(config, t["shape"], torch.device("cpu"), torch.float64)
    before = [[a.copy() for a in arrays(m)] for m in (state.generator, state.discriminator)]
    masks = []
    for module in state.discriminator.modules():
        if isinstance(module, parallel.Dropout):
            scale = 1 / (1 - module.p)
            module.register_forward_hook(
                lambda m, x, y, s=scale: masks.append(np.where(y.detach().numpy() != 0, s, 0.0))
            )
    feed = ImageFeed(pictures, config, torch.device("cpu"))
    for _ in range(2):
        train_step(state, feed)
    return before, state, masks, feed


def keras_side(t, before, masks, feed):
    """Two updates by the tutorials' own words."""
    g_layers, d_layers = t["nets"]
    dim, mean, std = t["z"]
    g = k.Net(g_layers()).build((dim,), iter(before[0]))
    d = k.Net(d_layers()).build(t["shape"], iter(before[1]))
    for layer in d.layers:
        if isinstance(layer, k.Dropout):
            layer.masks = masks
    g_adam, d_adam = k.Adam(**t["g_adam"]), k.Adam(**t["d_adam"])
    n, n_g, drawn, losses = t["d_batch"] // SMALLER, t["g_batch"] // SMALLER, 0, []

    def latents(count):
        nonlocal drawn
        drawn += count
        normal = rng.normal(0, "latent", drawn - count, count, dim)
        return (normal * np.float32(std) + np.float32(mean)).astype(np.float64)

    def noise(kind, start):
        return t["noise"] * rng.uniform(0, f"label-noise-{kind}", start, n)[:, 0]

    for update in range(2):
        first = drawn
        fake = g.forward(latents(n), training=False)  # predict
        real = feed(update * n, n).double().numpy()
        if t["unit"]:
            real = (real + 1) / 2
        targets = [t["real"] + noise("real", update * n), t["fake"] + noise("fake", first)]
        if t["split"]:
            for pictures, target in zip((real, fake), targets, strict=True):
                loss, dy = k.cross_entropy(d.forward(pictures), target)
                d.backward(dy)
                d_adam.step(d)
                losses.append(loss)
        else:
            # One batch; only the masks of the dropout, drawn for its two halves, ask for their order.
            loss, dy = k.cross_entropy(joint(d, real, fake), np.concatenate(targets))
            d.backward(dy)
            d_adam.step(d)
            losses.append(loss)
        logits = d.forward(g.forward(latents(n_g)))
        loss, dy = k.cross_entropy(logits, np.full(n_g, t["g_target"]))
        g.backward(d.backward(dy))
        g_adam.step(g)
        losses.append(loss)
    return g, d, losses


def joint(d, real, fake):
    for layer in d.layers:
        if isinstance(layer, k.Dropout):
            layer.masks[:2] = [np.concatenate(layer.masks[:2])]
    return d.forward(np.concatenate([real, fake]))


@pytest.mark.parametrize("name", TUTORIALS)
def test_two_updates_are_those_of_keras(name):
    t = TUTORIALS[name]
    c, h, w = t["shape"]
    pictures = np.random.default_rng(0).integers(0, 256, (40, h, w, c), np.uint8)
    before, state, masks, feed = facegan_side(name, t, pictures)
    g, d, losses = keras_side(t, before, masks, feed)
    assert not masks  # every one was used
    for ours, theirs, start, lr in (
        (state.generator, g, before[0], t["g_adam"]["lr"]),
        (state.discriminator, d, before[1], t["d_adam"]["lr"]),
    ):  # fmt: skip
        expected = [p for layer in theirs.layers for p in layer.params]
        for i, (a, b, old) in enumerate(zip(arrays(ours), expected, start, strict=True)):
            # The gradient of a bias before batch norm is 0 but for rounding: its step means nothing.
            step = max(np.abs(b - old).max(), lr)
            assert np.abs(a - b).max() <= 1e-8 * step, (name, i)
    norms = [layer for layer in g.layers if isinstance(layer, k.BatchNorm)]
    for ours, theirs in zip(batch_norms(state.generator), norms, strict=True):
        np.testing.assert_allclose(ours.running_mean.numpy(), theirs.moving[0], rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(ours.running_var.numpy(), theirs.moving[1], rtol=1e-8, atol=1e-12)
    per_update = 3 if t["split"] else 2  # losses; the last is the generator's
    expected = np.mean(losses[per_update - 1 :: per_update])
    assert state.take_means()["loss_g"] == pytest.approx(expected, rel=1e-6)


def shapes(layers, shape):
    net = k.Net(layers)
    x, found = np.zeros((2, *shape)), []
    random = np.random.default_rng(0)
    for layer in layers:
        layer.params = [random.normal(size=s) for s in layer.shapes(x.shape)]
        x = layer.forward(x, False)
        found.append(x.shape[2:])
    assert net.layers
    return [s[0] for s in found if s]


def test_sizes_after_each_layer():
    conv = [n for i, n in enumerate(shapes(discriminator_50(), (3, 50, 50))) if i % 2 == 0]
    assert [50, *conv[:4]] == [50, 48, 22, 9, 4]
    assert shapes(discriminator_80(), (3, 80, 80))[::2][:5] == [80, 40, 20, 10, 5]
    assert shapes(generator_128(), (128,))[-1] == 128 and shapes(generator_50(), (100,))[-1] == 50


@pytest.mark.parametrize("name", TUTORIALS)
def test_first_weights_are_keras_defaults(name):
    """Glorot uniform: bounded by sqrt(6 / (fans)), with its variance; biases 0; batch norm 1 and 0."""
    config = recipe(name)
    state = create_state(config, TUTORIALS[name]["shape"], torch.device("cpu"))
    for module in (*state.generator.modules(), *state.discriminator.modules()):
        weight = getattr(module, "weight", None)
        if weight is None:
            continue
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            assert module.eps == 1e-3 and bool((weight == 1).all()) and not bool(module.bias.any())
            continue
        fans = (weight.shape[0] + weight.shape[1]) * int(np.prod(weight.shape[2:]))
        bound = np.sqrt(6 / fans)
        assert float(weight.detach().abs().max()) <= bound * (1 + 1e-6) and not bool(module.bias.any())
        if weight.numel() > 1000:
            assert float(weight.detach().std()) == pytest.approx(bound / np.sqrt(3), rel=0.1)


@pytest.mark.parametrize(
    "name, momentum", [("digits-vanilla-28", 0.8), ("digits-dcgan-28", 0.99), ("faces-dcgan-50", 0.5)]
)
def test_momentum_is_one_minus_keras(name, momentum):
    state = create_state(recipe(name), TUTORIALS[name]["shape"], torch.device("cpu"))
    found = [norm.momentum for norm in batch_norms(state.generator)]
    assert found and found == pytest.approx([1 - momentum] * len(found))


def test_sequential_rows_restart_among_the_first_ten():
    """122 photos in batches of 20: rows in order; a pass ends where no whole batch is left."""
    config = override(recipe("faces-dcgan-50"), {"batch": 20})
    images = np.arange(122, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    feed = ImageFeed(images, config, torch.device("cpu"))
    starts, expected = [], 0
    for update in range(200):
        rows = torch.round((feed(update * 20, 20)[:, 0, 0, 0] + 1) * 127.5).int().tolist()
        assert rows == list(range(rows[0], rows[0] + 20))
        if expected + 20 > 122:
            starts.append(rows[0])
        else:
            assert rows[0] == expected
        expected = rows[0] + 20
    assert set(starts) <= set(range(10)) and len(set(starts)) > 5
    again = ImageFeed(images, config, torch.device("cpu"))
    assert torch.equal(again(150 * 20, 20), feed(150 * 20, 20))  # in whatever order one asks
