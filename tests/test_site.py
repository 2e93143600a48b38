"""The site of 'make docs' builds strictly, has every page and public name, and loads nothing from outside."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import facegan
from facegan import latent, pixels
from facegan.cli.main import COMMANDS
from facegan.recipes.table import RECIPES

ROOT = Path(__file__).resolve().parents[1]


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("mkdocstrings") is None:
        pytest.skip("needs mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", config, "-d", site]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    done = build(ROOT / "mkdocs.yml", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def headings(page: Path) -> set[str]:
    """The words of a page's headings, without markup."""
    found = re.findall(r"<h[23][^>]*>(.*?)</h[23]>", page.read_text(encoding="utf-8"), re.DOTALL)
    return set(re.sub(r"<[^>]+>|&para;|¶", " ", " ".join(found)).split())


def test_reference_names_all_that_is_public(site: Path) -> None:
    for package in (facegan, latent, pixels):
        page = site / "reference" / f"{package.__name__.rpartition('.')[2]}.html"
        public = {n for n in package.__all__ if getattr(getattr(package, n), "__qualname__", "") == n}
        assert {f"{package.__name__}.{n}" for n in public} <= headings(page)
        text = page.read_text(encoding="utf-8")
        assert "<blockquote>" not in text, "lines after >>> are code"
    assert set(COMMANDS) <= headings(site / "reference/commands.html")
    text = (site / "reference/recipes.html").read_text(encoding="utf-8")
    assert [name for name in RECIPES if f"<code>{name}</code>" not in text] == []


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """Links that a reader follows may lead out; what a browser fetches by itself may not."""
    fetched = []
    for page in site.rglob("*.html"):
        for tag in re.findall(r"<(?:script|link|img|iframe|source|video)\b[^>]*>", page.read_text("utf-8")):
            fetched += re.findall(r"""(?:src|href)=["']?((?:https?:)?//[^"' >]+)""", tag)
    for style in site.rglob("*.css"):
        fetched += re.findall(r"url\(\s*[\"']?((?:https?:)?//[^)]+)", style.read_text("utf-8"))
    assert fetched == []
    assert (site / "index.html").exists() and (site / "search/search_index.js").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[example](https://example.org)", ""),
        ("[gone](nowhere.md)", "nowhere.md"),
        ("![one](https://example.org/one.png)", "loads from outside"),
    ],
)
def test_faults_stop_the_build(text: str, words: str, tmp_path: Path) -> None:
    """A site of one page with the same checks."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text(f"# One\n\n{text}\n")
    shared = (ROOT / "mkdocs.yml").read_text().partition("validation:")[2].partition("nav:\n")[0]
    (tmp_path / "checks.py").write_text(
        f"import sys\nsys.path.insert(0, {str(ROOT / 'docs')!r})\nfrom site_hooks import on_post_build\n"
    )
    (tmp_path / "mkdocs.yml").write_text(
        f"site_name: one\ntheme: {{ name: material, font: false }}\nhooks: [checks.py]\nvalidation:{shared}"
    )
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert (done.returncode != 0) == bool(words), done.stdout + done.stderr
    assert words in done.stdout + done.stderr
