"""Choose a font file that has the glyphs of a text, Chinese names included. Torch-free.

Nothing is downloaded: the candidates are matplotlib's DejaVu Sans, fonts in installed packages that ship a Chinese
font, and system fonts.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties
    from PIL.ImageFont import FreeTypeFont

COMMON_CHINESE = "的一是不了人我在有他这中大来上国猫狗鸟车"
"""Characters that a font must have to count as Chinese: the most frequent ones and a few class names."""

FONT_PACKAGES = ("zhplot", "pylopdf_fonts_zh_cn", "mplfonts", "manimgx_fonts_cjk")
"""PyPI packages that ship a simplified Chinese font, smallest first; their files are read, never imported."""

PREFERRED = (
    "notosanssc",
    "notosanscjksc",
    "notosanscjk",
    "sourcehansanssc",
    "sourcehansans",
    "pingfang",
    "msyh",
    "hiraginosansgb",
    "simhei",
    "wqymicrohei",
    "wqyzenhei",
    "droidsansfallback",
    "stheiti",
    "heiti",
    "deng",
    "notoserif",
    "sourcehanserif",
    "simsun",
)
"""Prefixes of file names (lower case, letters and digits only), the most legible at small sizes first."""

SMALLEST_CJK_FONT = 1_000_000
"""Bytes. A font with the 6,763 characters of GB 2312 is larger (Droid Sans Fallback: 4 MB)."""

ELLIPSIS = "…"


@dataclass(frozen=True)
class Font:
    """A font file chosen for some texts.

    Attributes:
        path: a TrueType or OpenType file.
        missing: the characters of the texts without a glyph, each once; they are drawn as boxes.
    """

    path: Path
    missing: str


def font_for(texts: Iterable[str]) -> Font:
    """Return the font to draw the texts with: DejaVu Sans if it has every glyph, else the best installed font.

    If no font has every glyph, `missing` holds the characters drawn as boxes, so that the command can warn.
    """
    wanted = frozenset(
        character for text in texts for character in text if character.isprintable() and character != " "
    )
    return _font_for(wanted)


def missing_glyphs(texts: Iterable[str]) -> str:
    """Return the characters that the chosen font has no glyph for; empty if all can be drawn."""
    return font_for(texts).missing


def cjk_font() -> Path | None:
    """Return the path of an installed font with simplified Chinese glyphs, or None."""
    font = font_for([COMMON_CHINESE])
    return font.path if not font.missing else None


@functools.lru_cache(maxsize=64)
def _font_for(wanted: frozenset[str]) -> Font:
    best = Font(latin_font(), _missing(latin_font(), wanted))
    if not best.missing:
        return best
    for path in chinese_candidates():
        missing = _missing(path, wanted)
        if not missing:
            return Font(path, "")
        if len(missing) < len(best.missing):
            best = Font(path, missing)
    return best


def _missing(path: Path, wanted: frozenset[str]) -> str:
    return "".join(sorted(character for character in wanted if ord(character) not in code_points(path)))


@functools.lru_cache(maxsize=64)
def code_points(path: Path) -> frozenset[int]:
    """Return the code points that a font (the first of a collection) has glyphs for; empty if it cannot be read."""
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with TTFont(path, fontNumber=0, lazy=True) as font:
            return frozenset(font.getBestCmap() or ())
    except (TTLibError, OSError, KeyError, ValueError):  # system folders may contain damaged fonts: skip them
        return frozenset()


@functools.cache
def latin_font() -> Path:
    """Return the path of DejaVu Sans, which matplotlib ships."""
    spec = importlib.util.find_spec("matplotlib")  # not imported: that takes 0.3 s of CPU time
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if path.is_file():
            return path
    import matplotlib  # some Linux distributions keep its data elsewhere

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def chinese_candidates() -> Iterator[Path]:
    """Yield fonts that may have Chinese glyphs: from installed packages, then the system, preferred families first."""
    yield from _packaged_fonts()
    yield from _system_fonts()


@functools.cache
def _packaged_fonts() -> tuple[Path, ...]:
    found = []
    for name in FONT_PACKAGES:
        spec = importlib.util.find_spec(name)
        for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
            paths = (path for path in Path(folder).rglob("*") if path.suffix.lower() in (".ttf", ".otf", ".ttc"))
            found += sorted(paths, key=_preference)
    return tuple(found)


@functools.cache
def _system_fonts() -> tuple[Path, ...]:
    from matplotlib.font_manager import findSystemFonts

    return tuple(sorted((Path(name) for name in findSystemFonts() if _is_large(name)), key=_preference))


def _is_large(name: str) -> bool:
    try:
        return os.stat(name).st_size >= SMALLEST_CJK_FONT  # noqa: PTH116 - a system path, as a string
    except OSError:
        return False


def _preference(path: Path) -> tuple[int, bool, str]:
    name = "".join(character for character in path.stem.lower() if character.isalnum())
    family = next((index for index, start in enumerate(PREFERRED) if name.startswith(start)), len(PREFERRED))
    return family, any(weight in name for weight in ("bold", "black", "light", "thin", "mono")), name


@functools.lru_cache(maxsize=64)
def sized_font(path: Path, size_px: int) -> FreeTypeFont:
    """Return the font for Pillow at a size in pixels."""
    from PIL import ImageFont

    return ImageFont.truetype(str(path), size_px)


def font_properties(font: Font) -> FontProperties:
    """Return the font for matplotlib; it is set on each text, so that no global setting changes."""
    from matplotlib.font_manager import FontProperties

    return FontProperties(fname=str(font.path))


def text_width(text: str, font: FreeTypeFont) -> int:
    """Return the width of a line of text in pixels."""
    return int(np.ceil(font.getlength(text)))


def fit_text(text: str, font: FreeTypeFont, width_px: int) -> str:
    """Return the text, truncated with an ellipsis if it is wider than `width_px`."""
    if text_width(text, font) <= width_px:
        return text
    low, high = 0, len(text)  # binary search for the longest prefix that fits
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(text[:middle].rstrip() + ELLIPSIS, font) <= width_px:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + ELLIPSIS


def line_height(size_px: int) -> int:
    """Return the distance from one line of text to the next in pixels."""
    return round(size_px * 1.4)


def draw_lines(
    lines: Sequence[str],
    *,
    width_px: int,
    height_px: int,
    size_px: int,
    font: Font,
    background: int = 255,
    align: str = "center",
    margin_px: int = 2,
) -> np.ndarray:
    """Return lines of text on a plain strip, (height_px, width_px, 3) uint8; nothing is drawn outside it.

    Args:
        lines: drawn from top to bottom, vertically centred; each is truncated to the width.
        size_px: text size.
        background: grey level, 0 to 255; the text is dark on a light background and light on a dark one.
        align: "center" or "right".
    """
    from PIL import Image, ImageDraw

    strip = Image.new("RGB", (width_px, height_px), (background,) * 3)
    draw = ImageDraw.Draw(strip)
    face = sized_font(font.path, size_px)
    ink = (30, 30, 30) if background > 127 else (235, 235, 235)
    top = (height_px - line_height(size_px) * len(lines)) / 2
    for index, line in enumerate(lines):
        text = fit_text(" ".join(line.split()), face, width_px - 2 * margin_px)
        spare = width_px - text_width(text, face)
        left = spare - margin_px if align == "right" else spare / 2
        draw.text((left, top + line_height(size_px) * (index + 0.5)), text, fill=ink, font=face, anchor="lm")
    return np.asarray(strip)
