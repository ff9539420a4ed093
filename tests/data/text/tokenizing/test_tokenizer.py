import json
import subprocess
import sys
import unicodedata

import jieba
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.core.errors import RunError, UsageError
from dlcli.data.text.tokenizing import jieba_tokens
from dlcli.data.text.tokenizing.kinds import kind_of, split_units
from dlcli.data.text.tokenizing.pieces import BLANK
from dlcli.data.text.tokenizing.tokenizer import PIECES, build_tokenizer, make_spec
from dlcli.data.text.tokenizing.tokenizer import TOKENIZERS as ALL

TOKENIZERS = tuple(name for name in ALL if name != PIECES)  # which needs a model
POST = "转发@小明: 今天  好开心[哈哈]\r\nhttp://t.cn/z8A #周末# v1.5\0!"
texts = st.text(
    st.one_of(st.sampled_from("[]@#:/.哈不好了我 \n\r\0\x1c\u200b\u3000\ud800a1_-"), st.characters()), max_size=60
)


def build(name, **settings):
    return build_tokenizer(make_spec(name, **settings))


def test_jieba_keeps_units_whole():
    assert build("jieba").tokens(POST) == [
        *["转发", "@小明", ":", "今天", "好开心", "[哈哈]", "http://t.cn/z8A", "#周末#", "v1.5", "!"]
    ]


def test_char_cuts_every_code_point_but_units():
    assert build("char").tokens("ab 12[哈哈]好\u3000é") == ["a", "b", "1", "2", "[哈哈]", "好", "é"]


def test_whitespace_cuts_at_blanks_and_units():
    assert build("whitespace").tokens("今天 ab-12[哈哈]好\u3000é\0x") == ["今天", "ab-12", "[哈哈]", "好", "é", "x"]


@pytest.mark.parametrize("name", TOKENIZERS)
def test_stripped_kinds_and_stop_words_are_left_out(name):
    post = POST.lower()
    every = build(name).tokens(post)
    left = build(name, strip=["emoticon", "url"], stopwords=["!", "@小明", "no"]).tokens(post)
    dropped = ("[哈哈]", "http://t.cn/z8a", "!", "@小明", BLANK)  # a blank stands in place of a unit
    assert [token for token in left if token != BLANK] == [token for token in every if token not in dropped]
    assert {"[哈哈]", "http://t.cn/z8a", "@小明"} < set(every)


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(deadline=None)
@given(text=texts)
def test_tokens_hold_all_that_is_not_blank(name, text):
    tokens = build(name).tokens(text)
    assert all(tokens)
    joined = "".join(tokens)
    joined.encode()  # no lone surrogate is left
    blank = [c for c in joined if (c.isspace() or ord(c) < 32) and not any(c in t for t in tokens if kind_of(t))]
    assert not blank
    kept = "".join(token for token in tokens if kind_of(token) is None)
    normal = unicodedata.normalize("NFC", text)
    plain = "".join(piece for piece, kind in split_units(normal) if kind is None)
    plain = plain.lower() if name == "words" else plain
    assert [c for c in plain if c.isalnum()] == [c for c in kept if c.isalnum()]


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=50, deadline=None)
@given(many=st.lists(texts, max_size=6))
def test_many_texts_have_the_tokens_of_each(name, many):
    tokenizer = build(name, strip=["mention"], stopwords=["好"])
    assert tokenizer.tokens_of_all(many) == [tokenizer.tokens(text) for text in many]


@settings(max_examples=100, deadline=None)
@given(texts)
def test_between_units_the_tokens_are_jiebas(text):
    expected = []
    for piece, kind in split_units(unicodedata.normalize("NFC", text).replace("\0", " ")):
        expected += [piece] if kind else jieba_tokens.reference()(piece)
    tokens = build("jieba").tokens(text)
    assert tokens == [token for token in expected if token in tokens]
    assert all(not token.strip() or not token.isprintable() for token in expected if token not in tokens)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_specification_survives_json(name):
    spec = make_spec(name, stopwords=["的", "了", "的"], strip=["url", "emoticon"])
    assert spec["stopwords"] == sorted(["的", "了"])
    assert spec["strip"] == ["emoticon", "url"]
    tokenizer = build_tokenizer(json.loads(json.dumps(spec)))
    assert tokenizer.spec == spec
    assert tokenizer.tokens(POST) == build_tokenizer(spec).tokens(POST)


