from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou

from dlcli.models.detection.anchors import (
    LESSON_GRIDS,
    Anchors,
    decode,
    decode_tanh,
    default_shapes,
    encode,
    fitted_shapes,
    flatten_map,
    grid_anchors,
    lesson_shapes,
    to_centres,
)

SSD300_MAPS = [(side, side) for side in (38, 19, 10, 5, 3, 1)]
SSD300_RATIOS = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))


def _lesson(grids: tuple[int, ...], zooms: tuple[float, ...], ratios: tuple[tuple[float, float], ...]) -> Anchors:
    shapes = [torch.tensor(lesson_shapes((224 / grid, 224 / grid), zooms, ratios)) for grid in grids]
    return grid_anchors([(grid, grid) for grid in grids], (224, 224), shapes)


def _ssd300() -> Anchors:
    shapes = [torch.tensor(of_map) for of_map in default_shapes(6, 300, SSD300_RATIOS)]
    return grid_anchors(SSD300_MAPS, (300, 300), shapes)


def test_lesson_has_16_and_189_anchors() -> None:
    first = _lesson((4,), (1.0,), ((1.0, 1.0),))
    assert first.boxes.shape == (16, 4)
    assert first.boxes[1].tolist() == [56.0, 0.0, 112.0, 56.0]  # the second of the first row
    many = _lesson(LESSON_GRIDS, (0.7, 1.0, 1.3), ((1.0, 1.0), (1.0, 0.5), (0.5, 1.0)))
    assert many.boxes.shape == (189, 4)
    assert many.cells[[0, 16 * 9, 20 * 9]].tolist() == [[56.0, 56.0], [112.0, 112.0], [224.0, 224.0]]


def test_ssd300_has_the_official_sizes() -> None:
    shapes = default_shapes(6, 300, SSD300_RATIOS)
    assert [round(of_map[0][0]) for of_map in shapes] == [30, 60, 111, 162, 213, 264]
    assert [len(of_map) for of_map in shapes] == [4, 6, 6, 6, 4, 4]
    assert shapes[5][1][0] == pytest.approx((264 * 315) ** 0.5)  # the last square reaches beyond the image


def test_ssd300_has_the_8732_boxes_of_torchvision() -> None:
    peer = DefaultBoxGenerator(
        [list(each) for each in SSD300_RATIOS],
        scales=[0.1, 0.2, 0.37, 0.54, 0.71, 0.88, 1.05],
        clip=False,
    )
    images = ImageList(torch.zeros(1, 3, 300, 300), [(300, 300)])
    expected = peer(images, [torch.zeros(1, 1, *each) for each in SSD300_MAPS])[0]
    ours = _ssd300().boxes
    assert ours.shape == (8732, 4)
    # Ratios come in another order in torchvision, so the boxes are compared as sorted rows.
    order = [np.lexsort(each.round(decimals=2).numpy().T) for each in (ours, expected)]
    torch.testing.assert_close(ours[order[0]], expected[order[1]], atol=2e-2, rtol=0)


def test_anchors_of_an_oblong_canvas() -> None:
    anchors = grid_anchors([(2, 4)], (64, 128), [torch.tensor([[10.0, 20.0]])])
    centres, sizes = to_centres(anchors.boxes)
    assert centres.tolist() == [[16 + 32 * x, 16 + 32 * y] for y in range(2) for x in range(4)]
    assert set(map(tuple, sizes.tolist())) == {(10.0, 20.0)}


def test_flattened_map_is_in_the_order_of_the_anchors() -> None:
    rows, columns, shapes, size = 2, 3, 2, 5
    values = torch.zeros(1, shapes * size, rows, columns)
    for shape in range(shapes):
        for row in range(rows):
            for column in range(columns):
                values[0, shape * size : (shape + 1) * size, row, column] = 100 * row + 10 * column + shape
    flat = flatten_map(values, size)
    expected = [100 * row + 10 * column + shape for row in range(rows) for column in range(columns) for shape in (0, 1)]
    assert flat.shape == (1, 12, 5)
    assert flat[0, :, 0].tolist() == flat[0, :, 4].tolist() == expected


