"""Options of training that all classifiers share; torch-free, for help pages."""

from __future__ import annotations

from typing import Any

from dlcli.core.choices import Choices, Setting, describe_choices, read_choice
from dlcli.core.config import option

LOSSES: Choices = {
    "cross-entropy": (),
    # Lin et al. 2017, arXiv:1708.02002, with the gamma that did best there.
    "focal": (Setting("gamma", 2.0, 0.0, 100.0),),
}
"""The losses of every classifier, each with the values that may follow its name."""

MARGIN_LOSSES: Choices = {
    # Wang et al. 2018, arXiv:1801.05599: a margin of 0.35 and a scale of 30.
    "am-softmax": (Setting("margin", 0.35, 0.0, 1.0), Setting("scale", 30.0, 1.0, 1000.0)),
    # Deng et al. 2019, arXiv:1801.07698: an angle of 0.5 and a scale of 64.
    "arcface": (Setting("margin", 0.5, 0.0, 1.5), Setting("scale", 64.0, 1.0, 1000.0)),
}
"""Losses with a margin between classes, for networks whose head compares directions (`models/cosine.py`)."""

ALL_LOSSES: Choices = {**LOSSES, **MARGIN_LOSSES}

DISTILL = "4,0.9"
"""The temperature of the soft targets and their weight beside the labels, in the range of Hinton et al. 2015."""

SAMPLE = "sample"
"""The value of `--class-weights` that draws the items of rare classes more often."""


def read_loss(text: str) -> tuple[str, dict[str, float]]:
    """Return the name and values of a loss, such as `focal:1.5`; ValueError if it is none."""
    return read_choice(text, ALL_LOSSES)


def read_plain_loss(text: str) -> tuple[str, dict[str, float]]:
    """Return the name and values of a loss without a margin; ValueError if it is none."""
    return read_choice(text, LOSSES)


def cosine_scale(loss: str) -> float | None:
    """Return the scale of the head that a loss with a margin needs; None if it needs none."""
    name, values = read_loss(loss)
    return values["scale"] if name in MARGIN_LOSSES else None


def loss_option(*, has_margins: bool = True) -> Any:
    """Return the option `loss`, perhaps without the losses that need a head of cosines."""
    losses, read = (ALL_LOSSES, read_loss) if has_margins else (LOSSES, read_plain_loss)
    return option("cross-entropy", f"loss: {describe_choices(losses)}", metavar="NAME", read=read, is_advanced=True)


def read_distill(text: str) -> tuple[float, float]:
    """Return the temperature and the weight in a text such as `4,0.9`; ValueError if they are none."""
    settings = (Setting("temperature", 4.0, 0.01, 1000.0), Setting("weight", 0.9, 0.0, 1.0))
    values = read_choice(f"distill:{text}", {"distill": settings})[1]
    return values["temperature"], values["weight"]


def ensemble_option() -> Any:
    """Return the option `ensemble`."""
    return option(
        1,
        "train N networks from different fresh weights, and average their probabilities",
        minimum=1,
        maximum=100,
        is_advanced=True,
    )


def teacher_option() -> Any:
    """Return the option `teacher`."""
    return option(None, "learn from the answers of this run, too, by distillation", metavar="RUN", is_advanced=True)


def distill_option() -> Any:
    """Return the option `distill`."""
    return option(
        None,
        f"with --teacher: temperature of its answers and their weight beside the labels (default: {DISTILL})",
        metavar="T,WEIGHT",
        read=read_distill,
        is_advanced=True,
    )


def class_weights_option() -> Any:
    """Return the option `class_weights`."""
    return option(
        "none",
        "balanced: weight the loss by inverse class frequency; sample: draw the items of rare classes more often",
        choices=("none", "balanced", SAMPLE),
        is_advanced=True,
    )
