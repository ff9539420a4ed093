"""Metrics of translation: sacrebleu's own command is the judge; parts and processes change nothing."""

from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest

from dlcli.metrics import translation as module
from dlcli.metrics.nearest_translation import nearest_translations
from dlcli.metrics.translation import TranslationMetric, corpus_metrics, sentence_chrf

TEXT = "<pad> the cat sat on a mat , and dog ran away . it is not here today ! my house has two doors"
WORDS = TEXT.split()
RANDOM = np.random.default_rng(0)
TARGETS = [" ".join(RANDOM.choice(WORDS[1:], RANDOM.integers(4, 14))) for _ in range(60)]
ANSWERS = [
    " ".join(word if RANDOM.random() < 0.8 else RANDOM.choice(WORDS[1:]) for word in text.split())[:70]
    for text in TARGETS
]
ANSWERS = [" ".join(word for word in text.split() if word in WORDS) for text in ANSWERS]
SOURCES = [f"source {row % 45}" for row in range(60)]
LENGTHS = RANDOM.integers(1, 40, 60)


class Decoder:
    def __call__(self, ids):
        return " ".join(WORDS[number] for number in ids)


def outputs(rows):
    width = max(len(ANSWERS[row].split()) for row in rows)
    sentences = np.zeros((len(rows), 2, width), np.int64)
    for place, row in enumerate(rows):
        ids = [WORDS.index(word) for word in ANSWERS[row].split()]
        sentences[place, 0, : len(ids)] = ids
    return {"sentences": sentences}


def batch(rows):
    texts = {"source_texts": [SOURCES[row] for row in rows], "target_texts": [TARGETS[row] for row in rows]}
    return {**texts, "source_lengths": LENGTHS[rows]}


def measured(*parts, **options):
    metric = TranslationMetric(Decoder(), "en", **options)
    for rows in parts or (np.arange(60),):
        metric.update(batch(rows), outputs(rows))
    return metric


def official(tmp_path, tokenizer, answers, targets):
    """Return what sacrebleu's command says of two files: metric -> figures."""
    for name, lines in (("answers", answers), ("targets", targets)):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    files = [str(tmp_path / "targets"), "-i", str(tmp_path / "answers")]
    options = ["-m", "bleu", "chrf", "-tok", tokenizer, "--confidence", "-w", "4", "--force"]
    done = subprocess.run([sys.executable, "-m", "sacrebleu", *files, *options], capture_output=True, check=True)
    return {figures["name"].lower().replace("chrf2", "chrf"): figures for figures in json.loads(done.stdout)}


@pytest.fixture
def few_resamples(monkeypatch):
    """A bootstrap that costs little, where its figures do not matter."""
    monkeypatch.setattr(module, "_RESAMPLES", 100)


def test_figures_and_intervals_are_those_of_the_command(tmp_path):
    metric = measured()
    report, values = metric.report(), metric.compute()
    order = sorted(range(60), key=lambda row: (SOURCES[row], TARGETS[row], ANSWERS[row]))
    expected = official(tmp_path, "13a", [ANSWERS[row] for row in order], [TARGETS[row] for row in order])
    assert 5 < values["bleu_13a"] < 95
    for ours, theirs in (("bleu_13a", "bleu"), ("chrf", "chrf")):
        assert values[ours] == pytest.approx(expected[theirs]["score"], abs=1e-4)
        low, high = report["intervals"][ours]
        assert (low + high) / 2 == pytest.approx(expected[theirs]["confidence_mean"], abs=1e-4)
        assert (high - low) / 2 == pytest.approx(expected[theirs]["confidence_var"], abs=1e-4)
        parts = set(report["signatures"][ours].split("|"))
        assert parts >= {"bs:1000", "seed:12345", "nrefs:1", f"version:{expected[theirs]['version']}"}
    assert "tok:13a" in report["signatures"]["bleu_13a"]
    assert report["lower_is_better"] == [] and report["num_sentences"] == 60
    json.dumps(report, allow_nan=False)


def test_chinese_has_its_own_tokenizer_and_name(tmp_path):
    answers, targets = ["我在家看书。", "他今天没有来"], ["我在家里看书。", "他今天不来。"]
    values = corpus_metrics(answers, [[text] for text in targets], "zh")
    assert values["bleu_zh"] == pytest.approx(official(tmp_path, "zh", answers, targets)["bleu"]["score"], abs=1e-4)
    assert set(corpus_metrics(answers, [[text] for text in targets], "ja")) == {"bleu_char", "chrf"}


def test_parts_processes_and_order_change_nothing(few_resamples):
    whole = measured()
    one, other = measured(np.arange(59, 20, -1)), measured(np.arange(5, 21), np.arange(5))
    one.merge(pickle.loads(pickle.dumps(other)))
    assert one.compute() == whole.compute()
    assert one.report() == whole.report()


