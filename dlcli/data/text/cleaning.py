"""What makes two texts the same text: Unicode's normal form, and what is around them and cannot be seen."""

from __future__ import annotations

import unicodedata
from typing import Final

NORMAL_FORM: Final = "NFC"
"""Precomposed characters, as most programs write them; macOS writes file names and some texts decomposed."""

_SPACES = (*range(0x21), *range(0x7F, 0xA1), 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
_WITHOUT_WIDTH = (0xAD, *range(0x200B, 0x2010), 0x2060, 0x3164, 0xFEFF)
_UNSEEN = "".join(map(chr, (*_SPACES, *_WITHOUT_WIDTH)))
"""Spaces and control characters, and what has no width: removed around a text, where a regular expression is slower."""


def clean_text(text: str) -> str:
    """Return a text in normal form, without NUL and without what is unseen around it; "" if nothing can be seen.

    A lone surrogate, which no file can store, becomes a question mark.
    """
    text = text.replace("\0", "").strip(_UNSEEN)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:  # \ud800 in JSON
        text = text.encode("utf-8", "replace").decode()
    return unicodedata.normalize(NORMAL_FORM, text)
