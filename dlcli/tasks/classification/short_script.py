"""Classify image files with the exported model beside this script: `python SCRIPT IMAGE...`."""

import json
import sys
from typing import Any

from dlcli.export.scripts.model import open_model
from dlcli.export.scripts.whole import whole_image
from dlcli.tasks.classification.script_answer import answer


def predict(path: str, session: Any, assets: dict[str, Any]) -> dict[str, Any]:
    """Return the most probable class of an image file."""
    [logits] = session.run(["logits"], whole_image(path, assets["preprocess"]["channels"]))
    return answer(path, logits, assets["labels"])


if __name__ == "__main__":
    session, assets = open_model()
    for path in sys.argv[1:]:
        print(json.dumps(predict(path, session, assets), ensure_ascii=False))  # noqa: T201
