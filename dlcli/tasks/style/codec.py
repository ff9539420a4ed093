"""Image files to pixels and translated pixels to pictures, shared by runs and their exports. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.core.errors import DataError, UsageError
from dlcli.data.codec import Answer, Arrays, Batches, Encoded, Source, by_shape
from dlcli.data.images.sources import ImageValues, image_sources, read_pixels
from dlcli.tasks.style.config import StyleInference
from dlcli.tasks.style.preprocess import StyleAssets, on_canvas, resized, to_size

TRANSLATED = "translated"
"""The output: (N, 3, H, W) uint8."""

MAX_BATCH_PIXELS = 2**20
"""Of the images of a batch, unless a single one has more: a generator's maps take a kilobyte for each pixel."""


class StyleCodec:
    """See `dlcli.data.codec.Codec`. The value of a source is the path of an image file, its bytes, or a frame."""

    fields = ("width", "height", "direction", "size")
    listed = None

    def __init__(self, assets: Mapping[str, Any], inference: StyleInference | None = None) -> None:
        self.assets = StyleAssets.from_json(assets)
        self.inference = inference or StyleInference()
        self.direction = self.assets.choose(self.inference.direction)
        if self.inference.dropout is not None and self.assets.exported is not None:
            raise UsageError("--dropout: an exported file has none", hint="predict with the run")
        self.frame_step = self.inference.frame_step
        self.skipped: list[str] = []
        self.values = ImageValues()

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Return the image files of the inputs and the frames of films; see `image_sources`."""
        return image_sources(inputs, self.skipped, frame_step=self.frame_step)

    def encode(self, source: Source) -> Encoded:
        """Return one image as `images`, (3, H, W) uint8 with sides that the network takes, or why there is none."""
        try:
            image = read_pixels(source)
            scaled = resized(image, self.inference.size)
        except DataError as error:
            return Encoded(source, None, error.message)
        kept = {} if source.time is None else {"time_s": source.time}
        canvas = on_canvas(scaled, self.assets.stride).transpose(2, 0, 1)
        context = {"size": image.shape[:2], "inner": scaled.shape[:2]}
        return Encoded(source, {"images": np.ascontiguousarray(canvas)}, kept=kept, context=context)

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Yield batches of images of one size, of up to `MAX_BATCH_PIXELS` pixels."""
        for indices, arrays in by_shape(items):
            images = arrays["images"]
            most = max(1, MAX_BATCH_PIXELS // (images.shape[2] * images.shape[3]))
            for start in range(0, len(images), most):
                yield indices[start : start + most], {"images": images[start : start + most]}

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return the translated pictures at the sizes of their inputs; `size` is the shorter side in the network."""
        answers = []
        for canvas, item in zip(outputs[TRANSLATED], items, strict=True):
            height, width = item.context["inner"]
            picture = to_size(np.ascontiguousarray(canvas[:, :height, :width].transpose(1, 2, 0)), item.context["size"])
            at = {"direction": self.direction, "size": min(height, width)}
            answers.append(Answer({"width": picture.shape[1], "height": picture.shape[0], **at}, picture))
        return answers

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return the input and its translation side by side, (H, W, 3) uint8."""
        from dlcli.visualize.canvas import stack

        image = read_pixels(source)
        return stack([image, answer.picture] if answer.picture is not None else [image], is_row=True)
