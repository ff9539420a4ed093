"""Annotated images as a task sees them: in the run's classes, cut by their rarest class, unreadable ones left out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys.annotated import copied_pictures
from toys.shapes import CLASSES, coco_shapes

from dlcli.core.errors import DataError
from dlcli.core.train_config import TrainConfig
from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.form import AnnotatedForm, open_annotated
from dlcli.data.annotated.preprocess import CanvasPreprocess
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.data.order import Shard
from dlcli.datasets.annotated.importer import voc_importer
from dlcli.datasets.annotated.options import AnnotatedOptions
from dlcli.tasks.annotated.source import EVAL_BATCH, AnnotatedSource, group_numbers, rarest_classes, relabelled

TURNED = ("blue", "yellow", "red", "green")
"""A run's classes: those of the data in another order, and one that the data does not have."""

BOX = (1.0, 2.0, 5.0, 6.0)


def image(*labels: int, tags: tuple[int, ...] = (), **more: Any) -> AnnotatedImage:
    objects = tuple(Annotation(label, BOX, 16.0) for label in labels)
    return AnnotatedImage(more.pop("file", "a.png"), 10, 20, objects, tags=tags, **more)


@pytest.fixture
def form(tmp_path: Path) -> AnnotatedForm:
    return open_annotated(coco_shapes(tmp_path / "shapes", {"train": 12, "test": 5}))


def opened(form: AnnotatedForm, labels: tuple[str, ...] | None = None, **options: Any) -> AnnotatedSource:
    own = {name: options.pop(name) for name in ("cache", "max_bad", "is_usable") if name in options}
    train = TrainConfig(**{"val_fraction": 0.25, "workers": 0, "batch_size": 4, **options})
    return AnnotatedSource(form, labels or form.card.classes, train, **own)


def break_files(form: AnnotatedForm, split: str, count: int) -> list[str]:
    """Empty the first files of a split; return their names."""
    files = [record.file for record in form.of_split(split)[:count]]
    for name in files:
        (form.root / name).write_bytes(b"")
    return files


def test_objects_and_tags_are_renumbered_and_all_else_stays() -> None:
    before = image(0, 2, tags=(1,), group="g")
    after = relabelled(before, np.array([3, 0, 2]))
    assert [each.label for each in after.objects] == [3, 2]
    assert after.tags == (0,)
    back = relabelled(after, [1, 9, 2, 0])
    assert back == before
    assert all(type(each.label) is int for each in after.objects), "a label of numpy is no label of JSON"


def test_records_are_in_the_classes_of_the_run(form: AnnotatedForm) -> None:
    plain, turned = opened(form), opened(form, TURNED)
    for own, other in zip(plain.part("train")[0], turned.part("train")[0], strict=True):
        assert [CLASSES[each.label] for each in own.objects] == [TURNED[each.label] for each in other.objects]
        assert [each.box for each in own.objects] == [each.box for each in other.objects]


def test_a_class_that_the_run_does_not_know_is_refused(form: AnnotatedForm) -> None:
    with pytest.raises(DataError, match="'blue'"):
        opened(form, ("red", "green"))


@given(st.lists(st.lists(st.integers(0, 4), max_size=5), max_size=12))
def test_the_rarest_class_of_an_image_is_one_that_it_shows_and_none_is_rarer(shown: list[list[int]]) -> None:
    records = [image(*labels) for labels in shown]
    counts = np.bincount([label for record in records for label in record.labels], minlength=5)
    found = rarest_classes(records, 5)
    assert found.shape == (len(records),) and found.dtype == np.int64
    for record, rarest in zip(records, found.tolist(), strict=True):
        if not record.labels:
            assert rarest == 5
            continue
        assert rarest in record.labels
        assert counts[rarest] == min(counts[label] for label in record.labels)


def test_images_of_a_group_have_its_number_and_others_one_of_their_own() -> None:
    records = [image(group=name) for name in ("b", "", "a", "b", "", "0")]
    numbers = group_numbers(records)
    assert numbers[0] == numbers[3]
    assert len(set(numbers.tolist())) == 5
    assert group_numbers([]).shape == (0,)


def test_training_and_validation_share_no_image_and_hold_all(form: AnnotatedForm) -> None:
    source = opened(form)
    (_, train), (_, valid) = source.part("train"), source.part("valid")
    assert sorted([*train.tolist(), *valid.tolist()]) == list(range(12))
    assert 3 <= len(valid) <= 5  # a quarter of each class, rounded
    assert opened(form).part("valid")[1].tolist() == valid.tolist()
    assert len(source.part("test")[1]) == 5


def test_images_of_one_group_stay_on_one_side(form: AnnotatedForm) -> None:
    grouped = [dataclasses.replace(each, group=f"film {row // 4}") for row, each in enumerate(form.of_split("train"))]
    source = opened(form)
    source._records["train"] = grouped
    sides = [{grouped[row].group for row in source.part(split)[1].tolist()} for split in ("train", "valid")]
    assert sides[0] and sides[1] and not sides[0] & sides[1]


