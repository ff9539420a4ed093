"""Grids of images, their translations, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dlcli.tasks.style.preprocess import StyleAssets, on_canvas

Translate = Callable[[np.ndarray, str], np.ndarray]
"""(N, 3, H, W) uint8 and a direction -> (N, 3, H, W) uint8."""


def translate_image(image: np.ndarray, direction: str, translate: Translate, style: StyleAssets) -> np.ndarray:
    """Return the translation of an image of any size, (H, W, 3) uint8."""
    height, width = image.shape[:2]
    canvas = np.ascontiguousarray(on_canvas(image, style.stride).transpose(2, 0, 1)[np.newaxis])
    made = translate(canvas, direction)[0, :, :height, :width]
    return np.ascontiguousarray(made.transpose(1, 2, 0))


def draw_translations(
    images: Sequence[np.ndarray],
    direction: str,
    translate: Translate,
    style: StyleAssets,
    *,
    targets: Sequence[np.ndarray] = (),
    has_identity: bool = False,
) -> np.ndarray:
    """Return a grid, (H, W, 3) uint8, whose rows are an image, its translation, and what comes back where it can.

    Args:
        images: of the domain that is translated, each (H, W, 3) uint8.
        direction: in which they are translated.
        translate: the networks.
        style: says whether there is a way back.
        targets: the true image of the other domain for each; none for unpaired images.
        has_identity: whether a last column shows what the way back makes of the images, which should not change them.
    """
    from dlcli.visualize.canvas import tile

    translated = [translate_image(image, direction, translate, style) for image in images]
    source, target = style.names(direction)
    columns = {source: list(images), f"as {target}": translated}
    back = style.opposite(direction)
    if back is not None:
        columns["back"] = [translate_image(image, back, translate, style) for image in translated]
        if has_identity:
            columns["identity"] = [translate_image(image, back, translate, style) for image in images]
    if targets:
        columns["target"] = list(targets)
    cells = [column[row] for row in range(len(images)) for column in columns.values()]
    captions = [name if row == len(images) - 1 else "" for row in range(len(images)) for name in columns]
    return tile(cells, columns=len(columns), captions=captions)
