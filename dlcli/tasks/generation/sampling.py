"""What is drawn: the shape of the noise and of the images, and the noise of a seed. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from dlcli.core.errors import RunError

MAX_LATENT, MAX_SIZE = 4096, 128


@dataclass(frozen=True)
class Sampling:
    """The shapes of a generator.

    Attributes:
        latent: numbers of noise for an image.
        channels: of an image, 1 or 3.
        size: the side of an image in pixels.
    """

    latent: int
    channels: int
    size: int

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that is stored in a run."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Return the shapes stored as JSON in a run.

        Raises:
            RunError: a field is missing or out of range.
        """
        names = ("latent", "channels", "size")
        if not isinstance(value, dict) or not all(type(value.get(name)) is int for name in names):
            raise RunError("the shapes that came with the model are damaged")
        found = cls(*(value[name] for name in names))
        is_sound = 1 <= found.latent <= MAX_LATENT and found.channels in (1, 3) and 1 <= found.size <= MAX_SIZE
        if not is_sound:
            raise RunError("the shapes that came with the model are damaged: invalid values")
        return found


def draw_noise(seed: int, numbers: Sequence[int], latent: int) -> np.ndarray:
    """Return the normal noise of numbered draws, (N, latent) float32, each a function of (seed, number)."""
    rows = [np.random.default_rng([seed, number]).standard_normal(latent, dtype=np.float32) for number in numbers]
    return np.stack(rows) if rows else np.zeros((0, latent), np.float32)


def spread(values: np.ndarray, count: int) -> np.ndarray:
    """Return up to `count` of the values, evenly spaced: splits are sorted by class."""
    if len(values) <= count:
        return values
    return np.asarray(values[np.linspace(0, len(values) - 1, count).astype(int)])
