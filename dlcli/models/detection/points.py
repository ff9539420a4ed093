"""The points of an anchor-free detector: one in the middle of each cell of each map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Points(NamedTuple):
    """The points of all maps, from fine to coarse, row by row.

    Attributes:
        centres: (A, 2) float32 x, y in pixels of the canvas.
        strides: (A,) float32, pixels from one point of its map to the next.
    """

    centres: Tensor
    strides: Tensor


def points_of(maps: Sequence[Tensor], strides: Sequence[int]) -> Points:
    """Return the points of maps (N, C, H, W), each with its stride in pixels."""
    centres, distances = [], []
    for features, stride in zip(maps, strides, strict=True):
        height, width = features.shape[2:]
        device = features.device
        y = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) * stride
        x = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) * stride
        grid = torch.stack([x[None, :].expand(height, width), y[:, None].expand(height, width)], dim=-1)
        centres.append(grid.reshape(-1, 2))
        distances.append(torch.full_like(centres[-1][:, 0], float(stride)))
    return Points(torch.cat(centres), torch.cat(distances))


def boxes_around(points: Points, distances: Tensor) -> Tensor:
    """Return boxes xyxy in pixels, (N, A, 4), from the distances of each point to the four sides.

    Args:
        points: A of them.
        distances: (N, A, 4) to the left, top, right and bottom, in strides.
    """
    reach = distances * points.strides[:, None]
    return torch.cat([points.centres - reach[..., :2], points.centres + reach[..., 2:]], dim=-1)
