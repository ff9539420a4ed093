"""Names with values, such as `step:5,0.9` or `sgd:momentum=0,nesterov=no`: one grammar for options of this kind."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlcli.core.errors import did_you_mean
from dlcli.core.wording import brief

SWITCH = {"yes": True, "no": False, "on": True, "off": False, "true": True, "false": False}


@dataclass(frozen=True)
class Setting:
    """A value that may follow a name.

    Attributes:
        name: its name, for `name=value`; without a name, values are in the order of the settings.
        default: its value if it is left out; the type is bool, int or float.
        minimum, maximum: inclusive bounds of a number.
        is_open: exclude the bounds themselves.
    """

    name: str
    default: float
    minimum: float = -math.inf
    maximum: float = math.inf
    is_open: bool = False

    def read(self, text: str) -> float:
        """Return the value of a text.

        Raises:
            ValueError: it is not a value of this setting's type, or out of range.
        """
        if isinstance(self.default, bool):
            if text not in SWITCH:
                raise ValueError(f"{self.name} is yes or no, not {brief(text)!r}")
            return SWITCH[text]
        try:
            value = int(text) if isinstance(self.default, int) else float(text)
        except ValueError:
            kind = "a whole number" if isinstance(self.default, int) else "a number"
            raise ValueError(f"{self.name} is {kind}, not {brief(text)!r}") from None
        within = self.minimum < value < self.maximum if self.is_open else self.minimum <= value <= self.maximum
        if not within or not math.isfinite(value):
            raise ValueError(f"{self.name} must be {self._range()}, not {value:g}")
        return value

    def _range(self) -> str:
        low, high = ("above", "below") if self.is_open else ("at least", "at most")
        bounds = [f"{low} {self.minimum:g}"] if self.minimum > -math.inf else []
        bounds += [f"{high} {self.maximum:g}"] if self.maximum < math.inf else []
        return " and ".join(bounds) or "finite"


Choices = Mapping[str, Sequence[Setting]]
"""The names that an option takes, each with the values that may follow it."""


def read_choice(text: str, choices: Choices) -> tuple[str, dict[str, float]]:
    """Return the name in a text and the values of all its settings.

    Args:
        text: `NAME`, `NAME:VALUE,VALUE` or `NAME:setting=VALUE`; unnamed values come first.
        choices: the known names.

    Raises:
        ValueError: the name or a setting is unknown, or a value is invalid.
    """
    name, colon, rest = text.partition(":")
    if name not in choices:
        raise ValueError(f"no {brief(name)!r}; {did_you_mean(name, choices)}")
    settings = choices[name]
    values: dict[str, float] = {}
    for place, part in enumerate(rest.split(",") if colon else ()):
        key, equals, value = part.partition("=")
        setting = _find(name, key.strip(), settings) if equals else _at(name, place, part, settings, values)
        if setting.name in values:
            raise ValueError(f"{setting.name} of {name} is given twice")
        values[setting.name] = setting.read((value if equals else key).strip())
    return name, {setting.name: values.get(setting.name, setting.default) for setting in settings}


def _find(name: str, key: str, settings: Sequence[Setting]) -> Setting:
    found = next((setting for setting in settings if setting.name == key), None)
    if found is None:
        raise ValueError(f"{name} has no value {brief(key)!r}; {_known(name, settings)}")
    return found


def _at(name: str, place: int, text: str, settings: Sequence[Setting], values: Mapping[str, float]) -> Setting:
    if list(values) != [setting.name for setting in settings[:place]]:
        raise ValueError(f"{brief(text)!r} needs a name, since it follows a named value")
    if place >= len(settings):
        raise ValueError(f"{brief(text)!r} is one value too many; {_known(name, settings)}")
    return settings[place]


def _known(name: str, settings: Sequence[Setting]) -> str:
    shown = [f"{setting.name}={_shown(setting.default)}" for setting in settings]
    return f"its values are {', '.join(shown)}" if shown else f"{name} takes none"


def _shown(value: float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}"


def describe_choices(choices: Choices) -> str:
    """Return the names with their values and defaults, for a help page: `step:epochs=5,factor=0.1, constant`."""
    parts = []
    for name, settings in choices.items():
        shown = ",".join(f"{setting.name}={_shown(setting.default)}" for setting in settings)
        parts.append(f"{name}:{shown}" if shown else name)
    return " ".join(parts)
