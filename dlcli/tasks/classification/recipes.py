"""Defaults for a dataset and a network, each with its source; flags and config files override them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcli.core.errors import DataError, UsageError
from dlcli.core.train_config import HEAD
from dlcli.data.images.operations.table import DEFAULT, NONE
from dlcli.data.images.sides import typical_side
from dlcli.models.images.published import is_installed
from dlcli.tasks.classification.config import DEFAULT_AUGMENTATION, OF_SMALL_IMAGES, SCRATCH

SMALL_SIDE_PX = 64
"""Images of at most this side are learned from scratch: ImageNet's features are of larger things."""

DIGITS: dict[str, Any] = {
    # 8 x 8 pixels leave room for a shift of one pixel at most, and a mirrored digit is not that digit.
    "model": "cnn",
    "epochs": 15,
    "batch_size": 64,
    "learning_rate": 3e-3,
    "schedule": "onecycle",
    "crop_pad": 1,
    "flip": False,
}

MNIST: dict[str, Any] = {
    # One-cycle AdamW reaches 99 % in a few epochs (Smith & Topin 2017, arXiv:1708.07120); handwriting varies in
    # position by about two pixels. A mirrored digit is not that digit.
    "model": "cnn",
    "epochs": 5,
    "learning_rate": 3e-3,
    "schedule": "onecycle",
    "crop_pad": 2,
    "flip": False,
}

FASHION: dict[str, Any] = {**MNIST, "epochs": 10, "flip": True}

CIFAR: dict[str, Any] = {
    # Crops with padding 4 and flips, SGD with Nesterov, decay 5e-4: the recipe of He et al. 2015 as in
    # github.com/kuangliu/pytorch-cifar, with one cycle instead of 200 epochs of cosine (Smith & Topin 2017) and label
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
    # A user's own photos are few: a well-known network at 224 pixels, AdamW, one cycle.
    "model": "resnet18",
    "learning_rate": 1e-3,
    "weight_decay": 0.05,
    "schedule": "onecycle",
    "batch_size": 32,
}

BACKBONE = "efficientnet_lite0"
"""What photos start from where its weights are installed."""

PHOTOS: dict[str, Any] = {
    # Chosen on 179 photos of nine things (benchmarks/photo_sets.py, `nine`), five folds of one seed; the head fitted to
    # frozen features alone reached 90.5 %. Differences from it, in points: late layers and head at 1e-4 and 3e-4 for 4
    # epochs +2.2 ± 1.4, at 3e-5 and 1e-4 0.0, at 2e-4 and 3e-4 -0.6 ± 2.9, at 3e-4 and 1e-3 for 6 -1.1 ± 1.1; the
    # first one with batch norms that take the batch's statistics -5.0 ± 2.0. Early layers at a rate of 0 spare half of
    # the time.
    **FOLDER,
    "model": BACKBONE,
    "pretrained": "default",
    "fit_head": True,
    "freeze_norms": True,
    "learning_rate": (0.0, 1e-4, 3e-4),
    "epochs": 4,
    "batch_size": 16,
    "label_smoothing": 0.1,
    "augment": "flip scale=0.35",
}

HEAD_ALONE: dict[str, Any] = {"fit_head": False, "learning_rate": 1e-3, "epochs": 20, "freeze": HEAD}
"""With `--cache features`: on the same folds and two seeds, 3e-3 and 1e-2 were worse by 0.5 to 3 points, 60 epochs
equal."""

FINE_TUNE: dict[str, Any] = {"optimizer": "adamw", "learning_rate": 3e-4, "weight_decay": 0.05, "schedule": "onecycle"}
"""For pretrained weights: a tenth of the learning rate from scratch, so that they are not destroyed."""

AIRNET: dict[str, Any] = {
    # Jordan 2024, arXiv:2404.00498, as in airbench94_muon.py: Muon's learning rate decays linearly from the first
    # step. There the batch is 2,000 and the rate 0.24, which is as much noise as 0.12 at 512. Two cores train width 32
    # in a few minutes; --width 64 is the paper's. No images are held out: the rate ends at zero, so the last epoch is
    # the best, and a few hundred images would be too noisy to show it.
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
    # No batch norm: SGD at 0.1 diverges; the successors of its paper use AdamW with warm-up (arXiv:2012.12877).
    "vit": {"optimizer": "adamw", "learning_rate": 5e-4, "weight_decay": 0.05, "clip_norm": 1.0},
    "swin": {"optimizer": "adamw", "learning_rate": 5e-4, "weight_decay": 0.05, "clip_norm": 1.0},
    "convnext": {"optimizer": "adamw", "learning_rate": 1e-3, "weight_decay": 0.05},
    "lenet": {"optimizer": "adamw", "learning_rate": 3e-3, "weight_decay": 1e-2},
    "course-mlp": {"optimizer": "adamw", "learning_rate": 1e-3, "weight_decay": 1e-2},  # no norm, as above
    "alexnet": {"optimizer": "adamw", "learning_rate": 5e-4},
    "squeezenet1": {"optimizer": "adamw", "learning_rate": 1e-3},
    # torchvision's VGG without batch norm; its *_bn names keep the dataset's recipe.
    "vgg11": {"optimizer": "adamw", "learning_rate": 5e-4},
    "vgg13": {"optimizer": "adamw", "learning_rate": 5e-4},
    "vgg16": {"optimizer": "adamw", "learning_rate": 5e-4},
    "vgg19": {"optimizer": "adamw", "learning_rate": 5e-4},
}


