"""Long work: a folder for each job, a process of its own, a queue.

A job outlives the page and the server. Its folder is ``.studio/jobs/ID``: ``job.json`` (what it does and
how far the server is with it), ``events.jsonl`` (what it tells, its end included), ``log.txt`` and ``lock``,
which is held by the job's process for as long as it lives.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan.files import is_locked, take_lock, write_bytes
from facegan.runs.record import read_json
from facegan.studio.actions import get_action
from facegan.studio.call import Call
from facegan.studio.project import Project, new_id
from facegan.studio.refusals import NotFoundError, Refused, is_full, shown
from facegan.studio.report import JobReport, last_event, newest

MAX_QUEUED = 50
GONE = "the process ended without a word, as it does when memory is short"
BEHIND = "another job has to end first"
NO_ROOM = "the disk is full; it begins as soon as there is room"
ACTIVE = ("queued", "running")
_TOLD = (
    "action",
    "title",
    "settings",
    "command",
    "python",
    "created",
    "started",
    "resumable",
    "quick",
    "stops",
)
_PULSE = 0.2  # seconds between two looks at the queue


@dataclass
class Job:
    """A job's folder, and what its files say."""

    folder: Path

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.folder.name

    def about(self) -> dict[str, Any]:
        """Return ``job.json``."""
        return read_json(self.folder / "job.json")

    def write(self, about: Mapping[str, Any]) -> None:
        """Replace ``job.json``."""
        write_bytes(self.folder / "job.json", json.dumps(about, indent=1).encode())

    def alive(self) -> bool:
        """Return whether the job's process lives: it holds the lock from its birth on."""
        return is_locked(self.folder / "lock")

    def pid(self) -> int:
        """Return the number of the job's process, which leads a group of its own."""
        return int((self.folder / "lock").read_text() or self.about()["pid"])

    def to_dict(self) -> dict[str, Any]:
        """Return the job for JSON: what it does, its state, its latest progress and its end."""
        about = self.about()
        last = last_event(self.folder)
        found: dict[str, Any] = {"id": self.id, "state": about.get("state", "failed")}
        found["makes"] = place_of(about.get("call"))
        found.update((key, about.get(key)) for key in _TOLD)
        if last is not None:
            found["state"] = last["kind"]
            found.update((key, last[key]) for key in ("error", "result") if key in last)
        elif found["state"] == "running":
            found["progress"] = newest(self.folder, "progress")
        return found


def place_of(call: Any) -> str:
    """Return what a stored call makes or goes on with, by its path within the project."""
    found = call.get("arguments", {}).get("out") if isinstance(call, dict) else None
    if isinstance(found, dict) and "$new" in found:
        return "/".join(found["$new"])
    return str(found["$ref"][2]) if isinstance(found, dict) and "$ref" in found else ""


