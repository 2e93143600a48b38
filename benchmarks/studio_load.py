"""Clients of the studio's server that draw faces at once: errors, times, and the memory of its processes.

    python benchmarks/studio_load.py                       # 50 clients for a minute
    python benchmarks/studio_load.py --clients 10 --seconds 10

Each client draws one picture of celeba64 after the other, over a connection of its own, without a pause. The
server runs in a process of its own on a project in a temporary folder. Memory is what its processes have for
themselves (USS), looked at every second. It is flat if the last third of the time needs at most 5% more than
the second third; the first is left out, since caches fill then.

Exit code 1 says that a request failed, or that memory grew.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil

GROWTH = 0.05


@dataclass
class Load:
    """What clients saw, and what the server needed."""

    seconds: list[float] = field(default_factory=list)
    """Of each answered request."""
    errors: list[str] = field(default_factory=list)
    """Everything else."""
    memory: list[dict[str, int]] = field(default_factory=list)
    """Process -> bytes, each second."""

    @property
    def growth(self) -> float:
        """The memory of the last third of the time over that of the second one, less 1."""
        totals = [sum(row.values()) for row in self.memory]
        third = len(totals) // 3
        return statistics.fmean(totals[-third:]) / statistics.fmean(totals[third : 2 * third]) - 1

    def __str__(self) -> str:
        cuts = statistics.quantiles(self.seconds, n=20)
        lines = [
            f"{len(self.seconds):,} pictures, {len(self.errors)} errors",
            f"seconds for one: median {cuts[9]:.2f}, 95th percentile {cuts[18]:.2f}",
        ]
        for name in self.memory[-1]:
            row = [rows.get(name, 0) / 2**20 for rows in self.memory]
            third = len(row) // 3
            ends = statistics.fmean(row[third : 2 * third]), statistics.fmean(row[-third:])
            lines.append(f"{name}: {ends[0]:.1f} MiB in the second third, {ends[1]:.1f} in the last")
        return "\n".join([*lines, f"growth of memory: {self.growth:+.1%}", *sorted(set(self.errors))[:10]])


@contextlib.contextmanager
def studio(folder: str) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """Yield the process of a studio, its port and its token."""
    process = subprocess.Popen(
        [sys.executable, "-m", "facegan.cli.main", "studio", folder, "--no-browser"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        address, _, token = process.stderr.readline().strip().partition("/?token=")
        yield process, int(address.rpartition(":")[2]), token
    finally:
        process.terminate()
        process.wait()


def draw(connection: http.client.HTTPConnection, token: str, seed: int) -> None:
    """Let a picture be drawn; raise if it does not come."""
    headers = {"Authorization": f"Bearer {token}", "X-Facegan": "1"}
    connection.request("POST", "/api/models/celeba64/image", json.dumps({"seed": seed}), headers)
    found = connection.getresponse()
    content = found.read()
    if found.status != 200 or not content.startswith(b"\x89PNG"):
        raise RuntimeError(f"status {found.status}: {content[:200]!r}")


def client(number: int, port: int, token: str, *, end: float, load: Load) -> None:
    """Draw one picture after the other until ``end``."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    seed = number * 1_000_000
    while (begin := time.monotonic()) < end:
        try:
            draw(connection, token, seed)
            load.seconds.append(time.monotonic() - begin)
        except (OSError, http.client.HTTPException, RuntimeError) as error:
            load.errors.append(f"{type(error).__name__}: {error}")
            connection.close()
        seed += 1
    connection.close()


def memory_of(process: psutil.Process) -> dict[str, int]:
    """Return the bytes that each of a server's processes has for itself."""
    found = {"server": process.memory_full_info().uss}
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            words = child.cmdline()
            if "facegan.studio.hands" in words:
                found[words[words.index("facegan.studio.hands") + 1]] = child.memory_full_info().uss
    return found


def measure(clients: int, seconds: float) -> Load:
    """Let clients draw for so many seconds; return what came of it."""
    load = Load()
    with tempfile.TemporaryDirectory() as folder, studio(folder) as (process, port, token):
        warm = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        draw(warm, token, 0)  # PyTorch is imported, the model is loaded
        warm.close()
        end = time.monotonic() + seconds
        threads = [
            threading.Thread(target=client, args=(n, port, token), kwargs={"end": end, "load": load})
            for n in range(clients)
        ]
        for thread in threads:
            thread.start()
        while time.monotonic() < end:
            load.memory.append(memory_of(psutil.Process(process.pid)))
            time.sleep(min(1.0, seconds / 30))
        for thread in threads:
            thread.join()
    return load


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    load = measure(given.clients, given.seconds)
    print(load)
    return int(bool(load.errors) or load.growth > GROWTH)


if __name__ == "__main__":
    sys.exit(main())
