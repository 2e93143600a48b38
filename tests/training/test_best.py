"""The metric on held-out pictures during training: the best moment is kept, and its cost is told."""

import json

import pytest
import torch

import facegan
from facegan.data.prepare import prepare
from facegan.demo.portraits import write_portraits
from facegan.errors import ConfigError, ModelError, RunError
from facegan.metrics import RANKING_METRICS, feature_extractors
from facegan.metrics.registry import METRICS
from facegan.recipes.config import check, override
from facegan.recipes.table import recipe
from facegan.runs.checkpoints import kimg_of, list_checkpoints, read_networks
from facegan.runs.export import pack, unpack
from facegan.runs.record import read_record
from facegan.training.initialization import create_state
from facegan.training.schedules import metric_kimg
from facegan.training.train import train

SMALL = {
    "kimg": 0.128,
    "batch": 8,
    "grid_count": 4,
    "checkpoint_kimg": 0.128,
    "grid_kimg": 0.064,
    "cooldown": 0.0,
    "generator.width": 0.125,
    "discriminator.width": 0.125,
    "quality_count": 0,
    "keep_checkpoints": 1,
    "metric": "kid",
    "metric_features": "pixels",
    "metric_count": 16,
    "metric_kimg": 0.016,
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """36 portraits, a third of them held out."""
    at = tmp_path_factory.mktemp("held-out")
    write_portraits(at / "photos", 36, 0, size=32)
    names = sorted(p.name for p in (at / "photos").glob("*.png"))
    (at / "split.txt").write_text(
        "".join(f"{n} {'val' if i % 3 == 0 else 'train'}\n" for i, n in enumerate(names))
    )
    return prepare([at / "photos"], at / "ds", crop="none", size=32, split=at / "split.txt", workers=1)


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    return train(dataset, "faces-tiny-32", tmp_path_factory.mktemp("runs") / "whole", **SMALL)


def lines(run, name="stats.jsonl"):
    return [json.loads(line) for line in (run / name).read_text().splitlines()]


def test_the_best_moment_is_that_of_the_lowest_value(run):
    measured = {s["images_seen"]: s["kid"] for s in lines(run) if "kid" in s}
    assert list(measured) == list(range(16, 129, 16))
    best = json.loads((run / "best.json").read_text())
    assert best["images_seen"] == min(measured, key=measured.__getitem__)
    assert best["value"] == min(measured.values())
    assert facegan.load(f"{run}@best").hash == facegan.load(f"{run}@{best['images_seen'] / 1000}").hash
    kept = {p.name for p in list_checkpoints(run / "checkpoints")}
    assert f"{best['images_seen'] / 1000:010.3f}kimg" in kept and "000000.128kimg" in kept


def test_its_floor_cost_and_curve_are_told(run):
    floors = {s["kid_real"] for s in lines(run) if "kid" in s}
    assert len(floors) == 1
    told = [e["text"] for e in lines(run, "events.jsonl")]
    assert (
        "best kid " in told[-1]
        and "kept as @best; measuring took" in told[-1]
        and "% of the training time" in told[-1]
    )
    assert '"title":"KID"' in (run / "report.html").read_text()


def test_the_value_is_that_of_evaluate(run, dataset):
    from facegan.metrics.evaluate import evaluate
    from facegan.metrics.feature_extractors import table
    from facegan.metrics.image_sets import of_model

    model = facegan.load(f"{run}@best")
    done = evaluate(of_model(model, "m", 16), dataset, table("pixels"), metrics=["kid"], split="val")
    value = json.loads((run / "best.json").read_text())["value"]
    assert done.values["kid"] == pytest.approx(value, rel=0.05, abs=0.02)  # the file is in half precision


def test_training_is_the_same_without_it(run, dataset, tmp_path):
    from test_loop import assert_same_end

    plain = train(dataset, "faces-tiny-32", tmp_path / "plain", **{**SMALL, "metric": ""})
    assert_same_end(plain, run)
    assert not (plain / "best.json").exists()
    with pytest.raises(ModelError, match="no metric was measured in this run"):
        facegan.load(f"{plain}@best")


def test_a_continued_run_remembers_its_best(run, dataset, tmp_path):
    """Stopped half way and continued: the same values and the same best moment."""
    out = tmp_path / "r"
    train(dataset, "faces-tiny-32", out, **{**SMALL, "kimg": 0.064})
    train(dataset, "faces-tiny-32", out, **SMALL)
    assert [s["kid"] for s in lines(out) if "kid" in s] == [s["kid"] for s in lines(run) if "kid" in s]
    assert json.loads((out / "best.json").read_text()) == json.loads((run / "best.json").read_text())


def test_without_val_the_train_split_serves(tiny_dataset, tmp_path):
    out = train(tiny_dataset, "faces-tiny-32", tmp_path / "r", **{**SMALL, "kimg": 0.032})
    assert [s["images_seen"] for s in lines(out) if "kid" in s] == [16, 32]
    assert not any("kid_real" in s for s in lines(out))  # nobody is held out from it
    told = [e["text"] for e in lines(out, "events.jsonl")]
    assert told[0].startswith(
        "no other split has 10 pictures: --metric kid compares with the training pictures"
    )


def test_a_finished_run_is_measured_once_more_if_asked_otherwise(dataset, tmp_path):
    """Its last report keeps what it said; the same way again measures nothing."""
    out, plain = tmp_path / "r", {**SMALL, "kimg": 0.032, "metric": ""}
    train(dataset, "faces-tiny-32", out, **plain)
    before = read_record(out).stats[-1]
    model = next((out / "models").glob("*0.032kimg.safetensors")).read_bytes()
    kids = []
    for count in (16, 16, 24):
        train(dataset, "faces-tiny-32", out, **{**plain, "metric": "kid", "metric_count": count})
        last = read_record(out).stats[-1]
        assert {k: last[k] for k in before} == before and last["kid_real"] is not None
        kids.append(last["kid"])
        best = json.loads((out / "best.json").read_text())
        assert (best["value"], best["count"], best["images_seen"]) == (last["kid"], count, 32)
    assert kids[0] == kids[1] != kids[2]
    assert next((out / "models").glob("*0.032kimg.safetensors")).read_bytes() == model
    measured = [s for s in lines(out) if "kid" in s]
    assert [s["kid"] for s in measured] == [kids[0], kids[2]]
    fresh = train(
        dataset, "faces-tiny-32", tmp_path / "fresh", **{**SMALL, "kimg": 0.032, "metric_kimg": 1.0}
    )
    assert read_record(fresh).last("kid") == kids[0]


def test_how_often():
    config = override(recipe("faces-dcgan-64"), {"metric": "kid", "metric_kimg": 0.0})
    assert metric_kimg(override(config, {"kimg": 1000.0, "metric_count": 1000})) == 50
    assert metric_kimg(override(config, {"kimg": 100.0, "metric_count": 1000})) == 40
    assert metric_kimg(override(config, {"metric_kimg": 3.0})) == 3


def test_the_names_are_those_of_the_table():
    for name in RANKING_METRICS:
        assert next(iter(METRICS[name].values.values())).better in ("lower", "higher")
    with pytest.raises(ConfigError, match="--metric 'fud' is unknown"):
        check(override(recipe("faces-tiny-32"), {"metric": "fud"}))
    with pytest.raises(ConfigError, match="--metric-count must be at least 10"):
        check(override(recipe("faces-tiny-32"), {"metric": "kid", "metric_count": 3}))


def test_the_watchdog_goes_back_with_it(dataset, tmp_path):
    """A run that breaks down keeps only what came before: best.json never names a model that is gone."""
    out = tmp_path / "r"
    with pytest.raises(RunError):
        train(dataset, "faces-tiny-32", out, **{**SMALL, "generator.lr": 1e30, "checkpoint_kimg": 0.016})
    if (out / "best.json").exists():
        assert facegan.models.resolve(f"{out}@best").is_file()


def test_values_of_other_features_are_not_compared(dataset, tmp_path):
    """FID of pixels and of faces are of different scales: what was measured another way is no record."""
    settings = {**SMALL, "metric": "fid", "kimg": 0.032}
    run = train(dataset, "faces-tiny-32", tmp_path / "r", **settings)
    file = run / "best.json"
    old = json.loads(file.read_text())
    assert (old["features"], old["count"]) == ("pixels", 16)
    train(dataset, "faces-tiny-32", run, **{**settings, "kimg": 0.048, "metric_features": "faces"})
    new = json.loads(file.read_text())
    assert new["features"] == "faces" and new["images_seen"] == 48 and new["value"] > old["value"]


def test_the_page_of_a_finished_run_has_its_end(dataset, tmp_path):
    """The last model, which is the best here, and what was told last."""
    better = iter(100 * 0.8**n for n in range(99))
    settings = {**SMALL, "kimg": 0.096, "grid_kimg": 0.008}
    run = train(
        dataset, "faces-tiny-32", tmp_path / "r", quality=lambda model: {"quality": next(better)}, **settings
    )
    page = (run / "report.html").read_text()
    assert "@0.096kimg" in page and "kept as @best; measuring took" in page


def test_what_cannot_judge_is_one_line_and_leaves_nothing(dataset, tmp_path, monkeypatch):
    def missing(weights, device):
        raise ModelError("--features pixels: its weights could not be downloaded; or use --features faces")

    monkeypatch.setitem(feature_extractors.FEATURES, "pixels", missing)
    with pytest.raises(ConfigError, match=r"^--metric-features pixels: .* use --metric-features faces$"):
        train(dataset, "faces-tiny-32", tmp_path / "r", **SMALL)
    assert not (tmp_path / "r").exists()


# --- beginning with a moment ------------------------------------------------------------------------


def begun(reference):
    config = override(recipe("faces-tiny-32"), {**SMALL, "ema_halflife_kimg": 1.0, "init": str(reference)})
    return create_state(config, (3, 32, 32), torch.device("cpu"))


@pytest.fixture(scope="module")
def origin(dataset, tmp_path_factory):
    """Models of three moments, checkpoints of two."""
    settings = {**SMALL, "kimg": 0.048, "checkpoint_kimg": 0.016, "keep_checkpoints": 2, "metric_kimg": 0.032}
    return train(dataset, "faces-tiny-32", tmp_path_factory.mktemp("origin") / "r", **settings)


@pytest.mark.parametrize("moment", ["@0.032kimg", "@0.048", "@best", ""])
def test_a_run_begins_with_the_moment_that_is_named(origin, tmp_path, moment):
    """Both networks, of that moment; and 'pack' takes the same."""
    named = f"{origin}{moment}"
    state = begun(named)
    assert "of the discriminator" in state.begun_with
    assert state.images_before == facegan.load(named).meta["provenance"]["images_seen"]
    (kept,) = (
        p
        for p in list_checkpoints(origin / "checkpoints")
        if round(kimg_of(p.name) * 1000) == state.images_before
    )
    networks, file = read_networks(kept), tmp_path / "packed.safetensors"
    for name, module in (("generator", state.generator), ("discriminator", state.discriminator)):
        assert all(torch.equal(v, networks[name][k]) for k, v in module.state_dict().items()), name
    pack(named, file)
    packed = unpack(file)[1]["discriminator"]
    assert all(torch.equal(v.half(), packed[k]) for k, v in networks["discriminator"].items())


def test_of_a_moment_whose_checkpoint_is_gone_the_generator_is_taken(origin, tmp_path):
    named = f"{origin}@0.016kimg"
    assert [kimg_of(p.name) for p in list_checkpoints(origin / "checkpoints")] == [0.032, 0.048]
    state, model = begun(named), facegan.load(named).network.state_dict()
    assert "a fresh discriminator" in state.begun_with and state.images_before == 16
    assert all(torch.equal(v, model[k]) for k, v in state.generator.state_dict().items())
    with pytest.raises(RunError, match="no checkpoint there"):
        pack(named, tmp_path / "packed.safetensors")
    with pytest.raises(ConfigError, match=r"--init .*no model at 0\.017kimg"):
        begun(f"{origin}@0.017kimg")


def test_layers_that_nobody_trained_are_not_frozen(origin):
    for named in (f"{origin}@0.016kimg", next((origin / "models").glob("*.safetensors"))):
        config = override(recipe("faces-tiny-32"), {**SMALL, "init": str(named), "freeze_d": 1})
        with pytest.raises(ConfigError, match=r"--freeze-d 1: .* would stay random; begin with a run folder"):
            create_state(config, (3, 32, 32), torch.device("cpu"))
