"""MNIST and Fashion-MNIST in their original idx files, gzipped or not.

Sources: LeCun, Cortes, Burges, yann.lecun.com/exdb/mnist (the idx format); Xiao et al. 2017, arXiv:1708.07747
(Fashion-MNIST, class names). Checksums: torchvision.
"""

from __future__ import annotations

import dataclasses
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.card import Card
from dlcli.data.images.packed import MAX_SIZE_PX
from dlcli.data.images.writer import PixelSplit, write_pixels
from dlcli.data.importing.download import download_file
from dlcli.data.importing.gzips import open_decompressed
from dlcli.data.importing.preparing import Report
from dlcli.datasets.images.options import FashionMnistOptions, MnistOptions

_UINT8 = 0x08  # the idx format's number for unsigned bytes
_MAX_ITEMS = 1_000_000
_NUM_IMAGES = 70_000
_BYTES_AN_IMAGE = 4096 + 28 * 28
_LEAST_BYTES = 150  # an image takes at least this in a gzipped file; an estimate of how many there are
_FILES = {  # split -> (images, labels)
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


@dataclass(frozen=True)
class _Origin:
    """The properties in which the two datasets differ; `md5` is that of the gzipped files."""

    name: str
    title: str
    classes: tuple[str, ...]
    page: str
    url: str
    md5: dict[str, str]


_MNIST = _Origin(
    name="mnist",
    title="MNIST",
    classes=tuple("0123456789"),
    page="http://yann.lecun.com/exdb/mnist/",
    url="https://ossci-datasets.s3.amazonaws.com/mnist/",
    md5={
        "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
    },
)
_FASHION_MNIST = _Origin(
    name="fashion-mnist",
    title="Fashion-MNIST",
    # The paper's "T-shirt/top", without the slash, which no folder name may contain.
    classes=(
        "T-shirt-top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    page="https://github.com/zalandoresearch/fashion-mnist",
    url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    md5={
        "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
    },
)


class _IdxImporter:
    """The importer that both datasets share."""

    def __init__(self, options: Any, origin: _Origin) -> None:
        self.options = options
        self._origin = origin

    def locate(self, source: Path | None) -> list[Path]:
        """Return the four idx files of a folder (or its `raw/`): images and labels of train, then of test.

        Raises:
            DataError: there is no SOURCE, or a file is missing.
        """
        origin = self._origin
        if source is None:
            raise DataError(
                f"{origin.title} needs a SOURCE: the folder of its four idx files",
                hint=f"download them with --download, or by hand from {origin.page}",
            )
        if not source.is_dir():
            raise DataError(f"{source}: no such folder", hint=f"{origin.title} is at {origin.page}")
        wanted = [name for pair in _FILES.values() for name in pair]
        for folder in (source, source / "raw"):
            paths = [_find(folder, name) for name in wanted]
            found = [path for path in paths if path is not None]
            if len(found) == len(wanted):
                return found
        names = sorted(path.name for path in source.iterdir() if not path.name.startswith("."))
        raise DataError(
            f"no {origin.title} files in {source}",
            details=[
                f"looked for: {', '.join(wanted[:2])}, {', '.join(wanted[2:])} (or .gz)",
                f"found: {', '.join(names[:6]) or 'nothing'}{', ...' if len(names) > 6 else ''}",
            ],
            hint=f"download all four from {origin.page}",
        )

    def download(self, folder: Path, report: Report) -> Path:
        """Download the four files to `folder` and return it."""
        origin = self._origin
        for name, md5 in origin.md5.items():
            file = f"{name}.gz"
            download_file(origin.url + file, folder / file, md5=md5, page=origin.page, report=report)
        return folder

    def space_needed(self, files: list[Path]) -> int:  # noqa: ARG002
        """Return roughly how many bytes 70,000 prepared images take."""
        return _NUM_IMAGES * _BYTES_AN_IMAGE

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:
        """Write the PNG files, named by their index in the original, and the packed copy; return the card.

        Raises:
            DataError: a file is damaged, or does not match the others.
        """
        origin = self._origin
        report(f"{origin.title}: writing images of {len(origin.classes)} classes")
        num_images = sum(path.stat().st_size for path in files) // _LEAST_BYTES
        pairs = (("test", (files[2], files[3])), ("train", (files[0], files[1])))
        splits = (_read_split(split, *pair, len(origin.classes)) for split, pair in pairs)
        card = write_pixels(folder, origin.name, origin.classes, splits, num_images=num_images)
        total = sum(card.num_items(split) for split in card.counts)
        if total == _NUM_IMAGES:
            return card
        warning = f"{total:,} images; the published {origin.title} has {_NUM_IMAGES:,}"
        return dataclasses.replace(card, warnings=(*card.warnings, warning))


class MnistImporter(_IdxImporter):
    """Importer of MNIST."""

    def __init__(self, options: MnistOptions) -> None:
        super().__init__(options, _MNIST)


class FashionMnistImporter(_IdxImporter):
    """Importer of Fashion-MNIST."""

    def __init__(self, options: FashionMnistOptions) -> None:
        super().__init__(options, _FASHION_MNIST)


def _find(folder: Path, name: str) -> Path | None:
    """Return the file of this name, if any; some unpackers write `-idx3` as `.idx3`."""
    for stem in (name, name.replace("-idx", ".idx")):
        for path in (folder / stem, folder / f"{stem}.gz"):
            if path.is_file():
                return path
    return None


def _read_split(split: str, images_path: Path, labels_path: Path, num_classes: int) -> PixelSplit:
    images = read_idx(images_path, num_axes=3)
    labels = read_idx(labels_path, num_axes=1)
    if len(images) != len(labels):
        raise DataError(f"{images_path.parent}: {len(images):,} images in {split}, but {len(labels):,} labels")
    if not images.size or max(images.shape[1:]) > MAX_SIZE_PX:
        raise DataError(f"{images_path}: images of shape {images.shape}; at most {MAX_SIZE_PX} x {MAX_SIZE_PX} pixels")
    if labels.max() >= num_classes:
        row = int(np.argmax(labels >= num_classes))
        raise DataError(f"{labels_path}: image {row:,} has the label {labels[row]}, not one of 0..{num_classes - 1}")
    names = [f"{row:05d}" for row in range(len(images))]
    return PixelSplit(split, [images[:, :, :, np.newaxis]], labels.astype(np.int64), names)


def read_idx(path: Path, *, num_axes: int) -> np.ndarray:
    """Return the array of an idx file, gzipped or not.

    Args:
        path: the file.
        num_axes: the expected number of axes: 3 for images, 1 for labels.

    Returns:
        uint8 (N, H, W) images, or (N,) labels.

    Raises:
        DataError: the file is damaged, truncated, too long, or of another kind.
    """
    header_size = 4 + 4 * num_axes
    with open_decompressed(path, hint="download the file again") as stream:
        header = stream.read(header_size)
        shape = _read_shape(header, num_axes, path)
        expected = math.prod(shape)
        data = stream.read(expected + 1)  # one byte more reveals a longer file without unpacking a zip bomb
    if len(data) != expected:
        amount = "more" if len(data) > expected else f"only {len(data):,}"
        raise DataError(f"{path}: the header promises {expected:,} bytes, there are {amount}", hint="download it again")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _read_shape(header: bytes, num_axes: int, path: Path) -> tuple[int, ...]:
    if len(header) < 4 or header[:2] != b"\0\0":
        raise DataError(f"{path}: not an idx file (magic number {header[:4].hex() or 'missing'})")
    kind, axes = header[2], header[3]
    if kind != _UINT8 or axes != num_axes:
        what = "images" if num_axes == 3 else "labels"
        raise DataError(f"{path}: holds no {what} (idx type {kind:#x} with {axes} axes)", hint="files may be swapped")
    if len(header) < 4 + 4 * num_axes:
        raise DataError(f"{path}: truncated: the header has {len(header)} bytes", hint="download the file again")
    shape = struct.unpack(f">{num_axes}I", header[4:])
    if shape[0] > _MAX_ITEMS or math.prod(shape[1:]) > MAX_SIZE_PX**2:
        raise DataError(f"{path}: the header promises {' x '.join(map(str, shape))} bytes, which is too much")
    return shape
