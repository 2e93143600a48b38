"""PyTorch's optimisers without their wrapping: the same to the bit, and no compiler is loaded for them."""

from __future__ import annotations

import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from narrow import NARROW
from torch import nn

from facegan.layers import optimizers


def train(of: type, steps: int, state: dict | None = None, **settings) -> tuple[nn.Module, Any]:
    torch.manual_seed(0)
    net, x = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1)), torch.randn(16, 5)
    optimizer = of(net.parameters(), **settings)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 1 / (k + 1))
    if state is not None:
        optimizer.load_state_dict(deepcopy(state))  # or it shares the tensors

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = (net(x) - x[:, :1] ** 2).square().mean()
        value.backward()
        return value

    for _ in range(steps):
        optimizer.step(loss)
        schedule.step()
    optimizer.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    return net, optimizer


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("Adam", {"lr": 0.01, "betas": (0.5, 0.99), "fused": True}),
        ("Adam", {"lr": 0.01, "eps": 1e-3}),
        ("AdamW", {"lr": 0.02, "weight_decay": 0.1}),
        ("LBFGS", {"max_iter": 5, "line_search_fn": "strong_wolfe"}),
    ],
)
def test_the_same_to_the_bit(name: str, settings: dict) -> None:
    (a, ours), (b, theirs) = (train(getattr(m, name), 4, **settings) for m in (optimizers, torch.optim))
    untrained, _ = train(getattr(torch.optim, name), 0, **settings)
    assert isinstance(ours, getattr(torch.optim, name))
    for p, q, r in zip(a.parameters(), b.parameters(), untrained.parameters(), strict=True):
        assert torch.equal(p, q) and not torch.equal(p, r) and p.requires_grad
    x, y = ours.state_dict(), theirs.state_dict()
    assert x.keys() == y.keys() and x["param_groups"] == y["param_groups"]
    torch.testing.assert_close(x["state"], y["state"], rtol=0, atol=0)
    (c, _), (d, _) = (train(getattr(m, name), 2, x, **settings) for m in (optimizers, torch.optim))
    assert all(torch.equal(p, q) for p, q in zip(c.parameters(), d.parameters(), strict=True))


LIGHT = """
import sys, numpy as np, torch
from narrow import NARROW, at_32, sampler
from facegan.training.initialization import create_state
from facegan.training.objective import train_step
images = np.zeros((8, 32, 32, 3), np.uint8)
for family in NARROW:
    c = at_32(family)
    state = create_state(c, (3, 32, 32), torch.device("cpu"))
    train_step(state, sampler(c, images, state.device))
    for optimizer in state.optimizers.values():
        optimizer.load_state_dict(optimizer.state_dict())
    print(family, state.updates, *(m for m in ("torch._dynamo", "sympy") if m in sys.modules))
"""


def test_training_loads_no_compiler() -> None:
    """Neither do other steps of an update."""
    folder = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, cwd=folder)
    assert (done.returncode, done.stdout.split()) == (0, [w for f in NARROW for w in (f, "1")]), done.stderr
