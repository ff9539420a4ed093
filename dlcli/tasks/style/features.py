"""The features in which images are compared, by the name of the distance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dlcli.models.images.published import INSTALL, is_installed
from dlcli.tasks.style.metric import INCEPTION, Extract

LITE0, NETWORK = "kid_lite0", "efficientnet_lite0"

MISSING = f"not measured: the weights of {NETWORK} are not installed ({INSTALL})"


def has_lite0() -> bool:
    """Return whether EfficientNet-Lite0's weights are there."""
    return is_installed(NETWORK)


def extractors_of(file: str | None) -> Mapping[str, Extract]:
    """Return (N, 3, H, W) uint8 -> (N, D) features, by the name of the distance in them.

    Args:
        file: weights of FID's Inception network; None for none.

    Raises:
        RunError: the file is missing, damaged, or of another network.
    """
    from dlcli.models.images.extractors import inception_features, lite0_features

    extractors: dict[str, Extract] = {}
    if has_lite0():
        extractors[LITE0] = lite0_features()
    if file is not None:
        extractors[INCEPTION] = inception_features(Path(file))
    return extractors
