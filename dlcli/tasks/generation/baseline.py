"""What generated images must be better than, and what they can be at best."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from dlcli.tasks.generation.codec import GENERATED
from dlcli.tasks.generation.metric import SamplesMetric
from dlcli.tasks.generation.source import ImageSource

MOST_SHUFFLED = 100
"""Images of shuffled pixels that a kernel distance compares: of digits it is 24 times its error."""


def baselines_of(
    source: ImageSource, split: str, metric: Callable[[int | None], SamplesMetric]
) -> Mapping[str, Mapping[str, float]]:
    """Return the figures of other images in place of generated ones, by name.

    Training images show what a perfect generator would have; their mean and images of shuffled pixels, each with the
    pixels of a training image, what is as good as no image.

    Args:
        source: the images.
        split: the split that they are compared with.
        metric: (at most how many generated images kernel distances compare, or None) -> a new metric.

    Raises:
        DataError: there is no such split.
    """
    batches = list(source.loader(split, training=False).batches())
    count = sum(len(batch["rows"]) for batch in batches)
    training = source.images("train", count)
    training = training[np.arange(count) % len(training)]  # where there are fewer, some are repeated
    random = np.random.default_rng(0)
    flat = training.reshape(count, training.shape[1], -1)
    shuffled = np.stack([image[:, random.permutation(flat.shape[2])] for image in flat]).reshape(training.shape)
    mean = np.round(training.mean(0, dtype=np.float64)).astype(np.uint8)
    others: dict[str, tuple[np.ndarray, int | None]] = {
        "training images": (training, None),
        "mean image": (np.broadcast_to(mean, training.shape).copy(), None),
        "shuffled pixels": (shuffled, MOST_SHUFFLED),
    }
    found = {}
    for name, (images, most) in others.items():
        measured, start = metric(most), 0
        for batch in batches:
            arrays = {key: value.numpy() for key, value in batch.items()}
            measured.update(arrays, {GENERATED: images[start : start + len(arrays["rows"])]})
            start += len(arrays["rows"])
        found[name] = measured.compute()
    return found
