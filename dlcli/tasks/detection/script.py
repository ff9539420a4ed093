"""Find objects in image files with the exported network beside this script: `python SCRIPT IMAGE...`."""

import json
import sys
from typing import Any

import numpy as np

from dlcli.export.scripts.canvas import on_canvas
from dlcli.export.scripts.model import open_model
from dlcli.export.scripts.pixels import as_batch, read_image
from dlcli.tasks.detection.script_answer import OUTPUTS, answer


def predict(path: str, session: Any, assets: dict[str, Any]) -> dict[str, Any]:
    """Return the objects of an image file: name, score, and left, top, right and bottom in pixels."""
    image = read_image(path)
    canvas, inner = on_canvas(image, assets["preprocess"])
    height, width = image.shape[:2]
    scale = np.divide(inner, (height, width))
    return answer(path, (height, width), scale, session.run(OUTPUTS, as_batch(canvas)), assets["labels"])


if __name__ == "__main__":
    session, assets = open_model()
    for path in sys.argv[1:]:
        print(json.dumps(predict(path, session, assets), ensure_ascii=False))  # noqa: T201
