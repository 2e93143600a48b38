"""The demo as a newcomer runs it, much shortened; and going on after being killed."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facegan.cli.main import main

COMMAND = [sys.executable, "-m", "facegan.cli.main", "demo", "--portraits", "160", "--kimg", "0.4"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    """Killed while it trains, then run again to the end."""
    out = tmp_path_factory.mktemp("demo") / "out"
    process = subprocess.Popen([*COMMAND, "--out", str(out)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while (
        not list(out.glob("run/checkpoints/*kimg")) and process.poll() is None and time.monotonic() < deadline
    ):
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -9, "the demo ended before it could be killed"
    drawn = (out / "portraits" / "000001.png").stat().st_mtime_ns
    again = subprocess.run([*COMMAND, "--out", str(out)], stderr=subprocess.PIPE, text=True)
    assert again.returncode == 0, again.stderr
    assert "(done before)" in again.stderr and "resumed from" in again.stderr
    assert (out / "portraits" / "000001.png").stat().st_mtime_ns == drawn
    return out


def test_report_holds_everything_itself(demo):
    page = (demo / "report.html").read_text()
    assert not re.search(r'(?:src|href)\s*=\s*"(?!data:)', page)
    for name in ("faces.png", "portraits.png", "progress.png", "interpolation.png", "film.webp"):
        assert (demo / "pictures" / name).exists()
    assert page.count("<img") >= 5
    assert "support" in page or "nothing here says" in page


def test_every_stage_is_timed_and_the_judge_is_named(demo):
    story = json.loads((demo / "demo.json").read_text())
    assert list(story["seconds"]) == ["draw", "prepare", "train", "explore", "arithmetic"]
    for who in ("judge", "chooser"):
        assert set(story["numbers"]["arithmetic"][who]) == {"Smiling", "Glasses"}


def test_other_settings_and_foreign_folders_are_refused(demo, tmp_path, capsys):
    assert main(["demo", "--out", str(demo), "--kimg", "3"]) == 2
    assert "other settings" in capsys.readouterr().err
    (tmp_path / "mine.txt").write_text("x")
    assert main(["demo", "--out", str(tmp_path)]) == 2
    assert main(["demo", "--portraits", "3", "--out", str(tmp_path / "new")]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2 and not (tmp_path / "new").exists()
