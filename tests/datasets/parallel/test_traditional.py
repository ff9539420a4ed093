"""Traditional characters are counted where OpenCC is there, said where it is not, and never converted."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from dlcli.datasets.parallel.traditional import count_traditional

PAIRS = [("我在家", "home"), ("他在學校", "school"), ("今天下雨", "rain"), ("這是書", "book")]


class Simplifying:
    """OpenCC's converter for these four sentences."""

    def __init__(self, name: str) -> None:
        assert name == "t2s"

    def convert(self, text: str) -> str:
        return text.replace("學", "学").replace("這", "这").replace("書", "书")


@pytest.fixture
def opencc(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("opencc")
    module.OpenCC = Simplifying  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "opencc", module)


@pytest.mark.parametrize("swapped", [False, True])
def test_sentences_that_a_conversion_changes_are_counted_on_the_chinese_side(swapped: bool, opencc: None) -> None:
    said: list[str] = []
    pairs, languages = (PAIRS, ("zh", "en")) if not swapped else ([pair[::-1] for pair in PAIRS], ("en", "zh"))
    assert count_traditional(pairs, languages, said.append) == 2
    assert said == ["2 of 4 Chinese sentences have traditional characters"]


def test_other_languages_are_not_looked_at(opencc: None) -> None:
    said: list[str] = []
    assert count_traditional([("a", "b")], ("de", "en"), said.append) is None and said == []


def test_without_opencc_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opencc", None)
    said: list[str] = []
    assert count_traditional(PAIRS, ("zh", "en"), said.append) is None
    assert said == ["traditional characters were not counted: pip install opencc"]
