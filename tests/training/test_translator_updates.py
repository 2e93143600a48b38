"""Three updates of the papers' recipes, at a small size, against an independent computation in NumPy."""

from __future__ import annotations

import numpy as np
import numpy_tape as t
import pytest
import torch

from facegan import rng
from facegan.layers.picture_norm import PictureDropout
from facegan.recipes.config import check, override
from facegan.recipes.table import recipe
from facegan.training.initialization import create_state
from facegan.training.objective import objective_of, train_step

CPU, SIDE, PICTURES, UPDATES = torch.device("cpu"), 16, 5, 3
SMALL = {
    "size": SIDE,
    "kimg": UPDATES / 1000,  # so that the rates begin to fall at the third update
    "flip": False,
    "metric": "",
    "translation.jitter": 0,
    "discriminator.widths": (3, 4, 5),
}
LR = [2e-4, 2e-4, 2e-4 * (1 / 3) / 0.5]  # constant for half of the run, then linear to 0


def small(name, **changes):
    return check(override(recipe(name), {**SMALL, **changes}))


def pictures(seed):
    """Black and white, so that the range is exact in float32."""
    return np.random.default_rng(seed).choice(np.array([0, 255], np.uint8), (PICTURES, SIDE, SIDE, 3))


def at(images, row):
    return images[row : row + 1].transpose(0, 3, 1, 2) / 127.5 - 1


def parameters(network):
    """The network's parameters by name, for NumPy."""
    return {name: t.Value(p.detach().double().numpy().copy()) for name, p in network.named_parameters()}


def trained(config, *images):
    """Our state after three updates, the parameters before, and the masks of dropout."""
    state = create_state(config, (3, SIDE, SIDE), CPU, dtype=torch.float64)
    before = {name: parameters(state.networks[name]) for name in state.optimizers}
    masks = []
    for network in state.networks.values():
        for module in network.modules():
            if isinstance(module, PictureDropout):
                module.register_forward_hook(lambda m, x, y: masks.append((y != 0).numpy() / (1 - m.p)))
    sampler = objective_of(config).sampler(images[0], config, CPU, beside=images[1])
    for _ in range(UPDATES):
        train_step(state, sampler)
    return state, before, masks


def compare(state, after):
    for name, values in after.items():
        for key, ours in parameters(state.networks[name]).items():
            # Of a bias before a norm, the gradient is 0 but for rounding, of which epsilon leaves little.
            close = 1e-6 if key.endswith("bias") else 1e-9
            np.testing.assert_allclose(ours.data, values[key].data, rtol=0, atol=close * LR[0], err_msg=key)


def in_turn(values):
    """Take parameters in their order of definition."""
    left = list(values.values())
    return lambda: left.pop(0)


def discriminator(p, x, norm):
    """C3-C4-C5: 4x4, the first two of stride 2, the first without norm; then one logit for each patch."""
    take = in_turn(p)
    x = t.leaky(t.conv(x, take(), take(), stride=2, pad=1), 0.2)
    for stride in (2, 1):
        x = t.leaky(norm(t.conv(x, take(), *bias(norm, take), stride=stride, pad=1), take), 0.2)
    return t.conv(x, take(), take(), pad=1)


def batch_norm(x, take):
    return t.affine(t.norm(x, (0, 2, 3)), take(), take())


def instance_norm(x, take):
    return t.norm(x, (2, 3))


def bias(norm, take):
    """Batch norm makes the bias before it superfluous, instance norm of the authors does not."""
    return () if norm is batch_norm else (take(),)


def mean(*values):
    return float(np.mean(values))


# --- pix2pix ------------------------------------------------------------------------------------------


def unet(p, x, masks):
    """C2-C3-C4-C4, then CD4-CD3-CD2 with the encoder's maps beside them, then the picture."""
    take = in_turn(p)
    first = t.conv(x, take(), stride=2, pad=1)
    second = batch_norm(t.conv(t.leaky(first, 0.2), take(), stride=2, pad=1), take)
    third = batch_norm(t.conv(t.leaky(second, 0.2), take(), stride=2, pad=1), take)
    x = t.conv(t.leaky(third, 0.2), take(), stride=2, pad=1)
    for skip in (third, second, first):
        up = batch_norm(t.conv_transposed(t.leaky(x), take()), take)
        x = t.joined(skip, t.times(up, masks.pop(0)))
    return t.tanh(t.conv_transposed(t.leaky(x), take(), take()))


