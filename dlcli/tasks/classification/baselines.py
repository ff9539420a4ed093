"""What an image classifier has to beat: classical features with simple models. Torch-free; imported on use.

- the five nearest neighbours by pixels, of images of at most 32 x 32;
- HOG, histograms of gradients over cells of 8 x 8 pixels (Dalal & Triggs 2005), and a linear SVM;
- LBP, uniform local binary patterns of 8 neighbours in 4 x 4 cells (Ojala et al. 2002, Ahonen et al. 2004), and a
  linear SVM.

HOG and LBP see grey images of 32 x 32, of 64 x 64 where images are larger than 32 pixels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from dlcli.core.errors import DataError
from dlcli.metrics.classification import ClassificationMetric

Batches = Iterable[tuple[np.ndarray, np.ndarray]]
"""Of (N, C, H, W) uint8 images, C of 1 or 3, and their (N,) int64 class indices."""

MAX_FITTED = 5_000
"""Training images that the models are fitted to, evenly spaced. 10,000 of CIFAR-10 took 88 s of CPU time."""

SMALL_PX, LARGE_PX = 32, 64
NUM_NEIGHBOURS = 5
CELL_PX, ORIENTATIONS = 8, 9
CELLS, PATTERNS = 4, 59
"""Cells along a side; the 58 uniform patterns of 8 neighbours, and one for all others."""

LEAST_VOTES = 1e-12
ABSENT = -1e9
"""The score of a class without training images."""

WITHOUT = {"neighbours": ("loss", "calibration_error", "top5"), "svm": ("loss", "calibration_error")}
"""Metrics that a model has not: an SVM's scores are no probabilities, and five neighbours rank few classes."""


@dataclass(frozen=True)
class Baseline:
    """A feature and the kind of model on it."""

    feature: Callable[[np.ndarray], np.ndarray]
    kind: str


def pixels_of(images: np.ndarray) -> np.ndarray:
    """Return (N, D) float32 pixels in [0, 1] of (N, C, H, W) uint8 images, fitted into 32 x 32."""
    side = max(images.shape[2:])
    if side > SMALL_PX:
        height, width = (max(1, round(length * SMALL_PX / side)) for length in images.shape[2:])
        images = np.stack([_resized(image.transpose(1, 2, 0), width, height) for image in images])
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def hog_of(images: np.ndarray) -> np.ndarray:
    """Return (N, D) float32 histograms of oriented gradients of (N, C, H, W) uint8 images."""
    from skimage.feature import hog

    cells = {"pixels_per_cell": (CELL_PX, CELL_PX), "cells_per_block": (2, 2), "orientations": ORIENTATIONS}
    return np.stack([hog(grey, **cells) for grey in greys_of(images)]).astype(np.float32)


def lbp_of(images: np.ndarray) -> np.ndarray:
    """Return (N, 944) float32, the roots of the shares of each local binary pattern in each cell.

    The root makes the product of two such vectors Hellinger's, which suits histograms better.
    """
    from skimage import feature

    pattern_of: Callable[..., np.ndarray] = feature.local_binary_pattern
    greys = greys_of(images)
    codes = np.stack([pattern_of(grey, 8, 1, "nri_uniform") for grey in greys]).astype(np.int64)
    side = greys.shape[1] // CELLS
    cells = codes.reshape(-1, CELLS, side, CELLS, side).transpose(0, 1, 3, 2, 4).reshape(-1, side * side)
    places = cells + PATTERNS * np.arange(len(cells))[:, None]
    counts = np.bincount(places.ravel(), minlength=PATTERNS * len(cells)).reshape(len(images), -1)
    roots: np.ndarray = np.sqrt(counts / (side * side))
    return roots.astype(np.float32)


def greys_of(images: np.ndarray) -> np.ndarray:
    """Return (N, S, S) uint8 grey of (N, C, H, W) uint8 images, S of 32, or of 64 for images larger than 32."""
    side = SMALL_PX if max(images.shape[2:]) <= SMALL_PX else LARGE_PX
    greys = [image[0] if len(image) == 1 else cv2.cvtColor(_last(image), cv2.COLOR_RGB2GRAY) for image in images]
    return np.stack([_resized(grey, side, side) for grey in greys])


def _last(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image.transpose(1, 2, 0))


def _resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    shrinks = image.shape[0] * image.shape[1] > width * height
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=method))


BASELINES: Mapping[str, Baseline] = {
    "pixels + neighbours": Baseline(pixels_of, "neighbours"),
    "HOG + linear SVM": Baseline(hog_of, "svm"),
    "LBP + linear SVM": Baseline(lbp_of, "svm"),
}


def image_baselines(train: Batches, held_out: Batches, num_classes: int) -> dict[str, dict[str, float]]:
    """Return the metrics of each model, fitted on some images and measured on others.

    Deterministic. `num_training_images` says how many images a model was fitted to.

    Args:
        train: the images to fit to; at most `MAX_FITTED`.
        held_out: those to be measured, all of them.
        num_classes: the number of classes; one that the training images lack is never predicted.

    Raises:
        DataError: the training images are not of two classes or more.
    """
    features, labels = _features(train)
    if len(np.unique(labels)) < 2:
        raise DataError("the baselines need training images of two classes or more", hint="run `dl doctor DATA`")
    models = {name: _fitted(each.kind, features[name], labels) for name, each in BASELINES.items()}
    metrics = {name: ClassificationMetric(num_classes) for name in BASELINES}
    for images, truth in held_out:
        for name, each in BASELINES.items():
            scores = np.full((len(truth), num_classes), ABSENT)
            scores[:, models[name].classes_] = _scores(each.kind, models[name], each.feature(images))
            metrics[name].update(scores, truth)
    names = [str(index) for index in range(num_classes)]
    return {
        name: {
            metric: value
            for metric, value in metrics[name].report(names)["metrics"].items()
            if metric not in WITHOUT[each.kind]
        }
        | {"num_training_images": len(labels)}
        for name, each in BASELINES.items()
    }


def _features(batches: Batches) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the features of all images by the model's name, and the labels; images are held one batch at a time."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in BASELINES}
    labels: list[np.ndarray] = []
    for images, truth in batches:
        labels.append(truth)
        for name, each in BASELINES.items():
            found[name].append(each.feature(images))
    joined = {name: np.concatenate(parts) for name, parts in found.items() if parts}
    return joined, np.concatenate([np.zeros(0, np.int64), *labels])


def _fitted(kind: str, features: np.ndarray, labels: np.ndarray) -> Any:
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import LinearSVC

    if kind == "neighbours":
        return KNeighborsClassifier(min(NUM_NEIGHBOURS, len(labels)), algorithm="brute").fit(features, labels)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="sklearn")  # no convergence in 1,000 iterations changes little
        return LinearSVC(random_state=0).fit(features, labels)


def _scores(kind: str, model: Any, features: np.ndarray) -> np.ndarray:
    """Return (N, C) scores of the C classes that the model knows."""
    if kind == "neighbours":
        votes: np.ndarray = model.predict_proba(features)
        logs: np.ndarray = np.log(np.maximum(votes, LEAST_VOTES))
        return logs
    margins: np.ndarray = model.decision_function(features)
    return margins if margins.ndim == 2 else np.stack([-margins, margins], axis=1)
