"""Reading the form "images by class": `train/<class>/*`, `test/<class>/*`, as torchvision's ImageFolder reads it.

Works on a prepared dataset and on a user's own folder without a card: with split folders, or with plain class folders,
which are then the training split. Nothing is written to a folder without a card.

If a prepared folder and its card differ: classes with fewer or more files are recounted, with a warning on the card in
memory (people remove bad pictures); a class folder that is not on the card, or a missing split, is an error, because
labels would shift.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

import numpy as np

from dlcli.core.errors import DataError
from dlcli.core.registry import how_to_prepare
from dlcli.core.wording import printable
from dlcli.data.card import CARD_NAME, SPLIT_FOLDERS, Card, card_of, require_form
from dlcli.data.images import packed, shards
from dlcli.data.images.decoding import decode_image, read_bytes, read_header, read_image, resize_image
from dlcli.data.images.folders import Layout, class_folders, find_layout, has_images, image_names
from dlcli.data.images.muffling import muffled
from dlcli.data.images.packed import PackedSplit
from dlcli.data.images.pixels import PixelStatistics
from dlcli.data.importing.names import check_folder_names
from dlcli.data.walking import skipped_note

_SAMPLE = 200  # training images sampled from a folder without a card
_SAMPLE_SIZE_PX = 64
_MAX_IN_MEMORY = 2 * 2**30


@dataclass(frozen=True)
class ImagesForm:
    """A folder of images by class.

    Attributes:
        root: the folder.
        card: its card; made in memory if the folder has none.
        folders: split -> the folder of its class folders.
        names: split -> for each class, in the card's order, its sorted file names.
        is_prepared: whether the folder has a card, so that a packed copy may be stored in it.
        unlabelled: split -> its folder, if it has images but no class folders.
    """

    root: Path
    card: Card
    folders: Mapping[str, Path]
    names: Mapping[str, tuple[tuple[str, ...], ...]]
    is_prepared: bool
    unlabelled: Mapping[str, Path] = field(default_factory=dict)
    _in_memory: dict[str, PackedSplit] = field(default_factory=dict, compare=False, repr=False)

    def splits(self) -> tuple[str, ...]:
        """Return the existing splits among "train", "valid" and "test", in this order."""
        return tuple(self.folders)

    def files(self, split: str) -> list[Path]:
        """Return the image files of a split, sorted by class index, then by name.

        Raises:
            DataError: there is no such split.
        """
        folder = self._folder(split)
        pairs = zip(self.card.classes, self.names[split], strict=True)
        return [folder / class_name / name for class_name, names in pairs for name in names]

    def labels(self, split: str) -> np.ndarray:
        """Return the class index of each file of `files(split)`, (N,) int64.

        Raises:
            DataError: there is no such split.
        """
        self._folder(split)
        return packed.labels_of(self.card, split)

    def packed(self, split: str) -> PackedSplit | None:
        """Return the split as arrays, rows as in `files(split)`; None if images are large or differ in size.

        A stale or missing packed copy is rebuilt from the image files: in the folder if it is prepared and writable,
        else in memory. If a folder without a card contains an unreadable image, the result is None too, since loading
        file by file can skip it.

        Raises:
            DataError: there is no such split, or an image of a prepared dataset cannot be read.
        """
        folder = self._folder(split)
        if not packed.is_packable(self.card) or not self.card.num_items(split):
            return None
        if self.is_prepared and (size := shards.size_of(self.card)) is not None:
            try:
                digests = shards.digests_of(self.card, folder, self.names[split], size)
                found = shards.open_shards(
                    self.root, self.card, split, digests, functools.partial(self._decoded, split)
                )
            except OSError:
                found = None
            return found or self._packed_in_memory(split)
        if self.is_prepared:
            try:
                origin = packed.origin_of(self.card, split, folder, self.names[split])
                found = packed.open_split(self.root, self.card, split, origin)
                if found is not None:
                    return found
                shape = self._packed_shape(split)
                packed.write_split(self.root, split, self._decoded(split), shape, self.labels(split))
                packed.seal(self.root, {split: origin})
            except OSError:  # the folder is not writable (shared, read-only, full): the copy is only for speed
                return self._packed_in_memory(split)
            return packed.open_split(self.root, self.card, split, origin) or self._packed_in_memory(split)
        try:
            return self._packed_in_memory(split)
        except DataError:
            return None

    def _packed_in_memory(self, split: str) -> PackedSplit | None:
        shape = self._packed_shape(split)
        if np.prod(shape) > _MAX_IN_MEMORY:
            return None
        if split not in self._in_memory:
            images = np.concatenate(list(self._decoded(split)))
            self._in_memory[split] = PackedSplit((images,), self.labels(split))
        return self._in_memory[split]

    def _packed_shape(self, split: str) -> tuple[int, int, int, int]:
        height, width = self.card.details["image_size"]
        return self.card.num_items(split), height, width, self.card.details["channels"]

    def _decoded(self, split: str, first: int = 0, end: int | None = None) -> Iterator[np.ndarray]:
        """Yield the decoded images from `first` to `end` in order, up to 500 at a time, (n, H, W, C) uint8."""
        shape = self._packed_shape(split)[1:]
        files = self.files(split)[first:end]

        def decode(path: Path) -> np.ndarray:
            image = read_image(path, shape[2])
            if image.shape != shape:
                raise DataError(
                    f"{path}: {image.shape[1]} x {image.shape[0]} pixels, but the card says {shape[1]} x {shape[0]}",
                    hint="repair or remove the file, or prepare the data again",
                )
            return image

        # One thread: for images this small, threads would contend for the GIL (4x the time).
        for start in range(0, len(files), 500):
            with muffled:
                images = np.stack([decode(path) for path in files[start : start + 500]])
            yield images

    def require(self, split: str) -> None:
        """Check that a split can be measured.

        Raises:
            DataError: its images are not sorted by class.
        """
        if split in self.unlabelled:
            raise DataError(
                f"{self.unlabelled[split]}: has images, but no class folders, so nothing to compare answers with",
                details=[f"splits with classes: {', '.join(self.folders)}"],
                hint=f"sort them into folders by class, or run `dl predict RUN {quote(str(self.unlabelled[split]))}`",
            )

    def _folder(self, split: str) -> Path:
        self.require(split)
        if split not in self.folders:
            raise DataError(
                f"{self.root}: has no split {split!r}", hint=f"it has: {', '.join(self.folders) or 'no images'}"
            )
        return self.folders[split]


def open_images(folder: Path) -> ImagesForm:
    """Return the reader of a prepared dataset, or of a user's own folder of images by class.

    Raises:
        DataError: the folder is missing, holds no images by class, or does not match its card.
    """
    card = card_of(folder, "image-folder")
    return _open_own(folder) if card is None else _open_prepared(folder, card)


def _open_prepared(root: Path, card: Card) -> ImagesForm:
    again = f"prepare the data again: {card.command or how_to_prepare(card.name, 'image-folder')}"
    require_form(card, root, "images", "images by class")
    if not _has_details(card):
        raise DataError(f"{root / CARD_NAME}: channels, size, mean or std are invalid", hint=again)
    folders = {split: root / split for split in SPLIT_FOLDERS if split in card.counts}
    names, counts, warnings = {}, {}, []
    for split, folder in folders.items():
        if not folder.is_dir():
            raise DataError(f"{root}: the card names the split {split!r}, but its folder is missing", hint=again)
        unknown = sorted(set(class_folders(folder)) - set(card.classes))
        if unknown:
            raise DataError(f"{folder / unknown[0]}: the card has no class of this name", hint=again)
        names[split] = tuple(tuple(image_names(folder / name)) for name in card.classes)
        counts[split] = {name: len(files) for name, files in zip(card.classes, names[split], strict=True)}
        before, now = card.num_items(split), sum(counts[split].values())
        if any(counts[split][name] != card.counts[split].get(name, 0) for name in card.classes):
            warnings.append(f"{split}: {now:,} images found, {before:,} were prepared; those found are used")
    if not sum(counts.get("train", {}).values()):
        raise DataError(f"{root}: the training split is empty", hint=again)
    recounted = dataclasses.replace(card, counts=counts, warnings=(*card.warnings, *warnings))
    return ImagesForm(root, recounted, folders, names, is_prepared=True)


def _has_details(card: Card) -> bool:
    """Return whether the card's channels, size, mean and std are valid."""
    channels, size = card.details.get("channels"), card.details.get("image_size")
    if channels not in (1, 3):
        return False
    if size is not None and not (
        isinstance(size, list) and len(size) == 2 and all(type(n) is int and n > 0 for n in size)
    ):
        return False
    statistics = [card.details.get(name) for name in ("mean", "std")]
    return all(
        isinstance(values, (list, tuple))
        and len(values) == channels
        and all(isinstance(v, (int, float)) for v in values)
        for values in statistics
    )


