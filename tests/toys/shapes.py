"""Pictures of coloured rectangles with their outlines, in COCO's format on disk, for tasks of annotated images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

CLASSES = ("red", "green", "blue")
SHAPES = ((48, 64), (64, 48), (64, 64))
"""Heights and widths of the pictures, in turn."""


def coco_shapes(folder: Path, counts: Mapping[str, int] | None = None, *, seed: int = 0) -> Path:
    """Write a folder of COCO: `annotations/instances_SPLIT.json` and `SPLIT/*.png`; return it.

    A picture shows one or two rectangles of unequal classes, which do not overlap.

    Args:
        folder: the folder.
        counts: split -> pictures.
        seed: of everything that is random.
    """
    random = np.random.default_rng(seed)
    for split, count in (counts or {"train": 18, "test": 5}).items():
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number in range(count):
            height, width = SHAPES[number % len(SHAPES)]
            picture = random.integers(60, 100, (height, width, 3), np.uint8)
            chosen = random.permutation(len(CLASSES))[: 1 + number % 2].tolist()
            for place, label in enumerate(chosen):
                left, top = 4 + place * width // 2, int(random.integers(4, height // 3))
                right, bottom = left + int(random.integers(14, width // 2 - 6)), top + int(random.integers(14, 28))
                picture[top:bottom, left:right] = 20
                picture[top:bottom, left:right, label] = 240
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number + 1,
                        "category_id": label + 1,
                        "bbox": [left, top, right - left, bottom - top],
                        "area": (right - left) * (bottom - top),
                        "iscrowd": 0,
                        "segmentation": [[left, top, right, top, right, bottom, left, bottom]],
                    }
                )
            name = f"{split}/{number:02}.png"
            (folder / split).mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
            images.append({"id": number + 1, "file_name": f"{number:02}.png", "width": width, "height": height})
        categories = [{"id": label + 1, "name": name} for label, name in enumerate(CLASSES)]
        value = {"images": images, "annotations": annotations, "categories": categories}
        path = folder / "annotations" / f"instances_{split}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value), encoding="utf-8")
    return folder
