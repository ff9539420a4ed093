"""Which models are served: their names, versions and shares of the traffic. Imports neither torch nor numpy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from dlcli.core.errors import UsageError, did_you_mean

MAX_MODELS = 100
"""Versions at once; more are a mistake."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ENTRY = re.compile(r"(?P<name>[^=@/\\]+)(?:@(?P<version>[^=@/\\]+))?=(?P<target>.+)", re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """One version of a model.

    Attributes:
        name, version: what it is called in addresses.
        target: the run or file that it is opened from.
    """

    name: str
    version: str
    target: str

    @property
    def key(self) -> str:
        """Name and version as people write them."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True)
class Plan:
    """What is to be served.

    Attributes:
        entries: the versions, those of one name in the order in which they came.
        default: the key of the version that `/predict` asks.
        shares: the key of a version -> its share of what asks `/predict`; they sum up to 1; empty: all ask the default.
    """

    entries: tuple[Entry, ...]
    default: str
    shares: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as a JSON value."""
        return {
            "entries": [asdict(entry) for entry in self.entries],
            "default": self.default,
            "shares": {**self.shares},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the plan in a JSON value that `to_json` made."""
        return cls(tuple(Entry(**entry) for entry in value["entries"]), value["default"], dict(value["shares"]))

    def with_entry(self, entry: Entry) -> Plan:
        """Return the plan with a version added, or in the place of the one with its key.

        Raises:
            UsageError: there are too many, or the name or version is none.
        """
        entry = Entry(check_name(entry.name, "a name"), check_name(entry.version, "a version"), entry.target)
        others = [each for each in self.entries if each.key != entry.key]
        if len(others) >= MAX_MODELS:
            raise UsageError(f"{len(others) + 1} models are too many", hint=f"at most {MAX_MODELS} at once")
        return replace(self, entries=(*others, entry))

    def without(self, key: str) -> Plan:
        """Return the plan without a version.

        Raises:
            UsageError: there is none, it is the default, or it has a share of the traffic.
        """
        self.require(key)
        if key == self.default or key in self.shares:
            what = "the default" if key == self.default else "given a share of the traffic"
            raise UsageError(f"{key} is {what}", hint="change that first, with PUT /admin/traffic")
        return replace(self, entries=tuple(each for each in self.entries if each.key != key))

    def with_traffic(self, default: str | None, shares: Mapping[str, float]) -> Plan:
        """Return the plan with another default and other shares.

        Raises:
            UsageError: a version does not exist, or a share is no positive number.
        """
        default = self.default if default is None else default
        for key in (default, *shares):
            self.require(key)
        if any(type(share) not in (int, float) or not 0 < share < float("inf") for share in shares.values()):
            raise UsageError("a share of the traffic must be a positive number", hint="for example a@1=0.9,a@2=0.1")
        total = sum(shares.values())
        return replace(self, default=default, shares={key: share / total for key, share in shares.items()})

    def require(self, key: str) -> Entry:
        """Return the version with this key.

        Raises:
            UsageError: there is none.
        """
        for entry in self.entries:
            if entry.key == key:
                return entry
        raise UsageError(f"no model {key!r}", hint=did_you_mean(key, [entry.key for entry in self.entries]))

    def newest(self, name: str) -> Entry | None:
        """Return the version of a name that came last; None if there is none."""
        return next((entry for entry in reversed(self.entries) if entry.name == name), None)


def check_name(text: str, what: str) -> str:
    """Return a name or version that may stand in an address.

    Raises:
        UsageError: it may not.
    """
    if not _NAME.fullmatch(text):
        raise UsageError(
            f"{text[:60]!r} cannot be {what}", hint="1 to 64 letters, digits, dots, hyphens or underscores"
        )
    return text


def target_of(text: str) -> str:
    """Return the run or file of a word such as `a@2=runs/x`; a word that is an existing path is that path."""
    match = _ENTRY.fullmatch(text)
    return match["target"] if match is not None and not _exists(text) else text


def plan_of(words: Sequence[str], default: str | None, shares: str | None) -> Plan:
    """Return the plan of a command line.

    Args:
        words: `MODEL`, `NAME=MODEL` or `NAME@VERSION=MODEL` for each version; a name that is not given is made of the
            model's, and versions are numbered.
        default: the name or key of the version that `/predict` asks; None for the first.
        shares: such as `a@1=0.9,a@2=0.1`; None for none.

    Raises:
        UsageError: a name or a share is none, two versions are called alike, or the default is not served.
    """
    plan = Plan((), "")
    for word in words:
        match = None if _exists(word) else _ENTRY.fullmatch(word)
        target = match["target"] if match is not None else word
        name = match["name"] if match is not None else _name_of(target)
        version = match["version"] if match is not None else None
        entry = Entry(name, version or _next_version(plan, name), target)
        if any(each.key == entry.key for each in plan.entries):
            raise UsageError(f"{entry.key} is named twice", hint=f"give the second a version: {name}@2={target}")
        plan = plan.with_entry(entry)
    return plan.with_traffic(key_of(plan, default or plan.entries[0].key), _shares_of(plan, shares or ""))


def key_of(plan: Plan, text: str) -> str:
    """Return the key that a name or a key means: the newest version of a name."""
    newest = plan.newest(text)
    return newest.key if newest is not None else text


def _shares_of(plan: Plan, text: str) -> dict[str, float]:
    shares: dict[str, float] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        key, _, share = part.rpartition("=")
        try:
            shares[key_of(plan, key)] = float(share)
        except ValueError:
            raise UsageError(f"--share {part}: not a version and its share", hint="--share a@1=0.9,a@2=0.1") from None
    return shares


def _next_version(plan: Plan, name: str) -> str:
    taken = {entry.version for entry in plan.entries if entry.name == name}
    return next(str(number) for number in range(1, MAX_MODELS + 2) if str(number) not in taken)


def _name_of(target: str) -> str:
    """Return a name for a run or file: its own, without what cannot stand in an address."""
    path = Path(target)
    stem = path.stem if path.suffix in (".onnx", ".pt", ".pth", ".torchscript", ".ts", ".pt2") else path.name
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:64]
    return name or "model"


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False


def versions_by_name(entries: Iterable[Entry]) -> dict[str, list[str]]:
    """Return the versions of each name, in order."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        found.setdefault(entry.name, []).append(entry.version)
    return found
