"""Imports run in one direction only, and the light modules stay light.

The order of the rooms is the one that docs/conventions.md prints.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import facegan

ROOT = Path(facegan.__file__).parent.parent


def rooms() -> dict[str, int]:
    """Room -> place in the order, from the indented block of docs/conventions.md."""
    text = (ROOT / "docs" / "conventions.md").read_text()
    block = re.search(r"(?:^    .*\n)+", text, re.MULTILINE)
    assert block
    groups = " ".join(block[0].split()).split(" -> ")
    return {name.strip(): place for place, group in enumerate(groups) for name in group.split(",")}


ROOMS = rooms()
FILES = sorted((ROOT / "facegan").rglob("*.py"))
PUBLIC = facegan._PUBLIC


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imported(tree: ast.AST) -> list[tuple[int, str]]:
    """(line, module of facegan) for every import that can run, wherever in the file it stands.

    A string that is the name of a module counts too: that is how the lazy tables import.
    """
    found: list[tuple[int, str]] = []
    todo = [tree]
    while todo:
        node = todo.pop()
        if is_type_checking(node):
            todo += node.orelse  # type: ignore[attr-defined]
            continue
        todo += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.append(
                    (node.lineno, PUBLIC.get(alias.name, name) if node.module == "facegan" else name)
                )
        elif isinstance(node, ast.Constant) and re.fullmatch(r"facegan(\.\w+)+", str(node.value)):
            found.append((node.lineno, str(node.value)))
    return [(line, name) for line, name in sorted(found) if name.split(".")[0] == "facegan"]


def room_of(module: str) -> str:
    """``facegan.data.prepare`` -> ``data``; "" for the package itself, whose ``__init__`` is lazy."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and not parts[1].startswith("__") else ""


def against(tree: ast.AST, room: str) -> list[str]:
    """The imports in a file of ``room`` that run towards the right."""
    wrong = []
    for line, module in imported(tree):
        # The whole package can reach everything, as the rightmost room does.
        target = "cli" if module == "facegan" else room_of(module)
        if target and ROOMS[target] > ROOMS[room]:
            wrong.append(f"line {line}: {room} imports {module}")
    return wrong


def room_of_file(path: Path) -> str:
    return path.relative_to(ROOT / "facegan").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_leftwards(path: Path) -> None:
    room = room_of_file(path)
    if room == "__init__":
        return  # the public face names everything, and imports it on first use
    assert room in ROOMS, f"place '{room}' in the order of docs/conventions.md"
    assert against(ast.parse(path.read_text()), room) == []


CASES = {
    "from facegan.data import dataset": [],
    "from facegan import images, __version__": [],
    "from facegan.recipes.config import TrainConfig": ["facegan.recipes.config.TrainConfig"],
    "from facegan import load": ["facegan.models"],
    "def f():\n    import facegan.cli.main": ["facegan.cli.main"],
    "import facegan": ["facegan"],
    "if TYPE_CHECKING:\n    from facegan.training import loop": [],
    "if TYPE_CHECKING:\n    pass\nelse:\n    import facegan.studio": ["facegan.studio"],
    "TABLE = {'a': 'facegan.exchange.onnx'}": ["facegan.exchange.onnx"],
    "try:\n    import facegan.recipes.table\nexcept ImportError:\n    pass": ["facegan.recipes.table"],
}


@pytest.mark.parametrize("source", CASES)
def test_the_walk_finds_what_runs_rightwards(source: str) -> None:
    found = against(ast.parse(source), "generator")
    assert [line.split(" imports ")[1] for line in found] == CASES[source]


LIGHT = {  # statement -> modules that it must not load
    "import facegan": ("torch", "numpy", "PIL", "cv2"),
    "import facegan.cli.main": ("torch", "numpy", "tyro", "PIL"),
    "import facegan.recipes.table, facegan.recipes.config": ("torch", "cv2", "pyarrow", "matplotlib"),
    "import facegan.recipes.choice": ("torch", "cv2", "pyarrow", "matplotlib"),
    "import facegan.augment": ("torch", "numpy"),
    "import facegan.cli.import_model": ("torch", "cv2"),
    "import facegan.families.stylegan2.config": ("torch", "numpy"),
    "import facegan.studio.app; from facegan.studio.routes import all_routes; all_routes()": (
        "torch",
        "cv2",
        "pyarrow",
    ),
    "import facegan.images": ("torch", "cv2", "pyarrow", "matplotlib"),
}


@pytest.mark.parametrize("statement", LIGHT)
def test_light_modules_stay_light(statement: str) -> None:
    code = f"{statement}; import sys; print([m for m in {LIGHT[statement]!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_every_public_name_can_be_had() -> None:
    code = "import facegan; [getattr(facegan, name) for name in facegan.__all__]"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def modules() -> dict[str, Path]:
    """Every module of the package by its name, but for the public face, which imports on first use."""
    found = {}
    for path in FILES:
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    found.pop("facegan")
    return found


MODULES = modules()


def every_import(tree: ast.AST) -> list[tuple[str, str]]:
    """(module, name in it) of every import, in functions and for types alone as well."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [(node.module, alias.name) for alias in node.names]
    return found


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Every circle of the graph: what remains when nodes without a way in or out are taken away, in turns."""
    graph = {node: set(ways) & graph.keys() for node, ways in graph.items()}
    while True:
        entered = set().union(*graph.values()) if graph else set()
        inner = {node: ways & entered for node, ways in graph.items() if ways and node in entered}
        inner = {node: ways & inner.keys() for node, ways in inner.items()}
        if inner == graph:
            return [sorted(graph)] if graph else []
        graph = inner


@pytest.mark.parametrize(
    ("graph", "found"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, [["b", "c"]]),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}, [["a", "b", "c"]]),
    ],
)
def test_the_search_finds_circles(graph: dict[str, set[str]], found: list[list[str]]) -> None:
    assert circles(graph) == found


def test_no_file_imports_one_that_imports_it() -> None:
    """Nor in a longer circle, nor inside of functions, nor for types alone."""
    graph = {}
    for name, path in MODULES.items():
        named = every_import(ast.parse(path.read_text()))
        ways = {f"{module}.{part}" if f"{module}.{part}" in MODULES else module for module, part in named}
        graph[name] = ways - {name}
    assert circles(graph) == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_package_reaches_into_another(path: Path) -> None:
    """Names with an underscore are used in their own package alone."""
    own = room_of_file(path)
    wrong = [
        f"{module}.{name}"
        for module, name in every_import(ast.parse(path.read_text()))
        if module.startswith("facegan") and re.match(r"_[^_]", name) and room_of(module) != own
    ]
    assert wrong == []
