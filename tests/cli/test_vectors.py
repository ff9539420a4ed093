"""`dl predict --embed` and `dl export --embed`: vectors of the inputs, from a run and from files made of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcli.core.errors import ExitCode

QUIET = ("--threads", "1", "--quiet")


def lines_of(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def test_rows_and_lines_are_the_vectors_of_the_inputs_in_their_order(bench: Any, dl: Any) -> None:
    run = str(bench.run())
    names = [str(bench.png(f"{number}.png", 31 * number).name) for number in range(5)]
    plain = dl("predict", run, *names, "--jsonl", *QUIET)
    answer = dl("predict", run, *names, "--jsonl", "--embed", "v.npy", "--batch-size", "2", *QUIET)
    assert answer.code == 0
    assert [json.loads(line)["input"] for line in answer.out.splitlines()] == names
    assert [json.loads(line)["label"] for line in answer.out.splitlines()] == [
        json.loads(line)["label"] for line in plain.out.splitlines()
    ]
    vectors = np.load("v.npy", allow_pickle=False)
    assert vectors.dtype == np.float32 and len(vectors) == 5
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert dl("predict", run, *names[::-1], "--embed", "v.jsonl", *QUIET).code == 0
    lines = lines_of("v.jsonl")
    assert [line["input"] for line in lines] == names[::-1]
    found = np.array([line["embedding"] for line in lines], np.float32)
    np.testing.assert_allclose(found[::-1], vectors, atol=1e-6)


def test_an_input_with_an_error_has_a_line_that_says_so_and_no_row(bench: Any, dl: Any) -> None:
    run = str(bench.run())
    bench.png("a.png", 10), bench.png("c.png", 90), bench.write("b.png", "hello")
    bench.png("d\N{LATIN SMALL LETTER E WITH ACUTE}.png", 90)
    line = ("predict", run, "a.png", "b.png", "c.png", "d\xe9.png", *QUIET)
    for name in ("v.npy", "v.jsonl"):
        answer = dl(*line, "--embed", name)
        assert answer.code == ExitCode.PARTIAL and "1 of 4 inputs failed" in answer.err
    vectors, lines = np.load("v.npy"), lines_of("v.jsonl")
    assert len(vectors) == 3 and np.isfinite(vectors).all()
    assert [set(line) for line in lines] == [{"input", word} for word in ("embedding", "error", *["embedding"] * 2)]
    good = [line["embedding"] for line in lines if "embedding" in line]
    assert np.array_equal(np.array(good, np.float32), vectors)  # nine digits lose nothing
    assert np.array_equal(vectors[1], vectors[2])


def test_nothing_is_written_if_no_input_could_be_read(bench: Any, dl: Any) -> None:
    run = str(bench.run())
    bench.write("b.png", "hello")
    before = bench.write("v.npy", "an older file")
    for words in (["b.png"], []):
        answer = dl("predict", run, *words, "--embed", "v.npy", *QUIET)
        assert answer.code == (ExitCode.DATA if words else ExitCode.USAGE)
        assert before.read_text() == "an older file"
    assert not [path.name for path in bench.home.iterdir() if "partial" in path.name]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("v.csv", "unknown format"),
        ("v", "unknown format"),
        ("runs/RUN/metrics.jsonl", "an input, which is not replaced"),
        ("in/put.jsonl", "an input, which is not replaced"),
    ],
)
def test_other_formats_and_files_of_inputs_and_runs_are_refused(bench: Any, dl: Any, name: str, sentence: str) -> None:
    run = bench.run()
    bench.png("in/a.png")
    kept = bench.write("in/put.jsonl", "mine")
    name = name.replace("RUN", run.name)
    answer = dl("predict", "latest", "in", "--embed", name, *QUIET)
    assert (answer.code, answer.out) == (ExitCode.USAGE, "")
    assert f"--embed {name}: {sentence}" in answer.err
    assert kept.read_text() == "mine" and (run / "metrics.jsonl").read_text().startswith("{")


def test_a_file_without_vectors_says_how_to_export_it(bench: Any, dl: Any, onnx_file: Any) -> None:
    bench.png("cat.png")
    answer = dl("predict", str(onnx_file), "cat.png", "--embed", "v.npy", *QUIET)
    assert (answer.code, answer.out) == (ExitCode.USAGE, "")
    assert "exported without it" in answer.err and "`dl export RUN --embed`" in answer.err
    assert not Path("v.npy").exists()


def test_a_network_without_one_vector_for_each_item_is_refused(bench: Any, dl: Any) -> None:
    answer = dl("export", "dcgan", "--embed", *QUIET)
    assert (answer.code, answer.out) == (ExitCode.USAGE, "")
    assert "dcgan: its task has no embedding" in answer.err


INPUTS = {
    "classification": "cat.png",
    "sentiment": "good food",
    "regression": "q.csv",
    "table-classification": "q.csv",
}


@pytest.mark.parametrize("task", [*INPUTS])
@pytest.mark.parametrize("suffix", ["torchscript", pytest.param("onnx", marks=pytest.mark.slow)])
def test_an_exported_file_gives_the_vectors_of_the_run(
    every_task: Path, dl: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, task: str, suffix: str
) -> None:
    monkeypatch.chdir(every_task)
    file, vectors = tmp_path / f"model.{suffix}", []
    exported = dl("export", task, "--embed", "--format", suffix, "--out", str(file), "--json", "--threads", "1")
    assert exported.code == 0, exported.err
    for number, model in enumerate((task, str(file))):
        path = tmp_path / f"{number}.npy"
        answer = dl("predict", model, INPUTS[task], "--embed", str(path), "--json", *QUIET)
        assert answer.code == 0, answer.err
        vectors.append(np.load(path))
    assert len(vectors[0]) == (2 if INPUTS[task] == "q.csv" else 1)
    np.testing.assert_allclose(vectors[1], vectors[0], atol=1e-5)
    assert dl("predict", str(file), INPUTS[task], *QUIET).code == 0  # and it may be left out


@pytest.mark.slow
def test_vectors_of_an_onnx_file_need_no_torch(bench: Any, dl: Any, environment: dict[str, str]) -> None:
    run = str(bench.run())
    bench.png("cat.png")
    assert dl("export", run, "--embed", "--tta", "--out", "m.onnx", *QUIET).code == 0
    program = "import sys; sys.modules['torch'] = None; from dlcli.cli.app import run; sys.exit(run(sys.argv[1:]))"
    line = ["predict", "m.onnx", "cat.png", "--embed", "v.npy", *QUIET]
    subprocess.run([sys.executable, "-c", program, *line], check=True, env=environment, cwd=bench.home)
    for name, words in (("w.npy", ["--tta"]), ("x.npy", [])):
        assert dl("predict", run, "cat.png", "--embed", name, *words, *QUIET).code == 0
    np.testing.assert_allclose(np.load("v.npy"), np.load("w.npy"), atol=1e-5)  # that over all views
    assert not np.allclose(np.load("v.npy"), np.load("x.npy"), atol=1e-5)


def test_neighbours_of_an_input_are_a_table_in_json_and_images_also_a_picture(
    every_task: Path, dl: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(every_task)
    line = ("visualize", "neighbours", "classification")
    out = tmp_path / "near.png"
    answer = dl(*line, "cat.png", "-k", "3", "--json", "--out", str(out))
    found = json.loads(answer.out)
    assert found["pictures"] == [str(out)] and out.stat().st_size > 0
    assert [entry["rank"] for entry in found["neighbours"]] == [1, 2, 3]
    item = found["neighbours"][0]["item"]  # of a training image that image itself is the nearest
    [first] = json.loads(dl(*line, f"data/digits/{item}", "-k", "1", "--json", "--out", str(out)).out)["neighbours"]
    assert (first["item"], first["label"]) == (item, item.split("/")[1])
    assert first["cosine"] == pytest.approx(1, abs=1e-5)
    rows = json.loads(
        dl("visualize", "neighbours", "regression", "q.csv", "-k", "1", "--metric", "euclidean", "--json").out
    )
    assert [entry["euclidean"] for entry in rows["neighbours"]] == pytest.approx([0, 0], abs=1e-3)
    text = dl("visualize", "neighbours", "sentiment", "how fine", "-k", "2", "--split", "test", "--json")
    assert all(entry["fields"]["text"] for entry in json.loads(text.out)["neighbours"])


def test_neighbours_without_data_or_input_are_refused(bench: Any, dl: Any) -> None:
    run = bench.run()
    assert "needs an input" in dl("visualize", "neighbours", str(run)).err
    bench.png("cat.png")
    answer = dl("visualize", "neighbours", str(run), "cat.png", "--split", "vaild")
    assert (answer.code, answer.out) == (ExitCode.DATA, "") and "no split 'vaild'" in answer.err
    (bench.home / "data" / "digits").unlink()
    (run / "run.json").write_text((run / "run.json").read_text().replace("digits", "gone"))
    answer = dl("visualize", "embeddings", str(run))
    assert (answer.code, answer.out) == (ExitCode.DATA, "") and "no prepared data" in answer.err


def test_the_nearest_mean_of_a_few_examples_stands_beside_the_baselines(
    every_task: Path, dl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(every_task)
    for task, words in (("table-classification", ()), ("sentiment", ("--baseline",))):
        report = json.loads(dl("eval", task, "--few-shot", "2", "--json", "--no-plots", *words).out)
        assert (len(report["baselines"]) > 1) == bool(words)
        found = report["baselines"]["nearest mean of 2"]
        assert 0 <= found["accuracy"] <= 1 and found["accuracy_error"] >= 0
    answer = dl("eval", "regression", "--few-shot", "2", "--no-plots")
    assert (answer.code, answer.out) == (ExitCode.USAGE, "") and "have no classes" in answer.err
