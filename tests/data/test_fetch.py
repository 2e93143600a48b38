"""Fetching a photo: public addresses only, at every step of the way, within bounds of size and time."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from facegan.data import fetch
from facegan.errors import InputError

PUBLIC = [
    "8.8.8.8",
    "93.184.216.34",
    "2606:2800:220:1::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]
NOT_PUBLIC = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "0.0.0.0",
    "169.254.169.254",
    "100.64.0.1",
    "255.255.255.255",
    "224.0.0.1",
    "240.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "2002:a00:1::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert fetch.is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_addresses_of_this_house(address: str) -> None:
    assert not fetch.is_public(address)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))  # type: ignore[attr-defined]
        port = self.server.server_address[1]
        try:
            if self.path.startswith("/to?"):
                self.send_response(302)
                self.send_header("Location", self.path[4:].replace("PORT", str(port)))
                self.end_headers()
            elif self.path == "/drip":
                self.send_response(200)
                self.end_headers()
                for _ in range(100):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(0.05)
            elif self.path == "/none":
                self.send_error(404)
            elif self.path == "/short":
                self.send_response(200)
                self.send_header("Content-Length", "100")
                self.end_headers()
                self.wfile.write(b"x" * 10)
            else:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"x" * 5000)
        except OSError:
            pass  # the client has hung up

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    made = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Handler)
    made.seen = []  # type: ignore[attr-defined]
    made.daemon_threads = True
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def at(server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server's address, which counts as public here; 127.0.0.2, which leads to it, too, does not."""
    monkeypatch.setattr(fetch, "is_public", lambda address: address == "127.0.0.1")
    return f"http://127.0.0.1:{server.server_address[1]}"


def test_loopback_is_refused_before_anything_is_sent(server: http.server.ThreadingHTTPServer) -> None:
    before = len(server.seen)  # type: ignore[attr-defined]
    for host in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "0x7f.1"):
        with pytest.raises(InputError) as caught:
            fetch.fetch(f"http://{host}:{server.server_address[1]}/", max_seconds=5)
        assert "not a public address" in str(caught.value) or "unreachable" in str(caught.value)
    assert len(server.seen) == before  # type: ignore[attr-defined]


def test_content_and_redirects(at: str, server: http.server.ThreadingHTTPServer) -> None:
    assert fetch.fetch(f"{at}/photo.png?size=3") == b"x" * 5000
    assert fetch.fetch(f"{at}/to?/to?/photo.png") == b"x" * 5000
    path, headers = server.seen[0]  # type: ignore[attr-defined]
    assert path == "/photo.png?size=3" and headers["Host"] == at.removeprefix("http://")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/to?http://127.0.0.2:PORT/", "leads to 127.0.0.2, which is not a public address"),
        ("/to?http://10.0.0.1/", "leads to 10.0.0.1, which is not a public address"),
        ("/to?file:///etc/passwd", "only http:// and https://"),
        ("/to?ftp://127.0.0.1/", "only http:// and https://"),
        ("/none", "the server answers 404"),
        ("/short", "unreachable"),
    ],
)
def test_what_is_refused(at: str, path: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        fetch.fetch(at + path, max_seconds=5)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_endless_redirects_end(at: str) -> None:
    path = "/photo"
    for _ in range(fetch.MAX_REDIRECTS + 1):
        path = f"/to?{path}"
    with pytest.raises(InputError, match="more than 5 redirects"):
        fetch.fetch(at + path)
    assert fetch.fetch(at + path.removeprefix("/to?")) == b"x" * 5000


def test_a_name_that_changes_its_mind(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that counts is the connected socket's, whatever was looked up."""
    port = int(at.rpartition(":")[2])
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: answer)
    monkeypatch.setattr(socket.socket, "getpeername", lambda self: ("10.1.2.3", port))
    with pytest.raises(InputError, match=r"leads to 10\.1\.2\.3, which is not a public address"):
        fetch.fetch("http://rebinding.example/")


def test_size_and_time_have_bounds(at: str) -> None:
    assert len(fetch.fetch(f"{at}/", max_bytes=5000)) == 5000
    with pytest.raises(InputError, match=r"more than 0\.004999 MB"):
        fetch.fetch(f"{at}/", max_bytes=4999)
    begin = time.monotonic()
    with pytest.raises(InputError, match=r"not there within 0\.4 s"):
        fetch.fetch(f"{at}/drip", max_seconds=0.4)
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("url", ["http://", "https:///x", "gopher://a/", "http://[::1", "http://a:99999999/"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(InputError) as caught:
        fetch.fetch(url, max_seconds=2)
    assert url in str(caught.value) and "\n" not in str(caught.value)
