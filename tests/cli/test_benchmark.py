"""`dl benchmark`: what is measured, what is shown and stored. No test looks at how fast anything is."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dlcli.answering import benchmarking
from dlcli.answering.benchmarking import Contender, Worker, measure
from dlcli.answering.timing_worker import read_batches
from dlcli.core.errors import DlError, RunError

QUICK = ("--batch-sizes", "1,3", "--threads", "1", "--rounds", "2", "--seconds", "0.02")


class FakeWorker:
    """A model whose calls last a millisecond for each item, twice as long for the second model."""

    made: ClassVar[list[FakeWorker]] = []
    asked: ClassVar[list[tuple[str, int, int]]] = []

    def __init__(self, contender: Contender, threads: int) -> None:
        self.contender, self.threads, self.is_closed = contender, threads, False
        self.open_s, self.memory_mb = 0.5, {str(size): 50.0 + size for size in contender.batch_sizes}
        FakeWorker.made.append(self)

    def times(self, batch_size: int, seconds: float) -> list[int]:
        FakeWorker.asked.append((self.contender.runtime, self.threads, batch_size))
        slow = 1 if self.contender.runtime == "torch" else 2
        return [slow * batch_size * 1_000_000] * max(1, round(seconds * 1000))

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeWorker]:
    FakeWorker.made, FakeWorker.asked = [], []
    monkeypatch.setattr(benchmarking, "Worker", FakeWorker)
    return FakeWorker


@pytest.fixture
def exported(bench: Any, onnx_file: Path) -> Path:
    """The ONNX file in the exports of its run."""
    folder = bench.run() / "exports"
    folder.mkdir(exist_ok=True)
    return Path(shutil.copy(onnx_file, folder / "model.onnx")).relative_to(bench.home)


def test_rows_are_visited_in_turns_and_every_process_is_ended(fake: Any, tmp_path: Path) -> None:
    contenders = [Contender(name, name, name, tmp_path, (1, 4)) for name in ("torch", "onnxruntime")]
    told: list[str] = []
    rows = measure(contenders, [1, 2], rounds=2, seconds=0.01, report=told.append)
    forth = [(name, count, size) for name in ("torch", "onnxruntime") for count in (1, 2) for size in (1, 4)]
    assert fake.asked == [*forth, *forth[::-1]]
    assert [(row.contender.name, row.threads, row.batch_size) for row in rows] == forth
    assert [row.latency.median_ms for row in rows] == [1, 4, 1, 4, 2, 8, 2, 8]
    assert [row.latency.items_per_second for row in rows] == pytest.approx([1000] * 4 + [500] * 4)
    assert [row.ratio for row in rows] == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5]
    assert [row.memory_mb for row in rows] == [51, 54] * 4
    assert all(worker.is_closed for worker in fake.made)
    assert told[0] == "opening 4 processes"


def test_a_fault_ends_the_other_processes(fake: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(self: Any, batch_size: int, seconds: float) -> list[int]:
        raise DlError("out of order")

    monkeypatch.setattr(fake, "times", fail)
    with pytest.raises(DlError, match="out of order"):
        measure([Contender("a", "a", "torch", tmp_path, (1,))], [1], rounds=1, seconds=0.1, report=lambda _: None)
    assert [worker.is_closed for worker in fake.made] == [True]


def test_a_runtime_that_nobody_asked_for_is_left_out_where_it_fails(
    fake: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made, told = fake.__init__, list[str]()

    def opened(self: Any, contender: Contender, threads: int) -> None:
        if contender.runtime == "openvino":
            raise RunError("a.onnx: OpenVINO cannot compile it")
        made(self, contender, threads)

    monkeypatch.setattr(fake, "__init__", opened)
    first = Contender("a.onnx", "a.onnx", "onnxruntime", tmp_path, (1,))
    extra = dataclasses.replace(first, runtime="openvino", is_extra=True)
    rows = measure([first, extra], [1, 2], rounds=1, seconds=0.01, report=lambda _: None, warn=told.append)
    assert [(row.contender.runtime, row.threads) for row in rows] == [("onnxruntime", 1), ("onnxruntime", 2)]
    assert told == ["not measured in openvino: a.onnx: OpenVINO cannot compile it"]
    with pytest.raises(RunError, match="cannot compile"):
        measure([dataclasses.replace(extra, is_extra=False)], [1], rounds=1, seconds=0.01, report=told.append)
    assert all(worker.is_closed for worker in fake.made)


def test_a_run_is_measured_beside_its_exported_files_with_items_of_its_data(
    bench: Any, exported: Path, fake: Any, dl: Any
) -> None:
    answer = dl("benchmark", "latest", *QUICK, "--json")
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert document["schema"] == "dl.benchmark/1"
    assert (document["rounds"], document["seconds"]) == (2, 0.02)
    assert set(document["machine"]) == {"processor", "cores", "system", "load"}
    rows = document["rows"]
    assert [(row["model"], row["runtime"], row["threads"], row["batch_size"]) for row in rows] == [
        *(("digits-lenet-1", "torch", 1, size) for size in (1, 3)),
        *(("model.onnx", "onnxruntime", 1, size) for size in (1, 3)),
    ]
    assert {row["inputs"] for row in rows} == {"items of data/digits"}
    assert [row["ratio"] for row in rows] == [1, 1, 0.5, 0.5]


def test_the_inputs_are_items_that_both_forms_take(
    bench: Any, exported: Path, fake: Any, monkeypatch: pytest.MonkeyPatch, dl: Any
) -> None:
    seen = []

    def times(self: Any, batch_size: int, seconds: float) -> list[int]:
        seen.append(read_batches(self.contender.inputs, batch_size))
        return [1]

    monkeypatch.setattr(fake, "times", times)
    assert dl("benchmark", "latest", *QUICK).code == 0
    sizes = {tuple(batch["images"].shape for batch in batches) for batches in seen}
    assert sizes == {((1, 1, 8, 8),) * 8, ((3, 1, 8, 8),) * 8}
    assert all(batch["images"].dtype == "uint8" for batches in seen for batch in batches)


def test_the_latency_of_an_exported_file_stands_in_its_run_and_in_the_report(
    bench: Any, exported: Path, fake: Any, dl: Any
) -> None:
    records = exported.parent / "exports.json"
    records.write_text(json.dumps({"model.onnx": {"format": "onnx", "max_difference": 1e-6}, "other.onnx": {}}))
    assert dl("benchmark", str(exported), "--threads", "1,2", "--batch-sizes", "4,2", "--seconds", "0.02").code == 0
    stored = json.loads(records.read_text())
    record = stored["model.onnx"]
    assert (stored["other.onnx"], record["format"], record["max_difference"]) == ({}, "onnx", 1e-6)
    assert record["latency_ms"] == 4.0
    assert record["latency_at"] == {"batch_size": 2, "threads": 2, "runtime": "onnxruntime"}
    assert [(each["threads"], each["batch_size"]) for each in record["latency"]] == [(1, 2), (1, 4), (2, 2), (2, 4)]
    assert all("path" not in each and each["machine"] for each in record["latency"])
    assert str(bench.home) not in records.read_text()
    page = dl("report", "latest", "--out", "page.html")
    assert page.code == 0
    assert "4.0 (batch 2, 2 threads)" in Path("page.html").read_text()


def test_a_table_compares_several_files_and_one_alone_is_not_compared(
    bench: Any, exported: Path, fake: Any, dl: Any
) -> None:
    alone = dl("benchmark", str(exported), *QUICK)
    assert "p95 ms" in alone.out.splitlines()[0]
    assert "speed" not in alone.out
    shutil.copy(exported, "other.onnx")
    both = dl("benchmark", str(exported), "other.onnx", str(exported), *QUICK)
    lines = both.out.splitlines()
    assert lines[0].endswith("speed")
    assert [line.split()[0] for line in lines[1:]] == ["model.onnx"] * 2 + ["other.onnx"] * 2
    assert all(line.endswith("1.00x") for line in lines[1:])


def test_without_data_the_inputs_are_made_up_and_that_is_said(bench: Any, onnx_file: Path, fake: Any, dl: Any) -> None:
    shutil.copy(onnx_file, "elsewhere.onnx")
    answer = dl("benchmark", "elsewhere.onnx", *QUICK)
    assert answer.code == 0
    assert "elsewhere.onnx: made-up inputs, for want of data" in answer.err


def test_a_network_of_random_weights_can_be_measured(bench: Any, fake: Any, dl: Any) -> None:
    assert dl("export", "lenet", "--quiet").code == 0
    assert dl("benchmark", "lenet.onnx", *QUICK).code == 0


def test_only_the_runtimes_that_are_asked_for_are_measured(bench: Any, exported: Path, fake: Any, dl: Any) -> None:
    assert {name for name, _, _ in fake.asked} == set()
    assert dl("benchmark", "latest", "--runtime", "onnxruntime", *QUICK).code == 0
    assert {name for name, _, _ in fake.asked} == {"onnxruntime"}
    answer = dl("benchmark", "latest", "--runtime", "onnxruntim", *QUICK)
    assert (answer.code, "did you mean 'onnxruntime'" in answer.err) == (2, True)


def test_a_folder_of_weights_is_measured_in_torch_with_items_of_the_data(bench: Any, fake: Any, dl: Any) -> None:
    run = bench.run()
    written = dl("export", str(run), "--format", "safetensors", "--quiet")
    assert written.code == 0, written.err
    folder = written.out.strip()
    answer = dl("benchmark", folder, *QUICK, "--json")
    assert answer.code == 0, answer.err
    assert {(row["runtime"], row["inputs"]) for row in json.loads(answer.out)["rows"]} == {
        ("torch", "items of data/digits")
    }


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("nothing",), 4, "no run 'nothing'"),
        (("missing.onnx",), 4, "no such file"),
        (("latest", "--batch-sizes", "0"), 2, "at least 1"),
        (("latest", "--batch-sizes", "1,x"), 2, "'1,x' is not a whole number"),
        (("latest", "--threads", "0"), 2, "at least 1"),
        (("latest", "--data", "nowhere"), 3, "no prepared data"),
        (("latest", "--seconds", "0"), 2, "at least"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    words: tuple[str, ...], code: int, told: str, bench: Any, fake: Any, dl: Any
) -> None:
    bench.run()
    answer = dl("benchmark", *words)
    assert (answer.code, answer.out) == (code, "")
    assert told in answer.err
    assert len(answer.err.splitlines()) <= 6


@pytest.mark.parametrize(("load", "is_told"), [(0.1, False), (900.0, True)])
def test_a_busy_machine_is_said_so(
    load: float, is_told: bool, bench: Any, exported: Path, fake: Any, monkeypatch: pytest.MonkeyPatch, dl: Any
) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0), raising=False)
    answer = dl("benchmark", str(exported), *QUICK)
    assert (answer.code, "trust the ratios" in answer.err) == (0, is_told)


@pytest.mark.slow
def test_real_processes_answer_with_times_and_memory(bench: Any, exported: Path, dl: Any) -> None:
    answer = dl("benchmark", "latest", *QUICK, "--json")
    assert answer.code == 0, answer.err
    rows = json.loads(answer.out)["rows"]
    assert [row["runtime"] for row in rows] == ["torch", "torch", "onnxruntime", "onnxruntime"]
    for row in rows:
        assert row["calls"] >= 2
        assert 0 < row["median_ms"] <= row["p95_ms"]
        assert len(row["round_medians_ms"]) == 2
        assert row["memory_mb"] is None or row["memory_mb"] > 20
    assert rows[2]["memory_mb"] is None or rows[2]["memory_mb"] < rows[0]["memory_mb"]  # the one has no torch


def test_a_process_tells_its_error_with_its_exit_code(bench: Any, tmp_path: Path) -> None:
    bench.write("broken.onnx", b"\x08\x07")
    with pytest.raises(DlError, match=r"broken\.onnx") as told:
        Worker(Contender("broken.onnx", "broken.onnx", "onnxruntime", tmp_path, (1,)), 1)
    assert told.value.exit_code == 4
