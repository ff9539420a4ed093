"""Answers as annotations of their images, for people to correct: a folder that `dl prepare FORMAT` reads. Torch-free.

    yolo      data.yaml, images/a.jpg, labels/a.txt
    voc       JPEGImages/a.jpg, Annotations/a.xml
    labelme   a.jpg, a.json
    coco      images/a.jpg, annotations/instances_predicted.json (with a `score` in each annotation)

Images are copied byte for byte; frames of films become JPEG files. An image's files are written as soon as it is
answered.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dlcli.core.errors import DataError
from dlcli.core.files import atomic_file, write_text
from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.coco_json import to_coco
from dlcli.data.annotated.folders import is_image_name
from dlcli.data.annotated.formats.labelme_writer import labelme_text
from dlcli.data.annotated.formats.voc_writer import voc_text
from dlcli.data.annotated.formats.yolo_writer import yolo_text
from dlcli.data.codec import Source
from dlcli.data.images.decoding import SUFFIX_OF, read_bytes, read_header
from dlcli.data.inputs import UniqueNames

JPEG_QUALITY = 95
"""Of the frames of films."""


@dataclass(frozen=True)
class _Layout:
    """Where a format has its files.

    Attributes:
        images: folder of the images.
        texts: folder of the files that describe one image each.
        suffix: of those files.
        text: (image, classes) -> the content of such a file; None if there are none.
    """

    images: str
    texts: str = ""
    suffix: str = ""
    text: Callable[[AnnotatedImage, Sequence[str]], str] | None = None


_LAYOUTS: Mapping[str, _Layout] = {
    "coco": _Layout("images"),
    "labelme": _Layout(".", ".", ".json", labelme_text),
    "voc": _Layout("JPEGImages", "Annotations", ".xml", voc_text),
    "yolo": _Layout("images", "labels", ".txt", yolo_text),
}
FORMATS = tuple(_LAYOUTS)


class PreLabels:
    """Writes images with their answers as annotations.

    Args:
        format: one of `FORMATS`.
        folder: where to.
        classes: name of each label.
        is_input: whether a path is that of an existing input, which must not be replaced.
    """

    def __init__(self, format: str, folder: Path, classes: Sequence[str], is_input: Callable[[Path], bool]) -> None:
        self._format = format
        self._layout = _LAYOUTS[format]
        self._folder = folder
        self._classes = classes
        self._names = UniqueNames(lambda name: any(map(is_input, self._places(name))))
        self._images: list[AnnotatedImage] = []

    def _places(self, name: str) -> list[Path]:
        layout = self._layout
        images = [self._folder / layout.images / f"{name}{suffix}" for suffix in (*SUFFIX_OF.values(), ".jpeg")]
        return [*images, self._folder / layout.texts / f"{name}{layout.suffix}"] if layout.text else images

    def save(self, source: Source, size: tuple[int, int], objects: Sequence[Annotation]) -> None:
        """Write an image and its annotations.

        Args:
            source: the image: a path, the bytes of a file, or a frame's (H, W, 3) uint8 pixels.
            size: its height and width as it is seen.
            objects: what is found in it.

        Raises:
            OSError: a file cannot be written.
        """
        data, suffix = _file_of(source)
        frame = source.name.rpartition("#")[2]  # of a film: its number
        name = self._names.of(f"{Path(source.film).stem}_{frame}" if source.film else source.name)
        layout = self._layout
        file = f"{layout.images}/{name}{suffix}".removeprefix("./")
        with atomic_file(self._folder / file) as stream:
            stream.write(data)
        image = AnnotatedImage(file, *size, tuple(objects), group=Path(source.film).name)
        if layout.text is not None:
            write_text(self._folder / layout.texts / f"{name}{layout.suffix}", layout.text(image, self._classes))
        if self._format == "coco":
            self._images.append(image)

    def close(self) -> None:
        """Write the file that lists the classes, and for COCO all annotations."""
        if self._format == "coco":
            text = json.dumps(to_coco(self._images, self._classes), separators=(",", ":"))
            write_text(self._folder / "annotations" / "instances_predicted.json", f"{text}\n")
        elif self._format == "yolo":
            import yaml

            content: dict[str, Any] = {"train": "images", "val": "images", "nc": len(self._classes)}
            content["names"] = dict(enumerate(self._classes))
            text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=math.inf)
            write_text(self._folder / "data.yaml", text)


def _file_of(source: Source) -> tuple[bytes, str]:
    """Return the bytes of an image file and its suffix."""
    if isinstance(source.value, np.ndarray):
        frame = cv2.cvtColor(source.value, cv2.COLOR_RGB2BGR)
        return cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes(), ".jpg"
    data = source.value if isinstance(source.value, bytes) else read_bytes(Path(source.value))
    suffix = "" if isinstance(source.value, bytes) else Path(source.value).suffix
    try:
        return data, suffix if is_image_name(f"a{suffix}") else SUFFIX_OF[read_header(data).format]
    except DataError as error:  # it was an image a moment ago
        raise OSError(f"{source.name}: {error.message}") from None
