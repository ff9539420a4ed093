"""How far two answers to an image are apart, and which differences count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcli.answering.agreement import SIZES, Agreement, _compare, some_images
from dlcli.data.annotated.masks import from_pixels


def compared(one: list[dict[str, Any]], other: list[dict[str, Any]], listed: str, pixels: float = 1.0) -> Agreement:
    found = Agreement()
    _compare(found, "10 x 10", {listed: one}, {listed: other}, listed, pixels)
    return found


def top(*pairs: tuple[str, float]) -> list[dict[str, Any]]:
    return [{"label": label, "probability": value} for label, value in pairs]


def thing(score: float, *box: float, label: str = "thing") -> dict[str, Any]:
    return {"label": label, "score": score, "box": list(box)}


def test_equal_answers_agree() -> None:
    found = compared(top(("cat", 0.9), ("dog", 0.1)), top(("cat", 0.895), ("dog", 0.105)), "top")
    assert found.faults == [] and found.values == pytest.approx(0.005) and "0.005" in found.said


def test_another_probability_or_class_is_a_fault() -> None:
    assert compared(top(("cat", 0.9), ("dog", 0.1)), top(("cat", 0.8), ("dog", 0.2)), "top").faults
    assert compared(top(("cat", 0.51), ("dog", 0.49)), top(("dog", 0.505), ("cat", 0.495)), "top").faults == []


def test_a_list_of_the_best_may_end_with_another() -> None:
    assert compared(top(("a", 0.8), ("b", 0.1)), top(("a", 0.8), ("c", 0.1)), "top").faults == []
    assert compared(top(("a", 0.6), ("b", 0.3)), top(("a", 0.6), ("c", 0.1)), "top").faults


def test_shares_of_classes_are_compared_also_of_those_that_one_lacks() -> None:
    one = [{"label": "sky", "share": 0.5}, {"label": "sea", "share": 0.01}]
    assert compared(one, [{"label": "sky", "share": 0.51}], "classes").faults == []
    assert compared(one, [{"label": "sea", "share": 0.01}], "classes").faults


def areas(label_map: np.ndarray) -> list[dict[str, Any]]:
    """The classes of a label map as the records have them."""
    return [
        {"label": label, "share": float((label_map == k).mean()), "mask": from_pixels(label_map == k)}
        for k, label in ((1, "sky"), (2, "sea"))
        if (label_map == k).any()
    ]


def test_label_maps_are_compared_pixel_by_pixel() -> None:
    label_map = np.zeros((20, 30), np.uint8)
    label_map[:, :6], label_map[5:15, 20:] = 1, 2
    barely = label_map.copy()
    barely[0, :6], barely[0, 6:12] = 2, 1  # 12 of 600 pixels: as many as may differ
    found = compared(areas(label_map), areas(barely), "classes")
    assert found.faults == [] and found.unequal == pytest.approx(0.02) and found.figures["unequal_pixels"] == 0.02
    barely[0, 12] = 1
    assert compared(areas(label_map), areas(barely), "classes").faults == [
        "10 x 10: 2.2% of the pixels have another class; tolerance 2%"
    ]


@pytest.mark.parametrize("change", [np.fliplr, np.flipud, lambda label_map: np.roll(label_map, 3, axis=1)])
def test_a_label_map_that_is_mirrored_or_moved_is_a_fault_although_its_shares_are_equal(change: Any) -> None:
    label_map = np.zeros((20, 30), np.uint8)
    label_map[:, :6], label_map[:10, 20:] = 1, 2
    one, other = areas(label_map), areas(change(label_map))
    assert [entry["share"] for entry in one] == [entry["share"] for entry in other]
    assert any("of the pixels have another class" in fault for fault in compared(one, other, "classes").faults)


def test_label_maps_of_which_one_is_empty_or_of_another_size_do_not_agree() -> None:
    label_map = np.ones((20, 30), np.uint8)
    assert any("100.0% of the pixels" in fault for fault in compared(areas(label_map), [], "classes").faults)
    found = compared(areas(label_map), areas(label_map[:, :20]), "classes")
    assert found.faults == ["10 x 10: the label maps have different sizes"]


def test_objects_are_matched_by_class_and_box() -> None:
    one = [thing(0.9, 1, 2, 30, 40), thing(0.5, 50, 50, 60, 60), thing(0.4, 5, 5, 9, 9, label="other")]
    other = [thing(0.4, 5, 5, 9, 9, label="other"), thing(0.89, 1.2, 2, 30, 40.3), thing(0.5, 50, 50, 60, 60)]
    found = compared(one, other, "objects")
    assert found.faults == [] and found.num_objects == 6
    assert found.boxes == pytest.approx(0.3) and found.values == pytest.approx(0.01)
    assert set(found.figures) == {"max_difference", "max_pixels", "objects"}


def test_a_missing_or_moved_object_is_a_fault_unless_it_is_barely_shown() -> None:
    sure, faint = thing(0.9, 1, 2, 30, 40), thing(0.301, 50, 50, 60, 60)
    assert compared([sure, faint], [sure], "objects").faults == []
    assert compared([sure, faint], [faint], "objects").faults
    moved = compared([sure, faint], [thing(0.9, 2, 2, 30, 40), faint], "objects")
    assert any("1.0 px" in fault for fault in moved.faults)
    assert compared([sure, faint], [thing(0.9, 2, 2, 30, 40), faint], "objects", pixels=4).faults == []


def test_without_data_images_are_made_up_in_the_channels_of_the_run() -> None:
    task: Any = type("NoData", (), {"card": None})()
    for channels in (1, 3):
        images, are_real = some_images(task, {"channels": channels})
        assert not are_real and len(images) == len(SIZES)
        assert all(image.dtype == np.uint8 and image.shape[2] == channels for image in images)
        assert [image.shape[:2] for image in images[1:]] == list(SIZES[1:])
