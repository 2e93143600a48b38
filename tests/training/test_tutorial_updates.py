"""Two whole updates of each tutorial's recipe against Keras's arithmetic in NumPy (keras_numpy.py).

Networks, batches, labels and optimisers are written out here from the tutorials, not read from facegan's
recipes; given to both sides are the first weights, the real pictures, what was drawn (latents, label noise,
dropout masks), and nothing else. Widths are a fraction of the full ones, in float64.
"""

import keras_numpy as k
import numpy as np
import pytest
import torch

from facegan import distributed, rng
from facegan.layers.ema import batch_norms
from facegan.recipes.config import check, override
from facegan.recipes.table import recipe
from facegan.training.initialization import create_state
from facegan.training.objective import train_step
from facegan.training.sampler import ImageSampler

PARTS = 32  # networks of a part of the width, for time


def chain(groups):
    return [layer for group in groups for layer in group]


def thin(units):
    return max(1, round(units / PARTS))


def tanh_generator(side, channels):
    return [
        k.Dense(thin(1024)),
        k.Tanh(),
        k.Dense(side * side * thin(128)),
        k.BatchNorm(0.99),
        k.Tanh(),
        k.Reshape(thin(128), side, side),
        k.Up(),
        k.Conv(thin(64), 5),
        k.Tanh(),
        k.Up(),
        k.Conv(channels, 5),
        k.Tanh(),
    ]


def tanh_discriminator():
    return [
        k.Conv(thin(64), 5),
        k.Tanh(),
        k.Pool(),
        k.Conv(thin(128), 5, padding="valid"),
        k.Tanh(),
        k.Pool(),
        k.Reshape(),
        k.Dense(thin(1024)),
        k.Tanh(),
        k.Dense(1),
    ]


def vanilla_generator():
    hidden = [[k.Dense(thin(n)), k.Leaky(0.2), k.BatchNorm(0.8)] for n in (256, 512, 1024)]
    return [*chain(hidden), k.Dense(784), k.Tanh(), k.Reshape(1, 28, 28)]


def vanilla_discriminator():
    return [k.Reshape(), k.Dense(thin(784)), k.Leaky(0.2), k.Dense(thin(392)), k.Leaky(0.2), k.Dense(1)]


def generator_80():
    up = [[k.ConvT(thin(128), 4, 2), k.Leaky(0.2)] for _ in range(4)]
    start = [k.Dense(25 * thin(128)), k.Leaky(0.2), k.Reshape(thin(128), 5, 5)]
    return [*start, *chain(up), k.Conv(3, 5), k.Tanh()]


def discriminator_80():
    down = [[k.Conv(thin(128), 5, 2), k.Leaky(0.2)] for _ in range(4)]
    return [k.Conv(thin(128), 5), k.Leaky(0.2), *chain(down), k.Dropout(0.4), k.Reshape(), k.Dense(1)]


def generator_50():
    def after(layer):
        return [layer, k.BatchNorm(0.5), k.Leaky(0.0)]

    return [
        *after(k.Dense(625 * thin(128))),
        k.Reshape(thin(128), 25, 25),
        *after(k.Conv(thin(512), 5)),
        *after(k.ConvT(thin(256), 4, 2)),
        *after(k.Conv(thin(256), 5)),
        *after(k.Conv(thin(128), 5)),
        *after(k.Conv(thin(64), 5)),
        k.Conv(3, 7),
        k.Tanh(),
    ]


def discriminator_50():
    return [
        k.Conv(thin(256), 3, 1, "valid"),
        k.Leaky(0.3),
        k.Conv(thin(256), 5, 2, "valid"),
        k.Leaky(0.3),
        k.Conv(thin(256), 5, 2, "valid"),
        k.Leaky(0.3),
        k.Conv(thin(256), 3, 2, "valid"),
        k.Leaky(0.3),
        k.Dropout(0.5),
        k.Reshape(),
        k.Dense(1),
    ]


def generator_128():
    up = [[k.ConvT(thin(n), 4, 2), k.Leaky(0.2)] for n in (128, 256, 512)]
    start = [k.Dense(256 * thin(128)), k.Reshape(thin(128), 16, 16)]
    return [*start, *chain(up), k.Conv(3, 4), k.Sigmoid()]


