"""scikit-learn's 1,797 handwritten digits, 8 x 8, which come with the package: no source, no network.

Source: the test part of Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI.
"""

from __future__ import annotations

from collections.abc import Iterator
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


class DigitsImporter:
    """Reads the digits out of scikit-learn."""

    def __init__(self, options: DigitsOptions) -> None:
        self.options = options

    def locate(self, source: Path | None) -> list[Path]:
        """Return no files: the data is embedded."""
        if source is not None:
            raise DataError(f"digits takes no SOURCE ({source}): it is embedded", hint="dl prepare digits")
        return []

    def space_needed(self, files: list[Path]) -> int:  # noqa: ARG002
        """Return about how many bytes the images take."""
        return _NUM_IMAGES * (4096 + 64)

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:  # noqa: ARG002
        """Write PNG files, named by their place in scikit-learn's array, and the packed copy."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        images = np.rint(digits.images * (255 / _MAX_VALUE)).astype(np.uint8)[..., np.newaxis]
        labels = digits.target.astype(np.int64)
        is_test = stratified_part(labels, self.options.test_fraction, self.options.seed)
        report("digits: writing 1,797 images of 10 classes")

        def splits() -> Iterator[PixelSplit]:
            for name, rows in (("test", np.flatnonzero(is_test)), ("train", np.flatnonzero(~is_test))):
                yield PixelSplit(name, [images[rows]], labels[rows], [f"{row:04d}" for row in rows])

        return write_pixels(folder, "digits", tuple("0123456789"), splits(), num_images=_NUM_IMAGES)
