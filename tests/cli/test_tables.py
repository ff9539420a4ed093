"""Tables on the command line: the task follows from the data, CSV comes in and CSV goes out."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from dlcli.engine.targets import resolve_target

QUICK = ("--epochs", "2", "--batch-size", "16", "--hidden", "8", "--threads", "1", "--name", "r")
LINES = [
    "size,colour,price,kind",
    *(f"{7 * row % 41},{('red', 'blue')[row % 2]},{3 * row + 5}.5,{'ab'[row % 2]}" for row in range(40)),
]


@pytest.fixture
def table(bench: Any) -> None:
    bench.write("t.csv", "\n".join(LINES))


@pytest.mark.parametrize(("target", "task"), [("price", "regression"), ("kind", "table-classification")])
@pytest.mark.parametrize("named", ["table", "./data/table", "data/table"])
def test_the_task_follows_from_the_prepared_target(
    table: None, dl: Callable[..., Any], target: str, task: str, named: str
) -> None:
    assert dl("prepare", "table", "t.csv", "--target", target).code == 0
    assert resolve_target(named, None).spec.name == task


def test_before_it_is_prepared_a_table_means_regression() -> None:
    assert resolve_target("table", None).spec.name == "regression"
    assert resolve_target("regression", None).dataset == "housing"


def test_a_csv_on_standard_input_is_answered_as_the_same_file(table: None, bench: Any, dl: Callable[..., Any]) -> None:
    dl("prepare", "table", "t.csv", "--target", "price", "--drop", "kind")
    assert dl("train", "table", *QUICK).code == 0
    path = bench.write("q.csv", "colour,size,owner\nred,3,x\ngreen,7,y\nblue,tall,z\n")
    of_file = dl("predict", "r", "q.csv", "--csv")
    bench.patch.setattr("sys.stdin", path.open())
    of_stdin = dl("predict", "r", "-", "--csv")
    assert of_file.code == of_stdin.code == 8
    assert of_stdin.out == of_file.out.replace("q.csv:", "-:")
    rows = list(csv.DictReader(io.StringIO(of_stdin.out)))
    assert [row["input"] for row in rows] == ["-:2", "-:3", "-:4"]
    assert rows[0]["note"] == "not used: owner"
    assert "'green', which never occurs in the training data" in rows[1]["note"]
    assert rows[2]["error"] == "size is 'tall', not a number"
    assert float(rows[0]["prediction"]) != float(rows[1]["prediction"])


@pytest.mark.slow
def test_quantiles_of_an_export_are_those_of_the_run(table: None, bench: Any, dl: Callable[..., Any]) -> None:
    dl("prepare", "table", "t.csv", "--target", "price", "--drop", "kind")
    assert dl("train", "table", *QUICK, "--quantiles", "0.1,0.5,0.9", "--ensemble", "2").code == 0
    bench.write("q.csv", "colour,size\nred,3\nblue,40\n")
    assert dl("export", "r", "--out", "r.onnx").code == 0
    of_run, of_file = (
        list(csv.DictReader(io.StringIO(dl("predict", name, "q.csv", "--csv").out))) for name in ("r", "r.onnx")
    )
    for first, second in zip(of_run, of_file, strict=True):
        numbers = [float(first[name]) for name in ("q10", "q50", "q90")]
        assert numbers == sorted(numbers)
        assert numbers == pytest.approx([float(second[name]) for name in ("q10", "q50", "q90")], rel=1e-4)
