"""Telling the user when a picture lacks the glyphs of a name."""

from __future__ import annotations

from collections.abc import Iterable

from dlcli.core.console import Console


def warn_of_missing_glyphs(console: Console, texts: Iterable[str]) -> None:
    """Warn once where no font on this machine has the glyphs of the texts, and say what brings them."""
    from dlcli.visualize.fonts import missing_glyphs

    missing = missing_glyphs(texts)
    if missing:
        console.warn(f"no font here has {missing[:10]!r}: boxes are drawn; `pip install 'dlcli[cjk]'` brings one")
