"""One update of both networks.

An update can be cut into pieces (``accumulate``) and shared between processes; whatever is drawn
belongs to an image's global index, so that the cut changes nothing but the order of summation. Only what
looks over a batch (batch norm, minibatch deviation, running means) sees one piece at a time, and a network's
own noise and dropout are drawn for one. Half of a batch is every second image of a piece.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import numpy as np
import torch

from facegan import distributed, rng
from facegan.devices import send
from facegan.errors import ConfigError
from facegan.families import get_family
from facegan.layers.ema import ema_decay, update_ema
from facegan.layers.network import Mix
from facegan.losses.adversarial import LOSSES
from facegan.losses.penalties import (
    gradient_penalty,
    interpolation_penalty,
    path_length_mean,
    path_length_penalty,
    path_lengths,
)  # fmt: skip
from facegan.training.augmentation import adapt, augmented
from facegan.training.state import (
    Batch,
    Part,
    TrainState,
    draw_latents,
    next_fakes,
    parts,
    schedule,
    set_rates,
)  # fmt: skip

HEADS = LOSSES["hinge"]  # of heads on a frozen network


class Feed(Protocol):
    """Images ``N,C,H,W`` in [-1, 1]: part ``low .. high - 1`` of the batch that begins at ``start``.

    Where training is conditional, ``labels`` are theirs (``N,L``), and ``drawn_labels`` those of
    generated images.
    """

    def __call__(self, start: int, count: int, part: Part | None = None) -> torch.Tensor: ...


def _autocast(state: TrainState) -> AbstractContextManager[Any]:
    if state.config.precision == "bfloat16":
        return torch.autocast(state.device.type, torch.bfloat16)
    return nullcontext()


def _beside(x: torch.Tensor, draws: np.ndarray) -> torch.Tensor:
    """Numbers where ``x`` lies, in its type."""
    return send(torch.from_numpy(draws).to(x.dtype), x.device)


class Update:
    """The two batches of an update, and what both networks make of them."""

    def __init__(self, state: TrainState, feed: Feed, real: Batch, fake: Batch) -> None:
        self.state, self.feed, self.real, self.fake = state, feed, real, fake
        self.loss = LOSSES[state.config.loss]
        self.projected: dict[str, torch.Tensor] = {}  # logits of the heads on a frozen network, by kind
        self.iterated = False

    # --- images -------------------------------------------------------------------------------

    def reals(self, part: Part) -> torch.Tensor:
        """Real images as the discriminator takes them at this stage of training."""
        images = self.feed(self.real.start, self.real.count, part).to(self.state.dtype)
        return self.state.discriminator.prepare_real(images)

    def real_labels(self, part: Part) -> torch.Tensor | None:
        if not self.state.label_dim:
            return None
        labels = self.feed.labels(self.real.start, self.real.count, part)  # type: ignore[attr-defined]
        return labels.to(self.state.dtype)

    def fake_labels(self, part: Part) -> torch.Tensor | None:
        """Those of the data; a loss over pairs compares pictures with the same labels."""
        if not self.state.label_dim:
            return None
        if self.loss.needs_real:
            return self.real_labels(part)
        labels = self.feed.drawn_labels(self.fake.start, part)  # type: ignore[attr-defined]
        return labels.to(self.state.dtype)

    def generate(self, part: Part, grad: bool) -> torch.Tensor:
        state = self.state
        z, labels = draw_latents(state, self.fake, part), self.fake_labels(part)
        with torch.set_grad_enabled(grad), _autocast(state):
            if grad or not state.config.frozen_fakes:
                return state.generator(z, labels, self._mixed(part))
            state.generator.eval()
            fakes = state.generator(z, labels)
            state.generator.train()
            return fakes

    def _mixed(self, part: Part) -> Mix | None:
        """Return second latents if the generator mixes styles."""
        state, (low, high) = self.state, part
        if not get_family(state.config.family).style_mixing(state.config.model):
            return None
        u = rng.uniform(state.config.seed, "style-mixing", self.fake.start + low, high - low, 2)
        z = draw_latents(state, self.fake, part, "latent-mixing")
        return z, _beside(z, u)

    # --- judgements ---------------------------------------------------------------------------

    def judge(self, images: torch.Tensor, labels: torch.Tensor | None, kind: str, first: int) -> torch.Tensor:
        """Logits ``N``, above 0 for real; a network that learns 1 for generated says the opposite.

        ``first`` is the global index of the first image among those of its ``kind``.
        """
        state = self.state
        seen = augmented(state, images, kind, first)
        heads = state.discriminator.projected
        with _autocast(state):
            logits = state.discriminator(seen, labels).to(state.dtype)
            if heads is not None and kind in ("real", "fake", "g"):
                # Spectral norms take one power iteration an update, into however many pieces it is cut.
                heads.train(not self.iterated)
                self.iterated = True
                # Only the generator learns through the frozen network.
                self.projected[kind] = heads(seen if kind == "g" else seen.detach()).to(state.dtype)
        return -logits if state.config.flip_labels else logits

    def on_reals(self, part: Part, grad: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        images = self.reals(part).requires_grad_(grad)
        logits = self.judge(images, self.real_labels(part), "real", self.real.start + part[0])
        _record_logits(self.state, "real", logits, logits > self.loss.boundary)
        return logits, images

    def on_fakes(
        self, part: Part, shown: torch.Tensor | None, grad: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        images = self.generate(part, grad=False) if shown is None else shown
        images = images.detach().requires_grad_(grad)
        logits = self.judge(images, self.fake_labels(part), "fake", self.fake.start + part[0])
        _record_logits(self.state, "fake", logits, logits < self.loss.boundary)
        return logits, images

    def projected_loss(self, *kinds: str) -> torch.Tensor | float:
        """The weighted hinge loss of the heads on what was judged as these ``kinds``; 0 without heads."""
        state = self.state
        total: torch.Tensor | float = 0.0
        for kind in kinds if self.projected else ():
            term = {"real": HEADS.d_real, "fake": HEADS.d_fake, "g": lambda x: HEADS.g(x, None)}[kind]
            assert term is not None
            value = term(self.projected.pop(kind))
            if kind != "g":
                state.record(f"loss_projected_{kind}", value)
            total = total + value * state.discriminator.projected_weight
        return total

    def noise(self, kind: str, batch: Batch, part: Part, logits: torch.Tensor) -> torch.Tensor:
        """What label_noise x U(0, 1) on each label adds to the binary cross entropy.

        BCE(x, t) = softplus(x) - t x on logits, so that t + u adds -u x; where labels are flipped, -x
        takes the place of x.
        """
        c, (low, high) = self.state.config, part
        u = rng.uniform(c.seed, f"label-noise-{kind}", batch.start + low, high - low)[:, 0]
        sign = 1.0 if c.flip_labels else -1.0
        return sign * c.label_noise * (_beside(logits, u) * logits).mean()


def _record_logits(state: TrainState, kind: str, logits: torch.Tensor, right: torch.Tensor) -> None:
    state.record(f"score_{kind}", logits)
    state.record(f"accuracy_{kind}", right.float())


def _apply(
    state: TrainState, side: str, losses: Callable[[Part], torch.Tensor], pieces: Iterable[Part]
) -> None:
    """One step of an optimiser on the mean of ``losses`` over the pieces and processes."""
    network, optimizer = (
        (state.generator, state.g_optimizer) if side == "g" else (state.discriminator, state.d_optimizer)
    )
    optimizer.zero_grad(set_to_none=True)
    for part in pieces:
        (losses(part) / state.config.accumulate).backward()
    distributed.average_gradients(network.parameters())
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    state.record(f"grad_{side}", torch.stack(torch._foreach_norm(gradients)).square().sum().sqrt())
    settings = state.config.model.generator if side == "g" else state.config.model.discriminator
    if settings.eps_hat:
        # sqrt(v / (1 - b2^t)) + e is what torch divides by; sqrt(v) + eps, corrected as a whole, is Keras's.
        done = next((int(values["step"]) for values in optimizer.state.values()), 0)
        for group in optimizer.param_groups:
            group["eps"] = settings.eps / math.sqrt(1.0 - settings.beta2 ** (done + 1))
    optimizer.step()


def update_discriminator(
    state: TrainState, feed: Feed, real: Batch, fake: Batch, shown: torch.Tensor | None
) -> None:
    """One update (two with ``d_split``); ``shown`` are the generated images where they are there already."""
    c = state.config
    update = Update(state, feed, real, fake)
    loss = update.loss
    # Regularised lazily, with the weight raised as much (Karras et al. 2020, section 3.1); in the loss's own
    # step of Adam, so that its rate and moments stay as they are set (appendix B scales those).
    penalised = (c.r1_gamma > 0 or c.r2_gamma > 0) and state.updates % c.r1_every == 0
    decline = schedule(state, c.burnin_gamma, 1.0)

    def on_one(part: Part, kind: str) -> torch.Tensor:
        logits, _ = update.on_reals(part) if kind == "real" else update.on_fakes(part, shown)
        term = loss.d_real if kind == "real" else loss.d_fake
        assert term is not None
        value = term(logits)
        state.record(f"loss_{kind}", value)
        value = value + update.projected_loss(kind)
        batch = real if kind == "real" else fake
        return value + update.noise(kind, batch, part, logits) if c.label_noise else value

    def on_both(part: Part) -> torch.Tensor:
        x, real_images = update.on_reals(part, penalised and c.r1_gamma > 0)
        y, fake_images = update.on_fakes(part, shown, penalised and c.r2_gamma > 0)
        adapt(state, x - y if loss.needs_real or not loss.bounded else x - loss.boundary)
        objective = loss.d(x, y)
        state.record("loss_d", objective)
        objective = objective + update.projected_loss("real", "fake")
        if loss.d_real is not None and loss.d_fake is not None:
            with torch.no_grad():
                state.record("loss_real", loss.d_real(x))
                state.record("loss_fake", loss.d_fake(y))
        if c.label_noise:
            noise = update.noise("real", real, part, x) + update.noise("fake", fake, part, y)
            objective = objective + loss.d_scale * noise
        for name, gamma, logits, images in (
            ("r1", c.r1_gamma, x, real_images),
            ("r2", c.r2_gamma, y, fake_images),
        ):
            if penalised and gamma > 0:
                penalty = gradient_penalty(logits, images)
                state.record(name, penalty)
                objective = objective + penalty * (gamma * decline * c.r1_every)
        if c.drift:
            objective = objective + c.drift * x.square().mean()
        if c.gp_weight:
            objective = objective + c.gp_weight * _gp(update, real_images, fake_images, part)
        return objective

    if c.d_split:
        _apply(state, "d", lambda part: on_one(part, "real"), parts(state, real.count))
        _apply(state, "d", lambda part: on_one(part, "fake"), parts(state, fake.count))
        state.sums["loss_d"] = (state.sums["loss_real"] + state.sums["loss_fake"]) / 2
        state.counts["loss_d"] = state.counts["loss_real"]
    else:
        _apply(state, "d", on_both, parts(state, real.count))


def _gp(update: Update, real: torch.Tensor, fake: torch.Tensor, part: Part) -> torch.Tensor:
    """WGAN-GP's penalty between each real image and a generated one."""
    low, high = part
    first = update.real.start + low
    u = _beside(real, rng.uniform(update.state.config.seed, "gp", first, high - low)[:, 0])
    labels = update.real_labels(part)
    penalty = interpolation_penalty(
        lambda images: update.judge(images, labels, "gp", first), real.detach(), fake.detach().to(real), u
    )
    update.state.record("gp", penalty)
    return penalty


