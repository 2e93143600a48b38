"""``facegan inspect``: what is in a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro

from facegan.cli.main import run_function
from facegan.errors import InputError
from facegan.files import temporary_beside

if TYPE_CHECKING:
    from facegan.data.dataset import Dataset


def describe(dataset: Dataset, rejects: int) -> str:
    """Sizes, counts, how it was made, attributes with frequencies, rejects with reasons."""
    from facegan.data.card import commonest
    from facegan.data.summary import attribute_summary

    info, (h, w) = dataset.info, dataset.size
    lines = [
        f"{dataset.path}: {w}x{h} px, {dataset.channels} channel(s), content hash {dataset.content_hash[:16]}"
    ]
    lines += [f"  {split:<6}{count:8d} pictures" for split, count in dataset.counts.items()]
    made = info["plan"]
    crop = ", ".join(f"{k} {v}" for k, v in dataset.crop.items() if k != "landmarks" and v)
    lines += ["made from " + ", ".join(made["sources"]), f"crop: {crop}"]
    chosen = [f"--{k} {made[k]}" for k in ("include", "where", "limit", "attributes", "split") if made[k]]
    lines += [f"chosen by {' '.join(chosen)}"] if chosen else []
    if selected := info.get("selected"):
        lines.append(f"selected from {info['made_from']['name']}: {selected['expression']}")
    if dataset.attribute_names:
        unknown = dataset.undescribed()
        lines.append(
            "attributes (share of those known)"
            + f", of {unknown} pictures none is known" * bool(unknown)
            + ":"
        )
        predicted = info.get("predicted", {})
        lines += [
            _frequency(entry) + _confidence(predicted.get("names", {}).get(entry["name"]))
            for entry in attribute_summary(dataset)
        ]
        networks = {
            v.get("network", predicted["network"]) for v in predicted.get("names", {}).values() if v["count"]
        }
        lines += [f"predicted by the network {' and '.join(sorted(networks))}"] if networks else []
    lines.append(f"rejects: {len(info['rejects'])}")
    lines += [f"  {count:6d}  {reason}" for reason, count in commonest(info["rejects"])]
    lines += [f"    {r['source']}: {r['reason']}" for r in info["rejects"][:rejects]]
    lines.append(f"near duplicates: {len(info['near_duplicates'])}")
    lines += [f"prepare said: {note}" for note in info.get("notes", [])]
    return "\n".join(lines)


def _confidence(predicted: dict[str, float] | None) -> str:
    """How many values a network has given, and how sure it was."""
    if not predicted or not predicted["count"]:
        return ""
    return f"  ({predicted['count']:.0f} predicted, {predicted['confidence']:.0%} sure)"


def _frequency(entry: Mapping[str, Any]) -> str:
    """A line on one attribute: a bar for yes and no, else its commonest classes."""
    from facegan.data.summary import classes_line

    if not entry["known"]:
        return f"  {entry['name']:<22} unknown"
    if entry["kind"] != "yes/no":
        name, _, text = classes_line(entry, 12).partition(": ")
        return f"  {name:<22} {text}"
    share = entry["yes"] / entry["known"]
    return f"  {entry['name']:<22} {share:6.1%} {'#' * round(share * 40)}"


def main(
    dataset: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")],
    grid: str = "",
    count: int = 100,
    to_npz: str = "",
    split: str = "train",
    rejects: int = 10,
    json: bool = False,
) -> None:
    """Show what is in a dataset: sizes, counts, attributes, rejects, a grid.

    Args:
        dataset: a folder made by 'facegan prepare'.
        grid: write the split's first pictures as one PNG here.
        count: pictures in the grid.
        to_npz: write the split's pictures as uint8 N,H,W,C (array arr_0, as the tutorials have it).
        split: whose pictures --grid and --to-npz take: train, val or test.
        rejects: list so many rejects one by one.
        json: print dataset.json instead.
    """
    from facegan import images
    from facegan.data.dataset import Dataset

    if count < 1 or rejects < 0:
        raise InputError("--count must be at least 1, --rejects at least 0")
    if split != "train" and not (grid or to_npz):
        raise InputError(f"--split {split}: goes with --grid or --to-npz")
    data = Dataset(dataset)
    if json:
        print((data.path / "dataset.json").read_text())
    else:
        print(describe(data, rejects))
    if grid:
        if Path(grid).suffix.lower() != ".png":
            raise InputError(f"--grid {grid}: the name must end in .png")
        try:
            images.save_png(grid, images.grid(data.peek(count, split)[:count]))
        except OSError as error:
            raise InputError(f"--grid {grid}: cannot be written ({error.strerror})") from None
        print(f"wrote {grid}")
    if to_npz:
        if Path(to_npz).suffix.lower() != ".npz":
            raise InputError(f"--to-npz {to_npz}: the name must end in .npz")
        _write_npz(Path(to_npz), data, split)
        print(f"wrote {to_npz}")


def _write_npz(path: Path, data: Dataset, split: str) -> None:
    import contextlib
    import io
    import os
    import zipfile

    arrays: dict[str, Any] = {"arr_0": data.images(split)}
    if data.attribute_names:
        arrays["attributes"] = data.attributes(split)
        arrays["attribute_names"] = np.array(data.attribute_names)
    temporary = temporary_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                    head = io.BytesIO()
                    np.lib.format.write_array_header_1_0(
                        head, np.lib.format.header_data_from_array_1_0(array)
                    )
                    stream.write(head.getvalue())
                    for start in range(0, len(array), 1024):  # a map is written piece by piece
                        stream.write(np.ascontiguousarray(array[start : start + 1024]).tobytes())
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"--to-npz {path}: cannot be written ({error.strerror})") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def run(argv: list[str]) -> int:
    run_function(main, argv)
    return 0
