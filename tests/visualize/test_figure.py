"""Figures of matplotlib without pyplot: sizes, looks, and that nothing global changes."""

from __future__ import annotations

import subprocess
import sys


def test_drawing_opens_no_pyplot_changes_no_settings_and_needs_no_torch() -> None:
    code = """
import sys, numpy as np, matplotlib
from dlcli.visualize import confusion, curves, scores, mistakes, grids, canvas
before = matplotlib.rcParams.copy()
confusion.draw_confusion(np.eye(2, dtype=int), ["a", "b"])
curves.draw_curves([{"epoch": 1, "loss": 1.0}], "run")
assert matplotlib.rcParams.copy() == before
assert not {"torch", "matplotlib.pyplot", "sklearn"} & set(sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_the_drawings_does_not_import_matplotlib() -> None:
    modules = "canvas, confusion, curves, fonts, grids, mistakes, scores"
    code = f"import sys; from dlcli.visualize import {modules}; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
