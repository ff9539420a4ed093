"""The audit finds what tells the label beside the words, and does not cry wolf."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dlcli.data.text.audit.duplicates import letters_of, text_hashes
from dlcli.data.text.audit.leakage import (
    LEAK,
    NOTE,
    NaiveBayes,
    Tokens,
    Yardstick,
    count_by_class,
    read_tokens,
    texts_by_token,
    wilson_bound,
)
from dlcli.data.text.audit.report import audit_texts
from dlcli.data.text.audit.token_kinds import count_units, kind_of_token
from dlcli.data.text.tokenizing.kinds import split_units

Rows = list[tuple[str, int]]


class Texts:
    """A prepared text form in memory, cut into letters and words of ASCII."""

    def __init__(self, splits: dict[str, Rows], *, classes=("bad", "good"), strip=(), min_count=1, details=None):
        self._rows, self._strip = splits, list(strip)
        tokens = {name: [self._cut(text) for text, _ in rows] for name, rows in splits.items()}
        counts = Counter(token for text in tokens["train"] for token in text)
        kept = sorted((token for token in counts if counts[token] >= min_count), key=lambda t: (-counts[t], t))
        self._vocabulary = ("<pad>", "<unk>", *kept)
        index = {token: i for i, token in enumerate(self._vocabulary)}
        self._ids = {name: [[index.get(t, 1) for t in text] or [1] for text in tokens[name]] for name in splits}
        self.card = SimpleNamespace(classes=tuple(classes), details=details or {})

    def _cut(self, text: str) -> list[str]:
        cut: list[str] = []
        for piece, kind in split_units(text):
            if kind is None:
                cut += re.findall(r"[A-Za-z0-9]+|\S", piece)
            elif kind not in self._strip:
                cut.append(piece)
        return cut

    def splits(self) -> tuple[str, ...]:
        return tuple(self._rows)

    def ids(self, split: str) -> np.ndarray:
        return np.array([i for text in self._ids[split] for i in text], np.int32)

    def offsets(self, split: str) -> np.ndarray:
        return np.concatenate([[0], np.cumsum([len(text) for text in self._ids[split]])]).astype(np.int64)

    def labels(self, split: str) -> np.ndarray:
        return np.array([label for _, label in self._rows[split]], np.int64)

    def texts(self, split: str, rows) -> list[str]:
        return [self._rows[split][row][0] for row in rows]

    def vocabulary(self) -> Any:
        return SimpleNamespace(tokens=self._vocabulary)

    def tokenizer_spec(self) -> dict[str, Any]:
        return {"name": "char", "strip": self._strip}


WORDS = [chr(0x4E00 + i) for i in range(300)]


def sentences(count: int, seed: int, *, tells: float = 0.3, num_classes: int = 2) -> Rows:
    """Return texts of eight words; with probability `tells` one word is of the class's own five."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        label = int(random.integers(num_classes))
        words = [WORDS[i] for i in random.integers(50, 300, 8)]
        if random.random() < tells:
            words[int(random.integers(8))] = WORDS[5 * label + int(random.integers(5))]
        rows.append(("".join(words), label))
    return rows


def splits(change=lambda text, label, random: text, **options: Any) -> dict[str, Rows]:
    """Return the three splits, each text changed."""
    random = np.random.default_rng(9)
    sizes = {"train": 1500, "valid": 300, "test": 300}
    return {
        name: [(change(text, label, random), label) for text, label in sentences(size, seed, **options)]
        for seed, (name, size) in enumerate(sizes.items())
    }


def with_emoticon(text: str, label: int, random: np.random.Generator) -> str:
    right = random.random() < 0.97
    return text + (["[泪]", "[怒]"], ["[哈哈]", "[赞]"])[label if right else 1 - label][int(random.integers(2))]


def found(form: Texts) -> dict[str, dict[str, Any]]:
    return {finding["what"]: finding for finding in audit_texts(form)["findings"]}  # type: ignore[arg-type]


