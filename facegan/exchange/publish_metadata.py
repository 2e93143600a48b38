"""Write the metadata of a published model: those at the top of its cards, and ``config.json``."""

from __future__ import annotations

import json
import re
from typing import Any

from facegan.exchange.publish_facts import Facts
from facegan.hub import library
from facegan.version import __version__

TASK = "unconditional-image-generation"
_SUMMARY_LENGTH = 60  # of a Space's short description


def front_matter(facts: Facts) -> str:
    """Return the metadata of the model's card as YAML, between its lines of dashes."""
    hub = library()
    tags = ["facegan", "gan", str(facts.model.meta["family"])]
    tags += ["conditional"] if facts.model.labels else []
    tags += ["onnx"] if facts.onnx else []
    data = hub.ModelCardData(
        library_name="facegan",
        pipeline_tag=TASK,
        tags=tags,
        model_name=facts.name,
        eval_results=_results(facts, hub) or None,
        **facts.licence.metadata(),
    )
    if not data.eval_results:
        data.pop("model_name")
    return f"---\n{data.to_yaml()}\n---\n"


def _results(facts: Facts, hub: Any) -> list[Any]:
    """Return the results that are complete: with the pictures that were compared with, and how many."""
    m = facts.measures
    if m is None or not (m.against and m.split and m.features and m.count):
        return []
    amount = f", {m.count_real:,} pictures" if m.count_real else ""
    return [
        hub.EvalResult(
            task_type=TASK,
            task_name="Unconditional image generation",
            dataset_type=_slug(m.against),
            dataset_name=f"{m.against} ({m.split}{amount})",
            dataset_split=m.split,
            metric_type=name.replace("_", "-"),
            metric_name=f"{value.title} ({m.features})",
            metric_value=round(m.values[name], 6),
            metric_args={"samples": m.count, "features": m.features, "truncation": m.truncation},
        )
        for name, value in m.rows()
    ]


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-") or "unknown"


def config_json(facts: Facts) -> str:
    """Return ``config.json``: what the model's header says."""
    meta = {k: v for k, v in facts.model.meta.items() if k != "hash"}
    config = {"library_name": "facegan", "facegan_version": __version__, "model_type": meta.pop("family")}
    return json.dumps({**config, "hash": facts.model.hash, **meta}, indent=2, ensure_ascii=False) + "\n"


def space_card(facts: Facts) -> str:
    """Return README.md of the Space, whose metadata make it a static page."""
    hub = library()
    data = hub.SpaceCardData(
        title=facts.name,
        emoji="🎭",
        colorFrom="green",
        colorTo="blue",
        sdk="static",
        app_file="index.html",
        pinned=False,
        short_description=f"Draws pictures of {facts.size} px in the browser"[:_SUMMARY_LENGTH],
        models=[facts.repo],
        tags=["facegan", "gan"],
        **facts.licence.metadata(),
    )
    link = f"[{facts.repo}](https://huggingface.co/{facts.repo})"
    return (
        f"---\n{data.to_yaml()}\n---\n\n# {facts.name}\n\nA page that draws the pictures of the generator "
        f"{link} in the browser, without a server. `facegan publish` (facegan {__version__}) wrote it.\n"
    )
