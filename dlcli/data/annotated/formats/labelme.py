"""labelme: a JSON file for each image, with named shapes.

Rectangles are boxes, polygons and circles masks; polygons with one label and one `group_id` are one object. The flags
of a file that are set are tags of its image. Source: github.com/wkentaro/labelme, `labelme/_label_file.py`.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dlcli.core.errors import DataError
from dlcli.data.annotated.folders import split_of_path
from dlcli.data.annotated.formats.places import ImageFinder, number, read_text
from dlcli.data.annotated.found import Found, FoundImage, FoundObject, Reading
from dlcli.data.walking import list_files, walk_folders

NAME = "labelme"
SUMMARY = "labelme: a JSON file with shapes for each image, beside it"

CIRCLE_CORNERS = 64
"""Corners of the polygon for a circle, whose area is 0.16 % smaller."""

_HEAD_BYTES = 65536
_MAX_FOLDERS = 50  # that `matches` looks into
_CURVES = {"polygon", "circle"}


def matches(source: Path) -> bool:
    """Return whether this is a folder of which one of the first three JSON files has shapes."""
    folders = itertools.islice(walk_folders(source, []) if source.is_dir() else (), _MAX_FOLDERS)
    files = (
        source / prefix / name for prefix, _, names, _ in folders for name in names if name.lower().endswith(".json")
    )
    return any(_looks_like_labelme(file) for file in itertools.islice(files, 3))


def _looks_like_labelme(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return b'"shapes"' in stream.read(_HEAD_BYTES)
    except OSError:
        return False


def read(source: Path, options: Reading) -> Found:
    """Return the images and shapes of a folder of labelme's files.

    Args:
        source: the folder.
        options: `images` is the folder of the images, if they are not beside their JSON files.

    Raises:
        DataError: none of the JSON files is labelme's.
    """
    finder = ImageFinder(options.images or source)
    names = [name for name in list_files(source, []) if name.lower().endswith(".json")]
    notes: list[str] = []
    images: dict[Path, FoundImage] = {}
    damaged: dict[Path, FoundImage] = {}
    for name in names:
        try:
            image = _read_file(source, name, finder, notes)
        except DataError as error:
            namesake = _namesake(name, finder)
            if namesake is None:
                notes.append(f"{name}: {error.message}")
            else:  # what it shows is then unknown, not nothing
                path = finder.root / namesake
                damaged.setdefault(path, FoundImage(path, name, split_of_path(name), damage=error.message))
            continue
        if image.path in images:
            notes.append(f"{name}: describes {image.path.name}, as {images[image.path].annotation} does: skipped")
        else:
            images[image.path] = image
    if not images:
        raise DataError(
            f"{source}: {len(names)} JSON files, of which none can be read as labelme's",
            details=[*notes, *(f"{each.annotation}: {each.damage}" for each in damaged.values())][:3],
            hint="expected: a.json with shapes and imagePath, beside a.jpg",
        )
    images = {**damaged, **images}
    described = {image.path for image in images.values()}
    others = [finder.root / image for image in finder.names if finder.root / image not in described]
    images |= {path: FoundImage(path, "", split_of_path(path.relative_to(finder.root).as_posix())) for path in others}
    return Found(tuple(images.values()), notes=tuple(notes))


def _read_file(source: Path, name: str, finder: ImageFinder, notes: list[str]) -> FoundImage:
    """Return what a JSON file says.

    Raises:
        DataError: it is not labelme's, or its image is only embedded; the message is only the reason.
    """
    try:
        content = json.loads(read_text(source / name))
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON: {str(error)[:100]}") from None
    if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
        raise DataError("no shapes: not labelme's")
    path = _image_of(content, name, finder)
    tags = content.get("flags")
    width, height = number(content.get("imageWidth")), number(content.get("imageHeight"))
    is_sized = width is not None and height is not None and math.isfinite(width) and math.isfinite(height)
    return FoundImage(
        path,
        name,
        split_of_path(name),
        tuple(_objects(content["shapes"], name, notes)),
        (int(width), int(height)) if is_sized and width is not None and height is not None else None,
        tuple(tag for tag, is_set in tags.items() if is_set is True) if isinstance(tags, dict) else (),
    )


def _image_of(content: dict[str, Any], name: str, finder: ImageFinder) -> Path:
    """Return the image file that a JSON file describes, which may be missing."""
    written = content.get("imagePath")
    folder, _, base = name.rpartition("/")
    found = finder.find(written, folder) if isinstance(written, str) else None
    if found is None:
        found = _image_beside(name, finder)
    if found is not None:
        return finder.root / found
    if content.get("imageData"):
        raise DataError("its image is only embedded (imageData): skipped; save it beside the JSON file")
    return finder.missing(written if isinstance(written, str) else base.rpartition(".")[0])


def _image_beside(name: str, finder: ImageFinder) -> str | None:
    """Return the image of the same name, but for its suffix, as a JSON file; None if there is none."""
    stem = name.rpartition(".")[0]
    return next((image for image in finder.names if image.rpartition(".")[0] == stem), None)


def _namesake(name: str, finder: ImageFinder) -> str | None:
    """Return the image of a JSON file's name beside it, or the only one of that name elsewhere; None without one."""
    stem = name.rpartition("/")[2].rpartition(".")[0]
    found = [image for image in finder.names if image.rpartition("/")[2].rpartition(".")[0] == stem]
    return _image_beside(name, finder) or (found[0] if len(found) == 1 else None)


