"""Near-duplicates among images: one photo with other colours, another cut, another compression. Torch-free.

Each image is compared at 32 x 32 pixels, in two steps. Its neighbours among 8 x 8 colours, less their mean, are found
by an exact search; they share light and dark, as many skies and lawns do. What decides is the correlation of outlines
and textures (brightness, less what is blurred away and less what is blurred over 2 pixels), at the best of 25 shifts.

On CIFAR-10 this finds 411 test images (4.1 %) with a near-duplicate in training. 222 of them are among the 286 that
Barz & Denzler 2020 (arXiv:1902.00423) chose by hand from the neighbours in a network's features, and nearly all of the
others show one photo, too. What it gets wrong are white frames, and small dark things on an even ground.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from dlcli.core.cores import usable_cores
from dlcli.core.errors import DataError
from dlcli.data.collection import Pairs, pairs_of_equals
from dlcli.data.images.decoding import read_bytes
from dlcli.data.images.near_duplicates import decode_small
from dlcli.data.neighbours import nearest_rows

SIDE = 32
"""Side in pixels at which images are compared."""

SIMILAR = 0.75
"""The least correlation of near-duplicates. Of CIFAR-10's pairs at 0.7 some show two cars of one model."""

NUM_CANDIDATES = 5
"""Neighbours of each image that are compared with it: 263 of the 286 listed pairs are among them."""

MIN_COLOURS = 0.75
"""The least cosine of the coarse colours of a candidate; it leaves 255 of the 263."""

FEW = 100
"""Of fewer images, a quarter may well be copies: what is usual among them says nothing."""

MAX_IMAGES = 200_000
"""The outlines of so many take 400 MB, and the search some minutes."""

MAX_FILES = 30_000
"""Photos, which are decoded: a minute's work."""

_COARSE = 8
_SHIFT = 2
_BLUR, _TEXTURE = 0.8, 2.0
_PAIRS_AT_ONCE = 4096


def similar_images(images: np.ndarray | Iterator[np.ndarray]) -> Pairs:
    """Return the pairs of images that are near-duplicates.

    Where images resemble each other anyway (handwritten ones), a pair has to be clearly more alike than most images and
    their nearest are: its distance from 1 is at most half of that of three quarters of them.

    Time: 60,000 images take 2 minutes of one core. Memory: 4 kB an image, and 200 MB for the search.

    Args:
        images: (N, SIDE, SIDE, 3) uint8 RGB, or an iterator over such blocks.
    """
    colours, outlines, digests = _describe(images if isinstance(images, Iterator) else iter([images]))
    equal = pairs_of_equals(digests)
    if len(colours) < 2:
        return Pairs(*equal, np.ones(len(equal[0])), SIMILAR)
    found = nearest_rows(colours, colours, NUM_CANDIDATES, exclude=np.arange(len(colours)))
    first = np.repeat(np.arange(len(colours)), found.rows.shape[1])
    second = found.rows.reshape(-1)
    values = correlations(outlines, first, second, found.values.reshape(-1) >= MIN_COLOURS)
    least = _least(values.reshape(found.rows.shape).max(axis=1))
    similar = np.sort(np.stack([first, second], axis=1)[values >= least], axis=1)
    values = np.concatenate([np.ones(len(equal[0])), np.minimum(values[values >= least], 1.0)])
    pairs, places = np.unique(np.concatenate([np.stack(equal, axis=1), similar]), axis=0, return_index=True)
    return Pairs(pairs[:, 0], pairs[:, 1], values[places], least)


def _least(nearest: np.ndarray) -> float:
    """Return the least correlation of near-duplicates, given that of each image and its nearest, (N,)."""
    if len(nearest) < FEW:
        return SIMILAR
    return float(np.clip((1 + np.quantile(nearest, 0.75)) / 2, SIMILAR, 0.99))


def similar_files(files: Sequence[Path]) -> Pairs:
    """Return the pairs of image files that are near-duplicates; the unreadable ones are counted in a note.

    Raises:
        DataError: there are too many.
    """
    refuse_too_many(len(files), MAX_FILES)
    with ThreadPoolExecutor(usable_cores()) as pool:
        found = list(pool.map(_read, files))
    readable = np.array([number for number, image in enumerate(found) if image is not None], np.int64)
    images = np.array([image for image in found if image is not None], np.uint8).reshape(-1, SIDE, SIDE, 3)
    pairs = similar_images(images)
    bad = len(files) - len(readable)
    notes = (
        (f"images that cannot be read: {bad:,}, which are not compared; `dl doctor DATA` names them",) if bad else ()
    )
    return Pairs(readable[pairs.first], readable[pairs.second], pairs.similarity, pairs.least, notes)


