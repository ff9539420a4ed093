from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from dlcli.cli.export import stored_metadata
from dlcli.core.errors import ExitCode

from .conftest import RUN


def test_what_only_a_file_has_is_stored_with_what_the_run_has() -> None:
    run = {"task": "detection", "assets": {"labels": ["cat"], "preprocess": {"canvas": None}}}
    plan = {"assets": {"preprocess": {"canvas": [64, 64]}, "limits": {"nms": "0.3"}}}
    assert stored_metadata(plan, run) == {
        "task": "detection",
        "assets": {"labels": ["cat"], "preprocess": {"canvas": [64, 64]}, "limits": {"nms": "0.3"}},
    }


def test_a_network_without_norms_has_none_to_fold(bench: Any, dl: Callable[..., Any]) -> None:
    bench.run()
    answer = dl("export", RUN, "--fold-norms")
    assert answer.code == ExitCode.USAGE
    assert "the network has no batch norms" in answer.err


def test_caffes_two_files_hold_no_norm_that_was_folded(bench: Any, dl: Callable[..., Any]) -> None:
    answer = dl("export", "cnn", "--format", "prototxt", "--out", "c.prototxt", "--fold-norms", "--json")
    assert answer.code == 0, answer.err
    text = (bench.home / "c.prototxt").read_text(encoding="utf-8")
    assert 'type: "Convolution"' in text
    assert 'type: "BatchNorm"' not in text
    assert (bench.home / "c.caffemodel").stat().st_size > 10_000
    assert json.loads(answer.out)["card"] == "c.prototxt.md"


def test_what_caffe_has_no_layer_for_is_refused_by_its_name(bench: Any, dl: Callable[..., Any]) -> None:
    before = bench.files()
    answer = dl("export", "airnet", "--format", "prototxt", "--out", "a.prototxt")
    assert answer.code == ExitCode.EXPORT
    assert ": gelu has no layer in Caffe" in answer.err
    assert "fix: try --format onnx" in answer.err
    assert bench.files() == before


@pytest.mark.parametrize(
    ("options", "said", "fix"),
    [
        (
            ("--format", "safetensors", "--fold-norms"),
            "--fold-norms: weights alone are no graph",
            "leave it out, or choose --format onnx",
        ),
        (
            ("--format", "prototxt", "--out", "a.caffemodel"),
            "a.caffemodel: the weights are written there, beside the file that is named",
            "name a.prototxt",
        ),
    ],
)
def test_what_a_format_cannot_do_is_refused_before_anything_is_loaded(
    bench: Any, dl: Callable[..., Any], options: tuple[str, ...], said: str, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run()
    monkeypatch.setattr("dlcli.cli.export_subject.Subject.open", lambda *_: pytest.fail("opened"))
    answer = dl("export", RUN, *options)
    assert answer.code == ExitCode.USAGE
    assert f"error: {said}" in answer.err and f"fix: {fix}" in answer.err
