"""`dl prepare ... --to`: a prepared folder that is in another format, too; copies stay in one split."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from toys.annotated import coco_file, coco_value, copied_pictures, picture, voc_folder, voc_object

from dlcli.core.errors import DataError
from dlcli.data.annotated.checking import check
from dlcli.data.annotated.form import open_annotated
from dlcli.data.annotated.formats import voc, yolo
from dlcli.data.annotated.formats.texts import WRITERS
from dlcli.data.annotated.found import Reading
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.datasets.annotated.importer import coco_importer, voc_importer
from dlcli.datasets.annotated.options import AnnotatedOptions

READERS = {"voc": voc.read, "yolo": yolo.read}


def prepare(source, out, *, importer=voc_importer, **options):
    prepare_dataset(
        importer(AnnotatedOptions(**options)), source, out, command="dl", force=False, report=lambda line: None
    )
    return open_annotated(out)


def boxes_of(images):
    return {
        split: {image.file.rpartition("/")[2]: [(each.label, each.box) for each in image.objects] for image in of}
        for split, of in images.items()
    }


@pytest.mark.parametrize("name", ["voc", "yolo"])
def test_a_prepared_folder_is_in_both_formats(tmp_path, name):
    objects = {
        f"x{at}": [voc_object("cat", (1, 1, 10 + at, 20)), voc_object("dog", (5, 6, 30, 28))] for at in range(10)
    }
    form = prepare(voc_folder(tmp_path / "source", objects), tmp_path / "out", to=name)
    again = check(READERS[name](tmp_path / "out", Reading()), tmp_path / "out")
    assert again.classes == form.card.classes
    assert boxes_of(again.images) == boxes_of(form.images)
    assert set(form.splits()) == {"train", "test"}


def test_no_other_format_unless_wanted(tmp_path):
    prepare(voc_folder(tmp_path / "source", {"a": [voc_object("cat", (1, 1, 9, 9))], "b": []}), tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["annotations", "dataset.json", "images"]


@pytest.mark.parametrize("num_classes", [254, 255])
def test_masks_of_more_classes_than_vocs_label_maps_hold_are_refused_before_anything_is_written(tmp_path, num_classes):
    square = {"bbox": [4, 5, 10, 10], "segmentation": [[4, 5, 14, 5, 14, 15, 4, 15]]}
    rows = [{"image_id": number, "category_id": num_classes, **square} for number in (1, 2)]
    names = {number: f"class {number}" for number in range(1, num_classes + 1)}
    source = coco_file(tmp_path / "source/a.json", coco_value({1: "a.jpg", 2: "b.jpg"}, rows, names)).parent
    for name in ("a", "b"):
        picture(source / f"{name}.jpg")
    out = tmp_path / "out"
    if num_classes == 254:
        prepare(source, out, importer=coco_importer, to="voc", test_fraction=0.5)
        with Image.open(next((out / "SegmentationClass").iterdir())) as label_map:
            assert np.unique(label_map).tolist() == [0, 254]
        return
    with pytest.raises(DataError, match=r"at most 254 classes, and these masks are of 255") as caught:
        prepare(source, out, importer=coco_importer, to="voc", test_fraction=0.5)
    assert "--to yolo" in caught.value.hint and not out.exists()
    form = prepare(source, out, importer=coco_importer, test_fraction=0.5)
    with pytest.raises(DataError, match="at most 254 classes"):
        WRITERS["voc"].write(form, out)
    assert not (out / "Annotations").exists()


def test_a_drawn_split_keeps_rescaled_copies_together(tmp_path):
    form = prepare(copied_pictures(tmp_path / "source", 12), tmp_path / "out")
    splits = {image.file.rpartition("/")[2][1:].partition(".")[0]: set() for image in form.of_split("train")}
    for split in form.splits():
        for image in form.of_split(split):
            splits.setdefault(image.file.rpartition("/")[2][1:].partition(".")[0], set()).add(split)
    assert len(splits) == 12
    assert all(len(found) == 1 for found in splits.values())
    assert {next(iter(found)) for found in splits.values()} == {"train", "test"}
