"""Building an image classifier by name, of ours or torchvision's."""

from __future__ import annotations

import inspect
from collections.abc import Callable

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
    width: int | None = None,
    pretrained: str | None = None,
) -> nn.Module:
    """Return an image classifier: (N, channels, H, W) normalised images to (N, num_classes) logits.

    Args:
        name: one of `NETWORKS`, or of torchvision's.
        num_classes: number of logits.
        channels: 1 or 3.
        size: height and width of the images in pixels.
        width: channels of the first stage; None for the network's.
        pretrained: as in `load_pretrained`; None for fresh weights.

    Raises:
        UsageError: there is no such network, or an option does not fit it.
        DataError: the published weights are not there.
        RunError: the file of weights is missing, damaged or does not fit.
    """
    if name in NETWORKS:
        build = load_object(NETWORKS[name].build)
        if width is not None and not _takes_width(build):
            raise UsageError(f"--width: {name} has a fixed width", hint=_networks_with_a_width())
        own = {} if width is None else {"width": width}
        network: nn.Module = build(num_classes=num_classes, in_channels=channels, image_size=size[0], **own)
        if pretrained is not None:
            load_pretrained(network, name, pretrained, size[0])
        return network
    if width is not None:
        raise UsageError("--width: torchvision's networks have fixed widths", hint=_networks_with_a_width())
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


def _networks_with_a_width() -> str:
    names = [name for name, spec in NETWORKS.items() if _takes_width(load_object(spec.build))]
    return f"choose {' or '.join(names)}"


def _takes_width(build: Callable[..., nn.Module]) -> bool:
    return "width" in inspect.signature(build).parameters
