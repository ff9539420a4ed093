"""Operations on a batch of images of one size, on the device of the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dlcli.data.images.operations.colour import FILL, LUMA, NOISE_SIZE, noise_table
from dlcli.data.images.operations.geometry import Size
from dlcli.data.images.operations.moving import apply_to_images
from dlcli.data.images.operations.numbers import draw_numbers, without_windows
from dlcli.data.images.operations.table import Step


@dataclass(frozen=True)
class OperationBatches:
    """The augmentation of batches by operations; see `dlcli.data.images.augmentation.Augmentation`."""

    steps: tuple[Step, ...]
    alternates: bool = False

    def plan(
        self, count: int, size: Size, random: np.random.Generator, *, is_mirrored: np.ndarray | None = None
    ) -> dict[str, Tensor]:
        """Return the numbers of a batch for `apply`; `is_mirrored` is for flips in turn, which these are not."""
        del is_mirrored
        numbers = without_windows(draw_numbers(self.steps, count, size, random), size)
        return {name: torch.from_numpy(_narrow(values)) for name, values in numbers.items()}

    def apply(self, images: Tensor, plan: Mapping[str, Tensor]) -> Tensor:
        """Return the augmented images, (N, C, H, W) uint8; channels-last memory is preserved.

        On a CPU by OpenCV, one by one, and only those that an operation changes: a call takes a few microseconds.
        """
        if not plan:
            return images
        if not images.is_cpu:
            return apply_to_batch(images, plan)
        numbers = {name: values.numpy() for name, values in plan.items()}
        return torch.from_numpy(apply_to_images(images.permute(0, 2, 3, 1).numpy(), numbers)).permute(0, 3, 1, 2)


def _narrow(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32) if values.dtype == np.float64 else values  # Apple's GPUs have no float64


def apply_to_batch(images: Tensor, plan: Mapping[str, Tensor]) -> Tensor:
    """Return the images as their numbers say, by torch on their device: what `apply_to_images` does, within rounding.

    Args:
        images: (N, C, H, W) uint8.
        plan: the `Numbers` as tensors, without windows.
    """
    with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
        for change in _CHANGES:
            images = change(images, plan)
    return images.contiguous(memory_format=torch.channels_last)


def _rounded(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).to(torch.uint8)


def _warp(images: Tensor, plan: Mapping[str, Tensor]) -> Tensor:
    if "matrix" not in plan:
        return images
    height, width = images.shape[2:]
    x, y = (torch.arange(size, device=images.device) + 0.5 for size in (width, height))
    inverse = torch.linalg.inv(plan["matrix"].float())[:, :, :, None, None]
    source = inverse[:, :, 0] * x + inverse[:, :, 1] * y[:, None] + inverse[:, :, 2]  # (N, 3, H, W)
    places = source[:, :2] / source[:, 2:] * torch.tensor([2 / width, 2 / height], device=x.device)[:, None, None] - 1
    moved = F.grid_sample(
        images.float(), places.permute(0, 2, 3, 1), mode="bilinear", padding_mode="reflection", align_corners=False
    )
    return _rounded(moved)


def _change_colours(images: Tensor, plan: Mapping[str, Tensor]) -> Tensor:
    if "colour" not in plan:
        return images
    pixels, matrix = images.float(), plan["colour"].float()
    means = pixels.mean(dim=(2, 3))
    if images.shape[1] == 1:
        scale = matrix[:, 0].sum(dim=1)[:, None, None, None]
        return _rounded(pixels * scale + (plan["lift"].float() * means[:, 0])[:, None, None, None])
    shift = plan["lift"].float() * (means * torch.from_numpy(LUMA).float().to(images.device)).sum(dim=1)
    # Sums rather than a matrix product, which some devices compute with fewer bits.
    changed = sum(matrix[:, :, index, None, None] * pixels[:, index : index + 1] for index in range(3))
    return _rounded(changed + shift[:, None, None, None])


def _change_tones(images: Tensor, plan: Mapping[str, Tensor]) -> Tensor:
    if "bits" in plan:
        lost = 8 - plan["bits"].long()[:, None, None, None]
        images = (images.long() >> lost << lost).to(torch.uint8)
    if "threshold" in plan:
        images = torch.where(images >= plan["threshold"][:, None, None, None], 255 - images, images)
    for name, tables in (("autocontrast", _stretched_tables), ("equalize", _equal_tables)):
        if name in plan:
            changed = torch.gather(tables(_histograms(images)), 2, images.flatten(2).long()).view_as(images)
            images = torch.where(plan[name][:, None, None, None], changed, images)
    return images


def _histograms(images: Tensor) -> Tensor:
    """Return the number of pixels of each value in each channel, (N, C, 256) int64."""
    values = images.flatten(2).long()
    counts = torch.zeros(*values.shape[:2], 256, dtype=torch.int64, device=images.device)
    return counts.scatter_add_(2, values, torch.ones_like(values))


def _ends(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return the lowest and the highest value of each channel, (N, C, 1) int64."""
    present = (counts > 0).to(torch.uint8)
    return present.argmax(dim=2, keepdim=True), 255 - present.flip(2).argmax(dim=2, keepdim=True)