def update_generator(
    state: TrainState, feed: Feed, real: Batch, fake: Batch, shown: torch.Tensor | None
) -> None:
    """One update; ``shown`` are generated images that still hang on the generator's graph."""
    update, d = Update(state, feed, real, fake), state.discriminator
    loss = update.loss

    def on_fake(part: Part) -> torch.Tensor:
        images = update.generate(part, grad=True) if shown is None else shown
        logits = update.judge(images, update.fake_labels(part), "g", fake.start + part[0])
        others = None
        if loss.needs_real:
            others = update.judge(
                update.reals(part), update.real_labels(part), "g-real", real.start + part[0]
            )
        value = loss.g(logits, others)
        state.record("loss_g", value)
        return value + update.projected_loss("g") + _path_regularization(update, part)

    trained = [p for p in d.parameters() if p.requires_grad]
    for p in trained:  # saves the weight gradients, a third of the discriminator's cost
        p.requires_grad_(False)
    _apply(state, "g", on_fake, parts(state, fake.count))
    for p in trained:
        p.requires_grad_(True)


def _path_regularization(update: Update, part: Part) -> torch.Tensor | float:
    """The path-length penalty (Karras et al. 2020, equation 4) on half of the batch, now and then."""
    state, c = update.state, update.state.config
    settings = get_family(c.family).path_length(c.model)
    if settings is None or state.updates % settings.every:
        return 0.0
    low, high = part
    # Every second image: the same ones, however the batch is shared, where shares are even.
    z = draw_latents(state, update.fake, part, "latent-path")[::2]
    labels = update.fake_labels(part)
    with _autocast(state):
        w = state.generator.map(z, None if labels is None else labels[::2])
        images = state.generator.synthesize(w, noise="random").to(state.dtype)
    y = _noise(c.seed, range(update.fake.start + low, update.fake.start + high, 2), images)
    y = y / math.sqrt(images[0, 0].numel())
    lengths = path_lengths(images, w, y)
    before = state.path_mean
    if not isinstance(before, torch.Tensor):
        before = torch.full((), before, dtype=lengths.dtype, device=lengths.device)
    decay = 1 - (1 - settings.decay) ** (1 / c.accumulate)  # one update's worth in all pieces
    mean = path_length_mean(before, lengths, decay)
    state.path_mean = mean.detach()  # read when it is saved: until then nobody waits for it
    state.record("path_length", lengths)
    return path_length_penalty(lengths, mean) * (settings.weight * settings.every)


