"""A dataset of 24 drawn portraits, prepared once."""

from __future__ import annotations

import pytest

from facegan.data.dataset import Dataset
from facegan.data.prepare import prepare
from facegan.demo.portraits import write_portraits


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("portraits")
    write_portraits(folder / "photos", 24, 0, size=32)
    return prepare([folder / "photos"], folder / "dataset", crop="none", size=32)
