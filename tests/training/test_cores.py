"""Cores, threads and precision: what is allowed, what is free, and what the processor is fast with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import facegan
from facegan import devices, machine
from facegan.data import process_sources
from facegan.data.choosing import PrepareConfig
from facegan.errors import ConfigError, InputError
from facegan.machine import granted_cores
from facegan.planning.dry_run import dry_run
from facegan.planning.dry_run_text import page
from facegan.recipes.config import check, override
from facegan.training.state import TrainState
from facegan.training.train import settle

CPU = torch.device("cpu")
SMALL: dict[str, Any] = {
    "batch": 4,
    "kimg": 0.008,
    "checkpoint_kimg": 0.004,
    "grid_count": 2,
    "quality_count": 0,
}


@pytest.mark.parametrize(
    ("own", "files", "granted"),
    [
        ("0::/a/b", {"a/b/cpu.max": "150000 100000"}, 1.5),
        ("0::/a/b", {"a/cpu.max": "50000 100000", "a/b/cpu.max": "max 100000"}, 0.5),  # the outer one binds
        ("0::/", {"cpu.max": "200000 100000"}, 2.0),  # a container's own group is its root
        ("0::/a", {"unified/a/cpu.max": "300000 100000"}, 3.0),
        ("0::/a", {"a/cpu.max": "max 100000"}, None),
        ("0::/a", {"a/cpu.max": "nonsense"}, None),
        ("0::/a", {}, None),
        ("3:cpu,cpuacct:/j", {"cpu/j/cpu.cfs_quota_us": "100000", "cpu/j/cpu.cfs_period_us": "50000"}, 2.0),
        ("3:cpu:/j", {"cpu/cpu.cfs_quota_us": "25000", "cpu/cpu.cfs_period_us": "100000"}, 0.25),
        ("3:cpuacct,cpu:/", {"cpuacct,cpu/cpu.cfs_quota_us": "9", "cpuacct,cpu/cpu.cfs_period_us": "3"}, 3.0),
        ("3:cpu:/j", {"cpu/j/cpu.cfs_quota_us": "-1", "cpu/j/cpu.cfs_period_us": "100000"}, None),
        ("3:cpuset:/j", {"cpu/j/cpu.cfs_quota_us": "1", "cpu/j/cpu.cfs_period_us": "1"}, None),
        ("no colons at all", {"cpu.max": "1 1"}, None),
    ],
)
def test_time_that_groups_grant(
    tmp_path: Path, own: str, files: dict[str, str], granted: float | None
) -> None:
    (tmp_path / "own").write_text(own + "\n")
    for name, content in files.items():
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).write_text(content + "\n")
    assert granted_cores(str(tmp_path / "own"), str(tmp_path / "root")) == granted


@pytest.mark.parametrize(
    ("affinity", "granted", "counted", "found"),
    [
        ({0, 1, 2, 3}, None, None, 4),
        ({5}, None, None, 1),
        ({0, 1, 2, 3}, 1.5, None, 2),
        ({0, 1, 2, 3}, 0.2, None, 1),
        ({0, 1}, 64.0, None, 2),
        ({0, 1, 2, 3}, None, 3, 3),  # Python's own, which PYTHON_CPU_COUNT sets
        (None, None, None, 6),  # macOS and Windows have no affinity
    ],
)
def test_cores_allowed(
    monkeypatch: pytest.MonkeyPatch,
    affinity: set[int] | None,
    granted: float | None,
    counted: int | None,
    found: int,
) -> None:
    fake: dict[str, Any] = {"cpu_count": lambda: 6}
    if affinity is not None:
        fake["sched_getaffinity"] = lambda _: affinity
    if counted is not None:
        fake["process_cpu_count"] = lambda: counted
    monkeypatch.setattr(machine, "os", SimpleNamespace(**fake))
    monkeypatch.setattr(machine, "granted_cores", lambda: granted)
    assert machine.cores() == found


def test_prepare_has_a_worker_for_each_core_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    for i in range(3):
        noise = np.random.default_rng(i).integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "photos" / f"{i}.png")
    asked: list[int] = []
    pool = process_sources._pool

    def one(config: PrepareConfig, workers: int) -> Any:
        asked.append(workers)
        return pool(config, 1)

    monkeypatch.setattr(process_sources, "_pool", one)
    monkeypatch.setattr(machine, "_mine", lambda: {0, 1, 2})
    monkeypatch.setattr(machine.os, "process_cpu_count", lambda: 3, raising=False)
    monkeypatch.setattr(machine, "granted_cores", lambda: None)
    facegan.prepare(str(tmp_path / "photos"), tmp_path / "out", crop="center", size=32)
    assert asked == [3]


# --- how threads wait -----------------------------------------------------------------------------

ENTRIES = ["import facegan", "import facegan.cli.main", "from facegan.data import sources"]


def environment_after(code: str, **given: str) -> dict[str, str]:
    """Those of the variables that count, in a fresh process without them that has run ``code``."""
    names = ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
    clean = {k: v for k, v in os.environ.items() if k not in names}
    code += f"; import os, json; print(json.dumps({{k: os.environ[k] for k in {names} if k in os.environ}}))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean | given, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("entry", ENTRIES)
def test_waiting_is_settled_whatever_is_imported_first(entry: str) -> None:
    assert environment_after(entry) == machine.WAITING


@pytest.mark.parametrize(
    ("before", "given", "found"),
    [
        ("", {"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),
        ("", {"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7"}),
        ("", {"KMP_BLOCKTIME": "0"}, {"KMP_BLOCKTIME": "0"}),
        ("", {"OMP_NUM_THREADS": "3"}, {"OMP_NUM_THREADS": "3", **machine.WAITING}),
        ("import sys; sys.modules['torch'] = sys", {}, {}),  # too late: as it is
        (
            "import facegan.machine as m; m.cores = lambda: 1; m._mine = lambda: {0, 1}; m.settle_threads()",
            {},
            {"OMP_NUM_THREADS": "1", **machine.WAITING},
        ),  # a quota, which OpenMP does not see
    ],
)
def test_a_user_decides(before: str, given: dict[str, str], found: dict[str, str]) -> None:
    assert environment_after(f"{before or 'pass'}; import facegan", **given) == found


def test_torch_obeys() -> None:
    """GNU's OpenMP, which PyTorch's own builds for Linux have, prints what it has read."""
    given = {k: v for k, v in os.environ.items() if k not in machine.WAITING}
    done = subprocess.run(
        [sys.executable, "-c", "import facegan.devices"],
        env=given | {"OMP_DISPLAY_ENV": "verbose"},
        capture_output=True,
        text=True,
        check=True,
    )
    if "GOMP_" in done.stderr:
        assert f"GOMP_SPINCOUNT = '{machine.WAITING['GOMP_SPINCOUNT']}'" in done.stderr


# --- how many threads -----------------------------------------------------------------------------


def beside(
    monkeypatch: pytest.MonkeyPatch, busy: float | None, cores: int = 4, environment: str = ""
) -> None:
    """As if other programs kept so many of the cores busy, and the environment said ``NAME=NUMBER``."""

    class Beside(machine.OtherWork):
        def __init__(self) -> None:
            self.cores, self.available = busy, cores

        def __enter__(self) -> Beside:
            return self

        def __exit__(self, *error: object) -> None:
            pass

    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for word in environment.split():
        monkeypatch.setenv(*word.split("="))
    monkeypatch.setattr(machine, "OtherWork", Beside)
    monkeypatch.setattr(machine, "cores", lambda: cores)
    monkeypatch.setattr(devices.time, "sleep", lambda _: None)


@pytest.mark.parametrize(
    ("busy", "environment", "device", "wanted", "before", "threads", "said"),
    [
        (0.0, "", "cpu", 0, 0, 4, ""),
        (None, "", "cpu", 0, 0, 4, ""),  # the system does not tell
        (0.3, "", "cpu", 0, 0, 4, ""),  # what a desktop does
        (1.0, "", "cpu", 0, 0, 3, "other programs keep 1.0 of 4 cores busy: this run has 3 threads"),
        (4.0, "", "cpu", 0, 0, 1, "4.0 of 4 cores busy: this run has 1 thread (--threads 4 insists)"),
        (4.0, "", "cuda", 0, 0, 4, ""),
        (4.0, "", "cpu", 2, 0, 2, ""),
        (4.0, "", "cpu", 2, 3, 2, ""),
        (4.0, "", "cpu", 0, 3, 3, ""),  # as the run began
        (0.0, "", "cpu", 0, 9, 4, ""),  # it began on a larger machine
        (4.0, "OMP_NUM_THREADS=4", "cpu", 0, 0, 4, ""),
        (4.0, "MKL_NUM_THREADS=4", "cpu", 0, 3, 4, ""),
        (4.0, "WORLD_SIZE=2 LOCAL_WORLD_SIZE=2", "cpu", 0, 0, 2, ""),  # two processes share the cores
    ],
)
def test_threads_for_the_cores_that_are_free(
    monkeypatch: pytest.MonkeyPatch,
    busy: float | None,
    environment: str,
    device: str,
    wanted: int,
    before: int,
    threads: int,
    said: str,
) -> None:
    beside(monkeypatch, busy, environment=environment)
    count, text = devices._count_threads(torch.device(device), 4, wanted, before=before)
    assert count == threads and said in text and bool(said) == bool(text)


def test_threads_end_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    had = torch.get_num_threads()
    with devices.working_threads(CPU, had + 1):
        assert torch.get_num_threads() == had + 1
    assert torch.get_num_threads() == had


def threads_of_this_process() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("Threads:")[2].split()[0])


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="Linux counts the threads of a process")
def test_waits_are_brief_while_others_need_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A team of OpenMP's threads sleeps beside, so that there are more of them than cores, and then ends."""
    monkeypatch.setattr(devices.BriefWaits, "EVERY", 0.01)
    torch.zeros(1 << 20).add_(1)  # the own team
    beside(monkeypatch, 0.0, cores=2)
    with devices.BriefWaits(2) as waits:
        before = threads_of_this_process()
        for cores, brief in ((1.0, True), (0.0, False), (None, False), (1.0, True)):
            beside(monkeypatch, cores, cores=2)
            wait_until(lambda brief=brief: waits.brief is brief)
            wait_until(lambda brief=brief: (threads_of_this_process() > before) is brief)
    wait_until(lambda: threads_of_this_process() < before)


