"""Figures at the size of each image: worked by hand, merged from processes, and resampled image by image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcli.data.annotated.annotation import VOID, AnnotatedImage
from dlcli.data.annotated.fitting import fit_size
from dlcli.metrics.members import MEMBERS
from dlcli.metrics.segmentation import SegmentationMetric
from dlcli.tasks.segmentation.metric import FullSizeMetric

LABELS = ("car", "tree")
SIDE = 32


def truth(record: AnnotatedImage) -> np.ndarray:
    """Return a map of three bands, which a record's name moves."""
    rows = np.arange(record.height)[:, None] + sum(record.file.encode())
    values = (rows * 3 // record.height % 3 + np.zeros((1, record.width))).astype(np.uint8)
    values[0] = VOID
    return values


def record_of(name: str, height: int, width: int) -> AnnotatedImage:
    return AnnotatedImage(name, height, width, ())


RECORDS = [record_of("a", 20, 32), record_of("b", 64, 40), record_of("c", 31, 17), record_of("d", 9, 64)]


def batch_of(records: list[AnnotatedImage]) -> dict[str, Any]:
    fits = np.array([fit_size((each.height, each.width), SIDE).numbers for each in records])
    return {"records": records, "fits": fits}


def canvases(records: list[AnnotatedImage], seed: int = 0) -> np.ndarray:
    shapes = [fit_size((each.height, each.width), SIDE).canvas for each in records]
    side = np.max(shapes, axis=0)
    drawn = [np.random.default_rng([seed, *each.file.encode()]).integers(0, 3, side) for each in records]
    return np.stack(drawn).astype(np.uint8)


def measured(records: list[AnnotatedImage], **sizes: Any) -> FullSizeMetric:
    metric = FullSizeMetric(LABELS, truth)
    metric.update(batch_of(records), {"label_map": canvases(records, **sizes)})
    return metric


def test_an_answer_of_one_class_has_the_figures_that_are_worked_by_hand() -> None:
    """Of 30 rows two thirds are wrong: 9, 10 and 10 rows are of the classes, the first one is void."""
    record = record_of("\0", 30, 30)
    metric = FullSizeMetric(LABELS, truth)
    metric.update(batch_of([record]), {"label_map": np.zeros((1, SIDE, SIDE), np.uint8)})
    figures = metric.compute()
    assert figures["pixel_accuracy"] == pytest.approx(9 / 29)
    assert figures["miou"] == pytest.approx((9 / 29 + 0 + 0) / 3)
    assert figures["mean_accuracy"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.file)
def test_truth_brought_to_the_canvas_and_back_is_right_but_for_its_edges(record: AnnotatedImage) -> None:
    fit = fit_size((record.height, record.width), SIDE)
    rows, columns = (
        np.minimum((np.arange(inner) + 0.5) * size // inner, size - 1).astype(int)
        for inner, size in zip(fit.inner, fit.size, strict=True)
    )
    canvas = np.zeros((1, *fit.canvas), np.uint8)
    canvas[0, : fit.inner[0], : fit.inner[1]] = truth(record)[rows][:, columns] % VOID
    metric = FullSizeMetric(LABELS, truth)
    metric.update(batch_of([record]), {"label_map": canvas})
    edges = 2 * max(1, record.height / fit.inner[0])  # rows beside the two borders of classes
    assert metric.compute()["pixel_accuracy"] >= 1 - edges / record.height


def test_processes_that_share_the_images_have_the_figures_of_one() -> None:
    whole = measured(RECORDS)
    parts = [measured(RECORDS[rank::2]) for rank in range(2)]
    empty = FullSizeMetric(LABELS, truth)
    empty.merge(parts[0])
    empty.merge(parts[1])
    assert empty.report() == whole.report()
    found, expected = empty.item_scores(), whole.item_scores()
    order, usual = np.argsort(found.rows), np.argsort(expected.rows)
    assert np.array_equal(found.rows[order], expected.rows[usual])
    statistics = [scores.figures["miou"].statistics[o] for scores, o in ((found, order), (expected, usual))]
    assert np.array_equal(*statistics)
    assert found.truth == expected.truth


def test_the_scores_of_items_sum_to_the_figure_and_know_their_images() -> None:
    metric = measured(RECORDS)
    scores = metric.item_scores()
    assert scores.figures["miou"].value() == pytest.approx(metric.compute()["miou"])
    assert scores.names_items and len(scores.rows) == len(RECORDS)
    assert measured(RECORDS, seed=1).item_scores().truth == scores.truth, "other answers to the same images"
    assert measured([*RECORDS[:3], record_of("e", 9, 64)]).item_scores().truth != scores.truth


def test_members_are_measured_beside_the_mean_and_add_no_image() -> None:
    metric = measured(RECORDS)
    answers = [canvases(RECORDS, seed=seed) for seed in (1, 2)]
    metric.update(batch_of(RECORDS), {MEMBERS: np.stack(answers, axis=1)})
    alone = [measured(RECORDS, seed=seed).compute()["miou"] for seed in (1, 2)]
    report = metric.report()
    assert [entry["miou"] for entry in report[MEMBERS]] == pytest.approx(alone)
    assert report["metrics"]["miou_member"] == pytest.approx(np.mean(alone))
    assert report["metrics"]["miou"] == pytest.approx(measured(RECORDS).compute()["miou"])
    assert report["num_images"] == len(RECORDS) == len(metric.item_scores().rows)


def test_a_metric_without_data_only_merges() -> None:
    metric = FullSizeMetric(LABELS, None)
    with pytest.raises(AssertionError, match="no data"):
        metric.update(batch_of(RECORDS[:1]), {"label_map": canvases(RECORDS[:1])})
    metric.merge(measured(RECORDS))
    assert metric.compute() == measured(RECORDS).compute()
    with pytest.raises(ValueError, match="different classes"):
        metric.merge(FullSizeMetric(("car",), truth))


def test_the_figures_are_those_of_the_metric_itself_at_full_size() -> None:
    plain = SegmentationMetric(("background", *LABELS))
    small = [record_of("x", 20, 32), record_of("y", 32, 32)]
    maps = canvases(small)
    own = [maps[row, : each.height, : each.width] for row, each in enumerate(small)]
    plain.update({"label_maps": [truth(each) for each in small]}, {"label_map": own})
    assert measured(small).compute() == plain.compute()
