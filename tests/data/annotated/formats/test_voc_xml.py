"""One XML file of Pascal VOC: corners worked by hand, no entity in any encoding, sizes bounded, reasons given."""

from __future__ import annotations

import math

import pytest
from toys.annotated import voc_object

from dlcli.core.errors import DataError
from dlcli.data.annotated.formats.voc_xml import MAX_BYTES, looks_like_voc, read_description

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")
BOMB = '<!DOCTYPE a [<!ENTITY x "lol">]><annotation><filename>&x;&x;.jpg</filename></annotation>'


@pytest.fixture
def described(put):
    """Return a function that describes an XML file with a given content."""
    return lambda content: read_description(put("a.xml", content))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("declaration", ["", '<?xml version="1.0"?>'])
def test_entities_are_refused_in_every_encoding_that_the_parser_detects(described, encoding, declaration):
    with pytest.raises(DataError, match="has a document type"):
        described((declaration + BOMB).encode(encoding))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_one_text_reads_the_same_in_every_encoding(described, encoding):
    text = f"<annotation><filename>été 狗.jpg</filename>{voc_object('狗', (1, 2, 3, 4))}</annotation>"
    description = described(text.encode(encoding))
    assert description.filename == "été 狗.jpg"
    assert [(each.name, each.box) for each in description.objects] == [("狗", (0, 1, 3, 4))]


def test_a_declared_encoding_holds_for_bytes_and_yields_to_a_byte_order_mark(described):
    text = '<?xml version="1.0" encoding="iso-8859-1"?><annotation><filename>é.jpg</filename></annotation>'
    assert described(text.encode("iso-8859-1")).filename == "é.jpg"
    assert described(text.encode("utf-16")).filename == "é.jpg"


@pytest.mark.parametrize(
    ("corners", "expected"),
    [
        ((1, 1, 1, 2), (1, 0, 1, 2)),  # equal sides are a click, and stay empty
        ((1, 1, 500, 375), (0, 0, 500, 375)),  # the whole image, as VOC numbers its pixels
        ((48, 240, 195, 371), (47, 239, 195, 371)),
        ((195, 371, 48, 240), (195, 371, 47, 239)),  # inverted, for the checker to see
        ((0, -3, 2.5, 4.25), (-1, -4, 2.5, 4.25)),
        (("1e1", " 7 ", "20", "8"), (9, 6, 20, 8)),
    ],
)
def test_corners(described, corners, expected):
    [each] = described(f"<annotation>{voc_object('cat', corners)}</annotation>").objects
    assert each.box == expected


@pytest.mark.parametrize("side", range(4))
@pytest.mark.parametrize("text", ["", "left", "nan", "1,5", "0x10"])
def test_a_corner_that_is_no_number_is_not_a_number_and_the_others_stay(described, side, text):
    corners = [2, 3, 9, 8]
    corners[side] = text
    [each] = described(f"<annotation>{voc_object('cat', corners)}</annotation>").objects
    assert [math.isnan(value) for value in each.box] == [number == side for number in range(4)]


def test_an_object_without_a_box_or_a_name_is_left_to_the_checker(described):
    description = described("<annotation><object><name>cat</name></object><object><bndbox/></object></annotation>")
    first, second = description.objects
    assert (first.name, first.box) == ("cat", None)
    assert second.name == "" and all(map(math.isnan, second.box))


def test_only_direct_objects_count_and_not_the_parts_of_one(described):
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
    inner = voc_object("person", (1, 1, 9, 9)).replace("</object>", part + "</object>")
    description = described(f"<annotation>{inner}<more>{voc_object('dog', (1, 1, 2, 2))}</more></annotation>")
    assert [(each.name, each.box) for each in description.objects] == [("person", (0, 0, 9, 9))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", True), ("true", True), (" 1 ", True), ("0", False), ("", False), ("none", False)],
)
def test_difficult(described, text, expected):
    [each] = described(f"<annotation>{voc_object('cat', (1, 1, 2, 2), difficult=text)}</annotation>").objects
    assert each.is_difficult is expected
    assert each.extra == {}


def test_marks_beside_the_box_are_numbers_or_words(described):
    marks = {"pose": "Frontal", "truncated": "0", "occluded": "1", "colour": "red"}
    [each] = described(f"<annotation>{voc_object('cat', (1, 1, 2, 2), **marks)}</annotation>").objects
    assert each.extra == {"pose": "Frontal", "truncated": 0, "occluded": 1}


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("", None),
        ("<size><width>500</width><height>375</height></size>", (500, 375)),
        ("<size><width>500.0</width><height>375</height></size>", (500, 375)),
        ("<size><width>500</width></size>", (0, 0)),
        ("<size><width>inf</width><height>375</height></size>", (0, 0)),
        ("<size><width>1e300</width><height>375</height></size>", (0, 0)),
    ],
)
def test_a_size_is_none_where_nothing_is_said_and_zero_where_it_is_no_size(described, size, expected):
    assert described(f"<annotation>{size}</annotation>").size == expected


def test_texts_are_bounded(described):
    long = "x" * 100_000
    description = described(f"<annotation><filename>{long}</filename>{voc_object(long, (1, 1, 2, 2))}</annotation>")
    assert (len(description.filename), len(description.objects[0].name)) == (300, 300)
    with pytest.raises(DataError) as error:
        described(f"<{long}/>")
    assert len(error.value.message) < 100


def test_a_file_of_the_largest_size_is_read_and_one_byte_more_is_refused(described):
    frame = b"<annotation></annotation>"
    content = frame.replace(b"><", b">" + b" " * (MAX_BYTES - len(frame)) + b"<")
    assert described(content).objects == ()
    with pytest.raises(DataError, match="larger than 10 MiB"):
        described(content + b"\n")


def test_deep_nesting_is_read_without_recursion(described):
    depth = 50_000
    assert described("<annotation>" + "<a>" * depth + "</a>" * depth + "</annotation>").objects == ()


def test_a_file_that_is_missing_gives_the_reason(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_description(tmp_path / "gone.xml")
    assert not looks_like_voc(tmp_path / "gone.xml")


def test_what_looks_like_voc(put):
    text = '<?xml version="1.0"?><annotation/>'
    assert all(looks_like_voc(put("a.xml", text.encode(encoding))) for encoding in ENCODINGS)
    assert not looks_like_voc(put("a.xml", "<project><module/></project>"))
    assert not looks_like_voc(put("a.xml", " " * 2048 + text))  # only the head is read
