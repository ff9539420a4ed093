"""Files of a folder are inspected once: size, channels and digest of what decodes, the reason for what does not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli.datasets.images.inspecting import (
    Item,
    are_large,
    bad_notes,
    for_each,
    inspect,
    leak_notes,
    without_contradictions,
)


@pytest.fixture
def image(tmp_path):
    def write(name: str, value: int = 0, shape: tuple[int, ...] = (4, 6, 3)) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full(shape, value, np.uint8)).save(path, "PNG")
        return path

    return write


def test_what_decodes_is_described_and_the_rest_has_a_reason(image, tmp_path):
    good, grey, bad = image("a.png"), image("b.png", shape=(5, 5)), tmp_path / "c.png"
    bad.write_bytes(b"no image")
    images, faults = inspect([Item("train", label, path) for label, path in enumerate((good, bad, grey))])
    assert [(found.height, found.width, found.channels) for found in images] == [(4, 6, 3), (5, 5, 1)]
    assert images[0].sha256 == hashlib.sha256(good.read_bytes()).digest()
    [fault] = faults
    assert fault.item.path == bad and fault.reason
    assert bad_notes(faults, tmp_path)[1].startswith("skipped c.png: ")
    assert bad_notes([], tmp_path) == []


def test_an_image_in_two_classes_is_left_out_and_named(image, tmp_path):
    paths = [image("ant/1.png", 1), image("bee/1.png", 1), image("ant/2.png", 2), image("bee/3.png", 3)]
    images, _ = inspect([Item("train", label, path) for label, path in zip((0, 1, 0, 1), paths, strict=True)])
    kept, [note] = without_contradictions(images, ["ant", "bee"], tmp_path)
    assert [found.item.path for found in kept] == paths[2:]
    assert "1 image is in several classes" in note and "ant/1.png, in ant, bee" in note.replace("\\", "/")
    assert without_contradictions(kept, ["ant", "bee"], tmp_path) == (kept, [])


def test_copies_in_two_splits_are_a_leak(image):
    items = [Item("train", 0, image("a/1.png", 1)), Item("test", 0, image("b/1.png", 1))]
    images, _ = inspect([*items, Item("test", 0, image("b/2.png", 2))])
    [note] = leak_notes(images)
    assert "train" in note and "test" in note and "1 image" in note
    assert leak_notes(images[:1]) == []


def test_threads_for_large_files_keep_the_order(image, tmp_path):
    assert for_each(lambda a, b: a + b, range(50), range(50), are_large=True) == [2 * n for n in range(50)]
    large = tmp_path / "large"
    large.write_bytes(bytes(100_000))
    assert are_large([large]) and not are_large([image("small.png")])
