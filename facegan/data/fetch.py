"""One file over http(s), from public addresses only, within bounds of size and time.

The address is checked on the connected socket, so that no answer of a name server can lead elsewhere
between check and use, and again after each redirect. Proxies of the environment are not used.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from urllib.parse import urljoin, urlsplit

from facegan.errors import InputError, first_line

MAX_BYTES = 30_000_000
MAX_SECONDS = 20.0
MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_url(text: str) -> bool:
    """Return whether ``text`` is meant as an address of the web, allowed or not."""
    return "://" in text


def is_public(address: str) -> bool:
    """Return whether an IP address lies in the open internet: not private, loopback, link-local, reserved ...

    Of an IPv6 address that carries an IPv4 one (mapped, 6to4, Teredo, NAT64), that one counts.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        inside = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if any(v4 is not None and not is_public(str(v4)) for v4 in inside):
            return False
        if ip.ipv4_mapped is not None:
            return True
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def fetch(url: str, max_bytes: int = MAX_BYTES, max_seconds: float = MAX_SECONDS) -> bytes:
    """Return the content of ``url``; InputError in one line for whatever goes wrong."""
    deadline, at = time.monotonic() + max_seconds, url
    for _ in range(MAX_REDIRECTS + 1):
        try:
            status, location, content = _get(at, max_bytes, deadline)
        except (OSError, http.client.HTTPException, UnicodeError, ValueError) as error:
            if time.monotonic() >= deadline:
                raise InputError(f"{url}: not there within {max_seconds:g} s") from None
            raise InputError(f"{url}: unreachable ({first_line(error)})") from None
        if location:
            at = urljoin(at, location)
            continue
        if status != 200:
            raise InputError(f"{url}: the server answers {status}")
        return content
    raise InputError(f"{url}: more than {MAX_REDIRECTS} redirects")


def _get(url: str, max_bytes: int, deadline: float) -> tuple[int, str, bytes]:
    """Return (status, target of a redirect, content) of one request."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{url}: only http:// and https:// addresses are fetched")
    secure = parts.scheme == "https"
    connected = _connect(url, parts.hostname, parts.port or (443 if secure else 80), deadline=deadline)
    stream = connected
    if secure:
        context = ssl.create_default_context()
        stream = context.wrap_socket(connected, server_hostname=parts.hostname, do_handshake_on_connect=False)
    # A server that sends a byte now and then never lets a read time out: the timer ends the whole.
    timer = threading.Timer(max(deadline - time.monotonic(), 0.01), _hang_up, [stream])
    timer.daemon = True
    timer.start()
    try:
        if isinstance(stream, ssl.SSLSocket):
            stream.do_handshake()
        connection = http.client.HTTPConnection(parts.hostname, parts.port)
        connection.sock = stream
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Host": parts.netloc.rpartition("@")[2], "User-Agent": "facegan", "Accept": "image/*,*/*"}
        connection.request("GET", path, headers={**headers, "Connection": "close"})
        answer = connection.getresponse()
        if answer.status in _REDIRECTS and answer.getheader("Location"):
            return answer.status, str(answer.getheader("Location")), b""
        content = answer.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise InputError(f"{url}: more than {max_bytes / 1e6:g} MB")
        if time.monotonic() >= deadline or (answer.length or 0) > 0:
            raise OSError("the connection ended early")
        return answer.status, "", content
    finally:
        timer.cancel()
        stream.close()


def _hang_up(connected: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def _connect(url: str, host: str, port: int, *, deadline: float) -> socket.socket:
    """Return a connection to the first of the host's public addresses that answers."""
    refused: OSError | None = None
    for family, kind, protocol, _, address in _look_up(host, port, deadline):
        if not is_public(str(address[0])):
            raise InputError(f"{url}: leads to {address[0]}, which is not a public address")
        connected = socket.socket(family, kind, protocol)
        connected.settimeout(max(deadline - time.monotonic(), 0.01))
        try:
            connected.connect(address)
            reached = str(connected.getpeername()[0])
        except OSError as error:
            connected.close()
            refused = error
            continue
        if not is_public(reached):
            connected.close()
            raise InputError(f"{url}: leads to {reached}, which is not a public address")
        return connected
    raise refused or OSError("no address")


def _look_up(host: str, port: int, deadline: float) -> list[tuple]:
    """Call ``getaddrinfo``, which knows no time limit, in a thread that may be left behind."""
    found: list[list[tuple]] = []
    failed: list[Exception] = []

    def ask() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failed.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(max(deadline - time.monotonic(), 0.01))
    if found:
        return found[0]
    raise failed[0] if failed else TimeoutError("the name server does not answer")
