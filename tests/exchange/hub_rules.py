"""The rules that the Hub states for the metadata at the top of a README, for checks without a network.

From its documentation: *Licenses*, *Model Cards* (with the specification ``modelcard.md``) and *Spaces
Configuration Reference*.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

LICENCES = {
    word
    for line in (
        "apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0",
        "bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear",
        "c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0",
        "cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0",
        "cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl",
        "ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1",
        "lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl openrail++ osl-3.0 postgresql ofl-1.1 ncsa",
        "unlicense zlib pddl lgpl-lr deepfloyd-if-license llama2 gemma unknown other",
    )
    for word in line.split(" ")
}
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
_SDKS = {"gradio", "streamlit", "docker", "static"}
_EMOJI = "[\U0001f300-\U0001faff☀-➿]️?"


def front_matter(text: str) -> dict[str, Any]:
    """Return the metadata of a README; ValueError without any."""
    found = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    value = yaml.safe_load(found[1]) if found else None
    if not isinstance(value, dict):
        raise ValueError("no metadata")
    return value


def faults_of(text: str, kind: str) -> list[str]:
    """Return what the Hub would refuse in the README of a model or Space."""
    try:
        data = front_matter(text)
    except (ValueError, yaml.YAMLError) as error:
        return [f"metadata: {error}"]
    return _licence(data) + _lists(data) + (_space(data) if kind == "space" else _model(data))


def _licence(data: dict[str, Any]) -> list[str]:
    if "license" not in data:
        return []
    found = [] if data["license"] in LICENCES else [f'"license" must be one of them, not {data["license"]}']
    name = data.get("license_name")
    if data["license"] == "other" and not name:
        found.append('"license_name" is required if "license" is "other"')
    if name is not None and not re.fullmatch(r"[a-z0-9.-]+", str(name)):
        found.append(f'"license_name" must be lower case letters, digits, dots and dashes, not {name}')
    link = data.get("license_link")
    if link is not None and link not in ("LICENSE", "LICENSE.md") and not re.match("https?://", str(link)):
        found.append('"license_link" must be "LICENSE", "LICENSE.md" or an address')
    return found


def _lists(data: dict[str, Any]) -> list[str]:
    names = ("tags", "models", "datasets")
    return [
        f'"{name}" must be a list of texts'
        for name in names
        if name in data and not all(isinstance(v, str) and v for v in data[name])
    ]


def _model(data: dict[str, Any]) -> list[str]:
    found = [
        f'"{name}" must be a text'
        for name in ("library_name", "pipeline_tag")
        if not isinstance(data.get(name, ""), str)
    ]
    for model in data.get("model-index", ()):
        if not model.get("name"):
            found.append('"model-index[0].name" is required')
        for i, result in enumerate(model.get("results", [])):
            at = f"model-index[0].results[{i}]"
            wanted = {"task": ("type",), "dataset": ("type", "name")}
            found += [
                f'"{at}.{part}.{key}" is required'
                for part, keys in wanted.items()
                for key in keys
                if not isinstance(result.get(part, {}).get(key), str)
            ]
            if not result.get("metrics"):
                found.append(f'"{at}.metrics" is required')
            for metric in result.get("metrics", ()):
                if not isinstance(metric.get("type"), str) or metric.get("value") is None:
                    found.append(f'"{at}.metrics": "type" and "value" are required')
    return found


def _space(data: dict[str, Any]) -> list[str]:
    found = [] if data.get("sdk") in _SDKS else [f'"sdk" must be one of {", ".join(sorted(_SDKS))}']
    found += [
        f'"{side}" must be one of {", ".join(sorted(COLOURS))}'
        for side in ("colorFrom", "colorTo")
        if data.get(side) not in COLOURS
    ]
    if not re.fullmatch(_EMOJI, data.get("emoji", "")):
        found.append('"emoji" must be one emoji')
    if len(data.get("short_description", "")) > 60:
        found.append('"short_description" must have at most 60 characters')
    return found
