"""The torch-free half of the toy detector: its form, its options, its codec and its metric."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dlcli.core.config import option
from dlcli.core.errors import DataError
from dlcli.core.registry import Network
from dlcli.data.card import Card
from dlcli.data.codec import Answer, Arrays, Batches, Encoded, Source, by_shape
from dlcli.data.images.decoding import read_image
from dlcli.data.images.sources import ImageValues, read_pixels
from dlcli.data.importing.preparing import Report
from dlcli.data.inputs import expand_files
from dlcli.data.labels import read_labels

CLASSES = ("red", "green")
SIZES = {"train": 32, "test": 6}
SHAPES = ((16, 16), (16, 22))
"""Heights and widths of the images; the second is no multiple of the cells that the network divides it into."""
CELL_PX = 4
MATCHING_IOU = 0.5

NETWORKS: Mapping[str, Network] = {"grid": Network("toys.detection:GridDetector", "a box for each cell", "none")}


@dataclass(frozen=True)
class DetectionConfig:
    """The task's own options."""

    model: str = option("grid", "the network", choices=tuple(NETWORKS))
    width: int = option(16, "features of a cell", minimum=1)


@dataclass(frozen=True)
class DetectionInference:
    """Which objects are answered."""

    score: float = option(0.05, "least score of an object", minimum=0.0, maximum=1.0, commands=("predict",))


@dataclass(frozen=True)
class BoxesOptions:
    """The dataset has no options."""


def recipe(dataset: str, given: Mapping[str, Any], data: Path | None = None) -> dict[str, Any]:
    """Return the defaults of a training."""
    del dataset, given, data
    return {"learning_rate": 0.02, "schedule": "linear"}


class BoxesImporter:
    """See `dlcli.data.importing.preparing.Importer`; the images are made here."""

    def __init__(self, options: BoxesOptions) -> None:
        self.options = options

    def locate(self, source: Path | None) -> list[Path]:
        """Return no files."""
        del source
        return []

    def space_needed(self, files: list[Path]) -> int:
        """Return about how many bytes the images take."""
        del files
        return 1000 * sum(SIZES.values())

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:
        """Write SPLIT/*.png, and SPLIT.json with the objects of each."""
        del files, report
        random = np.random.default_rng(0)
        counts = {split: dict.fromkeys(CLASSES, 0) for split in SIZES}
        for split, count in SIZES.items():
            (folder / split).mkdir()
            objects = {}
            for number in range(count):
                image, found = make_image(random, SHAPES[number % 2], number % 3 + 1)
                (folder / split / f"{number:02}.png").write_bytes(cv2.imencode(".png", image[:, :, ::-1])[1].tobytes())
                objects[f"{number:02}.png"] = found
                for *_, label in found:
                    counts[split][CLASSES[label]] += 1
            (folder / f"{split}.json").write_text(json.dumps(objects), encoding="utf-8")
        return Card("toy-boxes", "toy-boxes", CLASSES, counts, items=SIZES)


def make_image(
    random: np.random.Generator, shape: tuple[int, int], count: int
) -> tuple[np.ndarray, list[tuple[int, int, int, int, int]]]:
    """Return an (H, W, 3) image and its objects, each (x1, y1, x2, y2, label) in pixels; no two share a cell."""
    image = random.integers(0, 40, (*shape, 3)).astype(np.uint8)
    rows, columns = shape[0] // CELL_PX, shape[1] // CELL_PX
    objects = []
    for place in random.choice(rows * columns, count, replace=False).tolist():
        x, y = place % columns * CELL_PX, place // columns * CELL_PX
        label = int(random.integers(len(CLASSES)))
        image[y : y + 3, x : x + 4, label] = 230
        objects.append((x, y, x + 4, y + 3, label))
    return image, objects


@dataclass(frozen=True)
class Boxes:
    """A split: image files, and the objects of each, (n, 5) float32: x1, y1, x2, y2, label."""

    files: tuple[Path, ...]
    objects: tuple[np.ndarray, ...]


def open_boxes(folder: Path) -> dict[str, Boxes]:
    """Return the splits.

    Raises:
        DataError: a file is missing or damaged.
    """
    splits = {}
    for split in SIZES:
        try:
            found = json.loads((folder / f"{split}.json").read_text(encoding="utf-8"))
            objects = tuple(np.array(rows, np.float32).reshape(-1, 5) for rows in found.values())
        except (OSError, ValueError, AttributeError) as error:
            raise DataError(f"{folder}: {split}.json: {error}", hint="dl prepare toy-boxes") from None
        splits[split] = Boxes(tuple(folder / split / name for name in found), objects)
    return splits


def draw_boxes(folder: Path, split: str, count: int) -> np.ndarray:
    """Return some images of a split with their objects. See `dlcli.core.specs.FormSpec.samples`."""
    from dlcli.visualize.canvas import tile

    boxes = open_boxes(folder)[split]
    pairs = zip(boxes.files[:count], boxes.objects, strict=False)
    return tile([outlined(read_image(file, 3), rows[:, :4]) for file, rows in pairs])


