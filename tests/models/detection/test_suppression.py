from __future__ import annotations

import torch
from torchvision import ops

from dlcli.models.detection.detector import Limits
from dlcli.models.detection.suppression import select

BOXES = torch.tensor([[[0.0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]]])
"""The first two have an IoU of 9 / 11."""


def test_of_two_that_overlap_the_better_one_remains() -> None:
    found = select(BOXES, torch.tensor([[[0.8], [0.9], [0.5]]]), Limits(most=5))
    assert found.counts.tolist() == [2]
    assert found.boxes[0, :2].tolist() == BOXES[0, 1:].tolist()
    assert found.scores[0].tolist() == torch.tensor([0.9, 0.5, 0, 0, 0]).tolist()
    assert found.boxes[0, 2:].eq(0).all()
    assert found.labels[0, 2:].eq(0).all()


def test_classes_do_not_suppress_each_other_and_a_box_may_have_two() -> None:
    scores = torch.tensor([[[0.8, 0.0], [0.0, 0.9], [0.5, 0.4]]])
    found = select(BOXES, scores, Limits(most=5))
    assert found.labels[0, : found.counts[0]].tolist() == [1, 0, 0, 1]
    assert found.scores[0, :4].tolist() == torch.tensor([0.9, 0.8, 0.5, 0.4]).tolist()


def test_limits() -> None:
    scores = torch.tensor([[[0.8], [0.9], [0.5]]])
    assert select(BOXES, scores, Limits(iou=None)).counts.tolist() == [3]
    assert select(BOXES, scores, Limits(iou=0.9)).counts.tolist() == [3]
    assert select(BOXES, scores, Limits(score=0.5)).counts.tolist() == [2]  # at least this score
    assert select(BOXES, scores, Limits(score=0.6)).counts.tolist() == [1]
    assert select(BOXES, scores, Limits(most=1)).boxes.tolist() == [[BOXES[0, 1].tolist()]]
    assert select(BOXES, scores, Limits(score=0.95)).counts.tolist() == [0]


def test_of_equal_scores_the_first_point_comes_first() -> None:
    boxes = torch.arange(3000.0)[None, :, None] * 20 + torch.tensor([0.0, 0, 10, 10])
    found = select(boxes, torch.full((1, 3000, 1), 0.5), Limits())
    assert found.boxes[0].tolist() == boxes[0, :100].tolist()
    found = select(BOXES[:, [0, 0, 1]], torch.full((1, 3, 1), 0.5), Limits(most=2))
    assert found.boxes[0, 0].tolist() == BOXES[0, 0].tolist()
    assert found.counts.tolist() == [1]


def test_equals_torchvision_alone_and_in_a_batch() -> None:
    numbers = torch.Generator().manual_seed(0)
    corners = torch.rand(3, 200, 2, generator=numbers) * 100
    boxes = torch.cat([corners, corners + 5 + torch.rand(3, 200, 2, generator=numbers) * 30], dim=-1)
    scores = torch.rand(3, 200, 4, generator=numbers)
    limits = Limits(score=0.3, iou=0.5, most=300)
    together = select(boxes, scores, limits)
    for row in range(3):
        point, label = (scores[row] >= limits.score).nonzero(as_tuple=True)
        kept = ops.batched_nms(boxes[row, point], scores[row, point, label], label, 0.5)[: limits.most]
        count = int(together.counts[row])
        assert count == len(kept) > 100
        torch.testing.assert_close(together.boxes[row, :count], boxes[row, point][kept])
        assert together.labels[row, :count].tolist() == label[kept].tolist()
        alone = select(boxes[row : row + 1], scores[row : row + 1], limits)
        for one, all_ in zip(alone[:4], together[:4], strict=True):
            torch.testing.assert_close(one[0], all_[row], rtol=0, atol=0)  # type: ignore[index]
