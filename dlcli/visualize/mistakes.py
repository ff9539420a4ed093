"""The worst mistakes of an evaluation as a grid of images. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.visualize.canvas import add_title, tile

CELL_PX = 140
"""Room for about twenty characters under an image."""


def draw_mistakes(
    images: Sequence[np.ndarray],
    mistakes: Sequence[Mapping[str, Any]],
    class_names: Sequence[str],
    *,
    title: str | None = None,
) -> np.ndarray:
    """Return a grid of misclassified images, captioned with the true class, the predicted class and its probability.

    Args:
        images: the image of each mistake, (H, W), (H, W, 1) or (H, W, 3) uint8 of any size.
        mistakes: `label`, `predicted` and `confidence` of each, as in `ClassificationMetric.worst`.
        class_names: the names, by class index.
        title: replaces the heading.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: there are no mistakes, or not exactly one image per mistake.
    """
    if len(images) != len(mistakes):
        raise ValueError(f"{len(images)} images for {len(mistakes)} mistakes")
    captions = [
        f"{_one_line(class_names[mistake['label']])}\n"
        f"→ {percent(mistake['confidence'])} {_one_line(class_names[mistake['predicted']])}"
        for mistake in mistakes
    ]
    picture = tile(images, captions=captions, gap=8, min_cell_px=CELL_PX)
    heading = title or f"The {len(mistakes)} most confident mistakes"
    return add_title(picture, [heading, "true class, → predicted class and its probability"])


def _one_line(name: str) -> str:
    return " ".join(name.split())


def percent(confidence: float) -> str:
    """Return a probability in [0, 1] as a percentage; only exactly 1 is written as 100%."""
    return f"{min(confidence * 100, 99.9):.1f}%" if 0.995 <= confidence < 1 else f"{confidence * 100:.0f}%"
