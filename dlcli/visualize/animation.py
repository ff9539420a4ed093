"""Pictures shown one after the other, as GIF files. Torch-free."""

from __future__ import annotations

import io
from pathlib import Path

from dlcli.core.files import atomic_file
from dlcli.visualize.canvas import as_rgb
from dlcli.visualize.subject import Animation

MIN_SECONDS = 0.02
"""Browsers show frames of a shorter time for a tenth of a second."""


def encode_gif(animation: Animation) -> bytes:
    """Return an animation encoded as GIF, repeated endlessly; equal animations give equal bytes.

    A GIF holds 256 colours: each frame has those that suit it best, with errors spread over its neighbours (Floyd and
    Steinberg). Frames that equal the one before prolong it.

    Raises:
        ValueError: there are no frames, or they differ in size.
    """
    from PIL import Image

    frames = [as_rgb(frame) for frame in animation.frames]
    if not frames or len({frame.shape for frame in frames}) > 1:
        raise ValueError("an animation has frames of one size")
    first, *others = [
        Image.fromarray(frame).quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)
        for frame in frames
    ]
    content = io.BytesIO()
    first.save(
        content,
        "GIF",
        save_all=True,
        append_images=others,
        duration=round(1000 * max(animation.seconds, MIN_SECONDS)),
        loop=0,
    )
    return content.getvalue()


def write_gif(path: Path, animation: Animation) -> None:
    """Write an animation as a GIF file atomically; missing folders are created.

    Raises:
        OSError: the file cannot be written; an existing file is left unchanged.
    """
    data = encode_gif(animation)
    with atomic_file(path) as stream:
        stream.write(data)
