"""Anchors: boxes of fixed shapes on the cells of each map, from which a network predicts offsets.

Shapes are (width, height) in pixels, one (k, 2) tensor for each map. Anchors are ordered by map, row, column and shape,
as the output of a convolution with k * n channels is after `flatten_map`.

Source: Liu et al. 2016, SSD, arXiv:1512.02325, and its official models in caffe; the fast.ai course of 2018, lesson 9.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

VARIANCES = (0.1, 0.2)
"""By which offsets of centres and of logarithms of sides are divided, in SSD's official code."""

MAX_LOG_SIDE = math.log(1000 / 16)
"""Bound on a decoded logarithm of a side, as in torchvision, so that no exponential overflows."""

LESSON_GRIDS = (4, 2, 1)
LESSON_ZOOMS = (0.7, 1.0, 1.3)
LESSON_RATIOS = ((1.0, 1.0), (1.0, 0.5), (0.5, 1.0))

Shape = tuple[float, float]
"""Width and height of an anchor."""


class Anchors(NamedTuple):
    """A anchors, in pixels.

    Attributes:
        boxes: (A, 4) xyxy; they may reach beyond the canvas.
        cells: (A, 2) width and height of the cell that each stands on.
    """

    boxes: Tensor
    cells: Tensor


def grid_anchors(maps: Sequence[tuple[int, int]], canvas: tuple[int, int], shapes: Sequence[Tensor]) -> Anchors:
    """Return the anchors of a canvas: each shape of a map around the centre of each of the map's cells.

    Args:
        maps: height and width of each map in cells.
        canvas: height and width in pixels.
        shapes: (k, 2) widths and heights in pixels for each map.
    """
    boxes, cells = [], []
    for (rows, columns), of_map in zip(maps, shapes, strict=True):
        height, width = canvas[0] / rows, canvas[1] / columns
        y = (torch.arange(rows, device=of_map.device) + 0.5) * height
        x = (torch.arange(columns, device=of_map.device) + 0.5) * width
        centres = torch.stack([x[None, :].expand(rows, -1), y[:, None].expand(-1, columns)], dim=-1).reshape(-1, 1, 2)
        half = of_map[None] / 2
        boxes.append(torch.cat([centres - half, centres + half], dim=-1).reshape(-1, 4))
        # Multiplied, since new_tensor() would fix the sizes of the canvas in an exported graph.
        ones = torch.ones_like(boxes[-1][:, 0])
        cells.append(torch.stack([ones * width, ones * height], dim=1))
    return Anchors(torch.cat(boxes), torch.cat(cells))


def flatten_map(values: Tensor, size: int) -> Tensor:
    """Return (N, H * W * k, size) values in the order of the anchors, for the (N, k * size, H, W) of a convolution."""
    return values.permute(0, 2, 3, 1).reshape(values.shape[0], -1, size)  # len() would fix N in an exported graph


def lesson_shapes(
    cell: tuple[float, float], zooms: Sequence[float] = LESSON_ZOOMS, ratios: Sequence[Shape] = LESSON_RATIOS
) -> list[Shape]:
    """Return the lesson's shapes for a map whose cells have this width and height: every zoom with every ratio."""
    return [(cell[0] * zoom * wide, cell[1] * zoom * high) for zoom in zooms for wide, high in ratios]


def default_shapes(num_maps: int, image_size: int, ratios: Sequence[Sequence[int]]) -> list[list[Shape]]:
    """Return SSD's default boxes for each map: two squares, and for each ratio r an r:1 and a 1:r box.

    The sides are 0.1 of the image on the first map and 0.2 to 0.88 of it on the others, in equal steps (SSD300).

    Args:
        num_maps: at least 3.
        image_size: longer side of the canvas in pixels.
        ratios: of each map, without 1.
    """
    step = math.floor(70 / (num_maps - 2))
    percent = [10, *(20 + step * index for index in range(num_maps))]
    sides = [image_size * each / 100 for each in percent]
    shapes = []
    for side, next_side, of_map in zip(sides, sides[1:], ratios, strict=False):
        own: list[Shape] = [(side, side), (math.sqrt(side * next_side),) * 2]
        for ratio in of_map:
            root = math.sqrt(ratio)
            own += [(side * root, side / root), (side / root, side * root)]
        shapes.append(own)
    return shapes


