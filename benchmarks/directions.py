"""Do directions do what their names say? Judged by the network `evaluator`, which took no part.

    python benchmarks/directions.py [MODEL]       # a bundled model where none is named

Prints markdown: for the attribute --attribute, PCA, SeFa, boundaries and what ``facegan edit`` does, side
by side; for some other attributes, what ``facegan edit`` does; and how often a sum of words shows what it
should. Exit code 1 says that +2 turned less than 90% of the unsmiling, or changed male or eyeglasses in more
than 10%. Takes about ten CPU minutes; samples and gradients are kept for ``facegan directions``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

OTHERS = ("Male", "Eyeglasses", "Young")
WORDS = "smiling woman - neutral woman + neutral man"


class Bench:
    """A model, what `faces` sees in its samples, and what `evaluator` says of the seeds that are judged."""

    def __init__(self, reference: str, seeds: int, folder: str) -> None:
        from facegan.attributes.predictor import AttributePredictor
        from facegan.latent import directions as found
        from facegan.latent.finding import Finder
        from facegan.latent.phrase_groups import sheet
        from facegan.models import load

        self.model = load(reference).as_trained()
        self.faces, self.judge = AttributePredictor.load("faces"), AttributePredictor.load("evaluator")
        self.settings = found.Settings()
        kept = Path(folder) / "bench" if folder else found.place_in_cache(self.model)
        stages = found.stages_of(self.model, "faces", self.settings, target=kept)
        self.finder = Finder(self.model, self.faces, self.settings, on_progress=told, stages=stages)
        self.w = sheet(self.model, seeds)
        self.before = self.judge.predict(self.model.images(self.w))

    def vectors(self) -> Iterator[tuple[str, Callable[[str], torch.Tensor]]]:
        """Name, and one unit of an attribute's direction by each method."""
        from facegan.latent import unsupervised

        for title, find in (("PCA", unsupervised.pca), ("SeFa", unsupervised.sefa)):
            many = find(self.model, self.finder.spread, self.settings.components)
            effects = self.finder.effects(many)

            def nearest(attribute: str, many=many, effects=effects) -> torch.Tensor:
                own = effects[:, self.faces.column(attribute)]
                best = int(abs(own).argmax())
                return many[best] * float(1 if own[best] > 0 else -1)

            yield f"{title}, the best of {len(many)}", nearest
        for method, title in (
            ("boundary", "boundary"),
            ("projected", "boundary, projected"),
            ("steered", "steered"),
        ):
            rows = self.finder.attributes(method)
            yield title, lambda attribute, rows=rows: rows[self.faces.column(attribute)]

    def verdict(self, attribute: str, step: torch.Tensor, yes: bool, held: bool = False, most: int = 0):
        """Of the seeds' faces moved by ``step``; ``held`` as 'facegan edit' moves them."""
        from facegan.latent import editing
        from facegan.latent.evaluation import verdict

        guards = [n for n in ("Male", "Eyeglasses", "Smiling") if n != attribute][:2]
        columns = {name: self.judge.column(name) for name in guards}
        column = self.judge.column(attribute)
        most = most or len(self.w)
        asked = torch.from_numpy((self.before[:most, column] > 0.5) != yes)
        watch = [n for n in self.settings.protect if n != attribute] if held else []
        after = self.before[:most].copy()
        if bool(asked.any()):
            moved = editing.move(self.model, self.w[:most][asked], step, watch=watch)
            after[asked.numpy()] = self.judge.predict(self.model.images(moved))
        return verdict(self.before[:most], after, column, guards=columns, yes=yes)


def row(title: str, up, down) -> str:
    cells = [f"{up.turned:.1%} of {up.asked}", *(f"{share:.1%}" for share in up.changed.values())]
    cells += [f"{up.any:.1%}", f"{down.turned:.1%} of {down.asked}", f"{down.any:.1%}"]
    return f"| {title} | " + " | ".join(cells) + " |"


def told(what: str, done: int, count: int) -> None:
    if done == count:
        print(f"  {what}: {count}", file=sys.stderr, flush=True)


def compare(bench: Bench, attribute: str, strength: float):
    """The table of methods; the verdict on what 'facegan edit' does, and the steered directions."""
    print(
        f"| {attribute.lower()} | +{strength:g} turns | changes male | eyeglasses | either | "
        f"-{strength:g} turns back | changes either |"
    )
    print("|---" * 7 + "|")
    find = None
    for title, find in bench.vectors():
        step = strength * find(attribute)
        up, down = (bench.verdict(attribute, sign * step, sign > 0) for sign in (1, -1))
        print(row(title, up, down), flush=True)
    assert find is not None
    step = strength * find(attribute)
    up, down = (bench.verdict(attribute, sign * step, sign > 0, held=True) for sign in (1, -1))
    print(row("**steered and held (`facegan edit`)**", up, down), flush=True)
    return up, find


def others(bench: Bench, find: Callable[[str], torch.Tensor], strength: float) -> None:
    half = len(bench.w) // 2
    columns = [f"+{strength:g} turns", "changes others", f"-{strength:g} turns back", "others"]
    print(f"\n| `facegan edit`, seeds 0 to {half - 1} | {' | '.join(columns)} |")
    print("|---" * 5 + "|")
    for name in OTHERS:
        up, down = (
            bench.verdict(name, sign * strength * find(name), sign > 0, held=True, most=half)
            for sign in (1, -1)
        )
        besides = ", ".join(f"{n.lower()} {share:.1%}" for n, share in up.changed.items())
        back = ", ".join(f"{n.lower()} {share:.1%}" for n, share in down.changed.items())
        print(
            f"| {name.lower()} | {up.turned:.1%} of {up.asked} | {besides} | {down.turned:.1%} of "
            f"{down.asked} | {back} |",
            flush=True,
        )


def words(bench: Bench) -> None:
    from facegan.latent.phrase_groups import score_words

    print(f"\n| {WORDS} | draws | both | smiling | male | random triples, both |")
    print("|---" * 6 + "|")
    for members in (3, 10):
        found = score_words(bench.model, WORDS, members=members, samples=3000)
        if found is None:
            print(f"| averages of {members} | too few sure faces | | | | |")
            continue
        shares, control = found.shares["trials"], found.shares["control"]
        print(
            f"| averages of {members} | {len(found.members)} | {shares['both']:.1%} | "
            f"{shares['Smiling']:.1%} | {shares['Male']:.1%} | {control['both']:.1%} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="")
    parser.add_argument("--attribute", default="Smiling")
    parser.add_argument("--strength", type=float, default=2.0)
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--keep", default="", help="folder for what is done so far")
    options = parser.parse_args()
    from facegan.models import bundled

    model = options.model or next(iter(bundled()), "")
    if not model:
        sys.exit("name a model: none is bundled")
    bench = Bench(model, options.seeds, options.keep)
    print(f"Model `{bench.model.hash[:16]}`, seeds 0 to {options.seeds - 1}, judged by `evaluator`:\n")
    goal, steered = compare(bench, options.attribute, options.strength)
    others(bench, steered, options.strength)
    words(bench)
    sys.exit(0 if goal.turned >= 0.9 and goal.any <= 0.1 else 1)


if __name__ == "__main__":
    main()
