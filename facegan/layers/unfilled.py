"""Networks without their initial weights, for those that are read from a file.

Drawing random weights takes time, and on the device ``meta``, where nothing is stored, PyTorch loads its
compiler for it, and even to scale them: a second and more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_FILL = (Tensor.normal_, Tensor.uniform_)
_SCALE = (Tensor.__mul__, Tensor.mul, Tensor.__truediv__, Tensor.div)


class Unfilled(TorchFunctionMode):
    """A context in which ``torch.nn.init`` changes no tensor and ``torch.randn`` fills none."""

    def __torch_function__(  # noqa: PLR0917
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in _FILL or getattr(func, "__module__", "") == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        if func in _SCALE and args[0].is_meta and not isinstance(args[1], Tensor):
            return args[0]
        return torch.empty(*args, **kwargs) if func is torch.randn else func(*args, **kwargs)
