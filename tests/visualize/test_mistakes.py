"""Wrongly classified images as a grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcli.visualize import mistakes as mistakes_module
from dlcli.visualize.canvas import enlarge, tile
from dlcli.visualize.mistakes import draw_mistakes, percent


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


@pytest.mark.parametrize(
    ("confidence", "text"),
    [(0.0, "0%"), (0.004, "0%"), (0.5, "50%"), (0.994, "99%"), (0.995, "99.5%"), (0.99999, "99.9%"), (1.0, "100%")],
)
def test_only_certainty_reads_a_hundred_per_cent(confidence: float, text: str) -> None:
    assert percent(confidence) == text


def test_the_heading_counts_the_mistakes_or_is_the_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(mistakes_module, "add_title", lambda picture, lines: (seen.append(lines), picture)[1])
    found = [{"label": 0, "predicted": 1, "confidence": 0.9}] * 3
    draw_mistakes(list(noise(3, 8, 8)), found, ["猫", "狗"])
    draw_mistakes(list(noise(3, 8, 8)), found, ["猫", "狗"], title="错误")
    assert [lines[0] for lines in seen] == ["The 3 most confident mistakes", "错误"]


@pytest.mark.parametrize(("num_images", "num_mistakes"), [(1, 2), (2, 1), (0, 0)])
def test_mistakes_and_images_must_match_and_exist(num_images: int, num_mistakes: int) -> None:
    found = [{"label": 0, "predicted": 1, "confidence": 0.9}] * num_mistakes
    with pytest.raises(ValueError, match="image"):
        draw_mistakes(list(noise(num_images, 8, 8)), found, ["a", "b"])
