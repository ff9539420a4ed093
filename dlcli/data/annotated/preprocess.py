"""Preprocessing of an image of any size to a canvas; imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from dlcli.core.errors import RunError
from dlcli.data.annotated.fitting import STRIDE, Fit, Size, fit_image, fit_size

MAX_SIDE = 8192


@dataclass(frozen=True)
class CanvasPreprocess:
    """Preprocessing of an image for a network that answers with positions.

    Attributes:
        side: length of an image's longer side in its canvas, in pixels.
        canvas: height and width, where the network takes only one size; None for the smallest canvas of each image.
        mean, std: per channel in [0, 1]; applied inside the network.
    """

    side: int
    canvas: Size | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def fit(self, image: np.ndarray) -> tuple[np.ndarray, Fit]:
        """Return the canvas with an image, (H, W, 3) uint8, and how the image lies in it."""
        fit = self.fit_of((image.shape[0], image.shape[1]))
        return fit_image(image, fit), fit

    def fit_of(self, size: Size) -> Fit:
        """Return how an image of this height and width lies in its canvas."""
        return fit_size(size, self.side, self.canvas)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that is stored in a run."""
        return {
            "channels": 3,
            "side": self.side,
            "canvas": list(self.canvas) if self.canvas is not None else None,
            "resize": f"longer side, filled up to a multiple of {STRIDE}",
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
            canvas = None if value["canvas"] is None else tuple(int(side) for side in value["canvas"])
            mean, std = tuple(map(float, value["mean"])), tuple(map(float, value["std"]))
            side = int(value["side"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RunError(f"the preprocessing that came with the model is damaged: {error}") from None
        sides = (side, *(canvas or ()))
        fits = all(1 <= length <= MAX_SIDE for length in sides) and len(sides) in (1, 3)
        are_numbers = len(mean) == len(std) == 3 and all(map(math.isfinite, (*mean, *std))) and min(std) > 0
        if not (fits and are_numbers):
            raise RunError("the preprocessing that came with the model is damaged: invalid values")
        return cls(side, canvas, mean, std)  # type: ignore[arg-type]
