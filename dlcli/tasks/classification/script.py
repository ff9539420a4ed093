"""Classify image files with the exported network beside this script: `python SCRIPT IMAGE...`."""

import json
import sys
from typing import Any

from dlcli.export.scripts.model import open_model
from dlcli.export.scripts.pixels import Pixels, as_batch, interpolate, read_image, shrink
from dlcli.tasks.classification.script_answer import answer


def fit(image: Pixels, height: int, width: int) -> Pixels:
    """Return the largest window in the middle of an image that has the proportions of the network, at its size."""
    scale = min(image.shape[0] / height, image.shape[1] / width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (image.shape[0] - rows) // 2, (image.shape[1] - columns) // 2
    window = image[top : top + rows, left : left + columns]
    if (rows, columns) == (height, width):
        return window
    return (shrink if scale > 1 else interpolate)(window, height, width)


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
