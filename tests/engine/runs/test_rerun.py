"""What two runs have in common, from their files alone."""

from __future__ import annotations

import pytest

from dlcli.engine.runs.rerun import TIMES, _record_differences

RECORDS = [{"epoch": number, "loss": 1 / number, "seconds": 1.0, "items_per_s": 9.0} for number in (1, 2)]


def test_equal_figures_are_no_difference_whatever_the_times():
    others = [record | dict.fromkeys(TIMES, 99.0) for record in RECORDS]
    assert list(_record_differences(RECORDS, others)) == []


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"loss": 0.25}, "epoch 2: loss 0.5 then, 0.25 now"),
        ({"accuracy": 1.0}, "epoch 2: accuracy None then, 1.0 now"),
        ({"epoch": 3}, "epoch 2: epoch 2 then, 3 now"),
    ],
)
def test_a_figure_that_differs_is_named_with_its_epoch(changes, line):
    assert list(_record_differences(RECORDS, [RECORDS[0], RECORDS[1] | changes])) == [line]


def test_the_last_bit_counts():
    other = RECORDS[0] | {"loss": 1.0 + 2**-52}
    assert len(list(_record_differences(RECORDS[:1], [other]))) == 1


def test_another_number_of_epochs_is_said_once():
    assert list(_record_differences(RECORDS, RECORDS[:1])) == ["epochs: 2 then, 1 now"]
    assert list(_record_differences([], RECORDS)) == ["epochs: 0 then, 2 now"]
