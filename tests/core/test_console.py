from __future__ import annotations

import io
import json

import pytest

from dlcli.core.console import Console, display_width, format_table, has_colour, is_interactive, shorten


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("CI", "NO_COLOR", "GITHUB_ACTIONS", "TERM"):
        monkeypatch.delenv(name, raising=False)


def test_a_pipe_gets_no_bars_and_no_colours():
    assert not is_interactive(io.StringIO())
    assert is_interactive(Terminal())


@pytest.mark.parametrize(("name", "value"), [("CI", "true"), ("TERM", "dumb"), ("NO_COLOR", "1")])
def test_no_escape_codes_where_they_are_not_wanted(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert not has_colour(Terminal())


def test_github_actions_forces_no_escape_codes(monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert not has_colour(io.StringIO())


def test_the_answer_is_on_stdout_and_all_else_on_stderr(capsys):
    console = Console()
    console.answer("answer")
    console.say("said")
    console.warn("careful")
    console.detail("detail")
    captured = capsys.readouterr()
    assert captured.out == "answer\n"
    assert captured.err == "said\nwarning: careful\n"


def test_quiet_keeps_warnings_and_verbose_adds_details(capsys):
    Console(is_quiet=True).say("said")
    Console(is_quiet=True).warn("careful")
    Console(is_verbose=True).detail("detail")
    assert capsys.readouterr().err == "warning: careful\ndetail\n"


def test_json_has_a_schema_and_keeps_chinese(capsys):
    Console().answer_json("eval", {"name": "猫"})
    text = capsys.readouterr().out
    assert json.loads(text) == {"schema": "dl.eval/1", "name": "猫"}
    assert "猫" in text


def test_json_refuses_what_json_has_no_number_for():
    with pytest.raises(ValueError, match="JSON"):
        Console().answer_json("eval", {"loss": float("nan")})


def test_chinese_counts_double_and_columns_stay_aligned():
    assert display_width("猫a") == 3
    lines = format_table(["name", "count"], [["猫", 12], ["doggy", 3456]])
    assert lines == ["name   count", "猫        12", "doggy  3,456"]
    assert len({display_width(line) for line in lines}) == 1


def test_a_shortened_text_is_one_line_of_at_most_so_many_characters():
    assert shorten("a\n b", 18) == "a b"
    assert shorten("x" * 18, 18) == "x" * 18
    assert shorten("x" * 19, 18) == "x" * 17 + "…"


def test_the_log_gets_every_line(tmp_path, capsys):
    console = Console(is_quiet=True, log=tmp_path / "log.txt")
    console.say("one")
    console.warn("two")
    assert (tmp_path / "log.txt").read_text() == "one\nwarning: two\n"
