"""Labelled text of any format: nothing lost, nothing twice, nothing of the test split in the vocabulary."""

from __future__ import annotations

import csv
import itertools
import json
import random

import numpy as np
import pytest

from dlcli.core.errors import DataError, UsageError
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.data.text.form import open_texts
from dlcli.data.text.rows import TextRows
from dlcli.data.text.tokenizing.tokenizer import build_tokenizer
from dlcli.data.text.vocabulary import TokenCounter
from dlcli.data.text.writer import packed_file
from dlcli.datasets.text import coding, pool
from dlcli.datasets.text.labelled import csv_importer, jsonl_importer, tsv_importer
from dlcli.datasets.text.options import TextOptions
from dlcli.datasets.text.weibo import weibo_importer

WORDS = "今天 天气 很好 电影 难看 服务 态度 不 喜欢 推荐 good bad film".split()  # noqa: SIM905
SPLITS = ("train", "valid", "test")


def make_rows(count=120, *, seed=0, labels=("0", "1")):
    """Return (label, text) pairs, no two texts alike, sorted by label."""
    generator = random.Random(seed)
    texts = {" ".join(generator.choices(WORDS, k=generator.randint(2, 9))) + f" n{number}" for number in range(count)}
    return sorted((labels[number % len(labels)], text) for number, text in enumerate(sorted(texts)))


def write_csv(path, rows, *, header=("label", "review"), encoding="utf-8", newline="\n"):
    with path.open("w", encoding=encoding, newline="") as stream:
        csv.writer(stream, lineterminator=newline).writerows([header, *rows])
    return path


def prepare(source, destination, importer=csv_importer, **options):
    options = {"tokenizer": "whitespace", "min_count": 1, **options}
    said = []
    card, is_new = prepare_dataset(
        importer(TextOptions(**options)), source, destination, command="x", force=False, report=said.append
    )
    assert is_new
    return card, said


def texts_of(form):
    return {
        split: list(zip(form.texts(split, range(len(form.labels(split)))), form.labels(split).tolist(), strict=True))
        for split in form.splits()
    }


def test_every_text_stands_in_one_split_with_its_own_label(tmp_path):
    rows = make_rows()
    card, _ = prepare(write_csv(tmp_path / "a.csv", rows), tmp_path / "out")
    form = open_texts(tmp_path / "out")
    found = [(card.classes[label], text) for part in texts_of(form).values() for text, label in part]
    assert sorted(found) == rows
    assert card.counts == {
        "train": {"0": 48, "1": 48},
        "valid": {"0": 6, "1": 6},
        "test": {"0": 6, "1": 6},
    }
    assert card.name == "a" and card.form == "text" and card.details["rows"]["kept"] == len(rows)


def test_the_rows_that_are_left_out_make_up_the_difference(tmp_path):
    rows = make_rows()
    extra = [rows[0], (rows[1][0], f"  {rows[1][1]}\n"), ("0", "both"), ("1", "both"), ("0", "both "), ("1", " ")]
    card, _ = prepare(write_csv(tmp_path / "a.csv", [*rows, *extra, ("1",), ("", "x")]), tmp_path / "out")
    assert card.details["rows"] == {
        "read": len(rows) + 8,
        "broken": 3,
        "only_emoticons": 0,
        "duplicates": 2,
        "of_two_labels": 3,
        "kept": len(rows),
        "nul_bytes": 0,
    }
    assert sum(card.num_items(split) for split in SPLITS) == len(rows)
    everything = "".join((tmp_path / "out" / f"{split}.jsonl").read_text("utf-8") for split in SPLITS)
    assert "both" not in everything
    said = "\n".join(card.warnings)
    assert "1 texts have several labels: all their 3 rows were removed, for example 'both'" in said
    assert "2 rows duplicate an earlier text" in said
    assert "skipped line 128: no text" in said and "skipped line 129: 1 columns, not 2" in said
    assert len(set(card.warnings)) == len(card.warnings)


