"""`dl prepare ... --to`: a prepared folder that is in another format, too; copies stay in one split."""

from __future__ import annotations

import shutil

import pytest
from toys.annotated import picture, voc_file, voc_folder, voc_object

from dlcli.data.annotated.checking import check
from dlcli.data.annotated.form import open_annotated
from dlcli.data.annotated.formats import voc, yolo
from dlcli.data.annotated.found import Reading
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.datasets.annotated.importer import voc_importer
from dlcli.datasets.annotated.options import AnnotatedOptions

READERS = {"voc": voc.read, "yolo": yolo.read}


def prepare(source, out, **options):
    prepare_dataset(
        voc_importer(AnnotatedOptions(**options)), source, out, command="dl", force=False, report=lambda line: None
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


def test_a_drawn_split_keeps_rescaled_copies_together(tmp_path):
    from PIL import Image

    root = tmp_path / "source"
    for at in range(12):
        small = picture(root / f"a{at}.png", 9, 9)
        image = Image.open(small).convert("RGB").resize((160, 160))
        image.save(root / f"a{at}.png")
        image.resize((120, 120)).save(root / f"b{at}.jpg")
        shutil.copyfile(root / f"a{at}.png", root / f"c{at}.png")
        for name in (f"a{at}.png", f"b{at}.jpg", f"c{at}.png"):
            file = (root / name).with_suffix(".xml")
            voc_file(file, [voc_object("cat", (2, 2, 50, 50))], filename=name, size=None)
    form = prepare(root, tmp_path / "out")
    splits = {image.file.rpartition("/")[2][1:].partition(".")[0]: set() for image in form.of_split("train")}
    for split in form.splits():
        for image in form.of_split(split):
            splits.setdefault(image.file.rpartition("/")[2][1:].partition(".")[0], set()).add(split)
    assert len(splits) == 12
    assert all(len(found) == 1 for found in splits.values())
    assert {next(iter(found)) for found in splits.values()} == {"train", "test"}
