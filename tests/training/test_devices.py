"""An update on another device: nothing lies where it should not, and nothing is read from there.

PyTorch's device "meta" stands for a GPU. It has shapes only, refuses what comes from elsewhere as a GPU
does, and cannot be read, where a GPU would be waited for.
"""

import contextlib

import numpy as np
import pytest
import torch
from narrow import NARROW, TRAINED, sampler

from facegan.augment.table import AUGMENTS
from facegan.devices import send
from facegan.recipes.config import check, override
from facegan.recipes.table import RECIPES, recipe
from facegan.training.initialization import create_state
from facegan.training.objective import train_step

META = torch.device("meta")
TYPICAL = [narrow.typical for narrow in NARROW.values()]
CASES = [
    *((name, {}) for name in TYPICAL),
    ("faces-dcgan-80", {}),  # in two steps, with noisy labels
    ("faces-fast-64", {"accumulate": 2, "reuse_fakes": False, "d_updates": 2}),
    ("progan-64-short", {"kimg": 0.001, "generator.stage_kimg": 0.0, "generator.fade_kimg": 0.016}),
    *(("stylegan2-64-small", {"augment": name}) for name in AUGMENTS),
    *((NARROW[name].typical, {"condition": ("a", "b")}) for name in TRAINED),
]


@pytest.fixture
def meta(monkeypatch):
    # It has neither autocast nor generators of its own; PyTorch asks for the latter's type.
    class OnTheCPU(torch.Generator):
        def __new__(cls, device="cpu"):
            return super().__new__(cls)

    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(torch, "Generator", OnTheCPU)


def after(name, changes, updates):
    if recipe(name).family == "pix2pix":
        changes = {**changes, "input": "grey"}
    config = check(override(recipe(name), {"batch": 4, "precision": "float32", **changes}))
    shape = (config.channels or 3, config.size, config.size)
    state = create_state(config, shape, META, label_dim=len(config.condition))
    for optimizer in state.optimizers.values():
        for group in optimizer.param_groups:
            group["fused"] = False  # it has no kernels of its own
    state.augment.p = 0.5 if config.augment else 0.0
    images = np.zeros((8, *shape[1:], shape[0]), np.uint8)
    feed = sampler(config, images, META)
    feed.table = np.zeros((8, len(config.condition)), np.float32)
    for _ in range(updates):
        train_step(state, feed)
    return state


@pytest.mark.parametrize(("name", "changes"), CASES, ids=str)
def test_an_update_waits_for_nothing(name, changes, meta):
    state = after(name, changes, 2)
    assert state.updates == 2 and state.images_seen == 8 * RECIPES[name].config.d_updates * (
        changes.get("d_updates", 1)
    )
    assert {p.device for n in state.networks.values() for p in n.parameters()} == {META}


def test_what_would_wait_or_lies_elsewhere_is_seen(meta, monkeypatch):
    """The stand-in itself: it refuses both mistakes."""
    with pytest.raises(RuntimeError, match="device"):
        torch.ones(2) + torch.ones(2, device=META)
    with pytest.raises(RuntimeError, match="meta"):
        float(torch.ones(2, device=META).sum())
    monkeypatch.setattr("facegan.training.batches.send", lambda x, device: x)
    with pytest.raises(RuntimeError, match="device"):
        after("faces-dcgan-64", {}, 1)


def test_what_is_sent_arrives():
    x = torch.arange(6.0).view(2, 3).t()
    assert send(x, torch.device("cpu")) is x
    if torch.cuda.is_available():
        assert torch.equal(send(x, torch.device("cuda")).cpu(), x)
