"""Boxes with class names and scores on images. Torch-free."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from dlcli.visualize.canvas import as_rgb
from dlcli.visualize.fonts import fit_text, font_for, line_height, sized_font, text_width
from dlcli.visualize.text_lines import printable

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

Look = Literal["plain", "crowd", "difficult"]

MANY = 15
"""Boxes from which on lines are thin and tags small, and a tag that would cover another one is left out."""

_NAMED = (
    "e6194b", "3cb44b", "4363d8", "f58231", "46e0f0", "f032e6", "ffe119", "911eb4", "bcf60c", "008080", "fabebe",
    "9a6324", "aaffc3", "808000", "e6beff", "ffd8b1",
)  # fmt: skip
"""Distinct colours, the most distinct first, bright enough for photos (S. Trubetskoy 2017, "20 simple, distinct
colors", without its darkest, its palest and its grey)."""

_TURN = (math.sqrt(5) - 1) / 2
"""Of the circle of hues from one further colour to the next: no two of many come close."""

_DASH, _PAUSE = 5, 3
"""Length of the dashes around a crowd, and between them, in widths of the line."""

_LIGHT = 150
"""Brightness of a colour on which text is black."""


@dataclass(frozen=True)
class DrawnBox:
    """A box to draw.

    Attributes:
        box: left, top, right, bottom in pixels of the image.
        label: index of its class.
        score: of a detection; None for none.
        look: "plain", "crowd" (dashed) or "difficult" (thin).
    """

    box: tuple[float, float, float, float]
    label: int
    score: float | None = None
    look: Look = "plain"


def class_colour(label: int) -> Colour:
    """Return the colour of a class, the same in every picture."""
    if label < len(_NAMED):
        red, green, blue = bytes.fromhex(_NAMED[label])
        return red, green, blue
    hue = label * _TURN % 1
    bright = [round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.9 if label % 2 else 0.6, 1.0)]
    return bright[0], bright[1], bright[2]


def draw_boxes(
    image: np.ndarray, boxes: Sequence[DrawnBox], class_names: Sequence[str], *, scale: float = 1.0
) -> np.ndarray:
    """Return an image with boxes and their tags, (H, W, 3) uint8 RGB.

    The lines lie within the boxes and are as wide as suits the picture. A tag stands above its box, or where there is
    room for it within the picture.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3) uint8 RGB.
        boxes: the boxes, in pixels of the image.
        class_names: a class is its position.
        scale: size of the picture by that of the image.
    """
    picture = rescaled(image, scale)
    height, width = picture.shape[:2]
    places = [_pixels(each.box, scale, height, width) for each in boxes]
    thickness = line_width(height, width, len(boxes))
    for index in sorted(range(len(boxes)), key=lambda index: -_area(places[index])):  # small ones on top
        _outline(picture, places[index], boxes[index], thickness)
    return _with_tags(picture, boxes, places, class_names)


def rescaled(image: np.ndarray, scale: float) -> np.ndarray:
    """Return a copy of an image at another size, (H, W, 3) uint8 RGB."""
    rgb = as_rgb(image)
    if scale == 1:
        return rgb.copy()
    size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def line_width(height: int, width: int, count: int) -> int:
    """Return the width of lines around objects in a picture, in pixels."""
    return max(1, round(math.sqrt(height * width) / (220 if count < MANY else 330)))


def _pixels(box: Sequence[float], scale: float, height: int, width: int) -> tuple[int, int, int, int]:
    """Return a box in whole pixels, at least one of them within the picture."""
    left, top, right, bottom = (round(side * scale) for side in box)
    left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    return left, top, min(max(right, left + 1), width), min(max(bottom, top + 1), height)


def _area(place: tuple[int, int, int, int]) -> int:
    left, top, right, bottom = place
    return (right - left) * (bottom - top)


