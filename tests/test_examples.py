"""The examples and the notebook run as a reader runs them, with small settings."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import warm
from PIL import Image

import facegan
from facegan.latent import load_vectors

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
# Short work: more threads would only wait for each other.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "JUPYTER_PLATFORM_DIRS": "1"}


def example(name: str, *arguments: str | Path) -> str:
    """What an example prints; it must end well."""
    done = warm.run([str(EXAMPLES / name), *map(str, arguments)], capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_has_a_test_and_a_row() -> None:
    source, table = Path(__file__).read_text(), (EXAMPLES / "README.md").read_text()
    for file in [*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*.ipynb")]:
        assert f'"{file.name}"' in source and f"]({file.name})" in table, file.name


def test_train_tiny(tmp_path: Path) -> None:
    out = tmp_path / "tiny"
    printed = example("train_tiny.py", "--out", out, "--count", "24", "--kimg", "0.032")
    assert printed.startswith("24 pictures to learn from")
    assert Image.open(out / "faces.png").size == (4 * 5 * 34 + 8, 4 * 5 * 34 + 8)
    assert (out / "run" / "report.html").exists()
    assert list((out / "run" / "models").glob("000000.032kimg.safetensors"))


def test_explore(tmp_path: Path, tiny_model_file: Path) -> None:
    example("explore.py", tiny_model_file, "--out", tmp_path)
    sizes = {"faces.png": (6, 6), "truncation.png": (6, 6), "paths.png": (10, 3)}
    for name, (columns, rows) in sizes.items():
        assert Image.open(tmp_path / name).size == (34 * columns + 2, 34 * rows + 2), name
    paths = np.asarray(Image.open(tmp_path / "paths.png"))
    assert np.array_equal(paths[2:34, 2:34], paths[36:68, 2:34]), "all paths begin with the same face"
    assert (tmp_path / "film.mp4").read_bytes()[4:8] == b"ftyp"


def test_vector_arithmetic(tmp_path: Path, tiny_model_file: Path) -> None:
    example("vector_arithmetic.py", tiny_model_file, "1 + 2 - 3", "--out", tmp_path)
    result = load_vectors(tmp_path / "result.npz", 64)
    from facegan import load

    a, b, c = load(tiny_model_file).latent.sample([0, 1, 2])
    assert result.names == ("result",) and np.allclose(result.z[0], a + b - c, atol=1e-6)
    assert Image.open(tmp_path / "numbered.png").width == 10 * (98 + 4) + 4
    assert Image.open(tmp_path / "arithmetic.png").height > 3 * 64


def test_celeba64_in_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len((EXAMPLES / "celeba64_in_torch.py").read_text().splitlines()) <= 60
    weights = facegan.export_model("celeba64", tmp_path / "celeba64.pt").path
    monkeypatch.chdir(tmp_path)
    example("celeba64_in_torch.py", weights, "0", "7")
    drawn = np.stack([np.asarray(Image.open(f"seed{seed}.ppm")) for seed in (0, 7)])
    assert np.abs(drawn - facegan.load("celeba64").sample([0, 7]).astype(int)).max() <= 1


def test_style_pictures(tmp_path: Path) -> None:
    example("style_pictures.py", "--out", tmp_path, "--size", "128")
    made = {p.stem: np.asarray(Image.open(p)).astype(int) for p in tmp_path.iterdir()}
    assert set(made) == {"strokes", "mosaic", "waves", "left", "right"}
    assert all(p.shape == (128, 128, 3) and p.std() > 25 for p in made.values())
    assert np.abs(made["left"] + made["right"] - 255).max() <= 1


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory):
    """The notebook after all its cells have run, its first cell replaced by small settings."""
    import nbformat
    from nbclient import NotebookClient

    folder = tmp_path_factory.mktemp("notebook")
    found = nbformat.read(EXAMPLES / "explore.ipynb", 4)
    settings = next(c for c in found.cells if "parameters" in c.metadata.get("tags", []))
    # Same names, so that a setting that the notebook no longer has is noticed.
    names = {line.split(" = ")[0] for line in settings.source.splitlines()}
    assert names == {"FOLDER", "PORTRAITS", "KIMG", "EXPRESSION"}
    settings.source = "FOLDER = 'nb'\nPORTRAITS = 40\nKIMG = 0.032\nEXPRESSION = '1,2 - 3 + 0.5 * 4'"
    client = NotebookClient(found, timeout=300, resources={"metadata": {"path": str(folder)}})
    client.execute(env=ENVIRONMENT)
    return found, folder


def outputs(notebook, mime: str) -> list[str]:
    return [o.data[mime] for c in notebook.cells for o in c.get("outputs", []) if mime in o.get("data", {})]


def test_the_notebook_runs_and_shows_pictures_and_films_inline(notebook) -> None:
    executed, folder = notebook
    assert len(outputs(executed, "image/png")) == 10
    assert len(outputs(executed, "image/gif")) == 1
    films = [html for html in outputs(executed, "text/html") if "<video" in html]
    assert len(films) == 1 and "data:video/mp4;base64," in films[0]
    assert Image.open(folder / "nb" / "film.gif").n_frames == 55  # five stretches of 11 steps
    assert len(load_vectors(folder / "nb" / "result.npz", 64)) == 1


def test_the_committed_notebook_has_its_outputs() -> None:
    """What a reader sees without running it, of a reasonable size."""
    import nbformat

    found = nbformat.read(EXAMPLES / "explore.ipynb", 4)
    assert all(cell.outputs or cell.execution_count for cell in found.cells if cell.cell_type == "code")
    assert len(outputs(found, "image/png")) == 10 and len(outputs(found, "image/gif")) == 1
    assert not any(o.output_type == "error" for c in found.cells for o in c.get("outputs", []))
    assert (EXAMPLES / "explore.ipynb").stat().st_size < 3_000_000
