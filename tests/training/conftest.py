"""A dataset of 24 drawn portraits, prepared once; and short runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from facegan.data.dataset import Dataset
from facegan.data.prepare import prepare
from facegan.demo.portraits import write_portraits


@pytest.fixture(scope="module", autouse=True)
def short(fewer_draws: None) -> Iterator[None]:
    """Runs make few draws for batch norm, and what times updates does so for a moment."""
    from facegan.planning import dry_run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dry_run, "TIMED_SECONDS", 0.2)
        yield


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("portraits")
    write_portraits(folder / "photos", 24, 0, size=32)
    return prepare([folder / "photos"], folder / "dataset", crop="none", size=32)
