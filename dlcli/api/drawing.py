"""Pictures for notebooks: of bounded size, as PNG."""

from __future__ import annotations

import base64

import cv2
import numpy as np

MAX_SIDE = 900
"""Pixels of the longer side; a notebook keeps what it shows in its file."""


def png_bytes(picture: np.ndarray, max_side: int = MAX_SIDE) -> bytes:
    """Return a picture as a PNG file, scaled down to `max_side` pixels at its longer side.

    Args:
        picture: (H, W, 3) uint8, RGB.
        max_side: in pixels.
    """
    factor = max_side / max(picture.shape[:2])
    if factor < 1:
        size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    encoded: bytes = cv2.imencode(".png", np.ascontiguousarray(picture[:, :, ::-1]))[1].tobytes()
    return encoded


def data_uri(png: bytes) -> str:
    """Return a PNG file as the address of a picture in a page."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