def test_decode_inverts_encode_and_equals_torchvision() -> None:
    low = torch.rand(50, 2) * 200
    boxes = torch.cat([low, low + 5 + torch.rand(50, 2) * 90], dim=1)
    anchors = _lesson(LESSON_GRIDS, (1.0,), ((1.0, 0.5), (0.5, 1.0))).boxes[:42].repeat(2, 1)[:50]
    offsets = encode(boxes, anchors)
    torch.testing.assert_close(decode(offsets, anchors), boxes, atol=1e-3, rtol=1e-5)
    torch.testing.assert_close(offsets, BoxCoder((10.0, 10.0, 5.0, 5.0)).encode_single(boxes, anchors))
    assert decode(torch.full((50, 4), 1e9), anchors).isfinite().all()


def test_tanh_moves_by_half_a_cell_and_halves_or_adds_a_half() -> None:
    anchors = Anchors(torch.tensor([[10.0, 10.0, 30.0, 50.0]]), torch.tensor([[56.0, 40.0]]))
    assert decode_tanh(torch.zeros(1, 4), anchors).tolist() == anchors.boxes.tolist()
    far = decode_tanh(torch.tensor([[99.0, -99.0, 99.0, -99.0]]), anchors)
    centres, sizes = to_centres(far)
    assert centres.tolist() == [[20.0 + 28.0, 30.0 - 20.0]]
    assert sizes.tolist() == [[30.0, 20.0]]


TWO_MAPS = [[(16.0, 16.0)] * 2, [(128.0, 128.0)] * 2]


def _around(shape: tuple[float, float], count: int = 40) -> np.ndarray:
    return np.array(shape) * np.exp(np.random.default_rng(int(shape[0])).normal(0, 0.03, (count, 2)))


def test_fitted_shapes_are_the_clusters_of_each_maps_own_boxes() -> None:
    wanted = [(12.0, 12.0), (12.0, 40.0), (60.0, 100.0), (150.0, 160.0)]
    sizes = np.concatenate([_around(shape, count) for shape, count in zip(wanted, (90, 10, 40, 40), strict=True)])
    shapes = fitted_shapes(sizes, TWO_MAPS, seed=3)
    assert shapes == fitted_shapes(sizes, TWO_MAPS, seed=3)
    for found, expected in zip(shapes, (wanted[:2], wanted[2:]), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0.03)


def test_a_map_of_too_few_different_boxes_keeps_its_default_shapes() -> None:
    sizes = np.concatenate([_around((12.0, 12.0)), [[130.0, 90.0]] * 9])
    small, large = fitted_shapes(sizes, TWO_MAPS)
    assert small != TWO_MAPS[0]
    assert large == TWO_MAPS[1]
    assert fitted_shapes(np.zeros((0, 2)), TWO_MAPS) == TWO_MAPS


def test_fitted_shapes_fit_better_than_default_shapes() -> None:
    sizes = np.exp(np.random.default_rng(1).normal([3.0, 4.0], [0.4, 0.3], (300, 2)))

    def mean_best_iou(shapes: list[list[tuple[float, float]]]) -> float:
        flat = torch.tensor([shape for of_map in shapes for shape in of_map])
        corners = [torch.cat([torch.zeros(len(each), 2), each], dim=1) for each in (torch.tensor(sizes).float(), flat)]
        return float(box_iou(*corners).max(dim=1).values.mean())

    defaults = default_shapes(3, 300, ((2,),) * 3)
    fitted = fitted_shapes(sizes, defaults)
    assert [len(of_map) for of_map in fitted] == [len(of_map) for of_map in defaults]
    assert mean_best_iou(fitted) > mean_best_iou(defaults) + 0.15
