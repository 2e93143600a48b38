"""The files of the page: a table that is made at the start, of the package's own files alone."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from facegan.studio.refusals import NotFoundError, shown

PAGE = Path(__file__).parent / "page"
WEB = Path(__file__).parents[1] / "exchange" / "web"
"""ONNX Runtime Web, which runs models in a browser, compressed; below ``/page/web/``."""
ENGINE = WEB.parent / "page"
"""The modules of exported pages, which the studio imports; below ``/page/engine/``."""
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
    ".txt": "text/plain; charset=utf-8",
}
_SMALL = 1400  # bytes below which compressing gains nothing
_TEXT = (".html", ".css", ".js", ".mjs", ".json", ".svg", ".txt")


@dataclass
class _File:
    """A file and what is sent of it; read again when it changes, for those who work on the page."""

    path: Path
    kind: str
    packed: bool = False
    version: tuple[int, int] = (0, 0)
    plain: bytes = b""
    small: bytes = b""
    etag: str = ""

    def read(self) -> None:
        about = self.path.stat()
        if self.version == (about.st_mtime_ns, about.st_size):
            return
        content = self.path.read_bytes()
        if self.packed:
            self.plain, self.small = b"", content
        else:
            pack = self.path.suffix in _TEXT and len(content) > _SMALL
            self.plain, self.small = content, gzip.compress(content, 6, mtime=0) if pack else b""
        self.etag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
        self.version = (about.st_mtime_ns, about.st_size)


def page_files() -> dict[str, _File]:
    """Return name below ``/page/`` -> file."""
    found = {}
    for root, begin in ((PAGE, ""), (ENGINE, "engine/"), (WEB, "web/")):
        for path in sorted(root.rglob("*")):
            packed = path.suffix == ".gz"
            name = begin + path.relative_to(root).as_posix().removesuffix(".gz")
            kind = TYPES.get(Path(name).suffix, "text/plain; charset=utf-8")
            if path.is_file() and "__pycache__" not in name:
                found[name] = _File(path, kind, packed)
    return found


def page_routes() -> list[Route]:
    """Return the routes of the page: ``/`` and ``/page/NAME``."""
    files = page_files()

    async def page(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in files:
            raise NotFoundError(f"the page has no file '{shown(name)}'")
        file = files[name]
        file.read()
        headers = {"ETag": file.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == file.etag:
            return Response(status_code=304, headers=headers)
        content = file.plain
        if file.small and ("gzip" in request.headers.get("accept-encoding", "") and not _is_refused(request)):
            headers["Content-Encoding"], content = "gzip", file.small
        elif file.packed:
            content = gzip.decompress(file.small)
        return Response(content, headers=headers, media_type=file.kind)

    return [Route("/", page), Route("/page/{name:path}", page)]


def _is_refused(request: Request) -> bool:
    return "gzip;q=0" in request.headers.get("accept-encoding", "").replace(" ", "")
