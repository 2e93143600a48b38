"""How much memory this process may still take: what the system has, within the limits of its groups."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def free_memory() -> int | None:
    """Bytes that are still free to this process; None where the system does not tell."""
    found = [_available(), left_by_limits()]
    return min((x for x in found if x is not None), default=None)


def amount(count: int) -> str:
    """``count`` bytes for people: 850 MB, 1.2 GB."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{max(count / 1e6, 0.1):.{count < 1e6:d}f} MB"


def _available() -> int | None:
    with suppress(OSError, IndexError, ValueError):
        text = Path("/proc/meminfo").read_text()
        return int(text.split("MemAvailable:")[1].split()[0]) * 1024
    return None


def left_by_limits(own: str = "/proc/self/cgroup", root: str = "/sys/fs/cgroup") -> int | None:
    """Bytes until the nearest limit of this process's control groups (Linux, of either version); None
    without one. Pages of files, which the system takes back, do not count."""
    found: list[int] = []
    with suppress(OSError):
        for line in Path(own).read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds == "":
                places = [Path(root), Path(root) / "unified"]
                names = ("memory.max", "memory.current", "inactive_file")
            elif "memory" in kinds.split(","):
                places = [Path(root) / "memory"]
                names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            else:
                continue
            # A container may see its own group as the root, and limits of those above bind as well.
            parts = [p for p in path.split("/") if p and p != ".."]
            for place in places:
                for depth in range(len(parts) + 1):
                    found += _left(place.joinpath(*parts[:depth]), *names)
    return min(found, default=None)


def _left(group: Path, limit: str, usage: str, pages: str) -> list[int]:
    with suppress(OSError, ValueError):  # no such group, or "max"
        most, used = int((group / limit).read_text()), int((group / usage).read_text())
        if most < 1 << 60:  # version 1 has a number for none
            stat = dict(line.split()[:2] for line in (group / "memory.stat").read_text().splitlines())
            return [max(most - used + int(stat.get(pages, 0)), 0)]
    return []
