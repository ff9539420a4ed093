"""Help answers at once: a fact about imports, which no clock is needed for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dlcli.cli.commands import COMMANDS
from dlcli.cli.pictures import all_pictures

HEAVY = ("torch", "numpy", "rich", "pydantic", "cv2", "matplotlib", "sklearn", "onnxruntime", "onnx", "PIL")
PROBE = f"""
import sys
from dlcli.cli.app import run
code = run(sys.argv[1:])
print("imported:", *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""

WIDTH = 110


def _probe(line: str, environment: dict[str, str]) -> tuple[int, str, list[str]]:
    """Return a command line's exit code, its stdout, and which heavy packages it imported."""
    done = subprocess.run([sys.executable, "-c", PROBE, *line.split()], env=environment, capture_output=True, text=True)
    [told] = [text for text in done.stderr.splitlines() if text.startswith("imported:")]
    return done.returncode, done.stdout, told.split()[1:]


@pytest.mark.parametrize(
    "line",
    [
        "-h",
        "--version",
        "train -h",
        "train cifar10 -h",
        "prepare mnist -h",
        "predict -h",
        "predict efficientnet_lite0 --pretrained default -h",
        "eval -h",
        "export -h",
        "benchmark -h",
        "serve -h",
        "visualize -h",
        "visualize cam -h",
        "visualize attention -h",
        "datasets --json",
        "models",
    ],
)
def test_help_imports_nothing_heavy(line: str, bench: Any, environment: dict[str, str]) -> None:
    code, out, imported = _probe(line, environment)
    assert (code, imported) == (0, [])
    assert out


def test_the_help_page_of_a_model_file_imports_nothing_heavy(
    bench: Any, onnx_file: Path, environment: dict[str, str]
) -> None:
    for path in (onnx_file, bench.run() / "checkpoints" / "last.pt"):
        code, out, imported = _probe(f"predict {path} -h", environment)
        assert (code, imported) == (0, [])
        assert "--tta" in out


def test_an_onnx_file_answers_without_torch(bench: Any, onnx_file: Path, environment: dict[str, str]) -> None:
    bench.png("cat.png")
    code, out, imported = _probe(f"predict {onnx_file} cat.png --jsonl", environment)
    assert (code, len(out.splitlines())) == (0, 1)
    assert not {"torch", "sklearn", "matplotlib", "rich", "pydantic", "onnx"} & set(imported)


@pytest.mark.parametrize(("run", "words"), [("sentiment", "fine"), ("regression", "q.csv")])
def test_texts_and_tables_are_answered_without_torch_too(
    run: str, words: str, every_task: Path, tmp_path: Path, dl: Any, environment: dict[str, str], monkeypatch: Any
) -> None:
    monkeypatch.chdir(every_task)
    assert dl("export", run, "--quiet", "--out", str(tmp_path / "model.onnx")).code == 0
    code, out, imported = _probe(f"predict {tmp_path / 'model.onnx'} {words} --jsonl", environment)
    assert (code, bool(out)) == (0, True)
    assert not {*HEAVY, "scipy", "pandas"} - {"numpy", "onnxruntime"} & set(imported)


PAGES = [
    *COMMANDS,
    "",
    *(f"train {name}" for name in ("classification", "cifar10", "digits")),
    *(f"prepare {name}" for name in ("digits", "mnist", "fashion-mnist", "cifar10", "cifar100", "image-folder")),
    *(f"visualize {name}" for name in all_pictures()),
]


@pytest.mark.parametrize("command", PAGES)
@pytest.mark.parametrize("columns", ["80", "300"])
def test_every_help_page_fits_and_names_its_command(command: str, columns: str, bench: Any, dl: Any) -> None:
    bench.patch.setenv("COLUMNS", columns)
    answer = dl(*command.split(), "-h")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"Usage: dl {command.split()[0] if command else ''}")
    assert max(map(len, answer.out.splitlines())) <= min(WIDTH, int(columns))


def test_help_anywhere_in_the_line_wins(bench: Any, dl: Any) -> None:
    assert dl("train", "digits", "--epochs", "3", "--help").out == dl("train", "digits", "-h").out


def test_nothing_typed_is_answered_with_the_help_page_as_a_mistake(bench: Any, dl: Any) -> None:
    answer = dl()
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == dl("-h").out
