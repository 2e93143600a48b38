"""The page that ``facegan train --dry-run`` prints: plain aligned text, at most 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from facegan.layers.notation import ACTIVATIONS, NORMS
from facegan.layers.summary import LayerInfo, shape_text
from facegan.planning.dry_run import DryRun, Timing
from facegan.planning.forecast import Forecast, Moment, forecast, moments
from facegan.recipes.config import GROUPS, TrainConfig, unfinished, unread_group
from facegan.recipes.table import RECIPES
from facegan.runs.page import duration
from facegan.settings import values_of, walk

WIDTH = 100
_LABEL = 15


def page(d: DryRun) -> str:
    """Return the whole page, without a line end."""
    c, h, w = d.image_shape
    threads = f", {d.threads} thread{'s' * (d.threads != 1)}" if d.device == "cpu" else ""
    several = f" ({d.each} of these)" if d.each > 1 else ""
    warnings = unfinished(d.config, d.image_shape), d.slow
    lines = [
        f"{d.config.recipe or 'no recipe'} on {d.dataset}: {d.pictures:,} training pictures, "
        f"{w}x{h} {'grey' if c == 1 else 'colour'}; {d.device}{threads}",
        "",
        *settings_lines(d.config),
        "",
        *_label_lines(d.labels),
        *network_lines("Generator" + several, d.generator),
        "",
        *network_lines("Discriminator" + several, d.discriminator),
        "",
        *_memory_lines(d),
        "",
        *_time_lines(d),
        "",
        *quality_lines(forecast(d)),
        "",
        *_disk_lines(d),
        "",
        *(line for text in warnings if text for line in (f"Warning: {text}.", "")),
        "Nothing was written; the same command without --dry-run trains.",
    ]
    return "\n".join(lines)


# --- settings -------------------------------------------------------------------------------------


def _resolved(c: TrainConfig) -> dict[str, Any]:
    """Return the values of settings whose default stands for another setting's value."""
    latent = c.latent
    return {
        "g_batch": c.g_batch or c.batch,
        "grid_kimg": c.grid_kimg or c.kimg / 40,
        "checkpoint_kimg": c.checkpoint_kimg or c.kimg / 10,
        "latent.train_mean": latent.mean if latent.train_mean is None else latent.train_mean,
        "latent.train_std": latent.std if latent.train_std is None else latent.train_std,
    }


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"


def settings_lines(config: TrainConfig) -> list[str]:
    """Return all settings in groups; a star marks what differs from the recipe."""
    origin = RECIPES[config.recipe].config if config.recipe in RECIPES else config
    raw, now, recipe = values_of(origin), _resolved(config), _resolved(origin)
    groups: dict[str, list[str]] = {name: [] for name in GROUPS}
    for s in walk(config):
        if s.group == unread_group(config):
            continue
        changed = s.name in raw and s.value != raw[s.name]
        if not changed and (s.key == "layers" or (s.rules.quiet and s.value == s.rules.default)):
            continue  # the layers stand in their network's table
        text = "below" if s.key == "layers" else _value(now.get(s.name, s.value))
        text = f"{s.key.replace('_', '-')} {text}"
        text += f"* (recipe: {_value(recipe.get(s.name, raw[s.name]))})" if changed else ""
        groups.setdefault(s.group, []).append(text)
    lines = [line for group, items in groups.items() if items for line in _wrapped(group, items)]
    marks = any("* (recipe: " in line for line in lines)
    return [f"Settings{' (* is not what the recipe says)' if marks else ', all as in the recipe'}", *lines]


