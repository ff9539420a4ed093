"""The head of dense detectors: its order of points, its first answers, and levels that share all but their norms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from dlcli.models.detection.head import CLASS_BIAS, DISTANCE_BIAS, PointHead, Tower


def maps(*sides: tuple[int, int], width: int = 8, count: int = 2) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(count, width, *side, generator=generator) for side in sides]


def test_points_come_level_by_level_and_row_by_row() -> None:
    head = PointHead(3, 8, 2).eval()
    levels = maps((4, 6), (2, 3))
    with torch.no_grad():
        logits, distances = head(levels)
        class_maps = [head.class_output(each) for each in head.class_tower(levels)]
    assert logits.shape == (2, 24 + 6, 3) and distances.shape == (2, 30, 4)
    for place, (level, y, x) in {0: (0, 0, 0), 7: (0, 1, 1), 23: (0, 3, 5), 24: (1, 0, 0), 29: (1, 1, 2)}.items():
        torch.testing.assert_close(logits[:, place], class_maps[level][:, :, y, x])


def test_a_fresh_head_sees_nothing_and_its_boxes_reach_beyond_their_cell() -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        logits, distances = PointHead(5, 8, 2).eval()(maps((8, 8), (4, 4)))
    assert logits.sigmoid().mean() == pytest.approx(1 / (1 + math.exp(-CLASS_BIAS)), rel=0.2)
    assert distances.mean() == pytest.approx(math.log1p(math.exp(DISTANCE_BIAS)), rel=0.1)
    assert distances.min() > 0


def test_levels_share_convolutions_and_have_their_own_norms() -> None:
    tower = Tower(8, 3)
    convs = [each for each in tower.modules() if isinstance(each, nn.Conv2d)]
    norms = [each for each in tower.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm)]
    assert (len(convs), len(norms)) == (2, 6)
    small, large = maps((4, 4), (8, 8))
    tower.train()([small, 100 * large, small])
    first, second = ([each.running_var.clone() for each in tower.norms[level]] for level in (0, 1))
    assert (second[0] > 2 * first[0]).all()
    assert all(torch.equal(one, other.running_var) for one, other in zip(first, tower.norms[2], strict=True))


def test_a_scale_stretches_the_boxes_of_its_level_alone() -> None:
    head = PointHead(1, 8, 2).eval()
    levels = maps((2, 2), (1, 1))
    with torch.no_grad():
        before = head(levels)[1]
        head.scales[1] = 2.0
        after = head(levels)[1]
    assert torch.equal(before[:, :4], after[:, :4]) and (after[:, 4:] > before[:, 4:]).all()


def test_answers_are_in_full_precision_under_autocast() -> None:
    head = PointHead(2, 8, 1).eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        answers = head(maps((2, 2)))
    assert [each.dtype for each in answers] == [torch.float32, torch.float32]
