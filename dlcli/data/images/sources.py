"""The images that the arguments of a command refer to, and the pixels of each, in whatever way it was given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.codec import IMAGE, Source
from dlcli.data.images.decoding import decode_image, read_image
from dlcli.data.images.films import film_sources, is_film
from dlcli.data.images.folders import is_image
from dlcli.data.inputs import expand_files


def image_sources(inputs: Iterable[str], skipped: list[str], *, frame_step: int | None = None) -> Iterator[Source]:
    """Yield the image files of the inputs, with folders searched and globs expanded; perhaps the frames of films too.

    Args:
        inputs: the user's arguments.
        skipped: gets a line for each entry of a folder that cannot be read.
        frame_step: which frames of a film: every `frame_step`-th; None takes films for files like others.
    """

    def is_wanted(file: str) -> bool:
        return is_image(file) or (frame_step is not None and is_film(file))

    for name in expand_files(inputs, is_wanted, skipped):
        if frame_step is not None and is_film(name):
            yield from film_sources(name, frame_step)
        else:
            yield Source(name, Path(name))


def read_pixels(source: Source, channels: int = 3) -> np.ndarray:
    """Return the image of a source, (H, W, channels) uint8.

    Args:
        source: its value is a path, the bytes of a file, pixels (H, W, 1 or 3), or the error in place of one.
        channels: 1 or 3.

    Raises:
        DataError: the file cannot be read, or is not an image.
    """
    if isinstance(source.value, DataError):
        raise source.value
    if isinstance(source.value, np.ndarray):
        return _with_channels(source.value, channels)
    if isinstance(source.value, bytes):
        return decode_image(source.value, channels=channels)
    return read_image(source.value, channels=channels)


def _with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Return pixels as grey or RGB; colour becomes grey by the weights of Rec. 601, as when a file is decoded."""
    if pixels.shape[2] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=2)
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[:, :, np.newaxis]


class ImageValues:
    """Image files from a program; see `dlcli.data.codec.Values`."""

    kind = IMAGE

    def schema(self) -> dict[str, Any]:
        """Return the schema of an image: the bytes of its file in base64."""
        return {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/*"}

    def source(self, name: str, value: Any) -> Source:
        """Return the bytes of an image file as a source; anything else, such as a path, is a fault."""
        return Source(name, value if isinstance(value, bytes) else DataError("not the bytes of an image file"))

    def sources_of_file(self, name: str, data: bytes, most: int | None = None) -> list[Source]:
        """Return the image in a file."""
        del most
        return [Source(name, data)]
