"""The images of a detection task: parts, loaders, samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcli.core.cores import usable_cores
from dlcli.core.errors import DataError
from dlcli.core.train_config import TrainConfig
from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.answers import detections_in_image, least_scores
from dlcli.data.annotated.augmenting import recipe_of
from dlcli.data.annotated.fitting import STRIDE, Size, typical_canvas
from dlcli.data.annotated.form import AnnotatedForm
from dlcli.data.annotated.loader import Training, evaluation_loader, training_loader
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.data.card import Card, unreadable_notes
from dlcli.data.labels import indices_in_run
from dlcli.data.loading import ItemLoader
from dlcli.data.order import Order, Shard
from dlcli.data.parts import ALL, part
from dlcli.engine.evaluate import infer_arrays
from dlcli.engine.task import Samples, Task
from dlcli.tasks.annotated.source import group_numbers, rarest_classes, relabelled
from dlcli.tasks.detection.config import DetectionConfig

EVAL_BATCH = 16
"""Images per batch in evaluation."""

NUM_TRAINING, NUM_ANSWERS = 8, 8
"""Images in the samples of an epoch: augmented ones, and validation images with answers."""

EXPORT_BATCHES = (2, 1, 3)
"""Numbers of images with which an export is compared with the network."""


class DetectionSource:
    """Annotated images, labelled by a run's class indices.

    Args:
        form: the images.
        labels: the run's class names in the run's order; the form's classes are matched to them by name.
        config, train: the options of the task and of the loop.

    Raises:
        DataError: the images have no boxes, or a class that the run does not have.
    """

    def __init__(
        self, form: AnnotatedForm, labels: tuple[str, ...], config: DetectionConfig, train: TrainConfig
    ) -> None:
        if not form.has("boxes"):
            raise DataError(f"{form.root}: no image has a box", hint="a detector learns from boxes around objects")
        self.form = form
        self.labels = labels
        self._config = config
        self._train = train
        to_run = indices_in_run(form.card.classes, labels, form.root)
        self._records = {split: [relabelled(each, to_run) for each in form.of_split(split)] for split in form.splits()}
        self.bad_files: list[str] = []

    def require_masks(self) -> None:
        """Check that there is something for a detector of masks to learn from.

        Raises:
            DataError: no object has a mask.
        """
        if not self.form.has("masks"):
            raise DataError(
                f"{self.form.root}: no object has a mask, from which {self._config.model} learns",
                hint="choose a detector of boxes, such as --model wren",
            )

    @property
    def card(self) -> Card:
        """The data's card, with the unreadable files found so far among its warnings."""
        warnings = (*self.form.card.warnings, *unreadable_notes(self.bad_files, "images"))
        return dataclasses.replace(self.form.card, warnings=warnings)

    def _of(self, name: str) -> list[AnnotatedImage]:
        """Return the images of a split, or of all splits."""
        return [each for own in (self.form.splits() if name == ALL else (name,)) for each in self._records[own]]

    def part(self, split: str) -> tuple[list[AnnotatedImage], np.ndarray]:
        """Return the images of the split from which a part is read, and the indices in it; see `dlcli.data.parts.part`.

        Parts are stratified by the rarest class that an image shows, and images of one group stay together.
        """
        name, indices = part(
            split,
            self.form.splits(),
            self._train,
            lambda own: rarest_classes(self._of(own), len(self.labels)),
            root=self.form.root,
            together_of=lambda own: group_numbers(self._of(own)),
        )
        return self._of(name), indices

    def box_sizes(self) -> np.ndarray:
        """Return width and height of the boxes that are learned in pixels of their canvases, (N, 2)."""
        records, indices = self.part("train")
        sizes = [
            np.array([each.box[2] - each.box[0], each.box[3] - each.box[1]]) * self._config.image_size / longer
            for record in (records[row] for row in indices.tolist())
            for longer in (max(record.height, record.width),)
            for each in record.objects
            if not (each.is_crowd or each.is_difficult)
        ]
        return np.array(sizes).reshape(-1, 2)

    def loader(
        self, split: str, preprocess: CanvasPreprocess, *, training: bool, shard: Shard, with_masks: bool = False
    ) -> ItemLoader:
        """Return the loader of a process's share of a split, shuffled and augmented if `training`.

        Raises:
            DataError: there is no such split.
        """
        records, indices = self.part(split)
        cache: Any = self._config.cache
        common: dict[str, Any] = {
            "workers": self._workers(),
            "max_bad": self._config.max_bad,
            "on_bad": self.bad_files.append,
        }
        if not training:
            batch_size = max(1, min(EVAL_BATCH, 2 * self._train.batch_size))
            return evaluation_loader(
                records, self.form.read, indices, preprocess.fit_of, batch_size, shard=shard, cache=cache, **common
            )
        order = Order(indices, self._train.batch_size, seed=self._train.seed, shard=shard)
        sizes = [(records[row].height, records[row].width) for row in indices.tolist()]
        options = Training(
            preprocess.canvas or typical_canvas(sizes, preprocess.side),
            recipe_of(self._config.augment, self.labels),
            with_masks=with_masks,
            multi_scale=self._config.multi_scale and preprocess.canvas is None,
            mosaic=self._config.mosaic,
            cache=cache,
        )
        return training_loader(records, self.form.read, order, options, **common)

    def _workers(self) -> int:
        """Return the number of processes that read: none by default while everything is decoded once."""
        if self._train.workers is not None:
            return self._train.workers
        return 0 if self._config.cache == "ram" else min(usable_cores(), 8)

    def images_of(self, split: str, rows: Sequence[int]) -> list[tuple[np.ndarray, AnnotatedImage]]:
        """Return images of a part by their places in it, each (H, W, 3) uint8 with its annotations.

        Unreadable ones are left out.
        """
        records, indices = self.part(split)
        found = []
        for row in rows:
            record = records[int(indices[row])]
            try:
                found.append((self.form.read(record), record))
            except DataError:
                continue
        return found

    def some(self, split: str, count: int) -> list[tuple[np.ndarray, AnnotatedImage]]:
        """Return up to `count` images of a part, evenly spaced; none if there is no such part."""
        try:
            total = len(self.part(split)[1])
        except DataError:
            return []
        return self.images_of(split, np.linspace(0, total - 1, min(count, total)).astype(int).tolist())

    def samples(self, preprocess: CanvasPreprocess, task: Task) -> Samples:
        """Return augmented training images with their boxes above validation images with what is found in them."""
        from dlcli.visualize.boxes import DrawnBox, draw_boxes
        from dlcli.visualize.canvas import stack, tile

        batch = next(iter(self.loader("train", preprocess, training=True, shard=Shard()).batches()))
        seen = [
            draw_boxes(
                image,
                [DrawnBox(tuple(box), label) for box, label in zip(boxes.tolist(), labels.tolist(), strict=True)],
                self.labels,
            )
            for image, boxes, labels in list(
                zip(batch["images"].permute(0, 2, 3, 1).numpy(), batch["boxes"], batch["labels"], strict=True)
            )[:NUM_TRAINING]
        ]
        answered = [self._answered(image, preprocess, task) for image, _ in self.some("valid", NUM_ANSWERS)]
        return Samples(stack([tile(seen), tile(answered)]) if answered else tile(seen))

    def _answered(self, image: np.ndarray, preprocess: CanvasPreprocess, task: Task) -> np.ndarray:
        """Return the canvas of an image with what is found in it and worth showing."""
        from dlcli.visualize.boxes import DrawnBox, draw_boxes

        canvas, fit = preprocess.fit(image)
        outputs = infer_arrays(task, {"images": canvas.transpose(2, 0, 1)[np.newaxis]})
        found = detections_in_image(outputs, 0, fit)
        shown = found.scores >= least_scores(outputs["thresholds"][0])[found.labels]
        boxes = zip(
            fit.to_canvas(found.boxes[shown]).tolist(),
            found.labels[shown].tolist(),
            found.scores[shown].tolist(),
            strict=True,
        )
        return draw_boxes(canvas, [DrawnBox(tuple(box), label, score) for box, label, score in boxes], self.labels)

    def export_samples(self, preprocess: CanvasPreprocess) -> list[np.ndarray]:
        """Return batches of 2, 1 and 3 real images, (N, 3, H, W) uint8, of several sizes if the network takes them."""
        split = "test" if "test" in self.form.splits() else self.form.splits()[0]
        images = [image for image, _ in self.some(split, sum(EXPORT_BATCHES))]
        fit = preprocess.fit_of((images[0].shape[0], images[0].shape[1]))
        batches, first = [], 0
        for count, canvas in zip(EXPORT_BATCHES, export_canvases(preprocess, fit.canvas), strict=True):
            own = dataclasses.replace(preprocess, canvas=canvas)
            chosen = [own.fit(images[row % len(images)])[0] for row in range(first, first + count)]
            batches.append(np.ascontiguousarray(np.stack(chosen).transpose(0, 3, 1, 2)))
            first += count
        return batches


def export_canvases(preprocess: CanvasPreprocess, usual: Size) -> list[Size]:
    """Return the canvases on which an export is compared with the network, the first as large as usual."""
    if preprocess.canvas is not None:
        return [preprocess.canvas] * len(EXPORT_BATCHES)
    height, width = (max(side, 2 * STRIDE) for side in usual)  # exporters take a single cell for a constant
    return [(height, width), (height + STRIDE, width + STRIDE), (height + 2 * STRIDE, width)]
