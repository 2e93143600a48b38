"""benchmarks/side_by_side.py: contestants go on where they were stopped; the table is what it measured."""

import itertools
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from facegan.data.prepare import prepare
from facegan.demo.portraits import write_portraits
from facegan.images import read_image_file

pytestmark = pytest.mark.usefixtures("fewer_draws")

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("side")
    write_portraits(folder / "photos", 40, 0, size=64)
    parts = ["train"] * 28 + ["test"] * 12
    (folder / "split.csv").write_text("".join(f"{i + 1:06d}.png,{p}\n" for i, p in enumerate(parts)))
    return prepare([folder / "photos"], folder / "dataset", crop="none", size=64, split=folder / "split.csv")


@pytest.fixture(scope="module")
def contestants(benchmarks):
    return benchmarks("contestants")


@pytest.fixture
def script(contestants, monkeypatch):
    """The script, for which every update takes exactly one second."""
    import side_by_side

    for name, value in side_by_side.MALLOC.items():
        monkeypatch.setenv(name, value)
    ticks = itertools.count()
    monkeypatch.setattr(side_by_side, "clock", lambda device: next(ticks))
    handlers = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    threads = torch.get_num_threads()

    def run(*words):
        args = side_by_side.parse([*map(str, words)])
        return {"run": side_by_side.run, "table": side_by_side.table}[args.command](args)

    yield run
    torch.set_num_threads(threads)
    for s, handler in handlers.items():
        signal.signal(s, handler)


def test_it_goes_on_and_is_measured(dataset, script, tmp_path, monkeypatch, capsys):
    words = ("run", "dcgan", dataset.path, "--out", tmp_path, "--batch", 4, "--count", 12)
    module, calls = sys.modules["side_by_side"], []
    measured = module.measured
    monkeypatch.setattr(module, "measured", lambda *given: calls.append(given) or measured(*given))
    assert script(*words, "--seconds", 2, "--marks", 1) == 0
    assert script("table", dataset.path, "--out", tmp_path) == 0
    assert len(calls) == 4  # two ways to sample at each mark
    assert script(*words, "--seconds", 3, "--marks", 1, 1.5) == 0
    out = capsys.readouterr().out
    assert "from 2 s on" in out and "samples at 3 s kept" in out and "already beyond 1.5 s" in out
    folder, whole = tmp_path / "dcgan-seed0", tmp_path / "whole"
    first = np.load(folder / "samples-2-1.npz")["images"]
    assert first.shape == (12, 64, 64, 3) and first.dtype == np.uint8
    # A longer run contains the shorter ones, however often it was stopped.
    assert script(*words[:4], whole, *words[5:], "--seconds", 3, "--marks", 2) == 0
    for mark in (2, 3):
        for way in (0, 1):
            name = f"samples-{mark}-{way}.npz"
            a, b = (np.load(f / name)["images"] for f in (folder, whole / "dcgan-seed0"))
            np.testing.assert_array_equal(a, b, err_msg=name)
    with pytest.raises(SystemExit, match="is another run \\(settings"):
        script(*words, "--seconds", 4, "--batch", 8)
    assert script("table", dataset.path, "--out", tmp_path) == 0
    assert len(calls) == 6  # what had been measured was kept
    rows = [line.split("|") for line in (tmp_path / "table.md").read_text().splitlines()]
    assert [row[1].strip() for row in rows[2:6]] == ["1", "2", "3", ""]
    assert [row[4].strip() for row in rows[2:5]] == ["1", "2", "3"]  # updates
    assert all(float(cell) > 0 for row in rows[2:6] for cell in (row[6], row[8], row[10]))
    text, picture = (tmp_path / "table.md").read_text(), read_image_file(tmp_path / "grid.png")
    shutil.rmtree(folder)  # records stand for trials that are gone
    assert script("table", dataset.path, "--out", tmp_path / "new", "--records", tmp_path / "records") == 0
    assert (tmp_path / "new" / "table.md").read_text() == text
    np.testing.assert_array_equal(read_image_file(tmp_path / "new" / "grid.png"), picture)
    file = tmp_path / "records" / "dcgan-seed0.json"
    file.write_text(file.read_text().replace(dataset.content_hash, "0" * 64))
    with pytest.raises(SystemExit, match="no samples yet"):
        script("table", dataset.path, "--out", tmp_path / "new", "--records", tmp_path / "records")
    assert "dcgan-seed0.json: of another dataset" in capsys.readouterr().out


