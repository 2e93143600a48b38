"""Files of tensors: every reader refuses the same damage in one line of the same shape."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from facegan import files
from facegan.attributes.predictor import AttributePredictor
from facegan.deltas import load_delta
from facegan.errors import ModelError
from facegan.files import beside, clear_leftovers, derived, fit_name, take_lock, temporary_name, write_bytes
from facegan.generator import Generator
from facegan.inversion.encoder import Encoder
from facegan.latent.directions import Directions
from facegan.runs.export import unpack
from facegan.tensor_files import _OURS, has_header

# key -> who reads it, what it is
READERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "facegan": (Generator.load, "facegan model"),
    "facegan-attributes": (AttributePredictor.load, "attribute network"),
    "facegan-delta": (load_delta, "delta"),
    "facegan-directions": (Directions.load, "directions"),
    "facegan-encoder": (Encoder.load, "encoder"),
    "facegan-networks": (unpack, "file of 'facegan pack'"),
}
# header's text (None is no header, "" another program's) -> what the line says
BROKEN = {
    None: "this is a text file, not ",
    "": "no WHAT (its header has no 'KEY' entry)",
    json.dumps({"format": 99}): "format 99 is not 1; is facegan up to date?",
    json.dumps({"format": 1}): "the header does not describe its tensors (",
    "[]": "the header does not describe its tensors (",
    "{": "the header does not describe its tensors (",
}


@pytest.mark.parametrize(("key", "other"), list(itertools.permutations(READERS, 2)))
def test_another_file_of_ours_is_called_by_its_name(key: str, other: str, tmp_path: Path) -> None:
    read, what = READERS[key]
    file = tmp_path / "it.safetensors"
    file.write_bytes(save({"x": np.zeros(1, np.float32)}, {other: "{}"}))
    with pytest.raises(ModelError) as caught:
        read(file)
    assert str(caught.value) == f"{file}: no {what} (it is {_OURS[other]})"


@pytest.mark.parametrize("key", READERS)
def test_one_line_of_the_same_shape(key: str, tmp_path: Path) -> None:
    read, what = READERS[key]
    file = tmp_path / "it.safetensors"
    with pytest.raises(ModelError) as caught:
        read(file)
    assert str(caught.value).startswith(f"{file}: there is no such ")
    for text, message in BROKEN.items():
        if text is None:
            file.write_text("no tensors\n" * 20)
        else:
            save_file({"a": np.zeros(2, np.float32)}, file, {key: text} if text else {"other": "{}"})
        assert has_header(file, key) == bool(text)
        with pytest.raises(ModelError) as caught:
            read(file)
        said = str(caught.value)
        assert said.startswith(f"{file}: {message.replace('WHAT', what).replace('KEY', key)}"), said
        assert "\n" not in said and len(said) < 400


@pytest.mark.parametrize(
    ("error", "taken"), [(None, True), (BlockingIOError, False), (OSError(38, "not implemented"), True)]
)
def test_a_lock_is_refused_only_where_somebody_holds_it(tmp_path, monkeypatch, error, taken):
    """A file system that knows no locks holds nobody up."""

    def flock(*_):
        if error is not None:
            raise error

    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", flock)
    with open(tmp_path / "lock", "w") as handle:
        assert take_lock(handle) is taken


@pytest.mark.parametrize(("writable", "place"), [(True, "FOLDER/faces-labelled"), (False, "faces-labelled")])
def test_results_go_beside_what_they_were_made_from_or_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writable: bool, place: str
) -> None:
    asked = []
    monkeypatch.setattr(os, "access", lambda path, mode: asked.append((path, mode)) or writable)
    found = beside(tmp_path / "faces", "faces-labelled")
    assert found == Path(place.replace("FOLDER", str(tmp_path))) and asked == [(tmp_path, os.W_OK)]


@pytest.mark.parametrize("letter", ["a", "é", "顔"])
def test_names_are_cut_to_what_the_disk_takes_and_stay_apart(tmp_path: Path, letter: str) -> None:
    assert fit_name("photo", "-dream.png", tmp_path) == "photo-dream.png"
    stems = [letter * 251 + end for end in ("", "1", "2")]
    names = [fit_name(stem, "-dream.png", tmp_path) for stem in stems]
    assert len(set(names)) == 3 and all(name.endswith("-dream.png") for name in names)
    for name in names:
        assert 240 < len(os.fsencode(name)) <= 255
        (tmp_path / name).write_bytes(b"")
    file = tmp_path / (letter * (251 // len(letter.encode())) + ".png")
    assert derived(file, "-result.png") == derived(file, "-result.png") != derived(file, ".npz")
    write_bytes(file, b"content")  # its temporary file has a longer name
    assert file.read_bytes() == b"content" and len(list(tmp_path.iterdir())) == 4


def test_leftovers_of_a_long_name_are_found(tmp_path: Path) -> None:
    name = "n" * 250
    gone = tmp_path / temporary_name(name).replace(f"-{os.getpid()}.tmp", "-999999.tmp")
    gone.touch()
    clear_leftovers(tmp_path, name)
    assert not gone.exists() or os.name != "posix"


WRITER = """
import os, sys
from pathlib import Path
from facegan import files
os.environ["FACEGAN_KILL_AT"] = sys.argv[2]
files.write_bytes(Path(sys.argv[1]), b"content")
"""


@pytest.mark.parametrize("name", ["a.npz", "photo.png", "n" * 240])
def test_what_a_killed_writer_left_goes_with_the_next_write(name: str, tmp_path: Path) -> None:
    """Not what belongs to another file, to a living process, or to another machine."""
    file, alive = tmp_path / name, f"{os.getppid()}-1.tmp"
    for point, count in ((1, 0), (2, 1), (3, 1), (4, 1)):  # before the first byte there is nothing to leave
        done = subprocess.run([sys.executable, "-c", WRITER, str(file), str(point)], check=False)
        left = [path.name for path in tmp_path.iterdir()]
        assert done.returncode == -signal.SIGKILL and len(left) == count and not file.exists()
    begin = left[0].rpartition("-")[0].rpartition("-")[0]
    kept = {f"{begin}-{alive}", ".other.host-999999-1.tmp", f".{name[:9]}.elsewhere-999999-1.tmp"}
    for one in kept:
        (tmp_path / one).touch()
    files._hidden.clear()
    write_bytes(file, b"content")
    assert file.read_bytes() == b"content"
    assert {path.name for path in tmp_path.iterdir()} == {name, *kept}


def test_threads_write_the_same_file_whole(tmp_path: Path) -> None:
    """One of them wins, and none fails because another has renamed its half."""
    contents = [bytes([number]) * 100_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: write_bytes(tmp_path / "a", content), contents * 5))
    assert (tmp_path / "a").read_bytes() in contents
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
