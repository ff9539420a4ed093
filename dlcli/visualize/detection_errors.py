"""What keeps a detector from a higher AP: TIDE's kinds of errors as bars. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcli.visualize.figure import COLOURS, new_figure, plain_axes, set_texts, to_rgb
from dlcli.visualize.fonts import font_for

MEANINGS: Mapping[str, str] = {
    "class": "right place, wrong class",
    "localisation": "right class, box too far off",
    "both": "wrong class and box too far off",
    "duplicate": "object found twice",
    "background": "nothing there",
    "missed": "object not found",
}
"""TIDE's kinds (Bolya et al. 2020, arXiv:2008.08115)."""


def draw_detection_errors(
    errors: Sequence[Mapping[str, Any]], *, title: str = "What the errors cost", metric: str = "AP50"
) -> np.ndarray:
    """Return a picture of what each kind of error costs, a bar each, with the number of errors.

    Args:
        errors: `kind`, `count` and `delta_ap50`: what the metric would gain without these errors.
        title: a line above.
        metric: the name of the metric.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    figure = new_figure(1250, 200 + 90 * max(len(errors), 1))
    axes = figure.subplots()
    gains = [float(row["delta_ap50"]) for row in errors]
    places = np.arange(len(errors))[::-1]
    axes.barh(places, gains, height=0.62, color=[COLOURS[index % len(COLOURS)] for index in range(len(errors))])
    highest = max([*gains, 0.0]) or 1.0
    for place, gain, row in zip(places, gains, errors, strict=True):
        note = f"{gain:.3f}   {row['count']:,} error{'' if row['count'] == 1 else 's'}"
        axes.text(max(gain, 0) + 0.015 * highest, place, note, va="center", fontsize=9)
    names = [f"{row['kind']}\n{MEANINGS.get(row['kind'], '')}".strip() for row in errors]
    plain_axes(axes)
    axes.set_yticks(places, names)
    axes.grid(False, axis="y")
    axes.set(xlim=(min([*gains, 0.0]), 1.3 * highest), xlabel=f"{metric} gained if there were no such errors")
    axes.set_title(title)
    set_texts(axes.get_yticklabels(), font_for(names), 9)
    set_texts([axes.title], font_for([title]), 12)
    return to_rgb(figure)
