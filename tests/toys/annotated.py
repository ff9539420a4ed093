"""Small annotated images on disk: pictures of noise, Pascal VOC's XML files, COCO's JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Corners = tuple[float, float, float, float]


def picture(path: Path, width: int = 40, height: int = 30, *, seed: int = 0, kind: str = "", exif: int = 1) -> Path:
    """Write a picture of noise, which differs by its name unless a seed is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng([seed, *path.stem.encode()]).integers(0, 256, (height, width, 3), np.uint8)
    stream = io.BytesIO()
    image = Image.fromarray(pixels)
    orientation = Image.Exif()
    orientation[0x0112] = exif
    kind = kind or {".png": "PNG"}.get(path.suffix, "JPEG")
    image.save(stream, kind, **({"exif": orientation} if exif != 1 else {}))
    path.write_bytes(stream.getvalue())
    return path


def voc_object(name: str, corners: Sequence[Any], **more: Any) -> str:
    """Return an object of an XML file; corners are pixel numbers from 1."""
    sides = "".join(
        f"<{key}>{value}</{key}>" for key, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    )
    rest = "".join(f"<{key}>{value}</{key}>" for key, value in more.items())
    return f"<object><name>{name}</name>{rest}<bndbox>{sides}</bndbox></object>"


def voc_file(
    path: Path, objects: Sequence[str], *, filename: str | None = None, size: tuple[int, int] | None = (40, 30)
) -> Path:
    """Write an XML file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    named = path.with_suffix(".jpg").name if filename is None else filename
    sides = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>" if size else ""
    path.write_text(
        f"<annotation><folder>x</folder><filename>{named}</filename><path>/etc/{named}</path>{sides}"
        f"{''.join(objects)}</annotation>",
        encoding="utf-8",
    )
    return path


def voc_folder(root: Path, objects: Mapping[str, Sequence[str]], *, lists: Mapping[str, str] | None = None) -> Path:
    """Write a folder of VOC: an XML file and a picture of 40 x 30 for each name; lists hold ids and blanks."""
    for name, found in objects.items():
        voc_file(root / "Annotations" / f"{name}.xml", found)
        picture(root / "JPEGImages" / f"{name}.jpg")
    for name, ids in (lists or {}).items():
        path = root / "ImageSets" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(ids.split()) + "\n", encoding="utf-8")
    return root


def coco_value(
    images: Mapping[Any, str], annotations: Sequence[Mapping[str, Any]], categories: Mapping[Any, str]
) -> dict[str, Any]:
    """Return COCO's JSON values: images of 40 x 30 and categories by id, and annotations without their ids."""
    return {
        "images": [{"id": key, "file_name": name, "width": 40, "height": 30} for key, name in images.items()],
        "annotations": [{"id": number, **each} for number, each in enumerate(annotations)],
        "categories": [{"id": key, "name": name} for key, name in categories.items()],
    }


def coco_file(path: Path, value: Any) -> Path:
    """Write a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def copied_pictures(root: Path, count: int) -> Path:
    """Write pictures 0.png, 1.png, ... with an object each, in folders a, b and c: as is, smaller, and as a copy."""
    for at in range(count):
        image = Image.open(picture(root / f"{at}.png", 9, 9)).convert("RGB").resize((160, 160))
        (root / f"{at}.png").unlink()
        for folder, side in (("a", 160), ("b", 120), ("c", 160)):
            (root / folder).mkdir(exist_ok=True)
            image.resize((side, side)).save(root / f"{folder}/{folder}{at}.png")
            voc_file(root / f"{folder}/{folder}{at}.xml", [voc_object("cat", (2, 2, 50, 50))], filename="", size=None)
    return root
