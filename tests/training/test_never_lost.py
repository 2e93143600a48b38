"""Runs that are killed at every kind of write, moved, damaged or out of disk end as if nothing had happened.

Every attempt is a child of a process that has imported everything; children are real processes, and die by
SIGKILL in the middle of their writes.
"""

import json
import shutil
import signal
import subprocess

import numpy as np
import pytest
import warm
from narrow import reductions
from PIL import Image
from safetensors.numpy import load_file

import facegan
from facegan.data.prepare import prepare
from facegan.errors import RunError
from facegan.recipes.table import recipe
from facegan.runs.checkpoints import list_checkpoints

RECIPES = (
    "digits-vanilla-28",
    "digits-dcgan-28",
    "faces-dcgan-56",
    "faces-dcgan-80",
    "faces-dcgan-50",
    "faces-dcgan-128",
    "faces-tiny-32",
    "faces-dcgan-64",
    "faces-fast-64",
    "progan-64-short",
    "stylegan2-64-small",
    "r3gan-64-small",
    "pix2pix-64",
    "cyclegan-64",
)
DRIVER = '''
import json, os, random, signal, sys, time
from pathlib import Path
import torch
import facegan.files, facegan.runs.report, facegan.training.train, facegan.training.snapshot
import facegan.metrics.random_features, facegan.metrics.validation
from facegan.recipes.table import recipe
torch.set_num_threads(1)
dataset, name, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
changes, kills = map(json.loads, sys.argv[4:])

def attempt(out, kill_at=None, listing=None, after=None):
    """The child's exit code, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        try:
            facegan.files._reached = 0
            for key, value in (("FACEGAN_KILL_AT", kill_at), ("FACEGAN_FAILPOINTS", listing)):
                if value is not None:
                    os.environ[key] = str(value)
            facegan.training.train.train(dataset, name, out, **changes)
            os._exit(0)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
    if after is not None:
        time.sleep(after)
        os.kill(child, 9)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

started = time.perf_counter()
assert attempt(folder / "whole", listing=folder / "points") == 0
lasting = time.perf_counter() - started
points = (folder / "points").read_text().splitlines()
points = [point for point in points if "features-" not in point]  # the dataset keeps them for the next runs
last = lambda end: max(i for i, point in enumerate(points, 1) if point.endswith(end))
random.seed(0)
died, at = 0, []
for i in range(kills):
    # Counted from each start: the killed run resumes, so that later attempts have fewer points before them.
    point = 1 + (i * len(points)) // kills if i % 2 == 0 else random.randrange(1, len(points) // 2)
    if i == 1:  # a fresh start, to die while it writes its last checkpoint
        point = last("state.safetensors: half written")
    if i == 2:  # the first died before anything: to die with nothing more to write but what is left to remove
        point = last("set aside")
    listed = folder / f"points-{i}"
    code = attempt(folder / f"killed-{i % 2}", kill_at=point, listing=listed)
    assert code in (0, -9), code
    died += code == -9
    at.append(listed.read_text().splitlines()[-1] if code == -9 else "-")
for _ in range(2):
    died += attempt(folder / "timed", after=random.uniform(0.1, 0.9) * lasting) == -9
for run in ("killed-0", "killed-1", "timed"):
    assert attempt(folder / run) == 0
print(json.dumps({"died": died, "points": points, "at": at}))
'''


def changes_for(name):
    """Six updates in batches of four with narrow networks; grids and checkpoints as often as can be."""
    changes = {
        **reductions(name),
        "kimg": 0.024,
        "grid_count": 2,
        "quality_count": 0,
        "checkpoint_kimg": 0.008,
        "grid_kimg": 0.008,
        "precision": "float32",
    }
    if "generator.width" in changes:
        changes |= {"generator.width": 1 / 32, "discriminator.width": 1 / 32}
    if name == "stylegan2-64-small":  # augmentation that adapts, so quickly that it shows
        changes |= {"augment_p": 0.5, "augment_kimg": 0.1}
    if name == "pix2pix-64":
        changes |= {"input": "edges", "metric_kimg": 0.004}
    if name == "cyclegan-64":  # with earlier results, and the metric
        changes |= {
            "translation.pool": 3,
            "metric_features": "pixels",
            "metric_count": 10,
            "metric_kimg": 0.004,
        }
    if name == "faces-tiny-32":  # with the metric that keeps the best moment
        changes |= {"metric": "kid", "metric_features": "pixels", "metric_count": 10, "metric_kimg": 0.004}
    return changes


