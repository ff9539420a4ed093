"""Name what image files show with the exported network beside this script: `python SCRIPT IMAGE...`."""

import json
import sys
from typing import Any

import numpy as np

from dlcli.export.scripts.canvas import on_canvas
from dlcli.export.scripts.model import open_model
from dlcli.export.scripts.pixels import as_batch, read_image


def predict(path: str, session: Any, assets: dict[str, Any]) -> dict[str, Any]:
    """Return the labels of an image file, the most probable first, and the probability of each."""
    canvas, _ = on_canvas(read_image(path), assets["preprocess"])
    logits, thresholds = (each[0] for each in session.run(["logits", "thresholds"], as_batch(canvas)))
    shares = 1 / (1 + np.exp(-logits.astype(np.float64)))
    order = [k for k in np.argsort(-shares, kind="stable") if shares[k] >= thresholds[k]]
    found = {assets["labels"][k]: round(float(shares[k]), 6) for k in order}
    return {"input": path, "labels": list(found), "probabilities": found}


if __name__ == "__main__":
    session, assets = open_model()
    for path in sys.argv[1:]:
        print(json.dumps(predict(path, session, assets), ensure_ascii=False))  # noqa: T201
