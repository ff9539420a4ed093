import csv
import math
import re
import sys
import tempfile
from pathlib import Path

import jieba
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.data.text.tokenizing import jieba_tokens
from dlcli.data.text.tokenizing.kinds import UNIT

SCRIPTS = {
    "frequent Han": "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之",
    "Han": st.characters(min_codepoint=0x4E00, max_codepoint=0x9FD5),
    "Han beyond jieba": st.characters(min_codepoint=0x9FD6, max_codepoint=0x9FFF),
    "extension A": st.characters(min_codepoint=0x3400, max_codepoint=0x4DBF),
    "extension planes": st.characters(min_codepoint=0x20000, max_codepoint=0x323AF),
    "compatibility": st.characters(min_codepoint=0xF900, max_codepoint=0xFAFF),
    "kana": st.characters(min_codepoint=0x3040, max_codepoint=0x30FF),
    "hangul": st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3),
    "latin": "abcXYZTBCAKOIPUQéñßγ",
    "digits": "0123456789",
    "joining marks": "._-+#&%",
    "other digits": "０１９ⅣⅧ²½٣",
    "full width": "ＡｂＺ，。！？：；（）％＋＃＆．＿－",
    "emoji": "😀👪🏽\u200d\ufe0f❤☺",
    "combining": "\u0301\u0308\u20e3",
    "marks": "[]()@/:;,!?'\"<>=*~^|\\{}$`",
    "blank": " \t\n\r\v\f\x1c\x1f\x85\xa0\u1680\u2003\u2028\u3000\u200b\ufeff\0",
    "surrogates": st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF, categories=["Cs"]),
}
WORDS = [
    "B超",
    "T恤",
    "C++",
    "c#",
    "AT&T",
    "4S店",
    "1号店",
    "阿Q",
    "江南style",
    "\r\n",
    "t.cn",
    "3.14",
    "2018.4.21",
    "50%",
]
WORDS += [
    "哈哈",
    "道徒",
    "如弟",
    "三格",
    "的的",
    "小明",
    "硕士",
    "毕业",
    "中国科学院",
    "杭研",
    "我在",
    "爱你",
    "J_zen",
    "--",
    "...",
]
characters = st.one_of(st.sampled_from(value) if isinstance(value, str) else value for value in SCRIPTS.values())
pieces = st.one_of(
    characters,
    st.text(st.sampled_from(SCRIPTS["frequent Han"]), min_size=1, max_size=8),
    st.text(SCRIPTS["Han"], min_size=1, max_size=24),
    st.text(st.sampled_from("aB7" + SCRIPTS["joining marks"]), min_size=1, max_size=8),
    st.sampled_from(WORDS),
    st.builds(lambda character, times: character * times, characters, st.integers(2, 20)),
)
mixes = st.lists(pieces, max_size=12).map("".join)


@settings(max_examples=300, deadline=None)
@given(mixes)
def test_any_mix_of_scripts_is_cut_as_jieba_cuts_it(text):
    assert jieba_tokens.cut(text) == jieba_tokens.reference()(text)


@settings(max_examples=100, deadline=None)
@given(st.lists(mixes, max_size=8))
def test_many_texts_are_cut_as_each_alone(texts):
    expected = [jieba_tokens.reference()(text) for text in texts]
    assert jieba_tokens.cut_many(texts) == expected


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("2018.4.21", ["2018.4", ".", "21"]),  # one token in jieba-rs
        ("@J_zen http://t.cn/z0", ["@", "J", "_", "zen", " ", "http", ":", "/", "/", "t", ".", "cn", "/", "z0"]),
        ("v1.5a涨了50%", ["v1.5", "a", "涨", "了", "50%"]),  # finalseg splits letters from the digits of a fraction
        ("我--你...", ["我", "--", "你", "..."]),
        ("做B超用C++和AT&T", ["做", "B超", "用", "C++", "和", "AT&T"]),
        ("xAT&T", ["x", "AT&T"]),
        ("\r\n\r \x1c", ["\r\n", "\r", " ", "\x1c"]),
        ("\u4db6\u4db6\u9fd6我\U00020000", ["\u4db6", "\u4db6", "\u9fd6", "我", "\U00020000"]),  # jieba-rs joins them
        ("我\ud800你\udfff", ["我", "\ud800", "你", "\udfff"]),
        ("他来到了网易杭研大厦", ["他", "来到", "了", "网易", "杭研", "大厦"]),
    ],
)
def test_what_jieba_rs_cuts_otherwise(text, tokens):
    assert jieba_tokens.reference()(text) == tokens
    assert jieba_tokens.cut(text) == tokens
    assert jieba_tokens.cut_many([text, text]) == [tokens, tokens]


@pytest.mark.parametrize("character", ["哈", "呵", "啊", "的", "龘", "一", "哒"])
def test_one_repeated_character_is_cut_as_jieba_cuts_it(character):
    texts = [character * times for times in range(1, 60)]
    expected = [jieba_tokens.reference()(text) for text in texts]
    assert jieba_tokens.cut_many(texts) == expected
    assert [jieba_tokens.cut(text) for text in texts] == expected


