"""How the pictures of any task are made from a subject: which layer, which file, which refusal."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from dlcli.core.errors import RunError, UsageError
from dlcli.core.run_dir import RunDir
from dlcli.data.codec import Source
from dlcli.visualize import features, kernels
from dlcli.visualize.pictures import (
    PICTURES,
    ConfusionOptions,
    FeatureOptions,
    GridOptions,
    KernelOptions,
    full_name,
)
from dlcli.visualize.subject import Input, NoOptions

IMAGES = torch.rand(2, 1, 6, 6, generator=torch.Generator().manual_seed(0))


def wrapped() -> nn.Module:
    """Return a network within a wrapper, as a run has it: all its layers' names begin with `network.`."""
    stem = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    body = nn.Sequential(stem, nn.Conv2d(2, 3, 1), nn.Flatten(), nn.Linear(48, 2))
    outer = nn.Sequential()
    outer.add_module("network", body)
    return outer.eval()


@dataclass
class Fake:
    """A subject of a network, two inputs and perhaps a run."""

    model: nn.Module = field(default_factory=wrapped)
    path: Path = Path("runs/运行-1")
    name: str = "运行-1"

    def run(self) -> RunDir:
        return RunDir(self.path)

    def network(self) -> nn.Module:
        return self.model

    def example(self) -> torch.Tensor:
        return IMAGES[:1]

    def inputs(self) -> list[Input]:
        return [Input(name, Source(name, name), {"images": IMAGES[i : i + 1]}) for i, name in enumerate(("猫", "b"))]

    def training_samples(self) -> np.ndarray:
        return np.full((2, 2, 3), 7, np.uint8)


@pytest.fixture
def run(tmp_path: Path) -> Fake:
    """A subject whose run has two epochs and an evaluation."""
    (tmp_path / "eval").mkdir()
    (tmp_path / "run.json").write_text(json.dumps({"schema": 1, "best": {"epoch": 1}}), encoding="utf-8")
    lines = [json.dumps({"epoch": epoch, "loss": 1 / epoch}) for epoch in (1, 2)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_report(tmp_path, {"per_class": [{"name": "猫"}, {"name": "b"}], "confusion": [[3, 1], [0, 4]]})
    return Fake(path=tmp_path)


def write_report(folder: Path, content: Any, split: str = "test") -> None:
    (folder / "eval" / f"{split}.json").write_text(json.dumps(content), encoding="utf-8")


def draw(name: str, subject: Fake, options: Any) -> list[tuple[str, np.ndarray]]:
    return list(PICTURES[name].draw(subject, options))  # type: ignore[arg-type]


def test_layers_are_listed_without_the_wrapper_s_name() -> None:
    listing = PICTURES["features"].table
    assert listing is not None
    table = listing(Fake(), FeatureOptions(layer="list"))  # type: ignore[arg-type]
    assert table is not None
    assert [(entry["name"], entry["shape"]) for entry in table.entries] == [
        ("0", [2, 4, 4]),
        ("0.0", [2, 4, 4]),
        ("0.1", [2, 4, 4]),
        ("1", [3, 4, 4]),
    ]
    assert [row[2] for row in table.rows] == ["2 x 4 x 4"] * 3 + ["3 x 4 x 4"]


def test_only_convolutions_have_kernels_to_list() -> None:
    listing = PICTURES["kernels"].table
    assert listing is not None
    table = listing(Fake(), KernelOptions(layer="list"))  # type: ignore[arg-type]
    assert table is not None
    assert [entry["name"] for entry in table.entries] == ["0.0", "1"]


@pytest.mark.parametrize(("name", "options"), [("features", FeatureOptions("1")), ("kernels", KernelOptions("1"))])
def test_nothing_is_listed_where_a_layer_is_named(name: str, options: Any) -> None:
    listing = PICTURES[name].table
    assert listing is not None
    assert listing(Fake(), options) is None  # type: ignore[arg-type]


def test_a_layer_is_named_as_it_is_listed() -> None:
    subject = Fake()
    assert full_name(subject.model, subject, "0.1") == "network.0.1"  # type: ignore[arg-type]
    assert full_name(subject.model, subject, None) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "near"), [("0.11", "0.1"), ("network.0.1", "0.1"), ("3", "")])
def test_a_layer_that_is_not_listed_is_refused_with_the_way_to_the_list(name: str, near: str) -> None:
    subject = Fake()
    with pytest.raises(UsageError, match=f"--layer: .*'{name}'") as caught:
        full_name(subject.model, subject, name)  # type: ignore[arg-type]
    assert "--layer list" in str(caught.value.hint)
    assert near in str(caught.value.hint)


