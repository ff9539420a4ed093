"""The answer of a detector's exported file, without this package."""

from typing import Any

import numpy as np

OUTPUTS = ["boxes", "scores", "labels", "counts", "thresholds"]


def answer(path: str, size: tuple[int, int], scale: Any, outputs: list[Any], names: list[str]) -> dict[str, Any]:
    """Return the objects of an image: name, score, and left, top, right and bottom in pixels.

    `size` is its height and width, and `scale` what its (y, x) were multiplied by for the network.
    """
    boxes, scores, labels, count, least = (each[0] for each in outputs)
    height, width = size
    boxes = boxes[:count].astype(np.float64) / np.tile([scale[1], scale[0]], 2)
    boxes = boxes.clip(0, [width, height, width, height]).round(2)
    scores, least = scores.astype(np.float64).round(5), least.astype(np.float64).round(5)
    objects = [
        {"label": names[label], "score": float(score), "box": box.tolist()}
        for box, score, label in zip(boxes, scores, labels, strict=False)
        if box[2] > box[0] and box[3] > box[1] and label < len(names) and score >= least[label]
    ]
    return {"input": path, "width": width, "height": height, "objects": objects[:100]}
