from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from dlcli.core.console import Console
from dlcli.core.run_dir import RunDir
from dlcli.engine.observers.showing import ShowSamples
from dlcli.engine.task import Samples
from dlcli.visualize import terminal
from dlcli.visualize.blocks import UPPER_HALF

PICTURE = np.full((4, 6, 3), 200, np.uint8)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run" / "samples"
    folder.mkdir(parents=True)
    (folder / "epoch-0003.png").write_bytes(b"")
    return RunDir(tmp_path / "run")


def show(run, samples, console=None):
    ShowSamples(run, console or Console()).on_epoch_end(SimpleNamespace(samples=samples))


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_picture_is_drawn_on_a_terminal_and_named_elsewhere(run, monkeypatch, capsys, is_terminal):
    monkeypatch.setattr(terminal, "has_colour", lambda stream: is_terminal)
    show(run, Samples(PICTURE, ("a line",)))
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("  a line\n")
    assert err.count(UPPER_HALF) == (2 * 6 if is_terminal else 0)
    assert ("epoch-0003.png" in err) != is_terminal


def test_drawings_are_not_logged(run, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(terminal, "has_colour", lambda stream: True)
    log = tmp_path / "log.txt"
    show(run, Samples(PICTURE, ("a line",)), Console(log=log))
    assert log.read_text(encoding="utf-8") == "  a line\n"
    assert UPPER_HALF in capsys.readouterr().err


@pytest.mark.parametrize("samples", [None, Samples()])
def test_nothing_new_is_not_shown(run, capsys, samples):
    show(run, samples)
    assert capsys.readouterr() == ("", "")


def test_quiet_trainings_show_nothing(run, monkeypatch, capsys):
    monkeypatch.setattr(terminal, "has_colour", lambda stream: True)
    show(run, Samples(PICTURE), Console(is_quiet=True))
    assert capsys.readouterr() == ("", "")


def test_the_curves_are_shown_at_the_end_on_a_terminal_only(run, monkeypatch, capsys):
    (run.path / "metrics.jsonl").write_text('{"epoch": 1, "loss": 2.0}\n{"epoch": 2, "loss": 1.0}\n')
    ShowSamples(run, Console()).on_train_end(SimpleNamespace())
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(terminal, "has_colour", lambda stream: True)
    ShowSamples(run, Console()).on_train_end(SimpleNamespace())
    assert "training 1.0000" in capsys.readouterr().err
    (run.path / "metrics.jsonl").unlink()
    ShowSamples(run, Console()).on_train_end(SimpleNamespace())
    assert capsys.readouterr() == ("", "")
