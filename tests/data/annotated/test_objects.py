"""Objects of an image: what is kept lies in the image, what is not is counted, and areas are the source's."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.data.annotated.annotation import Annotation
from dlcli.data.annotated.faults import KINDS, Faults
from dlcli.data.annotated.found import FoundObject
from dlcli.data.annotated.objects import Frame, check_objects
from dlcli.data.images.probing import ImageFile

CLASSES = ("cat", "dog")
LABEL_OF = {"cat": 0, "Cat": 0, "dog": 1}
SQUARE = [[10.0, 10.0, 20.0, 10.0, 20.0, 20.0, 10.0, 20.0]]


def frame(height: int = 40, width: int = 60, *, orientation: int = 1, is_stored: bool = False) -> Frame:
    return Frame(ImageFile(height, width, orientation, b"", ".jpg"), is_stored, "a.xml")


def checked(*objects: FoundObject, within: Frame | None = None) -> tuple[tuple[Annotation, ...], dict[str, int]]:
    faults = Faults()
    return check_objects(objects, within or frame(), LABEL_OF, CLASSES, faults), faults.counts


def test_every_box_is_kept_within_the_image_or_counted_once() -> None:
    random = np.random.default_rng(0)
    corners = random.uniform(-30, 90, (400, 4)).round(1).tolist()
    objects = [FoundObject("cat", tuple(each)) for each in corners]
    kept, counts = checked(*objects)
    assert len(kept) == 400 - sum(counts.get(kind, 0) for kind in ("box_outside", "box_small", "box_twice"))
    assert set(counts) <= set(KINDS) and counts["box_inverted"] > 100 < counts["box_cut"]
    for each in kept:
        left, top, right, bottom = each.box
        assert left >= 0 and top >= 0
        assert left + 1 <= right <= 60 and top + 1 <= bottom <= 40
        assert each.area == pytest.approx((right - left) * (bottom - top), abs=1e-3)


def test_sides_in_the_wrong_order_are_the_same_box() -> None:
    (right_way,), none = checked(FoundObject("dog", (3, 4, 20, 30)))
    (swapped,), counts = checked(FoundObject("dog", (20, 30, 3, 4)))
    assert swapped == right_way and not none and counts == {"box_inverted": 1}


def test_a_mask_alone_has_its_hull_as_box_and_its_own_area() -> None:
    triangle = [[10.0, 10.0, 20.0, 10.0, 10.0, 20.0]]
    (found,), counts = checked(FoundObject("cat", None, triangle))
    assert not counts and found.segmentation == triangle
    left, top, right, bottom = found.box
    assert (left, top) == (10, 10) and (right, bottom) == pytest.approx((20, 20), abs=1)
    assert 40 <= found.area <= 60


@pytest.mark.parametrize(
    ("area", "box", "expected"),
    [
        (50.0, (10, 10, 20, 20), 50.0),
        (100.5, (10, 10, 20, 20), 100.5),  # a box counted with both its edges
        (150.0, (10, 10, 20, 20), 100.0),  # more than the box
        (0, (10, 10, 20, 20), 100.0),
        (True, (10, 10, 20, 20), 100.0),
        ("50", (10, 10, 20, 20), 100.0),
        (float("nan"), (10, 10, 20, 20), 100.0),
        (50.0, (50, 30, 70, 50), 100.0),  # of the whole box, of which a quarter is in the image
    ],
)
def test_the_sources_area_counts_where_it_can_be_that_of_the_box(area, box, expected) -> None:
    (found,), _ = checked(FoundObject("cat", box, extra={"area": area, "pose": "Left"}))
    assert found.area == expected
    assert found.extra == {"pose": "Left"}


def test_a_mask_away_from_its_box_is_left_out_and_the_box_stays() -> None:
    (near,), _ = checked(FoundObject("cat", (8, 8, 18, 22), SQUARE))
    (away,), counts = checked(FoundObject("cat", (30, 10, 50, 30), SQUARE))
    assert near.segmentation == SQUARE
    assert (away.box, away.segmentation, away.area) == ((30, 10, 50, 30), None, 400)
    assert counts == {"mask_elsewhere": 1}


@pytest.mark.parametrize("box", [(0, 0, 0, 0), (10, 10, 10, 20), (-9, -9, -1, -1), (99, 10, 120, 20)])
def test_an_empty_box_beside_a_sound_mask_is_that_of_the_mask(box) -> None:
    (found,), counts = checked(FoundObject("cat", box, SQUARE, extra={"area": 90}))
    assert (found.box, found.segmentation, found.area) == ((10, 10, 20, 20), SQUARE, 90)
    assert counts == {"box_of_mask": 1}


def test_an_empty_box_beside_a_mask_of_less_than_a_pixel_is_left_out() -> None:
    sliver = [[10.0, 10.0, 20.0, 10.0, 20.0, 10.5, 10.0, 10.5]]
    kept, counts = checked(FoundObject("cat", (10, 10, 10, 10), sliver))
    assert not kept and counts == {"box_small": 1}


@pytest.mark.parametrize("masked_first", [True, False])
def test_of_equal_boxes_the_one_with_a_mask_is_kept(masked_first: bool) -> None:
    both = [FoundObject("cat", (10, 10, 20, 20), SQUARE), FoundObject("cat", (10, 10, 20, 20))]
    (found,), counts = checked(*both[:: 1 if masked_first else -1])
    assert found.segmentation == SQUARE and counts == {"box_twice": 1}


def test_names_are_classes_only_as_the_table_says() -> None:
    box = (1.0, 1.0, 9.0, 9.0)
    kept, counts = checked(FoundObject("Cat", box), FoundObject("cow", box), FoundObject("dog", box))
    assert [each.label for each in kept] == [0, 1]
    assert counts == {"class_merged": 1, "class_empty": 1}


@pytest.mark.parametrize(("orientation", "expected"), [(6, (30, 3, 36, 13)), (8, (4, 47, 10, 57))])
def test_what_was_annotated_as_stored_turns_with_the_image(orientation: int, expected: tuple[float, ...]) -> None:
    """A file of 60 x 40 pixels as stored, seen as 40 x 60; 6 turns it clockwise, 8 the other way."""
    within = frame(60, 40, orientation=orientation, is_stored=True)
    assert within.annotated_size == (40, 60)
    mask = [[3.0, 4.0, 13.0, 4.0, 13.0, 10.0, 3.0, 10.0]]
    (found,), counts = checked(FoundObject("cat", (3, 4, 13, 10), mask), within=within)
    assert found.box == expected and not counts
    xs, ys = found.segmentation[0][::2], found.segmentation[0][1::2]
    assert (min(xs), min(ys), max(xs), max(ys)) == expected
