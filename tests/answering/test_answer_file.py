"""Files of answers: what was killed goes on without repeating or losing an input, and nothing foreign is mixed in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import pytest

from dlcli.answering.answer_file import answer_file, facts_of, maker_of, partial_of
from dlcli.core.errors import DataError, RunError, UsageError
from dlcli.data.codec import Source

MAKER = {"model": "lenet", "weights": ["ab"], "options": {"top_k": 1}, "shard": "0/1"}
NAMES = ["a.png", "数据 集/猫.png", "a.png", "line\nbreak", "byte \udc80", "e"]


class KilledError(Exception):
    """The process ended here."""


def answer_all(path: Path, names: Sequence[str], *, die_at: int | None = None, maker: Any = MAKER) -> list[str]:
    """Answer inputs into a file, and return those that were answered now; die before the one numbered `die_at`."""
    done: list[str] = []
    with answer_file(path, maker) as file:
        for source in file.unanswered(Source(name, name) for name in names):
            if len(done) == die_at:
                raise KilledError
            file.write({"input": source.name, "label": len(source.name)})
            done.append(source.name)
    return done


def names_in(path: Path) -> list[str]:
    return [json.loads(line)["input"] for line in path.read_bytes().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out" / "a.jsonl"


def test_each_input_has_a_line_and_only_a_complete_file_has_the_name(path: Path) -> None:
    assert answer_all(path, NAMES) == NAMES
    assert names_in(path) == NAMES
    assert {each.name for each in path.parent.iterdir()} == {"a.jsonl", "a.jsonl.made-by.json"}
    assert json.loads(facts_of(path).read_text()) == {"schema": 1, **MAKER}


@pytest.mark.parametrize("die_at", range(1, len(NAMES)))
def test_a_command_that_ended_early_goes_on_with_the_next_input(path: Path, die_at: int) -> None:
    with pytest.raises(KilledError):
        answer_all(path, NAMES, die_at=die_at)
    assert not path.exists()
    assert names_in(partial_of(path)) == NAMES[:die_at]
    assert answer_all(path, NAMES) == NAMES[die_at:]
    assert names_in(path) == NAMES
    assert not partial_of(path).exists()


@pytest.mark.parametrize("torn", [b'{"input": "e', b'{"input": "line\\nbreak", "label": 10}', b"\0" * 40, b"\0\n\0\n"])
def test_what_was_cut_off_is_dropped_and_answered_again(path: Path, torn: bytes) -> None:
    answer_all(path, NAMES)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.unlink()
    partial_of(path).write_bytes(b"".join(lines[:3]) + torn)
    assert answer_all(path, NAMES) == NAMES[3:]
    assert path.read_bytes() == whole


def test_a_finished_file_is_left_as_it_is_and_grows_with_its_inputs(path: Path) -> None:
    answer_all(path, NAMES)
    before = path.read_bytes(), path.stat().st_mtime_ns
    assert answer_all(path, NAMES) == []
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert answer_all(path, [*NAMES, "new"]) == ["new"]
    assert names_in(path) == [*NAMES, "new"]


def test_a_file_that_was_complete_but_for_its_name_gets_it(path: Path) -> None:
    answer_all(path, NAMES)
    path.rename(partial_of(path))
    assert answer_all(path, NAMES) == []
    assert names_in(path) == NAMES


@pytest.mark.parametrize("now", [["z", *NAMES[1:]], NAMES[1:], [*NAMES[:2], *NAMES[3:]]])
def test_other_inputs_are_refused_and_nothing_is_changed(path: Path, now: list[str]) -> None:
    answer_all(path, NAMES)
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"line \d answers another input"):
        answer_all(path, now)
    assert path.read_bytes() == before


def test_fewer_inputs_are_refused(path: Path) -> None:
    answer_all(path, NAMES)
    with pytest.raises(DataError, match="more answers than there are inputs"):
        answer_all(path, NAMES[:-1])
    assert names_in(path) == NAMES


@pytest.mark.parametrize(
    ("name", "value"), [("weights", ["cd"]), ("options", {"top_k": 2}), ("shard", "0/2"), ("more", 1)]
)
def test_answers_that_were_made_otherwise_are_not_gone_on_with(path: Path, name: str, value: Any) -> None:
    with pytest.raises(KilledError):
        answer_all(path, NAMES, die_at=2)
    with pytest.raises(UsageError, match="made otherwise") as caught:
        answer_all(path, NAMES, maker={**MAKER, name: value})
    assert caught.value.details[0].startswith(f"{name}: ")
    assert len(caught.value.lines()) <= 6
    assert names_in(partial_of(path)) == NAMES[:2]


@pytest.mark.parametrize("facts", [None, "", "[]", "{", '{"schema": 2}', "[" * 100_000, "\0"])
def test_a_file_of_unknown_origin_is_not_touched(path: Path, facts: str | None) -> None:
    path.parent.mkdir()
    path.write_text("mine\n")
    if facts is not None:
        facts_of(path).write_text(facts)
    with pytest.raises(UsageError, match="nothing says what its answers were made by"):
        answer_all(path, NAMES)
    assert path.read_text() == "mine\n"


def test_a_command_that_answered_nothing_leaves_nothing(path: Path) -> None:
    with pytest.raises(KilledError):
        answer_all(path, NAMES, die_at=0)
    assert list(path.parent.iterdir()) == []


def test_a_shard_without_inputs_has_an_empty_file(path: Path) -> None:
    assert answer_all(path, []) == []
    assert path.read_bytes() == b""
    assert answer_all(path, []) == []


def test_numbers_that_json_cannot_hold_become_null(path: Path) -> None:
    with answer_file(path, MAKER) as file:
        for source in file.unanswered([Source("a", "a")]):
            file.write({"input": source.name, "score": float("nan")})
    assert json.loads(path.read_text()) == {"input": "a", "score": None}


def test_errors_that_were_there_are_counted(path: Path) -> None:
    with pytest.raises(KilledError), answer_file(path, MAKER) as file:
        for source in file.unanswered([Source("a", "a"), Source("b", "b")]):
            file.write({"input": source.name, "error": "no image"})
        raise KilledError
    with answer_file(path, MAKER) as file:
        assert [source.name for source in file.unanswered([Source("a", "a"), Source("b", "b")])] == []
        assert (file.num_kept, file.num_errors) == (2, 2)


HOLDER = """
import sys
from pathlib import Path
from dlcli.answering.answer_file import answer_file
with answer_file(Path(sys.argv[1]), {}):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_do_not_write_one_file(path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="is being written by process") as caught:
            answer_all(path, NAMES)
        assert f"kill {holder.pid}" in str(caught.value.hint)
        holder.communicate("")
    assert holder.returncode == 0
    path.unlink(), facts_of(path).unlink()
    assert answer_all(path, NAMES) == NAMES


