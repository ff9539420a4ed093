"""What is said of an input that could not be answered."""

from __future__ import annotations

import pytest

from dlcli.answering.answers import MAX_NAME, failure_of


@pytest.mark.parametrize(
    ("name", "reason", "said"),
    [
        ("rows.csv:7", "size: 'x' is no number", "rows.csv:7: size: 'x' is no number"),
        ("a.png", "a.png: no such file", "a.png: no such file"),
        ("caf\udce9.png", "caf\\udce9.png: no such file", "caf\\udce9.png: no such file"),
        ("", "no words", "no words"),
        ("so " * 90, "too long", f"{('so ' * 90)[: MAX_NAME - 1].rstrip()}…: too long"),
    ],
)
def test_a_reason_stands_behind_the_name_of_its_input_once(name: str, reason: str, said: str) -> None:
    assert failure_of({"input": name, "error": reason}) == said
