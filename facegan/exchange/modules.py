"""Whole PyTorch modules that were pickled: their attributes as data, and their tensors by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facegan.errors import ModelError
from facegan.pickles.objects import StoredTensor, Stub, as_table
from facegan.pickles.tables import read_tensors

PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
"""What NVIDIA's code pickles a module as: a table with its class's name and source code, and its state."""
MAX_DEPTH = 64


def module_state(value: Any) -> Mapping[Any, Any] | None:
    """Return the attributes of a pickled module; None for anything else."""
    if not isinstance(value, Stub):
        return None
    if value.name == PERSISTENT:
        state = as_table((as_table(value.args[0]) or {}).get("state")) if value.args else None
    else:
        state = as_table(value.state)
    return state if state is not None and "_modules" in state and "_parameters" in state else None


class Weights(dict[str, Any]):
    """Tensors by name; ModelError, not KeyError, for one that is missing."""

    def __missing__(self, name: str) -> Any:
        raise ModelError(f"it has no weights '{name}'; another version of its code has written it")


class Module:
    """A pickled module. Messages call it ``what``."""

    def __init__(self, value: Any, what: str) -> None:
        state = module_state(value)
        if state is None:
            raise ModelError(f"{what} is not the network that it should be")
        self.what, self.state = what, state
        self.inner: Mapping[Any, Any] = as_table(state["_modules"]) or {}

    def __contains__(self, name: str) -> bool:
        return module_state(self.inner.get(name)) is not None

    def child(self, name: str) -> Module:
        """Return the module within; ModelError if there is none."""
        if name not in self:
            raise ModelError(f"{self.what} has no part '{name}'; another version of its code has written it")
        return Module(self.inner[name], f"{self.what}.{name}")

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, of an array the first number."""
        value = self.state.get(name, default)
        return value.read().flatten()[0].item() if isinstance(value, StoredTensor) else value

    def number(self, name: str) -> float:
        """Return an attribute that must be a number."""
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ModelError(
                f"{self.what} does not say its '{name}'; another version of its code has written it"
            )
        return value

    def whole(self, name: str) -> int:
        """Return an attribute that must be a whole number, 0 or more."""
        value = self.number(name)
        if value != int(value) or not 0 <= value < 2**31:
            raise ModelError(f"{self.what} says {name} = {value:g}, which is no possible whole number")
        return int(value)

    def tensors(self) -> Weights:
        """Return parameters and buffers by name, as ``state_dict()`` would, in single precision."""
        found: dict[str, StoredTensor] = {}
        todo: list[tuple[str, Mapping[Any, Any], int]] = [("", self.state, 0)]
        while todo:
            prefix, state, depth = todo.pop()
            if depth > MAX_DEPTH or len(todo) > 100_000:
                raise ModelError(f"{self.what} is nested too deeply")
            for group in ("_parameters", "_buffers"):
                table = as_table(state.get(group)) or {}
                found |= {f"{prefix}{k}": v for k, v in table.items() if isinstance(v, StoredTensor)}
            for name, value in (as_table(state["_modules"]) or {}).items():
                if (inner := module_state(value)) is not None:
                    todo.append((f"{prefix}{name}.", inner, depth + 1))
        return Weights({k: v.float() for k, v in read_tensors(found).items()})
