"""Generators in sampling mode: no dropout, batch norm with fixed statistics that fit weights and latents."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from narrow import FROM_NOISE, reduced

from facegan import distributed, rng
from facegan.generator import Latent, describe
from facegan.layers.ema import batch_norms
from facegan.layers.spectral import SETTLED, iterate
from facegan.runs.checkpoints import list_checkpoints
from facegan.training import snapshot
from facegan.training.checkpoint import _tensors
from facegan.training.initialization import create_state
from facegan.training.objective import train_step
from facegan.training.sampler import ImageSampler
from facegan.training.snapshot import sampling_generator
from facegan.training.train import train

CPU = torch.device("cpu")
BATCHES, BATCH = 3, 16  # a few draws: what is tested does not depend on how many


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr(snapshot, "BN_BATCHES", BATCHES)
    monkeypatch.setattr(snapshot, "BN_BATCH", BATCH)


def small(name, **changes):
    return reduced(name, precision="float32", **changes)


def metadata(config, shape):
    return describe(
        config.family,
        config.model,
        Latent(config.latent.kind, config.latent.dim, config.latent.mean, config.latent.std),
        image_shape=shape,
        provenance={},
        alignment={},
        licence="",
    )


def trained(config, updates=3, between=None):
    """A state after some updates; ``between`` is done after each."""
    shape = (config.channels or 3, config.size, config.size)
    pictures = np.random.default_rng(0).integers(0, 256, (12, config.size, config.size, shape[0]), np.uint8)
    state = create_state(config, shape, CPU)
    feed = ImageSampler(pictures, config, CPU)
    for _ in range(updates):
        train_step(state, feed)
        if between is not None:
            between(state, metadata(config, shape))
    return state, metadata(config, shape)


def expected_statistics(network, config):
    """Mean and unbiased variance of what each batch norm gets, averaged over batches of sampling latents."""
    network = deepcopy(network).train()
    iterate(network, SETTLED)  # the vectors of spectral norms follow the average
    norms = batch_norms(network)
    seen: list[list[tuple[torch.Tensor, torch.Tensor]]] = [[] for _ in norms]

    def note(i):
        def hook(module, inputs):
            x = inputs[0].detach().double().transpose(0, 1).flatten(1)
            seen[i].append((x.mean(1), x.var(1)))

        return hook

    for i, norm in enumerate(norms):
        norm.register_forward_pre_hook(note(i))
    for i in range(BATCHES):
        z = rng.normal(config.seed, "batch-norm", i * BATCH, count=BATCH, per_item=config.latent.dim)
        prior = Latent(config.latent.kind, config.latent.dim, config.latent.mean, config.latent.std)
        network(prior.shape_normal(torch.from_numpy(z).float()))
    return [tuple(torch.stack(column).mean(0) for column in zip(*pairs, strict=True)) for pairs in seen]


@pytest.mark.parametrize("name", FROM_NOISE)
def test_sampling_of_every_recipe(name):
    """It is in sampling mode, and leaves training alone."""
    config = small(name)
    with_grids = _tensors(trained(config, 2, lambda *now: sampling_generator(*now).sample(3))[0])
    state, header = trained(config, 2)
    without = _tensors(state)
    assert with_grids.keys() == without.keys()
    for key, tensor in without.items():
        assert torch.equal(with_grids[key], tensor), key
    generator = sampling_generator(state, header)
    network = generator.network
    assert not any(m.training for m in network.modules())
    assert state.generator.training and all(m.training for m in state.discriminator.modules())
    z = generator.latent.sample(range(6))
    with torch.no_grad():
        batch, alone = generator(z), torch.cat([generator(one[None]) for one in z])
        torch.testing.assert_close(batch, alone, atol=1e-5, rtol=0)
        assert torch.equal(batch, generator(z))  # nothing is drawn at random
    assert not torch.allclose(batch[0], batch[1], atol=1e-4)
    source = state.ema or state.generator
    for (key, ours), theirs in zip(network.named_parameters(), source.parameters(), strict=True):
        assert torch.equal(ours, theirs), key
    norms = batch_norms(network)
    if state.ema is None:  # the raw weights keep the statistics gathered while training, as in Keras
        for ours, theirs in zip(norms, batch_norms(state.generator), strict=True):
            assert torch.equal(ours.running_mean, theirs.running_mean)
            assert torch.equal(ours.running_var, theirs.running_var)
            assert int(ours.num_batches_tracked) == 2
        return
    assert bool(norms) == (config.family in ("vanilla", "dcgan", "fast", "biggan"))
    for norm, (mean, var) in zip(norms, expected_statistics(state.ema, config), strict=True):
        torch.testing.assert_close(norm.running_mean.double(), mean, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(norm.running_var.double(), var, atol=1e-6, rtol=1e-3)


def test_dropout_is_off_in_a_generator_that_has_some():
    config = small("faces-tiny-32", **{"generator.layers": "dense 64 lrelu; drop 0.5; dense image tanh"})
    state, header = trained(config, 1)
    generator = sampling_generator(state, header)
    assert any(isinstance(m, distributed.Dropout) for m in generator.network.modules())
    z = generator.latent.sample(range(4))
    assert torch.equal(generator(z), generator(z))
    assert not torch.equal(state.generator(z), state.generator(z))


def test_statistics_are_those_of_the_sampling_prior(monkeypatch):
    """Where figures use another prior than training, the statistics fit the figures' latents."""
    monkeypatch.setattr(snapshot, "BN_BATCHES", 16)
    monkeypatch.setattr(snapshot, "BN_BATCH", 64)
    config = small("faces-tiny-32")
    config = replace(config, latent=replace(config.latent, mean=1.0, std=0.25, train_mean=0.0, train_std=1.0))
    state, header = trained(config)
    generator = sampling_generator(state, header)
    first = batch_norms(generator.network)[0]
    before = next(i for i, m in enumerate(generator.network.layers) if m is first)
    # 2000 seeds of the prior, through the layers before the norm, none of the draws behind the statistics
    with torch.no_grad():
        x = generator.network.layers[:before](generator.latent.sample(range(2000)))
    x = x.transpose(0, 1).flatten(1)
    spread = x.std(1)
    assert ((first.running_mean - x.mean(1)).abs() < 0.2 * spread).all()
    assert (first.running_var / spread.square()).min() > 0.8
    assert (first.running_var / spread.square()).max() < 1.25


def test_grids_quality_and_accuracy_leave_a_run_alone(tiny_dataset, tmp_path):
    from safetensors.numpy import load_file

    common = {
        "kimg": 0.064,
        "batch": 8,
        "grid_count": 4,
        "generator.width": 0.125,
        "discriminator.width": 0.125,
        "discriminator.layers": "conv 32 4 s2 lrelu; drop 0.5; conv 32 4 s2 bn lrelu; dense 1",
    }
    often = {"grid_kimg": 0.008, "eval_count": 4, "save_pairs": True, "quality_count": 8}
    rarely = {"grid_kimg": 1.0, "quality_count": 0}
    ends = []
    for name, settings in (("often", often), ("rarely", rarely)):
        run = train(tiny_dataset, "faces-tiny-32", tmp_path / name, **common, **settings)
        assert len(list((run / "samples").glob("*.png"))) == (9 if name == "often" else 2)
        ends.append(load_file(list_checkpoints(run / "checkpoints")[-1] / "state.safetensors"))
    for key in ends[0]:
        assert np.array_equal(ends[0][key], ends[1][key], equal_nan=True), key
