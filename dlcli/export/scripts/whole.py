"""Reading an image for a file that fits images of any size itself."""

from typing import Any

import numpy as np
from PIL import Image, ImageOps


def whole_image(path: str, channels: int = 3) -> dict[str, Any]:
    """Return an image as the file's input, one image of (H, W, C)."""
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB" if channels == 3 else "L")
    return {"images": np.asarray(image).reshape(1, image.height, image.width, channels)}
