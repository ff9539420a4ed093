"""Classical models on images: their features, and that they are fitted on training images and measured as a run is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage.feature import local_binary_pattern
from sklearn.metrics import accuracy_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from dlcli.core.errors import DataError
from dlcli.tasks.classification import baselines
from dlcli.tasks.classification.baselines import BASELINES, greys_of, hog_of, image_baselines, lbp_of, pixels_of

RANDOM = np.random.default_rng(0)


def striped(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, 3, 16, 16) noisy images of vertical stripes (class 0), horizontal ones (2) or none (4)."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3 * 2
    images = random.integers(0, 120, (count, 3, 16, 16))
    phase = random.integers(0, 4, count)
    for index, label in enumerate(labels):
        stripes = ((np.arange(16) + phase[index]) // 2 % 2) * 100
        images[index] += {0: stripes[None, :], 2: stripes[:, None], 4: np.zeros((16, 16), int)}[int(label)]
    return images.astype(np.uint8), labels


TRAIN, HELD_OUT = striped(90, 1), striped(45, 2)


def batches(images: np.ndarray, labels: np.ndarray, size: int = 20) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(images[start : start + size], labels[start : start + size]) for start in range(0, len(labels), size)]


def test_figures_are_those_of_scikit_learn_for_any_size_of_batch() -> None:
    figures = image_baselines(batches(*TRAIN), batches(*HELD_OUT, size=7), 5)
    near = KNeighborsClassifier(5).fit(TRAIN[0].reshape(90, -1), TRAIN[1])
    expected = {"pixels + neighbours": near.predict(HELD_OUT[0].reshape(45, -1))}
    for name, feature in (("HOG + linear SVM", hog_of), ("LBP + linear SVM", lbp_of)):
        expected[name] = LinearSVC(random_state=0).fit(feature(TRAIN[0]), TRAIN[1]).predict(feature(HELD_OUT[0]))
    assert list(figures) == list(expected) == list(BASELINES)
    for name, predicted in expected.items():
        assert figures[name]["accuracy"] == accuracy_score(HELD_OUT[1], predicted)
        assert figures[name]["num_training_images"] == 90
        assert "loss" not in figures[name]
    assert figures["HOG + linear SVM"]["accuracy"] > 0.9  # the direction of stripes is what it sees
    assert figures == image_baselines(batches(*TRAIN, size=90), batches(*HELD_OUT, size=45), 5)


def test_of_two_classes_the_margin_decides() -> None:
    train, held_out = ((images[labels < 4], labels[labels < 4] // 2) for images, labels in (TRAIN, HELD_OUT))
    figures = image_baselines(batches(*train), batches(*held_out), 2)["HOG + linear SVM"]
    model = LinearSVC(random_state=0).fit(hog_of(train[0]), train[1])
    assert figures["accuracy"] == accuracy_score(held_out[1], model.predict(hog_of(held_out[0])))


@pytest.mark.parametrize("labels", [[], [1, 1, 1]])
def test_fewer_than_two_classes_are_refused(labels: list[int]) -> None:
    train = batches(TRAIN[0][: len(labels)], np.array(labels, np.int64))
    with pytest.raises(DataError, match="two classes or more"):
        image_baselines(train, batches(*HELD_OUT), 5)


def test_pixels_of_small_images_are_as_they_are_and_large_ones_are_fitted_into_32() -> None:
    small = RANDOM.integers(0, 256, (2, 1, 8, 5), dtype=np.uint8)
    np.testing.assert_allclose(pixels_of(small), small.reshape(2, -1) / 255, rtol=1e-6)
    large = RANDOM.integers(0, 256, (1, 3, 128, 64), dtype=np.uint8)
    means = large.reshape(1, 3, 32, 4, 16, 4).mean(axis=(3, 5)).transpose(0, 2, 3, 1)  # areas of 4 x 4 pixels
    np.testing.assert_allclose(pixels_of(large) * 255, means.reshape(1, -1), atol=0.51)


@pytest.mark.parametrize(("side", "expected"), [(8, 32), (32, 32), (33, 64), (224, 64)])
def test_grey_images_have_one_of_two_sizes(side: int, expected: int) -> None:
    images = RANDOM.integers(0, 256, (2, 3, side, side), dtype=np.uint8)
    assert greys_of(images).shape == (2, expected, expected)
    red = np.zeros((1, 3, side, side), np.uint8)
    red[:, 0] = 255
    assert (greys_of(red) == 76).all()  # 0.299 times 255
    shrunk = cv2.resize(
        images[0, 0], (expected, expected), interpolation=cv2.INTER_AREA if side > 64 else cv2.INTER_LINEAR
    )
    np.testing.assert_array_equal(greys_of(images[:, :1])[0], shrunk)


def test_gradients_do_not_see_the_brightness_but_their_direction() -> None:
    ramp = np.tile(np.arange(32, dtype=np.uint8) * 4, (32, 1))
    upright, darker, turned = hog_of(np.stack([ramp + 60, ramp, ramp.T])[:, None])
    np.testing.assert_allclose(upright, darker, atol=1e-6)
    assert upright.shape == (3 * 3 * 4 * 9,)
    assert upright @ turned < 0.1 * (upright @ upright)


def test_patterns_of_an_image_are_those_of_scikit_image_in_any_company() -> None:
    images = RANDOM.integers(0, 256, (3, 1, 32, 32), dtype=np.uint8)
    for image, found in zip(images, lbp_of(images).reshape(3, 4, 4, 59), strict=True):
        codes = local_binary_pattern(image[0], 8, 1, "nri_uniform").astype(int)
        for row, column in ((0, 0), (1, 2), (3, 3)):
            cell = codes[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            expected = np.sqrt(np.bincount(cell.ravel(), minlength=59) / 64)
            np.testing.assert_allclose(found[row, column], expected, rtol=1e-6)


def test_patterns_of_a_cell_are_shares_and_do_not_see_the_contrast() -> None:
    image = RANDOM.integers(0, 100, (1, 1, 32, 32), dtype=np.uint8)
    found = lbp_of(image)
    assert found.shape == (1, 16 * 59)
    np.testing.assert_allclose((found**2).reshape(16, 59).sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(lbp_of(image * 2), found)
    # A plain image has one pattern, except at the border, beyond which all is black.
    plain = lbp_of(np.full((1, 1, 32, 32), 9, np.uint8)).reshape(4, 4, 59)
    assert (np.count_nonzero(plain[1:3, 1:3], axis=2) == 1).all()


def test_a_run_s_baselines_are_fitted_on_its_training_part_and_measured_on_the_split(make_images, open_task) -> None:
    data = make_images({"train": {"a": 10, "b": 10, "c": 10}, "test": {"a": 3, "b": 4, "c": 5}})
    task = open_task(data, train={"val_fraction": 0.2})
    figures = task.baseline("test")
    assert {each["num_training_images"] for each in figures.values()} == {24}
    assert figures["pixels + neighbours"]["accuracy"] == 1  # the classes differ in brightness
    assert {"accuracy", "balanced_accuracy", "macro_f1"} < set(figures["HOG + linear SVM"])


def test_images_are_sampled_evenly(make_images, open_task, monkeypatch) -> None:
    monkeypatch.setattr(baselines, "MAX_FITTED", 6)
    task = open_task(make_images({"train": {"a": 10, "b": 10}, "test": {"a": 3, "b": 4}}), train={"val_fraction": 0.0})
    assert task.baseline("test")["LBP + linear SVM"]["num_training_images"] == 6
