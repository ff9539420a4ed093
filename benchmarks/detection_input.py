"""CPU time of augmenting annotated images for a detector, beside torchvision's reference pipeline on the same images.

    python benchmarks/detection_input.py [--images 200]

Both make a 320 x 256 canvas from a decoded photo of 640 x 480 with 12 boxes. torchvision's is that of its detection
references ("ssdlite"): photometric distortion, random IoU crop, flip, and a resize. Decoding is left out of both; ours
starts from the image as it is cached (1.3 times its size in the canvas), and from the whole photo.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.augmenting import augment, recipe_of

CANVAS = (256, 320)


def main() -> None:
    """Print milliseconds of CPU time per image."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    count = parser.parse_args().images
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    random = np.random.default_rng(0)
    image = cv2.resize(random.integers(0, 256, (48, 64, 3), dtype=np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)
    corners = random.uniform(0, [500, 380], (12, 2))
    boxes = np.concatenate([corners, corners + random.uniform(40, 100, (12, 2))], axis=1)
    record = AnnotatedImage("a.jpg", 480, 640, tuple(Annotation(0, tuple(box), 1.0) for box in boxes.tolist()))
    cached = cv2.resize(image, (416, 312), interpolation=cv2.INTER_AREA)
    recipe = recipe_of("default")
    reference = _reference(image, boxes)
    ways: dict[str, Callable[[int], object]] = {
        "ours, from the cache": lambda seed: augment(cached, record, CANVAS, recipe, seed),
        "ours, from the photo": lambda seed: augment(image, record, CANVAS, recipe, seed),
        "torchvision's reference": reference,
    }
    for name, way in ways.items():
        way(0)
        start = time.process_time()
        for seed in range(count):
            way(seed)
        print(f"{name:26}{1000 * (time.process_time() - start) / count:8.2f} ms")


def _reference(image: np.ndarray, boxes: np.ndarray) -> Callable[[int], object]:
    transform = v2.Compose([
        v2.RandomPhotometricDistort(),
        v2.RandomIoUCrop(),
        v2.RandomHorizontalFlip(0.5),
        v2.Resize(CANVAS, antialias=True),
        v2.SanitizeBoundingBoxes(),
    ])  # fmt: skip
    pixels = tv_tensors.Image(torch.from_numpy(image).permute(2, 0, 1).contiguous())
    target = {
        "boxes": tv_tensors.BoundingBoxes(torch.tensor(boxes), format="XYXY", canvas_size=image.shape[:2]),
        "labels": torch.zeros(len(boxes), dtype=torch.int64),
    }

    def way(seed: int) -> object:
        torch.manual_seed(seed)
        return transform(pixels, target)

    return way


if __name__ == "__main__":
    main()
