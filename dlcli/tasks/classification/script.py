"""Classify image files with the exported network beside this script: `python SCRIPT IMAGE...`."""

import json
import sys
from typing import Any

from dlcli.export.scripts.model import open_model
from dlcli.export.scripts.pixels import Pixels, as_batch, interpolate, read_image, shrink
from dlcli.tasks.classification.script_answer import answer


def fit(image: Pixels, height: int, width: int) -> Pixels:
    """Return the centre of an image at the network's size."""
    if image.shape[:2] == (height, width):
        return image
    side, goal = min(image.shape[:2]), max(height, width)
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = image[top : top + side, left : left + side]
    if side != goal:
        square = (shrink if side > goal else interpolate)(square, goal, goal)
    top, left = (goal - height) // 2, (goal - width) // 2
    return square[top : top + height, left : left + width]


def predict(path: str, session: Any, assets: dict[str, Any]) -> dict[str, Any]:
    """Return the most probable class of an image file."""
    preprocess = assets["preprocess"]
    pixels = fit(read_image(path, preprocess["channels"]), *preprocess["size"])
    [logits] = session.run(["logits"], as_batch(pixels))
    return answer(path, logits, assets["labels"])


if __name__ == "__main__":
    session, assets = open_model()
    for path in sys.argv[1:]:
        print(json.dumps(predict(path, session, assets), ensure_ascii=False))  # noqa: T201
