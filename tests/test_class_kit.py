"""The class kit's exercises give the answers that docs/class/exercises.md prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facegan.cli.main import main

PAGE = Path(__file__).resolve().parents[1] / "docs/class/exercises.md"


def test_the_way_between_two_vectors(capsys: pytest.CaptureFixture[str]) -> None:
    """Exercise 2: both ends, the middle of the line; then the ends and the middle of the arc."""
    [block] = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    exec(compile(block, str(PAGE), "exec"), {})
    numbers = [float(n) for n in re.findall(r"\d+\.\d+", capsys.readouterr().out)]
    ends, line, arc = numbers[:2], numbers[2], numbers[3:]
    assert all(9 < n < 14 for n in (*ends, *arc))
    assert line == pytest.approx(sum(ends) / 2 / 2**0.5, rel=0.1)
    assert min(arc) > 1.2 * line


def test_truncation_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Exercise 3."""
    assert main(["generate", "celeba64", "--truncation", "0.5"]) == 2
    assert "direction, not its length" in capsys.readouterr().err


def test_members_make_a_picture(tmp_path: Path) -> None:
    """Exercise 4, with a single member and few faces to look through."""
    words = "smiling woman - neutral woman + neutral man"
    out = tmp_path / "one.png"
    assert not main(
        ["arithmetic", "celeba64", words, "--members", "1", "--samples", "100", "--out", str(out)]
    )
    assert out.exists() and out.with_name("one-result.png").exists()
