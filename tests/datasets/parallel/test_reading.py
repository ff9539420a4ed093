"""Sentence pairs from files: which lines are pairs, which are broken, and which columns hold which language."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcli.core.errors import DataError, UsageError
from dlcli.datasets.parallel.reading import Languages, RawPairs, parse_columns, read_aligned, read_columns

CHINESE = ("我在家。", "他在学校。", "今天下雨。")
ENGLISH = ("I am at home.", "He is at school.", "It rains today.")
TO_ENGLISH = Languages(("zh", "en"), ("zh", "en"))


def columns(path: Path, text: str, languages: Languages = TO_ENGLISH, **options: object) -> RawPairs:
    path.write_text(text, encoding="utf-8")
    chosen = {"encoding": "auto", "columns": None, "max_bad": 10, "english_first": False, **options}
    return read_columns(path, languages, **chosen)


def rows(*lines: tuple[str, ...]) -> str:
    return "".join("\t".join(cells) + "\n" for cells in lines)


def test_further_columns_and_empty_lines_are_left_out(tmp_path: Path) -> None:
    pairs = list(zip(CHINESE, ENGLISH, strict=True))
    text = rows(*((*pair, "CC-BY", "x") for pair in pairs)).replace("\n", "\n\n")
    found = columns(tmp_path / "a.tsv", text)
    assert (found.pairs, found.columns, found.num_read, found.num_broken) == (pairs, (1, 2), 3, 0)


def test_broken_lines_are_counted_and_the_first_three_named(tmp_path: Path) -> None:
    lines = [pair for pair in zip(CHINESE, ENGLISH, strict=True) for pair in (pair, ("一",))]
    found = columns(tmp_path / "a.tsv", rows(*lines, ("二",)))
    assert (len(found.pairs), found.num_broken, found.num_read) == (3, 4, 7)
    assert found.broken == ["line 2: 1 column", "line 4: 1 column", "line 6: 1 column"]
    with pytest.raises(DataError, match="more than 3 lines without 2 columns") as caught:
        columns(tmp_path / "a.tsv", rows(*lines, ("二",)), max_bad=3)
    assert list(caught.value.details) == ["line 2: 1 column", "line 4: 1 column"]


@pytest.mark.parametrize("heading", [("Target", "SOURCE"), ("en", "zh"), ("English", "Chinese"), ("tgt", "src")])
def test_a_header_says_the_columns_and_is_no_pair(heading: tuple[str, str], tmp_path: Path) -> None:
    found = columns(tmp_path / "a.tsv", rows(heading, *zip(ENGLISH, CHINESE, strict=True)))
    assert found.columns == (2, 1) and found.pairs == list(zip(CHINESE, ENGLISH, strict=True))


def test_typed_columns_come_before_the_header(tmp_path: Path) -> None:
    text = rows(("zh", "en", "other"), *zip(CHINESE, ENGLISH, ENGLISH[::-1], strict=True))
    found = columns(tmp_path / "a.tsv", text, columns="1,3")
    assert found.columns == (1, 3) and found.pairs[0] == (CHINESE[0], ENGLISH[2])


def test_scripts_say_the_columns_in_either_direction(tmp_path: Path) -> None:
    text = rows(*zip(ENGLISH, CHINESE, strict=True))
    assert columns(tmp_path / "a.tsv", text).columns == (2, 1)
    assert columns(tmp_path / "a.tsv", text, Languages(("en", "zh"), ("en", "zh"))).columns == (1, 2)
    with pytest.raises(DataError, match="no column in the language 'ru'"):
        columns(tmp_path / "a.tsv", text, Languages(("ru", "en"), ("ru", "en")))


def test_an_empty_file_and_one_of_a_header_hold_no_rows(tmp_path: Path) -> None:
    for text in ("", "\n\n", "source\ttarget\n"):
        with pytest.raises(DataError, match=r"a\.tsv: holds no rows"):
            columns(tmp_path / "a.tsv", text)


@pytest.mark.parametrize(("text", "expected"), [("2,1", (1, 0)), (" 1 , 12 ", (0, 11))])
def test_columns_are_counted_from_one(text: str, expected: tuple[int, int]) -> None:
    assert parse_columns(text) == expected


@pytest.mark.parametrize("text", ["", "1", "1,1", "0,1", "1,2,3", "a,b", "1,99999", "-1,2", "1;2"])
def test_what_is_no_two_columns_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not two numbers of columns"):
        parse_columns(text)


def test_headings_are_codes_names_and_roles_and_differ_between_the_sides() -> None:
    languages = Languages(("German", "en"), ("de", "en"))
    assert {"german", "de", "source", "src"} <= languages.headings(0)
    assert {"english", "en", "target"} <= languages.headings(1)
    assert not languages.headings(0) & languages.headings(1)


def aligned(tmp_path: Path, one: str, other: str) -> RawPairs:
    paths = (tmp_path / "a.zh", tmp_path / "a.en")
    for path, text in zip(paths, (one, other), strict=True):
        path.write_text(text, encoding="utf-8")
    return read_aligned(paths, TO_ENGLISH, encoding="auto")


def test_lines_of_equal_number_are_pairs_and_empty_ones_keep_their_place(tmp_path: Path) -> None:
    found = aligned(tmp_path, "我在家。\n\n他在学校。\n", "I am at home.\nnothing\nHe is at school.")
    assert found.pairs == [("我在家。", "I am at home."), ("", "nothing"), ("他在学校。", "He is at school.")]
    assert found.columns == () and len(found.encodings) == 2


@pytest.mark.parametrize(("one", "other", "counts"), [("我\n他\n", "I\n", (2, 1)), ("", "I\nhe\n", (0, 2))])
def test_files_of_unequal_length_are_refused_with_both_counts(one, other, counts, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"a\.zh has {counts[0]} lines, but .*a\.en has {counts[1]}"):
        aligned(tmp_path, one, other)


def test_exchanged_files_are_recognised(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.zh: is not in the language 'zh'") as caught:
        aligned(tmp_path, "\n".join(ENGLISH), "\n".join(CHINESE))
    assert caught.value.hint == "exchange the two files"
