"""`dl visualize --show`: in the terminal beside the file, or one line that says why not."""

from __future__ import annotations

import pytest

from dlcli.visualize import terminal


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_picture_is_shown_on_a_terminal_and_written_in_any_case(bench, dl, monkeypatch, is_terminal):
    run = bench.run()
    monkeypatch.setattr(terminal, "has_colour", lambda stream: is_terminal)
    answer = dl("visualize", "curves", run.name, "--show")
    assert answer.out == f"runs/{run.name}/plots/curves.png\n"
    assert ("▀" in answer.err) == is_terminal
    assert answer.err.count("no terminal with colours") == (not is_terminal)


def test_curves_are_lines_of_text_in_blocks_and_a_picture_where_a_terminal_shows_pictures(bench, dl, monkeypatch):
    run = bench.run()
    monkeypatch.setattr(terminal, "has_colour", lambda stream: True)
    monkeypatch.delenv("TMUX", raising=False)
    assert "loss  " in dl("visualize", "curves", run.name, "--show").err
    monkeypatch.setenv("KITTY_WINDOW_ID", "1")
    monkeypatch.setenv("TERM", "xterm-kitty")
    assert dl("visualize", "curves", run.name, "--show").err.startswith("\033_Ga=T,f=100,q=2")
