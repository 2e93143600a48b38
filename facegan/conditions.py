"""Define the labels of conditional models, with their frequencies in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from facegan import arguments, rng
from facegan.attributes.phrases import meaning
from facegan.data.filters import CLASS_ATTRIBUTE, CLASS_WORDS, plain
from facegan.errors import InputError

if TYPE_CHECKING:
    import torch

_TRUTH = {"yes": "1", "no": "0", "true": "1", "false": "0"}


class Conditions:
    """Describe labels as channels of numbers, with the frequencies of their combinations in training."""

    def __init__(self, labels: Sequence[str], rows: dict[str, Any]) -> None:
        import torch

        self.labels = tuple(labels)
        self.recorded = bool(rows.get("rows"))
        table = rows.get("rows") or [[0] * len(self.labels)]
        self.rows = torch.tensor(table, dtype=torch.float32).reshape(len(table), len(self.labels))
        counts = rows.get("counts") or [1] * len(table)
        self.share = torch.tensor(counts, dtype=torch.float64) / sum(counts)

    def __repr__(self) -> str:
        return f"<Conditions on {', '.join(self.labels)}: {len(self.rows)} rows>"

    def parse(self, words: Sequence[str]) -> dict[int, float]:
        """Parse ``["smiling=1", "label=7"]`` or ``["smiling woman", "digit 7"]`` into channel -> value.

        Raises:
            InputError: a word is unknown or could mean several labels, or two of them contradict each other.
        """
        fixed: dict[int, float] = {}
        given: set[str] = set()
        for word in words:
            for name, value in self._read(word):
                if name in given:
                    raise InputError(f"--labels: {name} is named twice")
                given.add(name)
                channels = self._channels(name)
                if list(channels) == [""]:
                    fixed[channels[""]] = float(value)
                else:  # one class among several
                    fixed |= dict.fromkeys(channels.values(), 0.0) | {channels[value]: 1.0}
        return fixed

    def _channels(self, name: str) -> dict[str, int]:
        """Return the channels of an attribute by its classes; of a yes/no one, its channel by ""."""
        parts = (label.partition("=") for label in self.labels)
        return {plain(value): i for i, (own, _, value) in enumerate(parts) if plain(own) == name}

    @property
    def attributes(self) -> dict[str, list[str]]:
        """The classes by attribute, both without regard to case; [""] of a yes/no attribute."""
        names = dict.fromkeys(plain(label.partition("=")[0]) for label in self.labels)
        return {name: list(self._channels(name)) for name in names}

    def _read(self, text: str) -> list[tuple[str, str]]:
        """Return the attributes and values that a part between commas names."""
        name, equals, value = (plain(part) for part in text.partition("="))
        table = self.attributes
        name = name if name in table or name not in CLASS_WORDS else CLASS_ATTRIBUTE
        if equals:
            classes = table.get(name, [])
            value = _TRUTH.get(value, value) if classes == [""] else value
            if value in classes or (classes == [""] and value in ("0", "1")):
                return [(name, value)]
            raise InputError(f"--labels: '{text}' is not understood; {self._known()}")
        if table.get(name) == [""]:
            return [(name, "1")]
        found, rest = self._classes_in(text, table)
        if rest:
            yes_no = [label for label in self.labels if "=" not in label]
            try:
                found += [(plain(k), "1" if yes else "0") for k, yes in meaning(rest, yes_no).items()]
            except InputError as error:
                why = f" ({error})" if yes_no else ""
                raise InputError(f"--labels: '{text}' is not understood{why}; {self._known()}") from None
        if not found:
            raise InputError(f"--labels: '{text}' is not understood; {self._known()}")
        return found

    def _classes_in(self, text: str, table: dict[str, list[str]]) -> tuple[list[tuple[str, str]], str]:
        """Return the classes that a phrase names, by attribute, and what is left of it.

        The longest name counts ("east asian" before "asian"). "hair white" is white of the attribute hair.
        """
        words = text.lower().split()
        found: list[tuple[str, str]] = []
        grouped = {name: classes for name, classes in table.items() if classes != [""]}
        speaks_of = {n for n in grouped if set(n.split("_")) <= set(words)}
        at = 0
        rest: list[str] = []
        while at < len(words):
            for size in range(len(words) - at, 0, -1):
                value = plain(" ".join(words[at : at + size]))
                having = [name for name, classes in grouped.items() if value in classes]
                having = [name for name in having if name in speaks_of] or having
                if len(having) > 1:
                    options = " or ".join(f"{name}={value}" for name in having)
                    raise InputError(f"--labels: '{text}' could be {options}")
                if having:
                    found.append((having[0], value))
                    break
            else:
                size = 1
                rest.append(words[at])
            at += size
        said = {word for name, _ in found for word in name.split("_")} | (CLASS_WORDS if found else set())
        return found, " ".join(word for word in rest if word not in said)

    def _known(self) -> str:
        words = ", ".join(f"{n}" if "=" in n else f"{n}=0/1" for n in self.labels[:20])
        return f"this model knows {words}, random"

    def _agreeing(self, fixed: dict[int, float]) -> torch.Tensor:
        """Return the weight of each row: 0 if it contradicts; if all do, all count and are overruled."""
        import torch

        agrees = torch.ones(len(self.rows), dtype=torch.bool)
        for channel, value in fixed.items():
            agrees &= self.rows[:, channel] == value
        return self.share * agrees if bool(agrees.any()) else self.share

    def row(self, fixed: dict[int, float]) -> torch.Tensor:
        """Return ``L``, the most frequent labels that agree with ``fixed``."""
        row = self.rows[int(self._agreeing(fixed).argmax())].clone()
        for channel, value in fixed.items():
            row[channel] = value
        return row

    def combinations(self, fixed: dict[int, float]) -> torch.Tensor:
        """Return ``M,L``: the training pictures' combinations of labels that agree with ``fixed``, in order.

        The first class comes first, and yes before no. A model that does not say how often its labels occur
        has one row for each class, or for each attribute on its own and for none.
        """
        import torch

        rows = self.rows
        if not self.recorded:
            alone = torch.eye(len(self.labels))
            rows = alone if all("=" in label for label in self.labels) else torch.cat([alone, 0 * alone[:1]])
        rows = torch.stack(
            [row for row in rows if all(row[i] == v for i, v in fixed.items())] or [self.row(fixed)]
        )
        return torch.tensor(sorted(rows.unique(dim=0).tolist(), reverse=True))

    def spelled(self, row: torch.Tensor) -> str:
        """Return labels ``L`` in the form that :meth:`parse` reads, between commas."""
        named = zip(self.labels, row.tolist(), strict=True)
        return ",".join(n if "=" in n else f"{n}={v:g}" for n, v in named if v or "=" not in n)

    def draw(self, seeds: arguments.Seeds, fixed: dict[int, float]) -> torch.Tensor:
        """Draw labels ``N,L`` that agree with ``fixed``, one draw per seed."""
        import torch

        upto = self._agreeing(fixed).cumsum(0)
        u = [rng.uniform(seed, "labels", 0, count=1)[0, 0] for seed in arguments.seeds(seeds)]
        chosen = torch.searchsorted(upto, torch.tensor(u, dtype=torch.float64) * upto[-1], right=True)
        rows = self.rows[chosen.clamp_max(len(self.rows) - 1)]
        for channel, value in fixed.items():
            rows[:, channel] = value
        return rows
