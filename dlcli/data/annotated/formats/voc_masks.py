"""Pascal VOC's label maps of objects and of classes, as PNG files with its palette."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from dlcli.core.files import atomic_file
from dlcli.data.annotated.annotation import VOID, AnnotatedImage
from dlcli.data.annotated.masks import to_pixels

MAX_CLASSES = VOID - 1
"""A pixel's byte also holds the background and `VOID`."""


def label_maps(image: AnnotatedImage) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the maps of objects and of classes, (H, W) uint8 each; None for an image without masks.

    In the first the k-th object has the number k, in the second class c is c + 1; 0 is the background. Where masks
    overlap, the smaller object is seen. Crowds are void, and so are objects beyond the 254th, which have no number.

    Args:
        image: its classes are the first `MAX_CLASSES` ones.
    """
    masked = [(number, each) for number, each in enumerate(image.objects, start=1) if each.segmentation is not None]
    if not any(not each.is_crowd for _, each in masked):
        return None
    objects, classes = (np.zeros((image.height, image.width), np.uint8) for _ in range(2))
    for number, each in sorted(masked, key=lambda pair: (not pair[1].is_crowd, -pair[1].area)):
        if each.segmentation is None:
            continue
        pixels = to_pixels(each.segmentation, image.height, image.width) > 0
        objects[pixels] = VOID if each.is_crowd else min(number, VOID)
        classes[pixels] = VOID if each.is_crowd else each.label + 1
    return objects, classes


def write_map(path: Path, values: np.ndarray) -> None:
    """Write a label map as a PNG of palette indices.

    Raises:
        OSError: the file cannot be written.
    """
    from PIL import Image

    image = Image.fromarray(values, "L")
    image.putpalette(palette().ravel().tolist())  # which makes it one of mode P
    stream = io.BytesIO()
    image.save(stream, "PNG")
    with atomic_file(path) as file:
        file.write(stream.getvalue())


def palette() -> np.ndarray:
    """Return VOC's palette, (256, 3) uint8: the bits of an index, dealt to red, green and blue from the highest.

    Source: VOCcode/VOClabelcolormap.m of the VOC2012 development kit.
    """
    index = np.arange(256)
    colours = np.zeros((256, 3), np.int64)
    for place in range(8):
        for channel in range(3):
            colours[:, channel] |= ((index >> (3 * place + channel)) & 1) << (7 - place)
    return colours.astype(np.uint8)
