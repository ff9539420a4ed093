"""Say the class of every pixel of image files with the exported network beside this script: `python SCRIPT IMAGE...`.

A mask is run lengths as COCO compresses them, down the columns.
"""

import json
import sys
from typing import Any

import numpy as np

from dlcli.export.scripts.canvas import on_canvas
from dlcli.export.scripts.model import open_model
from dlcli.export.scripts.pixels import as_batch, read_image
from dlcli.tasks.segmentation.script_answer import answer


def predict(path: str, session: Any, assets: dict[str, Any]) -> dict[str, Any]:
    """Return the share of each class in an image file, the largest first, with its mask."""
    image = read_image(path)
    canvas, inner = on_canvas(image, assets["preprocess"])
    label_map = session.run(["label_map"], as_batch(canvas))[0][0]
    height, width = image.shape[:2]
    rows, columns = ((2 * np.arange(n) + 1) * m // (2 * n) for n, m in ((height, inner[0]), (width, inner[1])))
    return answer(path, label_map[rows][:, columns], assets["labels"])


if __name__ == "__main__":
    session, assets = open_model()
    for path in sys.argv[1:]:
        print(json.dumps(predict(path, session, assets), ensure_ascii=False))  # noqa: T201
