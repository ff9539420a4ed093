"""How near images come to the ones that they should equal: L1, PSNR and SSIM. Numpy and scikit-image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlcli.core.files import finite

MAX_PSNR = 100.0
"""Decibels at which an image counts that equals its target, whose PSNR is infinite. One of 256 px that differs by 1 in
a single value has 101."""

MIN_SIDE = 11
"""Pixels of the window of SSIM, which an image must have room for."""


class PairedImagesMetric:
    """Measures each image against its target; its values are means over images.

    - `l1`: the mean absolute difference of the pixels, of 0 to 255;
    - `psnr`: the peak signal-to-noise ratio in decibels, at most 100;
    - `ssim`: the structural similarity, 1 for equal images, with the paper's Gaussian window.

    Args:
        target: name of the targets in a batch.
        output: name of the images in the outputs.

    Source: Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity".
    """

    def __init__(self, target: str = "targets", output: str = "images") -> None:
        self._target = target
        self._output = output
        self._sums = np.zeros(3)
        self.num_images = 0

    def update(self, batch: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Add a batch.

        Args:
            batch: targets, (N, C, H, W) uint8 or a list of N arrays (C, H, W) of any sizes from 11 px.
            outputs: images of the same sizes.

        Raises:
            ValueError: the shapes do not match, or the pixels are not uint8.
        """
        targets, images = batch[self._target], outputs[self._output]
        if len(targets) != len(images):
            raise ValueError(f"{len(targets)} targets and {len(images)} images")
        for target, image in zip(targets, images, strict=True):
            self._sums += _figures(np.asarray(target), np.asarray(image))
            self.num_images += 1

    def merge(self, other: PairedImagesMetric) -> None:
        """Add the images of another metric."""
        self._sums += other._sums
        self.num_images += other.num_images

    def compute(self) -> dict[str, float]:
        """Return `l1`, `psnr` and `ssim`; NaN without images."""
        values = (self._sums / self.num_images).tolist() if self.num_images else [math.nan] * 3
        return dict(zip(("l1", "psnr", "ssim"), values, strict=True))

    def report(self) -> dict[str, Any]:
        """Return the values, which of them are better when lower, and the number of images."""
        return {"metrics": finite(self.compute()), "lower_is_better": ["l1"], "num_images": self.num_images}


def _figures(target: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Return L1, PSNR and SSIM of two images, (C, H, W) uint8."""
    from skimage.metrics import structural_similarity

    if target.shape != image.shape or target.dtype != np.uint8 or image.dtype != np.uint8:
        raise ValueError(f"images of {image.shape} {image.dtype} for targets of {target.shape} {target.dtype}")
    if min(target.shape[1:]) < MIN_SIDE:
        raise ValueError(f"images of {target.shape[1:]} pixels, where SSIM needs {MIN_SIDE}")
    difference = target.astype(np.float64) - image
    squared = float((difference**2).mean())
    psnr = min(10 * math.log10(255**2 / squared), MAX_PSNR) if squared else MAX_PSNR
    ssim = structural_similarity(  # type: ignore[no-untyped-call]
        target,
        image,
        channel_axis=0,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return np.array([np.abs(difference).mean(), psnr, ssim])
