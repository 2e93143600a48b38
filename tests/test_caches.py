"""Where caches go: the order of the places, and what happens where one cannot be written."""

from __future__ import annotations

import os
import platform
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import pytest

from facegan import caches
from facegan.caches import Cache
from facegan.errors import FaceganWarning

HOMES = {  # system -> environment -> the user's folder, below HOME
    ("Linux", ""): ".cache/facegan",
    ("Linux", "XDG_CACHE_HOME=HOME/xdg"): "xdg/facegan",
    ("Linux", "XDG_CACHE_HOME=relative"): ".cache/facegan",
    ("Darwin", ""): "Library/Caches/facegan",
    ("Darwin", "XDG_CACHE_HOME=HOME/xdg"): "xdg/facegan",
    ("Windows", "LOCALAPPDATA=HOME/local"): "local/facegan/Cache",
    ("Windows", ""): "AppData/Local/facegan/Cache",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of one's own, with none of the variables that count set."""
    for name in ("FACEGAN_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("system", "variable"), HOMES)
def test_the_users_folder_is_the_systems(
    home: Path, monkeypatch: pytest.MonkeyPatch, system: str, variable: str
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    if variable:
        name, _, value = variable.partition("=")
        monkeypatch.setenv(name, value.replace("HOME", str(home)))
    assert caches.users_cache() == home / HOMES[system, variable]


def test_the_order_of_places(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, users = home / "ds/.cache/abc", home / ".cache/facegan/datasets/abc"
    assert Cache("datasets/abc", own).folders() == [own, users]
    assert Cache("datasets/abc").folders() == [users]
    monkeypatch.setenv("FACEGAN_CACHE", "~/chosen")
    assert Cache("datasets/abc", own).folders() == [home / "chosen/datasets/abc", own, users]


def full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No room below ``folder``, as the system tells before the write."""
    others = shutil.disk_usage

    def usage(path: Path) -> object:
        return SimpleNamespace(free=3) if folder in path.parents else others(path)

    monkeypatch.setattr(shutil, "disk_usage", usage)


def file_in_the_way(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder cannot be made, not even by root, who may write in read-only ones."""
    folder.rmdir()
    folder.write_text("")


Refuse = Callable[[Path, pytest.MonkeyPatch], None]
REFUSALS: dict[Refuse, str] = {full: "No space left on device", file_in_the_way: "Not a directory"}


def hello(handle: IO[bytes]) -> None:
    handle.write(b"hello")


@pytest.mark.parametrize("refuse", REFUSALS)
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_the_next_place_takes_what_one_refuses(
    home: Path, monkeypatch: pytest.MonkeyPatch, refuse: Refuse, count: int
) -> None:
    places = [home / "chosen", home / "data", home / "users"]
    monkeypatch.setenv("FACEGAN_CACHE", str(places[0]))
    monkeypatch.setenv("XDG_CACHE_HOME", str(places[2]))
    for place in places:
        place.mkdir()
    for place in places[:count]:
        refuse(place, monkeypatch)
    cache = Cache("topic", places[1] / ".cache")
    folders = cache.folders()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        file = cache.keep("a.npy", hello, 5)
    assert file == (folders[count] / "a.npy" if count < 3 else None)
    assert list(cache.files("a.npy")) == ([file] if file else [])
    assert file is None or (file.read_bytes() == b"hello" and os.listdir(file.parent) == ["a.npy"])
    assert [w.category for w in told] == [FaceganWarning] * bool(count)
    for folder in folders[:count]:
        assert f"{folder} ({REFUSALS[refuse]})" in str(told[0].message)
        assert not folder.exists()
    if refuse is file_in_the_way:
        assert cache.place("a.npy") == (folders[count] / "a.npy" if count < 3 else None)


def test_what_is_there_is_found_in_any_place(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache("topic", home / "own")
    first = cache.keep("a", hello)
    monkeypatch.setenv("FACEGAN_CACHE", str(home / "chosen"))
    second = cache.keep("a", hello)
    assert list(cache.files("a")) == [second, first] == [home / "chosen/topic/a", home / "own/a"]


def test_nothing_is_left_of_a_write_that_fails(home: Path) -> None:
    def fails(handle: IO[bytes]) -> None:
        handle.write(b"half")
        raise ValueError("damaged")

    cache = Cache("topic", home / "own")
    with pytest.raises(ValueError, match="damaged"):
        cache.keep("a", fails)
    assert not (home / "own").exists()


def test_what_killed_processes_left_goes_and_what_others_write_stays(home: Path) -> None:
    folder = home / "own"
    folder.mkdir()
    old, new, other = folder / ".a.host-1-2.tmp", folder / ".a.host-3-4.tmp", folder / ".b.host-1-2.tmp"
    for left in (old, new, other):
        left.write_bytes(b"x")
    os.utime(old, (1e9, 1e9))
    os.utime(other, (1e9, 1e9))
    Cache("topic", folder).keep("a", hello)
    assert sorted(os.listdir(folder)) == [new.name, other.name, "a"]
