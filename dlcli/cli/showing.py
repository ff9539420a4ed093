"""`--show`: pictures in the terminal, beside the files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dlcli.core.console import Console

if TYPE_CHECKING:
    import numpy as np

    from dlcli.visualize.subject import Animation

MAX_SHOWN = 12
"""Pictures; more would scroll past."""


def show_pictures(
    console: Console,
    pictures: Sequence[np.ndarray | Animation],
    blocks: Callable[[int, bool], list[str]] | None = None,
) -> None:
    """Draw pictures on stderr, of an animation its last frame; say why where stderr cannot show them.

    Args:
        console: where to write.
        pictures: what was drawn.
        blocks: (columns, 24-bit colours or not) -> lines in their place, on a terminal with coloured characters only.
    """
    from dlcli.visualize.subject import Animation
    from dlcli.visualize.terminal import BLOCKS, drawing, screen_of

    screen = screen_of(sys.stderr)
    if screen is None:
        console.say("--show: stderr is no terminal with colours, so the pictures are only written")
        return
    if blocks is not None and screen.protocol == BLOCKS:
        console.show("\n".join(blocks(screen.columns, screen.has_true_colour)))
        return
    for picture in pictures[:MAX_SHOWN]:
        console.show(drawing(picture.frames[-1] if isinstance(picture, Animation) else picture, screen))
    if len(pictures) > MAX_SHOWN:
        console.say(f"--show: {len(pictures) - MAX_SHOWN} more are only written")
