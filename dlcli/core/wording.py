"""Messages as single short lines, whatever the names and values in them."""

from __future__ import annotations

import unicodedata

MAX_LINE = 300
"""Maximum characters of a line of an error."""

UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode's categories of control characters, surrogates, and separators of lines and paragraphs."""


def brief(line: str, limit: int = MAX_LINE) -> str:
    """Return a message as one line of at most `limit` characters, with its middle left out if it is longer.

    Its beginning says what is wrong and its end why, so what is left out is a part of a long name between the two.
    """
    line = printable(line)
    head = 2 * limit // 3
    return line if len(line) <= limit else f"{line[:head]}…{line[len(line) - (limit - head - 1) :]}"


def printable(text: str) -> str:
    """Return the text with control characters, line breaks among them, and surrogates as escapes."""
    if text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in UNPRINTABLE else char for char in text
    )


def is_unicode(text: str) -> bool:
    """Return whether UTF-8 can encode the text: bytes of file names that it cannot are lone surrogates in Python."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)
