"""Exports are compared on images of the data, at several sizes where the network takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toys.shapes import coco_shapes

from dlcli.core.errors import DataError
from dlcli.core.train_config import TrainConfig
from dlcli.data.annotated.form import open_annotated
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.tasks.annotated.exporting import export_canvases, export_samples
from dlcli.tasks.annotated.source import AnnotatedSource

SQUARE = (64, 64)


def preprocess(canvas: tuple[int, int] | None = None) -> CanvasPreprocess:
    return CanvasPreprocess(64, canvas, (0.5,) * 3, (0.2,) * 3)


@pytest.fixture
def source(tmp_path: Path) -> AnnotatedSource:
    form = open_annotated(coco_shapes(tmp_path, {"train": 3, "test": 3}))
    return AnnotatedSource(form, form.card.classes, TrainConfig())


def test_canvases_have_two_cells_at_least_and_differ_on_both_sides() -> None:
    assert export_canvases(preprocess(), (32, 64)) == [(64, 64), (96, 96), (128, 64)]
    assert export_canvases(preprocess(SQUARE), SQUARE) == [SQUARE] * 3


@pytest.mark.parametrize("canvas", [None, SQUARE])
def test_noise_has_the_shapes_of_real_images(canvas: tuple[int, int] | None, source: AnnotatedSource) -> None:
    real, noise = (export_samples(preprocess(canvas), images) for images in (source, None))
    assert [batch.shape for batch in real] == [batch.shape for batch in noise]
    assert [len(batch) for batch in real] == [2, 1, 3]
    assert {batch.dtype for batch in (*real, *noise)} == {np.dtype(np.uint8)}


def test_real_images_are_those_of_test_in_turn(source: AnnotatedSource) -> None:
    own = preprocess(SQUARE)
    images = [own.fit(source.form.read(record))[0] for record in source.form.of_split("test")]
    shown = np.concatenate(export_samples(own, source)).transpose(0, 2, 3, 1)
    assert np.array_equal(shown, [images[row % 3] for row in range(6)])


def test_images_that_cannot_be_read_are_an_error(source: AnnotatedSource) -> None:
    for record in source.form.of_split("test"):
        (source.form.root / record.file).unlink()
    with pytest.raises(DataError, match="no image of test can be read"):
        export_samples(preprocess(), source)
