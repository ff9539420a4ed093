"""One XML file of Pascal VOC: bounded in size, without a document type, so that no entity is ever expanded."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.core.errors import DataError
from dlcli.data.annotated.found import FoundObject

MAX_BYTES = 10 * 2**20
_EXTRA = ("pose", "truncated", "occluded")
_MAX_TEXT = 300
_WIDE = (b"\xff\xfe", b"\xfe\xff")  # byte order marks of UTF-16


@dataclass(frozen=True)
class Description:
    """What an XML file says of an image; `filename` is "" and `size` None where it says nothing."""

    filename: str
    size: tuple[int, int] | None
    objects: tuple[FoundObject, ...]


def looks_like_voc(path: Path) -> bool:
    """Return whether an XML file begins as VOC's do."""
    try:
        with path.open("rb") as stream:
            return b"<annotation" in stream.read(2048).replace(b"\0", b"")
    except OSError:
        return False


def read_description(path: Path) -> Description:
    """Return what an XML file says.

    Raises:
        DataError: it cannot be read, is too large, is no XML, or has a document type; the message is only the reason.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}") from None
    if len(data) > MAX_BYTES:
        raise DataError(f"larger than {MAX_BYTES >> 20} MiB")
    try:
        plain = data.replace(b"\0", b"")  # the parser detects UTF-16 without a byte order mark, too
        if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
            raise DataError("has a document type, which is refused")
        root = ET.fromstring(data.decode("utf-16") if data.startswith(_WIDE) else data)
    except (ET.ParseError, ValueError, LookupError) as error:
        raise DataError(f"not well-formed XML: {error}") from None
    if root.tag != "annotation":
        raise DataError(f"its root is {root.tag[:40]!r}, not 'annotation'")
    return Description(_text(root, "filename"), _size(root), tuple(map(_object, root.findall("object"))))


def _text(element: ET.Element, name: str) -> str:
    return (element.findtext(name) or "").strip()[:_MAX_TEXT]


def _size(root: ET.Element) -> tuple[int, int] | None:
    if root.find("size") is None:
        return None
    width, height = (_number(_text(root, f"size/{side}")) for side in ("width", "height"))
    return (int(width), int(height)) if abs(width) < 1e9 and abs(height) < 1e9 else (0, 0)


def _object(element: ET.Element) -> FoundObject:
    box = element.find("bndbox")
    extra: dict[str, Any] = {}
    for name in _EXTRA:
        value = _text(element, name)
        if value:
            extra[name] = int(value) if value in ("0", "1") else value
    return FoundObject(
        _text(element, "name"),
        _corners(box) if box is not None else None,
        is_difficult=_text(element, "difficult") in ("1", "true", "True"),
        extra=extra,
    )


def _corners(box: ET.Element) -> tuple[float, float, float, float]:
    left, right = _from_one(_number(_text(box, "xmin")), _number(_text(box, "xmax")))
    top, bottom = _from_one(_number(_text(box, "ymin")), _number(_text(box, "ymax")))
    return left, top, right, bottom


def _from_one(first: float, last: float) -> tuple[float, float]:
    """Return two sides in pixels from 0, of pixel numbers from 1 of which the last is included.

    The lower one begins its pixel, so that sides in the wrong order stay so. Equal ones are an accident of drawing (a
    click), and stay empty.
    """
    if first < last:
        return first - 1, last
    return (first, last - 1) if last < first else (first, last)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
