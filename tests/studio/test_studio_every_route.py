"""Every address and every kind of job, with ids and values that do not fit: refused, never a crash.

The tables of routes and actions are read, so that new ones are tried as well.
"""

from __future__ import annotations

import ast
import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route
from studio_probes import CANARY
from studio_server import Answer, Server, running

from facegan.studio.actions import ACTIONS
from facegan.studio.routes import all_routes

HOSTILE_IDS = ("nobody", "..%2f..%2fsecret.txt", "%2fetc%2fpasswd", "%5c%5chost%5cx", "a%00b", "..", "%ff")
GENERATORS = ("/api/models/{id}", "/api/explore/{id}")  # whose ids are models, so that a body is looked at
# Names of fields that some route reads from a body.
FIELDS = re.findall(
    r"(?:get\(|text_of\(\w+, |setting\(\w+, |given\[|asked\[)\"(\w+)\"",
    "\n".join(
        path.read_text()
        for path in sorted(Path(str(find_spec("facegan.studio.routes").origin)).parent.glob("*.py"))  # type: ignore[union-attr]
    ),
)


@pytest.fixture(scope="module")
def listener() -> Iterator[tuple[int, list[str]]]:
    """A port where nobody may call, and who did."""
    calls: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as waiting:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, address = waiting.accept()
                    calls.append(str(address))
                    connection.close()

        threading.Thread(target=accept, daemon=True).start()
        yield waiting.getsockname()[1], calls


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("routes") / "project"
    (folder.parent / "secret.txt").write_text(CANARY)
    with running(folder) as found:
        yield found


def values(port: int) -> list[Any]:
    """Return what fields may be given that take something else."""
    places = ["../../secret.txt", "/etc/passwd", f"http://127.0.0.1:{port}/x", f"\\\\127.0.0.1:{port}\\x"]
    return [
        *places,
        "",
        "a\0b",
        "x" * 100_000,
        -1,
        1e308,
        2**80,
        True,
        None,
        [],
        {},
        [[[]]],
        {"a": {"b": []}},
    ]


def wrong(answer: Answer, allowed: tuple[int, ...]) -> str:
    """Return what is wrong with an answer, or ''."""
    if answer.status not in allowed:
        return f"status {answer.status}: {answer.content[:200]!r}"
    if CANARY.encode() in answer.content or b"root:" in answer.content or b"Traceback" in answer.content:
        return "it gave something away"
    if answer.status >= 400 and "\n" in answer.error:
        return f"more than a sentence: {answer.error}"
    return ""


def all_wrong(server: Server, requests: list[tuple[str, str, Any, tuple[int, ...]]]) -> list[str]:
    """Send requests, some at a time; return what is wrong."""

    def tried(request: tuple[str, str, Any, tuple[int, ...]]) -> str:
        method, path, body, allowed = request
        content = None if body is None else json.dumps(body).encode()
        if text := wrong(server.ask(method, path, content), allowed):
            return f"{method} {path} {str(body)[:80]}: {text}"
        return ""

    with ThreadPoolExecutor(8) as pool:
        return [text for text in pool.map(tried, requests) if text]


def filled(route: Route, wanted: str) -> str:
    """Return a route's path with ``wanted`` as its ids; 'datasets' is a kind that some have."""
    path = re.sub(r"\{\w+:int\}", "7", route.path).replace("{kind}", "datasets")
    return re.sub(r"\{\w+\}", wanted, path)


def test_no_route_takes_an_id_that_is_none(server: Server) -> None:
    requests = [
        (method, filled(route, wanted), {} if method in ("POST", "PUT") else None, (400, 404, 409, 413))
        for route in all_routes()
        if "{" in route.path
        for method in sorted((route.methods or set()) - {"HEAD"})
        for wanted in HOSTILE_IDS
    ]
    assert len(requests) > 200
    assert all_wrong(server, requests) == []


def test_no_route_crashes_at_fields_that_do_not_fit(server: Server, listener: tuple[int, list[str]]) -> None:
    """Each body has all fields that some route reads, with the same value; and each of them alone."""
    port, calls = listener
    fields = sorted(set(FIELDS))
    assert {"words", "looks", "seeds"} <= {*fields, "seeds"}
    bodies = [dict.fromkeys(fields, value) for value in values(port)]
    bodies += [{field: value} for field in fields for value in values(port)[:3]]
    requests = []
    for route in all_routes():
        for method in sorted((route.methods or set()) & {"POST", "PUT"}):
            path = route.path
            for begin in GENERATORS:
                path = path.replace(begin, begin.replace("{id}", "celeba64"))
            if path.endswith(("/prepare", "/uploads", "/jobs")):  # it exports; bodies are files; see below
                continue
            path = filled(Route(path, route.endpoint), "celeba64")
            requests += [(method, path, body, (200, 201, 400, 404, 409, 413, 429)) for body in bodies]
    assert len(requests) > 500
    assert all_wrong(server, requests) == []
    assert calls == []
    assert server.get("/api/project")["jobs"] == []
    assert sorted(path.name for path in server.folder.parent.iterdir()) == ["project", "secret.txt"]


def words_of(module: str) -> list[str]:
    """Return the texts in an action's source that could be names of its settings."""
    tree = ast.parse(Path(str(find_spec(module).origin)).read_text())  # type: ignore[union-attr]
    found = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return sorted(text for text in found if isinstance(text, str) and re.fullmatch(r"[a-z_]{2,20}", text))


PROSE = ("title", "licence", "data_licence", "repo")  # text for people
CHOSEN = {"model": "celeba64", "photo": "sample:astronaut", "repo": "owner/name", "name": "new"}


def test_no_setting_of_any_job_takes_a_place(server: Server, listener: tuple[int, list[str]]) -> None:
    port, calls = listener
    tried = 0
    requests = []
    for action, module in ACTIONS.items():
        words = words_of(module)
        known = {name: value for name, value in CHOSEN.items() if name in words}
        for word in words:
            for value in values(port)[:4] if word not in PROSE else values(port)[4:]:
                for body in ({**known, word: value}, {**known, word: [value]}, {word: value}):
                    settings = {"action": action, "settings": body}
                    requests.append(("POST", "/api/preview", settings, (200, 400, 404)))
                    tried += 1
    assert tried > 1000

    def placed(request: tuple[str, str, Any, tuple[int, ...]]) -> str:
        found = server.ask(*request[:3])
        if text := wrong(found, request[3]):
            return f"{request[2]}: {text}"
        if found.status == 200 and re.search(r"secret|passwd|127\.0\.0\.1", found.json()["command"]):
            return f"{request[2]}: {found.json()['command']}"
        return ""

    with ThreadPoolExecutor(8) as pool:
        assert [text for text in pool.map(placed, requests) if text] == []
    assert calls == []
