"""stdout carries the answer and nothing else; stderr the rest; escape codes are for terminals."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

RUN = "digits-lenet-1"
QUICK = "--model lenet --epochs 2 --batch-size 512 --precision fp32 --device cpu --threads 1"
ESCAPE = "\x1b"


def _pictures(bench: Any, count: int = 5) -> list[str]:
    return [str(bench.png(f"photos/{number}.png", 40 * number).relative_to(bench.home)) for number in range(count)]


ANSWERS = {
    "prepare": "prepare image-folder src --out data/own",
    "train": f"train digits {QUICK}",
    "eval": f"eval {RUN} --no-plots",
    "predict": f"predict {RUN} photos",
    "export": f"export {RUN} --format torchscript --out model.ts",
    "visualize": f"visualize features {RUN} photos --out drawn",
    "layers": f"visualize features {RUN} --layer list",
    "runs": "runs",
    "run": f"runs {RUN}",
    "models": "models",
    "model": "models lenet",
    "datasets": "datasets",
    "tasks": "tasks",
    "doctor": f"doctor {RUN}",
}


def _arrange(bench: Any) -> None:
    bench.run()
    bench.photos("src")
    _pictures(bench)


@pytest.mark.parametrize("kind", ANSWERS)
def test_json_is_one_document_with_its_schema_and_quiet_is_quiet(kind: str, bench: Any, dl: Any) -> None:
    _arrange(bench)
    answer = dl(*ANSWERS[kind].split(), "--json", "--quiet")
    assert (answer.code, answer.err) == (0, "")
    assert json.loads(answer.out)["schema"] == f"dl.{kind}/1"


@pytest.mark.parametrize("kind", ANSWERS)
def test_what_people_read_has_no_escape_codes_outside_a_terminal(kind: str, bench: Any, dl: Any) -> None:
    _arrange(bench)
    bench.patch.setenv("GITHUB_ACTIONS", "true")  # makes rich believe in a terminal
    bench.patch.setenv("FORCE_COLOR", "1")
    answer = dl(*ANSWERS[kind].split(), "--verbose")
    assert answer.code == 0
    assert answer.out
    assert ESCAPE not in answer.out + answer.err


@pytest.mark.parametrize("kind", ["prepare", "train", "export"])
def test_the_answer_of_what_makes_something_is_its_path(kind: str, bench: Any, dl: Any) -> None:
    _arrange(bench)
    [path] = dl(*ANSWERS[kind].split(), "--quiet").out.splitlines()
    assert Path(path).exists()


def test_lines_are_records_in_the_order_of_the_inputs(bench: Any, dl: Any) -> None:
    bench.run()
    names = _pictures(bench)
    order = [names[3], names[0], "gone.png", *names]
    answer = dl("predict", RUN, *order, "--jsonl", "--batch-size", "2", "--top-k", "3")
    records = [json.loads(line) for line in answer.out.splitlines()]
    assert (answer.code, [record["input"] for record in records]) == (8, order)
    assert [index for index, record in enumerate(records) if "error" in record] == [2]
    assert all(len(record["top"]) == 3 for record in records if "error" not in record)
    assert records[0] == records[6]


def test_all_forms_say_the_same(bench: Any, dl: Any) -> None:
    bench.run()
    names = [*_pictures(bench), "gone, with a comma.png"]
    document = json.loads(dl("predict", RUN, *names, "--json").out)
    lines = [json.loads(line) for line in dl("predict", RUN, *names, "--jsonl").out.splitlines()]
    rows = list(csv.DictReader(dl("predict", RUN, *names, "--csv").out.splitlines()))
    assert document["records"] == lines
    assert [row["input"] for row in rows] == names
    assert [row["label"] or None for row in rows] == [record.get("label") for record in lines]
    assert [bool(row["error"]) for row in rows] == [False] * 5 + [True]
    table = dl("predict", RUN, *names).out.splitlines()
    assert [line.split()[1] for line in table[1:6]] == [record["label"] for record in lines[:5]]


def test_quiet_keeps_errors(bench: Any, dl: Any) -> None:
    assert dl("runs", "nothing", "--quiet").err.startswith("error: no run 'nothing'")


def test_of_several_processes_only_the_first_speaks(dl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert dl("datasets").out, "RANK alone is not torchrun's"
    monkeypatch.setenv("WORLD_SIZE", "2")
    muted = dl("datasets")
    assert (muted.code, muted.out, muted.err) == (0, "", "")
    assert dl("runs", "nothing").err.startswith("error: no run 'nothing'")
    monkeypatch.setenv("RANK", "0")
    assert dl("datasets").out


def _on_terminal(line: str, environment: dict[str, str]) -> tuple[int, str]:
    """Return a command's exit code and all that it writes to a terminal of 140 columns."""
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        ["dl", *line.split()], env={**environment, "COLUMNS": "140"}, stdin=terminal, stdout=terminal, stderr=terminal
    ) as process:
        os.close(terminal)
        chunks = []
        while chunk := _read(controller):
            chunks.append(chunk)
    os.close(controller)
    return process.returncode, b"".join(chunks).decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # Linux: the other end is closed
        return b""


