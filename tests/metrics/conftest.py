"""What the tests of metrics share: a dataset of drawn faces with attributes, and a network for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from facegan.data.dataset import Dataset
from facegan.data.portraits import write_portraits
from facegan.data.prepare import prepare
from facegan.metrics.attribute_training import SMALL, train_attribute_predictor
from facegan.metrics.attributes import AttributePredictor


@pytest.fixture(scope="session")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """160 drawn portraits of 32 px with their attributes, in three splits."""
    at = tmp_path_factory.mktemp("metrics")
    table = write_portraits(at / "photos", 160, 0, 32)
    names = "".join(
        f"{p.name} {('train', 'train', 'val', 'test')[i % 4]}\n"
        for i, p in enumerate(sorted((at / "photos").glob("*.png")))
    )
    (at / "split.txt").write_text(names)
    return prepare(
        at / "photos", at / "ds", crop="none", size=32, attributes=table, split=at / "split.txt", workers=1
    )


@pytest.fixture(scope="session")
def predictor(portraits: Dataset) -> AttributePredictor:
    made = train_attribute_predictor(
        portraits.images("train"), portraits.attributes("train"), portraits.attribute_names,
        replace(SMALL, epochs=12),
    )  # fmt: skip
    made.measure_features(portraits.images("train"))
    return made
