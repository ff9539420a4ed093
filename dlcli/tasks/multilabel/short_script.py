"""Name what image files show with the exported model beside this script: `python SCRIPT IMAGE...`."""

import json
import sys
from typing import Any

from dlcli.export.scripts.model import open_model
from dlcli.export.scripts.whole import whole_image
from dlcli.tasks.multilabel.script_answer import answer


def predict(path: str, session: Any, assets: dict[str, Any]) -> dict[str, Any]:
    """Return the labels of an image file, the most probable first, and the probability of each."""
    logits, thresholds = session.run(["logits", "thresholds"], whole_image(path))
    return answer(path, logits, thresholds, assets["labels"])


if __name__ == "__main__":
    session, assets = open_model()
    for path in sys.argv[1:]:
        print(json.dumps(predict(path, session, assets), ensure_ascii=False))  # noqa: T201
