"""Pairs of a generator: a face, and the same face edited, where a network sees that change and no other.

>>> facegan.pairs("celeba64", "eyeglasses=+2", "glasses", count=5000).dataset
"""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan import arguments, bars
from facegan.data.attribute_tables import Splitter
from facegan.data.chunks import ChunkStore, locked
from facegan.data.dataset import FORMAT, Dataset
from facegan.data.derive import OnProgress, confidence_by_name
from facegan.data.items import SPLITS, Row
from facegan.data.png import decode
from facegan.data.shards import Contents, Schema, ShardWriter, beside, write_description
from facegan.data.summary import reason_lines, reasons
from facegan.errors import InputError
from facegan.files import writing
from facegan.generator import Generator
from facegan.translation.candidates import Candidates, Rules
from facegan.version import __version__

SPLIT = "val=0.05,test=0.05"
HOPELESS = 2048, 0.005  # candidates after which a smaller share of pairs ends the search


@dataclass(frozen=True)
class GeneratedPairs:
    """The result of :func:`pairs`."""

    dataset: Dataset
    looked: int
    """How many faces were edited or looked at."""
    rejects: tuple[dict[str, str], ...]
    """The faces that make no pair, each with its reason."""

    def __str__(self) -> str:
        counts = ", ".join(f"{n:,} {split}" for split, n in self.dataset.counts.items())
        total = sum(self.dataset.counts.values())
        head = f"{self.dataset.path}: {total:,} pairs ({counts}) of {self.looked:,} faces"
        return "\n".join([head, *reason_lines(self.rejects, most=20)])


def pairs(
    model: Generator | str | Path,
    edits: str | Mapping[str, float],
    out: str | Path,
    *,
    count: int = 1000,
    hold: str = "",
    margin: float = 0.3,
    min_confidence: float = 0.9,
    max_distance: float = 0.0,
    max_change: float = 0.0,
    layers: str = "",
    local: bool = False,
    reverse: bool = False,
    split: str = SPLIT,
    seed: int = 0,
    network: str = "faces",
    directions: str | Path = "",
    labels: str = "",
    device: str = "cpu",
    on_progress: OnProgress | None = None,
    say: Callable[[str], None] | None = None,
) -> GeneratedPairs:
    """Make a dataset of pairs for translators: generated faces (the inputs), and the same faces edited.

    A face becomes a pair only if the attribute network sees the asked change, and no other. The same call
    makes the same dataset; interrupted, it goes on where it was.

    Args:
        model: What ``load`` takes, or a Generator.
        edits: Names and strengths, as a text such as ``"eyeglasses=+2"`` or as ``{"eyeglasses": 2}``.
        out: The dataset's folder.
        count: How many pairs.
        hold: Attributes that must not change, separated by commas; ``all`` is every other one that the
            network knows, ``none`` is none; '' holds sex, age, smile, glasses, hair, beard and hats, less
            those that belong to the edit.
        margin: A held attribute has changed if its probability crosses 1/2 and moves by more than this.
        min_confidence: How sure the network must be that the asked attributes were not there before, and are
            after; 0.5 to 1.
        max_distance: The largest distance between both faces in the network's features; 0 sets no bound.
        max_change: By how much the probability of a held attribute may move at most, also without crossing
            1/2; 0 sets no bound.
        layers: Edit only some of the places where the network takes w, such as ``0-2``.
        local: Undo the edit where it changes little, so that glasses change nothing but the eyes' region.
        reverse: The edited faces become the inputs, the plain ones the targets.
        split: Shares of the pairs that are held out.
        seed: The first seed; the following ones are the next faces.
        network: The attribute network that decides, a bundled one or a file; of several, separated by
            commas, all must agree, and the first one names the attributes.
        directions: A file of directions; '' finds them once and keeps them.
        labels: Of a conditional model, such as ``male=1``; '' draws those it was trained with.
        device: cpu, cuda or mps, of a model that is loaded.
        on_progress: Takes the task, the pairs so far, and how many they will be; without it a bar shows it.
        say: Receives lines on labels.

    Raises:
        InputError: An option cannot be, or too few faces become pairs.
    """
    count = arguments.whole(count, "--count", 1)
    seed = arguments.whole(seed, "--seed")
    reverse, local = arguments.switch(reverse, "--reverse"), arguments.switch(local, "--local")
    splitter = _splitter(split)
    rules = Rules.read(
        hold=hold,
        margin=margin,
        min_confidence=min_confidence,
        max_distance=max_distance,
        max_change=max_change,
        network=network,
    )
    place = arguments.place(out, "--out")
    candidates = Candidates.of(
        model,
        edits,
        rules,
        layers=layers,
        directions=directions,
        labels=labels,
        reverse=reverse,
        local=local,
        device=device,
        say=say,
    )
    plan = {**candidates.plan(), "seed": seed}
    whole = {**plan, "count": count, "split": split}
    if (place / "dataset.json").exists():
        return _existing(place, whole, candidates.model.hashes)
    with bars.shown(on_progress) as show, _workplace(place) as work:
        store = ChunkStore(work, plan)
        _fill(store, candidates, count, seed=seed, show=show)
        return _assemble(place, store, candidates, plan=whole, splitter=splitter)


