"""PyTorch's optimisers, without the compiler.

PyTorch wraps some of their methods for ``torch.compile``, and the first call of one loads the compiler, which
takes as long as loading PyTorch. The unwrapped methods do the same.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch.optim.optimizer import Optimizer


class _Plain(Optimizer):
    step: Any
    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)


class Adam(_Plain, torch.optim.Adam):
    """``torch.optim.Adam``; never ``differentiable``."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))


class AdamW(_Plain, torch.optim.AdamW):
    """``torch.optim.AdamW``; never ``differentiable``."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


class LBFGS(_Plain, torch.optim.LBFGS):
    """``torch.optim.LBFGS``."""
