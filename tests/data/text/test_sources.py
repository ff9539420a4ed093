"""Texts from a program: JSON values and the content of files."""

from __future__ import annotations

import pytest

from dlcli.data.text.columns import CSV, FILE, Reading
from dlcli.data.text.inputs import Text
from dlcli.data.text.sources import MAX_SHOWN, TextValues


def test_a_text_is_itself_and_never_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "many.txt").write_text("one\ntwo\n")
    values = TextValues(None)
    assert values.source("0", "many.txt").value == Text("many.txt")
    assert values.source("0", '{"text": "x"}').value == Text('{"text": "x"}')
    long = values.source("0", "x" * 5000)
    assert (len(long.name), len(long.value.text)) == (MAX_SHOWN + 1, 5000)


def test_the_other_fields_of_an_object_are_kept():
    assert TextValues(None).source("0", {"text": "fine", "id": 7}).value == Text("fine", {"id": 7})


@pytest.mark.parametrize("value", [None, 3, [], ["a"], {}, {"text": 3}, {"review": "x"}])
def test_what_is_no_text_is_a_fault(value):
    source = TextValues(None).source("7", value)
    assert source.name == "7"
    assert "neither a text" in source.value.fault


def test_a_document_is_read_as_the_run_read_its_data():
    lines = b"how fine\n\nso dull\n"
    faults = [source.value.fault for source in TextValues(None).sources_of_file("d", lines)]
    assert faults == ["", "line 2: an empty text", ""]
    [whole] = TextValues(Reading(FILE, "text")).sources_of_file("d", lines)
    assert whole.value.text == "how fine\n\nso dull"
    [empty] = TextValues(Reading(FILE, "text")).sources_of_file("d", b" ")
    assert empty.value.fault == "an empty text"
    reading = Reading(CSV, "review", ("label", "review"))
    [first, second] = TextValues(reading).sources_of_file("d", b'label,review\ngood,"fine, really"\nbad,dull\n')
    assert (first.value, second.value) == (Text("fine, really", {"label": "good"}), Text("dull", {"label": "bad"}))


@pytest.mark.parametrize("reading", [None, Reading(CSV, "review", ("label", "review"))])
def test_a_document_is_not_read_far_beyond_the_texts_that_are_wanted(reading):
    values, data = TextValues(reading), b"label,review\n" + b"good,fine\n" * 1000
    assert len(values.sources_of_file("d", data, 5)) == 6
    assert len(values.sources_of_file("d", data, 2000)) == len(values.sources_of_file("d", data)) >= 1000
