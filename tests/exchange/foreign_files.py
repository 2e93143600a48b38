"""Pickles of modules as other authors' code writes them, without that code."""

from __future__ import annotations

import functools
import pickle
import sys
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any
from unittest import mock

import torch

Tensor = torch.Tensor


class Pickled:
    """What pickles itself as a call of the function ``of``, or as an instance of a class with a state."""

    def __init__(self, of: Any, args: tuple[Any, ...], state: Any = None) -> None:
        self.of, self.args, self.state = of, args, state

    def __reduce__(self) -> tuple[Any, ...]:
        return (self.of, self.args) if self.state is None else (self.of, self.args, self.state)


MODULES: dict[str, types.ModuleType] = {}


@functools.cache
def stand_in(name: str, function: bool = False) -> Any:
    """Return something that :func:`write_pickle` writes as ``module.name``."""
    place, _, last = name.rpartition(".")
    made: Any = types.FunctionType((lambda *_: None).__code__, {}, last) if function else type(last, (), {})
    made.__module__, made.__qualname__ = place, last
    parts = place.split(".")
    for i in range(1, len(parts) + 1):
        MODULES.setdefault(".".join(parts[:i]), types.ModuleType(".".join(parts[:i])))
    setattr(MODULES[place], last, made)
    return made


def module(tensors: dict[str, Tensor], attributes: dict[str, dict[str, Any]], kinds: dict[str, str]) -> Any:
    """Return what pickles as an ``nn.Module`` with these tensors by dotted name, and attributes by place.

    ``kinds`` gives a class for each place, ``.`` for all others; one after ``persistent:`` pickles with its
    source code, as NVIDIA's do.
    """

    def made(place: str) -> Any:
        prefix = f"{place}." if place else ""
        inside = {name.removeprefix(prefix): v for name, v in tensors.items() if name.startswith(prefix)}
        own = OrderedDict((k, v) for k, v in inside.items() if "." not in k)
        below = dict.fromkeys(k.partition(".")[0] for k in inside if "." in k)
        state: dict[str, Any] = {
            "training": False,
            "_parameters": OrderedDict(
                (k, torch.nn.Parameter(v)) for k, v in own.items() if "filter" not in k
            ),
            "_buffers": OrderedDict((k, v) for k, v in own.items() if "filter" in k),
            "_modules": OrderedDict((k, made(f"{prefix}{k}")) for k in below),
            **attributes.get(place, {}),
        }
        kind = kinds.get(place, kinds["."])
        if kind.startswith("persistent:"):
            meta = {"type": "class", "version": 6, "module_src": "raise SystemExit('this must not run')",
                    "class_name": kind.partition(":")[2], "state": state}  # fmt: skip
            return Pickled(stand_in("torch_utils.persistence._reconstruct_persistent_obj", True), (meta,))
        return Pickled(stand_in(kind), (), state)

    return made("")


def write_pickle(path: Path, content: Any) -> None:
    with mock.patch.dict(sys.modules, MODULES):
        path.write_bytes(pickle.dumps(content))
