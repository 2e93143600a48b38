"""Measuring in the studio: the call, the numbers with their intervals, and the file that publishing reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from untrained import model_of
from untrained_translators import translator

from facegan.data.dataset import Dataset
from facegan.errors import FaceganError
from facegan.exchange.publish_measures import evaluated
from facegan.studio.actions import get_action
from facegan.studio.call import Call
from facegan.studio.project import Project
from facegan.studio.report import JobReport

ACTION = get_action("evaluate")


@pytest.fixture
def project(tmp_path: Path, portraits: Dataset, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with a generator, a translator and drawn portraits; work is done in its folder."""
    found = Project(tmp_path / "project")
    found.prepare()
    for name in ("datasets", "models"):
        (found.root / name).mkdir()
    (found.root / "datasets" / "drawn").symlink_to(portraits.path, target_is_directory=True)
    model_of("vanilla").save(found.root / "models" / "faces.safetensors")
    translator(input="grey").save(found.root / "models" / "colours.safetensors")
    monkeypatch.chdir(found.root)
    return found


def measured(project: Project, tmp_path: Path, **settings: Any) -> tuple[Call, dict[str, Any], JobReport]:
    """Run the action here, as the worker does; return what it called and what it found."""
    call = Call.from_dict(ACTION.call(settings, project).to_dict())
    (tmp_path / "job").mkdir()
    report = JobReport(tmp_path / "job", project, "J")
    return call, dict(ACTION.run(call, report)), report


def test_a_generator_is_measured_and_the_numbers_are_a_file_for_its_card(
    project: Project, tmp_path: Path
) -> None:
    settings = {"model": "faces", "dataset": "drawn", "features": "pixels", "metrics": "kid", "count": 40}
    call, found, report = measured(project, tmp_path, **settings)
    assert call.command() == (
        "facegan evaluate models/faces.safetensors --against datasets/drawn "
        "--features pixels --metrics kid --count 40"
    )
    (row,) = found["rows"]
    assert (row["name"], row["title"], row["better"]) == ("kid", "KID", "lower")
    assert row["low"] <= row["value"] <= row["high"] and row["real"] < row["value"]
    assert found["reference"] == "real pictures" and found["count"] == 40
    assert [(file["name"], file["role"]) for file in report.files] == [("J.evaluation.json", "evaluation")]
    card = evaluated(str(project.results_folder / "J.evaluation.json"), {found["model_hash"]})
    assert card.values["kid"] == row["value"] and card.against == "drawn"


def test_a_translator_is_measured_by_its_own_function(project: Project, tmp_path: Path) -> None:
    settings = {"model": "colours", "dataset": "drawn", "metrics": "psnr,ssim", "count": 12}
    call, found, report = measured(project, tmp_path, **settings)
    assert call.function == "evaluate_translator" and not report.files
    assert call.command() == (
        "facegan evaluate models/colours.safetensors --against datasets/drawn --metrics psnr,ssim --count 12"
    )
    assert [row["name"] for row in found["rows"]] == ["psnr", "ssim"]
    for row in found["rows"]:
        assert row["low"] <= row["value"] <= row["high"] and row["real"] > row["value"], "grey is nearer"
    assert found["reference"] == "unchanged pictures"


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"model": "colours", "truncation": 0.7}, "truncation: is for generators"),
        ({"model": "faces", "features": "clip"}, "features: choose one of"),
        ({"model": "faces", "dataset": "../drawn"}, "no dataset"),
        ({"model": "faces", "dataset": ""}, "dataset: choose one"),
        ({"model": "faces", "json": "/tmp/x"}, "no setting 'json'"),
        ({"model": "faces", "count": 10**9}, "count must be"),
    ],
)
def test_settings_that_do_not_fit_are_refused(project: Project, settings: dict[str, Any], error: str) -> None:
    with pytest.raises(FaceganError, match=error):
        ACTION.call({"dataset": "drawn", **settings}, project)
