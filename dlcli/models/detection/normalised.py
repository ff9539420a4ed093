"""A detector with uint8 pixels as input and normalisation as its first layer, so that every export includes it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dlcli.models.detection.detector import Detections, Detector, Limits, Target
from dlcli.models.images.normalised import Normalised

FIRST_THRESHOLD = 0.3
"""Until a validation part says better."""


class NormalisedDetector(nn.Module):
    """Normalises pixels per channel, then applies a detector.

    Attributes:
        network: the detector.
        thresholds: (C,) float32, the least score of a detection of each class that is worth showing, as the validation
            part has it.

    Args:
        network: takes normalised (N, 3, H, W) images; see `Detector`.
        mean, std: per channel, of pixels in [0, 1].
        num_classes: C.
    """

    thresholds: Tensor

    def __init__(self, network: Detector, mean: Sequence[float], std: Sequence[float], num_classes: int) -> None:
        super().__init__()
        assert isinstance(network, nn.Module)
        self.network = network
        self.pixels = Normalised(nn.Identity(), mean, std)
        self.register_buffer("thresholds", torch.full((num_classes,), FIRST_THRESHOLD))

    @property
    def detector(self) -> Detector:
        """The network as what it is to its task."""
        return self.network

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        """Return the losses of (N, 3, H, W) pixels in 0..255; see `Detector.losses`."""
        return self.detector.losses(self.pixels(images), targets)

    def detect(self, images: Tensor, limits: Limits) -> Detections:
        """Return what is found in (N, 3, H, W) pixels in 0..255; see `Detector.detect`."""
        return self.detector.detect(self.pixels(images), limits)

    def forward(self, images: Tensor) -> Detections:
        """Return what is found within the default limits."""
        return self.detect(images, Limits())


class DetectionGraph(nn.Module):
    """What is exported of a detector: pixels to dense detections within fixed limits.

    Returns boxes, scores, labels, counts and the thresholds, as `Detections` and (N, C) float32; masks after
    them where there are masks.
    """

    def __init__(self, model: NormalisedDetector, limits: Limits) -> None:
        super().__init__()
        self.model = model
        self.limits = limits

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the detections in (N, 3, H, W) uint8 pixels."""
        found = self.model.detect(images, self.limits)
        thresholds = self.model.thresholds.expand(images.shape[0], -1)
        plain = (found.boxes, found.scores, found.labels, found.counts, thresholds)
        return plain if found.masks is None else (*plain, found.masks)
