"""The options of semantic segmentation."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import option
from dlcli.data.images.operations.table import DEFAULT, NONE, parse_augment
from dlcli.tasks.classes.options import ensemble_option

SCRATCH = "none"
"""The value of `--pretrained` that starts from random weights."""


@dataclass(frozen=True)
class SegmentationConfig:
    """Options of `dl train` for a segmentation network."""

    model: str = option(
        "unet", "a network from `dl models`, or any of torchvision's", short="m", section="Network and data"
    )
    backbone: str | None = option(
        None, "the encoder of unet: a classifier with maps by stride (default: what is installed)", metavar="NAME"
    )
    pretrained: str | None = option(
        None, "weights of the backbone (`default`), a file, a run, or none", metavar="default|FILE|RUN|none"
    )
    image_size: int = option(256, "longer side of the images in pixels", minimum=32, maximum=2048)
    width: int | None = option(
        None, "channels of unet's finest map (default: 16)", minimum=4, maximum=512, is_advanced=True
    )
    upsampling: str = option(
        "bilinear", "how unet enlarges its maps", choices=("bilinear", "nearest"), is_advanced=True
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
    class_weights: str = option(
        "none",
        "balanced: weight the loss by the median frequency of the classes' pixels",
        choices=("none", "balanced"),
        is_advanced=True,
    )
    dice: bool = option(False, "add the Dice loss, for classes of few pixels")
    cache: str = option(
        "ram", "where decoded images are kept between epochs", choices=("ram", "disk", "none"), is_advanced=True
    )
    ensemble: int = ensemble_option()
    max_bad: int = option(
        100, "stop when more than N images cannot be read", minimum=0, maximum=10**9, is_advanced=True
    )
