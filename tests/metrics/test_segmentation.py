"""The metric of segmentation by hand, against hotcoco, and its invariants."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from dlcli.metrics.segmentation import SegmentationMetric

CLASSES = ("background", "cat", "dog", "unseen")


def metric_of(truths: list[np.ndarray], answers: list[np.ndarray], classes: tuple[str, ...]) -> SegmentationMetric:
    metric = SegmentationMetric(classes)
    metric.update({"label_maps": truths}, {"label_map": answers})
    return metric


def random_maps(seed: int, classes: int = 4, images: int = 5) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return label maps of different sizes, with ignored pixels, and answers that are right in half of the pixels."""
    rng = np.random.default_rng(seed)
    truths, answers = [], []
    for _ in range(images):
        size = tuple(rng.integers(5, 40, 2))
        truth = rng.integers(0, classes, size).astype(np.uint8)
        answers.append(np.where(rng.random(size) < 0.5, truth, rng.integers(0, classes, size)).astype(np.uint8))
        truth[rng.random(size) < 0.1] = 255
        truths.append(truth)
    return truths, answers


def test_figures_by_hand() -> None:
    truth = np.array([[0, 0, 0, 1], [1, 2, 255, 255]], np.uint8)
    answer = np.array([[0, 0, 1, 1], [1, 0, 2, 1]], np.uint8)
    report = metric_of([truth], [answer], CLASSES).report()
    # background: 2 right of 3, one more predicted: IoU 2/4; cat: 2 of 2, one more predicted: 2/3; dog: 0 of 1.
    assert [row["iou"] for row in report["per_class"]] == [0.5, pytest.approx(2 / 3), 0, None]
    assert [row["accuracy"] for row in report["per_class"]] == [pytest.approx(2 / 3), 1, 0, None]
    assert [row["dice"] for row in report["per_class"]] == [pytest.approx(4 / 6), pytest.approx(4 / 5), 0, None]
    assert [row["pixels"] for row in report["per_class"]] == [3, 2, 1, 0]
    assert [row["predicted"] for row in report["per_class"]] == [3, 3, 0, 0]
    assert report["metrics"] == {
        "miou": pytest.approx((1 / 2 + 2 / 3) / 3),
        "pixel_accuracy": pytest.approx(4 / 6),
        "mean_accuracy": pytest.approx((2 / 3 + 1) / 3),
        "fw_iou": pytest.approx((3 / 2 + 2 * 2 / 3) / 6),
        "dice": pytest.approx((4 / 6 + 4 / 5) / 3),
    }
    assert report["num_pixels"] == 6


@pytest.mark.parametrize("seed", range(3))
def test_figures_equal_hotcoco(seed: int) -> None:
    from hotcoco.semantic import SemanticEval

    truths, answers = random_maps(seed)
    peer = SemanticEval(list(CLASSES))
    for truth, answer in zip(truths, answers, strict=True):
        peer.update(truth, answer)
    report = metric_of(truths, answers, CLASSES).report()
    assert report["confusion"] == peer.confusion().tolist()
    peer.summarize()
    names = ("miou", "fw_iou", "mean_accuracy", "pixel_accuracy")
    assert [report["metrics"][name] for name in names] == pytest.approx(list(peer.stats)[:4], abs=1e-12)


def test_dice_follows_from_the_iou_of_each_class() -> None:
    rows = metric_of(*random_maps(4), CLASSES).report()["per_class"]
    assert [row["dice"] for row in rows] == pytest.approx([2 * row["iou"] / (1 + row["iou"]) for row in rows])


def test_a_class_that_is_only_predicted_counts_in_miou_and_not_in_mean_accuracy() -> None:
    values = metric_of([np.zeros((2, 2), np.uint8)], [np.array([[0, 0], [0, 1]], np.uint8)], CLASSES).compute()
    assert (values["miou"], values["mean_accuracy"]) == (0.375, 0.75)


def test_batches_arrays_and_processes_do_not_matter() -> None:
    truths, answers = random_maps(6)
    whole, first, second = (
        metric_of(truths[part], answers[part], CLASSES) for part in (slice(0, 5), slice(0, 2), slice(2, 5))
    )
    first.merge(second)
    assert first.report() == whole.report()
    stacked = SegmentationMetric(CLASSES)
    stacked.update({"label_maps": np.stack([truths[0]] * 2)}, {"label_map": np.stack([answers[0]] * 2)})
    assert stacked.report()["confusion"] == metric_of([truths[0]] * 2, [answers[0]] * 2, CLASSES).report()["confusion"]
    with pytest.raises(ValueError, match="cannot merge"):
        first.merge(SegmentationMetric(CLASSES, ignore_index=254))


def test_without_measured_pixels_figures_are_undefined() -> None:
    nothing = metric_of([np.full((3, 3), 255, np.uint8)], [np.zeros((3, 3), np.uint8)], CLASSES)
    assert all(math.isnan(value) for value in nothing.compute().values())
    report = json.loads(json.dumps(nothing.report(), allow_nan=False))
    assert set(report["metrics"].values()) == {None}
    assert (report["num_images"], report["num_pixels"]) == (1, 0)


@pytest.mark.parametrize(
    ("truth", "answer", "message"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), r"a label map \(2, 3\) and an answer \(3, 2\)"),
        (np.full((2, 2), 4), np.zeros((2, 2)), "a label map with values from 4 to 4 for 4 classes"),
        (np.zeros((2, 2)), np.full((2, 2), 255), "an answer with values from 255 to 255"),
    ],
)
def test_maps_that_do_not_fit_are_refused(truth: np.ndarray, answer: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metric_of([truth.astype(np.uint8)], [answer.astype(np.uint8)], CLASSES)
