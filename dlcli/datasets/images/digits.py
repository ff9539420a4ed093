"""scikit-learn's 1,797 handwritten digits, 8 x 8, which ship with the package and need no source or network.

Source: the test part of Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.card import Card
from dlcli.data.images.writer import PixelSplit, write_pixels
from dlcli.data.importing.preparing import Report
from dlcli.data.parts import stratified_part
from dlcli.datasets.images.options import DigitsOptions

_MAX_VALUE = 16  # each pixel counts the set pixels of a 4 x 4 block
_NUM_IMAGES = 1797


def _read_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return (1797, 8, 8) counts of set pixels and (1797,) labels, as scikit-learn's `load_digits` does.

    Its file is read where it lies: importing scikit-learn takes 3 s of CPU, a quarter of the first `dl train digits`.
    """
    package = find_spec("sklearn")
    file = Path(package.origin or "").parent / "datasets" / "data" / "digits.csv.gz" if package is not None else None
    if file is None or not file.is_file():  # another layout of the package
        from sklearn.datasets import load_digits

        digits = load_digits()
        return digits.images, digits.target.astype(np.int64)
    rows = np.loadtxt(file, delimiter=",")
    return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(np.int64)


class DigitsImporter:
    """Importer of scikit-learn's digits."""

    def __init__(self, options: DigitsOptions) -> None:
        self.options = options

    def locate(self, source: Path | None) -> list[Path]:
        """Return no files: the data comes with scikit-learn.

        Raises:
            DataError: a SOURCE is given.
        """
        if source is not None:
            raise DataError(f"digits takes no SOURCE ({source}): it comes with scikit-learn", hint="dl prepare digits")
        return []

    def space_needed(self, files: list[Path]) -> int:  # noqa: ARG002
        """Return roughly how many bytes the prepared images take."""
        return _NUM_IMAGES * (4096 + 64)

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:  # noqa: ARG002
        """Write the PNG files, named by their index in scikit-learn's array, and the packed copy; return the card."""
        counts, labels = _read_digits()
        images = np.rint(counts * (255 / _MAX_VALUE)).astype(np.uint8)[..., np.newaxis]
        is_test = stratified_part(labels, self.options.test_fraction, self.options.seed)
        report("digits: writing 1,797 images of 10 classes")

        def splits() -> Iterator[PixelSplit]:
            for name, rows in (("test", np.flatnonzero(is_test)), ("train", np.flatnonzero(~is_test))):
                yield PixelSplit(name, [images[rows]], labels[rows], [f"{row:04d}" for row in rows])

        return write_pixels(folder, "digits", tuple("0123456789"), splits(), num_images=_NUM_IMAGES)
