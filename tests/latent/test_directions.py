"""Directions against what can be derived by hand, their file, edits in words, and mistakes in one line."""

from __future__ import annotations

import io
import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

import facegan
from facegan.attributes import phrases
from facegan.attributes.networks import fit
from facegan.attributes.predictor import AttributePredictor
from facegan.cli.main import main
from facegan.errors import FaceganWarning, InputError, ModelError
from facegan.families import get_family
from facegan.families.fast.config import Config, GeneratorConfig
from facegan.generator import Generator, Latent, describe
from facegan.latent import phrase_groups, supervised, unsupervised, w_statistics
from facegan.latent.attribute_hold import hold
from facegan.latent.directions import Directions
from facegan.latent.editing import at_home, edit, parse_edits, watched
from facegan.latent.evaluation import verdict
from facegan.latent.points import parse_layers, target_points
from facegan.latent.supervised import Seen
from facegan.marks import command_line
from facegan.vectors import Vectors, save_vectors, seed_vectors

NAMES = ("Smiling", "Male", "Eyeglasses", "Young", "Black_Hair", "Blond_Hair", "Wearing_Hat", "No_Beard")


def by_hand(model: Generator, names: tuple[str, ...] = NAMES) -> Directions:
    """One axis of w for each name."""
    axes = torch.eye(model.w_dim)[: len(names)]
    kinds = tuple("pca" if n.startswith("pca") else "attribute" for n in names)
    vectors = axes[:, None].expand(-1, model.num_ws, -1).clone()
    effects = np.zeros((len(names), len(NAMES)), np.float32)
    return Directions(names, kinds, vectors, effects, NAMES, {"Smiling": 0.9}, model.hash, {"settings": {}})


@pytest.fixture(scope="module")
def fast_model() -> Generator:
    """Narrow and untrained; it takes w in three places."""
    family = get_family("fast")
    config = Config(generator=GeneratorConfig(widths=(8, 8), blocks=(0, 0)))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = family.build_generator(config.generator, (3, 32, 32), 16)
    return Generator(network, describe("fast", config, Latent(dim=16), image_shape=(3, 32, 32)))


# --- closed forms ------------------------------------------------------------------------------


def white(dim: int) -> w_statistics.Spread:
    eye = torch.eye(dim, dtype=torch.float64)
    return w_statistics.Spread(torch.zeros(dim, dtype=torch.float64), eye, eye)


def test_a_boundary_is_the_plane_that_made_the_labels() -> None:
    """Logits linear in x with normal n: the boundary is n, and right about samples that it has not seen."""
    g = torch.Generator().manual_seed(0)
    x, n = torch.randn(2000, 8, generator=g), torch.randn(3, 8, generator=g, dtype=torch.float64)
    planes = supervised.boundaries(Seen(x, x.double() @ n.T + 0.1), white(8), ("a", "b", "c"))
    torch.testing.assert_close(planes.normals, n / n.norm(dim=1, keepdim=True), atol=0.02, rtol=0)
    assert min(planes.accuracy.values()) > 0.95
    rare = supervised.boundaries(Seen(x, x.double() @ n.T - 100), white(8), ("a", "b", "c"))
    assert rare.accuracy == {}


def test_projection_is_orthogonal_to_the_others() -> None:
    normals = torch.nn.functional.normalize(torch.randn(3, 6, dtype=torch.float64), dim=1)
    rest = supervised.project(normals, 0, [1, 2])
    assert float((normals[1:] @ rest).abs().max()) < 1e-12 and float(rest.norm()) == pytest.approx(1)
    assert torch.equal(supervised.project(normals, 0, []), normals[0])


def test_steering_solves_its_equation() -> None:
    """(sum_j weight_j E[g_j g_j^T] + ridge I) d = E[g_k], set up and solved as a matrix."""
    g = torch.randn(7, 3, 2, 5, generator=torch.Generator().manual_seed(1))
    weight = torch.tensor([0.0, 1.0, 0.3], dtype=torch.float64)
    flat = g.flatten(2).double()
    left = 0.05 * torch.eye(10, dtype=torch.float64)
    for j in (1, 2):
        left += weight[j] * flat[:, j].T @ flat[:, j] / 7
    expected = torch.linalg.solve(left, flat[:, 0].mean(0))
    found = supervised.steer(g, 0, weight, ridge=0.05)
    torch.testing.assert_close(found.flatten().double(), expected, rtol=1e-3, atol=1e-3)


