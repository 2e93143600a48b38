"""Exploring: a model's contents for the page's engine, and faces by their recipes."""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

import facegan
from facegan import figures, images
from facegan.exchange.onnx_out import onnx_graph, onnx_runner
from facegan.exchange.page_out import facts_of, name_of, vectors_of
from facegan.files import write_bytes
from facegan.generator import Generator
from facegan.latent import unsupervised, w_statistics
from facegan.latent.directions import kept_directions
from facegan.latent.editing import at_home, mix, mix_components
from facegan.latent.expressions import Term, evaluate_expression
from facegan.latent.interpolation import lerp, slerp
from facegan.marks import RECALL, Mark
from facegan.prior import Latent
from facegan.runs.record import read_json
from facegan.studio import points
from facegan.studio.tasks import Given, Result
from facegan.studio.tasks.models import generator, known_directions
from facegan.vectors import Vectors, load_vectors, save_vectors

KEPT = 12
"""Models whose contents are kept for the page."""
PLAIN = {"face": {"point": {"seed": 0}, "moves": {}}, "truncation": 1, "labels": None}
"""The look that is shown where an address names none."""
_COMPARED = 4

Tensor = torch.Tensor


# --- what the page's engine runs -----------------------------------------------------------------------


def engine(given: Given, content: bytes) -> Result:
    """Return what the page's engine has to know of a model, and write it and directions into ``folder``.

    ``runs`` says whether the engine can run the model: null where that has not been tried. ``first_picture``
    is that of seed 0, which is there before an engine has started.
    """
    folder, model = Path(given["folder"]), generator(given["model"])
    found = kept_directions(model)
    if found:
        write_bytes(folder / "vectors", vectors_of(found))
    facts = {
        "name": name_of(model),
        **facts_of(model, found),
        "former_hash": model.hashes[1],
        "version": folder.name,
        "runs": _runs(folder),
    }
    known = read_json(folder / "facts.json")  # of this very file: the folder's name depends on it
    facts["first_picture"] = known.get("first_picture") or _first_picture(given["model"])
    if found:
        facts["version"] += f"-{found.model_hash[:4]}{len(found.names)}"
    write_bytes(folder / "facts.json", json.dumps(facts).encode())
    return facts, b""


def _first_picture(model: str) -> str:
    picture, mark = _drawn({"model": model, "files": {}}, PLAIN)
    return images.base64_png(picture, mark)


def prepare(given: Given, content: bytes) -> Result:
    """Export a model into ``folder``, once; one that cannot be exported is drawn by the server."""
    folder = Path(given["folder"])
    if _runs(folder) is None:
        _make_room(folder.parent)
        try:
            graphs = _graphs(generator(given["model"]))
        except Exception:  # of many kinds, from the tracer and from the network of whoever wrote it
            traceback.print_exc()  # to the terminal of the server
            graphs = [b"", b""]
        for name, graph in zip(("map", "synthesize"), graphs, strict=True):
            write_bytes(folder / name, graph)
    engine(given, b"")
    return {"runs": _runs(folder)}, b""


def _runs(folder: Path) -> bool | None:
    """Return whether a model was exported; None where that has not been tried, which leaves an empty file."""
    file = folder / "synthesize"
    return bool(file.stat().st_size) if file.is_file() else None


def _graphs(model: Generator) -> list[bytes]:
    """Return both graphs: with weights of half precision where no picture differs by more than a level."""
    for weights in ("float16", "float32"):
        made = [onnx_graph(model, part, weights) for part in ("map", "synthesize")]
        run = onnx_runner(made[1])
        if weights == "float32" or (run is not None and _levels(model, run) <= 1):
            break
    return made


def _levels(model: Generator, run: Any) -> int:
    with torch.inference_mode():
        w = model.map(model.latent.sample(range(_COMPARED))).cpu().clone()
        ours, theirs = (
            images.to_uint8(model.synthesize(w)),
            images.to_uint8(torch.from_numpy(run({"w": w.numpy()}))),
        )
    return int(np.abs(ours.astype(int) - theirs).max())


def components(given: Given, content: bytes) -> Result:
    """Write the directions to which the weights react most, ``w_dim,w_dim``, into ``folder``."""
    model = generator(given["model"])
    basis = unsupervised.sefa_basis(model, w_statistics.spread_of(model))
    write_bytes(Path(given["folder"]) / "components", basis.float().numpy().astype("<f4").tobytes())
    return {}, b""


