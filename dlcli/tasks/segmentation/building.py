"""The segmentation network that the options name."""

from __future__ import annotations

from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.registry import network_advice
from dlcli.core.train_config import TrainConfig
from dlcli.models.images.pretrained import expected_pixels
from dlcli.models.images.published import IMAGENET_PIXELS, Pixels
from dlcli.tasks.segmentation.config import SegmentationConfig
from dlcli.tasks.segmentation.networks import NETWORKS


def build_segmenter(config: SegmentationConfig, num_classes: int) -> nn.Module:
    """Return the `Segmenter` that the configuration names.

    Args:
        config: the options.
        num_classes: the background included.

    Raises:
        UsageError: there is no such network or backbone, or an option does not fit it.
        DataError: the published weights are not there.
        RunError: the file of weights is missing, damaged or does not fit.
    """
    if config.model in NETWORKS:
        from dlcli.models.segmentation.unet import build_unet

        if config.pretrained is not None and config.backbone is None:
            raise UsageError("--pretrained: no --backbone that the weights are for", hint="name one, or leave it out")
        return build_unet(
            num_classes,
            backbone=config.backbone,
            pretrained=config.pretrained,
            width=config.width,
            upsampling=config.upsampling,
        )
    from dlcli.models.segmentation.torchvision_nets import (  # torchvision takes two seconds
        build_torchvision_segmenter,
        segmenter_names,
    )

    known = segmenter_names()
    if config.model not in known:
        raise UsageError(
            f"--model: no segmentation network {config.model!r}", hint=network_advice(config.model, [*NETWORKS, *known])
        )
    for flag, value in (("backbone", config.backbone), ("width", config.width)):
        if value is not None:
            raise UsageError(f"--{flag}: torchvision's networks have their own", hint="leave it out")
    return build_torchvision_segmenter(config.model, num_classes, pretrained=config.pretrained)


def pixels_of(config: SegmentationConfig) -> Pixels:
    """Return the mean and std of the pixels that the weights expect; ImageNet's for fresh ones.

    Raises:
        RunError: a file of weights is missing or refused.
        UsageError: the weights are for grey images.
    """
    if config.pretrained is None or config.backbone is None:
        return IMAGENET_PIXELS
    mean, std = expected_pixels(config.backbone, config.pretrained)
    if len(mean) != 3:
        raise UsageError("--pretrained: the weights are for grey images", hint="give weights for colour images")
    return mean, std


def check_batches(config: SegmentationConfig, train: TrainConfig, num_images: int) -> None:
    """Check that a network whose norms see one value of each image gets several images.

    Raises:
        UsageError: it gets one.
    """
    if config.model.startswith("deeplabv3") and min(train.batch_size, num_images) < 2:
        raise UsageError(
            f"{config.model} normalises over the images of a batch and needs two or more",
            hint="use --batch-size 2, or unet" if num_images > 1 else "choose unet: there is one training image",
        )