def test_words_are_letters_and_digits_in_small_letters():
    text = "It's 2nd-rate: Ünïque e\u0301 snake_case, हिन्दी [哈哈] http://T.co/A"
    assert build("words").tokens(text) == [
        *["it", "s", "2nd", "rate", "ünïque", "é", "snake", "case", "हिन्दी", "[哈哈]", "http://t.co/a"]
    ]


def test_words_are_stemmed_behind_the_stop_words_and_units_are_not():
    tokenizer = build("words", stem="english", stopwords=["Running"])
    assert tokenizer.tokens("running dogs easily flies #Running 跑步") == ["dog", "easili", "fli", "#running", "跑步"]


@pytest.mark.parametrize("name", sorted({*TOKENIZERS} - {"spaced-char"}))  # its blank stays where a word was left out
def test_texts_are_cleaned_before_they_are_cut(name):
    cleaned = build(name, clean=["html", "case", "width"], stopwords=["Ｂ"])
    assert cleaned.tokens("<i>Ｇood</i> b") == build(name).tokens("good")
    assert cleaned.tokens_of_all(["<i>Ｇood</i>"]) == [build(name).tokens("good")]


@pytest.mark.parametrize("name", TOKENIZERS)
def test_what_does_nothing_is_not_in_the_specification(name):
    assert set(make_spec(name)) == {"name", "version", "stopwords", "strip", "unicode"}


@pytest.mark.parametrize(
    "change",
    [
        {"clean": ["html"]},
        {"clean": {"kinds": ["htlm"], "version": "1"}},
        {"clean": {"kinds": "html", "version": "1"}},
        {"clean": {"kinds": ["html"], "version": "0"}},
        {"stem": "english"},
        {"stem": {"language": "klingon", "version": "3.1.1"}},
        {"stem": {"language": "english", "version": "0.1"}},
        {"stem": {"language": ["english"], "version": "0.1"}},
    ],
)
def test_cleaning_and_stems_of_another_version_are_refused(change):
    with pytest.raises(RunError):
        build_tokenizer({**make_spec("words"), **change})


def test_the_version_is_that_of_jieba():
    assert make_spec("jieba")["version"] == jieba.__version__


@pytest.mark.parametrize(
    "change",
    [
        {"name": "mecab"},
        {"name": None},
        {"name": ["jieba"]},
        {"version": 1},
        {"version": None},
        {"stopwords": "的"},
        {"stopwords": [1]},
        {"strip": ["smileys"]},
        {"strip": None},
        {"more": 1},
    ],
)
def test_a_damaged_specification_is_refused(change):
    with pytest.raises(RunError):
        build_tokenizer({**make_spec("jieba"), **change})


@pytest.mark.parametrize("spec", [None, [], "jieba", {}, {"name": "jieba"}])
def test_what_is_no_specification_is_refused(spec):
    with pytest.raises(RunError):
        build_tokenizer(spec)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_tokens_of_another_version_are_refused(name):
    with pytest.raises(RunError, match=r"0\.39") as error:
        build_tokenizer({**make_spec(name), "version": "0.39"})
    assert "0.39" in error.value.hint or name != "jieba"


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(UsageError) as error:
        make_spec("jeba")
    assert "jieba" in error.value.hint
    with pytest.raises(UsageError) as error:
        make_spec("char", strip=["emoticons"])
    assert "emoticon" in error.value.hint


def test_importing_loads_no_library():
    code = (
        "import sys; from dlcli.data.text.tokenizing import tokenizer, kinds, jieba_tokens, viterbi;"
        "tokenizer.build_tokenizer(tokenizer.make_spec('char')).tokens('a [哈哈]');"
        "print(*(name for name in ('torch', 'numpy', 'jieba', 'rjieba') if name in sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_one_text_needs_no_dictionary_of_jieba():
    code = (
        "import jieba; from dlcli.data.text.tokenizing.tokenizer import build_tokenizer, make_spec;"
        "tokens = build_tokenizer(make_spec('jieba')).tokens('他来到了网易杭研大厦v1.5a哈哈哈哈');"
        "import sys; print(len(tokens), jieba.dt.initialized, 'numpy' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [
        str(len(build("jieba").tokens("他来到了网易杭研大厦v1.5a哈哈哈哈"))),
        "False",
        "False",
    ]


def test_jieba_is_imported_without_a_word(tmp_path):
    (tmp_path / "pkg_resources.py").write_text("import warnings; warnings.warn('deprecated', stacklevel=2)")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from dlcli.data.text.tokenizing.tokenizer import make_spec;"
        "print(make_spec('jieba')['version'], 'pkg_resources' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [jieba.__version__, "True"]
    assert run.stderr == ""
