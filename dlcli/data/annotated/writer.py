"""Writing the form "annotated images": images copied byte for byte, annotations as COCO's JSON."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.checking import Checked
from dlcli.data.annotated.coco_json import to_coco
from dlcli.data.annotated.describing import annotations_file, make_card
from dlcli.data.annotated.probing import read_indices
from dlcli.data.card import Card
from dlcli.data.images.each import are_large, for_each
from dlcli.data.images.png import encode_pngs
from dlcli.data.importing.names import safe_stem


def write_annotated(checked: Checked, folder: Path, name: str) -> Card:
    """Write the prepared form into an empty folder and return its card.

    Args:
        checked: the data, in splits.
        folder: the folder.
        name: of the dataset.

    Raises:
        OSError: a file cannot be written.
    """
    (folder / "annotations").mkdir()
    written: dict[str, tuple[AnnotatedImage, ...]] = {}
    for split, images in checked.images.items():
        named = _named(images, split, checked)
        _copy(images, named, folder, checked.label_values)
        written[split] = named
        text = json.dumps(to_coco(named, checked.classes), separators=(",", ":"))
        (folder / annotations_file(split)).write_text(f"{text}\n", encoding="utf-8")
    return make_card(written, checked.classes, name, checked.notes)


def _named(images: Sequence[AnnotatedImage], split: str, checked: Checked) -> tuple[AnnotatedImage, ...]:
    """Return the images with their paths in the prepared folder: safe names, unique whatever their case."""
    taken: set[str] = set()
    named = []
    for number, image in enumerate(images):
        file = checked.files[image.file]
        stem = candidate = safe_stem(Path(image.file).stem, f"image_{number:05d}")
        again = 2
        while candidate.casefold() in taken:
            candidate = f"{stem}_{again}"
            again += 1
        taken.add(candidate.casefold())
        label_map = f"label_maps/{split}/{candidate}.png" if image.label_map else ""
        path = f"images/{split}/{candidate}{file.suffix}"
        named.append(dataclasses.replace(image, file=path, label_map=label_map))
    return tuple(named)


def _copy(
    images: Sequence[AnnotatedImage], named: Sequence[AnnotatedImage], folder: Path, label_values: Sequence[int]
) -> None:
    for path in {PurePosixPath(file).parent for image in named for file in (image.file, image.label_map) if file}:
        (folder / path).mkdir(parents=True)
    sources = [Path(image.file) for image in images]
    for_each(
        shutil.copyfile,
        sources,
        [folder / image.file for image in named],
        are_large=bool(sources) and are_large(sources),
    )
    values = np.array(label_values, np.uint8)

    def recode(source: str, target: Path) -> None:
        pixels = values[read_indices(Path(source))]
        target.write_bytes(next(iter(encode_pngs(pixels[np.newaxis, :, :, np.newaxis]))))

    pairs = [
        (image.label_map, folder / new.label_map) for image, new in zip(images, named, strict=True) if new.label_map
    ]
    for_each(recode, [source for source, _ in pairs], [target for _, target in pairs], are_large=len(pairs) > 1)
