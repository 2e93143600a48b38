"""Files of torch and pickle give what torch and pickle give, for every way of writing them."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from facegan.errors import ModelError
from facegan.pickles.objects import ITEM_BYTES, StoredTensor, Stub
from facegan.pickles.tables import read_state, state_dicts
from facegan.pickles.torch_files import read_bytes


def saved(content: Any, legacy: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


class Module(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.register_buffer("table", torch.arange(6).reshape(2, 3))


def plain(value: Any) -> Any:
    """What was read, with tensors in memory."""
    if isinstance(value, StoredTensor):
        return value.read()
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return type(value)(map(plain, value)) if isinstance(value, (list, tuple)) else value


BASE = torch.arange(24, dtype=torch.float32)
CONTENTS: dict[str, Any] = {
    "types": {name: torch.arange(6).to(getattr(torch, name)).reshape(2, 3) for name in ITEM_BYTES},
    "views": {"a": BASE, "b": BASE.view(4, 6).t(), "c": BASE[3:9:2], "d": BASE[:0], "e": BASE[5]},
    "parameters": {"a": nn.Parameter(torch.ones(2)), "b": [torch.zeros(1), (torch.ones(1), None)]},
    "plain": {"epoch": 3, "loss": [0.5, float("inf")], "t": (True, None, "text\n", b"bytes"), 7: -(2**70)},
    "ordered": OrderedDict(x=1, y=OrderedDict(z=torch.ones(3))),
    "an empty table": {},
    "a tensor": torch.ones(2, 2),
    "optimizer": torch.optim.Adam([nn.Parameter(torch.ones(2))]).state_dict(),
}


def same(found: Any, expected: Any) -> None:
    if isinstance(expected, torch.Tensor):
        torch.testing.assert_close(found, expected.detach(), rtol=0, atol=0)
        assert found.dtype == expected.dtype
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            same(found[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert type(found) is type(expected) and len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            same(a, b)
    else:
        assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize("name", CONTENTS)
def test_torch_files(name: str) -> None:
    for legacy in (False, True):
        same(plain(read_bytes(saved(CONTENTS[name], legacy))), CONTENTS[name])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_pickles(protocol: int) -> None:
    for content in CONTENTS.values():
        same(plain(read_bytes(pickle.dumps(content, protocol))), content)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_numpy_arrays(protocol: int) -> None:
    base = np.arange(24.0).reshape(4, 6)
    arrays = [base, base.T, base[::2], base.astype(">f4"), base.astype(np.int16), base > 3, np.float32(1.5)]
    found = plain(read_bytes(pickle.dumps(arrays, protocol)))
    for got, expected in zip(found[:-1], arrays[:-1], strict=True):
        np.testing.assert_array_equal(got.numpy(), expected)
    assert found[-1] == 1.5


def test_modules_are_their_state_and_other_objects_are_stubs() -> None:
    module = Module()
    for content in (saved({"G": module}, False), saved({"G": module}, True), pickle.dumps({"G": module})):
        tables = state_dicts(read_bytes(content))
        assert list(tables) == ["G"]
        found = {name: tensor.read() for name, tensor in tables["G"].items()}
        expected = module.state_dict()
        assert found.keys() == expected.keys()
        for name, tensor in expected.items():
            same(found[name], tensor)
    stub = read_bytes(pickle.dumps(defaultdict(list, a=1)))
    assert isinstance(stub, Stub) and stub.name == "collections.defaultdict" and stub.pairs == {"a": 1}
    path = read_bytes(pickle.dumps(Path("x")))
    assert isinstance(path, Stub) and "x" in str(path.args)


def test_tables_by_place() -> None:
    tree = {
        "epoch": 1,
        "nets": {"netG": {"w": torch.ones(1), "n": 3}, "list": [torch.ones(1)]},
        "w": torch.ones(2),
    }
    assert {place: list(table) for place, table in state_dicts(read_bytes(saved(tree, False))).items()} == {
        "": ["w"],
        "nets.netG": ["w"],
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            {"a": torch.ones(1), "b": print},
            "not a plain table of weights; it may hold code, which is not run",
        ),
        ([torch.ones(1)], "holds no table"),
        ({}, "not a plain table"),
    ],
)
def test_a_state_is_tensors_alone(content: Any, said: str, tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(saved(content, False))
    with pytest.raises(ModelError, match=said):
        read_state(tmp_path / "w.pt")
    (tmp_path / "w.pt").write_bytes(saved({"state_dict": {"a": torch.ones(1)}, "epoch": 3}, False))
    assert list(read_state(tmp_path / "w.pt")) == ["a"]
