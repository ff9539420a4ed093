"""Images with a classifier's answers as a grid. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlcli.visualize.canvas import add_title, tile
from dlcli.visualize.mistakes import CELL_PX, percent


def draw_answers(
    images: Sequence[np.ndarray], labels: Sequence[int], logits: np.ndarray, class_names: Sequence[str]
) -> np.ndarray:
    """Return a grid of images, each captioned with the predicted class, its probability, and the true class if wrong.

    Args:
        images: (H, W), (H, W, 1) or (H, W, 3) uint8 of any size.
        labels: the class index of each.
        logits: (N, C).
        class_names: the names, by class index.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = exponents / exponents.sum(axis=1, keepdims=True)
    captions = []
    for label, row in zip(labels, probabilities, strict=True):
        best = int(row.argmax())
        answer = f"{percent(float(row[best]))} {_one_line(class_names[best])}"
        captions.append(answer if best == label else f"{answer}\nwrong: {_one_line(class_names[label])}")
    right = int((probabilities.argmax(axis=1) == np.asarray(labels)).sum())
    picture = tile(images, captions=captions, gap=8, min_cell_px=CELL_PX)
    return add_title(picture, [f"validation images: {right} of these {len(images)} are right"])


def _one_line(name: str) -> str:
    return " ".join(name.split())
