"""The images of a detection task: what they must have, their batches, the sizes of their boxes."""

from __future__ import annotations

import dataclasses

import numpy as np

from dlcli.core.errors import DataError
from dlcli.core.train_config import TrainConfig
from dlcli.data.annotated.augmenting import recipe_of
from dlcli.data.annotated.form import AnnotatedForm
from dlcli.data.annotated.loader import training_loader
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.data.loading import ItemLoader
from dlcli.data.order import Shard
from dlcli.tasks.annotated.source import AnnotatedSource
from dlcli.tasks.detection.config import DetectionConfig


def detection_source(
    form: AnnotatedForm, labels: tuple[str, ...], config: DetectionConfig, train: TrainConfig
) -> AnnotatedSource:
    """Return the images that a detector learns from.

    Raises:
        DataError: the images have no boxes, or a class that the run does not have.
    """
    if not form.has("boxes"):
        raise DataError(f"{form.root}: no image has a box", hint="a detector learns from boxes around objects")
    return AnnotatedSource(form, labels, train, cache=config.cache, max_bad=config.max_bad)


def require_masks(form: AnnotatedForm, model: str) -> None:
    """Check that there is something for a detector of masks to learn from.

    Raises:
        DataError: no object has a mask.
    """
    if not form.has("masks"):
        raise DataError(
            f"{form.root}: no object has a mask, from which {model} learns",
            hint="choose a detector of boxes, such as --model wren",
        )


def box_sizes(source: AnnotatedSource, side: int) -> np.ndarray:
    """Return width and height of the boxes that are learned in pixels of their canvases, (N, 2).

    Args:
        source: the images.
        side: the length of their longer sides in the canvas.
    """
    records, indices = source.part("train")
    sizes = [
        np.array([each.box[2] - each.box[0], each.box[3] - each.box[1]]) * side / longer
        for record in (records[row] for row in indices.tolist())
        for longer in (max(record.height, record.width),)
        for each in record.objects
        if not (each.is_crowd or each.is_difficult)
    ]
    return np.array(sizes).reshape(-1, 2)


def detection_loader(
    source: AnnotatedSource,
    split: str,
    preprocess: CanvasPreprocess,
    config: DetectionConfig,
    *,
    training: bool,
    shard: Shard,
    with_masks: bool,
) -> ItemLoader:
    """Return the loader of a process's share of a split, shuffled and augmented if `training`.

    Raises:
        DataError: there is no such split.
    """
    if not training:
        return source.evaluation(split, preprocess, shard)
    records, order, options = source.training(preprocess, recipe_of(config.augment, source.labels), shard)
    options = dataclasses.replace(
        options,
        with_masks=with_masks,
        multi_scale=config.multi_scale and preprocess.canvas is None,
        mosaic=config.mosaic,
    )
    return training_loader(records, source.form.read, order, options, **source.reading)
