"""Seeded noise to generated images, shared by runs and their exports. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.data.codec import Answer, Arrays, Batches, Encoded, Source, by_shape
from dlcli.data.labels import read_labels
from dlcli.tasks.generation.config import GenerationInference
from dlcli.tasks.generation.sampling import Sampling, draw_noise

GENERATED = "generated"
"""The output: (N, C, H, W) uint8."""


@dataclass(frozen=True)
class Draw:
    """One image to make: the seed and the number of its noise, and its class, -1 for none."""

    seed: int
    number: int
    label: int = -1


class NoiseCodec:
    """See `dlcli.data.codec.Codec`. The value of a source is a `Draw`.

    Raises:
        UsageError: a class is requested that the run does not know, or of a run that knows none.
    """

    fields: tuple[str, ...] = ("seed", "number")
    listed = None

    def __init__(self, assets: Mapping[str, Any], inference: GenerationInference | None = None) -> None:
        self.sampling = Sampling.from_json(assets.get("sampling"))
        self.labels = read_labels(assets["labels"]) if "labels" in assets else ()
        self.inference = inference or GenerationInference()
        self._label = requested_class(self.inference.label, self.labels)
        if self.labels:
            self.fields = (*self.fields, "class")

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield the draws.

        Raises:
            UsageError: there is an input.
        """
        for name in inputs:
            raise UsageError(
                f"{name}: this run makes images from noise and reads no input", hint="give --count and --seed instead"
            )
        seed, count = self.inference.seed, self.inference.count
        digits = len(str(count - 1))
        for number in range(count):
            label = -1
            if self.labels:
                label = number % len(self.labels) if self._label is None else self._label
            yield Source(f"{seed}-{number:0{digits}}", Draw(seed, number, label))

    def encode(self, source: Source) -> Encoded:
        """Return the noise of a draw, (latent,) float32, and its class."""
        draw: Draw = source.value
        arrays = {"noise": draw_noise(draw.seed, [draw.number], self.sampling.latent)[0]}
        if self.labels:
            arrays["classes"] = np.array(draw.label, np.int64)
        return Encoded(source, arrays)

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Return a single batch."""
        return by_shape(items)

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return the images, with the draws that made them."""
        answers = []
        for image, item in zip(outputs[GENERATED], items, strict=True):
            draw: Draw = item.source.value
            record: dict[str, Any] = {"seed": draw.seed, "number": draw.number}
            if self.labels:
                record["class"] = self.labels[draw.label]
            answers.append(Answer(record, as_picture(image)))
        return answers

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return the generated image: there is no input to draw it on."""
        del source
        assert answer.picture is not None
        return answer.picture


def requested_class(name: str | None, labels: Sequence[str]) -> int | None:
    """Return the index of a requested class, None for none.

    Raises:
        UsageError: there is no such class, or the run knows none.
    """
    if name is None:
        return None
    if not labels:
        raise UsageError(
            "--class: this run makes images of no particular class", hint="leave it out, or train with --conditional"
        )
    if name not in labels:
        raise UsageError(f"--class: no class {name!r}", hint=did_you_mean(name, labels))
    return list(labels).index(name)


def as_picture(image: np.ndarray) -> np.ndarray:
    """Return (C, H, W) uint8 as (H, W, 3) uint8; grey is repeated."""
    rows = image.transpose(1, 2, 0)
    return np.ascontiguousarray(np.broadcast_to(rows, (*rows.shape[:2], 3)))
