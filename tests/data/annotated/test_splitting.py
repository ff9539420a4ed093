"""The test part of annotated images: each class has some, copies and groups stay together, the seed decides."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from toys.annotated import picture

from dlcli.data.annotated import splitting
from dlcli.data.annotated.annotation import AnnotatedImage, Annotation
from dlcli.data.annotated.checking import Checked
from dlcli.data.annotated.splitting import choose_part, copies_of, with_copies_grouped, with_test_part
from dlcli.data.images.probing import ImageFile


def image(name, *labels, group=""):
    objects = tuple(Annotation(label, (0.0, 0.0, 9.0, 9.0), 81.0) for label in labels)
    return AnnotatedImage(name, 30, 40, objects, group=group)


def checked(content=None, **splits):
    files = {
        each.file: ImageFile(30, 40, 1, (content or {}).get(each.file, each.file).encode(), ".jpg")
        for images in splits.values()
        for each in images
    }
    images = {"" if split == "loose" else split: tuple(found) for split, found in splits.items()}
    return Checked(images, ("cat", "dog"), (), (), files)


def names(of):
    return {split: [image.file for image in images] for split, images in of.images.items()}


def test_each_class_has_its_fraction_by_the_rarest_of_an_image():
    images = [image(f"{at}", 0) for at in range(50)] + [image(f"d{at}", 0, 1) for at in range(10)]
    images += [image(f"e{at}") for at in range(20)]
    is_part = choose_part(images, [each.file.encode() for each in images], 0.2, 0)
    assert Counter(each.labels for each, chosen in zip(images, is_part, strict=True) if chosen) == {
        (0,): 10,
        (0, 1): 2,
        (): 4,
    }


@pytest.mark.parametrize("seed", range(5))
def test_groups_and_copies_are_never_cut(seed):
    random = np.random.default_rng(seed)
    images = [image(f"{at}", int(random.integers(2)), group=f"film {at % 9}" if at % 3 else "") for at in range(60)]
    digests = [f"{random.integers(40)}".encode() for _ in images]
    is_part = choose_part(images, digests, 0.3, seed)
    assert 0 < is_part.sum() < 60
    for keys in ([each.group for each in images], digests):
        sides = {}
        for key, chosen in zip(keys, is_part.tolist(), strict=True):
            if key:
                sides.setdefault(key, set()).add(chosen)
        assert all(len(side) == 1 for side in sides.values())


def test_copies_and_their_groups_become_one_group():
    images = [image(str(at), 0, group=group) for at, group in enumerate(("", "x", "y", "", "", "copies 1", "z", ""))]
    found = with_copies_grouped(images, [0, 1, 1, 2, 2, 3, 4, 5])
    assert [each.group for each in found] == ["", "x", "x", "copies 2", "copies 2", "copies 1", "z", ""]
    assert [each.file for each in found] == [each.file for each in images]


def test_copies_in_several_splits_of_the_source_have_one_group(tmp_path):
    one, other = (picture(tmp_path / f"{folder}/1.png") for folder in "ab")
    third = picture(tmp_path / "2.png")
    given = checked(train=[image(str(one), 0)], test=[image(str(other), 0), image(str(third), 0)])
    groups = [each.group for of in with_test_part(given, 0.5, 0).images.values() for each in of]
    assert groups == ["copies 1", "copies 1", ""]


def test_many_copies_are_known_by_their_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(splitting, "MAX_COMPARED", 1)
    one, other = (picture(tmp_path / f"{folder}/1.png") for folder in "ab")
    keys = copies_of([one, tmp_path / "none.png", other, picture(tmp_path / "2.png"), tmp_path / "gone.png"])
    assert keys[0] == keys[2] and len(set(keys)) == 4


def test_the_seed_decides():
    images = [image(f"{at}", 0) for at in range(40)]
    parts = [names(with_test_part(checked(loose=images), 0.25, seed)) for seed in (1, 1, 2)]
    assert parts[0] == parts[1] != parts[2]
    assert sorted(parts[0]["train"] + parts[0]["test"]) == sorted(each.file for each in images)
    assert len(parts[0]["test"]) == 10 and list(parts[0]) == ["train", "test"]


def test_splits_of_the_source_stay():
    given = checked(train=[image("a", 0)], valid=[image("b", 0)], test=[image("c", 0)])
    assert names(with_test_part(given, 0.5, 0)) == names(given)
    assert with_test_part(given, 0.5, 0).notes == ()


def test_validation_alone_becomes_the_test_split():
    given = checked(train=[image("a", 0)], valid=[image("b", 0)])
    changed = with_test_part(given, 0.5, 0)
    assert names(changed) == {"train": ["a"], "test": ["b"]} and "used as the test split" in changed.notes[0]


def test_a_single_split_is_divided_unless_it_is_for_testing():
    images = [image(f"{at}", 0) for at in range(10)]
    divided = with_test_part(checked(valid=images), 0.3, 0)
    assert {split: len(of) for split, of in divided.images.items()} == {"train": 7, "test": 3}
    assert divided.notes == ("valid is the only split: it is divided into train and test",)
    assert names(with_test_part(checked(test=images), 0.3, 0)) == names(checked(test=images))


def test_images_in_no_split_join_the_training_ones():
    changed = with_test_part(checked(test=[image("a", 0)], loose=[image("b", 0)]), 0.5, 0)
    assert names(changed) == {"train": ["b"], "test": ["a"]} and changed.notes == ("1 images in no split are in train",)


def test_copies_in_two_splits_are_a_leak():
    given = checked({"b": "a"}, train=[image("a", 0)], test=[image("b", 0), image("c", 0)])
    assert with_test_part(given, 0.5, 0).notes == ("leak: 1 image is in both train and test",)
