"""Files that the documents name exist, their commands are commands, and their options are theirs."""

from __future__ import annotations

import contextlib
import functools
import io
import re
from pathlib import Path

import pytest

from facegan.cli.main import COMMANDS, main
from facegan.recipes.table import RECIPES

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


@functools.cache
def options(command: str, recipe: str) -> set[str]:
    with pytest.raises(SystemExit), contextlib.redirect_stdout(io.StringIO()) as out:
        main([command, *(["--recipe", recipe] if recipe else []), "--help"])
    return set(re.findall(r"--[a-z][\w.-]*", out.getvalue()))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_named_options_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"(?:^ {4}|`)facegan ([a-z][^`\n]*)", text, re.MULTILINE)
    unknown = []
    for line in lines:
        words = line.partition(" # ")[0].split()
        recipe = words[words.index("--recipe") + 1] if "--recipe" in words else ""
        known = options(words[0], recipe if recipe in RECIPES and words[0] == "train" else "")
        unknown += [
            f"{words[0]} {w}" for w in words[1:] if w.startswith("--") and w.split("=")[0] not in known
        ]
    assert unknown == []
