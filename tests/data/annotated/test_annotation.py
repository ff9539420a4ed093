"""Which classes an annotated image shows."""

from __future__ import annotations

from dlcli.data.annotated.annotation import AnnotatedImage, Annotation


def test_labels_are_those_of_objects_and_tags_but_not_of_crowds() -> None:
    box = (0.0, 0.0, 1.0, 1.0)
    objects = (
        Annotation(4, box, 1),
        Annotation(2, box, 1, is_difficult=True),
        Annotation(4, box, 1),
        Annotation(7, box, 1, is_crowd=True),
    )
    assert AnnotatedImage("a.png", 1, 1, objects, tags=(3, 2)).labels == (2, 3, 4)
    assert AnnotatedImage("a.png", 1, 1).labels == ()
