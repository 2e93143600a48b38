"""Who is let in: the first thing that sees a request.

A request needs the project's token and a host name of ours, against pages of others that resolve their name
to this machine; one that changes something needs our own origin as well. Bodies are bounded in bytes and in
time.
"""

from __future__ import annotations

import asyncio
import hmac
import html
import ipaddress
import json
import socket
import time
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facegan.studio.refusals import Refused
from facegan.studio.uploads import MAX_FILE

CSP = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src blob: 'self'; connect-src 'self'; worker-src 'self'; font-src 'none'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
MAX_BODY = 8 * 2**20
"""Bytes of a body that is no upload."""
IDLE = 20.0
"""Seconds for which a body may stand still."""
SLOWEST = 2_000
"""Bytes a second that a body must bring on average, after the first ``IDLE`` seconds."""
_SAFE = ("GET", "HEAD")
_HOW = (
    "open the address that 'facegan studio' printed, with its token; it is in the terminal where the studio "
    "was started"
)


class Guard:
    """ASGI middleware that refuses what it should not be asked.

    Args:
        app: the application.
        token: the project's token.
        port: the port that the server listens at, for the cookie's name.
        hosts: names by which the server may be called; any port goes, for forwarded ones.
        any_address: whether numeric addresses of any kind go as well.
    """

    def __init__(
        self, app: ASGIApp, token: str, *, port: int, hosts: Collection[str] = (), any_address: bool = False
    ) -> None:
        self.app, self.token = app, token.encode()
        self.cookie = f"facegan-{port}"
        self.hosts = {"127.0.0.1", "localhost", "::1", *(host.lower() for host in hosts)}
        self.any_address = any_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        reply = _Reply(scope, send)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await reply.refuse(*refusal)
            return
        if (given := self._opening(scope)) is not None:
            await self._open(given, headers, reply)
            return
        limit = MAX_FILE if scope["path"] == "/api/uploads" else MAX_BODY
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > limit:
            await reply.refuse(413, f"the request is larger than {limit:,} bytes", closes=False)
            return
        await self.app(scope, _Body(receive, limit), reply)

    # --- the checks -------------------------------------------------------------------------

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Return the status and the sentence of a refusal, or None."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return 421, "this server is not called so; use 127.0.0.1 or localhost, with the forwarded port"
        if self._opening(scope) is not None:
            return None
        if not (bearer := self._bearer(headers)) and not self._has_cookie(headers):
            return 401, _HOW
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not (
            scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"
        ):
            return 403, "this request comes from another page"
        if scope["method"] in _SAFE:
            return None
        if scope["method"] not in ("POST", "PUT", "DELETE"):
            return 405, "this address does not take that method"
        origins = headers.getlist("origin")
        own = {f"{scheme}://{hosts[0].lower()}" for scheme in ("http", "https")}
        if (origins or not bearer) and (len(origins) != 1 or origins[0].lower() not in own):
            return 403, "this request comes from another page"
        if headers.get("x-facegan") != "1":
            return 403, "a request that changes something needs the header 'X-Facegan: 1'"
        return None

    def _is_ours(self, host: str) -> bool:
        name = _without_port(host).lower()
        if name in self.hosts:
            return True
        if not self.any_address:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name == socket.gethostname().lower()
        return True

    def _matches(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.token)

    def _bearer(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._matches(given.strip())

    def _has_cookie(self, headers: Headers) -> bool:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        return self.cookie in cookies and self._matches(cookies[self.cookie].value)

    # --- the way in -------------------------------------------------------------------------

    def _opening(self, scope: Scope) -> str | None:
        """Return the token of the address that opens the page, or None."""
        if scope["path"] != "/" or scope["method"] != "GET" or b"token=" not in scope["query_string"]:
            return None
        query: bytes = scope["query_string"]
        return parse_qs(query.decode("latin-1")).get("token", [""])[0]

    async def _open(self, given: str, headers: Headers, reply: _Reply) -> None:
        """Answer the opened address: the cookie, and on to the page without the token in its address."""
        if not self._matches(given):
            await reply.refuse(401, _HOW)
            return
        cookie = f"{self.cookie}={self.token.decode()}; HttpOnly; SameSite=Strict; Path=/"
        if headers.get("sec-fetch-site") == "cross-site":
            # From another page, such as a terminal in the browser: strict cookies do not follow a redirect.
            page = '<!doctype html><meta http-equiv="refresh" content="0;url=/"><title>facegan studio</title>'
            await reply.send_whole(200, page.encode(), {"set-cookie": cookie, "content-type": "text/html"})
        else:
            await reply.send_whole(303, b"", {"set-cookie": cookie, "location": "/"})


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() and ":" not in name else host


class _Reply:
    """The ``send`` of a request: adds the security headers to every answer."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope, self.send = scope, send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            known = {name.lower() for name, _ in message.get("headers", [])}
            more = [
                (name.lower().encode(), value.encode())
                for name, value in HEADERS.items()
                if name.lower().encode() not in known
            ]
            message = {**message, "headers": [*message.get("headers", []), *more]}
        await self.send(message)

    async def send_whole(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        """Send an answer at once."""
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        pairs += [(b"content-length", str(len(content)).encode()), (b"cache-control", b"no-store")]
        await self({"type": "http.response.start", "status": status, "headers": pairs})
        await self({"type": "http.response.body", "body": content})

    async def refuse(self, status: int, sentence: str, *, closes: bool = True) -> None:
        """Send a refusal: JSON to the page's script, a page to people.

        The connection ends with it, or else once the body has come, since browsers tell an answer only then.
        """
        headers = {"content-type": "application/json", **({"connection": "close"} if closes else {})}
        content = json.dumps({"error": sentence}).encode()
        if not self.scope["path"].startswith("/api/"):
            headers["content-type"] = "text/html; charset=utf-8"
            content = (
                "<!doctype html><html lang=en><meta charset=utf-8><title>facegan studio</title>"
                f"<h1>facegan studio</h1><p>{html.escape(sentence)}"
            ).encode()
        await self.send_whole(status, content, headers)


class _Body:
    """The ``receive`` of a request, bounded in bytes and time; it raises Refused, which the app answers."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self.receive, self.limit = receive, limit
        self.size, self.began, self.whole = 0, time.monotonic(), False

    async def __call__(self) -> Message:
        if self.whole:  # only the end of the connection is still to come
            return await self.receive()
        try:
            message = await asyncio.wait_for(self.receive(), IDLE)
        except (asyncio.TimeoutError, TimeoutError):
            raise Refused(408, "the request came too slowly") from None
        if message["type"] == "http.request":
            self.size += len(message.get("body", b""))
            self.whole = not message.get("more_body", False)
            seconds = time.monotonic() - self.began
            if self.size > self.limit:
                raise Refused(413, f"the request is larger than {self.limit:,} bytes")
            if not self.whole and seconds > IDLE and self.size < SLOWEST * seconds:
                raise Refused(408, "the request came too slowly")
        return message
