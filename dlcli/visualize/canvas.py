"""Pictures as plain arrays, (height, width, 3) uint8 RGB: grids of images, captions, titles, PNG files. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dlcli.core.files import atomic_file
from dlcli.visualize.fonts import draw_lines, font_for, line_height, sized_font, text_width

MIN_CELL_PX = 64
MAX_PICTURE_PX = 2000
"""About the largest side of a grid; larger pictures open slowly and are shrunk by every viewer."""


def encode_png(rgb: np.ndarray) -> bytes:
    """Return a picture encoded as PNG; equal pictures give equal bytes.

    Args:
        rgb: (H, W, 3) uint8 RGB, or (H, W) or (H, W, 1) uint8 grey.
    """
    bgr = as_rgb(rgb)[:, :, ::-1]
    is_encoded, data = cv2.imencode(".png", np.ascontiguousarray(bgr))
    assert is_encoded, f"cv2 cannot encode {rgb.shape}"
    return data.tobytes()


def write_png(path: Path, rgb: np.ndarray) -> None:
    """Write a picture as a PNG file atomically; missing folders are created, the path may contain any characters.

    Args:
        rgb: as in `encode_png`.

    Raises:
        OSError: the file cannot be written; an existing file is left unchanged.
    """
    data = encode_png(rgb)
    with atomic_file(path) as stream:
        stream.write(data)


def as_rgb(image: np.ndarray) -> np.ndarray:
    """Return an image as (H, W, 3) uint8; a grey channel is repeated.

    Raises:
        ValueError: the image is not (H, W), (H, W, 1) or (H, W, 3) uint8.
    """
    if image.dtype != np.uint8:
        raise ValueError(f"a picture is uint8, not {image.dtype}")
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3) or 0 in image.shape:
        raise ValueError(f"a picture is (H, W), (H, W, 1) or (H, W, 3), not {image.shape}")
    return image if image.shape[2] == 3 else np.repeat(image, 3, axis=2)


@dataclass(frozen=True)
class Grid:
    """The layout of a grid of cells; all lengths in pixels. The gap also surrounds the grid."""

    rows: int
    columns: int
    cell_height: int
    cell_width: int
    caption_height: int
    gap: int

    @property
    def height(self) -> int:
        """The height of the grid in pixels."""
        return self.gap + self.rows * (self.cell_height + self.caption_height + self.gap)

    @property
    def width(self) -> int:
        """The width of the grid in pixels."""
        return self.gap + self.columns * (self.cell_width + self.gap)

    def corner(self, index: int) -> tuple[int, int]:
        """Return the top and left of a cell in pixels; its caption is directly below the cell."""
        row, column = divmod(index, self.columns)
        top = self.gap + row * (self.cell_height + self.caption_height + self.gap)
        return top, self.gap + column * (self.cell_width + self.gap)


def tile(
    images: Sequence[np.ndarray] | np.ndarray,
    *,
    columns: int | None = None,
    captions: Sequence[str] | None = None,
    scale: int | None = None,
    gap: int = 2,
    background: int = 255,
    min_cell_px: int = MIN_CELL_PX,
) -> np.ndarray:
    """Return images as one grid, filled row by row, (height, width, 3) uint8 RGB.

    Small images are enlarged by an integer factor without smoothing, so that every pixel stays visible. Images of
    different sizes are first fitted into equal cells (`letterbox`). They are shrunk only if the grid would be larger
    than 2000 px at their original size.

    Args:
        images: (N, H, W), (N, H, W, 1) or (N, H, W, 3) uint8, or a sequence of single images.
        columns: images per row; None for a grid that is as square as possible.
        captions: one per image, drawn below it; line breaks are respected, lines that are too wide are truncated.
        scale: enlarge by exactly this factor.
        gap: pixels between the cells and around the grid.
        background: grey level, 0 to 255.
        min_cell_px: enlarge until the smaller side of a cell has this many pixels, if the grid stays under 2000 px.

    Raises:
        ValueError: there are no images, or not exactly one caption per image.
    """
    if len(images) == 0:
        raise ValueError("a grid needs an image")
    if captions is not None and len(captions) != len(images):
        raise ValueError(f"{len(captions)} captions for {len(images)} images")
    cells = equal_cells([as_rgb(image) for image in images], background)
    columns = columns or math.ceil(math.sqrt(len(cells)))
    rows = math.ceil(len(cells) / columns)
    cells = resize_cells(cells, rows=rows, columns=columns, scale=scale, gap=gap, min_px=min_cell_px)
    text_lines = [caption.split("\n") for caption in captions or ()]
    size_px = caption_size(cells[0].shape[1])
    caption_height = line_height(size_px) * max((len(lines) for lines in text_lines), default=0)
    height, width = cells[0].shape[:2]
    grid = Grid(rows, columns, height, width, caption_height, gap)
    picture = np.full((grid.height, grid.width, 3), background, np.uint8)
    font = font_for(captions or ())
    for index, cell in enumerate(cells):
        top, left = grid.corner(index)
        picture[top : top + grid.cell_height, left : left + grid.cell_width] = cell
        if caption_height:
            strip = draw_lines(
                text_lines[index],
                width_px=grid.cell_width,
                height_px=caption_height,
                size_px=size_px,
                font=font,
                background=background,
            )
            bottom = top + grid.cell_height
            picture[bottom : bottom + caption_height, left : left + grid.cell_width] = strip
    return picture


def caption_size(cell_width: int) -> int:
    """Return the size of a caption in pixels: about 20 characters fit in a line, but the text stays legible."""
    return min(max(round(cell_width / 11), 11), 18)


def resize_cells(
    cells: Sequence[np.ndarray], *, rows: int, columns: int, scale: int | None, gap: int, min_px: int
) -> list[np.ndarray]:
    """Return cells of one size enlarged by an integer factor, or shrunk if the grid would exceed 2000 px (see `tile`).

    Args:
        cells: (H, W, 3) uint8, all of one size.
        rows, columns: the grid's.
        scale: enlarge by exactly this factor.
        gap: pixels between the cells.
        min_px: enlarge until the smaller side has this many pixels.
    """
    height, width = cells[0].shape[:2]
    largest = min((MAX_PICTURE_PX / columns - gap) / width, (MAX_PICTURE_PX / rows - gap) / height)
    if scale is None and largest < 1:
        size = (max(1, int(width * largest)), max(1, int(height * largest)))
        return [cv2.resize(cell, size, interpolation=cv2.INTER_AREA) for cell in cells]
    factor = scale or max(1, min(math.ceil(min_px / min(height, width)), int(largest)))
    return [enlarge(cell, factor) for cell in cells]


def enlarge(image: np.ndarray, factor: int) -> np.ndarray:
    """Return an (H, W, C) image with every pixel repeated `factor` times in both directions."""
    return image if factor == 1 else image.repeat(factor, axis=0).repeat(factor, axis=1)


def equal_cells(images: Sequence[np.ndarray], background: int = 255) -> list[np.ndarray]:
    """Return (H, W, 3) uint8 images at one size: unchanged if they share one, else letterboxed into a common square.

    The square's side is the median of the images' larger sides.
    """
    if len({image.shape for image in images}) == 1:
        return list(images)
    side = int(np.median([max(image.shape[:2]) for image in images]))
    return [letterbox(image, side, background) for image in images]


def letterbox(image: np.ndarray, side_px: int, background: int = 255) -> np.ndarray:
    """Return an (H, W, 3) uint8 image resized into a square at its aspect ratio, the rest filled with background."""
    height, width = image.shape[:2]
    factor = side_px / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    smaller = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST)
    square = np.full((side_px, side_px, 3), background, np.uint8)
    top, left = (side_px - size[1]) // 2, (side_px - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = smaller
    return square


def stack(pictures: Sequence[np.ndarray], *, gap: int = 8, background: int = 255, is_row: bool = False) -> np.ndarray:
    """Return (H, W, 3) uint8 pictures in one column (or one row), centred, with a gap between them."""
    axis = 1 if is_row else 0
    breadth = max(picture.shape[1 - axis] for picture in pictures)
    parts: list[np.ndarray] = []
    for picture in pictures:
        spare = breadth - picture.shape[1 - axis]
        across = (spare // 2, spare - spare // 2)
        along = (gap if parts else 0, 0)
        padding = (across, along) if is_row else (along, across)
        parts.append(np.pad(picture, (*padding, (0, 0)), constant_values=background))
    return np.concatenate(parts, axis=axis)


def add_title(picture: np.ndarray, lines: Sequence[str], *, background: int = 255) -> np.ndarray:
    """Return an (H, W, 3) uint8 picture with lines of text above it, its pixels unchanged.

    The first line is larger. A picture narrower than the text is padded on both sides, up to a text width of 900 px.
    """
    font = font_for(lines)
    strips = []
    sizes = [19, *[14] * (len(lines) - 1)]
    for line, size_px in zip(lines, sizes, strict=True):
        wanted = text_width(line, sized_font(font.path, size_px)) + 16
        strip = draw_lines(
            [line],
            width_px=max(picture.shape[1], min(wanted, 900)),
            height_px=line_height(size_px),
            size_px=size_px,
            font=font,
            background=background,
            margin_px=4,
        )
        strips.append(strip)
    heading = np.pad(stack(strips, gap=0, background=background), ((6, 6), (0, 0), (0, 0)), constant_values=background)
    return stack([heading, picture], gap=0, background=background)


def annotate(image: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """Return an image with lines of text on a strip below it; no pixel of the image is covered.

    A small image is enlarged by an integer factor until its smaller side has 160 px (with the larger one at most
    2000); a large one keeps its size and gets larger text. If a line is wider than the image, white is added on both
    sides, up to twice the width or 400 px.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3) uint8.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    rgb = as_rgb(image)
    rgb = enlarge(rgb, max(1, min(math.ceil(160 / min(rgb.shape[:2])), MAX_PICTURE_PX // max(rgb.shape[:2]))))
    if not lines:
        return rgb
    size_px = min(max(round(min(rgb.shape[:2]) / 22), 14), 72)
    font = font_for(lines)
    margin_px = size_px // 2
    face = sized_font(font.path, size_px)
    wanted = max(text_width(line, face) for line in lines) + 2 * margin_px + 1
    width_px = max(rgb.shape[1], min(wanted, max(2 * rgb.shape[1], 400)))
    strip = draw_lines(
        lines,
        width_px=width_px,
        height_px=line_height(size_px) * len(lines) + margin_px,
        size_px=size_px,
        font=font,
        margin_px=margin_px,
    )
    return stack([rgb, strip], gap=0)


def unit_to_uint8(values: np.ndarray) -> np.ndarray:
    """Return float values as uint8 of the same shape: [0, 1] becomes 0 to 255, rounded; values outside are clipped."""
    return np.asarray(np.round(np.clip(values, 0, 1) * 255), dtype=np.uint8)


def colour_bar(palette: np.ndarray, left: str, right: str, *, width_px: int = 260, background: int = 255) -> np.ndarray:
    """Return the legend of a colour map, (height, width, 3) uint8: the colours from low to high between two labels.

    Args:
        palette: (N, 3) uint8 colours.
        left, right: the labels.
        width_px: of the colours, without the labels.
        background: grey level, 0 to 255.
    """
    ramp = np.repeat(palette[np.linspace(0, len(palette) - 1, width_px).round().astype(int)][None], 14, axis=0)
    font = font_for([left, right])
    ends = []
    for text in (left, right):
        width = text_width(text, sized_font(font.path, 13)) + 10
        ends.append(draw_lines([text], width_px=width, height_px=20, size_px=13, font=font, background=background))
    return stack([ends[0], ramp, ends[1]], gap=4, background=background, is_row=True)