def fitted_shapes(sizes: np.ndarray, defaults: Sequence[Sequence[Shape]], *, seed: int = 0) -> list[list[Shape]]:
    """Return the shapes that suit the training boxes: as many for each map as there are default ones.

    A box belongs to the map whose default shapes are nearest to it in scale, and a map's shapes are centres of clusters
    of its boxes. A map with fewer different boxes than shapes keeps its default ones. The clusters are of logarithms of
    widths and heights, so that an error of a tenth of its side counts the same for a small and a large box.

    Args:
        sizes: (B, 2) widths and heights in pixels of the fitted training images.
        defaults: the default shapes of each map.
        seed: of the first centres; equal boxes and seeds give equal shapes.

    Source: Redmon & Farhadi 2017, YOLO9000, arXiv:1612.08242, section 2. Difference: there, clusters of all boxes are
    dealt out to the maps by size, so that boxes of similar sizes end up on maps that are too coarse for them: on blood
    cells, the best anchor of an object then overlapped it by 0.63 on average, as here by 0.78, default ones by 0.73.
    """
    from sklearn.cluster import KMeans  # half a second

    logs = np.log(np.maximum(np.asarray(sizes, np.float64).reshape(-1, 2), 1.0))
    scales = np.array([np.log(np.array(of_map)).mean() for of_map in defaults])
    nearest = np.abs(logs.mean(axis=1)[:, None] - scales).argmin(axis=1)
    shapes = []
    for level, of_map in enumerate(defaults):
        own = logs[nearest == level]
        if len(np.unique(own, axis=0)) < len(of_map):
            shapes.append(list(of_map))
            continue
        centres = np.exp(KMeans(len(of_map), n_init=10, random_state=seed).fit(own).cluster_centers_)
        found = [(float(width), float(height)) for width, height in centres]
        shapes.append(sorted(found, key=lambda shape: (shape[0] * shape[1], shape[0])))
    return shapes


def to_centres(boxes_xyxy: Tensor) -> tuple[Tensor, Tensor]:
    """Return the (..., 2) centres and the (..., 2) widths and heights of (..., 4) xyxy boxes."""
    low, high = boxes_xyxy[..., :2], boxes_xyxy[..., 2:]
    return (low + high) / 2, high - low


def encode(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Return the (..., 4) offsets of xyxy boxes from xyxy anchors, which `decode` inverts; boxes have positive sides.

    Source: Girshick et al. 2014, arXiv:1311.2524, appendix C, divided by SSD's variances.
    """
    centres, sizes = to_centres(boxes)
    anchor_centres, anchor_sizes = to_centres(anchors)
    shift = (centres - anchor_centres) / anchor_sizes / VARIANCES[0]
    return torch.cat([shift, torch.log(sizes.clamp(min=1e-3) / anchor_sizes) / VARIANCES[1]], dim=-1)


def decode(offsets: Tensor, anchors: Tensor) -> Tensor:
    """Return the (..., 4) xyxy boxes for (..., 4) offsets from xyxy anchors."""
    anchor_centres, anchor_sizes = to_centres(anchors)
    centres = anchor_centres + offsets[..., :2] * VARIANCES[0] * anchor_sizes
    half = (offsets[..., 2:] * VARIANCES[1]).clamp(max=MAX_LOG_SIDE).exp() * anchor_sizes / 2
    return torch.cat([centres - half, centres + half], dim=-1)


def decode_tanh(offsets: Tensor, anchors: Anchors) -> Tensor:
    """Return the lesson's (..., A, 4) xyxy boxes for (..., A, 4) offsets.

    A centre moves by at most half a cell, and a side is 0.5 to 1.5 times the anchor's.
    """
    centres, sizes = to_centres(anchors.boxes)
    bounded = offsets.tanh() / 2
    moved, half = centres + bounded[..., :2] * anchors.cells, (bounded[..., 2:] + 1) * sizes / 2
    return torch.cat([moved - half, moved + half], dim=-1)
