"""A pool of images made earlier, which keeps a critic from forgetting them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class ImagePool:
    """Images made earlier, half of the time in place of new ones.

    A critic that sees only the newest images forgets what it has learned from the ones before. The pool first fills up.
    Then each new image either passes through or takes the place of a random one in the pool, which is returned instead,
    with equal probability.

    Source: Shrivastava et al. 2017, arXiv:1612.07828, section 2.3; 50 images in Zhu et al. 2017, arXiv:1703.10593.

    Args:
        size: images in the full pool; 0 for none, so that all pass through.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._images: list[Tensor] = []

    def __len__(self) -> int:
        return len(self._images)

    def exchange(self, images: Tensor) -> Tensor:
        """Return as many images as came in, (N, C, H, W), without gradients.

        The draws come from torch's generator on the CPU, whose state is part of a checkpoint.
        """
        images = images.detach()
        return torch.stack([self._exchange(image) for image in images]) if self.size else images

    def _exchange(self, image: Tensor) -> Tensor:
        if len(self._images) < self.size:
            self._images.append(image.clone())
            return image
        if float(torch.rand(())) < 0.5:
            return image
        place = int(torch.randint(self.size, ()))
        earlier, self._images[place] = self._images[place], image.clone()
        return earlier.to(image)

    def state(self) -> list[Tensor]:
        """Return the images, for a checkpoint."""
        return list(self._images)

    def load_state(self, images: Sequence[Tensor]) -> None:
        """Restore what `state` returned, on any device."""
        self._images = list(images)[: self.size]
