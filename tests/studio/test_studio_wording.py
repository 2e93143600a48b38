"""What the package says of flags and commands, in the words of the page; why a job waits."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import facegan
from facegan.errors import FaceganError
from facegan.images import save_png
from facegan.inversion.targets import ANOTHER
from facegan.latent.directions import Directions
from facegan.latent.editing import parse_edits
from facegan.metrics.evaluate import not_held_out
from facegan.studio import jobs
from facegan.studio.jobs import BEHIND, NO_ROOM, Job, Jobs
from facegan.studio.project import Project
from facegan.studio.wording import plain_words

PAGE = Path(facegan.__file__).parent / "studio" / "page"


def unknown_word(folder: Path) -> None:
    known = Directions(("Smiling",), ("attribute",), torch.ones(1, 1, 2), np.ones((1, 1)), (), {}, "hash")
    parse_edits("purple=1", known)


def no_attributes(folder: Path) -> None:
    for shade in range(4):
        save_png(folder / "photos" / f"{shade}.png", np.full((28, 28, 3), 60 * shade, np.uint8))
    data = facegan.prepare([folder / "photos"], folder / "data", size=28, crop="none")
    facegan.select(data, "smiling", folder / "selected")


def held_out(folder: Path) -> None:
    raise FaceganError(not_held_out("KID"))


def no_face(folder: Path) -> None:
    raise FaceganError(f"a.png: no face{ANOTHER}")


SAID: dict[Callable[[Path], None], str] = {
    unknown_word: "there is a slider for each direction",
    no_attributes: "'Predict attributes' in Photos adds some",
    held_out: "in Photos, 'Split and duplicates' holds some out when a dataset is saved",
    no_face: "choose another picture",
}


@pytest.mark.parametrize("fails", SAID, ids=lambda fails: fails.__name__)
def test_the_page_names_what_to_press(fails: Callable[[Path], None], tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(FaceganError) as caught:
        fails(tmp_path)
    said = plain_words(caught.value, {f"{tmp_path}/": ""})
    assert SAID[fails] in said and "facegan " not in said and "--" not in said


def test_flags_are_settings_in_the_page() -> None:
    if shutil.which("node") is None:
        pytest.skip("needs node")
    told = {
        "there is not enough memory; give a smaller `--batch`": "smaller “batch”",
        "--discriminator.r1-gamma must be from 0 to 100": "“discriminator.r1 gamma” must be",
        "my--photo.png: no face": "my--photo.png: no face",
    }
    script = (
        PAGE / "words.js"
    ).read_text() + f"\nconsole.log(JSON.stringify({json.dumps([*told])}.map(inWords)));"
    done = subprocess.run(
        ["node", "--input-type=module", "-"], input=script, capture_output=True, text=True, timeout=60
    )
    for said, words in zip(json.loads(done.stdout), told.values(), strict=True):
        assert words in said, said


def test_a_job_that_a_full_disk_keeps_from_starting_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path)
    project.prepare()
    queue, write, started = Jobs(project), Job.write, []
    queue.start("dream", {"photo": "sample:officer"})

    def full(self: Job, about: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def popen(words: list[str], **options: Any) -> SimpleNamespace:
        started.append(words)
        return SimpleNamespace(pid=1, poll=lambda: None)

    monkeypatch.setattr(jobs.subprocess, "Popen", popen)
    monkeypatch.setattr(Job, "write", full)
    queue.look()
    (told,) = queue.listing()
    assert (told["state"], told["waits"], started) == ("queued", NO_ROOM, [])
    monkeypatch.setattr(Job, "write", write)
    queue.look()
    (told,) = queue.listing()
    assert told["state"] == "running" and "waits" not in told and len(started) == 1


def test_a_job_says_whether_it_waits_for_another(tmp_path: Path) -> None:
    """Short work waits for no long work; a job that begins with the next look waits for nothing."""
    project = Project(tmp_path)
    project.prepare()
    queue = Jobs(project, at_once=1)
    first, second, quick = (queue.start("dream", {"photo": "sample:officer"}) for _ in range(3))
    quick.write({**quick.about(), "quick": True})
    assert [queue.told(job).get("waits") for job in (first, second, quick)] == [None, BEHIND, None]
    queue.stop(first)
    assert queue.told(first)["state"] == "stopped" and "waits" not in queue.told(second)
