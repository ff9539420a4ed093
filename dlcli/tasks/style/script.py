"""Translate image files with the exported network beside this script: `python SCRIPT IMAGE...`.

Each answer is written into the working folder, as NAME-translated.png.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dlcli.export.scripts.model import open_model
from dlcli.export.scripts.pixels import as_batch, read_image


def predict(path: str, session: Any, assets: dict[str, Any]) -> dict[str, Any]:
    """Write the translation of an image file, at the size of the image, and return where it is."""
    image, stride = read_image(path), assets["preprocess"]["stride"]
    height, width = image.shape[:2]
    missing = [-(-max(side, 32) // stride) * stride - side for side in (height, width)]  # up to a multiple
    canvas = np.pad(image, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
    translated = session.run(["translated"], as_batch(canvas))[0][0, :, :height, :width].transpose(1, 2, 0)
    target = f"{Path(path).stem}-translated.png"
    Image.fromarray(translated).save(target)
    direction = assets["exported"]["direction"]
    return {"input": path, "width": width, "height": height, "direction": direction, "picture": target}


if __name__ == "__main__":
    session, assets = open_model()
    for path in sys.argv[1:]:
        print(json.dumps(predict(path, session, assets), ensure_ascii=False))  # noqa: T201