def test_related_attributes_are_not_protected_from_each_other() -> None:
    base = torch.randn(500, 1, generator=torch.Generator().manual_seed(0))
    other = torch.randn(500, 2, generator=torch.Generator().manual_seed(1))
    logits = torch.cat([base, base + 0.3 * other[:, :1], other[:, 1:]], 1)
    weight = supervised.protection(logits, ("Lipstick", "Makeup", "Male"), 0, protect=("Male",), other=0.1)
    assert weight.tolist() == [0.0, 0.0, 1.0]


def test_spread_and_units() -> None:
    """w = mean + root x: a unit along an axis is that axis's deviation, along the diagonal that one's."""
    x = torch.randn(40_000, 2, generator=torch.Generator().manual_seed(0))
    spread = w_statistics.Spread.measure(x * torch.tensor([2.0, 0.5]) + 7)
    torch.testing.assert_close(spread.mean, torch.tensor([7.0, 7.0]).double(), atol=0.05, rtol=0)
    unit = spread.unit(torch.tensor([[3.0, 0.0]]))
    torch.testing.assert_close(unit, torch.tensor([[2.0, 0.0]]), atol=0.05, rtol=0)
    diagonal = spread.unit(torch.tensor([[1.0, 1.0]]))
    assert float(diagonal.norm()) == pytest.approx(math.sqrt((4 + 0.25) / 2), rel=0.02)
    layers = spread.unit(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))  # root mean square over both layers
    assert float(layers.norm()) == pytest.approx(2 * math.sqrt(2), rel=0.02)
    assert float(spread.white(x * torch.tensor([2.0, 0.5]) + 7).std()) == pytest.approx(1, rel=0.02)


def test_sefa_is_the_svd_of_the_first_layer(tiny_model: Generator) -> None:
    weight = tiny_model.network.layers[0].weight.double()  # type: ignore[union-attr, index, operator]
    rows = weight / weight.norm(dim=1, keepdim=True)
    found = unsupervised.sefa(tiny_model, w_statistics.spread_of(tiny_model), 3)[:, 0]
    expected = torch.linalg.svd(rows, full_matrices=False).Vh[:3]
    cosines = torch.nn.functional.cosine_similarity(found.double(), expected, dim=1).abs()
    assert float(cosines.min()) > 0.98  # samples are white but for their number


def test_held_attributes_stay(fast_model: Generator) -> None:
    """The watched logit changes less than on the straight way, and the step still goes that way."""
    predictor = AttributePredictor.load("faces")
    spread = w_statistics.spread_of(fast_model)
    w = fast_model.map(fast_model.latent.sample(range(3)))

    def male(points: torch.Tensor) -> torch.Tensor:
        pictures = fit(fast_model.synthesize(points).clamp(-1, 1), predictor.shape)
        return predictor.network(pictures)[:, predictor.column("Male")]

    with torch.enable_grad():
        start = w.clone().requires_grad_()
        (g,) = torch.autograd.grad(male(start).sum(), start)
    step = 2 * torch.nn.functional.normalize(g.mean(0), dim=1)  # straight towards it
    step = step + 2 * torch.nn.functional.normalize(torch.ones_like(step), dim=1)
    after = hold(fast_model, predictor, spread, w=w, step=step, watched=["Male"], damping=0.01)
    with torch.no_grad():
        straight, kept = ((male(p) - male(w)).abs().mean() for p in (w + step, after))
    assert float(kept) < 0.3 * float(straight)
    assert float(((after - w) * step).sum() / step.square().sum() / 3) > 0.3
    assert torch.equal(hold(fast_model, predictor, spread, w=w, step=step, watched=[]), w + step)


