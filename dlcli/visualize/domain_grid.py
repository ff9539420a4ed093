"""Samples of images of two domains: a row of each, or of pairs two rows whose images belong together. Torch-free."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlcli.core.errors import UsageError, did_you_mean
from dlcli.data.domains.form import open_domains
from dlcli.visualize.canvas import letterbox
from dlcli.visualize.grids import draw_samples

CELL_PX = 256
"""Side of a cell, into which larger images are fitted."""


def draw_domains(folder: Path, split: str, count: int) -> np.ndarray:
    """Return a picture of `count` images of each domain of a split; see `dlcli.core.specs.FormSpec.samples`.

    Of pairs, the two images of a column show the same scene.

    Raises:
        UsageError: there is no such split.
        DataError: the folder holds no two domains, or an image cannot be read.
    """
    form = open_domains(folder)
    if split not in form.splits():
        raise UsageError(f"--split: no split {split!r}", hint=did_you_mean(split, form.splits()))
    samples: dict[str, list[np.ndarray]] = {}
    for domain, name in enumerate(form.card.classes):
        files = form.files(split, domain)
        places = np.linspace(0, len(files) - 1, min(count, len(files))).astype(int)
        samples[name] = [letterbox(form.read(files[place]), CELL_PX) for place in places]
    kind = "pairs" if form.is_paired else "unpaired"
    return draw_samples(samples, title=f"{form.card.name}, {split}, {kind}")
