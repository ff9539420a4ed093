"""The search space of `dl tune`: the grammar of `--param`, checked against the fields of the options. Torch-free."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dlcli.core.choices import SWITCH
from dlcli.core.config import AUTO, FieldInfo, check_value, fields_of
from dlcli.core.errors import UsageError, did_you_mean
from dlcli.core.wording import brief

GRAMMAR = "write --param NAME=LOW..HIGH, with :log, :int or :step=S after it, or --param NAME=A,B,C"

_RANGE = re.compile(r"\s*([^,|:\s]+?)\s*\.\.\s*([^,|:\s]+)\s*((?::[^:]*)*)")

_JUDGING = ("seed", "fold", "folds", "repeats", "splits", "group", "val_fold", "val_fraction")
_SILENT = ("eval_every", "log_every", "save_every", "show", "profile", "callback")

FIXED: Mapping[str, str] = {
    **dict.fromkeys(_JUDGING, "it decides which items judge a trial"),
    **dict.fromkeys(("device", "threads", "workers", "compile"), "it is an option of the machine"),
    **dict.fromkeys(("budget", "max_time"), "what it trains depends on the machine's speed"),
    **dict.fromkeys(_SILENT, "it changes no figure of a training"),
}
"""Options that cannot be tuned, and why."""

MOST_CHOICES = 100


@dataclass(frozen=True)
class Parameter:
    """An option that is tuned.

    Attributes:
        info: its field.
        text: what the user typed after the name.
        low, high: the inclusive bounds of a range; None for a list.
        is_log: draw from the range uniformly by the logarithm.
        is_int: draw whole numbers.
        step: the distance of the values in a range; None for all of them.
        choices: the values of a list, as they were typed; () for a range.
    """

    info: FieldInfo
    text: str
    low: float | None = None
    high: float | None = None
    is_log: bool = False
    is_int: bool = False
    step: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The field's name."""
        return self.info.name

    @property
    def spec(self) -> str:
        """The parameter as a value of `--param`."""
        return f"{self.info.flag}={self.text}"

    @property
    def num_values(self) -> float:
        """How many values it has; infinity for a range of real numbers."""
        if self.choices:
            return len(self.choices)
        assert self.low is not None and self.high is not None
        step = self.step or (1 if self.is_int else None)
        return math.inf if step is None else math.floor((self.high - self.low) / step + 1e-9) + 1

    def values(self) -> list[Any]:
        """Return all that can be drawn, for an option of which that is finitely many."""
        if self.choices:
            return list(self.choices)
        return [self.at(index) for index in range(int(self.num_values))]

    def at(self, index: int) -> int | float:
        """Return a value of a range with steps by its number, as one writes it: 0.3, which 3 * 0.1 is not."""
        value = Decimal(repr(self.low)) + index * Decimal(repr(self.step or 1))
        return int(value) if self.is_int else float(value)

    def settled(self, drawn: Any) -> Any:
        """Return what was drawn as `values` has it: others add up steps, and differ in the last digit."""
        if self.choices or self.is_int or self.step is None or self.low is None:
            return drawn
        return self.at(round((drawn - self.low) / self.step))

    def value_of(self, drawn: Any) -> Any:
        """Return the option's value for what was drawn: a number of the range, or the text of a choice."""
        if self.choices:
            return parse_value(self.info, str(drawn))
        return int(drawn) if self.info.kind is int else float(self.settled(drawn))

    def drawn_of(self, value: Any) -> Any:
        """Return what would have to be drawn for an option's value; None if the space does not have it."""
        if self.choices:
            return next((text for text in self.choices if parse_value(self.info, text) == value), None)
        assert self.low is not None and self.high is not None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            return None
        step = self.step or (1 if self.is_int else None)
        steps = (value - self.low) / step if step is not None else 0.0
        return self.settled(value) if abs(steps - round(steps)) < 1e-9 else None


def read_space(texts: Sequence[str], configs: Sequence[type]) -> tuple[Parameter, ...]:
    """Return the parameters of a search space, each checked against the field of the option that it names.

    Args:
        texts: the values of `--param`.
        configs: the dataclasses of the options: the task's and the loop's.

    Raises:
        UsageError: a text is not in the grammar, an option is unknown, is named twice or cannot be tuned, a range is
            reversed, or a value is none of the option.
    """
    infos = {info.name: info for config in configs for info in fields_of(config)}
    found: dict[str, Parameter] = {}
    for text in texts:
        parameter = read_parameter(text, infos)
        if parameter.name in found:
            raise UsageError(f"--param {brief(text)}: {parameter.info.flag} is named twice", hint="leave one out")
        found[parameter.name] = parameter
    return tuple(found.values())


