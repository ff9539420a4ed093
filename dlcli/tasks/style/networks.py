"""The networks of image translation by name."""

from __future__ import annotations

from collections.abc import Mapping

from dlcli.core.registry import Network

CYCLEGAN, PIX2PIX = "cyclegan", "pix2pix"

NETWORKS: Mapping[str, Network] = {
    CYCLEGAN: Network(
        "dlcli.models.generative.translators:build_cyclegan",
        "two generators and the cycle between unpaired images",
        "Zhu et al. 2017, arXiv:1703.10593",
    ),
    PIX2PIX: Network(
        "dlcli.models.generative.translators:build_pix2pix",
        "a generator and a critic of pairs, for paired images",
        "Isola et al. 2017, arXiv:1611.07004",
    ),
}
