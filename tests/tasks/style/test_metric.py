from __future__ import annotations

import numpy as np
import pytest

from dlcli.metrics.kernel_distance import frechet_distance, kernel_distance
from dlcli.tasks.style.codec import TRANSLATED
from dlcli.tasks.style.metric import TranslationMetric

RANDOM = np.random.default_rng(0)
INPUTS, MADE, REAL = (RANDOM.integers(0, 256, (count, 3, 16, 16), np.uint8) for count in (6, 6, 8))


def features(images):
    return images.reshape(len(images), -1)[:, :5].astype(np.float64) / 100


def batch(domain, rows, images, **more):
    return {"images": images, "domains": np.full(len(rows), domain), "rows": np.array(rows), **more}


def add(metric, inputs, real):
    for rows in inputs:
        metric.update(batch(0, rows, INPUTS[rows]), {TRANSLATED: MADE[rows]})
    for rows in real:
        metric.update(batch(1, rows, REAL[rows]), {TRANSLATED: REAL[rows] // 2})
    return metric


def test_distances_are_those_of_translated_images_from_real_ones():
    metric = add(TranslationMetric(0, {"kid": features}), [[0, 1, 2], [3, 4, 5]], [[*range(8)]])
    expected = kernel_distance(features(REAL), features(MADE))
    report = metric.report()
    assert report["metrics"] == {
        "kid": expected.value,
        "kid_error": expected.standard_error,
        "fid": frechet_distance(features(REAL), features(MADE)),
    }
    assert report["compared"] == {"translated": 6, "real": 8}
    assert set(report["lower_is_better"]) == {"kid", "kid_error", "fid"}


def test_two_processes_measure_what_one_does():
    back = lambda images: images // 3  # noqa: E731
    whole = add(TranslationMetric(0, {"kid_x": features}, back), [[*range(6)]], [[*range(8)]])
    first = add(TranslationMetric(0, {"kid_x": features}, back), [[1, 3, 5]], [[1, 3, 5, 7]])
    first.merge(add(TranslationMetric(0, {"kid_x": features}, back), [[0, 2, 4]], [[0, 2, 4, 6]]))
    assert first.compute() == pytest.approx(whole.compute(), rel=1e-12)


def test_the_way_back_and_unchanged_images_are_measured_in_grey_levels():
    metric = TranslationMetric(1, {}, back=lambda images: images + 10)
    inputs, real = np.full((2, 3, 4, 4), 100, np.uint8), np.full((1, 3, 4, 4), 50, np.uint8)
    metric.update(batch(1, [0, 1], inputs), {TRANSLATED: inputs - 30})
    metric.update(batch(0, [0], real), {TRANSLATED: real + 5})
    assert metric.compute() == {"cycle_l1": 20.0, "identity_l1": 5.0}


def test_pairs_are_measured_against_their_targets():
    metric = TranslationMetric(0, {}, is_paired=True)
    metric.update(batch(0, [0, 1], INPUTS[:2], targets=MADE[:2]), {TRANSLATED: MADE[:2]})
    metric.update(batch(1, [0, 1], MADE[:2], targets=INPUTS[:2]), {TRANSLATED: INPUTS[:2]})
    report = metric.report()
    assert (report["metrics"]["l1"], report["metrics"]["ssim"]) == (0, 1)
    assert report["lower_is_better"] == ["l1"]


def test_a_single_image_has_no_distance_and_few_no_error():
    assert add(TranslationMetric(0, {"kid": features}), [[0]], [[0, 1]]).compute() == {}
    assert set(add(TranslationMetric(0, {"kid_x": features}), [[0, 1]], [[0, 1]]).compute()) == {"kid_x"}
