"""Seeded noise to generated images, shared by runs and their exports. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcli.core.config import MAX_SEED
from dlcli.core.errors import DataError, UsageError, did_you_mean
from dlcli.data.codec import DRAW, Answer, Arrays, Batches, Encoded, Source, by_shape
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


class DrawValues:
    """Draws from a program; see `dlcli.data.codec.Values`.

    Args:
        labels: the classes that the run knows; none if it knows none.
    """

    kind = DRAW

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = tuple(labels)

    def schema(self) -> dict[str, Any]:
        """Return the schema of a draw: an object with the seed and the number of its noise, and perhaps its class."""
        number = {"type": "integer", "minimum": 0, "maximum": MAX_SEED, "default": 0}
        properties: dict[str, Any] = {"seed": number, "number": number}
        if self._labels:
            properties["class"] = {"enum": list(self._labels), "default": self._labels[0]}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    def source(self, name: str, value: Any) -> Source:
        """Return a draw as a source."""
        known = {"seed", "number", *(["class"] if self._labels else [])}
        if not isinstance(value, Mapping) or not set(value) <= known:
            return Source(name, DataError(f"not an object with {', '.join(sorted(known))}"))
        seed, number = value.get("seed", 0), value.get("number", 0)
        if any(type(each) is not int or not 0 <= each <= MAX_SEED for each in (seed, number)):
            return Source(name, DataError(f"seed and number are whole numbers from 0 to {MAX_SEED}"))
        label = value.get("class", self._labels[0] if self._labels else None)
        if label not in self._labels and self._labels:
            return Source(name, DataError("no such class"))
        return Source(f"{seed}-{number}", Draw(seed, number, self._labels.index(label) if self._labels else -1))

    def sources_of_file(self, name: str, data: bytes, most: int | None = None) -> list[Source]:
        """Return a fault: no file holds a draw."""
        del data, most
        return [Source(name, DataError("images are made from noise, not from files"))]


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
        self.values = DrawValues(self.labels)
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
        if isinstance(source.value, DataError):
            return Encoded(source, None, source.value.message)
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
