"""CIFAR-10 and CIFAR-100 in their "python version": pickled batches of 32 x 32 photos.

Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images"; www.cs.toronto.edu/~kriz/cifar.html
(layout of the batches, checksums of the archives).
"""

from __future__ import annotations

import dataclasses
import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.card import Card
from dlcli.data.images.writer import PixelSplit, write_pixels
from dlcli.data.importing.download import download_file
from dlcli.data.importing.gzips import open_decompressed
from dlcli.data.importing.names import check_class_names
from dlcli.data.importing.pickles import load_numpy_dict
from dlcli.data.importing.preparing import Report
from dlcli.datasets.images.options import Cifar10Options, Cifar100Options

PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
_SIZE = 32
_ROW = 3 * _SIZE * _SIZE
_MAX_FILE = 400 * 2**20  # CIFAR-100's train is 155 MB
_MAX_ARCHIVE = 1024 * 2**20
_NUM_IMAGES = 60_000
_BYTES_AN_IMAGE = 4096 + _ROW  # one block for the PNG, one row of the packed copy


@dataclass(frozen=True)
class _Layout:
    """The properties in which the two datasets differ."""

    name: str
    title: str
    folder: str
    archive: str
    md5: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    meta: str

    @property
    def members(self) -> tuple[str, ...]:
        return (*self.train, *self.test, self.meta)


_CIFAR10 = _Layout(
    name="cifar10",
    title="CIFAR-10",
    folder="cifar-10-batches-py",
    archive="cifar-10-python.tar.gz",
    md5="c58f30108f718f92721af3b95e74349a",
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test=("test_batch",),
    meta="batches.meta",
)
_CIFAR100 = _Layout(
    name="cifar100",
    title="CIFAR-100",
    folder="cifar-100-python",
    archive="cifar-100-python.tar.gz",
    md5="eb9058c3a382ffc7106e4002c42a8d85",
    train=("train",),
    test=("test",),
    meta="meta",
)