def test_texts_in_another_normal_form_are_the_same(tmp_path):
    rows = [*make_rows(20), ("0", "caf\u00e9"), ("0", "cafe\u0301")]
    assert prepare(write_csv(tmp_path / "a.csv", rows), tmp_path / "out")[0].details["rows"]["duplicates"] == 1


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_encoding_and_line_ends_change_no_byte_of_the_form(tmp_path, encoding, newline):
    rows = [*make_rows(30), ("0", 'zwei\n"Zeilen", 好')]
    prepare(write_csv(tmp_path / "a.csv", rows), tmp_path / "plain")
    _, said = prepare(write_csv(tmp_path / "b.csv", rows, encoding=encoding, newline=newline), tmp_path / "other")
    for split in SPLITS:
        name = f"{split}.jsonl"
        assert (tmp_path / "plain" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    assert {"gb18030": "GB18030", "utf-8-sig": "UTF-8 with a byte order mark", "utf-16": "UTF-16"}[encoding] in said[0]
    assert "texts in column review, labels in label" in said[0]


def test_csv_tsv_and_jsonl_of_the_same_rows_make_the_same_form(tmp_path):
    rows = make_rows(40)
    write_csv(tmp_path / "a.csv", rows)
    (tmp_path / "a.tsv").write_text("\n".join(f"{label}\t{text}" for label, text in rows), encoding="utf-8")
    lines = [json.dumps({"stars": int(label), "content": text}) for label, text in rows]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    prepare(tmp_path / "a.csv", tmp_path / "1")
    prepare(tmp_path / "a.tsv", tmp_path / "2", tsv_importer, text_column="2", label_column="1")
    prepare(tmp_path / "a.jsonl", tmp_path / "3", jsonl_importer)
    first, second, third = ((tmp_path / name / "train.jsonl").read_bytes() for name in "123")
    assert first == second == third


def test_preparing_twice_gives_the_same_bytes_and_another_seed_others(tmp_path):
    source = write_csv(tmp_path / "a.csv", make_rows())
    for name, options in (("1", {}), ("2", {}), ("3", {"seed": 1})):
        prepare(source, tmp_path / name, **options)
    names = ["vocab.json", *(f"{split}.jsonl" for split in SPLITS)]
    names += [f"packed/{split}-{name}.npy" for split in SPLITS for name in ("ids", "offsets", "labels", "lines")]
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    assert (tmp_path / "1" / "test.jsonl").read_bytes() != (tmp_path / "3" / "test.jsonl").read_bytes()
    left = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert left == ["dataset.json", "packed", "test.jsonl", "train.jsonl", "valid.jsonl", "vocab.json"]


def test_the_order_is_shuffled_and_sorted_rows_are_told(tmp_path):
    rows = make_rows()
    card, _ = prepare(write_csv(tmp_path / "a.csv", rows), tmp_path / "out")
    labels = open_texts(tmp_path / "out").labels("train")
    assert 20 < np.count_nonzero(np.diff(labels)) < 76
    assert card.details["sorted_by_label"] and "sorted by label" in "\n".join(card.warnings)
    random.Random(0).shuffle(rows)
    card, _ = prepare(write_csv(tmp_path / "b.csv", rows), tmp_path / "out2")
    assert not card.details["sorted_by_label"] and "sorted by label" not in "\n".join(card.warnings)


CLEANED = {"clean": "contractions,html,entities,case,width,accents", "stem": "english", "strip_emoticons": True}


@pytest.mark.parametrize(("tokenizer", "more"), [("whitespace", {}), ("char", {}), ("jieba", {}), ("words", CLEANED)])
def test_the_packed_numbers_are_those_of_cutting_the_texts_anew(tmp_path, tokenizer, more):
    (tmp_path / "words.txt").write_text("不\nbad\n", encoding="utf-8")
    rows = [(label, f"{text} [哈哈] @somebody 不") for label, text in make_rows()] + [("0", "不"), ("1", "bad 不")]
    options = {
        "tokenizer": tokenizer,
        "stopwords": str(tmp_path / "words.txt"),
        "min_count": 2,
        "max_vocab": 12,
        **more,
    }
    prepare(write_csv(tmp_path / "a.csv", rows), tmp_path / "out", **options)
    form = open_texts(tmp_path / "out")
    cutter, vocabulary = build_tokenizer(form.tokenizer_spec()), form.vocabulary()
    assert len(vocabulary) == 12 and not {"不", "bad"} & set(vocabulary.tokens)
    for split, part in texts_of(form).items():
        expected = [vocabulary.encode(cutter.tokens(text)).tolist() for text, _ in part]
        ids, offsets = form.ids(split), form.offsets(split)
        assert [ids[a:b].tolist() for a, b in itertools.pairwise(offsets)] == expected


def test_the_vocabulary_is_that_of_the_training_texts_alone(tmp_path):
    card, _ = prepare(write_csv(tmp_path / "a.csv", make_rows()), tmp_path / "out", min_count=1)
    form = open_texts(tmp_path / "out")
    words = {split: {word for text, _ in part for word in text.split()} for split, part in texts_of(form).items()}
    assert set(form.vocabulary().tokens[2:]) == words["train"]
    assert words["test"] - words["train"]  # each text has a word of its own
    assert card.details["vocab_size"] == len(form.vocabulary())


def test_a_counter_that_holds_little_finds_the_same_vocabulary(tmp_path, monkeypatch):
    source = write_csv(tmp_path / "a.csv", make_rows())
    prepare(source, tmp_path / "1", min_count=2)
    monkeypatch.setattr(coding, "TokenCounter", lambda folder: TokenCounter(folder, most=5))
    prepare(source, tmp_path / "2", min_count=2)
    for name in ("vocab.json", "packed/train-ids.npy"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    assert not list((tmp_path / "2").glob("tokens*"))


def test_emoticons_are_taken_out_before_texts_are_compared(tmp_path):
    rows = [*make_rows(30), ("0", "转发 [泪]"), ("1", "转发[哈哈]"), ("1", "[哈哈][哈哈]"), ("1", "好[哈哈]看")]
    source = write_csv(tmp_path / "a.csv", rows)
    card, _ = prepare(source, tmp_path / "out", strip_emoticons=True)
    assert card.details["rows"]["only_emoticons"] == 1 and card.details["rows"]["of_two_labels"] == 2
    everything = "".join((tmp_path / "out" / f"{split}.jsonl").read_text("utf-8") for split in SPLITS)
    assert "[" not in everything and "好 看" in everything
    assert card.details["tokenizer"]["strip"] == ["emoticon"]
    assert prepare(source, tmp_path / "with")[0].details["rows"]["of_two_labels"] == 0


def test_cleaning_is_counted_and_done_before_texts_are_compared(tmp_path):
    rows = [*make_rows(30), ("0", "<b>转发</b>"), ("1", "转发"), ("1", "<br>"), ("1", "GOOD &amp; bad")]
    source = write_csv(tmp_path / "a.csv", rows)
    card, _ = prepare(source, tmp_path / "out", clean="case,html,entities")
    assert card.details["rows"]["only_emoticons"] == 1 and card.details["rows"]["of_two_labels"] == 2
    assert card.details["cleaned"] == {"html": 2, "case": 1, "entities": 1}
    assert "cleaning has changed texts: case in 1, entities in 1, html in 2" in card.warnings
    assert card.details["tokenizer"]["clean"]["kinds"] == ["entities", "html", "case"]
    everything = "".join((tmp_path / "out" / f"{split}.jsonl").read_text("utf-8") for split in SPLITS)
    assert "<" not in everything and "good & bad" in everything


def test_stop_words_that_carry_the_label_are_named_and_others_are_not(tmp_path):
    (tmp_path / "words.txt").write_text("哈哈\n的\n不\n", encoding="utf-8")
    rows = [(label, f"{text} 的" + (" 哈哈" if label == "1" else "")) for label, text in make_rows()]
    card, _ = prepare(write_csv(tmp_path / "a.csv", rows), tmp_path / "out", stopwords=str(tmp_path / "words.txt"))
    [telling] = [line for line in card.warnings if "indicate the label" in line]
    assert "'哈哈' (100% of its 48 texts are 1)" in telling and "'的'" not in telling
    assert any("不, which negate" in line for line in card.warnings)


def test_a_change_of_the_stop_words_prepares_again(tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("很好\n", encoding="utf-8")
    source = write_csv(tmp_path / "a.csv", make_rows())
    prepare(source, tmp_path / "out", stopwords=str(words))
    words.write_text("难看\n", encoding="utf-8")
    card, _ = prepare(source, tmp_path / "out", stopwords=str(words))
    assert card.details["tokenizer"]["stopwords"] == ["难看"]


def test_classes_of_numbers_are_sorted_by_value_and_small_ones_told(tmp_path):
    rows = [*make_rows(60, labels=("2", "10", "1")), ("5", "allein")]
    card, _ = prepare(write_csv(tmp_path / "a.csv", rows), tmp_path / "out")
    assert card.classes == ("1", "2", "5", "10")
    assert card.counts["train"]["5"] == 1
    assert "classes with a single text, which is in train only: 5 (1 of 4)" in card.warnings


def test_a_class_that_loses_all_its_texts_is_no_class(tmp_path):
    rows = [*make_rows(40), ("gone", "both"), ("1", "both")]
    assert prepare(write_csv(tmp_path / "a.csv", rows), tmp_path / "out")[0].classes == ("0", "1")


def test_splits_that_are_not_asked_for_are_not_there(tmp_path):
    source = write_csv(tmp_path / "a.csv", make_rows())
    card, _ = prepare(source, tmp_path / "out", valid_fraction=0.0, test_fraction=0.25)
    assert {split: card.num_items(split) for split in card.counts} == {"train": 90, "test": 30}
    with pytest.raises(UsageError, match="leave less than"):
        csv_importer(TextOptions(valid_fraction=0.5, test_fraction=0.5))


def test_long_texts_are_told(tmp_path):
    rows = [(label, text + " x" * 600) for label, text in make_rows(20)]
    card, _ = prepare(write_csv(tmp_path / "a.csv", rows), tmp_path / "out")
    assert "100% of the training texts are longer than 512 tokens; training reads --max-length" in card.warnings
    lengths = np.diff(open_texts(tmp_path / "out").offsets("train"))
    assert card.details["lengths"]["max"] == lengths.max() and card.details["lengths"]["median"] in lengths


def test_too_many_broken_rows_are_an_error_that_names_the_first(tmp_path):
    source = write_csv(tmp_path / "a.csv", [("0", "a", "b"), *make_rows(20), ("1",)])
    with pytest.raises(DataError, match="more than 1 broken rows") as caught:
        prepare(source, tmp_path / "out", max_bad=1)
    assert caught.value.details == ("line 2: 3 columns, not 2", "line 23: 1 columns, not 2")
    assert not (tmp_path / "out").exists()
    assert prepare(source, tmp_path / "out", max_bad=2)[0].details["rows"]["broken"] == 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no usable row"),
        ([("0", "a"), ("0", "b")], "texts of 1 classes are left"),
        ([("0", "a"), ("1", "a")], "texts of 0 classes are left"),
    ],
)
def test_a_file_without_two_classes_is_refused(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        prepare(write_csv(tmp_path / "a.csv", rows), tmp_path / "out")


def test_a_column_of_texts_taken_for_labels_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "MAX_CLASSES", 50)
    source = write_csv(tmp_path / "a.csv", make_rows())
    with pytest.raises(DataError, match="more than 50 different labels"):
        prepare(source, tmp_path / "out", text_column="label", label_column="review")


def test_rare_tokens_alone_make_no_vocabulary(tmp_path):
    with pytest.raises(DataError, match="no token occurs 99 times"):
        prepare(write_csv(tmp_path / "a.csv", make_rows(20)), tmp_path / "out", min_count=99)


def test_nul_bytes_and_halves_of_characters_do_no_harm(tmp_path):
    lines = [json.dumps({"text": f"{text}\0 \ud83d", "label": f"{label}\0"}) for label, text in make_rows(20)]
    (tmp_path / "a.jsonl").write_bytes(b"\0".join(line.encode() + b"\n" for line in lines))
    card, _ = prepare(tmp_path / "a.jsonl", tmp_path / "out", jsonl_importer)
    assert card.classes == ("0", "1") and card.details["rows"]["nul_bytes"] == 19
    assert all(text.endswith(" ?") for text, _ in texts_of(open_texts(tmp_path / "out"))["train"])


def test_sources_that_are_not_there_say_what_is_wanted(tmp_path):
    with pytest.raises(DataError, match="name the SOURCE"):
        csv_importer(TextOptions()).locate(None)
    with pytest.raises(DataError, match="no such file"):
        csv_importer(TextOptions()).locate(tmp_path / "a.csv")
    with pytest.raises(DataError, match=r"0 \.csv files"):
        csv_importer(TextOptions()).locate(tmp_path)
    source = write_csv(tmp_path / "a.csv", [])
    assert csv_importer(TextOptions()).locate(tmp_path) == [source]
    with pytest.raises(DataError, match=r"no\.txt: no such file"):
        csv_importer(TextOptions(stopwords=str(tmp_path / "no.txt"))).locate(source)


def test_weibo_names_its_classes_and_takes_no_other_label(tmp_path):
    source = write_csv(tmp_path / "weibo.csv", [*make_rows(40), ("2", "anders")])
    card, _ = prepare(source, tmp_path / "out", weibo_importer)
    assert card.classes == ("negative", "positive") and card.name == "weibo"
    assert "skipped line 42: the label '2' is not one of 0, 1" in card.warnings


@pytest.mark.slow
def test_the_real_weibo_file_is_prepared_whole_and_its_leak_is_told(real_data, tmp_path):
    source = real_data / "weibo" / "weibo_senti_100k.csv"
    card, _ = prepare(source, tmp_path / "out", weibo_importer, tokenizer="char", min_count=2)
    rows = card.details["rows"]
    assert (rows["read"], rows["broken"], rows["of_two_labels"]) == (83382, 0, 1498)
    assert sum(card.num_items(split) for split in SPLITS) == 83382 - 1498
    assert card.details["sorted_by_label"]
    [leak] = card.details["audit"]["warnings"]
    assert "emoticons" in leak and "--strip-emoticons" in leak and card.warnings.count(leak) == 1


def test_the_audit_is_on_the_card(tmp_path):
    rows = [(label, f"{text} {'[哈哈]' if label == '1' else '[泪]'}") for label, text in make_rows(400)]
    card, _ = prepare(write_csv(tmp_path / "a.csv", rows), tmp_path / "out")
    assert card.details["audit"]["findings"]
    assert any("emoticons" in line for line in card.warnings)
    assert list(card.warnings).count(card.details["audit"]["warnings"][0]) == 1


def test_the_rows_are_read_once(tmp_path, monkeypatch):
    source = write_csv(tmp_path / "a.csv", make_rows(20))
    passes = []
    read = TextRows.__iter__
    monkeypatch.setattr(TextRows, "__iter__", lambda self: passes.append(1) or read(self))
    prepare(source, tmp_path / "out")
    assert len(passes) == 1 and packed_file(tmp_path / "out", "train", "ids").is_file()
