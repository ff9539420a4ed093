"""Shells complete the words of a line; each shell that is installed runs its script."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dlcli.cli.commands import COMMANDS
from dlcli.cli.completing import Found, candidates
from dlcli.cli.completion import SCRIPTS
from dlcli.core.registry import DATASETS, TASKS, load_object
from dlcli.core.train_config import OPTIMIZERS


def words(*line: str) -> list[str]:
    return [word for word, _ in candidates(line).words]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two runs, prepared data and a file."""
    for name in ("digits-cnn-1", "my run"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text("{}")
    (tmp_path / "data" / "flowers").mkdir(parents=True)
    (tmp_path / "data" / "flowers" / "dataset.json").write_text("{}")
    (tmp_path / "digest.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_first_word_is_a_command(place: Path) -> None:
    assert words("") == list(COMMANDS) == words()
    assert words("ex") == ["export"]
    assert words("--v") == ["--version"]
    assert words("nothing-like-it") == []


def test_a_target_is_a_task_a_dataset_or_prepared_data(place: Path) -> None:
    assert set(words("train", "")) == {*TASKS, *DATASETS, "flowers"}
    assert words("train", "flo") == ["flowers"]
    assert words("prepare", "cifar") == ["cifar10", "cifar100"]
    assert candidates(["prepare", "cifar10", ""]) == Found(with_files=True)


def test_a_run_is_one_of_those_that_are_there_or_a_file(place: Path) -> None:
    found = candidates(["eval", ""])
    assert {word for word, _ in found.words} == {"digits-cnn-1", "my run", "latest"}
    assert found.with_files
    assert set(words("compare", "digits-cnn-1", "")) == {"digits-cnn-1", "my run", "latest"}
    assert words("train", "--from", "dig") == ["digits-cnn-1"]
    assert "flowers" in words("visualize", "grid", "")


def test_options_are_those_of_the_target_everyday_ones_first_each_once(place: Path) -> None:
    found = words("train", "classification", "--")
    assert "--crop-pad" in found and "--crop-pad" not in words("train", "sentiment", "--")
    assert found.index("--epochs") < found.index("--schedule")
    assert "--epochs" not in words("train", "digits", "--epochs", "3", "--")
    assert "--fail-under" in words("eval", "digits-cnn-1", "--fail-under", "accuracy=0.9", "--")
    assert words("eval", "x", "--no-p") == ["--no-plots"]
    assert words("train", "--help") == ["--help", "--help-all"]


def test_values_of_options_are_their_choices_and_names_that_are_known(place: Path) -> None:
    assert words("eval", "x", "--split", "") == ["test", "valid", "train"]
    assert words("eval", "x", "--split=t") == ["--split=test", "--split=train"]
    assert words("train", "digits", "--model", "") == list(load_object(TASKS["classification"].networks))
    assert words("train", "sentiment", "--epochs", "3", "--model", "lst") == ["lstm", "lstm-attention"]
    assert words("train", "digits", "--optimizer", "") == list(OPTIMIZERS)
    assert words("train", "digits", "--batch-size", "") == ["auto"]
    assert words("predict", "x", "--device", "cu") == ["cuda"]
    assert "onnx" in words("export", "x", "-f", "")
    assert candidates(["train", "--config", ""]) == Found(with_files=True)
    assert candidates(["train", "digits", "--epochs", ""]) == Found()


def test_words_that_bash_has_cut_at_an_equals_sign_are_one(place: Path) -> None:
    assert words("eval", "x", "--split", "=", "t") == ["--split=test", "--split=train"]
    assert words("eval", "x", "--split", "=") == ["--split=test", "--split=valid", "--split=train"]


def test_what_no_argument_takes_gives_nothing_and_a_mistake_before_it_does_not_matter(place: Path) -> None:
    assert set(words("visualize", "no-such-picture", "")) == {"digits-cnn-1", "my run", "latest", "flowers"}
    assert candidates(["report", "digits-cnn-1", ""]) == Found()
    assert candidates(["train", "--", "dig"]).words[0][0] == "digits"
    assert candidates(["predict", "digits-cnn-1", "dig"]) == Found(with_files=True)


def test_the_answer_is_the_kind_and_a_line_for_each_word(place: Path, dl: Any) -> None:
    answer = dl("--complete", "eval", "")
    lines = answer.out.splitlines()
    assert (answer.code, lines[0]) == (0, "files")
    assert "my run\ta run" in lines
    assert dl("--complete", "eval", "x", "--split", "te").out == "words\ntest\t\n"


def test_nothing_heavy_is_imported_for_it(place: Path, environment: dict[str, str]) -> None:
    program = (
        "import sys; from dlcli.cli.app import run\n"
        "run(['--complete', 'train', 'digits', '--model', 'r'])\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'rich', 'pydantic')))"
    )
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "resnet\t" in done.stdout


def test_a_script_is_printed_for_each_shell_and_no_other(dl: Any) -> None:
    for shell, script in SCRIPTS.items():
        assert dl("completion", shell).out == script
    answer = dl("completion", "csh")
    assert (answer.code, answer.out) == (2, "")


@pytest.fixture
def shell_environment(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """An environment in which `dl` is this checkout's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "dl").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dlcli "$@"\n')
    (folder / "dl").chmod(0o755)
    for shell, script in SCRIPTS.items():
        (tmp_path / f"dl.{shell}").write_text(script)
    source = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, [source, environment.get("PYTHONPATH")]))
    home = {"HOME": str(tmp_path), "ZDOTDIR": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    return {**environment, **home, "PYTHONPATH": paths, "PATH": f"{folder}{os.pathsep}{environment['PATH']}"}


def ask(shell: str, code: str, environment: dict[str, str]) -> list[str]:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    flags = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run([shell, *flags, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (["dl", "expo"], ["export"]),
        (["dl", "eval", "my"], ["my run"]),
        (["dl", "eval", "x", "--split", "=", "te"], ["test"]),
        (["dl", "train", "dig"], ["digits", "digest.png"]),
        (["dl", "train", "--from", "=", "dig"], ["digits-cnn-1", "digest.png"]),
        (["dl", "train", "--from", "=", "my"], ["my run"]),
        (["dl", "train", "digits", "--model", "le"], ["lenet"]),
    ],
)
def test_bash_completes(line: list[str], expected: list[str], place: Path, shell_environment: dict[str, str]) -> None:
    quoted = " ".join(f"'{word}'" for word in line)
    code = (
        f"source dl.bash; COMP_WORDS=({quoted}); COMP_CWORD={len(line) - 1}; _dl_complete dl; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    assert ask("bash", code, shell_environment) == expected


@pytest.mark.slow
def test_bash_completes_at_a_terminal(place: Path, shell_environment: dict[str, str]) -> None:
    process, terminal = pty.fork()
    if process == 0:
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], shell_environment)
    os.write(terminal, b"source dl.bash\necho typed: dl train digits --model leX\x7f\t\n")
    os.write(terminal, b"dl expo\t--help-nothing\nexit\n")
    seen = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the terminal is closed
            break
        if not part:
            break
        seen += part
    os.waitpid(process, 0)
    assert b"dl export --help-nothing" in seen


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "expected"),
    [("dl expo", ["export"]), ("dl eval my", ["my run"]), ("dl train digits --model le", ["lenet"])],
)
def test_fish_completes(line: str, expected: list[str], place: Path, shell_environment: dict[str, str]) -> None:
    found = ask("fish", f"source dl.fish; complete -C '{line}'", shell_environment)
    assert [each.split("\t")[0].replace("\\ ", " ") for each in found] == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (["dl", "expo"], ["export:export a run to ONNX or another format, and verify the file"]),
        (["dl", "eval", "my"], ["my run:a run", "and files"]),
        (["dl", "eval", "x", "--split", "te"], ["test:"]),
    ],
)
def test_zsh_completes(line: list[str], expected: list[str], place: Path, shell_environment: dict[str, str]) -> None:
    quoted = " ".join(f"'{word}'" for word in line)
    code = (
        "compdef() { }; _describe() { print -l -- ${(P)3} }; _files() { print 'and files' }; "
        f"source dl.zsh; words=({quoted}); CURRENT={len(line)}; _dl"
    )
    assert ask("zsh", code, shell_environment) == expected
