"""Copies within and between splits, and films cut by a split."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from dlcli.core.findings import OK, WARNING
from dlcli.data.annotated import leaks
from dlcli.data.annotated.annotation import AnnotatedImage
from dlcli.data.annotated.form import AnnotatedForm
from dlcli.data.annotated.leaks import examine_leaks
from dlcli.data.card import Card


def scene(seed, shift=0):
    """Return soft blobs, seen by a camera that has moved."""
    rough = np.random.default_rng(seed).integers(0, 255, (6, 12, 3), dtype=np.uint8)
    return Image.fromarray(cv2.resize(rough, (480, 240), interpolation=cv2.INTER_CUBIC)[:, shift : shift + 320])


@pytest.fixture
def form(tmp_path):
    """Return a function that makes a form of pictures by split and name."""

    def make(**splits):
        images = {}
        for split, pictures in splits.items():
            (tmp_path / "images" / split).mkdir(parents=True)
            for name, picture in pictures.items():
                picture.save(tmp_path / "images" / split / name, compress_level=0)
            images[split] = tuple(AnnotatedImage(f"images/{split}/{name}", 240, 320) for name in pictures)
        return AnnotatedForm(tmp_path, Card("annotated", "toy", ("cat",), {}), images, True)

    return make


def test_copies_across_and_within_splits_are_told_apart(form):
    found = list(
        examine_leaks(
            form(
                train={"a.png": scene(0), "b.png": scene(1), "c.png": scene(2), "d.png": scene(2)},
                test={"x.jpg": scene(0), "y.png": scene(3)},
            )
        )
    )
    assert [(finding.what, finding.state) for finding in found] == [
        ("copies across splits", WARNING),
        ("copies within a split", WARNING),
    ]
    assert found[0].found == "groups of copies in several splits: 1: train/a.png = test/x.jpg (look alike)"
    assert found[1].found == "groups of copies: 1: train/c.png = train/d.png (equal files)"
    assert "the same split" in found[0].fix


def test_no_copies(form):
    (finding,) = examine_leaks(form(train={"a.png": scene(0)}, test={"b.png": scene(1)}))
    assert (finding.what, finding.state, finding.found) == ("copies", OK, "none")


def test_unreadable_images_are_no_copies(form, tmp_path):
    made = form(train={"a.png": scene(0), "b.png": scene(1)})
    for name in ("a", "b"):
        (tmp_path / f"images/train/{name}.png").write_bytes(b"")
    assert [finding.found for finding in examine_leaks(made)] == ["none"]


def frames(make, numbers):
    return {f"clip_{number:04d}.png": make(number) for number in numbers}


def test_a_film_that_a_split_cuts_through(form):
    moving = lambda number: scene(0, 8 * number)  # noqa: E731
    made = form(train=frames(moving, range(14)), test=frames(moving, range(14, 20)))
    (film,) = [finding for finding in examine_leaks(made) if finding.what == "films"]
    assert film.found.startswith("clip_*: 20 images that look like frames of one film lie in test, train")


def test_a_film_in_one_split_and_numbered_photos_are_none(form):
    photos = frames(scene, range(100, 120))
    moving = {f"clip_{number}.png": scene(0, 8 * number) for number in range(12)}
    made = form(
        train={**{f"x{name}": each for name, each in list(photos.items())[:15]}, **moving},
        test={f"x{name}": each for name, each in list(photos.items())[15:]},
    )
    assert not [finding for finding in examine_leaks(made) if finding.what == "films"]


def test_too_many_images_are_not_compared(form, monkeypatch):
    monkeypatch.setattr(leaks, "MAX_COMPARED", 1)
    (finding,) = examine_leaks(form(train={"a.png": scene(0), "b.png": scene(0)}))
    assert "not looked for" in finding.found
