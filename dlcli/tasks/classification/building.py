"""The network that the options of image classification name."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from torch import nn

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.core.registry import load_object
from dlcli.data.images.preprocess import Preprocess
from dlcli.models.images.pretrained import load_pretrained
from dlcli.tasks.classification.config import ClassificationConfig
from dlcli.tasks.classification.networks import NETWORKS


def build_network(config: ClassificationConfig, num_classes: int, preprocess: Preprocess) -> nn.Module:
    """Return the network that the configuration names.

    Raises:
        UsageError: there is no such network, or --pretrained does not fit it.
    """
    name = config.model
    if name in NETWORKS:
        build = load_object(NETWORKS[name].build)
        if config.width is not None and not _takes_width(build):
            raise UsageError(f"--width: {name} has a fixed width", hint=_networks_with_a_width())
        width = {} if config.width is None else {"width": config.width}
        network: nn.Module = build(
            num_classes=num_classes, in_channels=preprocess.channels, image_size=preprocess.height, **width
        )
        if config.pretrained is not None:
            load_pretrained(network, name, config.pretrained, preprocess.height)
        return network
    if config.width is not None:
        raise UsageError("--width: torchvision's networks have fixed widths", hint=_networks_with_a_width())
    from dlcli.models.images.zoo import (  # torchvision takes two seconds
        build_torchvision,
        check_shape,
        classifier_names,
    )

    known = classifier_names()
    if name not in known:
        raise UsageError(f"--model: no network {name!r}", hint=did_you_mean(name, [*NETWORKS, *known]))
    check_shape(name, preprocess.height, preprocess.width)
    return build_torchvision(
        name,
        num_classes=num_classes,
        in_channels=preprocess.channels,
        image_size=preprocess.height,
        pretrained=config.pretrained,
    )


def _networks_with_a_width() -> str:
    names = [name for name, spec in NETWORKS.items() if _takes_width(load_object(spec.build))]
    return f"choose {' or '.join(names)}"


def _takes_width(build: Callable[..., nn.Module]) -> bool:
    return "width" in inspect.signature(build).parameters
