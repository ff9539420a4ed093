"""Backbones: the layers of an image classifier before its head, as maps by stride.

A detector, a U-Net or a multi-label head builds on these. A backbone is the classifier's own layers in their order, cut
into stages where the stride changes. No hooks and no graph rewriting, so that it trains in several processes, compiles
and exports as any other module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.core.registry import load_object
from dlcli.models.images.pretrained import load_pretrained

PROBE = 64
"""Side, in pixels, of the image on which strides are measured: it divides evenly by every stride up to 64."""


@dataclass(frozen=True)
class Layout:
    """Where the layers before the pooling stand in a family of classifiers.

    Attributes:
        parts: dotted names of modules that are called one after the other; a plain Sequential is opened once, so that
            a stage may end before a pool in its middle.
        tail: layers at the end of the opened parts that serve the head alone, and are left out: a widening 1x1
            convolution, a last norm.
        has_channels_last: whether the layers return (N, H, W, C).
        build: "module:object" of a network of our own; "" for one of torchvision.
    """

    parts: tuple[str, ...]
    tail: int = 0
    has_channels_last: bool = False
    build: str = ""


def _own(build: str, *parts: str) -> Layout:
    return Layout(parts, build=f"dlcli.models.images.{build}")


_LITE_PARTS = ("stem", *(f"stage{number}" for number in range(1, 8)))

OWN: Mapping[str, Layout] = {
    "resnet": _own("resnet:ResNet", "stem", "layer1", "layer2", "layer3", "layer4"),
    "vgg": _own("vgg:VGG", "layer1", "layer2", "layer3", "layer4"),
    "mobilenet": _own("mobilenet:MobileNet", "stem", "layer1", "layer2", "layer3", "layer4", "layer5"),
    "inception": _own("inception:Inception", "stem", "layer1", "layer2", "layer3"),
    "peleenet": _own("peleenet:PeleeNet", "stem", "layer1", "layer2", "layer3", "layer4"),
    "efficientnet_lite0": _own("efficientnet_lite:efficientnet_lite0", *_LITE_PARTS),
    "efficientnet_lite1": _own("efficientnet_lite:efficientnet_lite1", *_LITE_PARTS),
    "efficientnet_lite2": _own("efficientnet_lite:efficientnet_lite2", *_LITE_PARTS),
}
"""Networks of our own by name."""

_RESIDUAL = Layout(("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"))

FAMILIES: Mapping[str, Layout] = {
    "convnext": Layout(("features",)),
    "densenet": Layout(("features",), tail=1),
    "efficientnet": Layout(("features",), tail=1),
    "mnasnet": Layout(("layers",), tail=3),
    "mobilenet": Layout(("features",), tail=1),
    "regnet": Layout(("stem", "trunk_output")),
    "resnet": _RESIDUAL,
    "resnext": _RESIDUAL,
    "shufflenet": Layout(("conv1", "maxpool", "stage2", "stage3", "stage4")),
    "swin": Layout(("features",), has_channels_last=True),
    "vgg": Layout(("features",)),
    "wide_resnet": _RESIDUAL,
}
"""Prefix of torchvision's names -> layout."""


