"""The images of a detection task: parts, and batches that are equal however the images are kept."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from toys.painted import detection_task, painted_voc, photos_of, small_config, small_train

from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.describing import make_card
from dlcli.data.annotated.form import AnnotatedForm
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.datasets.annotated.importer import voc_importer
from dlcli.datasets.annotated.options import AnnotatedOptions
from dlcli.tasks.detection.source import box_sizes, detection_source


@pytest.fixture
def data(tmp_path):
    names = list(photos := photos_of(9))
    return painted_voc(tmp_path / "voc", photos, train=" ".join(names[:6]), test=" ".join(names[6:]))


def all_batches(task, split="train", *, training=True, epochs=2):
    loader = task.loader(split, training=training)
    return [batch for epoch in range(epochs) for batch in loader.batches(epoch)]


def assert_same(first, second):
    assert len(first) == len(second) > 0
    for one, other in zip(first, second, strict=True):
        assert set(one) == set(other)
        assert torch.equal(one["images"], other["images"])
        for name in ("boxes", "labels", "ignored"):
            for left, right in zip(one.get(name, ()), other.get(name, ()), strict=True):
                torch.testing.assert_close(left, right, rtol=0, atol=1e-3)  # boxes are stored to 1/100 pixel


def test_a_folder_as_it_is_gives_the_batches_of_the_prepared_data(data, tmp_path):
    importer = voc_importer(AnnotatedOptions())
    prepare_dataset(importer, data, tmp_path / "prepared", command="", force=False, report=lambda line: None)
    as_it_is, prepared = (detection_task(folder) for folder in (data, tmp_path / "prepared"))
    assert as_it_is.labels == prepared.labels
    for split, training in (("train", True), ("valid", False), ("test", False)):
        assert_same(*(all_batches(task, split, training=training) for task in (as_it_is, prepared)))


@pytest.mark.parametrize("side", [64, 32], ids=["kept whole", "kept smaller"])
@pytest.mark.parametrize("cache", ["disk", "none"])
def test_batches_do_not_depend_on_where_images_are_kept(data, cache, side):
    options = {"image_size": side, "mosaic": 0.5, "multi_scale": True}
    in_memory, other = (detection_task(data, cache=kind, **options) for kind in ("ram", cache))
    assert_same(all_batches(in_memory), all_batches(other))


def test_processes_that_read_give_the_same_batches(data):
    alone, shared = (detection_task(data, cache="none", train={"workers": count}) for count in (0, 1))
    assert_same(all_batches(alone), all_batches(shared))


def source_of(records, classes, **train):
    """Return a source of records whose files nobody reads."""
    images = {"train": tuple(records)}
    card = make_card(images, tuple(classes), "x", ())
    form = AnnotatedForm(root=None, card=card, images=images, is_prepared=True)
    return detection_source(form, tuple(classes), small_config(), small_train(**train))


def record(number, *labels, group=""):
    objects = tuple(Annotation(label, (0, 0, 9, 9), 81) for label in labels)
    return AnnotatedImage(f"{number}.jpg", 30, 40, objects, group=group)


def test_the_validation_part_has_a_share_of_the_rarest_classes():
    records = [record(number, 0, *([1] if number % 10 == 0 else [])) for number in range(100)]
    records += [record(number) for number in range(100, 120)]
    source = source_of(records, ("common", "rare"), val_fraction=0.2)
    chosen = [source.part("valid")[0][row] for row in source.part("valid")[1]]
    assert sum(1 in each.labels for each in chosen) == 2
    assert sum(each.labels == (0,) for each in chosen) == 18
    assert sum(not each.labels for each in chosen) == 4
    both = np.concatenate([source.part(split)[1] for split in ("train", "valid")])
    assert sorted(both) == list(range(120))


@pytest.mark.parametrize("folds", [{}, {"folds": "3", "fold": 2}], ids=["a part", "a fold"])
def test_images_of_a_group_are_never_parted(folds):
    records = [record(number, 0, group=f"film {number // 5}" if number < 50 else "") for number in range(60)]
    source = source_of(records, ("a",), val_fraction=0.3, **folds)
    parts = ("train", "valid", "test") if folds else ("train", "valid")
    groups = [{source.part(split)[0][row].group for row in source.part(split)[1]} - {""} for split in parts]
    assert all(groups)
    assert sum(map(len, groups)) == len(set.union(*groups)) == 10


def test_sizes_of_boxes_are_in_pixels_of_the_canvas_and_without_crowds():
    objects = (Annotation(0, (0, 0, 20, 10), 200), Annotation(0, (0, 0, 40, 30), 1200, is_crowd=True))
    image = AnnotatedImage("a.jpg", 30, 40, objects)
    source = source_of([image, dataclasses.replace(image, file="b.jpg", objects=())], ("a",), val_fraction=0.0)
    assert box_sizes(source, 64).tolist() == [[32.0, 16.0]]  # 64 / 40 of 20 and 10
