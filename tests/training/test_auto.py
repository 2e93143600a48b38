"""``train --auto``: what it chooses, that the user's word counts, and that it measures what it says."""

import json
import mmap
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from facegan.cli.main import main
from facegan.cli.train_modes import with_recipe
from facegan.errors import ConfigError
from facegan.planning import auto
from facegan.planning.auto import Probe
from facegan.recipes import choice
from facegan.recipes.choice import Surroundings
from facegan.recipes.config import check, override
from facegan.recipes.table import RECIPES, recipe
from facegan.training import out_of_memory
from facegan.training.initialization import create_state
from facegan.training.state import as_if_finished

NARROW = ["--generator.width", "0.25", "--discriminator.width", "0.25", "--quality-count", "0"]
CPU = torch.device("cpu")


def around(side=64, pictures=8000, device="cpu", channels=3, faces=True, width=0):
    return Surroundings(pictures, side, width or side, channels, (), faces, device, 2, 10**9)


@pytest.mark.parametrize(
    ("s", "name"),
    [
        (around(), "faces-fast-64"),
        (around(pictures=100), "faces-fast-64"),
        (around(device="cuda"), "stylegan2-64"),
        (around(device="cuda", pictures=70_000), "r3gan-64"),
        (around(128, device="cuda", pictures=500), "stylegan2-128"),
        (around(32), "faces-tiny-32"),
        (around(80), "faces-dcgan-80-plus"),
        (around(80, device="cuda"), "faces-dcgan-80-plus"),
        (around(128), "faces-dcgan-128-plus"),
        (around(28, channels=1, faces=False), "digits-dcgan-28-plus"),
        (around(28, channels=1, device="mps"), "digits-dcgan-28-plus"),
        (around(256), "r3gan-256-small"),
        (around(256, channels=1, width=192), "stylegan2-small"),
        (around(48), "stylegan2-small"),
        (around(96, device="cuda"), "stylegan2-small"),
        (around(28), "stylegan2-small"),
        (around(80, width=64), "stylegan2-small"),
        (around(64, width=48, device="cuda"), "stylegan2-64"),
        (around(48, width=64), "stylegan2-64-small"),
        (around(64, width=48, pictures=70_000), "stylegan2-64-small"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_the_recipe(s, name):
    found, why = choice.pick_recipe(s)
    assert found == name and why
    assert choice.accepts(RECIPES[name].config, s)


@pytest.mark.parametrize(
    ("s", "asked", "name"),
    [
        (around(pictures=70_000), {"conditional": True}, "faces-fast-64"),
        (around(), {"conditional": True}, "faces-fast-64"),
        (around(28, channels=1), {"conditional": True}, "digits-dcgan-28-plus"),
        (around(device="cuda"), {"conditional": True}, "stylegan2-64"),
        (around(), {"family": "stylegan2"}, "stylegan2-64-small"),
        (around(), {"family": "stylegan2", "before": "stylegan2-64"}, "stylegan2-64"),
        (around(), {"family": "progan", "before": "progan-128"}, "progan-64"),
        (around(device="cuda"), {"family": "fast", "before": "faces-fast-64"}, "faces-fast-64"),
        (around(), {"family": "r3gan", "before": "unheard", "conditional": True}, "r3gan-64-small"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_the_recipe_suits_labels_and_the_model_to_begin_with(s, asked, name):
    found, why = choice.pick_recipe(s, **asked)
    assert found == name and why
    config = RECIPES[name].config
    assert choice.accepts(config, s) and config.family == asked.get("family", config.family)


def test_none_for_labels_of_this_size_says_so():
    with pytest.raises(ConfigError, match=r"no recipe that takes --condition takes pictures of 72x72 px"):
        choice.pick_recipe(around(72), conditional=True)
    with pytest.raises(ConfigError, match=r"--init: its family 'graph' can be sampled, but not trained"):
        choice.pick_recipe(around(64), family="graph")
    with pytest.raises(ConfigError, match=r"no recipe of the family vanilla, the model's of --init, takes"):
        choice.pick_recipe(around(80), family="vanilla")


@pytest.mark.parametrize(
    ("s", "near"),
    [
        (around(72), "64 or 80"),
        (around(100), "96 or 112"),
        (around(80, width=60), "56x80 or 64x80"),
        (around(50, width=100), "96x48 or 104x56"),
        (around(29), "28 or 32"),
        (around(1023), "896 or 1024"),
    ],
)
def test_no_recipe_of_this_shape_names_those_beside_it(s, near):
    with pytest.raises(ConfigError) as caught:
        choice.pick_recipe(s)
    assert f"px: prepare with --size {near}" in str(caught.value)
    for word in near.split(" or "):  # --size WIDTHxHEIGHT, or one number for a square
        width, _, height = word.partition("x")
        assert choice.pick_recipe(around(int(height or width), width=int(width)))


@pytest.mark.parametrize("name", [n for n in RECIPES if n.startswith("stylegan2")])
def test_the_authors_rule_is_the_recipes(name):
    c = recipe(name)
    assert auto.authors_rule(c.size or 64, c.batch) == pytest.approx(
        {"r1_gamma": c.r1_gamma, "ema_halflife_kimg": c.ema_halflife_kimg}
    )


@pytest.mark.parametrize(
    ("size", "batch", "gamma", "halflife"),
    [(32, 32, 0.0064, 10.0), (64, 32, 0.0256, 10.0), (128, 32, 0.1024, 10.0), (256, 16, 0.8192, 5.0)],
)
def test_the_automatic_settings_of_one_gpu(size, batch, gamma, halflife):
    """Batch max(min(4096 / size, 32), 1), gamma 0.0002 x size^2 / batch, half-life batch x 10 / 32 kimg."""
    c = recipe(f"stylegan2-{size}")
    assert (c.batch, c.r1_every) == (batch, 16)
    assert (c.r1_gamma, c.ema_halflife_kimg) == pytest.approx((gamma, halflife))


def test_gamma_follows_the_batch_where_the_recipe_follows_the_rule():
    """0.0002 x 64 x 64 / 8 = 0.1024; others keep what they have."""
    changes, _ = auto.gamma(override(recipe("stylegan2-64"), {"batch": 8}), around())
    assert changes == pytest.approx({"r1_gamma": 0.1024, "ema_halflife_kimg": 2.5})
    for other in ("faces-fast-64", "r3gan-64", "faces-dcgan-80"):
        assert auto.gamma(override(recipe(other), {"batch": 8}), around())[0] == {}


@pytest.mark.parametrize(
    ("pictures", "kimg", "faces", "expected"),
    [
        (8000, 600.0, True, {}),  # seen 75 times
        (8000, 900.0, True, {"augment": "ada-face", "augment_kimg": 225.0}),  # 112 times
        (122, 600.0, True, {"augment": "ada-face", "augment_kimg": 150.0}),
        (122, 600.0, False, {"augment": "ada", "augment_kimg": 150.0}),
        (122, 2000.0, False, {"augment": "ada"}),
    ],
)
def test_augmentation_by_how_often_pictures_are_seen(pictures, kimg, faces, expected):
    config = override(recipe("faces-dcgan-64"), {"kimg": kimg})
    adaptive = {"augment_target": 0.6, "augment_p": 0.0} if expected else {}
    changes = auto.augmentation(config, around(pictures=pictures, faces=faces))[0]
    assert changes == {**expected, **adaptive}
    assert not check(override(config, changes)).augment or override(config, changes).augment_target == 0.6


def test_a_recipe_whose_strength_is_fixed_adapts_once_auto_augments():
    """r3gan-64-small augments nothing; its p of 0.3 is meant for who switches augmentation on by hand."""
    config = recipe("r3gan-64-small")
    assert (config.augment, config.augment_target) == ("", 0.0)
    changes, why = auto.augmentation(config, around(pictures=100))
    expected = {"augment": "ada-face", "augment_target": 0.6, "augment_p": 0.0, "augment_kimg": 125.0}
    assert changes == expected and "grows" in why


def test_a_recipe_that_augments_keeps_its_own():
    config = recipe("stylegan2-64")
    assert auto.augmentation(config, around(pictures=100))[0] == {}
    # What has learnt already overfits sooner, and a short run has less time for it.
    changes, why = auto.augmentation(override(config, {"init": "celeba64"}), around(pictures=100))
    assert changes == {"augment_kimg": 100.0} and "from 0 to 1 in 100 kimg at most" in why
    short = override(config, {"init": "celeba64", "kimg": 36.0})
    assert auto.augmentation(short, around(pictures=100))[0] == {"augment_kimg": 9.0}
    fixed = override(short, {"augment_target": 0.0})
    assert auto.augmentation(fixed, around(pictures=100))[0] == {}


@pytest.mark.parametrize(("free", "pieces"), [(525, 1), (524, 2), (325, 2), (324, 4), (140, 32)])
def test_the_batch_is_cut_into_as_few_pieces_as_fit(free, pieces):
    """100 + 10 n bytes: 32 pictures need 420, which is 80% of 525; 16 need 260, 80% of 325; 1 needs 110."""
    changes, why = auto.fit_batch(recipe("faces-fast-64"), Probe(100, 10, ((2, 120), (8, 180))), free)
    assert changes == ({"accumulate": pieces} if pieces > 1 else {}) and "probed" in why
    assert ("little to compare" in why) == (pieces == 32)


def test_what_fits_nowhere_says_so():
    with pytest.raises(ConfigError, match="one picture at a time needs about 110 B, but 100 B are free"):
        auto.fit_batch(recipe("faces-fast-64"), Probe(100, 10, ((2, 120), (8, 180))), 100)


def test_the_probe_finds_the_line_through_its_measurements(monkeypatch):
    """An update that holds 50 MB and 20 MB a picture."""
    mega = 2**20

    def update(config, shape, device):
        # Straight from the system: what the allocator kept of earlier tests would be no new memory.
        held = mmap.mmap(-1, (50 + 20 * config.batch) * mega, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        np.frombuffer(held, np.uint8)[:] = 1
        time.sleep(0.2)
        held.close()

    monkeypatch.setattr(auto, "two_updates", update)
    found = auto.probe(recipe("faces-fast-64"), (3, 64, 64), CPU)
    assert found.each == pytest.approx(20 * mega, rel=0.1)
    assert found.needs(32) == pytest.approx(690 * mega, rel=0.1)


def test_the_probes_updates_are_real_and_penalised(monkeypatch):
    seen = []
    monkeypatch.setattr(
        out_of_memory, "train_step", lambda state, feed: seen.append((state.config.batch, state.updates))
    )
    config = override(recipe("faces-tiny-32"), {"generator.width": 0.25, "discriminator.width": 0.25})
    auto.probe(config, (3, 32, 32), CPU)
    assert seen == [(2, 0), (2, 0), (8, 0), (8, 0)]


def test_augmentation_is_measured_at_work():
    """One that begins at nothing by 0.3, or its highest; more stays, and so does one of fixed strength."""
    for changes, expected in (
        ({}, 0.3),
        ({"augment_max": 0.2}, 0.2),
        ({"augment_p": 0.5}, 0.5),
        ({"augment_target": 0.0, "augment_p": 0.1}, 0.1),
    ):
        small = {f"{side}.widths": (8, 8, 8, 8) for side in ("generator", "discriminator")}
        config = override(recipe("faces-fast-64"), {**small, "discriminator.projected": "", **changes})
        assert as_if_finished(create_state(config, (3, 64, 64), CPU)).augment.p == expected


@pytest.fixture
def narrow():
    return override(recipe("faces-tiny-32"), {"generator.width": 0.25, "discriminator.width": 0.25})


def test_what_is_given_wins_and_is_marked(tiny_dataset, narrow, monkeypatch):
    monkeypatch.setattr(auto, "MAX_HOURS", 1e-9)
    config = override(narrow, {"batch": 6, "kimg": 3.0, "seed": 5})
    decision = auto.decide(
        tiny_dataset, config, ("batch", "kimg", "seed"), device="cpu", why_recipe="it suits"
    )
    assert (decision.config.batch, decision.config.kimg, decision.config.seed) == (6, 3.0, 5)
    assert {c.what for c in decision.choices if c.given} == {"batch", "length", "seed"}
    text = auto.table(decision)
    rows = {line.split()[0]: line for line in text.splitlines() if line.startswith("  ")}
    assert "6*" in rows["batch"] and "you gave --batch" in rows["batch"]
    assert "*" not in rows["augmentation"] and "ada" in rows["augmentation"]
    assert "it suits" in rows["recipe"] and "is yours" in text
    assert max(map(len, text.splitlines())) < 140


def test_a_day_is_the_longest(tiny_dataset, narrow, monkeypatch):
    """The hours that remain are those of the shortened run, by the speed that was measured."""
    monkeypatch.setattr(auto, "MAX_HOURS", 0.001)
    found = auto.decide(
        tiny_dataset, override(narrow, {"grid_count": 1, "quality_count": 0}), (), device="cpu"
    )
    assert 0 < found.config.kimg < narrow.kimg
    hours = found.measured.training_seconds / 3600
    assert found.measured.updates == -(-round(found.config.kimg * 1000) // found.config.batch)
    assert hours == pytest.approx(found.measured.updates * found.measured.update_seconds / 3600)
    choice = next(c for c in found.choices if c.what == "length")
    assert "the recipe's 100 kimg would take" in choice.why


def test_schedules_are_shortened_with_the_run(tiny_dataset, tmp_path, monkeypatch):
    """A ProGAN that shall train for a day reaches its full size within it; what the user gave stays."""
    monkeypatch.setattr(auto, "MAX_HOURS", 0.001)
    small = {f"{side}.channel_base": 64 for side in ("generator", "discriminator")}
    config = override(
        recipe("progan-64"),
        {**small, "size": 32, "grid_count": 1, "quality_count": 0, "generator.fade_kimg": 300.0},
    )
    found = auto.decide(tiny_dataset, config, (), device="cpu")
    share = found.config.kimg / config.kimg
    assert share < 1 and found.config.model.generator.stage_kimg == pytest.approx(600 * share)
    assert found.config.model.generator.fade_kimg == pytest.approx(300 * share)
    assert "as much shorter: stage, fade" in next(c for c in found.choices if c.what == "length").why
    kept = auto.decide(tiny_dataset, config, ("generator.stage_kimg",), device="cpu").config.model.generator
    assert kept.stage_kimg == 600 and kept.fade_kimg < 300
    (tmp_path / "config.json").write_text(json.dumps(found.config.to_dict()))
    assert auto.begun(config, (), tmp_path) == override(found.config, {"precision": found.config.precision})
    burning = override(recipe("r3gan-64"), {"generator.widths": (8, 8, 8, 8), "batch": 8})
    assert auto._schedules(burning) == {"burnin_kimg": 20000.0}


def test_a_shorter_length_that_is_given_shortens_schedules_too(tiny_dataset):
    """50 of 100 kimg: half the warm-up, unless that is given as well."""
    config = override(
        recipe("faces-tiny-32"), {"warmup_kimg": 8.0, "kimg": 50.0, "grid_count": 1, "quality_count": 0}
    )
    found = auto.decide(tiny_dataset, config, ("kimg",), device="cpu")
    assert (found.config.kimg, found.config.warmup_kimg) == (50.0, 4.0)
    why = next(c.why for c in found.choices if c.what == "length")
    assert why == "you gave --kimg; as much shorter: warmup"
    assert auto.decide(tiny_dataset, config, ("kimg", "warmup_kimg"), device="cpu").config.warmup_kimg == 8.0


def test_fewer_pictures_than_a_batch(tiny_dataset, narrow):
    found = auto.decide(tiny_dataset, replace(narrow, batch=64), (), device="cpu")
    assert found.config.batch == 16  # the power of 2 that 24 pictures can fill


def test_the_command_explains_trains_and_goes_on(tiny_dataset, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["train", str(tiny_dataset.path), "--auto", "--kimg", "0.032", "--grid-count", "1", *NARROW]
    assert main([*words, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "faces-tiny-32" in out and "expected hours" in out and "0.032 kimg*" in out
    assert not list(tmp_path.iterdir())
    assert main([*words, "--out", "run", "--no-tensorboard"]) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["augment"] == "ada" and config["kimg"] == 0.032
    # Another memory or speed must not make it another run.
    monkeypatch.setattr(auto, "decide", lambda *_: pytest.fail("decided anew"))
    words[words.index("0.032")] = "0.048"
    assert main([*words, "--out", "run", "--no-tensorboard"]) == 0
    assert "goes on with what was chosen" in capsys.readouterr().err
    assert json.loads((tmp_path / "run" / "config.json").read_text())["kimg"] == 0.048


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--auto", "--batch", "0"], "--batch must be at least 1"),
        (["--auto", "--repeats", "2"], "--repeats and --auto: one at a time"),
        (["--auto", "--device", "nowhere"], "--device nowhere"),
        (["--auto", "--init", "celeba64"], "no recipe of the family fast, the model's of --init"),
        (["--auto", "--init", "nowhere.safetensors"], "--init nowhere.safetensors"),
    ],
)
def test_mistakes_in_one_line(tiny_dataset, capsys, words, line):
    assert main(["train", str(tiny_dataset.path), *words, "--quiet"]) == 2
    err = capsys.readouterr().err
    assert line in err and err.count("\n") == 1


def test_the_command_chooses_what_takes_labels(tiny_dataset):
    argv = [str(tiny_dataset.path), "--auto", "--condition", "smiling"]
    words, why = with_recipe(argv)
    assert words == [*argv, "--recipe", "faces-tiny-32"] and "--condition" in why


def test_several_processes_would_measure_differently(tiny_dataset, capsys, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["train", str(tiny_dataset.path), "--auto"]) == 2
    assert "--auto --dry-run" in capsys.readouterr().err
