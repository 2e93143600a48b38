"""What every family promises, with no exceptions: one short run of each, and every command on it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from graphs import small_graph
from narrow import NARROW, TRAINED, at_32
from PIL import Image

import facegan
from facegan.cli.main import main
from facegan.data.dataset import Dataset
from facegan.data.prepare import prepare
from facegan.demo.portraits import write_portraits
from facegan.families import FAMILIES, TRANSLATORS, get_family
from facegan.latent import load_vectors
from facegan.recipes.table import RECIPES, recipe
from facegan.runs.checkpoints import list_checkpoints, read_header
from facegan.training.initialization import create_state, freeze

RATES = ("generator.lr", "discriminator.lr")


@pytest.fixture(scope="module")
def portraits(tmp_path_factory) -> Dataset:
    """32 drawn portraits with known attributes; the val and test splits have some, too."""
    folder = tmp_path_factory.mktemp("portraits")
    write_portraits(folder / "photos", 48, 0, size=32)
    attributes, split = folder / "photos" / "attributes.csv", folder / "split.csv"
    parts = ["train"] * 32 + ["val"] * 8 + ["test"] * 8
    split.write_text("".join(f"{i + 1:06d}.png,{part}\n" for i, part in enumerate(parts)))
    return prepare(
        [folder / "photos"], folder / "dataset", crop="none", size=32, attributes=attributes, split=split
    )


@pytest.fixture(scope="module")
def runs(portraits, tmp_path_factory):
    """A run of each family, made when first asked for; a model's file of one that is not trained."""
    folder, made = tmp_path_factory.mktemp("runs"), {}

    def run(family, **changes):
        key = json.dumps([family, changes], default=str)
        if key not in made and family not in TRAINED:
            made[key] = folder / f"{family}-{len(made)}.safetensors"
            small_graph(tuple(changes.get("condition", ()))).save(made[key])
        if key not in made:
            place = folder / f"{family}-{len(made)}"
            made[key] = facegan.train(portraits, at_32(family, **changes), place)
        return made[key]

    return run


def test_every_family_is_here_and_has_a_recipe():
    assert set(NARROW) == {r.config.family for r in RECIPES.values()} == {*TRAINED, *TRANSLATORS}
    assert set(FAMILIES) - set(TRAINED) == {"graph"}


@pytest.mark.parametrize("family", TRAINED)
def test_resumed_is_uninterrupted(family, portraits, runs, tmp_path):
    from safetensors.numpy import load_file

    half = facegan.train(portraits, at_32(family, kimg=0.032), tmp_path / "half")
    facegan.train(portraits, at_32(family), half, resume=True)
    last = [list_checkpoints(r / "checkpoints")[-1] for r in (runs(family), half)]
    a, b = (load_file(folder / "state.safetensors") for folder in last)
    assert a.keys() == b.keys()
    assert {k.partition("/")[0] for k in a} >= {"generator_optimizer", "discriminator_optimizer", "ema"}
    for key in a:
        assert np.array_equal(a[key], b[key]), key
    # Counts, ramps, augmentation strength, phases of the lazy penalties.
    x, y = ({k: v for k, v in read_header(folder).items() if k != "seconds"} for folder in last)
    assert x == y
    assert x["images_seen"] == 64 and x["updates"] == 8
    if family == "stylegan2":  # what adapts has moved, and the mean of path lengths has begun
        assert x["augment"]["p"] != 0.5 and x["path_mean"] > 0


