"""A warning when a picture's fonts lack glyphs of its text."""

from __future__ import annotations

from collections.abc import Iterable

from dlcli.core.console import Console


def warn_of_missing_glyphs(console: Console, texts: Iterable[str]) -> None:
    """Print one warning, with the package to install, if no font on this machine has all glyphs of the texts."""
    from dlcli.visualize.fonts import missing_glyphs

    missing = missing_glyphs(texts)
    if missing:
        console.warn(
            f"no font here has {missing[:10]!r}: boxes are drawn instead; `pip install 'dlcli[cjk]'` installs one"
        )
