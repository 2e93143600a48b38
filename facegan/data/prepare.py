"""From photos to a dataset: read, crop, check, pack. Killed at any moment, it goes on where it was.

Stage one (``process_sources``) turns the sources into files under ``OUT/.work``; stage two (``assemble``)
drops duplicates and writes shards, card and contact sheets. Nothing is written outside ``OUT``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from facegan import arguments, bars
from facegan.data.assemble import assemble
from facegan.data.choosing import Chooser, NothingLeft, PrepareConfig, Progress
from facegan.data.chunks import ChunkStore, locked
from facegan.data.crops import PRESETS, Crop, describe
from facegan.data.dataset import Dataset
from facegan.data.folders import CLASSES
from facegan.data.pairs import SIDE_BY_SIDE, check_pairs
from facegan.data.process_sources import process_sources
from facegan.data.review import Finding
from facegan.data.summary import Early
from facegan.errors import InputError
from facegan.files import writing
from facegan.machine import cores
from facegan.values import parse_range

SIDES = 28, 1024  # px, from and to


def prepare(
    sources: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    preset: str = "",
    pairs: str | Path = "",
    direction: str = "a-to-b",
    crop: str = "auto",
    size: int | tuple[int, int] = 64,
    gray: bool = False,
    resample: str = "lanczos",
    margin: float = 0.25,
    all_faces: bool = False,
    min_face: float = 20,
    min_confidence: float = 0.9,
    min_sharpness: float = 0.0,
    include: str = "",
    where: str = "",
    limit: int = 0,
    attributes: str | Path = "",
    split: str | Path = "",
    drop_near_duplicates: bool = False,
    max_pixels: int = 80_000_000,
    value_range: str = "",
    image_column: str = "",
    follow_links: bool = False,
    classes: str = "auto",
    review: str | Path = "",
    work: str | Path = "",
    workers: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
    on_found: Callable[[Finding], None] | None = None,
) -> Dataset:
    """Make (or finish, or find already made) the dataset ``out`` and open it.

    Args:
        sources: One or several files, folders, archives, tables, Hub datasets.
        out: The dataset's folder.
        preset: Names a whole crop and overrules the crop's other settings (see :class:`Crop`).
        pairs: Make pairs, to train translators on: ``side-by-side`` if each picture holds two, the input at
            the left; or where the inputs lie, whose targets of the same names are ``sources``.
        direction: For ``side-by-side``: ``b-to-a`` if the input is at the right.
        crop: What to cut out, one of face, aligned, center, none, tutorial; ``auto`` is center for pairs and
            otherwise aligned. Both pictures of a pair are cut alike.
        size: The side of square pictures, or (height, width); each from 28 to 1,024 px.
        gray: Make pictures of one channel.
        resample: nearest, bilinear, bicubic or lanczos.
        margin: For ``face``: added on each side, as a fraction of the longer side of the face's box.
        all_faces: Take every face of a photo instead of the largest.
        min_face: The smallest longer side of a face's box, in px of the photo.
        min_confidence: The smallest confidence of the detector, 0 to 1.
        min_sharpness: The smallest variance of the Laplacian of the crop's luma; 0 accepts everything.
        include: Only names that match this pattern.
        where: Only pictures with these attributes (see :mod:`facegan.data.filters`).
        limit: At most so many pictures are read; 0 is all.
        attributes: A table with a column of file names, or several separated by commas.
        split: A file of names and splits, or shares such as ``val=0.05,test=0.05``.
        drop_near_duplicates: Leave out near duplicates instead of reporting them.
        max_pixels: Larger photos are rejected.
        value_range: ``LOW..HIGH`` of arrays and float pictures, where that is in doubt.
        image_column: The column of a table that holds the pictures.
        follow_links: Follow links to folders.
        classes: Whether folders become classes of the attribute ``label``: ``auto`` where they look like it,
            ``folders`` always (of a source without folders, its own name), ``none`` never.
        review: A table with the columns file, decision (keep or drop), x, y, width, height, which puts single
            rejects back and takes single crops out (see :mod:`facegan.data.review`).
        work: A folder that keeps the crops found, so that the same photos are quickly prepared again with
            another review, split or table; '' keeps none.
        workers: The number of processes; 0 is one for each core that this process may use.
        on_progress: Takes the progress; without it a bar shows it (:func:`facegan.set_progress`).
        on_found: Takes every crop and every reject as a :class:`facegan.data.review.Finding`, in the order of
            the pictures, soon after it has been found.

    Raises:
        InputError: Something cannot work, told in one line; single pictures are rejected with a reason
            instead.
    """
    given = locals()
    if not isinstance(preset, str) or (preset and preset not in PRESETS):
        raise InputError(f"--preset '{preset}' is unknown (known: {', '.join(PRESETS)})")
    given |= {"kind": arguments.text(crop, "--crop"), "size": _size(size)}
    given["pairs"] = pairs if isinstance(pairs, str) else str(arguments.place(pairs, "--pairs"))
    if review and given["pairs"]:
        raise InputError("--review decides about single pictures and goes without --pairs")
    if crop == "auto":
        given["kind"] = "center" if given["pairs"] else "aligned"
    cut = PRESETS[preset] if preset else _settings(Crop, given)
    config = _settings(PrepareConfig, given | {"sources": _sources(sources), "crop": cut})
    if not config.sources:
        ways = f"--pairs {SIDE_BY_SIDE} FOLDER, or --pairs INPUTS TARGETS"
        raise InputError(f"name the pictures, too: {ways}" if config.pairs else "no source given")
    parse_range(value_range)
    arguments.one_of(classes, "--classes", CLASSES)
    check_pairs(config.pairs, config.direction, config.sources)
    if config.limit < 0:
        raise InputError(f"--limit must be 0 or more, not {limit}")
    workers = arguments.whole(workers, "--workers") or cores()
    place = arguments.place(out, "--out")
    how: dict[str, Any] = {"on_found": on_found, "work": arguments.place(work, "--work") if work else None}
    if on_progress is not None:
        return run(config, place, workers, on_progress=on_progress, **how)
    with bars.shown() as show:

        def report(p: Progress) -> None:
            note = f"kept {p.kept}  rejected {p.rejected}"
            show(f"prepare {place}: {p.stage}", p.done, p.total, note=note)

        return run(config, place, workers, on_progress=report, **how)


def _settings(cls: Any, given: dict[str, Any]) -> Any:
    """Return ``cls`` made of those of the arguments that are its fields."""
    return cls(**arguments.settings(cls, {field.name: given[field.name] for field in fields(cls)}))


def _sources(given: Any) -> tuple[str, ...]:
    """Return one source or several: files, folders, addresses of data sets."""
    listed = [given] if isinstance(given, (str, os.PathLike)) or not _is_list(given) else list(given)
    for source in listed:
        if not isinstance(source, (str, os.PathLike)):
            raise InputError(
                f"sources are files, folders or data sets, not {arguments.shown(source)}; of pictures in "
                "memory make a file with numpy.savez('pictures.npz', images=ARRAY)"
            )
    return tuple(map(str, listed))


def _is_list(given: Any) -> bool:
    return isinstance(given, Iterable) and not hasattr(given, "shape")


def _size(given: Any) -> int | tuple[int, int]:
    """Return the side of squares, or (height, width)."""
    if _is_list(given) and not isinstance(given, str) and len(sides := list(given)) == 2:
        height, width = (arguments.whole(side, "--size", least=SIDES[0], most=SIDES[1]) for side in sides)
        return height, width
    return arguments.whole(given, "--size", least=SIDES[0], most=SIDES[1])


def run(
    config: PrepareConfig,
    out: Path,
    workers: int,
    *,
    on_progress: Callable[[Progress], None],
    on_found: Callable[[Finding], None] | None = None,
    work: Path | None = None,
) -> Dataset:
    """Make the dataset that ``config`` describes, or open it where it is there."""
    _check_out(config, out)
    _check_work(config, out, work)
    plan = config.plan()
    if (out / "dataset.json").exists():
        return _existing(out, config, plan)
    choose = Chooser(config)
    choose.open_sources()
    work_dir = out / ".work"
    with writing("--out", str(out)):
        existed = out.is_dir()
        out.mkdir(parents=True, exist_ok=True)
        if not work_dir.is_dir() and any(out.iterdir()):
            raise InputError(f"{out}: not empty and not a dataset; choose another --out")
        with locked(work_dir), locked(work) if work else contextlib.nullcontext():
            store = ChunkStore(work or work_dir, config.cutting())
            process_sources(
                choose, store, workers, on_progress=on_progress, on_found=on_found, early=Early(plan)
            )
            try:
                choose.conclude()
                dataset = assemble(out, store, plan, choose=choose, on_progress=on_progress)
            except NothingLeft:
                shutil.rmtree(work_dir, ignore_errors=True)
                if not existed:
                    shutil.rmtree(out, ignore_errors=True)
                raise
            shutil.rmtree(work_dir, ignore_errors=True)
        return dataset


def _check_out(config: PrepareConfig, out: Path) -> None:
    """Raise InputError for a dataset inside its own source, which would be read as one the next time."""
    for text in (*config.sources, config.inputs):
        source = Path(text)
        if text and source.is_dir() and source.resolve() in (out.resolve(), *out.resolve().parents):
            raise InputError(f"--out {out} lies inside the source {text}; choose a folder outside of it")


def _check_work(config: PrepareConfig, out: Path, work: Path | None) -> None:
    """Raise InputError for a folder of work that holds anything else, or lies where it must not."""
    if work is None:
        return
    for place in (out, *(Path(source) for source in config.sources)):
        if work.resolve() in (place.resolve(), *place.resolve().parents) or (
            place.is_dir() and place.resolve() in work.resolve().parents
        ):
            raise InputError(f"--work {work}: lies in {place}, or holds it; choose a folder of its own")
    if work.exists() and not work.is_dir():
        raise InputError(f"--work {work}: is no folder")
    if work.is_dir() and any(work.iterdir()) and not (work / "plan.json").is_file():
        raise InputError(f"--work {work}: holds other files; choose a folder of its own")


def _existing(out: Path, config: PrepareConfig, plan: dict[str, Any]) -> Dataset:
    dataset = Dataset(out)
    if "made_from" in dataset.info:
        raise InputError(f"{out} was made from another dataset (see 'facegan inspect'); choose another --out")
    made = {**PrepareConfig(()).plan(), **dataset.info.get("plan", {})}  # options that it did not know yet
    changed = [key for key in plan if plan[key] != made.get(key)]
    if changed:
        names = ", ".join("sources' content" if key == "fingerprints" else key for key in changed)
        raise InputError(f"{out} holds a dataset made otherwise (different: {names}); choose another --out")
    crop = describe(config.crop)
    if crop.get("landmarks") != dataset.crop.get("landmarks"):
        raise InputError(
            f"{out} was made by an earlier facegan, whose tilted faces lie a little differently; it can be "
            "used as it is: to prepare the photos again, choose another --out"
        )
    if (before := dataset.crop.get("opencv", "")) != crop.get("opencv", ""):
        dataset.info["made_with"] = f"OpenCV {before or 'of an unknown version'}"
    dataset.info["already_made"] = True
    shutil.rmtree(out / ".work", ignore_errors=True)  # left if the run was killed as it ended
    return dataset