def discriminator_128():
    down = [[k.Conv(thin(n), 4, 2), k.Leaky(0.2)] for n in (64, 128, 128)]
    return [*chain(down), k.Dropout(0.2), k.Reshape(), k.Dense(1)]


SLOW = {"lr": 2e-4, "beta_1": 0.5, "decay": 8e-8}
FAST = {"lr": 2e-4, "beta_1": 0.5}
FLIP = {"real": 0.0, "fake": 1.0, "g_target": 0.0}
COMMON = {
    "real": 1.0,
    "fake": 0.0,
    "g_target": 1.0,
    "noise": 0.0,
    "z": (100, 0.0, 1.0),
    "split": False,
    "unit": False,
}
PICTURES = 40


def random_start(update, n):
    """Neighbouring rows from a random one."""
    first = int(rng.uniform(0, "rows", update * n, count=1)[0, 0] * (PICTURES - n + 1))
    return range(first, first + n)


def with_replacement(update, n):
    return [int(u * PICTURES) for u in rng.uniform(0, "rows", update * n, count=n)[:, 0]]


def in_order(update, n):
    return range(update * n, (update + 1) * n)


def shuffled(update, n):  # this recipe's tutorial leaves the order open
    return rng.permutation(0, "order", 0, n=PICTURES)[update * n : (update + 1) * n]


SIXTEEN = {**COMMON, "rows": random_start, "d_batch": 16, "g_adam": SLOW, "d_adam": SLOW}
DIGITS = {**SIXTEEN, "shape": (1, 28, 28), "g_batch": 32, "z": (100, -0.5, 0.5)}
# ``d_batch`` real and as many generated pictures make an update of the discriminator, or one each if split
TUTORIALS = {
    "digits-vanilla-28": {**DIGITS, "nets": (vanilla_generator, vanilla_discriminator)},
    "digits-dcgan-28": {**DIGITS, "nets": (lambda: tanh_generator(7, 1), tanh_discriminator)},
    "faces-dcgan-56": {
        **SIXTEEN,
        "nets": (lambda: tanh_generator(14, 3), tanh_discriminator),
        "shape": (3, 56, 56),
        "g_batch": 64,
    },
    "faces-dcgan-80": {
        **COMMON,
        "rows": with_replacement,
        "nets": (generator_80, discriminator_80),
        "shape": (3, 80, 80),
        "d_batch": 64,
        "g_batch": 128,
        "g_adam": FAST,
        "d_adam": FAST,
        "split": True,
    },
    "faces-dcgan-50": {
        **COMMON,
        "rows": in_order,
        **FLIP,
        "nets": (generator_50, discriminator_50),
        "shape": (3, 50, 50),
        "d_batch": 20,
        "g_batch": 20,
        "noise": 0.1,
        "unit": True,
        "g_adam": {"lr": 4e-4},
        "d_adam": {"lr": 8e-4},
    },
    "faces-dcgan-128": {
        **COMMON,
        "rows": shuffled,
        **FLIP,
        "nets": (generator_128, discriminator_128),
        "shape": (3, 128, 128),
        "d_batch": 32,
        "g_batch": 32,
        "noise": 0.05,
        "z": (128, 0.0, 1.0),
        "unit": True,
        "g_adam": {"lr": 1e-4},
        "d_adam": {"lr": 1e-4},
    },
}
SMALLER = 4  # batches of a quarter, for time; sizes as the tutorials have them are asserted beside


def arrays(module):
    return (p.detach().double().numpy() for p in module.parameters())


