"""The options of regression and classification on tables."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.core.config import option

LOSSES = ("mse", "mae", "smooth-l1", "huber")
ACTIVATIONS = ("relu", "silu", "gelu", "tanh")


def read_widths(text: str) -> tuple[int, ...]:
    """Return the widths of hidden layers, as `64,64` has them; `none` for no hidden layer.

    Raises:
        ValueError: it is no such text.
    """
    if text == "none":
        return ()
    try:
        widths = tuple(int(part) for part in text.split(","))
    except ValueError:
        widths = (0,)
    if not 1 <= len(widths) <= 32 or not all(1 <= width <= 16384 for width in widths):
        raise ValueError(f"{text!r} are no widths of hidden layers; write 64,64, or none")
    return widths


@dataclass(frozen=True)
class RegressionConfig:
    """What `dl train` can be told about a regression."""

    model: str = option("mlp", "a network of `dl models`", short="m", section="Network and data")
    hidden: str = option("64,64", "widths of the hidden layers, or none", metavar="WIDTHS", read=read_widths)
    activation: str = option("relu", "between the layers", choices=ACTIVATIONS)
    dropout: float = option(0.0, "part of the hidden features left out while training", minimum=0.0, maximum=0.95)
    batch_norm: bool = option(False, "normalise the hidden features over the batch")
    bins: int = option(8, "quantile bins that a number is encoded by too, 0 for none", minimum=0, maximum=256)
    ensemble: int = option(1, "networks whose mean is the answer", minimum=1, maximum=1000)
    full_batch: bool = option(False, "one step an epoch, over all rows")
    loss: str = option("mse", "what is minimised, over the standardised target", choices=LOSSES)
    target_noise: float = option(
        0.0, "noise on the targets while training, in their standard deviations", minimum=0.0, maximum=10.0
    )
    bounded: bool = option(False, "keep answers within the range of the training part's targets")


@dataclass(frozen=True)
class TableClassificationConfig:
    """What `dl train` can be told about a classification on a table."""

    model: str = option("mlp", "a network of `dl models`", short="m", section="Network and data")
    hidden: str = option("64,64", "widths of the hidden layers, or none", metavar="WIDTHS", read=read_widths)
    activation: str = option("relu", "between the layers", choices=ACTIVATIONS)
    dropout: float = option(0.1, "part of the hidden features left out while training", minimum=0.0, maximum=0.95)
    batch_norm: bool = option(False, "normalise the hidden features over the batch")
    bins: int = option(8, "quantile bins that a number is encoded by too, 0 for none", minimum=0, maximum=256)
    ensemble: int = option(1, "networks whose mean is the answer", minimum=1, maximum=1000)
    full_batch: bool = option(False, "one step an epoch, over all rows")
    label_smoothing: float = option(0.0, "part of the target shared among all classes", minimum=0.0, maximum=0.9)
    class_weights: str = option("none", "weigh classes by inverse frequency", choices=("none", "balanced"))
