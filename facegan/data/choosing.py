"""The settings of ``prepare``, and which items of the sources they choose, with attributes and split."""

from __future__ import annotations

import fnmatch
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from facegan.data.attribute_columns import as_sorted
from facegan.data.attribute_tables import Splitter, attribute_files, read_attributes
from facegan.data.crops import Crop, describe
from facegan.data.filters import Predicate, parse_where, plain
from facegan.data.folders import source_splits
from facegan.data.items import AttributeValue, Item, Reading
from facegan.data.pairs import SIDE_BY_SIDE, Partners
from facegan.data.review import read_review
from facegan.data.sources import fingerprint, open_source
from facegan.errors import InputError
from facegan.kinds import NO_IMAGE
from facegan.version import __version__


@dataclass(frozen=True)
class Progress:
    """The progress of preparing: pictures read of ``total`` (None if unknown), crops kept, rejects."""

    done: int
    total: int | None
    kept: int
    rejected: int
    seconds: float
    stage: str = "read"


@dataclass(frozen=True)
class PrepareConfig:
    """The settings of a dataset; equal settings and equal sources make equal datasets."""

    sources: tuple[str, ...]
    crop: Crop = field(default_factory=Crop)
    include: str = ""
    where: str = ""
    limit: int = 0
    attributes: str = ""
    split: str = ""
    drop_near_duplicates: bool = False
    max_pixels: int = 80_000_000
    value_range: str = ""
    image_column: str = ""
    follow_links: bool = False
    pairs: str = ""
    """``side-by-side``, or where the inputs lie whose targets are the sources; '' makes no pairs."""
    direction: str = "a-to-b"
    classes: str = "auto"
    """Whether folders are classes: a word of ``folders.CLASSES``."""
    review: str = ""
    """A table of decisions about single pictures (see :mod:`facegan.data.review`)."""

    @property
    def inputs(self) -> str:
        """Where the inputs lie, if not in the same pictures as their targets."""
        return "" if self.pairs == SIDE_BY_SIDE else self.pairs

    def plan(self) -> dict[str, Any]:
        """Return the configuration with fingerprints of all files that it names."""
        plan = asdict(self)
        files = [*self.sources, *attribute_files(self.attributes), self.split]
        files += [file for file in (self.inputs, self.review) if file]
        plan["fingerprints"] = [fingerprint(f, self.follow_links) if f else "" for f in files]
        return json.loads(json.dumps(plan))

    def cutting(self) -> dict[str, Any]:
        """Return all that decides how a picture is cut besides its content, with the version that cuts it."""
        plan = {"facegan": __version__, "geometry": describe(self.crop), "max_pixels": self.max_pixels}
        return {**plan, "range": self.value_range, "pairs": self.pairs, "direction": self.direction}


MAX_ADVISED = 3  # tables of which the summary speaks


class NothingLeft(InputError):
    """Every picture was rejected, or there were none."""


def _names(files: str) -> str:
    """Return the names of the files that an option names, without their folders."""
    return ", ".join(Path(file).name for file in attribute_files(files))


