"""Image files to arrays and logits to labels, shared by runs and their exports. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.codec import Answer, Arrays, Batches, Encoded, Source, by_shape
from dlcli.data.images.preprocess import Preprocess
from dlcli.data.images.sources import ImageValues, image_sources, read_pixels
from dlcli.data.images.whole import encode_whole, one_by_one, takes_whole_images
from dlcli.data.labels import label_records, read_labels
from dlcli.tasks.classification.config import ClassificationInference

VIEWS = "tta_logits"
"""The output that holds the mean of the logits over views."""


class ImageCodec:
    """See `dlcli.data.codec.Codec`. The value of a source is the path of an image file, or its bytes."""

    fields = ("label", "probability")
    listed = "top"

    def __init__(self, assets: Mapping[str, Any], inference: ClassificationInference | None = None) -> None:
        self.labels = read_labels(assets.get("labels"))
        self.preprocess = Preprocess.from_json(assets.get("preprocess"))
        self.inference = inference or ClassificationInference()
        self.needs = {"tta": VIEWS} if self.inference.tta else {}
        self.skipped: list[str] = []
        self.values = ImageValues()
        self._takes_whole = takes_whole_images(assets)

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Return the image files of the inputs; see `image_sources`."""
        return image_sources(inputs, self.skipped)

    def encode(self, source: Source) -> Encoded:
        """Return one image as `images`, (C, H, W) uint8, or the reason why it cannot be read."""
        try:
            image = read_pixels(source, self.preprocess.channels)
        except DataError as error:
            return Encoded(source, None, error.message)
        if self._takes_whole:
            return encode_whole(source, image)
        pixels = np.ascontiguousarray(self.preprocess.fit(image).transpose(2, 0, 1))
        return Encoded(source, {"images": pixels})

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Return a single batch: all images have one size."""
        return one_by_one(items) if self._takes_whole else by_shape(items)

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return label, probability and the top k of each item; with --tta from the mean of the logits over views."""
        del items
        logits = outputs[VIEWS if self.inference.tta else "logits"]
        return [Answer(record) for record in label_records(self.labels, logits, self.inference.top_k)]

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return the image with its labels below it, (H, W, 3) uint8."""
        from dlcli.visualize.canvas import annotate

        lines = [f"{entry['label']} {entry['probability']:.1%}" for entry in answer.record["top"]]
        return annotate(read_pixels(source, 3), lines)
