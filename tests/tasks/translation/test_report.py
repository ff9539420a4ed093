from __future__ import annotations

import numpy as np
import pytest
from tasks.translation.conftest import made_pairs

from dlcli.metrics.translation import TranslationMetric, corpus_metrics
from dlcli.tasks.translation.config import TranslationInference
from dlcli.tasks.translation.report import MAX_PRINTED, nearest_baseline, tables_of


def test_the_tables_are_those_of_the_report():

    texts = ["天地", "人", "你我他", "大小", "上下来去", "天", "地"]
    metric = TranslationMetric(lambda ids: " ".join(map(str, ids)), "en")
    batch = {"source_texts": texts, "target_texts": ["1 2", "3"] + ["4 5 6"] * 5, "source_lengths": np.arange(1, 8)}
    metric.update(batch, {"sentences": np.array([[[1, 2, 0]], [[9, 0, 0]], *[[[4, 5, 7]]] * 5])})
    report = metric.report()
    tables = {table.name: table for table in tables_of(report)}
    assert list(tables) == ["figures", "by_length", "best", "worst"]
    figures = {entry["metric"]: entry for entry in tables["figures"].entries}
    assert figures["bleu_13a"]["value"] == report["metrics"]["bleu_13a"]
    assert "tok:13a" in figures["bleu_13a"]["signature"]
    assert [figures["chrf"]["low"], figures["chrf"]["high"]] == report["intervals"]["chrf"]
    assert tables["best"].rows[0][1:] == ["1 2", "1 2", "天地"]
    assert tables["worst"].rows[0][1:] == ["9", "3", "人"]
    assert len(tables["worst"].rows) == MAX_PRINTED < len(tables["worst"].entries) == 7
    assert sum(entry["sentences"] for entry in tables["by_length"].entries) == 7


def test_a_report_of_losses_has_no_table():
    assert list(tables_of({"metrics": {"loss": 1.0, "perplexity": 2.7}, "lower_is_better": ["loss"]})) == []


def test_the_baseline_translates_by_the_most_similar_training_sentence(make_task):
    train = [("天地人", "heaven earth man"), ("你我他", "you me him"), ("上下", "up down")]
    pairs = [("天地", "heaven earth"), ("我他", "me him")]
    found = nearest_baseline(train, pairs, "en")
    assert list(found) == ["nearest training source"]
    expected = corpus_metrics(["heaven earth man", "you me him"], [["heaven earth"], ["me him"]], "en")
    assert found["nearest training source"] == pytest.approx(expected)
    task = make_task()
    assert task.metric().several_references is False
    expected = nearest_baseline(made_pairs(90, 0), made_pairs(15, 2), "en")
    assert task.baseline("test")["nearest training source"] == pytest.approx(expected["nearest training source"])


def test_all_references_of_a_source_count_for_the_model_and_for_the_baseline(make_task):
    train = [("天地人", "heaven earth man"), ("你我他", "you me him")]
    pairs = [("天地", "sky and earth"), ("天地", "heaven earth man"), ("我他", "me him")]
    found = nearest_baseline(train, pairs, "en", several_references=True)["nearest training source"]
    references = [["sky and earth", "heaven earth man"], ["me him"]]
    assert found == pytest.approx(corpus_metrics(["heaven earth man", "you me him"], references, "en"))
    assert found["chrf"] > nearest_baseline(train, pairs, "en")["nearest training source"]["chrf"]
    task = make_task()
    task.set_inference(TranslationInference(references="all"))
    assert task.metric().several_references is True
