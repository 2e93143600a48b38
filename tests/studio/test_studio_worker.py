"""What becomes of a job's work, however it ends: events, results and their files."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from facegan.errors import FaceganError, InputError
from facegan.interrupts import Interrupted
from facegan.studio import actions, hands, worker
from facegan.studio.actions import Action
from facegan.studio.call import Call, New, Place, Ref, new, only, optional, ref, setting
from facegan.studio.jobs import Jobs
from facegan.studio.project import Project
from facegan.studio.refusals import DISK_FULL, Refused
from facegan.studio.report import JobReport, follow_events
from facegan.studio.tasks import models

Run = Callable[[Call, JobReport], Mapping[str, Any]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    found = Project(tmp_path)
    found.prepare()
    return found


def acting(monkeypatch: pytest.MonkeyPatch, run: Run, *, resumable: bool = False) -> None:
    """Let the action ``generate`` do something else."""

    def call(settings: Mapping[str, Any], project: Project) -> Call:
        name = new(settings, "name", project, kind="runs")
        return Call("train", {"data": "faces", "out": name, "grid": Place(".png")}, positional=("data",))

    action = Action("generate", "Do something", call, run, resumable)
    monkeypatch.setitem(actions.ACTIONS, "generate", "fake")
    monkeypatch.setattr(actions.importlib, "import_module", lambda name: SimpleNamespace(ACTION=action))


def fails(error: BaseException) -> Run:
    def run(call: Call, report: JobReport) -> Mapping[str, Any]:
        place = Path(report.values(call)["grid"])
        place.write_bytes(b"picture")
        report.picture(place, "grid")
        raise error

    return run


ENDS = {  # what happens -> exit code, last event, whether there is a result
    "ctrl-c": (KeyboardInterrupt(), 130, {"kind": "stopped"}, True),
    "saved": (Interrupted(2), 130, {"kind": "stopped"}, True),
    "mistake": (InputError("--kimg 0: too few"), 2, {"kind": "failed", "error": "--kimg 0: too few"}, False),
    "disk": (
        OSError(errno.ENOSPC, "No space left on device"),
        1,
        {"kind": "failed", "error": "the disk is full; make room, then do it again"},
        False,
    ),
    "bug": (ZeroDivisionError("a\nb"), 1, {"kind": "failed"}, False),
}


@pytest.mark.parametrize("name", ENDS)
def test_every_end_is_told(project: Project, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    error, code, last, has_result = ENDS[name]
    acting(monkeypatch, fails(error))
    job = Jobs(project).start("generate", {"name": "faces"})
    assert worker.main(job.folder) == code
    event = follow_events(job.folder, 0)[0][-1]
    assert {key: event[key] for key in last} == last
    if name == "bug":
        words = f"facegan made a mistake (ZeroDivisionError: a); .studio/jobs/{job.id}/log.txt says more"
        assert event["error"] == words
    assert job.to_dict()["state"] == last["kind"]
    assert [item.id for item in project.results()] == [job.id] * has_result


def test_a_result_says_what_made_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(call: Call, report: JobReport) -> Mapping[str, Any]:
        assert report.values(call) == {
            "data": "faces",
            "out": "runs/mine",
            "grid": f"results/{report.job}.png",
        }
        Path(report.values(call)["grid"]).write_bytes(b"first")
        report.picture(report.values(call)["grid"], "grid")
        Path(report.values(call)["grid"]).write_bytes(b"second one")
        report.picture(report.values(call)["grid"], "grid")
        return {"kid": 0.5}

    acting(monkeypatch, run)
    job = Jobs(project).start("generate", {"name": "mine"})
    assert worker.main(job.folder) == 0
    (item,) = project.results()
    assert item.facts["files"] == [{"name": f"{job.id}.png", "role": "grid", "bytes": 10}]
    assert item.facts["command"] == f"facegan train faces --out runs/mine --grid results/{job.id}.png"
    assert item.facts["settings"] == {"name": "mine"} and item.facts["result"] == {"kid": 0.5}
    assert [event["kind"] for event in follow_events(job.folder, 0)[0]] == ["picture", "picture", "done"]
    project.delete_result(item)
    assert list(project.results_folder.iterdir()) == []


def test_two_jobs_do_not_make_the_same_and_one_goes_on(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    acting(monkeypatch, fails(KeyboardInterrupt()), resumable=True)
    jobs = Jobs(project)
    first = jobs.start("generate", {"name": "mine"})
    with pytest.raises(Refused, match="another job makes runs/mine already"):
        jobs.start("generate", {"name": "mine"})
    with pytest.raises(Refused, match="has not ended"):
        jobs.again(first)
    worker.main(first.folder)
    first.write({**first.about(), "state": "ended"})
    (project.root / "runs" / "mine").mkdir()
    with pytest.raises(InputError, match="has runs/mine already; choose another"):
        jobs.start("generate", {"name": "mine"})
    second = jobs.again(first)
    assert second.about()["call"] == first.about()["call"]


def test_progress_is_thinned_but_begins_and_ends_of_tasks_are_told(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = JobReport(tmp_path, project, "job")
    for done in range(1001):
        report.progress("drawing", done, 1000)
    report.progress("writing", 0, 2)
    report.progress("writing", 2, 2)
    found = [(event["what"], event["done"]) for event in follow_events(tmp_path, 0)[0]]
    assert found[0] == ("drawing", 0) and ("drawing", 1000) in found
    assert found[-2:] == [("writing", 0), ("writing", 2)]
    assert len(found) < 20
    with open(tmp_path / "events.jsonl", "a") as handle:
        handle.write('{"n": 99, "kind": "mess')  # a line that is being written, or was when the power failed
    assert len(follow_events(tmp_path, 0)[0]) == len(found)
    assert JobReport(tmp_path, project, "job")._count == len(found)


# --- calls ---------------------------------------------------------------------------------------------

MODEL = Ref("models", "celeba64", "celeba64")
CALLS = {
    "plain": (
        Call(
            "generate",
            {"model": MODEL, "points": ["seed:1", "seed:2"], "out": Place(".png")},
            ("model", "points"),
        ),
        "facegan generate celeba64 seed:1 seed:2 --out results/generate.png",
        "facegan.generate('celeba64', ['seed:1', 'seed:2'], out='results/generate.png')",
    ),
    "values": (
        Call(
            "edit",
            {"model": MODEL, "strength": 0.5, "align": False, "mark": True, "labels": "", "seed": None},
        ),
        "facegan edit --model celeba64 --strength 0.5 --no-align --mark",
        "facegan.edit(model='celeba64', strength=0.5, align=False, mark=True)",
    ),
    "other names": (
        Call(
            "export_model",
            {"model": MODEL, "table": "faces", "hidden": 1, "title": "My / faces"},
            ("model",),
            "export",
            {"table": "features", "hidden": ""},
            prose=("title",),
        ),
        "facegan export celeba64 --features faces --title 'My / faces'",
        "facegan.export_model('celeba64', table='faces', hidden=1, title='My / faces')",
    ),
    "new": (
        Call("train", {"data": Ref("datasets", "x", "datasets/x y"), "out": New("runs", "a")}, ("data",)),
        "facegan train 'datasets/x y' --out runs/a",
        "facegan.train('datasets/x y', out='runs/a')",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_shown_as_command_and_python_and_kept_as_json(name: str) -> None:
    call, command, python = CALLS[name]
    assert call.command() == command
    assert call.python() == f"import facegan\n\n{python}\n"
    assert Call.from_dict(json.loads(json.dumps(call.to_dict()))) == call


def test_texts_that_could_be_places_are_refused_wherever_they_come_from() -> None:
    for text in ("/etc/passwd", "a\\b", "~", "hf:a/b", "http://x", "x.npz:1", "..//"):
        for value in (text, ["seed:1", text]):
            with pytest.raises(InputError, match="points: paths and addresses are not taken here"):
                Call("generate", {"points": value})
    for text in ("seed:0-9", "smiling=+2, eyeglasses=-1", "4/255", "smiling woman - neutral woman", "0.5"):
        Call("generate", {"points": text})


CHECKS: dict[str, tuple[Callable[[Project], Any], str]] = {
    "unknown": (lambda p: only({"a": 1}, "b"), "there is no setting 'a'; there are: b"),
    "type": (lambda p: setting({"a": "1"}, "a", 1), "a must be a whole number"),
    "truth": (lambda p: setting({"a": True}, "a", 1), "a must be a whole number"),
    "large": (lambda p: setting({"a": 11.0}, "a", 1.0, most=10), "a must be from 0 to 10"),
    "nan": (lambda p: setting({"a": float("nan")}, "a", 1.0), "a must be from 0 to 1,000,000,000"),
    "choices": (lambda p: setting({"a": "z"}, "a", "x", choices=("x", "y")), "a: choose one of x, y"),
    "lines": (lambda p: setting({"a": "x\ny"}, "a", ""), "a must be a text of one line"),
    "no item": (lambda p: ref({}, "model", p, kind="models"), "model: choose one of the project's models"),
    "item": (lambda p: ref({"model": "x"}, "model", p, kind="models"), "this project has no model 'x'"),
    "name": (lambda p: new({"n": "../x"}, "n", p, kind="runs"), "name '../x': take letters, digits"),
    "no name": (lambda p: new({}, "n", p, kind="runs"), "name 'null': take letters, digits"),
}


@pytest.mark.parametrize("name", CHECKS)
def test_settings_are_checked(project: Project, name: str) -> None:
    check, sentence = CHECKS[name]
    with pytest.raises(FaceganError, match="^" + re.escape(sentence)):
        check(project)


def test_settings_of_their_default_are_left_out() -> None:
    assert setting({"a": 2}, "a", 1.0) == 2.0
    assert optional({"a": 1}, "a", 1.0) is None
    assert optional({}, "a", "x") is None
    assert optional({"a": "y"}, "a", "x") == "y"


def test_short_work_says_that_the_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(arguments: Mapping[str, Any], content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(models, "machine", full)
    assert hands._done("machine", {}, b"") == ({"error": DISK_FULL}, b"")
