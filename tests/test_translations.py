"""README.zh-CN.md says what README.md says: the same commands, figures, links and pictures, in the same order."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ENGLISH, CHINESE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def prose_of(page: str) -> str:
    return BLOCK.sub("", page)


def tables_of(page: str) -> list[list[list[str]]]:
    """Return the numbers and code of each cell, whatever their order in a sentence, by row and table."""
    found, table = [], list[list[str]]()
    for line in [*prose_of(page).splitlines(), ""]:
        if line.startswith("|"):
            table.append([" ".join(sorted(re.findall(r"`[^`]+`|\d[\d.,]*", cell))) for cell in line.split("|")[1:-1]])
        elif table:
            found.append(table)
            table = []
    return found


def test_the_blocks_of_code_are_the_same() -> None:
    assert BLOCK.findall(CHINESE) == BLOCK.findall(ENGLISH)


def test_the_tables_have_the_same_figures() -> None:
    assert tables_of(CHINESE) == tables_of(ENGLISH)


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"(?<!`)`([^`]+)`(?!`)", id="commands and names"),
        pytest.param(r"\]\(((?!README)[^)]+)\)", id="links"),
        pytest.param(r"!\[[^]]*\]\(([^)]+)\)", id="pictures"),
        pytest.param(r"^(#+) ", id="headings"),
        pytest.param(r"^(- )", id="list entries"),
        pytest.param(r"\d+\.\d+", id="figures"),
    ],
)
def test_the_text_has_the_same(pattern: str) -> None:
    pages = [Counter(" ".join(each.split()) for each in re.findall(pattern, prose_of(page), re.MULTILINE))
             for page in (ENGLISH, CHINESE)]  # fmt: skip
    assert pages[0] - pages[1] == pages[1] - pages[0] == Counter()


def test_each_page_names_the_other_in_its_first_lines() -> None:
    assert "(README.zh-CN.md)" in "\n".join(ENGLISH.splitlines()[:3])
    assert "(README.md)" in "\n".join(CHINESE.splitlines()[:3])


def test_chinese_is_set_with_its_own_punctuation() -> None:
    for line in prose_of(CHINESE).splitlines():
        plain = re.sub(r"`[^`]*`|\([^)]*\)|\|", "", line)
        assert not re.search(r"[\u4e00-\u9fff][,;:!?](?!\d)", plain), line
