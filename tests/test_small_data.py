"""benchmarks/small_data.py: what counts CPU seconds, which photos, and what the table says of alarms."""

import signal
import time

import pytest

from facegan.runs.callbacks import StepStats


@pytest.fixture(scope="module")
def script(benchmarks):
    return benchmarks("small_data")


def test_the_clock_goes_on_from_the_checkpoint_and_stops_once(script, tmp_path, monkeypatch):
    now, signals = [100.0], []
    monkeypatch.setattr(time, "process_time", lambda: now[0])
    before = signal.signal(signal.SIGTERM, lambda number, _: signals.append(number))
    try:
        first = script.CpuClock(tmp_path / "cpu.jsonl", 60)
        for seen in (1000, 2000, 3000):
            now[0] += 10
            first.on_stats(StepStats(seen, 9000, 0, 0))
        with open(tmp_path / "cpu.jsonl", "a") as file:
            file.write("[4000, 3")  # killed while it wrote
        now[0] += 500
        second = script.CpuClock(tmp_path / "cpu.jsonl", 60)
        now[0] += 7  # reading the checkpoint, which counts for no training
        second.on_event(2000, "resumed from 000002kimg")
        assert second.seconds == 20
        now[0] += 39
        second.on_stats(StepStats(5000, 9000, 0, 0))
        assert not signals and not second.enough
        for seen in (6000, 7000):
            now[0] += 1
            second.on_stats(StepStats(seen, 9000, 0, 0))
        assert signals == [signal.SIGTERM] and second.enough and second.seconds == 61
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_photos_of_a_split(script):
    lines = ["a train", "b val", "c train", "d test", "", "e val", "f train"]
    text = script.split_text
    assert text(lines, "train", 2).split("\n") == ["a train", "c train", "b val", "d test", "e val", ""]
    assert text(lines, "val", 1).split("\n") == ["b train", "d test", "e val", ""]


def test_an_alarm_is_told_without_its_numbers(script):
    told = script.alarm("watchdog: the samples lose their variety: they differ 40%; try more pictures")
    assert told == "the samples lose their variety"
    assert script.alarm("watchdog: loss_g is no longer a finite number; try less").endswith("number")
