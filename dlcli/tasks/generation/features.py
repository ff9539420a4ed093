"""The features in which images are compared, by the name of the distance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from dlcli.models.images.published import is_installed
from dlcli.tasks.generation.metric import INCEPTION

LITE0 = "kid_lite0"


def extractors_of(file: str | None) -> Mapping[str, Callable[[np.ndarray], np.ndarray]]:
    """Return (N, C, H, W) uint8 -> (N, D) features, by the name of the distance in them.

    EfficientNet-Lite0 is among them where its weights are installed.

    Args:
        file: weights of FID's Inception network; None for none.

    Raises:
        DataError: the file is missing, damaged, or of another network.
    """
    from dlcli.models.images.extractors import inception_features, lite0_features

    extractors = {}
    if is_installed("efficientnet_lite0"):
        extractors[LITE0] = _of_any_channels(lite0_features())
    if file is not None:
        extractors[INCEPTION] = _of_any_channels(inception_features(Path(file)))
    return extractors


def _of_any_channels(extract: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    def of_images(images: np.ndarray) -> np.ndarray:
        return extract(images if images.shape[1] == 3 else np.repeat(images, 3, axis=1))

    return of_images
