"""`dl visualize --show`: in the terminal beside the file, or one line that says why not."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.cli.showing import MAX_SHOWN, show_pictures
from dlcli.core.console import Console
from dlcli.visualize import terminal
from dlcli.visualize.subject import Animation


@pytest.mark.slow  # each draws the curves with matplotlib
@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_picture_is_shown_on_a_terminal_and_written_in_any_case(bench, dl, monkeypatch, is_terminal):
    run = bench.run()
    monkeypatch.setattr(terminal, "has_colour", lambda stream: is_terminal)
    answer = dl("visualize", "curves", run.name, "--show")
    assert answer.out == f"runs/{run.name}/plots/curves.png\n"
    assert ("▀" in answer.err) == is_terminal
    assert answer.err.count("no terminal with colours") == (not is_terminal)


@pytest.mark.slow
def test_curves_are_lines_of_text_in_blocks_and_a_picture_where_a_terminal_shows_pictures(bench, dl, monkeypatch):
    run = bench.run()
    monkeypatch.setattr(terminal, "has_colour", lambda stream: True)
    monkeypatch.delenv("TMUX", raising=False)
    assert "loss  " in dl("visualize", "curves", run.name, "--show").err
    monkeypatch.setenv("KITTY_WINDOW_ID", "1")
    monkeypatch.setenv("TERM", "xterm-kitty")
    assert dl("visualize", "curves", run.name, "--show").err.startswith("\033_Ga=T,f=100,q=2")


def test_an_animation_shows_its_last_frame_and_too_many_pictures_are_counted(monkeypatch, capsys):
    monkeypatch.setattr(terminal, "has_colour", lambda stream: True)
    monkeypatch.setenv("TERM", "xterm-direct")
    for name in ("TMUX", "STY", "KITTY_WINDOW_ID", "TERM_PROGRAM"):
        monkeypatch.delenv(name, raising=False)
    black, red = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), (255, 0, 0), np.uint8)
    show_pictures(Console(), [Animation([black, red])])
    assert capsys.readouterr().err == "\033[38;2;255;0;0;48;2;255;0;0m▀▀\033[0m\n"
    show_pictures(Console(), [black] * (MAX_SHOWN + 2))
    assert "2 more are only written" in capsys.readouterr().err


def test_lines_take_the_place_of_pictures_in_blocks_and_a_pipe_gets_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(terminal, "has_colour", lambda stream: True)
    monkeypatch.setenv("TMUX", "1")
    show_pictures(Console(), [np.zeros((2, 2, 3), np.uint8)], lambda columns, has_true_colour: ["a line", "another"])
    assert capsys.readouterr().err == "a line\nanother\n"
    monkeypatch.setattr(terminal, "has_colour", lambda stream: False)
    show_pictures(Console(), [np.zeros((2, 2, 3), np.uint8)] * 3)
    assert len(capsys.readouterr().err.splitlines()) == 1