def _wrapped(label: str, items: Sequence[str]) -> list[str]:
    """Return ``  label   item, item`` in lines that end between items as far as they fit."""
    # A space within an item is none to break at, unless the item is longer than a line.
    glued = [item if len(item) > WIDTH - _LABEL - 4 else item.replace(" ", "\0") for item in items]
    lines = textwrap.wrap(
        ", ".join(glued),
        WIDTH,
        initial_indent=f"  {label:<{_LABEL}}",
        subsequent_indent=" " * (_LABEL + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\0", " ") for line in lines]


def _label_lines(lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    wrapped = [line for text in lines for line in textwrap.wrap(text, WIDTH - 2, subsequent_indent="  ")]
    return ["Labels", *(f"  {line}" for line in wrapped), ""]


# --- networks -------------------------------------------------------------------------------------

Row = tuple[str, tuple[int, ...], int, int]


def layer_rows(layers: Sequence[LayerInfo]) -> list[Row]:
    """Return (words, output, parameters, MACs), with norms and activations in the row of their layer."""
    rows: list[Row] = []
    joins, inside = False, ""
    for layer in layers:
        word = layer.kind.split()[0]
        block = layer.name.rpartition(".")[0] if layer.block else ""
        if block and block != inside:
            rows.append((layer.block, (), 0, 0))
        inside = block
        if block:
            if layer.parameters:
                rows.append((f"  {layer.kind}", layer.output, layer.parameters, layer.macs))
            joins = False
        elif word == "reshape" and rows:
            words, _, parameters, macs = rows[-1]
            _, _, *then = words.split(" ")  # the shape replaces the number of features
            rows[-1] = (" ".join(["dense", shape_text(layer.output), *then]), layer.output, parameters, macs)
            joins = False  # what follows works on the picture, not on the flat vector
        elif joins and word.rstrip("0123456789.") in (*NORMS, *ACTIVATIONS):
            words, _, parameters, macs = rows[-1]
            rows[-1] = (
                f"{words} {layer.kind}",
                layer.output,
                parameters + layer.parameters,
                macs + layer.macs,
            )
        elif word != "flatten":
            rows.append((layer.kind, layer.output, layer.parameters, layer.macs))
            joins = True
    return rows


def network_lines(title: str, layers: Sequence[LayerInfo]) -> list[str]:
    """Return one line a layer, and the totals."""
    rows = layer_rows(layers)
    trained, kept = sum(x.parameters for x in layers), sum(x.statistics for x in layers)
    macs = sum(x.macs for x in layers)
    total = ("total", (), trained, macs)
    wide = max(30, *(len(words) for words, *_ in rows))
    lines = [f"{title:<{wide + 2}}  {'output':>12}  {'parameters':>12}  {'MACs an image':>14}"]
    for words, output, parameters, count in [*rows, total]:
        cells = (
            shape_text(output) if output else "",
            f"{parameters:,}" if parameters else "",
            quantity(count) if count else "",
        )
        lines.append(f"  {words:<{wide}}  {cells[0]:>12}  {cells[1]:>12}  {cells[2]:>14}".rstrip())
    if kept:
        vectors = any(x.statistics and x.kind.startswith(("conv", "dense")) for x in layers)
        of = "batch norm and vectors of spectral norm" if vectors else "batch norm"
        lines.append(f"  and {kept:,} moving statistics of {of} ({trained + kept:,} with them)")
    return lines


def quantity(number: float) -> str:
    """Return ``1.05 G`` and the like, with three significant digits."""
    for size, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= 0.9995 * size:
            return f"{_three(number / size)}{unit}"
    return _three(number)


def _three(x: float) -> str:
    return f"{x:.{0 if x >= 99.95 else 1 if x >= 9.995 else 2}f}"


def size(number: float) -> str:
    """Return bytes as ``31.2 MB``."""
    return f"{quantity(number)}B" if number >= 999.5 else f"{number:.0f} B"


# --- memory, time, disk ---------------------------------------------------------------------------


def _fact(label: str, value: str, note: str = "") -> str:
    return f"  {label:<24}{value:>14}  {note}".rstrip()


def _memory_lines(d: DryRun) -> list[str]:
    lines = [
        "Memory",
        _fact("weights", size(d.weights), "both networks" if d.each == 1 else "all networks"),
        _fact("optimiser", size(d.optimizer), "Adam's moments"),
        _fact("average", size(d.average), "of the generator" if d.average else "the recipe has none"),
    ]
    if d.memory_peak is None:
        return [*lines, _fact("peak while training", "unknown", "this system does not tell")]
    where = "tensors on the device" if d.device.startswith("cuda") else "the process"
    note = f"measured, above the {size(d.memory_before)} of {where} before"
    lines.append(_fact("peak while training", size(d.memory_peak), note))
    if d.memory_free is not None:
        lines.append(_fact("free at the moment", size(d.memory_free), "beside what the updates above hold"))
    return lines


def _spread(timing: Timing) -> str:
    if timing.count == 1:
        return "1 timed"
    return f"{timing.count} timed, {_seconds(timing.low)} to {_seconds(timing.high)}"


def _time_lines(d: DryRun) -> list[str]:
    lines = ["Time on this machine, by real updates"]
    often: dict[str, float] = {}
    for kind, timing in d.timings.items():
        extra = "both" if len(kind.extras) == 2 else "".join(kind.extras)
        lines.append(
            _fact(f"update with {extra}" if extra else "update", _seconds(timing.mean), _spread(timing))
        )
        often |= {name: often.get(name, 0.0) + kind.share for name in kind.extras}
    if len(d.timings) > 1:
        note = ", ".join(f"one in {round(1 / share)} with {name}" for name, share in often.items())
        lines.append(_fact("on average", _seconds(d.update_seconds), note))
    total = d.training_seconds + d.drawing_seconds
    images = d.images_per_update
    return [
        *lines,
        _fact("speed", f"{quantity(images / d.update_seconds)} img/s", f"{images} real pictures an update"),
        _fact("training", duration(d.training_seconds), f"{d.updates:,} updates"),
        _fact("drawing", duration(d.drawing_seconds), f"about, {d.grids:,} grids and {d.models:,} models"),
        _fact("in all", duration(total), "about, without the disk's time and the report's"),
        *([f"  {d.disturbed}"] if d.disturbed else []),
    ]


def _seconds(seconds: float) -> str:
    return f"{_three(seconds)} s" if seconds >= 0.9995 else f"{_three(seconds * 1e3)} ms"


def quality_lines(found: Forecast) -> list[str]:
    """Return the distance to expect after some times on this machine, and why it may be another one."""
    if found.curve is None:
        return ["Quality", *_sentences(found.doubts)]
    run, several = found.curve.runs[0], len(found.curve.runs)
    name = f"{MEASURE_NAMES[run.measure]}{f' ({run.features})' * bool(run.features)}"
    runs = f"{several} runs" if several > 1 else "one run"
    return [
        f"Quality to expect: {name}, lower is better, as measured in {runs}",
        *(_moment_line(moment, found) for moment in moments(found)),
        _fact("other real pictures", f"{run.floor:.3g}", run.against),
        *_sentences([*_limits(found), *found.doubts]),
    ]


MEASURE_NAMES = {"kid": "KID", "fid": "FID", "quality": "quick distance"}


def _moment_line(moment: Moment, found: Forecast) -> str:
    estimate = moment.estimate
    band = "" if estimate.low is None else f", {estimate.low:.2g} to {estimate.high:.2g}"
    ends = moment.last and moment.kimg == found.kimg
    label = f"at the end, {duration(moment.seconds)}" if ends else f"after {duration(moment.seconds)}"
    return _fact(label, f"{estimate.value:.2g}", f"{moment.kimg:.3g} kimg{band}")


def _limits(found: Forecast) -> list[str]:
    """Return where the measured curve ends, and what its band is."""
    assert found.curve is not None
    first, last = found.curve.span
    limits = []
    if first == last:
        limits.append(f"Measured once only, at {last:g} kimg.")
    elif last < 0.95 * found.kimg:
        limits.append(f"Nothing was measured beyond {last:.3g} kimg; this run has {found.kimg:g}.")
    if len(found.curve.runs) > 1:
        limits.append("The band lies between the best and the worst measured run.")
    return limits


def _sentences(texts: Sequence[str]) -> list[str]:
    text = " ".join(texts)
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ") if text else []


def _disk_lines(d: DryRun) -> list[str]:
    kept = min(d.models, d.config.keep_checkpoints)
    whole = d.models * d.model_bytes + kept * d.checkpoint_bytes
    lines = [
        "Disk",
        _fact("models", size(d.models * d.model_bytes), f"{d.models:,} of {size(d.model_bytes)}"),
        _fact(
            "checkpoints",
            size(kept * d.checkpoint_bytes),
            f"{kept} kept of {d.models:,}, {size(d.checkpoint_bytes)} each",
        ),
        _fact("in all", size(whole), "and the grids"),
    ]
    if d.map_bytes:
        lines.append(_fact("dataset's memory map", size(d.map_bytes), "made once, beside the dataset"))
    return lines