def test_emoticons_that_are_the_label_leak_and_the_advice_is_to_strip_them() -> None:
    report = audit_texts(Texts(splits(with_emoticon)))
    first = report["findings"][0]
    assert (first["what"], first["severity"]) == ("emoticons", LEAK)
    assert first["accuracy"] == pytest.approx(0.97, abs=0.03)
    assert first["coverage"] == 1.0
    assert {example["token"]: example["class"] for example in first["examples"]} == {
        "[泪]": "bad",
        "[怒]": "bad",
        "[哈哈]": "good",
        "[赞]": "good",
    }
    assert report["warnings"] == [first["text"]]
    assert "--strip-emoticons" in first["text"]


def test_stripped_emoticons_leak_no_more() -> None:
    report = audit_texts(Texts(splits(with_emoticon), strip=["emoticon"]))
    assert report["warnings"] == []
    assert all(finding["what"] != "emoticons" for finding in report["findings"])


def test_words_that_tell_the_label_are_no_leak() -> None:
    assert audit_texts(Texts(splits(tells=1.0)))["warnings"] == []


def test_nothing_is_found_where_nothing_tells() -> None:
    assert audit_texts(Texts(splits(tells=0.0))) == {"findings": [], "warnings": []}


def test_urls_that_occur_once_each_leak_by_their_number() -> None:
    def with_url(text: str, label: int, random: np.random.Generator) -> str:
        return f"{text} http://t.cn/{random.integers(10**9)}" if label else text

    finding = found(Texts(splits(with_url), min_count=2))["URLs"]
    assert finding["severity"] == LEAK
    assert finding["accuracy"] == 1.0
    assert "number of URLs" in finding["text"]
    assert finding["examples"][1] == {"token": "1", "class": "good", "share": 1.0, "texts": pytest.approx(750, abs=80)}


@pytest.mark.parametrize(
    ("what", "ending"),
    [
        ("exclamation and question marks", ("！", "？")),
        ("@names", ("@张三", "@李四")),
        ("hashtags", ("#足球#", "#电影#")),
        ("digits", ("1", "5")),
        ("latin letters", ("no", "yes")),
        ("emoji", ("😢", "😀")),
    ],
)
def test_every_kind_can_leak_by_which_ones_there_are(what: str, ending: tuple[str, str]) -> None:
    finding = found(Texts(splits(lambda text, label, _: f"{text} {ending[label]}")))[what]
    assert (finding["severity"], finding["accuracy"], finding["coverage"]) == (LEAK, 1.0, 1.0)


def test_length_that_goes_with_the_label_leaks() -> None:
    finding = found(Texts(splits(lambda text, label, random: text * (1 + label) + text[: random.integers(4)])))
    assert finding["text length"]["severity"] == LEAK


def test_word_that_is_the_label_leaks_as_a_single_token() -> None:
    finding = found(Texts(splits(lambda text, label, _: "甲乙"[label] + text)))["single token"]
    assert (finding["severity"], finding["accuracy"]) == (LEAK, 1.0)
    assert {example["token"] for example in finding["examples"][:2]} == {"甲", "乙"}


def test_latin_letters_of_an_english_text_are_its_words() -> None:
    def in_english(text: str, label: int, random: np.random.Generator) -> str:
        return " ".join(f"w{chr(97 + ord(word) % 26)}{'xy'[label]}" for word in text)

    assert "latin letters" not in found(Texts(splits(in_english)))


def test_rare_kind_that_tells_where_it_stands_is_a_note() -> None:
    def sometimes(text: str, label: int, random: np.random.Generator) -> str:
        return text + ["[泪]", "[赞]"][label] if random.random() < 0.08 else text

    finding = found(Texts(splits(sometimes, tells=1.0)))["emoticons"]
    assert finding["severity"] == NOTE
    assert 0.02 < finding["coverage"] < 0.15