def wait_until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_run_keeps_its_threads_to_the_bit(
    tiny_dataset: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun beside another program, it goes on as it began when that has gone."""
    had = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        beside(monkeypatch, 1.0, cores=2)
        whole = facegan.train(tiny_dataset, "faces-tiny-32", tmp_path / "whole", **SMALL)
        half = facegan.train(tiny_dataset, "faces-tiny-32", tmp_path / "half", **{**SMALL, "kimg": 0.004})
        beside(monkeypatch, 0.0, cores=2)
        facegan.train(tiny_dataset, "faces-tiny-32", half, resume=True, **SMALL)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(had)
    events = (half / "events.jsonl").read_text()
    assert "other programs keep 1.0 of 2 cores busy: this run has 1 thread" in events
    assert "resumed from 000000.004kimg" in events and "from here on equal but" not in events
    ends = [run / "checkpoints" / "000000.008kimg" / "state.json" for run in (whole, half)]
    headers = [json.loads(path.read_text()) for path in ends]
    assert [h["circumstances"]["threads"] for h in headers] == [1, 1]
    assert headers[0]["sha256"] == headers[1]["sha256"]


# --- precision ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("full", "half", "gain", "fast", "said"),
    [
        (0.1, 0.04, 2.5, True, ""),
        (0.1, 0.095, 1.053, False, ""),  # not worth another result
        (0.1, 1.2, 0.0833, False, "about 12 times as long as float32 on this processor: --precision float32"),
    ],
)
def test_bfloat16_is_measured(
    monkeypatch: pytest.MonkeyPatch, full: float, half: float, gain: float, fast: bool, said: str
) -> None:
    calls: list[bool] = []

    def convolve(in_half: bool) -> float:
        calls.append(in_half)
        return half if in_half else full

    monkeypatch.setattr(devices, "_convolve", convolve)
    monkeypatch.setattr(devices, "_measured_gain", devices._measured_gain.__wrapped__)
    assert devices.bfloat16_gain(CPU) == pytest.approx(gain, abs=1e-3)
    assert calls.count(True) == (2 if half > 3 * full else 6), "what is slow is not measured at length"
    assert devices.fast_bfloat16(CPU) == fast
    text = devices.slow_bfloat16(CPU)
    assert said in text and bool(said) == bool(text)


def test_the_real_measurement_repeats() -> None:
    first, second = (devices._measured_gain.__wrapped__() for _ in range(2))
    assert 0.3 < first / second < 3 and 0.001 < first < 100


@pytest.mark.parametrize(
    ("precision", "before", "gain", "settled"),
    [
        ("auto", {}, 2.0, "bfloat16"),
        ("auto", {}, 0.1, "float32"),
        ("auto", {"precision": "float32"}, 2.0, "float32"),  # to the bit
        ("auto", {"precision": "bfloat16"}, 1.05, "bfloat16"),
        ("auto", {"precision": "bfloat16"}, 0.1, "float32"),  # begun on another machine: it would crawl
        ("float32", {"precision": "bfloat16"}, 2.0, "float32"),
        ("bfloat16", {}, 0.1, "bfloat16"),
    ],
)
def test_precision_of_a_run(
    monkeypatch: pytest.MonkeyPatch, precision: str, before: dict[str, str], gain: float, settled: str
) -> None:
    monkeypatch.setattr(devices, "_measured_gain", lambda: gain)
    config = override(facegan.recipe("faces-tiny-32"), {"precision": precision})
    assert settle(config, CPU, before).precision == settled


def test_who_asks_for_slow_bfloat16_is_told(
    tiny_dataset: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_measured_gain", lambda: 0.1)
    monkeypatch.setattr(TrainState, "autocast", lambda _: nullcontext())  # it would take its time here, too
    words = "bfloat16 takes about 10 times as long as float32 on this processor"
    short: dict[str, Any] = {**SMALL, "batch": 2, "kimg": 0.002, "precision": "bfloat16"}
    run = facegan.train(tiny_dataset, "faces-tiny-32", tmp_path / "r", **short)
    assert words in (run / "events.jsonl").read_text()
    planned = dry_run(tiny_dataset, override(facegan.recipe("faces-tiny-32"), short), "cpu")
    assert f"Warning: {words}" in page(planned)


def test_float16_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"--precision float16: .*16 to 200 times.* bfloat16.* or float32$"):
        check(override(facegan.recipe("faces-tiny-32"), {"precision": "float16"}))


def test_large_pictures_mind_the_limits_of_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    from facegan.pixels.tiles import require_memory

    layers = SimpleNamespace(
        layer_names=lambda: [("one", (64, 224, 224))], input_size=(224, 224), device=CPU, name="small"
    )
    with require_memory(layers, 1_000_000, 0):  # type: ignore[arg-type]
        pass
    monkeypatch.setattr(machine, "left_by_limits", lambda: 200_000_000)
    refused = pytest.raises(InputError, match=r"take about 0\.3 GB, and 0\.2 GB are free: use --tile 512")
    with refused, require_memory(layers, 1_000_000, 0):  # type: ignore[arg-type]
        pass


@pytest.mark.parametrize("threads", [1.5, "2", -1, 1025])
def test_threads_that_cannot_be(tiny_dataset: Any, tmp_path: Path, threads: Any) -> None:
    with pytest.raises(InputError, match=r"^threads must be"):
        facegan.train(tiny_dataset, "faces-tiny-32", tmp_path / "r", threads=threads)
