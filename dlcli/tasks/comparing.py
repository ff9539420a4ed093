"""How sets of images are compared: by distances of their features, whose names say whose features they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from dlcli.metrics.kernel_distance import frechet_distance, kernel_distance
from dlcli.models.images.published import INSTALL, is_installed

Extract = Callable[[np.ndarray], np.ndarray]
"""(N, C, H, W) uint8, C of 1 or 3 -> (N, D) features."""

NETWORK = "efficientnet_lite0"

LITE0, INCEPTION = "kid_lite0", "kid"
"""Kernel distances in the features of EfficientNet-Lite0, and in those that the name KID stands for."""

MISSING = f"not measured: the weights of {NETWORK} are not installed ({INSTALL})"


def has_lite0() -> bool:
    """Return whether EfficientNet-Lite0's weights are there."""
    return is_installed(NETWORK)


def extractors_of(file: str | None) -> Mapping[str, Extract]:
    """Return the extractors of features by the name of the distance in them.

    EfficientNet-Lite0 is among them where its weights are installed.

    Args:
        file: weights of FID's Inception network; None for none.

    Raises:
        DataError: the file is missing, damaged, or of another network.
    """
    from dlcli.models.images.extractors import inception_features, lite0_features

    extractors = {}
    if has_lite0():
        extractors[LITE0] = _of_any_channels(lite0_features())
    if file is not None:
        extractors[INCEPTION] = _of_any_channels(inception_features(Path(file)))
    return extractors


def distances(name: str, real: np.ndarray, made: np.ndarray) -> dict[str, float]:
    """Return the kernel distance of two sets under its name, its standard error, and of Inception's features the FID.

    Args:
        name: of the distance.
        real, made: (N, D) and (M, D) features of at least two images each. Of very few, no error can be estimated.
    """
    found = kernel_distance(real, made)
    figures = {name: found.value}
    if math.isfinite(found.standard_error):
        figures[f"{name}_error"] = found.standard_error
    return {**figures, "fid": frechet_distance(real, made)} if name == INCEPTION else figures


def _of_any_channels(extract: Extract) -> Extract:
    def of_images(images: np.ndarray) -> np.ndarray:
        return extract(images if images.shape[1] == 3 else np.repeat(images, 3, axis=1))

    return once_for_equal(of_images)


def once_for_equal(extract: Extract) -> Extract:
    """Return an extractor that computes the features of equal images once: a baseline may be one image N times."""

    def of_images(images: np.ndarray) -> np.ndarray:
        first: dict[bytes, int] = {}  # content -> its place among the different ones
        places = [first.setdefault(image.tobytes(), len(first)) for image in images]
        different = np.unique(places, return_index=True)[1]
        return extract(images[different])[places] if len(different) < len(images) else extract(images)

    return of_images
