"""Two processes do what one does: the numbers, the run folder, and what happens when one of them dies."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import warm
from narrow import TRAINED
from safetensors.numpy import load_file

from facegan.families import TRANSLATORS
from facegan.recipes.table import recipe
from facegan.runs.checkpoints import list_checkpoints

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import updates_in_processes as updates  # noqa: E402

SMALL = [
    "--recipe",
    "faces-tiny-32",
    "--batch",
    "8",
    "--generator.width",
    "0.25",
    "--discriminator.width",
    "0.25",
    "--grid-count",
    "4",
    "--quality-count",
    "8",
    "--no-tensorboard",
    "--grid-kimg",
    "0.08",
    "--checkpoint-kimg",
    "0.08",
]


def environment(rank, port, world=2):
    return {
        **os.environ,
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def pair(argv, **options):
    """Two processes that train together, as a launcher starts them."""
    port = free_port()
    return [warm.Popen(argv, env=environment(rank, port), **options) for rank in (0, 1)]


def train(dataset, out, kimg, *more):
    return [
        "-m",
        "facegan.cli.main",
        "train",
        str(dataset.path),
        *SMALL,
        "--kimg",
        str(kimg),
        "--out",
        str(out),
        *more,
    ]


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """What two processes and one process computed."""
    folder = tmp_path_factory.mktemp("processes")
    script = str(HERE / "updates_in_processes.py")
    both = pair([script, str(folder / "two.npz")])
    warm.run([script, str(folder / "one.npz")], check=True)
    assert [p.wait(timeout=300) for p in both] == [0, 0]
    one, two = (dict(np.load(folder / f"{name}.npz")) for name in ("one", "two"))
    assert (one["world"], two["world"]) == (1, 2)
    return one, two


def test_every_family_is_among_the_cases():
    families = {recipe(c.get("recipe", "faces-tiny-32")).family for c in updates.CASES.values()}
    assert families == {*TRAINED, *TRANSLATORS}


@pytest.mark.parametrize("case", updates.CASES)
def test_gradients_of_two_processes_are_those_of_one(numbers, case):
    one, two = ({k: v for k, v in side.items() if k.startswith(f"{case}||")} for side in numbers)
    assert one.keys() == two.keys() and len(one) > 8
    for key, expected in one.items():
        # A bias before batch norm has no gradient but rounding: measured against the largest of all.
        scale = max(np.abs(expected).max(), 1e-3)
        # Statistics come after Adam's step, which makes steps of such rounding.
        limit = 1e-5 if "running" in key else 1e-9
        assert np.abs(two[key] - expected).max() <= limit * scale, key


def test_twenty_updates_in_float32(numbers):
    """Another order of summation, 20 times through Adam, whose steps make much of the smallest gradients.

    Weights stray by at most a tenth of their way on average (0.035 when this was written), 99% by a quarter.
    """
    one, two = ({k: v for k, v in side.items() if k.startswith("twenty||")} for side in numbers)
    far = 20 * 2e-4  # as far as Adam's steps of the learning rate reach
    strays = np.concatenate([np.abs(two[k] - one[k]).ravel() / far for k in one])
    assert np.quantile(strays, 0.99) < 0.25 and strays.mean() < 0.1, (strays.mean(), strays.max())


LAUNCHERS = {
    "torchrun": ["torch.distributed.run", "--nproc-per-node", "2"],
    "accelerate launch": ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"],
}


def launched(launcher, dataset, out, kimg, *more):
    argv = ["-m", *LAUNCHERS[launcher], *train(dataset, out, kimg, "--device", "cpu", *more)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *argv], env=env, capture_output=True, text=True, timeout=200)


def state(run):
    return load_file(list_checkpoints(run / "checkpoints")[-1] / "state.safetensors")


def test_launched_processes_write_one_run_and_any_number_goes_on(tiny_dataset, tmp_path):
    """Two under torchrun, then one, then two under accelerate."""
    done = launched("torchrun", tiny_dataset, tmp_path / "two", 0.16)
    assert done.returncode == 0, done.stderr
    seen = [
        json.loads(line)["images_seen"] for line in (tmp_path / "two/stats.jsonl").read_text().splitlines()
    ]
    assert seen == list(range(0, 161, 8))  # one line a report: the first process alone writes
    assert done.stderr.count("done: ") == 1
    one = warm.run(train(tiny_dataset, tmp_path / "two", 0.24), capture_output=True)
    assert one.returncode == 0, one.stderr[-2000:]
    assert "resumed from 000000.160kimg; processes 2 -> 1: from here on equal but for rounding" in one.stderr
    again = launched("accelerate launch", tiny_dataset, tmp_path / "two", 0.32)
    assert again.returncode == 0 and "processes 1 -> 2" in again.stderr, again.stderr[-2000:]
    lines = (tmp_path / "two/stats.jsonl").read_text().splitlines()
    assert [json.loads(line)["images_seen"] for line in lines] == list(range(0, 321, 8))
    assert again.stderr.count("done: ") == 1
    assert state(tmp_path / "two")["generator/layers.0.weight"].dtype == np.float32


def test_a_batch_that_cannot_be_shared_is_one_line(tiny_dataset, tmp_path):
    both = pair(train(tiny_dataset, tmp_path / "r", 0.16, "--batch", "9"), stderr=subprocess.PIPE)
    said = [p.communicate(timeout=120)[1] for p in both]
    assert [p.returncode for p in both] == [2, 2]
    text = "".join(said)
    assert text.count("cannot be shared by 2 processes") == 1 and "Traceback" not in text, text


def wait_for(condition, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def test_a_process_that_dies_ends_the_run_with_its_reason(tiny_dataset, tmp_path):
    run = tmp_path / "r"
    both = pair(train(tiny_dataset, run, 40.0, "--checkpoint-kimg", "0.08"), stderr=subprocess.PIPE)
    wait_for(lambda: list_checkpoints(run / "checkpoints"))
    both[1].kill()
    said = both[0].communicate(timeout=60)[1]
    assert both[0].returncode == 2 and "Traceback" not in said, said[-3000:]
    assert "process 0 lost the others" in said and "the last checkpoint is intact" in said
    assert ".cc" not in said.replace(str(run), ""), said  # nothing of gloo's source
    both[1].communicate()
    alone = warm.run(train(tiny_dataset, run, 40.0, "--resume", "--dry-run"), capture_output=True)
    assert alone.returncode == 0
    assert state(run)["generator/layers.0.weight"].size


@pytest.mark.parametrize("signum, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_one_process_stops_both_after_saving(tiny_dataset, tmp_path, signum, code):
    run = tmp_path / "r"
    both = pair(train(tiny_dataset, run, 40.0, "--checkpoint-kimg", "20"), stderr=subprocess.PIPE)
    wait_for(
        lambda: (run / "stats.jsonl").exists() and len((run / "stats.jsonl").read_text().splitlines()) > 2
    )
    both[1].send_signal(signum)
    said = [p.communicate(timeout=60)[1] for p in both]
    assert [p.returncode for p in both] == [code, code], said
    assert len(list_checkpoints(run / "checkpoints")) == 1
    assert "saved; the same command goes on" in said[0] and not said[1].strip()


def test_a_trial_that_fails_on_the_first_process_costs_no_other(tiny_dataset, tmp_path):
    """One picture is too few for the distance, which the first process alone measures."""
    out = tmp_path / "s"
    sweep = ["--sweep", "quality-count=1,8", "--sweep-kimg", "0.016", "--metric-features", "pixels"]
    words = train(tiny_dataset, out, 0.016, *sweep)
    at = words.index("--quality-count")
    both = pair(words[:at] + words[at + 2 :], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    said = [p.communicate(timeout=120) for p in both]
    assert [p.returncode for p in both] == [2, 2], said
    (ranking, told), (nothing, silence) = said
    assert not nothing and not silence.strip(), silence
    assert "quality-count=1: " in told and "Traceback" not in told
    lines = [line.split() for line in ranking.splitlines() if "quality-count=" in line]
    assert [line[:2] for line in lines] == [["1", "quality-count=8"], ["–", "quality-count=1"]]
    assert len(list_checkpoints(out / "quality-count=8" / "checkpoints")) == 1
