"""Which options a training takes: flag > config file > the run of --from > recipe > default."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dlcli.core.config import read_toml
from dlcli.core.train_config import TrainConfig
from dlcli.tasks.classification.recipes import recipe

QUICK = ("--model", "lenet", "--precision", "fp32", "--device", "cpu", "--batch-size", "512", "--threads", "1")


def _config(path: str) -> dict[str, Any]:
    return read_toml(Path(path.strip()) / "config.toml")


def test_flag_wins_over_file_over_recipe_over_default(bench: Any, dl: Any) -> None:
    bench.digits()
    file = "epochs = 4\nlr = 0.5\nbatch-size = 256\n"
    bench.write("c.toml", file.replace("lr", "learning_rate"))
    given = recipe("digits", {"model": "lenet"})
    answer = dl("train", "digits", "--config", "c.toml", "--epochs", "1", *QUICK, "--quiet")
    assert answer.code == 0
    config = _config(answer.out)
    assert config["epochs"] == 1  # flag over file
    assert config["learning_rate"] == 0.5 != given["learning_rate"]  # file over recipe
    assert config["crop_pad"] == given["crop_pad"] == 1  # recipe over the field's 4
    assert config["weight_decay"] == TrainConfig().weight_decay  # where nobody says anything
    assert config["batch_size"] == 512


def test_from_starts_anew_with_the_runs_options_and_flags_win(bench: Any, dl: Any) -> None:
    old = bench.run()
    answer = dl("train", "--from", old.name, "--lr", "0.02", "--seed", "5", "--quiet")
    assert (answer.code, answer.out) == (0, "runs/digits-lenet-2\n")
    before, after = _config(str(old)), _config(answer.out)
    assert after == {**before, "learning_rate": 0.02, "seed": 5}
    assert json.loads(Path("runs/digits-lenet-2/run.json").read_text())["epochs"] == 1


def test_a_run_to_start_from_brings_its_tasks_options(bench: Any, dl: Any) -> None:
    bench.run()
    answer = dl("train", "--model=lenet", "--from=digits-lenet-1", "--name", "anew", "--quiet")
    assert (answer.code, answer.out) == (0, "runs/anew\n")


def test_options_may_stand_before_the_target(bench: Any, dl: Any) -> None:
    bench.digits()
    answer = dl("train", "--epochs", "1", *QUICK, "digits", "--quiet")
    assert (answer.code, answer.out, answer.err) == (0, "runs/digits-lenet-1\n", "")


def test_what_was_chosen_is_said_on_one_line(bench: Any, dl: Any) -> None:
    bench.digits()
    first, *_ = dl("train", "digits", "--epochs", "1", *QUICK).err.splitlines()
    assert first.startswith("digits -> lenet: epochs 1, batch size 512, optimizer adamw, learning rate 0.003")


def test_the_run_keeps_the_very_command(bench: Any, dl: Any) -> None:
    bench.photos("数据 集")
    answer = dl("train", "数据 集", "--epochs", "1", *QUICK, "--name", "一 号", "--quiet")
    assert answer.out == "runs/一 号\n"
    info = json.loads(Path("runs/一 号/run.json").read_text())
    assert info["command"] == f"dl train '数据 集' --epochs 1 {' '.join(QUICK)} --name '一 号' --quiet"
    assert (info["status"], info["dataset"], info["data"]) == ("finished", "数据 集", "数据 集")
