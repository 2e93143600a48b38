"""Cards say what is known and call the rest unknown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from hub_rules import faults_of, front_matter
from huggingface_hub.repocard_data import model_index_to_eval_results
from published import ORIGIN, with_header

import facegan
from facegan.cli.main import main
from facegan.errors import InputError
from facegan.exchange.publish_card import model_card
from facegan.exchange.publish_facts import facts_of
from facegan.exchange.publish_metadata import config_json, space_card
from facegan.generator import Generator

# --- cards ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["nothing known", "all known", "conditional", "bundled"])
def test_metadata_are_what_the_hub_takes(kind: str, tiny_model: Generator) -> None:
    models: dict[str, Any] = {
        "nothing known": with_header(tiny_model, licence=""),
        "all known": with_header(tiny_model, provenance=ORIGIN),
        "conditional": conditional(),
        "bundled": "celeba64",
    }
    facts = facts_of(models[kind], "me/faces")
    card, space = model_card(facts), space_card(facts)
    assert faults_of(card, "model") == [] and faults_of(space, "space") == []
    data = huggingface_hub.ModelCard(card).data  # the Hub's own reader
    assert data.pipeline_tag == "unconditional-image-generation" and data.library_name == "facegan"
    assert front_matter(card)["license"] == data.license
    assert front_matter(space)["models"] == ["me/faces"]
    config = json.loads(config_json(facts))
    assert config["hash"] == facts.model.hash and config["model_type"] == facts.model.meta["family"]
    if kind == "bundled":
        name, results = model_index_to_eval_results(front_matter(card)["model-index"])
        assert name == "faces" and {r.metric_type for r in results} == {"fid", "kid", "precision", "recall"}
        assert all(r.dataset_name == "celeba64 (test, 500 pictures)" for r in results)
    else:
        assert "model-index" not in front_matter(card)  # nothing was measured
    assert ("conditional" in data.tags) == (kind == "conditional")


def conditional() -> Generator:
    from untrained import model_of

    return model_of("dcgan", True)


def test_what_is_unknown_is_called_so(tiny_model: Generator) -> None:
    card = model_card(facts_of(with_header(tiny_model, licence=""), "me/faces", onnx=False, space=False))
    for said in (
        "| data set | unknown |",
        "| data set's licence | unknown |",
        "| recipe | unknown |",
        "| pictures seen | unknown |",
        "The training command is unknown.",
        "Not measured. `facegan evaluate MODEL",
        "Not measured: whether samples repeat training pictures is unknown.",
        "Unknown: nothing was stated.",
        "facegan of an unknown version",
    ):
        assert said in card, said
    imported = with_header(tiny_model, provenance={"imported": {"format": "keras", "file": "g.h5"}})
    card_of_imported = model_card(facts_of(imported, "me/faces"))
    assert "It comes from another program; `facegan import` read it." in card_of_imported
    assert "It was made" not in card_of_imported
    odd = model_card(facts_of(with_header(tiny_model, licence="<!-- mine"), "me/faces"))
    assert "&lt;!-- mine (see `LICENSE`)" in odd
    assert "ONNX" not in card and "Space" not in card and not re.search(r"\bNone\b|\bnan\b|\{", card)


def test_what_is_known_is_said(tiny_model: Generator) -> None:
    facts = facts_of(with_header(tiny_model, provenance=ORIGIN), "me/faces", data_licence="CC0, by Ann")
    card = model_card(facts)
    for said in (
        "license: cc0-1.0",
        "| data set | `faces64` |",
        "| training pictures | 1,234 |",
        "| data set's licence | CC0, by Ann |",
        "| recipe | `faces-tiny-32`: ",
        "| pictures seen | 40 thousand, counted with repetitions, of which 10 thousand by the model",
        "facegan train faces64 --recipe faces-tiny-32 --out r --kimg 30",
        "64, normal, mean 0, standard deviation 1",
        f"`{facts.model.hash}`",
    ):
        assert said in card, said


def test_the_bundled_models_measures_are_those_of_its_card() -> None:
    card = model_card(facts_of("celeba64", "me/faces"))
    for said in (
        "| FID | 26.173 | 21.822 | lower is better |",
        "| KID | 0.00907 (0.00243 to 0.01572) | -0.00130 | lower is better |",
        "5,000 samples (seeds 10000 and up, none left out) with 500 real pictures in the split `test`",
        "2.5% of the samples are nearer to a training picture than 95% of held-out pictures",
        "| Smiling | 47.6% | 47.9% |",
        "The training photos show celebrities",
        "7,981 aligned photos of the train split of CelebA",
    ):
        assert said in card, said
    assert "<!--" not in card and "/tmp" not in card


def test_the_bundled_models_directions_are_published_with_it(tmp_path: Path) -> None:
    """They fit the published model, whose header is another one."""
    done = facegan.publish("celeba64", "me/x", dry_run=True, out=tmp_path / "o", onnx=False, space=False)
    place = tmp_path / "o/model"
    card = (place / "README.md").read_text()
    line = re.search(r"facegan edit hf:me/x (.+) --directions directions.safetensors\n", card)
    assert line and "model/directions.safetensors" in done.files
    target, edits = line[1].split()
    model, file = str(place / "model.safetensors"), str(place / "directions.safetensors")
    options = ["--directions", file, "--hold", "none", "--out", str(tmp_path / "e.png")]
    assert main(["edit", model, target, edits, *options]) == 0
    assert facegan.load(model).meta != facegan.load("celeba64").meta


# --- measures -------------------------------------------------------------------------------------------


def write_run(model: Generator, run: Path, line: dict[str, float]) -> Path:
    header = {"provenance": {**ORIGIN, "images_seen": 30000}}
    config = {
        "metric": "kid",
        "metric_features": "faces",
        "metric_count": 1000,
        "dataset": {"name": "faces64", "path": "/home/ann/photos/faces64"},
    }
    (run / "models").mkdir(parents=True)
    with_header(model, **header).save(run / "models/000030kimg.safetensors")
    (run / "config.json").write_text(json.dumps(config))
    lines = [{"images_seen": 10000, "kid": 9.0}, {"images_seen": 30000, **line}]
    (run / "stats.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in lines))
    return run


def test_a_runs_measures_are_those_of_the_published_moment(tiny_model: Generator, tmp_path: Path) -> None:
    line = {"kid": 0.0123, "kid_low": 0.01, "kid_high": 0.015, "kid_real": 0.001, "copied": 0.071}
    run = write_run(tiny_model, tmp_path / "r", line)
    assert "This checkpoint was chosen" not in model_card(facts_of(run, "me/faces"))
    best = {"images_seen": 30000, "model": "000030kimg.safetensors"}
    (run / "best.json").write_text(json.dumps(best))
    card = model_card(facts_of(f"{run}@best", "me/faces"))
    assert "- This checkpoint was chosen by this number, which favours it." in card
    assert "| KID | 0.01230 (0.01000 to 0.01500) | 0.00100 | lower is better |" in card
    assert "1,000 samples" in card and "the split `val` of `faces64`" in card
    assert "7.1% of the samples in the run's last grid are suspiciously close" in card
    assert front_matter(card)["model-index"][0]["results"][0]["metrics"][0]["value"] == 0.0123


def test_a_run_that_held_nothing_out_says_so(tiny_model: Generator, tmp_path: Path) -> None:
    card = model_card(facts_of(write_run(tiny_model, tmp_path / "r", {"kid": 0.2}), "me/faces"))
    assert "training pictures in the split `train`" in card and "Nothing was held out" in card
    assert "whether samples repeat training pictures is unknown" in card


def test_a_run_that_measured_nothing(tiny_model: Generator, tmp_path: Path) -> None:
    card = model_card(facts_of(write_run(tiny_model, tmp_path / "r", {"loss": 0.2}), "me/faces"))
    assert "Not measured. " in card and "model-index" not in card


def evaluation(model_hash: str, **more: Any) -> dict[str, Any]:
    return {
        "subject": "/home/ann/r",
        "model_hash": model_hash,
        "truncation": 0.7,
        "against": "/home/ann/faces64 (test)",
        "features": "faces-cdd0def39cd9",
        "count": 2000,
        "count_real": 500,
        "metrics": {"kid": 0.02, "kid_low": 0.01, "kid_high": 0.03, "memorized": 0.06, "nearer": 0.51},
        "real": {"kid": 0.001},
        "warnings": ["/home/ann/faces64: a caution"],
        **more,
    }


def test_an_evaluation_goes_into_the_card(tiny_model: Generator, tmp_path: Path) -> None:
    (tmp_path / "e.json").write_text(json.dumps(evaluation(tiny_model.hash)))
    card = model_card(facts_of(tiny_model, "me/faces", evaluation=str(tmp_path / "e.json")))
    for said in (
        "2,000 samples (seeds 10000 and up, none left out), truncated to 0.7, with 500 real pictures",
        "the split `test` of `faces64`, by the features `faces`",
        "| KID | 0.02000 (0.01000 to 0.03000) | 0.00100 |",
        "6.0% of the samples are nearer",
        "with a probability of 0.51",
        "- faces64: a caution",
    ):
        assert said in card, said
    assert "ann" not in re.sub(r"\w*(cann|ann[a-z])\w*", "", card)


def test_an_evaluation_names_its_model(tiny_model: Generator, tmp_path: Path) -> None:
    """The file that ``facegan evaluate`` writes has what publish asks for."""
    from facegan.demo.portraits import write_portraits

    write_portraits(tmp_path / "photos", 30, 0, size=32)
    facegan.prepare(tmp_path / "photos", tmp_path / "ds", crop="none", size=32, workers=1, split="val=0.4")
    tiny_model.save(tmp_path / "m.safetensors")
    file, ds = str(tmp_path / "e.json"), str(tmp_path / "ds")
    options = ["--metrics", "kid,memorization", "--count", "20", "--features", "pixels", "--json", file]
    assert main(["evaluate", str(tmp_path / "m.safetensors"), "--against", ds, *options]) == 0
    facts = facts_of(tmp_path / "m.safetensors", "me/faces", evaluation=file)
    card = model_card(facts)
    assert "20 samples" in card and "of `ds`, by the features `pixels`" in card and "| KID | " in card
    assert "of the samples are nearer to a training picture" in card
    assert faults_of(card, "model") == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file"),
        ("not json", "not a result of a model that 'facegan evaluate MODEL"),
        ("[1]", "not a result of a model"),
        ('{"metrics": {}}', "not a result of a model"),
        (json.dumps(evaluation("0" * 64)), "it measures another model (000000000000)"),
        (json.dumps(evaluation("")), "it measures another model (no model)"),
    ],
)
def test_evaluations_that_do_not_fit(
    content: str | None, said: str, tiny_model: Generator, tmp_path: Path
) -> None:
    file = tmp_path / "e.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError) as raised:
        facts_of(tiny_model, "me/faces", evaluation=str(file))
    assert str(raised.value).startswith(f"--evaluation {file}: {said}")
