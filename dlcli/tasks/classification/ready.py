"""Ready weights of an image classifier: the classes that they know, and the images that they expect."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dlcli.data.images.preprocess import Preprocess
from dlcli.models.images.pretrained import DEFAULT, count_classes, expected_pixels
from dlcli.models.images.published import imagenet_classes, published_size
from dlcli.tasks.classification.building import build_network
from dlcli.tasks.classification.config import ClassificationConfig
from dlcli.tasks.classification.networks import default_sizes

IMAGENET_CLASSES = 1000


@dataclass(frozen=True)
class Ready:
    """What ready weights are for.

    Attributes:
        labels: the class names.
        preprocess: the format of the images.
        notes: what was assumed, since a file of weights names neither.
    """

    labels: tuple[str, ...]
    preprocess: Preprocess
    notes: tuple[str, ...] = ()


def describe_weights(name: str, source: str, image_size: int | None = None) -> Ready:
    """Return what the published weights of a network, or those in a file, are for.

    Args:
        name: name of the network.
        source: "default" or a file, as in `load_pretrained`.
        image_size: side of the images in pixels; None for the one that the published weights expect.

    Raises:
        UsageError: there is no such network, or the file is of a run.
        RunError: the file is missing, damaged, refused, or has no head.
    """
    side = image_size or published_size(name) or default_sizes(name)["image_size"]
    mean, std = expected_pixels(name, source)
    preprocess = Preprocess(len(mean), side, side, mean, std)
    if source == DEFAULT:
        return Ready(imagenet_classes(), preprocess)
    with torch.device("meta"):  # shapes only, no memory
        network = build_network(ClassificationConfig(model=name), IMAGENET_CLASSES, preprocess)
    count = count_classes(network, name, source)
    is_imagenet = count == IMAGENET_CLASSES
    labels = imagenet_classes() if is_imagenet else tuple(map(str, range(count)))
    names = "taken for ImageNet's" if is_imagenet else f"numbered from 0 to {count - 1}"
    note = f"{source} names no classes: they are {names}; pixels have mean {_listed(mean)} and std {_listed(std)}"
    return Ready(labels, preprocess, (note,))


def _listed(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.3g}" for value in values)