def test_few_texts_prove_nothing() -> None:
    rows = [(f"{'甲乙'[i % 2]}[{'泪赞'[i % 2]}]", i % 2) for i in range(6)]
    assert audit_texts(Texts({"train": rows, "valid": rows[:4], "test": []}))["warnings"] == [
        "4 of 4 valid texts (100 %) are in train too, apart from whitespace and punctuation"
    ]


def test_leak_is_measured_on_the_test_part_where_there_is_no_valid_part() -> None:
    data = splits(with_emoticon)
    del data["valid"]
    assert "of the test texts" in audit_texts(Texts(data))["warnings"][0]


def test_many_classes_are_audited() -> None:
    report = audit_texts(
        Texts(splits(lambda text, label, _: f"{text}[{WORDS[label]}]", num_classes=9), classes=list("abcdefghi"))
    )
    assert report["findings"][0]["accuracy"] == 1.0


def test_copies_across_splits_are_found_without_whitespace_and_punctuation() -> None:
    data = splits()
    (first, label), (second, _) = data["train"][:2]
    data["test"][5] = (f" {first[:3]}，{first[3:]}！！", label)
    data["valid"][7] = (second + "。", 1 - data["train"][1][1])
    findings = found(Texts(data))
    assert findings["test texts in train"]["examples"] == [
        {"row": 5, "text": data["test"][5][0].strip(), "other_row": 0, "other_text": first}
    ]
    assert "1 of them with another label" in findings["valid texts in train"]["text"]
    assert "test texts in valid" not in findings


def test_texts_that_differ_in_an_unknown_word_only_are_no_copies() -> None:
    data = splits()
    data["train"][0], data["test"][0] = ("很好龘", 1), ("很好龖", 1)
    assert "test texts in train" not in found(Texts(data, min_count=2))


def test_stripped_emoticon_does_not_hide_a_copy() -> None:
    data = splits()
    data["train"][0], data["test"][0] = ("今天真好[泪]", 0), ("今天真好[赞]", 1)
    assert "test texts in train" not in found(Texts(data))
    assert "test texts in train" in found(Texts(data, strip=["emoticon"]))


def test_hash_of_a_text_does_not_depend_on_where_it_is_cut() -> None:
    class Cut(Texts):
        def _cut(self, text: str) -> list[str]:
            return text.split("|")

    rows = [("今天|天气|很好", 0), ("今|天天|气很|好", 0), ("今天 天气|很好！", 0), ("天今|天气|很好", 0), ("！", 0)]
    form = Cut({"train": rows})
    hashes = text_hashes(form, "train", form.vocabulary().tokens)  # type: ignore[arg-type]
    assert hashes[0] == hashes[1] == hashes[2] != hashes[3]
    assert hashes[4] == 0


def test_letters_of_a_text_are_those_of_all_scripts() -> None:
    assert letters_of("今天, I'm 10% 好!\n[哈哈]") == "今天Im10好哈哈"
    assert letters_of("好[哈哈]", frozenset(["emoticon"])) == "好"


def test_rows_sorted_by_label_are_noted() -> None:
    data = splits()
    assert "label order" not in found(Texts(data))
    assert "label order" in found(Texts(data, details={"sorted_by_label": True}))
    data["train"].sort(key=lambda row: row[1])
    assert found(Texts(data))["label order"]["severity"] == NOTE


def test_report_is_json_of_a_few_kilobytes_and_the_same_each_time() -> None:
    def lengthened(text: str, label: int, random: np.random.Generator) -> str:
        return with_emoticon(text, label, random) + "长" * (500 if random.random() < 0.1 else 1) + "\ud800"

    data = splits(lengthened)
    first, second = (json.dumps(audit_texts(Texts(data)), ensure_ascii=False) for _ in range(2))
    assert first == second
    assert len(first.encode("utf-8")) < 10_000


