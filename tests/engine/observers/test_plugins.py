"""Callbacks of other packages: found by name, wrapped, and refused before a training if they cannot be loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcli.core.console import Console
from dlcli.core.errors import UsageError
from dlcli.core.train_config import read_callbacks
from dlcli.engine.callbacks import Callback
from dlcli.engine.observers.observing import Observing
from dlcli.engine.observers.plugins import open_callbacks, require_callbacks

CODE = """\
from dlcli.engine.callbacks import Callback

class Good(Callback):
    def __init__(self, folder):
        self.folder = folder

def other(folder):
    return "no callback"

def fails(folder):
    raise OSError("no room")

number = 7
"""

ENTRIES = """\
[dlcli.callbacks]
good = dl_observers:Good
other = dl_observers:other
fails = dl_observers:fails
number = dl_observers:number
gone = dl_observers:gone
dies = dl_dies:Good
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    info = tmp_path / "dl_observers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dl-observers\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(ENTRIES, encoding="utf-8")
    (tmp_path / "dl_observers.py").write_text(CODE, encoding="utf-8")
    (tmp_path / "dl_dies.py").write_text("raise RuntimeError('dies on import')", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_names_are_cut_at_commas_and_each_counts_once() -> None:
    assert read_callbacks("a, b,a") == ("a", "b")
    assert read_callbacks("") == ()
    with pytest.raises(ValueError, match="empty name"):
        read_callbacks("a,,b")


def test_a_named_callback_gets_the_runs_folder_and_is_wrapped(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_callbacks("good")
    [found] = open_callbacks("good", site / "run", Console(is_quiet=True))
    assert isinstance(found, Observing)
    inner = found._callback
    assert isinstance(inner, Callback)
    assert vars(inner) == {"folder": site / "run"}
    assert open_callbacks(None, site, Console(is_quiet=True)) == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("god", "no callback 'god'"),
        ("gone", "gone: cannot be loaded"),
        ("dies", "RuntimeError: dies on import"),
        ("number", "loads a int"),
        ("good,dies", "dies on import"),
    ],
)
def test_what_cannot_be_loaded_is_refused_before_a_training_and_warned_of_in_a_resumed_one(
    site: Path, capsys: pytest.CaptureFixture[str], name: str, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        require_callbacks(name)
    found = open_callbacks(name, site, Console(is_quiet=True))
    assert len(found) == name.count("good")
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(("name", "says"), [("other", "makes a str"), ("fails", "no room")])
def test_one_that_cannot_be_made_is_a_warning(
    site: Path, capsys: pytest.CaptureFixture[str], name: str, says: str
) -> None:
    require_callbacks(name)
    assert open_callbacks(name, site, Console(is_quiet=True)) == []
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert says in lines[0]
    assert lines[0].endswith("the training goes on without")


def test_without_any_package_the_group_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        require_callbacks("good")
    assert "dlcli.callbacks" in str(caught.value.hint)