def test_verdict_by_hand() -> None:
    before = np.array([[0.1, 0.9], [0.2, 0.4], [0.4, 0.6], [0.9, 0.9]])
    after = np.array([[0.8, 0.2], [0.9, 0.3], [0.3, 0.7], [0.1, 0.1]])
    found = verdict(before, after, 0, guards={"Male": 1}, yes=True)
    assert (found.asked, found.turned) == (3, pytest.approx(2 / 3))
    assert found.changed == {"Male": pytest.approx(1 / 3)} and found.any == pytest.approx(1 / 3)
    assert verdict(before, after, 0, guards={"Male": 1}, yes=False).asked == 1
    assert verdict(after[:2], before[:2], 0, guards={}, yes=True).asked == 0


# --- words -------------------------------------------------------------------------------------

MEANINGS = {
    "smiling woman": {"Smiling": True, "Male": False},
    "neutral men": {"Smiling": False, "Male": True},
    "an old man without glasses": {"Young": False, "Male": True, "Eyeglasses": False},
    "Black-haired woman in a hat": {"Black_Hair": True, "Male": False, "Wearing_Hat": True},
    "bearded": {"No_Beard": False},
    "no beard": {"No_Beard": True},
    "not smiling": {"Smiling": False},
    "person": {},
}


@pytest.mark.parametrize("phrase", MEANINGS)
def test_meanings(phrase: str) -> None:
    assert phrases.meaning(phrase, NAMES) == MEANINGS[phrase]


MISUNDERSTOOD = {
    "smilng woman": "the word 'smilng' is unknown; did you mean 'smiling'?",
    "woman with hair": "'hair' is ambiguous; say 'black hair' or 'blond hair'",
    "smiling neutral man": "asks for 'smiling' and for the opposite",
}


@pytest.mark.parametrize("phrase", MISUNDERSTOOD)
def test_words_that_are_not_understood(phrase: str) -> None:
    with pytest.raises(InputError) as caught:
        phrases.meaning(phrase, NAMES)
    assert MISUNDERSTOOD[phrase] in str(caught.value) and "\n" not in str(caught.value)


def test_the_goal_of_a_sum() -> None:
    assert phrase_groups.goal("smiling woman - neutral woman + neutral man", NAMES) == {
        "Smiling": True,
        "Male": True,
    }
    assert phrase_groups.goal("young man - old man", NAMES) == {"Young": True}


# --- edits -------------------------------------------------------------------------------------


def test_edits_are_sums_of_units(tiny_model: Generator) -> None:
    found = by_hand(tiny_model)
    assert parse_edits("smiling=+2, old=1, wearing hat=-.5", found) == {
        "Smiling": 2.0,
        "Young": -1.0,
        "Wearing_Hat": -0.5,
    }
    done = edit(tiny_model, [7, 8], "Smiling=2,woman=1.5", directions=found, hold="none")
    expected = tiny_model.latent.sample([7, 8])
    expected[:, 0] += 2
    expected[:, 1] -= 1.5
    torch.testing.assert_close(done.vectors.z, expected)
    assert done.vectors.space == "z"
    np.testing.assert_array_equal(done.images, tiny_model.images(expected))
    np.testing.assert_array_equal(done.at(0.0), tiny_model.sample([7, 8]))


def test_points_in_every_spelling(tiny_model: Generator) -> None:
    for text in ("7", "seed:7", "seed=7", " Seeds: 7"):
        assert torch.equal(target_points(tiny_model, text).z[:, 0], tiny_model.latent.sample([7]))


def test_far_points_come_home_where_nothing_changes(fast_model: Generator, tiny_model: Generator) -> None:
    """``fast`` normalises w, so that three times w is the same face; for ``dcgan`` it is another."""
    for model, changed in ((fast_model, True), (tiny_model, False)):
        w = 3 * model.map(model.latent.sample([0, 1])).cpu()
        home = at_home(model, w)
        assert bool((home.norm(dim=2) < 0.6 * w.norm(dim=2)).all()) == changed
        assert torch.equal(home, w) == (not changed)
        assert np.abs(model.images(home).astype(int) - model.images(w)).max() <= 1


