"""The command lines of `dl` in a piece of shell, for tests of what documents show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

_ENDS = re.compile(r"[()|&;<>]+")


def lines_of_dl(shell: str) -> Iterator[str]:
    """Yield each call of `dl` in shell code, without what is piped into it or redirected."""
    for line in shell.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] | None = None
        for token in [*lexer, ";"]:
            if _ENDS.fullmatch(token):
                if words is not None:
                    yield shlex.join(words)
                words = None
            elif words is not None:
                words.append(token)
            elif token == "dl":
                words = [token]
