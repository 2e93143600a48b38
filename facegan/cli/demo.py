"""``facegan demo``: the bundled faces, then the whole way with drawn portraits; it ends with one page."""

from __future__ import annotations

import signal
import time

from facegan.bars import silence
from facegan.cli.options import notify


def main(
    out: str = "demo", portraits: int = 3000, kimg: float = 80.0, *, seed: int = 0, mark: bool = True
) -> int:
    """Run every step offline: the bundled model, then drawn portraits, preparing, training, exploring.

    Takes under 10 minutes on two cores and writes OUT/report.html. After an interruption, the same command
    continues.

    Args:
        out: folder for all results.
        portraits: number of portraits to draw.
        kimg: length of the training in thousands of images.
        seed: seed of the portraits and the training.
        mark: write into each picture that it is generated, and its model, seeds and command. EU law asks
            providers for such marks since 2 August 2026 (Regulation 2024/1689, Article 50(2)).
    """
    from facegan.cli.train_session import LiveLine
    from facegan.demo.tour import run_demo
    from facegan.interrupts import Interrupted

    start = time.monotonic()
    try:
        with silence():  # the demo has lines of its own
            report = run_demo(
                out,
                portraits=portraits,
                kimg=kimg,
                seed=seed,
                mark=mark,
                on_message=notify,
                listeners=[LiveLine()],
            )
    except (KeyboardInterrupt, Interrupted) as stop:
        notify(f"\nfacegan demo: interrupted; the same command goes on from here ({out})")
        return 128 + getattr(stop, "signum", signal.SIGINT)
    notify(f"done in {time.monotonic() - start:.0f} s; open {report}")
    return 0
