"""Uploads that nobody uses any more are deleted; those that something needs stay."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from facegan.studio import uploads
from facegan.studio.photo_sets import Brought, PhotoSets
from facegan.studio.refusals import NotFoundError, Refused
from facegan.studio.state import Studio, open_studio
from facegan.studio.uploads import KEPT_SECONDS, Upload


def brought(studio: Studio, shade: int) -> Upload:
    async def chunks() -> AsyncIterator[bytes]:
        file = io.BytesIO()
        Image.new("L", (8, 8), shade).save(file, "PNG")
        yield file.getvalue()

    return asyncio.run(studio.uploads.receive(chunks(), f"{shade}.png"))


def test_uploads_expire_unless_something_needs_them(tmp_path: Path) -> None:
    studio = open_studio(tmp_path / "project")
    names = ("forgotten", "job", "photos", "result", "asked", "lost")
    files = {name: brought(studio, shade) for shade, name in enumerate(names)}
    job = studio.jobs.start("dream", {"photo": files["job"].id})  # it waits: nobody looks after the queue
    PhotoSets(studio.project).add([Brought(files["photos"], "a.png")])
    studio.project.results_folder.mkdir()
    about = {"id": "r", "action": "attack", "settings": {"photo": files["result"].id}}
    (studio.project.results_folder / "r.json").write_text(json.dumps(about))
    files["lost"].path.unlink()  # as if a job had taken it away
    began = time.time()
    later = began + KEPT_SECONDS + 60

    assert studio.expire_uploads(began + KEPT_SECONDS - 60) == []
    os.utime(studio.uploads.folder / f"{files['asked'].id}.json", (later - 60,) * 2)
    assert studio.expire_uploads(later) == [files["forgotten"].id]
    with pytest.raises(NotFoundError):
        studio.uploads.find(files["forgotten"].id)
    left = {path.name for path in studio.uploads.folder.iterdir()}
    assert not left & {
        f"{files[name].id}{end}" for name in ("forgotten", "lost") for end in (".json", ".png")
    }
    for name in ("job", "photos", "result", "asked"):
        assert studio.uploads.find(files[name].id).path.is_file(), name
    assert studio.uploads.count == 5 and studio.uploads.total == sum(
        each.bytes for name, each in files.items() if name != "forgotten"
    )

    studio.jobs.delete(job)  # then nothing needs it any more, once it is old
    assert studio.expire_uploads(time.time() + KEPT_SECONDS + 60) == sorted(
        [files["job"].id, files["asked"].id]
    )


def test_asking_for_an_upload_keeps_it(tmp_path: Path) -> None:
    studio = open_studio(tmp_path / "project")
    upload = brought(studio, 1)
    note = studio.uploads.folder / f"{upload.id}.json"
    os.utime(note, (time.time() - KEPT_SECONDS - 60,) * 2)
    studio.uploads.find(upload.id)
    assert studio.expire_uploads(time.time()) == []
    os.utime(note, (time.time() - KEPT_SECONDS - 60,) * 2)
    assert studio.expire_uploads(time.time()) == [upload.id]


def test_a_file_without_its_note_expires_and_one_under_way_does_not(tmp_path: Path) -> None:
    studio = open_studio(tmp_path / "project")
    upload = brought(studio, 1)
    (studio.uploads.folder / f"{upload.id}.json").unlink()
    part = studio.uploads.folder / "0123456789abcdef.part"
    part.write_bytes(b"half")
    later = time.time() + KEPT_SECONDS
    assert studio.expire_uploads(later - 60) == [] and upload.path.is_file()
    assert studio.expire_uploads(later + 60) == [upload.id]
    assert (upload.path.exists(), part.exists()) == (False, True)
    assert (studio.uploads.count, studio.uploads.total) == (0, 0)


def test_an_upload_whose_note_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = open_studio(tmp_path / "project")

    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(uploads, "write_bytes", full)
    with pytest.raises(Refused, match="the disk is full; make room"):
        brought(studio, 1)
    assert list(studio.uploads.folder.iterdir()) == []
    assert (studio.uploads.count, studio.uploads.total) == (0, 0)
