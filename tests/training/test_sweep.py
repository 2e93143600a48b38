"""``train --sweep``: trials from words, ranked by what was measured, never made twice."""

import json
import shutil
from dataclasses import replace

import pytest

from facegan.cli.main import main
from facegan.cli.train_flags import parse
from facegan.cli.train_modes import _trials
from facegan.errors import ConfigError, RunError
from facegan.planning.sweep import Trial, expand, sweep, table, words, write_outcomes
from facegan.recipes.table import recipe

PICTURES = "0123"  # the dataset's hash
NARROW = [
    "--generator.width",
    "0.25",
    "--discriminator.width",
    "0.25",
    "--quality-count",
    "0",
    "--grid-count",
    "1",
    "--no-tensorboard",
]


def test_several_sweeps_make_a_product():
    trials = expand(["batch=16,32", "generator.lr=1e-3, 2e-3"], recipe("faces-fast-64"))
    assert [t.name for t in trials] == [
        "batch=16_generator.lr=1e-3",
        "batch=16_generator.lr=2e-3",
        "batch=32_generator.lr=1e-3",
        "batch=32_generator.lr=2e-3",
    ]
    assert words(trials[1]) == ["--batch", "16", "--generator.lr", "2e-3"]


def test_gamma_is_r1_and_where_the_recipe_has_it_r2():
    (trial,) = expand(["gamma=2"], recipe("faces-dcgan-64"))
    assert trial == Trial("gamma=2", (("r1_gamma", "2"),))
    (trial,) = expand(["gamma=2"], recipe("r3gan-64"))
    assert trial == Trial("gamma=2", (("r1_gamma", "2"), ("r2_gamma", "2")))


def test_texts_are_one_word_and_may_be_empty():
    config = recipe("faces-dcgan-64")
    layers = "conv 64 4 s2 lrelu; mbstd; dense 1"
    (trial,) = expand([f"discriminator.layers={layers}"], config)
    assert words(trial) == ["--discriminator.layers", layers]
    assert words(expand(["init=my runs/a"], config)[0]) == ["--init", "my runs/a"]
    trials = expand(["augment=,ada"], config)
    assert [(t.name, words(t)) for t in trials] == [
        ("augment=none", ["--augment", ""]),
        ("augment=ada", ["--augment", "ada"]),
    ]
    _, found = parse(["DATASET", *words(trial), *words(trials[0])])
    assert found.model.discriminator.layers == layers and found.augment == ""


def test_names_of_long_values_are_short_and_differ():
    long = "conv 64 4 s2 lrelu; " * 20
    names = [
        t.name
        for t in expand(
            [f"discriminator.layers={long}mbstd; dense 1,{long}dense 1"], recipe("faces-dcgan-64")
        )
    ]
    assert len(set(names)) == 2 and max(map(len, names)) == 120


def test_words_of_switches_and_lists():
    trials = expand(["flip=yes,no", "generator.widths=16 8,32 16"], recipe("faces-fast-64"))
    assert words(trials[0]) == ["--flip", "--generator.widths", "16", "8"]
    assert words(trials[3]) == ["--no-flip", "--generator.widths", "32", "16"]
    (trial,) = expand(["generator.excite=false"], recipe("faces-fast-64"))
    assert words(trial) == ["--generator.no-excite"]
    assert all("/" not in t.name and " " not in t.name for t in trials)


@pytest.mark.parametrize(
    ("sweeps", "line"),
    [
        (["gamma"], "write a setting and its values"),
        (["=1"], "write a setting"),
        (["gamma=,"], "write a setting"),
        (["batch=1", "batch=2"], "named twice"),
        (["r1_gamma=1", "gamma=2"], "'r1_gamma' is named twice"),
        (["generator.lr=1e-3", "generator.lr=2e-3"], "'generator.lr' is named twice"),
        (["metric=kid,fid"], "trials are ranked by it; give --metric"),
        (["metric-features=faces,pixels"], "give --metric-features"),
        ([f"seed={','.join(map(str, range(300)))}"], "300 trials are too many"),
        (["augment="], "write a setting"),
        (["init=a b,a-b"], "two trials would have one name"),
    ],
)
def test_what_cannot_be_read(sweeps, line):
    with pytest.raises(ConfigError, match=line):
        expand(sweeps, recipe("faces-fast-64"))


