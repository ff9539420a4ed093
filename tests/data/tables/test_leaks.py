"""Columns that give the target away are found, and real tables raise no alarm."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets

from dlcli.data.tables.form import CATEGORICAL, NUMERIC, Column, TableRows
from dlcli.data.tables.leaks import MOST_ROWS, find_leaks, leak_warnings, picked_rows, sorted_by_target

COUNT = 400
RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.normal(50, 20, COUNT)
LABELS = RANDOM.integers(0, 3, COUNT)


def table(targets, numeric=(), categories=()):
    """Return the columns and rows of a table: the given ones beside one of noise."""
    numeric = {"noise": np.random.default_rng(1).normal(size=len(targets)), **dict(numeric)}
    categories = dict(categories)
    columns = [Column(name, NUMERIC) for name in numeric]
    columns += [
        Column(name, CATEGORICAL, tuple(map(str, range(values.max() + 1)))) for name, values in categories.items()
    ]
    places = np.stack(list(categories.values()), 1) if categories else np.empty((len(targets), 0), np.int64)
    return columns, TableRows(np.stack(list(numeric.values()), 1), places, targets, np.arange(len(targets)) % 5 == 0)


def found(targets, num_classes=0, target="y", **kinds):
    return {leak.column: leak for leak in find_leaks(*table(targets, **kinds), target, num_classes)}


RELATED = {
    "a copy": (NUMBERS, "equals the target"),
    "another unit": (1.8 * NUMBERS + 32, "another unit"),
    "the other sign": (-NUMBERS, "another unit"),
    "a monotone function": (np.exp(NUMBERS / 20), "rank correlation"),
    "rounded": (np.round(NUMBERS), "rank correlation"),
    "near": (NUMBERS + RANDOM.normal(0, 1.5, COUNT), "of the variance"),
    "related as real columns are": (NUMBERS + RANDOM.normal(0, 6, COUNT), None),
    "with gaps": (np.where(RANDOM.random(COUNT) < 0.2, np.nan, NUMBERS), "equals the target"),
}


@pytest.mark.parametrize("name", RELATED)
def test_a_number_that_follows_the_target(name):
    values, reason = RELATED[name]
    leaks = found(NUMBERS, numeric={"x": values})
    assert set(leaks) == ({"x"} if reason else set())
    if reason:
        assert reason in leaks["x"].found
        assert leaks["x"].is_certain


def test_a_target_that_is_no_monotone_function_is_explained():
    [leak] = found((NUMBERS - 50) ** 2, numeric={"x": NUMBERS}).values()
    assert float(leak.found.split()[3]) > 0.98  # it alone explains R2


def test_categories_that_stand_for_the_classes_and_those_that_do_not():
    mapped = np.array([2, 0, 1])[LABELS]
    blurred = np.where(RANDOM.random(COUNT) < 0.1, 0, LABELS)
    finer = LABELS * 4 + RANDOM.integers(0, 4, COUNT)
    leaks = found(LABELS, 3, numeric={"code": 7.0 * LABELS}, categories={"m": mapped, "b": blurred, "f": finer})
    assert set(leaks) == {"code", "m", "f"}
    assert "each of its values stands for one class; it alone decides the class of 100 %" in leaks["m"].found
    assert "stands for one class" in leaks["code"].found
    assert "stands for one class" not in leaks["f"].found


def test_categories_that_are_nearly_distinct_say_nothing():
    names = np.random.default_rng(2).permutation(COUNT)
    assert found(NUMBERS, categories={"name": names}) == {}
    assert found(LABELS, 3, categories={"name": names}) == {}


def test_an_index_of_sorted_rows():
    labels, index = np.sort(LABELS), np.arange(float(COUNT))
    [leak] = found(labels, 3, numeric={"row": index}).values()
    assert "it numbers the rows" in leak.found
    assert found(LABELS, 3, numeric={"row": index}) == {}
    [leak] = found(np.sort(NUMBERS), numeric={"row": index}).values()
    assert "it numbers the rows" in leak.found or "rank correlation" in leak.found
    _, rows = table(labels)
    assert sorted_by_target(rows, 3)
    assert not sorted_by_target(table(LABELS)[1], 3)
    assert sorted_by_target(table(np.sort(NUMBERS)[::-1])[1], 0)


def test_a_date_of_the_outcome():
    left = (LABELS > 0).astype(np.int64)
    dates = 20_200_000.0 + 101 + RANDOM.integers(0, 12, COUNT) * 100 + RANDOM.integers(0, 28, COUNT)
    leaks = found(left, 2, "churned", numeric={"churn_date": np.where(left == 1, dates, np.nan), "signup_date": dates})
    assert set(leaks) == {"churn_date"}
    assert "whether it is filled in is enough" in leaks["churn_date"].found
    partly = np.where((left == 1) & (RANDOM.random(COUNT) < 0.9), dates, np.nan)
    [leak] = found(left, 2, "churned", numeric={"closedAt": partly}).values()
    assert leak.is_certain
    assert "a date of the outcome" in leak.found
    [leak] = found(left, 2, "churned", numeric={"closedAt": dates}).values()
    assert not leak.is_certain  # the name alone is a hint, not a warning
    assert leak_warnings(*table(left, numeric={"closedAt": dates}), "churned", 2) == []


def test_a_rare_class_must_be_decided_without_exception():
    rare = (np.arange(COUNT) % 16 == 0).astype(np.int64)
    wrong = rare.copy()
    wrong[1] = 1
    assert set(found(rare, 2, categories={"same": rare, "nearly": wrong})) == {"same"}
    assert found(rare[:300], 2, categories={"same": rare[:300]}) == {}  # 19 rows tell too little


def test_few_rows_and_single_columns_raise_no_alarm():
    assert found(NUMBERS[:49], numeric={"x": NUMBERS[:49]}) == {}
    rows = TableRows(NUMBERS[:, None], np.empty((COUNT, 0), np.int64), NUMBERS, np.zeros(COUNT, bool))
    assert find_leaks([Column("x", NUMERIC)], rows, "y", 0) == []


def test_the_warning_names_column_figure_and_the_way_out():
    [line] = leak_warnings(*table(NUMBERS, numeric={"价格(元)": NUMBERS * 7}), "价格", 0)
    start, _, rest = line.partition("; it alone explains ")
    assert start == "'价格(元)' gives the target away: it is the target in another unit (correlation 1.000000)"
    score, _, rest = rest.partition(" ")
    assert 0.99 < float(score) <= 1
    assert rest == ("of the variance (R2); unless it is known before '价格' is, leave it out by --drop '价格(元)'")


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes", "digits"])
def test_real_tables_raise_no_alarm(name):
    data = getattr(datasets, f"load_{name}")()
    num_classes = len(data.target_names) if name != "diabetes" else 0
    columns = [Column(f"c{number}", NUMERIC) for number in range(data.data.shape[1])]
    rows = TableRows(data.data, np.empty((len(data.data), 0), np.int64), data.target, np.zeros(len(data.data), bool))
    assert find_leaks(columns, rows, "target", num_classes) == []


@pytest.mark.slow
@pytest.mark.skipif("DLCLI_DATA" not in os.environ, reason="DLCLI_DATA names no folder of real data")
def test_real_files_raise_no_alarm():
    root = Path(os.environ["DLCLI_DATA"])
    housing = np.loadtxt(root / "housing" / "housing.data")
    lines = (root / "auto-mpg" / "auto-mpg.data").read_text().splitlines()
    miles = np.array([[float(cell) for cell in line.split('"')[0].split()] for line in lines if "?" not in line])
    for values, target in ((housing, 13), (miles, 0)):
        others = np.delete(values, target, 1)
        columns = [Column(f"c{number}", NUMERIC) for number in range(others.shape[1])]
        rows = TableRows(others, np.empty((len(others), 0), np.int64), values[:, target], np.zeros(len(others), bool))
        assert find_leaks(columns, rows, "target", 0) == []


@pytest.mark.parametrize("num_classes", [0, 5])
def test_large_tables_take_about_a_second(num_classes):
    random = np.random.default_rng(0)
    numbers = random.normal(size=(60_000, 20))
    targets = random.integers(0, 5, 60_000) if num_classes else random.normal(size=60_000)
    columns = [Column(f"c{number}", NUMERIC) for number in range(20)]
    rows = TableRows(numbers, np.empty((60_000, 0), np.int64), targets, np.zeros(60_000, bool))
    started = time.process_time()
    assert find_leaks(columns, rows, "y", num_classes) == []
    assert time.process_time() - started < 2
    assert len(picked_rows(60_000, 20)) == MOST_ROWS
