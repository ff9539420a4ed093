"""Writing Pascal VOC into a prepared folder: `Annotations`, `ImageSets`, `JPEGImages` and, of masks, label maps."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

from dlcli.core.errors import DataError
from dlcli.core.files import write_text
from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.form import AnnotatedForm
from dlcli.data.annotated.formats.voc_masks import MAX_CLASSES, label_maps, write_map

_SETS = {"train": "train", "valid": "val", "test": "test"}
_UNLINKABLE = (errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.EACCES)
_CONTROL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 cannot hold


def require_writable(images: Iterable[AnnotatedImage], classes: Sequence[str]) -> None:
    """Check that label maps can say of each pixel of a mask which class it is.

    Raises:
        DataError: there are masks of more classes than a map has numbers.
    """
    has_masks = any(each.segmentation is not None and not each.is_crowd for image in images for each in image.objects)
    if has_masks and len(classes) > MAX_CLASSES:
        raise DataError(
            f"Pascal VOC has label maps of at most {MAX_CLASSES} classes, and these masks are of {len(classes):,}",
            hint="use --to yolo, or leave --to out: COCO's masks have no such bound",
        )


def write(form: AnnotatedForm, folder: Path) -> None:
    """Write the files of Pascal VOC into a prepared folder.

    Its readers look for `JPEGImages/<name>` of all splits: these are hard links to the images, so that their bytes are
    on the disk once; copies where the file system has no such links. Crowds are written as difficult objects, which
    VOC's protocol leaves out of the evaluation, too. Images with masks have label maps of objects and of classes.

    Raises:
        DataError: there are masks of more than 254 classes; then nothing is written.
        OSError: a file cannot be written.
    """
    require_writable((image for split in form.splits() for image in form.of_split(split)), form.card.classes)
    taken: set[str] = set()
    for each in ("Annotations", "JPEGImages"):
        (folder / each).mkdir(exist_ok=True)
    for split in form.splits():
        ids, segmented = [], []
        for image in form.of_split(split):
            identity = _identity(image.file, split, taken)
            name = identity + Path(image.file).suffix
            _link(folder / image.file, folder / "JPEGImages" / name)
            write_text(folder / "Annotations" / f"{identity}.xml", voc_text(image, form.card.classes, name))
            ids.append(identity)
            if _write_maps(image, form, folder, f"{identity}.png"):
                segmented.append(identity)
        if segmented:
            text = "".join(f"{each}\n" for each in segmented)
            write_text(folder / "ImageSets" / "Segmentation" / f"{_SETS[split]}.txt", text)
        write_text(folder / "ImageSets" / "Main" / f"{_SETS[split]}.txt", "".join(f"{each}\n" for each in ids))
        for label, name in enumerate(form.card.classes):
            lines = [f"{i} {_presence(image, label):2d}\n" for i, image in zip(ids, form.of_split(split), strict=True)]
            write_text(folder / "ImageSets" / "Main" / f"{_file_name(name)}_{_SETS[split]}.txt", "".join(lines))


def _write_maps(image: AnnotatedImage, form: AnnotatedForm, folder: Path, name: str) -> bool:
    """Write the label maps of an image, of its masks or the one it has; return whether there are any."""
    maps = label_maps(image)
    if maps is not None:
        write_map(folder / "SegmentationObject" / name, maps[0])
    if image.label_map:
        write_map(folder / "SegmentationClass" / name, form.read_label_map(image))
    elif maps is not None:
        write_map(folder / "SegmentationClass" / name, maps[1])
    return maps is not None or bool(image.label_map)


def voc_text(image: AnnotatedImage, classes: Sequence[str], name: str = "") -> str:
    """Return the XML file of an image.

    Boxes are VOC's pixel numbers, from 1 and inclusive, rounded to whole pixels of which a box has at least one.

    Args:
        image: the image and its objects.
        classes: name of each label.
        name: of the image file; that of the image itself if it is "".
    """
    root = ElementTree.Element("annotation")
    _add(root, "folder", "JPEGImages")
    _add(root, "filename", name or Path(image.file).name)
    size = ElementTree.SubElement(root, "size")
    for tag, value in (("width", image.width), ("height", image.height), ("depth", 3)):
        _add(size, tag, value)
    has_masks = any(each.segmentation is not None and not each.is_crowd for each in image.objects)
    _add(root, "segmented", int(has_masks or bool(image.label_map)))
    for each in image.objects:
        _add_object(root, each, classes, image)
    ElementTree.indent(root, "\t")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _add(parent: ElementTree.Element, tag: str, value: object) -> None:
    ElementTree.SubElement(parent, tag).text = _CONTROL.sub("?", str(value))


def _add_object(root: ElementTree.Element, each: Annotation, classes: Sequence[str], image: AnnotatedImage) -> None:
    element = ElementTree.SubElement(root, "object")
    _add(element, "name", classes[each.label])
    _add(element, "pose", each.extra.get("pose", "Unspecified"))
    _add(element, "truncated", int(bool(each.extra.get("truncated", 0))))
    _add(element, "difficult", int(each.is_difficult or each.is_crowd))
    box = ElementTree.SubElement(element, "bndbox")
    left, right = _pixels(each.box[0], each.box[2], image.width)
    top, bottom = _pixels(each.box[1], each.box[3], image.height)
    for tag, value in (("xmin", left), ("ymin", top), ("xmax", right), ("ymax", bottom)):
        _add(box, tag, value)


def _pixels(low: float, high: float, side: int) -> tuple[int, int]:
    """Return the first and the last pixel, from 1, of an interval of points."""
    first = min(max(round(low), 0), side - 1) + 1
    return first, max(first, min(round(high), side))


def _identity(file: str, split: str, taken: set[str]) -> str:
    """Return a name for an image that no other one has, in any split or in another case."""
    stem = re.sub(r"\s", "_", Path(file).stem)  # the lists of names are set apart by blanks
    identity, number = stem, 1
    while identity.casefold() in taken:
        number += 1
        identity = f"{stem}_{split}" if number == 2 else f"{stem}_{split}_{number}"
    taken.add(identity.casefold())
    return identity


def _file_name(name: str) -> str:
    """Return a class's name as part of a file's name."""
    return re.sub(r"[^\w-]", "_", name)[:80]


def _presence(image: AnnotatedImage, label: int) -> int:
    """Return 1 if an image shows a class, 0 if only in difficult objects, -1 if not, as VOC's lists have it."""
    marks = [each.is_difficult or each.is_crowd for each in image.objects if each.label == label]
    if label in image.tags or not all(marks):
        return 1
    return 0 if marks else -1


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _UNLINKABLE:
            raise
        shutil.copyfile(source, target)