def outlined(image: np.ndarray, boxes: np.ndarray, factor: int = 10) -> np.ndarray:
    """Return an (H, W, 3) image enlarged, with (n, 4) boxes on it."""
    from dlcli.visualize.canvas import enlarge

    picture = np.ascontiguousarray(enlarge(image, factor))
    for x1, y1, x2, y2 in np.round(boxes * factor).astype(int).tolist():
        cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), (255, 255, 0))
    return picture


def padded(image: np.ndarray) -> np.ndarray:
    """Return an (H, W, 3) image as (3, H', W'), filled up with black to whole cells."""
    height, width = (-size % CELL_PX for size in image.shape[:2])
    return np.ascontiguousarray(np.pad(image, ((0, height), (0, width), (0, 0))).transpose(2, 0, 1))


class DetectionCodec:
    """See `dlcli.data.codec.Codec`."""

    fields = ("label", "score", "box")
    listed = "objects"

    def __init__(self, assets: Mapping[str, Any], inference: DetectionInference | None = None) -> None:
        self.labels = read_labels(assets.get("labels"))
        self.inference = inference or DetectionInference()
        self.values = ImageValues()

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield image files."""
        return (Source(name, Path(name)) for name in expand_files(inputs, frozenset({".png"})))

    def encode(self, source: Source) -> Encoded:
        """Read one image."""
        try:
            image = read_pixels(source)
        except DataError as error:
            return Encoded(source, None, error.message)
        return Encoded(source, {"images": padded(image)}, context={"size": image.shape[:2]})

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Yield a batch for each size."""
        return by_shape(items)

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return the objects, the best first, in pixels of the original image."""
        answers = []
        for row, item in enumerate(items):
            height, width = item.context["size"]
            objects = []
            for place in range(int(outputs["counts"][row])):
                score = float(outputs["scores"][row, place])
                box = np.clip(outputs["boxes"][row, place], 0, [width, height, width, height])
                if score >= self.inference.score:
                    label = self.labels[int(outputs["labels"][row, place])]
                    objects.append({"label": label, "score": round(score, 6), "box": np.round(box, 4).tolist()})
            answers.append(Answer({"count": len(objects), "objects": objects}))
        return answers

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return the image with its objects."""
        boxes = np.array([entry["box"] for entry in answer.record["objects"]], np.float32).reshape(-1, 4)
        return outlined(read_image(source.value, 3), boxes)


def pairwise_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the intersections over unions (N, M) of (N, 4) and (M, 4) boxes, xyxy."""
    corners = np.maximum(first[:, None, :2], second[:, :2]), np.minimum(first[:, None, 2:], second[:, 2:])
    shared = np.clip(corners[1] - corners[0], 0, None).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (first, second)]
    return shared / (areas[0][:, None] + areas[1] - shared)


class DetectionScore:
    """See `dlcli.engine.task.Metric`: how many objects are found, and how many of the findings are objects."""

    def __init__(self) -> None:
        self.num_found = np.zeros(len(CLASSES), int)
        self.num_real = np.zeros(len(CLASSES), int)
        self.num_answers = np.zeros(len(CLASSES), int)

    def update(self, batch: Mapping[str, Any], outputs: Arrays) -> None:
        """Take in `objects`, a list of (n, 5), and the dense outputs."""
        for row, objects in enumerate(batch["objects"]):
            count = int(outputs["counts"][row])
            labels = outputs["labels"][row, :count]
            overlaps = pairwise_iou(objects[:, :4], outputs["boxes"][row, :count])
            is_match = (overlaps >= MATCHING_IOU) & (objects[:, 4:] == labels)
            for label in range(len(CLASSES)):
                is_real = objects[:, 4] == label
                self.num_found[label] += is_match[is_real].any(1).sum()
                self.num_real[label] += is_real.sum()
                self.num_answers[label] += (labels == label).sum()

    def merge(self, other: DetectionScore) -> None:
        """Take in what another process has seen."""
        self.num_found += other.num_found
        self.num_real += other.num_real
        self.num_answers += other.num_answers

    def compute(self) -> dict[str, float]:
        """Return recall and F1 over all classes; training has several losses, of which validation measures none."""
        found, real, answers = (int(sums.sum()) for sums in (self.num_found, self.num_real, self.num_answers))
        return {"recall": found / max(real, 1), "f1": 2 * found / max(real + answers, 1)}

    def report(self) -> dict[str, Any]:
        """Return the figures, also by class."""
        recalls = (self.num_found / np.maximum(self.num_real, 1)).tolist()
        by_class = [{"class": name, "recall": recall} for name, recall in zip(CLASSES, recalls, strict=True)]
        return {"metrics": self.compute(), "lower_is_better": [], "by_class": by_class}
