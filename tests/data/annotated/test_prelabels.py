"""Answers as annotations: where each format has its files, frames and bytes as images, names that meet nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from toys.annotated import picture

from dlcli.data.annotated.annotation import Annotation
from dlcli.data.annotated.prelabels import FORMATS, PreLabels
from dlcli.data.codec import Source

SIZE = (30, 40)
CLASSES = ("cat", "狗")
OBJECT = Annotation(1, (2.0, 3.0, 12.0, 13.0), 100.0, extra={"score": 0.75})


def nothing(_path: Path) -> bool:
    return False


def saved(format: str, folder: Path, *sources: Source) -> set[str]:
    """Save one object in each source; return the names of the files."""
    labels = PreLabels(format, folder, CLASSES, nothing)
    for source in sources:
        labels.save(source, SIZE, [OBJECT])
    labels.close()
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


FILES = {
    "coco": {"images/a.jpg", "annotations/instances_predicted.json"},
    "labelme": {"a.jpg", "a.json"},
    "voc": {"JPEGImages/a.jpg", "Annotations/a.xml"},
    "yolo": {"images/a.jpg", "labels/a.txt", "data.yaml"},
}


@pytest.mark.parametrize("format", FORMATS)
def test_a_format_has_its_files_in_their_places_and_the_image_byte_for_byte(format: str, tmp_path: Path) -> None:
    path = picture(tmp_path / "in" / "a.jpg")
    names = saved(format, tmp_path / "out", Source(str(path), path))
    assert names == FILES[format]
    [copy] = [name for name in names if name.endswith(".jpg")]
    assert (tmp_path / "out" / copy).read_bytes() == path.read_bytes()


def test_yolo_names_its_classes_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg")
    saved("yolo", tmp_path / "out", Source(str(path), path))
    content = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text(encoding="utf-8"))
    assert content == {"train": "images", "val": "images", "nc": 2, "names": {0: "cat", 1: "狗"}}
    numbers = (tmp_path / "out" / "labels" / "a.txt").read_text().split()
    assert [float(number) for number in numbers] == pytest.approx([1, 7 / 40, 8 / 30, 10 / 40, 10 / 30], abs=1e-5)


def test_coco_keeps_the_score_and_counts_over_all_images(tmp_path: Path) -> None:
    sources = [Source(str(path), path) for path in (picture(tmp_path / "a.jpg"), picture(tmp_path / "b.png"))]
    saved("coco", tmp_path / "out", *sources)
    value = json.loads((tmp_path / "out" / "annotations" / "instances_predicted.json").read_text(encoding="utf-8"))
    assert [row["file_name"] for row in value["images"]] == ["images/a.jpg", "images/b.png"]
    assert [(row["id"], row["image_id"], row["score"]) for row in value["annotations"]] == [(1, 1, 0.75), (2, 2, 0.75)]
    assert [row["name"] for row in value["categories"]] == list(CLASSES)


def test_a_frame_becomes_a_jpeg_of_its_colours_named_by_film_and_number(tmp_path: Path) -> None:
    red = np.zeros((*SIZE, 3), np.uint8)
    red[..., 0] = 250
    names = saved("voc", tmp_path / "out", Source("films/walk.mp4#12", red, film="films/walk.mp4", time=0.5))
    assert names == {"JPEGImages/walk_12.jpg", "Annotations/walk_12.xml"}
    with Image.open(tmp_path / "out" / "JPEGImages" / "walk_12.jpg") as image:
        colour = np.asarray(image).reshape(-1, 3).mean(0)
    assert colour == pytest.approx([250, 0, 0], abs=5)


def test_bytes_and_strange_suffixes_get_the_suffix_of_their_format(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.upload", kind="PNG")
    names = saved("labelme", tmp_path / "out", Source(str(path), path), Source("standard input", path.read_bytes()))
    assert {name for name in names if name.endswith(".png")} == {"a.png", "standard_input.png"}


def test_equal_names_of_two_folders_do_not_meet(tmp_path: Path) -> None:
    paths = [picture(tmp_path / folder / "a.jpg", seed=seed) for seed, folder in enumerate("xy")]
    names = saved("voc", tmp_path / "out", *(Source(str(path), path) for path in paths))
    images = sorted(name for name in names if name.endswith(".jpg"))
    assert len(names) == 4 and len(images) == 2
    assert {(tmp_path / "out" / name).read_bytes() for name in images} == {path.read_bytes() for path in paths}


@pytest.mark.parametrize("taken", ["JPEGImages/a.jpg", "Annotations/a.xml"])
def test_an_input_in_the_same_folder_is_never_replaced(taken: str, tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg")
    labels = PreLabels("voc", tmp_path, CLASSES, lambda each: each == tmp_path / taken)
    labels.save(Source(str(path), path), SIZE, [OBJECT])
    assert not (tmp_path / taken).exists()
    assert len(list((tmp_path / "Annotations").iterdir())) == 1


def test_what_is_no_longer_an_image_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="upload: "):
        saved("yolo", tmp_path / "out", Source("upload", b"no image"))
