"""A user's own images, one folder per class, with or without split folders, or labelled by names or a CSV file.

The layout decides the splits:
- `train/` and `test/` (and `valid/` or `val/`) are used unchanged.
- `train/` and `val/` only, as in ImageNet: `val/` becomes the test split, and training splits its validation part off
  train, so that the test images never select a checkpoint.
- `train/` only, or plain class folders: a stratified, seeded fraction of each class becomes the test split, chosen by
  the content of the files, so that preparing again with a few files more leaves nearly all others where they were.

Which files are images, `dlcli.data.images.folders` decides, as for `dl train FOLDER`. Each is decoded, then copied byte
for byte; images of subfolders lie beside the others of their class. Files that cannot be decoded are skipped, counted
and named. An image that is in several classes, byte for byte, has no label to learn: it is left out.

With `--labels-from`, `labelling` gives each image its class; where images have several, the form is that of annotated
images, which the task `multilabel` reads.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError
from dlcli.core.wording import printable
from dlcli.data.card import Card
from dlcli.data.images import packed
from dlcli.data.images.copies import COPIES
from dlcli.data.images.decoding import decode_image, read_bytes, resize_image
from dlcli.data.images.each import are_large, for_each
from dlcli.data.images.folders import IMAGE_SUFFIXES, class_folders, find_layout, image_names
from dlcli.data.images.form import no_images
from dlcli.data.images.muffling import muffled
from dlcli.data.images.pixels import PixelStatistics
from dlcli.data.importing.names import check_class_names
from dlcli.data.importing.preparing import Report
from dlcli.data.parts import size_of_part
from dlcli.data.walking import list_files, skipped_note
from dlcli.datasets.images.inspecting import (
    BadImage,
    FoundImage,
    Item,
    bad_line,
    bad_notes,
    inspect,
    leak_notes,
    without_contradictions,
)
from dlcli.datasets.images.labelling import (
    NAME,
    Labelling,
    found_of,
    items_of,
    labels_of_csv,
    labels_of_names,
    too_many_bad,
)
from dlcli.datasets.images.options import ImageFolderOptions

_MAX_SAMPLED = 2000  # training images from which mean and std are computed
_SAMPLE_SIZE_PX = 64


class ImageFolderImporter:
    """Importer of class folders."""

    def __init__(self, options: ImageFolderOptions) -> None:
        self.options = options

    def locate(self, source: Path | None) -> list[Path]:
        """Return the folder itself, and the CSV file of labels, which may be in the folder.

        Raises:
            DataError: there is no such folder or file.
        """
        if source is None:
            raise DataError("image-folder needs a SOURCE: a folder with one subfolder of images per class")
        if not source.is_dir():
            raise DataError(f"{source}: no such folder", hint="SOURCE holds one folder of images per class")
        if self.options.labels_from in (None, NAME):
            return [source]
        labels = Path(self.options.labels_from or "")
        places = [place for place in (labels, source / labels) if place.is_file()]
        if not places:
            raise DataError(f"--labels-from {labels}: no such file", hint="`name`, or a CSV file: fn,label")
        return [source, places[0]]

    def space_needed(self, files: list[Path]) -> int:
        """Return roughly how many bytes the copies take."""
        return sum((files[0] / name).stat().st_size for name in list_files(files[0], []))

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:
        """Validate and copy every image, write the packed copy if all share one small size, and return the card.

        Raises:
            DataError: there are no images by class, more than `max_bad` unreadable files, fewer than two classes, or a
                class without a training image.
        """
        root = files[0]
        if self.options.labels_from is None:
            folder_names, items, notes = _list(root)
        else:
            is_csv, max_bad = len(files) > 1, self.options.max_bad
            labelling = labels_of_csv(files[1], root, max_bad) if is_csv else labels_of_names(root)
            if len(labelling.bad) > max_bad:
                raise too_many_bad(labelling, files[-1], max_bad)
            if labelling.has_several:
                return self._write_several(labelling, root, folder, report)
            folder_names, items, notes = items_of(labelling, files[-1])
        report(f"{root}: checking {len(items):,} files in {len(folder_names)} classes")
        images, bad = inspect(items)
        self._refuse_too_many(bad, root)
        images, copy_notes = without_contradictions(images, folder_names, root)
        classes, images, class_notes = _settle_classes(folder_names, images, bad, root)
        if not any(image.item.split == "test" for image in images):
            images = self._cut_test_part(images)
        notes += [*class_notes, *bad_notes(bad, root), *copy_notes, *leak_notes(images)]
        notes = [printable(note) for note in notes]
        card, train_files = _copy(images, classes, folder, notes, root)
        if packed.is_packable(card):
            statistics = _pack(card, folder)
        else:
            statistics = _sample_statistics(train_files, card.details["channels"])
        mean, std = statistics.result()
        return replace(card, details={**card.details, "mean": mean, "std": std})

    def _write_several(self, labelling: Labelling, root: Path, folder: Path, report: Report) -> Card:
        """Write images with any number of classes in the form of annotated images, and return the card."""
        from dlcli.data.annotated.checking import check
        from dlcli.data.annotated.splitting import with_test_part
        from dlcli.data.annotated.writer import write_annotated

        report(f"{root}: checking {len(labelling.images):,} images, some with several classes")
        checked = check(found_of(labelling), root, with_digests=True)
        if len(checked.classes) < 2:
            raise _too_few(root, len(checked.classes))
        checked = with_test_part(checked, self.options.test_fraction, self.options.seed)
        return write_annotated(checked, folder, printable(root.resolve().name))

    def _refuse_too_many(self, bad: Sequence[BadImage], root: Path) -> None:
        if len(bad) > self.options.max_bad:
            first = bad[0]
            raise DataError(
                f"{root}: {len(bad):,} files cannot be read as images, more than --max-bad {self.options.max_bad}",
                details=[f"first: {first.item.path}: {first.reason}"],
                hint="remove them, or allow more with --max-bad",
            )

    def _cut_test_part(self, images: list[FoundImage]) -> list[FoundImage]:
        """Return the images with a test split: those of each class that come first by a hash of seed and content.

        So copies are in one split, or what was learned by heart would be measured, and one file more, or less, moves
        at most one other of its class.
        """
        seed = str(self.options.seed).encode()
        digests: dict[int, set[bytes]] = {}
        for image in images:
            if image.item.split == "train":
                digests.setdefault(image.item.label, set()).add(image.sha256)
        chosen: set[bytes] = set()
        for own in digests.values():
            ranked = sorted(own, key=lambda digest: hashlib.sha256(seed + digest).digest())
            chosen.update(ranked[: size_of_part(len(own), self.options.test_fraction)])
        is_test = [image.item.split == "train" and image.sha256 in chosen for image in images]
        return [
            replace(image, item=replace(image.item, split="test")) if test else image
            for image, test in zip(images, is_test, strict=True)
        ]


def _list(root: Path) -> tuple[list[str], list[Item], list[str]]:
    """Return the class names of all splits, the files, and notes on the layout."""
    layout = find_layout(root)
    folders, notes = layout.splits, layout.notes()
    if "valid" in folders and "test" not in folders:
        notes.append(f"{folders['valid'].name}/ is the only other split: it is used as the test split")
        folders = {"train": folders["train"], "test": folders["valid"]}
    skipped: list[str] = []
    others: list[str] = []
    listed = {
        split: {name: image_names(folder / name, skipped, others) for name in class_folders(folder, skipped)}
        for split, folder in folders.items()
    }
    classes = sorted({name for found in listed.values() for name in found})
    items = [
        Item(split, label, folders[split] / name / file)
        for split, found in listed.items()
        for label, name in enumerate(classes)
        for file in found.get(name, ())
    ]
    if not items:
        raise no_images(root, layout)
    named = [name for name in classes if any(found.get(name) for found in listed.values())]
    check_class_names(named, str(root), otherwise=f", or train on the folder as it is: dl train {_as_target(root)}")
    notes += skipped_note(skipped)
    if others:
        count = "1 file is not an image" if len(others) == 1 else f"{len(others):,} files are not images"
        notes.append(f"{count}: skipped, the first: {Path(min(others)).relative_to(root)}")
    return classes, items, notes


def _as_target(root: Path) -> str:
    """Return the folder as an argument of `dl train`, where a bare name could be that of a dataset."""
    text = str(root)
    return shlex.quote(printable(text if "/" in text or "\\" in text else f"./{text}"))


def _settle_classes(
    classes: list[str], images: list[FoundImage], bad: Sequence[BadImage], root: Path
) -> tuple[tuple[str, ...], list[FoundImage], list[str]]:
    """Drop classes without a readable image; return the other classes, the relabelled images, and notes.

    Args:
        classes: the names of the folders.
        images: the images that can be read.
        bad: the others, which an error names.
        root: the folder, for messages.

    Raises:
        DataError: fewer than two classes are left, or one has no training image.
    """
    in_train = {image.item.label for image in images if image.item.split == "train"}
    elsewhere = {image.item.label for image in images} - in_train
    if elsewhere:
        of_class = [entry for entry in bad if entry.item.label == min(elsewhere) and entry.item.split == "train"]
        raise DataError(
            f"{root}: the class {classes[min(elsewhere)]!r} has no readable image in the training split",
            details=bad_line(of_class, root),
            hint="every class needs images to train on; check the folder's name in both splits",
        )
    if len(in_train) < 2:
        raise _too_few(root, len(in_train), bad_line(bad, root))
    kept = sorted(in_train)
    new_label = {label: index for index, label in enumerate(kept)}
    relabelled = [replace(image, item=replace(image.item, label=new_label[image.item.label])) for image in images]
    notes = [f"the class {name!r} has no images: skipped" for i, name in enumerate(classes) if i not in in_train]
    sizes = Counter(label for label, *_ in {(i.item.label, i.item.split, i.sha256) for i in relabelled})
    notes += [
        f"the class {classes[old]!r} has a single image: it is in train only"
        for old in kept
        if sizes[new_label[old]] == 1
    ]
    return tuple(classes[label] for label in kept), relabelled, notes


def _too_few(root: Path, count: int, details: Sequence[str] = ()) -> DataError:
    return DataError(
        f"{root}: {count} classes with images; a classifier needs two",
        details=details,
        hint="put the images of each class into a separate folder, or set --labels-from",
    )


def _copy(
    images: Sequence[FoundImage], classes: tuple[str, ...], folder: Path, notes: Sequence[str], root: Path
) -> tuple[Card, list[Path]]:
    """Copy the files to the form; return its card, without mean and std yet, and the training files."""
    channels = 1 if all(image.channels == 1 for image in images) else 3
    sizes = {(image.height, image.width) for image in images}
    size = list(sizes.pop()) if len(sizes) == 1 else None
    splits = [split for split in ("train", "valid", "test") if any(image.item.split == split for image in images)]
    counts = {split: dict.fromkeys(classes, 0) for split in splits}
    for split in splits:
        for name in classes:
            (folder / split / name).mkdir(parents=True)
    taken: set[Path] = set()
    targets = []
    for image in images:
        name = classes[image.item.label]
        counts[image.item.split][name] += 1
        targets.append(_target(folder / image.item.split / name, image, taken))
    sources = [image.item.path for image in images]
    for_each(shutil.copyfile, sources, targets, are_large=are_large(sources))
    train = [target for image, target in zip(images, targets, strict=True) if image.item.split == "train"]
    details: dict[str, Any] = {"channels": channels, "image_size": size}
    if num_copies := len(images) - len({image.sha256 for image in images}):
        details[COPIES] = num_copies
    return Card("images", printable(root.resolve().name), classes, counts, details, warnings=tuple(notes)), train


def _target(folder: Path, image: FoundImage, taken: set[Path]) -> Path:
    """Return the path to copy a file to: its own name, plus the suffix of its format if it has no image suffix.

    Bytes that are not UTF-8 are escaped, since not every file system can store them.
    """
    name = printable(image.item.path.name).replace("\\", "_")
    if not name.lower().endswith(IMAGE_SUFFIXES):
        name += image.suffix
    stem, suffix = Path(name).stem, Path(name).suffix
    target, number = folder / name, 2
    while target in taken:
        target = folder / f"{stem}_{number}{suffix}"
        number += 1
    taken.add(target)
    return target


def _sample_statistics(files: Sequence[Path], channels: int) -> PixelStatistics:
    """Return the pixel statistics of at most 2,000 training images, resized to 64 px."""
    statistics = PixelStatistics()
    for path in files[:: max(1, -(-len(files) // _MAX_SAMPLED))]:
        statistics.add(resize_image(decode_image(read_bytes(path), channels=channels), _SAMPLE_SIZE_PX))
    return statistics


def _pack(card: Card, folder: Path) -> PixelStatistics:
    """Write the packed copies in the reader's file order; return the pixel statistics of the training split."""
    statistics = PixelStatistics()
    height, width = card.details["image_size"]
    channels = card.details["channels"]
    origins = {}
    for split in card.counts:
        names = [image_names(folder / split / name) for name in card.classes]
        origins[split] = packed.origin_of(card, split, folder / split, names)
        files = [
            folder / split / name / file for name, found in zip(card.classes, names, strict=True) for file in found
        ]
        rows = (decode_image(read_bytes(path), channels=channels)[np.newaxis] for path in files)
        shape = (len(files), height, width, channels)
        with muffled:
            packed.write_split(folder, split, rows, shape, packed.labels_of(card, split))
    packed.seal(folder, origins)
    statistics.add(np.load(packed.images_file(folder, "train"), mmap_mode="r"))
    return statistics
