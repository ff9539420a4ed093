from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_a_mute_console_still_says_what_went_wrong(capsys):
    console = Console(is_mute=True)
    console.answer("answer")
    console.answer_json("eval", {})
    console.table(["a"], [["b"]])
    console.warn("careful")
    console.error(["error: lost"])
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "error: lost\n")


def test_the_log_has_what_the_terminal_does_not_show(tmp_path, capsys):
    console = Console(is_quiet=True, is_mute=True)
    with console.logging_to(tmp_path / "记录.txt"):
        console.say("said 猫")
        console.detail("detail")
        console.warn("careful")
    assert capsys.readouterr().err == ""
    assert (tmp_path / "记录.txt").read_text(encoding="utf-8") == "said 猫\ndetail\nwarning: careful\n"


def test_an_error_is_logged_line_by_line_without_colours(tmp_path, capsys, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    lines = ["error: the error: is here", "  fix: mend it"]
    Console(log=tmp_path / "log.txt").error(lines)
    assert (tmp_path / "log.txt").read_text() == "\n".join(lines) + "\n"
    assert terminal.getvalue() == "\033[1;31merror:\033[0m the error: is here\n  fix: mend it\n"


def test_a_warning_on_a_terminal_is_yellow_and_plain_in_the_log(tmp_path, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    Console(log=tmp_path / "log.txt").warn("careful")
    assert terminal.getvalue() == "\033[33mwarning:\033[0m careful\n"
    assert (tmp_path / "log.txt").read_text() == "warning: careful\n"


def test_a_log_ends_with_its_block_also_where_the_block_fails(tmp_path):
    console = Console(is_quiet=True, log=tmp_path / "outer.txt")
    with console.logging_to(tmp_path / "inner.txt"):
        console.say("inner")
    with pytest.raises(RuntimeError), console.logging_to(tmp_path / "inner.txt"):
        raise RuntimeError
    console.say("outer")
    assert (tmp_path / "inner.txt").read_text() == "inner\n"
    assert (tmp_path / "outer.txt").read_text() == "outer\n"


def test_no_log_may_be_asked_for_inside_a_log(tmp_path):
    console = Console(is_quiet=True, log=tmp_path / "log.txt")
    with console.logging_to(None):
        console.say("nowhere")
    assert not (tmp_path / "log.txt").exists()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "yes"),
        (False, "no"),
        (1234567, "1,234,567"),
        (-1234, "-1,234"),
        (0.5, "0.5000"),
        (1 / 3, "0.3333"),
        (0.0, "0.0000"),
        (0.871, "0.8710"),
        (-0.001, "-0.0010"),
        (0.00045, "0.00045"),
        (-1.234e-6, "-1.2e-06"),
        (1_700_000_000_000.25, "1700000000000.2500"),
        (1.5e20, "1.5e+20"),
        ("猫", "猫"),
    ],
)
def test_a_cell_reads_as_people_write_it(value, text):
    [_, line] = format_table(["a", "b"], [[value, "x"]])
    assert line.split() == [text, "x"]


@pytest.mark.parametrize(
    ("rows", "is_right"),
    [
        ([[1], [22]], True),
        ([[1], [None]], True),
        ([[0.5], [22]], True),
        ([[1], ["a"]], False),
        ([["1"], ["22"]], False),
        ([], False),
    ],
)
def test_a_column_stands_at_the_right_where_all_its_values_are_numbers(rows, is_right):
    header, *_ = format_table(["n", "wide name"], [[*row, "x"] for row in rows])
    wide, *lines = format_table(["wide name"], rows)
    assert wide == "wide name"
    assert all(line.startswith(" ") is is_right for line in lines)
    assert header.endswith("wide name")


def test_a_table_without_rows_is_its_header_and_the_header_may_be_bold():
    assert format_table(["name", "count"], []) == ["name  count"]
    assert format_table(["name"], [["a"]], bold=True) == ["\033[1mname\033[0m", "a"]


@settings(max_examples=20)
@given(st.lists(st.tuples(st.text("a猫ｂé ", max_size=6), st.integers(-(10**6), 10**6) | st.none()), min_size=1))
def test_every_column_begins_in_the_same_cell_of_every_line(rows):
    lines = format_table(["名字", "count", "last"], [[*row, "|"] for row in rows])
    [_] = {display_width(line.rpartition("|")[0]) for line in lines[1:]}


@settings(max_examples=40)
@given(st.text("ab猫 \n\t…\u2028", max_size=40), st.integers(1, 30))
def test_a_shortened_text_never_exceeds_its_length_and_short_ones_are_whole(text, most):
    line = shorten(text, most)
    assert len(line) <= most
    assert len(line.splitlines()) <= 1
    whole = " ".join(text.split())
    assert line == whole if len(whole) <= most else line.endswith("…") and whole.startswith(line[:-1])


@settings(max_examples=20)
@given(st.text("ab猫ｂé…"))
def test_the_width_of_a_text_is_the_sum_of_its_parts(text):
    assert display_width(text + "猫") == display_width(text) + 2
    assert display_width(text * 2) == 2 * display_width(text)
    assert len(text) <= display_width(text) <= 2 * len(text)
