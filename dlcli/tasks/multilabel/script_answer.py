"""The answer of an exported file that knows several labels, without this package."""

from typing import Any

import numpy as np


def answer(path: str, logits: Any, thresholds: Any, labels: list[str]) -> dict[str, Any]:
    """Return the labels of an image, the most probable first, and the probability of each; all arrays are (1, C)."""
    shares = 1 / (1 + np.exp(-logits[0].astype(np.float64)))
    order = [k for k in np.argsort(-shares, kind="stable") if shares[k] >= thresholds[0][k]]
    found = {labels[k]: round(float(shares[k]), 6) for k in order}
    return {"input": path, "labels": list(found), "probabilities": found}
