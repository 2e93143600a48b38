"""The page's modules pass the type checker and ESLint, and its libraries are the pinned ones."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "facegan" / "studio" / "page"
TOOLS = ROOT / ".ci" / "page"
PROGRAMS = TOOLS / "node_modules" / ".bin"


@pytest.mark.parametrize(
    "words",
    [
        ["tsc", "-p", str(TOOLS)],
        ["eslint", "--max-warnings", "0", "-c", str(TOOLS / "eslint.config.js"), str(PAGE)],
    ],
    ids=["types", "eslint"],
)
def test_the_modules_are_sound(words: list[str]) -> None:
    if shutil.which("node") is None or not (PROGRAMS / words[0]).exists():
        pytest.skip("needs node and the modules of .ci/page")
    done = subprocess.run(
        [str(PROGRAMS / words[0]), *words[1:]], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_libraries_are_the_pinned_ones_with_their_licences() -> None:
    script = (ROOT / ".ci" / "preact.py").read_text()
    pinned = dict(re.findall(r'"(\w+)": \("([\d.]+)"', script))
    assert set(pinned) == {"preact", "htm"}
    checked = json.loads((TOOLS / "package.json").read_text())["devDependencies"]
    assert {name: checked[name] for name in pinned} == pinned, "types of another version"
    vendor = PAGE / "vendor"
    for file in vendor.glob("*.js"):
        name, version = re.findall(r"^/\* (\w+) ([\d.]+)", file.read_text())[0]
        assert pinned[name] == version
        assert "Copyright" in (vendor / f"LICENSE.{name}").read_text()
    assert "resolved" not in (TOOLS / "package-lock.json").read_text(), "the lock names addresses"


def test_nothing_is_loaded_from_elsewhere_and_no_style_or_script_is_inline() -> None:
    """The Content-Security-Policy would refuse both, but only in the browser."""
    for file in [*PAGE.rglob("*.js"), *PAGE.rglob("*.css"), *PAGE.rglob("*.html"), *PAGE.rglob("*.svg")]:
        text = file.read_text().replace("http://www.w3.org/", "")
        assert "vendor" in file.parts or not re.search(r"https?://", text), file
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=\"|\son\w+=\"", text), file
