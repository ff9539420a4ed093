"""The network sizes that `--budget` chooses from for an image classifier. Torch-free."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from dlcli.core.registry import Size
from dlcli.tasks.classification.config import ClassificationConfig

AIRNET_EPOCHS = {16: 2.0, 32: 2.0, 48: 5.0, 64: 8.0, 96: 10.0, 128: 12.0}
"""Width -> the number of epochs from which it is chosen. An estimate from four points of a rough measurement on
CIFAR-10: width 32 gains 2.3 points from 3.3 to 8.2 epochs, and at 8.2 epochs the widths 48 and 64 are better by 1.3 and
2.0 points for two and three times the time. So below roughly these epochs a width loses to the next narrower one, which
sees more epochs in the same time. The exact crossovers have not been measured; benchmarks/cifar10_curve.py measures the
result. Multiples of 16 only: bf16 filters of 24 channels take longer than those of 32."""

MOST_EPOCHS = 20
"""Also an estimate: beyond it, the time is better spent on a wider network."""


def sizes(config: ClassificationConfig) -> Sequence[Size]:
    """Return the sizes, narrowest first; none if the width is given or the network has only one."""
    if config.model != "airnet" or config.width is not None:
        return ()
    return [
        Size(dataclasses.replace(config, width=width), f"width {width}", epochs, MOST_EPOCHS)
        for width, epochs in AIRNET_EPOCHS.items()
    ]
