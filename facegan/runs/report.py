"""``RUN/report.html``: one page with curves, grids over time, settings and the commands to go on."""

from __future__ import annotations

import html
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facegan.files import write_bytes
from facegan.models import moments
from facegan.runs.page import duration, render, table
from facegan.runs.record import RunRecord, changed_settings, flatten, number, read_json, read_record
from facegan.runs.report_data import event, page_data, picture_uri
from facegan.runs.trend import diversity_text, quality_text
from facegan.settings import flag, no_flag


def write_report(run: str | Path) -> Path:
    """Write ``RUN/report.html`` from what is in the run folder now and return its path.

    Reads ``config.json``, ``environment.json``, ``stats.jsonl``, ``events.jsonl`` and ``samples/``; any
    of them may be missing, and a line or picture that was cut off by a crash is left out. RunError if
    ``run`` is no folder.
    """
    record = read_record(run)
    path = record.path / "report.html"
    write_bytes(path, render("report", _fields(record), page_data(record)))
    return path


def _fields(record: RunRecord) -> dict[str, str]:
    recipe = str(record.config.get("recipe") or "")
    return {
        "title": html.escape(f"{record.name} · {recipe}" if recipe else record.name),
        "name": html.escape(record.name),
        "subtitle": html.escape(_subtitle(record.config)),
        "progress": _progress(record),
        "facts": _facts(record),
        "verdict": _verdict(record),
        "contest": html.escape(CONTEST),
        "labels": _labels(record.path),
        "events": _events(record.events),
        "commands": _commands(record.path, record.config),
        "tables": _table("Settings", record.config) + _table("Machine and versions", record.environment),
    }


def _labels(run: Path) -> str:
    """Return the section on labels: counts, warnings and the sheet of examples; "" without labels."""
    found = read_json(run / "labels.json")
    if not found:
        return ""
    lines = [str(line) for line in found.get("lines", ())]
    if found.get("balance"):
        lines.append("Every combination is drawn equally often (--balance).")
    rows = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    warned = "".join(f"<p><b>{html.escape(str(text))}</b></p>" for text in found.get("alarms", ()))
    uri = picture_uri(run / "labels.png")
    sheet = f'<img src="{uri}" alt="Training pictures of each label" style="max-width:100%">' if uri else ""
    note = "<p>Training pictures of each label, drawn at random. Do they show what their row says?</p>"
    card = f'<div class="card"><ul>{rows}</ul>{warned}{note}{sheet}</div>'
    return f"<section>\n<h2>Labels</h2>\n{card}\n</section>\n"


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


def _progress(record: RunRecord) -> str:
    total = number(record.config.get("kimg"))
    if not total:
        return ""
    share = min(1.0, record.kimg / total)
    return f'<div class="bar" title="{share:.0%}"><i style="width:{share:.1%}"></i></div>'


def facts(record: RunRecord) -> list[tuple[str, str]]:
    """Return (name, text) of the tiles at the top, with the last number of each kind."""
    total = number(record.config.get("kimg"))

    def show(key: str, form: str) -> str:
        value = record.last(key)
        return "–" if value is None else form.format(value)

    rows = [
        ("Pictures seen, kimg", seen_text(record.kimg, total)),
        ("Training time", duration(record.last("seconds"))),
        ("Speed", show("images_per_second", "{:,.0f} images/s")),
        ("Loss, generator", show("loss_g", "{:.3f}")),
        ("Loss, discriminator", show("loss_d", "{:.3f}")),
        *(
            (f"Right on {kind}, lately", "–" if rate is None else f"{rate:.0%}")
            for kind, rate in zip(("real", "generated"), recent_accuracies(record.stats), strict=True)
        ),
    ]
    if record.last("quality") is not None:
        measured = [("Distance to data", show("quality", "{:.3g}"))]
        rows[1:1] = [*measured, ("Diversity", show("diversity", "{:.0%}"))]
    return rows


def seen_text(kimg: float, total: float | None) -> str:
    """Return ``12 of 40``, ``40, finished``, or ``2, finished (1 asked for)`` where it was lowered later."""
    if not total:
        return f"{kimg:.4g}"
    if kimg < total:
        return f"{kimg:.4g} of {total:g}"
    return f"{total:g}, finished" if kimg < 1.1 * total else f"{kimg:.4g}, finished ({total:g} asked for)"


def _facts(record: RunRecord) -> str:
    return "".join(f"<div><dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd></div>" for k, v in facts(record))


def _verdict(record: RunRecord) -> str:
    """Return headline, quality, variety, the watchdog's part and the contest, as HTML."""
    curve, models = record.curve("quality"), list(moments(record.path))
    headline, text = quality_text(curve, record.last("quality_floor"), models, run=str(record.path))
    alarms = [e["kimg"] for e in map(event, record.events) if e["alarm"]]
    watch = f"The watchdog stepped in at {', '.join(f'{k:g}' for k in alarms)} kimg." if alarms else ""
    words = [text, diversity_text(record.curve("diversity")), watch, verdict(record.stats)]
    if end := stopped(record):
        headline, words = "This run has broken down.", [end, watch, "Earlier models are kept."]
    elif broken(record.stats):
        headline, words = "", [watch, verdict(record.stats)]
    first = f"<b>{html.escape(headline)}</b> " if headline else ""
    return first + html.escape(" ".join(word for word in words if word))


