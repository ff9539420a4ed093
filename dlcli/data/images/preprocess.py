"""Preprocessing of an image of any size to a network's input; imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from dlcli.core.errors import RunError
from dlcli.data.images.decoding import scale_image
from dlcli.data.images.operations.geometry import MIDDLE, windows

SQUARE, OBLONG = "shorter side, then centre crop", "largest centred window, then scaled"
"""What the asset says of images of other sizes, for people who read it; a square is the same either way."""


@dataclass(frozen=True)
class Preprocess:
    """Preprocessing of an image.

    Attributes:
        channels: 1 or 3.
        height, width: of the input, in pixels; of other images the largest centred window of these proportions is
            scaled, which for a square is to resize by the shorter side and crop the centre.
        mean, std: per channel in [0, 1]; applied inside the network.
    """

    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that is stored in a run."""
        return {
            "channels": self.channels,
            "size": [self.height, self.width],
            "resize": SQUARE if self.height == self.width else OBLONG,
            "mean": list(self.mean),
            "std": list(self.std),
            "normalise": "inside the network",
        }

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Return the preprocessing stored as JSON in a run.

        Raises:
            RunError: a field is missing or out of range.
        """
        try:
            height, width = (int(side) for side in value["size"])
            result = cls(
                int(value["channels"]), height, width, tuple(map(float, value["mean"])), tuple(map(float, value["std"]))
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RunError(f"the preprocessing that came with the model is damaged: {error}") from None
        sides_fit = 1 <= height <= 8192 and 1 <= width <= 8192
        is_each = len(result.mean) == len(result.std) == result.channels
        are_numbers = all(map(math.isfinite, (*result.mean, *result.std))) and min(result.std, default=0) > 0
        if result.channels not in (1, 3) or not (sides_fit and is_each and are_numbers):
            raise RunError("the preprocessing that came with the model is damaged: invalid values")
        return result

    def fit(self, image: np.ndarray) -> np.ndarray:
        """Return the (H, W, C) uint8 image at the network's size, (height, width, C)."""
        if image.shape[:2] == (self.height, self.width):
            return image
        frame = self.height, self.width
        left, top, width, height = windows(MIDDLE, (image.shape[0], image.shape[1]), frame)[0].astype(int).tolist()
        return scale_image(image[top : top + height, left : left + width], *frame)