def read_parameter(text: str, infos: Mapping[str, FieldInfo]) -> Parameter:
    """Return the parameter in a text such as `lr=1e-4..1e-1:log` or `model=lstm,textcnn`; see `read_space`."""
    word, equals, rest = text.partition("=")
    if not equals or not word.strip() or not rest.strip():
        raise UsageError(f"--param {brief(text)}: neither a range nor a list", hint=GRAMMAR)
    info = _find(word.strip(), infos)
    where = f"--param {info.flag}"
    if info.name in FIXED:
        raise UsageError(f"{where}: cannot be tuned, since {FIXED[info.name]}", hint=f"give --{info.flag} one value")
    match = _RANGE.fullmatch(rest)
    if match is not None and info.kind in (int, float):
        return _read_range(info, rest.strip(), (match[1], match[2]), match[3], where)
    return _read_choices(info, rest.strip(), where)


def _find(word: str, infos: Mapping[str, FieldInfo]) -> FieldInfo:
    key = word.removeprefix("--").replace("-", "_")
    by_key = {info.flag.replace("-", "_"): info for info in infos.values()} | dict(infos)
    if key not in by_key:
        raise UsageError(f"--param {brief(word)}: no option has this name", hint=did_you_mean(key, by_key))
    return by_key[key]


def _read_range(info: FieldInfo, text: str, ends: tuple[str, str], modifiers: str, where: str) -> Parameter:
    low, high = (_number(info, end, where) for end in ends)
    is_log, is_int, step = False, info.kind is int, None
    for modifier in modifiers.split(":")[1:]:
        name, _, value = modifier.strip().partition("=")
        if name == "log" and not value:
            is_log = True
        elif name == "int" and not value:
            is_int = True
        elif name == "step" and value:
            step = _number(info, value, f"{where}: step")
        else:
            raise UsageError(f"{where}: no modifier {brief(modifier)!r}", hint="they are :log, :int and :step=S")
    if low > high:
        raise UsageError(f"{where}: the range {ends[0]}..{ends[1]} is reversed", hint=f"write {ends[1]}..{ends[0]}")
    if low == high:
        raise UsageError(f"{where}: the range has a single value", hint=f"use --{info.flag} {ends[0]} instead")
    if is_log and low <= 0:
        raise UsageError(f"{where}: a range by the logarithm starts above 0, not at {ends[0]}", hint="raise LOW")
    if is_log and step is not None:
        raise UsageError(f"{where}: :log and :step exclude each other", hint="leave one out")
    if step is not None and not 0 < step <= high - low:
        hint = f"use a step above 0, of at most {high - low:g}"
        raise UsageError(f"{where}: a step of {step:g} does not fit into {ends[0]}..{ends[1]}", hint=hint)
    if is_int and any(number is not None and not float(number).is_integer() for number in (low, high, step)):
        raise UsageError(f"{where}: {text} has a number that is not whole", hint="leave :int out, or use whole numbers")
    for number in (low, high):
        check_value(info, number, where)
    return Parameter(info, text, low, high, is_log, is_int, step)


def _number(info: FieldInfo, text: str, where: str) -> float:
    try:
        number: float = info.kind(text)
    except ValueError:
        try:
            number = float(text)  # 1e3 for a whole number
        except ValueError:
            raise UsageError(f"{where}: {brief(text)!r} is not a number", hint=GRAMMAR) from None
        if not number.is_integer():
            raise UsageError(f"{where}: {brief(text)} is not a whole number", hint=GRAMMAR) from None
        number = int(number)
    if not math.isfinite(number):
        raise UsageError(f"{where}: {text} is not a finite number", hint=GRAMMAR)
    return number


def _read_choices(info: FieldInfo, text: str, where: str) -> Parameter:
    choices = [part.strip() for part in text.split("|" if "|" in text else ",")]
    if not all(choices):
        raise UsageError(f"{where}: a value in {brief(text)!r} is empty", hint=GRAMMAR)
    if len(choices) == 1:
        raise UsageError(f"{where}: {brief(text)!r} is a single value", hint=f"use --{info.flag}, or name several")
    if len(choices) > MOST_CHOICES:
        raise UsageError(
            f"{where}: {len(choices)} values are too many", hint=f"name at most {MOST_CHOICES}, or a range"
        )
    values: list[Any] = []
    for choice in choices:
        value = parse_value(info, choice, where)
        if value in values:
            raise UsageError(f"{where}: {brief(choice)} is named twice", hint="leave one out")
        values.append(value)
    return Parameter(info, text, choices=tuple(choices))


def parse_value(info: FieldInfo, text: str, where: str | None = None) -> Any:
    """Return the value of an option from its text, as on the command line.

    Raises:
        UsageError: it is none.
    """
    where = where or f"--param {info.flag}"
    if text == AUTO and info.option.may_be_auto:
        return AUTO
    if info.kind is bool:
        if text not in SWITCH:
            raise UsageError(f"{where}: {brief(text)!r} is neither yes nor no", hint=f"write {info.flag}=yes,no")
        return SWITCH[text]
    if info.kind is str:
        return check_value(info, text, where)
    parts = text.split(",") if info.may_be_list else [text]
    numbers = tuple(_number(info, part, where) for part in parts)
    return check_value(info, numbers if len(numbers) > 1 else numbers[0], where)
