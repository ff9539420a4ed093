"""What a user may type, what each word means, and what is answered to a wrong one."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from dlcli.data.images.operations.columns import COLUMNS
from dlcli.data.images.operations.table import (
    CANONICAL,
    OPERATIONS,
    Step,
    note_of,
    parse_augment,
    range_of,
)


def test_names_have_their_own_strength_or_the_default() -> None:
    steps = parse_augment("flip rotate=10 colour=0.1 grey=0.2 scale=0.8 erase=0.25")
    assert {step.name: step.strength for step in steps} == {
        "flip": OPERATIONS["flip"].default,
        "rotate": 10,
        "colour": 0.1,
        "grey": 0.2,
        "scale": 0.8,
        "erase": 0.25,
    }


def test_order_and_separators_do_not_matter() -> None:
    assert parse_augment(" grey,rotate = 10  flip ") == parse_augment("flip rotate=1e1 grey")


@pytest.mark.parametrize(("typed", "name"), [("color", "colour"), ("gray", "grey"), ("crop", "scale")])
def test_both_spellings_mean_the_same(typed: str, name: str) -> None:
    assert parse_augment(f"{typed}=0.3") == (Step(name, 0.3),)


@pytest.mark.parametrize("word", ["default", "none"])
def test_words_in_place_of_operations(word: str) -> None:
    assert parse_augment(word) == ()
    with pytest.raises(ValueError, match=f"'{word}' stands alone"):
        parse_augment(f"flip {word}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rotat=3", "no operation 'rotat'; did you mean 'rotate'"),
        ("mixture", "no operation 'mixture'; known: flip"),
        ("rotate=ten", r"rotate=ten: not a number \(degrees"),
        ("rotate=", "rotate=: not a number"),
        ("rotate=181", "rotate=181: from 0 to 180"),
        ("rotate=-1", "rotate=-1: from 0 to 180"),
        ("colour=nan", "colour=nan: from 0 to 1"),
        ("scale=0", "scale=0: from 0.05 to 1"),
        ("colour color=0.1", "'colour' is named twice"),
        ("", "names no operation"),
        (" , ", "names no operation"),
    ],
)
def test_a_wrong_word_is_answered_with_what_is_right(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_augment(text)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_entry_is_consistent(name: str) -> None:
    operation = OPERATIONS[name]
    assert CANONICAL[name] == name
    assert operation.minimum <= operation.default <= operation.maximum
    assert parse_augment(name) == parse_augment(f"{name}={operation.default:g}") == (Step(name, operation.default),)
    assert range_of(name) == f"from {operation.minimum:g} to {operation.maximum:g}"
    for strength in (operation.minimum, operation.default, operation.maximum):
        columns = operation.draw(np.random.default_rng(0), strength, 50)
        assert columns.keys() <= COLUMNS.keys()
        assert {len(values) for values in columns.values()} == {50}


WEAKEST = {"scale": 1, "zoom": 1, "aspect": 1, "posterize": 8, "solarize": 256}
"""Strengths that change nothing, where that is not 0."""


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - {"erase", "cutout", "scale", "noise", "perspective"}))
def test_the_weakest_strength_draws_neutral_numbers(name: str) -> None:
    columns = OPERATIONS[name].draw(np.random.default_rng(0), WEAKEST.get(name, 0), 50)
    if name == "trivial":  # two of its operations have no strength
        columns = {key: values for key, values in columns.items() if key not in ("autocontrast", "equalize")}
        columns["threshold"] = np.maximum(columns["threshold"], 255)  # of 255, inverting white alone
        columns["threshold"][columns["threshold"] == 255] = 256
    for key, values in columns.items():
        np.testing.assert_array_equal(values, np.full(50, COLUMNS[key].neutral), err_msg=key)


def test_what_shows_pictures_upside_down_is_noted_in_one_line() -> None:
    assert note_of(parse_augment("flip rotate=90 colour scale")) is None
    note = note_of(parse_augment("flip vflip quarter=0.3"))
    assert note is not None
    assert note.startswith("--augment: vflip and quarter may show")
    assert "\n" not in note
    assert note_of(parse_augment("vflip=0 quarter=0")) is None
    assert "rotate" in str(note_of(parse_augment("rotate=91")))


def test_words_are_read_without_numpy_and_torch() -> None:
    code = (
        "import sys; from dlcli.data.images.operations.table import parse_augment; parse_augment('flip trivial');"
        "sys.exit(bool({'numpy', 'torch', 'cv2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