def test_three_updates_of_pix2pix():
    config = small("pix2pix-256", input="given", **{"generator.widths": (2, 3, 4, 4)})
    targets, inputs = pictures(0), pictures(1)
    state, nets, masks = trained(config, targets, inputs)
    assert len(masks) == 3 * UPDATES  # drawn once: the same results serve both networks
    g, d = nets["generator"], nets["discriminator"]
    g_adam, d_adam = t.Adam(list(g.values())), t.Adam(list(d.values()))
    losses = {"loss_d": [], "loss_g": [], "loss_l1": []}
    for update, row in enumerate(rng.permutation(0, "order", 0, n=PICTURES)[:UPDATES]):
        x, y = t.Value(at(inputs, row)), at(targets, row)
        fake = unet(g, x, masks)

        def judged(picture, x=x):
            return discriminator(d, t.joined(x, picture), batch_norm)

        # Equation 1, halved while optimising D; then the alternative objective, and 100 times equation 3.
        d_loss = 0.5 * (t.softplus_mean(judged(t.Value(y)), -1) + t.softplus_mean(judged(fake.detached()), 1))
        d_adam.zero()
        d_loss.backward()
        d_adam.step(LR[update])
        l1 = t.difference(fake, y)
        g_loss = t.softplus_mean(judged(fake), -1) + 100 * l1
        g_adam.zero()
        g_loss.backward()
        g_adam.step(LR[update])
        for name, value in (("loss_d", d_loss), ("loss_g", g_loss), ("loss_l1", l1)):
            losses[name].append(value.data)
    assert not masks
    compare(state, nets)
    means = state.take_means()
    assert {k: means[k] for k in losses} == pytest.approx({k: mean(*v) for k, v in losses.items()}, rel=1e-6)


# --- CycleGAN -----------------------------------------------------------------------------------------


def resnet(p, x):
    """c7s1-2, d3, d4, R4, u3, u2, c7s1-3 with reflected borders and instance norm."""
    take = in_turn(p)

    def block(x):
        return instance_norm(x, take)

    x = t.leaky(block(t.conv(t.reflected(x, 3), take(), take())))
    for _ in range(2):
        x = t.leaky(block(t.conv(x, take(), take(), stride=2, pad=1)))
    inner = t.leaky(block(t.conv(t.reflected(x, 1), take(), take())))
    x = x + block(t.conv(t.reflected(inner, 1), take(), take()))
    for _ in range(2):
        x = t.leaky(block(t.conv_transposed(x, take(), take(), more=1)))
    return t.tanh(t.conv(t.reflected(x, 3), take(), take()))


class Pool:
    """Shows a new result, or for half of them an earlier one, whose place it takes."""

    def __init__(self, size, purpose):
        self.size, self.purpose, self.rows = size, purpose, []

    def __call__(self, image, index):
        chance, place = rng.uniform(0, f"pool-{self.purpose}", index, count=1, per_item=2)[0]
        if len(self.rows) < self.size:
            self.rows.append(image)
        elif chance > 0.5:
            self.rows[int(place * self.size)], image = image, self.rows[int(place * self.size)]
        return t.Value(image)


def test_three_updates_of_cyclegan():
    changes = {"generator.widths": (2, 3, 4), "generator.blocks": 1, "translation.pool": 1}
    config = small("cyclegan-256", **changes)
    domains = pictures(0), pictures(1)
    state, nets, _ = trained(config, *domains)
    ab, ba, d_a, d_b = nets.values()
    g_adam = t.Adam([*ab.values(), *ba.values()])
    d_adam = t.Adam([*d_a.values(), *d_b.values()])
    pools = Pool(1, "a"), Pool(1, "b")
    other = rng.torch_seed(0, "second domain", 0)
    orders = [rng.permutation(seed, "order", 0, n=PICTURES) for seed in (0, other)]
    losses = {"loss_d": [], "loss_g": [], "loss_cycle": [], "loss_identity": []}
    for update, (i, j) in list(enumerate(zip(*orders, strict=True)))[:UPDATES]:
        a, b = at(domains[0], i), at(domains[1], j)
        fake_b, fake_a = resnet(ab, t.Value(a)), resnet(ba, t.Value(b))
        cycle = t.difference(resnet(ba, fake_b), a) + t.difference(resnet(ab, fake_a), b)
        same = t.difference(resnet(ab, t.Value(b)), b) + t.difference(resnet(ba, t.Value(a)), a)
        fooled = [
            t.square_mean(discriminator(d, fake, instance_norm), 1)
            for d, fake in ((d_a, fake_a), (d_b, fake_b))
        ]
        g_loss = fooled[0] + fooled[1] + 10 * cycle + 5 * same
        g_adam.zero()
        g_loss.backward()
        g_adam.step(LR[update])
        d_losses = [
            0.5
            * (
                t.square_mean(discriminator(d, t.Value(real), instance_norm), 1)
                + t.square_mean(discriminator(d, pool(fake.data, update), instance_norm), 0)
            )
            for d, real, pool, fake in ((d_a, a, pools[0], fake_a), (d_b, b, pools[1], fake_b))
        ]
        d_adam.zero()
        (d_losses[0] + d_losses[1]).backward()
        d_adam.step(LR[update])
        losses["loss_d"].append(mean(*(x.data for x in d_losses)))
        for name, value in (("loss_g", g_loss), ("loss_cycle", cycle), ("loss_identity", same)):
            losses[name].append(value.data)
    compare(state, nets)
    means = state.take_means()
    assert {k: means[k] for k in losses} == pytest.approx({k: mean(*v) for k, v in losses.items()}, rel=1e-6)
    for name, pool in zip("ab", pools, strict=True):
        np.testing.assert_allclose(state.extra[f"pool_{name}"].numpy(), np.concatenate(pool.rows), atol=1e-12)
