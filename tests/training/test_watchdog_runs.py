"""Each kind of breakdown in a real run: back to the last good checkpoint once, then an end that explains."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import warm
from narrow import of_both, reduced, sampler

from facegan.errors import RunError
from facegan.families.r3gan.config import default_widths
from facegan.models import load
from facegan.recipes.config import override
from facegan.recipes.table import RECIPES, recipe
from facegan.runs.callbacks import Listener
from facegan.runs.checkpoints import kimg_of, list_checkpoints, read_header, read_networks
from facegan.training.train import train

BASE = {
    "batch": 4,
    "grid_count": 8,
    "quality_count": 0,
    "r1_gamma": 0.0,
    "cooldown": 0.0,
    "latent.dim": 8,
    "ema_halflife_kimg": 0.0,
    "grid_kimg": 0.4,
    "checkpoint_kimg": 0.04,
    "generator.layers": "dense 32 lrelu; dense image tanh",
    "discriminator.layers": "dense 32 lrelu; dense 1",
}
DEEP = "dense 32 lrelu; " * 6 + "dense 1"
# Settings, what is said, whether checkpoints were written after the good one, length without the watchdog
KINDS = {
    # Adam's first step moves every weight by the learning rate.
    "not finite": (
        {"generator.lr": 1e38, "checkpoint_kimg": 0.004, "grid_kimg": 0.004, "kimg": 0.4},
        "is no longer a finite number",
        False,
        None,
    ),
    # The generator stands still, the discriminator learns to tell its pictures from real ones.
    "won": (
        {
            "generator.lr": 1e-9,
            "generator.init": "he",
            "discriminator.lr": 2e-3,
            "batch": 2,
            "kimg": 2.8,
            "checkpoint_kimg": 0.1,
        },
        "the discriminator has won: its loss is 0.00",
        True,
        1.6,
    ),
    # Noise that lifts all labels above 1 drives the discriminator to call everything real.
    "given up": (
        {"loss": "bce", "label_noise": 4.0, "generator.lr": 1e-4, "discriminator.lr": 1e-2, "kimg": 2.0},
        "the discriminator has given up: it calls everything real (loss 0.000 on real",
        True,
        0.6,
    ),
    # Nothing pushes the generator away from the one picture that a frozen discriminator likes best.
    "collapsed": (
        {"discriminator.lr": 1e-9, "generator.lr": 1e-2, "grid_kimg": 0.04, "kimg": 3.0},
        "the samples have collapsed: they differ",
        True,
        0.4,
    ),
    # The rates rise until a deep discriminator no longer bears them.
    "exploding": (
        {
            "loss": "hinge",
            "discriminator.layers": DEEP,
            "discriminator.lr": 0.3,
            "generator.lr": 0.3,
            "warmup_kimg": 0.8,
            "kimg": 1.6,
        },
        "gradients explode",
        True,
        0.4,
    ),
}


def events(run: Path) -> list[str]:
    file = run / "events.jsonl"
    return [json.loads(line)["text"] for line in file.read_text().splitlines()] if file.exists() else []


def contents(run: Path) -> dict[str, float]:
    """Progress (kimg) of every checkpoint, model and sample in the folder."""
    found = [p for kind in ("checkpoints", "models", "samples") for p in (run / kind).glob("[0-9]*kimg*")]
    return {f"{p.parent.name}/{p.name}": kimg_of(p.name) for p in found}


class Witness(Listener):
    """Looks into the folder before, at and after the first return to a checkpoint."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.before: dict[str, float] = {}
        self.at: dict[str, float] = {}
        self.header: dict = {}
        self.returned: float | None = None

    def on_event(self, images_seen, text):
        if "back to" in text:
            self.returned, self.at = images_seen / 1000, contents(self.run)

    def on_stats(self, stats):
        if self.returned is None:
            self.before = contents(self.run)
        elif not self.header:
            there = list_checkpoints(self.run / "checkpoints")[-1]
            self.header, self.networks = read_header(there), read_networks(there)
            self.model = load(self.run / "models" / f"{there.name.partition('-')[0]}.safetensors")