def _noise(seed: int, indices: range, like: torch.Tensor) -> torch.Tensor:
    """N(0, 1) of the shape of ``like`` (``N,C,H,W``), by each image's global index, drawn where it lies."""
    generator = torch.Generator(like.device)
    draws = torch.empty_like(like, memory_format=torch.contiguous_format)
    for row, index in zip(draws, indices, strict=True):
        row.normal_(generator=generator.manual_seed(rng.torch_seed(seed, "path", index)))
    return draws


def train_step(state: TrainState, feed: Feed) -> None:
    """One update of both networks; ConfigError where batch norm has but one number to average."""
    try:
        _train_step(state, feed)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        c = state.config
        pieces = f" in {c.accumulate} pieces (--accumulate)" if c.accumulate > 1 else ""
        raise ConfigError(
            f"--batch {c.batch}{pieces}: the batch norm of these networks needs 2 pictures at a time"
        ) from None


def _train_step(state: TrainState, feed: Feed) -> None:
    c = state.config
    set_rates(state)
    family = get_family(c.family)
    if family.begin_update(c.model, state.generator, state.discriminator, state.images_seen):
        state.forget_moments()
    # Dropout and the like draw from torch's own generator: set by count, so that a resumed run agrees.
    torch.manual_seed(rng.torch_seed(c.seed, "step", state.updates))
    real = fake = Batch(0, 0)
    shown: torch.Tensor | None = None
    for i in range(c.d_updates):
        real, fake = Batch(state.images_seen, c.batch), next_fakes(state, c.batch)
        if c.accumulate == 1 and not c.frozen_fakes:
            # The last batch of a step serves the generator's update as well: nothing is computed twice.
            keep = c.reuse_fakes and i == c.d_updates - 1
            shown = Update(state, feed, real, fake).generate(parts(state, c.batch)[0], grad=keep)
        update_discriminator(state, feed, real, fake, shown)
        state.images_seen += c.batch
    if not c.reuse_fakes:
        fake, shown = next_fakes(state, c.g_batch or c.batch), None
    update_generator(state, feed, real, fake, shown)
    if state.ema is not None:
        count = c.batch * c.d_updates
        # An average that was begun with is no young one.
        young = c.burnin_ema and not state.images_before
        halflife = schedule(state, 0.0, c.ema_halflife_kimg) if young else c.ema_halflife_kimg
        seen = state.images_before + state.images_seen
        update_ema(state.ema, state.generator, ema_decay(count, halflife, seen, c.ema_rampup or None))
    state.updates += 1
