"""Command lines that messages advise to type, and whether `dl` could run them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from dlcli.cli.commands import COMMANDS, load_command
from dlcli.core.errors import DlError

HOLE = "\N{REPLACEMENT CHARACTER}"
"""Stands for what an f-string fills in, where the text comes from the source code."""

LISTS = ("runs", "tasks", "datasets", "models")
"""Commands that only list what there is."""


def advised(text: str) -> Iterator[str]:
    """Yield the command lines in a text: `dl ...` in backquotes, and what is behind `next: `."""
    for quoted, following in re.findall(r"`(dl [^`]*)`|^next: (dl .*)$", text, re.MULTILINE):
        yield quoted or following


def why_wrong(line: str) -> str:
    """Return why the line cannot be typed: no such command, no such option, an option without its value; "" if it can.

    Words in capitals are for the user to replace.
    """
    name, *rest = shlex.split(line)[1:]
    if name.startswith("-") or HOLE in name:
        return ""
    if name not in COMMANDS:
        return f"{line}: no command {name!r}"
    example = {"NAME": "digits", "DATASET": "digits", "PICTURE": "curves", "DATA": "digits"}
    is_placed = name in ("prepare", "train", "visualize")  # their first word decides which options there are
    words = [example.get(word, "digits" if HOLE in word else word) if is_placed else word for word in rest]
    try:
        command = load_command(name, words)
    except DlError as error:
        return f"{line}: {error.message}"
    parameters = {flag: each for each in command.params for flag in (*each.opts, *each.secondary_opts)}
    for index, word in enumerate(rest):
        flag, equals, _ = word.partition("=")
        if not word.startswith("-") or word == "-" or HOLE in flag or flag in ("-h", "--help"):
            continue
        if flag not in parameters:
            return f"{line}: no option {flag}"
        takes_value = not parameters[flag].is_flag
        if takes_value and not equals and (index + 1 == len(rest) or rest[index + 1].startswith("-")):
            return f"{line}: {flag} has no value"
    return ""
