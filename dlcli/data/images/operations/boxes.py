"""Boxes moved by the matrix of their image."""

from __future__ import annotations

import numpy as np

from dlcli.data.images.operations.geometry import Size

_NEAREST = 1e-6
"""Depth of a perspective from which on a point is visible."""


def move_boxes(boxes: np.ndarray, matrix: np.ndarray, frame: Size, least_area: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the upright hulls of what the frame shows of moved boxes, (K, 4) float32, and which these are, (K,) int64.

    A turned box is cut at the frame before its hull is taken, which gives tighter hulls than the other way round.

    Args:
        boxes: (N, 4) left, top, right, bottom in pixels.
        matrix: (3, 3), see `geometry`.
        frame: height and width of the result.
        least_area: the least area of a hull by that of the hull without the cut; boxes with less are left out, and so
            are those that reach the horizon of a perspective.
    """
    given = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    if not (matrix[0, 1] or matrix[1, 0] or matrix[2, 0] or matrix[2, 1]):
        ends = given.reshape(-1, 2, 2) * matrix[[0, 1], [0, 1]] + matrix[:2, 2]
        whole = np.concatenate([ends.min(axis=1), ends.max(axis=1)], axis=1)
        # Boxes that stay upright are their own hulls: a fifth of the time.
        return _largely_shown(whole.clip(0, [frame[1], frame[0], frame[1], frame[0]]), whole, least_area)
    left, top, right, bottom = given.T
    corners = np.stack([[left, right, right, left], [top, top, bottom, bottom], np.ones((4, len(left)))])
    x, y, depth = np.einsum("ij,jkn->ink", matrix, corners)
    is_visible = (depth > _NEAREST).all(axis=1)
    depth = np.where(depth > _NEAREST, depth, 1.0)
    polygons = np.stack([x / depth, y / depth], axis=-1)
    whole = np.concatenate([polygons.min(axis=1), polygons.max(axis=1)], axis=1)
    shown = _hulls_in_frame(polygons, np.array([frame[1], frame[0]], dtype=np.float64))
    shown[~is_visible] = 0
    return _largely_shown(shown, whole, least_area)


def _largely_shown(shown: np.ndarray, whole: np.ndarray, least_area: float) -> tuple[np.ndarray, np.ndarray]:
    areas, whole_areas = ((hull[:, 2:] - hull[:, :2]).clip(0).prod(axis=1) for hull in (shown, whole))
    kept = np.flatnonzero((areas > 0) & (areas >= least_area * whole_areas))
    return shown[kept].astype(np.float32), kept


def _hulls_in_frame(polygons: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return the hulls of convex polygons cut at the frame, (N, 4), empty ones for those outside.

    A cut polygon's corners are those of the polygon within the frame, those of the frame within the polygon, and where
    the edges of the two cross.

    Args:
        polygons: (N, 4, 2) positions (x, y).
        size: (2,) width and height.
    """
    steps = np.roll(polygons, -1, axis=1) - polygons
    points, is_corner = [polygons], [((polygons >= 0) & (polygons <= size)).all(axis=2)]
    for axis in (0, 1):
        for edge in (0.0, size[axis]):
            with np.errstate(divide="ignore", invalid="ignore"):
                along = (edge - polygons[:, :, axis]) / steps[:, :, axis]
            is_crossed = (along >= 0) & (along <= 1)  # never where it is infinite or not a number
            crossings = polygons + np.where(is_crossed, along, 0.0)[..., None] * steps
            crossings[:, :, axis] = edge
            other = crossings[:, :, 1 - axis]
            points.append(crossings)
            is_corner.append(is_crossed & (other >= 0) & (other <= size[1 - axis]))
    corners = size * np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    ahead = corners[None, :, None] - polygons[:, None]  # (N, corner, edge, 2)
    sides = steps[:, None, :, 0] * ahead[..., 1] - steps[:, None, :, 1] * ahead[..., 0]
    points.append(np.broadcast_to(corners, polygons.shape))
    is_corner.append((sides >= 0).all(axis=2) | (sides <= 0).all(axis=2))
    every, is_there = np.concatenate(points, axis=1), np.concatenate(is_corner, axis=1)[..., None]
    return np.concatenate([
        np.where(is_there, every, np.inf).min(axis=1), np.where(is_there, every, -np.inf).max(axis=1)
    ], axis=1)  # fmt: skip
