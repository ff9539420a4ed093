"""Images by class as a collection of items to be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from dlcli.data.collection import Collection, Pairs, numbered
from dlcli.data.images.decoding import read_image
from dlcli.data.images.form import ImagesForm, open_images
from dlcli.data.images.look_alikes import MAX_IMAGES, refuse_too_many, similar_files, similar_images, to_side
from dlcli.data.items import Item

_BLOCK = 2048


def collect_images(folder: Path) -> Collection:
    """Return the images of a prepared dataset, or of a user's own folder, by class; see `FormSpec.collection`.

    Raises:
        DataError: the folder holds no images by class, or does not fit its card.
    """
    form = open_images(folder)
    splits = form.splits()
    files = [file for split in splits for file in form.files(split)]
    labels = np.concatenate([form.labels(split) for split in splits])
    return image_collection(
        form.root,
        splits,
        [form.card.num_items(split) for split in splits],
        files,
        [form.card.classes[label] for label in labels.tolist()],
        labels,
        lambda: _near_duplicates(form, files),
    )


def image_collection(
    root: Path,
    splits: Sequence[str],
    sizes: Sequence[int],
    files: Sequence[Path],
    names: Sequence[str],
    labels: np.ndarray,
    near_duplicates: Callable[[], Pairs] | None = None,
) -> Collection:
    """Return N image files as a collection.

    Args:
        root: the data's folder.
        splits: the names of the splits.
        sizes: the number of images of each split.
        files: the N files, split by split.
        names: the N labels as text.
        labels: (N,) the labels as integers.
        near_duplicates: finds the near-duplicates; None to compare the files.
    """
    return Collection(
        tuple(splits),
        numbered(splits, sizes),
        labels,
        lambda number: Item(str(files[number].relative_to(root)), names[number]),
        near_duplicates or (lambda: similar_files(files)),
        lambda number: read_image(files[number], channels=3),
    )


def _near_duplicates(form: ImagesForm, files: Sequence[Path]) -> Pairs:
    """Return the near-duplicates among images, which are read from the packed copy if there is one."""
    parts = [part for split in form.splits() if (packed := form.packed(split)) is not None for part in packed.parts]
    if sum(map(len, parts)) < len(files):
        return similar_files(files)
    refuse_too_many(len(files), MAX_IMAGES)
    return similar_images(_blocks(parts))


def _blocks(parts: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield (n, SIDE, SIDE, 3) uint8 blocks of packed images, (N, H, W, C)."""
    for part in parts:
        for start in range(0, len(part), _BLOCK):
            yield np.stack([to_side(image) for image in part[start : start + _BLOCK]])
