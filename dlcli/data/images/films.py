"""Films, decoded frame by frame by OpenCV, so that no more than a batch of frames is in memory. Torch-free."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.codec import Source
from dlcli.data.images.decoding import MAX_PIXELS
from dlcli.data.images.muffling import muffled

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm")

DEFAULT_RATE = 25.0
"""Frames per second of a film that does not say."""

_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")  # of MP4 and QuickTime, behind their length
_MISSING_SECONDS, _MISSING_SHARE = 0.5, 0.05
"""A film that ends earlier than it says by more than both is truncated; durations of sound parts differ by less."""


@dataclass(frozen=True)
class Film:
    """What a film says of itself.

    Attributes:
        rate: frames per second.
        num_frames: 0 if it is unknown; it may be an estimate.
    """

    rate: float
    num_frames: int


class Frame(NamedTuple):
    """A frame of a film.

    Attributes:
        number: its place in the film, from 0.
        time: seconds from the film's start.
        pixels: (H, W, 3) uint8 RGB, as it is seen (after the film's rotation).
    """

    number: int
    time: float
    pixels: np.ndarray


def is_film(name: str) -> bool:
    """Return whether a file is a film, by its suffix."""
    return name.lower().endswith(SUFFIXES)


def describe_film(path: Path) -> Film:
    """Return what a film says of itself.

    Raises:
        DataError: it cannot be read.
    """
    with _opened(path) as capture:
        return _describe(capture)


def read_frames(path: Path, step: int = 1) -> Iterator[Frame]:
    """Yield every `step`-th frame of a film, each decoded when it is asked for.

    Raises:
        DataError: it cannot be read, has no frames, or ends before its end; frames before that were yielded.
    """
    with _opened(path) as capture:
        film = _describe(capture)
        number, time = 0, 0.0
        while _grab(capture):
            time = _time(capture, number, film.rate)
            if number % step == 0:
                pixels = _retrieve(capture)
                if pixels is None:
                    raise DataError(f"frame {number:,} cannot be decoded")
                yield Frame(number, time, pixels)
            number += 1
    if number == 0:
        raise DataError("a film without a frame that can be decoded")
    duration = film.num_frames / film.rate
    missing = duration - time - 1 / film.rate
    if missing > max(_MISSING_SECONDS, _MISSING_SHARE * duration):
        raise DataError(f"a truncated film: it ends after {number:,} frames, {missing:.1f} s too early")


def film_sources(name: str, step: int = 1) -> Iterator[Source]:
    """Yield the frames of a film as sources named `film.mp4#000012`; a fault is the last one, with a DataError.

    Args:
        name: path of the film.
        step: every how many frames.
    """
    try:
        for frame in read_frames(Path(name), step):
            yield Source(f"{name}#{frame.number:06d}", frame.pixels, name, round(frame.time, 3))
    except DataError as error:
        yield Source(name, error, name)


@contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    """Open a film whose container is one of the usual ones.

    FFmpeg would also follow what it takes for a playlist, to other files and into the network.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(12)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not head:
        raise DataError("the file is empty")
    is_avi = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    if not (is_avi or head.startswith(b"\x1aE\xdf\xa3") or head[4:8] in _BOXES):
        raise DataError("not a film (MP4, QuickTime, AVI, Matroska and WebM are)")
    with muffled:
        capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise DataError("a damaged film, or one of a codec that OpenCV does not have")
        sides = (capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if sides[0] * sides[1] >= MAX_PIXELS:
            raise DataError(f"frames of {sides[0]:.0f} x {sides[1]:.0f} pixels are too large")
        yield capture
    finally:
        capture.release()


def _describe(capture: cv2.VideoCapture) -> Film:
    rate, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return Film(rate if 0.01 <= rate <= 1000 else DEFAULT_RATE, int(count) if 0 < count < 1e9 else 0)


def _grab(capture: cv2.VideoCapture) -> bool:
    with muffled:
        return bool(capture.grab())


def _retrieve(capture: cv2.VideoCapture) -> np.ndarray | None:
    with muffled:
        is_there, pixels = capture.retrieve()
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) if is_there and pixels is not None else None


def _time(capture: cv2.VideoCapture, number: int, rate: float) -> float:
    """Return the seconds of the frame that was grabbed; of a container without times, by its rate."""
    seconds = float(capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
    return seconds if number == 0 or seconds > 0 else number / rate
