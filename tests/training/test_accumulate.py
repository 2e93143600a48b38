"""Accumulation equals the large batch, in float64 and without batch norm; label noise and flipped labels."""

import numpy as np
import pytest
import torch

from facegan import rng
from facegan.errors import ConfigError
from facegan.losses.adversarial import LOSSES
from facegan.recipes.config import check, override
from facegan.recipes.table import recipe
from facegan.training.adversarial import Pair, update_discriminator, update_generator
from facegan.training.batches import Batch, draw_latents
from facegan.training.initialization import create_state
from facegan.training.objective import train_step

CPU, SHAPE = torch.device("cpu"), (3, 8, 8)
# No batch norm: it sees one piece at a time, and says so in its help
NETS = {
    "generator.layers": "dense 2x2x8 lrelu; up; conv 8 3 lrelu; up; conv image 3 tanh",
    "discriminator.layers": "conv 8 4 s2 lrelu; conv 8 4 s2 lrelu; dense 1",
}
MBSTD = {"discriminator.layers": "conv 8 4 s2 lrelu; mbstd; conv 8 4 s2 lrelu; dense 1"}
PLAIN = {
    "family": "dcgan",
    "size": 8,
    "batch": 16,
    "latent.dim": 6,
    "r1_gamma": 0.0,
    "cooldown": 0.0,
    "generator.init": "he",
    "discriminator.init": "he",
    "generator.lr": 1e-3,
    "discriminator.lr": 2e-3,
    "ema_halflife_kimg": 0.05,
    **NETS,
}


def settings(**changes):
    return check(override(recipe("faces-tiny-32"), {**PLAIN, **changes}))


class Feed:
    """Images by their global index, in float64."""

    def __init__(self):
        self.images = torch.from_numpy(np.random.default_rng(1).uniform(-1, 1, (64, *SHAPE)))

    def __call__(self, start, count, part=None):
        low, high = part or (0, count)
        return self.images[torch.arange(start + low, start + high) % len(self.images)]


def trained(config, updates=3):
    state = create_state(config, SHAPE, CPU, dtype=torch.float64)
    for _ in range(updates):
        train_step(state, Feed())
    return state


def weights(state):
    nets = {"g": state.generator, "d": state.discriminator, "ema": state.ema}
    return {
        f"{side}.{key}": value.detach()
        for side, net in nets.items()
        if net is not None
        for key, value in net.state_dict().items()
    }


def assert_equal_weights(a, b, rel=1e-9):
    x, y = weights(a), weights(b)
    assert x.keys() == y.keys()
    for key in x:
        assert x[key].dtype == torch.float64
        assert float((x[key] - y[key]).norm()) <= rel * float(x[key].norm()) + 1e-12, key


CASES = {
    **{f"loss {loss}": {"loss": loss} for loss in LOSSES},
    "R1": {"r1_gamma": 2.0},
    "R1 now and then, and R2": {"r1_gamma": 2.0, "r2_gamma": 1.0, "r1_every": 2},
    "R1 with a loss over pairs": {"r1_gamma": 1.0, "loss": "relativistic"},
    "minibatch deviation": {**MBSTD, "r1_gamma": 1.0},
    "one network after the other": {"d_split": True, "loss": "bce"},
    "label noise": {"label_noise": 0.3, "loss": "bce"},
    "label noise, split": {"label_noise": 0.3, "loss": "bce", "d_split": True},
    "flipped labels with noise": {"flip_labels": True, "label_noise": 0.3, "loss": "bce"},
    "a larger batch for the generator": {"g_batch": 32, "reuse_fakes": False},
    "frozen fakes": {"frozen_fakes": True, "reuse_fakes": False, "g_batch": 24},
    "two updates of the discriminator": {"d_updates": 2},
    "fresh fakes": {"reuse_fakes": False},
}


@pytest.mark.parametrize("name", CASES)
def test_pieces_equal_the_whole(name):
    whole = trained(settings(**CASES[name]))
    start = create_state(settings(**CASES[name]), SHAPE, CPU, dtype=torch.float64)
    moved = [
        float((a - b).abs().max())
        for a, b in zip(*(weights(s).values() for s in (whole, start)), strict=True)
    ]
    # Every tensor has been trained; but a loss over pairs does not see the last bias.
    assert sorted(moved)[1 if CASES[name].get("loss") in ("relativistic", "wgan") else 0] > 1e-5
    means = whole.take_means()
    for accumulate in (2, 4):
        cut = trained(settings(**CASES[name], accumulate=accumulate))
        assert_equal_weights(whole, cut)
        assert (cut.images_seen, cut.fakes_drawn, cut.updates) == (
            whole.images_seen,
            whole.fakes_drawn,
            whole.updates,
        )
        # What the curves and the watchdog see is the same, too; its sums are kept in float32.
        assert cut.take_means() == pytest.approx(means, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("changes", [{}, {"reuse_fakes": False}, {"d_updates": 2}], ids=str)
def test_running_means_keep_their_pace(changes):
    """The average of w and the mean of path lengths, in networks that do not learn, in pieces as in one."""
    small = {
        "size": 16,
        "batch": 16,
        "latent.dim": 6,
        "augment": "",
        "generator.w_dim": 8,
        **{
            f"{side}.{name}": value
            for side in ("generator", "discriminator")
            for name, value in (("channel_base", 128), ("channel_max", 8), ("lr", 1e-12))
        },
    }
    found = {}
    for accumulate in (1, 2, 4):
        config = check(override(recipe("stylegan2-64-small"), {**small, **changes, "accumulate": accumulate}))
        state = create_state(config, (3, 16, 16), CPU, dtype=torch.float64)
        feed = Feed()
        feed.images = torch.nn.functional.interpolate(feed.images, scale_factor=2)
        for _ in range(6):
            train_step(state, feed)
        found[accumulate] = (state.generator.w_avg.clone(), float(state.path_mean))
    for pieces in (2, 4):
        assert found[pieces][1] == pytest.approx(found[1][1], rel=0.02)
        off = (found[pieces][0] - found[1][0]).norm() / found[1][0].norm()
        assert float(off) < 0.1


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"batch": 10, "accumulate": 4}, "--batch 10 cannot be cut by --accumulate into 4 equal pieces"),
        (
            {"g_batch": 18, "accumulate": 4, "reuse_fakes": False},
            "--g-batch 18 cannot be cut by --accumulate into 4 equal pieces",
        ),
        ({"accumulate": 0}, "--accumulate must be at least 1, not 0"),
        ({"batch": 4, "accumulate": 8}, "--batch 4 cannot be cut by --accumulate into 8 equal pieces"),
    ],
)
def test_batches_that_cannot_be_cut(changes, words):
    with pytest.raises(ConfigError) as caught:
        settings(**changes)
    assert words in str(caught.value) and "\n" not in str(caught.value)