def _open_own(root: Path) -> ImagesForm:
    layout = find_layout(root)
    skipped: list[str] = []
    listed = {
        split: {name: image_names(folder / name, skipped) for name in class_folders(folder, skipped)}
        for split, folder in layout.splits.items()
    }
    first, *others = listed
    classes = [name for name, files in listed[first].items() if files]
    if not classes:
        raise no_images(root, layout)
    check_folder_names(sorted({name for found in listed.values() for name in found}), str(root))
    for split in others:
        unknown = [name for name, files in listed[split].items() if files and name not in classes]
        if unknown:
            raise DataError(
                f"{layout.splits[split] / unknown[0]}: {layout.splits[first].name}/ has no class of this name",
                hint=f"rename or remove the folder, or put training images into {layout.splits[first] / unknown[0]}",
            )
    names = {split: tuple(tuple(found.get(name, ())) for name in classes) for split, found in listed.items()}
    counts = {
        split: {name: len(files) for name, files in zip(classes, lists, strict=True)} for split, lists in names.items()
    }
    files = {
        split: [
            layout.splits[split] / name / file for name, found in zip(classes, lists, strict=True) for file in found
        ]
        for split, lists in names.items()
    }
    card = Card(
        "images",
        printable(root.resolve().name),
        tuple(classes),
        counts,
        details=_judge(files[first], [path for part in files.values() for path in part]),
        warnings=(*map(printable, (*layout.notes(), *skipped_note(skipped))),),
    )
    return ImagesForm(root, card, layout.splits, names, is_prepared=False, unlabelled=layout.unlabelled)


