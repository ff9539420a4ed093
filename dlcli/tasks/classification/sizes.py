"""The sizes of a classifier's network that `--budget` chooses from, without torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from dlcli.core.registry import Size
from dlcli.tasks.classification.config import ClassificationConfig

AIRNET_EPOCHS = {16: 2, 24: 3, 32: 3, 40: 5, 48: 6, 64: 7, 80: 8, 96: 8, 128: 8}
"""Width -> epochs from which on it is worth its time, on CIFAR-10. Measured on two cores, with test-time augmentation:
width 32 has 86.4 % after 3 epochs and 88.7 % after 8; in twice that time width 48 has 90.0 %, in three times 64 has
90.7 %, both after 8. The widths between and beyond follow these (benchmarks/cifar10_curve.py measures the outcome)."""

MOST_EPOCHS = 20
"""More are spent better on a wider network: the paper's longest training has 40 (arXiv:2404.00498, section 5)."""


def sizes(config: ClassificationConfig) -> Sequence[Size]:
    """Return the sizes from the narrowest up; none where the width is given or the network has but one."""
    if config.model != "airnet" or config.width is not None:
        return ()
    return [
        Size(dataclasses.replace(config, width=width), f"width {width}", epochs, MOST_EPOCHS)
        for width, epochs in AIRNET_EPOCHS.items()
    ]
