"""The option that makes a network's name stand for a run: `dl predict lenet5 --pretrained FILE digit.png`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlcli.cli.words import flag_value
from dlcli.core.config import option


@dataclass(frozen=True)
class Ready:
    """The option that makes a network's name stand for a run."""

    pretrained: str | None = option(
        None,
        "take the name given for that of a network, with its published weights (`default`) or those in FILE",
        metavar="default|FILE",
    )


def pretrained_of_line(rest: Sequence[str]) -> str | None:
    """Return the value of the option in a line, before its options are known."""
    return flag_value(rest, "--pretrained")
