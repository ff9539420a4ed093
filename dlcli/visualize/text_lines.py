"""User text wrapped to fit a picture: Chinese breaks anywhere, alphabetic scripts at spaces. Torch-free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcli.visualize.fonts import ELLIPSIS, fit_text, text_width

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

FIRST_SPACED_SCRIPT_END = 0x2E80
"""Code points below this belong to scripts that put spaces between words; the Chinese ones start here."""
LONGEST_WORD = 24
"""Letters; a longer word, such as a URL, breaks anywhere."""


def printable(text: str) -> str:
    """Return the text as one line: control characters, lone surrogates and line breaks become spaces."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def wrap(text: str, face: FreeTypeFont, width_px: int, max_lines: int) -> list[str]:
    """Return the text as at most `max_lines` lines of at most `width_px` pixels; truncated lines end in an ellipsis.

    Empty text gives one empty line.
    """
    # No drawn glyph is narrower than 2 px, so more characters than this cannot fit.
    text = printable(text[: max_lines * width_px])
    lines: list[str] = []
    line = ""
    for piece in _pieces(text):
        if line and text_width(line + piece.rstrip(), face) > width_px:
            lines.append(line.rstrip())
            line = ""
            if len(lines) > max_lines:
                break
        line += piece if line else piece.lstrip()
    lines.append(line.rstrip())
    if len(lines) > max_lines:
        lines = [*lines[: max_lines - 1], lines[max_lines - 1] + ELLIPSIS]
    return [fit_text(line, face, width_px) for line in lines]


def _pieces(text: str) -> list[str]:
    """Return the unbreakable pieces: words with the spaces after them, and single characters."""
    pieces: list[str] = []
    for character in text:
        previous = pieces[-1] if pieces else ""
        is_inside = _is_spaced(character) and _is_spaced(previous[-1:]) and len(previous) < LONGEST_WORD
        if previous and (is_inside or character == " "):
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces


def _is_spaced(character: str) -> bool:
    return character.isalnum() and ord(character) < FIRST_SPACED_SCRIPT_END
