"""The columns of a dataset, as Arrow's schema, as the features of ``datasets``, and as a card tells those."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PLACES = ("box", "landmarks")  # left out of a dataset none of whose rows has them


@dataclass(frozen=True)
class Schema:
    """Which columns the shards have besides ``image`` and ``source``; all shards of a dataset have the same.

    ``attributes`` are names, ``classes`` the names of those that have classes, ``predicted`` those with a
    confidence, ``places`` which of box and landmarks there are.
    """

    attributes: Sequence[str] = ()
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    predicted: Sequence[str] = ()
    places: Sequence[str] = PLACES

    def features(self) -> dict[str, Any]:
        """Return the features as ``datasets`` has them in JSON: by them it decodes pictures and names
        classes."""
        # "Sequence" is what every version of datasets reads; "List" only those from 4 on.
        found: dict[str, Any] = {"image": {"_type": "Image"}, "source": _value("string")}
        found |= {name: {"feature": _value("float32"), "_type": "Sequence"} for name in self.places}
        if self.attributes:
            found["attributes"] = {name: self._attribute(name) for name in self.attributes}
        if self.predicted:
            found["confidence"] = {name: _value("float32") for name in self.predicted}
        return found

    def _attribute(self, name: str) -> dict[str, Any]:
        if names := self.classes.get(name):
            return {"names": list(names), "_type": "ClassLabel"}
        return _value("int32")

    def arrow(self) -> Any:
        """Return the schema of a shard, its metadata the features."""
        import pyarrow as pa

        fields = [
            pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            pa.field("source", pa.string()),
            *(pa.field(name, pa.list_(pa.float32())) for name in self.places),
        ]
        if self.attributes:
            fields.append(pa.field("attributes", pa.struct([(name, pa.int32()) for name in self.attributes])))
        if self.predicted:
            fields.append(
                pa.field("confidence", pa.struct([(name, pa.float32()) for name in self.predicted]))
            )
        return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": self.features()}})})

    def card(self) -> list[dict[str, Any]]:
        """Return the features in the form of a card's ``dataset_info``, for shards that have lost their
        metadata."""
        return [_on_card(name, feature) for name, feature in self.features().items()]


def _value(dtype: str) -> dict[str, Any]:
    return {"dtype": dtype, "_type": "Value"}


def _on_card(name: str, feature: dict[str, Any]) -> dict[str, Any]:
    match feature.get("_type"):
        case "Image":
            return {"name": name, "dtype": "image"}
        case "Value":
            return {"name": name, "dtype": feature["dtype"]}
        case "Sequence":
            return {"name": name, "sequence": feature["feature"]["dtype"]}
        case "ClassLabel":
            names = {str(i): text for i, text in enumerate(feature["names"])}
            return {"name": name, "dtype": {"class_label": {"names": names}}}
    return {"name": name, "struct": [_on_card(inner, its) for inner, its in feature.items()]}
