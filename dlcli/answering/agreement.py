"""How far a file that fits images itself answers like one whose images the codec fits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dlcli.answering.answers import answer
from dlcli.answering.opening import open_model
from dlcli.core.errors import DataError, ParityError
from dlcli.data.annotated.masks import to_pixels
from dlcli.data.codec import Record, Source
from dlcli.engine.embedding import ShowsItems
from dlcli.engine.task import Task

VALUE_TOLERANCE = 0.02
"""Of probabilities, scores and shares of a class. Pixels differ by a level of 255, which moved probabilities of small
trained networks by up to 0.005."""

BOX_TOLERANCE = 0.5
"""Of the sides of boxes, in pixels of the network's input."""

UNEQUAL_PIXELS = 0.02
"""The share of a label map whose class may be another: it is nearly tied in pixels between two areas."""

SIZES = (None, (97, 131), (240, 180), (301, 402), (64, 64), (33, 150))
"""Height and width of the images that are compared; None for an image's own."""

_VALUES = ("probability", "share")


@dataclass
class Agreement:
    """The largest differences found so far.

    Attributes:
        values: of probabilities, scores or shares.
        boxes: of the sides of boxes, in pixels of the network's input; None without boxes.
        num_objects: objects that were matched.
        unequal: the share of a label map whose class is another; None without label maps.
        faults: a line for each disagreement.
    """

    values: float = 0.0
    boxes: float | None = None
    num_objects: int = 0
    unequal: float | None = None
    faults: list[str] = field(default_factory=list)

    @property
    def largest(self) -> float:
        """The largest difference of values."""
        return self.values

    @property
    def figures(self) -> dict[str, Any]:
        """The differences as JSON values."""
        if self.unequal is not None:
            return {"max_difference": self.values, "unequal_pixels": self.unequal}
        if self.boxes is None:
            return {"max_difference": self.values}
        return {"max_difference": self.values, "max_pixels": self.boxes, "objects": self.num_objects}

    @property
    def said(self) -> str:
        """The differences in words."""
        if self.unequal is not None:
            return f"up to {self.unequal:.2g} of the pixels of another class, shares within {self.values:.2g}"
        if self.boxes is None:
            return f"answers equal, numbers within {self.values:.2g}"
        return f"{self.num_objects} objects equal, boxes within {self.boxes:.2g} px, scores within {self.values:.2g}"


def some_images(task: Task, preprocess: Mapping[str, Any]) -> tuple[list[np.ndarray], bool]:
    """Return an image (H, W, C) uint8 for each of `SIZES`, and whether they are real: items of the data, scaled."""
    channels = int(preprocess.get("channels", 3))
    pictures = _real(task, len(SIZES))
    are_real = bool(pictures)
    if not pictures:
        random = np.random.default_rng(0)
        pictures = [cv2.resize(random.integers(0, 256, (12, 16, 3), np.uint8), (200, 150))]
    images = []
    for number, size in enumerate(SIZES):
        image = _with_channels(pictures[number % len(pictures)], channels)
        if size is not None:
            image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA).reshape(*size, channels)
        images.append(np.ascontiguousarray(image))
    return images, are_real


def _real(task: Task, count: int) -> list[np.ndarray]:
    if task.card is None or not isinstance(task, ShowsItems):
        return []
    for split in ("test", "valid", "train"):
        try:
            total = task.loader(split).num_items
            rows = np.linspace(0, total - 1, min(count, total)).astype(int).tolist()
            return [item.picture for item in task.items(split, rows) if item.picture is not None]
        except DataError:
            continue
    return []


def _with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    image = image if image.ndim == 3 else image[:, :, np.newaxis]
    if image.shape[2] == channels:
        return image
    if channels == 3:
        return np.repeat(image[:, :, :1], 3, axis=2)
    return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)[:, :, np.newaxis]


def agreement_on(
    plain: Path, whole: Path, images: Sequence[np.ndarray], inference: Any, preprocess: Mapping[str, Any]
) -> Agreement:
    """Return how far two files of a model agree on images of any size.

    Args:
        plain: its images are fitted by the codec.
        whole: it fits images itself.
        images: (H, W, C) uint8 each.
        inference: the task's inference options.
        preprocess: the asset, which knows the size of the network's input.

    Raises:
        ParityError: another class or object is found, or a difference is above its tolerance.
    """
    opened = [
        open_model(str(path), device="cpu", threads=None, inference=inference, report=lambda _: None)
        for path in (plain, whole)
    ]
    sources = [Source(f"{image.shape[0]} x {image.shape[1]}", image) for image in images]
    pairs = zip(*(answer(each, sources) for each in opened), strict=True)
    found, listed = Agreement(), opened[0].codec.listed
    side = max(preprocess.get("canvas") or preprocess.get("size") or [preprocess["side"]])
    for (source, reference), (_, given) in pairs:
        if "error" in reference.record or "error" in given.record:
            found.faults.append(f"{source.name}: {given.record.get('error', 'answered by one of the two')}")
            continue
        pixels = max(1.0, max(source.value.shape[:2]) / side)
        _compare(found, source.name, reference.record, given.record, str(listed), pixels)
    if found.faults:
        raise ParityError(
            "--embed-preprocess: the file and the run answer differently on whole images",
            details=found.faults[:3],
            hint="leave it out, and fit images before they are given to the file",
        )
    return found


