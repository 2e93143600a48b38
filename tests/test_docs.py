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


PAGES = [d for d in DOCUMENTS if d.is_relative_to(ROOT / "docs") or d.name == "README.md"]


def command_lines(text: str, inline: bool = True) -> list[str]:
    """What follows "facegan" in commands: in indented and fenced blocks, and between backticks."""
    text = text.replace("\\\n", " ")
    blocks = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
    found = re.findall(r"^ {4}facegan ([a-z].*)", text, re.MULTILINE)
    found += re.findall(r"^(?:\$ )?facegan ([a-z].*)", "".join(blocks.findall(text)), re.MULTILINE)
    if inline:
        found += [" ".join(s.split()) for s in re.findall(r"`facegan\s([a-z][^`]*)`", blocks.sub("", text))]
    return found


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("    facegan show a \\\n        --b\n", ["show a          --b"]),
        ("```sh\nfacegan film x\n$ facegan mix\n```\n", ["film x", "mix"]),
        ("see `facegan recipes`, facegan train and `facegan\nmix a --b`", ["recipes", "mix a --b"]),
        ("see `facegan train\n--recipe x`", ["train --recipe x"]),
    ],
)
def test_commands_are_found(text: str, lines: list[str]) -> None:
    assert command_lines(text) == lines


def test_every_page_is_in_the_navigation() -> None:
    """mkdocs.yml names the pages of docs/; 'make docs' checks the rest (tests/test_site.py)."""
    named = set(re.findall(r"[\w./-]+\.md\b", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    pages = {str(d.relative_to(ROOT / "docs")).replace("README", "index") for d in ROOT.glob("docs/**/*.md")}
    assert pages - named == set()


def test_how_it_works_inside_names_every_folder() -> None:
    text = (ROOT / "docs/inside.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", text, re.MULTILINE))))
    there = {f.name for f in (ROOT / "facegan").iterdir() if f.is_dir() and f.name != "__pycache__"}
    assert there - named == set(), "docs/inside.md has no row for these folders"
    assert named - there == set(), "docs/inside.md has rows for folders that are gone"


@pytest.mark.parametrize("document", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_pages_with_commands_say_when_they_ran(document: Path) -> None:
    """A date, or that the tests run them."""
    text = document.read_text(encoding="utf-8")
    if command_lines(text, inline=False):
        assert re.search(r"[Ll]ast run[^.]* \d{4}-\d{2}-\d{2}|[Tt]he tests run", text)


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
    assert {line.split()[0] for line in command_lines(text)} <= set(COMMANDS)


@functools.cache
def options(command: str, recipe: str) -> set[str]:
    everything = "--help-all" if command == "train" else "--help"
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as out:
        main([command, *(["--recipe", recipe] if recipe else []), everything])
    return {"--help", everything} | set(re.findall(r"--[a-z][\w.-]*", out.getvalue()))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_named_options_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    unknown = []
    for line in command_lines(text):
        words = line.partition(" # ")[0].split()
        recipe = words[words.index("--recipe") + 1] if "--recipe" in words else ""
        known = options(words[0], recipe if recipe in RECIPES and words[0] == "train" else "")
        unknown += [
            f"{words[0]} {w}" for w in words[1:] if w.startswith("--") and w.split("=")[0] not in known
        ]
    assert unknown == []