def test_naive_bayes_equals_scikit_learns() -> None:
    from sklearn.naive_bayes import MultinomialNB

    random = np.random.default_rng(0)
    owners = np.sort(random.integers(0, 200, 3000))
    tokens = Tokens(random.integers(0, 40, 3000), owners, random.integers(0, 3, 200))
    matrix = np.zeros((200, 40))
    np.add.at(matrix, (owners, tokens.ids), 1)
    counts = count_by_class(tokens.ids, tokens.labels[owners], num_classes=3, num_values=40)
    is_seen = random.random(40) < 0.5
    predicted, is_covered = NaiveBayes(counts, np.bincount(tokens.labels), is_seen).predict(tokens)
    reference = MultinomialNB().fit(matrix[:, is_seen], tokens.labels)
    assert np.array_equal(predicted, reference.predict(matrix[:, is_seen]))
    assert np.array_equal(is_covered, matrix[:, is_seen].any(axis=1))


def test_token_counts_once_a_text() -> None:
    tokens = Tokens(np.array([2, 2, 3, 2]), np.array([0, 0, 0, 1]), np.array([1, 1]))
    assert texts_by_token(tokens, num_classes=2, num_ids=4).tolist() == [[0, 0, 0, 0], [0, 0, 2, 1]]


def test_large_split_is_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    form = Texts({"train": [(WORDS[i] * 2, i % 2) for i in range(10)]})
    monkeypatch.setattr("dlcli.data.text.audit.leakage.MOST_TOKENS", 7)
    tokens = read_tokens(form, "train", num_ids=100)  # type: ignore[arg-type]
    names = [form.vocabulary().tokens[i] for i in tokens.ids]
    assert names == [WORDS[i] for i in (0, 0, 3, 3, 6, 6, 9, 9)]
    assert tokens.owners.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert tokens.labels.tolist() == [0, 1, 0, 1]


def test_wilson_bound_agrees_with_a_printed_value() -> None:
    # 81 of 263: 0.2553 to 0.3662 (Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I).
    assert wilson_bound(81, 263) == pytest.approx(0.2553, abs=5e-5)
    assert wilson_bound(0, 0) == 0.0


def test_leak_is_judged_against_the_majority_and_all_tokens() -> None:
    right = np.arange(1000) < 960
    assert Yardstick("valid", 0.5, 0.97).severity(right) == LEAK
    assert Yardstick("valid", 0.95, 0.97).severity(right) is None
    assert Yardstick("valid", 1.0, 1.0).severity(right) is None
    assert Yardstick("valid", 0.5, 0.6).severity(np.arange(1000) < 600) == NOTE


def test_units_of_a_text_are_counted_apart_from_its_words() -> None:
    counts = count_units("ok 12! [哈哈][哈哈]http://t.cn/a1")
    assert {name: counts[name] for name in ("emoticon", "url", "marks", "digits", "latin")} == {
        "emoticon": 2,
        "url": 1,
        "marks": 1,
        "digits": 1,
        "latin": 1,
    }
    assert "emoticon" not in count_units("[哈哈]", frozenset(["emoticon"]))


@pytest.mark.parametrize(
    ("token", "kind"),
    [("[哈哈]", "emoticon"), ("！？", "marks"), ("2012", "digits"), ("ok", "latin"), ("好", ""), ("", "")],
)
def test_token_has_one_kind(token: str, kind: str) -> None:
    assert kind_of_token(token) == kind


@pytest.mark.slow
def test_emoticons_are_the_label_of_the_real_weibo_file(real_data) -> None:
    with (real_data / "weibo" / "weibo_senti_100k.csv").open(encoding="utf-8", newline="") as stream:
        rows = [(text, int(label)) for label, text in list(csv.reader(stream))[1:][::4]]
    order = np.random.default_rng(0).permutation(len(rows))
    rows = [rows[i] for i in order]
    data = {"train": rows[: -len(rows) // 5], "valid": rows[-len(rows) // 5 :]}
    first = audit_texts(Texts(data, min_count=2))["findings"][0]
    assert (first["what"], first["severity"]) == ("emoticons", LEAK)
    assert first["accuracy"] > 0.96
    assert all("emoticon" not in text for text in audit_texts(Texts(data, min_count=2, strip=["emoticon"]))["warnings"])
