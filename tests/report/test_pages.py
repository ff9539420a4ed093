"""The page of a run: what it says, that it escapes what it was given, and that it needs nothing else."""

from __future__ import annotations

import itertools
import json
import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from dlcli.core.run_dir import RunDir
from dlcli.core.table import Table
from dlcli.metrics.item_scores import ItemFigure, scores_of
from dlcli.report import images
from dlcli.report.images import Album
from dlcli.report.kept import Shown, keep_items, keep_shown
from dlcli.report.pages import page_of
from dlcli.report.rendering import render
from dlcli.visualize.canvas import write_png

EVIL = "<script>alert('x')</script>\"'&`\u202e\x07"


class Outline(HTMLParser):
    """The tags, headings and texts of a page; fails where tags do not match."""

    VOID = ("meta", "img", "br", "link")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts, self.headings = [], [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)
            if self.open[-1] in ("h1", "h2", "h3"):
                self.headings.append((self.open[-1], data))

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def make_run(folder, *, info=None, metrics=True, report=None, card=None):
    folder.mkdir(parents=True)
    run = RunDir(folder)
    facts = {
        "schema": 1,
        "status": "finished",
        "task": "classification",
        "dataset": "digits",
        "model": "cnn",
        "command": "dl train digits --epochs 2",
        "seconds": 3725,
        "goal": "accuracy",
        "best": {"epoch": 2, "accuracy": 0.75},
        "origins": {"epochs": "command line", "model": "recipe"},
        "versions": {"torch": "2.x"},
    }
    (folder / "run.json").write_text(json.dumps({**facts, **(info or {})}))
    (folder / "config.toml").write_text('epochs = 2\nmodel = "cnn"\nseed = 0\n')
    if metrics:
        lines = [json.dumps({"epoch": e, "loss": 1 / e, "val_loss": 1.1 / e, "accuracy": e / 3}) for e in (1, 2)]
        (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    if card is not None:
        (folder / "data.json").write_text(json.dumps(card))
    if report is not None:
        (run.folder("eval") / "test.json").write_text(json.dumps(report))
    return run


CARD = {
    "form": "images",
    "name": "digits",
    "classes": ["cat", EVIL],
    "counts": {"train": {"cat": 3, EVIL: 4}, "test": {"cat": 4}},
    "details": {"audit": {"leaks": [{"token": EVIL, "errors": 3}], "share": 0.5}},
    "sources": [{"file": "a.zip", "bytes": 12, "sha256": "ab" * 32}],
    "warnings": ["3 images of test are also in train", EVIL],
}
REPORT = {
    "metrics": {"accuracy": 0.75, "loss": 0.5, "ap50": 0.4},
    "lower_is_better": ["loss"],
    "ap50_interval": [0.3, 0.5],
    "baselines": {"majority": {"accuracy": 0.5}},
    "items": 4,
    "data": "data/digits",
    "split": "test",
    "worst": [{"index": 3, "label": 1, "predicted": 0, "confidence": 0.9}],
    "per_class": [{"name": "cat"}, {"name": EVIL}],
}


def whole_run(folder):
    run = make_run(folder, report=REPORT, card=CARD)
    table = Table("per_class", ["name", "f1"], [["cat", 0.5], [EVIL, 0.25]], [])
    write_png(run.folder("plots") / "test-roc.png", np.zeros((20, 30, 3), np.uint8))
    write_png(run.folder("plots") / "embeddings.png", np.zeros((20, 30, 3), np.uint8))
    write_png(run.folder("samples") / "epoch-0001.png", np.zeros((9, 9, 3), np.uint8))
    (run.folder("samples") / "epoch-0002.txt").write_text(EVIL + "\n")
    keep_shown(run, "test", Shown([table], ["plots/test-roc.png", "../outside.png"], [EVIL], {}, ""))
    figure = ItemFigure(np.array([1.0, 1, 1, 0]), is_share=True)
    keep_items(run, "test", scores_of(np.arange(4), np.arange(4), {"accuracy": figure}, names_items=True))
    (run.path / "exports").mkdir()
    (run.path / "exports" / "x.onnx").write_bytes(b"x" * 1_200_000)
    record = {"x.onnx": {"format": "onnx", "max_difference": 2e-6, "checks": [1, 2, 3], "latency_ms": 1.5}}
    (run.path / "exports" / "exports.json").write_text(json.dumps(record))
    return run


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    return render(page_of(whole_run(tmp_path_factory.mktemp("page") / EVIL.replace("/", "").replace("\x07", ""))))


def test_the_page_says_what_was_run_on_what_and_how_it_went(html):
    text = Outline(html).text
    for words in (
        "dl train digits --epochs 2",
        "1 h 02 min",
        "epochs 2 command line",
        "model cnn recipe",
        "3 images of test are also in train",
        "accuracy 0.7500 0.2500 to 1.0000 0.5000",
        "ap50 0.4000 0.3000 to 0.5000",
        "loss (lower is better) 0.5000",
        "10,000 resamples of the 4 items",
        "x.onnx onnx 1.2 MB 2e-06 3 1.5000",
        "audit: share 0.5000",
        "torch 2.x",
        "epoch 2",
    ):
        assert words in text


def test_no_text_of_a_file_becomes_markup(html):
    outline = Outline(html)
    assert "script" not in outline.tags
    assert html.count("&lt;script&gt;") >= 6  # name, class, cell, warning, sample, audit
    assert "\x07" not in html
    assert all(not name.startswith("on") for _, attributes in outline.attributes for name in attributes)


def test_the_page_needs_nothing_from_elsewhere(html):
    assert not re.search(r"(src|href)=\"(?!data:|#)", html)
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html


def test_headings_go_down_one_level_at_a_time_and_pictures_have_words(html):
    outline = Outline(html)
    levels = [int(tag[1]) for tag, _ in outline.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    images = [attributes for tag, attributes in outline.attributes if tag == "img"]
    assert [attributes["alt"] for attributes in images] == ["ROC, test split", "Samples after epoch 1", "Embeddings"]
    charts = [attributes for tag, attributes in outline.attributes if attributes.get("role") == "img"]
    assert all(attributes["aria-label"] for attributes in charts)
    assert len(charts) == 2  # loss and accuracy
    ids = [attributes["id"] for _, attributes in outline.attributes if "id" in attributes]
    assert len(ids) == len(set(ids))


def contrast(one, other):
    """Return the WCAG contrast ratio of two colours such as #1c2127."""

    def luminance(colour):
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_every_text_is_legible_in_each_theme(html):
    themes = re.findall(r":root \{(.*?)\}", html, re.DOTALL)
    assert len(themes) == 3  # light, dark, print
    for theme in themes:
        colours = dict(re.findall(r"--([\w-]+): (#\w{6})", theme))
        for ink, back in [
            ("ink", "card"),
            ("ink", "paper"),
            ("quiet", "card"),
            ("quiet", "paper"),
            ("accent", "paper"),
        ]:
            assert contrast(colours[ink], colours[back]) >= 4.5, (ink, back)
        for ink, back in [("good", "good-back"), ("other", "other-back"), ("ink", "code"), ("ink", "other-back")]:
            assert contrast(colours[ink], colours[back]) >= 4.5, (ink, back)
        for index in range(6):
            assert contrast(colours[f"s{index}"], colours["card"]) >= 4.5, index


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"status": "running"}, "still training"),
        ({"status": "interrupted"}, "interrupted before its last epoch"),
        ({"status": "failed", "error": "no space left"}, "no space left"),
        ({"status": "diverged"}, "diverged"),
        ({"status": 7, "versions": None, "best": [], "origins": 3, "seconds": None, "goal": 5}, "unknown"),
    ],
)
def test_a_run_that_is_not_finished_says_so(tmp_path, info, words):
    text = Outline(render(page_of(make_run(tmp_path / "run", info=info, metrics=False)))).text
    assert words in text
    assert "No epoch is finished yet" in text
    assert "Not evaluated yet" in text