def facegan_side(name, t, pictures):
    """Weights before, the state after two updates, and what the discriminator's dropout kept."""
    config = recipe(name)
    assert (config.batch, config.g_batch or config.batch) == (t["d_batch"], t["g_batch"])
    small = {"generator.width": 1 / PARTS, "discriminator.width": 1 / PARTS}
    small |= {"batch": t["d_batch"] // SMALLER, "g_batch": t["g_batch"] // SMALLER}
    config = check(override(config, small))
    state = create_state(config, t["shape"], torch.device("cpu"), dtype=torch.float64)
    before = [[a.copy() for a in arrays(m)] for m in (state.generator, state.discriminator)]
    masks = []
    for module in state.discriminator.modules():
        if isinstance(module, distributed.Dropout):
            module.register_forward_hook(lambda m, x, y: masks.append(y.detach().numpy() != 0))
    feed = ImageSampler(pictures, config, torch.device("cpu"))
    for _ in range(2):
        train_step(state, feed)
    return before, state, masks


def keras_side(t, before, masks, pictures):
    """Two updates by the tutorials' own words. Losses: the discriminator's without noise, the generator's."""
    g_layers, d_layers = t["nets"]
    dim, mean, std = t["z"]
    g = k.Net(g_layers()).build((dim,), iter(before[0]))
    d = k.Net(d_layers()).build(t["shape"], iter(before[1]))
    g_adam, d_adam = k.Adam(**t["g_adam"]), k.Adam(**t["d_adam"])
    n, n_g, drawn = t["d_batch"] // SMALLER, t["g_batch"] // SMALLER, 0
    d_losses, g_losses = [], []
    for layer in d.layers:
        if isinstance(layer, k.Dropout):
            layer.masks = masks

    def latents(count):
        nonlocal drawn
        drawn += count
        normal = rng.normal(0, "latent", drawn - count, count=count, per_item=dim)
        return (normal * np.float32(std) + np.float32(mean)).astype(np.float64)

    def noise(kind, start):
        return t["noise"] * rng.uniform(0, f"label-noise-{kind}", start, count=n)[:, 0]

    def train_discriminator(x, target, plain):
        logits = d.forward(x)
        d_losses.append(k.cross_entropy(logits, plain)[0])
        d.backward(k.cross_entropy(logits, target)[1])
        d_adam.step(d)

    for update in range(2):
        first = drawn
        fake = g.forward(latents(n), training=False)  # predict
        real = pictures[t["rows"](update, n)].transpose(0, 3, 1, 2) / 255
        real = real if t["unit"] else real * 2 - 1
        plain_real, plain_fake = np.full(n, t["real"]), np.full(n, t["fake"])
        to_real = plain_real + noise("real", update * n)
        to_fake = plain_fake + noise("fake", first)
        if t["split"]:
            train_discriminator(real, to_real, plain_real)
            train_discriminator(fake, to_fake, plain_fake)
        else:
            # One batch. Its order changes nothing but which mask is whose: real ones were drawn first.
            if masks:
                masks[:2] = [np.concatenate([masks[1], masks[0]])]
            train_discriminator(
                np.concatenate([fake, real]),
                np.concatenate([to_fake, to_real]),
                np.concatenate([plain_fake, plain_real]),
            )
        logits = d.forward(g.forward(latents(n_g)))
        loss, dy = k.cross_entropy(logits, np.full(n_g, t["g_target"]))
        g.backward(d.backward(dy))
        g_adam.step(g)
        g_losses.append(loss)
    return g, d, np.mean(d_losses), np.mean(g_losses)


@pytest.mark.parametrize("name", TUTORIALS)
def test_two_updates_are_those_of_keras(name):
    t = TUTORIALS[name]
    c, h, w = t["shape"]
    # Black and white, so that every formula for the value range is exact
    pictures = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (PICTURES, h, w, c))
    before, state, masks = facegan_side(name, t, pictures)
    g, d, d_loss, g_loss = keras_side(t, before, masks, pictures)
    assert not masks  # every one was used
    for ours, theirs, start, lr in (
        (state.generator, g, before[0], t["g_adam"]["lr"]),
        (state.discriminator, d, before[1], t["d_adam"]["lr"]),
    ):
        expected = [p for layer in theirs.layers for p in layer.params]
        for i, (a, b, old) in enumerate(zip(arrays(ours), expected, start, strict=True)):
            # The gradient of a bias before batch norm is 0 but for rounding: its step means nothing.
            step = max(np.abs(b - old).max(), lr)
            assert np.abs(a - b).max() <= 1e-9 * step, (name, i)
    norms = [layer for layer in g.layers if isinstance(layer, k.BatchNorm)]
    for ours, theirs in zip(batch_norms(state.generator), norms, strict=True):
        np.testing.assert_allclose(ours.running_mean.numpy(), theirs.moving[0], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(ours.running_var.numpy(), theirs.moving[1], rtol=1e-9, atol=1e-12)
    means = state.take_means()  # collected in float32
    assert (means["loss_d"], means["loss_g"]) == pytest.approx((d_loss, g_loss), rel=1e-6)


@pytest.mark.parametrize("beta_1", [0.5, 0.9])
def test_epsilon_stands_where_keras_has_it(beta_1):
    """A constant gradient g moves a weight by lr g / (g + e / sqrt(1 - 0.999^t)); PyTorch has no root there.

    That matters: half of the generator's first gradients in faces-dcgan-80 are below 1.5e-6, where Keras's
    step is 0.34 of PyTorch's; the whole first step differs by 0.62 of its length, in digits-dcgan-28 by 0.15.
    """
    gradients = 10.0 ** -np.arange(7)
    lr, eps = 2e-4, 1e-7
    layer = k.Layer()
    layer.params, layer.grads = [np.zeros(7)], [gradients]
    net, adam = k.Net([layer]), k.Adam(lr, beta_1)
    weights = torch.zeros(7, dtype=torch.float64, requires_grad=True)
    torchs = torch.optim.Adam([weights], lr, (beta_1, 0.999), eps)
    for t in range(1, 51):
        old, torch_old = layer.params[0], weights.detach().clone()
        weights.grad = torch.from_numpy(gradients)
        adam.step(net)
        torchs.step()
        keras = lr * gradients / (gradients + eps / np.sqrt(1 - 0.999**t))
        np.testing.assert_allclose(old - layer.params[0], keras, rtol=1e-9)
        plain = lr * gradients / (gradients + eps)
        np.testing.assert_allclose((torch_old - weights.detach()).numpy(), plain, rtol=1e-9)
        # They differ by less than the ratio of the two epsilons: at most 30.6 e / g, at the first update.
        assert ((1 - keras / plain) * gradients < 30.7 * eps).all()


# Height after each convolution, upsampling and pooling
SIZES = {
    "digits-vanilla-28": ([], []),
    "digits-dcgan-28": ([14, 14, 28, 28], [28, 14, 10, 5]),
    "faces-dcgan-56": ([28, 28, 56, 56], [56, 28, 24, 12]),
    "faces-dcgan-80": ([10, 20, 40, 80, 80], [80, 40, 20, 10, 5]),
    "faces-dcgan-50": ([25, 50, 50, 50, 50, 50], [48, 22, 9, 4]),
    "faces-dcgan-128": ([32, 64, 128, 128], [64, 32, 16]),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_after_each_layer(name):
    small = override(recipe(name), {"generator.width": 1 / PARTS, "discriminator.width": 1 / PARTS})
    state = create_state(small, TUTORIALS[name]["shape"], torch.device("cpu"))
    found = []
    kinds = (torch.nn.Conv2d, torch.nn.ConvTranspose2d, torch.nn.Upsample, torch.nn.MaxPool2d)
    for module in (*state.generator.modules(), *state.discriminator.modules()):
        if isinstance(module, kinds):
            module.register_forward_hook(lambda m, x, y: found.append(tuple(y.shape[2:])))
    with torch.no_grad():
        picture = state.generator.eval()(torch.zeros(1, TUTORIALS[name]["z"][0]))
        assert picture.shape[1:] == TUTORIALS[name]["shape"]
        state.discriminator.eval()(picture)
    assert found == [(n, n) for side in SIZES[name] for n in side]


@pytest.mark.parametrize("name", TUTORIALS)
def test_values_are_in_the_tutorials_range(name):
    """What the discriminator's first layer sees of the values 0 to 255."""
    t = TUTORIALS[name]
    c, h, w = t["shape"]
    values = np.arange(256, dtype=np.uint8)
    pictures = np.zeros((256, h, w, c), np.uint8) + values[:, None, None, None]
    config = override(
        recipe(name), {"discriminator.width": 1 / PARTS, "sampling": "consecutive", "batch": 256}
    )
    seen = []
    state = create_state(override(config, {"generator.width": 1 / PARTS}), t["shape"], torch.device("cpu"))
    next(iter(state.discriminator.layers)).register_forward_pre_hook(
        lambda m, x: seen.append(x[0][:, 0, 0, 0])
    )
    with torch.no_grad():
        state.discriminator(ImageSampler(pictures, config, torch.device("cpu"))(0, 256))
    expected = values / 255 if t["unit"] else (values - 127.5) / 127.5
    np.testing.assert_allclose(seen[0].numpy(), expected, atol=2e-7)


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
    feed = ImageSampler(images, config, torch.device("cpu"))
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
    again = ImageSampler(images, config, torch.device("cpu"))
    assert torch.equal(again(150 * 20, 20), feed(150 * 20, 20))  # in whatever order one asks
