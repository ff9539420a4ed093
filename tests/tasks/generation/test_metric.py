from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from dlcli.metrics.kernel_distance import frechet_distance, kernel_distance
from dlcli.tasks.generation.metric import Remembering, SamplesMetric, class_entropy, diversity, mean_error


def images(count, shade=100, spread=50):
    noise = np.random.default_rng(1).standard_normal((count, 1, 4, 4))
    return np.clip(np.round(shade + spread * noise), 0, 255).astype(np.uint8)


def test_the_error_of_the_mean_is_in_grey_levels():
    real = np.array([[[[0, 100]]], [[[50, 200]]]], np.uint8)  # mean 25, 150
    made = np.array([[[[35, 110]]]], np.uint8)
    assert mean_error(real, made) == pytest.approx((10 + 40) / 2)
    assert mean_error(real, real[::-1]) == 0


def test_diversity_is_that_of_the_real_images_or_0_for_copies():
    real = images(50)
    assert diversity(real, real[::-1]) == pytest.approx(1)
    assert diversity(real, np.repeat(real[:1], 30, axis=0)) == 0
    assert diversity(real, images(50, spread=25)) == pytest.approx(0.5, abs=0.05)
    assert np.isnan(diversity(np.zeros_like(real), real))


def test_a_conditional_generator_that_makes_one_image_of_each_class_has_no_diversity():
    real = np.concatenate([images(20, 60, 20), images(20, 180, 20)])
    classes = np.repeat([0, 1], 20)
    made = real[np.repeat([0, 20], 20)]
    assert diversity(real, made) > 0.8
    assert diversity(real, made, classes) == 0
    assert diversity(real, real, classes) == pytest.approx(1)


def update(metric, real, made, rows, **more):
    metric.update({"images": real, "rows": rows, **more}, {"generated": made})
    return metric


def test_batches_and_processes_in_any_order_are_measured_as_one():
    real, made, rows = images(12), images(12, 90, 30), np.arange(12)
    whole = update(SamplesMetric({}), real, made, rows)
    first = update(SamplesMetric({}), real[1::2], made[1::2], rows[1::2])
    second = update(SamplesMetric({}), real[::2], made[::2], rows[::2])
    first.merge(second)
    assert first.compute() == pytest.approx(whole.compute())
    assert whole.report()["compared"] == {"real": 12, "generated": 12}


def features(pictures):
    return pictures.reshape(len(pictures), -1) / 100.0


def test_a_distance_is_that_of_the_features_under_the_name_of_the_extractor():
    real, made = images(12), images(12, 90, 30)
    metric = update(SamplesMetric({"kid_x": features, "kid": features}), real, made, np.arange(12))
    expected = kernel_distance(features(real), features(made))
    figures = metric.compute()
    assert figures["kid_x"] == figures["kid"] == expected.value
    assert figures["kid_x_error"] == expected.standard_error
    assert figures["fid"] == pytest.approx(frechet_distance(features(real), features(made)))
    lower = metric.report()["lower_is_better"]
    assert set(lower) == {"mean_error", "kid_x", "kid_x_error", "kid", "kid_error", "fid"}


def test_a_single_image_has_no_distance():
    metric = update(SamplesMetric({"kid_x": features}), images(1), images(1, 90), np.arange(1))
    assert set(metric.compute()) == {"mean_error", "diversity"}


def judged(pictures):
    """Class 0 for dark images, 1 for bright ones, of four, with a confidence of 0.7."""
    is_bright = pictures.mean((1, 2, 3)) > 100
    probabilities = np.full((len(pictures), 4), 0.1)
    probabilities[np.arange(len(pictures)), is_bright.astype(int)] = 0.7
    return SimpleNamespace(probabilities=probabilities, features=features(pictures))


def test_a_judge_sees_confidence_classes_and_how_often_the_request_was_met():
    dark, bright = np.full((1, 1, 2, 2), 20, np.uint8), np.full((1, 1, 2, 2), 220, np.uint8)
    real = np.concatenate([dark, dark, bright, bright])
    made = np.concatenate([dark, dark, dark, bright])
    judge = Remembering(judged, ("a", "b", "c", "d"))
    metric = SamplesMetric({}, judge, ("b", "a"))  # the run's classes in another order
    update(metric, real, made, np.arange(4), classes=np.array([1, 1, 0, 0]))  # a, a, b, b
    report = metric.report()
    figures = report["metrics"]
    assert figures["confidence"] == figures["confidence_real"] == pytest.approx(0.7)
    assert figures["class_entropy_real"] == pytest.approx(np.log(2))
    assert figures["class_entropy"] == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    assert (figures["class_accuracy"], figures["class_accuracy_real"]) == (0.75, 1.0)
    assert figures["kid_judge"] == kernel_distance(features(real), features(made)).value
    assert report["judged"][:2] == [
        {"class": "a", "generated": 0.75, "real": 0.5},
        {"class": "b", "generated": 0.25, "real": 0.5},
    ]
    assert not {"confidence", "class_entropy", "class_accuracy"} & set(report["lower_is_better"])
    plain = update(SamplesMetric({}, judge), real, made, np.arange(4))
    assert "class_accuracy" not in plain.compute()


def test_one_class_alone_has_no_entropy():
    assert class_entropy(np.array([[0.9, 0.1], [0.6, 0.4]])) == 0
    assert class_entropy(np.eye(5)) == pytest.approx(np.log(5))


def test_features_of_the_real_images_are_computed_once():
    calls = []
    remembering = Remembering(lambda pictures: calls.append(len(pictures)) or features(pictures))
    real = images(6)
    for made in (images(6, 90), images(6, 80), images(6, 90)):
        metric = update(SamplesMetric({"kid_x": remembering}), real, made, np.arange(6))
        expected = kernel_distance(features(real), features(made)).value
        assert metric.compute()["kid_x"] == metric.compute()["kid_x"] == expected
    assert len(calls) == 4


def test_kernel_distances_of_a_part_compare_evenly_spaced_images_and_all_other_figures_do_not():
    real, made = images(9), images(9, 90)
    extractors = {"kid_x": features, "kid": features}
    part = update(SamplesMetric(extractors, most_made=4), real, made, np.arange(9)).compute()
    whole = update(SamplesMetric(extractors), real, made, np.arange(9)).compute()
    assert part["kid_x"] == kernel_distance(features(real), features(made[[0, 2, 5, 8]])).value != whole["kid_x"]
    assert {name: part[name] for name in part if not name.startswith("kid_x")} == {
        name: whole[name] for name in whole if not name.startswith("kid_x")
    }
    assert part["fid"] == frechet_distance(features(real), features(made))  # of fewer images it would be larger
