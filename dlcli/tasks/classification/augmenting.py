"""What the options of a classifier say about augmentation: the recipe's own, operations by name, or none."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
import torch

from dlcli.data.images.augmentation import Augmentation, BatchAugmentation
from dlcli.data.images.operations.batched import OperationBatches
from dlcli.data.images.operations.moving import apply_to_image
from dlcli.data.images.operations.numbers import draw_numbers
from dlcli.data.images.operations.table import DEFAULT, NONE, Step, parse_augment
from dlcli.data.images.preprocess import Preprocess
from dlcli.tasks.classification.config import ClassificationConfig

CROP_AREA = (0.35, 1.0)
"""Range of the fraction of a large image's area in a random crop: milder than ImageNet's 0.08, which needs hundreds of
epochs (Touvron et al. 2019, arXiv:1906.06423, on the effect of strong crops on apparent size)."""

ToSize = Callable[[np.ndarray, int], np.ndarray]
"""(image (H, W, C) uint8, seed) -> the image at the network's size."""


def mirrors_images(config: ClassificationConfig) -> bool:
    """Return whether training takes an image and its mirror image for equal.

    Without augmentation, too, the option for the default one says so.
    """
    if config.augment in (DEFAULT, NONE):
        return config.flip
    return any(step.name == "flip" and step.strength > 0 for step in parse_augment(config.augment))


def alternates(config: ClassificationConfig) -> bool:
    """Return whether every image is mirrored in every other epoch."""
    return config.augment == DEFAULT and config.flip and config.flip_mode == "alternating"


def batch_augmentation(config: ClassificationConfig, size: tuple[int, int]) -> Augmentation | None:
    """Return the augmentation of batches of small images, (height, width) `size` in pixels; None for none."""
    if config.augment == NONE:
        return None
    if config.augment != DEFAULT:
        return OperationBatches(parse_augment(config.augment))
    side = min(size)
    return BatchAugmentation(min(config.crop_pad, side - 1), config.flip, min(config.cutout, side), alternates(config))


def file_augmentation(config: ClassificationConfig, preprocess: Preprocess, *, is_small: bool = False) -> ToSize:
    """Return the augmentation of images of any size, one by one, as they are decoded.

    Args:
        config: the options.
        preprocess: the network's size.
        is_small: the images are small ones of the network's size, read one by one because some cannot be read: they are
            augmented as those of a packed copy are.
    """
    if config.augment == NONE:
        return functools.partial(centre_crop, preprocess)
    if config.augment != DEFAULT:
        return functools.partial(operate, preprocess, parse_augment(config.augment))
    augmentation = batch_augmentation(config, (preprocess.height, preprocess.width))
    if is_small and isinstance(augmentation, BatchAugmentation):
        if augmentation.alternates:  # by the loader, which knows the epoch
            augmentation = dataclasses.replace(augmentation, flip=False, alternates=False)
        return functools.partial(shift_and_cut, preprocess, augmentation)
    import torchvision.transforms.v2  # noqa: F401 - once here, or each worker would need seconds for it

    return functools.partial(random_crop, preprocess, config.flip and not alternates(config))


def centre_crop(preprocess: Preprocess, image: np.ndarray, seed: int) -> np.ndarray:
    """Return the image at the network's size, as in prediction: (H, W, C) uint8 in and out."""
    del seed
    return preprocess.fit(image)


def shift_and_cut(preprocess: Preprocess, augmentation: BatchAugmentation, image: np.ndarray, seed: int) -> np.ndarray:
    """Return the image augmented like one of a batch of small images, (H, W, C) uint8 in and out.

    Args:
        preprocess: the network's size.
        augmentation: of batches, which here hold this image alone.
        image: (H, W, C) uint8.
        seed: the seed of its random numbers.
    """
    batch = torch.from_numpy(preprocess.fit(image)).permute(2, 0, 1)[None]
    plan = augmentation.plan(1, (preprocess.height, preprocess.width), np.random.default_rng(seed))
    augmented: np.ndarray = augmentation.apply(batch, plan)[0].permute(1, 2, 0).numpy()
    return augmented


def operate(preprocess: Preprocess, steps: Sequence[Step], image: np.ndarray, seed: int) -> np.ndarray:
    """Return the image augmented by operations at the network's size, (H, W, C) uint8 in and out.

    Args:
        preprocess: the network's size.
        steps: the operations.
        image: (H, W, C) uint8.
        seed: the seed of their random numbers.
    """
    frame = preprocess.height, preprocess.width
    return apply_to_image(image, draw_numbers(steps, 1, frame, np.random.default_rng(seed)), frame)


def random_crop(preprocess: Preprocess, flip: bool, image: np.ndarray, seed: int) -> np.ndarray:
    """Return a random crop of the image at the network's size, (H, W, C) uint8 in and out.

    Args:
        preprocess: the network's size.
        flip: whether to mirror half of the crops.
        image: (H, W, C) uint8.
        seed: the seed of the crop.

    Source: the crops of Szegedy et al. 2014, arXiv:1409.4842.
    """
    from torchvision.transforms import v2

    tensor = torch.from_numpy(image).permute(2, 0, 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        size = (preprocess.height, preprocess.width)
        tensor = v2.RandomResizedCrop(size, scale=CROP_AREA, antialias=True)(tensor)
        if flip and torch.rand(()) < 0.5:
            tensor = tensor.flip(-1)
    cropped: np.ndarray = tensor.permute(1, 2, 0).numpy()
    return cropped