def test_a_training_that_goes_on_says_how_far_it_is(tmp_path):
    run = make_run(tmp_path / "run", info={"status": "running"})
    assert "2 epochs done." in Outline(render(page_of(run))).text
    run.config_file.write_text("epochs = 9\n")
    assert "2 of 9 epochs done." in Outline(render(page_of(run))).text


def test_damaged_parts_of_a_run_are_left_out(tmp_path):
    run = make_run(tmp_path / "run", report={"metrics": 3}, card={"form": 1})
    (run.path / "config.toml").write_text("= broken")
    (run.path / "metrics.jsonl").write_text("[]\n[]\n")
    text = Outline(render(page_of(run))).text
    assert "no card of its data" in text
    assert "Not evaluated yet" in text


def test_an_evaluation_before_the_weights_is_marked(tmp_path):
    run = make_run(tmp_path / "run", report=REPORT)
    run.best_checkpoint.parent.mkdir()
    run.best_checkpoint.write_bytes(b"")
    os.utime(run.path / "eval" / "test.json", (1, 1))
    assert "weights are newer" in Outline(render(page_of(run))).text


def test_folds_have_means_and_standard_errors(tmp_path):
    run = make_run(tmp_path / "run", info={"kind": "folds", "goal": "rmse", "task": "regression"})
    folds = [{"run": f"runs/x/folds/0{n}", "items": 5, "metrics": {"rmse": float(n)}} for n in (1, 2)]
    summary = {"items": 10, "metrics": {"rmse": 1.6}, "fold_means": {"rmse": 1.5}, "standard_errors": {"rmse": 0.5}}
    (run.folder("eval") / "test.json").write_text(json.dumps({**summary, "folds": folds}))
    text = Outline(render(page_of(run))).text
    assert "rmse 1.6000 1.5000 0.5000" in text
    assert "01 5 1.0000" in text
    assert "mean of folds 1.5000 ± 0.5000 (standard error)" in text
    (run.path / "eval" / "test.json").unlink()
    assert "folds are not evaluated yet" in Outline(render(page_of(run))).text


def test_pictures_are_shrunk_and_those_without_room_are_named(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (500, 700, 3), dtype=np.uint8)
    write_png(tmp_path / "noise.png", noise)
    monkeypatch.setattr(images, "MAX_PICTURE_BYTES", 40_000)
    shot = Album().shot(tmp_path / "noise.png", "noise", "noise")
    assert len(shot.uri) < 60_000
    assert shot.width < 700
    small = Album(limit=100)
    assert small.shot(tmp_path / "noise.png", "", "") is None
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    assert small.shot(tmp_path / "broken.png", "", "") is None
    assert small.left_out == ["noise.png", "broken.png"]


def test_a_page_of_many_large_pictures_stays_small(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_PICTURE_BYTES", 30_000)
    monkeypatch.setattr(images, "MAX_TOTAL_BYTES", 50_000)
    run = make_run(tmp_path / "run")
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 256, (200, 200, 3), dtype=np.uint8)
        write_png(run.folder("plots") / f"picture-{number}.png", noise)
    monkeypatch.setattr("dlcli.report.pages.Album", lambda: Album(50_000))
    html = render(page_of(run))
    assert len(html) < 120_000
    assert "pictures were left out" in html