def pictures(folder, name, count=24, *, first=0):
    config = recipe(name)
    shape = (config.size, config.size, 3) if config.channels != 1 else (config.size, config.size)
    (folder / "photos").mkdir(parents=True)
    for i in range(count):
        pixels = np.random.default_rng(first + i).integers(0, 256, shape, np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{i:03d}.png")
    return prepare(
        [folder / "photos"], folder / "dataset", crop="none", size=config.size, gray=config.channels == 1
    )


def end(run):
    return load_file(list_checkpoints(run / "checkpoints")[-1] / "state.safetensors")


def assert_same_end(a, b):
    x, y = end(a), end(b)
    assert x.keys() == y.keys()
    for key in x:
        assert np.array_equal(x[key], y[key], equal_nan=True), key
    for pattern in ("samples/*", "models/*"):
        assert sorted(p.name for p in a.glob(pattern)) == sorted(p.name for p in b.glob(pattern))
    lines = [[json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()] for run in (a, b)]
    told = [[(s["images_seen"], s.get("loss_g"), s.get("loss_d")) for s in side] for side in lines]
    assert told[0] == told[1]
    best = [(run / "best.json").read_bytes() if (run / "best.json").exists() else b"" for run in (a, b)]
    assert best[0] == best[1]


@pytest.mark.parametrize("name", RECIPES)
def test_killed_anywhere_it_ends_the_same(tmp_path, name):
    """Kills at points spread over the run and at random ones, two at random times, for each recipe."""
    data = pictures(tmp_path, name)
    changes = changes_for(name)
    if name == "cyclegan-64":
        changes["to"] = str(pictures(tmp_path / "other", name, first=100).path)
    first = next(one for one in RECIPES if recipe(one).family == recipe(name).family)
    kills = 8 if name == first or "metric" in changes else 4  # more would kill the same code again
    given = [str(data.path), name, str(tmp_path), json.dumps(changes), str(kills)]
    done = warm.run(["-c", DRIVER, *given], capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["died"] > kills // 2 and told["at"][1] == "state.safetensors: half written", told["at"]
    assert told["at"][2].endswith("set aside"), told["at"]
    kinds = {point.split(":")[-1].strip() for point in told["points"]}
    assert {
        "before the write",
        "half written",
        "written",
        "before the rename",
        "renamed",
        "half a line",
        "before its removal",
        "set aside",
    } <= kinds
    for run in ("killed-0", "killed-1", "timed"):
        assert_same_end(tmp_path / "whole", tmp_path / run)
        left = [p for p in (tmp_path / run).rglob("*.tmp")]
        assert not left, left


SMALL = {
    "kimg": 0.032,
    "batch": 8,
    "grid_count": 4,
    "checkpoint_kimg": 0.016,
    "grid_kimg": 0.016,
    "generator.width": 0.125,
    "discriminator.width": 0.125,
    "quality_count": 0,
}


def command(dataset, out, *more, **changes):
    flags = [f"--{k.replace('_', '-')}={v}" for k, v in {**SMALL, **changes}.items()]
    return [
        "-m",
        "facegan.cli.main",
        "train",
        str(dataset.path),
        "--recipe",
        "faces-tiny-32",
        "--out",
        str(out),
        *flags,
        *more,
    ]


@pytest.mark.parametrize("signum, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_save_and_the_same_command_goes_on(tiny_dataset, tmp_path, signum, code):
    import time

    run = tmp_path / "r"
    argv = command(tiny_dataset, run, "--no-tensorboard", kimg=100, checkpoint_kimg=50, grid_kimg=50)
    process = warm.Popen(argv, stderr=subprocess.PIPE)
    while not (run / "stats.jsonl").exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signum)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == code and "saved; the same command goes on" in said
    saved = list_checkpoints(run / "checkpoints")
    assert len(saved) == 1
    seen = json.loads((saved[0] / "state.json").read_text())["images_seen"]
    more = {**SMALL, "kimg": seen / 1000 + 0.032, "checkpoint_kimg": 50, "grid_kimg": 50}
    facegan.train(tiny_dataset, "faces-tiny-32", run, resume=True, **more)
    facegan.train(tiny_dataset, "faces-tiny-32", tmp_path / "whole", **more)
    x, y = end(run), end(tmp_path / "whole")
    assert all(np.array_equal(x[k], y[k]) for k in x if not k.startswith("sums"))


def test_a_moved_run_goes_on(tiny_dataset, tmp_path, monkeypatch):
    whole = facegan.train(tiny_dataset, "faces-tiny-32", tmp_path / "whole", **SMALL)
    facegan.train(tiny_dataset, "faces-tiny-32", tmp_path / "r", **{**SMALL, "kimg": 0.016})
    shutil.move(tmp_path / "r", tmp_path / "elsewhere" / "moved")
    shutil.copytree(tiny_dataset.path, tmp_path / "copy")  # and so may its dataset be
    monkeypatch.chdir(tmp_path / "elsewhere")
    facegan.train(tmp_path / "copy", "faces-tiny-32", "moved", resume=True, **SMALL)
    assert_same_end(whole, tmp_path / "elsewhere" / "moved")


def test_what_changed_is_named(tiny_dataset, tmp_path):
    facegan.train(tiny_dataset, "faces-tiny-32", tmp_path / "r", **SMALL)
    prepare([tiny_dataset.path.parent / "photos"], tmp_path / "fewer", crop="none", size=32, limit=12)
    with pytest.raises(RunError) as caught:
        facegan.train(tmp_path / "fewer", "faces-tiny-32", tmp_path / "r", **SMALL)
    assert "dataset.content: " in str(caught.value) and "(24 pictures) -> " in str(caught.value)
    with pytest.raises(RunError, match=r"batch: 8 -> 16.*choose another out"):
        facegan.train(tiny_dataset, "faces-tiny-32", tmp_path / "r", **{**SMALL, "batch": 16})
    # Without a checkpoint nothing is lost, but for the models, if there are some.
    shutil.rmtree(tmp_path / "r" / "checkpoints")
    models = sorted(p.name for p in (tmp_path / "r" / "models").iterdir())
    for changes in ({"batch": 16}, {}):
        with pytest.raises(RunError, match=r"holds 2 models but no checkpoint .* choose another out"):
            facegan.train(tiny_dataset, "faces-tiny-32", tmp_path / "r", **{**SMALL, **changes})
    assert models == sorted(p.name for p in (tmp_path / "r" / "models").iterdir())
    shutil.rmtree(tmp_path / "r" / "models")
    facegan.train(tiny_dataset, "faces-tiny-32", tmp_path / "r", **{**SMALL, "batch": 16})
    assert json.loads((tmp_path / "r" / "config.json").read_text())["batch"] == 16


def test_a_run_of_another_device_goes_on_and_says_so(tiny_dataset, tmp_path):
    """A checkpoint that a GPU, another version and more threads have written."""
    run = facegan.train(
        tiny_dataset, "faces-tiny-32", tmp_path / "r", device="cpu", **{**SMALL, "kimg": 0.016}
    )
    header = list_checkpoints(run / "checkpoints")[-1] / "state.json"
    content = json.loads(header.read_text())
    now = dict(content["circumstances"])
    content["circumstances"] |= {"device": "cuda", "torch": "2.6.0", "precision": "bfloat16"}
    header.write_text(json.dumps(content))
    facegan.train(tiny_dataset, "faces-tiny-32", run, device="cpu", resume=True, **SMALL)
    said = (run / "events.jsonl").read_text()
    changes = f"device cuda -> cpu, torch 2.6.0 -> {now['torch']}, precision bfloat16 -> float32"
    assert f"resumed from 000000.016kimg; {changes}: from here on equal but for rounding" in said


@pytest.mark.parametrize("damage", ["truncated", "flipped", "no header", "empty"])
def test_a_damaged_newest_checkpoint_is_passed_over(tiny_dataset, tmp_path, damage):
    whole = facegan.train(tiny_dataset, "faces-tiny-32", tmp_path / "whole", **SMALL)
    run = facegan.train(tiny_dataset, "faces-tiny-32", tmp_path / "r", **SMALL)
    newest = list_checkpoints(run / "checkpoints")[-1]
    content = (newest / "state.safetensors").read_bytes()
    if damage == "truncated":
        (newest / "state.safetensors").write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        middle = len(content) // 2
        changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        (newest / "state.safetensors").write_bytes(changed)
    elif damage == "no header":
        (newest / "state.json").unlink()
    else:
        shutil.rmtree(newest)
        newest.mkdir()
    facegan.train(tiny_dataset, "faces-tiny-32", run, **SMALL)
    events = (run / "events.jsonl").read_text()
    assert "damaged" in events and "resumed from 000000.016kimg" in events
    assert_same_end(whole, run)


def small_disk(folder, kilobytes):
    """Mount a memory disk, where this process may; else None."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)], capture_output=True
    )
    return folder if done.returncode == 0 else None


def test_a_full_disk_costs_nothing(tiny_dataset, tmp_path):
    changes = {"kimg": 0.064}
    whole = facegan.train(tiny_dataset, "faces-tiny-32", tmp_path / "whole", **{**SMALL, **changes})
    one = sum(p.stat().st_size for p in list_checkpoints(whole / "checkpoints")[-1].iterdir())
    disk = small_disk(tmp_path / "disk", round(one * 2.6 / 1024))
    if disk is None:  # not the administrator: no file may be larger than a checkpoint's half
        limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({one // 2}, {one // 2}))"
        prefix = f"{limit}; import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        code = f"{prefix} import sys; from facegan.cli.main import main; sys.exit(main(sys.argv[1:]))"
        run = tmp_path / "r"
        facegan.train(tiny_dataset, "faces-tiny-32", run, **{**SMALL, "kimg": 0.016})
        argv = ["-c", code, *command(tiny_dataset, run, **changes)[2:]]
    else:
        run = disk / "r"
        argv = command(tiny_dataset, run, **changes)
    try:
        done = warm.run(argv, capture_output=True, timeout=120)
        assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr[-3000:]
        said = [line for line in done.stderr.splitlines() if line.startswith("facegan train: ")]
        assert len(said) == 1 and str(run) in said[0], done.stderr
        assert list_checkpoints(run / "checkpoints")
        if disk is not None:
            subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
        again = warm.run(command(tiny_dataset, run, "--resume", **changes), capture_output=True, timeout=120)
        assert again.returncode == 0, again.stderr[-3000:]
        x, y = end(whole), end(run)
        assert all(np.array_equal(x[k], y[k]) for k in x)
    finally:
        if disk is not None:
            subprocess.run(["umount", "-l", str(disk)], check=False)
