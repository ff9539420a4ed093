"""Find objects in image files with the exported network beside this script: `python SCRIPT IMAGE...`."""

import json
import sys
from typing import Any

import numpy as np

from dlcli.export.scripts.canvas import on_canvas
from dlcli.export.scripts.model import open_model
from dlcli.export.scripts.pixels import as_batch, read_image


def predict(path: str, session: Any, assets: dict[str, Any]) -> dict[str, Any]:
    """Return the objects of an image file: name, score, and left, top, right and bottom in pixels."""
    image = read_image(path)
    canvas, inner = on_canvas(image, assets["preprocess"])
    names = ["boxes", "scores", "labels", "counts", "thresholds"]
    boxes, scores, labels, count, least = (each[0] for each in session.run(names, as_batch(canvas)))
    height, width = image.shape[:2]
    boxes = boxes[:count].astype(np.float64) / np.tile([inner[1] / width, inner[0] / height], 2)
    boxes = boxes.clip(0, [width, height, width, height]).round(2)
    scores, least = scores.astype(np.float64).round(5), least.astype(np.float64).round(5)
    objects = [
        {"label": assets["labels"][label], "score": float(score), "box": box.tolist()}
        for box, score, label in zip(boxes, scores, labels, strict=False)
        if box[2] > box[0] and box[3] > box[1] and label < len(assets["labels"]) and score >= least[label]
    ]
    return {"input": path, "width": width, "height": height, "objects": objects[:100]}


if __name__ == "__main__":
    session, assets = open_model()
    for path in sys.argv[1:]:
        print(json.dumps(predict(path, session, assets), ensure_ascii=False))  # noqa: T201