def test_a_file_is_known_by_its_content_not_by_its_place(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.onnx").write_bytes(b"graph")
    makers = [
        maker_of(str(tmp_path / name / "model.onnx"), pretrained=None, inference=None, share="0/1") for name in "ab"
    ]
    assert makers[0] == makers[1]
    (tmp_path / "b" / "model.onnx").write_bytes(b"other")
    other = maker_of(str(tmp_path / "b" / "model.onnx"), pretrained=None, inference=None, share="0/1")
    assert other["weights"] != makers[0]["weights"]
    with pytest.raises(RunError):
        maker_of("no-such-run", pretrained=None, inference=None, share="0/1")


def weights_of(path: Path) -> list[str]:
    found: list[str] = maker_of(str(path), pretrained=None, inference=None, share="0/1")["weights"]
    return found


@pytest.mark.parametrize("files", [("model.json", "encoder.onnx"), ("config.json", "model.safetensors")])
def test_a_folder_of_a_model_is_known_by_all_of_its_files(tmp_path: Path, files: tuple[str, str]) -> None:
    for name in files:
        (tmp_path / name).write_bytes(b"{}")
    (tmp_path / "nested").mkdir()
    before = weights_of(tmp_path)
    assert len(before) == 2
    (tmp_path / files[1]).write_bytes(b"other weights")
    assert [a == b for a, b in zip(sorted(before), sorted(weights_of(tmp_path)), strict=True)].count(False) >= 1


def test_weights_beside_a_large_onnx_file_count_as_its_own(tmp_path: Path) -> None:
    values = np.arange(512, dtype=np.float32)
    weight = onnx.numpy_helper.from_array(values, "w")
    output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [512])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["w"], ["y"])], "g", [], [output], [weight])
    path = tmp_path / "model.onnx"
    onnx.save_model(
        onnx.helper.make_model(graph), path, save_as_external_data=True, location="model.data", size_threshold=0
    )
    before = weights_of(path)
    content = path.read_bytes()
    (tmp_path / "model.data").write_bytes((values + 1).tobytes())
    assert path.read_bytes() == content
    assert len(before) == 2 and weights_of(path) != before
    (tmp_path / "model.data").unlink()
    with pytest.raises(RunError):
        weights_of(path)
