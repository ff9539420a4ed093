"""The sizes of a classifier's network that `--budget` chooses from, without torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from dlcli.core.registry import Size
from dlcli.tasks.classification.config import ClassificationConfig

AIRNET_EPOCHS = {16: 2.0, 32: 2.0, 48: 5.0, 64: 6.0, 96: 8.0, 128: 8.0}
"""Width -> epochs from which on it is taken. An estimate from three points of an untuned sketch on CIFAR-10 (widths 32,
48 and 64 at 8 epochs, where the wider was better by 1.3 and 0.7 points for two and three times the time). Where one
width overtakes another has not been measured; benchmarks/cifar10_curve.py measures what comes of it. Multiples of 16
only: bf16 filters of 24 channels take longer than those of 32."""

MOST_EPOCHS = 20
"""Likewise an estimate: beyond, the time is given to a wider network."""


def sizes(config: ClassificationConfig) -> Sequence[Size]:
    """Return the sizes from the narrowest up; none where the width is given or the network has but one."""
    if config.model != "airnet" or config.width is not None:
        return ()
    return [
        Size(dataclasses.replace(config, width=width), f"width {width}", epochs, MOST_EPOCHS)
        for width, epochs in AIRNET_EPOCHS.items()
    ]
