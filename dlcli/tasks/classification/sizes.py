"""The sizes of a classifier's network that `--budget` chooses from, without torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from dlcli.core.registry import Size
from dlcli.tasks.classification.config import ClassificationConfig

AIRNET_EPOCHS = {16: 2.0, 32: 2.0, 48: 5.0, 64: 8.0, 96: 10.0, 128: 12.0}
"""Width -> epochs from which on it is taken. An estimate from four points of a sketch on CIFAR-10: width 32 gains 2.3
points from 3.3 to 8.2 epochs, and at 8.2 epochs the widths 48 and 64 are better by 1.3 and 2.0 points for two and three
times the time. So a width loses against the one before it, which has seen more, below about these epochs. Where one
overtakes another has not been measured; benchmarks/cifar10_curve.py measures what comes of it. Multiples of 16 only:
bf16 filters of 24 channels take longer than those of 32."""

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
