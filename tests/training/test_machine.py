"""What other programs take while updates are timed, what limits leave of the memory, and who is told."""

import dataclasses
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from facegan import machine
from facegan.machine import OtherWork, left_by_limits
from facegan.planning.auto import Choice, Decision, Surroundings, table
from facegan.planning.dry_run import dry_run
from facegan.planning.dry_run_text import page

AROUND = Surroundings(24, 32, 32, 3, (), True, "cpu", 2, None)
LINUX = pytest.mark.skipif(not Path("/proc/stat").is_file(), reason="the system does not tell")


def measured(monkeypatch, seconds, own, all_work, cores=2):
    """As if a block took so long, this process worked ``own`` and the processor ``all_work`` seconds."""
    clock = SimpleNamespace(
        perf_counter=iter([10.0, 10.0 + seconds]).__next__, process_time=iter([5.0, 5.0 + own]).__next__
    )
    monkeypatch.setattr(machine, "time", clock)
    monkeypatch.setattr(
        machine, "_busy", iter([100.0, None if all_work is None else 100 + all_work]).__next__
    )
    monkeypatch.setattr(machine, "_mine", lambda: set(range(cores)))
    with OtherWork() as others:
        pass
    return others


@pytest.mark.parametrize(
    "seconds, own, all_work, cores, slowed_threads",
    [
        (2.0, 1.0, 3.0, 1.0, [2]),  # one core is left
        (2.0, 4.0, 4.0, 0.0, []),
        (2.0, 4.0, 3.9, 0.0, []),  # the clocks differ a little
        (2.0, 3.6, 4.0, 0.2, []),  # what a desktop does
        (2.0, 1.0, 5.0, 2.0, [1, 2]),
        (2.0, 1.0, None, None, []),  # the system does not tell
        (0.1, 0.1, 0.2, None, []),  # too short
    ],
)
def test_what_is_left_of_the_processors_work(monkeypatch, seconds, own, all_work, cores, slowed_threads):
    others = measured(monkeypatch, seconds, own, all_work)
    assert others.cores == (cores if cores is None else pytest.approx(cores))
    assert [n for n in (1, 2) if others.slows(n)] == slowed_threads


@LINUX
def test_a_real_process_is_seen_and_own_work_is_not():
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        with OtherWork() as beside:
            time.sleep(1.5)
        other.kill()
    assert beside.cores is not None and beside.cores > 0.3

    before, own = machine._busy(), time.process_time()
    while time.process_time() - own < 0.6:
        pass
    assert machine._busy() - before > 0.5


def test_the_page_and_the_choice_say_so(tiny_dataset, monkeypatch):
    from facegan.recipes.config import override
    from facegan.recipes.table import recipe

    config = override(recipe("faces-tiny-32"), {"kimg": 0.064, "batch": 8})
    found = dry_run(tiny_dataset, config, "cpu")
    quiet = dataclasses.replace(found, threads=2, others=measured(monkeypatch, 2.0, 4.0, 4.0))
    slow = dataclasses.replace(found, threads=2, others=measured(monkeypatch, 2.0, 1.0, 4.8))
    chosen = (Choice("recipe", config.recipe, "you named it"),)
    words = "other programs keep 1.9 of 2 cores busy"
    assert words in page(slow) and words in table(Decision(config, chosen, slow, AROUND))
    assert "other programs" not in page(quiet) + table(Decision(config, chosen, quiet, AROUND))
    # A GPU does not wait for them.
    assert "other programs" not in page(dataclasses.replace(slow, device="cuda"))


def group(folder, limit, used, inactive, version):
    names = {
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        2: ("memory.max", "memory.current", "inactive_file"),
    }[version]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{names[2]} {inactive}\n")


@pytest.mark.parametrize(
    ("own", "groups", "left"),
    [
        ("0::/a/b", {"a": ("max", 10, 0, 2), "a/b": (1000, 400, 50, 2)}, 650),
        ("0::/a/b", {"a": (900, 800, 0, 2), "a/b": (1000, 400, 50, 2)}, 100),  # the outer one binds, too
        ("0::/", {"": (700, 800, 0, 2)}, 0),  # a container's own group is its root
        ("0::/a", {"a": ("max", 10, 0, 2)}, None),
        ("5:cpu:/a\n4:cpuset,memory:/a\n0::/", {"memory/a": (500, 100, 20, 1)}, 420),
        ("4:memory:/a", {"memory/a": (1 << 63, 100, 20, 1), "memory": (300, 100, 0, 1)}, 200),
        ("4:memory:/job", {}, None),
        ("3:cpu:/a", {"memory": (300, 100, 0, 1)}, None),
    ],
)
def test_memory_that_limits_leave(tmp_path, own, groups, left):
    (tmp_path / "own").write_text(own + "\n")
    for path, values in groups.items():
        group(tmp_path / "root" / path, *values)
    assert left_by_limits(str(tmp_path / "own"), str(tmp_path / "root")) == left
    assert left_by_limits(str(tmp_path / "no"), str(tmp_path / "root")) is None
