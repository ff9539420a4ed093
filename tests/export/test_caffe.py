"""Networks as Caffe's files give the answers of their modules, and what Caffe has no layer for is refused by name."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from google.protobuf import text_format
from torch import Tensor, nn
from torch.nn import functional as F

from dlcli.core.errors import ExportError, ParityError, RunError, UsageError
from dlcli.export import caffe
from dlcli.export.caffe_schema import new_net
from dlcli.export.exporting import export_model
from dlcli.export.plan import ExportPlan, ExportResult, cut_samples, single_graph


def plan_of(module: nn.Module, side: int = 17, channels: int = 3, outputs: tuple[str, ...] = ("logits",)) -> ExportPlan:
    pixels = np.random.default_rng(0).integers(0, 256, (11, channels, side, side), dtype=np.uint8)
    return single_graph(
        module.eval(),
        inputs=("images",),
        outputs=outputs,
        samples=cut_samples({"images": pixels}),
        metadata={"task": "classification", "assets": {"labels": ["猫", "b"]}},
    )


def export(module: nn.Module, path: Path, **more: int) -> ExportResult:
    torch.manual_seed(0)
    for each in module.modules():
        if isinstance(each, nn.BatchNorm2d):  # statistics that matter
            nn.init.uniform_(each.running_mean, -1, 1)  # type: ignore[arg-type]
            nn.init.uniform_(each.running_var, 0.5, 2)  # type: ignore[arg-type]
            nn.init.uniform_(each.weight, 0.5, 2)
    return export_model(plan_of(module, **more), "prototxt", path, report=lambda line: None)


class Scaled(nn.Module):
    """Bytes to numbers around 0."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("mean", torch.tensor([0.5, 0.4, 0.3]).reshape(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.body((images / 255 - self.mean) / 0.25)


class Chain(nn.Module):
    """A convolution, a norm, ReLU, pools, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8 * 4 * 4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.conv(x)), inplace=True)
        return self.head(F.max_pool2d(x, 2).flatten(1))  # 9 x 9 to 4 x 4: rounded down, as Caffe does not


class Graph(nn.Module):
    """Sums, products, joined channels, a grouped and a dilated convolution, and a mean."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4)
        self.head = nn.Linear(16, 5, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.norm(self.first(x)), 0.1)
        y = self.second(x)
        z = torch.cat([x + y, torch.sigmoid(x) * torch.tanh(y) - x], 1)
        return self.head(F.avg_pool2d(z, 3, 2, 1).mean((2, 3))).softmax(1)


class Padded(nn.Module):
    """The padded pool of ResNets, which rounds down, and one that rounds up."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(torch.relu(self.conv(x)), 3, 2, 1)
        return F.max_pool2d(x, 3, 2, ceil_mode=True).flatten(1)


NETWORKS = {"chain": Chain, "graph": Graph, "padded": Padded}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_read_back_with_equal_answers(name: str, tmp_path: Path) -> None:
    result = export(Scaled(NETWORKS[name]()), tmp_path / "网.prototxt")
    assert result.max_difference < 1e-4
    assert len(result.checks) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["网.caffemodel", "网.prototxt"]
    assert result.data_path == tmp_path / "网.caffemodel"


def test_the_text_holds_the_layers_and_the_metadata_and_no_weights(tmp_path: Path) -> None:
    export(Scaled(Chain()), tmp_path / "a.prototxt")
    text = (tmp_path / "a.prototxt").read_text(encoding="utf-8")
    assert '# dlcli.assets: {"labels":["猫","b"]}' in text
    net = text_format.Parse(text, new_net()())
    types = [layer.type for layer in net.layer]
    assert types[0] == "Input"
    assert types[-8:] == [
        "Convolution",
        "BatchNorm",
        "Scale",
        "ReLU",
        "Convolution",
        "Pooling",
        "Flatten",
        "InnerProduct",
    ]
    assert net.layer[-1].top == ["logits"]
    assert not any(layer.blobs for layer in net.layer)


def test_exporting_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    torch.manual_seed(1)
    module = Scaled(Chain())
    for name in ("a", "b"):
        export(module, tmp_path / f"{name}.prototxt")
    for suffix in (".prototxt", ".caffemodel"):
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


class Gelu(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU())

    def forward(self, x: Tensor) -> Tensor:
        return self.stem(x.float()).mean((2, 3))


class Uneven(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(5)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(x.float())


class Negative(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 4, stride=1), nn.MaxPool2d(3, 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x.float())


class Turned(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.float().transpose(2, 3)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Gelu(), "layer stem.1: gelu has no layer in Caffe"),
        (Uneven(), "layer pool: an adaptive pool of 17 x 17 to 5 x 5 has no layer in Caffe"),
        (Negative(), "layer body.1: a padded pool that rounds down, of values that may be negative"),
        (Turned(), "layer network: transpose has no layer in Caffe"),
    ],
)
def test_what_caffe_has_no_layer_for_is_refused_by_the_name_of_its_module(
    module: nn.Module, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ExportError) as raised:
        export(module, tmp_path / "a.prototxt")
    assert said in raised.value.details[0]
    assert "--format onnx" in str(raised.value.hint)
    assert not list(tmp_path.iterdir())


def test_images_of_any_size_are_refused(tmp_path: Path) -> None:
    plan = plan_of(Scaled(Graph()))
    sizes = {"images": {0: "batch", 2: "height"}}
    other = {"images": np.zeros((3, 3, 19, 17), np.uint8)}
    graph = dataclasses.replace(plan.graphs[0], dynamic=sizes, samples=(*plan.graphs[0].samples, other))
    with pytest.raises(ExportError) as raised:
        export_model(ExportPlan((graph,), plan.metadata), "prototxt", tmp_path / "a.prototxt", report=lambda line: None)
    assert "takes any height" in raised.value.details[0]


def test_files_that_answer_otherwise_are_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(caffe._RUN, "ReLU", lambda layer, bottoms, weights: bottoms[0])  # type: ignore[attr-defined]
    with pytest.raises(ParityError):
        export(Scaled(Chain()), tmp_path / "a.prototxt")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".prototxt", ".caffemodel"])
def test_damaged_files_are_refused_when_they_are_read_back(suffix: str, tmp_path: Path) -> None:
    export(Scaled(Chain()), tmp_path / "a.prototxt")
    (tmp_path / f"a{suffix}").write_bytes(b"layer { name: \xff\xff")
    with pytest.raises(RunError, match="damaged"):
        caffe.read_files(tmp_path / "a.prototxt")


def test_the_name_of_the_weights_is_refused_for_the_layers(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.caffemodel: the weights are written there") as raised:
        export(Scaled(Chain()), tmp_path / "a.caffemodel")
    assert raised.value.hint == "name a.prototxt"
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(
    hasattr(cv2.dnn, "readNetFromCaffe"), reason="this OpenCV reads Caffe's files, so every test asks it"
)
def test_the_last_opencv_that_reads_these_files_gives_equal_answers(tmp_path: Path) -> None:
    place = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(place)]
    subprocess.run([*pip, "opencv-python-headless<5"], check=True)
    here = Path(__file__)
    chosen = "read_back_with_equal_answers or same_bytes"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(place), str(here.parents[2])])}
    line = [sys.executable, "-m", "pytest", "-n", "0", "-q", str(here), "-k", chosen, "-p", "no:cacheprovider"]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("....")  # none was skipped
