"""Training, preparing and evaluating from Python: the same resolution of options, the same runs, the same errors."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api.conftest import QUICK

import dlcli
from dlcli.cli.app import run as run_line
from dlcli.engine.runs.checkpoint import read_checkpoint


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Path) -> Path:
    """An empty folder but for the prepared digits; it is the current one."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "digits").symlink_to(made / "data" / "digits")
    monkeypatch.chdir(tmp_path)
    return tmp_path


LINE = "train digits --model lenet --epochs 1 --batch-size 512 --precision fp32 --threads 1 --device cpu --quiet"


def test_a_run_equals_that_of_the_command_line(empty: Path) -> None:
    assert run_line([*LINE.split(), "--name", "typed"]) == 0
    called = dlcli.train("digits", model="lenet", name="called", **QUICK)
    typed = dlcli.open_run("typed")
    assert called.config == typed.config
    weights = [read_checkpoint(run.path / "checkpoints" / "last.pt")["model"] for run in (called, typed)]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])
    assert called.metrics.keys() == typed.metrics.keys()
    command = (
        "dlcli.train('digits', name='called', model='lenet', epochs=1, batch_size=512, precision='fp32', threads=1, "
        "device='cpu')"
    )
    assert called.info["command"] == command


def test_a_run_says_what_it_is(home: Path) -> None:
    run = dlcli.open_run("images")
    assert (run.name, run.status, run.info["task"]) == ("images", "finished", "classification")
    assert [record["epoch"] for record in run.history] == [1]
    assert run.metrics["epoch"] == 1 and 0 <= run.metrics["accuracy"] <= 1
    assert run.config["model"] == "lenet"
    page, png = run._repr_html_(), run._repr_png_()
    assert "finished" in page and page.count("<img") == 1
    assert png is not None and png.startswith(b"\x89PNG")
    assert dlcli.open_run(run) == run
    with pytest.raises(dlcli.RunError):
        dlcli.open_run("nothing")


def test_a_call_is_quiet_unless_it_is_verbose_and_its_answer_is_not_printed(
    empty: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    dlcli.train("digits", model="lenet", **QUICK)
    assert capfd.readouterr() == ("", "")
    dlcli.train("digits", model="lenet", verbose=True, **QUICK)
    out, err = capfd.readouterr()
    assert out == ""
    assert "digits -> lenet: " in err and "epoch 1/1" in err


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"target": "digits", "epoch": 3}, r"train\(\): no option 'epoch'"),
        ({"target": "digits", "epochs": 0}, r"train\(\): epochs must be at least 1"),
        ({"target": "digits", "learning_rate": "fast"}, "must be of type float"),
        ({"target": "digits", "epochs": 1, "budget": "5m"}, "budget and --epochs"),
        ({"target": "digitz"}, "no task, dataset or folder 'digitz'"),
        ({}, "which target"),
        ({"target": "digits", "resume": "latest"}, "target cannot be combined with resume"),
        ({"target": ""}, "empty"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_trained(
    arguments: dict[str, Any], what: str, empty: Path
) -> None:
    with pytest.raises(dlcli.UsageError, match=what):
        dlcli.train(**arguments)
    assert not Path("runs").exists()


def test_missing_data_and_runs_have_errors_of_their_own(empty: Path) -> None:
    with pytest.raises(dlcli.DataError, match="no prepared data there"):
        dlcli.train("cifar10", epochs=1)
    with pytest.raises(dlcli.RunError):
        dlcli.train(origin="nothing")
    with pytest.raises(dlcli.RunError):
        dlcli.evaluate("nothing")


def test_a_new_run_starts_with_the_options_of_another_and_of_a_file(empty: Path) -> None:
    Path("o.toml").write_text("batch_size = 256\n")
    first = dlcli.train("digits", model="lenet", config=Path("o.toml"), **{**QUICK, "batch_size": None})
    assert first.config["batch_size"] == 256
    second = dlcli.train(origin=first, seed=np.int64(5))
    assert (second.config["batch_size"], second.config["seed"], second.config["model"]) == (256, 5, "lenet")


def test_a_training_goes_on_where_it_stopped_with_the_error_that_says_so(empty: Path) -> None:
    whole = dlcli.train("digits", model="lenet", name="whole", **{**QUICK, "epochs": 2})
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    code = (
        "import os, signal, dlcli\n"
        "from dlcli.core.registry import TASKS, load_object\n"
        "task = load_object(TASKS['classification'].task)\n"
        "step, seen = task.training_step, []\n"
        "def counted(self, batch):\n"
        "    seen.append(1)\n"
        "    if len(seen) == 4: os.kill(os.getpid(), signal.SIGINT)\n"
        "    yield from step(self, batch)\n"
        "task.training_step = counted\n"
        "before = signal.getsignal(signal.SIGINT)\n"
        "try: dlcli.train('digits', model='lenet', name='part', epochs=2, batch_size=512, precision='fp32', threads=1, "
        "device='cpu')\n"
        "except dlcli.StoppedError as error: print(int(error.exit_code), error.hint)\n"
        "print(signal.getsignal(signal.SIGINT) is before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["130 resume with `dl train --resume part`", "True"], done.stderr
    resumed = dlcli.train(resume="part", threads=1)
    weights = [read_checkpoint(run.path / "checkpoints" / "last.pt")["model"] for run in (whole, resumed)]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])
    with pytest.raises(dlcli.UsageError, match="is finished"):
        dlcli.train(resume=resumed)
    with pytest.raises(dlcli.UsageError, match="options of a resumed run"):
        dlcli.train(resume=resumed, epochs=5)
    assert {number: signal.getsignal(number) for number in handlers} == handlers


def test_a_thread_trains_predicts_and_leaves_signals_alone(empty: Path, made: Path) -> None:
    found: list[Any] = []
    handlers: list[Any] = []

    def work() -> None:
        run = dlcli.train("digits", model="lenet", **QUICK)
        handlers.append(signal.getsignal(signal.SIGINT))
        found.append(run.predict(str(made / "grey.png"))[0]["label"])

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(found) == 1
    assert handlers == [before]


def test_prepared_data_stand_where_a_path_may(home: Path, tmp_path: Path) -> None:
    prepared = dlcli.prepare("table", "t.csv", target="price", out=tmp_path / "t")
    assert (prepared.is_new, Path(prepared)) == (True, tmp_path / "t")
    assert prepared.card.num_items("train") + prepared.card.num_items("test") == 40
    assert not dlcli.prepare("table", "t.csv", target="price", out=tmp_path / "t").is_new
    assert prepared.card.command == f"dlcli.prepare('table', 't.csv', out={str(tmp_path / 't')!r}, target='price')"
    with pytest.raises(dlcli.UsageError, match=r"prepare\(\): no option 'targets'"):
        dlcli.prepare("table", "t.csv", targets="price")
    with pytest.raises(dlcli.UsageError, match="no dataset 'tables'"):
        dlcli.prepare("tables", "t.csv")
    with pytest.raises(dlcli.UsageError, match="name the SOURCE"):
        dlcli.prepare("table", target="price")
