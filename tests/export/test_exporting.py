from __future__ import annotations

import hashlib
import random
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlcli.core.errors import ExitCode, ExportError, ParityError, UsageError
from dlcli.export import onnx as onnx_format
from dlcli.export.exporting import export_model
from dlcli.export.plan import ExportPlan, ExportResult
from dlcli.export.runtime import open_model

Plans = Mapping[str, Callable[..., ExportPlan]]
WAYS = [("onnx", "legacy"), ("torchscript", "trace")]
"""The quick exporters; dynamo takes a second for each network and has tests of its own."""


def export(plan: ExportPlan, format: str, path: Path) -> tuple[ExportResult, list[str]]:
    said: list[str] = []
    return export_model(plan, format, path, report=said.append), said


class SignNet(nn.Module):
    """Decides on the values that it sees: a trace keeps one branch only."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        features = (image * self.weight).mean((2, 3))
        return features if features.sum() > 0 else features * -2


class CountingNet(nn.Module):
    """Counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, image: Tensor) -> Tensor:
        self.calls += 1
        return image.mean((2, 3)) + self.calls


class TraceableOnly(nn.Module):
    """Refuses to be followed by torch.export."""

    def forward(self, image: Tensor) -> Tensor:
        if torch.compiler.is_exporting():
            raise RuntimeError("not by torch.export")
        return image.mean((2, 3))


class Untraceable(nn.Module):
    """Refuses to be followed by any exporter."""

    def forward(self, image: Tensor) -> Tensor:
        if torch.compiler.is_exporting() or torch.jit.is_tracing() or torch.onnx.is_in_onnx_export():
            raise RuntimeError("not in a graph\nand a long story")
        return image.mean((2, 3))


def assert_file_equals_module(plan: ExportPlan, result: ExportResult) -> None:
    model, graph = open_model(result.path), plan.graphs[0]
    assert (result.exporter, model.inputs, model.outputs) == (graph.exporters[0], graph.inputs, graph.outputs)
    assert result.is_telling
    assert result.max_difference < 1e-5
    with torch.inference_mode():
        for sample in graph.samples:
            answers = graph.module.eval()(*(torch.from_numpy(sample[key]) for key in graph.inputs))
            answers = answers if isinstance(answers, tuple) else (answers,)
            for expected, given in zip(answers, model.run(sample).values(), strict=True):
                np.testing.assert_allclose(given, expected.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("format", "exporter"), WAYS)
@pytest.mark.parametrize("name", ["image", "two", "sentence"])
def test_exported_answers_equal_the_module(plans: Plans, name: str, format: str, exporter: str, tmp_path: Path) -> None:
    plan = plans[name](exporters=(exporter,))
    assert_file_equals_module(plan, export(plan, format, tmp_path / "net")[0])


def test_answers_by_dynamo_equal_the_module(
    plans: Plans, exported_image_net: tuple[ExportPlan, ExportResult], tmp_path: Path
) -> None:
    assert_file_equals_module(*exported_image_net)
    plan = plans["two"](exporters=("dynamo",))
    assert_file_equals_module(plan, export(plan, "onnx", tmp_path / "net")[0])


@pytest.mark.slow
def test_recurrent_answers_by_dynamo_equal_the_module(plans: Plans, tmp_path: Path) -> None:
    plan = plans["sentence"](exporters=("dynamo",))
    assert_file_equals_module(plan, export(plan, "onnx", tmp_path / "net")[0])


@pytest.mark.parametrize(("format", "exporter"), WAYS)
def test_checks_name_the_sizes_of_every_sample(plans: Plans, format: str, exporter: str, tmp_path: Path) -> None:
    result, _ = export(plans["image"](exporters=(exporter,)), format, tmp_path / "net")
    assert [dict(check.sizes) for check in result.checks] == [
        {"batch": 1, "height": 8, "width": 8},
        {"batch": 3, "height": 8, "width": 8},
        {"batch": 7, "height": 9, "width": 12},
    ]
    assert result.max_difference == max(check.difference for check in result.checks)


@pytest.mark.parametrize(("format", "exporter"), WAYS)
def test_a_file_may_have_a_name_that_is_not_utf8(plans: Plans, format: str, exporter: str, tmp_path: Path) -> None:
    plan = plans["image"](exporters=(exporter,))
    assert_file_equals_module(plan, export(plan, format, tmp_path / "caf\udce9.model")[0])


