"""Label maps as files and as masks, on pictures of 40 x 30 pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toys.annotated import voc_folder, voc_object

from dlcli.core.train_config import TrainConfig
from dlcli.data.annotated.form import AnnotatedForm, open_annotated
from dlcli.tasks.annotated.source import AnnotatedSource

Sources = Callable[..., AnnotatedSource]


@pytest.fixture
def with_maps(tmp_path: Path) -> Callable[[Mapping[str, np.ndarray]], AnnotatedForm]:
    """A function of label maps by name, values of (background, car, tree), to annotated images for training."""

    def make(maps: Mapping[str, np.ndarray]) -> AnnotatedForm:
        objects = {name: [voc_object("car", (1, 1, 9, 9)), voc_object("tree", (5, 5, 9, 9))] for name in maps}
        folder = voc_folder(tmp_path / "voc", objects, lists={"Main/train": " ".join(maps)})
        (folder / "SegmentationClass").mkdir()
        for name, values in maps.items():
            Image.fromarray(values).save(folder / "SegmentationClass" / f"{name}.png")
        (folder / "class_names.txt").write_text("_background_\ncar\ntree\n")
        return open_annotated(folder)

    return make


@pytest.fixture
def source_of() -> Sources:
    """A function of annotated images, and perhaps of a run's classes, to their source."""

    def make(form: AnnotatedForm, labels: tuple[str, ...] | None = None) -> AnnotatedSource:
        return AnnotatedSource(form, labels or form.card.classes, TrainConfig(val_fraction=0.0, workers=0))

    return make
