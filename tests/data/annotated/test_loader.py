"""Batches of annotated images: what they hold, and of what they are a function."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcli.core.errors import DataError
from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.augmenting import recipe_of
from dlcli.data.annotated.canvases import batch_canvas
from dlcli.data.annotated.fitting import Fit, fit_image, fit_size
from dlcli.data.annotated.loader import Training, evaluation_loader, training_loader
from dlcli.data.loading import Batch, ItemLoader
from dlcli.data.order import Order, Shard

SIZES = [(60, 80), (80, 60), (64, 64)]
RECORDS = tuple(
    AnnotatedImage(f"{row}.png", *SIZES[row % 3], (Annotation(row % 2, (10, 10, 50, 50), 1600),)) for row in range(14)
)
OPTIONS = Training((64, 64), recipe_of("default"), with_masks=True)


class Reader:
    """Makes the image of a record; counts how often, and fails for some."""

    def __init__(self, bad: Sequence[str] = ()) -> None:
        self.bad = bad
        self.count = 0

    def __call__(self, record: AnnotatedImage) -> np.ndarray:
        self.count += 1
        if record.file in self.bad:
            raise DataError(f"{record.file}: damaged")
        row = int(record.file.partition(".")[0])
        image = np.full((record.height, record.width, 3), 10 * row, np.uint8)
        image[10:50, 10:50] = 255 - 10 * row
        return image


def training(
    options: Training = OPTIONS,
    *,
    workers: int = 0,
    shard: Shard | None = None,
    reader: Reader | None = None,
    bad: list[str] | None = None,
    size: int = 4,
    count: int = 14,
) -> ItemLoader:
    order = Order(np.arange(count), size, seed=3, shard=shard or Shard())
    found = bad if bad is not None else []
    return training_loader(RECORDS, reader or Reader(), order, options, workers=workers, max_bad=5, on_bad=found.append)


def evaluation(*, workers: int = 0, shard: Shard | None = None, reader: Reader | None = None, **more) -> ItemLoader:
    return evaluation_loader(
        RECORDS,
        reader or Reader(),
        np.arange(14)[::-1],
        more.pop("fit_of", functools.partial(fit_size, side=64)),
        3,
        shard=shard or Shard(),
        workers=workers,
        max_bad=5,
        on_bad=more.pop("on_bad", lambda reason: None),
        **more,
    )


def assert_equal(first: Sequence[Batch], second: Sequence[Batch]) -> None:
    assert len(first) == len(second) > 0
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys()
        for name, values in one.items():
            if name == "records":
                assert values == other[name]
            else:
                pairs = zip(values, other[name], strict=True)
                assert all(torch.equal(value, its) for value, its in pairs), name


def test_a_training_batch_has_the_names_types_and_shapes_that_detectors_expect() -> None:
    batches = list(training().batches())
    assert sorted(row for batch in batches for row in batch["rows"].tolist()) == list(range(14))
    for batch in batches:
        assert batch["images"].shape[1:] == (3, 64, 64)
        assert batch["images"].dtype == torch.uint8
        for boxes, labels, masks, ignored in zip(
            batch["boxes"], batch["labels"], batch["masks"], batch["ignored"], strict=True
        ):
            assert boxes.shape == (len(labels), 4)
            assert boxes.dtype == ignored.dtype == torch.float32
            assert labels.dtype == torch.int64
            assert masks.shape == (len(labels), 64, 64)
            assert ignored.shape == (0, 4)
    assert "masks" not in next(iter(training(replace(OPTIONS, with_masks=False)).batches()))


def test_batches_are_a_function_of_seed_epoch_and_start() -> None:
    options = replace(OPTIONS, multi_scale=True, mosaic=0.5)
    loader = training(options)
    whole = list(loader.batches(2))
    assert_equal(list(loader.batches(2)), whole)
    assert_equal(list(training(options).batches(2, 2)), whole[2:])
    assert not torch.equal(next(iter(loader.batches(3)))["rows"], whole[0]["rows"])


@pytest.mark.slow
@pytest.mark.parametrize("cache", ["ram", "disk", "none"])
def test_workers_make_the_same_batches(cache: str, tmp_path: Path) -> None:
    options = replace(OPTIONS, multi_scale=True, mosaic=0.5, cache=cache, folder=tmp_path)
    assert_equal(list(training(options, workers=2).batches(1)), list(training(options).batches(1)))
    kept = {"cache": cache, "folder": tmp_path}
    assert_equal(list(evaluation(workers=2, **kept).batches()), list(evaluation(**kept).batches()))


def test_shards_divide_each_batch() -> None:
    options = replace(OPTIONS, multi_scale=True)
    shards = [list(training(options, shard=Shard(rank, 2), size=2, count=12).batches(1)) for rank in (0, 1)]
    whole = list(training(options, count=12).batches(1))
    for first, second, both in zip(*shards, whole, strict=True):
        assert sorted([*first["rows"].tolist(), *second["rows"].tolist()]) == sorted(both["rows"].tolist())
        places = [both["rows"].tolist().index(row) for row in first["rows"].tolist()]
        assert torch.equal(first["images"], both["images"][places])
    parts = [list(evaluation(shard=Shard(rank, 2)).batches()) for rank in (0, 1)]
    assert sorted(row for part in parts for batch in part for row in batch["rows"].tolist()) == list(range(14))


@pytest.mark.parametrize(("cache", "reads"), [("ram", 14), ("disk", 14), ("none", 42)])
def test_a_cache_reads_each_image_once_and_changes_no_pixel(cache: str, reads: int, tmp_path: Path) -> None:
    reader = Reader()
    options = replace(OPTIONS, cache=cache, folder=tmp_path)
    loader = training(options, reader=reader)
    epochs = [list(loader.batches(epoch)) for epoch in range(3)]
    assert reader.count == reads
    assert_equal(list(training(replace(OPTIONS, cache="none")).batches(2)), epochs[2])
    assert len(list(tmp_path.iterdir())) == (cache == "disk")
    del loader
    assert not list(tmp_path.iterdir())


def test_each_batch_has_its_canvas_if_scales_vary() -> None:
    shapes = {
        tuple(batch["images"].shape[2:])
        for epoch in range(8)
        for batch in training(replace(OPTIONS, canvas=(96, 128), multi_scale=True)).batches(epoch)
    }
    assert shapes == {(64, 96), (96, 128), (128, 160)}


@pytest.mark.parametrize("canvas", [(32, 32), (320, 256), (256, 320), (640, 640), (64, 96)])
def test_canvases_are_multiples_of_32_within_a_quarter_of_the_given_one(canvas: tuple[int, int]) -> None:
    drawn = {batch_canvas(canvas, 1, 2, batch) for batch in range(60)}
    assert canvas in drawn
    for height, width in drawn:
        assert height % 32 == width % 32 == 0 < height
        assert 0.75 * max(canvas) <= max(height, width) <= 1.25 * max(canvas)
        assert abs(height / width - canvas[0] / canvas[1]) <= 0.3


def test_an_unreadable_image_is_replaced_in_training_and_left_out_in_evaluation() -> None:
    bad: list[str] = []
    rows = [
        row
        for batch in training(replace(OPTIONS, mosaic=1.0), reader=Reader(["5.png"]), bad=bad).batches()
        for row in batch["rows"].tolist()
    ]
    assert len(rows) == 14
    assert 5 not in rows
    assert bad == ["5.png: damaged"]
    bad.clear()
    loader = evaluation(reader=Reader(["5.png"]), on_bad=bad.append)
    assert sorted(row for batch in loader.batches() for row in batch["rows"].tolist()) == [*range(5), *range(6, 14)]
    assert bad == ["5.png: damaged"]
    assert loader.num_items == 13


@pytest.mark.parametrize("cache", ["ram", "none"])
def test_evaluation_shows_each_image_once_in_its_canvas(cache: str) -> None:
    batches = list(evaluation(cache=cache).batches())
    assert len(batches) == len(evaluation())
    assert sorted(row for batch in batches for row in batch["rows"].tolist()) == list(range(14))
    for batch in batches:
        assert batch["fits"].dtype == torch.int64
        for image, numbers, record, row in zip(
            batch["images"], batch["fits"], batch["records"], batch["rows"].tolist(), strict=True
        ):
            fit = Fit.from_numbers(numbers.tolist())
            assert record == RECORDS[row]
            assert fit.size == (record.height, record.width)
            np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), fit_image(Reader()(record), fit))