def test_the_verdict_is_on_the_named_recipe_against_the_best_peer(contestants):
    """Of another recipe that does better it says nothing, nor of times that only one side has."""
    import side_by_side

    def row(name, mark, faces, evaluator):
        return {"name": name, "mark": mark, "values": {"fid_faces": faces, "fid_evaluator": evaluator}}

    rows = [
        row("faces-tiny-64", 1800.0, 10.0, 10.0),
        row("faces-fast-64", 1800.0, 30.0, 44.0),
        row("stylegan2-pytorch", 1800.0, 50.0, 40.0),
        row("dcgan", 1800.0, 80.0, 80.0),
        row("dcgan", 7200.0, 40.0, 40.0),
    ]
    text, missed = side_by_side.verdict(rows, ["dcgan", "stylegan2-pytorch"])
    assert missed and "At 1800 seconds faces-fast-64 has 60% of the distance of stylegan2-pytorch" in text
    assert "110% by the evaluator" in text
    assert side_by_side.verdict([rows[0], rows[3]], ["dcgan"]) == ("", False)


def test_settings_of_every_kind_reach_our_recipe(contestants, tmp_path):
    images = np.zeros((4, 64, 64, 3), np.uint8)
    options = ("discriminator.projected=", "flip=false", "r1_every=8", "generator.lr=0.25")
    setting = contestants.Setting(images, tmp_path, tmp_path, 0, CPU, 4, options)
    config = contestants.contestant("faces-fast-64", setting).network.config
    assert config.model.discriminator.projected == "" and config.flip is False
    assert (config.r1_every, config.model.generator.lr) == (8, 0.25)


def test_a_signal_saves(dataset, script, tmp_path, monkeypatch, capsys):
    from contestants.dcgan import DCGAN

    update = DCGAN.update

    def interrupted(self):
        update(self)
        if self.updates == 2:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(DCGAN, "update", interrupted)
    words = ("run", "dcgan", dataset.path, "--out", tmp_path, "--batch", 4, "--count", 12, "--seconds", 3)
    assert script(*words, "--marks") == 130
    assert "stopped at 2 s; the same command goes on from 2 s" in capsys.readouterr().out
    assert script(*words, "--marks") == 0 and "from 2 s on" in capsys.readouterr().out


def test_a_mark_is_not_passed_without_its_samples(dataset, script, tmp_path, monkeypatch, capsys):
    """Stopped by the update that reaches it, or killed while it samples; and one process at a time."""
    from contestants.dcgan import DCGAN

    update, samples, stopped = DCGAN.update, DCGAN.samples, []

    def interrupted(self):
        update(self)
        if self.updates == 2 and not stopped:
            stopped.append(signal.raise_signal(signal.SIGTERM))

    def killed(self, count):
        with pytest.raises(SystemExit, match="another process is training there"):
            script(*words)
        raise MemoryError
        yield

    monkeypatch.setattr(DCGAN, "update", interrupted)
    monkeypatch.setattr(sys.modules["side_by_side"], "SAVE_EVERY", 0.5)
    words = ("run", "dcgan", dataset.path, "--out", tmp_path, "--batch", 4, "--count", 12, "--seconds", 2)
    words += ("--marks",)
    assert script(*words) == 130
    assert "stopped at 2 s; the same command goes on from 1 s" in capsys.readouterr().out
    monkeypatch.setattr(DCGAN, "samples", killed)
    with pytest.raises(MemoryError):
        script(*words)
    monkeypatch.setattr(DCGAN, "samples", samples)
    assert script(*words) == 0
    told = capsys.readouterr().out
    assert told.count("from 1 s on") == 2 and "samples at 2 s kept" in told
    assert (tmp_path / "dcgan-seed0" / "samples-2-1.npz").is_file()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("table", "DATASET"), "no samples yet"),
        (("run", "nobody", "DATASET"), "no contestant 'nobody'"),
        (("run", "dcgan", "DATASET", "--seconds", "0"), "--seconds must be above 0"),
    ],
)
def test_mistakes_are_one_line(dataset, script, tmp_path, words, line):
    with pytest.raises(SystemExit, match=line):
        script(*(str(dataset.path) if w == "DATASET" else w for w in words), "--out", tmp_path)


