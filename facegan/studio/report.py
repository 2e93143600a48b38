"""What a job tells while it works: events in a file, one JSON object a line, which the page follows."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facegan.studio.call import Call, New, Own, Place, Ref
from facegan.studio.project import Project, as_json
from facegan.studio.uploads import Uploads

EVENTS = "events.jsonl"
LAST = ("done", "failed", "stopped")
"""The kinds of the last event."""
_PAUSE = 0.25  # seconds between two events of progress at first
_SHARE = 500  # later this part of the time that has passed: a day's work has some thousands of events


class JobReport:
    """Writes the events of one job, and knows its places.

    Args:
        folder: the job's folder.
        project: the project that it works in.
        job: the job's id.
    """

    def __init__(self, folder: Path, project: Project, job: str) -> None:
        self.folder, self.project, self.job = folder, project, job
        self.files: list[dict[str, Any]] = []
        self._began = time.monotonic()
        self._shown = (float("-inf"), "", False)
        self._count = max((event["n"] for event in _tail(folder)), default=0)

    # --- what a call means here -------------------------------------------------------------

    def values(self, call: Call) -> dict[str, Any]:
        """Return the arguments of the public function: paths in place of items and of files to make."""
        return {name: self.value(value) for name, value in call.arguments.items() if value is not None}

    def value(self, value: Any) -> Any:
        """Return one argument: a path in place of an item or a file to make.

        Paths are relative to the project's folder, where the worker works.
        """
        if isinstance(value, Ref) and value.kind == "uploads":
            return self.project.relative(Uploads(self.project.private).find(value.id).path)
        if isinstance(value, Ref) and value.kind == "results":  # one of its files: ID/NUMBER
            result, _, number = value.id.partition("/")
            item = self.project.find("results", result)
            return self.project.relative(self.project.file_of(item.id, item.facts.get("files"), int(number)))
        if isinstance(value, Ref):
            return self.project.find(value.kind, value.id).name
        if isinstance(value, Own):
            return value.name
        if isinstance(value, Place):
            self.project.results_folder.mkdir(exist_ok=True)
            return f"results/{value.name(self.job)}"
        if isinstance(value, New):
            (self.project.root / value.kind).mkdir(exist_ok=True)
            return value.path
        return [self.value(one) for one in value] if isinstance(value, (list, tuple)) else value

    # --- events -----------------------------------------------------------------------------

    def progress(self, what: str, done: int, total: int | None = None, *, note: str = "") -> None:
        """Tell how far a task is; the callback of facegan's long functions. Frequent calls are thinned."""
        now = time.monotonic()
        last, task, ended = self._shown
        ends = total is not None and done >= total
        pause = max(_PAUSE, (now - self._began) / _SHARE)
        if what == task and (ended or (now - last < pause and not ends)):
            return
        self._shown = (now, what, ends)
        self.event("progress", what=what, done=done, total=total, note=note)

    def message(self, text: str) -> None:
        """Tell a line."""
        self.event("message", text=str(text))

    def picture(self, path: str | Path, role: str) -> None:
        """Tell of a picture in ``results/`` that is complete, and count it among the result's files.

        A job may write the same picture again and tell of it again, to show how far it is.
        """
        self.event("picture", file=self.file(path, role), role=role)

    def file(self, path: str | Path, role: str) -> int:
        """Count a file in ``results/`` among the result's files; return its number there."""
        path = self.project.root / path
        name = path.relative_to(self.project.results_folder).as_posix()
        for number, known in enumerate(self.files):
            if known["name"] == name:
                return number
        self.files.append({"name": name, "role": role})
        return len(self.files) - 1

    def event(self, kind: str, **values: Any) -> None:
        """Write an event: ``stats``, ``found``, or whatever else an action tells while it works.

        Work does not end because a full disk takes no more events.
        """
        line = json.dumps({"n": self._count + 1, "kind": kind, **values}, default=as_json) + "\n"
        with contextlib.suppress(OSError), open(self.folder / EVENTS, "ab") as handle:
            handle.write(line.encode())
            self._count += 1

    def save_result(self, about: Mapping[str, Any]) -> None:
        """Write ``results/JOB.json``, by which the result is listed."""
        self.project.save_result(self.job, self.files, about)


def follow_events(folder: Path, offset: int) -> tuple[list[dict[str, Any]], int]:
    """Return a job's events from a byte of the file on, and the byte behind the last complete one."""
    try:
        with open(folder / EVENTS, "rb") as handle:
            handle.seek(offset)
            text = handle.read()
    except OSError:
        return [], offset
    whole = text[: text.rfind(b"\n") + 1]
    return _parsed(whole), offset + len(whole)


def newest(folder: Path, *kinds: str) -> dict[str, Any] | None:
    """Return the newest event of these kinds, as far as the end of the file has one."""
    return next((event for event in reversed(_tail(folder)) if event["kind"] in kinds), None)


def last_event(folder: Path) -> dict[str, Any] | None:
    """Return the event that ended a job, or None."""
    events = _tail(folder)
    return events[-1] if events and events[-1].get("kind") in LAST else None


def _tail(folder: Path) -> list[dict[str, Any]]:
    """Return the events at the end of the file; more of it where a single one is very long."""
    for size in (2**13, 2**25):
        try:
            with open(folder / EVENTS, "rb") as handle:
                length = os.fstat(handle.fileno()).st_size
                handle.seek(max(0, length - size))
                text = handle.read(size)
        except OSError:
            return []
        found = _parsed(text[: text.rfind(b"\n") + 1])
        if found:
            return found
        if length <= size:
            break
    return []


def _parsed(text: bytes) -> list[dict[str, Any]]:
    """Return the events in lines of JSON; what is no event, such as a line's end, is left out."""
    found = []
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and isinstance(event.get("n"), int) and isinstance(event.get("kind"), str):
            found.append(event)
    return found
