from __future__ import annotations

import numpy as np
import pytest

from dlcli.tasks.generation.metric import SamplesMetric, diversity, mean_error


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


def update(metric, real, made, rows, **more):
    metric.update({"images": real, "rows": rows, **more}, {"generated": made})
    return metric


def test_batches_and_processes_in_any_order_are_measured_as_one():
    real, made, rows = images(12), images(12, 90, 30), np.arange(12)
    whole = update(SamplesMetric(), real, made, rows)
    first = update(SamplesMetric(), real[1::2], made[1::2], rows[1::2])
    second = update(SamplesMetric(), real[::2], made[::2], rows[::2])
    first.merge(second)
    assert first.compute() == pytest.approx(whole.compute())
    assert whole.report()["compared"] == {"real": 12, "generated": 12}