@pytest.mark.parametrize("kind", KINDS)
def test_back_once_and_then_an_end_with_advice(kind, tiny_dataset, tmp_path):
    settings, words, wrote_later, _ = KINDS[kind]
    run = tmp_path / "r"
    witness = Witness(run)
    with pytest.raises(RunError) as caught:
        train(tiny_dataset, "faces-tiny-32", run, listeners=[witness], **{**BASE, **settings})
    text = str(caught.value)
    assert "\n" not in text and text.startswith(f"{run}: stopped at ") and words in text
    assert "did not help" in text and "Try in a new run: " in text and "--" in text.partition("Try")[2]
    first, last = events(run)
    assert first.startswith("watchdog: at ") and words in first and "learning rates x 0.5" in first
    assert last.startswith("watchdog: ") and last.endswith("; stopped")
    good = witness.returned
    assert good is not None and good == witness.header["images_seen"] / 1000
    assert witness.header["lr_scale"] == 0.5 and witness.header["watch"]["rollbacks"] == 1
    later = {name for name, kimg in witness.before.items() if kimg > good}
    assert bool({name for name in later if "checkpoints" in name}) == wrote_later
    assert {name for name, kimg in witness.at.items() if kimg > good} == set()
    # The model of that moment is written again, of the network that was gone back to.
    assert witness.model.meta["provenance"]["images_seen"] == witness.header["images_seen"]
    for key, value in witness.model.network.state_dict().items():
        kept = witness.networks["generator"][key].clamp(-65504, 65504)  # as a file in half precision does
        assert np.array_equal(value, kept.half()), key
    kept = {name for name, kimg in witness.before.items() if kimg <= good and "checkpoints" not in name}
    assert kept <= contents(run).keys()
    seen = [json.loads(line)["images_seen"] for line in (run / "stats.jsonl").read_text().splitlines()]
    assert seen == sorted(set(seen))  # what was forgotten is not told twice
    with pytest.raises(RunError):  # the same command does not begin all over
        train(tiny_dataset, "faces-tiny-32", run, resume=True, **{**BASE, **settings})
    assert sum("back to" in e for e in events(run)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_without_the_watchdog_only_nan_stops(kind, tiny_dataset, tmp_path):
    settings, words, _, kimg = KINDS[kind]
    run = tmp_path / "r"
    settings = {**BASE, **settings, "watchdog": False}
    if kimg is None:
        with pytest.raises(RunError, match=r"is no longer a finite number\. Earlier models are kept"):
            train(tiny_dataset, "faces-tiny-32", run, **settings)
        assert [e.endswith("; stopped") for e in events(run)] == [True]
        return
    settings["kimg"] = kimg
    train(tiny_dataset, "faces-tiny-32", run, **settings)
    told = [e for e in events(run) if words in e]
    assert len(told) == 1 and told[0].startswith("watchdog: ") and re.search("; try .*--", told[0])
    drawn = {k for name, k in contents(run).items() if name.startswith("samples")}
    every = settings["grid_kimg"]
    wanted = {i * every for i in range(int(kimg / every + 1e-6) + 1)} | {kimg}
    assert {round(k, 3) for k in drawn} == {round(k, 3) for k in wanted}  # a warning hides no grid


class Reports(Listener):
    def __init__(self):
        self.values, self.events = [], []

    def on_stats(self, stats):
        self.values.append(stats.values)

    def on_event(self, images_seen, text):
        self.events.append(text)


LARGEST = {"progan": 32, "stylegan2": 32, "r3gan": 32, "cyclegan": 64}  # px, of families for any size


class SameSplits:
    """Stands for a dataset of pictures of any size."""

    has_inputs = False

    def __init__(self, pictures):
        self.pictures, self.counts = pictures, {"train": len(pictures)}

    def images(self, split):
        return self.pictures


@pytest.mark.parametrize("name", RECIPES)
def test_a_healthy_run_of_each_recipe_is_left_alone(name, tiny_dataset, tmp_path):
    """Narrow, and small where the family has all sizes: 30 updates, a report and the rules after each."""
    import torch

    from facegan.runs.folder import RunFolder
    from facegan.training.initialization import create_state
    from facegan.training.objective import objective_of
    from facegan.training.state import Sources
    from facegan.training.trainer import Trainer

    large = recipe(name).size >= 80
    changes = {"grid_count": 4, "precision": "float32", "quality_count": 0, "metric": ""}
    if recipe(name).family == "pix2pix":
        changes["input"] = "grey"
    if hasattr(recipe(name).model.generator, "width"):
        share = 1 / 16 if large else 1 / 8
        width = 2 if recipe(name).family == "biggan" else share  # biggan counts channels
        changes |= {"generator.width": width, "discriminator.width": width}
    largest = LARGEST.get(recipe(name).family, recipe(name).size)
    if recipe(name).size > largest:
        changes["size"] = largest
        if recipe(name).family == "r3gan":
            changes |= of_both({"widths": [8] * len(default_widths(largest))})
    config = reduced(name, **changes)
    step = 0.004 * config.d_updates
    config = override(config, {"kimg": 30 * step, "grid_kimg": 10 * step, "checkpoint_kimg": 0.0})
    size, channels = config.size, config.channels or 3
    rows = np.arange(size) * 32 // size
    pictures = tiny_dataset.images("train")[:, rows][:, :, rows]
    pictures = pictures if channels == 3 else pictures.mean(-1, keepdims=True).astype(np.uint8)
    shape, device = (channels, size, size), torch.device("cpu")
    objective = objective_of(config)
    metadata = objective.header(config, shape, provenance={}, alignment={}, licence="")
    run, reports = RunFolder(tmp_path / "r"), Reports()
    run.begin({**config.to_dict(), "image_shape": list(shape)})
    state = create_state(config, shape, device)
    pictures = np.ascontiguousarray(pictures)
    feed = sampler(config, pictures, device)
    sources = Sources(SameSplits(pictures), SameSplits(pictures))
    gallery = objective.gallery(state, feed, sources, run=run)
    Trainer(state, feed, metadata, run=run, listeners=[run, reports], gallery=gallery).train()
    run.close()
    assert state.updates == 30 and len(reports.values) == 31
    assert reports.events == [] and not (run.path / "events.jsonl").exists()
    assert sum("diversity" in values for values in reports.values) == 4


DRIVER = """
import json, os, sys
from pathlib import Path
from facegan.errors import RunError
from facegan.runs.callbacks import Listener
from facegan.training.train import train
import torch

dataset, folder, settings, count = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(1)


class Marks(Listener):  # its line stands between the failure points
    def on_event(self, images_seen, text):
        if "FACEGAN_FAILPOINTS" in os.environ and "back to" in text:
            with open(os.environ["FACEGAN_FAILPOINTS"], "a") as handle:
                handle.write("BACK\\n")


def run(name):
    try:
        train(dataset, "faces-tiny-32", folder / name, listeners=[Marks()], **settings)
    except RunError as error:
        return 7
    return 0


def child(name, **environment):
    pid = os.fork()  # with everything imported
    if pid == 0:
        os.environ.update(environment)
        os._exit(run(name))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


os.environ["FACEGAN_FAILPOINTS"] = str(folder / "points")
whole = run("whole")
del os.environ["FACEGAN_FAILPOINTS"]
import facegan.files
facegan.files._reached = 0
points = (folder / "points").read_text().splitlines()
back = points.index("BACK")  # as many points lie before it, and the next one has the number back + 1
result = {"whole": whole, "ends": {}}
for number in range(back - 3, back + count):
    point = points[number - 1 if number <= back else number]
    killed = child(f"killed-{number}", FACEGAN_KILL_AT=str(number))
    result["ends"][number] = [point, killed, child(f"killed-{number}")]
print(json.dumps(result))
"""


@pytest.mark.parametrize(
    "kind, changes, count, code",
    # the first goes on to the end at its lower rate, the others break down again and stop; the last has
    # no checkpoint and goes back to the beginning
    [
        ("exploding", {"kimg": 0.34}, 2, 0),
        ("not finite", {"grid_kimg": 0.4}, 14, 7),
        ("not finite", {"grid_kimg": 0.4, "checkpoint_kimg": 0.4}, 5, 7),
    ],
)
def test_killed_while_going_back(kind, changes, count, code, tiny_dataset, tmp_path):
    """kill -9 around and right after the return to a good checkpoint; then the same end, bit for bit."""
    from safetensors.numpy import load_file

    def end(run):
        newest = list_checkpoints(run / "checkpoints")[-1]
        header = read_header(newest)
        kept = {
            k: header[k] for k in ("images_seen", "updates", "fakes_drawn", "lr_scale", "watch", "healthy")
        }
        lines = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
        timing = ("seconds", "images_per_second")
        stats = [str({k: v for k, v in line.items() if k not in timing}) for line in lines]
        return load_file(newest / "state.safetensors"), kept, stats, contents(run).keys()

    settings = {**BASE, **KINDS[kind][0], **changes}
    argv = ["-c", DRIVER, str(tiny_dataset.path), str(tmp_path), json.dumps(settings), str(count)]
    done = warm.run(argv, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["whole"] == code and len(result["ends"]) == count + 3
    weights, *rest = end(tmp_path / "whole")
    assert rest[0]["lr_scale"] == 0.5 and rest[0]["watch"]["rollbacks"] == 1
    for number, (point, killed, resumed) in result["ends"].items():
        assert (killed, resumed) == (-9, code), point
        again, *others = end(tmp_path / f"killed-{number}")
        assert others == rest, point
        assert weights.keys() == again.keys()
        for key in weights:
            assert np.array_equal(weights[key], again[key], equal_nan=True), (point, key)