class Backbone(nn.Module):
    """A classifier without its head: (N, C, H, W) images of any size to the last map of each stride.

    Attributes:
        stages: the layers in order, a Sequential for each stride; freezing `stages[:k]` freezes all before stage k.
        stage_strides: the stride of each stage's last map, ascending.
        strides: of the maps that are returned, ascending.
        out_channels: stride -> channels, of the maps that are returned.

    Args:
        network: the classifier; the backbone takes over its layers.
        layout: where they are.
        in_channels: 1 or 3.
        strides: of the maps to return; None for all. The stages after the last of them are left out, so that every
            parameter is used.

    Raises:
        ValueError: the network has no map of one of the strides.
    """

    def __init__(
        self, network: nn.Module, layout: Layout, *, in_channels: int = 3, strides: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self._has_channels_last = layout.has_channels_last
        layers = _layers(network, layout)
        maps = _measure(layers, in_channels, layout.has_channels_last)
        found = dict(maps)  # the last map of a stride replaces those before it
        self.strides = tuple(found) if strides is None else tuple(sorted(set(strides)))
        missing = [str(stride) for stride in self.strides if stride not in found]
        if missing:
            raise ValueError(f"no map of stride {', '.join(missing)}, only of {', '.join(map(str, found))}")
        self.out_channels = {stride: found[stride] for stride in self.strides}
        self.stage_strides = tuple(stride for stride in found if stride <= self.strides[-1])
        self.stages = nn.ModuleList()
        for stride in self.stage_strides:
            own = [layer for layer, (reached, _) in zip(layers, maps, strict=True) if reached == stride]
            self.stages.append(nn.Sequential(*own))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the last map of each of `strides`, (N, out_channels[stride], H / stride, W / stride).

        Sides that the stride does not divide are rounded up or down, as the network's own padding has it.
        """
        maps, features = [], images
        for stride, stage in zip(self.stage_strides, self.stages, strict=True):
            features = stage(features)
            if stride in self.out_channels:
                maps.append(features.permute(0, 3, 1, 2) if self._has_channels_last else features)
        return tuple(maps)


def build_backbone(
    name: str,
    *,
    in_channels: int = 3,
    image_size: int = 224,
    pretrained: str | None = None,
    strides: Sequence[int] | None = None,
) -> Backbone:
    """Return the backbone of a network, with fresh or pretrained weights.

    Args:
        name: a network of our own or of torchvision.
        in_channels: 1 or 3.
        image_size: side of the images in pixels; up to 64, the network's early layers halve less often. Images of any
            other size are taken too.
        pretrained: as in `load_pretrained`; `expected_pixels` says how the images must be normalised.
        strides: of the maps to return; None for all. See `Backbone`.

    Raises:
        UsageError: there is no such network, it has no maps by stride, or none of one of these strides.
        DataError: the published weights are not there.
        RunError: the file of weights is missing, damaged, refused or does not fit.
    """
    layout = layout_of(name)
    if layout.build:
        network: nn.Module = load_object(layout.build)(num_classes=1, in_channels=in_channels, image_size=image_size)
        if pretrained is not None:
            load_pretrained(network, name, pretrained, image_size)
    else:
        from dlcli.models.images.zoo import build_headless, build_torchvision  # torchvision takes two seconds

        if pretrained is None:
            network = build_headless(name, in_channels=in_channels, image_size=image_size)
        else:
            network = build_torchvision(
                name, num_classes=1, in_channels=in_channels, image_size=image_size, pretrained=pretrained
            )
    try:
        return Backbone(network, layout, in_channels=in_channels, strides=strides)
    except ValueError as error:
        raise UsageError(f"{name} built for {image_size} pixels: {error}", hint="choose another network") from None


def layout_of(name: str) -> Layout:
    """Return the layout of a network.

    Raises:
        UsageError: there is no such network, or it has no maps by stride: a transformer of one square size, or
            convolutions without padding.
    """
    if name in OWN:
        return OWN[name]
    from dlcli.models.images.zoo import classifier_names

    prefixes = [prefix for prefix in FAMILIES if name.startswith(prefix)]
    if name in classifier_names() and prefixes:
        return FAMILIES[max(prefixes, key=len)]
    with_maps = [*OWN, *(each for each in classifier_names() if each.startswith(tuple(FAMILIES)))]
    raise UsageError(f"{name} is not a network with maps by stride", hint=did_you_mean(name, with_maps))


def _layers(network: nn.Module, layout: Layout) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for part in map(network.get_submodule, layout.parts):
        layers += part if isinstance(part, nn.Sequential) else [part]
    return layers[: len(layers) - layout.tail]


@torch.no_grad()
def _measure(layers: Sequence[nn.Module], in_channels: int, has_channels_last: bool) -> list[tuple[int, int]]:
    """Return stride and channels of each layer's output, measured on an empty image.

    Raises:
        ValueError: a map is no whole fraction of the image, or larger than the one before it.
    """
    modes = [layer.training for layer in layers]
    features, found = torch.zeros(1, in_channels, PROBE, PROBE), []
    for layer, mode in zip(layers, modes, strict=True):
        features = layer.eval()(features)
        layer.train(mode)
        height, channels = (features.shape[1], features.shape[3]) if has_channels_last else features.shape[2:0:-1]
        found.append((PROBE // height, channels))
        if PROBE % height:
            raise ValueError(f"a map of {height} pixels for an image of {PROBE}")
    if any(before > after for (before, _), (after, _) in pairwise(found)):
        raise ValueError("a map is larger than the one before it")
    return found
