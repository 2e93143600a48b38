"""A small Hub: as much of its API as huggingface_hub's real client uses to publish and to download models.

``with serving() as hub`` gives its address, its repositories, and faults that can be switched on. Large
files take the way of Git LFS (``HF_HUB_DISABLE_XET=1``); a README is refused by the rules that the Hub
states for its metadata.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import warm
import yaml
from hub_rules import faults_of

WRITER, READER = "hf_writer", "hf_reader"  # tokens
_LARGE = 200_000  # bytes from which a file is large


@dataclass
class Repository:
    """``commits`` are (sha, files by path), the newest last."""

    private: bool = False
    gated: bool = False
    sdk: str = ""
    commits: list[tuple[str, dict[str, bytes]]] = field(default_factory=list)

    def commit(self, changes: dict[str, bytes | None]) -> str:
        files = {**(self.commits[-1][1] if self.commits else {}), **changes}
        kept = {path: content for path, content in files.items() if content is not None}
        text = repr((len(self.commits), sorted((p, hashlib.sha1(c).digest()) for p, c in kept.items())))
        self.commits.append((hashlib.sha1(text.encode()).hexdigest(), kept))
        return self.commits[-1][0]

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        if revision == "main":
            return self.commits[-1]
        return next((c for c in self.commits if c[0] == revision), None)


class Hub:
    """``repositories`` by (type, owner/name); ``log`` has (method, path) of each request.

    ``faults`` maps a pattern of ``METHOD path`` to the statuses with which the next requests fail;
    ``cut`` sends downloads without their last bytes.
    """

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.large: dict[str, bytes] = {}
        self.log: list[tuple[str, str]] = []
        self.faults: dict[str, list[int]] = {}
        self.cut = False
        self.url = ""

    def add(self, name: str, files: dict[str, bytes], *, kind: str = "model", **options: Any) -> Repository:
        repository = self.repositories[kind, name] = Repository(**options)
        repository.commit({".gitattributes": b"", **files})
        return repository

    def files(self, name: str, kind: str = "model") -> dict[str, bytes]:
        return self.repositories[kind, name].commits[-1][1]

    def count(self, pattern: str) -> int:
        return sum(bool(re.fullmatch(pattern, f"{method} {path}")) for method, path in self.log)


class Failure(Exception):
    def __init__(self, status: int, message: str, code: str = "") -> None:
        self.status, self.message, self.code = status, message, code


def _is_large(path: str, size: int) -> bool:
    return size > _LARGE or path.endswith((".safetensors", ".onnx"))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    # --- answering ------------------------------------------------------------------------------

    def _send(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _json(self, value: Any, status: int = 200, **headers: str) -> None:
        self._send(status, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = b""
            while size := int(self.rfile.readline(), 16):
                parts += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return parts
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _do(self) -> None:
        body, path = self._body(), unquote(urlsplit(self.path).path)
        self.hub.log.append((self.command, path))
        try:
            for pattern, statuses in self.hub.faults.items():
                if statuses and re.fullmatch(pattern, f"{self.command} {path}"):
                    status = statuses.pop(0)
                    self._json({"errors": [{"message": "this was arranged"}]}, status)
                    return
            for method, pattern, function in ROUTES:
                found = re.fullmatch(pattern, path)
                if found and method == ("GET" if self.command == "HEAD" else self.command):
                    function(self, body, **found.groupdict())
                    return
            raise Failure(404, f"no such address: {self.command} {path}")
        except Failure as failure:
            headers = {"X_Error_Message": failure.message}
            headers |= {"X_Error_Code": failure.code} if failure.code else {}
            self._json({"error": failure.message}, failure.status, **headers)

    do_GET = do_HEAD = do_POST = do_PUT = _do

    # --- who asks, for what ---------------------------------------------------------------------

    @property
    def token(self) -> str:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ")

    def _writer(self, name: str) -> None:
        if self.token not in (WRITER, READER):
            raise Failure(401, "Invalid username or password.")
        if self.token == READER or name.partition("/")[0] != "me":
            raise Failure(403, f"You don't have the rights to write to {name}")

    def _repository(self, kind: str, name: str) -> Repository:
        found = self.hub.repositories.get((kind, name))
        if found is None or (found.private and self.token not in (WRITER, READER)):
            raise Failure(404 if self.token else 401, "Repository not found", "RepoNotFound")
        return found

    def _files(self, kind: str, name: str, revision: str) -> tuple[Repository, str, dict[str, bytes]]:
        repository = self._repository(kind, name)
        found = repository.at(revision)
        if found is None:
            raise Failure(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return repository, *found

    # --- the API --------------------------------------------------------------------------------

    def whoami(self, body: bytes) -> None:
        if self.token not in (WRITER, READER):
            raise Failure(401, "Invalid credentials in Authorization header")
        self._json({"type": "user", "name": "me", "orgs": [], "auth": {"accessToken": {"role": "write"}}})

    def create(self, body: bytes) -> None:
        asked = json.loads(body)
        kind, name = asked.get("type", "model"), f"{asked.get('organization') or 'me'}/{asked['name']}"
        self._writer(name)
        place = "spaces/" * (kind == "space") + name
        if (kind, name) in self.hub.repositories:
            self._json({"error": "You already created this repo", "url": f"{self.hub.url}/{place}"}, 409)
            return
        if kind == "space" and asked.get("sdk") not in ("gradio", "docker", "static"):
            raise Failure(400, "a Space needs an sdk")
        private = asked.get("visibility") == "private" or asked.get("private") is True
        start = {"README.md": b"---\nsdk: static\n---\n", "index.html": b"hello", "style.css": b""}
        files = start if kind == "space" else {}
        self.hub.add(name, files, kind=kind, private=private, sdk=asked.get("sdk", ""))
        self._json({"url": f"{self.hub.url}/{place}", "name": name, "id": name})

    def validate(self, body: bytes) -> None:
        asked = json.loads(body)
        faults = faults_of(asked["content"], asked["repoType"])
        errors = [{"message": fault} for fault in faults]
        self._json({"errors": errors, "warnings": []}, 400 if faults else 200)

    def preupload(self, body: bytes, kind: str, name: str, revision: str) -> None:
        self._writer(name)
        _, _, there = self._files(kind, name, revision)
        answers = []
        for asked in json.loads(body)["files"]:
            path, large = asked["path"], _is_large(asked["path"], asked["size"])
            oid = _oid(there[path], large) if path in there else None
            mode = "lfs" if large else "regular"
            answers.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        self._json({"files": answers})

    def batch(self, body: bytes, name: str, space: str | None = None) -> None:
        self._writer(name)
        objects = []
        for asked in json.loads(body)["objects"]:
            answer = dict(asked)
            if asked["oid"] not in self.hub.large:
                answer["actions"] = {"upload": {"href": f"{self.hub.url}/large/{asked['oid']}"}}
            objects.append(answer)
        self._json({"transfer": "basic", "objects": objects})

    def put(self, body: bytes, oid: str) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            raise Failure(400, "the content is another one")
        self.hub.large[oid] = body
        self._send(200)

    def commit(self, body: bytes, kind: str, name: str, revision: str) -> None:
        self._writer(name)
        changes: dict[str, bytes | None] = {}
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                changes[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                if value["oid"] not in self.hub.large:
                    raise Failure(400, f"{value['path']}: its content was not uploaded")
                changes[value["path"]] = self.hub.large[value["oid"]]
            elif entry["key"] == "deletedFile":
                changes[value["path"]] = None
        repository = self._repository(kind, name)
        readme = changes.get("README.md")
        if readme and (faults := faults_of(readme.decode(), kind)):
            raise Failure(400, "; ".join(faults))
        sha = repository.commit(changes)
        self._json({"commitUrl": f"{self.hub.url}/{name}/commit/{sha}", "commitOid": sha})

    def info(self, body: bytes, kind: str, name: str, revision: str | None = None) -> None:
        repository, sha, files = self._files(kind, name, revision or "main")
        readme = re.match(r"---\n(.*?)\n---", files.get("README.md", b"").decode(), re.DOTALL)
        answer = {
            "_id": "0",
            "id": name,
            "sha": sha,
            "private": repository.private,
            "gated": "manual" if repository.gated else False,
            "tags": [],
            "cardData": yaml.safe_load(readme[1]) if readme else None,
            "siblings": [{"rfilename": path} for path in sorted(files)],
        }
        self._json(answer)

    def commits(self, body: bytes, kind: str, name: str, revision: str) -> None:
        same = {"title": "", "message": "", "date": "2026-01-01T00:00:00.000Z", "authors": []}
        self._json([{"id": sha, **same} for sha, _ in reversed(self._repository(kind, name).commits)])

    def resolve(self, body: bytes, name: str, revision: str, file: str, space: str | None = None) -> None:
        kind = "space" if space else "model"
        repository, sha, files = self._files(kind, name, revision)
        if repository.gated and self.token != WRITER:
            raise Failure(403 if self.token else 401, "Access to this model is restricted", "GatedRepo")
        if file not in files:
            raise Failure(404, "Entry not found", "EntryNotFound")
        content, large = files[file], _is_large(file, len(files[file]))
        oid = _oid(content, large)
        headers = {"X_Repo_Commit": sha, "Accept_Ranges": "bytes", "ETag": f'"{oid}"'}
        if large:
            self.hub.large.setdefault(oid, content)
            # Of another host, as on the Hub: a redirect to the same one is followed at once.
            at = f"{self.hub.url.replace('127.0.0.1', 'localhost')}/large/{oid}"
            headers |= {"Location": at, "X_Linked_Size": str(len(content)), "X_Linked_ETag": f'"{oid}"'}
            self._send(302, **headers)
            return
        self._content(content, **headers)

    def get_large(self, body: bytes, oid: str) -> None:
        self._content(self.hub.large[oid], ETag=f'"{oid}"')

    def _content(self, content: bytes, **headers: str) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked:
            first, last = int(asked[1]), min(int(asked[2] or len(content) - 1), len(content) - 1)
            headers["Content_Range"] = f"bytes {first}-{last}/{len(content)}"
            content = content[first : last + 1]
        if self.hub.cut and not asked and self.command == "GET":
            headers["Content_Length"] = str(len(content))
            self.close_connection = True
            content = content[:-100]
        if self.command == "HEAD":
            headers["Content_Length"] = str(len(content))
        self._send(206 if asked else 200, content, **headers)


def _oid(content: bytes, large: bool) -> str:
    """Return what the Hub takes for a file's identity: its SHA-256, or that of a blob in Git."""
    if large:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


