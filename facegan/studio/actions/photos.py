"""What the actions on photos share: which photo, which classifier, and pictures of the work in progress."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facegan import images
from facegan.classifiers import EFFICIENTNET_PACKAGE
from facegan.errors import InputError
from facegan.files import photo_path, sample_names, style_names, write_bytes
from facegan.marks import COMPOSITE, Mark, made
from facegan.studio.call import Ref, optional
from facegan.studio.project import Item, Project
from facegan.studio.report import JobReport
from facegan.studio.uploads import Uploads

SAMPLE = "sample:"
LIVE = "live.png"
"""The picture of the work in progress, in the job's folder."""
_PAUSE = 0.4  # seconds between two live pictures at least
_SHARE = 10  # and this many times as long as drawing one takes
_LIVE_SIDE = 640  # px of a live picture's longer side, at most
_NETWORKS = {
    "faces": "Face attributes (bundled)",
    "efficientnet_lite0": "EfficientNet-Lite0: 1,000 things (ImageNet)",
}


def classifiers() -> dict[str, str]:
    """Return the classifiers that are here, by the name that commands give them, with a title for each."""
    missing = importlib.util.find_spec(EFFICIENTNET_PACKAGE) is None
    return {name: title for name, title in _NETWORKS.items() if name == "faces" or not missing}


def classifier(settings: Mapping[str, Any]) -> str | None:
    """Return the classifier ``model`` of a request, None for the usual one; InputError if it is not here.

    A request can name no file: classifiers of files may be programs.
    """
    name: str | None = optional(settings, "model", "faces", choices=classifiers())
    return name


def photo(settings: Mapping[str, Any], name: str, project: Project) -> Ref | str:
    """Return the photo that a setting names: the id of an upload, or ``sample:NAME`` of the package.

    Raises:
        FaceganError: There is none, or it is no picture; the message names the setting.
    """
    return one_photo(settings.get(name), name, project)


def styles(settings: Mapping[str, Any], name: str, project: Project) -> list[Ref | str]:
    """Return the photos or styles that a setting lists, one to eight."""
    wanted = settings.get(name)
    if not isinstance(wanted, list) or not 1 <= len(wanted) <= 8:
        raise InputError(f"{name}: choose from one to eight pictures")
    return [one_photo(one, name, project, styles=True) for one in wanted]


def one_photo(wanted: Any, name: str, project: Project, *, styles: bool = False) -> Ref | str:
    """Return one photo as :func:`photo` does, from the value itself."""
    if not isinstance(wanted, str) or not wanted:
        raise InputError(f"{name}: choose a picture first")
    if wanted.startswith(SAMPLE):
        if wanted.removeprefix(SAMPLE) in (*sample_names(), *(style_names() if styles else ())):
            return wanted
        raise InputError(f"{name}: the package has no such sample")
    found = Uploads(project.private).find(wanted)
    if found.kind != "picture":
        raise InputError(f"{found.name}: this is no picture; choose a JPEG, PNG, WebP or HEIC file")
    return Ref("uploads", found.id, found.name)


def source_of(project: Project, wanted: Any) -> tuple[str, str]:
    """Return a photo's name for people, and where it lies; see :func:`photo`."""
    found = one_photo(wanted, "photo", project, styles=True)
    if isinstance(found, str):
        return found.removeprefix(SAMPLE), str(photo_path(found))
    return found.name, str(Uploads(project.private).find(found.id).path)


@dataclass(frozen=True)
class Found:
    """A face that a job has found in a model: its result."""

    id: str
    item: Item
    """The model."""
    model: str
    """The name by which facegan loads the model, with the delta where it was tuned to the photo."""
    vectors: Path
    labels: str
    tuned: bool

    def question(self) -> dict[str, Any]:
        """Return what tasks ask of it."""
        return {"model": self.model, "vectors": str(self.vectors), "labels": self.labels}


def found_face(project: Project, wanted: Any) -> Found:
    """Return the face of a result of ``invert`` by its id.

    Raises:
        FaceganError: There is no such result, or its model is gone.
    """
    item = project.find("results", wanted)
    if item.facts.get("action") != "invert":
        raise InputError("this result is no photo that was found in a model; choose one of 'My photo'")
    about = item.facts.get("result") or {}
    vectors, delta = (project.file_as(item, role) for role in ("vectors", "delta"))
    if vectors is None:
        raise InputError("the vectors of this result are gone; find the photo again")
    model = project.find("models", about.get("model"))
    name = f"{model.loaded}+{delta[1]}" if delta else model.loaded
    return Found(item.id, model, name, vectors[1], str(about.get("labels", "")), bool(delta))


class Live:
    """Shows pictures of the work in progress, now and then: drawing them takes a tenth of the time at most.

    Args:
        report: of the job; the event ``live`` tells of each picture.
    """

    def __init__(self, report: JobReport) -> None:
        self.report = report
        self._next = 0.0

    def __call__(self, draw: Callable[[], Sequence[np.ndarray] | np.ndarray], **values: Any) -> None:
        """Draw the work so far, unless the last picture is too young; ``values`` go into the event."""
        began = time.monotonic()
        if began < self._next:
            return
        picture = images.shrink(np.asarray(draw()[0]), _LIVE_SIDE)
        write_bytes(self.report.folder / LIVE, images.png_bytes(picture, made(source=COMPOSITE)))
        self.report.event("live", **values)
        ended = time.monotonic()
        self._next = ended + max(_PAUSE, _SHARE * (ended - began))


def show(report: JobReport, picture: np.ndarray, role: str, *, mark: Mark | None = None) -> None:
    """Write a picture to ``results/JOB.ROLE.png``, and tell of it."""
    place = report.project.results_folder / f"{report.job}.{role}.png"
    images.save_png(place, picture, mark)
    report.picture(place, role)


def adopt(report: JobReport, path: str | Path, part: str, *, role: str = "") -> int:
    """Rename a file that lies in ``results/``, or in a folder there, to ``JOB.PART``; return its number.

    ``role`` is what it is of, by default its part.
    """
    path, role = Path(path), role or part
    place = report.project.results_folder / f"{report.job}.{part}{path.suffix}"
    os.replace(path, place)
    if path.suffix == ".png":
        report.picture(place, role)
    return report.file(place, role)