def made(values, key="kid"):
    """A ``once`` that writes what a run leaves behind, and the list of those that it was asked for."""
    asked = []

    def once(config, path):
        asked.append(path.name)
        value = values[path.name]
        if isinstance(value, Exception):
            raise value
        path.mkdir(parents=True, exist_ok=True)
        held = {**config.to_dict(), "dataset": {"content_hash": PICTURES}}
        (path / "config.json").write_text(json.dumps(held))
        best = {"metric": key, "features": config.metric_features, "count": config.metric_count}
        (path / "best.json").write_text(json.dumps(best))
        lines = [
            {"images_seen": 500, key: 99.0, "seconds": 1.0, "images_per_second": 10.0},
            {
                "images_seen": 1000,
                key: value,
                f"{key}_real": 0.25,
                "seconds": 61.0,
                "images_per_second": 20.0,
            },
        ]
        (path / "stats.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    return once, asked


def trials_of(names, metric="kid"):
    config = replace(recipe("faces-tiny-32"), kimg=1.0, metric=metric)
    return [(Trial(n, (("seed", n[-1]),)), replace(config, seed=int(n[-1]))) for n in names]


def test_ranks_go_on_after_a_failure_and_nothing_is_done_twice(tmp_path):
    trials = trials_of(["seed=1", "seed=2", "seed=3"])
    once, asked = made({"seed=1": 3.5, "seed=2": RunError("it broke down"), "seed=3": 1.25})
    outcomes = sweep(trials, tmp_path, once, content_hash=PICTURES)
    assert [(o.trial.name, o.value) for o in outcomes] == [
        ("seed=3", 1.25),
        ("seed=1", 3.5),
        ("seed=2", None),
    ]
    assert outcomes[2].error == "it broke down" and asked == ["seed=1", "seed=2", "seed=3"]
    lines = table(outcomes, "kid").splitlines()
    assert lines[1].split()[:4] == ["1", "seed=3", "1.25", "1"] and "61 s" in lines[1]
    assert lines[3].endswith("it broke down") and lines[4].split() == ["real", "pictures", "0.25"]
    page = write_outcomes(outcomes, "kid", tmp_path)
    assert page.is_file() and "seed=3" in page.read_text()
    ranking = json.loads((tmp_path / "sweep.json").read_text())["ranking"]
    assert [r["kid"] for r in ranking] == [1.25, 3.5, None]
    once, asked = made({"seed=2": 0.5})
    outcomes = sweep(trials, tmp_path, once, content_hash=PICTURES)
    assert asked == ["seed=2"] and outcomes[0].value == 0.5
    # Other settings are another trial, a longer one is not finished.
    once, asked = made({"seed=1": 1.0, "seed=2": 2.0, "seed=3": 3.0})
    sweep(
        [(t, replace(c, batch=8)) for t, c in trials[:1]] + trials[1:], tmp_path, once, content_hash=PICTURES
    )
    sweep([(t, replace(c, kimg=2.0)) for t, c in trials[1:2]], tmp_path, once, content_hash=PICTURES)
    assert asked == ["seed=1", "seed=2"]
    # So is one on other pictures, or measured otherwise.
    once, asked = made({"seed=1": 1.0, "seed=2": 2.0})
    sweep(trials[:1], tmp_path, once, content_hash="of other pictures")
    sweep([(t, replace(c, metric_count=24)) for t, c in trials[1:2]], tmp_path, once, content_hash=PICTURES)
    assert asked == ["seed=1", "seed=2"]


def test_where_more_is_better_the_highest_is_first(tmp_path):
    once, _ = made({"seed=1": 0.2, "seed=2": 0.9}, "precision")
    outcomes = sweep(
        trials_of(["seed=1", "seed=2"], "precision-recall"), tmp_path, once, content_hash=PICTURES
    )
    assert [o.value for o in outcomes] == [0.9, 0.2]


def test_nothing_but_failures_has_no_page(tmp_path):
    once, _ = made({"seed=1": RunError("no")})
    outcomes = sweep(trials_of(["seed=1"]), tmp_path, once, content_hash=PICTURES)
    assert write_outcomes(outcomes, "kid", tmp_path) is None and "no" in table(outcomes, "kid")


def test_the_command_from_words_to_ranking(tiny_dataset, tmp_path, capsys):
    argv = [
        "train",
        str(tiny_dataset.path),
        "--recipe",
        "faces-tiny-32",
        "--sweep",
        "gamma=0.5,4",
        "--sweep",
        "batch=8,9",
        "--accumulate",
        "2",
        "--sweep-kimg",
        "0.032",
        "--metric-count",
        "24",
        "--metric-features",
        "pixels",
        "--out",
        str(tmp_path / "s"),
        *NARROW,
    ]
    assert main([*argv, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "4 trials of 0.032 kimg" in out and "in all" in out and not (tmp_path / "s").exists()
    assert main(argv) == 2  # 9 cannot be cut in two
    out, err = capsys.readouterr()
    rows = [line.split() for line in out.splitlines() if line.startswith("  ")][1:]
    assert {r[1] for r in rows[:2]} == {"gamma=0.5_batch=8", "gamma=4_batch=8"}
    assert float(rows[0][2]) <= float(rows[1][2])
    assert out.count("--batch 9 cannot be cut") == 2 and "compare.html" in err
    config = json.loads((tmp_path / "s" / "gamma=4_batch=8" / "config.json").read_text())
    assert (config["r1_gamma"], config["batch"], config["kimg"], config["metric"]) == (4.0, 8, 0.032, "kid")
    assert "Compared with the training pictures" in out
    assert main([*argv, "--resume"]) == 2  # for those that have not begun, too
    assert capsys.readouterr().err.count("finished before") == 2
    assert main([*argv, "--metric-count", "30"]) == 2  # measured anew, not trained
    out, err = capsys.readouterr()
    assert "finished before" not in err and err.count("best kid") == 2
    counts = [
        json.loads((tmp_path / "s" / f"gamma={g}_batch=8" / "best.json").read_text())["count"]
        for g in ("0.5", "4")
    ]
    assert counts == [30, 30]


def test_it_ranks_by_something_whatever_the_run_measures():
    argv = ["DATASET", "--recipe", "faces-tiny-32", "--sweep", "gamma=1", "--metric"]
    for metric, ranked in (("", "kid"), ("fid", "fid")):
        flags, config = parse([*argv, metric])
        ((_, trial),) = _trials(config, [*argv, metric], flags)
        assert trial.metric == ranked


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (["--sweep", "gama=1"], "did you mean 'gamma'"),
        (["--sweep", "out=a,b"], "there is no such setting"),
        (["--sweep", "gamma=x"], "--r1-gamma x: not a number"),
        (["--sweep", "generator.nope=1"], "generator.nope"),
        (["--sweep", "batch=8", "--batch", "4"], "which is it"),
        (["--sweep", "batch=8", "--repeats", "2"], "one at a time"),
        (["--sweep", "batch=8", "--sweep-kimg", "-1"], "--sweep-kimg must be 0 or more"),
        (["--threads", "-1"], "--threads must be from 0 to 1,024"),
        (["--threads", "20000"], "--threads must be from 0 to 1,024"),
        (["--repeats", "25"], "at most 24 runs"),
        (["--repeats", "2", "--resume", "--out", "nothing-here"], "no checkpoint in a run below it"),
        (["--sweep", "gamma=1,2", "--resume", "--out", "nothing-here"], "no checkpoint in a run below it"),
    ],
)
def test_mistakes_in_one_line(tiny_dataset, capsys, more, line):
    assert main(["train", str(tiny_dataset.path), "--recipe", "faces-tiny-32", *more]) == 2
    err = capsys.readouterr().err
    assert line in err and err.count("\n") == 1


def test_of_two_recipes_the_last_counts_whole():
    _, config = parse(["DATASET", "--recipe", "faces-dcgan-64", "--recipe=faces-fast-64"])
    assert config == recipe("faces-fast-64")


def test_a_dataset_without_train_pictures_is_one_line(tiny_dataset, tmp_path, capsys):
    copy = tmp_path / "d"
    shutil.copytree(tiny_dataset.path, copy, ignore=shutil.ignore_patterns(".cache"))
    info = json.loads((copy / "dataset.json").read_text())
    info["counts"] = {"val": info["counts"]["train"]}
    (copy / "dataset.json").write_text(json.dumps(info))
    assert main(["train", str(copy), "--recipe", "faces-tiny-32", "--out", str(tmp_path / "r")]) == 2
    assert capsys.readouterr().err.endswith("it has fewer than 2 training pictures\n")


def test_repeats_that_go_on_begin_what_had_not_begun(tiny_dataset, tmp_path):
    argv = [
        "train",
        str(tiny_dataset.path),
        "--recipe",
        "faces-tiny-32",
        "--kimg",
        "0.032",
        "--batch",
        "8",
        "--quiet",
        *NARROW,
    ]
    assert main([*argv, "--out", str(tmp_path / "r" / "seed-0")]) == 0
    assert main([*argv, "--out", str(tmp_path / "r"), "--repeats", "2", "--resume"]) == 0
    assert (tmp_path / "r" / "seed-1" / "models").is_dir() and (tmp_path / "r" / "compare.html").is_file()
