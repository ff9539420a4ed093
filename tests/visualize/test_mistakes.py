"""Wrongly classified images as a grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcli.visualize import mistakes as mistakes_module
from dlcli.visualize.canvas import enlarge, tile
from dlcli.visualize.mistakes import draw_mistakes


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def contains(picture: np.ndarray, cell: np.ndarray) -> bool:
    height, width = cell.shape[:2]
    corners = np.argwhere((picture[: -height + 1, : -width + 1] == cell[0, 0]).all(axis=2))
    return any(np.array_equal(picture[top : top + height, left : left + width], cell) for top, left in corners)


def test_mistake_s_caption_names_truth_prediction_and_probability(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def record(images: Any, *, captions: list[str], **options: Any) -> np.ndarray:
        seen.append(captions)
        return tile(images, captions=captions, **options)

    monkeypatch.setattr(mistakes_module, "tile", record)
    found = [
        {"index": 7, "label": 0, "predicted": 1, "confidence": 0.973, "loss": 3.6},
        {"index": 2, "label": 1, "predicted": 0, "confidence": 0.99996, "loss": 9.0},
    ]
    images = noise(2, 32, 32, 3)
    picture = draw_mistakes(images, found, ["cat", "big\ndog"])
    assert seen == [["cat\n→ 97% big dog", "big dog\n→ 99.9% cat"]]
    assert all(contains(picture, enlarge(image, 5)) for image in images)
