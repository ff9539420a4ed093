"""Images by class as a collection: the same near-duplicates from a packed copy and from files."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dlcli.data.annotated.collection import collect_annotated
from dlcli.data.domains.collection import collect_domains
from dlcli.data.images.collection import collect_images


def scene(seed, side=32):
    noise = np.random.default_rng(seed).random((8, 8, 3)).astype(np.float32)
    return (cv2.resize(noise, (side, side)) * 255).astype(np.uint8)


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


def found(collection):
    pairs = collection.near_duplicates()
    return [
        {collection.item(int(number)).name for number in pair} for pair in zip(pairs.first, pairs.second, strict=True)
    ]


@pytest.mark.parametrize("side", [32, 200])
def test_a_copy_in_another_split_and_class_is_found_at_any_size(tmp_path, side):
    for number in range(12):
        write(tmp_path / "train" / ("cat", "dog")[number % 2] / f"{number}.png", scene(number, side))
    write(tmp_path / "test" / "dog" / "copy.png", scene(4, side) // 2)
    collection = collect_images(tmp_path)
    assert found(collection) == [{"train/cat/4.png", "test/dog/copy.png"}]
    assert [collection.splits[split] for split in collection.split_of] == ["train"] * 12 + ["test"]
    assert collection.labels.tolist() == [0] * 6 + [1] * 7
    assert collection.item(12).label == "dog"
    np.testing.assert_array_equal(collection.picture(12), cv2.cvtColor(scene(4, side) // 2, cv2.COLOR_BGR2RGB))


def test_a_copy_in_the_other_domain_is_found(tmp_path):
    for place, seeds in (("trainA", (0, 1)), ("trainB", (2, 1)), ("testA", (3,)), ("testB", (4,))):
        for seed in seeds:
            write(tmp_path / place / f"{seed}.png", scene(seed, 64))
    collection = collect_domains(tmp_path)
    assert found(collection) == [{"trainA/1.png", "trainB/1.png"}]
    assert collection.labels.tolist() == [0, 0, 1, 1, 0, 1]


def test_annotated_images_have_the_classes_that_they_show(tmp_path):
    boxes = {"a": ["cat 1 1 9 9"], "b": ["dog 1 1 9 9", "cat 2 2 8 8"], "c": []}
    for seed, (name, objects) in enumerate(boxes.items()):
        write(tmp_path / "images" / f"{name}.jpg", scene(seed % 2, 64))
        lines = [
            f"<object><name>{label}</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin><xmax>{r}</xmax><ymax>{b}</ymax>"
            "</bndbox></object>"
            for label, x, y, r, b in map(str.split, objects)
        ]
        size = "<size><width>64</width><height>64</height><depth>3</depth></size>"
        text = f"<annotation><filename>{name}.jpg</filename>{size}{''.join(lines)}</annotation>"
        (tmp_path / "annotations").mkdir(exist_ok=True)
        (tmp_path / "annotations" / f"{name}.xml").write_text(text)
    collection = collect_annotated(tmp_path)
    assert [collection.item(number).label for number in range(3)] == ["cat", "cat, dog", ""]
    assert len(set(collection.labels.tolist())) == 3
    assert found(collection) == [{"images/a.jpg", "images/c.jpg"}]
