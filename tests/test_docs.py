"""Files that the documents name exist, and their commands are commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facegan.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_named_files_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    paths = re.findall(r"\b((?:facegan|tests|docs|benchmarks|examples)/[\w./-]+\.\w+)", text)
    paths += [p for p in re.findall(r"\]\(([^)#:\s]+)\)", text) if not p.startswith("/")]
    missing = [
        p for p in paths if "NAME" not in p and not any((b / p).exists() for b in (ROOT, document.parent))
    ]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_named_commands_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    fenced = "".join(re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    used = re.findall(r"(?:^ {4}|`)facegan ([a-z]+)\b", text, re.MULTILINE)
    used += re.findall(r"^(?:\$ )?facegan ([a-z]+)\b", fenced, re.MULTILINE)
    assert set(used) <= set(COMMANDS)
