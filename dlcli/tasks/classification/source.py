"""The images of a classification task: splits, loaders, and augmented samples."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from dlcli.core.cores import usable_cores
from dlcli.core.errors import DataError
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card, unreadable_notes
from dlcli.data.images.augmentation import BatchAugmentation
from dlcli.data.images.decoding import read_image
from dlcli.data.images.form import ImagesForm
from dlcli.data.images.loader import file_loader, packed_loader
from dlcli.data.images.packed import Stacked
from dlcli.data.images.preprocess import Preprocess
from dlcli.data.labels import balanced_weights, indices_in_run
from dlcli.data.loading import ArrayLoader, ItemLoader
from dlcli.data.order import WHOLE, Order, Shard
from dlcli.data.parts import ALL, part
from dlcli.tasks.classification.config import ClassificationConfig

EVAL_BATCH = 256
"""Images per batch in evaluation: enough to keep two cores or a GPU busy at 32 pixels."""

CROP_AREA = (0.35, 1.0)
"""Range of the fraction of a large image's area in a random crop: milder than ImageNet's 0.08, which needs hundreds of
epochs (Touvron et al. 2019, arXiv:1906.06423, on the effect of strong crops on apparent size)."""


class ImageSource:
    """Prepared images, labelled by a run's class indices.

    Args:
        form: the prepared images.
        labels: the run's class names in the run's order; the form's classes are matched to them by name.
        preprocess: the format of the network's input.
        config, train: the options of the task and of the loop.

    Raises:
        DataError: the data has a class that the run does not.
    """

    def __init__(
        self,
        form: ImagesForm,
        labels: tuple[str, ...],
        preprocess: Preprocess,
        config: ClassificationConfig,
        train: TrainConfig,
    ) -> None:
        self.form = form
        self._to_run = indices_in_run(form.card.classes, labels, form.root)
        self._num_classes = len(labels)
        self._preprocess = preprocess
        self._config = config
        self._train = train
        size = form.card.details.get("image_size")
        fits = size is not None and tuple(size) == (preprocess.height, preprocess.width)
        self._is_packed = fits and preprocess.channels == form.card.details["channels"]
        self._is_packed = (
            self._is_packed and form.packed("train" if "train" in form.splits() else form.splits()[0]) is not None
        )
        self.bad_files: list[str] = []

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        return self._preprocess.height, self._preprocess.width

    @property
    def card(self) -> Card:
        """The data's card, with the unreadable files found so far among its warnings."""
        card = self.form.card
        warnings = (*card.warnings, *unreadable_notes(self.bad_files, "images"))
        return dataclasses.replace(card, warnings=warnings)

    @property
    def augmentation(self) -> BatchAugmentation | None:
        """The augmentation of packed batches on the device; None for large images, augmented as they are decoded."""
        if not self._config.augment or not self._is_packed:
            return None
        side = min(self._preprocess.height, self._preprocess.width)
        pad = min(self._config.crop_pad, side - 1)
        return BatchAugmentation(pad, self._config.flip, min(self._config.cutout, side), self._alternates)

    @property
    def _alternates(self) -> bool:
        return self._config.flip and self._config.flip_mode == "alternating"

    def _part(self, split: str) -> tuple[str, np.ndarray]:
        """Return the folder from which a split is read, and the indices in it; see `dlcli.data.parts.part`."""
        if self._train.fold is None:
            self.form.require(split)
        return part(split, self.form.splits(), self._train, self._labels, root=self.form.root)

    def class_weights(self) -> np.ndarray:
        """Return (C,) float32 weights, inverse to the class frequencies in training, with mean 1 over its images."""
        folder, indices = self._part("train")
        return balanced_weights(self._labels(folder)[indices], self._num_classes)

    def loader(self, split: str, *, training: bool, shard: Shard = WHOLE) -> ArrayLoader | ItemLoader:
        """Return the loader of a process's share of a split, shuffled and augmented if `training`.

        Raises:
            DataError: there is no such split.
        """
        folder, indices = self._part(split)
        batch_size = self._train.batch_size if training else min(EVAL_BATCH, max(32, self._train.batch_size))
        order = Order(indices, batch_size, seed=self._train.seed if training else None, shard=shard)
        return self._open(folder, order, is_augmented=training and self._config.augment)

    def _open(self, folder: str, order: Order, *, is_augmented: bool) -> ArrayLoader | ItemLoader:
        labels = self._labels(folder)
        if self._is_packed:
            images = self._packed(folder)
            if images is not None:
                return packed_loader(images, labels, order, self.augmentation if is_augmented else None)
        if is_augmented:
            import torchvision.transforms.v2  # noqa: F401 - once here, or each worker would need seconds for it

        flips_at_random = self._config.flip and not self._alternates
        to_size = functools.partial(random_crop, self._preprocess, flips_at_random)
        return file_loader(
            self._files(folder),
            labels,
            order,
            channels=self._preprocess.channels,
            to_size=to_size if is_augmented else functools.partial(centre_crop, self._preprocess),
            workers=self._workers(len(order.indices)),
            max_bad=self._config.max_bad,
            on_bad=self.bad_files.append,
            alternates=is_augmented and self._alternates,
        )

    def _own(self, folder: str) -> tuple[str, ...]:
        return self.form.splits() if folder == ALL else (folder,)

    def _labels(self, folder: str) -> np.ndarray:
        """Return the run's class index of each image of a split, or of all splits, (N,) int64."""
        return np.concatenate([self._to_run[self.form.labels(own)] for own in self._own(folder)])

    def _files(self, folder: str) -> list[Path]:
        return [file for own in self._own(folder) for file in self.form.files(own)]

    def _packed(self, folder: str) -> np.ndarray | Stacked | None:
        parts = [self.form.packed(own) for own in self._own(folder)]
        images = [part.images for part in parts if part is not None]
        if len(images) < len(parts):
            return None
        return images[0] if len(images) == 1 else Stacked(images)

    def plain_training_images(self, count: int) -> torch.Tensor:
        """Return up to `count` training images, evenly spaced and not augmented, (N, C, H, W) uint8."""
        folder, indices = self._part("train")
        places = np.linspace(0, len(indices) - 1, min(count, len(indices))).astype(int)
        order = Order(indices[places], EVAL_BATCH, seed=None)
        empty = torch.zeros((0, self._preprocess.channels, self._preprocess.height, self._preprocess.width))
        batches = self._open(folder, order, is_augmented=False).batches()
        return torch.cat([empty.to(torch.uint8), *(batch["images"] for batch in batches)])

    def _workers(self, count: int) -> int:
        if self._train.workers is not None:
            return self._train.workers
        return min(usable_cores(), 8) if count > 256 else 0  # a worker takes longer to start than 256 images

    def augmented(self, count: int) -> np.ndarray:
        """Return up to `count` augmented training images of the first batch, (N, H, W, C) uint8."""
        batch = next(iter(self.loader("train", training=True).batches()))
        images, plan = batch["images"], batch["plan"]
        if self.augmentation is not None:
            images = self.augmentation.apply(images, plan)
        return np.ascontiguousarray(images[:count].permute(0, 2, 3, 1).numpy())

    def some_images(self, count: int) -> np.ndarray:
        """Return `count` images, evenly spaced and not augmented, (N, C, H, W) uint8: of test, else the first split."""
        folder = "test" if "test" in self.form.splits() else self.form.splits()[0]
        chosen = np.linspace(0, len(self.form.labels(folder)) - 1, count).astype(int)
        return np.stack(self.images_at(folder, chosen.tolist())).transpose(0, 3, 1, 2)

    def some_validation(self, count: int) -> tuple[list[np.ndarray], list[int]]:
        """Return up to `count` validation images, evenly spaced, each (H, W, C) uint8, and their class indices.

        Unreadable ones are left out, and all if there is no validation part.
        """
        try:
            folder, indices = self._part("valid")
        except DataError:
            return [], []
        images, labels, files = [], [], self._files(folder)
        for row in indices[np.linspace(0, len(indices) - 1, min(count, len(indices))).astype(int)].tolist():
            try:
                image = read_image(files[row], channels=self._preprocess.channels)
            except DataError:
                continue
            images.append(self._preprocess.fit(image))
            labels.append(int(self._labels(folder)[row]))
        return images, labels

    def images_at(self, split: str, rows: Sequence[int]) -> list[np.ndarray]:
        """Return the images with these row numbers in a split, each (H, W, C) uint8."""
        folder, _ = self._part(split)
        files = self._files(folder)
        return [self._preprocess.fit(read_image(files[row], channels=self._preprocess.channels)) for row in rows]


def centre_crop(preprocess: Preprocess, image: np.ndarray, seed: int) -> np.ndarray:
    """Return the image at the network's size, as in prediction: (H, W, C) uint8 in and out."""
    del seed
    return preprocess.fit(image)


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
