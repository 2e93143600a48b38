"""PyTorch's optimisers, without the compiler.

Methods of theirs are wrapped so that ``torch.compile`` leaves them alone; the first call of one loads the
compiler for it, which takes as long as loading PyTorch. Called without their wrapping they do the same, for
whoever does not compile an optimiser's own methods.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.optim.optimizer import Optimizer


class _Plain(Optimizer):
    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)


def _step(of: type[Optimizer]) -> Callable[..., Any]:
    return torch.no_grad()(inspect.unwrap(of.step))


class Adam(_Plain, torch.optim.Adam):
    """``torch.optim.Adam``; never ``differentiable``."""

    step = _step(torch.optim.Adam)


class AdamW(_Plain, torch.optim.AdamW):
    """``torch.optim.AdamW``; never ``differentiable``."""

    step = _step(torch.optim.AdamW)


class LBFGS(_Plain, torch.optim.LBFGS):
    """``torch.optim.LBFGS``."""
