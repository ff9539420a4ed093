"""The TF-IDF floor: what it learns, what it says, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.tasks.sentiment.baseline import tfidf_baseline

GOOD, BAD = "房间很好服务不错", "房间太差不会再来"


def texts(count: int) -> tuple[list[str], np.ndarray]:
    """Return texts of one of two words among others, and which."""
    random = np.random.default_rng(count)
    labels = random.integers(0, 2, count)
    noise = ["".join(chr(0x5000 + i) for i in random.integers(0, 60, 6)) for _ in range(count)]
    return [(BAD, GOOD)[label] + more for label, more in zip(labels, noise, strict=True)], labels


def test_separable_texts_are_learned() -> None:
    figures = tfidf_baseline(*texts(120), *texts(60), num_classes=2)
    assert figures["accuracy"] == figures["macro_f1"] == 1.0
    assert 0 < figures["loss"] < 0.3
    assert figures["num_features"] > 14


def test_baseline_is_the_same_each_time() -> None:
    train, test = texts(100), texts(41)
    assert tfidf_baseline(*train, *test, num_classes=2) == tfidf_baseline(*train, *test, num_classes=2)


def test_permuted_classes_give_the_same_figures() -> None:
    (train, labels), (test, test_labels) = texts(100), texts(40)
    flipped = tfidf_baseline(train, 1 - labels, test, 1 - test_labels, num_classes=2)
    straight = tfidf_baseline(train, labels, test, test_labels, num_classes=2)
    assert flipped["accuracy"] == straight["accuracy"]
    assert flipped["loss"] == pytest.approx(straight["loss"], rel=1e-2)


def test_stripped_kinds_tell_nothing() -> None:
    _, labels = texts(200)
    marked = [f"房间{'[泪]' if label else '[赞]'}服务" for label in labels]
    seen = tfidf_baseline(marked[:150], labels[:150], marked[150:], labels[150:], num_classes=2)
    unseen = tfidf_baseline(marked[:150], labels[:150], marked[150:], labels[150:], num_classes=2, strip=["emoticon"])
    assert seen["accuracy"] == 1.0
    assert unseen["accuracy"] == np.mean(labels[150:] == np.bincount(labels[:150]).argmax())


def test_class_without_training_texts_counts_as_wrong() -> None:
    train, labels = texts(100)
    figures = tfidf_baseline(train, 2 * labels, [GOOD, BAD, GOOD, BAD], np.array([2, 0, 2, 1]), num_classes=3)
    assert figures["accuracy"] == 0.75
    assert figures["loss"] > -np.log(1e-12) / 4 - 1


@pytest.mark.parametrize(
    ("train", "labels", "test"),
    [
        (["好", "好", "坏"], [1, 1, 1], ["好"]),
        (["好", "坏"], [0, 1], ["好"]),  # no character in two texts
        (["好坏", "坏好"], [0, 1], []),
    ],
)
def test_texts_that_teach_nothing_are_refused(train: list[str], labels: list[int], test: list[str]) -> None:
    with pytest.raises(DataError):
        tfidf_baseline(train, np.array(labels), test, np.zeros(len(test), int), num_classes=2)


def test_one_label_for_each_text() -> None:
    with pytest.raises(ValueError, match="differ in number"):
        tfidf_baseline(["a", "b"], np.array([0]), ["a"], np.array([0]), num_classes=2)
