"""A model card has the hub's head, and claims nothing that the run does not hold."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import ModelCardData

from dlcli.core.installing import FROM_SOURCE
from dlcli.core.run_dir import RunDir
from dlcli.data.images.pixels import leak_warnings, row_checksums
from dlcli.data.importing.preparing import prepare_dataset
from dlcli.data.tables.rows import parse_sheet
from dlcli.data.tables.writer import TableRequest, write_table
from dlcli.datasets.parallel.importer import tsv_importer
from dlcli.datasets.parallel.options import ColumnOptions
from dlcli.datasets.text.labelled import csv_importer
from dlcli.datasets.text.options import TextOptions
from dlcli.report.model_card import Exported, model_card

EXPORTED = Exported("cats.onnx", "onnx", 1_234_567, "ab" * 32, 3, 1.5e-6, "cats.onnx.py")
METADATA = {
    "task": "classification",
    "model": "resnet18",
    "dataset": "cats",
    "run": "cats-1",
    "inputs": ["images"],
    "outputs": ["logits"],
    "assets": {"labels": ["cat", "<dog>"], "preprocess": {"size": [8, 8], "mean": [0.5]}},
}
CARD = {
    "form": "images",
    "name": "cats",
    "classes": ["cat", "<dog>"],
    "counts": {"train": {"cat": 6, "<dog>": 4}, "test": {"cat": 2, "<dog>": 2}},
    "command": "dl prepare folder /home/ann/photos/cats --out data/cats",
    "warnings": ["leak: 2 images are in both train and test"],
}
METRICS = {"accuracy": 0.75, "loss": 0.5, "auc": float("nan")}


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path / "cats-1")
    run.path.mkdir()
    info = {"schema": 1, "command": "dl train /home/ann/data/cats --epochs 3", "epochs": 3, "parameters": 11_000_000}
    run.info_file.write_text(json.dumps(info | {"seconds": 75, "seed": 0}))
    run.card_file.write_text(json.dumps(CARD))
    (run.path / "checkpoints").mkdir()
    run.best_checkpoint.write_bytes(b"")
    return run


def evaluated(run: RunDir, split: str = "test") -> None:
    (run.path / "eval").mkdir(exist_ok=True)
    report = {"metrics": METRICS, "split": split, "items": 4, "lower_is_better": ["loss"]}
    (run.path / "eval" / f"{split}.json").write_text(json.dumps(report))


def card_of(run: RunDir | None, exported: Exported = EXPORTED, **more: Any) -> str:
    values: dict[str, Any] = {"pipeline": "image-classification", "license": None, "mark": "Written by X", **more}
    return model_card(exported, METADATA, run=run, **values)


def head_of(text: str) -> ModelCardData:
    return ModelCard(text).data


def test_the_hub_reads_the_figures_of_the_stored_evaluation(run: RunDir) -> None:
    evaluated(run)
    data = head_of(card_of(run))
    assert (data.pipeline_tag, data.library_name, data.datasets) == ("image-classification", "dlcli", ["cats"])
    assert data.tags == ["onnx", "classification", "resnet18"]
    results = data.eval_results or []
    assert {each.metric_type: each.metric_value for each in results} == {"accuracy": 0.75, "loss": 0.5}
    assert {(each.task_type, each.dataset_type, each.dataset_split) for each in results} == {
        ("image-classification", "cats", "test")
    }


def test_a_licence_stands_there_only_where_one_is_named(run: RunDir) -> None:
    assert head_of(card_of(run)).license is None
    assert "No licence is stated" in card_of(run)
    assert head_of(card_of(run, license="apache-2.0")).license == "apache-2.0"
    assert "No licence is stated" not in card_of(run, license="apache-2.0")


def test_a_run_without_an_evaluation_has_no_figures(run: RunDir) -> None:
    text = card_of(run)
    assert "model-index" not in text
    assert "was not measured" in text


def test_an_evaluation_of_earlier_weights_is_left_out(run: RunDir) -> None:
    evaluated(run)
    os.utime(run.path / "eval" / "test.json", (1, 1))
    assert "model-index" not in card_of(run)


def test_a_changed_file_does_not_take_the_figures_of_its_run(run: RunDir) -> None:
    evaluated(run)
    changed = Exported("cats.onnx", "onnx", 1, "ab", 3, 0.0, changes=("It was pruned.",), is_changed=True)
    text = card_of(run, changed)
    assert "model-index" not in text
    assert "It was pruned." in text
    assert "modified" in (head_of(text).tags or [])


def test_a_leak_is_told_with_its_consequence(run: RunDir) -> None:
    text = card_of(run)
    assert "2 images are in both train and test" in text
    assert "so the figures are too good" in text


SHARED, GIVEN = "leaks between its parts", "gives the answers away"


def warnings_of_texts(folder: Path, lines: Iterable[str]) -> Sequence[str]:
    (folder / "t.csv").write_text("\n".join(["label,text", *lines]), encoding="utf-8")
    importer = csv_importer(TextOptions(tokenizer="char", min_count=1))
    return prepare_dataset(importer, folder / "t.csv", folder / "t", command="", force=False, report=print)[0].warnings


def warnings_of_table(folder: Path, lines: Iterable[str]) -> Sequence[str]:
    sheet = parse_sheet("\n".join(["x,size,y,split", *lines]), "t.csv", delimiter="comma", header=True)
    return write_table(sheet, TableRequest("y"), folder, "t", "t.csv").warnings


def warnings_of_pairs(folder: Path) -> Sequence[str]:
    pairs = [
        (f"{one} {two}", f"{'一二三四五'[one % 5]}{'六七八九十'[two]}{one}") for one in range(10) for two in range(5)
    ]
    lines = [f"{english}{more}\t{chinese}" for english, chinese in pairs for more in ("", " is it")]
    (folder / "t.tsv").write_text("\n".join(lines), encoding="utf-8")
    importer = tsv_importer(ColumnOptions(tokenizer="char", min_count=1, split="random"))
    return prepare_dataset(importer, folder / "t.tsv", folder / "t", command="", force=False, report=print)[0].warnings


def warnings_of_images() -> Sequence[str]:
    images = np.arange(48, dtype=np.uint8).reshape(4, 2, 2, 3)
    splits = {"train": images, "test": images[1:]}
    return leak_warnings(splits, {name: row_checksums(each) for name, each in splits.items()})


NUMBERS = [(row * 37 % 101, "test" if row % 4 else "train") for row in range(80)]
AUDITS: dict[str, tuple[Callable[[Path], Sequence[str]], str | None]] = {
    "images": (lambda _: warnings_of_images(), SHARED),
    "texts": (
        lambda at: warnings_of_texts(at, [f"{n % 2},n{n}{stop}" for n in range(200) for stop in ("", "!")]),
        SHARED,
    ),
    "emoticons": (
        lambda at: warnings_of_texts(at, [f"{n % 2},n{n}{'[泪]' if n % 2 else '[赞]'}" for n in range(400)]),
        GIVEN,
    ),
    "pairs": (warnings_of_pairs, SHARED),
    "rows": (
        lambda at: warnings_of_table(
            at, [f"{n % 9},{n % 7},{n % 5},{s}" for n in range(60) for s in ("train", "test")]
        ),
        SHARED,
    ),
    "a copy of the target": (lambda at: warnings_of_table(at, [f"{v},{v % 7},{v}.5,{s}" for v, s in NUMBERS]), GIVEN),
    "nothing": (lambda at: warnings_of_table(at, [f"{v % 9},{v},{v % 7},{s}" for v, s in NUMBERS]), None),
}


@pytest.mark.parametrize("audit", AUDITS)
def test_what_any_audit_calls_a_leak_is_told_with_its_consequence(run: RunDir, tmp_path: Path, audit: str) -> None:
    find, expected = AUDITS[audit]
    run.card_file.write_text(json.dumps({**CARD, "warnings": list(find(tmp_path))}))
    text = card_of(run)
    assert [sign for sign in (SHARED, GIVEN) if sign in text] == ([expected] if expected else [])


def test_nothing_names_a_folder_of_this_machine(run: RunDir) -> None:
    text = card_of(run)
    assert "/home" not in text
    assert "dl train cats --epochs 3" in text
    assert "dl prepare folder cats --out data/cats" in text


def test_names_are_no_markup(run: RunDir) -> None:
    text = card_of(run)
    assert "<dog>" not in text
    assert "&lt;dog>" in text


@pytest.mark.parametrize("name", ["a: b", "'", "- x", "猫", "no", "1e3", "{}", "a\nb", "---"])
def test_any_name_survives_the_head(run: RunDir, name: str) -> None:
    evaluated(run)
    metadata = {**METADATA, "dataset": name, "model": name}
    text = model_card(EXPORTED, metadata, pipeline="", run=run, license=None, mark="X")
    data = head_of(text)
    assert data.datasets == [name]
    assert name in (data.tags or [])


def test_a_network_without_a_run_says_that_it_was_not_trained() -> None:
    metadata = {"task": "classification", "model": "resnet18", "assets": {}}
    text = model_card(EXPORTED, metadata, pipeline="image-classification", run=None, license=None, mark="X")
    assert "with random weights" in text
    assert "not trained" in text
    assert head_of(text).datasets is None


@pytest.mark.parametrize(
    ("format", "reads", "holds_all"),
    [
        ("pt2", "dl predict cats.pt2 INPUT...", True),
        ("prototxt", "readNetFromCaffe", True),
        ("word2vec", "gensim", False),
    ],
)
def test_a_card_names_what_opens_the_file(format: str, reads: str, holds_all: bool) -> None:
    file = {"pt2": "cats.pt2", "prototxt": "cats.prototxt", "word2vec": "words.vec"}[format]
    text = card_of(None, Exported(file, format, 1, "ab", 3, 0.0))
    assert reads in text.partition("## How to run it")[2]
    assert ("dl predict" in text) == (FROM_SOURCE in text) == (format == "pt2")
    assert ("The file itself holds all of this" in text) == holds_all


def test_a_card_is_a_function_of_the_run(run: RunDir) -> None:
    evaluated(run)
    assert card_of(run) == card_of(run)
