"""Checking what a reader found: the one place that decides what of it is repaired, what is left out, and says so.

Images are read in threads, and decoded only where their headers do not say enough. Nothing raises for a single fault;
`faults.KINDS` says what is done about each.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError
from dlcli.core.wording import brief
from dlcli.data.annotated.annotation import VOID, AnnotatedImage
from dlcli.data.annotated.faults import Faults, place_of
from dlcli.data.annotated.formats.places import is_file
from dlcli.data.annotated.found import Found, FoundImage, FoundObject
from dlcli.data.annotated.objects import Frame, check_objects
from dlcli.data.annotated.probing import read_indices
from dlcli.data.annotated.shapes import Instance, instances_of
from dlcli.data.images.each import are_large, for_each
from dlcli.data.images.muffling import muffled
from dlcli.data.images.probing import ImageFile, probe_image

_MAX_NOTES = 20  # of a reader
_SPLITS: tuple[str, ...] = ("train", "valid", "test", "")
_MEASURED_FIRST = ("test", "valid", "train", "")
_NUM_VALUES = 256  # of a label map


@dataclass(frozen=True)
class Checked:
    """Annotated images that can be used.

    Attributes:
        images: split -> its images; the split is "" where the source says none. Paths are those of the source.
        classes: names by class index.
        notes: what was repaired and left out, one line for each kind.
        label_values: value of a source's label map -> value in ours, 256 of them; () if there are no label maps.
        files: path -> what is known of the image file.
    """

    images: Mapping[str, tuple[AnnotatedImage, ...]]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    label_values: tuple[int, ...] = ()
    files: Mapping[str, ImageFile] = field(default_factory=dict)


@dataclass(frozen=True)
class _Seen:
    """What the files of an image hold.

    `fault` is the kind and the reason of the image's own fault, and `map_faults` are those of its maps.
    """

    file: ImageFile | None
    fault: tuple[str, str] = ("", "")
    map_faults: tuple[tuple[str, str], ...] = ()
    has_label_map: bool = False
    values: tuple[int, ...] = ()
    instances: tuple[Instance, ...] = ()


def check(found: Found, source: Path, *, with_digests: bool = False) -> Checked:
    """Return what can be used of an annotated source.

    Args:
        found: what its reader found.
        source: the folder or file, for messages.
        with_digests: whether the SHA-256 of the image files are wanted (for `splitting`).

    Raises:
        DataError: nothing is left.
    """
    faults = Faults()
    images = _joined(found.images, faults)
    with muffled:
        paths = [image.path for image in images if is_file(image.path)]
        seen = for_each(partial(_look, with_digest=with_digests), images, are_large=bool(paths) and are_large(paths))
    classes, label_of = settle_classes(found)
    palette = found.palette or ("", *classes)
    label_values = _label_values(palette, label_of) if any(each.has_label_map for each in seen) else ()
    splits: dict[str, list[AnnotatedImage]] = {}
    files: dict[str, ImageFile] = {}
    for image, each in zip(images, seen, strict=True):
        if each.file is None:
            kind, reason = each.fault
            faults.add(kind, place_of(image), reason)
            continue
        checked = _check_image(image, each, palette, label_of, classes, faults)
        if checked is None:
            continue
        files[str(image.path)] = each.file
        splits.setdefault(image.split, []).append(checked)
        if any(label_values[value] == VOID != value for value in each.values):
            faults.add("label_map_values", place_of(image))
    if not any(image.objects or image.tags or image.label_map for of in splits.values() for image in of):
        raise _nothing(source, images, found.notes, faults)
    ordered = {split: tuple(splits[split]) for split in _SPLITS if split in splits}
    return Checked(ordered, classes, (*_bounded(found.notes), *faults.notes()), label_values, files)


def _joined(images: Sequence[FoundImage], faults: Faults) -> list[FoundImage]:
    """Return each image once, with the objects of all its annotations."""
    by_path: dict[Path, list[FoundImage]] = {}
    for image in images:
        by_path.setdefault(image.path, []).append(image)
    result = []
    for same in by_path.values():
        first = same[0]
        if len({image.split for image in same} - {""}) > 1:
            faults.add("image_in_two_splits", place_of(first))
        different = [image for at, image in enumerate(same) if at == 0 or image.objects != first.objects]
        if len(different) > 1:
            faults.add("image_annotated_twice", place_of(first))
        if not any(image.annotation for image in same):
            faults.add("image_without_annotation", first.path.name)
        if len(same) > 1:
            first = dataclasses.replace(
                first,
                annotation=next((image.annotation for image in same if image.annotation), ""),
                split=min((image.split for image in same), key=_MEASURED_FIRST.index),
                objects=tuple(each for image in different for each in image.objects),
                tags=tuple(dict.fromkeys(tag for image in same for tag in image.tags)),
                label_map=next((image.label_map for image in same if image.label_map), None),
                instance_map=next((image.instance_map for image in same if image.instance_map), None),
            )
        result.append(first)
    return result


def _look(image: FoundImage, *, with_digest: bool) -> _Seen:
    """Return what an image's files hold."""
    try:
        file = probe_image(image.path, with_digest=with_digest)
    except DataError as error:
        unreadable = ("image_unreadable", error.message)
        return _Seen(None, unreadable if is_file(image.path) else ("image_missing", ""))
    faults: list[tuple[str, str]] = []
    maps: list[np.ndarray | None] = []
    for path in (image.label_map, image.instance_map):
        try:
            values = read_indices(path) if path is not None else None
        except DataError as error:
            faults.append(("label_map_missing", error.message))
            values = None
        if values is not None and values.shape != (file.height, file.width):
            height, width = values.shape
            faults.append(("label_map_size", f"{width} x {height} pixels, the image {file.width} x {file.height}"))
            values = None
        maps.append(values)
    labels, numbers = maps
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=_NUM_VALUES)).tolist() if labels is not None else ()
    instances = instances_of(numbers, labels) if numbers is not None else ()
    return _Seen(file, ("", ""), tuple(faults), labels is not None, tuple(present), instances)


