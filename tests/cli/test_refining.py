"""`dl export --quantize` and `--embed-preprocess`: what is printed, stored, answered and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest

from dlcli.core.errors import ExitCode
from dlcli.export.runtime import open_model

THREADS = ("--threads", "1")


def test_int8_keeps_the_metric_and_says_what_it_costs(bench: Any, dl: Any) -> None:
    run = bench.run()
    assert dl("export", str(run), *THREADS).code == 0
    answer = dl("export", str(run), "--quantize", "int8", "--json", "--verbose", *THREADS)
    assert answer.code == 0
    document = json.loads(answer.out)
    found = document["quantized"]
    whole = json.loads(dl("eval", str(run), "--json", "--no-plots", *THREADS).out)["metrics"]["accuracy"]
    assert (found["metric"], found["split"], found["before"]) == ("accuracy", "test", pytest.approx(whole, abs=0.01))
    assert abs(found["after"] - found["before"]) < 0.03
    graph = found["graphs"]["model"]
    assert graph["method"] == "static" and graph["calibration_items"] >= 100
    assert graph["layers"]["Conv"] + graph["layers"]["Gemm"] == sum(graph["layers"].values())
    for count, operator in ((count, operator) for operator, count in graph["left_out"].items()):
        assert f"{count} {operator}" in answer.err
    assert answer.err.count("\n  Cast ") == graph["left_out"]["Cast"], "--verbose names every node"
    plain, small = run / "exports" / f"{run.name}.onnx", Path(document["path"])
    assert small.name == f"{run.name}-int8.onnx" and small.stat().st_size < 0.6 * plain.stat().st_size
    assert open_model(small).metadata["quantized"]["after"] == found["after"]


def test_a_drop_beyond_the_limit_leaves_no_file(bench: Any, dl: Any, monkeypatch: Any) -> None:
    from dlcli.engine.quantising import Figure

    run = str(bench.run())
    figures = iter([Figure("accuracy", 0.9, True), Figure("accuracy", 0.7, True)])
    monkeypatch.setattr("dlcli.engine.quantising.measure_files", lambda *_: next(figures))
    before = bench.files()
    answer = dl("export", run, "--quantize", "int8", "--max-drop", "0.1", "--out", "small.onnx", *THREADS)
    assert answer.code == ExitCode.PARITY
    assert "accuracy gets worse by 0.2000" in answer.err and "allowed by --max-drop: 0.1" in answer.err
    assert bench.files() == before


def test_pruning_and_int8_share_the_limit(bench: Any, dl: Any, monkeypatch: Any) -> None:
    from dlcli.engine.quantising import Figure

    run = str(bench.run())
    values = iter([0.9, 0.85])
    monkeypatch.setattr(
        "dlcli.engine.runs.evaluation.measure_task",
        lambda *_: type("Measured", (), {"report": {"metrics": {"accuracy": next(values)}}})(),
    )
    figures = iter([Figure("accuracy", 0.85, True), Figure("accuracy", 0.78, True)])
    monkeypatch.setattr("dlcli.engine.quantising.measure_files", lambda *_: next(figures))
    line = ("export", run, "--prune", "0.3", "--quantize", "int8", "--max-drop", "0.1", "--out", "small.onnx")
    answer = dl(*line, *THREADS)
    assert answer.code == ExitCode.PARITY and "accuracy gets worse by 0.1200" in answer.err
    assert not Path("small.onnx").exists()


def test_a_limit_is_not_counted_from_one_metric_to_another(bench: Any, dl: Any, monkeypatch: Any) -> None:
    """The own metric of translators is the perplexity, that of their files BLEU."""
    from dlcli.engine.quantising import Figure

    run = str(bench.run())
    monkeypatch.setattr(
        "dlcli.engine.runs.evaluation.measure_task",
        lambda *_: type("Measured", (), {"report": {"metrics": {"accuracy": 0.9}}})(),
    )
    monkeypatch.setattr("dlcli.engine.quantising.measure_files", lambda *_: Figure("bleu", 30.0, True))
    line = ("export", run, "--prune", "0.3", "--quantize", "int8", "--out", "small.onnx", *THREADS)
    answer = dl(*line, "--max-drop", "0.1")
    assert answer.code == ExitCode.USAGE
    assert "--max-drop: pruning is measured by accuracy, and int8 files of this task by bleu" in answer.err
    assert not Path("small.onnx").exists()
    assert dl(*line).code == 0, "without a limit there is nothing to compare"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--format", "torchscript", "--quantize", "int8"), "--quantize: not for the format torchscript"),
        (("--format", "torchscript", "--embed-preprocess"), "--embed-preprocess: not for the format torchscript"),
        (("--quantize", "int4"), "int8"),
        (("--max-drop", "0.1"), "--max-drop needs --prune or --quantize"),
    ],
)
def test_neighbours_that_do_not_fit_are_refused(bench: Any, dl: Any, options: tuple[str, ...], said: str) -> None:
    answer = dl("export", str(bench.run()), *options, "--out", "file.onnx")
    assert answer.code == ExitCode.USAGE and said in answer.err
    assert not Path("file.onnx").exists()


def test_int8_without_data_is_refused(bench: Any, dl: Any) -> None:
    run = bench.run()
    (bench.home / "data" / "digits").unlink()
    info = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**info, "data": "gone"}))
    for subject in (str(run), "lenet"):
        answer = dl("export", subject, "--quantize", "int8", "--out", "file.onnx", *THREADS)
        assert answer.code == ExitCode.USAGE and "without data" in answer.err
        assert not Path("file.onnx").exists()


def test_a_file_that_fits_images_answers_like_the_run_at_any_size(bench: Any, dl: Any) -> None:
    run = str(bench.run())
    answer = dl("export", run, "--embed-preprocess", "--json", "--out", "whole.onnx", *THREADS)
    assert answer.code == 0 and "real images of several sizes" in answer.err
    assert json.loads(answer.out)["embed_preprocess"]["max_difference"] <= 0.02
    [given] = onnx.load("whole.onnx").graph.input
    assert [each.dim_param or each.dim_value for each in given.type.tensor_type.shape.dim][1:] == [
        *("image_height", "image_width", 1)
    ]
    keys = {each.key for each in onnx.load("whole.onnx").metadata_props}
    assert "names" in keys and not keys & {"imgsz", "stride"}, "it takes images of any size"
    card = Path("whole.onnx.md").read_text(encoding="utf-8")
    assert "whole\\_images: True" in card, "its inputs are those of this file, not of the plain one"
    names = []
    for number, size in enumerate(((8, 8), (97, 131), (33, 300), (5, 9))):
        random = np.random.default_rng(number)
        names.append(f"{number}.png")
        cv2.imwrite(names[-1], cv2.resize(random.integers(0, 256, (6, 6), np.uint8), size[::-1]))
    lines = [dl("predict", each, *names, "--jsonl", *THREADS).out.splitlines() for each in (run, "whole.onnx")]
    for one, other in zip(*(map(json.loads, each) for each in lines), strict=True):
        assert one["input"] == other["input"] and one["label"] == other["label"]
        assert abs(one["probability"] - other["probability"]) < 0.02


def test_both_changes_are_one_file(bench: Any, dl: Any) -> None:
    answer = dl("export", str(bench.run()), "--embed-preprocess", "--quantize", "int8", "--json", *THREADS)
    document = json.loads(answer.out)
    assert document["path"].endswith("-int8-whole.onnx")
    metadata = open_model(Path(document["path"])).metadata
    assert metadata["assets"]["whole_images"] is True and metadata["quantized"]["weights"] == "int8"


def test_a_file_of_texts_has_no_images_to_fit(every_task: Path, dl: Any) -> None:
    answer = dl("export", str(every_task / "runs" / "sentiment"), "--embed-preprocess", "--out", "file.onnx")
    assert answer.code == ExitCode.USAGE and "sentiment has no step that fits images" in answer.err


def test_matrices_become_int8_without_inputs_to_learn_from(every_task: Path, dl: Any, tmp_path: Path) -> None:
    run, data = str(every_task / "runs" / "sentiment"), _data_of(every_task, "sentiment")
    answer = dl("export", run, "--quantize", "int8", "--data", data, "--out", str(tmp_path / "texts.onnx"), "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)["quantized"]
    assert found["before"] is not None and found["graphs"]["model"]["layers"]


@pytest.mark.slow
def test_word_vectors_become_int8_without_a_metric_of_files(bench: Any, dl: Any) -> None:
    bench.write("t.csv", "label,text\n" + "".join(f"{i % 2},the cat {i % 7} sat on mat {i % 5}\n" for i in range(60)))
    words = ("--tokenizer", "whitespace", "--min-count", "1", "--out", "data/t", "--quiet")
    assert dl("prepare", "text-csv", "t.csv", *words).code == 0
    quick = ("--epochs", "1", "--max-steps", "2", "--threads", "1", "--precision", "fp32", "--quiet", "--name", "v")
    assert dl("train", "embedding", "--data", "data/t", *quick).code == 0
    answer = dl("export", "v", "--quantize", "int8", "--out", "v.onnx", "--json")
    assert answer.code == 0, answer.err
    assert "no metric judges the files of this task" in answer.err
    assert "metric" not in json.loads(answer.out)["quantized"]
    refused = dl("export", "v", "--quantize", "int8", "--max-drop", "0.1", "--out", "w.onnx")
    assert (refused.code, Path("w.onnx").exists()) == (ExitCode.USAGE, False)
    assert "no metric of this task can be taken from a file" in refused.err


def _data_of(home: Path, name: str) -> str:
    data = Path(json.loads((home / "runs" / name / "run.json").read_text())["data"])
    return str(data if data.is_absolute() else home / data)
