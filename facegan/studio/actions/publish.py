"""Publish a model on the Hub, or write everything that would be uploaded into one archive."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facegan.errors import InputError
from facegan.hub import is_repository
from facegan.studio.actions import Action
from facegan.studio.call import Call, Place, file_ref, only, optional, ref, setting
from facegan.studio.project import Project
from facegan.studio.report import JobReport

HUB = Place("", "hub")
"""The folder that a dry run writes; it becomes an archive."""


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    switches = ("dry_run", "private", "space", "onnx")
    only(settings, "model", "repo", "evaluation", "licence", "data_licence", *switches)
    repo = setting(settings, "repo", "")
    if not is_repository(repo):
        raise InputError("repo: write owner/name with letters, digits, '-', '_' and '.'")
    dry = setting(settings, "dry_run", True)
    return Call(
        "publish",
        {
            "model": ref(settings, "model", project, kind="models"),
            "repo": repo,
            "dry_run": dry or None,
            "out": HUB if dry else None,
            "private": optional(settings, "private", False),
            "space": optional(settings, "space", True),
            "onnx": optional(settings, "onnx", True),
            "evaluation": file_ref(settings, "evaluation", project) if settings.get("evaluation") else None,
            "licence": optional(settings, "licence", ""),
            "data_licence": optional(settings, "data_licence", ""),
        },
        positional=("model", "repo"),
        prose=("repo", "licence", "data_licence"),
    )


def run(call: Call, report: JobReport) -> Mapping[str, Any]:
    """Publish, and put what a dry run wrote into an archive."""
    import facegan

    report.progress("writing the model and its card", 0)

    def say(line: str) -> None:
        report.progress(line, 0)
        report.message(line)

    done = facegan.publish(**report.values(call), say=say)
    found: dict[str, Any] = {"repo": done.repo, "hash": done.hash, "files_written": done.files}
    found["addresses"] = list(done.addresses)
    if done.folder is not None:
        found["card"] = (Path(done.folder) / "model" / "README.md").read_text(encoding="utf-8")
        report.progress("packing the archive", 0)
        report.file(_pack(Path(done.folder), report), "archive")
    return found


def _pack(folder: Path, report: JobReport) -> Path:
    """Move a folder into ``results/JOB.zip``; files are stored as they are, most are compressed already."""
    place = report.project.results_folder / f"{report.job}.zip"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    shutil.rmtree(folder)
    return place


ACTION = Action("publish", "Publish a model", _call, run)
