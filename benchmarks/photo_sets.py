"""Make two small sets of photos in class folders from boxes of COCO and of raccoons, for benchmarks/photos.py.

    python benchmarks/photo_sets.py OUT      # needs DLCLI_DATA, a folder with coco-mini/ and raccoon/

`OUT/five`: 200 photos, 40 each of person, chair, bowl, dining table and raccoon. `OUT/nine`: 179 photos, 20 each of
nine other things, 19 of one. A photo is a box with a margin of a tenth of its sides, at least 64 pixels wide and high;
a class has one photo of an image while there are images enough. Recipes are chosen on `nine` and reported on `five`.
"""

from __future__ import annotations

import json
import os
import random
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

FIVE = ("person", "chair", "bowl", "dining table", "raccoon")
NINE = ("cup", "sheep", "tv", "suitcase", "car", "potted plant", "laptop", "banana", "oven")
MIN_SIDE_PX, MARGIN = 64, 0.1

Crop = tuple[str, Path, tuple[float, float, float, float]]
"""Class, image, and box as left, top, right, bottom."""


def coco_crops(root: Path) -> Iterator[Crop]:
    """Yield the boxes of single objects."""
    for split in ("train2017", "val2017"):
        content = json.loads((root / "annotations" / f"instances_{split}.json").read_text(encoding="utf-8"))
        names = {category["id"]: category["name"] for category in content["categories"]}
        files = {image["id"]: root / split / image["file_name"] for image in content["images"]}
        for entry in content["annotations"]:
            left, top, width, height = entry["bbox"]
            if not entry.get("iscrowd"):
                box = (left, top, left + width, top + height)
                yield names[entry["category_id"]], files[entry["image_id"]], box


def raccoon_crops(root: Path) -> Iterator[Crop]:
    """Yield the boxes of raccoons."""
    for path in sorted((root / "annotations").glob("*.xml")):
        tree = ET.parse(path).getroot()
        for entry in tree.iter("object"):
            left, top, right, bottom = (
                float(entry.findtext(f"bndbox/{name}", "0")) for name in ("xmin", "ymin", "xmax", "ymax")
            )
            yield "raccoon", root / "images" / str(tree.findtext("filename")), (left, top, right, bottom)


def write_set(crops: list[Crop], classes: tuple[str, ...], count: int, folder: Path) -> None:
    """Write `count` photos of each class."""
    for name in classes:
        seen: set[Path] = set()
        chosen = []
        own = [
            crop
            for crop in crops
            if crop[0] == name and min(crop[2][2] - crop[2][0], crop[2][3] - crop[2][1]) >= MIN_SIDE_PX
        ]
        random.Random(name).shuffle(own)
        for crop in own:
            if crop[1] not in seen:
                seen.add(crop[1])
                chosen.append(crop)
        rest = [crop for crop in own if crop not in chosen]
        for number, (_, path, (left, top, right, bottom)) in enumerate([*chosen, *rest][:count]):
            across, down = MARGIN * (right - left), MARGIN * (bottom - top)
            with Image.open(path) as image:
                box = (
                    max(0, left - across),
                    max(0, top - down),
                    min(image.width, right + across),
                    min(image.height, bottom + down),
                )
                target = folder / name / f"{number:03}.jpg"
                target.parent.mkdir(parents=True, exist_ok=True)
                image.convert("RGB").crop(tuple(map(round, box))).save(target, quality=95)
        images = {crop[1] for crop in [*chosen, *rest][:count]}
        print(f"{folder / name}: {min(count, len(own))} photos of {len(images)} images")


def main() -> None:
    """Write both sets."""
    root, out = Path(os.environ["DLCLI_DATA"]), Path(sys.argv[1])
    crops = [*coco_crops(root / "coco-mini"), *raccoon_crops(root / "raccoon")]
    write_set(crops, FIVE, 40, out / "five")
    write_set(crops, NINE, 20, out / "nine")


if __name__ == "__main__":
    main()