def test_what_is_watched(tiny_model: Generator) -> None:
    found = by_hand(tiny_model, ("Smiling", "Male", "pca1"))
    found.effects[0, NAMES.index("Young")] = 0.8  # goes with it, so it is part of the edit
    assert watched("male,young,glasses,smiling", {"Smiling": 1.0}, found) == ["Male", "Eyeglasses"]
    assert watched("male", {"pca1": 1.0}, found) == [] == watched("none", {"Smiling": 1.0}, found)


def test_a_mask_keeps_its_white_part(tiny_model: Generator, tmp_path: Path) -> None:
    from facegan.images import save_png

    mask = np.zeros((64, 64, 3), np.uint8)
    mask[:, :32] = 255
    save_png(tmp_path / "mask.png", mask)
    found = by_hand(tiny_model)
    done = edit(
        tiny_model, "seed:1", "smiling=8", directions=found, keep=str(tmp_path / "mask.png"), hold="none"
    )
    plain = edit(tiny_model, "seed:1", "smiling=8", directions=found, hold="none").images
    original = tiny_model.sample([1])
    np.testing.assert_array_equal(done.images[:, :, :15], original[:, :, :15])
    np.testing.assert_array_equal(done.images[:, :, 17:], plain[:, :, 17:])
    assert not np.array_equal(plain[:, :, 17:], original[:, :, 17:])


def test_layers_are_kept(fast_model: Generator) -> None:
    model = fast_model
    assert model.num_ws == 3
    found = by_hand(model)
    done = edit(model, "seed:0", "smiling=2", directions=found, layers="0-1", keep="1", hold="none")
    moved = (done.after - done.before)[0]
    assert moved[0, 0] == 2 and not moved[1:].any() and done.vectors.space == "w+"
    named = Vectors(model.latent.sample([0]), ("me",))
    assert edit(model, named, "smiling=2", directions=found, hold="none").names == ("me",)
    with pytest.raises(InputError, match=r"no layer 3 .*0 to 2"):
        parse_layers("0-3", model)


# --- the file, and mistakes --------------------------------------------------------------------


def test_saved_and_loaded(tiny_model: Generator, tmp_path: Path) -> None:
    found = by_hand(tiny_model)
    found.save(tmp_path / "d.safetensors")
    again = Directions.load(tmp_path / "d.safetensors", tiny_model)
    assert (again.names, again.kinds, again.accuracy) == (found.names, found.kinds, found.accuracy)
    assert torch.equal(again.vectors, found.vectors)
    another = Generator(tiny_model.network, {**tiny_model.meta, "wings": 2})
    with pytest.raises(ModelError, match="directions of another model"):
        Directions.load(tmp_path / "d.safetensors", another)


