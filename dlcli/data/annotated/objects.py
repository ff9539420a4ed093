"""The objects of one image: repaired where it is plain what was meant, left out where it is not, and counted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcli.data.annotated.annotation import Annotation, Box, Segmentation
from dlcli.data.annotated.faults import Faults
from dlcli.data.annotated.found import FoundObject
from dlcli.data.annotated.probing import turned
from dlcli.data.annotated.shapes import area_of_mask, checked_mask, cut_polygons, hull_of_mask, turned_mask
from dlcli.data.images.probing import ImageFile

_MIN_SIDE_PX = 1.0
_DIGITS = 3  # with which positions are kept, so that a box as x, y, width, height is the same box again
_MIN_INSIDE = 0.5  # part of a mask's hull within the box; VOC's masks lack a border of 5 pixels, so they are smaller


@dataclass(frozen=True)
class Frame:
    """What the objects of an image lie in.

    Attributes:
        file: the image.
        is_stored: whether its annotation describes it as it is stored, before its EXIF orientation.
        where: the annotation's name, for messages.
    """

    file: ImageFile
    is_stored: bool
    where: str

    @property
    def annotated_size(self) -> tuple[int, int]:
        """Height and width that positions refer to."""
        size = (self.file.height, self.file.width)
        return size[::-1] if self.is_stored else size


def check_objects(
    objects: Sequence[FoundObject], frame: Frame, label_of: Mapping[str, int], classes: Sequence[str], faults: Faults
) -> tuple[Annotation, ...]:
    """Return the usable objects of an image, in their order.

    Args:
        objects: as they were found.
        frame: their image.
        label_of: name as written -> class index; other names are no class.
        classes: names by class index.
        faults: counts what is repaired and left out.
    """
    kept: dict[tuple[int, Box], Annotation] = {}
    for each in objects:
        label = label_of.get(each.name)
        if label is None:
            faults.add("class_empty", frame.where)
            continue
        checked = _check(each, label, frame, faults)
        if checked is None:
            continue
        if each.name != classes[label]:
            faults.add("class_merged", frame.where)
        key = (label, checked.box)
        if key not in kept:
            kept[key] = checked
        else:
            faults.add("box_twice", frame.where)
            if kept[key].segmentation is None:
                kept[key] = checked
    return tuple(kept.values())


def _check(each: FoundObject, label: int, frame: Frame, faults: Faults) -> Annotation | None:
    segmentation, hull = _mask(each, frame, faults)
    box = _box(each, frame, faults) if each.box is not None else None
    if box is None:
        if hull is None:
            if each.box is None:
                faults.add("box_missing", frame.where)
            return None
        box = hull
    elif hull is not None and _fault_of(box, frame) and not _fault_of(hull, frame):
        faults.add("box_of_mask", frame.where)
        box = hull
    cut = _cut(box, frame, faults)
    if cut is None:
        return None
    if segmentation is not None and hull is not None and not _lies_within(hull, cut):
        faults.add("mask_elsewhere", frame.where)
        segmentation = None
    extra = {name: value for name, value in each.extra.items() if name != "area"}
    area = _area(each.extra.get("area") if cut == box else None, cut, segmentation, frame)
    return Annotation(label, cut, area, each.is_crowd, each.is_difficult, segmentation, extra)


def _mask(each: FoundObject, frame: Frame, faults: Faults) -> tuple[Segmentation | None, Box | None]:
    """Return an object's mask and its hull, of the image as it is seen; None and None if it has none."""
    if each.segmentation is None:
        return None, None
    height, width = frame.annotated_size
    try:
        segmentation, is_cut = cut_polygons(checked_mask(each.segmentation, height, width), height, width)
        hull = hull_of_mask(segmentation, height, width)
        if _size(hull) <= 0:
            raise ValueError("a mask without a pixel")
        if frame.is_stored:
            segmentation = turned_mask(segmentation, frame.file.orientation, height, width)
            hull = hull_of_mask(segmentation, width, height)
    except ValueError:
        faults.add("mask_damaged", frame.where)
        return None, None
    if is_cut:
        faults.add("mask_cut", frame.where)
    return segmentation, _rounded(hull)


def _box(each: FoundObject, frame: Frame, faults: Faults) -> Box | None:
    """Return an object's box with its sides in order, of the image as it is seen; None if it has no numbers."""
    try:
        left, top, right, bottom = (float(side) for side in each.box or ())
    except (TypeError, ValueError, OverflowError):
        left = top = right = bottom = math.nan
    if not all(map(math.isfinite, (left, top, right, bottom))):
        faults.add("box_not_finite", frame.where)
        return None
    if right < left or bottom < top:
        faults.add("box_inverted", frame.where)
        left, right, top, bottom = min(left, right), max(left, right), min(top, bottom), max(top, bottom)
    if frame.is_stored:
        corners = turned(np.array([[left, top], [right, bottom]]), frame.file.orientation, *frame.annotated_size)
        (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return _rounded((left, top, right, bottom))


def _cut(box: Box, frame: Frame, faults: Faults) -> Box | None:
    """Return the part of a box within its image; None if that is less than a pixel."""
    fault = _fault_of(box, frame)
    if fault:
        faults.add(fault, frame.where)
        return None
    cut = _within(box, frame)
    if cut != box:
        faults.add("box_cut", frame.where)
    return cut


def _fault_of(box: Box, frame: Frame) -> str:
    """Return the kind of fault for which a box shows nothing of its image; "" if it shows a pixel."""
    left, top, right, bottom = box
    if right <= 0 or bottom <= 0 or left >= frame.file.width or top >= frame.file.height:
        return "box_outside"
    cut = _within(box, frame)
    return "box_small" if cut[2] - cut[0] < _MIN_SIDE_PX or cut[3] - cut[1] < _MIN_SIDE_PX else ""


def _within(box: Box, frame: Frame) -> Box:
    left, top, right, bottom = box
    return max(left, 0.0), max(top, 0.0), min(right, float(frame.file.width)), min(bottom, float(frame.file.height))


def _lies_within(hull: Box, box: Box) -> bool:
    overlap = (max(hull[0], box[0]), max(hull[1], box[1]), min(hull[2], box[2]), min(hull[3], box[3]))
    return _size(overlap) >= _MIN_INSIDE * _size(hull)


def _area(given: Any, box: Box, segmentation: Segmentation | None, frame: Frame) -> float:
    """Return the area that the source gives, if it can be that; else that of the mask, or of the box."""
    largest = _size(box)
    if type(given) in (int, float) and 0 < given <= 1.01 * largest + 1:
        return round(float(given), _DIGITS)
    if segmentation is None:
        return round(largest, _DIGITS)
    return area_of_mask(segmentation, frame.file.height, frame.file.width)


def _size(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _rounded(box: Box) -> Box:
    left, top, right, bottom = (round(side, _DIGITS) + 0.0 for side in box)  # + 0.0: no negative zero
    return left, top, right, bottom
