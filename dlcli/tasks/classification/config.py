"""The options of image classification."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import option

FLIP_MODES = ("random", "alternating")


@dataclass(frozen=True)
class ClassificationConfig:
    """What `dl train` can be told about a classifier."""

    model: str = option(
        "resnet", "a network of `dl models`, or any torchvision classifier", short="m", section="Network and data"
    )
    width: int | None = option(None, "channels of the first stage (default: the network's)", minimum=4, maximum=2048)
    image_size: int | None = option(None, "side in pixels (default: the data's own, or 224)", minimum=8, maximum=4096)
    augment: bool = option(True, "augment training images; --no-augment for none at all")
    crop_pad: int = option(4, "small images: crop from a border of this many pixels", minimum=0, maximum=64)
    flip: bool = option(True, "mirror half of the images left to right")
    flip_mode: str = option("random", "which half: at random, or each image every other epoch", choices=FLIP_MODES)
    cutout: int = option(0, "small images: side of a square hole, 0 for none", minimum=0, maximum=512)
    label_smoothing: float = option(0.0, "part of the target shared among all classes", minimum=0.0, maximum=0.9)
    class_weights: str = option("none", "weigh classes by inverse frequency", choices=("none", "balanced"))
    pretrained: str | None = option(
        None, "begin with torchvision's weights (`default`), a file's or a run's", metavar="default|FILE|RUN"
    )
    freeze: bool = option(False, "train the head alone; batch-norm statistics stay too")
    max_bad: int = option(100, "unreadable images that are endured", minimum=0)


@dataclass(frozen=True)
class ClassificationInference:
    """What `dl eval` and `dl predict` can be told about a classifier."""

    tta: bool = option(False, "also answer by the mean over shifted and mirrored views of each image")
