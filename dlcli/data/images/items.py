"""What every loader of image files shares: the error about unreadable ones, quiet workers, and the axes of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcli.data.images.muffling import muffle_worker
from dlcli.data.loading import Batch, ItemLoader, Read
from dlcli.data.order import Order

PREPARE_AGAIN = "repair or remove them, or prepare the data again"
LIST_THEM = "repair or remove them; `dl prepare image-folder SOURCE` lists them"


def image_loader(
    order: Order,
    read: Read,
    collate: Callable[[list[Any]], Batch],
    *,
    workers: int,
    max_bad: int,
    on_bad: Callable[[str], None],
    hint: str = PREPARE_AGAIN,
) -> ItemLoader:
    """Return an `ItemLoader` whose items are images; decoders write nothing to its workers' stderr."""
    return ItemLoader(
        order,
        read,
        collate,
        workers=workers,
        max_bad=max_bad,
        on_bad=on_bad,
        noun="images",
        hint=hint,
        start_worker=muffle_worker,
    )


def stack_images(images: Sequence[np.ndarray]) -> Tensor:
    """Return images of one size, (H, W, C) each, as a batch, (N, C, H, W); the channels stay last in memory."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
