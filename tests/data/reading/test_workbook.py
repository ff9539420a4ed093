"""A workbook's only sheet is read as the CSV that a person would save."""

from __future__ import annotations

import datetime
import sys
import zipfile

import openpyxl
import pytest

from dlcli.core.errors import DataError
from dlcli.data.reading.workbook import workbook_as_csv
from dlcli.data.tables.rows import read_sheet


def write(path, sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_cells_are_written_as_people_read_them(tmp_path):
    rows = [
        ["name", "count", "share", "day", "time", "is new", None],
        ["猫, big", 3, 0.25, datetime.date(2024, 1, 5), datetime.datetime(2024, 1, 5, 10, 30), True, None],
        [None, 4.0, 1e20, None, None, False, None],
        [None] * 7,
    ]
    path = write(tmp_path / "t.xlsx", {"data": rows, "empty": []})
    assert workbook_as_csv(path).decode().splitlines() == [
        "name,count,share,day,time,is new",
        '"猫, big",3,0.25,2024-01-05,2024-01-05 10:30:00,true',
        ",4,1e+20,,,false",
    ]


def test_a_carriage_return_in_a_cell_begins_no_row(tmp_path):
    plain, path = write(tmp_path / "plain.xlsx", {"data": [["a", "b"], ["so@fine", 1]]}), tmp_path / "t.xlsx"
    with zipfile.ZipFile(plain) as before, zipfile.ZipFile(path, "w") as after:
        for name in before.namelist():  # openpyxl itself writes no such character
            after.writestr(name, before.read(name).replace(b"so@fine", b"so&#13;fine"))
    assert workbook_as_csv(path) == b'a,b\n"so\rfine",1\n'
    assert read_sheet(path).rows == [["so\nfine", "1"]]


def test_a_workbook_is_a_table(tmp_path):
    path = write(tmp_path / "t.xlsx", {"data": [["a", "b"], [1, 2.5], [3, 4]]})
    sheet = read_sheet(path)
    assert (sheet.names, sheet.rows) == (("a", "b"), [["1", "2.5"], ["3", "4"]])


@pytest.mark.parametrize(("sheets", "says"), [({"x": [[1]], "y": [[2]]}, "2 sheets"), ({"x": []}, "0 sheets")])
def test_it_is_asked_which_sheet(tmp_path, sheets, says):
    with pytest.raises(DataError, match=says) as caught:
        workbook_as_csv(write(tmp_path / "t.xlsx", sheets))
    assert "CSV" in caught.value.hint


def test_a_damaged_workbook_is_one_message(tmp_path):
    path = tmp_path / "t.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>" * 50)
        archive.writestr("xl/workbook.xml", "<w/>" * 90)
    with pytest.raises(DataError, match="damaged Excel workbook"):
        workbook_as_csv(path)


def test_without_openpyxl_its_name_is_said(tmp_path, monkeypatch):
    path = write(tmp_path / "t.xlsx", {"x": [[1]]})
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DataError, match="openpyxl") as caught:
        workbook_as_csv(path)
    assert caught.value.hint == "in dl's source folder: pip install '.[excel]'; or save the sheet as CSV"


@pytest.mark.parametrize("stated", ["A1", "A1:B2"])
def test_cells_beyond_the_size_that_a_sheet_states_are_read(tmp_path, stated):
    rows = [["a", "b", "c"], *([row, row + 1, row + 2] for row in range(5))]
    path = write(tmp_path / "t.xlsx", {"data": rows})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    assert b'<dimension ref="A1:C6"' in members[sheet]
    members[sheet] = members[sheet].replace(b'ref="A1:C6"', f'ref="{stated}"'.encode())
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert workbook_as_csv(path).decode().splitlines() == [",".join(map(str, row)) for row in rows]
