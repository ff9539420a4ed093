from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from dlcli.core.errors import UsageError
from dlcli.models.detection.box_losses import BOX_LOSSES, balanced_l1, binary_focal, box_loss, smooth_l1


@pytest.mark.parametrize("name", BOX_LOSSES)
def test_equal_boxes_cost_nothing_and_farther_ones_more(name: str) -> None:
    target = torch.tensor([[10.0, 10, 30, 40]] * 3)
    moved = target + torch.tensor([[0.0], [3.0], [50.0]])
    none, little, much = box_loss(name)(moved, target).tolist()
    assert none == pytest.approx(0, abs=1e-6)
    assert 0 < little < much


def test_overlaps_by_hand() -> None:
    first, second = torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 3, 2]])
    # Intersection 2, union 6, hull 6; centres 1 apart, the hull's diagonal squared is 9 + 4; equal shapes.
    assert box_loss("giou")(first, second).item() == pytest.approx(1 - 2 / 6, abs=1e-6)
    assert box_loss("diou")(first, second).item() == pytest.approx(1 - 2 / 6 + 1 / 13, abs=1e-6)
    assert box_loss("ciou")(first, second).item() == pytest.approx(1 - 2 / 6 + 1 / 13, abs=1e-6)


def test_differences_by_hand() -> None:
    zeros, other = torch.zeros(1, 4), torch.tensor([[0.5, -2.0, 0.0, 0.0]])
    assert box_loss("l1")(zeros, other).item() == pytest.approx(2.5)
    assert smooth_l1(zeros, other).item() == pytest.approx(0.125 + 1.5)


def test_balanced_l1_is_smooth_where_its_parts_meet_and_has_the_gradient_of_the_paper() -> None:
    at = torch.tensor([[0.3, 1 - 1e-4, 1 + 1e-4, 3.0]], requires_grad=True)
    balanced_l1(at, torch.zeros(1, 4)).sum().backward()
    b = math.expm1(1.5 / 0.5)
    assert at.grad is not None
    assert at.grad[0].tolist() == pytest.approx([0.5 * math.log(b * 0.3 + 1), 1.5, 1.5, 1.5], abs=1e-3)
    below, above = balanced_l1(torch.tensor([[1 - 1e-6, 0, 0, 0], [1 + 1e-6, 0, 0, 0]]), torch.zeros(2, 4)).tolist()
    assert below == pytest.approx(above, abs=1e-4)


def test_focal_without_focus_is_cross_entropy_and_with_it_counts_easy_ones_less() -> None:
    logits, targets = torch.tensor([-3.0, 0.2, 4.0]), torch.tensor([0.0, 1.0, 1.0])
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    torch.testing.assert_close(binary_focal(logits, targets, alpha=-1, gamma=0), entropy)
    missing = 1 - torch.exp(-entropy)
    torch.testing.assert_close(binary_focal(logits, targets, alpha=-1), entropy * missing**2)


def test_an_unknown_loss_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="goiu"):
        box_loss("goiu")
