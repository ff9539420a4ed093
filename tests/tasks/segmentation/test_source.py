"""The truth of a pixel: from a file or from masks, in the run's classes, and never guessed where it cannot be read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys.annotated import voc_folder, voc_object
from toys.shapes import coco_shapes

from dlcli.core.errors import DataError
from dlcli.data.annotated.annotation import VOID
from dlcli.data.annotated.form import open_annotated
from dlcli.data.annotated.label_maps import MAX_CLASSES, draw_label_map_of
from dlcli.tasks.segmentation.source import ReadTruth, class_pixels, has_truth, require_classes, require_maps

SHAPE = (30, 40)


def flat(value: int, **rows: int) -> np.ndarray:
    """Return a label map of one value, with others in some rows: `flat(0, r5=1)`."""
    values = np.full(SHAPE, value, np.uint8)
    for name, other in rows.items():
        values[int(name[1:])] = other
    return values


def truth_of(source: Any) -> ReadTruth:
    return ReadTruth(source.form, tuple(source.to_run))


def test_a_file_is_read_in_the_classes_of_the_run(with_maps: Any, source_of: Any) -> None:
    form = with_maps({"a": flat(0, r5=1, r7=2, r9=VOID)})
    assert form.card.classes == ("car", "tree")
    [record] = form.of_split("train")
    for labels, expected in ((("car", "tree"), {5: 1, 7: 2}), (("tree", "bus", "car"), {5: 3, 7: 1})):
        found = truth_of(source_of(form, labels))(record)
        assert {row: found[row, 0] for row in expected} == expected
        assert (found[9] == VOID).all() and (found[[0, 6, 29]] == 0).all()


def test_without_files_the_masks_are_the_truth(tmp_path: Path, source_of: Any) -> None:
    form = open_annotated(coco_shapes(tmp_path / "shapes", {"train": 3}))
    turned = tuple(reversed(form.card.classes))
    source = source_of(form, turned)
    records, _ = source.part("train")
    for own, record in zip(form.of_split("train"), records, strict=True):
        plain = draw_label_map_of(own)
        assert set(np.unique(plain)) > {0}
        table = np.array([0, *(1 + turned.index(name) for name in form.card.classes)], np.uint8)
        assert np.array_equal(truth_of(source)(record), table[plain])


def test_where_some_images_have_a_file_those_without_say_nothing(with_maps: Any) -> None:
    form = with_maps({"a": flat(0, r5=1)})
    [record] = form.of_split("train")
    assert has_truth(form, record)
    assert not has_truth(form, dataclasses.replace(record, label_map=""))


def test_where_no_image_has_a_file_masks_are_enough(tmp_path: Path) -> None:
    form = open_annotated(coco_shapes(tmp_path / "shapes", {"train": 2}))
    require_maps(form)
    assert all(has_truth(form, record) for record in form.of_split("train"))


def test_boxes_alone_and_more_classes_than_a_byte_are_refused(tmp_path: Path, with_maps: Any) -> None:
    boxes = open_annotated(voc_folder(tmp_path / "boxes", {"a": [voc_object("cat", (1, 1, 9, 9))]}))
    with pytest.raises(DataError, match="no image has a mask or a label map") as caught:
        require_maps(boxes)
    assert "detection" in str(caught.value.hint)
    form = with_maps({"a": flat(1)})
    for count, is_refused in ((MAX_CLASSES, False), (MAX_CLASSES + 1, True)):
        card = dataclasses.replace(form.card, classes=tuple(f"c{number}" for number in range(count)))
        many = dataclasses.replace(form, card=card)
        if is_refused:
            with pytest.raises(DataError, match=f"{count} classes, and a label map holds {MAX_CLASSES}"):
                require_maps(many)
        else:
            require_maps(many)


@pytest.mark.parametrize("empty", [0, VOID])
def test_maps_that_show_no_class_cannot_be_learned_from(empty: int, with_maps: Any, source_of: Any) -> None:
    source = source_of(with_maps({"a": flat(empty), "b": flat(empty)}))
    with pytest.raises(DataError, match="no pixel of a training image shows a class") as caught:
        require_classes(source, truth_of(source))
    assert caught.value.details == ("2 label maps are background (0) or void (255) throughout",)


def test_one_pixel_of_one_image_is_enough(with_maps: Any, source_of: Any) -> None:
    values = flat(0)
    values[29, 39] = 2
    source = source_of(with_maps({"a": flat(VOID), "b": values}))
    require_classes(source, truth_of(source))


def break_map(form: Any, name: str, content: bytes) -> None:
    (form.root / "SegmentationClass" / f"{name}.png").write_bytes(content)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"hello"])
def test_a_map_that_broke_is_an_error_of_its_file_and_left_out_of_counts(
    content: bytes, with_maps: Any, source_of: Any
) -> None:
    form = with_maps({"a": flat(1), "b": flat(2, r0=0)})
    source = source_of(form)
    truth, (records, _) = truth_of(source), source.part("train")
    break_map(form, "a", content)
    with pytest.raises(DataError, match=r"a\.png"):
        truth(next(record for record in records if "a." in record.label_map))
    assert class_pixels(source, truth).tolist() == [[40, 0, 29 * 40]]
    require_classes(source, truth)
    break_map(form, "b", content)
    assert class_pixels(source, truth).shape == (0, 3)
    require_classes(source, truth)  # the loader reports them


def test_pixels_are_counted_by_class_without_void(with_maps: Any, source_of: Any) -> None:
    source = source_of(with_maps({"a": flat(0, r1=1, r2=1, r3=VOID), "b": flat(2)}))
    assert class_pixels(source, truth_of(source)).tolist() == [[27 * 40, 2 * 40, 0], [0, 0, 30 * 40]]
    turned = source_of(source.form, ("tree", "car"))
    assert class_pixels(turned, truth_of(turned)).tolist() == [[27 * 40, 0, 2 * 40], [0, 30 * 40, 0]]


def test_a_map_of_another_size_than_its_image_is_no_truth(with_maps: Callable[..., Any], source_of: Any) -> None:
    form = with_maps({"a": flat(1)})
    [record] = form.of_split("train")
    wider = dataclasses.replace(record, width=41)
    with pytest.raises(DataError, match="not of the size"):
        truth_of(source_of(form))(wider)
