"""Conditional models in My photo: the labels that one chooses are those of the search and of its edits."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from studio_browser import levels, opened
from studio_server import Server, running
from untrained import model_of

import facegan
from facegan.vectors import load_vectors


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A studio with a model that takes the labels smiling and male; 0 and 1 are its usual ones."""
    folder = tmp_path_factory.mktemp("labels")
    (folder / "models").mkdir()
    model_of("stylegan2", labelled=True).save(folder / "models" / "labelled.safetensors")
    with running(folder) as started:
        yield started


def labels_of(command: str) -> str:
    words = shlex.split(command)
    return words[words.index("--labels") + 1] if "--labels" in words else ""


def test_labels_go_with_the_search_and_its_edits(server: Server) -> None:
    facts = server.get("/api/models/labelled")
    assert (facts["labels"], facts["default_labels"]) == (["smiling", "male"], [0, 1])
    told = "smiling=1,male=0"
    asked: dict[str, Any] = {"photo": "sample:officer", "model": "labelled", "steps": 2, "labels": told}
    done = server.wait(server.start("invert", **asked))
    assert done["state"] == "done", done["error"]
    assert labels_of(done["command"]) == done["result"]["labels"] == told
    edit = {"action": "edit", "settings": {"face": done["id"], "edits": "pca1=1"}}
    assert labels_of(server.ask("POST", "/api/preview", edit).json()["command"]) == told

    model = facegan.load(str(server.folder / "models" / "labelled.safetensors")).tell(told)
    name = next(each["name"] for each in done["result"]["files"] if each["role"] == "vectors")
    vectors = load_vectors(server.folder / "results" / name, model.latent.dim, (model.num_ws, model.w_dim))
    found = server.ask("POST", f"/api/photo/{done['id']}/image", {"moves": {}}).content
    (server.folder / "found.png").write_bytes(found)
    shown = facegan.images.read_image_file(server.folder / "found.png")
    assert levels(shown, model.images(vectors.z)[0]) <= 1
    wrong = server.wait(server.start("invert", **{**asked, "labels": "purple=1"}))
    assert wrong["state"] == "failed" and "purple" in wrong["error"] and "smiling" in wrong["error"]


def test_labels_are_chosen_in_the_page(browser: Browser, server: Server) -> None:
    with opened(browser, server, "#/photo") as page:
        page.get_by_role("button", name="Use the sample officer").click()
        page.get_by_label("Model", exact=True).select_option("labelled")
        smiling = page.get_by_role("switch", name="smiling")
        expect(page.get_by_role("switch", name="male")).to_be_checked()
        expect(smiling).not_to_be_checked()
        command = page.locator(".command code")
        expect(command).to_contain_text("facegan invert sample:officer")
        assert labels_of(command.inner_text()) == ""
        smiling.check()
        expect(command).to_contain_text("--labels smiling=1,male=1")
        page.get_by_label("Model", exact=True).select_option("celeba64")
        expect(smiling).to_have_count(0)
        expect(command).not_to_contain_text("--labels")
