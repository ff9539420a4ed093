"""Bad command lines of `dl train` for segmentation and multi-label classification."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from toys.annotated import picture, voc_folder, voc_object

from bad_inputs.arrange import DATA, USAGE, Row
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.datasets.annotated.importer import voc_importer
from dlcli.datasets.annotated.options import AnnotatedOptions

SEGMENTATION = "train segmentation --pretrained none --image-size 64 --epochs 1 --batch-size 2"
MULTILABEL = "train multilabel --model cnn --pretrained none --image-size 32 --epochs 1 --batch-size 2"


def maps(
    value: int, size: tuple[int, int] = (30, 40), then: Callable[[], object] = lambda: None
) -> Callable[..., None]:
    """Return an arrangement: the folder src with images and label maps of one value; VOC's classes are 1 to 20."""

    def arrange(bench: Any) -> None:
        for number in range(6):
            picture(Path(f"src/JPEGImages/{number}.jpg"))
            paint(Path(f"src/SegmentationClass/{number}.png"), value, size)
        then()

    return arrange


def paint(path: Path, value: int, size: tuple[int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size, value, np.uint8)).save(path)


def prepared(value: int, size: tuple[int, int] = (30, 40)) -> Callable[..., None]:
    """Return an arrangement: the same prepared as data/a, whose label maps have been replaced since."""

    def change() -> None:
        importer = voc_importer(AnnotatedOptions())
        prepare_dataset(importer, Path("src"), Path("data/a"), command="", force=False, report=lambda line: None)
        for path in Path("data/a/label_maps").rglob("*.png"):
            paint(path, value, size)

    return maps(1, then=change)


def coloured(bench: Any) -> None:
    """Arrange label maps that show their classes as colours."""
    maps(1)(bench)
    for path in Path("src/SegmentationClass").glob("*.png"):
        Image.fromarray(np.full((30, 40, 3), 128, np.uint8)).save(path)


def boxes(bench: Any) -> None:
    cat = voc_object("cat", (1, 1, 9, 9))
    voc_folder(bench.home / "src", {str(number): [cat] for number in range(6)})


IMAGE_TASKS = {
    "segmentation of boxes alone": Row(f"{SEGMENTATION} --data src", DATA, "no image has a mask or a label map", boxes),
    "segmentation with label maps of another size": Row(
        f"{SEGMENTATION} --data src", DATA, "label maps of another size than their image", maps(1, (10, 10))
    ),
    "segmentation with coloured label maps": Row(
        f"{SEGMENTATION} --data src", DATA, "its pixels are colours, not indices of a palette", coloured
    ),
    "segmentation of void alone": Row(
        f"{SEGMENTATION} --data src", DATA, "no pixel of a training image shows a class", maps(255)
    ),
    "segmentation of background alone": Row(
        f"{SEGMENTATION} --data src", DATA, "no pixel of a training image shows a class", maps(0)
    ),
    "segmentation with label maps that have another size now": Row(
        f"{SEGMENTATION} --data data/a", DATA, "nothing in the training split can be read", prepared(1, (10, 10))
    ),
    "segmentation with a class number of no class": Row(
        f"{SEGMENTATION} --data data/a", DATA, "nothing in the training split can be read", prepared(77)
    ),
    "segmentation compared on no validation part": Row(
        f"{SEGMENTATION} --data src --val-fraction 0 --patience 2", USAGE, "no validation split", maps(1)
    ),
    "segmentation with weights by hand": Row(
        f"{SEGMENTATION} --data src --class-weights 1,2", USAGE, "--class-weights cannot be '1,2'", maps(1)
    ),
    "segmentation by a detector": Row(
        f"{SEGMENTATION} --data src --model maskrcnn", USAGE, "`dl train detection --model maskrcnn`", maps(1)
    ),
    "multi-label without labels": Row(
        f"{MULTILABEL} --data src", DATA, "no training image has an object or a tag", maps(1)
    ),
    "multi-label compared on no validation part": Row(
        f"{MULTILABEL} --data src --val-fraction 0 --patience 2", USAGE, "no validation split", boxes
    ),
}
