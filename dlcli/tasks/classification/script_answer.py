"""The answer of a classifier's exported file, without this package."""

from typing import Any

import numpy as np


def answer(path: str, logits: Any, labels: list[str]) -> dict[str, Any]:
    """Return the most probable class of an image, whose logits are (1, C)."""
    shares = np.exp(logits[0].astype(np.float64) - logits[0].max())
    best = int(shares.argmax())
    return {"input": path, "label": labels[best], "probability": round(float(shares[best] / shares.sum()), 6)}
