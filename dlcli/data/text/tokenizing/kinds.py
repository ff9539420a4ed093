"""The units of a post that are one token each: emoticons, URLs, @names and hashtags.

Imports neither torch nor numpy. All patterns match in linear time: every repetition is bounded or cannot fail.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

CONTROL = "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u200b\u2060\ufeff\ud800-\udfff"
"""Dropped like whitespace: control characters, zero-width spaces, lone surrogates (which no file can store)."""

_NOT_TEXT = r"\x00-\x1f\x7f-\x9f\ud800-\udfff"
"""Control characters and lone surrogates, which no unit contains."""

_URL = r"""://(?:[\w.~:/?#@!$&*+,;=%-]*[\w/#&=%~+@$-])"""
"""Ends before sentence-final punctuation; the ASCII flag excludes Chinese that follows."""

_EMOTICON = rf"\[[^\[\]\s{_NOT_TEXT}]{{1,12}}\]"
# An address such as name@site.org is not a mention. Weibo nicknames have at most 30 letters, digits, "_" and "-".
_MENTION = r"@(?!(?<=[A-Za-z0-9]@)[A-Za-z0-9-]{1,63}\.[A-Za-z])[\w-]{1,30}"
# The open form (#word) does not match in "C#和" or "&#39;".
_HASHTAG = rf"#(?:[^#\s{_NOT_TEXT}](?:[^#\n\r{_NOT_TEXT}]{{0,62}}[^#\s{_NOT_TEXT}])?#|(?<![A-Za-z0-9_&]#)\w{{1,30}})"
_LINK = "|".join(
    [rf"{first}(?i:ttps?)(?a:{_URL})" for first in "hH"]
    + [rf"{first}(?i:ww)\.(?a:[\w.~:/?#@!$&*+,;=%-]*[\w/#&=%~+@$-])" for first in "wW"]
)

KINDS: Mapping[str, re.Pattern[str]] = {
    "emoticon": re.compile(_EMOTICON),
    "url": re.compile(_LINK),
    "mention": re.compile(_MENTION),
    "hashtag": re.compile(_HASHTAG),
}
"""Kind -> its pattern."""

UNIT = re.compile(f"({_EMOTICON}|{_LINK}|{_MENTION}|{_HASHTAG})")
"""Any unit. Each alternative starts with a literal character, so that `re` skips other characters quickly (3x)."""

_FIRST = {"[": "emoticon", "@": "mention", "#": "hashtag", "h": "url", "H": "url", "w": "url", "W": "url"}
"""First character of a unit -> its kind."""


def kind_of(token: str) -> str | None:
    """Return the kind of a token that is one unit, or None if it is a word."""
    kind = _FIRST.get(token[:1])
    return kind if kind is not None and UNIT.fullmatch(token) else None


def split_units(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield the pieces of a text in order, each with its kind, None between units; joined, they equal the text."""
    for index, piece in enumerate(UNIT.split(text)):
        if piece:
            yield piece, _FIRST[piece[0]] if index % 2 else None


def without_units(text: str, kinds: Collection[str]) -> str:
    """Return a text with a space in place of each unit of some kinds."""
    if not kinds:
        return text
    return "".join(" " if kind in kinds else piece for piece, kind in split_units(text))
