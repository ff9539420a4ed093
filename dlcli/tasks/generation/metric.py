"""How generated images compare with real ones. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlcli.data.codec import Arrays
from dlcli.tasks.generation.codec import GENERATED


class SamplesMetric:
    """See `dlcli.engine.task.Metric`; a split is held in memory, since distances are between sets."""

    def __init__(self) -> None:
        self._rows: list[np.ndarray] = []
        self._real: list[np.ndarray] = []
        self._made: list[np.ndarray] = []

    def update(self, batch: Mapping[str, Any], outputs: Arrays) -> None:
        """Add real images `images` (N, C, H, W) uint8 with their `rows`, and `generated` ones of the same shape."""
        self._rows.append(batch["rows"])
        self._real.append(batch["images"])
        self._made.append(outputs[GENERATED])

    def merge(self, other: SamplesMetric) -> None:
        """Add the images of another process's metric."""
        self._rows += other._rows
        self._real += other._real
        self._made += other._made

    def compute(self) -> dict[str, float]:
        """Return the figures over all images."""
        real, made = np.concatenate(self._real), np.concatenate(self._made)
        return {"mean_error": mean_error(real, made), "diversity": diversity(real, made)}

    def report(self) -> dict[str, Any]:
        """Return the figures, and the number of images."""
        count = sum(map(len, self._rows))
        return {
            "metrics": self.compute(),
            "lower_is_better": ["mean_error"],
            "compared": {"real": count, "generated": count},
        }


def mean_error(real: np.ndarray, made: np.ndarray) -> float:
    """Return the mean absolute difference of the mean images, in grey levels of 255.

    Args:
        real, made: (N, C, H, W) and (M, C, H, W) uint8.
    """
    return float(np.abs(real.mean(0, dtype=np.float64) - made.mean(0, dtype=np.float64)).mean())


def diversity(real: np.ndarray, made: np.ndarray) -> float:
    """Return the deviation of made images from their mean in relation to that of real ones: 1 if equal, 0 for copies.

    A generator that has collapsed makes the same few images from any noise. NaN if the real images are all equal.

    Args:
        real, made: (N, C, H, W) and (M, C, H, W) uint8.
    """
    spread = [np.sqrt(images.var(0, dtype=np.float64).mean()) for images in (real, made)]
    return float(spread[1] / spread[0]) if spread[0] > 0 else float("nan")