class Jobs:
    """All jobs of a project.

    Args:
        project: where they work.
        at_once: how many run at the same time; others wait.
    """

    def __init__(self, project: Project, at_once: int = 2) -> None:
        self.project, self.at_once = project, at_once
        self.folder = project.private / "jobs"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.trouble = ""  # why those that wait cannot be started
        self._lock = threading.RLock()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._done: dict[str, dict[str, Any]] = {}  # what is told of jobs that have ended
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="jobs", daemon=True)

    # --- the list ---------------------------------------------------------------------------

    def all(self) -> list[Job]:
        """Return the jobs, newest first."""
        folders = [path for path in self.folder.iterdir() if (path / "job.json").is_file()]
        return [Job(path) for path in sorted(folders, reverse=True)]

    def find(self, wanted: Any) -> Job:
        """Return the job of that id; NotFoundError if there is none."""
        for job in self.all():
            if job.id == wanted:
                return job
        raise NotFoundError(f"this project has no job '{shown(wanted)}'")

    def listing(self) -> list[dict[str, Any]]:
        """Return all jobs for JSON, newest first; those that have ended are read once."""
        found = []
        for job in self.all():
            if job.id not in self._done:
                told = job.to_dict()
                if job.about().get("state") == "ended":
                    self._done[job.id] = told
                found.append(told)
            else:
                found.append(self._done[job.id])
        self._note_waits([told for told in found if told["state"] in ACTIVE])
        return found

    def told(self, job: Job) -> dict[str, Any]:
        """Return what the listing has of a job."""
        return next((told for told in self.listing() if told["id"] == job.id), None) or job.to_dict()

    def _note_waits(self, active: list[dict[str, Any]]) -> None:
        """Write into jobs that wait why they do; those that begin with the next pulse wait for nothing."""
        begun = dict.fromkeys((False, True), 0)
        for told in sorted(active, key=lambda one: (one["state"] == "queued", one["created"] or 0.0)):
            quick = bool(told["quick"])
            if told["state"] == "queued" and (self.trouble or begun[quick] >= self.at_once):
                told["waits"] = self.trouble or BEHIND
            begun[quick] += 1

    # --- what requests do -------------------------------------------------------------------

    def preview(self, action: Any, settings: Any) -> Call:
        """Return the call that a job would make; FaceganError if the settings do not fit."""
        if not isinstance(settings, dict):
            raise Refused(400, "settings must be an object")
        return get_action(action).call(settings, self.project)

    def start(self, action: Any, settings: Any) -> Job:
        """Put a new job into the queue; FaceganError if the settings do not fit, Refused if it is full."""
        return self._queue(action, settings, self.preview(action, settings))

    def again(self, job: Job) -> Job:
        """Start a job with the settings of one that has ended; one that can go on does, in the same place."""
        about = job.about()
        if job.to_dict()["state"] in ACTIVE:
            raise Refused(409, "this job has not ended yet")
        action, settings = about.get("action"), about.get("settings")
        if about.get("resumable"):
            return self._queue(str(action), settings or {}, Call.from_dict(about["call"]))
        return self.start(action, settings)

    def _queue(self, action: str, settings: dict[str, Any], call: Call) -> Job:
        with self._lock:
            active = [job.about() for job in self.all() if job.id not in self._done]
            active = [about for about in active if about.get("state") in ACTIVE]
            waiting = sum(about["state"] == "queued" for about in active)
            if waiting >= MAX_QUEUED:
                raise Refused(429, f"{waiting} jobs are waiting already; delete some, or wait for them")
            for about in active:
                if both := call.makes() & Call.from_dict(about["call"]).makes():
                    raise Refused(409, f"another job makes {both.pop()} already; choose another name")
            return self._new(action, settings, call)

    def _new(self, action: str, settings: dict[str, Any], call: Call) -> Job:
        row = get_action(action)
        name = new_id(action)
        folder = self.folder / name
        folder.mkdir(mode=0o700)
        job = Job(folder)
        made = place_of(call.to_dict()).rpartition("/")[2]
        about = {
            "action": action,
            "title": f"{row.title} {made}".strip(),
            "settings": settings,
            "call": call.to_dict(),
        }
        words = {"command": call.command(name), "python": call.python(name)}
        times = {"created": time.time(), "resumable": row.resumable, "quick": row.quick, "state": "queued"}
        job.write({**about, **words, **times})
        return job

    def stop(self, job: Job) -> None:
        """Ask a job to save and stop, as Ctrl-C does; the second time to stop at once, the third to die."""
        with self._lock:
            about = job.about()
            if about.get("state") == "queued":
                JobReport(job.folder, self.project, job.id).event("stopped")
                job.write({**about, "state": "ended"})
                return
            if about.get("state") != "running" or not job.alive():
                raise Refused(409, "this job is not running")
            asked = about.get("stops", 0) + 1
            job.write({**about, "stops": asked})
            with contextlib.suppress(ProcessLookupError):
                if asked < 3:
                    os.kill(job.pid(), signal.SIGINT)
                else:
                    os.killpg(job.pid(), signal.SIGKILL)

    def delete(self, job: Job) -> None:
        """Delete a job that has ended, or one that waits; its results stay."""
        with self._lock:
            if job.about().get("state") == "running" and job.alive():
                raise Refused(409, "this job is running; stop it first")
            self._done.pop(job.id, None)
            shutil.rmtree(job.folder)

    # --- the queue --------------------------------------------------------------------------

    def begin(self) -> None:
        """Start to look after the queue, in a thread."""
        self._thread.start()

    def end(self) -> None:
        """Stop looking after the queue; the jobs' processes go on."""
        self._ends.set()

    def _watch(self) -> None:
        while not self._ends.wait(_PULSE):
            self.look()

    def look(self) -> None:
        """Look after the queue once; ``trouble`` says why jobs that wait cannot be started."""
        try:
            self.pulse()
            self.trouble = ""
        except OSError as error:
            why = error.strerror or str(error)
            self.trouble = NO_ROOM if is_full(error) else f"the studio's machine cannot start it ({why})"

    def pulse(self) -> None:
        """Note which processes have ended, and start those that wait, oldest first."""
        with self._lock:
            running, waiting = dict.fromkeys((False, True), 0), []
            for job in self.all():
                if job.id in self._done:
                    continue
                about = job.about()
                quick = bool(about.get("quick"))
                if about.get("state") == "running":
                    running[quick] += not self._ended(job, about)
                elif about.get("state") == "queued" and job.alive():
                    # Its server died before it could note that it runs.
                    job.write({**about, "state": "running", "started": time.time()})
                    running[quick] += 1
                elif about.get("state") == "queued":
                    waiting.append((about.get("created", 0.0), job, quick))
            for _, job, quick in sorted(waiting, key=lambda one: one[0]):
                if running[quick] < self.at_once:
                    self._launch(job)
                    running[quick] += 1

    def _ended(self, job: Job, about: dict[str, Any]) -> bool:
        """Return whether the process of a job is gone, and write its last event if it has not."""
        child = self._children.get(job.id)
        if child is not None:
            child.poll()  # so that it leaves no zombie
        if job.alive():
            return False
        self._children.pop(job.id, None)
        if last_event(job.folder) is None:
            report = JobReport(job.folder, self.project, job.id)
            if about.get("stops"):
                report.event("stopped")
            else:
                report.event("failed", error=GONE)
        job.write({**about, "state": "ended"})
        return True

    def _launch(self, job: Job) -> None:
        job.write(job.about())  # so that nothing is started where the disk is full
        with open(job.folder / "lock", "ab") as lock, open(job.folder / "log.txt", "ab") as log:
            take_lock(lock)  # the child inherits it, so that there is no moment without
            child = subprocess.Popen(
                [sys.executable, "-m", "facegan.studio.worker", str(job.folder)],
                cwd=self.project.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[lock.fileno()],
            )
            self._children[job.id] = child
            job.write({**job.about(), "state": "running", "pid": child.pid, "started": time.time()})
