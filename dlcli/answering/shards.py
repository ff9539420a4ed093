"""The share of one of several processes in the inputs of a prediction: every n-th, so that all have equally many.

Shard i of n answers the inputs i, i + n, i + 2n, ..., counted from 0. No process has to know how many there are, and
line k of its file is the answer to input i + k n: taking a line of each file in turn gives all answers in their order.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from dlcli.core.errors import UsageError

Item = TypeVar("Item")

MAX_SHARDS = 100_000
"""As many as five digits can number."""

_HINT = "name shard 0 of 8 as --shard 0/8, the last one as --shard 7/8"


@dataclass
class Share:
    """One shard of the inputs, which counts them as they pass.

    Attributes:
        number: which shard, from 0.
        count: the number of shards.
        is_launched: whether a launcher such as torchrun started this process as one of several.
    """

    number: int = 0
    count: int = 1
    is_launched: bool = False
    _seen: int = field(default=0, repr=False)

    @property
    def name(self) -> str:
        """The shard as `--shard` takes it."""
        return f"{self.number}/{self.count}"

    def of(self, inputs: Iterable[Item]) -> Iterator[Item]:
        """Yield this shard's inputs; further calls go on with the next ones."""
        for item in inputs:
            is_own = self._seen % self.count == self.number
            self._seen += 1
            if is_own:
                yield item

    def file_of(self, path: Path) -> Path:
        """Return this shard's file: `answers.jsonl` becomes `answers-00003-of-00008.jsonl` if there are several."""
        if self.count == 1:
            return path
        return path.with_name(f"{path.stem}-{self.number:05d}-of-{self.count:05d}{path.suffix}")


def share_of(text: str | None, environment: Mapping[str, str] = os.environ) -> Share:
    """Return the shard that `--shard` names, or else the one of a launched process; all inputs if there is neither.

    Args:
        text: "3/8", or None.
        environment: the variables in which a launcher says RANK and WORLD_SIZE.

    Raises:
        UsageError: it is no shard.
    """
    if text is not None:
        return _parse(text, "--shard", _HINT)
    if "RANK" not in environment or "WORLD_SIZE" not in environment:
        return Share()
    where = f"{environment['RANK']}/{environment['WORLD_SIZE']}"
    share = _parse(where, "RANK/WORLD_SIZE", "unset RANK and WORLD_SIZE for one process, or name --shard")
    share.is_launched = share.count > 1
    return share


def _parse(text: str, what: str, hint: str) -> Share:
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text, re.ASCII)
    if match is None:
        raise UsageError(f"{what}: {text!r} is no shard", hint=hint)
    number, count = int(match[1]), int(match[2])
    if not 1 <= count <= MAX_SHARDS:
        raise UsageError(f"{what}: {text!r}: there can be 1 to {MAX_SHARDS:,} shards", hint=hint)
    if number >= count:
        raise UsageError(
            f"{what}: {text!r}: shards are counted from 0, so the last one is {count - 1}/{count}", hint=hint
        )
    return Share(number, count)