def _compare(found: Agreement, where: str, reference: Record, given: Record, listed: str, pixels: float) -> None:
    """Compare two answers to an image, `pixels` of which are one of the network's input."""
    one, other = reference[listed], given[listed]
    if any("mask" in entry for entry in (*one, *other)) and listed != "objects":
        _compare_label_maps(found, where, one, other)
    if listed == "objects":
        found.boxes = found.boxes or 0.0
        for mine, theirs in ((one, other), (other, one)):
            _match(found, where, mine, theirs, pixels)
        return
    name = next((name for name in _VALUES if any(name in entry for entry in (*one, *other))), _VALUES[0])
    mine, theirs = ({entry["label"]: entry[name] for entry in entries} for entries in (one, other))
    differences = [abs(mine[label] - theirs[label]) for label in mine.keys() & theirs.keys()]
    missing = [value for a, b in ((mine, theirs), (theirs, mine)) for label, value in a.items() if label not in b]
    # Of a list cut at the best few, either may have another last one.
    floor = min((*mine.values(), *theirs.values()), default=0.0)
    differences += [value - floor if name == "probability" else value for value in missing]
    largest = max(differences, default=0.0)
    found.values = max(found.values, largest)
    if not largest <= VALUE_TOLERANCE:
        found.faults.append(f"{where}: {name} differs by {largest:.3f}; tolerance {VALUE_TOLERANCE:g}")
    elif one and other and name == "probability" and one[0]["label"] != other[0]["label"]:
        gap = mine[one[0]["label"]] - mine.get(other[0]["label"], 0.0)
        if gap > 2 * VALUE_TOLERANCE:
            found.faults.append(f"{where}: {other[0]['label']}, not {one[0]['label']}")


def _compare_label_maps(
    found: Agreement, where: str, one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]
) -> None:
    """Compare the classes of all pixels: a map that is mirrored or moved has equal shares."""
    labels = list(dict.fromkeys(entry["label"] for entry in (*one, *other)))
    sizes = {tuple(entry["mask"]["size"]) for entry in (*one, *other)}
    if len(sizes) > 1:
        found.faults.append(f"{where}: the label maps have different sizes")
        return
    [size] = sizes
    maps = [np.zeros(size, np.int64), np.zeros(size, np.int64)]
    for label_map, entries in zip(maps, (one, other), strict=True):
        for entry in entries:
            label_map[to_pixels(entry["mask"], *size) > 0] = 1 + labels.index(entry["label"])
    unequal = float(np.mean(maps[0] != maps[1]))
    found.unequal = max(found.unequal or 0.0, unequal)
    if unequal > UNEQUAL_PIXELS:
        found.faults.append(f"{where}: {unequal:.1%} of the pixels have another class; tolerance {UNEQUAL_PIXELS:.0%}")


def _match(
    found: Agreement, where: str, mine: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]], pixels: float
) -> None:
    """Look for the counterpart of each object whose score is clearly above the least that is shown of its class."""
    shown: dict[str, float] = {}
    for each in (*mine, *theirs):
        shown[each["label"]] = min(shown.get(each["label"], math.inf), each["score"])
    for each in mine:
        alike = [other for other in theirs if other["label"] == each["label"]]
        gaps = [float(np.abs(np.subtract(other["box"], each["box"])).max()) / pixels for other in alike]
        best = int(np.argmin(gaps)) if gaps else None
        if best is not None and gaps[best] <= BOX_TOLERANCE:
            score = abs(alike[best]["score"] - each["score"])
            found.values, found.boxes = max(found.values, score), max(found.boxes or 0.0, gaps[best])
            found.num_objects += 1
            if score > VALUE_TOLERANCE:
                found.faults.append(f"{where}: the score of {each['label']} differs by {score:.3f}")
        elif each["score"] > shown[each["label"]] + VALUE_TOLERANCE:
            by = f"its box differs by {min(gaps):.1f} px" if gaps else "not found"
            found.faults.append(f"{where}: {each['label']} with the score {each['score']:.2f}: {by}")
