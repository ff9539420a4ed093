"""Labels from names and CSV files: each image has what its name or row says, and what says nothing is counted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from dlcli.core.errors import DataError
from dlcli.data.annotated.form import open_annotated
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.datasets.images import labelling
from dlcli.datasets.images.folder import ImageFolderImporter
from dlcli.datasets.images.labelling import class_of_name, labels_of_csv
from dlcli.datasets.images.options import ImageFolderOptions


def fill(root, names):
    for seed, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return root


def prepare(root, labels_from, **options):
    importer = ImageFolderImporter(ImageFolderOptions(labels_from=labels_from, **options))
    out = root.with_name("out")
    return prepare_dataset(importer, root, out, command="x", force=True, report=lambda line: None)[0], out


def files_of(out):
    return {path.name: path.parent.name for path in out.glob("t*/*/*.png")}


def numbered(classes, count=5):
    return [f"{name}_{number}.png" for name in classes for number in range(count)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/cat_12.png", "cat"),
        ("dog.7.jpg", "dog"),
        ("great_pyrenees_173.jpg", "great_pyrenees"),
        ("red panda (3).png", "red panda"),
        ("7_12.png", "7"),
        ("猫-1.png", "猫"),
        ("cat12.png", ""),
        ("cat.png", ""),
        ("12.png", ""),
        ("_1.png", ""),
    ],
)
def test_the_class_is_what_stands_before_the_last_number(name, expected):
    assert class_of_name(name) == expected


def test_images_are_labelled_by_their_names_and_a_name_without_a_class_is_skipped(tmp_path):
    root = fill(tmp_path / "in", [*numbered(["cat", "dog"]), "plain.png", "sub/dog_77.png"])
    card, out = prepare(root, "name")
    assert card.classes == ("cat", "dog") and card.counts["train"] == {"cat": 4, "dog": 5}
    assert files_of(out) == {
        name.rpartition("/")[2]: "dog" if "dog" in name else "cat"
        for name in (*numbered(["cat", "dog"]), "sub/dog_77.png")
    }
    skipped = "skipped 'plain.png': no class and number in its name, as in cat_12.png"
    assert card.warnings[:2] == ("1 label cannot be used", skipped)
    with pytest.raises(DataError, match="1 label cannot be used, more than --max-bad 0"):
        prepare(root, "name", max_bad=0)


def test_split_folders_hold_for_named_images(tmp_path):
    names = [f"{split}/{name}" for split in ("train", "val") for name in numbered(["cat", "dog"], 3)]
    card, _ = prepare(fill(tmp_path / "in", names), "name")
    assert card.counts == {split: {"cat": 3, "dog": 3} for split in ("train", "test")}
    assert "valid is the only other split: it is used as the test split" in card.warnings


def test_a_csv_file_labels_images_and_whatever_does_not_fit_is_named(tmp_path):
    root = fill(tmp_path / "in", [f"{number}.png" for number in range(12)])
    rows = [
        "fn,label",
        *(f"{number}.png,{'ab'[number % 2]}" for number in range(9)),
        "gone.png,a",
        "9.png,",
        "10.png,a",
        "10.png,b",
        "../../secret.png,a",
    ]
    (root / "labels.csv").write_text("\n".join(rows))
    card, out = prepare(root, "labels.csv")  # a file in the folder is found there
    assert files_of(out) == {f"{number}.png": "ab"[number % 2] for number in range(9)}
    said = "\n".join(card.warnings)
    assert "4 labels cannot be used" in said and "no image 'gone.png' in the folder" in said
    assert "'9.png' has no label" in said and "'10.png': several classes, a, b" in said
    assert "no image '../../secret.png'" in said
    assert "2 images have no row in labels.csv: not used, the first: '11.png'" in said


def test_files_may_lack_their_suffix_and_a_class_may_have_blanks(tmp_path):
    root = fill(tmp_path / "in", [f"p/{number}.png" for number in range(10)])
    rows = [f"{number};{'golden retriever' if number % 2 else 'pug'}" for number in range(10)]
    (tmp_path / "breeds.csv").write_text("id;breed\n" + "\n".join(rows), encoding="utf-8-sig")
    card, _ = prepare(root, str(tmp_path / "breeds.csv"))
    assert card.classes == ("golden retriever", "pug")
    assert any("'golden retriever' is read as one class; in a column named tags" in line for line in card.warnings)


def test_a_file_without_a_header_and_a_column_of_splits_are_read(tmp_path):
    root = fill(tmp_path / "in", [f"{number}.png" for number in range(8)])
    plain, split = tmp_path / "plain.csv", tmp_path / "split.csv"
    plain.write_text("\n".join(f"{number}.png,{number % 2}" for number in range(8)))
    assert prepare(root, str(plain))[0].counts["train"] == {"0": 3, "1": 3}
    split.write_text("fname,labels,is_valid\n" + "\n".join(f"{n}.png,{n % 2},{n < 2}" for n in range(8)))
    card, out = prepare(root, str(split))
    assert {path.name for path in out.glob("test/*/*.png")} == {"0.png", "1.png"} and card.classes == ("0", "1")


def test_several_words_in_a_cell_make_a_multilabel_form(tmp_path):
    root = fill(tmp_path / "in", [f"{number}.png" for number in range(12)])
    tags = {number: ["haze road", "clear", "road clear,haze", ""][number % 4] for number in range(12)}
    (tmp_path / "l.csv").write_text("image_name,tags\n" + "\n".join(f'{n},"{tag}"' for n, tag in tags.items()))
    card, out = prepare(root, str(tmp_path / "l.csv"))
    assert card.form == "annotated" and card.details["task"] == "multilabel"
    assert card.classes == ("clear", "haze", "road")
    form = open_annotated(out)
    assert form.card.num_items("train") + form.card.num_items("test") == 12
    shown = json.loads((out / "annotations" / "instances_train.json").read_text())
    assert len(shown["images"]) == form.card.num_items("train")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "which columns hold the file and the label"),
        ("a,b,c\n1,2,3", "which columns hold the file and the label"),
        ("fn,label\n0.png,a\n1.png,a", "1 classes with images"),
        ("fn,label\n0.png,a\n1.png,b/c", "the class name 'b/c' cannot be a folder name"),
        ("fn,label\nx.png,a\ny.png,b", "no image has a label"),
        ("fn,tags\n0.png,a a\n1.png,", "1 classes with images"),
    ],
)
def test_labels_that_cannot_train_a_classifier_are_refused(tmp_path, content, message):
    root = fill(tmp_path / "in", ["0.png", "1.png"])
    (tmp_path / "l.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        prepare(root, str(tmp_path / "l.csv"))


def test_a_missing_file_of_labels_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        prepare(fill(tmp_path / "in", ["0.png"]), "nowhere.csv")


def test_broken_rows_do_not_shift_the_others(tmp_path):
    root = fill(tmp_path / "in", ["0.png", "1.png", "2.png"])
    (tmp_path / "l.csv").write_text('fn,label\n0.png,a\n"1.png,b\n2.png,c\nonly\n')
    read = labels_of_csv(tmp_path / "l.csv", root, max_bad=9)
    assert [(image.path.name, image.labels) for image in read.images] == [("0.png", ("a",)), ("2.png", ("c",))]
    assert read.bad[0].startswith("line 3: ") and read.bad[1] == "line 5: 1 columns"


def test_reading_ends_where_too_many_rows_fit_no_image(tmp_path):
    root = fill(tmp_path / "in", ["0.png"])
    (tmp_path / "l.csv").write_text("fn,label\n" + "x.png,a\n" * 1000)
    assert len(labels_of_csv(tmp_path / "l.csv", root, max_bad=9).bad) == 10


def test_too_many_classes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(labelling, "MAX_CLASSES", 3)
    root = fill(tmp_path / "in", ["0.png"])
    (tmp_path / "l.csv").write_text("fn,tags\n0.png,a b c d\n")
    with pytest.raises(DataError, match="more than 3 different labels"):
        labels_of_csv(tmp_path / "l.csv", root, max_bad=9)