def test_a_word_of_single_characters_is_joined_only_beside_latin():
    # 我在 is a word less likely than 我 and 在; jieba leaves it single, unless a latin character is next to it.
    for text in ("我在", "x我在", "我在x", "我在，", "C++我在", "上不去", "x上不去", "那不就。", "还都不7", "，说不说"):
        assert jieba_tokens.cut(text) == jieba_tokens.reference()(text)
        assert jieba_tokens.cut_many([text])[0] == jieba_tokens.reference()(text)


def test_texts_around_the_size_of_a_chunk_are_cut_whole(monkeypatch):
    monkeypatch.setattr(jieba_tokens, "_CHUNK", 7)
    texts = ["", "小明硕士毕业于中国科学院计算所", "我在", "", "\0", "v1.5a", "哈" * 30, ""]
    assert jieba_tokens.cut_many(texts) == [jieba_tokens.reference()(text) for text in texts]
    assert jieba_tokens.cut_many([]) == []


def test_a_very_long_run_of_unknown_characters_is_cut_in_linear_time():
    text = "龘靐齉" * 20_000  # jieba itself copies the path at every step: quadratic
    (tokens,) = jieba_tokens.cut_many([text])
    assert "".join(tokens) == text
    assert jieba_tokens.cut(text) == tokens


def test_without_rjieba_jieba_itself_cuts(monkeypatch):
    monkeypatch.setitem(sys.modules, "rjieba", None)
    jieba_tokens._rust.cache_clear()
    try:
        assert jieba_tokens._rust() is None
        assert jieba_tokens.cut("2018.4.21") == ["2018.4", ".", "21"]
        assert jieba_tokens.cut_many(["v1.5a", ""]) == [["v1.5", "a"], []]
    finally:
        jieba_tokens._rust.cache_clear()


def test_the_reference_writes_no_cache_and_reads_none(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "jieba.cache").write_bytes(b"not marshalled")
    jieba_tokens.reference.cache_clear()
    assert jieba_tokens.reference()("我来到北京清华大学") == ["我", "来到", "北京", "清华大学"]
    assert [file.name for file in tmp_path.iterdir()] == ["jieba.cache"]
    assert (tmp_path / "jieba.cache").read_bytes() == b"not marshalled"
    assert capfd.readouterr() == ("", "")


def test_the_facts_about_the_dictionary_hold():
    """What the module says of jieba's dictionary, and rests on."""
    import rjieba

    tokenizer = jieba.Tokenizer()
    frequencies, total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    words = {word: frequency for word, frequency in frequencies.items() if frequency}
    assert len(words) == 349_045
    assert total - sum(words.values()) == 3
    assert all(map(rjieba.has_word, words))
    assert not any(rjieba.has_word(prefix) for prefix, frequency in frequencies.items() if not frequency)
    assert not any(jieba_tokens._STAND_IN in word for word in words)
    score = {word: math.log(frequency) - math.log(total) for word, frequency in words.items()}
    unknown = -math.log(total)
    spelled = []
    for word in words:
        if len(word) > 1:
            margin = sum(score.get(character, unknown) for character in word) - score[word]
            assert abs(margin) > 1e-5, "too near to tell one way from the other whatever stands around"
            if margin > 0:
                spelled.append(word)
    assert len(spelled) == 8_096
    assert sorted(word for word in spelled if len(word) > 2) == sorted(jieba_tokens._SPELLED_BY_THREE)
    assert not any(re.search("[ -~]", word) for word in spelled)
    assert not [word for word in words if re.fullmatch("[a-zA-Z0-9]+", word)]


@pytest.fixture(scope="module")
def weibo(real_data) -> list[str]:
    path = Path(real_data) / "weibo" / "weibo_senti_100k.csv"
    if not path.exists():
        pytest.skip("there is no weibo/weibo_senti_100k.csv in DLCLI_DATA")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return [row["review"] for row in csv.DictReader(stream)]


# jieba takes most of a minute for all texts, so each is cut once: every second one whole, the others in pieces.


@pytest.mark.slow
def test_texts_of_weibo_are_cut_as_jieba_cuts_them(weibo, tmp_path):
    jieba.dt.tmp_dir = str(tmp_path)  # where jieba.lcut puts its cache
    texts = weibo[::2]
    expected = [jieba.lcut(text) for text in texts]
    assert jieba_tokens.cut_many(texts) == expected
    assert [jieba_tokens.cut(text) for text in texts] == expected


@pytest.mark.slow
def test_pieces_between_units_of_weibo_are_cut_as_jieba_cuts_them(weibo):
    pieces = list(dict.fromkeys(piece for text in weibo[1::2] for piece in UNIT.split(text)[::2]))
    expected = [jieba_tokens.reference()(piece) for piece in pieces]
    assert jieba_tokens.cut_many(pieces) == expected
    assert [jieba_tokens.cut(piece) for piece in pieces] == expected
