"""The network that the options of image classification name, and the model around it."""

from __future__ import annotations

from torch import nn

from dlcli.data.images.preprocess import Preprocess
from dlcli.models.dropout import set_dropout
from dlcli.models.images.normalised import Normalised
from dlcli.tasks.classes.image_building import build_classifier
from dlcli.tasks.classes.training import fit_to_loss
from dlcli.tasks.classification.config import ClassificationConfig
from dlcli.tasks.classification.inputs import blank_image


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


def build_model(config: ClassificationConfig, num_classes: int, preprocess: Preprocess) -> nn.Module:
    """Return the network that the configuration names, with the head that its loss needs, from pixels to logits.

    Raises:
        UsageError: there is no such network, or an option does not fit it.
    """
    network = build_network(config, num_classes, preprocess)
    if config.dropout is not None:
        set_dropout(network, config.dropout, config.model)
    model = Normalised(network, preprocess.mean, preprocess.std)
    fit_to_loss(model, config.loss, blank_image(preprocess))
    return model
