"""HTML pages that need nothing but themselves: the report's, the comparison's and others'.

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

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def document(
    title: str, body: str, *, css: str = "", script: str = "", data: Any = None, sources: str = ""
) -> bytes:
    """Return a whole page in the shared style; all arguments but ``data`` are HTML, CSS or JavaScript.

    ``sources`` are further ones of scripts, as content policies name them.
    """
    policy = _POLICY
    if script:
        policy += f"; script-src 'unsafe-inline' {sources}".rstrip()
        body += f'<script type="application/json" id="data">{_script_json(data)}</script>\n'
        body += f"<script>\n{script}</script>\n"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<title>{title}</title>\n'
        f"<style>\n{style()}{css}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    ).encode()


def render(name: str, fields: dict[str, str], data: dict[str, Any], *, package: str = "") -> bytes:
    """Return the page whose body is the file ``name``.html with its ``{{fields}}`` (HTML) filled.

    In another ``package`` than this one, ``name``.js and ``name``.css are its script and further style.
    """
    # One pass, so that nothing in an inserted text is taken for a place to fill.
    place = package or "facegan.runs"
    body = re.sub(r"\{\{(\w+)\}\}", lambda match: fields[match[1]], _file(f"{name}.html", place))
    script = _file(f"{name}.js" if package else "report.js", place)
    css = _file(f"{name}.css", place) if package else ""
    return document(fields["title"], body, css=css, script=script, data=data)


def style() -> str:
    """Return the style sheet that all pages share."""
    return _file("report.css")


def _file(name: str, package: str = "facegan.runs") -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def _script_json(value: Any) -> str:
    """JSON that cannot end the script element around it, whatever strings it holds."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def table(rows: Iterable[Sequence[Any]], head: Sequence[str] = (), wide: bool = False) -> str:
    """Return a table whose rows begin with a heading; a ``wide`` one scrolls on a narrow screen."""
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
    """Return a setting as text: strings as they are, the rest as JSON."""
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
