"""What the tests of pictures share: figures of matplotlib that are looked into and not rasterised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Return a list that gathers every figure that is drawn; its pixels, which take most of the time, stay white."""
    found: list[Figure] = []

    def keep(canvas: FigureCanvasAgg) -> None:
        found.append(canvas.figure)
        canvas.get_renderer()

    monkeypatch.setattr(FigureCanvasAgg, "draw", keep)
    return found


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, figures: list[Figure]) -> list[dict[str, Any]]:
    """Return a list that gathers every curve handed to matplotlib: x, y, label; its pixels are not computed."""
    del figures
    curves: list[dict[str, Any]] = []
    plot = Axes.plot

    def record(self: Axes, x: Any, y: Any, **options: Any) -> Any:
        curves.append({"x": np.asarray(x), "y": np.asarray(y), "label": options.get("label"), "axes": self})
        return plot(self, x, y, **options)

    monkeypatch.setattr(Axes, "plot", record)
    return curves
