"""`dl doctor` lets a folder's form look at it, and shows the card where a form finds nothing."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
from bad_inputs.arrange import prepare_csv

from dlcli.core import registry
from dlcli.core.registry import FORMS, FormSpec

CARD = {"form": "voices", "name": "choir", "classes": [], "counts": {}, "items": {"train": 7}, "warnings": ["hoarse"]}


def states(answer: Any) -> dict[str, str]:
    return {finding["what"]: finding["state"] for finding in json.loads(answer.out)["findings"]}


def test_images_without_a_card_are_examined_with_a_warning(bench: Any, dl: Any) -> None:
    bench.photos("photos")
    assert states(dl("doctor", "photos", "--json")) == {"card": "warning", "train": "ok", "training": "ok"}


def test_a_table_is_examined_column_by_column(bench: Any, dl: Any) -> None:
    lines = [f"{'' if row < 12 else row * row % 7},{row % 5},{row + 0.5}" for row in range(20)]
    bench.write("t.csv", "gaps,size,price\n" + "\n".join(lines))
    assert dl("prepare", "table", "t.csv", "--target", "price", "--out", "data/t").code == 0
    found = states(dl("doctor", "data/t", "--json"))
    assert found["column gaps"] == "warning"
    assert {"train", "test", "target price"} <= set(found)


def test_a_form_that_nobody_knows_shows_its_card(bench: Any, dl: Any) -> None:
    bench.write("data/choir/dataset.json", json.dumps(CARD))
    findings = json.loads(dl("doctor", "data/choir", "--json").out)["findings"]
    assert [finding["found"] for finding in findings] == ["choir: form voices, 7 train", "hoarse"]


def test_a_study_stands_for_its_best_run(bench: Any, dl: Any) -> None:
    bench.write("tunes/digits-1/tune.json", '{"schema": 1, "best": {"run": "0002"}}')
    bench.write("tunes/digits-1/trials/0002/run.json", '{"schema": 1, "status": "interrupted"}')
    for word in ("tunes/digits-1", "digits-1"):
        answer = dl("doctor", word, "--json")
        assert answer.code == 4, "it has no checkpoint"
        assert states(answer) == {"status": "warning", "best.pt": "fault", "last.pt": "fault", "network": "fault"}
    bench.write("tunes/digits-2/tune.json", '{"schema": 1}')
    answer = dl("doctor", "tunes/digits-2")
    assert (answer.code, "no trial of this study has finished" in answer.err) == (4, True)


def test_a_folder_that_no_form_is_like_is_answered_with_the_forms_that_were_looked_for(bench: Any, dl: Any) -> None:
    (bench.home / "empty").mkdir()
    answer = dl("doctor", "empty")
    assert (answer.code, answer.out) == (3, "")
    assert "images by class" in answer.err


def test_the_task_of_a_folder_is_the_first_choice_of_its_form(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dlcli.engine.targets import resolve_target

    bench.write("data/choir/dataset.json", json.dumps(CARD))
    plugins = registry._Plugins({"voices": FormSpec("voices", "songs", "x:y", task="sentiment")}, ())
    monkeypatch.setattr(registry, "_form_plugins", lambda: plugins)
    assert "voices" not in FORMS
    assert resolve_target("choir", None).spec.name == "sentiment"


def test_a_prepared_folder_is_opened_as_training_opens_it(bench: Any, dl: Any) -> None:
    prepare_csv(bench)
    findings = {finding["what"]: finding for finding in json.loads(dl("doctor", "data/t", "--json").out)["findings"]}
    assert findings["training"]["state"] == "ok"
    assert findings["training"]["found"] == "32 items, none for validation; `dl train data/t` opens it"


def test_a_folder_that_is_called_as_a_dataset_is_advised_by_its_whole_path(bench: Any, dl: Any) -> None:
    bench.photos("digits")
    found = json.loads(dl("doctor", "digits", "--json").out)["findings"][-1]["found"]
    assert found.endswith(f"; `dl train {shlex.quote(str((bench.home / 'digits').resolve()))}` opens it")


@pytest.mark.parametrize(
    ("word", "fix"),
    [("nosuch", "name one of them, or nothing: `dl doctor` examines the machine"), ("dat-t", "did you mean 'data-t'?")],
)
def test_what_is_nothing_at_all_is_not_called_a_missing_run(word: str, fix: str, bench: Any, dl: Any) -> None:
    bench.write("data/data-t/dataset.json", json.dumps(CARD))
    answer = dl("doctor", word)
    assert answer.code == 4
    assert answer.err == f"error: no prepared data, run or model file {word!r}\n  fix: {fix}\n"


def test_what_only_folds_need_is_a_warning(bench: Any, dl: Any) -> None:
    prepare_csv(bench)
    bench.write("data/t/source.csv", "row\n")
    answer = dl("doctor", "data/t", "--json")
    assert (answer.code, states(answer)["source.csv"]) == (0, "warning")


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_text(""),
        lambda path: path.write_text("".join(path.read_text().splitlines(keepends=True)[:1])),
        lambda path: path.write_text(path.read_text().replace("size", "sise", 1)),
        lambda path: path.write_text(path.read_text().replace("train", "test")),
        lambda path: path.write_text(re.sub(r",\d+,t", ",5,t", path.read_text())),
    ],
)
def test_doctor_and_training_find_the_same_fault(bench: Any, dl: Any, damage: Any) -> None:
    prepare_csv(bench)
    damage(bench.home / "data/t/table.csv")
    found = dl("doctor", "data/t")
    trained = dl("train", "regression", "--data", "data/t", "--epochs", "1", "--threads", "1", "-q")
    assert found.code == trained.code == 3
    assert "  fix: " in found.err and "  fix: " in trained.err
    assert trained.err.splitlines()[0].removeprefix("error: ") in found.err
