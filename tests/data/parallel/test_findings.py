"""What `dl doctor` finds on sentence pairs: each finding by data that has it, and none on data that has not."""

from __future__ import annotations

from dlcli.core.files import write_json
from dlcli.core.findings import WARNING
from dlcli.data.card import CARD_NAME, Card
from dlcli.data.parallel.cleaning import Cleaning
from dlcli.data.parallel.findings import examine_parallel
from dlcli.data.parallel.tokenizers import SPECIALS, VocabularyTokenizer
from dlcli.data.parallel.writer import write_form

NUMBERS = [f"{one}{two}" for one in "一二三四五六七八九十" for two in "甲乙丙丁戊己庚辛壬癸"]
GOOD = {
    "train": [(f"我有{number}个", f"I have {row} of them") for row, number in enumerate(NUMBERS)],
    "valid": [("你好吗", "How are you")],
    "test": [("他来了", "He came"), ("再见", "Bye")],
}
WORDS = sorted({word for pairs in GOOD.values() for _, target in pairs for word in target.split()})
CHARACTERS = sorted({character for pairs in GOOD.values() for source, _ in pairs for character in source})


def findings(folder, splits=GOOD, *, language="zh", words=WORDS):
    folder.mkdir(exist_ok=True)
    tokenizers = {
        "source": VocabularyTokenizer("char", Cleaning(language), (*SPECIALS, *CHARACTERS)),
        "target": VocabularyTokenizer("word", Cleaning("en"), (*SPECIALS, *words)),
    }
    write_form(folder, splits, tokenizers)
    items = {split: len(pairs) for split, pairs in splits.items()}
    write_json(folder / CARD_NAME, Card("parallel", "toy", (), {}, items=items).to_json())
    return list(examine_parallel(folder))


def warnings(*args, **options):
    return [finding for finding in findings(*args, **options) if finding.state == WARNING]


def test_good_pairs_are_described_without_a_warning(tmp_path):
    found = findings(tmp_path)
    assert not [finding for finding in found if finding.state == WARNING]
    texts = {f"{finding.what}: {finding.found}" for finding in found}
    assert f"card: toy: zh to en, {len(CHARACTERS) + 4} char tokens, {len(WORDS) + 4} word tokens" in texts
    assert "pairs: 100 train, 1 valid, 2 test" in texts
    five = "5.0 on average, 95 % up to 5, at most 5"
    assert f"lengths: tokens: source {five}; target {five}" in texts
    assert "targets: train: 0 of 100 sources (0%) have several targets" in texts
    assert "leaks: 0 of 2 test pairs have a sentence that is also in train" in texts
    assert "unknown: test: 0.00% of the source's tokens, 0.00% of the target's tokens" in texts


def test_leaks_are_found_also_but_for_punctuation(tmp_path):
    for test, text in (
        ([("他来了", "I have 7 of them"), ("再见", "Bye")], "1 of 2 test pairs have a sentence that is also in train"),
        (
            [("他来了", "He came"), ("你好吗？", "Bye")],
            "0 of 2 test pairs have a sentence that is also in valid, 1 more",
        ),
    ):
        [leak] = [w for w in warnings(tmp_path, {**GOOD, "test": test}) if w.what == "leaks"]
        assert leak.found.startswith(text)


def test_long_unlike_and_unknown_sentences_are_found(tmp_path):
    pairs = [*GOOD["train"], ("我" * 300, "I " * 300), ("我" * 9, "I " * 200)]
    long, unlike = warnings(tmp_path, {**GOOD, "train": [*pairs, *pairs[-2:]]})
    assert "1.9% are longer than 256" in long.found and "2 training pairs" in unlike.found
    found = warnings(tmp_path, words=WORDS[: len(WORDS) // 2])
    assert {finding.what for finding in found} == {"unknown"} and found[0].fix == "use bpe, or a lower --min-count"


def test_another_script_and_several_targets_are_found(tmp_path):
    [wrong] = warnings(tmp_path, language="ru")
    assert wrong.found == "the source is not in 'ru': it has Chinese characters"
    several = {**GOOD, "test": [("再见", "Bye"), ("再见", "Good bye"), ("他来了", "He came")]}
    assert "test: 1 of 2 sources (50%) have several targets" in [
        finding.found for finding in findings(tmp_path, several)
    ]