@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize("options", [{}, {"val_fold": "1/4"}, {"folds": "4", "fold": 1}, {"folds": "0.3", "fold": 1}])
def test_copies_stay_on_one_side(options: dict[str, Any], prepared: bool, tmp_path: Path) -> None:
    folder = copied_pictures(tmp_path / "source", 12)
    if prepared:
        importer = voc_importer(AnnotatedOptions())
        prepare_dataset(importer, folder, tmp_path / "data", command="x", force=False, report=lambda line: None)
        folder = tmp_path / "data"
    source = opened(open_annotated(folder), **options)
    shown = []
    for split in ("train", "valid", "test") if prepared or "fold" in options else ("train", "valid"):
        records, indices = source.part(split)
        shown.append([Path(records[row].file).stem[1:] for row in indices.tolist()])
    names = [set(each) for each in shown]
    assert sum(map(len, shown)) == 36 and all(names)
    assert len(set.union(*names)) == sum(map(len, names)) == 12


def test_images_without_what_the_task_learns_from_are_left_out(form: AnnotatedForm) -> None:
    one = opened(form, is_usable=lambda record: len(record.objects) == 1)
    records, _ = one.part("test")
    assert records and all(len(record.objects) == 1 for record in records)
    assert len(records) < len(form.of_split("test"))


@pytest.mark.parametrize("workers", [None, 0])
def test_evaluation_shows_each_image_once_and_shards_share_them(workers: int | None, form: AnnotatedForm) -> None:
    source, preprocess = opened(form, workers=workers), CanvasPreprocess(64, None, (0.5,) * 3, (0.2,) * 3)
    whole = [record.file for batch in source.evaluation("test", preprocess).batches() for record in batch["records"]]
    assert sorted(whole) == sorted(record.file for record in form.of_split("test"))
    shards = [
        [r.file for batch in source.evaluation("test", preprocess, Shard(rank, 2)).batches() for r in batch["records"]]
        for rank in range(2)
    ]
    assert sorted([*shards[0], *shards[1]]) == sorted(whole)
    assert abs(len(shards[0]) - len(shards[1])) <= 1


@pytest.mark.parametrize(("batch_size", "most"), [(1, 2), (4, 8), (500, EVAL_BATCH)])
def test_batches_of_evaluation_are_bounded(batch_size: int, most: int, form: AnnotatedForm) -> None:
    source = opened(form, batch_size=batch_size, val_fraction=0.0)
    loader = source.evaluation("train", CanvasPreprocess(64, (64, 64), (0.5,) * 3, (0.2,) * 3))
    assert max(len(batch["records"]) for batch in loader.batches()) == min(most, 12)


def test_some_images_are_spread_over_the_part_and_unreadable_ones_left_out(form: AnnotatedForm) -> None:
    source = opened(form)
    records, indices = source.part("test")
    found = source.some("test", 3)
    assert [record.file for _, record in found] == [records[indices[place]].file for place in (0, 2, 4)]
    assert all(pixels.shape == (record.height, record.width, 3) for pixels, record in found)
    assert len(source.some("test", 99)) == 5
    assert source.some("no-such-part", 3) == []
    broken = break_files(form, "test", 1)
    assert [record.file for _, record in source.some("test", 99)] == [
        record.file for record in records if record.file not in broken
    ]


def test_readable_images_are_those_of_test_and_none_is_an_error(form: AnnotatedForm, tmp_path: Path) -> None:
    shapes = {tuple(each.shape[:2]) for each in opened(form).readable(5)}
    assert shapes == {(record.height, record.width) for record in form.of_split("test")}
    alone = open_annotated(coco_shapes(tmp_path / "alone", {"train": 2}))
    assert len(opened(alone).readable(9)) == 2
    break_files(form, "test", 5)
    with pytest.raises(DataError, match="no image of test can be read"):
        opened(form).readable(3)


def test_items_have_their_file_their_classes_and_their_pixels(form: AnnotatedForm) -> None:
    source = opened(form, TURNED)
    records, _ = source.part("test")
    for row, item in zip((4, 1), source.items("test", (4, 1)), strict=True):
        names = sorted({each.label for each in records[row].objects})
        assert (item.name, item.label) == (records[row].file, ", ".join(TURNED[label] for label in names))
    break_files(form, "test", 1)
    with pytest.raises(DataError):
        source.items("test", [0])


def test_files_that_cannot_be_read_stand_on_the_card_once(form: AnnotatedForm) -> None:
    source = opened(form, max_bad=9, val_fraction=0.0)
    assert source.card.warnings == form.card.warnings
    broken = break_files(form, "test", 2)
    loader = source.evaluation("test", CanvasPreprocess(64, (64, 64), (0.5,) * 3, (0.2,) * 3))
    for _ in range(2):
        assert sum(len(batch["records"]) for batch in loader.batches()) == 3
    notes = [note for note in source.card.warnings if note not in form.card.warnings]
    assert len(notes) == 3 and "2 images" in notes[0]
    assert all(any(Path(name).name in note for note in notes[1:]) for name in broken)