def _check_image(
    image: FoundImage,
    seen: _Seen,
    palette: Sequence[str],
    label_of: Mapping[str, int],
    classes: Sequence[str],
    faults: Faults,
) -> AnnotatedImage | None:
    """Return what an image shows; None if its annotation is damaged, so that nobody knows it."""
    assert seen.file is not None
    where, file = place_of(image), seen.file
    if image.damage:
        faults.add("annotation_damaged", where, image.damage)
        return None
    for kind, reason in seen.map_faults:
        faults.add(kind, where, reason)
    is_stored = file.orientation >= 5 and file.height != file.width and image.size == (file.height, file.width)
    if is_stored:
        faults.add("size_before_exif", where)
    elif image.size is not None and image.size != (file.width, file.height):
        faults.add("size_wrong", where)
    instances, is_lost = seen.instances, bool(seen.map_faults)
    if is_stored and instances:
        faults.add("instances_upright", where)
        instances, is_lost = (), True
    objects = _with_instances(image.objects, instances, palette, where, faults)
    if is_lost:  # objects of which only the map said where they are
        objects = tuple(each for each in objects if each.box is not None or each.segmentation is not None)
    annotations = check_objects(objects, Frame(file, is_stored, where), label_of, classes, faults)
    tags = sorted({label_of[tag] for tag in image.tags if tag in label_of})
    if is_lost and not annotations and not tags:
        faults.add("annotation_damaged", where, "nothing but a map that cannot be used")
        return None
    label_map = str(image.label_map) if seen.has_label_map else ""
    return AnnotatedImage(str(image.path), file.height, file.width, annotations, tuple(tags), label_map, image.group)


def _with_instances(
    objects: tuple[FoundObject, ...], instances: Sequence[Instance], palette: Sequence[str], where: str, faults: Faults
) -> tuple[FoundObject, ...]:
    """Return the objects with the masks of their instances, and further ones for instances beyond them."""
    result = list(objects)
    for instance in instances:
        if instance.number <= len(objects):
            at = instance.number - 1
            if result[at].segmentation is None:
                result[at] = dataclasses.replace(result[at], segmentation=instance.mask)
            continue
        name = palette[instance.value] if instance.value < len(palette) else ""
        if name:
            result.append(FoundObject(name, None, instance.mask))
        else:
            faults.add("instance_without_class", where)
    return tuple(result)


def settle_classes(found: Found) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the classes, and the class index of each name as it is written.

    Names that differ in case (of more than one letter), Unicode form or blanks are one class, spelt as most objects
    spell it; names that the source lists as classes are never merged. Empty names have no index.
    """
    counts = Counter(each.name for image in found.images for each in image.objects)
    counts.update(tag for image in found.images for tag in image.tags)
    key_of = _key_function([*found.classes, *found.palette])
    classes = {key_of(name): _tidy(name) for name in (*found.classes, *found.palette) if key_of(name)}
    spellings: dict[str, Counter[str]] = {}
    for name, count in counts.items():
        spellings.setdefault(key_of(name), Counter())[_tidy(name)] += count
    for key, group in sorted(spellings.items()):
        if key and key not in classes:
            classes[key] = min(group, key=lambda name: (-group[name], name))
    indices = {key: index for index, key in enumerate(classes)}
    written = (*counts, *found.classes, *found.palette)
    return tuple(classes.values()), {name: indices[key] for name in written if (key := key_of(name))}


def _key_function(listed: Sequence[str]) -> Callable[[str], str]:
    """Return what equal classes have in common, as a function of a name; a class of a list stands for itself."""
    exact = {_tidy(name) for name in listed}
    by_folded = {name.casefold(): name for name in sorted(exact, reverse=True)}

    def key(name: str) -> str:
        tidy = _tidy(name)
        folded = tidy.casefold()
        return tidy if tidy in exact or len(tidy) < 2 else by_folded.get(folded, folded)

    return key


def _tidy(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())


def _label_values(palette: Sequence[str], label_of: Mapping[str, int]) -> tuple[int, ...]:
    """Return the value of our label maps for each value of the source's.

    Raises:
        DataError: there are more classes than values.
    """
    values = [VOID] * _NUM_VALUES
    for value, name in enumerate(palette[:VOID]):
        values[value] = label_of[name] + 1 if name in label_of else 0
    if max(label_of.values(), default=0) + 1 >= VOID:
        raise DataError(f"{len(set(label_of.values())):,} classes are too many for label maps", hint="at most 254")
    return tuple(values)


def _bounded(notes: Sequence[str]) -> list[str]:
    lines = [brief(note) for note in notes[:_MAX_NOTES]]
    return [*lines, f"{len(notes) - _MAX_NOTES:,} more notes of this kind"] if len(notes) > _MAX_NOTES else lines


def _nothing(source: Path, images: Sequence[FoundImage], notes: Sequence[str], faults: Faults) -> DataError:
    annotations = sum(bool(image.annotation) for image in images)
    details = [f"found: {annotations:,} annotations, {len(images):,} images named", *[*notes[:2], *faults.notes()][:3]]
    return DataError(
        f"{source}: no image with an annotation that can be used",
        details=[brief(line) for line in details],
        hint="name the folder of the images with --images DIR"
        if "image_missing" in faults.counts
        else "check that the folder holds images and their annotations",
    )