# --- label noise and flipped labels -----------------------------------------------------------


def bce(p, t):
    """Keras's binary cross entropy of probabilities against labels, for labels beyond 0 and 1 as well."""
    return -(t * torch.log(p) + (1 - t) * torch.log(1 - p)).mean()


def by_hand(config, flipped):
    """One Adam step of the discriminator on BCE(D(x), t + noise), written out."""
    state = create_state(config, SHAPE, CPU, dtype=torch.float64)
    d = state.discriminator
    with torch.no_grad():
        fake = state.generator(draw_latents(state, Batch(0, config.batch)))
    u = [
        torch.from_numpy(
            rng.uniform(config.seed, f"label-noise-{kind}", 0, count=config.batch)[:, 0]
        ).double()
        for kind in ("real", "fake")
    ]
    labels = (0.0, 1.0) if flipped else (1.0, 0.0)
    images = (Feed()(0, config.batch), fake)
    losses = [
        bce(torch.sigmoid(d(x)), t + config.label_noise * noise)
        for x, t, noise in zip(images, labels, u, strict=True)
    ]
    objective = sum(losses) * (0.5 if config.loss == "bce" else 1.0)
    optimizer = torch.optim.Adam(d.parameters(), config.model.discriminator.lr, (0.5, 0.999))
    optimizer.zero_grad()
    objective.backward()
    gradients = [p.grad.clone() for p in d.parameters()]
    optimizer.step()
    return d, gradients


@pytest.mark.parametrize("loss", ["bce", "nonsaturating"])
@pytest.mark.parametrize("flipped", [False, True])
def test_label_noise_is_what_it_says(loss, flipped):
    config = settings(label_noise=0.25, loss=loss, flip_labels=flipped, **{"discriminator.eps": 1e-8})
    theirs, gradients = by_hand(config, flipped)
    ours = create_state(config, SHAPE, CPU, dtype=torch.float64)
    update_discriminator(Pair(ours, Feed(), Batch(0, 16), Batch(0, 16)))
    for a, b, g in zip(ours.discriminator.parameters(), theirs.parameters(), gradients, strict=True):
        torch.testing.assert_close(a.grad, g, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
    # The noise draws differ from 0 and between real and generated pictures.
    silent = create_state(settings(loss=loss, flip_labels=flipped), SHAPE, CPU, dtype=torch.float64)
    update_discriminator(Pair(silent, Feed(), Batch(0, 16), Batch(0, 16)))
    assert not torch.allclose(next(silent.discriminator.parameters()).grad, gradients[0], rtol=1e-3)


def negate(discriminator):
    """The last layer's sign turned, so that the logits change theirs."""
    last = [m for m in discriminator.modules() if isinstance(m, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.weight.neg_()
        last.bias.neg_()


@pytest.mark.parametrize("changes", [{"loss": "bce"}, {"loss": "hinge"}, {"loss": "bce", "d_split": True}])
def test_flipped_labels_train_a_negated_discriminator(changes):
    """A network that learns 1 for generated is the negative of one that learns 1 for real."""
    plain = create_state(settings(**changes), SHAPE, CPU, dtype=torch.float64)
    flipped = create_state(settings(**changes, flip_labels=True), SHAPE, CPU, dtype=torch.float64)
    negate(flipped.discriminator)
    for _ in range(3):
        train_step(plain, Feed())
        train_step(flipped, Feed())
    x = Feed()(0, 8)
    torch.testing.assert_close(plain.discriminator(x), -flipped.discriminator(x), rtol=1e-9, atol=1e-12)
    negate(flipped.discriminator)
    assert_equal_weights(plain, flipped)
    assert plain.take_means() == pytest.approx(flipped.take_means(), rel=1e-5, abs=1e-6)


def test_generator_update_leaves_the_discriminator_alone():
    state = create_state(settings(accumulate=4), SHAPE, CPU, dtype=torch.float64)
    before = {k: v.clone() for k, v in state.discriminator.state_dict().items()}
    update_generator(Pair(state, Feed(), Batch(0, 16), Batch(0, 16)))
    assert all(torch.equal(before[k], v) for k, v in state.discriminator.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in state.discriminator.parameters())
