"""Every command that a message advises to type can be typed; tests/cli/test_bad_inputs.py asks it of each mistake."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bad_inputs.advice import HOLE, LISTS, advised, why_wrong

import dlcli

RUN = "digits-lenet-1"
QUICK = [
    "--model",
    "lenet",
    "--epochs",
    "1",
    "--batch-size",
    "512",
    "--precision",
    "fp32",
    "--device",
    "cpu",
    "--threads",
    "1",
]
SOURCES = sorted(Path(dlcli.__file__).parent.rglob("*.py"))


def _texts(tree: ast.AST) -> Iterator[str]:
    """Yield the texts of a module except its docstrings, with a mark where a value is filled in."""
    nodes = list(ast.walk(tree))
    documented = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else HOLE for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (documented | parts):
            yield node.value


# A parse of every file takes each process that collects these tests five seconds; few of them give advice.
WITH_ADVICE = [source for path in SOURCES if any(start in (source := path.read_text()) for start in ("`dl ", "next: "))]
ADVICE = sorted({line for source in WITH_ADVICE for text in _texts(ast.parse(source)) for line in advised(text)})


def test_the_source_code_has_advice() -> None:
    assert len(ADVICE) > 30


@pytest.mark.parametrize("line", ADVICE)
def test_the_advice_in_the_source_code_has_commands_and_options_that_exist(line: str, bench: Any) -> None:
    assert not why_wrong(line)


@pytest.mark.parametrize("line", [line for line in ADVICE if line.split()[1] in LISTS and HOLE not in line])
def test_the_lists_that_are_advised_are_printed(line: str, bench: Any, dl: Any) -> None:
    assert dl(*shlex.split(line)[1:]).code == 0


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("dl trian digits", "no command 'trian'"),
        ("dl prepare photos SOURCE", "no dataset 'photos'"),
        ("dl eval RUN --spilt test", "no option --spilt"),
        ("dl train --from", "--from has no value"),
        ("dl train --resume --quiet", "--resume has no value"),
        ("dl export RUN --format onnx", ""),
        ("dl prepare NAME SOURCE", ""),
        ("dl train TARGET -h", ""),
    ],
)
def test_advice_that_cannot_be_typed_is_found(line: str, wrong: str, bench: Any) -> None:
    assert why_wrong(line).endswith(wrong)
    assert bool(why_wrong(line)) == bool(wrong)


@pytest.mark.parametrize("with_test", [True, False])
def test_the_next_step_after_training_works_as_it_is_printed(with_test: bool, bench: Any, dl: Any) -> None:
    bench.photos("photos/train" if with_test else "photos", count=16)
    if with_test:
        bench.photos("photos/test", count=2)
    trained = dl("train", "./photos", *QUICK, "--image-size", "32", "--name", "a run")
    assert trained.code == 0, trained.err
    [line] = [line for line in trained.err.splitlines() if line.startswith("next: ")]
    assert line == f"next: dl eval 'a run'{'' if with_test else ' --split valid'}"
    evaluated = dl(*shlex.split(line.removeprefix("next: dl ")), "--no-plots")
    assert evaluated.code == 0, evaluated.err


def test_a_run_elsewhere_is_named_by_its_path(bench: Any, dl: Any) -> None:
    bench.run("other one").rename("other one")
    answer = dl("train", "--resume", "other one")
    [line] = advised(answer.err)
    assert (answer.code, line) == (2, "dl train --from 'other one'")


def test_data_that_is_gone_is_not_prepared_by_a_name_that_is_no_dataset(bench: Any, dl: Any) -> None:
    run = bench.run()
    info = (run / "run.json").read_text()
    (run / "run.json").write_text(info.replace("data/digits", "gone").replace('"dataset": "digits"', '"dataset": "x"'))
    answer = dl("eval", RUN)
    assert (answer.code, "--data" in answer.err, list(advised(answer.err))) == (3, True, [])
