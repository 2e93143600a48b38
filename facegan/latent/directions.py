"""Directions of a model: found, kept in one file, looked up by name.

>>> found = facegan.directions(model)                     # minutes; deterministic by seed
>>> w = found.move(model.map(model.latent.sample([7])), {"smiling": 2.0, "eyeglasses": -1.0})
>>> pictures = model.images(w)
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegan import arguments, bars
from facegan.attributes.networks import digest, fit
from facegan.attributes.predictor import AttributePredictor
from facegan.caches import Cache
from facegan.data.filters import plain
from facegan.errors import InputError, ModelError, offered
from facegan.files import write_bytes
from facegan.generator import Generator
from facegan.latent import supervised, unsupervised, w_statistics
from facegan.latent.supervised import Seen, Told
from facegan.models import as_model
from facegan.tensor_files import ResumableTensors, read_tensors, tensor_bytes

FORMAT = 1
ASSETS = Path(__file__).parent.parent / "assets" / "directions"
PROTECT = ("Male", "Eyeglasses", "Young", "Smiling")
METHODS = ("steered", "projected", "boundary")


@dataclass(frozen=True)
class Settings:
    """How directions are found; equal settings and models give equal directions."""

    samples: int = 4000
    """Samples whose attributes the network sees."""
    gradients: int = 128
    """Samples at which its gradients are taken."""
    components: int = 10
    """Directions of PCA and of SeFa each."""
    method: str = "steered"
    """steered (gradients hold the other attributes still), projected (boundaries, less what they share with
    protected ones) or boundary."""
    protect: tuple[str, ...] = PROTECT
    """Attributes that must not change while others do."""
    other: float = 0.1
    """Weight of all other attributes, beside 1 for protected ones."""
    ridge: float = 0.1
    """Keeps a steered direction near to where it acts most."""
    effects: int = 32
    """Samples at which the effect of one unit of each direction is measured."""
    seed: int = 0
    """Of the samples."""


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

    def __repr__(self) -> str:
        kinds = ", ".join(f"{self.kinds.count(kind)} {kind}" for kind in dict.fromkeys(self.kinds))
        return f"<Directions: {len(self.names)} ({kinds}), of model {self.model_hash[:12]}>"

    def index(self, name: str) -> int:
        """Of a direction, by a name in any spelling; InputError lists what there is."""
        known = {plain(n): i for i, n in enumerate(self.names)}
        if plain(name) in known:
            return known[plain(name)]
        raise InputError(f"there is no direction '{name}' ({self.known(name)})")

    def known(self, name: str = "") -> str:
        """For a message: the nearest name, or some of them."""
        return offered([plain(n) for n in self.names], plain(name))

    def move(
        self, w: torch.Tensor, strengths: Mapping[str, float], layers: Sequence[int] | None = None
    ) -> torch.Tensor:
        """w ``N,num_ws,w_dim`` by so many units of each direction, in all layers or some."""
        step = torch.zeros_like(self.vectors[0])
        for name, strength in strengths.items():
            step += strength * self.vectors[self.index(name)]
        if layers is not None:
            kept = torch.zeros(len(step), 1)
            kept[list(layers)] = 1.0
            step = step * kept
        return w + step.to(w)

    def subset(self, names: Sequence[str]) -> Directions:
        """Those of ``names`` only."""
        rows = [self.index(name) for name in names]
        pick = lambda values: tuple(values[i] for i in rows)  # noqa: E731
        return Directions(
            pick(self.names),
            pick(self.kinds),
            self.vectors[rows],
            self.effects[rows],
            self.seen,
            {n: a for n, a in self.accuracy.items() if n in pick(self.names)},
            self.model_hash,
            self.metadata,
        )

    # --- files ------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """One ``.safetensors`` file, its header everything but the numbers."""
        if Path(path).suffix.lower() != ".safetensors":
            raise InputError(f"{path}: directions are .safetensors files; choose such a name")
        try:
            write_bytes(path, self.content())
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None

    def content(self) -> bytes:
        """The file's bytes."""
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
        """What :meth:`save` wrote; ModelError in one line if it is none, or not of ``model``."""
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
        if model is not None and found.model_hash != base_hash(model):
            raise ModelError(
                f"{path}: directions of another model (hash {found.model_hash[:12]}, "
                f"not {base_hash(model)[:12]}); make new ones with 'facegan directions'"
            )
        return found


