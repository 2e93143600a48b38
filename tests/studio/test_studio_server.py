"""The studio's server as the page sees it: files, listing, pictures, uploads, jobs."""

from __future__ import annotations

import asyncio
import io
import os
import re
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from studio_server import Server

import facegan
from facegan.marks import read_mark
from facegan.studio import uploads
from facegan.studio.refusals import Refused

PNG = b"\x89PNG\r\n\x1a\n"


def test_the_address_lets_a_browser_in(server: Server) -> None:
    found = server.ask("GET", f"/?token={server.token}", headers={})
    assert (found.status, found.headers["location"]) == (303, "/")
    cookie, *flags = found.headers["set-cookie"].split("; ")
    assert cookie == f"facegan-{server.port}={server.token}"
    assert set(flags) == {"HttpOnly", "SameSite=Strict", "Path=/"}
    page = server.ask("GET", "/", headers={"Cookie": cookie})
    assert page.status == 200 and b"<title>" in page.content
    again = server.ask("GET", "/", headers={"Cookie": cookie, "If-None-Match": page.headers["etag"]})
    assert (again.status, again.content) == (304, b"")
    assert server.ask("GET", "/", headers={"Cookie": "facegan-1=x"}).status == 401


def test_addresses_of_the_page_contain_its_version(server: Server) -> None:
    """So that a browser asks for a module once, and never uses that of another version."""
    text = server.ask("GET", "/").content.decode()
    names = re.findall(r'(?:src|href)="(/page/@[0-9a-f]{16}/[\w./]+)"', text)
    assert len(names) > 20 and not re.search(r'"/page/(?!@)|<!-- modules', text)
    for name in names:
        found = server.ask("GET", name)
        assert found.status == 200 and "immutable" in found.headers["cache-control"], name
    old = server.ask("GET", re.sub("@[0-9a-f]+", "@0123456789abcdef", names[0]))
    assert (old.status, old.headers["cache-control"]) == (200, "no-cache")
    assert server.ask("GET", names[0].replace("/page/", "/page/@x/")).status == 404


def test_the_token_is_its_owners(server: Server) -> None:
    file = server.folder / ".studio" / "token"
    assert file.read_text() == server.token and len(server.token) >= 32
    assert [stat.S_IMODE(os.stat(p).st_mode) for p in (file, file.parent)] == [0o600, 0o700]


def test_the_project_lists_bundled_models(server: Server) -> None:
    found = server.get("/api/project")
    assert found["name"] == "project" and found["version"] == facegan.__version__
    assert next(m for m in found["models"] if m["bundled"])["id"] == "celeba64"


def test_the_picture_of_a_seed_is_the_models(server: Server) -> None:
    found = server.ask("POST", "/api/models/celeba64/image", {"seed": 7})
    assert found.headers["content-type"] == "image/png"
    drawn = np.asarray(Image.open(io.BytesIO(found.content)))
    wanted = facegan.load("celeba64").sample([7])[0]
    assert np.abs(drawn.astype(int) - wanted).max() <= 1
    (server.folder / "seven.png").write_bytes(found.content)
    mark = read_mark(server.folder / "seven.png")
    assert mark is not None and mark.seed == "7"


def test_a_picture_is_brought_looked_at_and_deleted(server: Server) -> None:
    content = io.BytesIO()
    Image.new("RGB", (700, 350), "teal").save(content, "PNG")
    name = {"X-Name": "holiday%20%C3%BC.png", **server.headers}
    found = server.ask("POST", "/api/uploads", content.getvalue(), name)
    assert found.status == 201
    upload = found.json()
    assert {k: upload[k] for k in ("name", "kind", "width", "height")} == {
        "name": "holiday ü.png",
        "kind": "picture",
        "width": 700,
        "height": 350,
    }
    preview = server.ask("GET", f"/api/uploads/{upload['id']}").content
    assert Image.open(io.BytesIO(preview)).size == (512, 256)
    assert server.ask("DELETE", f"/api/uploads/{upload['id']}").status == 200
    assert server.ask("GET", f"/api/uploads/{upload['id']}").status == 404


def test_a_job_draws_tells_and_leaves_a_result(server: Server) -> None:
    settings = {"model": "celeba64", "points": "seed:0-3"}
    shown = server.ask("POST", "/api/preview", {"action": "generate", "settings": settings}).json()
    assert shown["command"] == "facegan generate celeba64 seed:0-3 --out results/generate.png"
    job = server.start("generate", **settings)
    events = server.events(job)
    assert [event["n"] for event in events] == list(range(1, len(events) + 1))
    assert [event["kind"] for event in events] == ["picture", "done"]
    assert server.events(job, after=1) == events[1:]
    result = server.listed("results", job)
    assert result["command"] == shown["command"].replace("generate.png", f"{job}.png")
    file = server.ask("GET", f"/api/results/{job}/file/0")
    assert file.content == (server.folder / "results" / f"{job}.png").read_bytes()
    assert file.content.startswith(PNG) and file.headers["content-type"] == "image/png"
    assert server.ask("GET", f"/api/results/{job}/file/1").status == 404
    assert server.ask("DELETE", f"/api/results/{job}").status == 200
    assert [item["id"] for item in server.get("/api/project")["results"]] == []


REFUSED = {
    "action": ({"action": "nothing"}, "there is no such action"),
    "model": ({"action": "generate", "settings": {"model": "nobody"}}, "has no model 'nobody'"),
    "no model": ({"action": "generate", "settings": {}}, "model: choose one of the project's models"),
    "setting": (
        {"action": "generate", "settings": {"model": "celeba64", "out": "/tmp/x.png"}},
        "there is no setting 'out'",
    ),
    "type": (
        {"action": "generate", "settings": {"model": "celeba64", "truncation": "high"}},
        "truncation must be a number",
    ),
    "path": (
        {"action": "generate", "settings": {"model": "celeba64", "labels": "/etc/passwd"}},
        "labels: paths and addresses are not taken here",
    ),
    "list": ({"action": "generate", "settings": []}, "settings must be an object"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_that_does_not_fit_is_answered_in_one_sentence(server: Server, name: str) -> None:
    body, sentence = REFUSED[name]
    for path in ("/api/preview", "/api/jobs"):
        found = server.ask("POST", path, body)
        assert found.status in (400, 404) and sentence in found.error
        assert "\n" not in found.error


def test_uploads_that_a_job_took_away_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job counts for itself, in a process of its own; at a limit, the server looks what is really there."""
    monkeypatch.setattr(uploads, "MAX_FILES", 1)
    here = uploads.Uploads(tmp_path)

    async def one() -> uploads.Upload:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"some text"

        return await here.receive(chunks(), "a.txt")

    kept = asyncio.run(one())
    with pytest.raises(Refused, match="1 files are here already"):
        asyncio.run(one())
    uploads.Uploads(tmp_path).delete(kept)
    asyncio.run(one())
    assert (here.count, here.total) == (1, 9)
