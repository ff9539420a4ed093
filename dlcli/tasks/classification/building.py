"""The network that the options of image classification name."""

from __future__ import annotations

from torch import nn

from dlcli.data.images.preprocess import Preprocess
from dlcli.tasks.classes.image_building import build_classifier
from dlcli.tasks.classification.config import ClassificationConfig


def build_network(config: ClassificationConfig, num_classes: int, preprocess: Preprocess) -> nn.Module:
    """Return the network that the configuration names.

    Raises:
        UsageError: there is no such network, or --pretrained does not fit it.
    """
    return build_classifier(
        config.model,
        num_classes=num_classes,
        channels=preprocess.channels,
        size=(preprocess.height, preprocess.width),
        own={"width": config.width, "norm": config.norm, "activation": config.activation},
        pretrained=config.pretrained,
    )
