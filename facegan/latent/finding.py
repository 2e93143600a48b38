"""Finding directions: what a network sees in a model's samples, its gradients there, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from facegan import arguments
from facegan.attributes.networks import fit
from facegan.attributes.phrases import meaning
from facegan.attributes.predictor import AttributePredictor
from facegan.errors import InputError
from facegan.generator import Generator
from facegan.latent import supervised, w_statistics
from facegan.latent.supervised import Progress, Seen
from facegan.settings import check_values, setting
from facegan.tensor_files import ResumableTensors

PROTECT = ("Male", "Eyeglasses", "Young", "Smiling")
METHODS = ("steered", "projected", "boundary")


@dataclass(frozen=True)
class Settings:
    """How directions are found; equal settings and models give equal directions."""

    samples: int = setting(4000, minimum=50)
    """Samples whose attributes the network sees."""
    gradients: int = setting(128, minimum=8)
    """Samples at which its gradients are taken."""
    components: int = setting(10, minimum=0)
    """Directions of PCA and of SeFa each."""
    method: str = setting("steered", choices=METHODS)
    """steered (gradients hold the other attributes still), projected (boundaries, less what they share with
    protected ones) or boundary."""
    protect: tuple[str, ...] = PROTECT
    """Attributes that must not change while others do."""
    other: float = 0.1
    """Weight of all other attributes, beside 1 for protected ones."""
    ridge: float = 0.1
    """Keeps a steered direction near to where it acts most."""
    effects: int = setting(32, minimum=8)
    """Samples at which the effect of one unit of each direction is measured."""
    seed: int = setting(0, minimum=0)
    """Of the samples."""


def check_settings(settings: Settings) -> None:
    """Raise InputError for settings that cannot be."""
    if not isinstance(settings, Settings):
        raise InputError(f"settings must be directions.Settings, not {arguments.shown(settings)}")
    arguments.settings(Settings, vars(settings))
    check_values(settings, error=InputError)


def spell_protected(words: Sequence[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """Return attributes as the network spells them, less those of the default that it does not know."""
    found: list[str] = []
    for word in filter(None, (w.strip() for w in words)):
        try:
            found += meaning(word, known)
        except InputError as error:
            if word.capitalize() not in PROTECT:
                raise InputError(f"--protect {error}") from None
    return tuple(dict.fromkeys(found))


class Finder:
    """A model's samples and what an attribute network sees in them; ``stages`` keeps what takes long."""

    def __init__(
        self,
        model: Generator,
        predictor: AttributePredictor,
        settings: Settings,
        *,
        on_progress: Progress = lambda *_: None,
        stages: ResumableTensors | None = None,
    ) -> None:
        self.model, self.predictor, self.settings = model, predictor, settings
        self.on_progress, self.stages = on_progress, stages or ResumableTensors(None)
        self.spread = w_statistics.spread_of(model, settings.seed)

    @cached_property
    def seen(self) -> Seen:
        """The samples and their logits, kept by the thousand."""
        parts = []
        for first in range(0, self.settings.samples, 1000):
            count = min(1000, self.settings.samples - first)

            def look(first: int = first, count: int = count) -> list[torch.Tensor]:
                found = supervised.look(
                    self.model,
                    self.predictor,
                    count,
                    seed=self.settings.seed,
                    first=first,
                    on_progress=self.on_progress,
                )
                return [found.w, found.logits]

            parts.append(self.stages.kept(f"seen-{first}", look))
        return Seen(*(torch.cat(rows) for rows in zip(*parts, strict=True)))

    @cached_property
    def planes(self) -> supervised.Boundaries:
        """The boundary of each attribute."""
        return supervised.boundaries(self.seen, self.spread, self.predictor.names)

    @cached_property
    def gradients(self) -> torch.Tensor:
        """See :func:`supervised.jacobians`; kept in half precision, by 32 samples."""
        parts = []
        for first in range(0, self.settings.gradients, 32):
            count = min(32, self.settings.gradients - first)

            def take(first: int = first, count: int = count) -> list[torch.Tensor]:
                found = supervised.jacobians(
                    self.model,
                    self.predictor,
                    self.spread,
                    deviation=self.seen.deviation,
                    count=count,
                    seed=self.settings.seed,
                    first=first,
                    on_progress=self.on_progress,
                )
                return [found.half()]

            parts += self.stages.kept(f"gradients-{first}", take)
        return torch.cat(parts).float()

    def attributes(self, method: str = "") -> torch.Tensor:
        """Return one unit of each attribute's direction, ``K,num_ws,w_dim``, by a method of ``METHODS``."""
        names, s, made = self.predictor.names, self.settings, []
        for k in range(len(names)):
            weight = supervised.protection(self.seen.logits, names, k, protect=s.protect, other=s.other)
            if (method or s.method) == "steered":
                gradients = self.gradients
                self.on_progress("solving", k, len(names))
                x = supervised.steer(gradients, k, weight, ridge=s.ridge).double()
                made.append(self.spread.unit(x @ self.spread.root))
                continue
            row = self.planes.normals[k]
            if (method or s.method) == "projected":
                row = supervised.project(self.planes.normals, k, (weight == 1).nonzero()[:, 0].tolist())
            made.append(self.spread.unit((row @ self.spread.root).expand(self.model.num_ws, -1)))
        return torch.stack(made)

    def effects(self, vectors: torch.Tensor) -> np.ndarray:
        """Return ``K,A``: half the difference of each logit between one unit up and one down, on average."""
        predictor, rows = self.predictor, []
        w = self.seen.w[: self.settings.effects, None].expand(-1, self.model.num_ws, -1)
        for k, v in enumerate(vectors):
            with torch.inference_mode():
                up, down = (
                    predictor.network(
                        fit(self.model.synthesize(w + sign * v).clamp(-1, 1), predictor.shape)
                    ).mean(0)
                    for sign in (1, -1)
                )
            deviation = self.seen.deviation.numpy()
            rows.append(((up - down) / 2).cpu().numpy() * predictor.scale / deviation)
            self.on_progress("measuring effects", k + 1, len(vectors))
        return np.stack(rows).astype(np.float32)
