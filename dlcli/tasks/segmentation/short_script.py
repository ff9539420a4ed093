"""Say the class of every pixel of image files with the exported model beside this script: `python SCRIPT IMAGE...`.

A mask is run lengths as COCO compresses them, down the columns.
"""

import json
import sys
from typing import Any

from dlcli.export.scripts.model import open_model
from dlcli.export.scripts.whole import whole_image
from dlcli.tasks.segmentation.script_answer import answer


def predict(path: str, session: Any, assets: dict[str, Any]) -> dict[str, Any]:
    """Return the share of each class in an image file, the largest first, with its mask."""
    [[label_map]] = session.run(["label_map"], whole_image(path))
    return answer(path, label_map, assets["labels"])


if __name__ == "__main__":
    session, assets = open_model()
    for path in sys.argv[1:]:
        print(json.dumps(predict(path, session, assets), ensure_ascii=False))  # noqa: T201
