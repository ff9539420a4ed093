"""Annotations of single images as texts, and the formats into which a prepared folder can be written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.form import AnnotatedForm
from dlcli.data.annotated.formats import voc_writer, yolo_writer


@dataclass(frozen=True)
class Writer:
    """A format that people want back.

    Attributes:
        suffix: of the file that describes one image.
        text: (image, classes) -> the content of that file.
        write: (form, folder) -> None: adds the format's files to a prepared folder.
        require_writable: (images, classes) -> None: raises a DataError where the format cannot hold them; None if it
            holds any.
    """

    suffix: str
    text: Callable[[AnnotatedImage, Sequence[str]], str]
    write: Callable[[AnnotatedForm, Path], None]
    require_writable: Callable[[Iterable[AnnotatedImage], Sequence[str]], None] | None = None


WRITERS: Mapping[str, Writer] = {
    "yolo": Writer(".txt", yolo_writer.yolo_text, yolo_writer.write),
    "voc": Writer(".xml", voc_writer.voc_text, voc_writer.write, voc_writer.require_writable),
}
"""The form itself is COCO's."""


def writer_of(name: str) -> Writer:
    """Return the writer of a format.

    Raises:
        UsageError: there is none.
    """
    if name not in WRITERS:
        raise UsageError(f"no writer for the format {name[:40]!r}", hint=did_you_mean(name, WRITERS))
    return WRITERS[name]


def annotation_text(image: AnnotatedImage, classes: Sequence[str], format: str) -> str:
    """Return the file that describes one image: a label file of YOLO, or an XML file of Pascal VOC.

    Raises:
        UsageError: the format has no such files.
    """
    return writer_of(format).text(image, classes)