def _outline(picture: np.ndarray, place: tuple[int, int, int, int], box: DrawnBox, thickness: int) -> None:
    """Draw the edges of a box, within it, and a dark line inside them that sets them off from any background."""
    left, top, right, bottom = place
    thickness = 1 if box.look == "difficult" else min(thickness, max(1, min(right - left, bottom - top) // 3))
    if thickness > 1:
        _frame(picture, place, thickness + 1, (0, 0, 0), dashes=0, opacity=0.45)
    _frame(picture, place, thickness, class_colour(box.label), dashes=thickness if box.look == "crowd" else 0)


def _frame(
    picture: np.ndarray,
    place: tuple[int, int, int, int],
    thickness: int,
    colour: Colour,
    *,
    dashes: int,
    opacity: float = 1.0,
) -> None:
    """Draw a frame's four sides; `dashes` is the unit of its dashes, 0 for a whole line."""
    left, top, right, bottom = place
    sides = (
        (slice(top, top + thickness), slice(left, right)),
        (slice(max(top, bottom - thickness), bottom), slice(left, right)),
        (slice(top, bottom), slice(left, left + thickness)),
        (slice(top, bottom), slice(max(left, right - thickness), right)),
    )
    for side in sides:
        part = picture[side]
        is_drawn = np.ones(part.shape[:2], bool)
        if dashes:
            along = np.arange(max(part.shape[:2])) // dashes % (_DASH + _PAUSE) < _DASH
            is_drawn &= along[None, : part.shape[1]] if part.shape[1] > part.shape[0] else along[: part.shape[0], None]
        part[is_drawn] = (part[is_drawn] * (1 - opacity) + np.array(colour) * opacity).astype(np.uint8)


def tag_of(box: DrawnBox, class_names: Sequence[str]) -> str:
    """Return the text of a box's tag: its class's name and its score, and what is special about it."""
    name = printable(class_names[box.label]) if box.label < len(class_names) else f"class {box.label}"
    score = "" if box.score is None else f" {box.score:.2f}"
    return f"{name}{score}" + (f" ({box.look})" if box.look != "plain" else "")


def _with_tags(
    picture: np.ndarray,
    boxes: Sequence[DrawnBox],
    places: Sequence[tuple[int, int, int, int]],
    class_names: Sequence[str],
) -> np.ndarray:
    from PIL import Image, ImageDraw

    texts = [tag_of(each, class_names) for each in boxes]
    height, width = picture.shape[:2]
    is_full = len(boxes) >= MANY
    size_px = round(min(max(math.sqrt(height * width) / (44 if is_full else 28), 9 if is_full else 11), 40))
    face = sized_font(font_for(texts).path, size_px)
    canvas = Image.fromarray(picture)
    draw = ImageDraw.Draw(canvas)
    used: list[tuple[int, int, int, int]] = []
    # The surest first, and of equal ones the smallest, which have the least room.
    for index in sorted(range(len(boxes)), key=lambda index: (-(boxes[index].score or 0), _area(places[index]))):
        text = fit_text(texts[index], face, width - 4)
        place = _tag_place(text, face, size_px, places[index], (height, width), used, must=not is_full)
        if place is None:
            continue
        used.append(place)
        colour = class_colour(boxes[index].label)
        left, top, right, bottom = place
        draw.rectangle((left, top, right - 1, bottom - 1), fill=colour)
        ink = (0, 0, 0) if np.dot(colour, (0.299, 0.587, 0.114)) > _LIGHT else (255, 255, 255)
        draw.text((left + 2, (top + bottom) / 2), text, fill=ink, font=face, anchor="lm")
    return np.array(canvas)


def _tag_place(
    text: str,
    face: FreeTypeFont,
    size_px: int,
    box: tuple[int, int, int, int],
    size: tuple[int, int],
    used: Sequence[tuple[int, int, int, int]],
    *,
    must: bool,
) -> tuple[int, int, int, int] | None:
    """Return where a tag stands within the picture, without covering another one; None if there is no such place.

    Args:
        must: return a place that covers another tag rather than None.
    """
    across, down = min(text_width(text, face) + 4, size[1]), min(line_height(size_px), size[0])
    left, top, right, bottom = box
    corners = [
        (left, top - down), (left, top), (left, bottom), (right - across, top - down), (right - across, top),
        (left, bottom - down), (right - across, bottom - down), (right - across, bottom),
    ]  # fmt: skip
    places = []
    for x, y in corners:
        x, y = min(max(x, 0), size[1] - across), min(max(y, 0), size[0] - down)
        places.append((x, y, x + across, y + down))
    for place in places:
        if not any(_overlap(place, other) for other in used):
            return place
    return places[0] if must else None


def _overlap(first: tuple[int, int, int, int], second: tuple[int, int, int, int]) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]
