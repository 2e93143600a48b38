"""Training in the studio: what a request may say, what the page is told, and runs that outlive everything."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import warm
from PIL import Image
from studio_server import SMALL_TRAINING, Server, running

from facegan.data.prepare import prepare
from facegan.demo.portraits import write_portraits
from facegan.errors import FaceganError
from facegan.families import get_family
from facegan.recipes.config import override
from facegan.recipes.table import RECIPES, recipe
from facegan.runs.callbacks import StepStats
from facegan.runs.record import read_record
from facegan.settings import values_of
from facegan.studio import training
from facegan.studio.actions import get_action
from facegan.studio.actions.train import Told
from facegan.studio.call import Call
from facegan.studio.project import Project
from facegan.studio.report import JobReport, follow_events


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with 40 drawn portraits and 3 others."""
    root = tmp_path_factory.mktemp("training") / "project"
    for name, count in (("faces", 40), ("three", 3)):
        photos = root.parent / name
        write_portraits(photos, count, count, size=32)
        prepare(
            [photos], root / "datasets" / name, crop="none", size=32, attributes=photos / "attributes.csv"
        )
    return Project(root)


@pytest.fixture
def server(project: Project) -> Iterator[Server]:
    with running(project.root) as found:
        yield found


def call(project: Project, action: str = "train", **settings: Any) -> Call:
    return get_action(action).call({"dataset": "faces", "recipe": "faces-tiny-32", **settings}, project)


# --- requests ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, words",
    [
        ({}, ""),
        ({"changes": {"batch": 8, "kimg": 0.125}}, " --batch 8 --kimg 0.125"),
        ({"changes": {"flip": False, "generator.unit_range": True}}, " --no-flip --generator.unit-range"),
        ({"changes": {"generator.unit_range": False}}, " --generator.no-unit-range"),
        ({"changes": {"augment": ""}}, " --augment ''"),
        ({"changes": {"condition": ["Smiling", "Glasses"]}}, " --condition Smiling Glasses"),
        ({"changes": {"r1_gamma": 0.123456789}}, " --r1-gamma 0.123456789"),
    ],
)
def test_a_request_becomes_the_command_that_parses_to_its_settings(
    project: Project, settings: dict[str, Any], words: str
) -> None:
    made = call(project, name="first", **settings)
    expected = f"facegan train datasets/faces --recipe faces-tiny-32 --out runs/first{words}"
    assert made.command() == expected
    from facegan.cli.train_flags import parse

    wanted = override(recipe("faces-tiny-32"), settings.get("changes", {}))
    assert parse(shlex.split(expected)[2:])[1] == wanted
    seen: dict[str, Any] = {}
    exec(made.python().replace("import facegan\n", ""), {"facegan": _Recorder(seen)})
    assert override(recipe(seen.pop("recipe")), {k: v for k, v in seen.items() if k != "out"}) == wanted
    assert Call.from_dict(json.loads(json.dumps(made.to_dict()))).argv("x") == made.argv("x")


class _Recorder:
    """Stands for the package, and notes with which settings its function is called."""

    def __init__(self, seen: dict[str, Any]) -> None:
        self.seen = seen

    def train(self, dataset: str, **settings: Any) -> None:
        assert dataset == "datasets/faces"
        self.seen |= settings


