"""What the report and the comparison share: one file that needs nothing but itself.

Pictures are data URIs, style and script (``report.css``, ``report.js``) are inline, and a content policy
forbids every request. All text from a run is escaped; numbers travel as JSON.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any


def render(
    template: str,
    fields: dict[str, str],
    data: dict[str, Any],
    *,
    script: str = "report.js",
    package: str = "facegan.runs",
) -> bytes:
    """The page ``template`` (a file of ``package``), its ``{{names}}`` filled; ``fields`` are HTML."""
    filled = {
        **fields,
        "data": _script_json(data),
        "style": style(),
        "script": _file(script, package),
    }
    # One pass, so that nothing in an inserted text is taken for a place to fill.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: filled[match[1]], _file(template, package)).encode()


def _file(name: str, package: str = "facegan.runs") -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def style() -> str:
    """The style sheet that all pages share."""
    return _file("report.css")


def _script_json(value: Any) -> str:
    """JSON that cannot end the script element around it, whatever strings it holds."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def table(rows: Iterable[Sequence[Any]], head: Sequence[str] = (), wide: bool = False) -> str:
    """Rows whose first cell is a heading; a ``wide`` one scrolls by itself on a narrow screen."""
    top = "".join(f"<th scope=col>{html.escape(cell)}</th>" for cell in head)
    body = "".join(
        f"<tr><th scope=row>{html.escape(str(first))}</th>"
        + "".join(f"<td>{html.escape(show(cell))}</td>" for cell in cells)
        + "</tr>"
        for first, *cells in rows
    )
    content = f"<table>{f'<thead><tr>{top}</tr></thead>' if top else ''}<tbody>{body}</tbody></table>"
    return f'<div class="wide">{content}</div>' if wide else content


def show(value: Any) -> str:
    """A setting as text: strings as they are, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def duration(seconds: float | None) -> str:
    """Return ``42 s``, ``12 min``, ``15 h 29 min`` or ``3 d 4 h``; "–" for None."""
    if seconds is None:
        return "–"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"
