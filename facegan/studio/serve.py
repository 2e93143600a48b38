"""Start the studio: ``facegan.run_studio``, which ``facegan studio`` calls."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import socket
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

from facegan import arguments
from facegan.errors import InputError
from facegan.files import take_lock
from facegan.studio.app import application
from facegan.studio.connections import PatientProtocol
from facegan.studio.state import open_studio

PORT = 8765
_TRIED = 20  # ports after the first, where none was asked for


def run_studio(
    folder: str | Path = ".",
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    allow_remote: bool = False,
    browser: bool = True,
    jobs: int = 2,
    on_ready: Callable[[str], None] = print,
) -> None:
    """Serve the studio of a project's folder until Ctrl-C. Jobs that run go on without it.

    >>> facegan.run_studio("my_faces")

    Args:
        folder: the project; it is made if there is none.
        port: where to listen; 0 is the first free one from 8765 on.
        host: the address to listen at. Others than this machine's own need ``allow_remote``.
        allow_remote: whether other machines may connect. The connection is not encrypted: whoever can read
            the network can read the token, and with it use this studio.
        browser: open the page in a browser, where there is one.
        jobs: how many jobs run at the same time; others wait.
        on_ready: called with the address of the page, which contains the token.

    Raises:
        InputError: The folder or the port cannot be used, or another studio has the project open.
    """
    if os.name != "posix":
        raise InputError("the studio runs on Linux, macOS and WSL")
    port = arguments.whole(port, "--port", 0, most=65535)
    jobs = arguments.whole(jobs, "--jobs", 1, most=64)
    _check_host(host, allow_remote)
    studio = open_studio(folder, jobs)
    with open(studio.project.private / "server.lock", "a+") as lock:
        if not take_lock(lock):
            lock.seek(0)
            raise InputError(f"{folder}: a studio has this project open already{_where(lock.read())}")
        listener = _listen(host, port)
        found = listener.getsockname()[1]
        lock.truncate(0)
        lock.write(f"port {found}")
        lock.flush()
        app = application(studio, port=found, hosts=[host], any_address=allow_remote)
        address = f"http://{_shown_host(host)}:{found}/?token={studio.token}"
        server = uvicorn.Server(_config(app))
        on_ready(address)
        if browser and _has_browser():
            webbrowser.open(address)
        server.run(sockets=[listener])
        if server.started and server.should_exit:  # asyncio may lose a Ctrl-C that ended the server
            raise KeyboardInterrupt


class _Mistakes(logging.Filter):
    """Of what uvicorn says, let bugs through; garbage that somebody sends, and ends of work, are none."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return error is not None and not isinstance(error, asyncio.CancelledError)


def _config(app: Any) -> uvicorn.Config:
    logging.getLogger("uvicorn.error").addFilter(_Mistakes())
    return uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=400,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=32 * 1024,
    )


def _check_host(host: str, allow_remote: bool) -> None:
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local and not allow_remote:
        raise InputError(
            f"--host {host}: other machines could connect then, and the connection is not encrypted. A "
            "forwarded port is safe (ssh -L 8765:localhost:8765 MACHINE); --allow-remote listens anyway"
        )


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; without a wish, at the first free port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    tried = [port] if port else [*range(PORT, PORT + _TRIED), 0]
    for number in tried:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, number))
            listener.listen(512)
            return listener
        except OSError as error:
            listener.close()
            if number == tried[-1]:
                option = f"--port {port}" if port else f"--host {host}"
                raise InputError(f"{option}: cannot listen there ({error.strerror or error})") from None
    raise AssertionError("the last port either listens or raises")


def _shown_host(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _where(text: str) -> str:
    return f", at {text}" if text.startswith("port ") else ""


def _has_browser() -> bool:
    """Return whether a browser can be shown here: not on a machine without a screen."""
    if os.name == "posix" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return os.uname().sysname == "Darwin"
    return True