def stopped(record: RunRecord) -> str:
    """Return why the watchdog ended the run and what to try; "" if it did not."""
    last = event(record.events[-1]) if record.events else {"alarm": False, "text": ""}
    text = str(last["text"])
    if not last["alarm"] or not text.endswith("; stopped"):
        return ""
    reason, _, advice = text.removesuffix("; stopped").partition(" ")[2].partition("; try ")
    return f"Stopped at {last['kimg']:g} kimg: {reason}." + (
        f" Try in a new run: {advice}." if advice else ""
    )


def broken(stats: Sequence[dict[str, Any]]) -> bool:
    """Return whether a loss of the last line is no finite number."""
    return any(key in stats[-1] and number(stats[-1][key]) is None for key in ("loss_g", "loss_d") if stats)


_WINNING, _AHEAD = 0.97, 0.85  # accuracy of the discriminator, on real and on generated pictures alike
CONTEST = (
    f"Above {_WINNING:.0%} on both kinds, it is winning, and the generator learns little from it. Near 50% "
    "on both, it can only guess. Anything between is a contest."
)


def recent_accuracies(stats: Sequence[dict[str, Any]]) -> tuple[float | None, float | None]:
    """Return the discriminator's accuracy, real and generated, over the last tenth of the lines."""
    tail = stats[-max(1, len(stats) // 10) :]
    real, fake = (
        [v for v in (number(line.get(key)) for line in tail) if v is not None]
        for key in ("accuracy_real", "accuracy_fake")
    )
    return sum(real) / len(real) if real else None, sum(fake) / len(fake) if fake else None


def verdict(stats: Sequence[dict[str, Any]]) -> str:
    """Return a paragraph on the contest of the networks, by their recent accuracies."""
    if not stats:
        return "Training has not reported anything yet; this page fills as it goes on."
    if broken(stats):
        return "A loss is no longer a finite number: this run has broken down. Lower the learning rates."
    real, fake = recent_accuracies(stats)
    if real is None or fake is None:
        return "The statistics do not say how often the discriminator is right."
    rights = f"was right on {real:.0%} of the real and {fake:.0%} of the generated pictures"
    if min(real, fake) > _WINNING:
        return (
            f"The discriminator is winning: lately it {rights}. If the pictures no longer improve, slow "
            "it down (a stronger --r1-gamma, a lower --discriminator.lr) or show it more pictures."
        )
    if min(real, fake) > _AHEAD:
        return (
            f"The discriminator is ahead: lately it {rights}. The generator still learns from it; if both "
            f"rise above {_WINNING:.0%}, it learns little."
        )
    if max(abs(rate - 0.5) for rate in (real, fake)) < 0.06:
        return (
            f"The discriminator is guessing: lately it {rights}. Either the pictures convince it or it is "
            "too weak to see what is wrong; the pictures below tell which."
        )
    if fake < 0.25:
        return f"The generator is fooling the discriminator, which lately {rights}. It should soon catch up."
    return f"Neither network has won: lately the discriminator {rights}."


def _events(lines: Sequence[dict[str, Any]]) -> str:
    rows = ""
    for e in map(event, lines):
        start = '<li class="alarm">' if e["alarm"] else "<li>"
        rows += f"{start}{e['kimg']:g} kimg: {html.escape(e['text'])}</li>"
    return f"<p>Dotted lines in the curves:</p><ul>{rows}</ul>" if rows else ""


# --- tables and commands ------------------------------------------------------------------------


def _table(title: str, values: dict[str, Any]) -> str:
    if not values:
        return ""
    start = f'<details class="card"><summary>{html.escape(title)}</summary>'
    return f"{start}{table(flatten(values).items())}</details>"


def train_command(config: dict[str, Any], out: str) -> str:
    """Return the command for ``config`` (as in config.json), with its changes to the recipe."""
    dataset = config.get("dataset")
    words = [
        "facegan",
        "train",
        str(dataset.get("path", "DATASET")) if isinstance(dataset, dict) else "DATASET",
    ]
    name = str(config.get("recipe") or "")
    other = config.get("to")
    words += ["--to", str(other.get("path", "B"))] if isinstance(other, dict) else []
    words += ["--recipe", name] if name else []
    words += ["--out", out]
    for name, value in changed_settings(config).items():
        if isinstance(value, bool):
            words.append(flag(name) if value else no_flag(name))
        else:
            values = value if isinstance(value, list) else [value]
            words += [flag(name), *map(_word, values)]
    return shlex.join(words)


def _word(value: Any) -> str:
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _commands(run: Path, config: dict[str, Any]) -> str:
    here = shlex.quote(str(run))
    more = (number(config.get("kimg")) or 0.0) * 2
    longer = train_command({**config, "kimg": more}, str(run)) + " --resume"
    rows = [
        ("Go on after an interruption", train_command(config, str(run)) + " --resume"),
        ("Train twice as long", longer if more else ""),
        ("The same run again, from the start", train_command(config, f"{run}-again")),
        ("As it was started", str(config.get("command") or "")),
        ("New pictures, numbered", f"facegan generate {here} seed:0-99 --numbered --out faces.png"),
        (
            "A film from face to face",
            f"facegan interpolate {here} seed:3,14,15 --loop --steps 30 --out faces.mp4",
        ),
        ("Arithmetic", f"facegan arithmetic {here} 'seed:0,1,2 - seed:3,4,5 + seed:6,7,8' --out sum.png"),
    ]
    return "".join(f"<h3>{html.escape(k)}</h3><pre>{html.escape(v)}</pre>" for k, v in rows if v)
