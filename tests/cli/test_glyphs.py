"""The advice to install a Chinese font is for Chinese characters alone."""

from __future__ import annotations

from typing import Any

import pytest

from dlcli.cli.glyphs import warn_of_missing_glyphs
from dlcli.core.console import Console


@pytest.mark.parametrize(
    ("missing", "named"),
    [("猫", "猫"), ("😀猫ꙮ", "猫"), ("かカ々", "かカ々"), ("😀", ""), ("ꙮ\u200d\ufe0f", ""), ("", "")],
)
def test_only_missing_chinese_characters_are_warned_of(
    missing: str, named: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("dlcli.visualize.fonts.missing_glyphs", lambda texts: missing)
    warn_of_missing_glyphs(Console(), [missing])
    said = capsys.readouterr().err
    assert (repr(named) in said) if named else said == ""
    assert ("to install one, in dl's source folder: pip install '.[cjk]'" in said) == bool(named)