def _make_room(place: Path) -> None:
    """Delete the contents of models that were not opened for longest."""
    place.mkdir(parents=True, exist_ok=True)
    folders = sorted(
        (path for path in place.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime
    )
    for folder in folders[: max(0, len(folders) - KEPT + 1)]:
        shutil.rmtree(folder, ignore_errors=True)


# --- words -----------------------------------------------------------------------------------------------


def words(given: Given, content: bytes) -> Result:
    """Return w ``num_ws,w_dim`` (float32) of words such as ``smiling woman - woman + man``."""
    model = generator(given["model"])
    return {}, _of_words(model, given["words"]).numpy().astype("<f4").tobytes()


@functools.lru_cache(maxsize=64)
def _of_words(model: Generator, text: str) -> Tensor:
    with tempfile.TemporaryDirectory() as folder:
        made = facegan.arithmetic(model, text, out=f"{folder}/sum.png", mark=False).vectors
    assert made is not None
    return _in_w(model, made)[0]


def _in_w(model: Generator, vectors: Vectors) -> Tensor:
    with torch.inference_mode():
        return model.map(vectors.z).cpu().clone()


# --- faces -------------------------------------------------------------------------------------------------


def faces(given: Given, content: bytes) -> Result:
    """Return PNG files, as base64 texts, of ``looks``."""
    made = [_drawn(given, look) for look in given["looks"]]
    return {"images": [images.base64_png(picture, mark) for picture, mark in made]}, b""


def keep(given: Given, content: bytes) -> Result:
    """Write the picture of ``look`` and its vector to ``place`` with endings; return what it is."""
    place, look = given["place"], given["look"]
    picture, mark = _drawn(given, look)
    images.save_png(f"{place}.png", picture, mark)
    model = generator(given["model"])
    w = place_of(model, look, given["files"])
    save_vectors(f"{place}.npz", Vectors(w, (points.spelled(look["face"]["point"]),), model.hash, "w+"))
    return {"hash": model.hash, "text": mark.details.get("points", "")}, b""


def vectors(given: Given, content: bytes) -> Result:
    """Write the vectors of ``looks`` to ``place`` with the ending .npz."""
    model, looks = generator(given["model"]), given["looks"]
    w = torch.cat([place_of(model, look, given["files"]) for look in looks])
    names = tuple(points.spelled(look["face"]["point"]) for look in looks)
    save_vectors(f"{given['place']}.npz", Vectors(w, names, model.hash, "w+"))
    return {"hash": model.hash}, b""


def saved(given: Given, content: bytes) -> Result:
    """Return how many vectors an .npz of this model has, and w ``num_ws,w_dim`` (float32) of ``number``."""
    model = generator(given["model"])
    w = _saved(model, given["file"])
    number = min(given["number"], len(w) - 1)
    return {"count": len(w)}, w[number].numpy().astype("<f4").tobytes()


def _drawn(given: Given, look: Given) -> tuple[np.ndarray, Mark]:
    model = generator(given["model"])
    point, edits = look["face"]["point"], points.spelled_moves(look["face"]["moves"])
    labels = dict(zip(model.labels, look["labels"] or (), strict=False))
    about = {"points": points.spelled(point), "edits": edits}
    about |= {"seed": str(point["seed"]) if "seed" in point else ""}
    about |= {"labels": ",".join(f"{name}={value:g}" for name, value in labels.items())}
    about |= {RECALL: given.get("recall", "")}
    mark = figures.origin(model.hash, look["truncation"])
    mark = mark.having(**{name: text for name, text in about.items() if text})
    return model.images(place_of(model, look, given["files"]))[0], mark


def place_of(model: Generator, look: Given, files: Mapping[str, str]) -> Tensor:
    """Return w ``1,num_ws,w_dim`` of a look, as the page's engine computes it.

    Args:
        model: the generator.
        look: what ``points.check_look`` returned.
        files: the .npz of each saved result that the look names.
    """
    labels = None if not look["labels"] else torch.tensor(look["labels"], dtype=torch.float32)
    with torch.inference_mode():
        w = _place(model, look["face"]["point"], labels=labels, files=files)
        if look["truncation"] != 1:
            average = model.w_average(labels).cpu()
            w = average + look["truncation"] * (w - average)
    if strengths := look["face"]["moves"]:
        w = known_directions(model).move(w, strengths)
    return w.clone()


def _place(model: Generator, point: points.Point, **about: Any) -> Tensor:
    """Return w ``1,num_ws,w_dim`` of a point."""
    if points.is_drawn(point):
        z = model.latent.shape_normal(_draws(model.latent.dim, point))
        return model.map(z[None], labels=about["labels"]).cpu()
    if "words" in point:
        return _of_words(model, point["words"])[None]
    if "vector" in point:
        w = _saved(model, about["files"][point["vector"]])
        return w[min(point["number"], len(w) - 1)][None]
    if "between" in point:
        a, b = (_place(model, end, **about) for end in point["between"])
        return lerp(a, b, point["at"])
    if "base" in point:
        a, b = (_place(model, point[name], **about) for name in ("base", "style"))
        most = model.num_ws if point["kind"] == "layers" else model.w_dim
        numbers = sorted({number for number in point["numbers"] if number < most})
        if point["kind"] == "layers":
            return mix(model, a, b, layers=numbers)
        return mix_components(model, a, b, components=numbers)
    means: Iterator[Tensor] = (
        term["sign"] * torch.stack([_place(model, member, **about) for member in term["members"]]).mean(0)
        for term in point["sum"]
    )
    return functools.reduce(torch.add, means)


def _draws(dim: int, point: points.Point) -> Tensor:
    """Return standard normal draws ``dim`` of a point that is made of seeds."""
    normal = Latent("normal", dim)
    if "seed" in point:
        return normal.sample([point["seed"]])[0]
    if "between" in point:
        a, b = (_draws(dim, end) for end in point["between"])
        return slerp(a, b, point["at"])
    sheet: list[Tensor] = []
    terms = []
    for term in point["sum"]:
        members = [_draws(dim, member) for member in term["members"]]
        terms.append(Term(term["sign"], tuple(range(len(sheet) + 1, len(sheet) + len(members) + 1))))
        sheet += members
    return evaluate_expression(terms, torch.stack(sheet), normal)[1]


def _saved(model: Generator, file: str) -> Tensor:
    return at_home(model, _in_w(model, load_vectors(file, model.latent.dim, (model.num_ws, model.w_dim))))
