"""Directions of a model: found, kept in one file, looked up by name.

>>> found = facegan.directions(model)                     # minutes; deterministic by seed
>>> w = found.move(model.map(model.latent.sample([7])), {"smiling": 2.0, "eyeglasses": -1.0})
>>> pictures = model.images(w)
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegan import arguments, bars, figures, images
from facegan.attributes.networks import digest
from facegan.attributes.predictor import AttributePredictor
from facegan.caches import Cache
from facegan.data.filters import plain
from facegan.deltas import base_hashes
from facegan.errors import InputError, ModelError, offered
from facegan.files import check_ending, write_bytes, writing
from facegan.generator import Generator
from facegan.latent import unsupervised
from facegan.latent.finding import Finder, Settings, check_settings, spell_protected
from facegan.latent.supervised import Progress
from facegan.models import as_model
from facegan.tensor_files import ResumableTensors, read_tensors, tensor_bytes

FORMAT = 1
ASSETS = Path(__file__).parent.parent / "assets" / "directions"
SHOWN = ("Smiling", "Male", "Eyeglasses", "Young")
FACE_CROPS = ("aligned", "face", "tutorial")  # crops that hold nothing but faces
SURE = 0.8  # accuracy from which a direction is suggested first where the pictures may show anything


@dataclass(frozen=True)
class Directions:
    """``vectors`` ``K,num_ws,w_dim``: one unit of each, as long as one standard deviation of samples.

    ``kinds`` are attribute, pca or sefa. ``effects`` ``K,A``: by how much one unit raises the logit of each
    attribute in ``seen``, in standard deviations over samples. ``accuracy`` is that of each attribute's
    boundary (balanced, on samples that were held out); rare attributes have none.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    vectors: torch.Tensor
    effects: np.ndarray
    seen: tuple[str, ...]
    accuracy: dict[str, float]
    model_hash: str
    metadata: dict[str, Any] = field(default_factory=dict)
    file: Path | None = None

    def __repr__(self) -> str:
        kinds = ", ".join(f"{self.kinds.count(kind)} {kind}" for kind in dict.fromkeys(self.kinds))
        return f"<Directions: {len(self.names)} ({kinds}), of model {self.model_hash[:12]}>"

    def index(self, name: str) -> int:
        """Return the number of a direction, by its name in any spelling; InputError lists what there is."""
        known = {plain(n): i for i, n in enumerate(self.names)}
        if plain(name) in known:
            return known[plain(name)]
        raise InputError(f"there is no direction '{name}' ({self.known(name)})")

    def known(self, name: str = "") -> str:
        """Return the nearest names, or some of them, for a message."""
        return offered([plain(n) for n in self.names], plain(name))

    def move(
        self, w: torch.Tensor, strengths: Mapping[str, float], layers: Sequence[int] | None = None
    ) -> torch.Tensor:
        """Return w ``N,num_ws,w_dim`` by so many units of each direction, in all layers or some."""
        step = torch.zeros_like(self.vectors[0])
        for name, strength in strengths.items():
            step += strength * self.vectors[self.index(name)]
        if layers is not None:
            kept = torch.zeros(len(step), 1)
            kept[list(layers)] = 1.0
            step = step * kept
        return w + step.to(w)

    def __str__(self) -> str:
        """Return a line for each: accuracy, its own effect, and what else it changes most."""
        head = "changes besides (standard deviations per unit)"
        lines = [f"{'direction':<22}{'accuracy':>9}{'effect':>8}  {head}"]
        for k, name in enumerate(self.names):
            effects = dict(zip(self.seen, self.effects[k].tolist(), strict=True))
            own = effects.pop(name, None)
            accuracy = f"{self.accuracy[name]:.0%}" if name in self.accuracy else "-"
            effect = f"{own:+.2f}" if own is not None else "-"
            most = sorted(effects, key=lambda n: -abs(effects[n]))[:4]
            besides = ", ".join(f"{plain(n)} {effects[n]:+.2f}" for n in most)
            lines.append(f"{plain(name):<22}{accuracy:>9}{effect:>8}  {besides}")
        return "\n".join(lines)

    def order(self) -> list[int]:
        """Return the numbers of all directions, the most telling ones first."""

        def rank(index: int) -> tuple[bool, int, float, int]:
            name = self.names[index]
            known = SHOWN.index(name) if name in SHOWN else len(SHOWN)
            return self.kinds[index] != "attribute", known, -self.accuracy.get(name, 0.0), index

        return sorted(range(len(self.names)), key=rank)

    def suggest(self, model: Generator) -> str:
        """Return the direction to try first, as ``facegan edit`` takes it; '' where there is none.

        Words for faces come first where the pictures are faces that were found; of other colour pictures they
        must be told apart well. Of gray ones, such as digits, the network's words mean nothing, so that a
        component comes first.
        """
        least = 0.0 if (model.meta.get("alignment") or {}).get("kind") in FACE_CROPS else SURE
        words = SHOWN if least < SURE or model.image_shape[0] > 1 else ()
        usual = [n for n in words if n in self.names and self.accuracy.get(n, 0.5) >= least]
        pairs = zip(self.names, self.kinds, strict=True)
        components = [name for name, kind in pairs if kind != "attribute"]
        others = sorted(self.names, key=lambda name: -self.accuracy.get(name, 0.0))
        return plain(next(iter([*usual, *components, *others]), ""))

    def draw(self, model: Generator, seed: int = 0) -> np.ndarray:
        """Return a figure, uint8 ``H,W,3``, of what each direction does to the face of a seed."""
        with torch.inference_mode():
            w = model.map(model.latent.sample([seed]), labels=model.labels_of([seed])).cpu().clone()
        rows, steps = [], (-3, -1.5, 0, 1.5, 3)
        for name in self.names:
            faces = np.concatenate([model.images(self.move(w, {name: step})) for step in steps])
            large = figures.magnified(faces, len(faces), 0, wide=figures.WIDE // 2)
            rows.append((plain(name).replace("_", " "), list(figures.colour(large))))
        return figures.table(rows, [f"{step:+g}" if step else f"seed {seed}" for step in steps])

    # --- files ------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write one ``.safetensors`` file, its header everything but the numbers."""
        if Path(path).suffix.lower() != ".safetensors":
            raise InputError(f"{path}: directions are .safetensors files; choose such a name")
        try:
            write_bytes(path, self.content())
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None

    def content(self) -> bytes:
        """Return the file's bytes."""
        head = {
            "format": FORMAT,
            "names": self.names,
            "kinds": self.kinds,
            "seen": self.seen,
            "accuracy": self.accuracy,
            "model": self.model_hash,
            "papers": self.metadata,
        }
        tensors = {
            "vectors": self.vectors.half(),
            "effects": torch.from_numpy(self.effects.astype(np.float32)),
        }
        return tensor_bytes("facegan-directions", head, tensors)

    @classmethod
    def load(cls, path: str | Path, model: Generator | None = None) -> Directions:
        """Return what :meth:`save` wrote; ModelError in one line if it is none, or not of ``model``."""
        absent = "file of directions"
        with read_tensors(path, "facegan-directions", FORMAT, what="directions", absent=absent) as (
            head,
            tensors,
        ):
            names, seen = tuple(map(str, head["names"])), tuple(map(str, head["seen"]))
            vectors, effects = tensors["vectors"].float(), tensors["effects"].numpy()
            if vectors.ndim != 3 or len(vectors) != len(names) or effects.shape != (len(names), len(seen)):
                raise ValueError("other numbers of names")
            if not torch.isfinite(vectors).all():
                raise ValueError("some values are not finite")
            found = cls(
                names,
                tuple(map(str, head["kinds"])),
                vectors,
                effects,
                seen,
                dict(head["accuracy"]),
                str(head["model"]),
                dict(head["papers"]),
            )
        if model is not None and found.model_hash not in (known := base_hashes(model)):
            raise ModelError(
                f"{path}: directions of another model (hash {found.model_hash[:12]}, "
                f"not {known[0][:12]}); make new ones with 'facegan directions'"
            )
        return found


# --- finding them -----------------------------------------------------------------------------------


def directions(
    model: Generator | str | Path,
    *,
    network: str = "faces",
    settings: Settings = Settings(),  # noqa: B008
    out: str | Path | None = None,
    figure: str | Path | None = None,
    mark: bool = True,
    device: str = "cpu",
    on_progress: Progress | None = None,
    stages: ResumableTensors | None = None,
) -> Directions:
    """Find directions: PCA's, SeFa's, and one for each attribute that a network sees. Takes minutes.

    Args:
        model: what ``load`` takes, or a Generator.
        network: the attribute network: a bundled one or a file of ``train_attributes``.
        settings: how they are found.
        out: the file for them (.safetensors); "" is in the cache, where :func:`facegan.edit` looks.
            Interrupted, the same call goes on.
        figure: a .png of what each direction does to the face of seed 0.
        mark: write into the figure that it is generated, and by what.
        device: cpu, cuda or mps, of a model that is loaded.
        on_progress: receives what is done, how much, and of how much; without it a bar shows it.
        stages: keeps what is done without ``out``, so that interrupted work goes on.
    """
    check_settings(settings)
    for option, name, ending in (("--out", out, ".safetensors"), ("--figure", figure, ".png")):
        if name:
            check_ending(option, str(name), [ending])
    model, network = as_model(model, device), str(arguments.place(network, "network"))
    target = None
    if out is not None:
        target = arguments.place(out, "out") if out else place_in_cache(model)
        if target is None:
            raise InputError("no cache folder can be written; name the file with --out, or set FACEGAN_CACHE")
        stages = stages_of(model, network, settings, target=target)
    with bars.shown(on_progress) as show:
        found = _find(model, network, settings, on_progress=show, stages=stages)
    if target is not None and stages is not None:
        found.save(target)
        stages.clear()
    if figure:
        with writing("--figure", str(figure)):
            images.save_png(figure, found.draw(model), figures.origin(model.hash, seed="0", mark=mark))
    return replace(found, file=target)


def _find(
    model: Generator,
    network: str,
    settings: Settings,
    *,
    on_progress: Progress,
    stages: ResumableTensors | None,
) -> Directions:
    predictor = AttributePredictor.load(network)
    settings = replace(settings, protect=spell_protected(settings.protect, predictor.names))
    finder = Finder(model, predictor, settings, on_progress=on_progress, stages=stages)
    made = finder.attributes()
    names, kinds, vectors = list(predictor.names), ["attribute"] * len(made), [made]
    for kind, find in (("pca", unsupervised.pca), ("sefa", unsupervised.sefa)):
        if settings.components:
            on_progress(kind, 0, 1)
            vectors.append(find(model, finder.spread, settings.components))
            names += [f"{kind}{i + 1}" for i in range(len(vectors[-1]))]
            kinds += [kind] * len(vectors[-1])
    every = torch.cat(vectors).half().float()  # what a file holds
    metadata = {
        "network": f"{Path(network).stem}-{digest(network)}",
        "settings": {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(settings).items()},
        "labels": "as trained" if model.labels else "",
    }
    return Directions(
        tuple(names),
        tuple(kinds),
        every,
        finder.effects(every),
        predictor.names,
        finder.planes.accuracy,
        base_hashes(model)[0],
        metadata,
    )


def stages_of(model: Generator, network: str, settings: Settings, *, target: Path | None) -> ResumableTensors:
    """Return what was looked at so far, in a folder beside the file that will be; without one, nothing."""
    s = settings
    key = f"{model.hash}/{network}-{digest(network)}/{s.samples}/{s.gradients}/{s.seed}"
    return ResumableTensors(target.with_suffix(".part") if target is not None else None, key)


# --- where they lie ---------------------------------------------------------------------------------

_CACHE = Cache("directions")


def _kept_name(digest: str) -> str:
    return f"{digest[:32]}.safetensors"


def place_in_cache(model: Generator) -> Path | None:
    """Return where this model's directions are to be kept; None where no cache folder can be written."""
    return _CACHE.place(_kept_name(base_hashes(model)[0]))


def kept_directions(model: Generator) -> Directions | None:
    """Return this model's directions, if they were kept before or come with the package."""
    known = base_hashes(model)
    for kept in (file for name in known for file in _CACHE.files(_kept_name(name))):
        try:
            return Directions.load(kept, model)
        except ModelError:
            with contextlib.suppress(OSError):
                kept.unlink()
    for file in sorted(ASSETS.glob("*.safetensors")):
        if (found := Directions.load(file)).model_hash in known:
            return found
    return None


def directions_of(model: Generator, on_progress: Progress | None = None) -> Directions:
    """Return this model's directions: those kept before, the bundled ones, or found and kept now."""
    if (known := kept_directions(model)) is not None:
        return known
    stages = stages_of(model, "faces", Settings(), target=place_in_cache(model))
    found = directions(model, on_progress=on_progress, stages=stages)
    if _CACHE.keep(_kept_name(base_hashes(model)[0]), lambda file: file.write(found.content())) is not None:
        stages.clear()
    return found
