"""`data.yaml`: names as people write them, and no value that turns into something else."""

from __future__ import annotations

import pytest

from dlcli.core.errors import DataError
from dlcli.data.annotated.formats.yolo_yaml import find_yaml, read_class_file, read_yaml


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: [cat, dog]", ("cat", "dog")),
        ("names:\n  0: cat\n  1: dog", ("cat", "dog")),
        ("names: {1: dog, 0: cat}", ("cat", "dog")),
        ("names: {0: cat, 2: dog}", ("cat", "", "dog")),
        ("names: [no, yes, 010, 1.0]", ("no", "yes", "010", "1.0")),
        ("nc: 2", ("0", "1")),
        ("train: images", ()),
        ("names: ['猫', \"a: b\"]", ("猫", "a: b")),
    ],
)
def test_names(put, text, names):
    assert read_yaml(put("data.yaml", text)).names == names


def test_nc_that_differs_is_noted(put):
    assert "nc is 3" in read_yaml(put("data.yaml", "nc: 3\nnames: [cat, dog]")).notes[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("names: [cat, cat]", "occurs twice"),
        ("names: cat", "neither a list"),
        ("names: [[cat]]", "neither a list"),
        ("names: {a: cat}", "no index"),
        ("names: {99999999999: cat}", "no index"),
        ("names: [cat", "line [12]"),
        ("a: b: c", "line 1"),
        ("something: else", "none of names"),
        ("- a", "none of names"),
        ("train: {a: b}", "neither a path"),
        ("names: [cat]\ntrain: [[a]]", "neither a path"),
        ("[" * 900_000, "line 1|not YAML"),
        (b"names: \xff", "not UTF-8"),
    ],
)
def test_what_is_refused(put, text, message):
    with pytest.raises(DataError, match=message) as caught:
        read_yaml(put("data.yaml", text))
    assert "data.yaml" in caught.value.message


def test_a_tag_runs_no_code(put, tmp_path):
    path = put("data.yaml", f"names: !!python/object/apply:os.mkdir ['{tmp_path}/made']\ntrain: images")
    assert read_yaml(path).names == (f"{tmp_path}/made",)
    assert not (tmp_path / "made").exists()


def test_the_only_yaml_file_of_a_folder(put, tmp_path):
    first = put("coco.yaml", "names: [a]")
    assert find_yaml(tmp_path) == first
    put("other.yaml", "names: [a]")
    assert find_yaml(tmp_path) is None
    assert find_yaml(tmp_path / "missing") is None
    data = put("data.yaml", "names: [a]")
    assert find_yaml(tmp_path) == data


def test_darknets_names(put, tmp_path):
    assert read_class_file(tmp_path) is None
    put("obj.names", "cat\r\ndog\r\n")
    assert read_class_file(tmp_path).names == ("cat", "dog")
