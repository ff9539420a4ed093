"""Languages by code, and which a text can be in by its letters."""

from __future__ import annotations

import pytest

from dlcli.core.errors import UsageError
from dlcli.data.parallel.languages import is_possible, language_code, letters_by_script, require_pair, script_names


@pytest.mark.parametrize(
    ("text", "code"), [("zh", "zh"), ("cmn", "zh"), ("ZH-cn", "zh"), ("zh_TW", "zh"), (" fra ", "fr"), ("ceb", "ceb")]
)
def test_a_language_has_one_code(text, code):
    assert language_code(text) == code


@pytest.mark.parametrize("pair", [("zh", "cmn"), ("chinese", "en"), ("", "en"), ("en", "4")])
def test_a_pair_is_of_two_languages(pair):
    with pytest.raises(UsageError, match=r"--source|--target"):
        require_pair(*pair)


@pytest.mark.parametrize(
    ("text", "fits", "others"),
    [
        ("他叫Tom。", ["zh"], ["ja", "ru"]),
        ("他不叫汤姆。", ["zh"], ["ja", "en", "ru"]),
        ("彼は学生です。", ["ja"], ["zh", "en"]),
        ("He is a student.", ["en", "fr", "tr"], ["zh", "ru", "el"]),
        ("Он студент.", ["ru", "bg"], ["en", "zh"]),
        ("그는 학생입니다", ["ko"], ["ja", "zh"]),
        ("123!", ["zh", "en"], []),
    ],
)
def test_letters_tell_the_language(text, fits, others):
    letters = letters_by_script([text])
    assert all(is_possible(language, letters) for language in fits)
    assert not any(is_possible(language, letters) for language in others)


def test_scripts_are_counted_and_named():
    letters = letters_by_script(["你好 ab", "ну"])
    assert letters == {"CJK": 2, "LATIN": 2, "CYRILLIC": 2}
    assert script_names({"CJK": 3, "LATIN": 1}) == "Chinese characters"
    assert script_names({"CYRILLIC": 3}) == "Cyrillic letters"
    assert script_names({}) == "no letters"
