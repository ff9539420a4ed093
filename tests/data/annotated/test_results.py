"""Answers as COCO's results: ids that belong together, and files that pycocotools reads."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from toys.annotated import picture, voc_folder, voc_object

from dlcli.data.annotated.answers import ImageDetections
from dlcli.data.annotated.describing import annotations_file
from dlcli.data.annotated.masks import from_pixels, to_pixels
from dlcli.data.annotated.results import CocoResults
from dlcli.data.codec import Source
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.datasets.annotated.importer import voc_importer
from dlcli.datasets.annotated.options import AnnotatedOptions

SIZE = (30, 40)


def found(*rows: tuple[float, ...], masks: Any = None) -> ImageDetections:
    """Return detections: left, top, right, bottom, score, label."""
    table = np.array(rows, float).reshape(-1, 6)
    return ImageDetections(table[:, :4], table[:, 4], table[:, 5].astype(np.int64), masks)


def written(folder: Path, classes: tuple[str, ...], answers: list[tuple[Any, ImageDetections]]) -> tuple[Any, Any]:
    folder.mkdir()
    results = CocoResults(folder, classes)
    for value, detections in answers:
        results.save(Source(str(value), value), SIZE, detections)
    results.close()
    return (json.loads((folder / name).read_text()) for name in ("results.json", "images.json"))


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """Prepared VOC data of three images in train and one in test; its classes are cat and dog."""
    objects = {str(name): [voc_object(label, (1, 1, 9, 9))] for name, label in enumerate(("dog", "cat", "cat", "dog"))}
    source = voc_folder(tmp_path / "voc", objects, lists={"Main/train": "0 1 2", "Main/test": "3"})
    target = tmp_path / "data"
    prepare_dataset(voc_importer(AnnotatedOptions()), source, target, command="", force=False, report=lambda line: None)
    return target


def test_without_prepared_data_images_and_classes_are_counted_from_1(tmp_path: Path) -> None:
    paths = [picture(tmp_path / "b.jpg"), picture(tmp_path / "a.jpg")]
    answers = [(paths[0], found((1, 2, 11.5, 6, 0.75, 1))), (paths[1], found((0, 0, 40, 30, 0.5, 0)))]
    rows, images = written(tmp_path / "out", ("dog", "cat"), answers)
    assert rows == [
        {"image_id": 1, "category_id": 2, "bbox": [1, 2, 10.5, 4], "score": 0.75},
        {"image_id": 2, "category_id": 1, "bbox": [0, 0, 40, 30], "score": 0.5},
    ]
    assert images["images"] == [
        {"id": number, "file_name": str(path), "height": 30, "width": 40} for number, path in enumerate(paths, 1)
    ]
    assert images["categories"] == [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]


def test_images_of_a_prepared_split_have_the_ids_of_its_file(prepared: Path, tmp_path: Path) -> None:
    truth = json.loads((prepared / annotations_file("train")).read_text())
    known = {row["file_name"]: row["id"] for row in truth["images"]}
    paths = sorted((prepared / "images" / "train").iterdir(), reverse=True)[:2]
    rows, images = written(tmp_path / "out", ("dog",), [(path, found((1, 1, 5, 5, 0.5, 0))) for path in paths])
    expected = [known[f"images/train/{path.name}"] for path in paths]
    assert [row["image_id"] for row in rows] == expected != [1, 2]
    names = {row["id"]: row["name"] for row in truth["categories"]}
    assert {names[row["category_id"]] for row in rows} == {"dog"}
    assert images["categories"] == [{"id": rows[0]["category_id"], "name": "dog"}]


@pytest.mark.parametrize("case", ["twice", "two splits", "a class of its own", "a stranger", "bytes"])
def test_what_is_not_one_split_of_known_classes_is_counted_from_1(case: str, prepared: Path, tmp_path: Path) -> None:
    train = sorted((prepared / "images" / "train").iterdir(), reverse=True)
    values: list[Any] = {
        "twice": [train[0], train[0]],
        "two splits": [train[0], *(prepared / "images" / "test").iterdir()],
        "a class of its own": train[:2],
        "a stranger": [train[0], picture(prepared / "images" / "train" / "new.jpg")],
        "bytes": [train[0], train[1].read_bytes()],
    }[case]
    classes = ("dog", "cow") if case == "a class of its own" else ("dog",)
    rows, _ = written(tmp_path / "out", classes, [(value, found((1, 1, 5, 5, 0.5, 0))) for value in values])
    assert [(row["image_id"], row["category_id"]) for row in rows] == [(1, 1), (2, 1)]


def test_the_peer_reads_both_files_and_the_masks_in_them(tmp_path: Path) -> None:
    pixels = np.zeros(SIZE, np.uint8)
    pixels[3:9, 5:20] = 1
    answers = [
        (picture(tmp_path / "a.jpg"), found((5, 3, 20, 9, 0.9, 0), masks=(from_pixels(pixels),))),
        (picture(tmp_path / "b.jpg"), found()),
    ]
    written(tmp_path / "out", ("dog",), answers)
    with contextlib.redirect_stdout(io.StringIO()):
        peer = COCO(str(tmp_path / "out" / "images.json"))
        [row] = peer.loadRes(str(tmp_path / "out" / "results.json")).dataset["annotations"]
    assert len(peer.imgs) == 2 and (row["bbox"], row["score"]) == ([5, 3, 15, 6], 0.9)
    assert np.array_equal(to_pixels(row["segmentation"], *SIZE), pixels)


def test_no_answers_are_an_empty_list(tmp_path: Path) -> None:
    rows, images = written(tmp_path / "out", ("dog",), [])
    assert rows == [] and images["images"] == []