def _stretched_tables(counts: Tensor) -> Tensor:
    low, high = _ends(counts)
    values = torch.arange(256, device=counts.device)
    stretched = ((values - low) * (255 / (high - low).clamp(min=1))).clamp(0, 255)
    return torch.where(low == high, values, stretched).to(torch.uint8)


def _equal_tables(counts: Tensor) -> Tensor:
    step = (counts.sum(dim=2, keepdim=True) - counts.gather(2, _ends(counts)[1])) // 255
    values = torch.arange(256, device=counts.device)
    equal = ((counts.cumsum(dim=2) - counts + step // 2) // step.clamp(min=1)).clamp(0, 255)
    return torch.where(step == 0, values, equal).to(torch.uint8)


def _sharpen(images: Tensor, plan: Mapping[str, Tensor]) -> Tensor:
    if "sharpness" not in plan or min(images.shape[2:]) < 3:
        return images
    pixels, channels = images.float(), images.shape[1]
    kernel = torch.full((channels, 1, 3, 3), 1 / 13, device=images.device)
    kernel[:, :, 1, 1] = 5 / 13
    smooth = pixels.clone()
    smooth[:, :, 1:-1, 1:-1] = F.conv2d(pixels, kernel, groups=channels).round()
    factor = plan["sharpness"].float()[:, None, None, None]
    return _rounded(factor * pixels + (1 - factor) * smooth)


def _blur(images: Tensor, plan: Mapping[str, Tensor]) -> Tensor:
    if "blur" not in plan:
        return images
    count, channels, height, width = images.shape
    sigma = plan["blur"].float() * min(height, width)
    radius = min(int(torch.ceil(3 * sigma.max())), height - 1, width - 1)
    distance = torch.arange(-radius, radius + 1, device=images.device)
    kernel = torch.exp(-0.5 * (distance / sigma.clamp(min=0.1)[:, None]) ** 2)
    kernel = torch.where((sigma < 0.1)[:, None], (distance == 0).float(), kernel)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)
    pixels = F.pad(images.float(), (radius,) * 4, mode="reflect").reshape(1, count * channels, height + 2 * radius, -1)
    blurred = F.conv2d(pixels, kernel[:, None, :, None], groups=count * channels)
    blurred = F.conv2d(blurred, kernel[:, None, None, :], groups=count * channels)
    return _rounded(blurred.view(count, channels, height, width))


def _add_noise(images: Tensor, plan: Mapping[str, Tensor]) -> Tensor:
    if "noise" not in plan:
        return images
    count, channels, height, width = images.shape
    table = torch.from_numpy(noise_table()).to(images.device)
    places = (plan["noise_start"][:, None] + torch.arange(channels * height * width, device=images.device)) % NOISE_SIZE
    noise = table[places].view(count, height, width, channels).permute(0, 3, 1, 2)
    return _rounded(images + 255 * plan["noise"].float()[:, None, None, None] * noise)


def _cut(images: Tensor, plan: Mapping[str, Tensor]) -> Tensor:
    if "holes" not in plan:
        return images
    y, x = (torch.arange(size, device=images.device) for size in images.shape[2:])
    top, left, bottom, right = plan["holes"][..., None].unbind(2)  # (N, K, 1) each
    in_rows, in_columns = (y >= top) & (y < bottom), (x >= left) & (x < right)
    is_cut = (in_rows[..., :, None] & in_columns[..., None, :]).any(dim=1)
    return images.masked_fill(is_cut[:, None], FILL)


_CHANGES = (_warp, _change_colours, _change_tones, _sharpen, _blur, _add_noise, _cut)
"""The changes of `apply_to_images`, in its order."""