_NAME = r"(?P<name>[^/]+/[^/]+)"
_API = rf"/api/(?P<kind>model|space)s/{_NAME}"
ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "/api/whoami-v2", Handler.whoami),
    ("POST", "/api/repos/create", Handler.create),
    ("POST", "/api/validate-yaml", Handler.validate),
    ("POST", rf"{_API}/preupload/(?P<revision>.+)", Handler.preupload),
    ("POST", rf"{_API}/commit/(?P<revision>.+)", Handler.commit),
    ("GET", rf"{_API}/commits/(?P<revision>.+)", Handler.commits),
    ("GET", rf"{_API}(?:/revision/(?P<revision>.+))?", Handler.info),
    ("POST", rf"(?P<space>/spaces)?/{_NAME}\.git/info/lfs/objects/batch", Handler.batch),
    ("PUT", "/large/(?P<oid>[0-9a-f]{64})", Handler.put),
    ("GET", "/large/(?P<oid>[0-9a-f]{64})", Handler.get_large),
    ("GET", rf"(?P<space>/spaces)?/{_NAME}/resolve/(?P<revision>[^/]+)/(?P<file>.+)", Handler.resolve),
]


@contextlib.contextmanager
def serving() -> Iterator[Hub]:
    """Serve a Hub of its own in a thread."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Machine:
    """A machine of its own: empty caches, no token, and the Hub of the test."""

    def __init__(self, hub: Hub, home: Path) -> None:
        self.hub, self.home = hub, home
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
        self.environment = {
            **kept,
            "HOME": str(home),
            "HF_HOME": str(home / "hf"),
            "HF_ENDPOINT": hub.url,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_ETAG_TIMEOUT": "2",
        }
        home.mkdir(exist_ok=True)

    def run(self, *argv: str, **environment: str) -> tuple[int, str, str]:
        done = warm.run(
            ["-m", "facegan.cli.main", *argv],
            capture_output=True,
            env={**self.environment, **environment},
            cwd=self.home,
        )
        return done.returncode, done.stdout or "", done.stderr or ""
