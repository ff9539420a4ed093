"""Which classes a mirror exchanges."""

from __future__ import annotations

import pytest

from dlcli.data.annotated.sides import mirrored_labels


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (["left_hand", "right_hand", "head"], [1, 0, 2]),
        (["leftHand", "rightHand"], [1, 0]),
        (["LEFT EYE", "Right Ear", "RIGHT EYE", "Left Ear"], [2, 3, 0, 1]),
        (["左手", "右手", "头"], [1, 0, 2]),
        (["hand-l", "hand-r", "hand-R"], [1, 0, 2]),
        (["left to right", "right to left"], [1, 0]),
        (["bright", "bleft", "copyright", "copyleft"], [0, 1, 2, 3]),
        (["left_hand", "head"], [0, 1]),  # without the other side there is nothing to exchange
        ([], []),
    ],
)
def test_names_that_differ_by_their_side_are_exchanged(classes: list[str], expected: list[int]) -> None:
    assert mirrored_labels(classes).tolist() == expected