@pytest.mark.parametrize(
    "settings, sentence",
    [
        ({"dataset": "nothing"}, "no dataset 'nothing'"),
        ({"recipe": ""}, "recipe: choose one"),
        ({"recipe": "faces-tiny-23"}, "did you mean 'faces-tiny-32'?"),
        ({"recipe": "faces-fast-64"}, "faces-fast-64 needs 64x64"),
        ({"name": "../outside"}, "name '../outside': take letters"),
        ({"name": ""}, "take letters, digits"),
        ({"changes": {"batch": 0}}, "--batch must be at least 1"),
        ({"changes": {"batch": "many"}}, "--batch"),
        ({"changes": {"batchs": 8}}, "did you mean 'batch'?"),
        ({"changes": {"loss": "hinges"}}, "'hinges' is unknown"),
        ({"changes": {"accumulate": 3}}, "cannot be cut by --accumulate"),
        ({"changes": {"condition": ["Smile"]}}, "no attribute 'Smile' (it has Smiling,"),
        ({"changes": {"init": "/etc/passwd"}}, "weights to begin with are 'init'"),
        ({"changes": {"generator.layers": "/etc/passwd"}}, "paths and addresses are not taken"),
        ({"changes": []}, "changes must be an object"),
        ({"init": "../../weights"}, "no model '../../weights'"),
        ({"out": "/tmp/x"}, "there is no setting 'out'"),
    ],
)
def test_wrong_requests_get_one_clear_sentence(
    project: Project, settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(FaceganError) as found:
        call(project, **{"name": "first", **settings})
    assert sentence in str(found.value) and "\n" not in str(found.value)


def test_weights_to_begin_with_are_a_model_of_the_listing(project: Project) -> None:
    made = call(project, name="second", init="celeba64")
    assert made.command().endswith("--init celeba64 --out runs/second")


def test_a_look_ahead_is_the_commands_dry_run(project: Project) -> None:
    made = call(project, "plan", changes={"batch": 8}, auto=True)
    assert made.command().endswith("--auto --dry-run --batch 8")
    assert (
        "decide(Dataset('datasets/faces'), override(recipe('faces-tiny-32'), {'batch': 8})" in made.python()
    )
    assert "print(page(dry_run('datasets/faces', recipe('faces-tiny-32'))))" in call(project, "plan").python()


# --- what the page is told ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_the_form_has_every_setting_with_its_rules(name: str) -> None:
    found = training.settings_of(name)
    shown = {one["name"]: one for one in found["settings"]}
    json.dumps(found, allow_nan=False)
    unread = "latent." if get_family(recipe(name).family).translates else "translation."
    wanted = {n for n in values_of(recipe(name)) if not n.startswith(unread)} - {*training.HIDDEN}
    assert set(shown) == wanted
    assert {one["group"] for one in found["settings"]} == {one["name"] for one in found["groups"]}
    assert all(one["help"] and one["kind"] in ("bool", "int", "float", "text") for one in found["settings"])
    changes = {n: one["value"] for n, one in shown.items()}
    assert override(recipe(name), changes) == recipe(name), "the form's own values change nothing"


def test_bounds_and_choices_are_those_of_the_field() -> None:
    shown = {one["name"]: one for one in training.settings_of("faces-tiny-32")["settings"]}
    assert (shown["batch"]["kind"], shown["batch"]["minimum"], shown["batch"]["common"]) == ("int", 1, True)
    assert shown["cooldown"]["range"] == "from 0 to 1" and not shown["cooldown"]["common"]
    assert shown["augment"]["choices"][0] == "" and "ada-face" in shown["augment"]["choices"]
    assert shown["latent.train_mean"]["optional"] and shown["condition"]["several"]
    assert "minimum" not in shown["latent.mean"], "-inf is no bound, and no JSON"
    inputs = next(o for o in training.settings_of("pix2pix-64")["settings"] if o["name"] == "input")
    assert inputs["common"] and {"", "edges", "grey"} <= set(inputs["choices"])
    assert shown["kimg"]["resumable"] and not shown["batch"]["resumable"]


def test_recipes_say_whether_they_suit(project: Project) -> None:
    from facegan.data.dataset import Dataset

    found = training.recipes_for(Dataset(project.find("datasets", "faces").path), "cpu")
    rows = {row["name"]: row for row in found["recipes"]}
    assert found["suited"] == "faces-tiny-32" and found["why"] == "minutes on a CPU"
    assert rows["faces-tiny-32"]["fits"] and not rows["faces-fast-64"]["fits"]
    assert rows["faces-fast-64"]["known"] and not rows["stylegan2-64"]["known"]
    assert rows["cyclegan-64"]["domains"] and not rows["pix2pix-64"]["domains"]
    assert training.recipes_for(None, "cpu")["suited"] == ""


# --- real trainings ----------------------------------------------------------------------------------


def until(server: Server, run: str, holds: Any, seconds: float = 120) -> dict[str, Any]:
    """Return a run's page once ``holds``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = server.ask("GET", f"/api/training/runs/{run}")
        if answer.status == 200 and holds(found := answer.json()):
            return dict(found)
        time.sleep(0.2)
    raise AssertionError(f"{run}: {answer.content[:2000]!r}")


def test_a_look_ahead_measures_and_leaves_nothing(server: Server) -> None:
    small = {name: value for name, value in SMALL_TRAINING.items() if name != "kimg"}
    job = server.start("plan", dataset="faces", recipe="faces-tiny-32", changes=small)
    found = server.wait(job)["result"]
    assert found["pictures"] == 40 and found["speed"] > 0 and found["seconds"] > 0
    assert found["memory"] is None or found["memory"] > 1e6
    assert any("40 training pictures are few" in text for text in found["warnings"])
    assert "Generator" in found["page"] and found["forecast"]["doubts"]
    project = server.get("/api/project")
    assert job not in [one["id"] for one in project["results"]]


def test_a_batch_that_no_memory_holds_is_refused_before_it_is_tried(server: Server) -> None:
    huge = {**SMALL_TRAINING, "batch": 100_000_000}
    found = server.wait(server.start("plan", dataset="faces", recipe="faces-tiny-32", changes=huge))
    assert found["state"] == "failed"
    assert re.search(
        r"100,000,000 pictures at a time need about .*B, but .*B are free; set --accumulate to ",
        found["error"],
    )


def test_a_training_outlives_its_server_and_goes_on_in_studio_and_terminal(project: Project) -> None:
    changes = {**SMALL_TRAINING, "condition": ["Smiling"]}
    with running(project.root) as first:
        job = first.start("train", dataset="faces", recipe="faces-tiny-32", name="faces-1", changes=changes)
        page = until(first, "faces-1", lambda run: len(run["grids"]) > 1)
        assert (page["state"], page["recipe"], page["job"]) == ("running", "faces-tiny-32", job)
        assert page["seconds_left"] > 0 and page["images_per_second"] > 0
        assert {"Quality", "Losses"} <= {chart["title"] for chart in page["charts"]}
        assert first.get(f"/api/training/runs/faces-1?version={page['version']}")["id"] == "faces-1"
        sheet = first.ask("GET", f"/api/training/runs/faces-1/grids/{page['grids'][1]:g}")
        assert np.asarray(Image.open(io.BytesIO(sheet.content))).std() > 1
        assert first.ask("GET", "/api/training/runs/faces-1/grids/7").status == 404
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
    seen = read_record(project.root / "runs/faces-1").kimg
    with running(project.root) as server:
        page = until(server, "faces-1", lambda run: run["kimg"] > seen)
        assert page["state"] == "running", "it went on without a server"
        assert server.ask("POST", f"/api/jobs/{job}/stop", {}).status == 200
        assert server.wait(job)["state"] == "stopped"
        page = until(server, "faces-1", lambda run: run["state"] == "stopped")
        assert page["begun"] and page["moments"] > 0
        kinds = {event["kind"] for event in server.events(job)}
        assert {"progress", "message", "found", "stats", "stopped"} <= kinds
        kimg = page["kimg"] + 0.1
        _goes_on(server, page["kimg"], kimg)
        preview = server.ask(
            "POST", "/api/preview", {"action": "train", "settings": {"run": "faces-1"}}
        ).json()
    _goes_on_in_a_terminal(project.root, preview["command"], kimg + 0.1)


def _goes_on(server: Server, before: float, kimg: float) -> None:
    """Go on in the studio, up to ``kimg``."""
    job = server.start("train", run="faces-1", kimg=kimg)
    done = server.wait(job)
    assert (done["state"], done["result"]["run"], done["result"]["next"]) == ("done", "faces-1", "generate")
    page = server.get("/api/training/runs/faces-1")
    assert page["state"] == "finished" and page["kimg"] >= kimg > before
    texts = [event["text"] for event in page["axes"][0]["events"]]
    assert any(text.startswith("resumed") for text in texts), texts
    assert page["changes"]["condition"] == ["Smiling"]


def _goes_on_in_a_terminal(root: Path, command: str, kimg: float) -> None:
    """Go on with the command that the studio shows, a little longer."""
    words = shlex.split(command)[1:]
    words[words.index("--kimg") + 1] = f"{kimg:g}"
    done = warm.run(["-m", "facegan.cli.main", *words], cwd=root, capture_output=True)
    assert done.returncode == 0, done.stderr
    record = read_record(root / "runs/faces-1")
    assert record.kimg >= kimg and record.config["command"].startswith("facegan train datasets/faces")


def test_a_look_ahead_waits_for_no_training_but_a_second_training_does(project: Project) -> None:
    with running(project.root, "--jobs", "1") as server:
        given = {"dataset": "faces", "recipe": "faces-tiny-32", "changes": SMALL_TRAINING}
        first, second = (server.start("train", name=name, **given) for name in ("one", "two"))
        assert server.listed("jobs", first)["title"] == "Train one"
        until(server, "one", lambda run: run["state"] == "running")
        assert server.wait(server.start("plan", **given))["state"] == "done"
        states = {run["id"]: (run["state"], run["job"]) for run in server.get("/api/training/runs")["runs"]}
        assert states["one"] == ("running", first) and states["two"] == ("waiting", second)
        assert server.ask("GET", "/api/training/runs/two").status == 404
        for job in (second, first):
            assert server.ask("POST", f"/api/jobs/{job}/stop", {}).status == 200
        assert {server.wait(job)["state"] for job in (first, second)} == {"stopped"}


def test_runs_of_the_terminal_show_while_they_train(server: Server) -> None:
    flags = [
        word for name, value in SMALL_TRAINING.items() for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    argv = ["train", "datasets/faces", "--recipe", "faces-tiny-32", "--out", "runs/typed", "--quiet", *flags]
    process = subprocess.Popen(
        [sys.executable, "-m", "facegan.cli.main", *argv],
        cwd=server.folder,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **warm.ONE_THREAD},
    )
    try:
        page = until(server, "typed", lambda run: run["state"] == "running" and run["grids"])
        assert page["job"] is None
        other = server.start("train", run="typed")
        assert "another process is training in this folder" in server.wait(other)["error"]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert until(server, "typed", lambda run: run["state"] != "running")["state"] == "stopped"
    rows = {run["id"]: run for run in server.get("/api/training/runs")["runs"]}
    assert rows["typed"]["dataset"] == "faces"


def test_what_goes_wrong_is_one_sentence_and_the_name_stays_free(server: Server) -> None:
    job = server.start("train", dataset="three", recipe="faces-tiny-32", name="few", changes={"kimg": 0.1})
    few = server.wait(job)
    assert few["state"] == "failed" and "3 pictures are too few" in few["error"]
    assert server.ask("GET", "/api/training/runs/few").status == 404
    wild = {**SMALL_TRAINING, "kimg": 1.0, "generator.lr": 1e9, "discriminator.lr": 1e9}
    job = server.start("train", dataset="faces", recipe="faces-tiny-32", name="wild", changes=wild)
    failed = server.wait(job)
    assert failed["state"] == "failed" and "\n" not in failed["error"]
    assert "no longer a finite number" in failed["error"] and "a lower --generator.lr" in failed["error"]
    page = server.get("/api/training/runs/wild")
    assert (page["state"], page["verdict"]["headline"]) == ("broken", "This run has broken down.")
    assert page["verdict"]["warnings"]


def test_a_run_whose_dataset_is_gone_says_so(tmp_path: Path) -> None:
    config = {
        **recipe("faces-tiny-32").to_dict(),
        "dataset": {"name": "faces", "content_hash": "of no other"},
    }
    folder = tmp_path / "runs/lonely"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(FaceganError, match="the dataset faces of runs/lonely is not in this project"):
        get_action("train").call({"run": "lonely"}, Project(tmp_path))
    (folder / "config.json").write_text(json.dumps({**config, "recipe": "of-tomorrow"}))
    with pytest.raises(FaceganError, match="runs/lonely follows no recipe of this version"):
        get_action("train").call({"run": "lonely"}, Project(tmp_path))


@pytest.mark.parametrize(("speed", "note"), [(0.0, ""), (100.0, "100 images/s, 0:09 left")])
def test_the_time_left_is_told_once_there_is_a_speed(tmp_path: Path, speed: float, note: str) -> None:
    report = JobReport(tmp_path, Project(tmp_path), "job")
    Told(report).on_stats(StepStats(100, 1000, seconds=1.0, images_per_second=speed))
    assert follow_events(tmp_path, 0)[0][0]["note"] == note
