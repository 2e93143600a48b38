"""A real studio in a process of its own, for tests, and a small client."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import warm

SMALL_TRAINING: dict[str, Any] = {
    "kimg": 40.0,
    "batch": 8,
    "grid_count": 4,
    "quality_count": 16,
    "grid_kimg": 0.2,
    "checkpoint_kimg": 0.4,
    "generator.width": 0.125,
    "discriminator.width": 0.125,
}
"""Changes of a recipe's settings with which it trains as little as it can."""


@dataclass
class Answer:
    """What the server answered."""

    status: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def error(self) -> str:
        """The sentence of a refusal."""
        return str(self.json()["error"])


@dataclass
class Server:
    """A studio that runs."""

    process: subprocess.Popen[str]
    port: int
    token: str
    folder: Path
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.headers = {"Authorization": f"Bearer {self.token}", "X-Facegan": "1"}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        seconds: float = 60,
    ) -> Answer:
        """Send a request; a dict becomes JSON. ``headers`` replace those that let it in."""
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        with contextlib.closing(connection):
            connection.request(method, path, content, dict(self.headers if headers is None else headers))
            found = connection.getresponse()
            return Answer(found.status, {k.lower(): v for k, v in found.getheaders()}, found.read())

    def get(self, path: str) -> Any:
        """Return the JSON at an address."""
        found = self.ask("GET", path)
        assert found.status == 200, found.content
        return found.json()

    def listed(self, kind: str, wanted: str) -> dict[str, Any]:
        """Return what the project lists of a job, or of another item."""
        found: list[dict[str, Any]] = self.get("/api/project")[kind]
        return next(one for one in found if one["id"] == wanted)

    def start(self, action: str, **settings: Any) -> str:
        """Start a job; return its id."""
        found = self.ask("POST", "/api/jobs", {"action": action, "settings": settings})
        assert found.status == 201, found.content
        return str(found.json()["id"])

    def wait(self, job: str, seconds: float = 120) -> dict[str, Any]:
        """Return a job once it has ended."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.listed("jobs", job)
            if found["state"] not in ("queued", "running"):
                return found
            time.sleep(0.1)
        raise AssertionError(f"{job} has not ended")

    def events(self, job: str, after: int = 0) -> list[dict[str, Any]]:
        """Return the events of a job, once it has ended."""
        found = self.ask("GET", f"/api/jobs/{job}/events?after={after}")
        assert found.headers["content-type"].startswith("text/event-stream")
        lines = found.content.decode().splitlines()
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


@contextlib.contextmanager
def running(folder: Path, *options: str, exported: Path | None = None) -> Iterator[Server]:
    """Start a studio and end it with SIGKILL if it still runs.

    ``exported`` is a folder with what earlier studios wrote of models for the page, for later ones.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "facegan.cli.main", "studio", str(folder), "--no-browser", *options],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **warm.ONE_THREAD},
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "?token=" in line, line + process.stderr.read()
        address, _, token = line.strip().partition("/?token=")
        if exported:
            _copy_exported(exported, folder / ".studio")
        yield Server(process, int(address.rpartition(":")[2]), token, folder)
    finally:
        process.kill()
        process.wait()
        if exported:
            _copy_exported(folder / ".studio", exported)
        assert process.stderr is not None
        process.stderr.close()


def _copy_exported(source: Path, target: Path) -> None:
    """Copy models that the page can run, and graphs of translators, where they are missing."""
    for found in (*source.glob("engine/*/synthesize"), *source.glob("graphs/*.onnx")):
        item = found.parent if found.name == "synthesize" else found
        place = target / item.parent.name / item.name
        if place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        half = place.with_name(f"{place.name}.{os.getpid()}")
        (shutil.copytree if item.is_dir() else shutil.copy2)(item, half)
        with contextlib.suppress(OSError):  # another process was faster
            half.rename(place)
