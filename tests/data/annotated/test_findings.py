"""`dl doctor` on annotated images: each finding with its numbers, and none where nothing is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli.core.findings import FAULT, OK, WARNING
from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.findings import examine_annotated, examine_form
from dlcli.data.annotated.form import AnnotatedForm
from dlcli.data.card import Card


def boxed(label, *box, **more):
    return Annotation(label, tuple(map(float, box)), float((box[2] - box[0]) * (box[3] - box[1])), **more)


@pytest.fixture
def opened(tmp_path):
    """Return a function that makes a form of noise images, 320 x 240, with these objects by split and image."""

    def make(classes=("cat", "dog"), warnings=(), **splits):
        random = np.random.default_rng(0)
        images = {}
        for split, objects in splits.items():
            images[split] = []
            for at, each in enumerate(objects):
                file = f"images/{split}/{split}{at}.jpg"
                path = tmp_path / file
                path.parent.mkdir(parents=True, exist_ok=True)
                rough = Image.fromarray(random.integers(0, 255, (6, 8, 3), dtype=np.uint8))
                rough.resize((320, 240), Image.Resampling.BILINEAR).save(path)
                images[split].append(AnnotatedImage(file, 240, 320, tuple(each)))
        card = Card("annotated", "toy", tuple(classes), {split: {} for split in splits}, warnings=tuple(warnings))
        return AnnotatedForm(tmp_path, card, {split: tuple(found) for split, found in images.items()}, True)

    return make


def findings(form, what):
    return [finding for finding in examine_form(form) if finding.what == what]


PLENTY = [[boxed(0, 20, 20, 120, 120), boxed(1, 150, 20, 250, 120)]] * 10


def test_sound_data_have_no_warnings(opened):
    found = list(examine_form(opened(train=PLENTY, test=PLENTY[:2])))
    assert {finding.state for finding in found} == {OK}
    assert [finding.found for finding in found if finding.what in ("train", "copies")] == [
        "images: 10, objects: 20",
        "none",
    ]


def test_the_cards_warnings(opened):
    assert [each.found for each in findings(opened(train=PLENTY, warnings=("odd",)), "card")] == [
        "toy: 2 classes",
        "odd",
    ]


def test_classes_that_training_does_not_see_or_rarely(opened):
    form = opened(
        ("cat", "dog", "owl"), train=[[boxed(0, 0, 0, 99, 99), boxed(2, 0, 0, 50, 50, is_crowd=True)]] * 3, test=PLENTY
    )
    missing, rare = findings(form, "train classes")
    assert missing.found == "no objects of dog, owl"
    assert rare.found == "fewer than 10 objects of cat (3)"
    assert findings(form, "test classes")[0].found == "no objects of owl"


def test_tags_count_as_what_an_image_shows(opened, tmp_path):
    form = opened(train=[[]])
    tagged = AnnotatedForm(
        tmp_path, form.card, {"train": (AnnotatedImage("images/train/train0.jpg", 240, 320, tags=(0, 1)),)}, True
    )
    assert [finding.found for finding in findings(tagged, "train")] == ["images: 1, objects: 0"]
    assert "cat (1), dog (1)" in findings(tagged, "train classes")[0].found


@pytest.mark.parametrize(("num_empty", "state"), [(3, OK), (11, WARNING)])
def test_images_without_objects(opened, num_empty, state):
    (finding,) = findings(opened(train=[*PLENTY, *[[]] * num_empty]), "train")
    assert finding.state == state
    assert f"without any: {num_empty}, the first images/train/train10.jpg" in finding.found


def test_sizes_by_cocos_areas(opened):
    objects = [boxed(0, 0, 0, 31, 33), boxed(0, 0, 0, 32, 32), boxed(0, 0, 0, 95, 97), boxed(0, 0, 0, 96, 96)]
    shares, *thin = findings(opened(train=[objects]), "object sizes")
    assert shares.found.startswith("25% small, 50% medium, 25% large")
    assert not thin


def test_objects_too_thin_for_a_small_input(opened):
    thin = boxed(0, 100, 100, 150, 107.9)
    (_, few) = findings(opened(train=[*PLENTY, [thin]]), "object sizes")
    assert (few.state, few.found[:5]) == (OK, "4.8% ")
    (_, many) = findings(opened(train=[*PLENTY, [thin] * 3]), "object sizes")
    assert many.state == WARNING


@pytest.mark.parametrize(
    ("box", "text"),
    [
        ((0, 0, 210, 10), "over 20 times as long as wide: 1"),
        ((0, 0, 1.5, 10), "less than 2 pixels wide or high: 1"),
        ((0, 0, 320, 240), "as large as the image: 1"),
        ((0, 0, 200, 10), ""),
        ((0, 0, 2, 10), ""),
        ((0, 0, 320, 238), ""),
    ],
)
def test_suspicious_boxes(opened, box, text):
    found = [finding.found for finding in findings(opened(train=[*PLENTY, [boxed(0, *box)]]), "boxes")]
    assert found == ([f"{text}, the first in images/train/train10.jpg"] if text else [])


def test_boxes_of_one_class_that_cover_the_same(opened):
    """IoU of (0, 0, 100, 100) with (0, 0, 100, 81) is 0.81, with (0, 0, 100, 80) 0.8."""
    base = boxed(0, 0, 0, 100, 100)
    others = [
        boxed(0, 0, 0, 100, 81),
        boxed(0, 0, 0, 100, 80),
        boxed(1, 0, 0, 100, 100),
        boxed(0, 0, 0, 100, 100, is_crowd=True),
    ]
    (finding,) = findings(opened(train=[[base, other] for other in others]), "boxes")
    assert finding.found == "pairs of one class with an IoU above 0.8: 1, the first in images/train/train0.jpg"


def test_unreadable_and_changed_files_are_faults(opened, tmp_path):
    form = opened(train=PLENTY)
    (tmp_path / "images/train/train0.jpg").write_bytes(b"")
    Image.new("RGB", (10, 10)).save(tmp_path / "images/train/train1.jpg")
    (finding,) = findings(form, "train files")
    assert (finding.state, finding.found[:24]) == (FAULT, "unreadable or changed: 2")


@pytest.mark.slow
def test_real_data_with_known_copies():
    root = os.environ.get("DLCLI_DATA")
    if not root or not (Path(root) / "raccoon").is_dir():
        pytest.skip("DLCLI_DATA has no raccoon")
    found = list(examine_annotated(Path(root) / "raccoon"))
    (copies,) = [finding for finding in found if finding.what.startswith("copies")]
    assert copies.found.startswith("groups of copies: 5: ")
    assert not any(finding.what == "films" for finding in found)
