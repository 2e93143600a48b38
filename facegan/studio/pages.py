"""The files of the page: a table that is made at the start, of the package's own files alone.

The page's modules are many and small. So that it opens without a round trip for each level of imports, its
HTML names all that are needed. Their addresses have a version, so that browsers ask for each of them once.
"""

from __future__ import annotations

import gzip
import hashlib
import posixpath
import re
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


_FOREVER = "private, max-age=31536000, immutable"
_IMPORT = re.compile(r"""^(?:import|export)\b[^"';]*?["'](\.[^"']+)["']""", re.MULTILINE)
_VIEW = re.compile(r"""\bid: "(\w+)".*\bimport\("(\./views/[^"]+)"\)""")


@dataclass
class _File:
    """A file and what is sent of it; read again when it changes, for those who work on the page."""

    path: Path
    kind: str
    packed: bool = False
    version: tuple[int, int] = (0, 0)
    plain: bytes = b""
    small: bytes | None = None
    """What is sent to those who take gzip; None as long as nobody has asked."""
    etag: str = ""

    def read(self) -> None:
        about = self.path.stat()
        if self.version == (about.st_mtime_ns, about.st_size):
            return
        self.version = (about.st_mtime_ns, about.st_size)
        content = self.path.read_bytes()
        self.fill(b"" if self.packed else content, content if self.packed else None)

    def fill(self, plain: bytes, small: bytes | None = None) -> None:
        self.plain, self.small = plain, small
        self.etag = f'"{hashlib.sha256(small or plain).hexdigest()[:20]}"'

    def gzipped(self) -> bytes:
        """Return what is sent to those who take gzip; nothing where that gains nothing."""
        if self.small is None:
            pack = self.path.suffix in _TEXT and len(self.plain) > _SMALL
            self.small = gzip.compress(self.plain, 6, mtime=0) if pack else b""
        return self.small


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


class _Page:
    """The files, and the HTML that is made of ``index.html``."""

    def __init__(self) -> None:
        self.files = page_files()
        self.version = ""
        self.template = self.files.pop("index.html")
        self.html = _File(self.template.path, self.template.kind)
        self.index()

    def index(self) -> _File:
        """Return the HTML, with the version that the files have now."""
        parts = [self.template, *self.files.values()]
        for file in parts:
            file.read()
        version = hashlib.sha256("".join(file.etag for file in parts).encode()).hexdigest()[:16]
        if version != self.version:
            self.version = version
            views, modules = self._modules()
            text = (
                self.template.plain.decode()
                .replace("<!-- views -->", views)
                .replace("<!-- modules -->", modules)
            )
            self.html.fill(text.replace('"/page/', f'"/page/@{version}/').encode())
        return self.html

    def _modules(self) -> tuple[str, str]:
        """Return elements for the modules that each view needs, and for those that every view needs.

        The former are ``meta`` elements: which view an address opens is behind its #, which no server sees.
        """
        shell, views = self.imported("app.js"), []
        for view, name in _VIEW.findall(self.files["app.js"].plain.decode()):
            own = [one for one in self.imported(posixpath.normpath(name)) if one not in shell]
            views.append(f'<meta name="modules" data-view="{view}" content="{" ".join(own)}">')
        links = [f'<link rel="modulepreload" href="/page/{name}">' for name in shell]
        return "\n".join(views), "\n".join(links)

    def imported(self, name: str) -> list[str]:
        """Return a module's name and those of all that it imports at once, directly or not."""
        known = [name]
        for here in known:
            for found in _IMPORT.findall(self.files[here].plain.decode()):
                target = posixpath.normpath(posixpath.join(posixpath.dirname(here), found))
                if target not in known and target in self.files:
                    known.append(target)
        return known


def page_routes() -> list[Route]:
    """Return the routes of the page: ``/``, ``/page/NAME`` and ``/page/@VERSION/NAME``."""
    of = _Page()

    async def index(request: Request) -> Response:
        return _sent(of.index(), request, "no-cache")

    async def page(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in of.files:
            raise NotFoundError(f"the page has no file '{shown(name)}'")
        of.files[name].read()
        fresh = request.path_params.get("version") == of.version
        return _sent(of.files[name], request, _FOREVER if fresh else "no-cache")

    return [Route("/", index), Route("/page/@{version}/{name:path}", page), Route("/page/{name:path}", page)]


def _sent(file: _File, request: Request, keep: str) -> Response:
    headers = {"ETag": file.etag, "Cache-Control": keep, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    content = file.plain
    accepted = request.headers.get("accept-encoding", "").replace(" ", "")
    if "gzip" in accepted and "gzip;q=0" not in accepted and (small := file.gzipped()):
        headers["Content-Encoding"], content = "gzip", small
    elif file.packed:
        content = gzip.decompress(file.gzipped())
    return Response(content, headers=headers, media_type=file.kind)
