"""Damaged files: whatever bytes are in them, a reader answers, notes or raises a DataError, and the checker does."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.data.annotated.checking import check
from dlcli.data.annotated.formats import boxes_csv, labelme, yolo
from dlcli.data.annotated.found import Reading

SHAPES = [
    {"label": "cat", "shape_type": "rectangle", "points": [[1, 2], [30, 40]], "group_id": None, "flags": {}},
    {
        "label": "dog",
        "shape_type": "polygon",
        "points": [[1, 2], [30, 40], [5, 6]],
        "group_id": 1,
        "flags": {"x": True},
    },
    {"label": "dog", "shape_type": "circle", "points": [[10, 20], [30, 40]], "group_id": 1},
]
LABELME = {"flags": {"in": True}, "shapes": SHAPES, "imagePath": "a.jpg", "imageHeight": 100, "imageWidth": 200}
FILES = {
    "yolo": (
        yolo,
        {
            "data.yaml": "path: .\ntrain: [train.txt, images]\nval: images\nnc: 2\nnames: {0: cat, 1: 'big dog'}\n",
            "train.txt": "./images/a.jpg\n",
            "labels/a.txt": "0 0.5 0.5 0.1 0.2\n1 .1 .1 .2 .2 .3 .1\n",
        },
    ),
    "labelme": (labelme, {"images/a.json": json.dumps(LABELME)}),
    "boxes-csv": (
        boxes_csv,
        {
            "a.csv": "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,200,100,cat,1,2,30,40\n",
            "b.csv": 'fn,bbox,clas\na.jpg,"1 2 30 40 5 6 7 8",cat dog\n',
        },
    ),
}
PIECES = (
    b"\0",
    b"\xff\xfe",
    b"nan",
    b"1e999",
    b"-",
    b'"',
    b"\n",
    b"[",
    b"{",
    b"..",
    b"9" * 5000,
    b": ",
    b",",
    b"null",
    b"\\u0000",
)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("seed", range(10))
def test_a_damaged_file_never_ends_in_a_fault(tmp_path, picture, put, name, seed):
    reader, files = FILES[name]
    picture("images/a.jpg")
    random = np.random.default_rng(seed)
    for file, text in files.items():
        content = bytearray(text.encode())
        for _ in range(random.integers(1, 4)):
            start = int(random.integers(0, len(content) + 1))
            end = start + int(random.integers(0, 6))
            content[start:end] = PIECES[random.integers(len(PIECES))] if random.random() < 0.8 else b""
        put(file, bytes(content))
    reader.matches(tmp_path)
    try:
        found = reader.read(tmp_path, Reading())
        checked = check(found, tmp_path)
    except DataError as error:
        assert len(error.lines()) <= 6
        return
    assert all(tmp_path in image.path.resolve().parents for image in found.images)
    for image in (each for of in checked.images.values() for each in of):
        for each in image.objects:
            left, top, right, bottom = each.box
            assert 0 <= left < right <= image.width
            assert 0 <= top < bottom <= image.height
