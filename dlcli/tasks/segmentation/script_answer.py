"""The answer of a segmenter's exported file, without this package.

A mask is run lengths as COCO compresses them, down the columns.
"""

from typing import Any

import numpy as np


def run_lengths(mask: Any) -> str:
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


def answer(path: str, label_map: Any, labels: list[str]) -> dict[str, Any]:
    """Return the share of each class in an image, the largest first, with its mask; `label_map` is (H, W)."""
    height, width = label_map.shape
    counts = np.bincount(label_map.ravel(), minlength=len(labels) + 1).tolist()
    shown = sorted((k for k in range(1, len(labels) + 1) if counts[k]), key=lambda k: (-counts[k], k))
    classes = [
        {
            "label": labels[k - 1],
            "share": round(counts[k] / label_map.size, 6),
            "mask": {"size": [height, width], "counts": run_lengths(label_map == k)},
        }
        for k in shown
    ]
    background = round(counts[0] / label_map.size, 6)
    return {"input": path, "width": width, "height": height, "background": background, "classes": classes}
