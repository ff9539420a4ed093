"""Pictures on terminals: which protocol by the environment alone, and the exact bytes of small ones."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest

from dlcli.visualize import terminal
from dlcli.visualize.blocks import as_blocks
from dlcli.visualize.canvas import encode_png
from dlcli.visualize.terminal import Screen, drawing, screen_of

RED, BLUE, GREY = (255, 0, 0), (0, 0, 255), (128, 128, 128)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("CI", "GITHUB_ACTIONS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.mark.parametrize(
    ("environment", "protocol", "has_true_colour"),
    [
        ({"TERM": "xterm-256color"}, "blocks", False),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "blocks", True),
        ({"TERM": "xterm-direct"}, "blocks", True),
        ({"TERM": "xterm-kitty"}, "kitty", False),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty", False),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2", False),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm", "COLORTERM": "24bit"}, "iterm2", True),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "vscode"}, "blocks", False),
        # Inside a multiplexer the variables of the terminal around it are still there.
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, "blocks", False),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-0/default,1,0"}, "blocks", False),
        ({"TERM": "screen-256color", "TERM_PROGRAM": "iTerm.app", "COLORTERM": "truecolor"}, "blocks", True),
    ],
)
def test_the_environment_alone_names_the_protocol(environment, protocol, has_true_colour):
    assert screen_of(Terminal(), environment, 80) == Screen(protocol, 80, has_true_colour)


def test_a_pipe_and_an_unwanted_colour_show_nothing(monkeypatch):
    assert screen_of(io.StringIO(), {"TERM": "xterm-kitty"}, 80) is None
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb"), ("CI", "true")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert screen_of(Terminal(), columns=80) is None


def test_the_width_follows_the_terminal(monkeypatch):
    monkeypatch.setattr(terminal.shutil, "get_terminal_size", lambda: terminal.os.terminal_size((33, 20)))
    assert screen_of(Terminal()).columns == 33
    assert screen_of(Terminal(), columns=500).columns == terminal.MAX_COLUMNS
    wide = np.zeros((10, 300, 3), np.uint8)
    for columns in (20, 33):
        lines = drawing(wide, Screen("blocks", columns, True)).split("\n")
        assert {line.count("▀") for line in lines} == {columns}


def test_the_bytes_of_blocks():
    picture = np.array([[RED, RED, BLUE], [BLUE, BLUE, RED]], np.uint8)
    assert drawing(picture, Screen("blocks", 80, True)) == (
        "\033[38;2;255;0;0;48;2;0;0;255m▀▀\033[38;2;0;0;255;48;2;255;0;0m▀\033[0m"
    )
    assert drawing(picture, Screen("blocks", 80, False)) == "\033[38;5;196;48;5;21m▀▀\033[38;5;21;48;5;196m▀\033[0m"


def test_each_of_xterms_256_colours_is_its_own_nearest():
    levels = (0, 95, 135, 175, 215, 255)
    cube = [(red, green, blue) for red in levels for green in levels for blue in levels]
    greys = [(value,) * 3 for value in range(8, 239, 10)]
    picture = np.array([[*cube, *greys]] * 2, np.uint8)
    (line,) = as_blocks(picture, 1000, has_true_colour=False)
    codes = [int(part.split(";")[2]) for part in line.split("\033[38")[1:]]
    assert codes == list(range(16, 256))


def test_the_bytes_of_iterm2():
    picture = np.full((2, 3, 3), 200, np.uint8)
    data = encode_png(picture)
    text = base64.b64encode(data).decode()
    head = f"\033]1337;File=inline=1;size={len(data)};"
    assert drawing(picture, Screen("iterm2", 80, True)) == f"{head}preserveAspectRatio=1:{text}\a"
    wide = drawing(np.zeros((2, 700, 3), np.uint8), Screen("iterm2", 80, True))
    assert ";width=80;preserveAspectRatio=1:" in wide


def test_the_bytes_of_kitty():
    picture = np.full((2, 3, 3), 200, np.uint8)
    text = base64.b64encode(encode_png(picture)).decode()
    assert drawing(picture, Screen("kitty", 80, True)) == f"\033_Ga=T,f=100,q=2,m=0;{text}\033\\"


def test_a_large_picture_reaches_kitty_in_chunks():
    noise = np.random.default_rng(0).integers(0, 256, (60, 700, 3), dtype=np.uint8)
    parts = drawing(noise, Screen("kitty", 80, True)).split("\033\\")
    assert parts.pop() == ""
    heads, chunks = zip(*(part.removeprefix("\033_G").split(";", 1) for part in parts), strict=True)
    assert heads == ("a=T,f=100,q=2,c=80,m=1", *["m=1"] * (len(parts) - 2), "m=0")
    assert max(map(len, chunks)) == terminal.KITTY_CHUNK
    assert base64.b64decode("".join(chunks)) == encode_png(noise)
