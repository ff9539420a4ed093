"""Find objects in image files with the exported model beside this script: `python SCRIPT IMAGE...`."""

import json
import sys
from typing import Any

from dlcli.export.scripts.model import open_model
from dlcli.export.scripts.whole import whole_image
from dlcli.tasks.detection.script_answer import OUTPUTS, answer


def predict(path: str, session: Any, assets: dict[str, Any]) -> dict[str, Any]:
    """Return the objects of an image file: name, score, and left, top, right and bottom in pixels."""
    image = whole_image(path)
    size = image["images"].shape[1:3]
    return answer(path, size, (1, 1), session.run(OUTPUTS, image), assets["labels"])


if __name__ == "__main__":
    session, assets = open_model()
    for path in sys.argv[1:]:
        print(json.dumps(predict(path, session, assets), ensure_ascii=False))  # noqa: T201
