"""What makes two texts the same text: Unicode's normal form, and what is around them and cannot be seen."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

NORMAL_FORM: Final = "NFC"
"""Precomposed characters, as most programs write them; macOS writes file names and some texts decomposed."""

_UNSEEN = "\\s\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2060\u3164\ufeff"
_AROUND = re.compile(rf"^[{_UNSEEN}]+|[{_UNSEEN}]+$")


def clean_text(text: str) -> str:
    """Return a text in normal form, without NUL and without what is unseen around it; "" if nothing can be seen.

    A lone surrogate, which no file can store, becomes a question mark.
    """
    text = text.replace("\0", "").strip()
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:  # \ud800 in JSON
        text = text.encode("utf-8", "replace").decode()
    return _AROUND.sub("", unicodedata.normalize(NORMAL_FORM, text))
