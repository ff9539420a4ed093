"""Texts to numbers and numbers to records, without torch: a run and an exported file share it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from dlcli.data.codec import Arrays, Encoded, Record


class ToyCodec:
    """See `dlcli.data.codec.Codec`."""

    fields = ("value",)

    def __init__(self, assets: Mapping[str, Any]) -> None:
        del assets  # a task with labels, a vocabulary or a scale reads them here, and trusts none of it

    def expand(self, inputs: Iterable[str]) -> Iterator[str]:
        """Yield the inputs: each argument is one."""
        return iter(inputs)

    def encode(self, source: str) -> Encoded:
        """Read "a,b"."""
        try:
            first, second = (float(part) for part in source.split(","))
        except ValueError:
            return Encoded(source, None, f"{source}: not two numbers with a comma between them")
        return Encoded(source, {"pairs": np.array([first, second], dtype=np.float32)})

    def decode(self, outputs: Arrays, top_k: int) -> list[Record]:
        """Return the third number."""
        del top_k
        return [{"value": round(float(value), 6)} for value in outputs["values"][:, 0]]

    def draw(self, source: str, record: Record) -> np.ndarray:
        """Return a picture of the answer."""
        from dlcli.visualize.canvas import annotate

        return annotate(np.full((64, 160, 3), 255, dtype=np.uint8), [source, f"{record['value']:.3f}"])
