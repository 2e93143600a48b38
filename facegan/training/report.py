"""``RUN/report.html``: one page with curves, grids over time, settings and the commands to go on.

It needs nothing but itself: pictures are data URIs, the script is inline, and a content policy
forbids every request. All text from the run is escaped; numbers travel as JSON.
"""

from __future__ import annotations

import html
import json
import re
import shlex
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from facegan.errors import RunError
from facegan.files import write_bytes
from facegan.training.report_data import number, page_data


def write_report(run: str | Path) -> Path:
    """Write ``RUN/report.html`` from what is in the run folder now and return its path.

    Reads ``config.json``, ``environment.json``, ``stats.jsonl``, ``events.jsonl`` and ``samples/``; any
    of them may be missing, and a line or picture that was cut off by a crash is left out. RunError if
    ``run`` is no folder.
    """
    run = Path(run)
    if not run.is_dir():
        raise RunError(f"{run}: there is no such run folder")
    config, environment = _read_json(run / "config.json"), _read_json(run / "environment.json")
    stats, events = _read_lines(run / "stats.jsonl"), _read_lines(run / "events.jsonl")
    stats = sorted({line["images_seen"]: line for line in stats}.values(), key=lambda s: s["images_seen"])
    path = run / "report.html"
    write_bytes(path, _render(run, config, environment, stats, events).encode())
    return path


def _render(
    run: Path, config: dict[str, Any], environment: dict[str, Any], stats: list[dict], events: list[dict]
) -> str:
    name = run.resolve().name
    recipe = str(config.get("recipe") or "")
    fields = {
        "title": html.escape(f"{name} · {recipe}" if recipe else name),
        "name": html.escape(name),
        "subtitle": html.escape(_subtitle(config)),
        "progress": _progress(config, stats),
        "facts": _facts(config, stats),
        "verdict": html.escape(verdict(stats)),
        "events": _events(events),
        "commands": _commands(run, config),
        "tables": _table("Settings", config) + _table("Machine and versions", environment),
        "data": _script_json(page_data(run, config, stats, events)),
    }  # fmt: skip
    template = resources.files("facegan.training").joinpath("report.html").read_text(encoding="utf-8")
    # One pass, so that nothing in an inserted text is taken for a place to fill.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: fields[match[1]], template)


def _script_json(value: Any) -> str:
    """JSON that cannot end the script element around it, whatever strings it holds."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


# --- reading ------------------------------------------------------------------------------------


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file that count images; torn and foreign lines are left out."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and number(value.get("images_seen")) is not None:
            found.append(value)
    return found


# --- the text above -----------------------------------------------------------------------------


def _subtitle(config: dict[str, Any]) -> str:
    dataset, shape = config.get("dataset"), config.get("image_shape")
    parts = [f"recipe {config['recipe']}" if config.get("recipe") else ""]
    parts.append(f"family {config['family']}" if config.get("family") else "")
    if isinstance(shape, list) and len(shape) == 3:
        parts.append(f"{shape[2]}×{shape[1]} pixels, {'grey' if shape[0] == 1 else 'colour'}")
    if isinstance(dataset, dict) and dataset.get("name"):
        count = number(dataset.get("count"))
        parts.append(f"trained on {dataset['name']}" + (f" ({count:,.0f} pictures)" if count else ""))
    return " · ".join(p for p in parts if p)


def _progress(config: dict[str, Any], stats: Sequence[dict[str, Any]]) -> str:
    total = number(config.get("kimg"))
    if not total:
        return ""
    share = min(1.0, stats[-1]["images_seen"] / 1000 / total) if stats else 0.0
    return f'<div class="bar" title="{share:.0%}"><i style="width:{share:.1%}"></i></div>'


def facts(config: dict[str, Any], stats: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """(name, text) for the tiles at the top; the numbers are those of the last line."""
    last = stats[-1] if stats else {}
    total = number(config.get("kimg"))

    def show(key: str, form: str) -> str:
        value = number(last.get(key))
        return "–" if value is None else form.format(value)

    seen = f"{last['images_seen'] / 1000:.4g}" if last else "0"
    return [
        ("Pictures seen, kimg", seen + (f" of {total:g}" if total else "")),
        ("Training time", duration(number(last.get("seconds")))),
        ("Speed", show("images_per_second", "{:,.0f} images/s")),
        ("Loss, generator", show("loss_g", "{:.3f}")),
        ("Loss, discriminator", show("loss_d", "{:.3f}")),
        ("Right on real", show("accuracy_real", "{:.0%}")),
        ("Right on generated", show("accuracy_fake", "{:.0%}")),
    ]


def _facts(config: dict[str, Any], stats: Sequence[dict[str, Any]]) -> str:
    rows = facts(config, stats)
    return "".join(f"<div><dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd></div>" for k, v in rows)


def duration(seconds: float | None) -> str:
    """``52 s``, ``4 min 10 s``, ``3 h 05 min``."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole // 60 % 60:02d} min"


