"""`dl predict --out FILE` and `--shard I/N`, as commands and as processes that are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dlcli.core.errors import ExitCode

QUIET = ("--threads", "1", "--quiet")
JOIN = "paste -d '\\n' a-0000{0..2}-of-00003.jsonl | sed '/^$/d'"
"""The line by which docs/scale.md joins the answers of several processes."""


def photos(bench: Any, count: int) -> None:
    for number in range(count):
        bench.png(f"photos/{number:03d}.png", 31 * number)


def test_shards_joined_line_by_line_are_the_answers_of_one_command(bench: Any, dl: Any) -> None:
    run = str(bench.run())
    photos(bench, 11)
    whole = dl("predict", run, "photos", "--jsonl", *QUIET).out
    for number in range(3):
        answer = dl("predict", run, "photos", "--out", "a.jsonl", "--shard", f"{number}/3", *QUIET)
        assert (answer.code, answer.out) == (0, f"a-0000{number}-of-00003.jsonl\n")
    joined = subprocess.run(["bash", "-c", JOIN], capture_output=True, text=True, check=True).stdout
    assert joined == whole


def test_a_shard_without_a_file_is_printed_in_any_format(bench: Any, dl: Any) -> None:
    run = str(bench.run())
    photos(bench, 5)
    found = [dl("predict", run, "photos", "--shard", f"{number}/2", "--csv", *QUIET).out for number in range(2)]
    assert [len(text.splitlines()) - 1 for text in found] == [3, 2]
    assert found[1].splitlines()[1].startswith("photos/001.png,")


def test_the_page_and_the_document_say_what_is_in_the_file(bench: Any, dl: Any) -> None:
    run = str(bench.run())
    photos(bench, 3)
    bench.write("photos/zzz.png", "hello")
    answer = dl("predict", run, "photos", "--out", "a.jsonl", "--json", "--threads", "1")
    assert answer.code == ExitCode.PARTIAL and "1 of 4 inputs failed" in answer.err
    assert answer.err.count("zzz.png") == 1, "its name stands before a reason that does not begin with it"
    document = json.loads(answer.out)
    assert (document["schema"], document["file"], document["shard"]) == ("dl.predict/1", "a.jsonl", "0/1")
    assert (document["answers"], document["errors"], document["kept"]) == (4, 1, 0)
    again = dl("predict", run, "photos", "--out", "a.jsonl", "--threads", "1")
    assert again.code == ExitCode.PARTIAL and "4 answers were there, 0 were added" in again.err


def test_a_folder_of_weights_answers_into_a_file_as_its_run_does(bench: Any, dl: Any) -> None:
    run = str(bench.run())
    photos(bench, 3)
    assert dl("export", run, "--format", "safetensors", "--out", "hub", "--quiet").code == 0
    for model, name in ((run, "a.jsonl"), ("hub", "b.jsonl")):
        answer = dl("predict", model, "photos", "--out", name, *QUIET)
        assert (answer.code, answer.out) == (0, f"{name}\n"), answer.err
    assert (bench.home / "a.jsonl").read_text() == (bench.home / "b.jsonl").read_text()
    again = dl("predict", "hub", "photos", "--out", "b.jsonl", "--threads", "1")
    assert again.code == 0 and "3 answers were there, 0 were added" in again.err


def test_no_input_and_none_that_can_be_read_are_errors(bench: Any, dl: Any) -> None:
    run = str(bench.run())
    bench.write("b.png", "hello")
    bench.home.joinpath("empty").mkdir()
    assert dl("predict", run, "empty", "--out", "a.jsonl", *QUIET).code == ExitCode.DATA
    assert not list(bench.home.glob("a.jsonl*"))
    assert dl("predict", run, "b.png", "--out", "a.jsonl", *QUIET).code == ExitCode.DATA
    empty = dl("predict", run, "b.png", "--out", "a.jsonl", "--shard", "1/2", *QUIET)
    assert empty.code == 0 and Path("a-00001-of-00002.jsonl").read_bytes() == b""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--out", "a.json"), "unknown format"),
        (("--out", "in"), "unknown format"),
        (("--out", "folder.jsonl"), "is a folder"),
        (("--out", "in/a.jsonl"), "among the inputs"),
        (("--out", "runs/RUN/metrics.jsonl"), "among the inputs or the files of the run"),
        (("--out", "a.jsonl", "--csv"), "JSON Lines, not CSV"),
        (("--out", "a.jsonl", "--save-dir", "x"), "--save-dir knows no --out"),
        (("--shard", "0/2", "--embed", "v.npy"), "--embed knows no shards"),
        (("--shard", "2/2"), "the last one is 1/2"),
    ],
)
def test_lines_that_contradict_themselves_are_refused(
    bench: Any, dl: Any, words: tuple[str, ...], sentence: str
) -> None:
    run = bench.run()
    bench.png("in/x.png")
    (bench.home / "folder.jsonl").mkdir()
    before = bench.files()
    answer = dl("predict", str(run), "in", *(word.replace("RUN", run.name) for word in words), *QUIET)
    assert answer.code == ExitCode.USAGE and sentence in answer.err
    assert bench.files() == before


def test_a_run_may_hold_its_predictions_and_is_gone_on_with_there(bench: Any, dl: Any) -> None:
    run = bench.run()
    photos(bench, 3)
    line = ("predict", str(run), "photos", "--out", str(run / "predictions" / "a.jsonl"), "--threads", "1")
    assert dl(*line).code == 0
    again = dl(*line)
    assert again.code == 0 and "3 answers were there, 0 were added" in again.err


def test_an_environment_of_several_counts_only_with_a_file(bench: Any, dl: Any, monkeypatch: Any) -> None:
    run = str(bench.run())
    photos(bench, 3)
    bench.write("photos/x.png", "hello")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    answer = dl("predict", run, "photos", "--out", "a.jsonl", "--threads", "1")
    assert answer.code == 0, "an error would end the other processes"
    assert answer.out == "a-00001-of-00002.jsonl\n" and "1 of 2 inputs failed" in answer.err
    refused = dl("predict", run, "-", "--out", "a.jsonl", *QUIET)
    assert refused.code == ExitCode.USAGE and "share one standard input" in refused.err


def test_texts_and_rows_are_shared_too(every_task: Path, dl: Any, monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.chdir(every_task)
    for task, inputs in (("sentiment", "s.csv"), ("regression", "t.csv")):
        whole = dl("predict", f"runs/{task}", inputs, "--jsonl", *QUIET).out.splitlines()
        shards = []
        for number in range(2):
            out = tmp_path / f"{task}.jsonl"
            share = f"{number}/2"
            answer = dl("predict", f"runs/{task}", inputs, "--out", str(out), "--shard", share, *QUIET)
            assert answer.code == 0, answer.err
            shards.append(Path(answer.out.strip()).read_text(encoding="utf-8").splitlines())
        assert [line for pair in zip(*shards, strict=True) for line in pair] == whole


def wait_for_lines(path: Path, count: int) -> None:
    deadline = time.monotonic() + 120
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert time.monotonic() < deadline, "no answers"
        time.sleep(0.02)


@pytest.mark.slow
def test_a_process_killed_at_once_goes_on_without_repeating_or_losing(
    bench: Any, dl: Any, onnx_file: Path, environment: dict[str, str]
) -> None:
    photos(bench, 40)
    names = [f"photos/{number:03d}.png" for number in range(40)]
    whole = dl("predict", str(onnx_file), *names, "--jsonl", *QUIET).out
    command = [sys.executable, "-m", "dlcli", "predict", str(onnx_file), "-", "--out", "a.jsonl", *QUIET]
    first = 0
    for end in (7, 23):  # each time some lines more
        with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, text=True) as process:
            assert process.stdin is not None
            process.stdin.write("".join(f"{name}\n" for name in names[:end]))
            process.stdin.flush()
            wait_for_lines(Path("a.jsonl.partial"), end)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        assert Path("a.jsonl.partial").read_bytes().count(b"\n") == end > first
        first = end
    with Path("a.jsonl.partial").open("ab") as stream:
        stream.write(b'{"input": "photos/023.p')  # as a machine that lost its power may leave it
    lines = "".join(f"{name}\n" for name in names)
    end_of = subprocess.run(command, input=lines, env=environment, text=True, capture_output=True, check=True)
    assert end_of.stdout == "a.jsonl\n"
    assert Path("a.jsonl").read_text(encoding="utf-8") == whole
    assert not [path.name for path in bench.home.glob("*a.jsonl.*") if "made-by" not in path.name]


@pytest.mark.slow
def test_a_stopped_process_says_how_to_go_on(bench: Any, onnx_file: Path, environment: dict[str, str]) -> None:
    photos(bench, 5)
    command = [sys.executable, "-m", "dlcli", "predict", str(onnx_file), "-", "--out", "a.jsonl", "--threads", "1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, text=True, **pipes) as process:  # type: ignore[call-overload]
        process.stdin.write("photos/000.png\nphotos/001.png\n")
        process.stdin.flush()
        wait_for_lines(Path("a.jsonl.partial"), 2)
        process.terminate()
        _, errors = process.communicate()
    assert process.returncode == ExitCode.TERMINATED
    assert "2 inputs answered so far; run the command again to go on" in errors


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="torchrun's start there differs")
def test_torchrun_gives_each_process_its_shard(bench: Any, dl: Any, environment: dict[str, str]) -> None:
    run = str(bench.run())
    photos(bench, 9)
    whole = dl("predict", run, "photos", "--jsonl", *QUIET).out
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "3"]
    words = ["-m", "dlcli", "predict", run, "photos", "--out", "a.jsonl", *QUIET]
    found = subprocess.run([*torchrun, *words], env=environment, capture_output=True, text=True, check=True)
    assert sorted(found.stdout.split()) == [f"a-0000{number}-of-00003.jsonl" for number in range(3)]
    joined = subprocess.run(["bash", "-c", JOIN], capture_output=True, text=True, check=True).stdout
    assert joined == whole
