"""Configuration as frozen dataclasses: a field declares its type, default, range and help in one place.

The command line, the TOML file and the validation are all derived from the fields. Precedence: flag > config file >
recipe > default, which `resolve` applies to layers that each name their origin.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from dlcli.core.errors import UsageError, did_you_mean

ConfigT = TypeVar("ConfigT")

MAX_SEED = 2**32 - 1
"""The largest seed of numpy's `RandomState` and so of scikit-learn; torch takes 64 bits."""

MAX_INT, MAX_FLOAT = 2**31 - 1, 3.4028234663852886e38
"""The largest numbers of an option without a maximum: an index fits 32 bits, and a factor fits float32."""

MAX_THREADS = 1024
"""torch starts so many at once, and ends in a segmentation fault where the system refuses."""

AUTO = "auto"
"""The value that requests a measured value, for options that allow it."""


@dataclasses.dataclass(frozen=True)
class Option:
    """The metadata of a configuration field besides its type and default.

    Attributes:
        help: one line for the help page.
        flag: the flag's name without dashes; None for the field's name with `-` for `_`.
        short: a one-letter flag.
        choices: the allowed values; empty allows any.
        minimum, maximum: inclusive bounds of a number.
        metavar: the placeholder for the value on the help page.
        may_be_auto: also allow `auto`: the tool then measures a suitable value (`split_auto`).
        read: parses a text; its ValueError says why the text is invalid.
        section: the heading on the help page for this option and those after it.
        is_advanced: show it in `--help-all` only; it is accepted either way.
        commands: the commands in which an inference option has an effect; empty for all that know the task.
        bare: the value of a text option that is given without one (`--freeze`), and of `true` in a file.
        off: the value that `--no-FLAG` gives a text option with a `bare` value, and `false` in a file.
        is_on_in_recipes: a recipe turns this switch on, so that the command line must be able to turn it off.
    """

    help: str
    flag: str | None = None
    short: str | None = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    metavar: str | None = None
    may_be_auto: bool = False
    read: Callable[[str], object] | None = None
    section: str | None = None
    is_advanced: bool = False
    commands: tuple[str, ...] = ()
    bare: str | None = None
    off: str | None = None
    is_on_in_recipes: bool = False


@dataclasses.dataclass(frozen=True)
class Layer:
    """Values from one place; `origin` names the place in messages, None is the command line."""

    origin: str | None
    values: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class FieldInfo:
    """A configuration field with its type resolved."""

    name: str
    kind: type  # bool, int, float or str: the type of a single value
    is_optional: bool  # None is allowed
    is_list: bool  # a tuple of values
    may_be_list: bool  # a single value, or a tuple of several
    default: Any
    option: Option

    @property
    def flag(self) -> str:
        """The flag without dashes."""
        return self.option.flag or self.name.replace("_", "-")

    @property
    def has_off(self) -> bool:
        """Whether the option has a `--no-FLAG`."""
        return self.option.off is not None or (
            self.kind is bool and (self.default is True or self.option.is_on_in_recipes)
        )


def option(
    default: Any,
    help: str,
    *,
    flag: str | None = None,
    short: str | None = None,
    choices: Sequence[str] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    metavar: str | None = None,
    may_be_auto: bool = False,
    read: Callable[[str], object] | None = None,
    section: str | None = None,
    is_advanced: bool = False,
    commands: Sequence[str] = (),
    bare: str | None = None,
    off: str | None = None,
    is_on_in_recipes: bool = False,
) -> Any:
    """Return a dataclass field that is also a command-line option; see `Option`."""
    info = Option(
        help,
        flag,
        short,
        tuple(choices),
        minimum,
        maximum,
        metavar,
        may_be_auto,
        read,
        section,
        is_advanced,
        tuple(commands),
        bare,
        off,
        is_on_in_recipes,
    )
    return dataclasses.field(default=default, metadata={"option": info})


def fields_of(config_class: type) -> tuple[FieldInfo, ...]:
    """Return the fields of a configuration class in the order of their declaration."""
    hints = typing.get_type_hints(config_class)
    result = []
    for field in dataclasses.fields(config_class):
        kind, is_optional, is_list, may_be_list = _take_apart(hints[field.name])
        spec = field.metadata["option"]
        result.append(FieldInfo(field.name, kind, is_optional, is_list, may_be_list, field.default, spec))
    return tuple(result)


def _take_apart(hint: Any) -> tuple[type, bool, bool, bool]:
    """Return the type of a single value, and whether None, only a tuple, or also a tuple is allowed."""
    parts = typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)
    tuples = [part for part in parts if typing.get_origin(part) is tuple]
    plain = [part for part in parts if part not in tuples and part is not type(None)]
    kind = plain[0] if plain else typing.get_args(tuples[0])[0]
    return kind, type(None) in parts, bool(tuples) and not plain, bool(tuples) and bool(plain)


def resolve(config_class: type[ConfigT], layers: Iterable[Layer]) -> ConfigT:
    """Return the configuration in which later layers override earlier ones, with every value validated.

    Raises:
        UsageError: a name is unknown, or a value has the wrong type or is out of range.
    """
    known = {info.name: info for info in fields_of(config_class)}
    values: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.values.items():
            if name not in known:
                raise UsageError(
                    f"{layer.origin or 'command line'}: no option {name!r}", hint=did_you_mean(name, known)
                )
            values[name] = check_value(known[name], value, layer.origin)
    return config_class(**values)


