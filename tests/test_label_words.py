"""What --labels understands: names, classes, and words for both."""

import pytest

from facegan.conditions import Conditions
from facegan.errors import InputError

DIGITS = tuple(f"label={n}" for n in range(10))
FACES = ("Smiling", "Male", "Eyeglasses", "No_Beard")
PEOPLE = (
    "race=White",
    "race=East Asian",
    "race=South Asian",
    "hair=White",
    "hair=Dark Brown",
    "Smiling",
    "pose=-1",
    "pose=1",
)


def read(labels, *words):
    return {labels[i]: v for i, v in Conditions(labels, {}).parse(words).items() if v or "=" not in labels[i]}


@pytest.mark.parametrize(
    ("labels", "words", "meant"),
    [
        (DIGITS, ["label=7"], {"label=7": 1}),
        (DIGITS, ["digit 7"], {"label=7": 1}),
        (DIGITS, ["7"], {"label=7": 1}),
        (DIGITS, ["digit=7"], {"label=7": 1}),
        (DIGITS, ["the number 7"], {"label=7": 1}),
        (DIGITS, ["Label 7"], {"label=7": 1}),
        (FACES, ["smiling=1", "male=0"], {"Smiling": 1, "Male": 0}),
        (FACES, ["smiling"], {"Smiling": 1}),
        (FACES, ["smiling woman"], {"Smiling": 1, "Male": 0}),
        (FACES, ["man without glasses"], {"Male": 1, "Eyeglasses": 0}),
        (FACES, ["a bearded man"], {"No_Beard": 0, "Male": 1}),
        (FACES, ["smiling=yes", "no beard"], {"Smiling": 1, "No_Beard": 1}),
        (FACES, ["SMILING = false"], {"Smiling": 0}),
        (PEOPLE, ["race=East Asian"], {"race=East Asian": 1}),
        (PEOPLE, ["smiling east asian"], {"race=East Asian": 1, "Smiling": 1}),
        (PEOPLE, ["white hair"], {"hair=White": 1}),
        (PEOPLE, ["race white", "dark brown hair"], {"race=White": 1, "hair=Dark Brown": 1}),
        (PEOPLE, ["pose -1"], {"pose=-1": 1}),
        (PEOPLE, ["pose=1"], {"pose=1": 1}),
    ],
    ids=lambda x: " + ".join(x) if isinstance(x, list) else "",
)
def test_words_are_labels(labels, words, meant):
    assert read(labels, *words) == meant


def test_one_class_excludes_the_others():
    assert Conditions(DIGITS, {}).parse(["digit 7"]) == {i: float(i == 7) for i in range(10)}


@pytest.mark.parametrize(
    ("labels", "words", "said"),
    [
        (DIGITS, ["digit 12"], "'digit 12' is not understood; this model knows label=0, label=1"),
        (DIGITS, ["smiling"], "'smiling' is not understood; this model knows label=0"),
        (DIGITS, ["digit"], "'digit' is not understood"),
        (DIGITS, ["digit 7", "label=3"], "label is named twice"),
        (DIGITS, ["3 7"], "label is named twice"),
        (DIGITS, ["label=12"], "'label=12' is not understood"),
        (FACES, ["smiling=2"], "'smiling=2' is not understood; this model knows Smiling=0/1"),
        (FACES, ["smiling=1", "unsmiling"], "smiling is named twice"),
        (FACES, ["smilng"], "the word 'smilng' is unknown"),
        (PEOPLE, ["asian"], "the word 'asian' is unknown"),
        (PEOPLE, ["white"], "'white' could be race=white or hair=white"),
        (PEOPLE, ["age=3"], "'age=3' is not understood"),
    ],
)
def test_what_is_not_understood_is_said_in_one_line(labels, words, said):
    with pytest.raises(InputError) as error:
        read(labels, *words)
    assert said in str(error.value) and "\n" not in str(error.value)