@pytest.mark.parametrize(("name", "side"), [("dcgan", 64), ("faces-tiny-32", 32)])
def test_a_loaded_state_goes_on_as_if_never_stopped(name, side, contestants, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, side, side, 3), np.uint8)

    def fresh(folder):
        torch.manual_seed(0)
        setting = contestants.Setting(images, tmp_path, tmp_path / folder, 0, CPU, 4)
        return contestants.contestant(name, setting)

    whole, first, second = fresh("a"), fresh("b"), fresh("b")
    torch.manual_seed(1)
    for _ in range(3):
        whole.update()
    torch.manual_seed(1)
    first.update()
    saved = first.state()
    torch.save(saved, tmp_path / "state.pt")
    second.load(torch.load(tmp_path / "state.pt", weights_only=True))
    for _ in range(2):
        second.update()
    assert (second.images_seen, second.updates) == (whole.images_seen, whole.updates) == (12, 3)
    for (way, a), (_, b) in zip(whole.samples(5), second.samples(5), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=way)


def test_an_epoch_has_every_picture_once(contestants):
    images = np.arange(12, dtype=np.uint8)[:, None, None, None].repeat(3, 3)
    batches = contestants.Batches(images, 4, 0, CPU)
    rows = [(batches(i)[:, 0, 0, 0] * 255).round().int().tolist() for i in range(6)]
    first, second = np.concatenate(rows[:3]), np.concatenate(rows[3:])
    assert sorted(first) == sorted(second) == list(range(12)) and not np.array_equal(first, second)
    assert (batches(1)[:, 0, 0, 0] * 255).round().int().tolist() == rows[1]


def test_a_patched_copy_runs_without_cuda(contestants, tmp_path, monkeypatch):
    from contestants.peers import patched

    source = tmp_path / "installed" / "refuses"
    source.mkdir(parents=True)
    (source / "__init__.py").write_text("")
    (source / "refuses.py").write_text(
        "import torch\n"
        "assert torch.cuda.is_available(), 'You need an Nvidia GPU.'\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self, rank=0):\n"
        "        super().__init__()\n"
        "        self.cuda(rank)\n"
        "def draw(n, device=0):\n"
        "    zeros = torch.zeros(n, device=torch.device(f'cuda:{self.rank}'))\n"
        "    return torch.randn(n).cuda(device) + zeros.cuda()\n"
    )
    monkeypatch.syspath_prepend(str(source.parent))
    monkeypatch.setattr(sys, "path", list(sys.path))
    module = patched("refuses", tmp_path / "copy")
    assert Path(module.__file__).is_relative_to(tmp_path / "copy")
    module.Net()
    assert module.draw(3).device == CPU
    assert "cuda" in (source / "refuses.py").read_text()
    (source / "refuses.py").write_text("import torch\n")
    with pytest.raises(SystemExit, match="another version"):
        patched("refuses", tmp_path / "other")
    with pytest.raises(SystemExit, match="is not installed"):
        patched("no_such_package", tmp_path / "none")