def verdict(stats: Sequence[dict[str, Any]]) -> str:
    """One paragraph on how the contest stands, from the mean accuracies of the last tenth of the run."""
    if not stats:
        return "Training has not reported anything yet; this page fills as it goes on."
    for key in ("loss_g", "loss_d"):
        if key in stats[-1] and number(stats[-1][key]) is None:
            return "A loss is no longer a finite number: this run has broken down. Lower the learning rates."
    tail = stats[-max(1, len(stats) // 10) :]
    means = []
    for key in ("accuracy_real", "accuracy_fake"):
        values = [v for v in (number(line.get(key)) for line in tail) if v is not None]
        if not values:
            return "The statistics do not say how often the discriminator is right."
        means.append(sum(values) / len(values))
    real, fake = means
    rights = f"it was right on {real:.0%} of the real and {fake:.0%} of the generated pictures"
    if min(means) > 0.97:
        return (
            f"The discriminator is winning: lately {rights}. If the pictures no longer improve, slow it down "
            "(a stronger --r1-gamma, a lower --discriminator.lr) or show it more pictures."
        )
    if max(abs(m - 0.5) for m in means) < 0.06:
        return (
            f"The discriminator is guessing: lately {rights}. Either the pictures convince it or it is too "
            "weak to see what is wrong; the pictures below tell which."
        )
    if fake < 0.25:
        return f"The generator is fooling the discriminator: lately {rights}. It should soon catch up."
    return f"Neither network has won: lately {rights}."


def _events(events: Sequence[dict[str, Any]]) -> str:
    rows = [
        f"<li>{e['images_seen'] / 1000:g} kimg: {html.escape(str(e.get('text', '')))}</li>" for e in events
    ]
    return f"<p>Dotted lines in the curves:</p><ul>{''.join(rows)}</ul>" if rows else ""


# --- tables and commands ------------------------------------------------------------------------


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dicts as one, with dotted names."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _table(title: str, values: dict[str, Any]) -> str:
    if not values:
        return ""
    rows = ""
    for key, value in flatten(values).items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        rows += f"<tr><th scope=row>{html.escape(key)}</th><td>{html.escape(text)}</td></tr>"
    start = f'<details class="card"><summary>{html.escape(title)}</summary>'
    return f"{start}<table>{rows}</table></details>"


def train_command(config: dict[str, Any], out: str) -> str:
    """The ``facegan train`` command for ``config`` (as in config.json), as changes to its recipe."""
    from facegan.errors import ConfigError
    from facegan.recipes import recipe

    dataset = config.get("dataset")
    words = [
        "facegan",
        "train",
        str(dataset.get("path", "DATASET")) if isinstance(dataset, dict) else "DATASET",
    ]
    name = str(config.get("recipe") or "")
    try:
        default = flatten(json.loads(json.dumps(recipe(name).to_dict())))
    except ConfigError:
        default = {}
    words += ["--recipe", name] if name else []
    words += ["--out", out]
    for key, value in flatten(config).items():
        if key in default and value != default[key]:
            flag = key.removeprefix("model.").replace("_", "-")
            if isinstance(value, bool):
                words.append(f"--{flag}" if value else "--" + ".".join(_negate(flag)))
            else:
                whole = isinstance(value, float) and value.is_integer()
                words += [f"--{flag}", str(int(value) if whole else value)]
    return shlex.join(words)


def _negate(flag: str) -> list[str]:
    """``generator.unit-range`` to ``generator.no-unit-range``, split at dots."""
    *groups, last = flag.split(".")
    return [*groups, f"no-{last}"]


def _commands(run: Path, config: dict[str, Any]) -> str:
    here = shlex.quote(str(run))
    more = (number(config.get("kimg")) or 0.0) * 2
    longer = train_command({**config, "kimg": more}, str(run)) + " --resume"
    rows = [
        ("Go on after an interruption", train_command(config, str(run)) + " --resume"),
        ("Train twice as long", longer if more else ""),
        ("The same run again, from the start", train_command(config, f"{run}-again")),
        ("As it was started", str(config.get("command") or "")),
        ("New pictures, numbered", f"facegan generate {here} --count 100 --numbered --out faces.png"),
        ("A film from face to face", f"facegan interpolate {here} 3 14 15 --loop --steps 30 --out faces.mp4"),
        ("Arithmetic with their numbers", f"facegan arithmetic {here} '1,2,3 - 4,5,6 + 7,8,9' --out sum.png"),
    ]
    return "".join(f"<h3>{html.escape(k)}</h3><pre>{html.escape(v)}</pre>" for k, v in rows if v)
