"""Samples of a dataset: one row of images per class. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.data.images.decoding import read_image
from dlcli.data.images.form import open_images
from dlcli.visualize.canvas import add_title, as_rgb, caption_size, equal_cells, tile
from dlcli.visualize.fonts import Font, draw_lines, font_for, sized_font, text_width

WIDEST_NAME_PX = 220
NAMED_CELL_PX = 96
"""Room for about a dozen characters under an image."""


def draw_samples(samples: Mapping[str, Sequence[np.ndarray]], *, title: str | None = None) -> np.ndarray:
    """Return a picture of samples by class: the class's name, then its images in a row.

    Many classes are laid out in several blocks side by side, so that the picture stays roughly square. With one image
    per class, the names are under the images instead.

    Args:
        samples: class name -> its images, (H, W), (H, W, 1) or (H, W, 3) uint8 of any size; a class without images
            has an empty row.
        title: a line above.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: there are no images.
    """
    per_class = max((len(images) for images in samples.values()), default=0)
    if per_class == 0:
        raise ValueError("no images to draw")
    if per_class == 1:
        shown = {name: images for name, images in samples.items() if images}
        picture = tile([images[0] for images in shown.values()], captions=list(shown), gap=6, min_cell_px=NAMED_CELL_PX)
    else:
        picture = _blocks(samples, per_class)
    return add_title(picture, [title]) if title else picture


def _blocks(samples: Mapping[str, Sequence[np.ndarray]], per_class: int) -> np.ndarray:
    cells = iter(equal_cells([as_rgb(image) for images in samples.values() for image in images]))
    rows = [[next(cells) for _ in images] for images in samples.values()]
    height, width = next(row for row in rows if row)[0].shape[:2]
    # `tile` derives the cell size from the number of images, so the number of blocks is chosen first, from the shape
    # alone: a row is per_class cells wide, and its name about two more.
    num_blocks = max(1, round(math.sqrt(len(rows) * height / ((per_class + 2) * width))))
    per_block = math.ceil(len(rows) / num_blocks)
    num_blocks = math.ceil(len(rows) / per_block)
    blank = np.full((height, width, 3), 255, np.uint8)
    # Row by row across all blocks, the order in which `tile` fills a grid.
    ordered = []
    for row in range(per_block):
        for block in range(num_blocks):
            index = block * per_block + row
            images = rows[index] if index < len(rows) else []
            ordered += [*images, *[blank] * (per_class - len(images))]
    grid = tile(ordered, columns=num_blocks * per_class, gap=2)
    return _with_names(grid, list(samples), num_blocks, per_block)


def _with_names(grid: np.ndarray, names: Sequence[str], num_blocks: int, per_block: int) -> np.ndarray:
    """Return the grid split into its blocks, each with its class names on the left."""
    row_height = (grid.shape[0] - 2) // per_block
    block_width = (grid.shape[1] - 2) // num_blocks
    font = font_for(names)
    size_px = min(caption_size(row_height) + 3, 17)
    face = sized_font(font.path, size_px)
    name_width = min(max(text_width(name, face) for name in names) + 20, WIDEST_NAME_PX)
    parts = []
    for block in range(num_blocks):
        block_names = names[block * per_block : (block + 1) * per_block]
        parts.append(_name_column(block_names, per_block, row_height, name_width, size_px, font))
        left = block * block_width
        parts.append(grid[:, left : left + block_width + 2])
    return np.concatenate(parts, axis=1)


def _name_column(
    names: Sequence[str], num_rows: int, row_height: int, width_px: int, size_px: int, font: Font
) -> np.ndarray:
    column = np.full((num_rows * row_height + 2, width_px, 3), 255, np.uint8)
    for row, name in enumerate(names):
        strip = draw_lines(
            [name], width_px=width_px, height_px=row_height, size_px=size_px, font=font, align="right", margin_px=7
        )
        column[1 + row * row_height : 1 + (row + 1) * row_height] = strip
    return column


def draw_images(folder: Path, split: str, count: int) -> np.ndarray:
    """Return a picture of `count` images per class of a split; see `dlcli.core.specs.FormSpec.samples`.

    Raises:
        UsageError: there is no such split.
        DataError: the folder does not contain images by class, or one of them cannot be read.
    """
    form = open_images(folder)
    if split not in form.splits():
        raise UsageError(f"--split: no split {split!r}", hint=did_you_mean(split, form.splits()))
    files, labels = form.files(split), form.labels(split)
    samples: dict[str, list[np.ndarray]] = {}
    for index, name in enumerate(form.card.classes):
        members = np.flatnonzero(labels == index)
        # Spread over the class, so that a folder sorted by scene shows more than the first one.
        chosen = members[np.linspace(0, len(members) - 1, min(count, len(members))).astype(int)]
        samples[name] = [read_image(files[position], channels=3) for position in chosen]
    return draw_samples(samples, title=f"{form.card.name}, {split}")
