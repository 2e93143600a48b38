"""Cards of models: what their files and the project's measurements say of them."""

from __future__ import annotations

import re

from facegan.exchange.publish_card import model_card
from facegan.exchange.publish_facts import facts_of
from facegan.model_summary import describe_model, facts_rows
from facegan.models import bundled_file
from facegan.studio.tasks import Given, Result


def card(arguments: Given, content: bytes) -> Result:
    """Return the card of the model named ``model`` as Markdown, and facts as texts by name.

    A bundled model has its own card; translators of a project have none.
    """
    name = arguments["model"]
    about = describe_model(name)
    facts = {key: str(value) for key, value in facts_rows(about) if value and key not in ("file", "moments")}
    file = bundled_file(name)
    text = ""
    if file is not None and file.with_suffix(".md").is_file():
        text = file.with_suffix(".md").read_text(encoding="utf-8").partition("<!--")[0]
    elif about.get("kind") != "translator":
        text = _own_card(name, arguments["title"])
    return {"text": text, "facts": facts}, b""


def _own_card(name: str, title: str) -> str:
    """Return the card with which a model would be published, without what concerns the Hub alone."""
    text = model_card(facts_of(name, f"local/{title}", onnx=False, space=False))
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    kept = [section for section in sections if not section.startswith("## How to use it")]
    return re.sub(r"^(!\[|\*The pictures of the seeds).*\n\n?", "", "".join(kept), flags=re.MULTILINE)
