"""Every command line in the documentation's blocks of shell is one that `dl` takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from grammar import ROOT, blocks_of, commands_of, fault_of

PAGES = [ROOT / "README.md", *sorted(ROOT.glob("README.*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN_BY_PROGRAM = "cli.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_are_taken(page: Path) -> None:
    if page.name == WRITTEN_BY_PROGRAM:
        return
    lines = [words for block in blocks_of(page) for words in commands_of(block)]
    faults = {" ".join(words): fault for words in lines if (fault := fault_of(words))}
    assert faults == {}


def test_every_task_has_a_page() -> None:
    from dlcli.core.registry import TASKS

    page_of = {"regression": "tables", "table-classification": "tables"}
    pages = {path.stem for path in (ROOT / "docs" / "tasks").glob("*.md")}
    assert pages == {page_of.get(name, name) for name in TASKS}


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        ("dl train digits && dl eval digits", [["train", "digits"], ["eval", "digits"]]),
        ('RUN=$(dl train digits --quiet)\ndl eval "$RUN"', [["train", "digits", "--quiet"], ["eval", "$RUN"]]),
        ("cat x | dl predict RUN - > out.txt  # a comment", [["predict", "RUN", "-"]]),
        ("torchrun --nnodes 2 \\\n   -m dlcli train digits", [["train", "digits"]]),
        ("for a in b; do dl eval $a; done", [["eval", "$a"]]),
        ("if dl eval RUN; then echo; fi", [["eval", "RUN"]]),
        ("handle dl eval", []),
    ],
)
def test_commands_are_found_in_shell(shell: str, expected: list[list[str]]) -> None:
    assert sorted(commands_of(shell)) == sorted(expected)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("train digits --epochs 3", ""),
        ("train digits --epochs three", "three"),
        ("train digits --epoch 3", "--epoch"),
        ("predict RUN x --class 7", ""),
        ("predict RUN x --klass 7", "--klass"),
        ("predict", "run"),
        ("pretend RUN", "no command"),
        ("visualize nothing RUN", "nothing"),
        ("prepare nothing X", "nothing"),
    ],
)
def test_a_line_that_dl_refuses_is_found(line: str, fault: str) -> None:
    found = fault_of(line.split())
    assert bool(found) == bool(fault) and fault.lower() in found.lower(), found