@pytest.fixture
def files(
    tiny_model: Generator, tiny_model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    by_hand(tiny_model).save("d.safetensors")
    Path("text.png").write_text("no picture")
    Path("text.safetensors").write_text("no directions")
    Path("photos").mkdir()
    Path("photos/a.png").write_text("no picture")
    save_vectors("v.npz", seed_vectors(tiny_model, [1]))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    return str(tiny_model_file)


def test_the_function_writes_what_the_command_writes(
    tiny_model: Generator, tiny_model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    by_hand(tiny_model).save("d.safetensors")
    flags = ["--directions", "d.safetensors", "--hold", "none", "--steps", "3"]
    for out in ("strip.png", "all.npz"):
        argv = ["edit", str(tiny_model_file), "seed:1-2", "smiling=2", *flags, "--out", out]
        with command_line(argv):  # which the pictures name
            facegan.edit(
                tiny_model_file,
                "seed:1-2",
                "smiling=2",
                directions="d.safetensors",
                hold="none",
                steps=3,
                out=f"by-{out}",
            )
        assert main(argv) == 0
    for name in ("strip.png", "strip-result.png", "strip.npz", "all.npz"):
        assert Path(name).read_bytes() == Path(f"by-{name}").read_bytes(), name
    with pytest.raises(InputError, match=r"the name must end in \.png or \.npz|\.png"):
        facegan.edit(tiny_model_file, "seed:1", "smiling=2", directions="d.safetensors", out="strip.gif")
    with pytest.raises(InputError, match="65 faces are too many rows"):
        facegan.edit(tiny_model_file, "seed:0-64", "smiling=2", directions="d.safetensors", out="strip.png")


EDIT = ["edit", "seed:1", "smiling=1", "--model", "MODEL", "--directions", "d.safetensors"]
MISTAKES = {
    "unknown name": (
        ["edit", "seed:1", "smilng=1", *EDIT[3:]],
        "'smilng' is unknown; did you mean 'smiling'",
    ),
    "no number": (["edit", "seed:1", "smiling", *EDIT[3:]], "edit 'smiling': write a name and a number"),
    "not finite": (["edit", "seed:1", "smiling=nan", *EDIT[3:]], "write a name and a number"),
    "too far": (["edit", "seed:1", "smiling=1e9", *EDIT[3:]], "from -100 to 100"),
    "empty": (["edit", "seed:1", "", *EDIT[3:]], "the edits are empty"),
    "no such photo": (["edit", "no.jpg", *EDIT[2:]], "no.jpg"),
    "text as photo": (["edit", "text.png", *EDIT[2:]], "text.png"),
    "text as directions": (
        [*EDIT[:5], "--directions", "text.safetensors"],
        "text.safetensors: this is a text file, not directions",
    ),
    "model as directions": ([*EDIT[:5], "--directions", "MODEL"], "no directions (it is a model)"),
    "missing directions": (
        [*EDIT[:5], "--directions", "none.safetensors"],
        "there is no such file of directions",
    ),
    "missing vectors": (["edit", "none.npz", *EDIT[2:]], "none.npz: there is no such file of vectors"),
    "ending": ([*EDIT, "--out", "x.jpg"], "must end in .png or .npz"),
    "one step": ([*EDIT, "--steps", "1"], "--steps must be from 2 to 25"),
    "layer": ([*EDIT, "--keep", "4"], "--keep 4: there is no layer 4"),
    "mask": ([*EDIT, "--keep", "text.png"], "--keep text.png: "),
    "hold": ([*EDIT, "--hold", "hat,xyz"], "--hold 'xyz'"),
    "negative seed": (["edit", "seed:-1", *EDIT[2:]], "'-1' is not a number"),
    "own vectors": (["edit", "v.npz:1", *EDIT[2:], "--out", "v.png"], "v.npz: it would replace"),
    "own photo": (["edit", "text.png", *EDIT[2:], "--out", "text.png"], "text.png: it would replace"),
    "no photo": (["edit", "", *EDIT[2:]], "a photo must be a path, not ''"),
    "empty input": (["edit", "-", *EDIT[2:]], "standard input: not readable as a picture"),
    "component": (["edit", "seed:1", "pca99=1", *EDIT[3:]], "'pca99' is unknown"),
    "mix layers": (
        ["mix", "MODEL", "0", "1", "--layers", "0-3"],
        "takes its vector in one place only; mix --comp",
    ),
    "mix both": (["mix", "MODEL", "0", "1", "--layers", "0", "--components", "1"], "exclude each other"),
    "mix components": (["mix", "MODEL", "0", "1", "--components", "64"], "this model has 0 to 63"),
    "mix a photo": (["mix", "MODEL", "text.png", "0", "--out", "text.png"], "text.png: it would replace"),
    "own folder": (["edit", "photos", *EDIT[2:], "--out", "photos/a.png"], "photos/a.png: it would replace"),
    "mix itself": (["mix", "MODEL", "v.npz:1", "0", "--out", "v.png"], "v.npz: it would replace"),
    "nothing to edit": ([*EDIT, "--keep", "0"], "--keep 0: no layer is left to edit"),
    "mix many": (["mix", "MODEL", "0-99", "1"], "24 rows and columns"),
    "samples": (["directions", "MODEL", "--samples", "0"], "--samples must be at least 50, not 0"),
    "protect": (
        ["directions", "MODEL", "--protect", "teeth"],
        "--protect 'teeth': the word 'teeth' is unknown",
    ),
    "network": (
        ["directions", "MODEL", "--network", "text.safetensors"],
        "text.safetensors: this is a text file, not an attribute",
    ),
    "directions to text": (["directions", "MODEL", "--out", "x.txt"], "must end in .safetensors"),
    "few": (
        ["arithmetic", "MODEL", "bald woman - man", "--samples", "20"],
        "'bald woman': 0 of 20 faces are surely",
    ),
    "unknown word": (["arithmetic", "MODEL", "womn - man"], "'womn' is unknown; did you mean 'wom"),
    "unsure": (["arithmetic", "MODEL", "woman", "--confidence", "0.2"], "--confidence must be from 0.5 to 1"),
    "no members": (["arithmetic", "MODEL", "woman", "--members", "0"], "--members must be from 1"),
    "no samples": (["arithmetic", "MODEL", "woman", "--samples", "-3"], "--samples must be from 1"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_one_line(mistake: str, files: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, words_of_it = MISTAKES[mistake]
    assert main([files if word == "MODEL" else word for word in command]) == 2
    told = capsys.readouterr().err.strip()
    assert words_of_it in told.splitlines()[-1] and "Traceback" not in told
    assert sum(line.startswith("facegan ") for line in told.splitlines()) == 1


def test_bundled_directions_are_of_bundled_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from facegan.latent.directions import ASSETS, directions_of
    from facegan.models import bundled, load

    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))
    models = {digest: model for model in map(load, bundled()) for digest in model.hashes}
    for file in ASSETS.glob("*.safetensors"):
        found = Directions.load(file)
        assert found.model_hash in models, f"{file.name}: make it anew with 'facegan directions'"
        assert directions_of(models[found.model_hash]).names == found.names


def test_directions_have_their_place_before_the_work_begins(
    tiny_model: Generator,
    tiny_model_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where no cache folder can be made, the command says so at once, and a call keeps nothing."""
    import facegan.latent.directions as module

    (tmp_path / "file").write_text("")
    for name in ("FACEGAN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "file"))
    assert main(["directions", str(tiny_model_file)]) == 2
    assert "no cache folder can be written; name the file with --out" in capsys.readouterr().err
    found = by_hand(tiny_model)
    monkeypatch.setattr(module, "directions", lambda *_, stages, **__: found if not stages.place else None)
    with pytest.warns(FaceganWarning, match=r"no folder takes the cache: .*FACEGAN_CACHE=FOLDER"):
        assert module.directions_of(tiny_model) is found
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "users"))
    with pytest.warns(FaceganWarning, match=f"the cache is {tmp_path}/users/facegan/directions"):
        monkeypatch.setattr(module, "directions", lambda *_, **__: found)
        module.directions_of(tiny_model)
    monkeypatch.setattr(module, "directions", None)  # what is kept is not made again
    assert torch.equal(module.directions_of(tiny_model).vectors, found.vectors.half().float())


SUGGESTED = {  # crop, channels, accuracies of attributes, further names -> what is suggested
    "faces": ("aligned", 3, {"Male": 0.9, "Smiling": 0.6}, ["pca1"], "smiling"),
    "gray faces": ("face", 1, {"Male": 0.9}, ["pca1"], "male"),
    "digits": ("none", 1, {"Smiling": 0.95, "Male": 0.9}, ["pca1", "pca2"], "pca1"),
    "digits without components": ("none", 1, {"Bald": 0.7, "Bangs": 0.9}, [], "bangs"),
    "flowers": ("center", 3, {"Smiling": 0.6, "Bangs": 0.9}, ["sefa1"], "sefa1"),
    "faces in the middle": ("center", 3, {"Smiling": 0.85}, ["pca1"], "smiling"),
    "nothing": ("aligned", 3, {}, [], ""),
}


@pytest.mark.parametrize("case", SUGGESTED)
def test_a_direction_is_suggested_that_there_is(case: str) -> None:
    kind, channels, accuracy, components, expected = SUGGESTED[case]
    names, kinds = (*accuracy, *components), ("attribute",) * len(accuracy) + ("pca",) * len(components)
    found = Directions(
        names, kinds, torch.zeros(len(names), 1, 4), np.zeros((len(names), 0)), (), accuracy, "", {}
    )
    model = SimpleNamespace(meta={"alignment": {"kind": kind}}, image_shape=(channels, 32, 32))
    assert found.suggest(cast(Generator, model)) == expected
