"""One run or the folds of a cross-validation: what is asked for, or what was interrupted, says which."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dlcli.core.config import Layer
from dlcli.core.console import Console
from dlcli.core.registry import TASKS
from dlcli.core.run_dir import FOLDS, RunDir
from dlcli.engine.request import request_for
from dlcli.engine.runs import beginning
from dlcli.engine.targets import Target

TARGET = Target(TASKS["classification"], "digits", Path("data/digits"))


@pytest.mark.parametrize(("given", "expected"), [({}, "start_training"), ({"folds": "5"}, "cross_validate")])
def test_folds_are_cross_validated_and_a_single_run_is_trained(
    given: dict[str, Any], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []

    def note(name: str) -> Any:
        def begin(request: Any, console: Any, *, ensure_data: Any) -> RunDir:
            ensure_data()
            called.append(name)
            return RunDir(Path("runs/made"))

        return begin

    for name in ("start_training", "cross_validate"):
        monkeypatch.setattr(beginning, name, note(name))
    monkeypatch.setattr(beginning, "ensure_prepared", lambda target, say: called.append(target.dataset))
    run = beginning.begin_training(request_for(TARGET, Layer(None, given)), TARGET, Console())
    assert (run.path, called) == (Path("runs/made"), ["digits", expected])


@pytest.mark.parametrize(("kind", "expected"), [("", "resume_training"), (FOLDS, "resume_cross_validation")])
def test_what_was_interrupted_says_how_it_goes_on(
    kind: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"schema": 1, "kind": kind}))
    run, called = RunDir(tmp_path), list[Any]()

    def note(name: str) -> Any:
        def go_on(*given: Any) -> RunDir:
            called.append((name, given))
            return run

        return go_on

    for name in ("resume_training", "resume_cross_validation"):
        monkeypatch.setattr(beginning, name, note(name))
    console = Console()
    assert beginning.go_on_training(run, None, console, {"threads": 2}) == run
    assert called == [(expected, (run, None, console, {"threads": 2}))]
