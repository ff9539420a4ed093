"""Defaults that suit a dataset and a network, each with its source; flags and config files win over them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DIGITS: dict[str, Any] = {
    # 8 x 8 pixels leave no room for more than one pixel of shift, and a mirrored digit is another sign.
    "model": "cnn",
    "epochs": 15,
    "batch_size": 64,
    "learning_rate": 3e-3,
    "schedule": "onecycle",
    "crop_pad": 1,
    "flip": False,
}

MNIST: dict[str, Any] = {
    # One-cycle AdamW reaches 99 % in few epochs (Smith & Topin 2017, arXiv:1708.07120); two pixels of shift are what
    # handwriting varies by. A mirrored digit is another sign.
    "model": "cnn",
    "epochs": 5,
    "learning_rate": 3e-3,
    "schedule": "onecycle",
    "crop_pad": 2,
    "flip": False,
}

FASHION: dict[str, Any] = {**MNIST, "epochs": 10, "flip": True}

CIFAR: dict[str, Any] = {
    # Crop of 4 and flip, SGD with Nesterov, decay 5e-4: the recipe of He et al. 2015 as
    # github.com/kuangliu/pytorch-cifar has it; one cycle in place of 200 epochs of cosine (Smith & Topin 2017), label
    # smoothing for short schedules.
    "model": "resnet",
    "epochs": 10,
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "weight_decay": 5e-4,
    "schedule": "onecycle",
    "label_smoothing": 0.1,
    "crop_pad": 4,
    "flip": True,
}

FOLDER: dict[str, Any] = {
    # Photos of one's own are few: a known network at 224 pixels, AdamW, one cycle.
    "model": "resnet18",
    "learning_rate": 1e-3,
    "weight_decay": 0.05,
    "schedule": "onecycle",
    "batch_size": 32,
}

FINE_TUNE: dict[str, Any] = {"optimizer": "adamw", "learning_rate": 3e-4, "weight_decay": 0.05, "schedule": "onecycle"}
"""For weights that know something already: a tenth of the rate from scratch, so that they are not washed out."""

AIRNET: dict[str, Any] = {
    # Jordan 2024, arXiv:2404.00498, in the form of airbench94_muon.py: Muon's rate falls in a line from the first step;
    # there the batch is 2,000 and the rate 0.24, which is as much noise as 0.12 at 512. Width 32 is what two cores
    # train in some minutes; --width 64 is the paper's. No images are held out: the rate ends at zero, so the last epoch
    # is the best, which a few hundred images would not see for noise.
    "epochs": 8,
    "batch_size": 512,
    "optimizer": "muon",
    "learning_rate": 0.12,
    "weight_decay": 0.0,
    "schedule": "linear",
    "label_smoothing": 0.2,
    "crop_pad": 2,
    "flip_mode": "alternating",
    "width": 32,
    "val_fraction": 0.0,
}

BY_DATASET = {
    "digits": DIGITS,
    "mnist": MNIST,
    "fashion-mnist": FASHION,
    "cifar10": {**CIFAR, "model": "airnet"},
    "cifar100": CIFAR,
}

BY_MODEL: dict[str, dict[str, Any]] = {
    "airnet": AIRNET,
    # No batch norm: SGD at 0.1 diverges, AdamW with warm-up is what its paper's successors use (arXiv:2012.12877).
    "vit": {"optimizer": "adamw", "learning_rate": 5e-4, "weight_decay": 0.05, "clip_norm": 1.0},
    "swin": {"optimizer": "adamw", "learning_rate": 5e-4, "weight_decay": 0.05, "clip_norm": 1.0},
    "convnext": {"optimizer": "adamw", "learning_rate": 1e-3, "weight_decay": 0.05},
    "lenet": {"optimizer": "adamw", "learning_rate": 3e-3, "weight_decay": 1e-2},
    "alexnet": {"optimizer": "adamw", "learning_rate": 5e-4},
    "squeezenet1": {"optimizer": "adamw", "learning_rate": 1e-3},
    # torchvision's VGG without batch norm; its *_bn names keep the dataset's recipe.
    "vgg11": {"optimizer": "adamw", "learning_rate": 5e-4},
    "vgg13": {"optimizer": "adamw", "learning_rate": 5e-4},
    "vgg16": {"optimizer": "adamw", "learning_rate": 5e-4},
    "vgg19": {"optimizer": "adamw", "learning_rate": 5e-4},
}


def recipe(dataset: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults for a dataset under what the user has given (a model, --pretrained)."""
    chosen = dict(BY_DATASET.get(dataset, FOLDER))
    model = str(given.get("model") or chosen["model"])
    family = model if model in BY_MODEL else model.split("_")[0]
    if not model.endswith("_bn"):
        chosen |= BY_MODEL.get(family, {})
    if given.get("pretrained"):
        chosen |= FINE_TUNE
    if given.get("budget"):
        chosen.pop("width", None)  # the budget chooses it
    return chosen
