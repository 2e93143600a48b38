"""Requests that somebody with bad intentions might send to a studio: a table of them, as bytes.

Each is harmless by itself. None may be answered with what is not the project's, none may start anything, and
the server has to go on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from studio_hostile import FILE_NAMES, hostile_files, png
from studio_server import Server

CANARY = "CANARY-5d1c"
"""What the file beside the project contains, and no answer may."""


@dataclass
class Probe:
    """A request, and with which of ``statuses`` it may be answered; 0 is a connection that is closed."""

    method: str = "GET"
    path: str = "/"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    statuses: tuple[int, ...] = (400, 404)
    raw: bytes = b""
    """The whole request, instead of the rest."""
    let_in: bool = True
    """Whether it has the token: the worst case."""

    def request(self, server: Server) -> bytes:
        """Return it as bytes."""
        if self.raw:
            return self.raw
        given = {"Host": f"127.0.0.1:{server.port}", "Connection": "close"}
        given |= server.headers if self.let_in else {}
        given |= {"Content-Length": str(len(self.body))} if self.body else {}
        given |= self.headers
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in given.items() if v != "-")]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + self.body


def probes(server: Server, listener: int) -> dict[str, Probe]:
    """Return the table: name -> probe. ``listener`` is a port where nobody may call."""
    found: dict[str, Probe] = {}
    for group in (_paths, _ids, _texts, _tokens, _hosts, _origins, _bodies, _messages, _names, _planted):
        for name, probe in group(server, listener):
            key = f"{group.__name__.strip('_')}: {name}"
            assert key not in found, key
            found[key] = probe
    return found


Probes = Iterator[tuple[str, Probe]]
_WAYS = {
    "dots": "../../secret.txt",
    "encoded slash": "..%2f..%2fsecret.txt",
    "encoded dots": "%2e%2e/%2e%2e/secret.txt",
    "all encoded": "%2e%2e%2f%2e%2e%2fsecret.txt",
    "twice encoded": "%252e%252e%252f%252e%252e%252fsecret.txt",
    "backslashes": "..\\..\\secret.txt",
    "encoded backslashes": "..%5c..%5csecret.txt",
    "overlong": "..%c0%af..%c0%afsecret.txt",
    "wide dots": "%ef%bc%8e%ef%bc%8e/secret.txt",
    "doubled": "....//....//secret.txt",
    "semicolon": "..;/..;/secret.txt",
    "nul": "secret.txt%00.png",
    "absolute": "%2fetc%2fpasswd",
    "unc": "%5c%5c127.0.0.1%5cshare%5csecret.txt",
}


def _paths(server: Server, listener: int) -> Probes:
    ways = {"GET": ("/page/", "/api/uploads/", "/api/models/"), "DELETE": ("/api/results/", "/api/jobs/")}
    for method, prefix in ((method, prefix) for method, group in ways.items() for prefix in group):
        for way, path in _WAYS.items():
            yield f"{prefix} {way}", Probe(method, prefix + path, statuses=(400, 404))
    private = (".studio/token", ".studio/server.log", "..", ".", "", "//", "index.html/", "web/../../app.py")
    for path in private:
        yield f"/page/ {path!r}", Probe(path=f"/page/{path}")
    yield "no listing", Probe(path="/page", statuses=(404,))
    yield "root of files", Probe(path="/.studio/token", statuses=(404,))
    yield "whole address", Probe(path="http://127.0.0.1/../../etc/passwd", statuses=(400, 404))
    for number in ("-1", "99", "0x1", "1e3", "../0", "%00"):
        yield f"file {number}", Probe(path=f"/api/results/kept/file/{number}", statuses=(400, 404))


def _job(settings: Any, action: Any = "generate", **more: Any) -> Probe:
    body = json.dumps({"action": action, "settings": settings}).encode()
    return Probe("POST", "/api/jobs", {"Content-Type": "application/json"}, body, **more)


def _ids(server: Server, listener: int) -> Probes:
    here = f"127.0.0.1:{listener}"
    wrong: list[Any] = [
        "../../secret.txt",
        "/etc/passwd",
        "C:\\Windows\\win.ini",
        f"\\\\{here}\\share\\x.safetensors",
        f"//{here}/share/x.safetensors",
        f"http://{here}/x.safetensors",
        f"https://{here}/",
        f"ftp://{here}/x",
        f"gopher://{here}/_x",
        f"file://{here}/etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        f"http://0x7f000001:{listener}/",
        f"http://2130706433:{listener}/",
        f"http://[::ffff:127.0.0.1]:{listener}/",
        f"http://localhost.:{listener}/",
        "hf:owner/name",
        "s3://bucket/x",
        f"celeba64+http://{here}/d.safetensors",
        "celeba64+../../secret.txt",
        "celeba64@best",
        "run~x@../../secret",
        "./celeba64",
        "celeba64\u0000",
        "celeba64\n",
        " celeba64",
        "CELEBA64",
        "c" * 5000,
        "-h",
        "--out=/tmp/x",
        "$(id)",
        "`id`",
        "; id",
        "%2e%2e",
        "__proto__",
        7,
        True,
        None,
        ["celeba64"],
        {"id": "celeba64"},
        {"$ref": ["models", "celeba64", "/etc/passwd"]},
    ]
    for one in wrong:
        yield f"model {str(one)[:40]!r} {type(one).__name__}", _job({"model": one})
    for one in wrong[:20]:
        yield f"dataset {str(one)[:40]!r}", _job({"model": "celeba64", "dataset": one}, "evaluate")
    for name in ("model", "__class__", "generate.py", "../generate", "os:system", 3, None, ["generate"]):
        yield f"action {name!r}", _job({"model": "celeba64"}, name)


def _texts(server: Server, listener: int) -> Probes:
    places = (
        "/etc/passwd",
        "../../secret.txt",
        "~/x",
        f"http://127.0.0.1:{listener}/",
        "vectors.npz",
        "a\nb",
    )
    for place in places:
        for name in ("points", "labels"):
            yield f"{name} {place!r}", _job({"model": "celeba64", name: place})
    for name, value in {
        "out": "/tmp/x.png",
        "latents": "x.npz",
        "device": "cuda",
        "vectors": "x.npz",
    }.items():
        yield f"setting {name}", _job({"model": "celeba64", name: value})
    for name, value in {"format": "../x.py", "weights": "/etc/passwd", "direction": "\\\\x\\y"}.items():
        yield f"export {name}", _job({"model": "celeba64", name: value}, "export")
    for value in (1e999, -1, "1", None, [], {}):
        yield f"truncation {value!r}", _job({"model": "celeba64", "truncation": value}, statuses=(400, 404))


def _tokens(server: Server, listener: int) -> Probes:
    token, cookie = server.token, f"facegan-{server.port}"
    wrong = {
        "none": {},
        "empty bearer": {"Authorization": "Bearer "},
        "short": {"Authorization": f"Bearer {token[:-1]}"},
        "long": {"Authorization": f"Bearer {token}x"},
        "case": {"Authorization": f"Bearer {token.swapcase()}"},
        "basic": {"Authorization": f"Basic {token}"},
        "bare": {"Authorization": token},
        "other header": {"X-Token": token},
        "beyond ascii": {"Authorization": "Bearer \u00fc\u00df"},
        "other cookie": {"Cookie": f"token={token}"},
        "cookie of a port": {"Cookie": f"facegan-1={token}"},
        "empty cookie": {"Cookie": f"{cookie}="},
        "quoted cookie": {"Cookie": f'{cookie}="{token[:-1]}"'},
        "odd cookie": {"Cookie": f"{cookie}=\x01\x02; ;;=,"},
    }
    for name, headers in wrong.items():
        yield name, Probe(path="/api/project", headers=headers, statuses=(400, 401), let_in=False)
    for path in ("/?token=", f"/?token={token[:-1]}", "/?token=a&token=b", "/?token=%00", "/?tok%65n=x"):
        yield f"opening {path[:20]} {len(path)}", Probe(path=path, statuses=(401,), let_in=False)
    yield "token elsewhere", Probe(path=f"/api/project?token={token}", statuses=(401,), let_in=False)
    yield "page", Probe(path="/page/app.js", statuses=(401,), let_in=False)


def _hosts(server: Server, listener: int) -> Probes:
    port = server.port
    for host in (
        "evil.example",
        f"evil.example:{port}",
        f"127.0.0.1.evil.example:{port}",
        f"localhost.evil.example:{port}",
        "localhost.",
        "0.0.0.0",
        "169.254.169.254",
        "192.168.1.5",
        "2130706433",
        "0x7f.0.0.1",
        "127.1",
        "[::ffff:127.0.0.1]",
        "[::]",
        f"127.0.0.1@evil.example:{port}",
        f"127.0.0.1:{port}:80",
        f"127.0.0.1:{port}, evil.example",
        "",
        "*",
    ):
        yield host or "empty", Probe(path="/api/project", headers={"Host": host}, statuses=(400, 421))
    yield "none", Probe(path="/api/project", headers={"Host": "-"}, statuses=(400,))
    opening = {"Host": "evil.example"}
    path = f"/?token={server.token}"
    yield "opening", Probe(path=path, headers=opening, statuses=(421,), let_in=False)


def _origins(server: Server, listener: int) -> Probes:
    own = f"http://127.0.0.1:{server.port}"
    cookie = {"Cookie": f"facegan-{server.port}={server.token}", "X-Facegan": "1"}
    for origin in (
        "-",
        "null",
        "http://evil.example",
        f"http://127.0.0.1:{listener}",
        f"http://localhost:{server.port}",
        "http://127.0.0.1",
        f"{own}.evil.example",
        f"{own}/",
        f"ftp://127.0.0.1:{server.port}",
        f"{own} http://evil.example",
    ):
        headers = {**cookie, "Origin": origin}
        yield origin, Probe("POST", "/api/jobs", headers, b"{}", (403,), let_in=False)
    bearer = {"Origin": "http://evil.example"}
    yield "bearer of another page", Probe("POST", "/api/jobs", bearer, b"{}", (403,))
    for mark in ("-", "0", "true"):
        headers = {**cookie, "Origin": own, "X-Facegan": mark}
        yield f"mark {mark}", Probe("POST", "/api/jobs", headers, b"{}", (403,), let_in=False)
    for site in ("cross-site", "same-site"):
        headers = {**cookie, "Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
        yield f"picture of a {site} page", Probe("GET", "/api/project", headers, b"", (403,), let_in=False)
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        headers = {**cookie, "X-Facegan": "-", "Origin": "http://evil.example", "Content-Type": kind}
        yield kind, Probe("POST", "/api/uploads", headers, b"a=b", (403,), let_in=False)
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "CONNECT"):
        yield method, Probe(method, "/api/project", statuses=(400, 403, 404, 405))


def _bodies(server: Server, listener: int) -> Probes:
    bodies = {
        "empty": b" ",
        "no json": b"action=generate",
        "cut": b'{"action": "gener',
        "list": b"[]",
        "text": b'"generate"',
        "nan": b'{"action": "generate", "settings": {"truncation": NaN}}',
        "infinity": b'{"action": "generate", "settings": {"truncation": -Infinity}}',
        "deep": b'{"a":' * 100_000,
        "deep lists": b"[" * 200_000,
        "long number": b'{"action": ' + b"9" * 100_000 + b"}",
        "no utf-8": b'{"action": "\xff\xfe"}',
        "utf-16": '{"action": "x"}'.encode("utf-16"),
        "surrogate": b'{"action": "\\ud800"}',
        "nul": b'{"action": "generate\\u0000"}',
        "twice": b'{"action": 1, "action": {}}',
        "prototype": b'{"__proto__": {"action": "generate"}}',
        "xml": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    }
    for name, body in bodies.items():
        yield name, Probe("POST", "/api/jobs", {}, body, (400,))
    seeds: dict[str, Any] = {
        "float": 1.5,
        "text": "1",
        "huge": 2**70,
        "negative": -1,
        "list": [1],
        "nested": [[[[1]]]],
        "null": None,
        "truth": True,
    }
    for name, value in seeds.items():
        body = json.dumps({"seed": value}).encode()
        yield f"seed {name}", Probe("POST", "/api/models/celeba64/image", {}, body, (400,))
    for name, text in {"labels": b'{"seed":1,"labels":"/etc/passwd"}', "model": b'{"model":"x"}'}.items():
        yield f"image {name}", Probe("POST", "/api/models/celeba64/image", {}, text, (400,))
    yield "large", Probe("POST", "/api/jobs", {"Content-Length": str(10**10)}, b"{", (413,))
    yield "larger upload", Probe("POST", "/api/uploads", {"Content-Length": str(2**40)}, b"x", (413,))
    chunked = {"Transfer-Encoding": "chunked"}
    chunks = b"400000\r\n" + b"x" * 0x400000 + b"\r\n"
    yield "large chunks", Probe("POST", "/api/jobs", {**chunked, "Content-Length": "-"}, chunks * 3, (413,))


def _messages(server: Server, listener: int) -> Probes:
    """Yield what is no HTTP, or two requests that look like one."""
    host, auth = f"Host: 127.0.0.1:{server.port}", f"Authorization: Bearer {server.token}"
    head = f"{host}\r\n{auth}\r\nX-Facegan: 1\r\n"
    post = f"POST /api/jobs HTTP/1.1\r\n{head}"
    texts = {
        "garbage": b"\x00\x01\x02\x03\r\n\r\n",
        "tls": bytes.fromhex("1603010200010001fc0303") + b"\x00" * 64,
        "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "http 0.9": b"GET /api/project\r\n\r\n",
        "http 3": f"GET /api/none HTTP/3.0\r\n{head}\r\n".encode(),
        "no version": f"GET / \r\n{head}\r\n".encode(),
        "two lengths": f"{post}Content-Length: 2\r\nContent-Length: 5\r\n\r\n{{}}".encode(),
        "negative": f"{post}Content-Length: -2\r\n\r\n{{}}".encode(),
        "no number": f"{post}Content-Length: ten\r\n\r\n{{}}".encode(),
        "bad chunk": f"{post}Transfer-Encoding: chunked\r\n\r\nzz\r\n".encode(),
        "odd coding": f"{post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n".encode(),
        "large header": f"GET / HTTP/1.1\r\n{head}X: {'y' * 200_000}\r\n\r\n".encode(),
        "many headers": f"GET / HTTP/1.1\r\n{head}{'X: y' + chr(13) + chr(10):s}".encode()
        + b"Y: z\r\n" * 20_000,
        "long path": f"GET /{'a' * 100_000} HTTP/1.1\r\n{head}\r\n".encode(),
        "folded": f"GET /api/none HTTP/1.1\r\n{head}X: a\r\n b\r\n\r\n".encode(),
        "space in name": f"GET / HTTP/1.1\r\nHost : x\r\n{auth}\r\n\r\n".encode(),
        "two hosts": f"GET / HTTP/1.1\r\n{head}Host: evil.example\r\n\r\n".encode(),
        "two origins": f"{post}Origin: http://a\r\nOrigin: http://b\r\n\r\n".encode(),
        "nul in path": b"GET /page/\x00 HTTP/1.1\r\n" + head.encode() + b"\r\n",
        "line in path": f"GET /page/%0d%0aX:y HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode(),
        "upgrade": (
            f"GET /api/project HTTP/1.1\r\n{host}\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            "Sec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode(),
        "length and chunks": (
            f"POST /api/none HTTP/1.1\r\n{head}Connection: close\r\nContent-Length: 4\r\nTransfer-Encoding: "
            "chunked\r\n\r\n0\r\n\r\nGET /api/project HTTP/1.1\r\n\r\n"
        ).encode(),
    }
    for name, raw in texts.items():
        yield name, Probe(raw=raw, statuses=(0, 400, 401, 403, 404, 421, 431))


def _names(server: Server, listener: int) -> Probes:
    for way, name in FILE_NAMES.items():
        content = png(8, 8, b"\0" * (25 * 8))
        yield f"name {way}", Probe("POST", "/api/uploads", {"X-Name": name}, content, (201,))
    for way, (name, content, statuses) in hostile_files().items():
        yield way, Probe("POST", "/api/uploads", {"X-Name": name}, content, statuses)


# --- a project that somebody else made ----------------------------------------------------------------


def plant(server: Server) -> None:
    """Put results into the project whose lists name what is not theirs."""
    results = server.folder / "results"
    results.mkdir(exist_ok=True)
    (server.folder.parent / "secret.txt").write_text(CANARY)
    for name, file in PLANTED.items():
        files = [{"name": file}] if file is not None else "all"
        (results / f"{name}.json").write_text(json.dumps({"id": name, "files": files}))
    (results / "link.png").symlink_to(server.folder.parent / "secret.txt")
    (results / "kept.json").write_text(json.dumps({"id": "kept", "files": [{"name": "kept.txt"}]}))
    (results / "kept.txt").write_text("kept")


PLANTED: dict[str, Any] = {
    "dots": "../../secret.txt",
    "absolute": "/etc/passwd",
    "link": "link.png",
    "other": "kept.txt",
    "token": "../.studio/token",
    "begin": "begin.x/../../../secret.txt",
    "number": 7,
    "object": {"path": "/etc/passwd"},
    "text": None,
}


def _planted(server: Server, listener: int) -> Probes:
    for name in PLANTED:
        yield name, Probe(path=f"/api/results/{name}/file/0", statuses=(404,))