def base_hash(model: Generator) -> str:
    """The model's hash; with a delta that of the model below it, whose directions it shares."""
    return str(model.meta.get("delta", {}).get("model") or model.hash)


# --- finding them -----------------------------------------------------------------------------------


def directions(
    model: Generator | str | Path,
    *,
    network: str = "faces",
    settings: Settings = Settings(),
    out: str | Path | None = None,
    told: Told | None = None,
    stages: ResumableTensors | None = None,
) -> Directions:
    """Find directions: PCA's, SeFa's, and one for each attribute that a network sees. Takes minutes.

    Args:
        model: what ``load`` takes, or a Generator.
        network: the attribute network: a bundled one or a file of ``train_attributes``.
        settings: how they are found.
        out: the file for them (.safetensors); interrupted, the same call goes on.
        told: is called with what, done, total; without it a bar shows the progress.
        stages: keeps what is done without ``out``, so that interrupted work goes on.
    """
    if told is None:
        with bars.shown() as bar:
            return directions(model, network=network, settings=settings, out=out, told=bar, stages=stages)
    if out is not None:
        model, network = as_model(model), str(arguments.place(network, "network"))
        stages = stages_of(model, network, settings, target=arguments.place(out, "out"))
        found = directions(model, network=network, settings=settings, told=told, stages=stages)
        found.save(out)
        stages.clear()
        return found
    model = as_model(model)
    _check(settings)
    predictor = AttributePredictor.load(arguments.place(network, "network"))
    stages = stages or ResumableTensors(None)
    spread = w_statistics.spread_of(model, settings.seed)
    seen = see(model, predictor, settings, told=told, stages=stages)
    planes = supervised.boundaries(seen, spread, predictor.names)
    made = attribute_directions(
        model, predictor, seen, planes=planes, settings=settings, told=told, stages=stages
    )
    names, kinds, vectors = list(predictor.names), ["attribute"] * len(made), [made]
    for kind, find in (("pca", unsupervised.pca), ("sefa", unsupervised.sefa)):
        if settings.components:
            told(kind, 0, 1)
            vectors.append(find(model, spread, settings.components))
            names += [f"{kind}{i + 1}" for i in range(len(vectors[-1]))]
            kinds += [kind] * len(vectors[-1])
    every = torch.cat(vectors).half().float()  # what a file holds
    effects = measure_effects(model, predictor, every, seen=seen, settings=settings, told=told)
    metadata = {
        "network": f"{Path(network).stem}-{digest(network)}",
        "settings": _plain_settings(settings),
        "labels": "as trained" if model.labels else "",
    }
    return Directions(
        tuple(names),
        tuple(kinds),
        every,
        effects,
        predictor.names,
        planes.accuracy,
        base_hash(model),
        metadata,
    )


def stages_of(model: Generator, network: str, settings: Settings, *, target: Path | None) -> ResumableTensors:
    """What was looked at so far, in a folder beside the file that will be; kept nowhere if there is none."""
    s = settings
    key = f"{model.hash}/{network}-{digest(network)}/{s.samples}/{s.gradients}/{s.seed}"
    return ResumableTensors(target.with_suffix(".part") if target is not None else None, key)


def see(
    model: Generator,
    predictor: AttributePredictor,
    settings: Settings,
    *,
    told: Told = lambda *_: None,
    stages: ResumableTensors | None = None,
) -> Seen:
    """The samples and their logits, kept by the thousand."""
    parts = []
    for first in range(0, settings.samples, 1000):
        count = min(1000, settings.samples - first)

        def look(first: int = first, count: int = count) -> list[torch.Tensor]:
            found = supervised.look(
                model, predictor, count, seed=settings.seed, first=first, on_progress=told
            )
            return [found.w, found.logits]

        parts.append((stages or ResumableTensors(None)).kept(f"seen-{first}", look))
    return Seen(*(torch.cat(rows) for rows in zip(*parts, strict=True)))


