"""The initialisation of generators and critics."""

from __future__ import annotations

from torch import nn

STD = 0.02


def initialise(model: nn.Module, std: float = STD) -> None:
    """Initialise convolutions, linear layers and batch norms in place with normal weights; biases are zero.

    Source: Radford et al. 2016, arXiv:1511.06434, section 4; the gains of batch norms, normal around 1, are those of
    the authors' code for DCGAN, pix2pix and CycleGAN.

    Args:
        model: any network.
        std: the standard deviation of the weights.
    """
    for module in model.modules():
        if isinstance(module, (nn.modules.conv._ConvNd, nn.Linear)):
            nn.init.normal_(module.weight, 0.0, std)
        elif isinstance(module, nn.modules.batchnorm._BatchNorm) and module.affine:
            nn.init.normal_(module.weight, 1.0, std)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
