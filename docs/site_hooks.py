"""Hooks of mkdocs.yml: pages that lie outside of docs/, pages that are generated, and links between them.

On the site, README.md is the home page, and cards, changelog and benchmarks are pages; the Markdown files
stay where a reader of the repository looks for them. Links are rewritten to follow. A link to a file that is
no page, such as a source file, becomes plain text.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from site_house import house  # beside this file

ROOT = Path(__file__).resolve().parents[1]

# file of the repository -> page of the site
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
    "examples/README.md": "examples.md",
    "facegan/assets/celeba64.md": "models/celeba64.md",
    "facegan/assets/attributes/faces.md": "models/faces.md",
    "facegan/assets/attributes/evaluator.md": "models/evaluator.md",
    "facegan/assets/attributes/critic.md": "models/critic.md",
    "docs/results/README.md": "results/index.md",
}
SOURCES = {page: source for source, page in PAGES.items()}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
OUTSIDE = re.compile(
    r"""<(?:script|link|img|iframe|source|video|audio)\b[^>]*?\b(?:src|href)=["']?(?:https?:)?//[^>]*>"""
    r"""|(?:@import|url\()\s*["']?(?:https?:)?//[^)]*\)?|class=["']?mermaid"""
)
CODE = re.compile(r"(^```.*?^```[^\n]*$|^(?: {4}|\t)[^\n]*$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from outside of docs/ and the generated ones, and rename results/README.md."""
    for source, page in PAGES.items():
        if (old := files.get_file_from_path(source.removeprefix("docs/"))) and source.startswith("docs/"):
            files.remove(old)
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for page, make in GENERATED.items():
        files.append(File.generated(config, page, content=make()))
    return files


def on_page_context(context: Any, page: Any, **_: Any) -> None:
    """Leave the navigation beside the home page away: it would hold one line."""
    if page.is_homepage:
        page.meta["hide"] = ["navigation"]


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Make links between files of the repository links between pages of the site."""
    here = page.file.src_uri
    source = SOURCES.get(here, f"docs/{here}")
    if here == "inside.md":
        markdown = markdown.replace("<!-- house -->", house())
    pieces = CODE.split(markdown)  # text and code take turns
    pieces[::2] = [LINK.sub(lambda m: _link(m, source, here), text) for text in pieces[::2]]
    return "".join(pieces)


def on_post_build(config: Any) -> None:
    """Refuse a site that would load anything from elsewhere: scripts, styles, fonts, pictures, diagrams."""
    for path in sorted(Path(config.site_dir).rglob("*")):
        if path.suffix in (".html", ".css") and (found := OUTSIDE.search(path.read_text(encoding="utf-8"))):
            raise PluginError(f"{path.relative_to(config.site_dir)} loads from outside: {found[0]}")


def _link(match: re.Match[str], source: str, here: str) -> str:
    mark, text, target = match.groups()
    path, hash_, anchor = target.partition("#")
    if not path or re.match(r"[a-z]+:", target):
        return match[0]
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    page = PAGES.get(wanted) or (wanted.removeprefix("docs/") if wanted.startswith("docs/") else None)
    if page is None:  # a file that is no page; one that does not exist stays a link, so that the build fails
        return text if (ROOT / wanted).exists() else match[0]
    return f"{mark}[{text}]({os.path.relpath(page, posixpath.dirname(here) or '.')}{hash_}{anchor})"


def commands() -> str:
    """Return the page with the help of every command."""
    from facegan.cli.main import COMMANDS, main

    parts = [
        "# Commands\n\nWhat `facegan COMMAND --help` prints, for every command of this version. "
        "`facegan train --recipe NAME --help-all` explains every setting, also those of the "
        "recipe's networks.\n"
    ]
    for name in COMMANDS:
        with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as out:
            main([name, "--help"])
        parts.append(f"## {name}\n\n```text\n{out.getvalue().strip()}\n```\n")
    return "\n".join(parts)


def recipes() -> str:
    """Return the page with the table of recipes."""
    from facegan.recipes.table import RECIPES

    rows = []
    for name, row in RECIPES.items():
        config = row.config
        size = f"{config.size} px" if config.size else "any"
        rows.append(
            f"| `{name}` | {size} | {config.kimg:g} | {config.batch} | {row.summary} | {row.source} |"
        )
    return (
        "# Recipes\n\nA recipe is a named set of training settings. `facegan recipes` prints this table, "
        "`facegan train --recipe NAME --help-all` every setting, and any flag overrides one of them. "
        "[Training](../training.md) says which to take.\n\n"
        "| recipe | pictures | kimg | batch | what it is | source |\n|---|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )


def public_names(name: str) -> dict[str, str]:
    """Return the functions and classes in a package's ``__all__``, each with the module that defines it.

    The modules are those of the package's import statements; nothing is imported.
    """
    tree = ast.parse((ROOT / name.replace(".", "/") / "__init__.py").read_text(encoding="utf-8"))
    places: dict[str, str] = {}
    public: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("facegan."):
            places |= {alias.name: node.module or "" for alias in node.names}
        elif isinstance(node, (ast.Assign, ast.AugAssign)) and isinstance(node.value, ast.List):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id == "__all__":
                public += ast.literal_eval(node.value)
    return {n: places[n] for n in sorted(public) if n in places and not n.isupper()}


def package(name: str) -> str:
    """Return the page of a package: functions, then classes.

    What ``facegan`` itself offers is described on its page alone, and the others link there.
    """
    found = public_names(name)
    described = {} if name == "facegan" else public_names("facegan")
    text = f"# `{name}`\n\n::: {name}\n    options: {{ members: false }}\n"
    for part, chosen in (("Functions", str.islower), ("Classes", str.isupper)):
        text += f"\n## {part}\n"
        for n, place in found.items():
            if not chosen(n[0]):
                continue
            if described.get(n) == place:
                text += f"\n### {name}.{n}\n\nThe same as [facegan.{n}](facegan.md#{place}.{n}).\n"
                continue
            text += (
                f"\n::: {place}.{n}\n    options:\n      heading: {name}.{n}\n      toc_label: {n}\n"
                "      heading_level: 3\n      show_root_heading: true\n      show_root_toc_entry: true\n"
            )
    return text


def modules() -> str:
    """Return the page of the public modules of functions."""
    return "# `facegan.images`, `facegan.video`\n" + "".join(
        f"\n## `{name}`\n\n::: {name}\n    options: {{ heading_level: 3 }}\n"
        for name in ("facegan.images", "facegan.video")
    )


GENERATED: dict[str, Callable[[], str]] = {
    "reference/facegan.md": lambda: package("facegan"),
    "reference/latent.md": lambda: package("facegan.latent"),
    "reference/pixels.md": lambda: package("facegan.pixels"),
    "reference/images.md": modules,
    "reference/commands.md": commands,
    "reference/recipes.md": recipes,
}
