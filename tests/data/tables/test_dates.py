"""Dates and times in any order are known as such, and words and numbers are not."""

from __future__ import annotations

import pytest

from dlcli.data.tables.dates import are_compact_dates, hold_dates, is_date


@pytest.mark.parametrize(
    "cell",
    [
        "2024-01-05",
        "2024/1/5",
        "2024.1.5",
        "2024年1月5日",
        "2024-01",
        "05.01.2024",
        "5/13/2024",
        "05-01-24",
        "1 Mar 2020",
        "Jan 05 2024",
        "January 5th, 2024",
        "5 January 2024",
        "05-Jan-24",
        "Jan 2024",
        "2024 Jan 05",
        "Sept. 3, 2024",
        "5. März 2024",
        "5 janv. 2024",
        "2024-W05",
        "2024-W05-3",
        "2024W053",
        "2024-Q1",
        "Q3 2024",
        "2024-01-05 10:00:00 UTC",
        "2024-01-05T10:00:00Z",
        "2024-01-05T10:00:00.123+01:00",
        "2024-01-05 10:00",
        "Mon, 05 Jan 2024 10:00:00 GMT",
        "Fri Nov 27 20:35:09 2026",
        "Fri Nov 27 20:35:09 UTC 2026",
        "1/5/24 3:04 PM",
        "10:30",
        "10:30:59",
        "7:05 a.m.",
    ],
)  # fmt: skip
def test_a_date_is_a_date(cell):
    assert is_date(cell)
    assert is_date(cell.upper().replace("年", "年"))


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "12",
        "3.5",
        "2024",
        "20240105",
        "red",
        "mars",
        "May",
        "Jan",
        "mayor 12",
        "augusta 12",
        "3 marches",
        "1.2.3",
        "192.168.1.1",
        "555-12-1234",
        "12-13",
        "A-12-13-14",
        "1:2",
        "2024-01-05 and later",
        "1" * 7000,
    ],
)  # fmt: skip
def test_what_is_no_date_is_none(cell):
    assert not is_date(cell)


def test_one_cell_among_many_that_is_no_date_changes_nothing():
    days = [f"Jan {day:02d} 2024" for day in range(1, 29)]
    assert hold_dates(days) and hold_dates([*days, "soon"])
    assert not hold_dates([*days, *["soon"] * 4]) and not hold_dates([])


def test_compact_dates_are_numbers_that_look_like_dates():
    assert are_compact_dates(["20240105", "19991231"])
    assert not are_compact_dates(["20240105", "20241305"])
    assert not are_compact_dates([])
