"""``facegan prepare``: photos to dataset."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from facegan import bars
from facegan.cli.options import FLAT
from facegan.errors import InputError

if TYPE_CHECKING:
    from facegan.data.dataset import Dataset


def report(dataset: Dataset) -> str:
    """Return the closing summary, and the command that comes next."""
    from facegan.data.inspection import summary_of_preparing
    from facegan.recipes.choice import next_step

    return f"{summary_of_preparing(dataset)}; next: {next_step(dataset)}"


@dataclass(frozen=True)
class CropFlags:
    """Flags of the crop."""

    crop: Literal["auto", "aligned", "face", "center", "none", "tutorial"] = "auto"
    """auto (center for pairs, else aligned), aligned (eyes at fixed places), face (the box with a margin),
    center, none (the whole picture), tutorial (first box, tight, aspect ratio not kept)."""
    size: str = "64"
    """size of the pictures in px, 28 to 1024; 48x64 is 48 wide and 64 high."""
    gray: bool = False
    """one channel instead of three."""
    resample: Literal["lanczos", "bicubic", "bilinear", "nearest"] = "lanczos"
    """filter; all but nearest are antialiased."""
    margin: float = 0.25
    """for face: added on each side, as a share of the box's longer side."""
    all_faces: bool = False
    """every face of a photo instead of the largest."""
    min_face: float = 20
    """smallest longer side of a face in px of the photo."""
    min_confidence: float = 0.9
    """smallest confidence of the detector, 0 to 1."""
    min_sharpness: float = 0.0
    """smallest variance of the Laplacian of the crop; 0 accepts all."""


def main(
    sources: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE...")],
    out: str,
    preset: str = "",
    *,
    pairs: Annotated[str, tyro.conf.arg(metavar="side-by-side|INPUTS")] = "",
    direction: Literal["a-to-b", "b-to-a"] = "a-to-b",
    crop: Annotated[CropFlags, FLAT] = CropFlags(),
    include: str = "",
    where: str = "",
    limit: int = 0,
    attributes: str = "",
    split: str = "",
    drop_near_duplicates: bool = False,
    max_pixels: int = 80_000_000,
    value_range: Annotated[str, tyro.conf.arg(name="range", metavar="LOW..HIGH")] = "",
    image_column: str = "",
    follow_links: bool = False,
    classes: Literal["auto", "folders", "none"] = "auto",
    review: str = "",
    work: str = "",
    workers: int = 0,
    quiet: bool = False,
) -> None:
    """Find, align, crop, check and pack pictures into a dataset.

    Args:
        sources: folders, zip or tar archives (.gz, .bz2, .xz, .zst), arrays (IDX, .npz, .npy), Parquet or
            Arrow files, CSV with a column of pixels (FER2013), all of these also inside folders, Hub datasets
            (hf:owner/name), or prepared datasets.
        out: the dataset's folder.
        preset: a named crop that overrides the settings below: tutorial-80, tutorial-50.
        pairs: make pairs for translators, which are cut alike: side-by-side if each picture holds both, the
            input at the left; or the place of the inputs, whose targets of the same names are the sources.
        direction: for side-by-side: b-to-a if the input is at the right.
        crop: how pictures are cut.
        include: only names that match this pattern, such as '*.jpg'.
        where: only pictures with these attributes, such as 'Smiling and not Eyeglasses' or 'race == White'.
        limit: read at most this many pictures; 0 reads all.
        attributes: a table with a column of file names: CSV, CelebA's list_attr_celeba.txt, JSON, Parquet;
            several separated by commas.
        split: a file of 'name split' lines, a table with a column 'split', or shares such as
            'val=0.05,test=0.05' by content (of what the sources do not hold out; near duplicates stay
            together).
        drop_near_duplicates: leave out near duplicates instead of reporting them.
        max_pixels: larger photos are rejected.
        value_range: values of arrays and of float or 16-bit pictures, such as 0..1, -1..1 or 0..4095, where
            they leave it in doubt.
        image_column: the column of a table that holds the pictures.
        follow_links: follow links to folders.
        classes: whether folders are classes, the attribute label: auto, if they look like it; folders, always
            (a source without folders is a class itself); none.
        review: a table of decisions about single pictures, with the columns
            file,decision,x,y,width,height: keep puts a reject back, drop takes a crop out.
        work: a folder that keeps the crops found, so that the same photos are quickly prepared again with
            another review, split or table.
        workers: processes; 0 is one for each core that this process may use.
        quiet: print nothing but errors.
    """
    options = {k: v for k, v in locals().items() if k not in ("quiet", "crop")}
    options |= vars(crop) | {"size": sides(crop.size)}
    from facegan.data.prepare import prepare

    with bars.silence() if quiet else contextlib.nullcontext():
        dataset = prepare(options.pop("sources"), options.pop("out"), **options)
    if quiet:
        return
    if dataset.info.get("already_made"):
        print(f"{Path(out)} is already made from the same sources in the same way: nothing to do")
        if made_with := dataset.info.get("made_with"):
            print(f"its faces were cut by {made_with}; the one installed here would differ by a few levels")
    print(report(dataset))


def sides(text: str) -> int | tuple[int, int]:
    """Read ``64``, or ``48x64`` (width x height) as (height, width)."""
    match = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text)
    if not match:
        raise InputError(f"--size {text}: write a number of px, or width x height, such as 48x64")
    return (int(match[2]), int(match[1])) if match[2] else int(match[1])
