"""Several hundred hostile and damaged model files, read in a watched process: one line or a model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import hostile_graphs
import hostile_translators
import pytest
from hostile import MAKERS, MARKER

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """The folder in which the process ran, and what it said of each file."""
    place = tmp_path_factory.mktemp("hostile")
    (place / "files").mkdir()
    names: set[str] = set()
    for kind, make in {**MAKERS, **hostile_graphs.MAKERS, **hostile_translators.MAKERS}.items():
        for name, content in make():
            title = name if name.startswith("good") else f"{kind}: {name}"
            assert title not in names and "/" not in title
            names.add(title)
            (place / "files" / title).write_bytes(content)
    argv = [sys.executable, str(HERE / "audited_reader.py"), str(place / "files")]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=place, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(names) > 500
    found = [json.loads(line) for line in done.stdout.splitlines() if line]
    assert {row["name"] for row in found} == names
    return place, found


def test_each_is_one_line_or_a_model(results: Any) -> None:
    wrong = [
        (row["name"], row["told"])
        for row in results[1]
        if row["told"] != "model"
        and (not row["told"].startswith(f"error: {results[0]}/files/{row['name']}: ") or "\n" in row["told"])
    ]
    assert wrong == []


def test_good_files_are_models_and_payloads_are_none(results: Any) -> None:
    models = {row["name"] for row in results[1] if row["told"] == "model"}
    good = {row["name"] for row in results[1] if row["name"].startswith("good")}
    assert len(good) == 18 and good <= models
    # A stand-in beside the weights does no harm; what cannot be read may not become a picture.
    assert not {
        name for name in models if "as a weight" in name or name.startswith(("opcodes", "zips: a bomb"))
    }


def test_nothing_is_executed_imported_written_or_sent(results: Any) -> None:
    place, found = results
    assert [(row["name"], row["events"]) for row in found if row["events"]] == []
    assert {path.name for path in place.iterdir()} == {"files"}
    assert not list(place.rglob(MARKER)) and not (HERE / MARKER).exists()


def test_time_and_memory_are_bounded(results: Any) -> None:
    found = results[1]
    assert [(row["name"], row["seconds"]) for row in found if row["seconds"] > 15] == []
    begin = max(row["peak"] for row in found[:14])  # KiB, when the good files have been read once
    assert max(row["peak"] for row in found) - begin < 1536 * 1024
