from __future__ import annotations

import torch

from dlcli.models.detection.matching import (
    BACKGROUND,
    IGNORED,
    covered,
    hardest_negatives,
    hungarian,
    match_anchors,
)

NOTHING = torch.zeros(0, 4)


def _row(count: int) -> torch.Tensor:
    """Return squares of 10 pixels side by side."""
    return torch.tensor([[10.0 * index, 0.0, 10.0 * index + 10, 10.0] for index in range(count)])


def test_anchors_above_the_threshold_and_the_best_anchor() -> None:
    # The first object overlaps anchor 0 by 0.8; the second anchors 1 and 2 by 1 / 3 each, under the threshold.
    boxes = torch.tensor([[0.0, 0.0, 8.0, 10.0], [15.0, 0.0, 25.0, 10.0]])
    assert match_anchors(_row(4), boxes, NOTHING, 0.5).tolist() == [0, 1, BACKGROUND, BACKGROUND]
    assert match_anchors(_row(4), boxes, NOTHING, 0.3).tolist() == [0, 1, 1, BACKGROUND]


def test_two_objects_never_share_a_best_anchor() -> None:
    boxes = torch.tensor([[1.0, 0.0, 11.0, 10.0], [0.0, 0.0, 10.0, 10.0]])  # both overlap anchor 0 most
    assert match_anchors(_row(3), boxes, NOTHING, 0.5).tolist() == [1, 0, BACKGROUND]


def test_more_objects_than_anchors() -> None:
    matches = match_anchors(_row(2), torch.tensor([[0.0, 0.0, 10.0, 10.0]] * 5), NOTHING, 0.5)
    assert len(set(matches.tolist()) & set(range(5))) == 2


def test_anchors_in_ignored_regions_are_no_background() -> None:
    region = torch.tensor([[0.0, 0.0, 14.0, 10.0]])  # covers anchor 0 and four tenths of anchor 1
    assert covered(_row(3), region).tolist() == [True, False, False]
    assert match_anchors(_row(3), NOTHING, region, 0.5).tolist() == [IGNORED, BACKGROUND, BACKGROUND]
    assert match_anchors(_row(3), _row(1), region, 0.5).tolist() == [0, BACKGROUND, BACKGROUND]


def test_hardest_negatives_counted_by_hand() -> None:
    losses = torch.tensor([[9.0, 1.0, 5.0, 3.0, 4.0, 2.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    positives = torch.tensor([[True, False, False, False, False, False], [False] * 6])
    negatives = ~positives
    negatives[0, 2] = False  # ignored
    chosen = hardest_negatives(losses, positives, negatives, 3)
    assert chosen.tolist() == [
        [False, False, False, True, True, True],  # 3 for one positive: 4, 3 and 2
        [False, False, False, True, True, True],  # an image without objects
    ]
    assert hardest_negatives(losses, positives, torch.zeros_like(positives), 3).sum() == 0


def test_hungarian_example_by_hand() -> None:
    # Taking the smallest first (0 for prediction 0 and object 0) would cost 0 + 9; the best is 1 + 2.
    predictions, objects = hungarian(torch.tensor([[0.0, 1.0], [2.0, 9.0], [8.0, 8.0]]))
    assert dict(zip(predictions.tolist(), objects.tolist(), strict=True)) == {0: 1, 1: 0}


def test_hungarian_with_repeats_assigns_each_object_to_several() -> None:
    costs = torch.tensor([[0.0, 9.0], [1.0, 9.0], [9.0, 0.0], [9.0, 1.0], [9.0, 9.0]])
    predictions, objects = hungarian(costs, repeats=2)
    assert dict(zip(predictions.tolist(), objects.tolist(), strict=True)) == {0: 0, 1: 0, 2: 1, 3: 1}


def test_hungarian_of_nothing_and_of_what_is_not_finite() -> None:
    assert [len(each) for each in hungarian(torch.zeros(4, 0), repeats=3)] == [0, 0]
    predictions, objects = hungarian(torch.tensor([[torch.nan, torch.inf], [1.0, torch.nan]]))
    assert sorted(predictions.tolist()) == sorted(objects.tolist()) == [0, 1]
