"""The word `auto` among numbers, and options whose text is read."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from dlcli.core.config import Layer, option, resolve, split_auto
from dlcli.core.errors import UsageError


def read_colour(text: str) -> str:
    if text not in ("red", "blue"):
        raise ValueError(f"{text!r} is no colour")
    return text


@dataclass(frozen=True)
class Example:
    count: int = option(3, "a count", may_be_auto=True)
    rate: float = option(0.5, "a rate", flag="lr", may_be_auto=True)
    size: int = option(1, "a size")
    colour: str | None = option(None, "a colour", read=read_colour)


@pytest.mark.parametrize(
    ("layers", "auto", "count"),
    [
        ([{}, {"count": "auto"}], {"count"}, 3),
        ([{"count": 4}, {"count": "auto"}], {"count"}, 4),
        ([{"count": "auto"}, {"count": 5}], set(), 5),
        ([{"count": "auto"}, {"rate": "auto"}], {"count", "rate"}, 3),
        ([{"count": "auto"}, {"count": 5}, {"count": "auto"}], {"count"}, 5),
    ],
)
def test_the_last_word_decides_between_auto_and_a_number(layers, auto, count):
    numbers, left = split_auto(Example, [Layer(f"file {number}", values) for number, values in enumerate(layers)])
    assert left == auto
    assert [layer.origin for layer in numbers] == [f"file {number}" for number in range(len(layers))]
    assert resolve(Example, numbers).count == count


def test_auto_is_no_value_where_it_is_not_allowed():
    layers, left = split_auto(Example, [Layer("file", {"size": "auto"})])
    assert left == frozenset()
    with pytest.raises(UsageError, match="file: size must be of type int, not 'auto'"):
        resolve(Example, layers)


def test_a_text_that_cannot_be_read_says_why_and_where():
    assert resolve(Example, [Layer("file", {"colour": "red"})]).colour == "red"
    assert resolve(Example, []).colour is None
    with pytest.raises(UsageError, match=r"^file: colour: 'green' is no colour$"):
        resolve(Example, [Layer("file", {"colour": "green"})])
    with pytest.raises(UsageError, match=r"^--colour: 'green' is no colour$"):
        resolve(Example, [Layer(None, {"colour": "green"})])
