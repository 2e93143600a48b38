"""Tables of tensors in what was read from a file of torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.errors import ModelError
from facegan.pickles.objects import StoredTensor, Stub, as_table
from facegan.pickles.torch_files import read_torch

if TYPE_CHECKING:
    from torch import Tensor

MAX_DEPTH = 6
MAX_MODULES = 100_000


def state_dicts(tree: Any) -> dict[str, dict[str, StoredTensor]]:
    """Return every table of tensors by where it lies, such as "" or ``netG.state_dict``, in the file's order.

    Entries that are no tensors are left out. Whole modules that were pickled count: their parameters, buffers
    and submodules are a table with the names that ``state_dict()`` would give.
    """
    found: dict[str, dict[str, StoredTensor]] = {}
    todo: list[tuple[str, Any, int]] = [("", tree, 0)]
    seen: set[int] = set()
    while todo:
        place, value, depth = todo.pop(0)
        if id(value) in seen or depth > MAX_DEPTH:
            continue
        seen.add(id(value))
        if (module := module_tensors(value)) is not None:
            if module:
                found[place] = module
            continue
        if (table := as_table(value)) is None:
            continue
        tensors = {key: v for key, v in table.items() if isinstance(key, str) and isinstance(v, StoredTensor)}
        if tensors:
            found[place] = tensors
        inner = [(k, v) for k, v in table.items() if isinstance(k, str) and not isinstance(v, StoredTensor)]
        todo += [(f"{place}.{key}" if place else key, v, depth + 1) for key, v in inner]
    return found


def module_tensors(value: Any) -> dict[str, StoredTensor] | None:
    """Return the tensors of a pickled ``torch.nn.Module`` by their names; None for what is no module."""

    def parts(module: Any) -> dict[str, Any] | None:
        state = module.state if isinstance(module, Stub) else None
        return state if isinstance(state, dict) and "_modules" in state and "_parameters" in state else None

    if parts(value) is None:
        return None
    found: dict[str, StoredTensor] = {}
    todo: list[tuple[str, Any, int]] = [("", value, 0)]
    while todo:
        prefix, module, depth = todo.pop(0)
        state = parts(module)
        if state is None or depth > 64 or len(found) > MAX_MODULES or len(todo) > MAX_MODULES:
            continue
        for group in ("_parameters", "_buffers"):
            tensors = state.get(group) or {}
            if isinstance(tensors, dict):
                found |= {f"{prefix}{k}": v for k, v in tensors.items() if isinstance(v, StoredTensor)}
        modules = state["_modules"] if isinstance(state["_modules"], dict) else {}
        todo = [(f"{prefix}{name}.", inner, depth + 1) for name, inner in modules.items()] + todo
    return found


def read_tensors(tensors: dict[str, StoredTensor]) -> dict[str, Tensor]:
    """Return the tensors of a table, in memory."""
    return {name: tensor.read() for name, tensor in tensors.items()}


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Return the state dict of a file of torch: the table itself, or what it calls ``state_dict``.

    Raises:
        ModelError: in one line without the file's name, if it is damaged or holds anything but tensors there.
    """
    found = read_torch(path)
    table = as_table(found)
    if table is not None and not isinstance(table.get("state_dict"), StoredTensor | None):
        table = as_table(table["state_dict"])
    if table is None:
        raise ModelError("it holds no table of weights")
    tensors = {key: value for key, value in table.items() if isinstance(value, StoredTensor)}
    if not tensors or len(tensors) < len(table):
        raise ModelError("not a plain table of weights; it may hold code, which is not run")
    return read_tensors({str(key): value for key, value in tensors.items()})
