"""The words of a command line before its options are known, since they depend on the target that it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from dlcli.core.config import FieldInfo, fields_of
from dlcli.core.errors import UsageError

_NUMBER = re.compile(r"-\d+")
"""A negative number: no option has such a name, so it is the value of the option before it."""

_SPACES = " \t\r\n"  # a script leaves these; an ideographic space was typed, and may be an input


def check_words(command: str, rest: Sequence[str]) -> None:
    """Check that no word of a line is empty: as a path, it would mean the current folder.

    Raises:
        UsageError: a word, or the value in `--flag=VALUE`, is empty or only spaces.
    """
    for index, word in enumerate(rest):
        flag, equals, value = word.partition("=")
        if word.startswith("--") and equals:
            where = f"the value of {flag}" if not value.strip(_SPACES) else ""
        elif not word.strip(_SPACES):
            where = f"the argument after {rest[index - 1]}" if index else "the first argument"
        else:
            where = ""
        if where:
            raise UsageError(f"dl {command}: {where} is empty", hint="is a variable of the script not set?")


def pick_target(rest: Sequence[str], known: Callable[[str], bool], configs: Sequence[type] = ()) -> str | None:
    """Return the word of a line that names the target: the first that is neither an option nor an option's value.

    `dl train --epochs 3 cifar10` and `dl train cifar10 --epochs 3` are equivalent. A word after an unknown option (a
    plugin's, or a mistyped one) may be its value; it is the target only if it is `known` and stands before the others.

    Args:
        rest: the words after the command.
        known: whether a word is certainly a target.
        configs: dataclasses of the options that the line may have.
    """
    takes_value = _flags(configs)
    bare = {f"--{info.flag}" for config in configs for info in fields_of(config) if info.option.bare is not None}
    before, is_end = None, False
    for index, word in enumerate(rest):
        if _NUMBER.fullmatch(word) and not is_end:
            before = None
            continue
        if word.startswith("-") and word != "-" and not is_end:
            before, is_end = word, word == "--"
            continue
        takes = _takes_next(before, takes_value)
        if before in bare and _has_target(rest[index + 1 :], takes_value):
            takes = True  # see `with_bare_values`
        if takes is False or (takes is None and known(word)):
            return word
        before = None
    return None


def _flags(configs: Iterable[type]) -> dict[str, bool]:
    """Return whether each flag takes a value."""
    found = dict.fromkeys(("--help", "-h", "--help-all", "--"), False)
    for info in (info for config in configs for info in fields_of(config)):
        takes = info.kind is not bool and info.option.bare is None
        found |= {f"--{info.flag}": takes} | ({} if takes else {f"--no-{info.flag}": False})
        if info.option.short:
            found[f"-{info.option.short}"] = takes
    return found


def _takes_next(option: str | None, takes_value: Mapping[str, bool]) -> bool | None:
    """Return whether an option takes the next word as its value; None if it is unknown."""
    if option is None or "=" in option:
        return False
    if option.startswith("--") or len(option) == 2:
        return takes_value.get(option)
    if takes_value.get(option[:2]):  # the value follows without a space, as in -e3
        return False
    return takes_value.get(f"-{option[-1]}")  # the last of several letters, as in -qe


def with_bare_values(words: Sequence[str], fields: Sequence[FieldInfo], configs: Iterable[type]) -> list[str]:
    """Return the words of a line with `=VALUE` on each option whose value may be left out.

    `--freeze` becomes `--freeze=head`, and `--no-augment` `--augment=none`. The next word is such an option's value
    unless it is the only word that can be the target: `dl train --freeze photos` has no value, `dl train --freeze
    layer4 photos` and `dl train photos --freeze layer4` have one. A negative number is always a value.

    Args:
        words: the words after the command.
        fields: the options of the command.
        configs: dataclasses of all options that the line may have.
    """
    bare = {f"--{info.flag}": info for info in fields if info.option.bare is not None}
    negated = {f"--no-{info.flag}": info for info in bare.values() if info.option.off is not None}
    takes_value, result, has_target = _flags(configs), list[str](), False
    left = iter(range(len(words)))
    for index in left:
        word = words[index]
        following = words[index + 1] if index + 1 < len(words) else "-"
        if word == "--":
            return [*result, *words[index:]]
        if word in negated:
            result.append(f"--{negated[word].flag}={negated[word].option.off}")
        elif word in bare:
            may_take = has_target or _has_target(words[index + 2 :], takes_value)
            has_value = _NUMBER.fullmatch(following) or (may_take and not following.startswith("-"))
            result.append(f"{word}={following if has_value else bare[word].option.bare}")
            if has_value:
                next(left)
        elif word.startswith("-") and word != "-":
            result.append(word)
            if _takes_next(word, takes_value) and index + 1 < len(words):
                result.append(words[next(left)])
        else:
            has_target = True
            result.append(word)
    return result


def _has_target(words: Sequence[str], takes_value: Mapping[str, bool]) -> bool:
    """Return whether one of the words is neither an option nor an option's value."""
    before = None
    for index, word in enumerate(words):
        if word == "--":
            return index + 1 < len(words)
        if word.startswith("-") and word != "-":
            before = word
            continue
        if _takes_next(before, takes_value) is False:
            return True
        before = None
    return False


def flag_value(rest: Sequence[str], flag: str) -> str | None:
    """Return the value of a flag, from `--flag VALUE` or `--flag=VALUE`, before the options are known; None without."""
    for index, word in enumerate(rest):
        if word == flag and index + 1 < len(rest):
            return rest[index + 1]
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    return None