def _splitter(split: str) -> Splitter:
    splitter = Splitter(arguments.text(split, "--split"))
    if splitter.table is not None:
        raise InputError(f"--split {split}: generated pairs take shares, such as {SPLIT}")
    return splitter


@contextlib.contextmanager
def _workplace(out: Path) -> Iterator[Path]:
    """Hold the folder of unfinished work, which is removed at the end, or if no dataset can come of it."""
    work = out / ".work"
    with writing("--out", str(out)):
        existed = out.is_dir()
        out.mkdir(parents=True, exist_ok=True)
        if not work.is_dir() and any(out.iterdir()):
            raise InputError(f"--out {out}: not empty and not a dataset of pairs; choose another folder")
        try:
            with locked(work, "facegan pairs"):
                yield work
        except InputError as error:
            if not isinstance(error, _TooFew):
                raise
            shutil.rmtree(work, ignore_errors=True)
            if not existed:
                shutil.rmtree(out, ignore_errors=True)
            raise
        shutil.rmtree(work, ignore_errors=True)


class _TooFew(InputError):
    """Hardly any face becomes a pair."""


def _existing(out: Path, plan: dict[str, Any], hashes: tuple[str, ...]) -> GeneratedPairs:
    """Return a dataset that the same call has made; ``hashes`` are those by which it may name the model."""
    data = Dataset(out)
    if "generated" not in data.info or "made_from" in data.info:
        raise InputError(f"--out {out} holds another dataset; choose another folder")
    made = data.info.get("plan", {})
    plan = json.loads(json.dumps(plan))
    changed = [key for key in plan if made.get(key) != plan[key]]
    if "model" in changed and made.get("model") in hashes:
        changed.remove("model")
    if changed:
        text = f"made otherwise (different: {', '.join(changed)})"
        raise InputError(f"--out {out} holds pairs {text}; choose another folder")
    return GeneratedPairs(data, data.info["generated"]["looked"], tuple(data.info["rejects"]))


def _fill(store: ChunkStore, candidates: Candidates, count: int, *, seed: int, show: OnProgress) -> None:
    """Look at faces until ``count`` are pairs."""
    looked = kept = 0
    size = candidates.chunk
    for index in itertools.count():
        found = store.has(index, "pairs")
        if found is None:
            rows = candidates.rows(range(seed + looked, seed + looked + size))
            store.write(index, "pairs", rows, thumbnails=[])
            rejected = sum(bool(row.reject) for row in rows)
            found = len(rows) - rejected, rejected
        looked, kept = looked + size, kept + found[0]
        show("pairs", min(kept, count), count)
        if kept >= count:
            store.truncate(index + 1)
            return
        if looked >= HOPELESS[0] and kept < HOPELESS[1] * looked:
            raise _TooFew(_too_few(store, looked, kept))


