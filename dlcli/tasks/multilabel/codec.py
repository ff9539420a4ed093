"""Image files to arrays and logits to labels, shared by runs and their exports. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.data.codec import Answer, Arrays, Batches, Encoded, Source, by_shape
from dlcli.data.images.sources import ImageValues, image_sources, read_pixels
from dlcli.data.images.whole import encode_whole, one_by_one, takes_whole_images
from dlcli.data.labels import read_labels
from dlcli.tasks.multilabel.config import MultilabelInference

THRESHOLDS = "thresholds"
"""The output that holds the least probability of each class, (N, C)."""


class MultilabelCodec:
    """See `dlcli.data.codec.Codec`. The value of a source is the path of an image file, its bytes, or a frame."""

    fields = ("label", "probability", "is_present")
    listed = "top"

    def __init__(self, assets: Mapping[str, Any], inference: MultilabelInference | None = None) -> None:
        self.labels = read_labels(assets.get("labels"))
        self.preprocess = CanvasPreprocess.from_json(assets.get("preprocess"))
        self.inference = inference or MultilabelInference()
        self.skipped: list[str] = []
        self.values = ImageValues()
        self._takes_whole = takes_whole_images(assets)

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Return the image files of the inputs; see `image_sources`."""
        return image_sources(inputs, self.skipped)

    def encode(self, source: Source) -> Encoded:
        """Return one image as `images`, (3, H, W) uint8 of its canvas, or the reason why it cannot be read."""
        try:
            image = read_pixels(source)
        except DataError as error:
            return Encoded(source, None, error.message)
        if self._takes_whole:
            return encode_whole(source, image)
        canvas, _ = self.preprocess.fit(image)
        return Encoded(source, {"images": np.ascontiguousarray(canvas.transpose(2, 0, 1))})

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Return a single batch: all images have one size."""
        return one_by_one(items) if self._takes_whole else by_shape(items)

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return the labels of each image, most probable first, and its most probable classes."""
        del items
        probabilities = probabilities_of(outputs["logits"])
        own = self.inference.threshold
        is_present = probabilities >= (outputs[THRESHOLDS].astype(np.float64) if own is None else own)
        answers = []
        for row, present in zip(probabilities, is_present, strict=True):
            order = np.argsort(-row, kind="stable").tolist()
            top = [
                {"label": self.labels[k], "probability": round(float(row[k]), 6), "is_present": bool(present[k])}
                for k in order[: self.inference.top_k]
            ]
            answers.append(Answer({"labels": [self.labels[k] for k in order if present[k]], "top": top}))
        return answers

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return the image with its labels below it, (H, W, 3) uint8."""
        from dlcli.visualize.canvas import annotate

        known = {entry["label"]: f" {entry['probability']:.1%}" for entry in answer.record["top"]}
        lines = [f"{label}{known.get(label, '')}" for label in answer.record["labels"]]
        return annotate(read_pixels(source), lines or ["none of the classes"])


def probabilities_of(logits: np.ndarray) -> np.ndarray:
    """Return the sigmoid of logits, float64."""
    with np.errstate(over="ignore"):  # exp overflows to infinity, which gives the right limit of 0
        return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))))