def _screen(written: str) -> list[str]:
    """Return what is left on the screen: cursor up, carriage return and erased lines are followed."""
    lines, row, column = [""], 0, 0
    for text, number, code in re.findall(r"([^\x1b]+)|\x1b\[\??(\d*)[\d;]*([A-Za-z])", written):
        if code == "A":
            row = max(0, row - int(number or 1))
        elif code == "K":
            lines[row] = "" if number == "2" else lines[row][:column]
        for char in text:
            if char == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif char == "\r":
                column = 0
            else:
                lines[row] = lines[row][:column].ljust(column) + char + lines[row][column + 1 :]
                column += 1
    return [line.rstrip() for line in lines]


@pytest.mark.slow
def test_progress_bar_is_drawn_on_a_terminal_and_gone_at_the_end(bench: Any, environment: dict[str, str]) -> None:
    bench.digits()
    code, written = _on_terminal(f"train digits {QUICK}", environment)
    assert code == 0
    assert "━" in written
    assert written.rfind("\x1b[?25h") > written.rfind("\x1b[?25l")  # the cursor is back
    screen = _screen(written)
    assert "━" not in "".join(screen)
    epochs = [line for line in screen if line.startswith("epoch ")]
    assert [line.split("  ")[0] for line in epochs] == ["epoch 1/2", "epoch 2/2"]
    assert [line for line in screen if line][-1] == f"runs/{RUN}"
    log = Path(f"runs/{RUN}/log.txt").read_text()
    assert ESCAPE not in log
    assert [line for line in log.splitlines() if line.startswith("epoch ")] == epochs


@pytest.mark.parametrize("name", ["NO_COLOR", "CI", "GITHUB_ACTIONS"])
@pytest.mark.parametrize("line", ["tasks", "trian"])
def test_terminal_without_colours_gets_no_escape_codes(
    name: str, line: str, bench: Any, environment: dict[str, str]
) -> None:
    assert ESCAPE in _on_terminal(line, environment)[1]
    assert ESCAPE not in _on_terminal(line, {**environment, name: "1"})[1]


