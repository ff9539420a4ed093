"""Which annotated images a picture shows, and the images of a split as a grid. Torch-free."""

from __future__ import annotations

import dataclasses
import filecmp
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError, UsageError, did_you_mean
from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.form import AnnotatedForm
from dlcli.visualize.box_grid import cell_side, draw_record
from dlcli.visualize.canvas import add_title, tile
from dlcli.visualize.masks import draw_label_map

GAP_PX = 6


def records_of(form: AnnotatedForm, split: str | None, class_name: str | None, count: int) -> list[AnnotatedImage]:
    """Return up to `count` images with objects, evenly spread over a split; of a split without any, images without.

    Args:
        form: the data.
        split: None for the first that there is.
        class_name: only images that show this class; None for any.
        count: at least 1.

    Raises:
        UsageError: there is no such split or class, or no image of the split shows the class.
    """
    split = split or form.splits()[0]
    if split not in form.splits():
        raise UsageError(f"--split: no split {split!r}", hint=did_you_mean(split, form.splits()))
    records: Sequence[AnnotatedImage] = form.of_split(split)
    if class_name is not None:
        label = label_of(class_name, form.card.classes)
        records = [record for record in records if label in record.labels]
        if not records:
            raise UsageError(f"--class: no image of {split} shows {class_name!r}", hint="choose another --split")
    chosen = [record for record in records if record.objects or record.label_map] or records
    return [chosen[row] for row in np.linspace(0, len(chosen) - 1, min(count, len(chosen))).astype(int).tolist()]


def label_of(name: str, classes: Sequence[str]) -> int:
    """Return the index of a class.

    Raises:
        UsageError: there is no such class.
    """
    if name not in classes:
        raise UsageError(f"--class: no class {name!r}", hint=did_you_mean(name, classes))
    return list(classes).index(name)


def find_record(form: AnnotatedForm, word: str) -> AnnotatedImage | None:
    """Return the image of the data that a word names: its file's path or name, with or without suffix.

    A file outside the data is one of its images if an image has its name and its content. None if there is none.
    """
    for split in form.splits():
        for record in form.of_split(split):
            name = record.file.rpartition("/")[2]
            if word not in (record.file, name, name.rpartition(".")[0]) and Path(word).name != name:
                continue
            own = form.root / record.file
            if not Path(word).is_file() or filecmp.cmp(own, word, shallow=False):
                return record
    return None


def require_record(form: AnnotatedForm, word: str) -> AnnotatedImage:
    """Return the image that a word names.

    Raises:
        UsageError: there is none.
    """
    record = find_record(form, word)
    if record is None:
        names = [each.file.rpartition("/")[2] for split in form.splits() for each in form.of_split(split)]
        raise UsageError(f"no image {word!r} in {form.root}", hint=did_you_mean(Path(word).name, names))
    return record


def draw_records(form: AnnotatedForm, records: Sequence[AnnotatedImage], *, with_masks: bool, title: str) -> np.ndarray:
    """Return a grid of images with their annotations, crowds dashed and difficult objects thin, (H, W, 3) uint8 RGB.

    Args:
        form: the data.
        records: its images, at least one.
        with_masks: whether masks, or label maps where there are no masks, are drawn as well.
        title: a line above.

    Raises:
        DataError: an image cannot be read.
    """
    side = cell_side(len(records))
    cells = [draw_truth(form, record, side, with_masks=with_masks) for record in records]
    captions = [record.file.rpartition("/")[2] for record in records]
    return add_title(tile(cells, captions=captions, gap=GAP_PX, scale=1), [title])


def draw_truth(form: AnnotatedForm, record: AnnotatedImage, side: int, *, with_masks: bool) -> np.ndarray:
    """Return an image with its annotations, its longer side of a given length, (H, W, 3) uint8 RGB.

    Raises:
        DataError: the image cannot be read.
    """
    image = form.read(record)
    if with_masks and record.label_map and not any(each.segmentation for each in record.objects):
        return draw_label_map(image, form.read_label_map(record), scale=side / max(image.shape[:2]))
    if not with_masks:
        plain = tuple(dataclasses.replace(each, segmentation=None) for each in record.objects)
        record = dataclasses.replace(record, objects=plain)
    return draw_record(image, record, form.card.classes, side)


def require_masks(form: AnnotatedForm) -> None:
    """Check that the data has masks or label maps.

    Raises:
        DataError: it has neither.
    """
    if not (form.has("masks") or form.has("label_maps")):
        raise DataError(f"{form.root}: no masks, only boxes", hint="draw `boxes`")


def draw_beside(
    found: np.ndarray,
    truth: tuple[AnnotatedForm, AnnotatedImage] | None,
    *,
    with_masks: bool,
    title: str,
    note: str,
) -> np.ndarray:
    """Return an image with what is found in it, on the right of its annotations if they are known.

    Args:
        found: (H, W, 3) uint8 RGB.
        truth: the data and the image's annotations; None if they are not known.
        with_masks: whether the annotations are drawn with masks.
        title: a line above.
        note: a line below what is found.
    """
    if truth is None:
        return add_title(found, [title, note])
    known = draw_truth(*truth, max(found.shape[:2]), with_masks=with_masks)
    pair = tile([known, found], columns=2, captions=["annotated", note], gap=GAP_PX, min_cell_px=480)
    return add_title(pair, [title])
