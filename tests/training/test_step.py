"""One update: what it counts, what it changes, and that nothing but counts decides it."""

import math

import numpy as np
import pytest
import torch
from narrow import reduced, sampler

from facegan import rng
from facegan.families import get_family
from facegan.generator import Latent
from facegan.layers.ema import batch_norms, ema_decay, recalibrate_batch_norm, update_ema
from facegan.losses.adversarial import LOSSES
from facegan.recipes.table import RECIPES, recipe
from facegan.training import batches as aids
from facegan.training.batches import Batch, draw_latents
from facegan.training.initialization import create_state
from facegan.training.objective import train_step
from facegan.training.sampler import ImageSampler
from facegan.training.schedules import set_rates

CPU = torch.device("cpu")


def small(name="faces-tiny-32", **changes):
    return reduced(name, **changes)


def images(config, n=16):
    size, channels = config.size, config.channels or 3
    return np.random.default_rng(0).integers(0, 256, (n, size, size, channels), np.uint8)


def run(config, updates=2, start=None):
    pictures = images(config)
    state = start or create_state(config, (pictures.shape[3], *pictures.shape[1:3]), CPU)
    feed = sampler(config, pictures, CPU)
    for _ in range(updates):
        train_step(state, feed)
    return state


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_and_counts_alike_each_time(name):
    config = small(name)
    state, again = run(config), run(config)
    for name, network in state.networks.items():
        for (key, x), y in zip(
            network.state_dict().items(), again.networks[name].state_dict().values(), strict=True
        ):
            assert torch.equal(x, y), (name, key)
    means = state.take_means()
    assert state.images_seen == 2 * config.batch * config.d_updates and state.updates == 2
    assert {"loss_g", "loss_d", "accuracy_real", "accuracy_fake", "score_real", "score_fake"} <= means.keys()
    assert all(math.isfinite(value) for value in means.values())
    averages = state.networks.keys() - state.optimizers
    assert averages == (set(state.objective.averages) if config.ema_halflife_kimg > 0 else set())


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_trains(loss):
    state = run(small(loss=loss, r2_gamma=0.1))
    assert all(math.isfinite(value) for value in state.take_means().values())


def test_seeds_differ():
    a, b = run(small(), 0), run(small(seed=1), 0)
    first_a, first_b = (next(s.generator.parameters()) for s in (a, b))
    assert not torch.equal(first_a, first_b)


def test_plain_step_equals_a_hand_written_one():
    """Adam on the textbook losses, with the same weights, images and latents, without facegan's step."""
    config = small(r1_gamma=0.0, flip=False, ema_halflife_kimg=0.0)
    state = create_state(config, (3, 32, 32), CPU)
    pictures = images(config)
    family = get_family("dcgan")
    g = family.build_generator(config.model.generator, (3, 32, 32), config.latent.dim)
    d = family.build_discriminator(config.model.discriminator, (3, 32, 32))
    g.load_state_dict(state.generator.state_dict())
    d.load_state_dict(state.discriminator.state_dict())
    real = ImageSampler(pictures, config, CPU)(0, 4)
    z = draw_latents(create_state(config, (3, 32, 32), CPU), Batch(0, 4))
    opt_g = torch.optim.Adam(g.parameters(), config.model.generator.lr, (0.5, 0.999))
    opt_d = torch.optim.Adam(d.parameters(), config.model.discriminator.lr, (0.5, 0.999))
    fake = g(z)
    loss_d = -torch.log(torch.sigmoid(d(real))).mean() - torch.log(1 - torch.sigmoid(d(fake.detach()))).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    opt_g.zero_grad()
    (-torch.log(torch.sigmoid(d(fake))).mean()).backward()
    opt_g.step()
    train_step(state, ImageSampler(pictures, config, CPU))
    assert state.take_means()["loss_d"] == pytest.approx(float(loss_d.detach()), rel=1e-5)
    for ours, theirs in ((state.generator, g), (state.discriminator, d)):
        x, y = (torch.cat([p.detach().flatten() for p in net.parameters()]) for net in (ours, theirs))
        # Adam's first step is lr x sign(gradient): agreement within a hundredth of that step, but for
        # the few whose gradient is zero up to rounding (biases before a batch norm).
        assert ((x - y).abs() < 0.01 * config.model.generator.lr).float().mean() > 0.995


def test_learning_rate_schedules():
    config = small(warmup_kimg=0.04, cooldown=0.5, kimg=1.0, **{"generator.lr_decay": 0.1})
    state = create_state(config, (3, 32, 32), CPU)

    def rates(images_seen, updates):
        state.images_seen, state.updates = images_seen, updates
        set_rates(state)
        return [
            o.param_groups[0]["lr"]
            for o in (state.optimizers["generator"], state.optimizers["discriminator"])
        ]

    lr = config.model.generator.lr
    assert rates(0, 0) == pytest.approx([lr * 0.1, lr * 0.1])  # 4 of 40 warm-up images
    assert rates(500, 10) == pytest.approx([lr / 2, lr])  # decay halves after 10 updates
    assert rates(750, 0) == pytest.approx([lr / 2, lr / 2])  # half of the cool-down


