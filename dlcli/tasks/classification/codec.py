"""Image files to arrays and logits to labels, without torch: shared by a run and by what is exported from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.codec import Arrays, Encoded, Record
from dlcli.data.images.decoding import read_image
from dlcli.data.images.preprocess import Preprocess
from dlcli.data.inputs import expand_files
from dlcli.data.labels import label_records, read_labels


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
