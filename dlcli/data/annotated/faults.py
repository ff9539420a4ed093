"""What may be wrong with annotations, and what is done about it: one table, so that all formats are treated alike."""

from __future__ import annotations

from pathlib import Path

from dlcli.core.console import shorten
from dlcli.core.wording import printable
from dlcli.data.annotated.found import FoundImage

KINDS = {
    "image_missing": "images that do not exist, left out",
    "image_unreadable": "images that cannot be read, left out",
    "image_in_two_splits": "images listed in two splits, used in the one that is measured",
    "image_annotated_twice": "images with two annotations, whose objects are joined",
    "image_without_annotation": "images without an annotation, used as background",
    "annotation_damaged": "images whose annotation is damaged, left out",
    "size_wrong": "annotations with another size than their image, whose own size is used",
    "size_before_exif": "annotations of images as stored, turned with the image by its EXIF orientation",
    "class_empty": "objects without a class, left out",
    "class_merged": "objects whose class differs in case or blanks from a more frequent one, counted as that",
    "box_missing": "objects with neither box nor mask, left out",
    "box_not_finite": "boxes that are no numbers, left out",
    "box_inverted": "boxes whose sides were swapped, repaired",
    "box_outside": "boxes outside their image, left out",
    "box_cut": "boxes cut at the image's edge",
    "box_small": "boxes without a pixel, left out",
    "box_of_mask": "boxes that are empty or outside their image, of objects with a mask, whose extent is used",
    "box_twice": "boxes that occur twice in their image, used once",
    "mask_damaged": "damaged masks, left out",
    "mask_cut": "masks cut at the image's edge",
    "mask_elsewhere": "masks away from their box, left out",
    "label_map_missing": "label maps that do not exist or cannot be read, left out",
    "label_map_size": "label maps of another size than their image, left out",
    "label_map_values": "label maps with values of no class, which are void there",
    "instances_upright": "instance maps of images as they are seen, whose annotations are of them as stored, left out",
    "instance_without_class": "instances of a label map without a class, left out",
}
"""Kind -> what there is and what is done, in the plural, in the order of the notes."""


class Faults:
    """Counts faults by kind and remembers where the first of each was."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._first: dict[str, tuple[str, str]] = {}

    def add(self, kind: str, where: str, reason: str = "") -> None:
        """Count a fault.

        Args:
            kind: of `KINDS`.
            where: the file, and perhaps what in it.
            reason: what exactly is wrong, where the kind leaves that open.
        """
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self._first.setdefault(kind, (where, reason))

    def notes(self) -> list[str]:
        """Return one line for each kind that occurred: what was done, how often, and where and why first."""
        return [
            f"{text}: {self.counts[kind]:,}, the first in {self._shown(kind)}"
            for kind, text in KINDS.items()
            if kind in self.counts
        ]

    def _shown(self, kind: str) -> str:
        return ": ".join(
            shorten(printable(part), most) for part, most in zip(self._first[kind], (120, 80), strict=True) if part
        )


def place_of(image: FoundImage) -> str:
    """Return the name of an image's annotation, with that of the image where it describes several."""
    if not image.annotation:
        return image.path.name
    return (
        image.annotation if Path(image.annotation).stem == image.path.stem else f"{image.annotation}: {image.path.name}"
    )
