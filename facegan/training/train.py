"""The training loop: from a prepared dataset and a configuration to a run folder."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import torch

from facegan import __version__, arguments, bars, distributed
from facegan.data.dataset import Dataset
from facegan.data.labels import conditions, label_papers
from facegan.devices import slow_bfloat16, working_threads
from facegan.distributed import launched, lost, together
from facegan.errors import (
    ConfigError,
    FaceganError,
    InputError,
    LostProcessError,
    ModelError,
    RunError,
)
from facegan.families import get_family
from facegan.generator import Latent, describe
from facegan.interrupts import Interrupted
from facegan.layers.ema import batch_norms
from facegan.layers.feedforward import MinibatchStd
from facegan.machine import MAX_THREADS
from facegan.recipes.choice import suits
from facegan.recipes.config import TrainConfig, check, override, unfinished
from facegan.recipes.table import recipe as named_recipe
from facegan.runs.callbacks import BarListener, Listener
from facegan.runs.checkpoints import list_checkpoints, read_header
from facegan.runs.folder import RunFolder
from facegan.training.checkpoint import circumstances, load_latest
from facegan.training.out_of_memory import fits, is_out_of_memory
from facegan.training.sampler import ImageFeed
from facegan.training.state import TrainState, check_split, create_state
from facegan.training.trainer import Quality, Session, announce, resolved

__all__ = ["Interrupted", "pick_device", "train"]


def train(
    dataset: str | Path | Dataset,
    recipe: str | TrainConfig | None = None,
    out: str | Path = "run",
    *,
    resume: bool = False,
    device: str = "auto",
    listeners: Sequence[Listener] = (),
    quality: Quality | None = None,
    command: str = "",
    threads: int = 0,
    **overrides: Any,
) -> Path:
    """Train until ``kimg`` is reached and return the run folder.

    ``recipe`` is a name or a whole configuration; without it, the one that suits the dataset and the device
    (:func:`facegan.recipes.choice.pick_recipe`). ``overrides`` change single settings by name
    (``batch=32``; nested ones as ``**{"generator.lr": 1e-4}``). A folder that holds the same run is
    resumed from its newest checkpoint; ``resume=True`` insists that there is one. Ctrl-C and SIGTERM
    save and raise :class:`Interrupted`. Without ``listeners`` a bar shows the progress
    (:func:`facegan.set_progress`). ``quality`` maps a Generator to named numbers (None is
    :class:`facegan.metrics.random_features.QuickQuality`); with every grid they go to the listeners.
    ``threads`` of the processor; 0 takes those of the run that goes on, else one for each core that is free.

    Under ``torchrun`` or ``accelerate launch`` the processes share each batch; the first one writes and
    has the listeners.
    """
    data = dataset if isinstance(dataset, Dataset) else Dataset(dataset)
    recipe = _suiting(data, device, overrides) if recipe is None else recipe
    config = recipe if isinstance(recipe, TrainConfig) else named_recipe(recipe)
    config = check(override(config, overrides))
    out = arguments.place(out, "out")
    threads = arguments.whole(threads, "threads", 0, MAX_THREADS)
    shape = image_shape(config, data)
    place = pick_device(device)
    check_split(config, launched())  # before they join: all of them see it, and none waits for another
    if place.type == "cuda":
        torch.backends.cudnn.benchmark = True  # shapes hardly change: worth trying which kernels are fastest
    with together(place):
        run = distributed.first_does(lambda: RunFolder(Path(out)))
        everyone: list[Listener] = [run, *listeners] if run is not None else []
        state: TrainState | None = None
        names: Sequence[str] = ()
        try:
            distributed.first_does(lambda: _begin(run, resume, _full_config(config, data, shape, command)))
            if run is not None and not listeners and bars.wanted():
                everyone.append(_bar(data, config, device, run))
            names, table = conditions(data, config.condition) if config.condition else ((), None)
            resuming = bool(
                distributed.from_first(run is not None and bool(list_checkpoints(run.checkpoints)))
            )
            before = distributed.from_first(_before(run, place))
            with working_threads(place, threads, before.get("threads", 0)) as room:
                settled = _settled(config, place, before)
                state = create_state(settled, shape, place, label_dim=len(names), resuming=resuming)
                _resume(state, run, everyone)
                slow = slow_bfloat16(place) if config.precision == "bfloat16" else ""
                _say(everyone, state, state.begun_with, unfinished(config, shape), room, slow)
                feed = ImageFeed(_images(data), config, place, table)
                judges = distributed.first_does(lambda: _judges(data, config, place, quality)) or (None, None)
                _say(everyone, state, "" if judges[1] is None else judges[1].caution)
                papers = _papers(config, data, shape, command) | label_papers(names, table)
                Session(state, feed, run, everyone, papers, *judges).train()
        except FaceganError:
            if run is not None:
                run.withdraw()
            raise
        except OSError as error:
            raise _not_written(error, Path(out)) from None
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise RunError(
                    fits(resolved(config, place), shape, place, error, state, len(names))
                ) from None
            if distributed.world() > 1 and lost(error):
                raise LostProcessError(
                    f"{out}: process {distributed.rank()} lost the others ({lost(error)}); the last "
                    "checkpoint is intact, and the same command goes on from it"
                ) from None
            raise
        finally:
            for listener in everyone:
                with suppress(OSError):  # a full disk has been reported already
                    listener.close()
    return Path(out)


def _bar(data: Dataset, config: TrainConfig, device: str, run: RunFolder) -> Listener:
    """A bar; what to know of a long run is said before it begins."""
    from facegan.planning.forecast import long_run

    bar = bars.Bar()
    if launched() == 1 and not list_checkpoints(run.checkpoints) and (said := long_run(data, config, device)):
        bar.say(said)
    return BarListener(bar)


def _suiting(data: Dataset, device: str, settings: dict[str, Any]) -> str:
    """The recipe that suits."""
    from facegan.recipes.choice import pick_recipe, surroundings
    from facegan.training.initialization import papers_of

    before = papers_of(settings["init"]) if settings.get("init") else {}
    return pick_recipe(
        surroundings(data, pick_device(device).type), bool(settings.get("condition")),
        before.get("family", ""), before.get("provenance", {}).get("recipe", ""),
    )[0]  # fmt: skip


def _begin(run: RunFolder | None, resume: bool, config: dict[str, Any]) -> None:
    assert run is not None
    if resume and not list_checkpoints(run.checkpoints):
        raise RunError(f"{run.path}: --resume, but there is no checkpoint in it")
    run.begin(config)


def _say(listeners: Sequence[Listener], state: TrainState, *texts: str) -> None:
    for text in filter(None, texts):
        announce(listeners, state, text)


def _before(run: RunFolder | None, device: torch.device) -> dict[str, Any]:
    """The circumstances in which the run was, where it goes on on the same kind of device; else nothing."""
    for path in reversed(list_checkpoints(run.checkpoints) if run is not None else []):
        with suppress(OSError, ValueError):  # a damaged one is told where it is loaded
            then = dict(read_header(path).get("circumstances", {}))
            return then if then.get("device") == device.type else {}
    return {}


def _settled(config: TrainConfig, device: torch.device, before: dict[str, Any]) -> TrainConfig:
    """The configuration with ``precision`` auto decided: as before, unless that is slow on this machine, else
    by the first process for all."""
    then = before.get("precision", "")
    if config.precision == "auto" and then and not (then == "bfloat16" and slow_bfloat16(device)):
        return override(config, {"precision": then})
    return cast(TrainConfig, distributed.from_first(distributed.first_does(lambda: resolved(config, device))))


def _judges(
    data: Dataset, config: TrainConfig, device: torch.device, quality: Quality | None
) -> tuple[Quality | None, Any]:
    """What grids are judged by, and the metric on held-out pictures."""
    if quality is None and config.quality_count:
        from facegan.metrics.random_features import QuickQuality

        quality = QuickQuality(data, config.quality_count)
    return quality, _metric(data, config, device) if config.metric else None


def _metric(data: Dataset, config: TrainConfig, device: torch.device) -> Any:
    from facegan.metrics.validation import ValidationMetric

    where = "cpu" if device.type == "mps" else str(device)
    try:
        return ValidationMetric(data, config.metric, config.metric_count, config.metric_features, where)
    except (InputError, ModelError) as error:
        raise ConfigError(str(error).replace("--features", "--metric-features")) from None


def _not_written(error: OSError, out: Path) -> RunError:
    where = error.filename or out
    return RunError(
        f"{where}: cannot be written ({error.strerror or error}); the last checkpoint is intact: "
        "make room and give the same command again"
    )


def _images(data: Dataset) -> Any:
    """The training pictures; the first process decodes them for all."""
    if distributed.rank() == 0:
        data.images("train")
    distributed.wait()
    return data.images("train")


def _resume(state: TrainState, run: RunFolder | None, listeners: Sequence[Listener]) -> None:
    """Load the newest checkpoint, if there is one, and say what is no longer bit for bit."""
    folder = run.checkpoints if run is not None else None
    found = load_latest(state, folder, lambda text: announce(listeners, state, text))
    distributed.first_does(lambda: _resumed(state, run, listeners, found))


def _resumed(
    state: TrainState, run: RunFolder | None, listeners: Sequence[Listener], found: Path | None
) -> None:
    assert run is not None
    if list_checkpoints(run.checkpoints) and found is None:
        raise RunError(
            f"{run.checkpoints}: every checkpoint is damaged; the models are kept; choose another --out"
        )
    run.truncate(state.images_seen if found is not None else -1)
    if found is None:
        return
    then, now = read_header(found).get("circumstances", {}), circumstances(state)
    changed = [
        f"{name} {then[name]} -> {now[name]}" for name in now if then.get(name, now[name]) != now[name]
    ]
    but = " and ".join([*_shared_otherwise(state, {**now, **then}, now), "rounding"])
    note = f"; {', '.join(changed)}: from here on equal but for {but}, not bit for bit" if changed else ""
    announce(listeners, state, f"resumed from {found.name}{note}")


def _shared_otherwise(state: TrainState, then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What does not take a batch the same way where it is cut into other pieces, or shared by others."""
    modules = [*state.generator.modules(), *state.discriminator.modules()]
    groups = [m.group for m in modules if isinstance(m, MinibatchStd)]
    old, new = (state.config.batch // (c["processes"] * c["accumulate"]) for c in (then, now))
    found = []
    if then["accumulate"] != now["accumulate"]:
        if batch_norms(state.generator):
            found.append("batch norm, which sees one piece at a time,")
        if state.generator.draws_noise or state.discriminator.draws_noise:
            found.append("what noise and dropout draw")
    if any(math.gcd(old, group) != math.gcd(new, group) for group in groups):
        found.append("the groups of minibatch deviation")
    return found


def pick_device(name: str) -> torch.device:
    """``auto`` prefers CUDA, then MPS, then the CPU; ConfigError for one that is not there."""
    local = os.environ.get("LOCAL_RANK", "0")
    if name in ("auto", "cuda") and torch.cuda.is_available() and int(local) < torch.cuda.device_count():
        name = f"cuda:{local}"
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except TypeError:
        raise ConfigError(
            f"the device must be a name such as cpu or cuda, not {arguments.shown(name)}"
        ) from None
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"--device {name}: not available here ({str(error).splitlines()[0]})") from None
    return device


