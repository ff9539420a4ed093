"""How translated images compare with those of the wanted domain, their inputs and the true ones. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dlcli.data.codec import Arrays
from dlcli.metrics.paired_images import PairedImagesMetric
from dlcli.tasks.comparing import Extract, distances
from dlcli.tasks.style.codec import TRANSLATED

Translate = Callable[[np.ndarray], np.ndarray]
"""(N, 3, H, W) uint8 -> (N, 3, H, W) uint8."""

LEAST_COMPARED = 2
"""Images from which on a distance is defined: it leaves out the similarity of an image to itself."""

TRANSLATED_SIDE, REAL_SIDE = 0, 1


class TranslationMetric:
    """See `dlcli.engine.task.Metric`.

    Args:
        source: the domain, 0 or 1, that is translated.
        extractors: name of a distance -> features of images.
        back: translates back, for the distance of what returns from the input; None without a second generator.
        is_paired: whether batches have `targets`, the true images of the other domain.
    """

    def __init__(
        self, source: int, extractors: Mapping[str, Extract], back: Translate | None = None, *, is_paired: bool = False
    ) -> None:
        self._source = source
        self._extractors = extractors
        self._back = back
        self._rows: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        self._features: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] = {name: ([], []) for name in extractors}
        self._sums = {"cycle_l1": 0.0, "identity_l1": 0.0}
        self._counts = dict.fromkeys(self._sums, 0)
        self._pairs = PairedImagesMetric(output=TRANSLATED) if is_paired else None

    def update(self, batch: Mapping[str, Any], outputs: Arrays) -> None:
        """Add images of one domain.

        Args:
            batch: `images` (N, 3, H, W) uint8, `domains` and `rows` (N,), and of pairs `targets`.
            outputs: `translated` (N, 3, H, W) uint8; of images of the wanted domain, what the generator makes of them.
        """
        images, translated = batch["images"], outputs[TRANSLATED]
        if int(batch["domains"][0]) != self._source:
            self._add(REAL_SIDE, batch["rows"], images)
            if self._back is not None:  # otherwise nothing has taught the generator to leave them as they are
                self._add_distance("identity_l1", translated, images)
            return
        self._add(TRANSLATED_SIDE, batch["rows"], translated)
        if self._back is not None:
            self._add_distance("cycle_l1", self._back(translated), images)
        if self._pairs is not None:
            self._pairs.update(batch, outputs)

    def _add(self, side: int, rows: np.ndarray, images: np.ndarray) -> None:
        self._rows[side].append(rows)
        for name, extract in self._extractors.items():
            self._features[name][side].append(extract(images))

    def _add_distance(self, name: str, made: np.ndarray, wanted: np.ndarray) -> None:
        self._sums[name] += float(np.abs(made.astype(np.int16) - wanted.astype(np.int16)).sum())
        self._counts[name] += made.size

    def merge(self, other: TranslationMetric) -> None:
        """Add what another process has measured."""
        for side in (TRANSLATED_SIDE, REAL_SIDE):
            self._rows[side].extend(other._rows[side])
            for name in self._features:
                self._features[name][side].extend(other._features[name][side])
        for name in self._sums:
            self._sums[name] += other._sums[name]
            self._counts[name] += other._counts[name]
        if self._pairs is not None and other._pairs is not None:
            self._pairs.merge(other._pairs)

    def compute(self) -> dict[str, float]:
        """Return the figures over all images.

        `cycle_l1` and `identity_l1` are mean absolute differences in grey levels of 255.
        """
        figures: dict[str, float] = {}
        for name in self._features:
            figures |= self._distances(name)
        figures |= {name: self._sums[name] / count for name, count in self._counts.items() if count}
        if self._pairs is not None:
            figures |= self._pairs.compute()
        return figures

    def num_compared(self) -> tuple[int, int]:
        """Return the numbers of translated and of real images."""
        translated, real = (sum(map(len, rows)) for rows in self._rows)
        return translated, real

    def _distances(self, name: str) -> dict[str, float]:
        if min(self.num_compared()) < LEAST_COMPARED:
            return {}
        # In the order of the data: subsets do not depend on which process measured what.
        made, real = (
            np.concatenate(features)[np.argsort(np.concatenate(rows), kind="stable")]
            for features, rows in zip(self._features[name], self._rows, strict=True)
        )
        return distances(name, real, made)

    def report(self) -> dict[str, Any]:
        """Return the figures, which are better when lower, and the numbers of images."""
        figures = self.compute()
        translated, real = self.num_compared()
        return {
            "metrics": figures,
            "lower_is_better": [name for name in figures if name not in ("psnr", "ssim")],
            "compared": {"translated": translated, "real": real},
        }
