"""CSV files of boxes: the columns in use, what their numbers mean, and each faulty row noted."""

from __future__ import annotations

import math

import pytest

from dlcli.core.errors import DataError
from dlcli.data.annotated.formats import boxes_csv
from dlcli.data.annotated.found import Reading

TENSORFLOW = "filename,width,height,class,xmin,ymin,xmax,ymax\n"


def found(source, **options):
    return boxes_csv.read(source, Reading(**options))


def boxes(result):
    return [(image.path.name, each.name, each.box) for image in result.images for each in image.objects]


def test_tensorflows_numbers_are_vocs(put):
    result = found(put("a.csv", TENSORFLOW + "a.jpg,200,100,cat,1,1,200,100\na.jpg,200,100,dog,11,21,50,40\n"))
    assert boxes(result) == [("a.jpg", "cat", (0, 0, 200, 100)), ("a.jpg", "dog", (10, 20, 50, 40))]
    assert (len(result.images), result.images[0].size) == (1, (200, 100))
    assert "pixels from 1" in result.notes[0]


def test_a_zero_says_that_they_are_points(put):
    result = found(put("a.csv", TENSORFLOW + "a.jpg,200,100,cat,0,0,200,100\nb.jpg,200,100,cat,10,20,50,40\n"))
    assert boxes(result) == [("a.jpg", "cat", (0, 0, 200, 100)), ("b.jpg", "cat", (10, 20, 50, 40))]
    assert "points" in result.notes[0]


@pytest.mark.parametrize("header", ["", "image,x1,y1,x2,y2,label\n", "IMAGE, X1, Y1, X2, Y2, Label\n"])
def test_retinanets_points_and_background(put, header):
    result = found(put("a.csv", f"{header}images/a.jpg,10,20,50.5,40,cat\nimages/b.jpg,,,,,\n"))
    assert boxes(result) == [("a.jpg", "cat", (10, 20, 50.5, 40))]
    assert [len(image.objects) for image in result.images] == [1, 0]


def test_fastais_boxes_are_rows_first_and_inclusive(put):
    """Image 000012 of VOC2007: xmin 156, ymin 97, xmax 351, ymax 270, which the lesson writes as 96 155 269 350."""
    result = found(put("a.csv", "fn,bbox\n000012.jpg,96 155 269 350\n"))
    assert boxes(result) == [("000012.jpg", "object", (155, 96, 351, 270))]
    assert any("y1 x1 y2 x2" in note for note in result.notes)


def test_several_boxes_with_their_classes(put):
    result = found(put("a.csv", "fn,bbox,clas\na.jpg,0 0 9 9 10 20 29 39,cat dog\nb.jpg,0 0 9 9 1 1 8 8,cat\n"))
    assert boxes(result) == [
        ("a.jpg", "cat", (0, 0, 10, 10)),
        ("a.jpg", "dog", (20, 10, 40, 30)),
        ("b.jpg", "cat", (0, 0, 10, 10)),
        ("b.jpg", "cat", (1, 1, 9, 9)),
    ]


def test_classes_of_whole_images(put):
    result = found(put("a.csv", "fn,clas\na.jpg,person car person\nb.jpg,\n"))
    assert [(image.path.name, image.tags) for image in result.images] == [("a.jpg", ("person", "car")), ("b.jpg", ())]


def test_splits_by_file_and_by_column(tmp_path, put):
    put("train_labels.csv", TENSORFLOW + "a.jpg,1,1,cat,1,1,1,1\n")
    put("test_labels.csv", TENSORFLOW + "b.jpg,1,1,cat,1,1,1,1\n")
    put("notes.csv", "who,when\nann,today\n")
    result = found(tmp_path)
    assert {image.path.name: image.split for image in result.images} == {"a.jpg": "train", "b.jpg": "test"}
    assert "notes.csv: other columns" in result.notes[0]
    result = found(put("all.csv", "image,x1,y1,x2,y2,label,split\na.jpg,1,1,2,2,cat,val\nb.jpg,1,1,2,2,cat,\n"))
    assert [image.split for image in result.images] == ["valid", ""]