def gradients(
    model: Generator,
    predictor: AttributePredictor,
    seen: Seen,
    *,
    settings: Settings,
    told: Told = lambda *_: None,
    stages: ResumableTensors | None = None,
) -> torch.Tensor:
    """See :func:`supervised.jacobians`; kept in half precision, by 32 samples."""
    spread, parts = w_statistics.spread_of(model, settings.seed), []
    for first in range(0, settings.gradients, 32):
        count = min(32, settings.gradients - first)

        def take(first: int = first, count: int = count) -> list[torch.Tensor]:
            found = supervised.jacobians(
                model,
                predictor,
                spread,
                deviation=seen.deviation,
                count=count,
                seed=settings.seed,
                first=first,
                on_progress=told,
            )
            return [found.half()]

        parts += (stages or ResumableTensors(None)).kept(f"gradients-{first}", take)
    return torch.cat(parts).float()


def attribute_directions(
    model: Generator,
    predictor: AttributePredictor,
    seen: Seen,
    *,
    planes: supervised.Boundaries,
    settings: Settings,
    told: Told = lambda *_: None,
    stages: ResumableTensors | None = None,
) -> torch.Tensor:
    """One unit of each attribute's direction, ``K,num_ws,w_dim``, by ``settings.method``."""
    spread, names = w_statistics.spread_of(model, settings.seed), predictor.names
    weights = [
        supervised.protection(seen.logits, names, k, protect=settings.protect, other=settings.other)
        for k in range(len(names))
    ]
    if settings.method != "steered":
        rows = [
            supervised.project(planes.normals, k, (w == 1).nonzero()[:, 0].tolist())
            if settings.method == "projected"
            else planes.normals[k]
            for k, w in enumerate(weights)
        ]
        return torch.stack([spread.unit((row @ spread.root).expand(model.num_ws, -1)) for row in rows])

    found, made = gradients(model, predictor, seen, settings=settings, told=told, stages=stages), []
    for k, weight in enumerate(weights):
        told("solving", k, len(weights))
        x = supervised.steer(found, k, weight, ridge=settings.ridge)
        made.append(spread.unit(x.double() @ spread.root))
    return torch.stack(made)


def measure_effects(
    model: Generator,
    predictor: AttributePredictor,
    vectors: torch.Tensor,
    *,
    seen: Seen,
    settings: Settings,
    told: Told = lambda *_: None,
) -> np.ndarray:
    """``K,A``: half the difference of each logit between one unit up and one down, on average."""
    w = seen.w[: settings.effects, None].expand(-1, model.num_ws, -1)
    rows = []
    for k, v in enumerate(vectors):
        with torch.inference_mode():
            up, down = (
                predictor.network(fit(model.synthesize(w + sign * v).clamp(-1, 1), predictor.shape)).mean(0)
                for sign in (1, -1)
            )
        rows.append(((up - down) / 2).cpu().numpy() * predictor.scale / seen.deviation.numpy())
        told("measuring effects", k + 1, len(vectors))
    return np.stack(rows).astype(np.float32)


def _plain_settings(settings: Settings) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(settings).items()}


def _check(settings: Settings) -> None:
    if not isinstance(settings, Settings):
        raise InputError(f"settings must be directions.Settings, not {arguments.shown(settings)}")
    arguments.settings(Settings, vars(settings))
    if settings.method not in METHODS:
        raise InputError(f"--method '{settings.method}' is unknown (known: {', '.join(METHODS)})")
    for name, least in {"samples": 50, "gradients": 8, "effects": 8, "components": 0, "seed": 0}.items():
        if (value := getattr(settings, name)) < least:
            raise InputError(f"--{name} must be {least} or more, not {value}")


# --- where they lie ---------------------------------------------------------------------------------

_CACHE = Cache("directions")


def _kept_name(model: Generator) -> str:
    return f"{base_hash(model)[:32]}.safetensors"


def place_in_cache(model: Generator) -> Path | None:
    """Where this model's directions are to be kept; None where no cache folder can be written."""
    return _CACHE.place(_kept_name(model))


def directions_of(model: Generator, told: Told | None = None) -> Directions:
    """This model's directions: those found and kept before, the bundled ones, or found and kept now."""
    for kept in _CACHE.files(_kept_name(model)):
        try:
            return Directions.load(kept, model)
        except ModelError:
            with contextlib.suppress(OSError):
                kept.unlink()
    for file in sorted(ASSETS.glob("*.safetensors")):
        if (found := Directions.load(file)).model_hash == base_hash(model):
            return found
    stages = stages_of(model, "faces", settings := Settings(), target=place_in_cache(model))
    found = directions(model, settings=settings, told=told, stages=stages)
    if _CACHE.keep(_kept_name(model), lambda file: file.write(found.content())) is not None:
        stages.clear()
    return found
