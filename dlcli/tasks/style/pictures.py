"""The pictures of a translation: their table, options and drawing functions. Free of torch until one is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlcli.core.config import option
from dlcli.core.errors import DataError
from dlcli.visualize.pictures import Picture
from dlcli.visualize.subject import Drawn, Subject

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class TranslateOptions:
    """Options of `translate`."""

    split: str = option("test", "the split of the data, if no image is given", choices=("test", "train"))
    count: int = option(6, "images of it", minimum=1, maximum=100)


def draw_translate(subject: Subject, options: TranslateOptions) -> Drawn:
    """Yield a grid of images, their translations and what comes back; of pairs, the true images too."""
    import torch

    from dlcli.tasks.style.grids import draw_translations

    task, codec = subject.task(), subject.codec()
    task.model.eval()
    subject.shows(task.style.domains)
    with torch.inference_mode():
        if subject.words:
            images = _images(subject)
            yield "translate", draw_translations(images, codec.direction, task.translate, task.style)
        else:
            yield "translate", task.grid(options.split, codec.direction, options.count)


def _images(subject: Subject) -> list[np.ndarray]:
    """Return the user's images, (H, W, 3) uint8.

    Raises:
        DataError: one cannot be read or is too large, or there is none.
    """
    from dlcli.data.images.sources import read_pixels
    from dlcli.tasks.style.preprocess import resized

    images = []
    for source in subject.codec().expand(subject.words):
        try:
            images.append(resized(read_pixels(source), None))
        except DataError as error:
            raise DataError(f"{source.name}: {error.message.removeprefix(f'{source.name}: ')}") from None
    if not images:
        raise DataError(f"{subject.words[0]}: no images found")
    return images


PICTURES: Mapping[str, Picture] = {
    "translate": Picture("images, their translations, and what comes back", "RUN", TranslateOptions, draw_translate),
}