def _too_few(store: ChunkStore, looked: int, kept: int) -> str:
    rejects = [{"source": row.source, "reason": row.reject} for row in _bare(store) if row.reject]
    help_ = "try a larger strength, a lower --min-confidence, or less in --hold"
    return f"{kept} of {looked:,} faces become pairs ({reasons(rejects)}); {help_}"


def _bare(store: ChunkStore) -> Iterator[Row]:
    return store.rows(without=("png", "input_png", "digest", "near_hash", "gray", "box", "landmarks"))


def _assemble(
    out: Path,
    store: ChunkStore,
    candidates: Candidates,
    *,
    plan: dict[str, Any],
    splitter: Splitter,
) -> GeneratedPairs:
    """Write shards, card and, last, dataset.json."""
    chosen, rejects, looked = _chosen(store, plan["count"])
    names = candidates.names
    written = _write(out / "data", store, chosen, names=names, splitter=splitter)
    info = {
        "format": FORMAT,
        "facegan": __version__,
        **candidates.picture_facts(),
        "counts": {s: written.counts[s] for s in SPLITS if written.counts[s]},
        "attribute_names": list(names),
        "class_names": {},
        "places": [],
        "has_inputs": True,
        "attributes": written.contents.tally.summary(names, {}),
        "content_hash": written.contents.content_hash(),
        "predicted": {
            "network": candidates.network_name,
            "min_confidence": 0.5,
            "names": confidence_by_name(written.sure),
        },
        "generated": {**candidates.origin(), "looked": looked},
        "plan": plan,
        "rejects": rejects,
        "near_duplicates": [],
        "notes": [],
    }
    write_description(out, out.resolve().name, info, preview=written.contents.preview)
    return GeneratedPairs(Dataset(out), looked, tuple(rejects))


@dataclass
class _Written:
    """What the shards hold."""

    counts: Counter[str]
    sure: dict[str, list[float]]
    contents: Contents


def _write(
    folder: Path, store: ChunkStore, chosen: set[int], *, names: Sequence[str], splitter: Splitter
) -> _Written:
    """Write the shards of all splits, in the place of what an earlier attempt has left."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    schema = Schema(names, {}, names, (), inputs=True)
    writers = {split: ShardWriter(folder, split, schema) for split in SPLITS}
    made = _Written(Counter(), {name: [] for name in names}, Contents())
    for serial, row in enumerate(store.rows(without=("box", "landmarks"))):
        if serial not in chosen:
            continue
        digest, split = row.pixels_digest, "train"
        if made.counts:  # the first pair is for training, so that there is one
            split, _ = splitter.use(row.name, row.source, digest=digest, own=None)
        row = _with_confidence(row, split)
        for name, value in row.confidence.items():
            made.sure[name].append(float(value or 0))
        writers[split].add(row)
        made.counts[split] += 1
        picture = beside(decode(row.png), decode(row.input_png)) if made.contents.shows_next else None
        made.contents.add(split, digest, attributes=row.attributes, picture=picture)  # type: ignore[arg-type]
    for writer in writers.values():
        writer.close()
    return made


def _chosen(store: ChunkStore, count: int) -> tuple[set[int], list[dict[str, str]], int]:
    """Return the rows that are the first ``count`` pairs, the rejects before the last, and how many rows."""
    chosen: set[int] = set()
    rejects: list[dict[str, str]] = []
    serial = -1
    for serial, row in enumerate(_bare(store)):
        if row.reject:
            rejects.append({"source": row.source, "reason": row.reject})
            continue
        chosen.add(serial)
        if len(chosen) == count:
            break
    return chosen, rejects, serial + 1


def _with_confidence(row: Row, split: str) -> Row:
    """Return a row in its split, with the confidences that travel in ``values``."""
    kept = {name: getattr(row, name) for name in ("png", "input_png", "pixels_digest", "attributes")}
    return Row(row.source, row.name, split=split, confidence=json.loads(row.values), **kept)