def _answering_lines(file: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start a command that answers each line of its input."""
    command, pipe = ["dl", "predict", str(file), "-", "--jsonl"], subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def _answer(process: subprocess.Popen[str], name: str) -> dict[str, Any]:
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{name}\n")
    process.stdin.flush()
    record: dict[str, Any] = json.loads(process.stdout.readline())
    return record


def test_each_line_of_a_pipe_is_answered_before_the_next_is_written(
    bench: Any, onnx_file: Path, environment: dict[str, str]
) -> None:
    names = [*_pictures(bench, 3), "gone.png", *_pictures(bench, 2)]
    with _answering_lines(onnx_file, environment) as process:
        for name in names:
            assert _answer(process, name)["input"] == name
        rest, said = process.communicate()
    assert (process.returncode, rest) == (8, "")
    assert said.startswith("error: 1 of 6 inputs failed")


def test_a_terminated_command_says_so_and_leaves_with_its_code(
    bench: Any, onnx_file: Path, environment: dict[str, str]
) -> None:
    [name] = _pictures(bench, 1)
    with _answering_lines(onnx_file, environment) as process:
        assert _answer(process, name)["input"] == name, "it is under way"
        process.terminate()
        rest, said = process.communicate()
    assert (process.returncode, rest, said) == (143, "", "error: terminated\n")


def test_a_long_pipe_is_answered_in_order(bench: Any, onnx_file: Path, environment: dict[str, str]) -> None:
    names = _pictures(bench, 20) * 10
    done = subprocess.run(
        ["dl", "predict", str(onnx_file), "-", "--jsonl"],
        env=environment,
        input="\n".join(names),  # no newline after the last
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["input"] for line in done.stdout.splitlines()] == names


@pytest.mark.parametrize(
    "line", ["-h", "datasets", "models --json", "predict MODEL photos --jsonl", "predict MODEL photos"]
)
def test_a_reader_that_goes_away_ends_the_command_in_peace(
    line: str, bench: Any, onnx_file: Path, environment: dict[str, str]
) -> None:
    _pictures(bench)
    reader, writer = os.pipe()
    os.close(reader)
    words = ["dl", *line.replace("MODEL", str(onnx_file)).split()]
    done = subprocess.run(words, env=environment, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_names_may_be_chinese_and_hold_spaces(bench: Any, onnx_file: Path, dl: Any) -> None:
    bench.photos("数据 集", ("猫", "狗 子"), size=16)
    answer = dl("train", "数据 集", *QUICK.split(), "--quiet")
    run = answer.out.strip()
    assert (answer.code, Path(run).parent) == (0, Path("runs"))
    picture = "数据 集/猫/1.png"
    [record] = map(json.loads, dl("predict", run, picture, "--jsonl").out.splitlines())
    assert (record["input"], record["label"] in ("猫", "狗 子")) == (picture, True)
    assert "\\u" not in dl("predict", run, picture, "--json").out
    answer = dl("export", run, "--format", "torchscript", "--out", "导 出/模 型.ts", "--quiet")
    exported = answer.out.strip()
    assert (answer.code, exported) == (0, "导 出/模 型.ts"), answer.err
    [same] = map(json.loads, dl("predict", exported, picture, "--jsonl").out.splitlines())
    assert same["label"] == record["label"]
    drawn = dl("visualize", "cam", run, picture, "--out", "图 片.png").out.strip()
    assert Path(drawn).read_bytes().startswith(b"\x89PNG")
    bench.write("模 型.onnx", onnx_file.read_bytes())
    assert dl("predict", "模 型.onnx", "数据 集/*/*.png", "--csv").out.count("\n") == 1 + 16


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are UTF-8 always")
def test_odd_bytes_in_a_name_are_shown_as_escapes(bench: Any, dl: Any) -> None:
    bench.run()
    bench.png("a.png").rename(os.fsdecode(b"\xff.png"))
    answer = dl("predict", RUN, os.fsdecode(b"\xff.png"), "--csv")
    assert (answer.code, answer.out.splitlines()[1].split(",")[0]) == (0, r"\udcff.png")


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfa.png\r\nb.png\r\n", b"\xef\xbb\xbfa.png\nb.png"])
def test_the_byte_order_mark_and_line_ends_of_windows_are_not_part_of_a_path(
    content: bytes, bench: Any, dl: Any
) -> None:
    bench.run()
    bench.png("a.png")
    bench.png("b.png")
    bench.patch.setattr("sys.stdin", bench.write("list", content).open())
    answer = dl("predict", RUN, "-", "--jsonl")
    assert answer.code == 0, answer.err
    assert [json.loads(line)["input"] for line in answer.out.splitlines()] == ["a.png", "b.png"]


ODD_NAMES = ["猫 é.png", "😀.png", os.fsdecode(b"\xff.png")]


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are UTF-8 always")
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "gbk", "utf-8"])
@pytest.mark.parametrize("form", ["", "--json", "--jsonl", "--csv"])
def test_answers_reach_a_stdout_of_any_encoding(
    encoding: str, form: str, bench: Any, dl: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    bench.run()
    for name in ODD_NAMES:
        bench.png("a.png").rename(name)
    stdout = bench.write("out").open("w", encoding=encoding)
    bench.patch.setattr("sys.stdout", stdout)
    assert dl("predict", RUN, *ODD_NAMES, *form.split()).code == 0
    written = Path("out").read_text(encoding=encoding)
    if form == "--json":
        names = [record["input"] for record in json.loads(written)["records"]]
    elif form == "--jsonl":
        names = [json.loads(line)["input"] for line in written.splitlines()]
    else:
        assert len(written.splitlines()) == 1 + len(ODD_NAMES)
        assert "猫" in written or r"\u732b" in written
        return
    assert names == ODD_NAMES