def image_shape(config: TrainConfig, data: Dataset) -> tuple[int, int, int]:
    """(C, H, W) of the dataset, checked against the recipe's needs."""
    (h, w), c = data.size, data.channels
    name = config.recipe or "this configuration"
    sized, coloured = suits(config, h, w), config.channels in (0, c)
    if not (sized and coloured):
        longer = " (the longer side)" if get_family(config.family).any_shape else ""
        shades = {1: "in grey", 3: "in colour"}
        has, needs, options = [], [], []
        if not sized:
            has, needs = [f"{w}x{h}"], [f"{config.size}x{config.size}{longer}"]
            options = [f"--size {config.size}"]
        if not coloured:
            has.append(shades[c])
            needs.append(("" if needs else "them ") + shades[config.channels])
            options.append("--gray" if config.channels == 1 else "--no-gray")
        raise ConfigError(
            f"{data.path}: its pictures are {' '.join(has)}, but {name} needs {' '.join(needs)}; "
            f"prepare with {' '.join(options)} or choose another recipe"
        )
    if data.counts.get("train", 0) < 2:
        raise ConfigError(f"{data.path}: it has fewer than 2 training pictures")
    return c, h, w


def _full_config(config: TrainConfig, data: Dataset, shape: Sequence[int], command: str) -> dict[str, Any]:
    dataset = {"path": str(data.path), **_identity(data)}
    return {
        **config.to_dict(), "image_shape": list(shape), "dataset": dataset, "command": command,
        "facegan": __version__,
    }  # fmt: skip


def _identity(data: Dataset) -> dict[str, Any]:
    """What tells a dataset from others, wherever it lies."""
    return {
        "name": data.path.resolve().name,
        "content_hash": data.content_hash,
        "count": data.counts.get("train", 0),
    }


def _papers(config: TrainConfig, data: Dataset, shape: Sequence[int], command: str) -> dict[str, Any]:
    """The header of the models of this run, but for the images seen."""
    latent = Latent(config.latent.kind, config.latent.dim, config.latent.mean, config.latent.std)
    provenance = {
        "recipe": config.recipe, "seed": config.seed, "command": command, "facegan": __version__,
        "dataset": _identity(data),
    }  # fmt: skip
    return describe(
        config.family, config.model, latent, shape, provenance=provenance, alignment=data.crop,
        licence="that of its training pictures",
    )  # fmt: skip
