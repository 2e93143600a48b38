"""More than 200 probes of a real server: none gets in, none stops it, nothing is lost."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from studio_probes import CANARY, Probe, plant, probes
from studio_server import Server, running

from facegan.studio.connections import HEADER_SECONDS
from facegan.studio.guard import IDLE
from facegan.studio.jobs import MAX_QUEUED

AT_A_TIME = 8


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("probes") / "project", "--jobs", "1") as found:
        plant(found)
        yield found


def exchanged(server: Server, request: bytes, patience: float = 60) -> tuple[int, bytes]:
    """Send bytes; return the status (0 if the connection was closed without one) and all that came back."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=patience) as connection:
        with contextlib.suppress(ConnectionError):  # the server may close before it has all
            connection.sendall(request)
        if not request.startswith((b"GET", b"POST", b"DELETE", b"PRI")):
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(2**16):
                answer += part
                head, separator, body = answer.partition(b"\r\n\r\n")
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                if separator and length and len(body) >= int(length[0].split(b":")[1]):
                    break
    words = answer.split(b" ", 2)
    return (int(words[1]) if answer.startswith(b"HTTP/") else 0), answer


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder with its hash; uploads apart, which probes may add."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.parent.name != "uploads"
    }


@pytest.fixture(scope="module")
def listener() -> Iterator[tuple[int, list[str]]]:
    """A port where nobody may call, and who did."""
    calls: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as waiting:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, address = waiting.accept()
                    calls.append(str(address))
                    connection.close()

        threading.Thread(target=accept, daemon=True).start()
        yield waiting.getsockname()[1], calls


def wrong(server: Server, probe: Probe) -> str:
    """Send a probe; return what is wrong with the answer, or ''."""
    status, answer = exchanged(server, probe.request(server))
    head, _, body = answer.partition(b"\r\n\r\n")
    if status not in probe.statuses:
        return f"status {status}: {answer[:300]!r}"
    if CANARY.encode() in answer or b"root:" in answer or server.token.encode() in answer:
        return "it gave something away"
    if b"Traceback" in answer or str(server.folder).encode() in answer:
        return "it tells of the machine"
    if status >= 400 and b"application/json" in head:
        sentence = json.loads(body)["error"]
        if not sentence or "\n" in sentence or len(sentence) > 400:
            return f"no sentence: {sentence!r}"
    if status and b"x-content-type-options" not in head.lower() and status not in (400, 431):
        return "no security headers"
    return ""


def test_no_probe_gets_in_or_stops_the_server(server: Server, listener: tuple[int, list[str]]) -> None:
    port, calls = listener
    table = probes(server, port)
    assert len(table) >= 200
    before = tree(server.folder.parent)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        found = dict(zip(table, pool.map(lambda probe: wrong(server, probe), table.values()), strict=True))
    assert [f"{name}: {text}" for name, text in found.items() if text] == []
    assert calls == []
    assert tree(server.folder.parent) == before  # no job, no file, nothing changed or lost
    uploads = server.folder / ".studio" / "uploads"
    assert all(path.is_file() and not path.is_symlink() for path in uploads.iterdir())
    assert not list(uploads.glob("*.part"))
    assert server.get("/api/project")["jobs"] == []
    assert server.ask("POST", "/api/models/celeba64/image", {"seed": 1}).status == 200
    assert server.ask("GET", "/api/results/kept/file/0").content == b"kept"


SLOW = {  # what is sent, and byte by byte afterwards -> seconds after which the server ends it
    "silence": (b"", b"", HEADER_SECONDS),
    "half a header": (b"GET / HTTP/1.1\r\nHost: 127", b"", HEADER_SECONDS),
    "header byte by byte": (b"GET / HTTP/1.1\r\nX: ", b"y", HEADER_SECONDS),
    "half a body": (b"POST /api/jobs", b"", IDLE),
    "body byte by byte": (b"POST /api/jobs", b" ", IDLE),
    "upload byte by byte": (b"POST /api/uploads", b"x", IDLE),
}


def seconds_held(server: Server, name: str) -> float:
    """Return for how long a slow connection is kept."""
    begin, drip, _ = SLOW[name]
    if begin.startswith(b"POST"):
        headers = {**server.headers, "Host": f"127.0.0.1:{server.port}", "Content-Length": "5000"}
        begin += b" HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()).encode() + b"\r\n{"
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=0.5) as connection:
        connection.sendall(begin)
        while time.monotonic() - start < 120:
            with contextlib.suppress(TimeoutError):
                try:
                    if not connection.recv(4096):
                        break
                except ConnectionError:
                    break
            with contextlib.suppress(ConnectionError):
                connection.sendall(drip)
    return time.monotonic() - start


def test_slow_requests_end_while_others_are_answered(server: Server) -> None:
    with ThreadPoolExecutor(len(SLOW)) as pool:
        waiting = {name: pool.submit(seconds_held, server, name) for name in SLOW}
        while not all(one.done() for one in waiting.values()):
            start = time.monotonic()
            assert server.ask("GET", "/api/project").status == 200
            assert time.monotonic() - start < 10
            time.sleep(0.5)
    held = {name: one.result() for name, one in waiting.items()}
    assert all(SLOW[name][2] - 1 < seconds < SLOW[name][2] + 15 for name, seconds in held.items()), held


def test_floods_are_refused_in_order(server: Server) -> None:
    """Of 80 jobs at once, one runs, 50 wait; open connections and followers are bounded."""
    body = {"action": "generate", "settings": {"model": "celeba64", "points": "seed:0-999"}}
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: server.ask("POST", "/api/jobs", body), range(80)))
    statuses = [found.status for found in answers]
    assert set(statuses) == {201, 429}
    assert MAX_QUEUED <= statuses.count(201) <= MAX_QUEUED + 2
    jobs = [found.json()["id"] for found in answers if found.status == 201]
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(250)]
    try:
        assert server.ask("GET", "/api/project").status == 200
    finally:
        for connection in idle:
            connection.close()
    worker = sum("facegan.studio.worker" in " ".join(p.cmdline()) for p in children(server))
    assert worker <= 1
    for job in jobs:  # what waits is taken out of the queue, what runs is stopped
        if server.listed("jobs", job)["state"] in ("queued", "running"):
            assert server.ask("POST", f"/api/jobs/{job}/stop").status in (200, 409)
    for job in jobs:
        server.wait(job)
        assert server.ask("DELETE", f"/api/jobs/{job}").status == 200
    assert server.get("/api/project")["jobs"] == []


def children(server: Server) -> list[psutil.Process]:
    return psutil.Process(server.process.pid).children(recursive=True)
