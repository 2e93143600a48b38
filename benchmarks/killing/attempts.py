"""Do a command in a process, kill it, and look at what it has left."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import os
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from killing.targets import BY_NAME, HISTORY, TIMES, Target

PATIENCE = 1800  # seconds for one command, on a machine that does much else
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def start(target: Target, folder: Path, environment: dict[str, str], *, rank: int = 0, port: int = 0) -> int:
    """Fork a process that does the target in a session of its own; return its number."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        log = os.open(folder.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number in (1, 2):
            os.dup2(log, number)
        os.chdir(folder)
        if target.processes > 1:
            names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": target.processes, "MASTER_PORT": port}
            environment |= {k: str(v) for k, v in names.items()} | {"MASTER_ADDR": "127.0.0.1"}
        os.environ |= environment
        code = int(target.run() or 0)  # type: ignore[call-overload]
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def used(pid: int) -> float:
    """Return the CPU seconds of a process, 0 once it has gone."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    return 0.0


def session(leader: int) -> list[int]:
    """Return the living processes that a process has left behind."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z" and int(entry.name) != leader:
                found.append(int(entry.name))
    return found


@dataclass
class Done:
    """How a command ended: its exit codes, CPU seconds, and the failure points that it has passed."""

    codes: list[int]
    seconds: float
    points: list[str]
    orphans: int


def attempt(target: Target, folder: Path, kill: dict[str, Any] | None = None) -> Done:
    """Do the target once, and kill it as ``kill`` says: at a ``point``, or after ``seconds`` of CPU time."""
    listing = folder.with_suffix(".points")
    listing.unlink(missing_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    victim = 0 if kill is None else kill["rank"]
    pids = []
    for rank in range(target.processes):
        told = {"FACEGAN_CACHE": str(folder / "cache")}
        if rank == victim:
            told["FACEGAN_FAILPOINTS"] = str(listing)
            if kill and "point" in kill:
                told["FACEGAN_KILL_AT"] = str(kill["point"])
        pids.append(start(target, folder, told, rank=rank, port=port))
    codes: dict[int, int] = {}
    seconds, end = 0.0, time.monotonic() + PATIENCE
    while len(codes) < len(pids):
        seconds = max(seconds, used(pids[victim]) if pids[victim] not in codes else 0.0)
        if kill and "seconds" in kill and pids[victim] not in codes and seconds >= kill["seconds"]:
            os.kill(pids[victim], signal.SIGKILL)
        for pid in pids:
            if pid not in codes and (found := os.waitpid(pid, os.WNOHANG))[0]:
                codes[pid] = os.waitstatus_to_exitcode(found[1])
        if time.monotonic() > end:
            for pid in set(pids) - set(codes):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)
    for _ in range(1000):  # workers notice that they are alone
        if not (left := [one for pid in pids for one in session(pid)]):
            break
        time.sleep(0.02)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    points = listing.read_text().splitlines() if listing.is_file() else []
    return Done([codes[pid] for pid in pids], seconds, points, len(left))


def contents(folder: Path) -> dict[str, str]:
    """Return each file below ``folder`` with a hash of what in it does not depend on the clock."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or name.startswith("cache/") or path.name in HISTORY:
            continue
        content = path.read_bytes()
        if path.name == "stats.jsonl":
            lines = [json.loads(line) for line in content.splitlines()]
            content = json.dumps(
                [{k: v for k, v in line.items() if k not in TIMES} for line in lines]
            ).encode()
        compared = not any(fnmatch.fnmatch(f"/{name}", pattern) for pattern in BY_NAME)
        found[_steady(name)] = hashlib.sha256(content).hexdigest() if compared else ""
    return found


def _steady(name: str) -> str:
    """Return a file's name; TensorBoard's have the time and the process's number."""
    head, mark, _ = name.partition("/tensorboard/events")
    return head + mark
