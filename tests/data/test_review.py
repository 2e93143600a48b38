"""Decisions about single pictures overrule what preparing would do, and findings report all that it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sample_photos import OPTIONS, contents, folder, messy, smooth

import facegan
from facegan.data import crops, process_sources
from facegan.data.crops import Crop
from facegan.data.faces import Face
from facegan.data.prepare import prepare
from facegan.data.review import LEFT_OUT, Decision, Finding, apply_reviewed, cut_box, overlap, read_review
from facegan.data.review import write_review as write
from facegan.errors import ImageError, InputError
from facegan.images import png_bytes

PHOTO = np.stack([*np.mgrid[:120, :160], np.full((120, 160), 50)], 2).astype(np.uint8)


def face(x: float, y: float, side: float, confidence: float = 0.99) -> Face:
    points = crops.MEAN_SHAPE * 0.45 * side + [x + side / 2, y + 0.4 * side]
    return Face((x, y, side, side), tuple(map(tuple, points.tolist())), confidence)


LARGE, SMALL, DOUBTFUL = face(60, 20, 60), face(5, 5, 30), face(10, 60, 50, 0.8)


class Sees:
    """A detector that always sees the same faces."""

    def __init__(self, *faces: Face) -> None:
        self.faces = faces

    def detect(self, image: np.ndarray, largest: bool = False) -> list[Face]:
        return list(self.faces[:1] if largest else self.faces)


def outcome(crop: Crop, faces: tuple[Face, ...], *decisions: tuple[bool, Any]) -> tuple[Any, Any]:
    made = [Decision("a", keep, box) for keep, box in decisions]
    kept, rejected = apply_reviewed(PHOTO, crop, Sees(*faces), decisions=made)  # type: ignore[arg-type]
    return [c.face.box if c.face else None for c in kept], [e.reason for e in rejected]


WHOLE = (0.0, 0.0, 160.0, 120.0)
CASES: dict[str, tuple[Any, ...]] = {
    "drop all": (Crop(), (LARGE,), [(False, None)], [], [LEFT_OUT]),
    "drop one": (Crop(all_faces=True), (LARGE, SMALL), [(False, SMALL.box)], [LARGE.box], [LEFT_OUT]),
    "drop where nothing is": (Crop(), (LARGE,), [(False, SMALL.box)], [LARGE.box], []),
    "keep a second face": (Crop(), (LARGE, SMALL), [(True, SMALL.box)], [LARGE.box, SMALL.box], []),
    "change to the second": (
        Crop(),
        (LARGE, SMALL),
        [(False, LARGE.box), (True, SMALL.box)],
        [SMALL.box],
        [LEFT_OUT],
    ),
    "keep a doubtful face": (Crop(), (DOUBTFUL,), [(True, DOUBTFUL.box)], [DOUBTFUL.box], []),
    "keep a small face": (Crop(min_face=70), (LARGE,), [(True, LARGE.box)], [LARGE.box], []),
    "keep a blurred face": (Crop(min_sharpness=1e9), (LARGE,), [(True, LARGE.box)], [LARGE.box], []),
    "keep what is found": (Crop(), (DOUBTFUL,), [(True, None)], [DOUBTFUL.box], []),
    "keep what is no face": (Crop(), (), [(True, None)], [WHOLE], []),
    "keep a box without a face": (Crop(), (), [(True, (1, 2, 30, 40))], [(1, 2, 30, 40)], []),
    "keep both": (Crop(), (DOUBTFUL,), [(True, (90, 10, 50, 50))], [(90, 10, 50, 50)], ["low confidence"]),
    "drop and keep again": (Crop(), (LARGE,), [(False, None), (True, LARGE.box)], [LARGE.box], []),
    "centre": (Crop("center", min_sharpness=1e9), (), [(True, None)], [None], []),
    "drop the centre": (Crop("center"), (), [(False, None)], [], [LEFT_OUT]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_decision_overrules_what_the_detector_and_the_thresholds_say(case: str) -> None:
    crop, faces, decisions, kept, rejected = CASES[case]
    assert outcome(crop, faces, *decisions) == (kept, rejected)


def test_a_kept_face_is_cut_as_any_other_and_a_box_at_its_centre() -> None:
    decisions = [Decision("a", True, DOUBTFUL.box), Decision("a", True, (90, 10, 60, 50))]
    (first, second), _ = apply_reviewed(PHOTO, Crop(size=50), Sees(DOUBTFUL), decisions=decisions)  # type: ignore[arg-type]
    np.testing.assert_array_equal(first.image, crops.cut_alike(PHOTO, Crop(size=50), DOUBTFUL))
    np.testing.assert_array_equal(second.image, PHOTO[10:60, 95:145])
    assert cut_box(PHOTO, Crop(size=50, gray=True), WHOLE).shape == (50, 50, 1)
    with pytest.raises(ImageError, match="lies outside"):
        cut_box(PHOTO, Crop(), (200, 0, 10, 10))


def test_overlap_is_intersection_over_union() -> None:
    assert overlap((0, 0, 4, 4), (2, 0, 4, 4)) == pytest.approx(8 / 24)
    assert overlap((0, 0, 4, 4), (4, 4, 1, 1)) == 0


def test_a_dataset_follows_its_review_and_tells_of_it(tmp_path: Path) -> None:
    photos, review = messy(tmp_path / "photos"), tmp_path / "review.csv"
    decisions = [
        Decision(f"{photos}/000.png", False),
        Decision("003.png", False),  # of which 010.png is a duplicate
        Decision("011.bmp", True),  # an exact duplicate
        Decision("041.jpg", True),  # a near duplicate
        Decision("020.png", True),  # no picture: nothing can be kept
        Decision("elsewhere.png", False),
    ]
    write(review, decisions)
    assert [d for of in read_review(review).by_source.values() for d in of] == decisions
    made = prepare(photos, tmp_path / "ds", review=review, drop_near_duplicates=True, **OPTIONS)
    rejects = {Path(r["source"]).name: r["reason"] for r in made.info["rejects"]}
    assert rejects["000.png"] == LEFT_OUT and rejects["020.png"] == "not an image"
    assert rejects["010.png"] == f"exact duplicate of {photos}/003.png"  # which takes nobody's place
    assert not {"011.bmp", "041.jpg"} & set(rejects)
    assert f"{photos}/011.bmp" in made.sources() and f"{photos}/000.png" not in made.sources()
    assert "review.csv: 1 line names no picture, such as elsewhere.png" in made.info["notes"]
    with pytest.raises(InputError, match="different: review"):
        prepare(photos, tmp_path / "ds", drop_near_duplicates=True, **OPTIONS)


def test_members_of_archives_are_found_by_their_source(tmp_path: Path) -> None:
    import zipfile

    for name in ("a.zip", "b.zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for i in range(3):
                archive.writestr(f"{i}.png", png_bytes(smooth(i + 10 * (name == "b.zip"))))
    write(tmp_path / "r.csv", [Decision("somewhere/b.zip!1.png", False)])
    made = prepare(
        [tmp_path / "a.zip", tmp_path / "b.zip"], tmp_path / "ds", review=tmp_path / "r.csv", **OPTIONS
    )
    assert [r["source"] for r in made.info["rejects"]] == [f"{tmp_path}/b.zip!1.png"]


BAD = {
    "no such file": (None, "there is no such file"),
    "no decision": ("file,x\na.png,1\n", "must have a column 'decision'"),
    "unknown": ("file,decision\na.png,perhaps\n", "line 2 must name a file and decide keep or drop"),
    "half a box": ("file,decision,x,y,width,height\na.png,keep,1,2,,\n", "x, y, width and height must be"),
    "an empty box": (
        "file,decision,x,y,width,height\na.png,keep,1,2,0,5\n",
        "x, y, width and height must be",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_review_that_is_not_understood_is_one_line(tmp_path: Path, case: str) -> None:
    text, message = BAD[case]
    if text is not None:
        (tmp_path / "r.csv").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        prepare(folder(tmp_path / "photos", 1), tmp_path / "ds", review=tmp_path / "r.csv", **OPTIONS)
    assert "--review" in str(caught.value) and "\n" not in str(caught.value)


def test_every_crop_and_reject_is_reported_in_order(tmp_path: Path) -> None:
    photos, seen = messy(tmp_path / "photos"), list[Finding]()
    made = prepare(photos, tmp_path / "seen", on_found=seen.append, **OPTIONS)
    prepare(photos, tmp_path / "unseen", **OPTIONS)
    assert [f.name for f in seen] == sorted(p.name for p in photos.iterdir())
    assert {f.name: f.reason for f in seen if f.reason} == {
        "020.png": "not an image",
        "021.png": "truncated",
        "023.png": "empty file",
        "notes.txt": "not an image file",
    }
    (first,) = (f for f in seen if f.name == "000.png")
    np.testing.assert_array_equal(crops.images.read_image(first.crop), made.images()[0])
    watched, plain = contents(tmp_path / "seen"), contents(tmp_path / "unseen")
    assert {n: c for n, c in watched.items() if n != "README.md"} == {
        n: c for n, c in plain.items() if n != "README.md"
    }


def test_faces_are_reported_with_place_and_confidence(tmp_path: Path) -> None:
    seen: list[Finding] = []
    photo = Path(facegan.__file__).parent / "assets/photos/astronaut.jpg"
    options: dict[str, Any] = {"workers": 1, "on_found": seen.append}
    with pytest.raises(InputError, match="low confidence"):
        prepare(photo, tmp_path / "none", min_confidence=1.0, **options)
    made = prepare(photo, tmp_path / "ds", **options)
    (reject, found) = seen
    (row,) = made.rows()
    assert found.box == pytest.approx(row["box"]) and found.landmarks == pytest.approx(row["landmarks"])
    assert reject.reason == "low confidence" and reject.box == found.box and not reject.crop
    assert found.confidence is not None and 0.9 < found.confidence < 1


def test_work_that_is_kept_makes_the_next_preparation_quick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, review, work = folder(tmp_path / "photos", 12), tmp_path / "r.csv", tmp_path / "work"
    cut: list[str] = []
    rows = process_sources._rows
    monkeypatch.setattr(process_sources, "MIN_WATCHED_BYTES", 1)
    monkeypatch.setattr(
        process_sources, "_rows", lambda item, split: cut.append(item.name) or rows(item, split)
    )
    seen: list[Finding] = []
    options: dict[str, Any] = {**OPTIONS, "work": work, "on_found": seen.append}
    prepare(photos, tmp_path / "first", **options)
    assert len(cut) == len(seen) == 12
    write(review, [Decision("005.png", False)])
    made = prepare(photos, tmp_path / "second", review=review, **options)
    assert cut[12:] == ["004.png", "005.png", "006.png", "007.png"]  # the chunk of the decision
    assert len(seen) == 24 and made.counts == {"train": 11}
    fresh = prepare(photos, tmp_path / "fresh", review=review, **OPTIONS)
    assert fresh.content_hash == made.content_hash
    for bad, why in ((photos / "w", "lies in"), (tmp_path, "holds it"), (review, "is no folder")):
        with pytest.raises(InputError, match=why):
            prepare(photos, tmp_path / "third", **{**options, "work": bad})
    (tmp_path / "other").mkdir()
    (tmp_path / "other/mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        prepare(photos, tmp_path / "third", **{**options, "work": tmp_path / "other"})


def test_a_review_goes_without_pairs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--review decides about single pictures"):
        prepare(tmp_path, tmp_path / "ds", pairs="side-by-side", review="r.csv")