class Chooser:
    """Chooses items, with their attributes and split; it returns None for the others."""

    def __init__(self, config: PrepareConfig) -> None:
        self.config = config
        self.table = read_attributes(config.attributes) if config.attributes else None
        self.splitter = Splitter(config.split)
        self.review = read_review(config.review) if config.review else None
        self.predicates: dict[tuple[str, ...], Predicate] = {}
        self.seen = self.chosen = self.advised = 0
        self.values: dict[str, dict[str, None]] = {}  # the first ones, of attributes in --where
        self.reading = self.new_reading()
        self.first: Iterator[Item] | None = None  # the items of the first source, once it is open
        self.partners: Partners | None = None  # the inputs of pairs, once they are open
        self.arrays: set[tuple[int, ...]] = set()  # shapes of pictures that come as arrays
        files = [*attribute_files(config.attributes), config.split, config.review]
        self.own_files = {Path(f).resolve() for f in files if f}

    def new_reading(self) -> Reading:
        """Return how sources are to be read, with nothing noted yet."""
        config = self.config
        return Reading(config.value_range, config.image_column, config.follow_links, config.classes)

    def check(self, item: Item, reading: Reading) -> None:
        """Raise InputError where --where asks for what an item of a source has not; count nothing."""
        if not self.config.where or item.reject or not self._included(item):
            return
        names = dict.fromkeys([*(self.table.names if self.table else ()), *item.attributes])
        parse_where(self.config.where, tuple(names), class_names=reading.class_names)

    def _included(self, item: Item) -> bool:
        pattern = self.config.include
        names = item.name, item.name.rpartition("/")[2]
        return not pattern or any(fnmatch.fnmatch(name, pattern) for name in names)

    def _predicate(self, attributes: dict[str, AttributeValue]) -> Predicate:
        names = tuple(attributes)
        if names not in self.predicates:
            known = self.reading.class_names
            self.predicates[names] = parse_where(self.config.where, names, class_names=known)
        return self.predicates[names]

    def why_none(self) -> str:
        """Return what kept every picture from being chosen, or ''."""
        options = " and ".join(f"--{k}" for k in ("include", "where") if getattr(self.config, k))
        held = "; ".join(f"{name}: {', '.join(as_sorted(values))}" for name, values in self.values.items())
        held = f" ({held})" if held else ""
        return "" if self.chosen or not self.seen else f"none of {self.seen} files fits {options}{held}"

    def _note_values(self, attributes: dict[str, AttributeValue]) -> None:
        """Remember what attributes hold of which ``--where`` speaks."""
        expression = plain(self.config.where)
        for name in (n for n, v in attributes.items() if v is not None and plain(n) in expression):
            held, value = self.values.setdefault(name, {}), attributes[name]
            if len(held) < 6:
                names = self.reading.class_names.get(name, [])
                known = isinstance(value, int) and 0 <= value < len(names)
                held[names[value] if known else str(value)] = None  # type: ignore[index]

    def _advise(self, item: Item) -> bool:
        """Note which option reads a table beside the pictures; return False for one that is read."""
        if Path(item.source).resolve() in self.own_files:
            return False
        words = set(re.findall(r"[a-z]+", item.name.rpartition("/")[2].lower()))
        option = "--split" if words & {"partition", "partitions", "split", "splits"} else "--attributes"
        text = "txt" in words and words & {"attr", "attributes", "labels", "list", "partition", "split"}
        known = self.splitter.table if option == "--split" else None
        if not known and self.advised < MAX_ADVISED and (text or words & {"csv", "tsv"}):
            self.advised += 1
            given = f"{self.config.attributes}," if option == "--attributes" and self.table else ""
            way = f"unpacked, {option} FILE" if "!" in item.source else f"{option} {given}{item.source}"
            self.reading.notes.add(f"{item.name} beside the pictures was not read; {way} reads it")
        return True

    def _note_arrays(self) -> None:
        """Say with which options pictures of arrays would stay as they are."""
        crop = self.config.crop
        if len(self.arrays) != 1 or crop.kind not in ("center", "none"):
            return
        (h, w, c), (height, width) = next(iter(self.arrays)), crop.shape[:2]
        enlarged, coloured = h < height or w < width, c == 1 and not crop.gray
        as_is = ["--size " + (f"{h}" if h == w else f"{h}x{w}")] * enlarged + ["--gray"] * coloured
        if as_is:
            what = f"{'grey ' * coloured}pictures of {w}x{h}"
            self.reading.notes.add(f"the source holds {what}; {' '.join(as_is)} keeps them so")

    def conclude(self) -> None:
        """Note what was found in the files beside the pictures; NothingLeft if one names none of these."""
        self._note_arrays()
        if self.review and (unused := self.review.unused()):
            lines = f"{len(unused):,} line{'s name' if len(unused) > 1 else ' names'}"
            self.reading.notes.add(f"{_names(self.config.review)}: {lines} no picture, such as {unused[0]}")
        for option, found in (("split", self.splitter), ("attributes", self.table)):
            if found is None or not found.matches.asked:
                continue
            matches, file = found.matches, getattr(self.config, option)
            for line in found.notes_on_matches():
                self.reading.notes.add(f"{_names(file)}: {line}")
            if not matches.found:
                names = ", ".join(matches.missing.names or matches.unclear.names)
                raise NothingLeft(
                    f"--{option} {file}: describes none of {matches.asked} files (it names "
                    f"'{found.index.names[0]}', they are '{names}'); nothing was written"
                )

    def __call__(self, item: Item) -> tuple[Item, str] | None:
        if not self._included(item):
            return None
        if item.reject == NO_IMAGE and not self._advise(item):
            return None
        if item.pixels is not None and not item.reject:
            self.arrays.add(item.pixels.shape)
        digest, attributes, own = item.digest(), item.attributes, item.split
        if self.table and not item.reject:
            values, listed = self.table.use(item.name, item.source, digest)
            known = {name: value for name, value in values.items() if value is not None}
            attributes, own = {**dict.fromkeys(values), **attributes, **known}, listed or own
        if self.config.where and not item.reject and not self._predicate(attributes)(attributes):
            if not self.chosen:
                self._note_values(attributes)
            return None
        split, why = "train", ""
        if not item.reject:
            split, why = self.splitter.use(item.name, item.source, digest=digest, own=own)
        if why:
            return replace(item, content=b"", pixels=None, paired=None, reject=why), "train"
        origin = _names(self.config.attributes) if own != item.split else item.split_from
        if origin and own == split and not self.splitter.table and not item.reject:
            self.reading.notes.tally(f"splits from {origin}", split)
        return item, split

    def open_sources(self) -> None:
        """Open all sources once.

        A source that is missing, or lacks what --where asks for, is reported before anything is written.
        """
        if inputs := self.config.inputs:
            reading = self.new_reading()
            self.partners = Partners(inputs, open_source(inputs, reading))
        for number, text in enumerate(self.config.sources):
            reading = self.new_reading() if number else self.reading
            source = open_source(text, reading)
            one = list(itertools.islice(source, 1))
            for item in one:
                self.check(item, reading)
            if not number:
                self.first = itertools.chain(one, source)

    def items(self) -> Iterator[tuple[Item, str]]:
        """Yield the wanted items of all sources in order, each with its split."""
        named = source_splits(self.config.sources)
        for number, text in enumerate(self.config.sources):
            source = self.first if self.first and not number else open_source(text, self.reading)
            for item in source:
                if text in named and item.split is None:
                    item = replace(item, split=named[text], split_from="names of sources")
                yield from self._chosen(self.partners.joined(item) if self.partners else item)
                if self.config.limit and self.chosen >= self.config.limit:
                    return
        for item in self.partners.left_over() if self.partners else ():
            yield from self._chosen(item)

    def _chosen(self, item: Item) -> Iterator[tuple[Item, str]]:
        """Yield an item with its split if it is wanted, and count it."""
        if self.review and not item.reject and (decisions := self.review.of(item.name, item.source)):
            item = replace(item, decisions=decisions)
        chosen = self(item)
        self.seen += 1
        if chosen is not None:
            self.chosen += 1
            yield chosen
