"""COCO's results file, by which other programs measure answers. Torch-free.

    results.json    [{"image_id", "category_id", "bbox": [x, y, width, height], "score"}, ...], masks as `segmentation`
    images.json     the images and categories that the ids mean

If all images are of one split of prepared data, ids are those of its JSON file, so pycocotools takes both files as they
are. Otherwise images are counted from 1 in the order of their answers, and categories in the order of the run.
Source: cocodataset.org, "Results format".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.core.errors import DataError
from dlcli.core.files import atomic_file, write_json
from dlcli.data.annotated.answers import ImageDetections
from dlcli.data.annotated.coco_json import from_coco, xywh
from dlcli.data.annotated.describing import annotations_file
from dlcli.data.annotated.folders import read_json
from dlcli.data.card import CARD_NAME
from dlcli.data.codec import Source

RESULTS = "coco-results"
"""The name of the format."""


@dataclass(frozen=True)
class _Ids:
    """Ids in a JSON file of prepared data: of the images by name of the file, and of the categories by name."""

    images: Mapping[str, int]
    categories: Mapping[str, int]


class CocoResults:
    """Stores answers as arrays and writes them at the end, when it is known which ids they have."""

    def __init__(self, folder: Path, classes: Sequence[str]) -> None:
        self._folder = folder
        self._classes = classes
        self._answers: list[tuple[Source, tuple[int, int], ImageDetections]] = []

    def save(self, source: Source, size: tuple[int, int], found: ImageDetections) -> None:
        """Store what is found in an image of this height and width."""
        self._answers.append((Source(source.name, _path_of(source), source.film), size, found))

    def close(self) -> None:
        """Write both files.

        Raises:
            OSError: one of them cannot be written.
        """
        ids = _prepared_ids([source.value for source, _, _ in self._answers])
        if ids is not None and set(self._classes) <= ids.categories.keys():
            images = [ids.images[source.value.name] for source, _, _ in self._answers]
            categories = [ids.categories[name] for name in self._classes]
        else:
            images = list(range(1, len(self._answers) + 1))
            categories = list(range(1, len(self._classes) + 1))
        with atomic_file(self._folder / "results.json") as stream:
            stream.write(b"[")
            for number, row in enumerate(self._rows(images, categories)):
                stream.write(b",\n" if number else b"\n")
                stream.write(json.dumps(row, separators=(",", ":")).encode())
            stream.write(b"\n]\n")
        described = [
            {"id": image, "file_name": source.name, "height": size[0], "width": size[1]}
            for image, (source, size, _) in zip(images, self._answers, strict=True)
        ]
        named = [{"id": category, "name": name} for category, name in zip(categories, self._classes, strict=True)]
        write_json(self._folder / "images.json", {"images": described, "annotations": [], "categories": named})

    def _rows(self, images: Sequence[int], categories: Sequence[int]) -> Iterator[dict[str, Any]]:
        for image, (_, _, found) in zip(images, self._answers, strict=True):
            boxes, scores, labels = found.boxes.tolist(), found.scores.tolist(), found.labels.tolist()
            for number, (box, score, label) in enumerate(zip(boxes, scores, labels, strict=True)):
                row = {"image_id": image, "category_id": categories[label], "bbox": xywh(box), "score": score}
                yield {**row, "segmentation": found.masks[number]} if found.masks is not None else row


def _path_of(source: Source) -> Path | None:
    return Path(source.value).absolute() if isinstance(source.value, (str, Path)) else None


def _prepared_ids(paths: Sequence[Path | None]) -> _Ids | None:
    """Return the ids of images that are all of one split of prepared data and all different; None if they are not."""
    folders = {path.parent if path is not None else None for path in paths}
    if len(folders) != 1 or len(set(paths)) < len(paths):
        return None
    folder = folders.pop()
    if folder is None or folder.parent.name != "images" or not (folder.parents[1] / CARD_NAME).is_file():
        return None
    root = folder.parents[1]
    file = root / annotations_file(folder.name)
    try:
        classes, images = from_coco(read_json(file), str(file))
    except DataError:
        return None
    known = {image.file: number for number, image in enumerate(images, 1)}
    ids = {path.name: known.get(f"images/{folder.name}/{path.name}", 0) for path in paths if path is not None}
    return _Ids(ids, {name: number for number, name in enumerate(classes, 1)}) if all(ids.values()) else None
