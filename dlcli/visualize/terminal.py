"""Pictures on a terminal: by its own protocol where the environment names one, else as coloured half blocks.

The terminal is never asked, since an answer that comes late, or over a slow line, ends up in the next command.

Sources: https://sw.kovidgoyal.net/kitty/graphics-protocol and https://iterm2.com/documentation-images.html
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

import numpy as np

from dlcli.core.console import has_colour
from dlcli.visualize.blocks import as_blocks

KITTY, ITERM, BLOCKS = "kitty", "iterm2", "blocks"

MAX_COLUMNS = 160
"""Wider pictures fill a window from top to bottom."""
KITTY_CHUNK = 4096
"""Bytes of base64 in one escape sequence, at most."""


@dataclass(frozen=True)
class Screen:
    """What a terminal can show.

    Attributes:
        protocol: "kitty", "iterm2" or "blocks".
        columns: cells in a line that a picture may use.
        has_true_colour: whether blocks have 24-bit colours; else the 256 of xterm.
    """

    protocol: str
    columns: int
    has_true_colour: bool


def screen_of(
    stream: IO[str], environment: Mapping[str, str] | None = None, columns: int | None = None
) -> Screen | None:
    """Return what the terminal behind a stream can show; None if it is none, or colours are not wanted there.

    Args:
        stream: where pictures go.
        environment: replaces the process's.
        columns: replaces the terminal's width.
    """
    if not has_colour(stream):
        return None
    found = os.environ if environment is None else environment
    width = shutil.get_terminal_size().columns if columns is None else columns
    term, colours = found.get("TERM", ""), found.get("COLORTERM", "").lower()
    has_true_colour = colours in ("truecolor", "24bit") or term.endswith("-direct")
    return Screen(_protocol(found, term), max(min(width, MAX_COLUMNS), 1), has_true_colour)


def _protocol(environment: Mapping[str, str], term: str) -> str:
    # A multiplexer inherits the variables of the terminal around it, and by default lets no picture through.
    if environment.get("TMUX") or environment.get("STY") or term.startswith(("tmux", "screen")):
        return BLOCKS
    if environment.get("KITTY_WINDOW_ID") or term == "xterm-kitty":
        return KITTY
    if environment.get("TERM_PROGRAM") in ("iTerm.app", "WezTerm"):
        return ITERM
    return BLOCKS


def drawing(picture: np.ndarray, screen: Screen) -> str:
    """Return what is written to the terminal to show a picture, without a line break at its end.

    Args:
        picture: (H, W, 3) uint8 RGB; one that is wider than the screen is scaled down to it.
        screen: of the terminal.
    """
    if screen.protocol == BLOCKS:
        return "\n".join(as_blocks(picture, screen.columns, has_true_colour=screen.has_true_colour))
    from dlcli.visualize.canvas import encode_png

    data = encode_png(picture)
    text = base64.b64encode(data).decode()
    if screen.protocol == ITERM:
        # A picture keeps its size, unless it is wider than the window: a cell has about 8 pixels.
        width = f"width={screen.columns};" if picture.shape[1] > 8 * screen.columns else ""
        return f"\033]1337;File=inline=1;size={len(data)};{width}preserveAspectRatio=1:{text}\a"
    columns = f",c={screen.columns}" if picture.shape[1] > 8 * screen.columns else ""
    chunks = [text[start : start + KITTY_CHUNK] for start in range(0, len(text), KITTY_CHUNK)]
    parts = []
    for number, chunk in enumerate(chunks):
        # a=T: show it now; f=100: PNG; q=2: no answer from the terminal.
        head = f"a=T,f=100,q=2{columns}," if number == 0 else ""
        parts.append(f"\033_G{head}m={int(number < len(chunks) - 1)};{chunk}\033\\")
    return "".join(parts)
