"""A warning when a picture's fonts lack glyphs of its text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from dlcli.core.console import Console
from dlcli.core.installing import extra

CJK = ("CJK ", "HIRAGANA ", "KATAKANA ", "IDEOGRAPHIC ", "FULLWIDTH ")
"""How Unicode's names of the characters begin that a Chinese font has and a Latin one has not."""


def warn_of_missing_glyphs(console: Console, texts: Iterable[str]) -> None:
    """Print one warning, with the package to install, if no font here has all Chinese characters of the texts.

    Other characters, such as emoji, are not in that package either.
    """
    from dlcli.visualize.fonts import missing_glyphs

    missing = "".join(char for char in missing_glyphs(texts) if unicodedata.name(char, "").startswith(CJK))
    if missing:
        console.warn(f"no font here has {missing[:10]!r}: boxes are drawn instead; to install one, {extra('cjk')}")
