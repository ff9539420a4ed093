from __future__ import annotations

import json
import random
from typing import Any

import pytest

from dlcli.core.errors import RunError
from dlcli.export import metadata as metadata_module
from dlcli.export.metadata import decode_metadata, encode_metadata

WHOLE: dict[str, Any] = {
    "schema": 1,
    "task": "sentiment",
    "assets": {"labels": ["好", "坏"]},
    "inputs": ["tokens"],
    "outputs": ["logits"],
}


def texts(**changes: str | None) -> dict[str, str]:
    encoded = encode_metadata(WHOLE) | {f"dlcli.{key}": text for key, text in changes.items() if text is not None}
    return {key: text for key, text in encoded.items() if changes.get(key.removeprefix("dlcli."), "") is not None}


def test_metadata_comes_back_equal() -> None:
    rng = random.Random(0)
    words = ["".join(chr(rng.randrange(0x4E00, 0x9FFF)) for _ in range(3)) + str(index) for index in range(100_000)]
    whole = {
        **WHOLE,
        "assets": {"vocabulary": words, "odd": ["\n", '"', "\\ud800", "\0", "😀"]},
        "metrics": {"a": 1e-300},
    }
    assert decode_metadata({**encode_metadata(whole), "another.key": "not ours"}, "file") == whole


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": None},
        {"schema": "0"},
        {"schema": "true"},
        {"schema": '"1"'},
        {"task": None},
        {"task": "7"},
        {"assets": "[]"},
        {"inputs": "[]"},
        {"outputs": "[1]"},
        {"metrics": "3"},
        {"assets": "{"},
        {"assets": '{"a": NaN}'},
        {"assets": '{"a": 1e999}'},
        {"assets": '{"a": "\\ud800"}'},
        {"assets": "[" * 100_000},
        {"assets": '{"a": ' + "1" * 5000 + "}"},
    ],
)
def test_damaged_metadata_is_refused(changes: dict[str, str | None]) -> None:
    with pytest.raises(RunError, match=r"^file: its metadata") as caught:
        decode_metadata(texts(**changes), "file")
    assert caught.value.hint


def test_newer_schema_asks_for_an_upgrade() -> None:
    with pytest.raises(RunError, match="newer dl") as caught:
        decode_metadata(texts(schema="3"), "file")
    assert caught.value.hint == "upgrade: `git pull && pip install .` in dl's source folder"


@pytest.mark.parametrize("schema", [1, 2])
def test_schemas_of_today_and_before_are_read(schema: int) -> None:
    assert decode_metadata(texts(schema=str(schema)), "file") == {**WHOLE, "schema": schema}


def test_one_graph_of_several_needs_no_assets() -> None:
    part = {key: WHOLE[key] for key in ("schema", "inputs", "outputs")} | {"graph": "encoder"}
    assert decode_metadata(encode_metadata(part), "file") == part
    with pytest.raises(ValueError, match="'task'"):
        encode_metadata({key: value for key, value in part.items() if key != "graph"})


def test_file_of_another_program_is_refused() -> None:
    with pytest.raises(RunError, match="contains no labels"):
        decode_metadata({"labels": "[]"}, "file")


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = texts()
    monkeypatch.setattr(metadata_module, "MAX_METADATA_BYTES", 20)
    with pytest.raises(RunError, match="larger than"):
        decode_metadata(whole, "file")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, "\ud800"])
def test_value_that_is_no_json_is_a_fault_of_the_plan(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        encode_metadata({**WHOLE, "assets": {"value": value}})


def test_chinese_stays_readable_in_the_file() -> None:
    assert json.dumps(["好", "坏"], ensure_ascii=False).replace(" ", "") in texts()["dlcli.assets"]
