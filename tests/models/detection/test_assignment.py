from __future__ import annotations

import math

import pytest
import torch
from toys.wren import target_of

from dlcli.models.detection.assignment import TIE_BREAK, assign
from dlcli.models.detection.points import Points, points_of


def four_points() -> Points:
    return Points(torch.tensor([[4.0, 4], [12, 4], [20, 4], [28, 4]]), torch.full((4,), 8.0))


def test_two_objects_by_hand() -> None:
    # Objects over points 0-1 and 2-3. Point 1 predicts its object exactly, point 0 half of it.
    target = target_of([[0, 0, 16, 8], [16, 0, 32, 8]], [0, 1])
    boxes = torch.tensor([[0.0, 0, 8, 8], [0, 0, 16, 8], [16, 0, 32, 4], [16, 0, 32, 8]])
    scores = torch.tensor([[0.8, 0.1], [0.5, 0.1], [0.1, 0.4], [0.1, 0.2]])
    found = assign(four_points(), scores, boxes, target)
    assert found.objects.tolist() == [0, 0, 1, 1]
    # alignment = score * IoU^6: 0.8 / 64 and 0.5 for the first object, 0.4 / 64 and 0.2 for the second; best IoU 1.
    assert found.quality.tolist() == pytest.approx([0.8 / 64 / 0.5, 1, 0.4 / 64 / 0.2, 1], rel=1e-5)
    assert found.weights.tolist() == [1, 1, 1, 1]


def test_the_best_overlap_is_the_highest_quality() -> None:
    target = target_of([[0, 0, 16, 8]], [0])
    boxes = torch.tensor([[0.0, 0, 8, 8], [0, 0, 16, 6], [0, 0, 1, 1], [0, 0, 1, 1]])
    found = assign(four_points(), torch.full((4, 1), 0.5), boxes, target)
    assert found.objects.tolist() == [0, 0, -1, -1]
    assert found.quality[1].item() == pytest.approx(0.75)


def test_a_point_of_two_objects_learns_the_one_it_covers_better() -> None:
    target = target_of([[0, 0, 16, 8], [0, 0, 32, 8]], [0, 0])
    boxes = torch.tensor([[0.0, 0, 16, 8], [0, 0, 32, 8], [0, 0, 32, 8], [0, 0, 32, 8]])
    assert assign(four_points(), torch.full((4, 1), 0.5), boxes, target).objects.tolist() == [0, 1, 1, 1]


def test_an_object_without_a_point_has_those_near_its_centre() -> None:
    target = target_of([[9, 6, 10, 7]], [0])  # centre 9.5, 6.5: 0.44 strides from point 1, 0.76 from point 0
    boxes = torch.tensor([[0.0, 0, 8, 8]] * 4)
    assert assign(four_points(), torch.full((4, 1), 0.5), boxes, target).objects.tolist() == [-1, 0, -1, -1]


def test_at_most_ten_points_and_of_a_fresh_network_those_nearest_to_the_centre() -> None:
    points = points_of([torch.zeros(1, 1, 9, 9)], [8])
    target = target_of([[0, 0, 72, 72]], [0])
    nowhere = torch.tensor([[500.0, 500, 501, 501]]).expand(81, 4)  # overlaps nothing
    found = assign(points, torch.full((81, 1), 0.01), nowhere, target)
    chosen = points.centres[found.objects == 0]
    assert len(chosen) == 10
    distances = (points.centres - 36).norm(dim=1) / 8
    assert (chosen - 36).norm(dim=1).max() / 8 <= distances.sort().values[9] + 1e-6
    assert TIE_BREAK * math.exp(-distances.max()) > 0


def test_an_object_of_any_place_has_a_point_of_each_map() -> None:
    strides = [8, 16, 32]
    points = points_of([torch.zeros(1, 1, 128 // stride, 128 // stride) for stride in strides], strides)
    reach = 1.3 * points.strides[:, None]
    boxes = torch.cat([points.centres - reach, points.centres + reach], dim=1)
    for x, y in (torch.rand(20, 2, generator=torch.Generator().manual_seed(0)) * 128).tolist():
        target = target_of([[x - 0.2, y - 0.2, x + 0.2, y + 0.2]], [0])
        found = assign(points, torch.full((len(boxes), 1), 0.02), boxes, target)
        assert set(points.strides[found.objects == 0].tolist()) == set(strides)


def test_ignored_regions_hold_no_background() -> None:
    target = target_of([[0, 0, 8, 8]], [0], ignored=[[0, 0, 16, 8]])
    boxes = torch.tensor([[0.0, 0, 8, 8]] * 4)
    found = assign(four_points(), torch.full((4, 1), 0.5), boxes, target)
    assert found.objects.tolist() == [0, -1, -1, -1]
    assert found.weights.tolist() == [1, 0, 1, 1]  # the first is an object's


def test_an_image_without_objects_is_background() -> None:
    found = assign(four_points(), torch.full((4, 2), 0.5), torch.zeros(4, 4), target_of([], []))
    assert found.objects.tolist() == [-1] * 4
    assert found.quality.sum() == 0
    assert found.weights.tolist() == [1] * 4
