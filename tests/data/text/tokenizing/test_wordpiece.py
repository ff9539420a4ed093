"""WordPiece: the pieces of the package tokenizers, and a folder's vocabulary in the order of a run."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.core.errors import DataError, RunError
from dlcli.data.text.tokenizing.tokenizer import build_tokenizer, make_spec
from dlcli.data.text.tokenizing.wordpiece_files import pieces_spec, read_pieces
from dlcli.data.text.vocabulary import UNK

TINY = Path(__file__).parents[3] / "models" / "text" / "tiny_bert"
ANSWERS = json.loads((TINY / "answers.json").read_text(encoding="utf-8"))["answers"]
PLAIN = make_spec("char")
ASSIGNED = st.characters(exclude_categories=["Cn", "Co", "Cs"])
"""What is not assigned is dropped; the package may know a later version of Unicode than Python."""


def build(folder=TINY, spec=PLAIN, **flags):
    pieces = read_pieces(folder)
    return build_tokenizer({**pieces_spec(pieces, spec), **flags}, pieces.vocabulary.tokens)


@pytest.mark.parametrize("key", ANSWERS)
def test_the_pieces_are_those_of_the_package_tokenizers(key):
    kind, _, text = key.partition(": ")
    is_lower = kind == "lower"
    found = build(lower=is_lower, strip_accents=is_lower).tokens(text)
    assert found == [token.replace("[UNK]", "<unk>") for token in ANSWERS[key]["tokens"]]


@settings(max_examples=200, deadline=None)
@given(text=st.text(ASSIGNED, max_size=30), lower=st.booleans())
def test_any_text_has_the_pieces_of_the_package_where_it_is_installed(text, lower):
    tokenizers = pytest.importorskip("tokenizers")
    reference = tokenizers.BertWordPieceTokenizer(str(TINY / "vocab.txt"), lowercase=lower)
    expected = reference.encode(unicodedata.normalize("NFC", text), add_special_tokens=False).tokens
    found = build(lower=lower, strip_accents=lower).tokens(text)
    assert found == [token.replace("[UNK]", "<unk>") for token in expected]


def test_special_tokens_in_a_text_are_text():
    assert not {"[SEP]", "[CLS]", "[PAD]", "<pad>"} & set(build().tokens("[SEP] [CLS] <pad>[PAD]"))


def test_a_runs_vocabulary_has_padding_and_the_unknown_token_first():
    pieces, lines = read_pieces(TINY), (TINY / "vocab.txt").read_text("utf-8").splitlines()
    assert pieces.vocabulary.tokens[:3] == ("<pad>", "<unk>", "[unused1]")
    assert [lines[row] for row in pieces.order[2:]] == list(pieces.vocabulary.tokens[2:])
    assert sorted(pieces.order) == list(range(len(lines)))
    assert [pieces.vocabulary.tokens[token] for token in pieces.frame] == ["[CLS]", "[SEP]"]
    assert pieces.vocabulary.numbers(build().tokens("가")) == [UNK]


def test_texts_are_cleaned_and_stripped_as_the_prepared_ones():
    spec = make_spec("jieba", clean=["html"], strip=["emoticon"], stopwords=["good"])
    assert build(spec=spec).tokens("<b>good</b>[bad]hotel") == ["good", "hotel"]
    assert build(spec=spec).spec["stopwords"] == []


def write(folder, tokens, **files):
    (folder / "vocab.txt").write_text("\n".join(tokens), encoding="utf-8")
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


@pytest.mark.parametrize(
    ("words", "files", "lower", "accents"),
    [
        (["hotel"], {}, True, True),
        (["Hotel"], {}, False, False),
        (["hotel"], {"tokenizer_config": {"do_lower_case": False}}, False, False),
        (["hotel"], {"tokenizer_config": {"do_lower_case": True, "strip_accents": False}}, True, False),
        (["hotel"], {"tokenizer": {"normalizer": {"lowercase": False, "strip_accents": None}}}, False, False),
    ],
)
def test_words_are_spelled_as_the_folder_says(tmp_path, words, files, lower, accents):
    flags = read_pieces(write(tmp_path, [*SPECIAL, *words], **files)).flags
    assert flags == {"lower": lower, "strip_accents": accents, "chinese": True}


def test_a_tokenizer_json_is_read_where_there_is_no_vocab_txt(tmp_path):
    tokens = (TINY / "vocab.txt").read_text("utf-8").splitlines()
    model = {"type": "WordPiece", "vocab": {token: row for row, token in enumerate(tokens)}}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": model, "normalizer": {"lowercase": True}}))
    assert read_pieces(tmp_path) == read_pieces(TINY)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("nothing", b"", "no vocab.txt"),
        ("vocab.txt", b"\xff\xfe", "not UTF-8"),
        ("vocab.txt", b"[PAD]\n[UNK]\n[CLS]\n", r"no \[SEP\]"),
        ("vocab.txt", "\n".join([*SPECIAL, "a", "a"]).encode(), "duplicated"),
        ("vocab.txt", "\n".join([*SPECIAL, "<unk>"]).encode(), "duplicated"),
        ("tokenizer.json", b"{", "not JSON"),
        ("tokenizer.json", b"[]", "not a JSON object"),
        ("tokenizer.json", b'{"model": {"type": "BPE"}}', "WordPiece"),
        ("tokenizer.json", b'{"model": {"type": "WordPiece", "vocab": {"[PAD]": 7}}}', "numbered"),
        ("tokenizer.json", b'{"model": {"type": "WordPiece", "vocab": {"[PAD]": 0.0}}}', "numbered"),
    ],
)
def test_what_is_no_vocabulary_of_berts_is_refused(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_pieces(tmp_path)


@pytest.mark.parametrize("change", [{"lower": 1}, {"chinese": None}, {"more": True}, {"version": "0"}])
def test_a_damaged_specification_is_refused(change):
    pieces = read_pieces(TINY)
    with pytest.raises(RunError):
        build_tokenizer({**pieces_spec(pieces, PLAIN), **change}, pieces.vocabulary.tokens)


def test_without_a_vocabulary_there_is_no_tokenizer():
    with pytest.raises(RunError, match="vocabulary"):
        build_tokenizer(pieces_spec(read_pieces(TINY), PLAIN))
