"""Texts to numbers and numbers to records, without torch: a run and an exported file share it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.data.codec import Answer, Arrays, Batches, Encoded, Source, by_shape


class ToyCodec:
    """See `dlcli.data.codec.Codec`. The value of a source is its text, "a,b"."""

    fields = ("value",)
    listed = None

    def __init__(self, assets: Mapping[str, Any], inference: None = None) -> None:
        # A task with labels, a vocabulary or a scale reads them here, and trusts none of it.
        del assets, inference

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield the inputs: each argument is one."""
        return (Source(text, text) for text in inputs)

    def encode(self, source: Source) -> Encoded:
        """Read "a,b"."""
        try:
            first, second = (float(part) for part in source.value.split(","))
        except ValueError:
            return Encoded(source, None, f"{source.name}: not two numbers with a comma between them")
        return Encoded(source, {"pairs": np.array([first, second], dtype=np.float32)})

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Yield one batch: all pairs have one shape."""
        return by_shape(items)

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return the third number."""
        del items
        return [Answer({"value": round(float(value), 6)}) for value in outputs["values"][:, 0]]

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return a picture of the answer."""
        from dlcli.visualize.canvas import annotate

        blank = np.full((64, 160, 3), 255, dtype=np.uint8)
        return annotate(blank, [source.name, f"{answer.record['value']:.3f}"])
