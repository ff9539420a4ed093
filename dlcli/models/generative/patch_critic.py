"""A critic that judges patches."""

from __future__ import annotations

from torch import Tensor, nn

from dlcli.models.generative.norms import NORMS

LEAST_SIDE_PX = 24
"""The smallest image of which a patch critic judges anything."""


class PatchCritic(nn.Module):
    """Judges patches of 70x70 pixels by how real they look, one logit for each.

    Source: Isola et al. 2017, arXiv:1611.07004, section 6.1.2 (C64-C128-C256-C512).

    Args:
        channels: of the image; 6 if it is judged together with what it was made from.
        width: channels of the first map.
        norm: a name in `NORMS`.
    """

    def __init__(self, channels: int = 3, *, width: int = 64, norm: str = "instance") -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for before, after, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
            layers.append(nn.Conv2d(width * before, width * after, 4, stride, 1, bias=False))
            layers += [NORMS[norm](width * after), nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width * 8, 1, 4, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, (N, 1, about H / 8, about W / 8), of images in [-1, 1]."""
        judgements: Tensor = self.layers(images)
        return judgements
