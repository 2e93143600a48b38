"""Fixtures that several tests share, and the rule that nothing is skipped unless a list allows it."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from facegan.attributes.predictor import AttributePredictor
    from facegan.data.dataset import Dataset
    from facegan.generator import Generator

# A shell's background jobs ignore Ctrl-C, and so would every process that a test starts from one; a
# handler of our own is reset to the default in them.
with contextlib.suppress(ValueError):  # not in the main thread
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).resolve().parents[2] / "shared"
ALLOWED_SKIPS = Path(__file__).with_name("allowed-skips.txt")

# Two workers with a thread for each core would fight over the cores, and what is compared to the bit with
# a process of one thread must have one too. Set before anything imports torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("FACEGAN_CACHE", None)  # whoever works on this may have one; tests look for caches elsewhere


# Files with the longest tests come first, so that no worker begins one of them when the others have ended.
LONG = (
    "test_demo.py",
    "test_never_lost.py",
    "test_watchdog_runs.py",
    "test_processes.py",
    "test_examples.py",
    "test_site.py",
    "test_studio_flows.py",
    "test_contracts.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with research data beside the checkout; tests that need it are skipped without it."""
    if not (SHARED / "data").is_dir():
        pytest.skip("needs ../shared")
    return SHARED


@pytest.fixture(scope="module")
def benchmarks() -> Iterator[Callable[[str], ModuleType]]:
    """Gives a script of benchmarks/ by its name; they import each other."""
    folder = str(Path(__file__).resolve().parents[1] / "benchmarks")
    sys.path.insert(0, folder)
    yield importlib.import_module
    sys.path.remove(folder)


@pytest.fixture(scope="module")
def fewer_draws() -> Iterator[None]:
    """Batch norm is gathered anew from 32 pictures instead of 1024, which take longer than a short run."""
    from facegan.training import snapshot

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "BN_BATCHES", 2)
        patch.setattr(snapshot, "BN_BATCH", 16)
        yield


@pytest.fixture(scope="session")
def tiny_model() -> Generator:
    """An untrained 32 px colour generator with 64 latent dimensions; its weights are always the same."""
    import torch

    from facegan.families import get_family
    from facegan.generator import Generator, Latent, describe
    from facegan.recipes.config import override
    from facegan.recipes.table import recipe

    config = override(recipe("faces-tiny-32"), {"generator.width": 0.25}).model
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = get_family("dcgan").build_generator(config.generator, (3, 32, 32), 64)
    return Generator(
        network, describe("dcgan", config, Latent(dim=64), image_shape=(3, 32, 32), licence="CC0-1.0")
    )


@pytest.fixture(scope="session")
def vivid_model(tiny_model: Generator) -> Generator:
    """The same, still untrained, with weights that make pictures of full contrast."""
    from copy import deepcopy

    import torch

    from facegan.generator import Generator

    network = deepcopy(tiny_model.network)
    draw = torch.Generator().manual_seed(1)
    weights = [p for p in network.parameters() if p.ndim > 1]
    for p in weights:
        fan = p[0].numel() if p.ndim == 2 else p.numel() / max(p.shape[:2])
        p.copy_(torch.randn(p.shape, generator=draw) * (2 / fan) ** 0.5)
    model = Generator(network, tiny_model.meta)
    for _ in range(4):  # the last layer's scale, until pictures have a standard deviation of about 0.5
        weights[-1].mul_(0.5 / float(model(model.latent.sample(range(16))).std()))
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half().float())
    return model


@pytest.fixture(scope="session")
def vivid_model_file(vivid_model: Generator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "vivid.safetensors"
    vivid_model.save(path)
    return path


@pytest.fixture(scope="session")
def tiny_model_file(tiny_model: Generator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    tiny_model.save(path)
    return path


def forbidden_skips(config: pytest.Config) -> list[str]:
    """``test: reason`` of each skip so far whose reason is not in allowed-skips.txt."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput"):
        return []  # a worker of pytest-xdist: the main process sees all of its reports
    lines = ALLOWED_SKIPS.read_text().splitlines()
    allowed = {line.strip() for line in lines if line.strip() and not line.startswith("#")}
    found = []
    for report in reporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if reason not in allowed:
            found.append(f"{report.nodeid}: {reason}")
    return found


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and forbidden_skips(
        session.config
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if found := forbidden_skips(terminalreporter.config):
        terminalreporter.section("skips that tests/allowed-skips.txt does not list", red=True, bold=True)
        for line in found:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """160 drawn portraits of 32 px with their attributes, in three splits."""
    from facegan.data.prepare import prepare
    from facegan.demo.portraits import write_portraits

    at = tmp_path_factory.mktemp("metrics")
    table = write_portraits(at / "photos", 160, 0, size=32)
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
    """A small attribute network, trained on the portraits."""
    from facegan.attributes.training import SMALL, train_attribute_predictor

    made = train_attribute_predictor(
        portraits.images("train"),
        portraits.attributes("train"),
        portraits.attribute_names,
        settings=replace(SMALL, epochs=12),
    )
    made.measure_features(portraits.images("train"))
    return made
