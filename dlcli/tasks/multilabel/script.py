"""Name what image files show with the exported network beside this script: `python SCRIPT IMAGE...`."""

import json
import sys
from typing import Any

from dlcli.export.scripts.canvas import on_canvas
from dlcli.export.scripts.model import open_model
from dlcli.export.scripts.pixels import as_batch, read_image
from dlcli.tasks.multilabel.script_answer import answer


def predict(path: str, session: Any, assets: dict[str, Any]) -> dict[str, Any]:
    """Return the labels of an image file, the most probable first, and the probability of each."""
    canvas, _ = on_canvas(read_image(path), assets["preprocess"])
    logits, thresholds = session.run(["logits", "thresholds"], as_batch(canvas))
    return answer(path, logits, thresholds, assets["labels"])


if __name__ == "__main__":
    session, assets = open_model()
    for path in sys.argv[1:]:
        print(json.dumps(predict(path, session, assets), ensure_ascii=False))  # noqa: T201