def refuse_too_many(count: int, most: int) -> None:
    """Check that the images are few enough to be compared.

    Raises:
        DataError: they are not.
    """
    if count > most:
        raise DataError(
            f"--near-duplicates: {count:,} images are too many; at most {most:,} are compared",
            hint="check a part of them: make a folder of fewer classes",
        )


def to_side(image: np.ndarray) -> np.ndarray:
    """Return an image, (H, W, C) with one channel or three, as it is compared: (SIDE, SIDE, 3) uint8."""
    if image.shape[:2] != (SIDE, SIDE):
        smaller = max(image.shape[:2]) > SIDE
        image = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return np.broadcast_to(image.reshape(SIDE, SIDE, -1), (SIDE, SIDE, 3))


def correlations(
    outlines: np.ndarray, first: np.ndarray, second: np.ndarray, is_wanted: np.ndarray | None = None
) -> np.ndarray:
    """Return the largest correlation of each pair over all shifts of up to 2 pixels, (P,) float64 in [-1, 1].

    Args:
        outlines: (N, SIDE, SIDE) float16, see `_describe`.
        first, second: (P,) numbers of images.
        is_wanted: (P,) bool; the value of the other pairs is -1.
    """
    values = np.full(len(first), -1.0)
    wanted = np.arange(len(first)) if is_wanted is None else np.flatnonzero(is_wanted)
    width = SIDE - 2 * _SHIFT
    for start in range(0, len(wanted), _PAIRS_AT_ONCE):
        block = wanted[start : start + _PAIRS_AT_ONCE]
        fixed = outlines[first[block]].astype(np.float32)[:, _SHIFT:-_SHIFT, _SHIFT:-_SHIFT]
        fixed -= fixed.mean(axis=(1, 2), keepdims=True)
        moved = outlines[second[block]].astype(np.float32)
        sums, squares = _window_sums(moved, width), _window_sums(moved**2, width)
        lengths = np.sqrt(np.einsum("nij,nij->n", fixed, fixed)[:, None, None])
        spread = np.sqrt(np.maximum(squares - sums**2 / width**2, 0))
        products = np.empty_like(spread)
        for top in range(2 * _SHIFT + 1):
            for left in range(2 * _SHIFT + 1):
                window = moved[:, top : top + width, left : left + width]
                products[:, top, left] = np.einsum("nij,nij->n", fixed, window)
        scale = lengths * spread
        ratios = np.divide(products, scale, out=np.full_like(products, -1.0), where=scale > 1e-3)
        values[block] = ratios.max(axis=(1, 2))
    return values


def _window_sums(values: np.ndarray, width: int) -> np.ndarray:
    """Return the sums over the windows of (N, SIDE, SIDE) at every shift, (N, 5, 5)."""
    sums = np.pad(values, ((0, 0), (1, 0), (1, 0))).cumsum(axis=1, dtype=np.float64).cumsum(axis=2)
    return np.asarray(
        sums[:, width:, width:] - sums[:, :-width, width:] - sums[:, width:, :-width] + sums[:, :-width, :-width],
        np.float32,
    )


def _describe(blocks: Iterator[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what images are compared by, for N of them.

    Returns:
        Coarse colours, (N, 192) float32 of length 1 or 0; outlines, (N, SIDE, SIDE) float16; digests of all pixels,
        (N,) uint64.
    """
    digests: list[int] = []
    colours = [np.zeros((0, _COARSE**2 * 3), np.float32)]
    outlines = [np.zeros((0, SIDE, SIDE), np.float16)]
    for block in blocks:
        digests += [int.from_bytes(hashlib.blake2b(each.tobytes(), digest_size=8).digest(), "little") for each in block]
        step = SIDE // _COARSE
        coarse = block.astype(np.float32).reshape(-1, _COARSE, step, _COARSE, step, 3).mean(axis=(2, 4))
        coarse = coarse.reshape(len(block), -1)
        coarse -= coarse.mean(axis=1, keepdims=True)
        lengths = np.linalg.norm(coarse, axis=1, keepdims=True)
        colours.append(np.divide(coarse, lengths, out=np.zeros_like(coarse), where=lengths > 0))
        grey = block.mean(axis=3, dtype=np.float32)
        fine = [cv2.GaussianBlur(each, (0, 0), _BLUR) - cv2.GaussianBlur(each, (0, 0), _TEXTURE) for each in grey]
        outlines.append(np.array(fine, np.float16).reshape(-1, SIDE, SIDE))
    return np.concatenate(colours), np.concatenate(outlines), np.array(digests, np.uint64)


def _read(path: Path) -> np.ndarray | None:
    try:
        return to_side(decode_small(read_bytes(path), channels=3))
    except DataError:
        return None
