"""Images that show the same, though their files differ: other sizes, qualities or formats of one photo. Torch-free.

Two images are copies if the signs of 64 differences of brightness agree (all but a few) and their thumbnails, 16 x 16
grey levels, hardly differ. The signs (a difference hash) find candidates fast; the thumbnails keep apart what merely
has light and dark in the same places. In 200 photos of raccoons this finds the five groups of copies that people found
and no other one; the 354 images of a sample of COCO have none.
Source: N. Krawetz, "Kind of Like That", 2013 (dHash).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dlcli.core.cores import usable_cores
from dlcli.core.errors import DataError
from dlcli.data.images.decoding import decode_image, read_bytes, read_header
from dlcli.data.images.muffling import muffled

MAX_BITS = 6
"""Signs that may differ; of unrelated photos about 30 do."""

MAX_DIFFERENCE = 5.0
"""Mean absolute difference of the thumbnails in grey levels, of which copies saved anew have 0 to 0.5."""

MAX_SHARE = 0.15
"""The same as a share of the thumbnail's mean deviation: small things on an even ground differ by little."""

MAX_COMPARED = 30_000
"""Images among which copies are looked for, at most: reading so many takes a minute."""

_REDUCED = {
    8: {1: cv2.IMREAD_REDUCED_GRAYSCALE_8, 3: cv2.IMREAD_REDUCED_COLOR_8},
    4: {1: cv2.IMREAD_REDUCED_GRAYSCALE_4, 3: cv2.IMREAD_REDUCED_COLOR_4},
    2: {1: cv2.IMREAD_REDUCED_GRAYSCALE_2, 3: cv2.IMREAD_REDUCED_COLOR_2},
    0: {1: cv2.IMREAD_GRAYSCALE, 3: cv2.IMREAD_COLOR},
}
"""OpenCV's flags by the factor of reduction, the largest first, and by channels."""

_SIDE = 16
_BLOCK = 1024
_PAIRS_AT_ONCE = 50_000


def fingerprint(path: Path) -> tuple[int, np.ndarray] | None:
    """Return an image's difference hash and its thumbnail, (256,) uint8; None if it cannot be read.

    A large photo is decoded at an eighth of its size, which takes a tenth of the time.
    """
    try:
        data = read_bytes(path)
        grey = decode_small(data, channels=1)
    except DataError:
        return None
    cells = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    bits = np.packbits(cells[:, 1:] > cells[:, :-1])
    thumbnail = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return int.from_bytes(bits.tobytes(), "big"), thumbnail.ravel()


def decode_small(data: bytes, *, channels: int) -> np.ndarray:
    """Return an image as (H, W) grey or (H, W, 3) RGB, reduced while its shorter side has 32 pixels or more.

    Raises:
        DataError: it cannot be decoded.
    """
    header = read_header(data)
    shorter = min(header.height, header.width)
    flag = next(flags[channels] for factor, flags in _REDUCED.items() if shorter >= 32 * factor)
    try:
        with muffled:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error:
        image = None
    if image is None:
        image = decode_image(data, channels=channels)
        return image[:, :, 0] if channels == 1 else image
    return image if channels == 1 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@dataclass(frozen=True)
class Fingerprints:
    """Fingerprints of the readable ones among some images.

    Attributes:
        count: number of images.
        readable: (R,) int64, their positions.
        hashes: (R,) uint64.
        thumbnails: (R, 256) uint8.
    """

    count: int
    readable: np.ndarray
    hashes: np.ndarray
    thumbnails: np.ndarray

    def groups(self) -> np.ndarray:
        """Return the number of each image's group of copies; see `group_of`."""
        return group_numbers(self.count, self.readable[similar_pairs(self.hashes, self.thumbnails)])


def fingerprints_of(paths: Sequence[Path]) -> Fingerprints:
    """Return the fingerprints of images, which are read by a thread for each core."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        found = list(pool.map(fingerprint, paths))
    return Fingerprints(
        len(paths),
        np.array([index for index, each in enumerate(found) if each is not None], np.int64),
        np.array([each[0] for each in found if each is not None], np.uint64),
        np.array([each[1] for each in found if each is not None], np.uint8).reshape(-1, _SIDE * _SIDE),
    )


def group_of(paths: Sequence[Path]) -> np.ndarray:
    """Return the number of each image's group of copies, (N,) int64; an image without a copy is a group by itself.

    Groups count from 0 in the order of their first image. An image that cannot be read has no copies.
    """
    return fingerprints_of(paths).groups()


def group_numbers(count: int, pairs: np.ndarray) -> np.ndarray:
    """Return the number of the group of each of `count` items, (count,) int64, where pairs, (P, 2), share a group."""
    parent = np.arange(count)

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = int(parent[item])
        return item

    for first, second in pairs.tolist():
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    roots = np.array([root(item) for item in range(count)], np.int64)
    return np.unique(roots, return_inverse=True)[1].reshape(-1).astype(np.int64)


def similar_pairs(hashes: np.ndarray, thumbnails: np.ndarray) -> np.ndarray:
    """Return the pairs of images that are copies, (P, 2) int64 of positions.

    All pairs are compared: 10,000 images take 0.7 s. Images of equal fingerprints are each paired with the first of
    them only, so that P stays small.

    Args:
        hashes: (N,) uint64.
        thumbnails: (N, 256) uint8.
    """
    if not len(hashes):
        return np.zeros((0, 2), np.int64)
    rows = np.concatenate([hashes.reshape(-1, 1).view(np.uint8).reshape(len(hashes), 8), thumbnails], axis=1)
    _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    twins = np.stack([first[inverse.reshape(-1)], np.arange(len(hashes))], axis=1)
    kept = np.sort(first)
    found = [twins[twins[:, 0] != twins[:, 1]]]
    distinct, pictures = hashes[kept], _centred(thumbnails[kept])
    coarse = pictures.reshape(-1, 4, 4, 4, 4).mean(axis=(2, 4)).reshape(-1, 16)
    deviation = np.abs(pictures).mean(axis=1)
    for start in range(0, len(distinct), _BLOCK):
        block = distinct[start : start + _BLOCK]
        bits = np.bitwise_count(block[:, None] ^ distinct[None, start:])
        left, right = np.nonzero(bits <= MAX_BITS)
        left, right = left[right > left] + start, right[right > left] + start
        for at in range(0, len(left), _PAIRS_AT_ONCE):
            pair = np.stack([left[at : at + _PAIRS_AT_ONCE], right[at : at + _PAIRS_AT_ONCE]], axis=1)
            for levels in (coarse, pictures):  # the difference of means is no larger than that of what they are of
                pair = pair[_are_alike(levels[pair[:, 0]], levels[pair[:, 1]], deviation[pair].min(axis=1))]
            found.append(kept[pair])
    return np.concatenate(found).astype(np.int64)


def _centred(levels: np.ndarray) -> np.ndarray:
    """Return grey levels, (N, K), less the mean of each row, so that brightness does not count."""
    return np.asarray(levels - levels.mean(axis=1, keepdims=True, dtype=np.float32), np.float32)


def _are_alike(first: np.ndarray, second: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Return which pairs of grey levels, (P, K) each, hardly differ, as a share of their mean deviation, (P,) bool."""
    return np.asarray(np.abs(first - second).mean(axis=1) <= np.minimum(MAX_DIFFERENCE, MAX_SHARE * deviation))
