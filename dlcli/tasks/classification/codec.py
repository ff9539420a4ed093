"""Image files to arrays and logits to labels, without torch: shared by a run and by what is exported from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError, RunError
from dlcli.data.codec import Arrays, Encoded, Record
from dlcli.data.images.decoding import read_image, resize_image
from dlcli.data.inputs import expand_files
from dlcli.data.labels import label_records, read_labels


@dataclass(frozen=True)
class Preprocess:
    """How an image becomes the network's input.

    Attributes:
        channels: 1 or 3.
        height, width: of the input; an image of another size is resized by its shorter side and cropped at the centre.
        mean, std: per channel in [0, 1]; applied inside the network.
    """

    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that a run keeps."""
        return {
            "channels": self.channels,
            "size": [self.height, self.width],
            "resize": "shorter side, then centre crop",
            "mean": list(self.mean),
            "std": list(self.std),
            "normalise": "inside the network",
        }

    @classmethod
    def from_json(cls, value: Any) -> Preprocess:
        """Return what a run kept.

        Raises:
            RunError: a field is missing or out of range.
        """
        try:
            height, width = (int(side) for side in value["size"])
            result = cls(
                int(value["channels"]), height, width, tuple(map(float, value["mean"])), tuple(map(float, value["std"]))
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"the preprocessing that came with the model is damaged: {error}") from None
        sides_fit = 1 <= height <= 8192 and 1 <= width <= 8192
        is_each = len(result.mean) == len(result.std) == result.channels
        are_numbers = all(map(math.isfinite, (*result.mean, *result.std))) and min(result.std, default=0) > 0
        if result.channels not in (1, 3) or not (sides_fit and is_each and are_numbers):
            raise RunError("the preprocessing that came with the model is damaged: impossible values")
        return result

    def fit(self, image: np.ndarray) -> np.ndarray:
        """Return the (H, W, C) image at the network's size."""
        if image.shape[:2] == (self.height, self.width):
            return image
        side = max(self.height, self.width)
        top, left = (side - self.height) // 2, (side - self.width) // 2
        return resize_image(image, side)[top : top + self.height, left : left + self.width]


class ImageCodec:
    """See `dlcli.data.codec.Codec`."""

    fields = ("label", "probability")

    def __init__(self, assets: Mapping[str, Any]) -> None:
        self.labels = read_labels(assets.get("labels"))
        self.preprocess = Preprocess.from_json(assets.get("preprocess"))

    def expand(self, inputs: Iterable[str]) -> Iterator[str]:
        """Yield image files: folders searched, globs opened."""
        return expand_files(inputs)

    def encode(self, source: str) -> Encoded:
        """Read one image file."""
        try:
            image = read_image(Path(source), channels=self.preprocess.channels)
        except DataError as error:
            return Encoded(source, None, error.message)
        pixels = np.ascontiguousarray(self.preprocess.fit(image).transpose(2, 0, 1))
        return Encoded(source, {"images": pixels})

    def decode(self, outputs: Arrays, top_k: int) -> list[Record]:
        """Return label and probability, and the `top_k` best of both; by the logits over views where there are any."""
        return label_records(self.labels, outputs.get("tta_logits", outputs["logits"]), top_k)

    def draw(self, source: str, record: Record) -> np.ndarray:
        """Return the picture with its labels under it."""
        from dlcli.visualize.canvas import annotate

        lines = [f"{entry['label']} {entry['probability']:.1%}" for entry in record["top"]]
        return annotate(read_image(Path(source), channels=3), lines)
