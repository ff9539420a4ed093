"""Annotated images as people have them: what cannot be used in them is answered briefly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toys.annotated import coco_file, coco_value, picture, voc_file, voc_folder, voc_object

from bad_inputs.arrange import DATA, USAGE, Row, fill_disk
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.datasets.annotated.importer import voc_importer
from dlcli.datasets.annotated.options import AnnotatedOptions

CAT = voc_object("cat", (1, 1, 9, 9))
BOX = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 12]}


def voc(*objects: str, count: int = 6, then: Callable[[Any], object] = lambda bench: None) -> Callable[[Any], None]:
    """Return an arrangement: the folder src with VOC's annotations."""

    def arrange(bench: Any) -> None:
        voc_folder(bench.home / "src", {f"{at}": objects or [CAT] for at in range(count)})
        then(bench)

    return arrange


def coco(value: Any) -> Callable[[Any], None]:
    """Return an arrangement: the folder src with a JSON file and one image."""

    def arrange(bench: Any) -> None:
        coco_file(bench.home / "src/labels.json", value)
        picture(bench.home / "src/a.jpg")

    return arrange


def prepared(change: Callable[[Any], object]) -> Callable[[Any], None]:
    """Return an arrangement: prepared data in data/a, with a change in the JSON of its training images."""

    def arrange(bench: Any) -> None:
        voc()(bench)
        importer = voc_importer(AnnotatedOptions())
        prepare_dataset(importer, Path("src"), Path("data/a"), command="", force=False, report=lambda line: None)
        path = Path("data/a/annotations/instances_train.json")
        value = json.loads(path.read_text())
        change(value)
        path.write_text(json.dumps(value))

    return arrange


def without_images(bench: Any) -> None:
    for path in (bench.home / "src/JPEGImages").iterdir():
        path.unlink()


def with_entities(bench: Any) -> None:
    bench.write("src/1.xml", '<!DOCTYPE a [<!ENTITY b "cat">]><annotation><filename>&b;</filename></annotation>')


ANNOTATED = {
    "VOC that is not there": Row("prepare voc nowhere", DATA, "nowhere: no such file or folder"),
    "VOC without annotations": Row(
        "prepare voc src", DATA, "no annotations of Pascal VOC", lambda b: b.write("src/readme.txt", "x")
    ),
    "VOC that is a file": Row("prepare voc a.xml", DATA, "a.xml", lambda b: voc_file(b.home / "a.xml", [CAT])),
    "VOC without images": Row("prepare voc src", DATA, "--images DIR", voc(then=without_images)),
    "VOC of entities": Row("prepare voc src", DATA, "document type", with_entities),
    "VOC of boxes outside": Row(
        "prepare voc src", DATA, "boxes outside their image", voc(voc_object("cat", (900, 900, 999, 999)))
    ),
    "VOC with images elsewhere, misspelt": Row("prepare voc src --images fotos", DATA, "fotos: no such folder", voc()),
    "VOC over its source": Row("prepare voc src --out src", DATA, "overlap", voc()),
    "VOC on a full disk": Row(
        "prepare voc src", DATA, "the disk is full", voc(then=lambda b: fill_disk(b)), leaves=("data",)
    ),
    "annotations of an unknown kind": Row("prepare voc src --annotations box", USAGE, "'boxes'", voc()),
    "COCO without a file": Row(
        "prepare coco src", DATA, "no annotations of COCO", lambda b: picture(b.home / "src/a.jpg")
    ),
    "COCO that is no JSON": Row("prepare coco src/a.json", DATA, "not JSON", lambda b: b.write("src/a.json", "{")),
    "COCO that is another JSON": Row(
        "prepare coco src/a.json", DATA, "no lists 'images'", lambda b: b.write("src/a.json", "{}")
    ),
    "COCO of unknown images": Row(
        "prepare coco src", DATA, "annotations of unknown images", coco(coco_value({7: "a.jpg"}, [BOX], {1: "cat"}))
    ),
    "COCO without its images": Row(
        "prepare coco src", DATA, "images that do not exist", coco(coco_value({1: "b.jpg"}, [BOX], {1: "cat"}))
    ),
}
"""Bad command lines of `dl prepare`, and of what it prepared."""

CHANGED = {
    "a path that leads out": Row(
        "doctor data/a", DATA, "the path", prepared(lambda value: value["images"][0].update(file_name="../../x.jpg"))
    ),
    "a box that is no number": Row(
        "doctor data/a", DATA, "the box", prepared(lambda value: value["annotations"][0].update(bbox=[1, 2, -3, 4]))
    ),
    "classes of other data": Row(
        "doctor data/a", DATA, "not those of the card", prepared(lambda value: value["categories"][0].update(name="ox"))
    ),
}