@pytest.mark.parametrize("family", TRAINED)
def test_what_is_frozen_lies_next_to_the_image(family):
    c = at_32(family)
    discriminator = get_family(family).build_discriminator(c.model.discriminator, (3, 32, 32))
    freeze(discriminator, 1)
    frozen = {name for name, p in discriminator.named_parameters() if not p.requires_grad}
    (weight,) = (p for name, p in discriminator.named_parameters() if name in frozen and p.ndim > 1)
    assert weight.shape[1] in (3, 3 * 32 * 32, 12)  # channels, pixels, or blocks of 2x2 pixels
    with pytest.raises(facegan.errors.ConfigError, match="some must learn"):
        freeze(discriminator, 1000)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_face_is_the_same_alone_in_a_batch_and_from_its_file(family, runs, tmp_path):
    model = facegan.load(runs(family))
    assert model.image_shape == (3, 32, 32)
    z = model.latent.sample(range(6))
    with torch.inference_mode():
        together, alone = model(z), torch.cat([model(z[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-4)
    model.save(tmp_path / "again.safetensors")
    np.testing.assert_array_equal(facegan.load(tmp_path / "again.safetensors").sample(6), model.sample(6))
    assert len(np.unique(model.sample(6).reshape(6, -1), axis=0)) == 6


@pytest.mark.parametrize("family", FAMILIES)
def test_w_maps_and_synthesises(family, runs):
    model = facegan.load(runs(family))
    z = model.latent.sample([0, 1])
    with torch.inference_mode():
        w = model.map(z)
        assert w.shape == (2, model.num_ws, model.w_dim)
        torch.testing.assert_close(model.synthesize(w), model(z), rtol=0, atol=1e-4)
        assert model.synthesize(w, noise="none").shape == (2, 3, 32, 32)
        moved = (model(z, truncation=0.5) - model(z)).abs().max()
        assert model.truncates == bool(moved > 0.01 * (model(z[:1]) - model(z[1:])).abs().max())
        average = model(z, truncation=0.0)
        torch.testing.assert_close(average[:1], average[1:], rtol=0, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_show_counts_what_the_summary_counts(family, runs):
    from facegan.layers.summary import summarize
    from facegan.model_summary import describe_model

    found, model = describe_model(str(runs(family))), facegan.load(runs(family))
    expected = sum(layer.macs for layer in summarize(model.network, model.latent.sample([0])))
    assert found["macs"] == sum(row["macs"] for row in found["layers"]) == expected > 1000


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "command",
    [
        ["generate", "MODEL", "--count", "4", "--out", "OUT.png"],
        ["interpolate", "MODEL", "0", "1", "--steps", "4", "--out", "OUT.png"],
        ["arithmetic", "MODEL", "1,2 - 3 + 4", "--out", "OUT.png"],
        ["atlas", "MODEL", "--count", "12", "--out", "OUT.png"],
        ["film", "MODEL", "0", "1", "--seconds", "1", "--fps", "6", "--out", "OUT.webp"],
        ["invert", "seed:7", "PHOTO", "--model", "MODEL", "--steps", "3", "--film", "webp", "--out", "OUT"],
        [
            "evaluate",
            "MODEL",
            "--against",
            "DATASET",
            "--count",
            "24",
            "--features",
            "pixels",
            "--json",
            "OUT.json",
        ],
    ],
    ids=lambda c: c[0],
)
def test_every_command_takes_every_family(family, command, runs, portraits, tmp_path):
    words = {
        "MODEL": str(runs(family)),
        "DATASET": str(portraits.path),
        "OUT.png": str(tmp_path / "o.png"),
        "OUT.webp": str(tmp_path / "o.webp"),
        "OUT.json": str(tmp_path / "o.json"),
        "OUT": str(tmp_path / "inverted"),
        "PHOTO": str(portraits.path.parent / "photos" / "000001.png"),
    }
    assert main([words.get(word, word) for word in command]) == 0
    if command[0] == "evaluate":
        assert np.isfinite(json.loads((tmp_path / "o.json").read_text())["metrics"]["kid"])
    elif command[0] == "invert":
        model = facegan.load(runs(family))
        found = load_vectors(
            tmp_path / "inverted" / "vectors.npz", model.latent.dim, (model.num_ws, model.w_dim)
        )
        assert found.names == ("seed7", "000001") and found.space == ("z" if model.num_ws == 1 else "w")
        with Image.open(tmp_path / "inverted" / "000001.png") as picture:
            assert np.abs(np.asarray(picture).astype(int) - model.images(found.z)[1]).max() <= 1
    else:
        with Image.open(tmp_path / ("o.webp" if command[0] == "film" else "o.png")) as picture:
            assert min(picture.size) >= 32


@pytest.mark.parametrize("family", FAMILIES)
def test_encoder_space_and_tuning(family, runs, portraits, tmp_path):
    """An encoder is learnt and found, every space searched from its guess, the generator tuned and loaded."""
    model = tmp_path / "model.safetensors"
    facegan.load(runs(family)).save(model)
    small = ["--kimg", "0.032", "--batch", "8", "--width", "4", "--loss", "mse"]
    assert main(["train-encoder", str(model), str(portraits.path), *small]) == 0
    assert (tmp_path / "model-encoder.safetensors").is_file()
    generator = facegan.load(model)
    for space in ("w", "w+") if generator.num_ws > 1 else ("z", "w"):
        found = facegan.invert("seed:3", model, space=space, steps=3, start="encoder", loss="mse")
        assert found.vectors.space == space and found.curves[-1, 0] <= found.curves[0, 0]
    photo = portraits.path.parent / "photos" / "000001.png"  # far from all that the network draws
    argv = [
        "invert",
        str(photo),
        "--model",
        str(model),
        "--steps",
        "2",
        "--loss",
        "mse",
        "--tune",
        "--tune-steps",
        "6",
    ]
    assert main([*argv, "--paths", "none", "--out", str(tmp_path / "o")]) == 0
    tuned = facegan.load(f"{model}+{tmp_path / 'o' / '000001-delta.safetensors'}")
    z = load_vectors(
        tmp_path / "o" / "vectors.npz", generator.latent.dim, (generator.num_ws, generator.w_dim)
    ).z
    with torch.inference_mode():  # less than a grey level, where three steps do little
        assert not torch.equal(tuned(z), generator(z))


@pytest.mark.parametrize("family", TRAINED)
def test_training_begins_with_a_model(family, runs, portraits, tmp_path):
    """With --init, no learning, and another seed: the weights and faces are those that it began with."""
    from facegan.runs.checkpoints import read_networks

    still = {"kimg": 0.008, "seed": 9, "generator.lr": 1e-12, "discriminator.lr": 1e-12}
    begun = facegan.train(portraits, at_32(family, init=str(runs(family)), **still), tmp_path / "begun")
    old, new = (read_networks(list_checkpoints(r / "checkpoints")[-1]) for r in (runs(family), begun))
    for side in ("generator", "discriminator"):
        moved = {k for k in old[side] if not torch.allclose(old[side][k], new[side][k], rtol=0, atol=1e-6)}
        assert not [k for k in moved if k.endswith(("weight", "bias", "level", "const"))], moved
    a, b = facegan.load(runs(family)), facegan.load(begun)
    difference = np.abs(a.sample(4).astype(int) - b.sample(4)).mean()
    assert difference < 4  # batch norm gathers its statistics anew
    events = (begun / "events.jsonl").read_text()
    assert "began with" in events and "of the discriminator" in events


LARGER = {
    "dcgan": {
        f"{side}.layers": getattr(recipe("faces-dcgan-64").model, side).layers
        for side in ("generator", "discriminator")
    },
    "fast": {"generator.widths": (16, 8, 8, 8), "generator.blocks": (0, 0, 1, 0)},
    "r3gan": {f"{side}.widths": (8,) * 5 for side in ("generator", "discriminator")},
    "biggan": {"generator.multipliers": (8, 8, 4, 2, 1), "discriminator.multipliers": (1, 2, 4, 8, 8)},
}


@pytest.mark.parametrize("family", TRAINED)
def test_another_size_takes_no_layer_of_another_resolution(family, runs):
    """--init of a model for 32 px at 64 px: its generator where that fits, and a discriminator that is as
    fresh as without it, but for the family that counts its layers from the smallest resolution."""
    larger, place = at_32(family, size=64, **LARGER.get(family, {})), torch.device("cpu")
    fresh = create_state(larger, (3, 64, 64), place)
    try:
        begun = create_state(replace(larger, init=str(runs(family))), (3, 64, 64), place)
    except facegan.errors.ConfigError as error:
        assert family in ("vanilla", "dcgan") and "of the generator's" in str(error)
        return
    a, b = fresh.discriminator.state_dict(), begun.discriminator.state_dict()
    same = {key for key in a if torch.equal(a[key], b[key])}
    if family == "progan":
        assert float(begun.generator.level) == float(begun.discriminator.level) == 3.0
        assert len(same) < len(a) / 2 and "from_rgb.4.weight" in same and "fresh" not in begun.begun_with
    else:
        assert same == set(a) and "a fresh discriminator (the model is for 32x32 px)" in begun.begun_with
    with pytest.raises(facegan.errors.ConfigError, match=r"--freeze-d 1: .*but for 32x32 px.* of this size"):
        create_state(replace(larger, init=str(runs(family)), freeze_d=1), (3, 64, 64), place)


def test_what_has_grown_larger_is_all_grown(portraits, runs, tmp_path):
    """A ProGAN for 32 px goes on at 16 px, and Freeze-D asks for layers that have learnt."""
    small, place = at_32("progan", init=str(runs("progan"))), torch.device("cpu")
    state = create_state(small, (3, 16, 16), place)
    assert state.generator.levels == 3
    for network in (state.generator, state.discriminator, state.ema):
        assert float(network.level) == 2.0
    half = facegan.train(
        portraits, at_32("progan", kimg=0.016, **{"generator.stage_kimg": 0.4}), tmp_path / "half"
    )
    with pytest.raises(facegan.errors.ConfigError, match=r"--freeze-d 1: .* has not grown to the full size"):
        create_state(replace(small, init=str(half), freeze_d=1), (3, 32, 32), place)


@pytest.mark.parametrize("family", TRAINED)
def test_frozen_layers_stay(family, portraits, runs, tmp_path):
    from facegan.runs.checkpoints import read_networks

    run = facegan.train(
        portraits, at_32(family, init=str(runs(family)), freeze_d=1, kimg=0.016), tmp_path / "frozen"
    )
    before, after = (
        read_networks(list_checkpoints(r / "checkpoints")[-1])["discriminator"] for r in (runs(family), run)
    )
    network = get_family(family).build_discriminator(at_32(family).model.discriminator, (3, 32, 32))
    freeze(network, 1)
    frozen = {name for name, p in network.named_parameters() if not p.requires_grad}
    assert frozen and all(torch.equal(before[k], after[k]) for k in frozen)
    assert any(not torch.equal(before[k], after[k]) for k in set(dict(network.named_parameters())) - frozen)


@pytest.mark.parametrize("family", TRAINED)
def test_labels_are_obeyed(family, portraits, runs):
    name = portraits.attribute_names[0]
    model = facegan.load(runs(family, condition=(name,)))
    assert model.labels == (name,)
    yes, no = (model.tell(f"{name}={value}").sample(4) for value in (1, 0))
    assert not np.array_equal(yes, no)
    np.testing.assert_array_equal(model.tell(f"{name.upper()}=1").sample(4), yes)
    with pytest.raises(facegan.errors.InputError, match=name):
        model.tell("no_such=1")
    labels = model.as_trained().labels_of(range(2000))
    share = float((portraits.attributes("train")[:, 0] == 1).mean())
    assert float(labels.mean()) == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("family", FAMILIES)
def test_truncation_leaves_labels_alone(family, portraits, runs):
    """Each label has an average face of its own, and half way to it lies half way."""
    model = facegan.load(runs(family, condition=(portraits.attribute_names[0],)))
    z, labels = model.latent.sample(range(4)), torch.tensor([[1.0], [0.0], [1.0], [0.0]])
    with torch.inference_mode():
        whole, half, average = (model.map(z, t, labels) for t in (1.0, 0.5, 0.0))
        torch.testing.assert_close(average[0], average[2])
        torch.testing.assert_close(average[1], average[3])
        torch.testing.assert_close(half, (whole + average) / 2)
        assert (average[0] - average[1]).abs().max() > 1e-3
        for i in (0, 1):
            mean = model.map(model.latent.sample(range(4000)), labels=labels[i]).mean(0)
            torch.testing.assert_close(average[i], mean, rtol=0, atol=0.1)
            torch.testing.assert_close(model.w_average(labels[i]), average[i])
            told = model.tell(f"{model.labels[0]}={1 - i}")
            torch.testing.assert_close(told.map(z[:1], 0.0)[0], average[i])
    faces = [model.tell(f"{model.labels[0]}={v}").sample(1, truncation=0.0) for v in (1, 0)]
    assert not np.array_equal(*faces)


@pytest.mark.parametrize("family", FAMILIES)
def test_saved_vectors_keep_the_labels_that_were_drawn(family, portraits, runs, tmp_path, capsys):
    run = str(runs(family, condition=(portraits.attribute_names[0],)))
    first, again, saved = (str(tmp_path / name) for name in ("a.npz", "b.npz", "v.npz"))
    model = facegan.load(run).tell("random")
    assert len(model.labels_of(range(12)).unique(dim=0)) == 2
    make = ["generate", run, "--truncation", "0.7"]
    assert main([*make, "--count", "12", "--labels", "random", "--latents", saved, "--out", first]) == 0
    assert main(["generate", run, "--vectors", saved, "--out", again]) == 0
    with np.load(first) as drawn, np.load(again) as shown:
        assert np.abs(drawn["images"].astype(int) - model.sample(12, truncation=0.7)).max() <= 1
        assert np.abs(shown["images"].astype(int) - model.sample(12)).max() <= 1
    capsys.readouterr()
    label = model.labels[0]
    assert main(["generate", run, "--vectors", saved, "--labels", f"{label}=1", "--out", again]) == 2
    assert "vectors of w hold their labels already" in capsys.readouterr().err
    assert main(["generate", run, "--vectors", saved, "--out", again]) == 0
    assert "labels:" not in capsys.readouterr().err  # it would be none of theirs
    film = [
        "film",
        run,
        "3",
        "5",
        "--labels",
        "random",
        "--seconds",
        "1",
        "--fps",
        "4",
        "--features",
        "pixels",
    ]
    assert main([*film, "--latents", saved, "--out", str(tmp_path / "f.webp")]) == 0
    assert main([*film, "--truncation", "0.5", "--out", str(tmp_path / "f.webp")]) == 2
    first = load_vectors(saved, w_shape=(model.num_ws, model.w_dim)).z[:1]
    torch.testing.assert_close(first, model.map(model.latent.sample([3]), labels=model.labels_of([3])))
    capsys.readouterr()
    for refused in (
        ["generate", run, "--constant", "0"],
        ["film", run, "0", saved],
        ["mix", run, "0", saved],
        ["interpolate", run, "0", saved],
        ["arithmetic", run, "1,2 - 3 + 4"],
    ):
        assert main([*refused, "--labels", "random"]) == 2
        said = capsys.readouterr().err
        assert "--labels random: only seeds have labels of their own" in said and said.count("\n") == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_every_command_treats_labels_alike(family, portraits, runs, tmp_path, capsys):
    """A row for each combination, words for labels, and samples beside the real pictures that have them."""
    name = portraits.attribute_names[0]
    run, sheet = str(runs(family, condition=(name,))), tmp_path / "every.png"
    model = facegan.load(run)
    words = ["generate", run, "--every-class", "--count", "3", "--scale", "1", "--out", str(sheet)]
    assert main(words) == 0 and " rows of 3 pictures" in capsys.readouterr().out
    with Image.open(sheet) as picture:
        shown = np.asarray(picture)
    for value in (1, 0):
        face = model.tell(f"{name}={value}").sample(3)[2]
        rows = range(shown.shape[0] - 31)
        assert any(np.abs(shown[y : y + 32, -36:-4].astype(int) - face).max() <= 1 for y in rows), value
    for refused in (
        ["--labels", "random"],
        ["--columns", "2"],
        ["--numbered"],
        ["--out", str(tmp_path / "f/")],
    ):
        assert main([*words, *refused]) == 2
        said = capsys.readouterr().err
        assert "--every-class" in said and said.count("\n") == 1
    for label in (name, f"no {name}", f"{name}=yes"):
        assert main(["generate", run, "--count", "1", "--labels", label, "--out", str(sheet)]) == 0
    measure = ["evaluate", run, "--against", str(portraits.path), "--split", "train", "--count", "12"]
    measure += ["--features", "pixels", "--metrics", "fid", "--json", "-"]
    capsys.readouterr()
    for value in (None, 1, 0):
        label = [] if value is None else ["--labels", f"{name}={value}"]
        known = portraits.attributes("train")[:, 0]
        expected = len(known) if value is None else int((known == value).sum())
        code, said = main([*measure, *label]), capsys.readouterr()
        if expected < 10:
            assert code == 2 and f"{expected} pictures are too few" in said.err
        else:
            assert json.loads(said.out)["count_real"] == expected
