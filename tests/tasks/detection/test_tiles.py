"""Small objects of large images are found in tiles; smaller images are answered as without tiles."""

from __future__ import annotations

import numpy as np
import pytest
from toys import blobs

from dlcli.answering.answers import MAX_ROWS, answer
from dlcli.answering.opening import Opened
from dlcli.data.codec import Source, join_outputs

SMALL = (1203, 777, 1211, 785)
"""Of 8 x 8 pixels, less than one on a canvas of 160."""


def answers(*images: np.ndarray, **options: object) -> tuple[list[dict], list[int]]:
    """Return the records of images, and how many rows the model got each time."""
    predictor = blobs.BlobPredictor()
    opened = Opened("toy", blobs.codec(**options), predictor)
    sources = [Source(str(number), image) for number, image in enumerate(images)]
    return [given.record for _, given in answer(opened, sources)], predictor.rows


def test_a_small_object_is_found_in_its_place() -> None:
    image = blobs.picture((2000, 2000), SMALL)
    [[plain], _] = answers(image)
    assert plain["objects"] == []
    [[tiled], rows] = answers(image, tile=160)
    assert (tiled["width"], tiled["height"]) == (2000, 2000)
    [found] = tiled["objects"]
    assert found["box"] == pytest.approx(SMALL, abs=1.5)
    assert sum(rows) == 16 * 16 + 1
    assert max(rows) <= MAX_ROWS


def test_images_no_larger_than_a_tile_are_answered_as_without() -> None:
    images = [blobs.picture(size, (10, 20, 60, 50)) for size in ((96, 160), (160, 120), (64, 64))]
    assert answers(*images, tile=160) == answers(*images)


def test_answers_stay_in_order() -> None:
    large = blobs.picture((150, 400), (300, 40, 330, 70))
    small = blobs.picture((96, 160), (10, 20, 60, 50))
    records, _ = answers(large, small, large, small, tile=160)
    assert [record["width"] for record in records] == [400, 160, 400, 160]
    assert [len(record["objects"]) for record in records] == [1, 1, 1, 1]
    assert records[0]["objects"][0]["box"] == pytest.approx((300, 40, 330, 70), abs=3)


def test_a_threshold_of_0_gives_everything_that_the_graph_gives() -> None:
    [[record], _] = answers(blobs.picture((96, 160), (10, 20, 60, 50)), threshold=0.0)
    assert [each["label"] for each in record["objects"]] == ["thing", "other"]


def test_outputs_of_unequal_length_are_joined() -> None:
    parts = [{"a": np.ones((2, 1, 4)), "n": np.array([1, 2])}, {"a": np.ones((1, 3, 4)), "n": np.array([3])}]
    joined = join_outputs(parts)
    assert joined["a"].shape == (3, 3, 4)
    assert joined["a"].sum(axis=(1, 2)).tolist() == [4, 4, 12]
    assert joined["n"].tolist() == [1, 2, 3]
