"""Building an image classifier by name, of ours or torchvision's."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.registry import load_object, network_advice
from dlcli.models.images.pretrained import load_pretrained
from dlcli.tasks.classes.image_networks import NETWORKS


def build_classifier(
    name: str,
    *,
    num_classes: int,
    channels: int,
    size: tuple[int, int],
    own: Mapping[str, Any] | None = None,
    pretrained: str | None = None,
) -> nn.Module:
    """Return an image classifier: (N, channels, H, W) normalised images to (N, num_classes) logits.

    Args:
        name: one of `NETWORKS`, or of torchvision's.
        num_classes: number of logits.
        channels: 1 or 3.
        size: height and width of the images in pixels.
        own: options that only some networks have, by the parameter of their builder (width, norm, activation); None
            for the network's default.
        pretrained: as in `load_pretrained`; None for fresh weights.

    Raises:
        UsageError: there is no such network, or an option does not fit it.
        DataError: the published weights are not there.
        RunError: the file of weights is missing, damaged or does not fit.
    """
    given = {option: value for option, value in (own or {}).items() if value is not None}
    if name in NETWORKS:
        for option in given:
            if option not in _parameters(name):
                raise UsageError(f"--{option}: {name} has a fixed {option}", hint=_networks_with(option))
        build = load_object(NETWORKS[name].build)
        network: nn.Module = build(num_classes=num_classes, in_channels=channels, image_size=size[0], **given)
        if pretrained is not None:
            load_pretrained(network, name, pretrained, size[0])
        return network
    for option in given:
        raise UsageError(f"--{option}: torchvision's networks have a fixed {option}", hint=_networks_with(option))
    from dlcli.models.images.zoo import (  # torchvision takes two seconds
        build_torchvision,
        check_shape,
        classifier_names,
    )

    known = classifier_names()
    if name not in known:
        raise UsageError(f"--model: no network {name!r}", hint=network_advice(name, [*NETWORKS, *known]))
    check_shape(name, *size)
    return build_torchvision(
        name, num_classes=num_classes, in_channels=channels, image_size=size[0], pretrained=pretrained
    )


def _networks_with(option: str) -> str:
    return f"choose {' or '.join(name for name in NETWORKS if option in _parameters(name))}"


def _parameters(name: str) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(load_object(NETWORKS[name].build)).parameters
