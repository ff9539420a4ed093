"""Names and categories: what hardly repeats names rows, and well-known or stated orders are kept."""

from __future__ import annotations

import math

import pytest

from dlcli.core.errors import DataError, UsageError
from dlcli.data.tables.categories import SCALES, are_names, known_order, read_orders
from dlcli.data.tables.deciding import settle_column
from dlcli.data.tables.form import CATEGORICAL, NUMERIC
from dlcli.data.tables.numbers import Notation
from dlcli.data.tables.rows import parse_sheet


def column(cells, **options):
    sheet = parse_sheet("\n".join(["x,y", *(f"{cell},{row}" for row, cell in enumerate(cells))]), "t.csv")
    notes: list[str] = []
    return settle_column("x", sheet, notes, "t.csv", **options), notes


@pytest.mark.parametrize(
    ("num_single", "num_repeated", "are"),
    [(249, 149, True), (51, 49, True), (50, 50, False), (0, 100, False), (19, 0, False), (20, 0, True)],
)
def test_texts_that_hardly_repeat_are_names(num_single, num_repeated, are):
    cells = [*(f"car {index}" for index in range(num_single)), *(f"ford {index % 7}" for index in range(num_repeated))]
    assert are_names(cells) is are


def test_names_are_left_out_with_their_number_unless_they_shall_stay():
    cells = [*(f"car {index}" for index in range(60)), *(f"ford {index % 7}" for index in range(40))]
    reason, _ = column(cells)
    assert reason == "67 of its 100 texts are distinct, as names are; --keep 'x' keeps it"
    kept, _ = column(cells, is_kept=True)
    assert (kept.kind, len(kept.values)) == (CATEGORICAL, 67)


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["high", "Low", "medium"], ("low", "medium", "high")),
        (["M", "S", "XL", "L"], ("s", "m", "l", "xl")),
        (["博士", "本科", "高中"], ("高中", "本科", "博士")),
        (["low", "high"], ()),  # of two, either order is the same
        (["low", "medium", "large"], ()),  # of two scales
        (["low", "medium", "high", "Paris"], ()),
        ([], ()),
    ],
)
def test_only_words_of_one_scale_have_a_known_order(values, order):
    assert known_order(values) == order


def test_no_scale_repeats_a_word_and_all_are_in_lower_case():
    for scale in SCALES:
        assert len(set(scale)) == len(scale)
        assert all(word == word.casefold() for word in scale)


def test_a_column_of_a_known_scale_is_read_as_ranks_and_says_so():
    found, notes = column(["Low", "high", "", "medium", "low"] * 5)
    assert (found.kind, found.notation) == (NUMERIC, Notation(words=("low", "medium", "high")))
    assert notes == ["'x' is read in the order low < medium < high; --categorical 'x' ignores it"]
    ranks = [found.notation.number(cell) for cell in ("low", "HIGH", "huge")]
    assert ranks == [0, 2, None]
    assert math.isnan(found.notation.number(""))
    assert found.notation.described == "one of low, medium, high"
    nominal, _ = column(["Low", "high", "medium"] * 5, is_categorical=True)
    assert nominal.kind == CATEGORICAL


def test_a_stated_order_holds_for_any_words_and_numbers():
    found, _ = column(["gold", "tin", "9"] * 5, order=("tin", "9", "gold"))
    assert [found.notation.number(cell) for cell in ("tin", "9", "gold")] == [0, 1, 2]
    with pytest.raises(DataError, match=r"line 4: x is 'iron', not one of tin, gold"):
        column(["gold", "tin", "iron"] * 5, order=("tin", "gold"))


def test_an_order_travels_as_json_and_a_plain_notation_is_as_before():
    notation = Notation(words=("s", "m", "l"))
    assert Notation.from_json(notation.to_json()) == notation
    assert set(Notation().to_json()) == {"decimal", "thousands", "prefix", "suffix"}
    for words in ("sml", ["s", "s"], 3):
        with pytest.raises(ValueError, match="how numbers are written"):
            Notation.from_json({"words": words})


def test_orders_are_read_from_texts():
    assert read_orders(["size=S, M,L", "b=no,yes"]) == {"size": ("s", "m", "l"), "b": ("no", "yes")}


@pytest.mark.parametrize("text", ["size", "=a,b", "size=", "size=a", "size=a,,b", "size=a,A", "size=S<M<L"])
def test_what_states_no_order_is_refused(text):
    with pytest.raises(UsageError, match="--ordered"):
        read_orders([text])
    with pytest.raises(UsageError, match="--ordered 'a=x,y'"):
        read_orders(["a=x,y", "a=x,y"])


def test_a_count_stays_a_number():
    found, notes = column([4, 6, 8, 4, 4] * 8)
    assert (found.kind, found.notation, notes) == (NUMERIC, Notation(), [])