def _objects(shapes: list[Any], name: str, notes: list[str]) -> Iterator[FoundObject]:
    """Yield the objects of the shapes of a file; shapes that are none are noted."""
    grouped: dict[tuple[str, str], FoundObject] = {}
    for position, shape in enumerate(shapes):
        try:
            found = _object(shape)
        except ValueError as error:
            notes.append(f"{name}: shape {position}: {error}"[:300])
            continue
        group = shape.get("group_id")
        if found.segmentation is None or group is None:
            yield found
            continue
        key = (found.name, str(group)[:100])
        if key in grouped and isinstance(grouped[key].segmentation, list):
            grouped[key].segmentation.extend(found.segmentation)  # type: ignore[union-attr, arg-type]
        else:
            grouped[key] = found
    yield from grouped.values()


def _object(shape: Any) -> FoundObject:
    """Return the object of a shape.

    Raises:
        ValueError: it is none; why.
    """
    if not isinstance(shape, dict) or not isinstance(shape.get("label"), str):
        raise ValueError("no label")
    kind = shape.get("shape_type") or "polygon"
    if kind != "rectangle" and kind not in _CURVES:
        raise ValueError(f"a {str(kind)[:40]} has no area that is read: skipped")
    points = _points(shape.get("points"))
    flags = shape.get("flags")
    set_flags = [flag for flag, is_set in flags.items() if is_set is True] if isinstance(flags, dict) else []
    is_difficult = shape.get("difficult") is True or "difficult" in set_flags
    extra = {"flags": set_flags} if set_flags else {}
    box, segmentation = None, None
    if kind == "rectangle":
        if len(points) < 2:
            raise ValueError("a rectangle of fewer than two points")
        (left, top), (right, bottom) = map(min, zip(*points, strict=True)), map(max, zip(*points, strict=True))
        box = (left, top, right, bottom)
    else:
        corners = _circle(points) if kind == "circle" else points
        segmentation = [[value for corner in corners for value in corner]]
    return FoundObject(shape["label"], box, segmentation, is_difficult=is_difficult, extra=extra)


def _points(value: Any) -> list[tuple[float, float]]:
    """Return the points of a shape, perhaps not finite.

    Raises:
        ValueError: they are none.
    """
    if not isinstance(value, list):
        raise ValueError("no points")
    points = []
    for point in value:
        x, y = (number(point[0]), number(point[1])) if isinstance(point, list) and len(point) == 2 else (None, None)
        if x is None or y is None:
            raise ValueError("a point that is not two numbers")
        points.append((x, y))
    return points


def _circle(points: list[tuple[float, float]]) -> Iterable[tuple[float, float]]:
    """Return a circle, given by its centre and a point on it, as a polygon.

    Raises:
        ValueError: these are not two points.
    """
    if len(points) != 2:
        raise ValueError(f"a circle of {len(points)} points, not two")
    (x, y), rim = points
    radius = math.dist((x, y), rim)
    angles = [2 * math.pi * step / CIRCLE_CORNERS for step in range(CIRCLE_CORNERS)]
    return [(x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles]
