"""The dataset's card: what the Hub, its viewer and ``datasets`` read of it, and a few plain sentences."""

from __future__ import annotations

from collections import Counter
from typing import Any

from facegan.data.schema import PLACES, Schema
from facegan.data.summary import attribute_lines


def columns(info: dict[str, Any]) -> Schema:
    """Return the columns of the dataset that dataset.json describes; those of older ones always had both
    places."""
    names = info.get("predicted", {}).get("names", {})
    predicted = [name for name, known in names.items() if known.get("count", 1)]
    return Schema(info["attribute_names"], info.get("class_names", {}), predicted, info.get("places", PLACES))


def commonest(rejects: list[dict[str, str]]) -> list[tuple[str, int]]:
    """Return reasons with their counts, the commonest first; duplicates are counted together."""
    return Counter(plain_reason(r["reason"]) for r in rejects).most_common()


def plain_reason(reason: str) -> str:
    """Return a reason without the name of the picture of which another one is a duplicate."""
    return reason.partition(" of ")[0] if "duplicate of" in reason else reason


def summary(rejects: list[dict[str, str]], most: int = 5) -> str:
    """Return ``no face, 12 times; truncated, once``: reasons may begin with numbers, so counts come after
    them."""
    reasons = commonest(rejects)
    text = "; ".join(f"{reason}, {times(count)}" for reason, count in reasons[:most])
    more = len(reasons) - most
    return text + (f"; {more} more reason{'s' * (more != 1)}" if more > 0 else "")


def times(count: int) -> str:
    """Return ``once``, ``twice``, ``3 times``."""
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def all_rejected(rejects: list[dict[str, str]]) -> str:
    """Return ``all 6 were rejected for the same reason: no face``; '' where nothing was rejected."""
    if len(rejects) < 2:
        return "".join(f"the only one found was rejected: {r['reason']}" for r in rejects)
    if len(commonest(rejects)) == 1:
        return f"all {len(rejects):,} were rejected for the same reason: {commonest(rejects)[0][0]}"
    return f"all {len(rejects):,} were rejected for these reasons: {summary(rejects)}"


_ABOUT = {
    "box": "`box` (x, y, width, height)",
    "landmarks": "`landmarks` (x, y of left eye, right eye, nose, left and right mouth corner)",
}


def card(name: str, info: dict[str, Any]) -> str:
    """Return the Hub's dataset card: YAML front matter and a few plain sentences."""
    h, w = info["size"]
    total, counts = sum(info["counts"].values()), ", ".join(f"{n} {s}" for s, n in info["counts"].items())
    return f"""---
{_front(info)}---

# {name}

{total} pictures of {w}x{h} px with {info["channels"]} channel(s): {counts}. Made by facegan
{info["facegan"]} with the crop `{info["crop"]["kind"]}`; {len(info["rejects"])} pictures were left out
({summary(info["rejects"]) or "none"}), each listed with its reason in `dataset.json`.
Content hash `{info["content_hash"]}`.{_origin(info)}

{_columns(info)}

{_commands(list(info["counts"]))}
The licence is that of the sources.
"""


def _front(info: dict[str, Any]) -> str:
    """Return the YAML at the head. It has no numbers of rows: with those, ``datasets`` would refuse the
    folder once another tool has filtered a shard."""
    import yaml

    total = sum(info["counts"].values())
    limits = [(1000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M")]
    category = next((text for limit, text in limits if total < limit), "1M<n<10M")
    files = [{"split": s, "path": f"data/{s}-*.parquet"} for s in info["counts"]]
    head = {
        "task_categories": ["unconditional-image-generation"],
        "size_categories": [category],
        "configs": [{"config_name": "default", "data_files": files}],
        "dataset_info": {"features": columns(info).card()},
        "tags": ["facegan"],
    }
    return yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=100)


def _columns(info: dict[str, Any]) -> str:
    found = columns(info)
    parts = ["`image`", "`source`", *(_ABOUT[name] for name in found.places)]
    text = f"Columns: {', '.join(parts)}" + (
        ", both in pixels of the source" if len(found.places) == 2 else ""
    )
    if found.attributes:
        text += f", `attributes` ({', '.join(found.attributes)})"
    text += (", `confidence` (of predicted attributes)" if found.predicted else "") + "."
    lines = attribute_lines(info.get("attributes", []), sum(info["counts"].values()), most=99)
    listed = [line if line.startswith(" ") else f"- {line}" for line in lines]
    return "\n".join([text, *([""] if listed else []), *listed])


def _commands(splits: list[str]) -> str:
    """Return how other tools read one split."""
    one, names = f"FOLDER/data/{splits[0]}-*.parquet", ", ".join(f"`{s}`" for s in splits)
    return f"""Splits: {names}. Other tools read one so, with this folder for `FOLDER`:

```python
datasets.load_dataset("FOLDER", split="{splits[0]}")
pandas.read_parquet(sorted(glob.glob("{one}")))
polars.read_parquet("{one}")
duckdb.sql("FROM '{one}'")
pyarrow.dataset.dataset(sorted(glob.glob("{one}")))
ray.data.read_parquet(sorted(glob.glob("{one}")))
```
"""


def _origin(info: dict[str, Any]) -> str:
    """Return which dataset this one comes from, by which choice, and what was predicted."""
    text = ""
    if made := info.get("made_from"):
        text += f"\n\nMade from the dataset {made['name']} (content hash `{made['content_hash']}`)."
    if chosen := info.get("selected"):
        text += f" Its pictures were chosen by `{chosen['expression']}`."
    if predicted := info.get("predicted"):
        text += f" Attributes with a confidence were predicted by the network {predicted['network']}."
    return text
