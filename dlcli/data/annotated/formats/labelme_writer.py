"""Writing labelme's files: one JSON file beside each image.

Source: github.com/wkentaro/labelme, `labelme/_label_file.py`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.formats.yolo_writer import outline_of

_VERSION = "5.5.0"
"""The version whose files these are; the program reads no file without one."""


def labelme_text(image: AnnotatedImage, classes: Sequence[str]) -> str:
    """Return the JSON file of an image: a rectangle for each box, a polygon for each mask.

    The parts of a mask in several pieces are joined by lines without width; holes are filled. Crowds are left out.

    Args:
        image: the image, which is expected beside the file.
        classes: name of each label.
    """
    value = {
        "version": _VERSION,
        "flags": {classes[tag]: True for tag in image.tags},
        "shapes": [_shape(each, image, classes) for each in image.objects if not each.is_crowd],
        "imagePath": Path(image.file).name,
        "imageData": None,
        "imageHeight": image.height,
        "imageWidth": image.width,
    }
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _shape(each: Annotation, image: AnnotatedImage, classes: Sequence[str]) -> dict[str, Any]:
    left, top, right, bottom = each.box
    corners = [[left, top], [right, bottom]] if each.segmentation is None else outline_of(each, image).tolist()
    return {
        "label": classes[each.label],
        "points": corners,
        "group_id": None,
        "shape_type": "rectangle" if each.segmentation is None else "polygon",
        "flags": {},
    }