def check_value(info: FieldInfo, value: Any, origin: str | None) -> Any:
    """Return the value converted to its field's type.

    Raises:
        UsageError: the value has the wrong type or is out of range.
    """
    if isinstance(value, bool) and info.option.bare is not None:
        value = info.option.bare if value else info.option.off
    if value is None:
        if info.is_optional:
            return None
        raise UsageError(f"{_where(info, origin)} needs a value")
    if info.is_list:
        if not isinstance(value, (list, tuple)):
            raise UsageError(f"{_where(info, origin)} must be a list, not {value!r}")
        return tuple(_check_single(info, item, origin) for item in value)
    if info.may_be_list and isinstance(value, (list, tuple)):
        if not value:
            raise UsageError(f"{_where(info, origin)} needs a value")
        items = tuple(_check_single(info, item, origin) for item in value)
        return items if len(items) > 1 else items[0]
    return _check_single(info, value, origin)


def _where(info: FieldInfo, origin: str | None) -> str:
    return f"--{info.flag}" if origin is None else f"{origin}: {info.name}"


def _check_single(info: FieldInfo, value: Any, origin: str | None) -> Any:
    where = _where(info, origin)
    if info.kind is float and isinstance(value, int) and not isinstance(value, bool):
        # Of a configuration file; Python's integers have any size, and float() raises for those beyond its own.
        value = float(value) if abs(value) <= MAX_FLOAT else math.inf if value > 0 else -math.inf
    if info.kind is str and isinstance(value, Path):
        value = str(value)
    if not isinstance(value, info.kind) or (isinstance(value, bool) and info.kind is not bool):
        raise UsageError(f"{where} must be of type {info.kind.__name__}, not {value!r}")
    spec = info.option
    if spec.choices and value not in spec.choices:
        raise UsageError(f"{where} cannot be {value!r}", hint=did_you_mean(str(value), spec.choices))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        _check_bounds(info, value, where)
    if spec.read is not None and isinstance(value, str):
        try:
            spec.read(value)
        except ValueError as error:
            raise UsageError(f"{where}: {error}") from None
    return value


def _check_bounds(info: FieldInfo, value: float, where: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{where} must be a finite number, not {value}")
    spec, largest = info.option, MAX_FLOAT if info.kind is float else MAX_INT
    minimum = -largest if spec.minimum is None else spec.minimum
    maximum = largest if spec.maximum is None else spec.maximum
    if not minimum <= value <= maximum:
        side, bound = ("least", minimum) if value < minimum else ("most", maximum)
        shown = f"{bound:g}" if isinstance(bound, float) else str(bound)
        raise UsageError(f"{where} must be at {side} {shown}, not {value}")


def split_values(values: Mapping[str, Any], *config_classes: type, origin: str | None) -> list[Layer]:
    """Return one layer per class, each with the values that the class has a field for.

    A value is under its field's name or its flag's: `learning_rate`, `lr`, `batch-size`, `no-flip = true`.

    Raises:
        UsageError: a name is not a field of any of the classes, or a field has two values.
    """
    parts: list[dict[str, Any]] = [{} for _ in config_classes]
    owners = {info.name: part for cls, part in zip(config_classes, parts, strict=True) for info in fields_of(cls)}
    infos = {info.name: info for cls in config_classes for info in fields_of(cls)}
    by_key = {info.flag.replace("-", "_"): info for info in infos.values()} | infos
    for name, value in values.items():
        key = name.replace("-", "_")
        if key not in by_key and key.startswith("no_") and isinstance(value, bool):
            key, value = key.removeprefix("no_"), not value
        info = by_key.get(key)
        if info is None or (key != name.replace("-", "_") and info.kind is not bool and info.option.bare is None):
            raise UsageError(f"{origin}: no option {name!r}", hint=did_you_mean(key, by_key))
        if info.name in owners[info.name]:
            raise UsageError(f"{origin}: {info.name} is set twice, the second time as {name!r}", hint="leave one out")
        owners[info.name][info.name] = value
    return [Layer(origin, part) for part in parts]


def split_auto(config_class: type, layers: Iterable[Layer]) -> tuple[list[Layer], frozenset[str]]:
    """Return the layers without `auto` values, and the names of the fields that resolve to `auto`."""
    names = {info.name for info in fields_of(config_class) if info.option.may_be_auto}
    result, left = [], set[str]()
    for layer in layers:
        asked = {name for name in names if layer.values.get(name) == AUTO}
        left = (left - set(layer.values)) | asked
        result.append(Layer(layer.origin, {name: value for name, value in layer.values.items() if name not in asked}))
    return result, frozenset(left)


def to_dict(*configs: Any) -> dict[str, Any]:
    """Return the values of the configurations as one flat dictionary of plain values, without None."""
    merged: dict[str, Any] = {}
    for config in configs:
        for info in fields_of(type(config)):
            value = getattr(config, info.name)
            if value is not None:
                merged[info.name] = list(value) if isinstance(value, tuple) else value
    return merged


def read_toml(path: Path) -> dict[str, Any]:
    """Return the flat table of a TOML file.

    Raises:
        UsageError: the file is missing, is not TOML, or has nested tables.
    """
    import tomllib  # its patterns take some milliseconds to compile, and most commands read no file

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows' editors write the mark
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint="--config takes a TOML file") from None
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, a number of 5,000 digits
        raise UsageError(f"{path}: not a TOML file: {error}") from None
    nested = [name for name, value in table.items() if isinstance(value, dict)]
    if nested:
        raise UsageError(f"{path}: [{nested[0]}] is a table", hint="put every option at the top level")
    return table


def write_toml(values: Mapping[str, Any], comment: str) -> str:
    """Return the TOML text of a flat table below a comment line."""
    import tomli_w

    return f"# {comment}\n" + tomli_w.dumps(dict(values))
