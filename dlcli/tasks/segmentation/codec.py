"""Image files to canvases and label maps to records, shared by runs and their exports. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.annotated.fitting import Fit
from dlcli.data.annotated.label_maps import label_map_in_image
from dlcli.data.annotated.masks import from_pixels, to_pixels
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.data.codec import Answer, Arrays, Batches, Encoded, Source, by_shape
from dlcli.data.images.sources import ImageValues, image_sources, read_pixels
from dlcli.data.images.whole import encode_whole, one_by_one, takes_whole_images
from dlcli.data.labels import read_labels

LABEL_MAP = "label_map"
"""The output: (N, H, W) uint8, 0 for the background, k + 1 for class k, in pixels of the canvas."""


class SegmentationCodec:
    """See `dlcli.data.codec.Codec`. The value of a source is the path of an image file, its bytes, or a frame."""

    fields = ("label", "share")
    listed = "classes"

    def __init__(self, assets: Mapping[str, Any], inference: None = None) -> None:
        del inference
        self.labels = read_labels(assets.get("labels"))
        self.preprocess = CanvasPreprocess.from_json(assets.get("preprocess"))
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
            return encode_whole(source, image, context={"fit": Fit.of_whole(image)})
        canvas, fit = self.preprocess.fit(image)
        return Encoded(source, {"images": np.ascontiguousarray(canvas.transpose(2, 0, 1))}, context={"fit": fit})

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Return a batch for each size of canvas."""
        return one_by_one(items) if self._takes_whole else by_shape(items)

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return the share of each class that an image shows, the largest first, and its run-length mask."""
        answers = []
        for canvas, item in zip(outputs[LABEL_MAP], items, strict=True):
            label_map = label_map_in_image(canvas, item.context["fit"])
            counts = np.bincount(label_map.ravel(), minlength=len(self.labels) + 1)
            shown = sorted(np.flatnonzero(counts[1 : len(self.labels) + 1]).tolist(), key=lambda k: (-counts[k + 1], k))
            classes = [
                {
                    "label": self.labels[k],
                    "share": round(float(counts[k + 1] / label_map.size), 6),
                    "mask": from_pixels(label_map == k + 1),
                }
                for k in shown
            ]
            height, width = label_map.shape
            background = round(float(counts[0] / label_map.size), 6)
            answers.append(Answer({"width": width, "height": height, "background": background, "classes": classes}))
        return answers

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return the image under the colours of its classes, with their shares below, (H, W, 3) uint8."""
        from dlcli.visualize.canvas import annotate
        from dlcli.visualize.masks import draw_label_map

        image = read_pixels(source)
        label_map = np.zeros(image.shape[:2], np.uint8)
        for entry in answer.record["classes"]:
            mask = to_pixels(entry["mask"], image.shape[0], image.shape[1])
            label_map[mask > 0] = self.labels.index(entry["label"]) + 1
        lines = [f"{entry['label']} {entry['share']:.1%}" for entry in answer.record["classes"]]
        return annotate(draw_label_map(image, label_map), lines or ["background"])