class _CifarImporter:
    """The importer that both datasets share; their label keys differ."""

    def __init__(self, options: Any, layout: _Layout, label_key: bytes, names_key: bytes) -> None:
        self.options = options
        self._layout = layout
        self._label_key = label_key
        self._names_key = names_key

    def locate(self, source: Path | None) -> list[Path]:
        """Return the batch files in `source` or its `cifar-*` subfolder, or the archive itself.

        Raises:
            DataError: there is no SOURCE, or a batch file is missing.
        """
        layout = self._layout
        if source is None:
            raise DataError(
                f"{layout.title} needs a SOURCE: the folder {layout.folder} or the archive {layout.archive}",
                hint=f"download it with --download, or by hand from {PAGE}",
            )
        if source.is_file():
            return [source]
        for folder in (source, source / layout.folder):
            paths = [folder / name for name in layout.members]
            if all(path.is_file() for path in paths):
                return paths
        raise self._missing(source)

    def _missing(self, source: Path) -> DataError:
        layout = self._layout
        if not source.is_dir():
            return DataError(f"{source}: no such file or folder", hint=f"{layout.title} is at {PAGE}")
        folder = source / layout.folder if (source / layout.folder).is_dir() else source
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        batches = [name for name in names if name.split(".")[0] in layout.members or name == layout.archive]
        found = [*batches, *(name for name in names if name not in batches)]
        is_binary = any(name.endswith(".bin") for name in found)
        what = "this is the binary version; download" if is_binary else "download"
        lacking = [name for name in layout.members if name not in names]
        return DataError(
            f"no {layout.title} batches in {folder}"
            if not set(layout.members) & set(names)
            else f"{folder}: {layout.title} is incomplete: {', '.join(lacking)} missing",
            details=[f"looked for: {_short(layout.members)}; found: {_short(found) or 'nothing'}"],
            hint=f'{what} the "python version" archive from {PAGE}',
        )

    def download(self, folder: Path, report: Report) -> Path:
        """Download the official archive to `folder` and return its path."""
        layout = self._layout
        url = f"https://www.cs.toronto.edu/~kriz/{layout.archive}"
        return download_file(url, folder / layout.archive, md5=layout.md5, page=PAGE, report=report)

    def space_needed(self, files: list[Path]) -> int:  # noqa: ARG002
        """Return roughly how many bytes 60,000 prepared images take."""
        return _NUM_IMAGES * _BYTES_AN_IMAGE

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:
        """Write the PNG files and the packed copy and return the card.

        The test split comes first, so that its files are written while train is read.

        Raises:
            DataError: a batch is damaged, or belongs to another dataset.
        """
        batches = _Batches(files, self._layout)
        classes = self._classes(batches)
        report(f"{self._layout.title}: writing images of {len(classes)} classes")
        splits = (
            self._split(name, members, batches, len(classes))
            for name, members in (("test", self._layout.test), ("train", self._layout.train))
        )
        card = write_pixels(folder, self._layout.name, classes, splits, num_images=batches.num_bytes // _ROW)
        total = sum(card.num_items(split) for split in card.counts)
        if total == _NUM_IMAGES:
            return card
        warning = f"{total:,} images; the published {self._layout.title} has {_NUM_IMAGES:,}"
        return dataclasses.replace(card, warnings=(*card.warnings, warning))

    def _classes(self, batches: _Batches) -> tuple[str, ...]:
        meta, where = batches.load(self._layout.meta)
        names = meta.get(self._names_key)
        if not isinstance(names, list) or not names:
            raise DataError(f"{where}: no {self._names_key.decode()!r} list", hint=_other_dataset_hint(meta))
        return check_class_names([_decoded(name, where) for name in names], where)

    def _split(self, name: str, members: tuple[str, ...], batches: _Batches, num_classes: int) -> PixelSplit:
        images: list[np.ndarray] = []
        labels: list[np.ndarray] = []
        file_names: list[str] = []
        for member in members:
            batch, where = batches.load(member)
            planes = _checked_planes(batch, where)
            labels.append(_checked_labels(batch, self._label_key, len(planes), num_classes, where))
            file_names.extend(_checked_names(batch, len(planes), where))
            # cv2.merge interleaves a whole batch of channel planes at once: 5x a numpy transpose.
            merged = cv2.merge([planes[:, 0], planes[:, 1], planes[:, 2]])
            images.append(merged.reshape(len(planes), _SIZE, _SIZE, 3))
        return PixelSplit(name, images, np.concatenate(labels), file_names)


class Cifar10Importer(_CifarImporter):
    """Importer of CIFAR-10."""

    def __init__(self, options: Cifar10Options) -> None:
        super().__init__(options, _CIFAR10, b"labels", b"label_names")


class Cifar100Importer(_CifarImporter):
    """Importer of CIFAR-100, labelled by its 100 fine or its 20 coarse classes."""

    def __init__(self, options: Cifar100Options) -> None:
        kind = b"coarse" if options.coarse else b"fine"
        super().__init__(options, _CIFAR100, kind + b"_labels", kind + b"_label_names")


class _Batches:
    """The pickled batches by name, from the files of a folder or the members of an archive."""

    def __init__(self, files: list[Path], layout: _Layout) -> None:
        self._contents: dict[str, bytes] = {}
        self._paths = {path.name: path for path in files}
        self._archive = files[0] if len(files) == 1 else None
        if self._archive is not None:
            self._contents = _unpacked(self._archive, layout)

    @property
    def num_bytes(self) -> int:
        """Total size of all batches."""
        return sum(map(len, self._contents.values())) or sum(path.stat().st_size for path in self._paths.values())

    def load(self, name: str) -> tuple[dict[bytes, Any], str]:
        """Return the content of a batch, and where it was found, for messages."""
        if self._archive is not None:
            where = f"{self._archive}: {name}"
            return load_numpy_dict(io.BytesIO(self._contents.pop(name)), where), where
        path = self._paths[name]
        _check_size(path.stat().st_size, str(path))
        with path.open("rb") as stream:
            return load_numpy_dict(stream, str(path)), str(path)


def _unpacked(path: Path, layout: _Layout) -> dict[str, bytes]:
    """Return the batches of an archive, in memory; no other member is read, and nothing is unpacked to disk."""
    found: dict[str, bytes] = {}
    hint = f'download the "python version" archive from {PAGE}'
    try:
        with open_decompressed(path, hint) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if member.offset_data + member.size > _MAX_ARCHIVE:
                    raise DataError(f"{path}: unpacks to more than {_MAX_ARCHIVE >> 20} MB", hint=hint)
                parts = member.name.split("/")
                if member.isfile() and parts[-1] in layout.members and parts[-2:-1] in ([layout.folder], []):
                    _check_size(member.size, f"{path}: {member.name}")
                    content = archive.extractfile(member)
                    found[parts[-1]] = content.read() if content else b""
    except tarfile.TarError as error:
        raise DataError(f"{path}: not a {layout.title} archive, or a damaged one: {error}", hint=hint) from None
    missing = [name for name in layout.members if name not in found]
    if missing:
        raise DataError(
            f"{path}: no {layout.title} batches in this archive" if not found else f"{path}: incomplete",
            details=[f"looked for: {_short(layout.members)} in {layout.folder}/; missing: {_short(missing)}"],
            hint=hint,
        )
    return found


def _check_size(num_bytes: int, where: str) -> None:
    if num_bytes > _MAX_FILE:
        raise DataError(f"{where}: {num_bytes:,} bytes is too large for a batch")


def _checked_planes(batch: dict[bytes, Any], where: str) -> np.ndarray:
    """Return the pixels, (N, 3, 1024) uint8: the red, green and blue planes of each image."""
    pixels = batch.get(b"data")
    if not isinstance(pixels, np.ndarray):
        raise DataError(f"{where}: no 'data' array", hint=_other_dataset_hint(batch))
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != _ROW:
        raise DataError(f"{where}: 'data' is {pixels.dtype} {pixels.shape}, not uint8 (N, {_ROW})")
    if not len(pixels):
        raise DataError(f"{where}: no images")
    return np.ascontiguousarray(pixels).reshape(-1, 3, _SIZE * _SIZE)


def _checked_labels(batch: dict[bytes, Any], key: bytes, count: int, num_classes: int, where: str) -> np.ndarray:
    values = batch.get(key)
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iu":
        values = values.tolist()
    if not isinstance(values, list):
        raise DataError(f"{where}: no {key.decode()!r} list", hint=_other_dataset_hint(batch))
    if len(values) != count:
        raise DataError(f"{where}: {count:,} images, but {len(values):,} labels")
    for row, value in enumerate(values):
        if type(value) is not int or not 0 <= value < num_classes:
            raise DataError(f"{where}: image {row:,} has the label {value!r}, not one of 0..{num_classes - 1}")
    return np.array(values, np.int64)


def _checked_names(batch: dict[bytes, Any], count: int, where: str) -> list[str]:
    names = batch.get(b"filenames")
    if not isinstance(names, list) or len(names) != count:
        found = f"{len(names):,}" if isinstance(names, list) else "no"
        raise DataError(f"{where}: {count:,} images, but {found} file names")
    return [_decoded(name, where) for name in names]


def _decoded(name: Any, where: str) -> str:
    if isinstance(name, bytes):
        return name.decode(errors="replace")
    if not isinstance(name, str):
        raise DataError(f"{where}: expected a name, found {name!r}")
    return name


def _other_dataset_hint(batch: dict[bytes, Any]) -> str:
    if b"fine_labels" in batch or b"fine_label_names" in batch:
        return "this is CIFAR-100: `dl prepare cifar100 SOURCE`"
    if b"labels" in batch or b"label_names" in batch:
        return "this is CIFAR-10: `dl prepare cifar10 SOURCE`"
    return f'download the "python version" archive from {PAGE}'


def _short(names: Sequence[str]) -> str:
    """Return the names on one line, a run of batches shortened to its ends."""
    batches = [name for name in names if name in _CIFAR10.train]
    if len(batches) == len(_CIFAR10.train):
        names = [f"{batches[0]} .. {batches[-1]}", *(name for name in names if name not in batches)]
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
