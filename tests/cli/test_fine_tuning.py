"""Fine-tuning as the course's lesson does it, in three commands: the head, the last two groups, everything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bad_inputs.arrange import QUICK, RUN

from dlcli.engine.runs.checkpoint import read_checkpoint

STAGES = [
    "--freeze --epochs 1 --lr 1e-2",
    "--freeze -2 --epochs 1 --lr 2e-4,2e-3,1e-2 --schedule onecycle:32,0.2",
    "--epochs 1 --lr 1e-5,1e-4,1e-3 --schedule onecycle:32,0.1",
]
MOVED = [{"head"}, {"hidden", "head"}, {"layer1", "layer2", "hidden", "head"}]
"""Of lenet's stages: layer1, layer2, hidden, head."""


def weights(run: str) -> dict[str, Any]:
    return read_checkpoint(Path("runs", run, "checkpoints", "last.pt"))["model"]


def test_three_commands_thaw_a_network_from_its_head_on(bench: Any, dl: Any) -> None:
    bench.run()
    before = RUN
    for number, (options, moved) in enumerate(zip(STAGES, MOVED, strict=True)):
        line = f"train digits {QUICK} --pretrained runs/{before} --name stage{number} {options}"
        answer = dl(*line.split())
        assert answer.code == 0, answer.err
        first, second = weights(before), weights(f"stage{number}")
        changed = {key.split(".")[1] for key, value in second.items() if "." in key and not value.equal(first[key])}
        assert changed == moved
        before = f"stage{number}"


def test_a_run_with_groups_is_resumed_evaluated_and_started_from(bench: Any, dl: Any) -> None:
    bench.digits()
    line = f"train digits {QUICK} --freeze -2 --lr 1e-4,1e-3,1e-2 --max-steps 2 --name groups --log-every 1"
    assert dl(*line.split()).code == 0
    assert "learning_rate = [\n    0.0001,\n    0.001,\n    0.01,\n]" in Path("runs/groups/config.toml").read_text()
    steps = [json.loads(row) for row in Path("runs/groups/steps.jsonl").read_text().splitlines()]
    assert [row["step"] for row in steps] == [1, 2] and all(row["gradient_norm"] > 0 for row in steps)
    assert dl("eval", "groups", "--threads", "1").code == 0
    assert dl(*f"train --from groups {QUICK} --name again".split()).code == 0
    assert Path("runs/again/config.toml").read_text().count("0.0001") == 1
    assert 'freeze = "-2"' in Path("runs/again/config.toml").read_text()


@pytest.mark.parametrize(("stored", "freeze"), [("true", 'freeze = "head"'), ("false", None)])
def test_a_file_of_before_there_were_groups_is_understood(bench: Any, dl: Any, stored: str, freeze: str | None) -> None:
    bench.digits()
    bench.write("old.toml", f"freeze = {stored}\n")
    assert dl(*f"train digits {QUICK} --max-steps 1 --config old.toml --name old".split()).code == 0
    lines = Path("runs/old/config.toml").read_text().splitlines()
    assert [line for line in lines if line.startswith("freeze =")] == ([freeze] if freeze else [])
