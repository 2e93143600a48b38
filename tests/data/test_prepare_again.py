"""Preparing that is stopped, killed, repeated or disturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sample_photos import OPTIONS, contents, folder, messy, smooth

from facegan.data import chunks, process_sources, shards
from facegan.data.prepare import Progress, prepare
from facegan.data.process_sources import CHUNK
from facegan.errors import InputError
from facegan.images import png_bytes


def command(photos: Path, out: Path, *more: str) -> list[str]:
    common = ["--crop", "none", "--size", "64", "--quiet", "--workers", "2"]
    return [
        sys.executable,
        "-m",
        "facegan.cli.main",
        "prepare",
        str(photos),
        "--out",
        str(out),
        *common,
        *more,
    ]


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def test_killed_and_run_again_it_makes_the_same_bytes(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", 10 * CHUNK)
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    subprocess.run(command(photos, tmp_path / "whole/ds"), check=True)
    out = tmp_path / "killed/ds"
    run = subprocess.Popen(command(photos, out))
    until(lambda: (out / ".work/000002.arrow").exists())
    workers = children(run.pid)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    until(lambda: not any(alive(pid) for pid in workers))
    assert not (out / "dataset.json").exists()
    before = {p: p.stat().st_mtime_ns for p in (out / ".work").glob("*.arrow")}
    assert 3 <= len(before) < 10
    # Held back at the end of reading, the second run shows which chunks it kept.
    kept: list[bool] = []

    def look(progress: Progress) -> None:
        if progress.stage == "read" and progress.done == 10 * CHUNK:
            kept.append(all(p.stat().st_mtime_ns == t for p, t in before.items()))

    prepare(photos, out, crop="none", size=64, workers=1, on_progress=look)
    assert kept == [True]
    assert contents(out) == contents(tmp_path / "whole/ds")


@pytest.mark.parametrize("moment", ["000001.arrow", "data", "README.md"])
def test_stopped_at_any_stage_it_goes_on(
    tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error at a moment leaves the same files as a kill: a dataset.json only if all else is there."""
    photos = messy(tmp_path / "photos")

    def failing(path: Path, content: bytes) -> None:
        if Path(path).name == moment:
            raise KeyboardInterrupt
        real(path, content)

    real = chunks.write_bytes
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(chunks, "write_bytes", failing)
        patch.setattr(shards, "write_bytes", failing)
        if moment == "data":
            patch.setattr(shards.ShardWriter, "close", lambda self: failing(Path("data"), b""))
        with pytest.raises(KeyboardInterrupt):
            prepare(photos, tmp_path / "a/ds", **OPTIONS)
    assert not (tmp_path / "a/ds/dataset.json").exists()
    prepare(photos, tmp_path / "a/ds", **OPTIONS)
    prepare(photos, tmp_path / "b/ds", **OPTIONS)
    assert contents(tmp_path / "a/ds") == contents(tmp_path / "b/ds")


def test_a_run_stopped_with_other_options_leaves_nothing_of_them(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", 3 * CHUNK)

    def stop(progress: Progress) -> None:
        if progress.done >= CHUNK:
            raise KeyboardInterrupt

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with pytest.raises(KeyboardInterrupt):
        prepare(photos, tmp_path / "a/ds", on_progress=stop, **{**OPTIONS, "size": 40})
    prepare(photos, tmp_path / "a/ds", **OPTIONS)
    prepare(photos, tmp_path / "b/ds", **OPTIONS)
    assert contents(tmp_path / "a/ds") == contents(tmp_path / "b/ds")


def test_an_identical_second_run_changes_nothing(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", 5)
    prepare(photos, tmp_path / "ds", **OPTIONS).images()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "ds").rglob("*")}
    again = prepare(photos, tmp_path / "ds", **{**OPTIONS, "workers": 2})
    assert again.info["already_made"]
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "ds").rglob("*")} == before


CHANGES: dict[str, dict[str, Any]] = {
    "crop": {"size": 32},
    "include": {"include": "*.png"},
    "limit": {"limit": 3},
    "split": {"split": "test=0.5"},
    "drop_near_duplicates": {"drop_near_duplicates": True},
    "max_pixels": {"max_pixels": 5000},
    "sources": {},
    "sources' content": {},
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_second_run_is_refused_and_says_what_changed(tmp_path: Path, what: str) -> None:
    photos = folder(tmp_path / "photos", 5)
    prepare(photos, tmp_path / "ds", **OPTIONS)
    before = contents(tmp_path / "ds")
    sources = [photos, folder(tmp_path / "more", 2)] if what == "sources" else [photos]
    if what == "sources' content":
        (photos / "new.png").write_bytes(png_bytes(smooth(99)))
    with pytest.raises(InputError, match=f"different: .*{what}") as caught:
        prepare(sources, tmp_path / "ds", **{**OPTIONS, **CHANGES[what]})
    assert "\n" not in str(caught.value)
    assert contents(tmp_path / "ds") == before


def test_two_runs_into_one_folder_at_once(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", 2 * CHUNK)
    told: list[str] = []

    def second(progress: Progress) -> None:
        if progress.stage == "read" and not told:
            done = subprocess.run(command(photos, tmp_path / "ds"), capture_output=True, text=True)
            told.append(done.stderr)
            assert done.returncode == 2

    prepare(photos, tmp_path / "ds", on_progress=second, **OPTIONS)
    assert "another 'facegan prepare' is writing it" in told[0] and told[0].count("\n") == 1


def test_a_worker_that_dies_is_one_line_and_the_next_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_sources, "MIN_CHUNK_BYTES", 0)  # six chunks
    photos = folder(tmp_path / "photos", 6 * CHUNK)

    def kill(progress: Progress) -> None:
        if progress.stage == "read" and not killed:
            victims = [p for p in children(os.getpid()) if p not in before]
            for pid in victims:
                if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    before, killed = set(children(os.getpid())), []  # type: ignore[var-annotated]
    assert threading.current_thread() is threading.main_thread()
    with pytest.raises(InputError, match="a worker process died") as caught:
        prepare(photos, tmp_path / "ds", on_progress=kill, **{**OPTIONS, "workers": 2, "size": 96})
    assert killed and "\n" not in str(caught.value)
    made = prepare(photos, tmp_path / "ds", **{**OPTIONS, "size": 96})
    assert made.counts == {"train": 6 * CHUNK}


def test_a_damaged_chunk_is_named(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", 2)

    def damage(progress: Progress) -> None:
        chunk = tmp_path / "ds/.work/000000.arrow"
        if progress.stage == "read":
            content = bytearray(chunk.read_bytes())
            content[len(content) // 3 :] = bytes(len(content) - len(content) // 3)
            chunk.write_bytes(content)

    with pytest.raises(InputError, match=r"000000\.arrow: damaged"):
        prepare(photos, tmp_path / "ds", on_progress=damage, **OPTIONS)
    assert prepare(photos, tmp_path / "ds", **OPTIONS).counts == {"train": 2}