def no_images(root: Path, layout: Layout) -> DataError:
    """Return the error for a folder without images by class, which says what there is instead."""
    details = ["looked for: train/<class>/*.png, or <class>/*.png"]
    unsorted = [folder for folder in layout.splits.values() if has_images(folder)]
    if unsorted:
        where = "it" if unsorted[0] == root else f"{unsorted[0].name}/"
        details.append(f"{where} has images, but no class folders")
    return DataError(
        f"{root}: no images by class", details=details, hint="put the images of each class into a separate folder"
    )


def _judge(files: Sequence[Path], everything: Sequence[Path]) -> dict[str, object]:
    """Return channels, size, mean and std of a folder without a card, from a sample of its training images.

    A common size is returned only if all headers agree, which is checked only if images are small enough to pack.
    """
    step = max(1, len(files) // _SAMPLE)
    statistics, sizes, headers = PixelStatistics(), set(), []
    sample = files[::step]
    for path in sample:
        try:
            headers.append(read_header(read_bytes(path)))
        except DataError:
            continue  # the loader counts and names bad files
    channels = 1 if headers and all(header.channels == 1 for header in headers) else 3
    for path in sample:
        try:
            image = decode_image(read_bytes(path), channels=channels)
        except DataError:
            continue
        sizes.add(image.shape[:2])
        is_small = max(image.shape[:2]) <= _SAMPLE_SIZE_PX
        statistics.add(image if is_small else resize_image(image, _SAMPLE_SIZE_PX))
    size = sizes.pop() if len(sizes) == 1 else None
    if size is not None and (max(size) > packed.MAX_SIZE_PX or not _all_have(everything, size)):
        size = None
    mean, std = statistics.result()
    return {"channels": channels, "image_size": list(size) if size else None, "mean": mean, "std": std}


def _all_have(files: Sequence[Path], size: tuple[int, int]) -> bool:
    """Return whether all images have a size; files that cannot be read have none, the loader counts and names them."""
    for path in files:
        try:
            header = read_header(read_bytes(path))
        except DataError:
            continue
        if (header.height, header.width) != size:
            return False
    return True


def cut_images(folder: Path, card: Card, size: int) -> Card | None:
    """Cut the packed copy of a folder that an importer wrote into shards, and return its card with their size.

    Args:
        folder: the prepared folder, which need not hold its card yet.
        card: its card.
        size: images of a shard.

    Returns:
        None if there is no packed copy, since images are large or differ in size.
    """
    if not packed.is_packable(card):
        return None
    card = dataclasses.replace(card, details={**card.details, shards.DETAIL: size})
    form = _open_prepared(folder, card)
    shards.cut(
        folder,
        card,
        {name: shards.digests_of(card, form.folders[name], form.names[name], size) for name in form.folders},
    )
    return card
