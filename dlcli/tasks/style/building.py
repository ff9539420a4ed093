"""The networks that the options name, with the defaults of each model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.registry import load_object
from dlcli.core.train_config import TrainConfig
from dlcli.models.generative.directions import A_TO_B
from dlcli.models.generative.translators import stride_of
from dlcli.tasks.style.config import StyleConfig
from dlcli.tasks.style.networks import CYCLEGAN, NETWORKS, PIX2PIX

MODELS: Mapping[str, Mapping[str, Any]] = {
    CYCLEGAN: {
        "generator": "resnet_6",
        "norm": "instance",
        "gan_loss": "lsgan",
        "cycle_weight": 10.0,
        "identity_weight": 0.5,
        "pool": 50,
    },
    # Published with batch norms of single images, by their own statistics also in the test: those are instance norms.
    PIX2PIX: {"generator": "unet", "norm": "instance", "gan_loss": "bce", "l1_weight": 100.0, "learn": A_TO_B},
}
"""Model -> the defaults of its own options, as published for images of 128 pixels."""

OWN = ("learn", "cycle_weight", "identity_weight", "l1_weight", "pool")
"""The options that only one of the models has."""


def settle(config: StyleConfig) -> StyleConfig:
    """Return the options with the model's defaults in place of None.

    Raises:
        UsageError: an option does not fit the model, or the size does not fit the generator.
    """
    defaults, given = MODELS[config.model], dataclasses.asdict(config)
    for name in OWN:
        if given[name] is not None and name not in defaults:
            flag = name.replace("_", "-")
            hint = (
                "it learns both ways; choose one by --direction when predicting" if name == "learn" else "leave it out"
            )
            raise UsageError(f"--{flag}: {config.model} has no such option", hint=hint)
    missing = {name: value for name, value in defaults.items() if given[name] is None}
    settled = dataclasses.replace(config, **missing)
    if settled.generator == "unet" and settled.upsampling is not None:
        raise UsageError("--upsampling: unet enlarges its maps by transposed convolutions", hint="leave it out")
    check_size(settled)
    return settled


def check_size(config: StyleConfig) -> None:
    """Check that the networks can be trained on images of the chosen size.

    Raises:
        UsageError: they cannot.
    """
    try:
        stride_of(str(config.generator), config.image_size)
    except ValueError as error:
        raise UsageError(f"--image-size {config.image_size}: {error}") from None
    if config.load_size is not None and config.load_size < config.image_size:
        raise UsageError(
            f"--load-size {config.load_size}: smaller than the crops of --image-size {config.image_size}",
            hint="make it larger",
        )


def check_training(train: TrainConfig) -> None:
    """Check that the options of the loop suit networks that are trained against each other.

    Raises:
        UsageError: one does not.
    """
    if train.freeze is not None:
        raise UsageError("--freeze: generators and critics have no head to train alone", hint="leave it out")
    if isinstance(train.learning_rate, tuple):
        raise UsageError("--lr: generators and critics have no groups of layers", hint="give one number")


def build_networks(config: StyleConfig) -> nn.ModuleDict:
    """Return `generators` by direction and `critics` by domain.

    Args:
        config: settled options.
    """
    options: dict[str, Any] = {
        "generator": config.generator,
        "size": config.image_size,
        "width": config.width,
        "critic_width": config.critic_width,
        "norm": config.norm,
        "upsampling": config.upsampling or "transposed",
        "residual": config.residual,
    }
    if config.learn is not None:
        options["direction"] = config.learn
    networks: nn.ModuleDict = load_object(NETWORKS[config.model].build)(**options)
    return networks