def recipe(dataset: str, given: Mapping[str, Any], data: Path | None = None) -> dict[str, Any]:
    """Return the defaults for a dataset, given the user's own options.

    Args:
        dataset: the name of the dataset.
        given: the user's options, of which `model`, `image_size`, `pretrained`, `cache`, `budget`, `augment` and those
            that shape the default augmentation change the defaults.
        data: the folder of the images; None, as for a help page, stands for photos.

    Raises:
        UsageError: an option shapes the default augmentation, and `augment` replaces it, or it is not that of photos.
    """
    has_operations = given.get("augment") not in (None, True, False, DEFAULT, NONE)
    if has_operations:
        _check_operations(given)
    _check_small_images(dataset, given, data)
    if dataset not in BY_DATASET and _starts_from_backbone(given, data):
        # The default augmentation, which PHOTOS replaces.
        shaped = any(name in given for name in DEFAULT_AUGMENTATION if name not in OF_SMALL_IMAGES)
        return {**PHOTOS, **({"augment": DEFAULT} if shaped else {}), **(HEAD_ALONE if given.get("cache") else {})}
    chosen = dict(BY_DATASET.get(dataset, FOLDER))
    model = str(given.get("model") or chosen["model"])
    family = model if model in BY_MODEL else model.split("_")[0]
    if not model.endswith("_bn"):
        chosen |= BY_MODEL.get(family, {})
    if given.get("pretrained") not in (None, SCRATCH):
        chosen |= FINE_TUNE
        if dataset not in BY_DATASET:
            chosen["freeze_norms"] = True  # as for PHOTOS
    if given.get("cache"):
        chosen["freeze"] = HEAD
    if given.get("budget"):
        chosen.pop("width", None)  # the budget chooses it
    if has_operations:  # which replace the default augmentation
        chosen = {name: value for name, value in chosen.items() if name not in DEFAULT_AUGMENTATION}
    return chosen


def _starts_from_backbone(given: Mapping[str, Any], data: Path | None) -> bool:
    """Return whether a training on a user's own images starts from the installed backbone."""
    is_open = given.get("model") in (None, BACKBONE) and given.get("pretrained") in (None, "default")
    if not is_open or given.get("width") is not None or not is_installed(BACKBONE):
        return False
    side = given.get("image_size") or (typical_side(data) if data is not None else None)
    return side is None or int(side) > SMALL_SIDE_PX


def _check_operations(given: Mapping[str, Any]) -> None:
    for name in DEFAULT_AUGMENTATION:
        if name in given:
            raise UsageError(
                f"--{name.replace('_', '-')} shapes the default augmentation, which --augment replaces here",
                hint="leave one of them out; operations such as flip, translate=0.1 and cutout=0.25 do as much",
            )


def _check_small_images(dataset: str, given: Mapping[str, Any], data: Path | None) -> None:
    """Refuse options that act on small images alone where photos are cropped at random in their place."""
    names = [name for name in OF_SMALL_IMAGES if given.get(name)]
    if names and given.get("augment") not in (NONE, False) and _are_cropped_as_photos(dataset, given, data):
        raise UsageError(
            f"--{names[0].replace('_', '-')} acts on small images of one size, not scaled; these are cropped at random",
            hint='leave it out, or name operations: --augment "flip scale=0.35 translate=0.1 cutout=0.25"',
        )


def _are_cropped_as_photos(dataset: str, given: Mapping[str, Any], data: Path | None) -> bool:
    """Return whether images are not all small and of the network's size; the training says if they cannot be read."""
    if data is None:
        return dataset not in BY_DATASET
    from dlcli.data.images.form import open_images
    from dlcli.data.images.packed import is_packable

    try:
        card = open_images(data).card
    except DataError:
        return False
    side = given.get("image_size")
    is_scaled = side is not None and card.details["image_size"] != [side, side]
    becomes_colour = given.get("pretrained") == "default" and card.details["channels"] == 1
    return is_scaled or becomes_colour or not is_packable(card)