@pytest.mark.parametrize(("format", "exporter"), WAYS)
def test_result_describes_the_file(plans: Plans, format: str, exporter: str, tmp_path: Path) -> None:
    result, _ = export(plans["two"](exporters=(exporter,)), format, tmp_path / "new" / "deeper" / "net")
    content = result.path.read_bytes()
    assert (result.bytes, result.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert list(result.path.parent.iterdir()) == [result.path]


@pytest.mark.parametrize(("format", "exporter"), WAYS)
def test_module_and_random_state_are_left_alone(plans: Plans, format: str, exporter: str, tmp_path: Path) -> None:
    plan = plans["image"](exporters=(exporter,))
    net: Any = plan.graphs[0].module.train()
    net.norm.eval()
    net.head.weight.requires_grad_(False)
    net(plan.graphs[0].example["image"]).sum().backward()

    def state() -> list[Any]:
        tensors = {**net.state_dict(), **{f"grad.{n}": p.grad for n, p in net.named_parameters() if p.grad is not None}}
        return [
            {name: tensor.clone().numpy().tobytes() for name, tensor in tensors.items()},
            [(name, module.training) for name, module in net.named_modules()],
            [(name, id(tensor), tensor.requires_grad, tensor.device) for name, tensor in net.named_parameters()],
            torch.get_rng_state().numpy().tobytes(),
            random.getstate(),
            np.random.get_state()[1].tobytes(),  # type: ignore[index, union-attr]
            torch.is_grad_enabled(),
            torch.backends.mha.get_fastpath_enabled(),
        ]

    before = state()
    export(plan, format, tmp_path / "net")
    assert state() == before


@pytest.mark.parametrize(("format", "exporter"), WAYS)
def test_autocast_around_the_export_changes_nothing(plans: Plans, format: str, exporter: str, tmp_path: Path) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result, _ = export(plans["image"](exporters=(exporter,)), format, tmp_path / "net")
    assert result.max_difference < 1e-5


@pytest.mark.parametrize(("format", "exporter"), [("onnx", "dynamo"), *WAYS])
def test_nothing_is_written_to_the_streams(
    plans: Plans, format: str, exporter: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    export(plans["two"](exporters=(exporter,)), format, tmp_path / "net")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("format", ["onnx", "torchscript"])
def test_file_names_no_path_of_the_machine(model_files: dict[str, Path], format: str) -> None:
    content = model_files[format].read_bytes()
    if format == "torchscript":  # its members are compressed
        import zipfile

        with zipfile.ZipFile(model_files[format]) as archive:
            content += b"".join(archive.read(name) for name in archive.namelist())
    here = [Path.cwd(), Path.home(), Path(__file__).parent, Path(torch.__file__).parent.parent, Path(sys.prefix)]
    for path in here:
        assert len(path.parts) < 2 or str(path).encode() not in content
    assert b"site-packages" not in content
    # A member is called after the module of the network's class, which is a name and no path.
    assert b"conftest.py" not in re.sub(rb"/code/__torch__/[\w/]*/conftest\.py", b"", content)


def test_torchscript_says_its_successor_once(plans: Plans, tmp_path: Path) -> None:
    _, said = export(plans["two"](), "torchscript", tmp_path / "net")
    assert said == ["torch has deprecated TorchScript; its successor is torch.export"]


def test_exporter_that_fails_is_followed_by_the_next_and_said(plans: Plans, tmp_path: Path) -> None:
    result, said = export(plans["image"](TraceableOnly()), "onnx", tmp_path / "net.onnx")
    assert result.exporter == "legacy"
    assert said == ["the dynamo exporter failed (RuntimeError: not by torch.export); the legacy exporter succeeded"]


@pytest.mark.slow
def test_packed_sequences_are_left_to_the_legacy_exporter(
    plans: Plans, packed_lstm: type[nn.Module], tmp_path: Path
) -> None:
    result, _ = export(plans["sentence"](packed_lstm()), "onnx", tmp_path / "net.onnx")
    assert result.exporter == "legacy"
    assert result.max_difference < 1e-6


def test_untrained_network_with_equal_answers_is_said(plans: Plans, tmp_path: Path) -> None:
    plan = plans["image"](exporters=("legacy",))
    nn.init.zeros_(plan.graphs[0].module.head.weight)  # type: ignore[arg-type, union-attr]
    result, said = export(plan, "onnx", tmp_path / "net.onnx")
    assert not result.is_telling
    assert "proves little" in said[0]


@pytest.mark.parametrize("module_class", [SignNet, CountingNet])
@pytest.mark.parametrize(("format", "exporter"), WAYS)
def test_trace_that_answers_otherwise_is_refused_and_leaves_nothing(
    plans: Plans, module_class: type[nn.Module], format: str, exporter: str, tmp_path: Path
) -> None:
    plan = plans["image"](module_class(), exporters=(exporter,))
    with pytest.raises(ParityError) as caught:
        export(plan, format, tmp_path / "new" / "net")
    assert caught.value.exit_code == ExitCode.PARITY == 6
    assert len(caught.value.lines()) <= 6
    assert list(tmp_path.iterdir()) == []


def test_parity_error_names_sample_sizes_difference_and_tolerance(plans: Plans, tmp_path: Path) -> None:
    plan = plans["image"](SignNet(), exporters=("legacy",))
    signs = [np.sign(sample["image"].mean()) for sample in plan.graphs[0].samples]
    assert {-1.0, 1.0} == set(signs)  # else the trace would be right by chance
    with pytest.raises(ParityError, match=r"^net\.onnx: ") as caught:
        export(plan, "onnx", tmp_path / "net.onnx")
    [detail] = caught.value.details
    assert detail.startswith("legacy: sample ")
    assert "batch " in detail
    assert "logits differs by " in detail
    assert detail.endswith("tolerance 0.0005")


@pytest.mark.parametrize("format", ["onnx", "torchscript"])
def test_network_that_cannot_be_written_names_every_exporter(plans: Plans, format: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError) as caught:
        export(plans["image"](Untraceable()), format, tmp_path / "new" / "net")
    assert caught.value.exit_code == ExitCode.EXPORT == 5
    tried = ["dynamo", "legacy"] if format == "onnx" else ["trace"]
    assert [detail.split(": ")[0] for detail in caught.value.details] == tried
    assert all(detail.endswith("RuntimeError: not in a graph") for detail in caught.value.details)
    assert len(caught.value.lines()) <= 6
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("format", "exporter"), WAYS)
def test_older_file_is_replaced_by_a_proven_one_only(plans: Plans, format: str, exporter: str, tmp_path: Path) -> None:
    path = tmp_path / "net"
    path.write_bytes(b"older")
    with pytest.raises(ParityError):
        export(plans["image"](SignNet(), exporters=(exporter,)), format, path)
    assert path.read_bytes() == b"older"
    export(plans["image"](exporters=(exporter,)), format, path)
    assert open_model(path).metadata["task"] == "classification"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("format", "exporter"), WAYS)
