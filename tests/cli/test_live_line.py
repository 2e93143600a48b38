"""The live line of ``facegan train``."""

import pytest

from facegan.cli.train_session import status
from facegan.runs.callbacks import StepStats

VALUES = {"loss_g": 1.0, "loss_d": 0.5, "accuracy_real": 1.0, "accuracy_fake": 0.5}


@pytest.mark.parametrize(
    "seen, left",
    [(0, "1:40"), (1984, "0:01"), (2000, "0:00"), (2016, "0:00")],  # batches of 32 end at 2016
)
def test_time_left_ends_at_0(seen, left):
    text = status(StepStats(seen, 2000, 1.0, 20.0, VALUES))
    assert f"of 2 kimg    20.0 img/s  left {left}  loss G  1.000 D  0.500" in text
