"""The options of regression and classification on tables."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import option
from dlcli.models.layer_kinds import ACTIVATION_NAMES
from dlcli.tasks.classes.options import class_weights_option, distill_option, loss_option, teacher_option
from dlcli.tasks.tables.levels import read_levels

LOSSES = ("mse", "mae", "smooth-l1", "huber")

NUMBERS = ("plain", "bins", "piecewise", "periodic")
"""How numbers become features; `dlcli.models.tables.numbers` has them."""


SCALINGS = ("standard", "robust")


def read_widths(text: str) -> tuple[int, ...]:
    """Return the widths of the hidden layers from text such as `64,64`, or () from `none`.

    Raises:
        ValueError: the text is neither.
    """
    if text == "none":
        return ()
    try:
        widths = tuple(int(part) for part in text.split(","))
    except ValueError:
        widths = (0,)
    if not 1 <= len(widths) <= 32 or not all(1 <= width <= 16384 for width in widths):
        raise ValueError(f"{text!r} is not a list of hidden layer widths; write 64,64, or none")
    return widths


@dataclass(frozen=True)
class TableConfig:
    """Options of `dl train` shared by both table tasks."""

    model: str = option("mlp", "a network from `dl models`", short="m", section="Network and data")
    hidden: str = option("64,64", "widths of the hidden layers, or none", metavar="WIDTHS", read=read_widths)
    activation: str = option("relu", "activation function", choices=ACTIVATION_NAMES, is_advanced=True)
    dropout: float = option(0.0, "dropout rate", minimum=0.0, maximum=0.95)
    batch_norm: bool = option(False, "batch normalisation in the hidden layers", is_advanced=True)
    numbers: str = option("bins", "encoding of numbers", choices=NUMBERS, is_advanced=True)
    scaling: str = option(
        "standard",
        "scaling of numbers: standard, by mean and standard deviation, or robust, by median and quartiles, with what "
        "lies far off drawn in",
        choices=SCALINGS,
        is_advanced=True,
    )
    bins: int = option(
        8, "quantile bins of `--numbers` bins and piecewise, 0 for none", minimum=0, maximum=256, is_advanced=True
    )
    ensemble: int = option(1, "average the predictions of N networks", minimum=1, maximum=1000)
    full_batch: bool = option(False, "one step per epoch, over all rows", is_advanced=True)


@dataclass(frozen=True)
class RegressionConfig(TableConfig):
    """Options of `dl train` for regression on a table."""

    loss: str = option("mse", "loss on the standardised target", choices=LOSSES)
    target_noise: float = option(
        0.0,
        "noise added to the training targets, in standard deviations",
        minimum=0.0,
        maximum=10.0,
        is_advanced=True,
    )
    quantiles: str | None = option(
        None,
        "predict these quantiles too, by the pinball loss in place of --loss: 0.1,0.5,0.9",
        metavar="LEVELS",
        read=read_levels,
        is_advanced=True,
    )
    bounded: bool = option(
        False,
        "clip predictions to the range of the training targets",
        is_advanced=True,
        is_on_in_recipes=True,
    )


@dataclass(frozen=True)
class TableClassificationConfig(TableConfig):
    """Options of `dl train` for classification on a table."""

    dropout: float = option(0.1, "dropout rate", minimum=0.0, maximum=0.95)
    label_smoothing: float = option(0.0, "label smoothing", minimum=0.0, maximum=0.9)
    class_weights: str = class_weights_option()
    loss: str = loss_option(has_margins=False)
    teacher: str | None = teacher_option()
    distill: str | None = distill_option()


@dataclass(frozen=True)
class RegressionInference:
    """Inference options of regression on tables."""

    coverage: float | None = option(
        None,
        "fraction of the true values that an ensemble's interval should hold (default: 0.9)",
        minimum=0.01,
        maximum=0.99,
    )
