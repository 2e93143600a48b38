"""Print constraints.txt: the installed versions of everything that ``facegan[dev]`` pulls in.

    .venv/bin/python .ci/constraints.py > constraints.txt

The CUDA libraries that torch's wheels bring along follow from torch's own pins and are left out. A
version that needs a newer Python than the oldest supported one is pinned from that Python on only.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import tomllib
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

OLDEST = "3.10"
FOLLOW_TORCH = ("nvidia-", "cuda-", "triton")
PYTHONS = [f"3.{minor}" for minor in range(10, 20)]


def closure(roots: list[str]) -> dict[str, str]:
    """Canonical name -> installed version of ``roots`` and their requirements, all the way down."""
    found: dict[str, str] = {}
    queue = [Requirement(text) for text in roots]
    seen: set[tuple[str, frozenset[str]]] = set()
    while queue:
        requirement = queue.pop()
        item = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if item in seen:
            continue
        seen.add(item)
        try:
            dist = distribution(requirement.name)
        except PackageNotFoundError:
            continue  # for another platform
        found[item[0]] = dist.version.partition("+")[0]
        environments = [{"extra": extra} for extra in item[1] or {""}]
        for child in map(Requirement, dist.requires or []):
            if child.marker is None or any(child.marker.evaluate(e) for e in environments):
                queue.append(child)
    return found


def line(name: str, version: str) -> str:
    supported = SpecifierSet(distribution(name).metadata["Requires-Python"] or "")
    since = next(p for p in PYTHONS if supported.contains(f"{p}.99"))
    return f"{name}=={version}" + (f' ; python_version >= "{since}"' if since != OLDEST else "")


def main() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    roots = project["dependencies"] + project["optional-dependencies"]["dev"]
    print("# Exact versions with which the tests pass; made by .ci/constraints.py.")
    for name, version in sorted(closure(roots).items()):
        if not name.startswith(FOLLOW_TORCH):
            print(line(name, version))


if __name__ == "__main__":
    main()