def test_full_disk_is_an_export_error_and_keeps_the_older_file(
    plans: Plans, format: str, exporter: str, tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource")  # a bound on the size of written files stands for a full disk
    path = tmp_path / "net"
    path.write_bytes(b"older")
    plan = plans["image"](exporters=(exporter,))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(ExportError, match="cannot be written") as caught:
            export(plan, format, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.hint == "free some disk space"
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", ["file/net.onnx", "folder"])
def test_impossible_place_is_an_export_error(plans: Plans, place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ExportError, match="cannot be written"):
        export(plans["two"](), "torchscript", tmp_path / place)
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "file", tmp_path / "folder"]


def test_unknown_format_suggests_the_near_one(plans: Plans, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        export(plans["two"](), "onx", tmp_path / "net")
    assert caught.value.hint == "did you mean 'onnx'?"


def test_large_weights_go_into_one_file_beside(plans: Plans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_format, "MAX_BYTES_IN_ONE_FILE", 0)
    plan = plans["two"](exporters=("dynamo",))
    result, _ = export(plan, "onnx", tmp_path / "here" / "net.onnx")
    assert result.data_path == tmp_path / "here" / "net.onnx.data"
    assert result.bytes == result.path.stat().st_size + result.data_path.stat().st_size
    (tmp_path / "here").rename(tmp_path / "there")
    graph = plan.graphs[0]
    answer = open_model(tmp_path / "there" / "net.onnx").run(graph.samples[0])
    with torch.inference_mode():
        scores, best = graph.module(*(torch.from_numpy(graph.samples[0][name]) for name in graph.inputs))
    np.testing.assert_allclose(answer["scores"], scores.numpy(), rtol=1e-5)
    assert answer["best"].tolist() == best.tolist()
