"""L1, PSNR and SSIM of images and their targets."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlcli.metrics.paired_images import PairedImagesMetric

RANDOM = np.random.default_rng(0)


def images(count: int, size: tuple[int, int] = (16, 20)) -> np.ndarray:
    return RANDOM.integers(0, 256, (count, 3, *size), dtype=np.uint8)


def measured(targets: object, made: object) -> dict[str, float]:
    metric = PairedImagesMetric()
    metric.update({"targets": targets}, {"images": made})
    return metric.compute()


def test_equal_images_are_perfect() -> None:
    targets = images(2)
    assert measured(targets, targets.copy()) == {"l1": 0, "psnr": 100, "ssim": pytest.approx(1)}


def test_values_by_hand() -> None:
    """Flat images have no structure but their mean: SSIM is (2 * 100 * 110 + c) / (100^2 + 110^2 + c), c = 2.55^2."""
    targets = np.full((1, 3, 16, 16), 100, np.uint8)
    found = measured(targets, targets + np.uint8(10))
    c = 2.55**2
    assert found["l1"] == 10
    assert found["psnr"] == pytest.approx(10 * math.log10(255**2 / 100))
    assert found["ssim"] == pytest.approx((2 * 100 * 110 + c) / (100**2 + 110**2 + c))


def test_black_and_white_are_as_far_apart_as_can_be() -> None:
    found = measured(np.zeros((1, 3, 16, 16), np.uint8), np.full((1, 3, 16, 16), 255, np.uint8))
    assert (found["l1"], found["psnr"]) == (255, 0)
    assert 0 <= found["ssim"] < 1e-3


def test_values_are_means_over_images_however_they_are_cut_into_batches() -> None:
    targets, made = images(7), images(7)
    made[0] = targets[0]
    whole = measured(targets, made)
    parts = [PairedImagesMetric(), PairedImagesMetric()]
    for start, metric in ((0, 0), (1, 1), (3, 0)):
        stop = {0: 1, 1: 3, 3: 7}[start]
        parts[metric].update({"targets": targets[start:stop]}, {"images": made[start:stop]})
    parts[0].merge(parts[1])
    assert parts[0].compute() == pytest.approx(whole)
    singles = [measured(targets[row : row + 1], made[row : row + 1]) for row in range(7)]
    assert whole == pytest.approx({name: np.mean([each[name] for each in singles]) for name in whole})
    assert parts[0].report()["num_images"] == 7


def test_images_of_unequal_sizes_come_as_lists() -> None:
    targets = [images(1, (16, 20))[0], images(1, (30, 12))[0]]
    assert measured(targets, targets)["l1"] == 0


def test_nothing_measured_is_no_figure() -> None:
    metric = PairedImagesMetric()
    assert all(math.isnan(value) for value in metric.compute().values())
    assert metric.report() == {
        "metrics": {"l1": None, "psnr": None, "ssim": None},
        "lower_is_better": ["l1"],
        "num_images": 0,
    }


@pytest.mark.parametrize(
    ("targets", "made"),
    [
        (images(2), images(1)),
        (images(1), images(1, (16, 21))),
        (images(1), images(1).astype(np.float32)),
        (images(1, (10, 20)), images(1, (10, 20))),
    ],
)
def test_what_cannot_be_compared_is_refused(targets: np.ndarray, made: np.ndarray) -> None:
    with pytest.raises(ValueError, match="images"):
        measured(targets, made)
