"""What words of letters and digits are made of."""

from __future__ import annotations

import unicodedata
from functools import cache


@cache
def letters_and_digits() -> str:
    """Return the pattern of words of letters and digits; `\\w` alone would cut Hindi's words at their vowel signs."""
    marks = [code for code in range(0x300, 0x10000) if unicodedata.category(chr(code))[0] == "M"]
    ranges: list[list[int]] = []
    for code in marks:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    inside = "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)
    return f"[^\\W_](?:[^\\W_]|[{inside}])*"