def test_ema_halves_after_its_halflife():
    decay = ema_decay(10, 1.0, 10**9, rampup=0.05)
    assert decay**100 == pytest.approx(0.5)
    assert ema_decay(10, 1.0, 100, rampup=0.05) == pytest.approx(0.25)  # ramp-up: half-life of 5 images
    a, b = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    expected = 0.75 * a.weight.detach().clone() + 0.25 * b.weight.detach()
    update_ema(a, b, 0.75)
    torch.testing.assert_close(a.weight.detach(), expected)


def test_batch_norm_statistics_after_recalibration():
    """Statistics equal those of the inputs, and one image is the same alone and in a batch."""
    config = recipe("faces-tiny-32")
    net = get_family("dcgan").build_generator(config.model.generator, (3, 32, 32), 64)
    z = torch.randn(512, 64)
    recalibrate_batch_norm(net, z.split(64))
    flat = net.layers[0:2](z)
    first = batch_norms(net)[0]
    torch.testing.assert_close(first.running_mean, flat.mean((0, 2, 3)), atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        torch.testing.assert_close(net(z[:1]), net(z[:8])[:1], atol=1e-5, rtol=1e-4)


def test_training_latents_follow_the_recipe():
    config = small("digits-vanilla-28")
    z = draw_latents(create_state(config, (1, 28, 28), CPU), Batch(0, 2000))
    assert abs(float(z.mean()) + 0.5) < 0.01 and abs(float(z.std()) - 0.5) < 0.01
    assert Latent(dim=100).sample(range(200)).std() == pytest.approx(1.0, abs=0.03)


def test_frozen_fakes_use_the_moving_statistics():
    """In Keras's predict the generator's batch norm neither uses nor moves the batch's statistics."""
    config = small("digits-dcgan-28")
    state = create_state(config, (1, 28, 28), CPU)
    norm = batch_norms(state.generator)[0]
    run(config, 1, state)
    # One update of the generator, none of the discriminator's fakes, moved the statistics.
    assert int(norm.num_batches_tracked) == 1


@pytest.mark.parametrize("loss", LOSSES)
def test_a_discriminator_that_knows_nothing_asks_for_no_augmentation(loss):
    """Its logits are one number: the loss's boundary, or where the loss has none, any."""
    config = small(loss=loss, augment="ada", augment_kimg=0.1)
    state = create_state(config, (3, 32, 32), CPU)
    state.lr_scale = 0.0
    with torch.no_grad():
        weight, bias = list(state.discriminator.parameters())[-2:]
        weight.zero_()
        bias.fill_(LOSSES[loss].boundary if LOSSES[loss].d_real and LOSSES[loss].bounded else 3.0)
    run(config, 8, state)
    assert state.augment.heuristic == 0.0 and state.augment.p == 0.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_both_kinds_are_augmented_by_the_same_distribution(dtype, monkeypatch):
    """Generated pictures may come in half precision; what is drawn for them must not."""
    drawn = []
    monkeypatch.setitem(aids.AUGMENTS, "ada", lambda x, p, draw: drawn.append(draw("some", 4)) or x)
    state = create_state(small(augment="ada", augment_p=0.5), (3, 32, 32), CPU)
    aids.augmented(state, torch.zeros(1000, 3, 4, 4, dtype=dtype), "fake", first=0)
    (u,) = drawn
    assert u.dtype == torch.float32 and u.shape == (1000, 4) and len(u.unique()) > 3990
    assert torch.equal(
        u, torch.from_numpy(rng.uniform(0, "augment-fake-some", 0, count=1000, per_item=4)).float()
    )


def test_an_average_that_was_begun_with_outlives_the_burn_in():
    config = small(burnin_kimg=1.0, burnin_ema=True, ema_halflife_kimg=1.0)
    ages = {}
    for before in (0, 100_000):
        state = create_state(config, (3, 32, 32), CPU)
        state.images_before = before
        start = [p.clone() for p in state.ema.parameters()]
        run(config, 1, state)
        moved = [
            (a - b).norm() / (c - b).norm()
            for a, b, c in zip(state.ema.parameters(), start, state.generator.parameters(), strict=True)
        ]
        ages[before] = float(torch.stack(moved).nanmean().detach())
    assert ages[0] == pytest.approx(1.0, abs=1e-3)  # it follows at once
    assert ages[100_000] == pytest.approx(1 - 0.5 ** (config.batch / 1000), rel=0.05)
