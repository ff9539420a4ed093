"""The networks of the task by name."""

from __future__ import annotations

from collections.abc import Mapping

from dlcli.core.registry import Network

NETWORKS: Mapping[str, Network] = {
    "gan": Network(
        "dlcli.models.generative.plain_gan:build_plain_generator",
        "images from noise by two multilayer perceptrons",
        "Goodfellow et al. 2014, arXiv:1406.2661",
    ),
    "dcgan": Network(
        "dlcli.models.generative.dcgan:build_dcgan_generator",
        "images from noise by convolutions",
        "Radford et al. 2016, arXiv:1511.06434",
    ),
    "wgan-gp": Network(
        "dlcli.models.generative.dcgan:build_dcgan_generator",
        "dcgan's generator against a critic with a gradient penalty",
        "Gulrajani et al. 2017, arXiv:1704.00028",
    ),
}
