"""What a detector is to its task: losses to train with, and dense detections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor


class Target(NamedTuple):
    """What one training image shows.

    Attributes:
        boxes: (K, 4) float32 xyxy in pixels of the canvas.
        labels: (K,) int64 class indices from 0, without a background class.
        masks: (K, H, W) uint8 of 0 and 1; None where only boxes are known.
        ignored: (I, 4) float32 xyxy: regions (crowds, difficult objects) in which nothing is learned as background.
    """

    boxes: Tensor
    labels: Tensor
    masks: Tensor | None
    ignored: Tensor


class Limits(NamedTuple):
    """Which detections are returned.

    Attributes:
        score: at least this score.
        iou: of two boxes of one class that overlap by more, the one with the lower score is dropped; None keeps both
            (no non-maximum suppression).
        most: K, at most this many of an image.
    """

    score: float = 0.01
    iou: float | None = 0.6
    most: int = 100


class Detections(NamedTuple):
    """Detections of N images, sorted by falling score, padded with zeros.

    Attributes:
        boxes: (N, K, 4) float32 xyxy in pixels of the canvas.
        scores: (N, K) float32 in [0, 1].
        labels: (N, K) int64 class indices from 0.
        counts: (N,) int64, how many of the K are detections.
        masks: (N, K, M, M) float32 in [0, 1], the masks within their boxes; None for boxes alone.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    counts: Tensor
    masks: Tensor | None = None


class Detector(Protocol):
    """An `nn.Module` that finds objects; images are (N, 3, H, W) float, normalised, H and W multiples of 32."""

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        """Return the losses to add up, scalars by name, each a mean over the batch; in training mode."""
        ...

    def detect(self, images: Tensor, limits: Limits) -> Detections:
        """Return what is found in each image; in evaluation mode, for any batch size, also while exporting."""
        ...


@runtime_checkable
class HasFixedSize(Protocol):
    """A detector that may take images of one size only.

    Attributes:
        fixed_size: side of its square canvas in pixels; None if it takes any.
    """

    fixed_size: int | None


@runtime_checkable
class ExportsOneImage(Protocol):
    """A detector that may be exported only for one image a call, on a canvas of one size.

    Attributes:
        exports_one_image: whether it is.
    """

    exports_one_image: bool


@runtime_checkable
class FindsLargest(Protocol):
    """A detector that may find no more than the largest object of an image.

    Attributes:
        finds_largest: whether that is all it finds.
    """

    finds_largest: bool


@runtime_checkable
class HasMasks(Protocol):
    """A detector that may learn and return masks.

    Attributes:
        has_masks: whether it does.
    """

    has_masks: bool
