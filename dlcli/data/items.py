"""Items of a part of the data: as people see them (an image, a text, a row of a table), and as vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Item:
    """An item as people see it.

    Attributes:
        name: the image's file, or the number of the text or row in its part.
        label: its class, its classes with commas between them, or the number to predict, as text.
        picture: (H, W, C) uint8 with one channel or RGB; None if it is no image.
        fields: what it says, JSON values by name: `text`, or the cells of a row.
    """

    name: str
    label: str
    picture: np.ndarray | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Embedded:
    """N items as vectors.

    Attributes:
        vectors: (N, D) float32 of length 1, or zero everywhere.
        rows: (N,) int64, the items' numbers in their split, ascending; those of unreadable items are missing.
        labels: (N, ...), the `labels` or `targets` of the loader's batches; None without any.
    """

    vectors: np.ndarray
    rows: np.ndarray
    labels: np.ndarray | None

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.vectors)
