"""The options of multi-label classification."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import option
from dlcli.data.images.operations.table import DEFAULT, NONE, parse_augment
from dlcli.tasks.classes.options import ensemble_option

SCRATCH = "none"
"""The value of `--pretrained` that starts from random weights."""

LOSSES = ("bce", "focal", "asymmetric")


@dataclass(frozen=True)
class MultilabelConfig:
    """Options of `dl train` for a multi-label classifier."""

    model: str = option(
        "resnet", "a network from `dl models`, or any torchvision classifier", short="m", section="Network and data"
    )
    width: int | None = option(
        None, "channels of the first stage (default: the network's)", minimum=4, maximum=2048, is_advanced=True
    )
    image_size: int = option(
        224, "side in pixels of the square that a whole image is fitted into", minimum=32, maximum=2048
    )
    augment: str = option(
        DEFAULT,
        "augmentation of training images: default, none, or operations with or without a strength, such as "
        "`flip rotate=3`",
        metavar="OPERATIONS",
        bare=DEFAULT,
        off=NONE,
        read=parse_augment,
    )
    loss: str = option("bce", "loss of each label: bce, focal, or asymmetric for many rare classes", choices=LOSSES)
    pretrained: str | None = option(
        None, "start from published weights (`default`), a file, a run, or none", metavar="default|FILE|RUN|none"
    )
    cache: str = option(
        "ram", "where decoded images are kept between epochs", choices=("ram", "disk", "none"), is_advanced=True
    )
    ensemble: int = ensemble_option()
    max_bad: int = option(
        100, "stop when more than N images cannot be read", minimum=0, maximum=10**9, is_advanced=True
    )


@dataclass(frozen=True)
class MultilabelInference:
    """Inference options of a multi-label classifier."""

    top_k: int = option(
        5,
        "classes in each answer, the most probable first",
        short="k",
        minimum=1,
        maximum=100_000,
        commands=("predict",),
    )
    threshold: float | None = option(
        None,
        "least probability of a label (default: for each class that of the best F1 on the validation part)",
        minimum=0.0,
        maximum=1.0,
        commands=("predict", "eval"),
    )
