"""Texts that are published name no places of a computer, and licences as the Hub names them."""

from __future__ import annotations

import pytest
from hub_rules import LICENCES, faults_of

from facegan.exchange.hub_licences import IDENTIFIERS, licence_of
from facegan.exchange.personal import clean_command, clean_text, without_places

# --- places ---------------------------------------------------------------------------------------------

TEXTS = {
    "/tmp/work/celeba64": "celeba64",
    "see /var/x/y.txt, z": "see y.txt, z",
    "(/a/b)": "(b)",
    "~/x/y": "y",
    "~ann/z": "z",
    "/home/ann": "HOME",
    "/Users/ann/": "HOME",
    "C:\\Users\\Ann\\f.png": "f.png",
    "\\\\server\\share\\f.png": "f.png",
    "../../ann/q": "q",
    "ann@machine:/data/x": "x",
    "ann@machine:data/x": "x",
    "file:///home/ann/x.png": "x.png",
    "https://ann:word@host.org/x/y": "https://host.org/x/y",
    "https://host.org/x/y": "https://host.org/x/y",
    "runs/faces": "runs/faces",
    "a / b, 1/255, and/or, /": "a / b, 1/255, and/or, /",
    "hf:owner/name@main/a.safetensors": "hf:owner/name@main/a.safetensors",
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_path_becomes_its_last_part(text: str) -> None:
    assert clean_text(text) == TEXTS[text]


def test_places_in_commands_and_headers() -> None:
    command = (
        "facegan train '/home/ann lee/my photos' --out=/tmp/r --init ../q/run@best --layers 'up; bn' -x '"
    )
    assert clean_command(command[:-2]).split(" -x")[0] == (
        "facegan train 'my photos' --out=r --init run@best --layers 'up; bn'"
    )
    assert "ann" not in clean_command(command.replace(" lee", ""))  # an open quotation mark
    relative = (
        "facegan train clients/ann/faces --out=ann/run --init hf:me/faces@main/a.safetensors --x ann\\\\y/z"
    )
    assert clean_command(relative) == (
        "facegan train faces --out=run --init hf:me/faces@main/a.safetensors --x z"
    )
    value = {"command": "train '/a b/c d'", "x": [1, None, ("/a/b", {"y": "/c/d"})], "z": 0.5}
    assert without_places(value) == {"command": "train 'c d'", "x": [1, None, ["b", {"y": "d"}]], "z": 0.5}


# --- licences -------------------------------------------------------------------------------------------

SAID = {
    "MIT": "mit",
    "Apache License, Version 2.0": "apache-2.0",
    "CC BY 4.0": "cc-by-4.0",
    "CC0": "cc0-1.0",
    "cc-by-nc-sa-4.0": "cc-by-nc-sa-4.0",
    "": "unknown",
    "that of its training pictures": "unknown",
    "for research only, as CelebA": "other",
    "日本語": "other",
    "x" * 200: "other",
}


@pytest.mark.parametrize("text", SAID)
def test_licences_are_named_as_the_hub_names_them(text: str) -> None:
    found = licence_of(text)
    assert found.identifier == SAID[text]
    lines = "\n".join(f"{k}: {v}" for k, v in found.metadata().items())
    assert faults_of(f"---\n{lines}\n---\n", "model") == []


def test_the_names_of_licences_are_the_hubs() -> None:
    assert LICENCES - {"other", "unknown"} == IDENTIFIERS
