"""Texts as a collection of items to be compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlcli.data.collection import Collection, numbered
from dlcli.data.items import Item
from dlcli.data.text.form import open_texts
from dlcli.data.text.near_duplicates import similar_texts


def collect_texts(folder: Path) -> Collection:
    """Return the texts of a prepared dataset; see `FormSpec.collection`.

    Raises:
        DataError: the folder holds no prepared texts, or does not match its card.
    """
    form = open_texts(folder)
    splits = form.splits()
    sizes = [len(form.labels(split)) for split in splits]
    split_of, starts = numbered(splits, sizes), np.cumsum([0, *sizes])
    labels = np.concatenate([form.labels(split) for split in splits])

    def item(number: int) -> Item:
        place = int(split_of[number])
        split, row = splits[place], number - int(starts[place])
        [text] = form.texts(split, [row])
        label = form.card.classes[int(labels[number])] if form.card.classes else ""
        return Item(f"{split} {row + 1}", label, fields={"text": text})

    def texts() -> list[str]:
        return [text for split, size in zip(splits, sizes, strict=True) for text in form.texts(split, range(size))]

    return Collection(splits, split_of, labels, item, lambda: similar_texts(texts()))
