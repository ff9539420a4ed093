"""What a translator needs beside its weights, as JSON values; and fitting images of any size to it. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np

from dlcli.core.errors import DataError, RunError, UsageError
from dlcli.data.labels import read_labels
from dlcli.models.generative.directions import DIRECTIONS

LEAST_SIDE_PX = 32
"""Smaller images are filled up to this: an instance norm needs some pixels after two halvings."""

MAX_PIXELS = 2**22
"""Of a translated image: 2048 x 2048. Each map of 64 channels at full size takes 1 GiB then."""

MAX_STRIDE, MAX_SIZE = 256, 1024

EXPORTED = "exported"
"""The asset that only an exported file has: the direction of its graph."""

DAMAGED = "what came with the model is damaged"


@dataclass(frozen=True)
class StyleAssets:
    """The assets of a run.

    Attributes:
        domains: the names of A and B.
        directions: those that the run has a generator for.
        size: side of the training images in pixels.
        stride: what sides of images must be multiples of.
        exported: the direction of an exported graph; None for a run.
    """

    domains: tuple[str, str]
    directions: tuple[str, ...]
    size: int
    stride: int
    exported: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the assets of a run by name."""
        return {
            "domains": list(self.domains),
            "directions": list(self.directions),
            "preprocess": {
                "channels": 3,
                "size": self.size,
                "stride": self.stride,
                "resize": "none; mirrored at the lower and right edges up to a multiple of the stride",
                "normalise": "inside the network",
            },
        }

    @classmethod
    def from_json(cls, assets: Mapping[str, Any]) -> Self:
        """Return the assets stored with a run or an export.

        Raises:
            RunError: one is missing or damaged.
        """
        domains = read_labels(assets.get("domains"))
        directions, preprocess, exported = (assets.get(name) for name in ("directions", "preprocess", EXPORTED))
        if len(domains) != 2:
            raise RunError(f"{DAMAGED}: not two domains")
        if not isinstance(directions, list) or not directions or not all(each in DIRECTIONS for each in directions):
            raise RunError(f"{DAMAGED}: no directions")
        size, stride = (_number(preprocess, name, most) for name, most in (("size", MAX_SIZE), ("stride", MAX_STRIDE)))
        direction = exported.get("direction") if isinstance(exported, Mapping) else None
        if direction is not None and direction not in directions:
            raise RunError(f"{DAMAGED}: no direction of the exported graph")
        return cls((domains[0], domains[1]), tuple(directions), size, stride, direction)

    def choose(self, wanted: str | None) -> str:
        """Return the direction to translate in, by default the first.

        Raises:
            UsageError: the run or the exported file does not translate that way.
        """
        if self.exported is not None:
            if wanted not in (None, self.exported):
                hint = f"`dl export RUN --direction {wanted}`" if wanted in self.directions else "leave it out"
                raise UsageError(f"--direction {wanted}: the file was exported for {self.exported}", hint=hint)
            return self.exported
        if wanted is not None and wanted not in self.directions:
            only = self.directions[0]
            raise UsageError(
                f"--direction {wanted}: the run translates {only} only", hint=f"train with --learn {wanted}"
            )
        return wanted or self.directions[0]

    def opposite(self, direction: str) -> str | None:
        """Return the other direction of the run; None if it has only one."""
        return next((other for other in self.directions if other != direction), None)

    def domain(self, direction: str, *, is_source: bool) -> int:
        """Return the domain, 0 or 1, from which or into which a direction translates."""
        first = 0 if direction == DIRECTIONS[0] else 1
        return first if is_source else 1 - first

    def names(self, direction: str) -> tuple[str, str]:
        """Return the names of the domains from which and into which a direction translates."""
        source, target = (self.domains[self.domain(direction, is_source=is_source)] for is_source in (True, False))
        return source, target


def _number(preprocess: Any, name: str, most: int) -> int:
    value = preprocess.get(name) if isinstance(preprocess, Mapping) else None
    if not isinstance(value, int) or not 1 <= value <= most:
        raise RunError(f"{DAMAGED}: no valid {name} in the preprocessing")
    return value


def resized(image: np.ndarray, side: int | None) -> np.ndarray:
    """Return an image, (H, W, 3) uint8, with its shorter side scaled to `side` pixels; None leaves it as it is.

    Raises:
        DataError: the result would have more than `MAX_PIXELS` pixels.
    """
    height, width = image.shape[:2]
    wanted = (height, width)
    if side is not None:
        factor = side / min(wanted)
        wanted = (max(1, round(height * factor)), max(1, round(width * factor)))
    if wanted[0] * wanted[1] > MAX_PIXELS:
        raise DataError(
            f"{wanted[1]} x {wanted[0]} pixels, and at most {MAX_PIXELS:,} can be translated; "
            "use --size N with a smaller N for the shorter side"
        )
    return to_size(image, wanted)


def to_size(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an image, (H, W, 3) uint8, at a height and width; shrinking averages areas, enlarging is bicubic."""
    if image.shape[:2] == size:
        return image
    is_smaller = size[0] * size[1] < image.shape[0] * image.shape[1]
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if is_smaller else cv2.INTER_CUBIC)


def on_canvas(image: np.ndarray, stride: int) -> np.ndarray:
    """Return an image, (H, W, 3), mirrored at its lower and right edges up to multiples of the stride."""
    missing = [-(-max(length, LEAST_SIDE_PX) // stride) * stride - length for length in image.shape[:2]]
    return np.pad(image, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
