"""The images that a network of a training takes."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcli.data.images.form import ImagesForm
from dlcli.data.images.preprocess import Preprocess
from dlcli.models.images.pretrained import expected_pixels
from dlcli.tasks.classification.config import ClassificationConfig

LARGE_SIZE = 224
"""Side of the network's input in pixels if the images differ in size: ImageNet's, which pretrained weights expect."""


def preprocess_for(form: ImagesForm, config: ClassificationConfig) -> Preprocess:
    """Return the format of the images, with the pixel statistics of the data or of the ready weights."""
    details = form.card.details
    own_size = details.get("image_size")
    if config.image_size is not None:
        height = width = config.image_size
    elif own_size is not None and max(own_size) <= LARGE_SIZE:
        height, width = own_size
    else:
        height = width = LARGE_SIZE
    if config.pretrained is not None:  # the weights expect the mean and std of their own training images
        mean, std = expected_pixels(config.model, config.pretrained)
        return Preprocess(len(mean), height, width, mean, std)
    channels, mean, std = int(details["channels"]), tuple(details["mean"]), tuple(details["std"])
    return Preprocess(channels, height, width, mean, tuple(max(value, 1e-3) for value in std))


def blank_image(preprocess: Preprocess) -> Tensor:
    """Return one black image as the model takes it, (1, C, H, W) uint8."""
    return torch.zeros((1, preprocess.channels, preprocess.height, preprocess.width), dtype=torch.uint8)