def test_each_source_is_measured_once_against_all_its_targets(few_resamples):
    metric = measured(several_references=True)
    report = metric.report()
    assert (report["num_sentences"], report["num_references"]) == (45, 60)
    assert "nrefs:var" in report["signatures"]["bleu_13a"]
    first = {source: row for row, source in reversed(list(enumerate(SOURCES)))}
    references = {source: [TARGETS[row] for row in range(60) if SOURCES[row] == source] for source in first}
    by_source = dict.fromkeys(first, "")
    for source, _, answer in sorted(zip(SOURCES, TARGETS, ANSWERS, strict=True), reverse=True):
        by_source[source] = answer
    expected = corpus_metrics([by_source[source] for source in first], [references[source] for source in first], "en")
    assert {name: metric.compute()[name] for name in expected} == pytest.approx(expected)
    assert metric.compute()["bleu_13a"] != measured().compute()["bleu_13a"]
    with pytest.raises(ValueError, match="cannot merge"):
        metric.merge(measured())


def test_loss_is_per_token_and_perplexity_its_power(few_resamples):
    metric = TranslationMetric(Decoder(), "en")
    metric.update({}, {"losses": np.array([3.0, 1.0]), "num_tokens": np.array([2, 6])})
    metric.update({}, {"losses": np.array([12.0], np.float32), "num_tokens": np.array([8])})
    assert metric.compute() == {"loss": 1.0, "perplexity": pytest.approx(math.e)}
    assert metric.report() == {"metrics": metric.compute(), "lower_is_better": ["loss", "perplexity"]}
    metric.update(
        batch(np.arange(60)), {**outputs(np.arange(60)), "losses": np.full(60, 1.0), "num_tokens": np.ones(60)}
    )
    assert metric.compute() == {"loss": 1.0, "perplexity": pytest.approx(math.e), **measured().compute()}
    metric.update({}, {"losses": np.array([np.nan]), "num_tokens": np.array([1])})
    assert metric.report()["metrics"]["loss"] is None
    with pytest.raises(ValueError, match="neither losses nor sentences"):
        metric.update({}, {"scores": np.zeros(1)})


def test_worst_best_and_lengths_are_of_the_sentences_they_name(few_resamples):
    report = measured().report()
    each = dict(
        zip(zip(SOURCES, TARGETS, ANSWERS, strict=True), sentence_chrf(ANSWERS, [[t] for t in TARGETS]), strict=True)
    )
    for name, ordered in (("worst", sorted(each.values())), ("best", sorted(each.values(), reverse=True))):
        assert [entry["chrf"] for entry in report[name]] == ordered[: module.NUM_SHOWN]
        assert all(each[entry["source"], entry["target"], entry["answer"]] == entry["chrf"] for entry in report[name])
    assert sum(entry["sentences"] for entry in report["by_length"]) == 60
    assert [entry["tokens"] for entry in report["by_length"]] == ["1-5", "6-10", "11-15", "16-20", "21-30", "31+"]
    rows = np.flatnonzero((LENGTHS >= 6) & (LENGTHS <= 10)).tolist()
    figures = corpus_metrics([ANSWERS[row] for row in rows], [[TARGETS[row]] for row in rows], "en")
    assert report["by_length"][1] == {"tokens": "6-10", "sentences": len(rows), **figures}


def test_perfect_empty_and_single_answers():
    assert corpus_metrics(TARGETS, [[text] for text in TARGETS], "en") == pytest.approx({"bleu_13a": 100, "chrf": 100})
    assert corpus_metrics([""] * 3, [["a b c d e"]] * 3, "en") == {"bleu_13a": 0, "chrf": 0}
    report = measured(np.array([3])).report()
    assert report["intervals"] == {} and report["num_sentences"] == 1
    assert TranslationMetric(Decoder(), "en").compute() == {}
    assert TranslationMetric(Decoder(), "en").report()["metrics"] == {}


def test_answers_without_a_right_word_have_an_interval_too():
    metric = TranslationMetric(lambda ids: "x", "en")
    batch = {"source_texts": ["a"] * 3, "target_texts": ["b c", "d", "e"], "source_lengths": np.ones(3, int)}
    metric.update(batch, {"sentences": np.ones((3, 1, 1), int)})
    assert metric.report()["intervals"]["bleu_13a"] == [0.0, 0.0]


def test_many_sentences_are_resampled_less_often(monkeypatch):
    monkeypatch.setattr(module, "_MAX_RESAMPLED", 60 * 150)
    assert "bs:150" in measured().report()["signatures"]["chrf"]
    monkeypatch.setattr(module, "_MAX_RESAMPLED", 60 * 99)
    assert measured().report()["intervals"] == {}


def test_the_nearest_source_gives_its_translation(monkeypatch):
    sources, targets = ["我在家", "他在学校", "今天下雨"], ["I am at home", "He is at school", "It rains today"]
    queries = ["今天下雪", "我们在家", "他在学校吗", "xyz"]
    expected = [targets[2], targets[0], targets[1], targets[0]]
    assert nearest_translations(sources, targets, queries) == expected
    monkeypatch.setattr("dlcli.metrics.nearest_translation._MAX_SIMILARITIES", 1)
    assert nearest_translations(sources, targets, queries) == expected
    assert nearest_translations(sources, targets, sources) == targets
