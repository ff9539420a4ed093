"""How many Chinese sentences are in traditional characters, by OpenCC's phrases and characters, if it is installed."""

from __future__ import annotations

from collections.abc import Sequence

from dlcli.data.importing.preparing import Report


def count_traditional(pairs: Sequence[tuple[str, str]], languages: tuple[str, str], report: Report) -> int | None:
    """Return how many Chinese sentences a conversion to simplified characters would change.

    None without a Chinese side, and without OpenCC, which is said. Nothing is converted: that is the user's to decide.
    """
    if "zh" not in languages:
        return None
    try:
        from opencc import OpenCC
    except ImportError:
        report("traditional characters were not counted: pip install opencc")
        return None
    place = languages.index("zh")
    convert = OpenCC("t2s").convert
    count = sum(str(convert(pair[place])) != pair[place] for pair in pairs)
    report(f"{count:,} of {len(pairs):,} Chinese sentences have traditional characters")
    return count
