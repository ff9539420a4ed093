"""The options of image classification."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import option
from dlcli.data.images.operations.table import DEFAULT, NONE, parse_augment
from dlcli.models.layer_kinds import ACTIVATION_NAMES, NORM_NAMES
from dlcli.tasks.classes.options import (
    class_weights_option,
    distill_option,
    ensemble_option,
    loss_option,
    teacher_option,
)
from dlcli.tasks.inference import top_k_option

SCRATCH = "none"
"""The value of `--pretrained` that starts from random weights."""

FLIP_MODES = ("random", "alternating")

DEFAULT_AUGMENTATION = ("crop_pad", "flip", "flip_mode", "cutout")
"""The options that shape the default augmentation; they have no effect on operations."""

OF_SMALL_IMAGES = ("crop_pad", "cutout")
"""Those of them that act on small images of the network's size alone."""


@dataclass(frozen=True)
class ClassificationConfig:
    """Options of `dl train` for an image classifier."""

    model: str = option(
        "resnet", "a network from `dl models`, or any torchvision classifier", short="m", section="Network and data"
    )
    width: int | None = option(
        None, "channels of the first stage (default: the network's)", minimum=4, maximum=2048, is_advanced=True
    )
    norm: str | None = option(
        None, "norm of a network of our own (default: batch)", choices=NORM_NAMES, is_advanced=True
    )
    activation: str | None = option(
        None, "activation of a network of our own (default: relu)", choices=ACTIVATION_NAMES, is_advanced=True
    )
    image_size: int | None = option(
        None, "image side in pixels (default: the dataset's, or 224)", minimum=8, maximum=4096
    )
    augment: str = option(
        DEFAULT,
        "augmentation of training images: default, none, trivial, or operations with or without a strength, such as "
        "`flip rotate=10 colour=0.1`; dl visualize grid DATA --augment list shows all",
        metavar="OPERATIONS",
        bare=DEFAULT,
        off=NONE,
        read=parse_augment,
    )
    crop_pad: int = option(
        4,
        "default augmentation, small images: random crops after padding by N pixels",
        minimum=0,
        maximum=64,
        is_advanced=True,
    )
    flip: bool = option(True, "default augmentation: random horizontal flips", is_advanced=True)
    flip_mode: str = option(
        "random",
        "default augmentation: flip at random, or every image in alternate epochs",
        choices=FLIP_MODES,
        is_advanced=True,
    )
    cutout: int = option(
        0,
        "default augmentation, small images: side of the square cut out, 0 for none",
        minimum=0,
        maximum=512,
        is_advanced=True,
    )
    dropout: float | None = option(
        None, "dropout rate of a network that has dropout", minimum=0.0, maximum=0.95, is_advanced=True
    )
    label_smoothing: float = option(0.0, "label smoothing", minimum=0.0, maximum=0.9, is_advanced=True)
    class_weights: str = class_weights_option()
    loss: str = loss_option()
    teacher: str | None = teacher_option()
    distill: str | None = distill_option()
    ensemble: int = ensemble_option()
    pretrained: str | None = option(
        None, "start from published weights (`default`), a file, a run, or none", metavar="default|FILE|RUN|none"
    )
    fit_head: bool = option(
        False,
        "first fit the head to what the body sees, by logistic regression",
        is_advanced=True,
        is_on_in_recipes=True,
    )
    cache: str | None = option(
        None,
        "features: compute what a frozen body sees of a few augmented views once, and train the head on it",
        choices=("features",),
        is_advanced=True,
    )
    max_bad: int = option(
        100, "stop when more than N images cannot be read", minimum=0, maximum=10**9, is_advanced=True
    )


@dataclass(frozen=True)
class ClassificationInference:
    """Inference options of an image classifier."""

    top_k: int = top_k_option()
    tta: bool = option(
        False,
        "test-time augmentation: average over shifted and flipped views",
        commands=("eval", "predict", "export"),
    )
