"""Find the faces in photos that were brought, and make a dataset of them."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.errors import InputError
from facegan.studio.actions import Action
from facegan.studio.call import Call, New, Own, Place, only, setting
from facegan.studio.photo_sets import PhotoSets
from facegan.studio.project import Project
from facegan.studio.report import JobReport

if TYPE_CHECKING:
    from facegan.data.dataset import Dataset

CROP: dict[str, Any] = {
    "crop": "aligned",
    "size": 64,
    "margin": 0.25,
    "gray": False,
    "all_faces": False,
    "min_face": 20.0,
    "min_confidence": 0.9,
    "min_sharpness": 0.0,
}
"""The settings of crops that a page may bring, with their defaults, which are those of ``prepare``."""
_OTHERS: dict[str, Any] = {"drop_near_duplicates": False, "classes": "auto"}
MAX_SHOWN = 2000
"""Faces that are shown while the work goes on; later ones are counted."""
THUMBNAIL = 96
"""Pixels of a face's side that is shown while the work goes on."""


def crop_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the crop that differ from the defaults, with their types checked."""
    given = {name: setting(settings, name, default) for name, default in CROP.items()}
    return {name: value for name, value in given.items() if value != CROP[name]}


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    only(settings, "photos", "name", "val", "test", *CROP, *_OTHERS)
    photos = PhotoSets(project).find(settings.get("photos"))
    name = setting(settings, "name", "")
    shares = {split: setting(settings, split, 0.0) for split in ("val", "test")}
    if any(not 0 <= share < 1 for share in shares.values()) or sum(shares.values()) >= 1:
        raise InputError("val and test: give shares from 0 to 1 that leave something for training")
    others = {key: setting(settings, key, default) for key, default in _OTHERS.items()}
    return Call(
        "prepare",
        {
            "sources": [Own(source) for source in photos.sources()],
            "out": _named(project, name) if name else Own(project.relative(photos.draft)),
            **crop_settings(settings),
            **{key: value for key, value in others.items() if value != _OTHERS[key]},
            "split": ",".join(f"{split}={share:g}" for split, share in shares.items() if share),
            "review": Own(project.relative(photos.review)) if photos.review.is_file() else None,
            "work": Own(project.relative(photos.folder / "work")),
        },
        positional=("sources",),
    )


def _named(project: Project, name: str) -> New:
    """Return the new dataset of a name that nothing has; one that was stopped goes on."""
    begun = {path.parent.name for path in (project.root / "datasets").glob("*/.work")}
    return New("datasets", name if name in begun else project.check_new("datasets", name))


def _run(call: Call, report: JobReport) -> Mapping[str, Any]:
    import facegan
    from facegan.data.choosing import NothingLeft

    sets, values = PhotoSets(report.project), report.values(call)
    photos, out = sets.find(Path(values["work"]).parent.name), report.project.root / values["out"]
    sets.gather(photos, report.progress)
    told = _Told(report)
    if is_draft := out == photos.draft:
        shutil.rmtree(out, ignore_errors=True)
    about: dict[str, Any] = {"photos": photos.id, "draft": is_draft}
    try:
        made = facegan.prepare(**values, on_progress=told.progress, on_found=told.found)
    except NothingLeft as error:
        if not is_draft:
            raise
        return {**about, "dataset": "", "nothing": str(error).partition("; nothing was written")[0]}
    item = "" if is_draft else show_dataset(made, report)
    counts = {"counts": made.counts, "rejected": len(made.info["rejects"])}
    return {**about, **counts, "dataset": item, "notes": made.info.get("notes", [])}


def show_dataset(made: Dataset, report: JobReport) -> str:
    """Show a new dataset's preview among the results; return the id by which the project lists it."""
    path = made.path.resolve()
    preview = report.project.root / report.value(Place(".jpg"))
    shutil.copyfile(path / "preview.jpg", preview)
    report.picture(preview, "preview")
    return next(item.id for item in report.project.datasets() if item.path == path)


class _Told:
    """Tells of progress, and of each face and reject."""

    def __init__(self, report: JobReport) -> None:
        self.report, self.count = report, 0

    def progress(self, progress: Any) -> None:
        what = "Looking for faces" if progress.stage == "read" else "Writing the dataset"
        note = f"{progress.kept} kept, {progress.rejected} rejected"
        self.report.progress(what, progress.done, progress.total, note=note)

    def found(self, finding: Any) -> None:
        self.count += 1
        if self.count > MAX_SHOWN:
            return
        box = None if finding.box is None else [round(value, 1) for value in finding.box]
        sure = None if finding.confidence is None else round(finding.confidence, 3)
        crop = _thumbnail(finding.crop) if finding.crop else ""
        known = {"source": finding.source, "name": finding.name, "reason": finding.reason}
        self.report.event("found", **known, box=box, confidence=sure, crop=crop)


def _thumbnail(png: bytes) -> str:
    """Return a crop as a small JPEG within an address."""
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
        image.convert("RGB").save(buffer, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


ACTION = Action("prepare", "Prepare photos", _call, _run, resumable=True)
