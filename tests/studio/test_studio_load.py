"""Many clients at once, for a few seconds; benchmarks/studio_load.py does it for a minute."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType


def test_clients_at_once_are_all_answered_in_constant_memory(
    benchmarks: Callable[[str], ModuleType],
) -> None:
    load = benchmarks("studio_load").measure(20, 6)
    assert load.errors == []
    assert len(load.seconds) >= 20
    assert load.growth < 0.1, str(load)
    assert {"server", "drawing"} <= set(load.memory[-1])
    assert load.memory[-1]["server"] < 300 * 2**20, "the server itself imports no PyTorch"
