"""Say the class of every pixel of image files with the exported network beside this script: `python SCRIPT IMAGE...`.

A mask is run lengths as COCO compresses them, down the columns.
"""

import json
import sys
from typing import Any

import numpy as np

from dlcli.export.scripts.canvas import on_canvas
from dlcli.export.scripts.model import open_model
from dlcli.export.scripts.pixels import Pixels, as_batch, read_image


def run_lengths(mask: Pixels) -> str:
    """Return COCO's text for a mask, (H, W) of booleans."""
    pixels = mask.ravel(order="F")
    runs = np.diff([0, *np.flatnonzero(np.diff(pixels, prepend=False)), pixels.size]).tolist()
    text = ""
    for place, run in enumerate(runs):
        value, is_last = run - runs[place - 2] if place > 2 else run, False
        while not is_last:
            bits, value = value & 31, value >> 5
            is_last = value == (-1 if bits & 16 else 0)
            text += chr(48 + bits + (0 if is_last else 32))
    return text


def predict(path: str, session: Any, assets: dict[str, Any]) -> dict[str, Any]:
    """Return the share of each class in an image file, the largest first, with its mask."""
    image = read_image(path)
    canvas, inner = on_canvas(image, assets["preprocess"])
    label_map = session.run(["label_map"], as_batch(canvas))[0][0]
    height, width = image.shape[:2]
    rows, columns = ((2 * np.arange(n) + 1) * m // (2 * n) for n, m in ((height, inner[0]), (width, inner[1])))
    label_map = label_map[rows][:, columns]
    counts = np.bincount(label_map.ravel(), minlength=len(assets["labels"]) + 1).tolist()
    shown = sorted((k for k in range(1, len(assets["labels"]) + 1) if counts[k]), key=lambda k: (-counts[k], k))
    classes = [
        {
            "label": assets["labels"][k - 1],
            "share": round(counts[k] / label_map.size, 6),
            "mask": {"size": [height, width], "counts": run_lengths(label_map == k)},
        }
        for k in shown
    ]
    background = round(counts[0] / label_map.size, 6)
    return {"input": path, "width": width, "height": height, "background": background, "classes": classes}


if __name__ == "__main__":
    session, assets = open_model()
    for path in sys.argv[1:]:
        print(json.dumps(predict(path, session, assets), ensure_ascii=False))  # noqa: T201
