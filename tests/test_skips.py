"""The skip rule of conftest.py, in a pytest of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LISTED = """
import pytest
@pytest.fixture
def missing(): pytest.skip("needs ../shared")
@pytest.mark.skip(reason="needs ../shared")
def test_marked(): ...
def test_fixture(missing): ...
def test_other(): ...
"""
UNLISTED = """
import pytest
def test_called(): pytest.skip("no time")
@pytest.mark.skipif(True, reason="odd")
def test_marked(): ...
"""
WHOLE = "import pytest\npytest.importorskip('no_such_module')\n"
CASES = {  # files -> exit code, what the output must say
    "listed": ([LISTED], 0, ["1 passed, 2 skipped"]),
    "unlisted": (
        [LISTED, UNLISTED, WHOLE],
        1,
        ["test_1.py::test_called: no time", "test_1.py::test_marked: odd", "import 'no_such_module'"],
    ),
}


@pytest.mark.parametrize("workers", ["0", "1"])
@pytest.mark.parametrize("name", CASES)
def test_skips_must_be_listed(name: str, workers: str, tmp_path: Path) -> None:
    files, code, words = CASES[name]
    for file in ("conftest.py", "allowed-skips.txt"):
        shutil.copy(HERE / file, tmp_path / file)
    for i, text in enumerate(files):
        (tmp_path / f"test_{i}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "xdist.plugin", "-n", workers]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # others take a second to load
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == code, done.stdout + done.stderr
    for word in words:
        assert word in done.stdout
