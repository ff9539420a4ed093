"""Films of pictures, written by OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from dlcli.core.files import place_of
from dlcli.data.images.muffling import muffled
from dlcli.visualize.canvas import as_rgb

SUFFIX = ".mp4"
_CODEC = "mp4v"  # MPEG-4 part 2, which every build of OpenCV can write; most have no H.264


class FilmWriter:
    """Writes pictures of one size as an MP4 film, which is under its name as soon as it is closed.

    A row or a column is lost where the height or the width is odd.

    Args:
        path: of the film.
        rate: frames per second.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self._path = place_of(path)
        self._beside = self._path.with_name(f".{self._path.stem}.partial{SUFFIX}")
        self._rate = rate
        self._writer: cv2.VideoWriter | None = None

    def write(self, picture: np.ndarray) -> None:
        """Write the next picture, (H, W, 3) uint8 RGB or grey.

        Raises:
            OSError: the film cannot be written.
        """
        rgb = as_rgb(picture)
        if self._writer is None:
            size = (rgb.shape[1], rgb.shape[0])
            with muffled:
                self._writer = cv2.VideoWriter(
                    str(self._beside), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*_CODEC), self._rate, size
                )
            if not self._writer.isOpened():
                self._beside.unlink(missing_ok=True)
                raise OSError(None, "OpenCV cannot write a film here", str(self._path))
        self._writer.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        """Finish the film.

        Raises:
            OSError: it was not written.
        """
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        if not self._beside.is_file() or not self._beside.stat().st_size:  # OpenCV reports no full disk
            self._beside.unlink(missing_ok=True)
            raise OSError(None, "the film was not written; is the disk full?", str(self._path))
        self._beside.replace(self._path)