@pytest.mark.parametrize(("layer", "full", "title"), [(None, "network.0", "0"), ("1", "network.1", "1")])
def test_every_input_has_its_picture_of_the_layer(
    layer: str | None, full: str, title: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[np.ndarray, dict[str, Any]]] = []

    def record(maps: np.ndarray, **options: Any) -> np.ndarray:
        seen.append((maps, options))
        return np.zeros((1, 1, 3), np.uint8)

    monkeypatch.setattr(features, "draw_features", record)
    subject = Fake()
    assert [name for name, _ in draw("features", subject, FeatureOptions(layer, 2))] == ["features-猫", "features-b"]
    for index, (maps, options) in enumerate(seen):
        expected = features.feature_maps(subject.model, IMAGES[index : index + 1], full)
        np.testing.assert_array_equal(maps, expected)
        assert options == {"max_channels": 2, "title": f"{('猫', 'b')[index]}, {title}"}


def test_a_network_without_a_map_is_refused() -> None:
    subject = Fake(nn.Sequential(nn.Flatten(), nn.Linear(36, 2)))
    with pytest.raises(UsageError, match="map"):
        draw("features", subject, FeatureOptions())


@pytest.mark.parametrize(("layer", "index"), [(None, 0), ("0.0", 0), ("1", 1)])
def test_the_kernels_are_those_of_the_layer_or_of_the_first(
    layer: str | None, index: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(kernels, "draw_kernels", lambda weights, title: seen.append((weights, title)))
    subject = Fake()
    draw("kernels", subject, KernelOptions(layer))
    [(weights, title)] = seen
    expected = [module.weight for module in subject.model.modules() if isinstance(module, nn.Conv2d)][index]
    np.testing.assert_array_equal(weights, expected.detach().numpy())
    assert title == f"运行-1, {('0.0', '1')[index]}"


def test_what_training_sees_is_the_subject_s_own_picture() -> None:
    [(name, picture)] = draw("grid", Fake(), GridOptions(augmented=True))
    assert (name, picture.tolist()) == ("grid-augmented", np.full((2, 2, 3), 7).tolist())


def test_curves_mark_the_run_s_best_epoch(run: Fake, figures: list[Figure]) -> None:
    [(name, _)] = draw("curves", run, NoOptions())
    assert name == "curves"
    assert figures[0].get_suptitle().endswith("best epoch 1")
    assert figures[0].axes[0].lines[0].get_ydata().tolist() == [1, 0.5]


def test_curves_of_a_run_without_an_epoch_are_refused(run: Fake) -> None:
    (run.path / "metrics.jsonl").unlink()
    with pytest.raises(RunError, match=r"metrics\.jsonl"):
        draw("curves", run, NoOptions())


@pytest.mark.parametrize(("counts", "cells"), [(False, ["75", "25", "", "100"]), (True, ["3", "1", "", "4"])])
def test_confusion_is_that_of_the_evaluation(counts: bool, cells: list[str], run: Fake, figures: list[Figure]) -> None:
    draw("confusion", run, ConfusionOptions(counts=counts))
    axes = figures[0].axes[0]
    assert [text.get_text() for text in axes.texts] == cells
    assert [label.get_text() for label in axes.get_yticklabels()] == ["猫", "b"]
    assert axes.get_title() == f"{run.path.name}, test: 87.50% of 8 right"


def test_a_split_that_was_not_evaluated_is_refused_with_the_command(run: Fake) -> None:
    with pytest.raises(RunError, match="valid") as caught:
        draw("confusion", run, ConfusionOptions(split="valid"))
    assert f"dl eval {run.path} --split valid" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"metrics": {}}, "no confusion matrix"),
        ({"confusion": [[1, 0], [0, 1]]}, "damaged"),
        ({"confusion": [[1, 0], [0, 1]], "per_class": [{"name": "a"}]}, "damaged"),
        ({"confusion": [["x", 0], [0, 1]], "per_class": [{"name": "a"}, {"name": "b"}]}, "damaged"),
        ({"confusion": [[1, 0]], "per_class": 3}, "damaged"),
    ],
)
def test_a_report_without_a_matrix_for_its_classes_is_refused(content: Any, says: str, run: Fake) -> None:
    write_report(run.path, content)
    with pytest.raises(RunError, match=rf"test\.json: {says}"):
        draw("confusion", run, ConfusionOptions())