def test_an_image_in_two_splits_stays_in_the_first(put):
    result = found(put("a.csv", "image,x1,y1,x2,y2,label,split\na.jpg,1,1,2,2,cat,val\na.jpg,1,1,2,2,cat,train\n"))
    assert [image.split for image in result.images] == ["valid"]
    assert "in train here, and in valid before" in result.notes[-1]


def test_the_images_are_found_in_any_folder(tmp_path, picture, put):
    picture("train/x/a.jpg")
    path = put("a.csv", "fn,clas\na.jpg,cat\n")
    assert found(path).images[0].path == tmp_path / "train/x/a.jpg"
    picture("other/a.jpg")
    assert not found(path).images[0].path.exists()  # which of the two?
    assert found(path, images=tmp_path / "other").images[0].path == tmp_path / "other/a.jpg"


@pytest.mark.parametrize(
    ("row", "note"),
    [
        ("a.jpg,1,x,2,2,cat", "'x' is no number"),
        ("a.jpg,1,,2,2,cat", "'' is no number"),
        ("a.jpg,1,1", "is no number"),
        ("a.jpg,1,1,2,2,", "without a class"),
        (",1,1,2,2,cat", "no file name"),
        ('"a.jpg,1,1,2,2,cat', "quotation mark"),
    ],
)
def test_a_row_that_cannot_be_read_is_noted(put, row, note):
    result = found(put("a.csv", f"image,x1,y1,x2,y2,label\nb.jpg,1,1,2,2,cat\n{row}\n"))
    assert boxes(result) == [("b.jpg", "cat", (1, 1, 2, 2))]
    (fault,) = result.notes
    assert fault.startswith("a.csv: line 3: ")
    assert note in fault


@pytest.mark.parametrize(("cell", "note"), [("1 2 3", "3 numbers"), ("1 2 3 4 5 6 7 8", "2 boxes with 3 classes")])
def test_a_bbox_that_does_not_fit_is_noted(put, cell, note):
    result = found(put("a.csv", f"fn,bbox,clas\nb.jpg,0 0 1 1,cat\na.jpg,{cell},a b c\n"))
    assert len(boxes(result)) == 1
    assert note in result.notes[-1]


def test_values_that_are_not_finite_are_left_to_the_checker(put):
    ((_, _, box),) = boxes(found(put("a.csv", "image,x1,y1,x2,y2,label\na.jpg,nan,1,inf,2,cat\n")))
    assert math.isnan(box[0])
    assert math.isinf(box[2])


def test_other_encodings_and_a_byte_order_mark(put):
    text = "fn,clas\na.jpg,猫 狗\n"
    for encoding in ("utf-8-sig", "utf-16", "gb18030"):
        assert found(put("a.csv", text.encode(encoding))).images[0].tags == ("猫", "狗")


@pytest.mark.parametrize("text", ["", "who,when\nann,today\n", "fn\na.jpg\n", "a,b,c,d,e,f\n"])
def test_other_files_are_refused(put, text):
    path = put("a.csv", text)
    assert not boxes_csv.matches(path)
    with pytest.raises(DataError, match="known columns") as caught:
        found(path)
    assert "xmin" in caught.value.hint


def test_a_file_of_faulty_rows_is_refused(put):
    with pytest.raises(DataError, match="no row can be read"):
        found(put("a.csv", "image,x1,y1,x2,y2,label\na.jpg,x,1,2,2,cat\n"))


def test_what_matches(tmp_path, put):
    assert not boxes_csv.matches(tmp_path)
    path = put("a.csv", "fn,bbox\n")
    assert boxes_csv.matches(path)
    assert boxes_csv.matches(tmp_path)
    assert not boxes_csv.matches(tmp_path / "missing.csv")
    put("a.csv", "fn,clas\n")  # beside folders of images by class?
    assert boxes_csv.matches(path)
    assert not boxes_csv.matches(tmp_path)
    put("a.csv", b"\x89PNG\r\n\x1a\n")
    assert not boxes_csv.matches(path)
